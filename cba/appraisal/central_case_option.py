"""One option of the live central case, step by step from its money to its net present value, one column a year."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cba.appraisal.central_case_cells import Cell
from cba.appraisal.central_case_children import children_steps
from cba.appraisal.central_case_grid import Grid
from cba.appraisal.central_case_point import Point
from cba.appraisal.central_case_services import service_steps
from cba.appraisal.central_case_shared import Shared
from cba.appraisal.central_case_steps import Steps
from cba.appraisal.central_case_worth import worth_steps
from cba.costs.bought_services import area_share
from cba.inputs.option_records import Option


def option_grid(
    point: Point, option: Option, *, value: Mapping[str, Cell], shared: Shared
) -> tuple[Grid, Steps]:
    """Work one option out in cells.

    Parameters
    ----------
    point : Point
    option : Option
        One of ``point.options``.
    value : mapping of str to Cell
    shared : Shared

    Returns
    -------
    Grid, Steps
        The rows ``net``, ``present`` and ``payback`` of the steps hold the results.

    Examples
    --------
    >>> option_grid(point, option, value=value, shared=shared)[1].row["net"]  # doctest: +SKIP
    """
    grid = Grid(
        option.id,
        f"Live central case: {option.label}",
        (
            "Each row is a step from money to net present value; each column a year ending 31 March. "
            "Figures in the rows named as stated or as factors are inputs; the others are formulas.",
            "Money is in GBP of the price base of the run. Negative savings are costs.",
        ),
        ("Step", "Unit", *(str(year) for year in point.years)),
    )
    steps = Steps(grid, option, value, shared, area_share(option, point.system), {})
    service_steps(steps, point)
    children_steps(steps)
    worth_steps(steps)
    return grid, steps


def column_of(point: Point, year: int) -> int:
    """Position of a year among the columns.

    Parameters
    ----------
    point : Point
    year : int

    Returns
    -------
    int

    Examples
    --------
    >>> column_of(point, 2032)  # doctest: +SKIP
    7
    """
    return int(np.flatnonzero(np.array(point.years) == year)[0])
