"""What a column of a published table may hold: words, sizes, years, whole numbers, empty cells."""

from __future__ import annotations

from collections.abc import Mapping

from cba.inputs import published_categories as words

EMPTY_ALLOWED = {"flag", "note", "predecessors", "successors", "change_date", "date", "date_precision"}
"""Text columns that may be empty in every table."""

WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("england_children", "measure"): words.MEASURES,
    ("england_children", "breakdown"): tuple(words.CATEGORIES),
    ("authority_children", "measure"): words.AUTHORITY_MEASURES,
    ("care_duration", "measure"): ("mean_days_final_period_of_care",),
    ("population_england", "kind"): ("estimate", "projection"),
    ("population_england", "age_band"): words.POPULATION_BANDS,
    ("spending_england", "price_basis"): ("cash",),
    ("spending_authority", "price_basis"): ("cash",),
    ("spending_authority", "line"): words.AUTHORITY_LINES,
    ("unit_costs", "level"): ("england", "region", "authority"),
    ("unit_costs", "service"): words.SERVICES,
    ("unit_costs", "price_basis"): ("cash",),
    ("gdp_deflator", "base"): ("2023-24=100",),
    ("gdp_deflator", "status"): ("outturn", "forecast"),
    ("children_in_need", "measure"): words.NEEDS_MEASURES,
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
