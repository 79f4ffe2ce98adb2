"""The rows of one option of the live central case, by name, while they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cba.appraisal.central_case_cells import Cell
from cba.appraisal.central_case_grid import Entry, Grid
from cba.appraisal.central_case_shared import Column, Shared
from cba.inputs.option_records import Option


@dataclass(frozen=True)
class Steps:
    """The rows of one option so far.

    Attributes
    ----------
    grid : Grid
    option : Option
    value : mapping of str to Cell
        Live inputs.
    shared : Shared
    part : float
        Share of England's children in the option's areas.
    row : dict of str to list of Cell
        References by step, one a year.
    """

    grid: Grid
    option: Option
    value: Mapping[str, Cell]
    shared: Shared
    part: float
    row: dict[str, Column]

    @property
    def span(self) -> range:
        """Positions of the years."""
        return range(len(self.shared.year["factor"]))

    def add(self, key: str, label: str, unit: str, path: Sequence[Entry]) -> Column:
        """Add a step: one cell a year.

        Parameters
        ----------
        key, label, unit : str
        path : sequence of Cell, float or str
            What stands in each year.

        Returns
        -------
        list of Cell
        """
        self.row[key] = self.grid.add([label, unit, *path])[2:]
        return self.row[key]
