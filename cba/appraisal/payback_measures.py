"""Two measures of payback side by side: the programme repaid for good, and a year that pays for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.headline import payback_draws
from cba.appraisal.summaries import probability
from cba.costs.option_account import total_cost, total_saving

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.costs.option_account import OptionAccount


def first_year_covered(
    saving: np.ndarray, *, cost: np.ndarray, programme: np.ndarray, years: np.ndarray, for_good: bool = False
) -> np.ndarray:
    """First year after the programme whose cashable saving covers the cost of that year.

    Parameters
    ----------
    saving, cost : ndarray, shape (sample, year), GBP
        Cashable saving and all costs of each year.
    programme : ndarray, shape (sample, year), GBP
        The part of the cost that is programme money: a year counts only once that has ended.
    years : ndarray of int, shape (year,)
        Years ending 31 March.
    for_good : bool
        Count a year only if every later one is covered too.

    Returns
    -------
    ndarray, shape (sample,)
        Year, or NaN for never. A year without any saving covers nothing, whatever it costs.

    Notes
    -----
    First t after the last programme year with ``saving(t) > 0`` and ``saving(t) >= cost(t)``.

    Examples
    --------
    Programme money in the first year, then 50 a year; savings cover it in the third.

    >>> saving = np.array([[0.0, 20.0, 60.0, 40.0]])
    >>> costs = {"cost": np.array([[100.0, 50.0, 50.0, 50.0]]), "programme": np.array([[100.0, 0.0, 0.0, 0.0]])}
    >>> years = np.array([2026, 2027, 2028, 2029])
    >>> first_year_covered(saving, **costs, years=years).tolist()
    [2028.0]
    >>> first_year_covered(saving, **costs, years=years, for_good=True).tolist()
    [nan]
    """
    still_to_come = np.cumsum(programme[:, ::-1], axis=1)[:, ::-1]
    covered = (saving > 0.0) & (saving >= cost) & (still_to_come <= 0.0)
    if for_good:
        covered = np.logical_and.accumulate(covered[:, ::-1], axis=1)[:, ::-1]
    return np.where(covered.any(axis=1), years[covered.argmax(axis=1)].astype(float), np.nan)


def covered_draws(workings: Workings, option: str, *, for_good: bool = False) -> np.ndarray:
    """Year in which an option's yearly cashable saving covers its yearly cost, in every draw.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis.
    for_good : bool
        As in :func:`first_year_covered`.

    Returns
    -------
    ndarray, shape (sample,)
        Year ending 31 March within the headline horizon; NaN for never.

    Examples
    --------
    >>> covered_draws(workings, "care_review")  # doctest: +SKIP
    """
    analysis, years = workings.inputs.analysis, np.array(workings.years)
    within = (years >= analysis.start_year) & (years < analysis.start_year + analysis.horizon)
    account: OptionAccount = workings.accounts[option]
    zero = np.zeros_like(account.recurrent)
    programme = sum((line.amount for line in account.costs if line.kind == "programme"), zero)
    return first_year_covered(
        total_saving(account)[:, within],
        cost=total_cost(account)[:, within],
        programme=programme[:, within],
        years=years[within],
        for_good=for_good,
    )


def payback_measures(workings: Workings) -> pd.DataFrame:
    """Probability of each year of payback by both measures, and of never within the horizon.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, recurrent (whether the option has recurrent money to cover: without it the second
        measure only says when savings exceed what is spent on children who are not in care), year (missing:
        never), prob_cumulative (cumulative discounted net back at zero for good), prob_yearly (first year after
        the programme whose cashable saving covers its cost), prob_yearly_for_good, and the standard error of
        each (``mcse_...``). Each sums to 1 over an option.

    Examples
    --------
    >>> payback_measures(workings).query("year.isna()")  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    years = [*range(analysis.start_year, analysis.start_year + analysis.horizon), np.nan]
    rows = []
    lasting = {o.id: o.recurrent is not None for o in workings.inputs.options}
    for option in workings.accounts:
        if option == "bau":
            continue
        measures = {
            "cumulative": payback_draws(workings, option),
            "yearly": covered_draws(workings, option),
            "yearly_for_good": covered_draws(workings, option, for_good=True),
        }
        for year in years:
            row: dict[str, object] = {"option": option, "recurrent": lasting[option], "year": year}
            for name, found in measures.items():
                event = np.isnan(found) if np.isnan(year) else found == year
                chance = probability(event, label="", chains=workings.chains)
                row |= {f"prob_{name}": chance["mean"], f"mcse_{name}": chance["mcse"]}
            rows.append(row)
    measures_of = ("cumulative", "yearly", "yearly_for_good")
    order = [*(f"prob_{m}" for m in measures_of), *(f"mcse_{m}" for m in measures_of)]
    return pd.DataFrame(rows)[["option", "recurrent", "year", *order]]
