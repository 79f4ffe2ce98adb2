"""Reading of the published tables: one plain CSV per topic, refused whole when it is not what it says it is.

Every table is read with the types its columns must have, checked against its schema
(:mod:`cba.inputs.tables`) and returned as a DataFrame. Nothing is filled, dropped or corrected: a
file that cannot be read, ends early, holds a word where a number belongs or fails its schema raises
:class:`cba.errors.InputError` naming the file, the column, the row and what to do next.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cba.errors import InputError
from cba.inputs import table_words as words
from cba.inputs.files import (
    even_rows,
    file_bytes,
    published_folder,
    readable_text,
    shipped_published_folder,
    text_of_table,
)
from cba.inputs.table_words import CHECKS, EMPTY_ALLOWED, TABLES, WHOLE, YEARS, Table

if TYPE_CHECKING:
    import pandera.pandas as pa

PUBLISHED = shipped_published_folder()
"""Folder of the tables shipped with the package."""


FETCH_AGAIN = "fetch the file again from its source, or restore it from version control"


def _text_of(file: Path) -> str:
    """Contents of a file that exists, is UTF-8 text and ends with a line end."""
    missing = InputError(
        "a published table is missing",
        file=file,
        found="no such file",
        allowed=f"the tables {', '.join(TABLES)}, each a .csv file in one folder",
    ).advice(
        "the folder holds another layout, or one file was left out when copying",
        remedy=f"copy {file.name} into the folder; README.md beside the shipped tables has the layout",
    )
    return text_of_table(file_bytes(file, missing=missing), file=file, again=FETCH_AGAIN)


def _refuse_cells(text: str, *, table: Table, file: Path) -> None:
    """Find the first cell that is not a number where one belongs, and raise for it."""
    cells = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    patterns = {"int64": r"-?\d+", "float64": r"-?\d*\.?\d+(?:[eE][-+]?\d+)?|"}
    for name, kind in table.columns.items():
        if kind == "str" or name not in cells:
            continue
        bad = cells.index[~cells[name].str.fullmatch(patterns[kind])]
        if len(bad):
            found = cells[name].iloc[bad[0]]
            raise InputError(
                f"a cell of {name} is not {'a whole number' if kind == 'int64' else 'a number'}",
                file=file,
                field=f"column {name}, row {bad[0] + 2}",
                found=repr(found),
                allowed="a whole number"
                if kind == "int64"
                else "a plain number, or nothing where a flag explains",
            ).advice(
                "NaN, a symbol such as 'c' or 'x', or a thousands separator kept from a spreadsheet",
                remedy="leave the cell empty and say why in `flag`, or restore the published figure",
            )


def _parse(text: str, *, table: Table, file: Path) -> pd.DataFrame:
    even_rows(text, file=file)
    try:
        frame = pd.read_csv(
            io.StringIO(text), dtype=dict(table.columns), keep_default_na=False, na_values=[""]
        )
    except (ValueError, OverflowError):
        _refuse_cells(text, table=table, file=file)
        raise
    for name in [column for column, kind in table.columns.items() if kind == "str" and column in frame]:
        for cell in frame[name].dropna().unique():  # whether it may be empty, the schema says
            readable_text(cell, field=f"column {name}", file=file)
    for name in ("flag", "note", "predecessors", "successors", "change_date"):
        if name in frame:
            frame[name] = frame[name].fillna("")
    return frame


def read_table(
    name: str,
    *,
    folder: Path | None = None,
    sources: tuple[str, ...] | None = None,
    authorities: tuple[str, ...] | None = None,
) -> pd.DataFrame:
    """Read and check one published table.

    The columns of ``TABLES[name]``, units as in the data dictionary beside the tables.
    """
    file = (published_folder() if folder is None else Path(folder)) / f"{name}.csv"
    frame = _parse(_text_of(file), table=TABLES[name], file=file)
    check_schema(frame, name=name, file=file, sources=sources, authorities=authorities)
    return frame


def read_tables(names: tuple[str, ...], *, folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """Read several tables of one folder, each row checked against its ``sources`` and ``authorities``.

    `names`: tables wanted beside ``sources`` and ``authorities``, which are always read.
    """
    sources = read_table("sources", folder=folder)
    keys = tuple(sources["source"])
    authorities = read_table("authorities", folder=folder, sources=keys)
    codes = tuple(authorities["authority"])
    tables = {"sources": sources, "authorities": authorities}
    wanted = [name for name in names if name not in tables]
    return tables | {
        name: read_table(name, folder=folder, sources=keys, authorities=codes) for name in wanted
    }


# --- Schemas of the published tables (pandera), and the translation of a failure into one readable refusal ---


LARGEST_STEP = 5.0
"""A figure this many times its neighbour is in another unit: no series watched has moved by a factor of 3."""

SMALLEST_WATCHED = 10
"""Smallest figure whose next year is compared with it: below, a few children are a large factor."""

GROWTH_ROUNDING = 0.02
"""Largest difference between growth as printed and as worked out from the index, percentage points."""

_ABOUT_ROWS = (
    "unique_rows",
    "no_year_gap",
    "same_unit",
)  # told last: a wrong word in one cell makes them fail too

PRIORITY = (*(name for name in CHECKS if name not in _ABOUT_ROWS), *_ABOUT_ROWS)
"""Which failure is told first: columns, then cells, then rows."""

type Test = Callable[[Any], pd.Series]
"""What says of every cell of a column, or of every row of a table, whether it is sound."""


def _no_year_gap(keys: tuple[str, ...], year: str) -> Test:
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


def _no_step(table: Table) -> Test:
    """Check that no watched series moves by a factor of `LARGEST_STEP` within a year: it would be another unit."""
    value, watched = table.figure, table.watched or {}
    year = "mid_year" if "mid_year" in table.columns else "year"
    names = [name for name in table.columns if name not in (value, year, "flag", "source")]

    def check(frame: pd.DataFrame) -> pd.Series:
        kept = frame[value].notna() & (frame[year] >= table.watched_since)
        for column, several in watched.items():
            kept &= frame[column].isin(several)
        rows = frame[kept].sort_values([*names, year], kind="stable")
        before = rows.groupby(names, sort=False)[[value, year]].shift()
        step = rows[value] / before[value]
        near = (rows[year] - before[year] == 1) & (before[value] >= SMALLEST_WATCHED)
        passed = ~near | step.between(1 / LARGEST_STEP, LARGEST_STEP, inclusive="neither")
        return passed.reindex(frame.index, fill_value=True)

    return check


def _growth_of_index(frame: pd.DataFrame) -> pd.Series:
    """Check that the printed growth of a year is that of the index, within the digits both are printed with."""
    rows = frame.sort_values(["vintage", "year"], kind="stable")
    before = rows.groupby("vintage")[["deflator", "year"]].shift()
    growth = (rows["deflator"] / before["deflator"] - 1) * 100
    unknown = rows["growth_percent"].isna() | (rows["year"] - before["year"] != 1)
    near = (growth - rows["growth_percent"]).abs() <= GROWTH_ROUNDING
    return (unknown | near).reindex(frame.index)


def _moving_index(frame: pd.DataFrame) -> pd.Series:
    """Check that prices of one vintage do not stand still from one year to the next, as they never have."""
    rows = frame.sort_values(["vintage", "year"], kind="stable")
    still = rows["deflator"] == rows.groupby("vintage")["deflator"].shift()
    return (~still).reindex(frame.index)


def _known_category(frame: pd.DataFrame) -> pd.Series:
    allowed = pd.MultiIndex.from_tuples(
        [(breakdown, category) for breakdown, several in words.CATEGORIES.items() for category in several]
    )
    pairs = pd.MultiIndex.from_frame(frame[["breakdown", "category"]])
    return pd.Series(pairs.isin(allowed), index=frame.index)


def _column_tests(table: str, column: str, *, keys: Mapping[str, tuple[str, ...] | None]) -> dict[str, Test]:
    """Tests of one column, by the name of the check. `keys`: what the columns `source`, `authority` may hold."""
    tests: dict[str, Test] = {}
    written = TABLES[table]
    if column in written.words:
        tests["known_word"] = lambda cells: cells.isin(written.words[column])
    if column in written.ranges:
        low, high, _ = written.ranges[column]
        tests["not_negative"] = lambda cells: cells >= 0
        tests["plausible_size"] = lambda cells: (cells >= low) & (cells <= high) | (cells < 0)
    if column in WHOLE:
        tests["whole_number"] = lambda cells: cells % 1 == 0
    if column in YEARS and written.columns[column] != "str":
        first, last = YEARS[column]
        tests["plausible_year"] = lambda cells: (cells >= first) & (cells <= last)
    if column == "address":
        tests["web_address"] = lambda cells: cells.str.fullmatch(
            r"https?://[^\s/]+\S*|source_url of each row"
        )
    known = keys.get(column)
    if known is not None and table != {"source": "sources", "authority": "authorities"}[column]:
        tests[f"known_{column}"] = lambda cells: cells.isin(known)
    return tests


def _row_tests(name: str) -> dict[str, Test]:
    table = TABLES[name]
    tests: dict[str, Test] = {"unique_rows": lambda frame: ~frame.duplicated(list(table.key))}
    if table.year:
        tests["no_year_gap"] = _no_year_gap(table.key, table.year)
    if table.watched is not None:
        tests["same_unit"] = _no_step(table)
    if table.value:
        withheld = "|".join(words.WITHHELD)
        tests["explained_when_empty"] = lambda frame: (
            frame[table.value].isna() == frame["flag"].str.contains(withheld)
        )
    if name == "england_children":
        tests["known_category"] = _known_category
    if "release" in table.columns:
        tests["published_release"] = lambda frame: (
            (frame["release"] != 2020) & (frame["year"] <= frame["release"])
        )
    if name == "gdp_deflator":
        tests["cash_base"] = lambda frame: (frame["year"] != 2024) | (frame["deflator"] == 100.0)
        tests["growth_of_index"] = _growth_of_index
        tests["moving_index"] = _moving_index
    return tests


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

    `sources`, `authorities`: keys that the columns `source` and `authority` may hold; any when left out.
    """
    import pandera.pandas as pa  # a second, which a re-run that changes nothing does not have to wait

    def checks(tests: dict[str, Test]) -> list[pa.Check]:
        return [pa.Check(test, name=check) for check, test in tests.items()]

    table, keys = TABLES[name], {"source": sources, "authority": authorities}
    columns = {
        column: pa.Column(
            None if kind == "str" else kind,
            checks=checks(_column_tests(name, column, keys=keys)),
            nullable=_may_be_empty(name, column, table),
        )
        for column, kind in table.columns.items()
    }
    return pa.DataFrameSchema(columns, checks=checks(_row_tests(name)), strict=True, name=name)


def _said(
    frame: pd.DataFrame, *, name: str, check: str, column: str, row: int | None, sources: tuple[str, ...]
) -> tuple[str, str, str | None]:
    """Column, value found, and what the failing check would have accepted, as specifically as it can be."""
    table = TABLES[name]
    if row is None:
        return column, ", ".join(map(str, frame.columns)), ", ".join(table.columns)
    at, allowed = frame.iloc[row], CHECKS[check].details["allowed"]
    match check:
        case "unique_rows" | "no_year_gap":
            key = ", ".join(f"{part}={at[part]}" for part in table.key)
            return table.year if check == "no_year_gap" else "+".join(table.key), key, allowed
        case "same_unit":
            year = "mid_year" if "mid_year" in table.columns else "year"
            return table.figure, f"{at[table.figure]:,g} in {at[year]}", allowed
        case "known_category":
            several = words.CATEGORIES.get(str(at["breakdown"]), ())
            return "category", str(at["category"]), ", ".join(several) or allowed
        case "published_release":
            return "release", f"release {at['release']}, year {at['year']}", allowed
        case "explained_when_empty":
            return table.value, f"{at[table.value]} with flag '{at['flag']}'", allowed
        case "cash_base" | "growth_of_index" | "moving_index":
            column = "deflator"
        case "known_word":
            allowed = ", ".join(table.words[column])
        case "known_source":
            allowed = ", ".join(sources)
        case "plausible_size":
            low, high, unit = table.ranges[column]
            allowed = f"{low:,} to {high:,} {unit}"
        case "plausible_year":
            allowed = "{} to {}".format(*YEARS[column])
    return column, str(at[column]), allowed


def check_schema(
    frame: pd.DataFrame,
    *,
    name: str,
    file: Path,
    sources: tuple[str, ...] | None = None,
    authorities: tuple[str, ...] | None = None,
) -> None:
    """Refuse a table that breaks its schema."""
    from pandera.errors import SchemaErrors

    try:
        build_schema(name, sources=sources, authorities=authorities).validate(frame, lazy=True)
    except SchemaErrors as failures:
        cases = failures.failure_cases
    else:
        return
    known = cases[cases["check"].isin(PRIORITY)]
    order = known["check"].map(PRIORITY.index)
    first = known.loc[order.sort_values(kind="stable").index[0]] if len(known) else cases.iloc[0]
    check = str(first["check"])
    row = None if pd.isna(first["index"]) else int(first["index"])
    column = str(first["failure_case"] if row is None else first["column"])
    column, found, allowed = _said(
        frame, name=name, check=check, column=column, row=row, sources=sources or ()
    )
    rows = cases["index"].dropna().nunique()
    more = f" ({rows} rows of this table fail)" if rows > 1 else ""
    refusal = CHECKS.get(check, CHECKS["column_in_dataframe"])
    raise refusal.changed(
        f"{refusal.problem}{more}",
        file=file,
        field=f"column {column}" if row is None else f"column {column}, row {row + 2}",
        found=found,
        allowed=allowed,
    )
