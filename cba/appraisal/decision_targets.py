"""How likely targets are: fewer children by each year, and payback year by payer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.decision_acceptability import share_error
from cba.appraisal.review import FROM_FAMILY_HELP, IN_ALL
from cba.decisions.payback import payback_year
from cba.decisions.targets import probability_at_least

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

FEWER = (1_000, 2_500, 5_000, 10_000, FROM_FAMILY_HELP, IN_ALL)
"""Numbers of children fewer in care; the last two are the review's, of family help and in all."""


def fewer_children_chances(workings: Workings) -> pd.DataFrame:
    """Probability of at least so many fewer children in care, by option and year.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns option, year, fewer_children, probability, mcse. Errors take the draws as independent.

    Examples
    --------
    >>> fewer_children_chances(workings).query("option == 'care_review' and year == 2032")  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    total = workings.arrays.children.sum("age")
    total = total.sel(year=slice(analysis.start_year, None))
    options = [name for name in total["option"].values if name != "bau"]
    fewer = (total.sel(option="bau", drop=True) - total.sel(option=options)).transpose(
        "sample", "option", "year"
    )
    chances = probability_at_least(fewer, FEWER)["probability"].transpose("option", "year", "target")
    table = (
        chances.to_series().rename("probability").reset_index().rename(columns={"target": "fewer_children"})
    )
    table["mcse"] = share_error(table["probability"].to_numpy(), fewer.sizes["sample"])
    return table[["option", "year", "fewer_children", "probability", "mcse"]]


def payback_by_payer(workings: Workings) -> pd.DataFrame:
    """Probability of each payback year, payer by payer.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    DataFrame
        Columns option, payer, year, probability, cumulative, mcse (of the probability). A missing year is never
        within the horizon, where `cumulative` is missing too. A payer without money in an option is left out.

    Notes
    -----
    Payback is the first year from which a payer's cumulative discounted net saving stays at or above zero; one
    who never pays is ahead from the first year. Errors take the draws as independent.

    Examples
    --------
    >>> payback_by_payer(workings).query("option == 'care_review'")  # doctest: +SKIP
    """
    analysis, flow = workings.inputs.analysis, workings.arrays.cash_flow
    years = list(range(analysis.start_year, analysis.start_year + analysis.horizon))
    flow = flow.sel(year=years).transpose("sample", "option", "year", "line")
    payers = list(dict.fromkeys(map(str, flow["payer"].values)))
    of_payer = (flow["payer"].values[:, None] == np.array(payers)[None, :]).astype(float)
    blank = flow.isel(line=0, drop=True)
    totals = -(flow.values @ of_payer)  # one product; sums line by line take ten times as long
    rows = []
    for place, payer in enumerate(payers):
        own = blank.copy(data=totals[..., place])
        own = own.isel(option=np.flatnonzero(totals[..., place].any(axis=(0, 2))))
        found = payback_year(own, schedule=analysis.schedule, base_year=analysis.start_year)
        for option in found["option"].values:
            if option != "bau":
                rows += _chances(found.sel(option=option).values, years, place=(str(option), payer))
    table = pd.DataFrame(rows, columns=["option", "payer", "year", "probability", "cumulative", "mcse"])
    order = {name: place for place, name in enumerate(workings.accounts)}
    return table.sort_values("option", key=lambda c: c.map(order), kind="stable", ignore_index=True)


def _chances(
    found: np.ndarray, years: list[int], *, place: tuple[str, str]
) -> list[tuple[str, str, float, float, float, float]]:
    never = np.isnan(found)
    exact = np.array([*((found == year).mean() for year in years), never.mean()])
    reached = [*np.cumsum(exact[:-1]), np.nan]
    errors = share_error(exact, found.size)
    ends = [*map(float, years), np.nan]
    return [(*place, *row) for row in zip(ends, exact.tolist(), reached, errors.tolist(), strict=True)]
