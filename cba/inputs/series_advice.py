"""What to tell a reader whose published table failed a check: problem, allowed, usual cause, next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cba.inputs import published_categories as words


@dataclass(frozen=True)
class Advice:
    """What to say when a check fails.

    Attributes
    ----------
    problem, allowed, cause, remedy : str
        What is wrong, what would have been accepted, the usual cause and the next step.

    Examples
    --------
    >>> ADVICE["not_negative"].allowed
    'zero or more'
    """

    problem: str
    allowed: str
    cause: str
    remedy: str


ADVICE: Mapping[str, Advice] = {
    "column_in_dataframe": Advice(
        "a column is missing",
        "the columns of the data dictionary",
        "a renamed heading, or another unit in it",
        "restore the heading; convert the figures if the unit differs",
    ),
    "column_in_schema": Advice(
        "a column is not part of the table",
        "the columns of the data dictionary",
        "an extra column kept from the publisher's file",
        "remove the column",
    ),
    "not_nullable": Advice(
        "a cell is empty",
        "a value in every row",
        "a row cut short, or a value not carried over",
        "restore the row from the source",
    ),
    "unique_rows": Advice(
        "a key occurs twice",
        "one row for each key",
        "rows of two files pasted together",
        "keep the row the publisher printed and delete the other",
    ),
    "no_year_gap": Advice(
        "a year is missing from a series",
        "years that follow each other inside one series",
        "a row was deleted, or two files were joined with a year between them",
        "restore the missing row; if it was withheld, keep the row, leave the value empty and set `flag`",
    ),
    "explained_when_empty": Advice(
        "a value is empty without a reason, or withheld and yet given",
        f"empty exactly where `flag` says {', '.join(words.WITHHELD)}",
        "a blank or NaN left by a spreadsheet",
        "restore the published value, or say in `flag` why there is none",
    ),
    "known_word": Advice(
        "an unknown word",
        "the words listed",
        "a typing slip, or a category the publisher has just introduced",
        "use a listed word; a new category is added to published_categories.py and to the data dictionary",
    ),
    "known_category": Advice(
        "an unknown category or age band for this breakdown",
        "the words listed",
        "a typing slip, or a band the publisher has just introduced",
        "use a listed word; a new category is added to published_categories.py and to the data dictionary",
    ),
    "known_source": Advice(
        "a source key is not in sources.csv",
        "the keys listed",
        "a source added to a table but not to sources.csv",
        "add the source, with title, publisher, licence, date and address, to sources.csv",
    ),
    "known_authority": Advice(
        "an authority code is not in authorities.csv",
        "three-digit codes of authorities.csv",
        "a nine-character code, or an authority created by a reorganisation",
        "use the three-digit code, and add a new authority to authorities.csv",
    ),
    "not_negative": Advice(
        "a value is negative",
        "zero or more",
        "income entered with the expenditure, or a correction row",
        "use gross expenditure and published counts only",
    ),
    "plausible_size": Advice(
        "a value is too large or too small for its unit",
        "the range shown",
        "wrong unit: thousands for ones, pounds for million pounds, a yearly for a weekly cost",
        "convert to the unit of the column",
    ),
    "whole_number": Advice(
        "a count is not a whole number",
        "whole numbers",
        "a rate or a share put where a count belongs",
        "use the published count",
    ),
    "published_release": Advice(
        "there is no such release",
        "2010 to 2019, and 2021 onwards; never a year before it ended",
        "release 2020 is not available in this series; or `year` and `release` were exchanged",
        "take the release in which the figure was published",
    ),
    "plausible_year": Advice(
        "a year is out of range",
        "the years shown",
        "a financial year such as 2023-24 entered for the year 2024",
        "write the year in which the financial year ends",
    ),
    "cash_base": Advice(
        "the deflator is not 100 in its base year",
        "100 in the year ending 31 March 2024",
        "another base year",
        "divide by the value of 2023-24 and multiply by 100",
    ),
}
"""Advice for each check, named as the check is."""
