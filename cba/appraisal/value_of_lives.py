"""What a change in care is worth to children: child-years safely at home, times one value of a child-year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cba.appraisal.headline import REVIEW_YEAR, discounted
from cba.costs.discounting import discount_factors
from cba.costs.savings import child_years
from cba.costs.social_value import child_year_value, one_measure
from cba.errors import InputError

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

HEALTH_SCHEDULE = "green_book_2026_health"

CARE_CLAIM, NEED_CLAIM = "alma_social_cost_lifetime_care", "alma_social_cost_lifetime_social_worker"
"""Rows of the published claims with the lifetime costs; neither states its price base: read as 2021-22."""

WELLBY_YEAR = 2020
"""Price year of the value of a WELLBY, as in priors/social.toml."""


def safe_child_years(workings: Workings, option: str) -> np.ndarray:
    """Child-years safely at home rather than in care, less those of harm, by year.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis.

    Returns
    -------
    ndarray, shape (sample, year), child-years, undiscounted
        ``CY (1 - 2 h)``, h the share of harm: a year of harm counts as much as a safe one, against it.

    Examples
    --------
    >>> safe_child_years(workings, "care_review").sum(axis=1)  # doctest: +SKIP
    """
    fewer = workings.accounts[option].children.fewer_by_age.sum(axis=-1)
    harm = workings.system.value("family_help.harm_share")[:, None]
    return child_years(fewer) * (1.0 - 2.0 * harm)


def years_in_care(workings: Workings) -> float:
    """Average years in care of a child: looked-after children per child who leaves, last published year.

    Parameters
    ----------
    workings : Workings
        Gives the observed series.

    Returns
    -------
    float, years

    Examples
    --------
    >>> years_in_care(workings)  # doctest: +SKIP
    2.5
    """
    flows = workings.inputs.observations[["stock", "ceases"]].dropna("year").isel(year=-1)
    return float(flows["stock"] / flows["ceases"])


def claimed_amount(workings: Workings, claim: str) -> float:
    """Published figure of money per child, in the price base.

    Parameters
    ----------
    workings : Workings
        Gives the claims, the deflator and the price base.
    claim : str
        Id of a row of ``published_claims.csv`` in GBP whose price base is not stated.

    Returns
    -------
    float, GBP of the price base
        Read in prices of 2021-22, as all of the review's figures here.

    Raises
    ------
    InputError
        If the claim is not among those known at the date of the analysis.

    Examples
    --------
    >>> claimed_amount(workings, "alma_social_cost_lifetime_care")  # doctest: +SKIP
    """
    rows = workings.inputs.evidence.claims
    rows = rows[rows["claim_id"] == claim]
    if len(rows) != 1:
        raise InputError(
            "a published figure is not known at the date of the analysis",
            file="published_claims.csv",
            field="claim_id",
            found=f"{claim}: {len(rows)} rows until {workings.inputs.analysis.evidence_until}",
            allowed="one row",
            cause="evidence_until before the figure was published, or the row removed",
            remedy="move evidence_until, or restore the row",
        )
    index = workings.basis.index
    return float(rows["value"].iloc[0]) * float(
        np.mean(index.index(workings.basis.price_base) / index.index(REVIEW_YEAR))
    )


def value_of_child_year(workings: Workings, measure: str) -> np.ndarray:
    """Value of one child-year safely at home, GBP of the price base.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    measure : str
        One of :data:`cba.costs.social_value.VALUED`.

    Returns
    -------
    ndarray, shape (sample,)

    Examples
    --------
    >>> value_of_child_year(workings, "wellby").mean()  # doctest: +SKIP
    """
    return child_year_value(
        measure,
        workings.system.parameters,
        lifetime_cost=claimed_amount(workings, CARE_CLAIM),
        years_in_care=years_in_care(workings),
        growth_years=float(workings.basis.price_base - WELLBY_YEAR),
    )


def worth_of_lives(workings: Workings, option: str, measure: str) -> np.ndarray:
    """Present value, over the headline horizon, of what an option changes in children's lives.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis.
    measure : str
        One measure: two values of the same change are never added.

    Returns
    -------
    ndarray, shape (sample,), GBP
        Health and well-being with the Green Book's schedule for health, money with that of the analysis.

    Examples
    --------
    >>> worth_of_lives(workings, "care_review", "wellby").mean()  # doctest: +SKIP
    """
    chosen = one_measure(measure)
    years = safe_child_years(workings, option)
    present = in_health_terms(workings, years) if chosen.health_schedule else discounted(workings, years)
    return present * value_of_child_year(workings, chosen.name)


def in_health_terms(workings: Workings, amounts: np.ndarray) -> np.ndarray:
    """Present value over the headline horizon with the Green Book's schedule for health.

    Parameters
    ----------
    workings : Workings
        Gives the years and the start.
    amounts : ndarray, shape (sample, year)
        Amounts of the whole projection, in any unit.

    Returns
    -------
    ndarray, shape (sample,), units of `amounts`

    Examples
    --------
    >>> in_health_terms(workings, years)  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    offsets = np.array(workings.years) - analysis.start_year
    within = (offsets >= 0) & (offsets < analysis.horizon)
    factors = discount_factors(offsets[within], HEALTH_SCHEDULE, mid_year=analysis.mid_year)
    found: np.ndarray = amounts[:, within] @ factors
    return found
