"""Cells that know both their value and the spreadsheet formula that gives it, so that one definition makes both.

A formula names other cells as ``{grid:row:column}``, counted from 0 below the header; who writes the spreadsheet
turns that into an address. Numbers that a reader may change have a name of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

_SUM, _PRODUCT, _POWER, _ATOM = range(4)


@dataclass(frozen=True)
class Cell:
    """A value and the formula it comes from.

    Attributes
    ----------
    value : float
        What the formula comes to.
    text : str
        The formula, without the sign that starts it.
    binds : int
        How tightly its outermost operation binds: decides where brackets are needed.

    Examples
    --------
    >>> money, cost = Cell(10.0, "money"), Cell(4.0, "cost")
    >>> share = money / (cost + 1)
    >>> share.value, share.text
    (2.0, 'money/(cost+1)')
    """

    value: float
    text: str
    binds: int = _ATOM

    def __add__(self, other: Cell | float) -> Cell:
        return _joined(self, "+", other, _SUM, self.value + value_of(other))

    def __radd__(self, other: float) -> Cell:
        return _joined(other, "+", self, _SUM, other + self.value)

    def __sub__(self, other: Cell | float) -> Cell:
        return _joined(self, "-", other, _SUM, self.value - value_of(other))

    def __rsub__(self, other: float) -> Cell:
        return _joined(other, "-", self, _SUM, other - self.value)

    def __mul__(self, other: Cell | float) -> Cell:
        return _joined(self, "*", other, _PRODUCT, self.value * value_of(other))

    def __rmul__(self, other: float) -> Cell:
        return _joined(other, "*", self, _PRODUCT, other * self.value)

    def __truediv__(self, other: Cell | float) -> Cell:
        return _joined(self, "/", other, _PRODUCT, self.value / value_of(other))

    def __rtruediv__(self, other: float) -> Cell:
        return _joined(other, "/", self, _PRODUCT, other / self.value)


def value_of(cell: Cell | float) -> float:
    """Return the value of a cell, or the number itself.

    Parameters
    ----------
    cell : Cell or float

    Returns
    -------
    float

    Examples
    --------
    >>> value_of(Cell(2.0, "a")), value_of(3.0)
    (2.0, 3.0)
    """
    return cell.value if isinstance(cell, Cell) else cell


def _text(cell: Cell | float, binds: int) -> str:
    if isinstance(cell, Cell):
        return cell.text if cell.binds >= binds else f"({cell.text})"
    written = f"{cell:.17g}"
    return written if cell >= 0 else f"({written})"


def _joined(left: Cell | float, sign: str, right: Cell | float, binds: int, value: float) -> Cell:
    # the right of a minus or of a division needs brackets around its own kind
    own = binds + (sign in "-/")
    return Cell(value, f"{_text(left, binds)}{sign}{_text(right, own)}", binds)


def called(name: str, *cells: Cell | float, value: float) -> Cell:
    """Call a spreadsheet function.

    Parameters
    ----------
    name : str
        Of the function.
    *cells : Cell or float
        Its arguments.
    value : float
        What it comes to.

    Returns
    -------
    Cell

    Examples
    --------
    >>> called("MIN", Cell(3.0, "a"), 1, value=1.0).text
    'MIN(a,1)'
    """
    return Cell(value, f"{name}({','.join(_text(cell, _SUM) for cell in cells)})")


def exp(cell: Cell) -> Cell:
    """Exponential of a cell.

    Parameters
    ----------
    cell : Cell

    Returns
    -------
    Cell

    Examples
    --------
    >>> exp(Cell(0.0, "a")).text
    'EXP(a)'
    """
    return called("EXP", cell, value=math.exp(cell.value))


def log(cell: Cell) -> Cell:
    """Natural logarithm of a cell.

    Parameters
    ----------
    cell : Cell
        Above 0.

    Returns
    -------
    Cell

    Examples
    --------
    >>> log(Cell(1.0, "a")).value
    0.0
    """
    return called("LN", cell, value=math.log(cell.value))


def least(*cells: Cell | float) -> Cell:
    """Smallest of some cells.

    Parameters
    ----------
    *cells : Cell or float

    Returns
    -------
    Cell

    Examples
    --------
    >>> least(Cell(3.0, "a"), 1).value
    1
    """
    return called("MIN", *cells, value=min(value_of(cell) for cell in cells))


def most(*cells: Cell | float) -> Cell:
    """Largest of some cells.

    Parameters
    ----------
    *cells : Cell or float

    Returns
    -------
    Cell

    Examples
    --------
    >>> most(Cell(3.0, "a"), 0).text
    'MAX(a,0)'
    """
    return called("MAX", *cells, value=max(value_of(cell) for cell in cells))


def chosen(left: Cell, sign: str, right: Cell | float, then: Cell | float, otherwise: Cell | float) -> Cell:
    """One of two cells, by a comparison.

    Parameters
    ----------
    left : Cell
    sign : {">", "<", "="}
    right : Cell or float
    then, otherwise : Cell or float
        Where the comparison holds, and where it does not.

    Returns
    -------
    Cell

    Examples
    --------
    >>> chosen(Cell(2.0, "a"), ">", 0, Cell(5.0, "b"), 0).text
    'IF(a>0,b,0)'
    """
    holds = {
        ">": left.value > value_of(right),
        "<": left.value < value_of(right),
        "=": left.value == value_of(right),
    }
    parts = f"{_text(left, _SUM)}{sign}{_text(right, _SUM)},{_text(then, _SUM)},{_text(otherwise, _SUM)}"
    return Cell(value_of(then if holds[sign] else otherwise), f"IF({parts})")


def total(cells: Sequence[Cell], *, function: str = "SUM") -> Cell:
    """Sum of cells that stand side by side or one below the other.

    Parameters
    ----------
    cells : sequence of Cell
        References, in order, without gaps.
    function : {"SUM", "MAX"}
        What is done with the range.

    Returns
    -------
    Cell

    Examples
    --------
    >>> total([Cell(1.0, "{a:0:0}"), Cell(2.0, "{a:0:1}")]).text
    'SUM({a:0:0}:{a:0:1})'
    """
    values = [cell.value for cell in cells]
    value = max(values) if function == "MAX" else math.fsum(values)
    return Cell(value, f"{function}({cells[0].text}:{cells[-1].text})")


def dot(left: Sequence[Cell], right: Sequence[Cell]) -> Cell:
    """Sum of products of two ranges of the same shape.

    Parameters
    ----------
    left, right : sequence of Cell
        References, in order, without gaps; both stand side by side, or both one below the other.

    Returns
    -------
    Cell

    Examples
    --------
    >>> dot([Cell(2.0, "{a:0:0}"), Cell(3.0, "{a:1:0}")], [Cell(4.0, "{b:0:0}"), Cell(5.0, "{b:1:0}")]).value
    23.0
    """
    value = math.fsum(a.value * b.value for a, b in zip(left, right, strict=True))
    ranges = f"{left[0].text}:{left[-1].text},{right[0].text}:{right[-1].text}"
    return Cell(value, f"SUMPRODUCT({ranges})")


def added(cells: Sequence[Cell]) -> Cell | float:
    """Sum of cells written out one by one; 0 of none.

    Parameters
    ----------
    cells : sequence of Cell

    Returns
    -------
    Cell or float

    Examples
    --------
    >>> added([Cell(1.0, "a"), Cell(2.0, "b*c", 1)]).text
    'a+b*c'
    """
    result: Cell | float = 0.0
    for cell in cells:
        result = cell if isinstance(result, float) else result + cell
    return result


# --- A table of the live central case, whose cells formulas can refer to ---


Entry = Cell | float | str
"""What a cell of a grid holds: a formula, a number or text."""


@dataclass(frozen=True)
class Grid:
    """One table of the live case, filled cell by cell.

    Attributes
    ----------
    key : str
        What formulas call it.
    title : str
        Of its sheet.
    about : tuple of str
        Sentences above the table.
    header : tuple of str
        Headings of the columns, all different.
    rows : list of list
        Cells, numbers and text.

    Examples
    --------
    >>> grid = Grid("years", "Shared figures", ("One row for each figure.",), ("Figure", "2026"))
    >>> grid.add(["Starts", 30.0])[1].text
    '{years:0:1}'
    """

    key: str
    title: str
    about: tuple[str, ...]
    header: tuple[str, ...]
    rows: list[list[Entry]] = field(default_factory=list)

    def add(self, row: Sequence[Entry]) -> list[Cell]:
        """Add a row.

        Parameters
        ----------
        row : sequence of Cell, float or str
            One for each heading.

        Returns
        -------
        list of Cell
            References to its cells; those to text have no value.
        """
        place = len(self.rows)
        self.rows.append(list(row))
        return [self._reference(place, column) for column in range(len(row))]

    def add_column(self, column: Sequence[Entry]) -> list[Cell]:
        """Add a column, on the right.

        Parameters
        ----------
        column : sequence of Cell, float or str
            One for each row.

        Returns
        -------
        list of Cell
            References to its cells.
        """
        if not self.rows:
            self.rows.extend([] for _ in column)
        for row, entry in zip(self.rows, column, strict=True):
            row.append(entry)
        return [self._reference(place, len(row) - 1) for place, row in enumerate(self.rows)]

    def _reference(self, row: int, column: int) -> Cell:
        entry = self.rows[row][column]
        value = math.nan if isinstance(entry, str) else float(value_of(entry))
        return Cell(value, f"{{{self.key}:{row}:{column}}}")
