"""Schemas of the published tables (pandera), and the translation of a failure into one readable error.

A schema is strict: exactly the columns of the table, the right types, known words, plausible sizes, one row
per key, years without a gap, and an empty cell only where a flag explains it. pandera is imported here and
nowhere else, and this module is imported only when a table is read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from cba.errors import InputError
from cba.inputs import published_categories as words
from cba.inputs.published_limits import EMPTY_ALLOWED, RANGES, WHOLE, WORDS, YEARS
from cba.inputs.published_tables import TABLES, Table
from cba.inputs.series_advice import ADVICE

ABOUT_ROWS = ("unique_rows", "no_year_gap")
"""Checks that compare rows: told last, since a wrong word in one cell makes them fail too."""

PRIORITY = (*(name for name in ADVICE if name not in ABOUT_ROWS), *ABOUT_ROWS)
"""Which failure is told first: columns, then cells, then rows."""


def _no_year_gap(keys: tuple[str, ...], year: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Check that consecutive years of each group differ by one (repeats are left to the key check)."""

    def check(frame: pd.DataFrame) -> pd.Series:
        group = frame.groupby([name for name in keys if name != year], sort=False).ngroup().to_numpy()
        years = frame[year].to_numpy()
        order = np.lexsort((years, group))
        jump = (np.diff(years[order]) > 1) & (np.diff(group[order]) == 0)
        passed = np.ones(len(frame), dtype=bool)
        passed[order[1:][jump]] = False
        return pd.Series(passed, index=frame.index)

    return check


def _unique_rows(keys: tuple[str, ...]) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda frame: ~frame.duplicated(list(keys))


def _explained(value: str) -> Callable[[pd.DataFrame], pd.Series]:
    pattern = "|".join(words.WITHHELD)
    return lambda frame: frame[value].isna() == frame["flag"].str.contains(pattern)


def _known_category(frame: pd.DataFrame) -> pd.Series:
    allowed = pd.MultiIndex.from_tuples(
        [(breakdown, category) for breakdown, several in words.CATEGORIES.items() for category in several]
    )
    pairs = pd.MultiIndex.from_frame(frame[["breakdown", "category"]])
    return pd.Series(pairs.isin(allowed), index=frame.index)


def _column_checks(table: str, column: str) -> list[pa.Check]:
    checks = []
    if (table, column) in WORDS:
        allowed = WORDS[table, column]
        checks.append(pa.Check(lambda cells: cells.isin(allowed), name="known_word"))
    if (table, column) in RANGES:
        low, high, _ = RANGES[table, column]
        checks.append(pa.Check(lambda cells: cells >= 0, name="not_negative"))
        checks.append(
            pa.Check(lambda cells: (cells >= low) & (cells <= high) | (cells < 0), name="plausible_size")
        )
    if column in WHOLE:
        checks.append(pa.Check(lambda cells: cells % 1 == 0, name="whole_number"))
    if column in YEARS and not (table == "gdp_deflator" and column == "vintage"):
        first, last = YEARS[column]
        checks.append(pa.Check(lambda cells: (cells >= first) & (cells <= last), name="plausible_year"))
    return checks


def _table_checks(name: str, table: Table) -> list[pa.Check]:
    checks = [pa.Check(_unique_rows(table.key), name="unique_rows")]
    if table.year:
        checks.append(pa.Check(_no_year_gap(table.key, table.year), name="no_year_gap"))
    if table.value:
        checks.append(pa.Check(_explained(table.value), name="explained_when_empty"))
    if name == "england_children":
        checks.append(pa.Check(_known_category, name="known_category"))
    if "release" in table.columns:
        checks.append(
            pa.Check(
                lambda frame: (frame["release"] != 2020) & (frame["year"] <= frame["release"]),
                name="published_release",
            )
        )
    if name == "gdp_deflator":
        checks.append(
            pa.Check(lambda frame: (frame["year"] != 2024) | (frame["deflator"] == 100.0), name="cash_base")
        )
    return checks


def _may_be_empty(name: str, column: str, table: Table) -> bool:
    england_row = name == "programme_rollout" and column == "authority"
    just_created = name == "authorities" and column == "ons_code"  # its figures come before its code
    optional = england_row or just_created or column == "growth_percent"
    return column in EMPTY_ALLOWED or column == table.value or optional


@lru_cache(maxsize=64)
def build_schema(
    name: str, *, sources: tuple[str, ...] | None = None, authorities: tuple[str, ...] | None = None
) -> pa.DataFrameSchema:
    """Build the schema of one published table.

    Parameters
    ----------
    name : str
        One of :data:`cba.inputs.published_tables.TABLES`.
    sources, authorities : tuple of str, optional
        Keys that the columns `source` and `authority` may hold; any when left out.

    Returns
    -------
    pandera.DataFrameSchema

    Examples
    --------
    >>> sorted(build_schema("care_duration").columns)
    ['days', 'measure', 'release', 'source', 'year']
    """
    table = TABLES[name]
    columns = {}
    for column, kind in table.columns.items():
        checks = _column_checks(name, column)
        if column == "source" and sources is not None and name != "sources":
            checks.append(pa.Check(lambda cells: cells.isin(sources), name="known_source"))
        if column == "authority" and authorities is not None and name != "authorities":
            checks.append(pa.Check(lambda cells: cells.isin(authorities), name="known_authority"))
        columns[column] = pa.Column(
            None if kind == "str" else kind, checks=checks, nullable=_may_be_empty(name, column, table)
        )
    return pa.DataFrameSchema(columns, checks=_table_checks(name, table), strict=True, name=name)


def _allowed(name: str, check: str, column: str, keys: tuple[tuple[str, ...] | None, ...]) -> str:
    """Say what the failing check would have accepted, as specifically as it can be."""
    if check == "known_word":
        return ", ".join(WORDS[name, column])
    if check == "known_source":
        return ", ".join(keys[0] or ())
    if check == "plausible_size":
        low, high, unit = RANGES[name, column]
        return f"{low:,} to {high:,} {unit}"
    if check == "plausible_year":
        return "{} to {}".format(*YEARS[column])
    if check in {"column_in_dataframe", "column_in_schema"}:
        return ", ".join(TABLES[name].columns)
    return ADVICE[check].allowed


def _found(
    frame: pd.DataFrame, *, name: str, check: str, column: str, row: int | None
) -> tuple[str, str, str]:
    """Column, value found and, for a category, the words of its breakdown."""
    table = TABLES[name]
    if row is None:
        return column, ", ".join(map(str, frame.columns)), ""
    if check in {"unique_rows", "no_year_gap"}:
        key = ", ".join(f"{part}={frame[part].iloc[row]}" for part in table.key)
        return table.year if check == "no_year_gap" else "+".join(table.key), key, ""
    if check == "known_category":
        several = words.CATEGORIES.get(str(frame["breakdown"].iloc[row]), ())
        return "category", str(frame["category"].iloc[row]), ", ".join(several)
    if check == "published_release":
        return "release", f"release {frame['release'].iloc[row]}, year {frame['year'].iloc[row]}", ""
    if check == "explained_when_empty":
        return table.value, f"{frame[table.value].iloc[row]} with flag '{frame['flag'].iloc[row]}'", ""
    column = "deflator" if check == "cash_base" else column
    return column, str(frame[column].iloc[row]), ""


def check_schema(
    frame: pd.DataFrame,
    *,
    name: str,
    file: Path,
    sources: tuple[str, ...] | None = None,
    authorities: tuple[str, ...] | None = None,
) -> None:
    """Refuse a table that breaks its schema.

    Parameters
    ----------
    frame : DataFrame
        The table as read.
    name : str
        One of :data:`cba.inputs.published_tables.TABLES`.
    file : Path
        Named in the message.
    sources, authorities : tuple of str, optional
        As in :func:`build_schema`.

    Raises
    ------
    InputError
        For the first failure (columns, cells, rows): column, row in the file (the header is row 1),
        what was found, what is allowed, the usual cause, the next step, and how many more there are.

    Examples
    --------
    >>> from cba.inputs.published_tables import read_table
    >>> table = read_table("gdp_deflator")
    >>> check_schema(table, name="gdp_deflator", file=Path("gdp_deflator.csv"))
    >>> table["deflator"] *= -1
    >>> check_schema(table, name="gdp_deflator", file=Path("gdp_deflator.csv"))
    Traceback (most recent call last):
    cba.errors.InputError: a value is negative (23 rows of this table fail)
    ...
    """
    try:
        build_schema(name, sources=sources, authorities=authorities).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as failures:
        cases = failures.failure_cases
    else:
        return
    known = cases[cases["check"].isin(PRIORITY)]
    order = known["check"].map(PRIORITY.index)
    first = known.loc[order.sort_values(kind="stable").index[0]] if len(known) else cases.iloc[0]
    check = str(first["check"])
    advice = ADVICE.get(check, ADVICE["column_in_dataframe"])
    row = None if pd.isna(first["index"]) else int(first["index"])
    column = str(first["failure_case"] if row is None else first["column"])
    column, found, listed = _found(frame, name=name, check=check, column=column, row=row)
    rows = cases["index"].dropna().nunique()
    more = f" ({rows} rows of this table fail)" if rows > 1 else ""
    raise InputError(
        f"{advice.problem}{more}",
        file=file,
        field=f"column {column}" if row is None else f"column {column}, row {row + 2}",
        found=found,
        allowed=listed or _allowed(name, check, column, (sources, authorities)),
        cause=advice.cause,
        remedy=advice.remedy,
    )
