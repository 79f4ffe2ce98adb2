"""From the value of one decision to that of all it affects, and from there to net of the study's cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cba.costs.discounting import discount_factors
from cba.decisions.draws import FloatArray, refuse_non_finite
from cba.errors import InputError


@dataclass(frozen=True)
class OptimalDesign:
    """The design with the highest expected net benefit of sampling, and the designs it cannot be told from.

    Parameters
    ----------
    design : float
        Size (or whatever the table's `design` column holds) of the best design.
    enbs : float
        Its expected net benefit of sampling, GBP.
    lower, upper : float
        Smallest and largest design whose ENBS cannot be told from the best.
    worth_doing : bool
        Whether the best ENBS is above zero: if not, the best study is none.
    """

    design: float
    enbs: float
    lower: float
    upper: float
    worth_doing: bool


def population_value(
    value: float, *, population: float, years: int, rate: float | None = None, schedule: str | None = None
) -> float:
    """Value over all decisions affected, discounted to the first year.

    Parameters
    ----------
    value : float
        Value per decision (EVPI, EVPPI or EVSI), GBP. Use ``population=1, years=1`` where `value` is already
        that of a national decision.
    population : float, >= 0
        Decisions, or persons affected, each year.
    years : int, >= 0
        Years for which the decision stands; the first is year 0 and undiscounted.
    rate : float, > -1, optional
        Constant yearly discount rate, 0.035 for 3.5%; 0 gives exactly ``value * population * years``.
    schedule : str, optional
        A named schedule of `cba.costs.discount_factors`, in place of `rate`.

    Returns
    -------
    float
        GBP, present value.

    Raises
    ------
    InputError
        If not exactly one of `rate` and `schedule` is given, or a number is out of its range.

    Notes
    -----
    ``value * population * sum_t factor(t)``, t = 0..years-1, summed and not by a closed form that divides by
    the rate: there is no jump at 0%.

    Examples
    --------
    >>> population_value(2.0, population=100, years=10, rate=0.0)
    2000.0
    >>> round(population_value(2.0, population=100, years=3, schedule="green_book_2026"), 4)
    579.9389
    """
    if (rate is None) == (schedule is None):
        raise InputError(
            "one way of discounting is needed",
            field="rate, schedule",
            found="neither" if rate is None else "both",
            allowed="exactly one of them",
            remedy="schedule='green_book_2026', or rate=0.0 for no discounting",
        )
    _require_number(population, field="population", low=0.0)
    _require_number(years, field="years", low=0.0, whole=True)
    offsets = np.arange(int(years))
    if rate is not None:
        _require_number(rate, field="rate", low=-1.0, open_low=True)
        factors = (1.0 + rate) ** -offsets.astype(np.float64)
    else:
        factors = discount_factors(offsets, str(schedule))
    return float(value * population * factors.sum())


def _require_number(
    number: float, *, field: str, low: float, whole: bool = False, open_low: bool = False
) -> None:
    if (
        not np.isfinite(number)
        or number < low
        or (open_low and number == low)
        or (whole and number != int(number))
    ):
        kind, side = "a whole number" if whole else "a number", "above" if open_low else "of at least"
        raise InputError(
            f"{field} is out of range",
            field=field,
            found=number,
            allowed=f"{kind} {side} {low:g}",
            cause="a percentage typed for a proportion" if field == "rate" else None,
        )


def enbs(
    evsi: pd.DataFrame, *, population_factor: float, fixed_cost: float, cost_per_unit: float
) -> pd.DataFrame:
    """Expected net benefit of sampling for a table of designs.

    Parameters
    ----------
    evsi : DataFrame, columns design, evsi, se
        One row per design; `design` is its size (families, authorities, years), `evsi` and `se` per decision.
    population_factor : float, >= 0
        What `population_value` makes of one pound per decision.
    fixed_cost, cost_per_unit : float, GBP, present value
        Cost of a study of size n is ``fixed_cost + cost_per_unit * n``.

    Returns
    -------
    DataFrame, columns design, enbs, se, prob_positive
        `prob_positive` is the probability, given the Monte Carlo error, that ENBS is above zero.

    Raises
    ------
    InputError
        If a column is missing, the table is empty, a number is not finite, or `population_factor` is negative.

    Examples
    --------
    >>> table = pd.DataFrame({"design": [10, 100], "evsi": [3.0, 8.0], "se": [0.1, 0.1]})
    >>> enbs(table, population_factor=100, fixed_cost=200, cost_per_unit=1)["enbs"].tolist()
    [90.0, 500.0]
    """
    from scipy.stats import norm

    missing = [column for column in ("design", "evsi", "se") if column not in evsi.columns]
    if missing or evsi.empty:
        raise InputError(
            "the table of designs is incomplete",
            field="evsi",
            found=f"columns {list(evsi.columns)}, {len(evsi)} rows",
            allowed="columns design, evsi, se and one row or more",
        )
    _require_number(population_factor, field="population_factor", low=0.0)
    for cost, field in ((fixed_cost, "fixed_cost"), (cost_per_unit, "cost_per_unit")):
        _require_number(cost, field=field, low=-np.inf)
    for column in ("design", "evsi", "se"):
        refuse_non_finite(evsi[column].to_numpy(dtype=np.float64), field=f"evsi.{column}")
    size = evsi["design"].to_numpy(dtype=np.float64)
    value = population_factor * evsi["evsi"].to_numpy(dtype=np.float64) - fixed_cost - cost_per_unit * size
    error = population_factor * evsi["se"].to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        certain = np.where(error > 0, norm.cdf(value / error), (value > 0).astype(np.float64))
    return pd.DataFrame(
        {"design": evsi["design"].to_numpy(), "enbs": value, "se": error, "prob_positive": certain}
    )


def optimal_design(
    table: pd.DataFrame, *, level: float = 0.95, covariance: ArrayLike | None = None
) -> OptimalDesign:
    """Best design in a table of `enbs`, with the range of designs not distinguishable from it.

    Parameters
    ----------
    table : DataFrame, columns design, enbs, se
    level : float in (0, 1)
        Level of the comparison with the best.
    covariance : array (design, design), optional, GBP squared
        Of the errors of `enbs`, where all designs were valued on the same draws: `evsi_with_covariance` times
        the square of the population factor. Without it errors are taken as independent.

    Returns
    -------
    OptimalDesign

    Raises
    ------
    InputError
        If the table is empty or incomplete, a number in it is not finite, `level` is not a probability, or
        `covariance` does not fit the table.

    Notes
    -----
    A design is kept while its shortfall is at most ``z`` times the standard error of the difference from the
    best, ``sqrt(v_best + v - 2 c)``. Errors of designs valued on the same draws go together, so without their
    covariance ``c`` (taken as 0) the range is wide rather than narrow.

    Examples
    --------
    >>> table = pd.DataFrame({"design": [10, 50, 100], "enbs": [1.0, 9.0, 8.5], "se": [0.5, 0.5, 0.5]})
    >>> best = optimal_design(table)
    >>> best.design, best.lower, best.upper, best.worth_doing
    (50.0, 50.0, 100.0, True)

    On shared draws the same errors tell the two apart.

    >>> shared = 0.25 * np.full((3, 3), 0.99) + 0.25 * 0.01 * np.eye(3)
    >>> optimal_design(table, covariance=shared).upper
    50.0
    """
    from scipy.stats import norm

    missing = [column for column in ("design", "enbs", "se") if column not in table.columns]
    if missing or table.empty:
        raise InputError(
            "there is no design to choose from",
            field="table",
            found=f"columns {list(table.columns)}, {len(table)} rows",
            allowed="columns design, enbs, se and one row or more",
            remedy="pass what `enbs` returns",
        )
    if not 0.0 < level < 1.0:
        raise InputError("level is not a probability", field="level", found=level, allowed="between 0 and 1")
    value, error, design = (table[c].to_numpy(dtype=np.float64) for c in ("enbs", "se", "design"))
    for numbers, column in ((value, "enbs"), (error, "se"), (design, "design")):
        refuse_non_finite(numbers, field=f"table.{column}")
    best = int(value.argmax())
    spread = _error_of_difference(error, best, covariance)
    near = design[value[best] - value <= float(norm.ppf(0.5 + level / 2)) * spread]
    return OptimalDesign(
        float(design[best]), float(value[best]), float(near.min()), float(near.max()), bool(value[best] > 0)
    )


def _error_of_difference(error: FloatArray, best: int, covariance: ArrayLike | None) -> FloatArray:
    """Standard error of each design's shortfall from the best; zero for the best itself."""
    if covariance is None:
        spread: FloatArray = np.hypot(error, error[best])
        spread[best] = 0.0
        return spread
    joint = np.asarray(covariance, dtype=np.float64)
    if joint.shape != (error.size, error.size) or not np.allclose(np.diag(joint), error**2, rtol=1e-6):
        raise InputError(
            "the covariance does not belong to the table",
            field="covariance",
            found=f"shape {joint.shape}, diagonal {np.diag(joint)[:3] if joint.ndim == 2 else ''}",
            allowed=f"shape ({error.size}, {error.size}) with the squares of `se` on its diagonal",
            cause="a covariance of EVSI, not yet multiplied by the square of the population factor",
            remedy="population_factor**2 * evsi_with_covariance(...).covariance",
        )
    return np.sqrt(np.maximum(joint.diagonal() + joint[best, best] - 2.0 * joint[best], 0.0))
