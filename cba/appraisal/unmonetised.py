"""What measures without a modelled effect would have to bring for an option to break even, and what may finance it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.break_even_map import map_draws
from cba.appraisal.headline import discounted, review_prices
from cba.appraisal.unmonetised_measures import MEASURES
from cba.appraisal.value_of_lives import value_of_child_year

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.appraisal.unmonetised_measures import Measure

ANCHOR = "lifetime_cost"
"""Measure whose mean value of a child-year is the anchor."""

YEARS_TAXED = 5
"""Years of profits the windfall tax would fall on, as Room151 reports the review."""

_COLUMNS = [
    "option", "measure", "label", "kind", "known", "source", "url", "assumed", "own_cost", "own_yearly_benefit",
    "yearly_benefit_cash", "child_years_cash", "yearly_benefit_anchor", "child_years_anchor", "anchor_value",
    "yearly_benefit_per_person", "yield_lower_bound", "yield_share_of_gap",
]  # fmt: skip


def unmonetised_and_financing(workings: Workings, option: str = "care_review") -> pd.DataFrame:
    """Return one row per measure: what is known and assumed, and its switching values.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis with lasting family help.

    Returns
    -------
    DataFrame
        Columns option, measure, label, kind, known, source, url, assumed; own_cost (mean, present value) and
        own_yearly_benefit (a year, to pay for itself alone); yearly_benefit_cash and child_years_cash (what it
        would have to bring a year, alone, for the option to break even in cash), the same ``_anchor`` with a
        child-year worth anchor_value beyond its cashable saving; yearly_benefit_per_person of those it would
        reach; yield_lower_bound and its share of the gap, for financing. GBP of the price base; benefits and
        child-years of every year after the first of the horizon. 0 where the option already breaks even.

    Raises
    ------
    InputError
        If the option has no lasting family help, so that no child-year of it has a saving.

    Notes
    -----
    With A the sum of discount factors of the years after the first, y the mean cashable saving per child-year
    and a the anchor: ``B = gap / A``, ``n = gap(a) / (A (y + a))``, ``gap(a) = max(0, -E[NPV + a CY])``, where
    CY counts a child-year of harm against a safe one.

    Examples
    --------
    >>> unmonetised_and_financing(workings)[["label", "yearly_benefit_cash"]]  # doctest: +SKIP
    """
    arrays = workings.arrays
    npv = arrays.npv.sel(option=option).values
    lived = (arrays.child_years_safe - arrays.child_years_harm).sel(option=option).values
    anchor = float(value_of_child_year(workings, ANCHOR).mean())
    later = _factor_of_later_years(workings)
    cashable = float(map_draws(workings, option).value.mean())
    gap = max(0.0, -float(npv.mean()))
    gap_anchor = max(0.0, -float((npv + anchor * lived).mean()))
    claims = workings.inputs.evidence.claims.set_index("claim_id")["value"].to_dict()
    rows = []
    for measure in MEASURES:
        own = _own_cost(workings, option, measure)
        tax = _lowest_yield(workings, claims) if measure.name == "windfall_tax" else np.nan
        rows.append(
            (
                option,
                *(measure.name, measure.label, measure.kind),
                *(_known(measure, claims), measure.source, measure.url, measure.assumed),
                *(own, own / later),
                *(gap / later, gap / (later * cashable)),
                *(gap_anchor / later, gap_anchor / (later * (cashable + anchor)), anchor),
                gap / later / measure.people if measure.people else np.nan,
                *(tax, tax / gap if gap > 0.0 else np.nan),
            )
        )
    return pd.DataFrame(rows, columns=_COLUMNS)


def _factor_of_later_years(workings: Workings) -> float:
    """Sum of discount factors of the years of the horizon after the first."""
    years = np.array(workings.years)
    later = (years > workings.inputs.analysis.start_year).astype(float)
    return float(discounted(workings, later[None, :])[0])


def _known(measure: Measure, claims: dict[str, float]) -> str:
    """Return what is known, with figures of claims that the analysis may not know yet left out."""
    try:
        return measure.known.format(**claims)
    except KeyError as missing:
        return f"not known at the date of this analysis ({missing.args[0]} was published later)"


def _own_cost(workings: Workings, option: str, measure: Measure) -> float:
    """Mean present value of the option's money for the measure; NaN where it has none of its own."""
    if measure.component is None:
        return float("nan")
    lines = [line for line in workings.accounts[option].costs if line.component == measure.component]
    return float(sum((discounted(workings, line.amount).mean() for line in lines), 0.0))


def _lowest_yield(workings: Workings, claims: dict[str, float]) -> float:
    """Rate x profit of the ten largest providers in one year x years taxed, GBP of the price base."""
    rate = claims["review_windfall_tax_rate"] / 100.0
    return rate * claims["windfall_context_profit"] * 1e6 * YEARS_TAXED * review_prices(workings)
