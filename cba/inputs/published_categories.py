"""Words the published tables may use: measures, breakdowns, categories, and the length of each stay band."""

from __future__ import annotations

from collections.abc import Mapping

from cba.dimensions import AGE_BANDS

DURATION_YEARS: Mapping[str, tuple[float, float]] = {
    "under_2_weeks": (0.0, 14 / 365.25),
    "2_to_8_weeks": (14 / 365.25, 56 / 365.25),
    "8_weeks_to_6_months": (56 / 365.25, 0.5),
    "6_to_12_months": (0.5, 1.0),
    "1_to_2_years": (1.0, 2.0),
    "2_to_3_years": (2.0, 3.0),
    "3_to_5_years": (3.0, 5.0),
    "5_to_10_years": (5.0, 10.0),
    "10_years_plus": (10.0, 18.0),
}
"""Length of the last period of care: published band to its bounds in years; care ends at 18."""

REASONS = (
    "adopted",
    "return_home_planned",
    "return_home_unplanned",
    "return_home_single_code",
    "left_to_no_pr_relatives",
    "cao_or_residence_order",
    "special_guardianship",
    "independent_living_supported",
    "independent_living_no_support",
    "aged_18_remained_with_carers",
    "adult_residential",
    "remand_ended",
    "age_assessment_18_plus",
    "moved_abroad",
    "custody",
    "other_la",
    "died",
    "other_reason",
)
"""Reason a period of care ended; parts that add up to all who ceased, not all of them used in every year."""

LEGAL_STATUSES = (
    "care_orders_all",
    "placement_order",
    "s20_voluntary",
    "detained_child_protection",
    "youth_justice",
)
"""Legal status on starting to be looked after."""

PUBLISHED_PLACEMENTS = (
    "foster_all",
    "foster_relative_or_friend",
    "foster_other_carer",
    "secure_and_childrens_homes",
    "secure_homes",
    "childrens_homes",
    "independent_semi_supported",
    "semi_independent_unregulated",
    "living_independently",
    "supported_accommodation",
    "other_residential_settings",
    "residential_care_homes",
    "nhs_medical_nursing",
    "family_centre_mother_baby_unit",
    "young_offender_institution_prison",
    "residential_employment",
    "residential_schools",
    "with_parents",
    "placed_for_adoption",
    "other",
    "secure_childrens_homes_semi_independent",
    "living_independently_or_employment",
    "missing_over_24h",
)
"""Published groups, sub-groups and (last three) groups of earlier releases: they overlap."""

FOSTER_PROVIDERS = ("own_la", "other_la", "other_public", "private", "voluntary")
"""Who provides the foster placement."""

CARER_STATUSES = (
    "former_foster_carer_relative_or_friend",
    "former_foster_carer_not_relative",
    "other_carer_relative_or_friend",
    "other_carer_not_relative",
)
"""Who the special guardian is."""

PERMANENCE = ("adoption", "sgo", "cao_or_residence_order", "none", "unknown")
"""Permanence order a child had before starting to be looked after again."""

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "total": ("total",),
    "age": (*AGE_BANDS, "18_plus", "under_16"),
    "placement": PUBLISHED_PLACEMENTS,
    "provider_foster": FOSTER_PROVIDERS,
    "legal_status": LEGAL_STATUSES,
    "uasc": ("uasc", "non_uasc"),
    "previous_permanence": PERMANENCE,
    "reason": REASONS,
    "duration": tuple(DURATION_YEARS),
    "carer_status": CARER_STATUSES,
}
"""Categories allowed inside each breakdown of ``england_children``."""

MEASURES = ("stock", "starts", "ceases", "adoptions", "sgo_orders", "uasc_stock")
"""What ``england_children`` counts."""

AUTHORITY_MEASURES = ("stock", "starts", "ceases", "uasc_stock")
"""What ``authority_children`` counts."""

SERVICES = ("cla_all", "fostering", "residential_care", "adoption", "social_work")
"""Services with a published weekly unit cost."""

AUTHORITY_LINES = (
    "total_cla",
    "total_safeguarding",
    "total_family_support",
    "total_sure_start",
    "total_young_people",
    "total_cyps_excl_cera",
    "youth_justice",
    "other_cf",
    "residential_care",
    "leaving_care",
)
"""Section 251 lines published by authority."""

NEEDS_MEASURES = (
    "cin_any_point_episodes",
    "cin_started_episodes",
    "cin_ended_episodes",
    "cin_at_31_march_episodes",
    "referrals",
    "rereferrals",
    "children_referred",
    "cpp_started",
    "cpp_second_or_subsequent",
    "cpp_at_31_march",
)
"""Children in need, referrals and child protection plans."""

POPULATION_BANDS = ("0_17", "0_4", "5_9", "10_14", *(str(age) for age in range(18)))
"""Age bands and single years of age of the population table."""

WITHHELD = ("suppressed", "not_available", "not_applicable")
"""Flags that explain an empty cell."""
