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
    """A value and the formula it comes from."""

    value: float  # what the formula comes to
    text: str  # the formula, without the sign that starts it
    binds: int = _ATOM  # how tightly its outermost operation binds: decides where brackets are needed

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
    """Return the value of a cell, or the number itself."""
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
    """Call a spreadsheet function."""
    return Cell(value, f"{name}({','.join(_text(cell, _SUM) for cell in cells)})")


def exp(cell: Cell) -> Cell:
    """Exponential of a cell."""
    return called("EXP", cell, value=math.exp(cell.value))


def log(cell: Cell) -> Cell:
    """Natural logarithm of a cell. `cell`: above 0."""
    return called("LN", cell, value=math.log(cell.value))


def least(*cells: Cell | float) -> Cell:
    """Smallest of some cells."""
    return called("MIN", *cells, value=min(value_of(cell) for cell in cells))


def most(*cells: Cell | float) -> Cell:
    """Largest of some cells."""
    return called("MAX", *cells, value=max(value_of(cell) for cell in cells))


def chosen(left: Cell, sign: str, right: Cell | float, then: Cell | float, otherwise: Cell | float) -> Cell:
    """One of two cells, by a comparison.

    `sign`, ">", "<" or "=". `then`, `otherwise`: where the comparison holds, and where it does not.
    """
    holds = {
        ">": left.value > value_of(right),
        "<": left.value < value_of(right),
        "=": left.value == value_of(right),
    }
    parts = f"{_text(left, _SUM)}{sign}{_text(right, _SUM)},{_text(then, _SUM)},{_text(otherwise, _SUM)}"
    return Cell(value_of(then if holds[sign] else otherwise), f"IF({parts})")


def total(cells: Sequence[Cell], *, function: str = "SUM") -> Cell:
    """Sum of cells that stand side by side or one below the other. `function`, "SUM" or "MAX"."""
    values = [cell.value for cell in cells]
    value = max(values) if function == "MAX" else math.fsum(values)
    return Cell(value, f"{function}({cells[0].text}:{cells[-1].text})")


def dot(left: Sequence[Cell], right: Sequence[Cell]) -> Cell:
    """Sum of products of two ranges of the same shape.

    `left`, `right`: references, in order, without gaps; both stand side by side, or both one below the other.
    """
    value = math.fsum(a.value * b.value for a, b in zip(left, right, strict=True))
    ranges = f"{left[0].text}:{left[-1].text},{right[0].text}:{right[-1].text}"
    return Cell(value, f"SUMPRODUCT({ranges})")


def added(cells: Sequence[Cell]) -> Cell | float:
    """Sum of cells written out one by one; 0 of none."""
    result: Cell | float = 0.0
    for cell in cells:
        result = cell if isinstance(result, float) else result + cell
    return result


# --- A table of the live central case, whose cells formulas can refer to ---


Entry = Cell | float | str
"""What a cell of a grid holds: a formula, a number or text."""


@dataclass(frozen=True)
class Grid:
    """One table of the live case, filled cell by cell."""

    key: str  # what formulas call it
    title: str
    about: tuple[str, ...]  # sentences above the table
    header: tuple[str, ...]  # headings of the columns, all different
    rows: list[list[Entry]] = field(default_factory=list)  # cells, numbers and text

    def add(self, row: Sequence[Entry]) -> list[Cell]:
        """Add a row. References to its cells; those to text have no value."""
        place = len(self.rows)
        self.rows.append(list(row))
        return [self._reference(place, column) for column in range(len(row))]

    def add_column(self, column: Sequence[Entry]) -> list[Cell]:
        """Add a column, on the right."""
        if not self.rows:
            self.rows.extend([] for _ in column)
        for row, entry in zip(self.rows, column, strict=True):
            row.append(entry)
        return [self._reference(place, len(row) - 1) for place, row in enumerate(self.rows)]

    def _reference(self, row: int, column: int) -> Cell:
        entry = self.rows[row][column]
        value = math.nan if isinstance(entry, str) else float(value_of(entry))
        return Cell(value, f"{{{self.key}:{row}:{column}}}")
