"""Net present value under every discount schedule, on the same draws and the same cash flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cba.appraisal.summaries import interval, probability
from cba.costs.discount_schedules import DiscountSchedule, find_schedule, list_schedules
from cba.costs.discounting import discount_factors

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings


def discount_schedules_table(workings: Workings) -> pd.DataFrame:
    """Net present value of each option under each schedule shipped with the package.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        One row per schedule and option, that of the run first, then the run's schedule with money at the other
        point of the year, then the others. Columns schedule, title, vintage (date published), source, mid_year,
        of_the_run (bool), option, label; mean, lower, upper, prob_positive, prob_mcse (headline horizon);
        change_mean, change_lower, change_upper (against the run's schedule, draw by draw); long_mean, long_lower,
        long_upper (long horizon). GBP of the price base; positive is a net saving.

    Notes
    -----
    ``NPV = sum over year of net saving(year) * factor(year - start_year)``; the start year of the analysis is
    year 0 under every schedule, undiscounted unless money falls in mid-year.

    References
    ----------
    .. [1] HM Treasury (2026) *The Green Book*, ch. 6: sensitivity to the reduced rate.

    Examples
    --------
    >>> table = discount_schedules_table(workings)  # doctest: +SKIP
    >>> table.pivot(index="option", columns="schedule", values="mean")  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    rows: list[dict[str, Any]] = []
    usual: dict[str, np.ndarray] = {}
    for schedule, mid_year, of_the_run in _variants(workings):
        described = {
            "schedule": schedule.name,
            "title": schedule.title,
            "vintage": schedule.vintage.isoformat(),
            "source": schedule.source,
            "mid_year": mid_year,
            "of_the_run": of_the_run,
        }
        worth = _worth(workings, schedule, years=analysis.horizon, mid_year=mid_year)
        long = _worth(workings, schedule, years=analysis.long_horizon, mid_year=mid_year)
        usual = worth if of_the_run else usual
        for option in workings.inputs.options:
            npv, far = worth[option.id], long[option.id]
            gain = probability(npv > 0, label="", chains=workings.chains)
            named = {"option": option.id, "label": option.label}
            row = described | named | _summary(npv, "", level=analysis.level)
            row |= {"prob_positive": gain["mean"], "prob_mcse": gain["mcse"]}
            row |= _summary(npv - usual[option.id], "change_", level=analysis.level)
            rows.append(row | _summary(far, "long_", level=analysis.level))
    return pd.DataFrame(rows)


def _variants(workings: Workings) -> Iterator[tuple[DiscountSchedule, bool, bool]]:
    """Schedule, whether money falls in mid-year, and whether it is the run's own; that one first."""
    analysis = workings.inputs.analysis
    own = find_schedule(analysis.schedule)
    yield own, analysis.mid_year, True
    yield own, not analysis.mid_year, False
    for schedule in list_schedules():
        if schedule.name != own.name:
            yield schedule, analysis.mid_year, False


def _worth(
    workings: Workings, schedule: DiscountSchedule, *, years: int, mid_year: bool
) -> dict[str, np.ndarray]:
    """Present value of each option's net savings over some years, (sample,)."""
    first = workings.inputs.analysis.start_year
    flows = workings.arrays.flows_long.sel(year=list(range(first, first + years)))
    factors = discount_factors(np.arange(years), schedule, mid_year=mid_year)
    values = flows.transpose("option", "sample", "year").values @ factors
    return dict(zip(flows["option"].values.tolist(), values, strict=True))


def _summary(draws: np.ndarray, prefix: str, *, level: float) -> dict[str, float]:
    lower, upper = interval(draws, level=level)
    return {
        f"{prefix}mean": float(draws.mean()),
        f"{prefix}lower": float(lower),
        f"{prefix}upper": float(upper),
    }
