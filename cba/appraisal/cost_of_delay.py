"""What waiting costs: an option against the same option some years later, draw by draw on common random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.arrays import net_saving
from cba.appraisal.summaries import interval, probability
from cba.costs.discounting import discount_factors
from cba.costs.savings import child_years
from cba.decisions.monte_carlo_error import mcse_mean

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.inputs.option_records import Option

_COLUMNS = [
    "option", "delayed", "delay_years", "window", "measure", "unit", "prompt_mean", "delayed_mean",
    "difference_mean", "lower", "upper", "mcse", "prob_delay_better", "prob_mcse",
]  # fmt: skip


def cost_of_delay(workings: Workings) -> pd.DataFrame:
    """Difference that delay makes to net present value, child-years and children, with its interval.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, delayed, delay_years, window, measure, unit, prompt_mean, delayed_mean,
        difference_mean, lower, upper, mcse, prob_delay_better, prob_mcse: delayed less prompt, so that below 0
        delay loses. Windows: ``same_years`` (the headline horizon: the delayed option has fewer years of
        everything in it), ``own_years`` (each option over as many years from its own start, discounted to the
        start of the prompt one: delay as such) and ``long`` (the long horizon). No rows where no option of
        the analysis is a delayed version of another.

    Examples
    --------
    >>> cost_of_delay(workings).query("window == 'own_years'")  # doctest: +SKIP
    """
    rows = []
    for late in workings.inputs.options:
        prompt = _prompt_version(workings, late)
        if prompt is None:
            continue
        wait = late.delay_years - prompt.delay_years
        for window, (first, second) in _windows(workings, wait).items():
            for measure, unit, ours, theirs in _measures(workings, (prompt.id, late.id), (first, second)):
                known = (prompt.id, late.id, wait, window, measure, unit)
                rows.append((*known, *_difference(workings, ours, theirs)))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _prompt_version(workings: Workings, late: Option) -> Option | None:
    """Return the option of the analysis that `late` is a delayed version of: all else equal."""
    fields = ("timing", "financing", "recurrent", "spend", "effects", "areas")
    for other in workings.inputs.options:
        same = all(getattr(other, field) == getattr(late, field) for field in fields)
        if same and other.delay_years < late.delay_years:
            return other
    return None


def _windows(workings: Workings, wait: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Factors by year of the whole projection for the prompt and the delayed option, by window."""
    analysis, years = workings.inputs.analysis, np.array(workings.years)
    offsets = years - analysis.start_year
    factors = np.zeros(years.size)
    factors[offsets >= 0] = discount_factors(
        offsets[offsets >= 0], analysis.schedule, mid_year=analysis.mid_year
    )
    ours = factors * (offsets < analysis.horizon)
    windows = {"same_years": (ours, ours)}
    if offsets.max() >= analysis.horizon + wait - 1:
        later = factors * (offsets >= wait) * (offsets < analysis.horizon + wait)
        windows["own_years"] = (ours, later)
    return windows | {"long": (factors, factors)}


def _measures(
    workings: Workings, options: tuple[str, str], factors: tuple[np.ndarray, np.ndarray]
) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """Name, unit and draws of each measure for the prompt and the delayed option."""
    accounts = [workings.accounts[o] for o in options]
    worth = [net_saving(a) @ f for a, f in zip(accounts, factors, strict=True)]
    children = [a.children.fewer_by_age.sum(axis=-1) for a in accounts]
    lived = [child_years(c) @ f for c, f in zip(children, factors, strict=True)]
    target = workings.years.index(workings.inputs.analysis.target_year)
    return [
        ("npv", "GBP, present value", worth[0], worth[1]),
        ("child_years", "child-years not in care, discounted", lived[0], lived[1]),
        (
            "fewer_children",
            "fewer children in the target year",
            children[0][:, target],
            children[1][:, target],
        ),
    ]


def _difference(workings: Workings, prompt: np.ndarray, delayed: np.ndarray) -> tuple[float, ...]:
    change = delayed - prompt
    lower, upper = interval(change, level=workings.inputs.analysis.level)
    better = probability(change > 0, label="", chains=workings.chains)
    means = (prompt.mean(), delayed.mean(), change.mean(), lower, upper)
    error = mcse_mean(change, chains=workings.chains)
    return (*(float(m) for m in means), error, better["mean"], better["mcse"])
