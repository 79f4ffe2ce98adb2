"""Which tables go into the workbook, and in what form: stances one below the other, gaps explained, no formulas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cba.reporting.full_names import stance_name
from cba.reporting.workbook_titles import heading_of, title_of

if TYPE_CHECKING:
    import pandas as pd

    from cba.appraisal import Appraisal

Content = str | float | int
GAP = "[z]"
"""Stands in a cell for what is not applicable or not defined."""

MOST_ROWS = 1_200
"""Longer tables stay in their CSV file: nobody reads them on a sheet, and the workbook opens at once."""

LONGEST_NAME = 31
"""Characters of a sheet's name."""


@dataclass(frozen=True)
class SheetTable:
    """One table as it stands on its sheet.

    Attributes
    ----------
    name : str
        Of the sheet.
    title : str
    about : tuple of str
        Lines between title and table.
    headings : tuple of str
        All different, whatever their capitals.
    rows : tuple of tuple
        Text and numbers; nothing is missing.
    """

    name: str
    title: str
    about: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[Content, ...], ...]


@dataclass(frozen=True)
class LeftOut:
    """A table that stays in its CSV file: its name, title and number of rows."""

    name: str
    title: str
    rows: int


def sheet_tables(appraisals: Sequence[Appraisal]) -> tuple[list[SheetTable], list[LeftOut]]:
    """Return every table of a run as it goes on its sheet.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance, the headline stance first.

    Returns
    -------
    tables : list of SheetTable
        A table that differs by stance holds all of them, with the stance in its first column.
    left_out : list of LeftOut
        Tables of more than :data:`MOST_ROWS` rows.

    Examples
    --------
    >>> tables, left_out = sheet_tables([appraisal])  # doctest: +SKIP
    """
    names = list(dict.fromkeys(name for appraisal in appraisals for name in appraisal.tables))
    tables: list[SheetTable] = []
    left_out: list[LeftOut] = []
    labels = appraisals[0].option_labels
    for name in names:
        held = {a.stance: a.tables[name] for a in appraisals if name in a.tables}
        if sum(len(frame) for frame in held.values()) > MOST_ROWS:
            left_out.append(LeftOut(name, title_of(name)[0], sum(len(frame) for frame in held.values())))
        else:
            tables.append(_sheet_table(name, held, labels=labels, stances=len(appraisals)))
    return tables, left_out


def _sheet_table(
    name: str, held: Mapping[str, pd.DataFrame], *, labels: Mapping[str, str], stances: int
) -> SheetTable:
    first, *others = held.values()
    same = all(first.equals(other) for other in others)
    shown = {next(iter(held)): first} if same else held
    columns = list(dict.fromkeys(str(column) for frame in shown.values() for column in frame))
    rows = [
        ((() if same else (stance_name(stance),)) + row)
        for stance, frame in shown.items()
        for row in _rows(frame, columns, labels)
    ]
    headings = unique_headings([*(() if same else ("Stance [note 5]",)), *map(heading_of, columns)])
    rows = rows or [("No rows", *[GAP] * (len(headings) - 1))]
    title, units = title_of(name)
    gaps = any(cell == GAP for row in rows for cell in row)
    which = f"{', '.join(stance_name(s) for s in held)} [note 5]"
    about = (
        f"This worksheet contains one table. The same figures, unrounded, are in tables/{name}.csv.",
        *((units,) if units else ()),
        *((f"Stance: {which}.",) if same and len(held) < stances else ()),
        *((f"{GAP} means not applicable or not defined [note 6].",) if gaps else ()),
    )
    return SheetTable(sheet_name(name), title, about, headings, tuple(rows))


def sheet_name(name: str) -> str:
    """Return a name a sheet can have: 31 characters at most, none that a spreadsheet refuses.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> sheet_name("npv"), len(sheet_name("n" * 40)), sheet_name("a/b:c")
    ('npv', 31, 'a b c')
    """
    plain = "".join(" " if sign in "[]:*?/\\'" else sign for sign in name)
    return plain[:LONGEST_NAME].strip()


def unique_headings(headings: Sequence[str]) -> tuple[str, ...]:
    """Return headings that are all different whatever their capitals, as a table of a spreadsheet needs.

    Parameters
    ----------
    headings : sequence of str

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> unique_headings(["Mean", "mean", "Median"])
    ('Mean', 'mean (2)', 'Median')
    """
    seen: dict[str, int] = {}
    found = []
    for heading in headings:
        times = seen[heading.lower()] = seen.get(heading.lower(), 0) + 1
        found.append(heading if times == 1 else f"{heading} ({times})")
    return tuple(found)


def _rows(
    frame: pd.DataFrame, columns: Sequence[str], labels: Mapping[str, str]
) -> list[tuple[Content, ...]]:
    """Return the rows of a table, options by their labels."""
    gap = [GAP] * len(frame)
    labelled = ("best", "other") if "label" in frame else ("option", "best", "other")
    columns_held = [
        [content(value, labels if column in labelled else {}) for value in frame[column].tolist()]
        if column in frame
        else gap
        for column in columns
    ]
    return list(zip(*columns_held, strict=True))


def content(value: object, labels: Mapping[str, str]) -> Content:
    """Return what stands in a cell for a value: a finite number, or text that is not empty.

    Parameters
    ----------
    value : object
        Of a table.
    labels : mapping of str to str
        Words for some texts.

    Returns
    -------
    str, float or int

    Examples
    --------
    >>> [content(v, {"bau": "Business as usual"}) for v in (None, float("inf"), True, "bau", "=1+1", 2.5)]
    ['[z]', 'infinite', 'Yes', 'Business as usual', '=1+1', 2.5]
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        if math.isnan(value):
            return GAP
        return value if math.isfinite(value) else ("infinite" if value > 0 else "minus infinite")
    text = "" if value is None or value != value else str(value).strip()
    return labels.get(text, text)[:32_000] or GAP
