"""Words of the department's harmonised release files that the published tables rename, derive or leave out."""

from __future__ import annotations

from collections.abc import Mapping

KEPT: Mapping[str, tuple[str, ...]] = {
    "stock": ("total", "age", "placement", "provider_foster"),
    "starts": ("total", "age", "placement", "legal_status", "uasc", "previous_permanence"),
    "ceases": ("total", "age", "placement", "reason", "duration"),
    "adoptions": ("total",),
    "sgo": ("total", "carer_status"),
    "uasc_stock": ("total", "age", "placement"),
}
"""Breakdowns of each measure that the tables hold."""

UNUSED: Mapping[str, tuple[str, ...]] = {
    "stock": (
        "legal_status",
        "locality",
        "need",
        "provider",
        "provider_independent_semi_supported",
        "provider_secure_and_childrens_homes",
        "provider_secure_childrens_homes_semi_independent_pre2024",
        "sex",
    ),
    "starts": ("need", "sex", "taken_into_care"),
    "ceases": ("age_18_detail", "legal_status", "need", "sex"),
    "adoptions": ("age",),
    "sgo": ("age",),
    "uasc_stock": ("sex",),
}
"""Breakdowns that are published and not used here; any other is new and refused."""

LEFT_OUT = frozenset(
    (
        "16",
        "17",
        "interim_care_order",
        "full_care_order",
        "police_protection",
        "emergency_protection_order",
        "child_assessment_order",
        "remand",
        "pace",
        "supervision_order_residence",
        "sgo_former_foster_carer",
        "sgo_other_carer",
        "residential_plus_independent_comparable",
    )
)
"""Parts of categories that the tables hold, and sums over categories: they would be counted twice."""

RENAMED: Mapping[str, str] = {
    "return_home_pre2014_code": "return_home_single_code",
    "secure_childrens_homes_semi_independent_pre2024": "secure_childrens_homes_semi_independent",
    "other_in_community_pre2024": "living_independently_or_employment",
    "sgo_total": "special_guardianship",
}
"""Category of a release file to the word of the tables."""

SUPERSEDED = frozenset(
    (
        "secure_childrens_homes_semi_independent",
        "living_independently_or_employment",
        "missing_over_24h",
        "return_home_single_code",
    )
)
"""Categories the publisher has stopped printing; a newer release may come without them."""

OTHER_AREAS: Mapping[str, str] = {"London (Inner)": "Inner London", "London (Outer)": "Outer London"}
"""Names of regions in the unit cost file to the names of the tables."""

LEVELS: Mapping[str, str] = {"local_authority": "authority", "region": "region", "england": "england"}
"""Levels of the unit cost file to the words of the tables."""

SINGLE_AGES = tuple(str(age) for age in range(18, 26))
"""Single years of age above 17 in the population file: not children."""


def census_base(*, kind: str, vintage: int, band: str, mid_year: int) -> int:
    """Return the census that a population figure of a release file rests on.

    Parameters
    ----------
    kind : str
        ``estimate`` or ``projection``.
    vintage : int
        Year of the release that used the figure.
    band : str
        ``0_17``, an age band or a single age.
    mid_year : int

    Returns
    -------
    int
        2001, 2011 or 2021.

    Notes
    -----
    The office for statistics moved its estimates to the census of 2021 with those of mid-2022, and in 2022
    already for mid-2021 alone. Age bands of 2009 to 2020 were never moved.

    Examples
    --------
    >>> census_base(kind="estimate", vintage=2022, band="0_17", mid_year=2020)
    2011
    >>> census_base(kind="estimate", vintage=2024, band="0_17", mid_year=2020)
    2021
    """
    if kind == "projection" or vintage >= 2024:
        return 2021
    if band != "0_17" and mid_year <= 2021:
        return 2021 if mid_year == 2021 else 2011
    if vintage == 2023 or (vintage == 2022 and mid_year == 2021):
        return 2021
    return 2001 if vintage == 2010 else 2011
