"""What each published table may hold: columns, categories, ranges, and what to say of a row that breaks a rule.

Columns, words and ranges are written in ``published_tables.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cba.errors import InputError
from cba.inputs.files import read_toml

_WRITTEN = read_toml(Path(__file__).with_name("published_tables.toml"))

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

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    **{breakdown: tuple(words) for breakdown, words in _WRITTEN["categories"].items()},
    "duration": tuple(DURATION_YEARS),
}
"""Categories allowed inside each breakdown of ``england_children``."""


WITHHELD = ("suppressed", "not_available", "not_applicable")
"""Flags that explain an empty cell."""


# --- What a column of a published table may hold whichever table it is in ---


EMPTY_ALLOWED = {"flag", "note", "predecessors", "successors", "change_date", "date", "date_precision"}
"""Text columns that may be empty in every table."""


YEARS = {"release": (2010, 2100), "year": (1990, 2100), "mid_year": (2005, 2100), "vintage": (2005, 2100)}
"""First and last year a column of years may hold."""


WHOLE = {"children", "days", "population", "population_0_17", "count"}
"""Columns that count people, days or episodes: whole numbers."""


# --- What to tell a reader whose published table failed a check ---

_NEW_WORD = "use a listed word; a new category is added to published_tables.toml and to the data dictionary"

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
    """One published table; ``published_tables.toml`` says what each of these is."""

    columns: Mapping[str, str]  # name to ``int64``, ``float64`` or ``str``
    key: tuple[str, ...]
    order: tuple[str, ...] = ()
    year: str = ""
    value: str = ""
    numbered: str = ""
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)

    @property
    def figure(self) -> str:
        """The column of figures, its first number that need not be whole; empty where it has none."""
        return next((column for column, kind in self.columns.items() if kind == "float64"), "")


def _table(written: Mapping[str, Any]) -> Table:
    listed = {name: tuple(written.get(name, ())) for name in ("key", "order")}
    words = {column: tuple(several) for column, several in written.get("words", {}).items()}
    ranges = {column: tuple(limits.values()) for column, limits in written.get("ranges", {}).items()}
    return Table(**{**written, **listed, "words": words, "ranges": ranges})


TABLES: Mapping[str, Table] = {name: _table(written) for name, written in _WRITTEN["tables"].items()}
"""Every published table; the file is the name with ``.csv``."""

EVIDENCE: Mapping[str, Table] = {
    "evidence_effects": Table({}, ("study_id", "scale")),
    "evidence_costs": Table({}, ("item_id",)),
    "published_claims": Table({}, ("claim_id",)),
}
"""Tables of the evidence, whose columns their own reader checks."""

EVERY_TABLE: Mapping[str, Table] = {**TABLES, **EVIDENCE}

SERIES: Mapping[str, Mapping[str, str]] = _WRITTEN["series"]
"""Variables over years that count children of England: measure, breakdown, category where it is of one, long name."""
