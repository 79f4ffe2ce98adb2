"""Names of the dimensions and of their members, written once so that every stage uses the same word."""

from __future__ import annotations

from typing import Literal, get_args

AgeBand = Literal["under_1", "1_4", "5_9", "10_15", "16_plus"]
AGE_BANDS: tuple[AgeBand, ...] = get_args(AgeBand)
"""Age at 31 March, or at the start or end of a period of care; `16_plus` ends at the 18th birthday."""

AGE_LIMITS = ((0.0, 1.0), (1.0, 5.0), (5.0, 10.0), (10.0, 16.0), (16.0, 18.0))
"""First and last exact age of each band, in years; a period of care ends at 18."""

Placement = Literal[
    "foster_relative_or_friend",
    "foster_in_house",
    "foster_agency",
    "childrens_home",
    "supported_accommodation",
    "other_residential",
    "with_parents",
    "placed_for_adoption",
]
PLACEMENTS: tuple[Placement, ...] = get_args(Placement)
"""Placements of looked-after children; `supported_accommodation` holds the published group `other` too."""

COMPONENTS = ("family_help", "kinship", "foster", "workforce", "regional_care", "other")
"""What shipped programmes spend their money on; an option may name another that has an effect of its own."""

PAYERS = ("council", "dfe", "nhs", "justice", "dwp_hmrc")
"""Who pays or gains."""

KINDS = ("programme", "recurrent", "saving", "deadweight", "unlock")
"""Kinds of cash-flow line; costs are positive, savings negative, in the cash flow."""

STAGE_PRIOR_GROUPS = {
    "baseline": ("baseline",),
    "effects": ("effects", "family_help", "kinship", "panel", "stance"),
}
"""Groups of prior entries each model reads; `stance` says which studies a stance admits."""


def financial_year(year: int) -> str:
    """Return the name of the year ending on 31 March of a calendar year."""
    return f"{year - 1}-{year % 100:02d}"
