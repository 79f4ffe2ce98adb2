"""A table of the live central case, whose cells formulas can refer to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from cba.appraisal.central_case_cells import Cell, value_of

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
