"""The live central case on its sheets: formulas with the values they come to, inputs called by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cba.reporting.workbook_sheets import cell_format, fit, mark_table, number_format, opened_sheet, width
from cba.reporting.workbook_tables import sheet_name

if TYPE_CHECKING:
    from gptables.core.wrappers import GPWorkbook, GPWorksheet

    from cba.appraisal.central_case import CentralCase
    from cba.appraisal.central_case_cells import Cell
    from cba.appraisal.central_case_grid import Entry, Grid
    from cba.reporting.workbook_tables import Content

_REFERENCE = re.compile(r"\{(\w+):(\d+):(\d+)\}")


def live_sheet_names(case: CentralCase) -> dict[str, str]:
    """Return the name of the sheet of each grid.

    Parameters
    ----------
    case : CentralCase

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> live_sheet_names(case)["inputs"]  # doctest: +SKIP
    'live inputs'
    """
    names: dict[str, str] = {}
    for grid in case.grids:
        name = sheet_name(f"live {grid.key}")
        clash = sum(other.lower() == name.lower() for other in names.values())
        names[grid.key] = name if not clash else f"{name[:27]} {clash + 1}"
    return names


def write_live_case(book: GPWorkbook, case: CentralCase, *, number: int) -> None:
    """Write every grid of the live case on a sheet of its own.

    Parameters
    ----------
    book : GPWorkbook
    case : CentralCase
    number : int
        Number of the first table.

    Examples
    --------
    >>> write_live_case(book, case, number=1)  # doctest: +SKIP
    """
    from xlsxwriter.utility import xl_col_to_name

    names = live_sheet_names(case)
    tops = {grid.key: len(grid.about) + 1 for grid in case.grids}
    for name, (key, row, column) in case.names.items():
        cell = f"${xl_col_to_name(column)}${tops[key] + row + 2}"
        book.define_name(name, f"='{names[key]}'!{cell}")
    for place, grid in enumerate(case.grids):
        _write_grid(book, grid, names=names, tops=tops, number=number + place)


def _write_grid(
    book: GPWorkbook, grid: Grid, *, names: Mapping[str, str], tops: Mapping[str, int], number: int
) -> None:
    sheet, top = opened_sheet(book, names[grid.key], title=grid.title, about=grid.about)
    sheet._prepare_formula = _as_it_is  # thousands of formulas, none with a function newer than the format
    for place, row in enumerate(grid.rows):
        wide = len({type(entry) for entry in row[2:]}) == 1 and len(row) > 9
        shape = number_format([_number(e) for e in row if not isinstance(e, str)]) if wide else ""
        for column, entry in enumerate(row):
            own = shape or number_format([] if isinstance(entry, str) else [_number(entry)])
            _write_entry(
                book,
                sheet,
                (top + 1 + place, column),
                entry,
                shape=own,
                grid=grid.key,
                names=names,
                tops=tops,
            )
    columns = [[_content(row[n]) for row in grid.rows] for n in range(len(grid.header))]
    widths = [width(heading, cells) for heading, cells in zip(grid.header, columns, strict=True)]
    fit(sheet, grid.header, grid.rows, widths, top=top)
    mark_table(book, sheet, grid.header, grid.rows, top=top, name=f"table_{number}")


def _as_it_is(formula: str, expand_future_functions: bool = False) -> str:
    return formula.removeprefix("=")


def _content(entry: Entry) -> Content:
    return entry if isinstance(entry, str) else _number(entry)


def _number(entry: Entry) -> float:
    return float(getattr(entry, "value", entry))  # type: ignore[arg-type]  # text is asked for nowhere


def _write_entry(
    book: GPWorkbook,
    sheet: GPWorksheet,
    place: tuple[int, int],
    entry: Entry,
    *,
    shape: str,
    grid: str,
    names: Mapping[str, str],
    tops: Mapping[str, int],
) -> None:
    """Write text as text, a number as an input and a cell as its formula with its value."""
    look = cell_format(book, num_format=shape)
    if isinstance(entry, str):
        sheet.write_string(*place, entry, look)
    elif isinstance(entry, int | float):
        sheet.write_number(*place, float(entry), look)
    else:
        formula = f"={addressed(entry, grid=grid, names=names, tops=tops)}"
        sheet.write_formula(*place, formula, look, entry.value)


def addressed(cell: Cell, *, grid: str, names: Mapping[str, str], tops: Mapping[str, int]) -> str:
    """Return a cell's formula with addresses for its references.

    Parameters
    ----------
    cell : Cell
    grid : str
        Key of the grid it stands in, whose own cells need no sheet.
    names : mapping of str to str
        Sheet of each grid.
    tops : mapping of str to int
        Row of the headings of each grid, from 0.

    Returns
    -------
    str

    Examples
    --------
    >>> from cba.appraisal.central_case_cells import Cell
    >>> cell = Cell(1.0, "SUM({a:0:2}:{a:0:3})/{b:1:1}")
    >>> addressed(cell, grid="a", names={"a": "live a", "b": "live b"}, tops={"a": 3, "b": 2})
    "SUM(C5:D5)/'live b'!B5"
    """
    from xlsxwriter.utility import xl_rowcol_to_cell

    def address(found: re.Match[str]) -> str:
        key, row, column = found.group(1), int(found.group(2)), int(found.group(3))
        place = xl_rowcol_to_cell(tops[key] + 1 + row, column)
        return place if key == grid else f"'{names[key]}'!{place}"

    text = _REFERENCE.sub(address, cell.text)
    return re.sub(r"('live [^']+'!)([A-Z]+\d+):\1", r"\1\2:", text)  # a range names its sheet once
