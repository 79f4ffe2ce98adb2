"""What each published table may hold: columns, categories, ranges, and what to say of a row that breaks a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cba.dimensions import AGE_BANDS
from cba.errors import InputError

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


# --- What a column of a published table may hold: words, sizes, years, whole numbers, empty cells ---


EMPTY_ALLOWED = {"flag", "note", "predecessors", "successors", "change_date", "date", "date_precision"}
"""Text columns that may be empty in every table."""


WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("england_children", "measure"): MEASURES,
    ("england_children", "breakdown"): tuple(CATEGORIES),
    ("authority_children", "measure"): AUTHORITY_MEASURES,
    ("care_duration", "measure"): ("mean_days_final_period_of_care",),
    ("population_england", "kind"): ("estimate", "projection"),
    ("population_england", "age_band"): POPULATION_BANDS,
    ("spending_england", "price_basis"): ("cash",),
    ("spending_authority", "price_basis"): ("cash",),
    ("spending_authority", "line"): AUTHORITY_LINES,
    ("unit_costs", "level"): ("england", "region", "authority"),
    ("unit_costs", "service"): SERVICES,
    ("unit_costs", "price_basis"): ("cash",),
    ("gdp_deflator", "base"): ("2023-24=100",),
    ("gdp_deflator", "status"): ("outturn", "forecast"),
    ("children_in_need", "measure"): NEEDS_MEASURES,
}
"""Columns that hold one of a few words."""


RANGES: Mapping[tuple[str, str], tuple[float, float, str]] = {
    ("england_children", "children"): (0, 200_000, "children"),
    ("authority_children", "children"): (0, 10_000, "children"),
    ("care_duration", "days"): (1, 6_575, "days"),
    ("population_england", "population"): (100_000, 20_000_000, "people"),
    ("population_authority", "population_0_17"): (100, 1_000_000, "people"),
    ("spending_england", "gbp_million"): (0, 50_000, "GBP million"),
    ("spending_authority", "gbp_million"): (0, 1_000, "GBP million"),
    ("unit_costs", "gbp_per_child_week"): (0, 100_000, "GBP per child per week"),
    ("gdp_deflator", "deflator"): (20, 400, "index, 2023-24 = 100"),
    ("children_in_need", "count"): (0, 5_000_000, "episodes, referrals, children or plans"),
}
"""Lowest and highest plausible value, and the unit: a figure outside is in another unit."""


YEARS = {"release": (2010, 2100), "year": (1990, 2100), "mid_year": (2005, 2100), "vintage": (2005, 2100)}
"""First and last year a column of years may hold."""


WHOLE = {"children", "days", "population", "population_0_17", "count"}
"""Columns that count people, days or episodes: whole numbers."""


# --- What to tell a reader whose published table failed a check ---

_NEW_WORD = "use a listed word; a new category is added to table_words.py and to the data dictionary"

CHECKS: Mapping[str, InputError] = {
    "column_in_dataframe": InputError(
        "a column is missing", allowed="the columns of the data dictionary"
    ).advice(
        "a renamed heading, or another unit in it",
        remedy="restore the heading; convert the figures if the unit differs",
    ),
    "column_in_schema": InputError(
        "a column is not part of the table", allowed="the columns of the data dictionary"
    ).advice("an extra column kept from the publisher's file", remedy="remove the column"),
    "not_nullable": InputError("a cell is empty", allowed="a value in every row").advice(
        "a row cut short, or a value not carried over", remedy="restore the row from the source"
    ),
    "unique_rows": InputError("a key occurs twice", allowed="one row for each key").advice(
        "rows of two files pasted together", remedy="keep the row the publisher printed and delete the other"
    ),
    "no_year_gap": InputError(
        "a year is missing from a series", allowed="years that follow each other inside one series"
    ).advice(
        "a row was deleted, or two files were joined with a year between them",
        remedy="restore the missing row; if it was withheld, keep the row, leave the value empty and set `flag`",
    ),
    "explained_when_empty": InputError(
        "a value is empty without a reason, or withheld and yet given",
        allowed=f"empty exactly where `flag` says {', '.join(WITHHELD)}",
    ).advice(
        "a blank or NaN left by a spreadsheet",
        remedy="restore the published value, or say in `flag` why there is none",
    ),
    "known_word": InputError("an unknown word", allowed="the words listed").advice(
        "a typing slip, or a category the publisher has just introduced", remedy=_NEW_WORD
    ),
    "known_category": InputError(
        "an unknown category or age band for this breakdown", allowed="the words listed"
    ).advice("a typing slip, or a band the publisher has just introduced", remedy=_NEW_WORD),
    "known_source": InputError("a source key is not in sources.csv", allowed="the keys listed").advice(
        "a source added to a table but not to sources.csv",
        remedy="add the source, with title, publisher, licence, date and address, to sources.csv",
    ),
    "known_authority": InputError(
        "an authority code is not in authorities.csv", allowed="three-digit codes of authorities.csv"
    ).advice(
        "a nine-character code, or an authority created by a reorganisation",
        remedy="use the three-digit code, and add a new authority to authorities.csv",
    ),
    "not_negative": InputError("a value is negative", allowed="zero or more").advice(
        "income entered with the expenditure, or a correction row",
        remedy="use gross expenditure and published counts only",
    ),
    "plausible_size": InputError(
        "a value is too large or too small for its unit", allowed="the range shown"
    ).advice(
        "wrong unit: thousands for ones, pounds for million pounds, a yearly for a weekly cost",
        remedy="convert to the unit of the column",
    ),
    "whole_number": InputError("a count is not a whole number", allowed="whole numbers").advice(
        "a rate or a share put where a count belongs", remedy="use the published count"
    ),
    "published_release": InputError(
        "there is no such release", allowed="2010 to 2019, and 2021 onwards; never a year before it ended"
    ).advice(
        "release 2020 is not available in this series; or `year` and `release` were exchanged",
        remedy="take the release in which the figure was published",
    ),
    "plausible_year": InputError("a year is out of range", allowed="the years shown").advice(
        "a financial year such as 2023-24 entered for the year 2024",
        remedy="write the year in which the financial year ends",
    ),
    "cash_base": InputError(
        "the deflator is not 100 in its base year", allowed="100 in the year ending 31 March 2024"
    ).advice("another base year", remedy="divide by the value of 2023-24 and multiply by 100"),
}
"""What is said when a check fails, by the name of the check."""


@dataclass(frozen=True)
class Table:
    """Columns of one published table (name to pandas type), its key, and what runs in years without a gap."""

    # Column name to ``int64``, ``float64`` (may be empty, if the flag says why) or ``str``.
    columns: Mapping[str, str]
    key: tuple[str, ...]  # columns that together name a row once
    # Column whose values follow each other without a gap inside every group of the other key columns; empty
    # where the publisher itself leaves gaps.
    year: str = ""
    # Column that may be empty only where `flag` says the publisher withheld or did not have the value.
    value: str = ""


_YEAR_COLUMNS = ("release", "year", "mid_year", "vintage", "census_base", "first_year", "last_year")
_AMOUNTS = ("gbp_million", "gbp_per_child_week", "deflator", "growth_percent")


def _columns(*names: str, text: str = "") -> dict[str, str]:
    """Return the type of every column; `text`: one that holds text here and numbers elsewhere."""
    figures = dict.fromkeys((*WHOLE, *_AMOUNTS), "float64")
    kinds = dict.fromkeys(_YEAR_COLUMNS, "int64") | figures | {text: "str"}
    return {name: kinds.get(name, "str") for name in names}


TABLES: Mapping[str, Table] = {
    "sources": Table(_columns("source", "title", "publisher", "licence", "date", "address"), ("source",)),
    "authorities": Table(
        _columns(
            "authority",
            "authority_name",
            "region",
            "ons_code",
            "first_year",
            "last_year",
            "predecessors",
            "successors",
            "change_date",
            "note",
            "source",
        ),
        ("authority",),
    ),
    "england_children": Table(
        _columns("release", "year", "measure", "breakdown", "category", "children", "flag", "source"),
        ("release", "measure", "breakdown", "category", "year"),
        year="year",
        value="children",
    ),
    "authority_children": Table(
        _columns("release", "year", "authority", "measure", "children", "flag", "source"),
        ("release", "measure", "authority", "year"),
        year="year",
        value="children",
    ),
    "care_duration": Table(
        _columns("release", "year", "measure", "days", "source"), ("release", "measure", "year"), year="year"
    ),
    "population_england": Table(
        _columns("kind", "vintage", "age_band", "mid_year", "population", "census_base", "source"),
        ("kind", "vintage", "age_band", "mid_year"),
        year="mid_year",
    ),
    "population_authority": Table(
        _columns("authority", "mid_year", "population_0_17", "vintage", "source"),
        ("authority", "mid_year"),
        year="mid_year",
    ),
    "spending_england": Table(
        _columns("line", "year", "gbp_million", "price_basis", "flag", "source"), ("line", "year")
    ),
    "spending_authority": Table(
        _columns("authority", "line", "year", "gbp_million", "price_basis", "flag", "source"),
        ("authority", "line", "year"),
    ),
    "unit_costs": Table(
        _columns("level", "area", "service", "year", "gbp_per_child_week", "price_basis", "flag", "source"),
        ("level", "area", "service", "year"),
        year="year",
        value="gbp_per_child_week",
    ),
    "gdp_deflator": Table(
        _columns("year", "deflator", "growth_percent", "base", "status", "vintage", "source", text="vintage"),
        ("vintage", "year"),
        year="year",
    ),
    "children_in_need": Table(
        _columns("release", "year", "measure", "count", "flag", "source"),
        ("release", "measure", "year"),
        year="year",
        value="count",
    ),
    "programme_rollout": Table(
        _columns(
            "programme",
            "authority",
            "authority_name",
            "role",
            "event",
            "date",
            "date_precision",
            "source_url",
            "verification",
            "note",
            "source",
        ),
        ("programme", "authority", "event"),
    ),
}
"""Every published table; the file is the name with ``.csv``."""
