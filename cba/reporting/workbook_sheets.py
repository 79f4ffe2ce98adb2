"""Sheets of the workbook: title in A1, a sentence or two, one table, all cells wrapped and none merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from cba.reporting.workbook_tables import GAP

if TYPE_CHECKING:
    from gptables.core.wrappers import GPWorkbook, GPWorksheet

    from cba.reporting.workbook_tables import Content, SheetTable

NARROWEST, WIDEST, CHARACTERS = 9, 60, 1.2
"""Width of columns in characters; Arial 12 takes a fifth more than the width they are counted in."""

LINE, TITLE_LINE = 16.0, 22.0
"""Height of a line of text and of the title, in points."""


def write_sheet(book: GPWorkbook, table: SheetTable, *, number: int) -> GPWorksheet:
    """Write one table on a sheet of its own.

    Parameters
    ----------
    book : GPWorkbook
        Being written.
    table : SheetTable
    number : int
        Makes the table's name unique.

    Returns
    -------
    GPWorksheet

    Examples
    --------
    >>> write_sheet(book, table, number=1)  # doctest: +SKIP
    """
    sheet, top = opened_sheet(book, table.name, title=table.title, about=table.about)
    widths = []
    for column, heading in enumerate(table.headings):
        cells = [row[column] for row in table.rows]
        numbers = [cell for cell in cells if not isinstance(cell, str)]
        shape = cell_format(book, num_format=number_format(numbers))
        sheet.write_column(top + 1, column, cells, shape)  # text stays text: see the options of the workbook
        widths.append(width(heading, cells))
    fit(sheet, table.headings, table.rows, widths, top=top)
    mark_table(book, sheet, table.headings, table.rows, top=top, name=f"table_{number}")
    return sheet


def cell_format(book: GPWorkbook, **own: str) -> Any:
    """Return the format of a cell of a table: wrapped, at the top of its row.

    Parameters
    ----------
    book : GPWorkbook
    **own : str
        What is particular to the cell.

    Returns
    -------
    xlsxwriter.format.Format

    Examples
    --------
    >>> cell_format(book, num_format="0.0")  # doctest: +SKIP
    """
    return book.add_format(dict(book.theme.data_format) | {"valign": "top"} | own)


def fit(
    sheet: GPWorksheet,
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    widths: Sequence[float],
    *,
    top: int,
) -> None:
    """Set the widths of columns, and the heights of rows whose text takes more than a line.

    Parameters
    ----------
    sheet : GPWorksheet
    headings : sequence of str
    rows : sequence of sequence
        What stands in the table.
    widths : sequence of float
        Of its columns.
    top : int
        Row of the headings.

    Examples
    --------
    >>> fit(sheet, ["Option"], [("Care review",)], [20.0], top=3)  # doctest: +SKIP
    """
    for column, wide in enumerate(widths):
        sheet.set_column(column, column, wide)
    sheet.set_row(top, LINE * max(lines(h, w, bold=True) for h, w in zip(headings, widths, strict=True)) + 2)
    heights: dict[int, int] = {}
    for column, wide in enumerate(widths):
        room = letters(wide)
        for place, row in enumerate(rows):
            cell = row[column]
            if isinstance(cell, str) and len(cell) > room:
                heights[place] = max(heights.get(place, 1), lines(cell, wide))
    for place, taken in heights.items():
        sheet.set_row(top + 1 + place, LINE * taken)


def letters(wide: float, *, bold: bool = False) -> int:
    """Return the letters that fit on a line of a column.

    Parameters
    ----------
    wide : float
        Width of the column.
    bold : bool
        Bold letters are a tenth wider.

    Returns
    -------
    int

    Examples
    --------
    >>> letters(24.0), letters(24.0, bold=True)
    (28, 26)
    """
    return max(
        int(wide * (1.1 if bold else 1.2)), 1
    )  # in proportional type most letters are narrower than a digit


def lines(text: str, wide: float, *, bold: bool = False) -> int:
    """Return the lines that wrapped text takes in a column.

    Parameters
    ----------
    text : str
    wide : float
        Width of the column.
    bold : bool
        Bold letters are a tenth wider.

    Returns
    -------
    int

    Examples
    --------
    >>> lines("one two three four", 12.0), lines("one", 12.0)
    (2, 1)
    """
    room = letters(wide, bold=bold)
    if len(text) <= room and "\n" not in text:
        return 1
    return sum(len(wrap(line, room)) or 1 for line in text.splitlines())


def opened_sheet(book: GPWorkbook, name: str, *, title: str, about: Sequence[str]) -> tuple[GPWorksheet, int]:
    """Add a sheet and write what stands above its table.

    Parameters
    ----------
    book : GPWorkbook
    name, title : str
    about : sequence of str
        One line each.

    Returns
    -------
    GPWorksheet, int
        The sheet, and the row of the table's headings.

    Examples
    --------
    >>> opened_sheet(book, "npv", title="Net present value", about=())  # doctest: +SKIP
    """
    sheet = book.add_worksheet(name, gridlines="hide_all")
    sheet.write_string(0, 0, title, book.add_format(book.theme.title_format))
    sheet.set_default_row(LINE)
    sheet.set_row(0, TITLE_LINE)
    line = book.add_format(book.theme.instructions_format)
    for place, sentence in enumerate(about, start=1):
        sheet.write_string(place, 0, sentence, line)
    return sheet, len(about) + 1


def mark_table(
    book: GPWorkbook,
    sheet: GPWorksheet,
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    top: int,
    name: str,
) -> None:
    """Write the headings and mark the range as a table with one header row.

    Parameters
    ----------
    book : GPWorkbook
    sheet : GPWorksheet
    headings : sequence of str
        Over numbers they stand on the right, as the numbers do.
    rows : sequence of sequence
        What stands below, 1 row or more.
    top : int
        Row of the headings.
    name : str
        Of the table.

    Examples
    --------
    >>> mark_table(book, sheet, ["Option"], [("Care review",)], top=2, name="table_1")  # doctest: +SKIP
    """
    bold = book.add_format(book.theme.column_heading_format)
    right = book.add_format(dict(book.theme.column_heading_format) | {"align": "right"})
    text = [
        any(isinstance(row[column], str) and row[column] != GAP for row in rows)
        for column in range(len(headings))
    ]
    marked = [
        {"header": heading, "header_format": bold if words else right}
        for heading, words in zip(headings, text, strict=True)
    ]
    options: Mapping[str, Any] = {"autofilter": False, "style": None, "columns": marked, "name": name}
    sheet.add_table(top, 0, top + len(rows), len(headings) - 1, options)


def width(heading: str, cells: Sequence[Content]) -> float:
    """Return the width of a column: its longest word or figure, more for long text, within limits.

    Parameters
    ----------
    heading : str
    cells : sequence of str, float or int

    Returns
    -------
    float
        Characters.

    Examples
    --------
    >>> width("Mean", [1.0, 2.0]) < width("Description", ["a sentence of many words " * 9])
    True
    """
    longest = max((len(cell) for cell in cells if isinstance(cell, str)), default=0)
    numbers = [abs(cell) for cell in cells if not isinstance(cell, str)]
    digits = len(f"{max(numbers):,.0f}") + 4 if numbers else 0
    word = max((len(piece) + 1 for piece in heading.split()), default=0)
    wanted = max(NARROWEST, word, digits, min(longest, WIDEST), min(len(heading) // 2, 18))
    return CHARACTERS * wanted


def number_format(numbers: Sequence[float]) -> str:
    """Return how the numbers of a column are shown; the cells hold them unrounded.

    Parameters
    ----------
    numbers : sequence of float

    Returns
    -------
    str

    Examples
    --------
    >>> number_format([2026, 2027]), number_format([1e9, -5.0]), number_format([0.25]), number_format([3, 4000])
    ('0', '#,##0', '0.000', '#,##0')
    """
    if not numbers:
        return "General"
    largest = max(abs(number) for number in numbers)
    whole = all(number == int(number) for number in numbers)
    if whole and all(1800 < number < 2200 for number in numbers):
        return "0"
    if whole or largest >= 1000:
        return "#,##0"
    if largest >= 10:
        return "#,##0.0"
    return "0.000" if largest >= 0.01 or largest == 0 else "0.00E+00"
