"""What finding out is worth: value and net value of pathfinders, a trial and better cost returns, by their size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.studies_on_offer import StudyDesign, studies_on_offer
from cba.decisions.half_samples import MINIMUM_DRAWS
from cba.decisions.population_totals import enbs, optimal_design, population_value
from cba.decisions.sample_information import evsi_with_covariance
from cba.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from cba.appraisal.stages import Workings

VALUES = (0.0, 500e3, 2.5e6)
"""GBP per child-year safely at home."""

ENDLESS = 1e-3
"""Standard error of a study without sampling error, as a share of the spread of what it shows."""

KEY = ["value_per_child_year", "design"]


def study_values(
    workings: Workings,
    *,
    values: Sequence[float] = VALUES,
    harm_ratio: float = 1.0,
    horizon: int | None = None,
    costs: str | Path | None = None,
) -> pd.DataFrame:
    """Expected value of sample information and expected net benefit of sampling, by study and size.

    Parameters
    ----------
    workings : Workings
        As returned by :func:`cba.appraisal.stages.work_through`, of 128 draws or more.
    values : sequence of float, >= 0, GBP
        Values of a child-year safely at home.
    harm_ratio : float, >= 0
        Cost of a child-year of harm over the value of one safely at home.
    horizon : int, >= 1, optional
        Years for which the choice stands, from the first year of the analysis; its horizon by default.
    costs : str or Path, optional
        What studies cost, as in :func:`cba.appraisal.studies_on_offer.studies_on_offer`.

    Returns
    -------
    DataFrame
        Columns value_per_child_year, design, unit, size, standard_error, years_to_decision, best_without (the
        option with the highest expected payoff without a study), evsi, evsi_se (once for the country, were the
        result known at the start), evsi_endless (of a study without sampling error: what no size of this design
        exceeds), value, cost (both GBP, present value), enbs, enbs_se, prob_positive, best (the size with the
        highest enbs of its design and value), near_best (sizes that cannot be told from it).

    Raises
    ------
    InputError
        Under the review stance or on draws conditioned on its claims, with fewer than 128 draws, or where a
        value, ratio or horizon is out of range.

    Notes
    -----
    The choice is among all options of the analysis, for payoff ``U = NPV + lambda CY_safe - mu H``. A result that
    arrives in year w serves the rest of the horizon T only, so

        ``value = EVSI x sum_{t=w}^{T-1} f(t) / sum_{t=0}^{T-1} f(t)``

    with f the discount factors of the analysis: (T - w) / T at 0%. It takes payoffs as spread evenly over the
    horizon and the study as done before anything is rolled out; delay of one option year by year is in
    ``pilot_or_now``. The cost is that of the study and of its service, less what the service saves and, at the
    same lambda, does for the families in it: below zero where the service is worth its money. Costs are expected
    values, the error of `enbs` is that of `evsi`, and draws are taken as independent.

    Examples
    --------
    >>> table = study_values(workings, values=(0.0, 500e3))  # doctest: +SKIP
    >>> optimal_studies(table)[["design", "size", "enbs"]]  # doctest: +SKIP
    """
    _require_own_draws(workings)
    years = workings.inputs.analysis.horizon if horizon is None else horizon
    _require_usable(values, harm_ratio=harm_ratio, horizon=years)
    designs = [d for d in studies_on_offer(workings, costs=costs) if d.wait < years]
    arrays = workings.arrays
    frames = []
    for value in values:
        payoff = arrays.npv + value * arrays.child_years_safe - harm_ratio * value * arrays.child_years_harm
        best = str(payoff["option"].values[int(payoff.mean("sample").argmax("option"))])
        for design in designs:
            left = remaining_share(
                wait=design.wait, horizon=years, schedule=workings.inputs.analysis.schedule
            )
            unit_cost = design.cost_per_unit - _service_worth(design, value=value, harm=harm_ratio * value)
            table = _one_study(design, payoff, left=left, unit_cost=unit_cost)
            table.insert(0, "value_per_child_year", float(value))
            table.insert(6, "best_without", best)
            frames.append(table)
    return pd.concat(frames, ignore_index=True)


def optimal_studies(table: pd.DataFrame) -> pd.DataFrame:
    """Best size of each design, with the sizes it cannot be told from.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`study_values`.

    Returns
    -------
    DataFrame
        Columns value_per_child_year, design, unit, size, lower, upper, enbs, enbs_se, worth_doing; `worth_doing`
        where the best net value is above zero: otherwise the best study of this design is none.

    Examples
    --------
    >>> rows = {"size": [6, 12], "enbs": [1.0, 3.0], "enbs_se": [1.0, 1.0], "best": [False, True]}
    >>> rows |= {"near_best": [False, True], "unit": "authorities"}
    >>> made = pd.DataFrame({"value_per_child_year": 0.0, "design": "pathfinder_2"} | rows)
    >>> optimal_studies(made)[["size", "lower", "upper", "worth_doing"]].values.tolist()
    [[12, 12, 12, True]]
    """
    near = table[table["near_best"]].groupby(KEY, sort=False)["size"].agg(["min", "max"])
    best = table[table["best"]].set_index(KEY)
    joined = best.join(near).rename(columns={"min": "lower", "max": "upper"}).reset_index()
    joined["worth_doing"] = joined["enbs"] > 0
    return joined[[*KEY, "unit", "size", "lower", "upper", "enbs", "enbs_se", "worth_doing"]]


def remaining_share(
    *, wait: int, horizon: int, schedule: str | None = None, rate: float | None = None
) -> float:
    """Share of a choice's discounted years that is left when a study reports.

    Parameters
    ----------
    wait : int, >= 0
        Years until the result can be acted on.
    horizon : int, >= 1
        Years for which the choice stands.
    schedule : str, optional
        Discount schedule.
    rate : float, > -1, optional
        Constant yearly rate in its place.

    Returns
    -------
    float
        From 0 (too late) to 1 (at once).

    Examples
    --------
    >>> remaining_share(wait=4, horizon=10, rate=0.0)
    0.6
    """
    whole, missed = (
        population_value(1.0, population=1.0, years=years, schedule=schedule, rate=rate)
        for years in (horizon, min(wait, horizon))
    )
    return (whole - missed) / whole


def _one_study(design: StudyDesign, payoff: xr.DataArray, *, left: float, unit_cost: float) -> pd.DataFrame:
    """Every size of one design at one value of a child-year."""
    endless = ENDLESS * float(design.shown.std())
    known = evsi_with_covariance(
        payoff.drop_vars("sample", errors="ignore"),
        design.shown.drop_vars("sample", errors="ignore"),
        standard_errors=[*design.standard_errors, endless],
        prior=design.prior,
    )
    sizes = known.table.iloc[:-1].assign(design=design.sizes)
    net = enbs(sizes, population_factor=left, fixed_cost=design.fixed_cost, cost_per_unit=unit_cost)
    joint = left**2 * known.covariance[:-1, :-1]
    chosen = optimal_design(net, covariance=joint)
    size = np.asarray(design.sizes)
    return pd.DataFrame(
        {
            "design": design.name,
            "unit": design.unit,
            "size": size,
            "standard_error": design.standard_errors,
            "years_to_decision": design.wait,
            "evsi": sizes["evsi"],
            "evsi_se": sizes["se"],
            "evsi_endless": known.table["evsi"].iloc[-1],
            "value": left * sizes["evsi"],
            "cost": design.fixed_cost + unit_cost * size,
            "enbs": net["enbs"],
            "enbs_se": net["se"],
            "prob_positive": net["prob_positive"],
            "best": size == chosen.design,
            "near_best": (size >= chosen.lower) & (size <= chosen.upper),
        }
    )


def _service_worth(design: StudyDesign, *, value: float, harm: float) -> float:
    """Expected payoff of the service given to one unit of the study, GBP."""
    if design.service is None:
        return 0.0
    return float(design.service.worth(value_per_child_year=value, value_per_harm_year=harm).mean())


def _require_own_draws(workings: Workings) -> None:
    """Refuse draws that stand for what somebody claimed, not for what anybody believes."""
    analysis, draws = workings.inputs.analysis, workings.arrays.npv.sizes["sample"]
    if workings.inputs.stance == "review" or draws != analysis.draws:
        raise InputError(
            "the value of a study cannot be asked of draws conditioned on a claim",
            field="stance",
            found=f"{workings.inputs.stance}, {draws} of {analysis.draws} draws",
            allowed="all draws of evidence, sceptical or a mixture of them",
            cause="the review stance, which is the evidence given that the review's claims are met",
            remedy="work through the analysis under `evidence` or `sceptical`",
        )
    if draws < MINIMUM_DRAWS:
        raise InputError(
            "there are too few draws to say what learning is worth",
            field="draws",
            found=draws,
            allowed=f"{MINIMUM_DRAWS} or more",
            cause="a trial run",
            remedy="raise `draws` in the analysis",
        )


def _require_usable(values: Sequence[float], *, harm_ratio: float, horizon: int) -> None:
    worths = np.asarray(values, dtype=np.float64)
    if worths.ndim != 1 or not worths.size or not (np.isfinite(worths) & (worths >= 0)).all():
        raise InputError(
            "a child-year cannot have this value",
            field="values",
            found=list(values),
            allowed="one or more finite values, 0 or above, GBP",
        )
    if not (np.isfinite(harm_ratio) and harm_ratio >= 0):
        raise InputError(
            "harm cannot have this value", field="harm_ratio", found=harm_ratio, allowed="0 or above"
        )
    if horizon < 1:
        raise InputError("the horizon holds no year", field="horizon", found=horizon, allowed="1 or more")
