"""One option of the live central case, step by step from its money to its net present value, one column a year."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.inputs.options import Option
from cba.projection.services import area_share
from cba.workbook.cells import Cell, Grid
from cba.workbook.live_inputs import LIVE, cell_name, input_cells, input_grid
from cba.workbook.live_point import Point, worked_point
from cba.workbook.live_steps import (
    Shared,
    Steps,
    children_steps,
    payback_cell,
    present_value_cell,
    service_steps,
    shared_figures,
    worth_steps,
)

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


def option_grid(
    point: Point, option: Option, *, value: Mapping[str, Cell], shared: Shared
) -> tuple[Grid, Steps]:
    """Work one option out in cells.

    The rows ``net``, ``present`` and ``payback`` of the steps hold the results.
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
    """Position of a year among the columns."""
    return int(np.flatnonzero(np.array(point.years) == year)[0])


# --- The live central case: every step from money to net present value in cells, for a workbook that … ---


AGREES = 1e-9
"""Relative difference allowed between the cells and the package's own account of the same point."""


@dataclass(frozen=True)
class CentralCase:
    """The tables of the live case."""

    # Results first, then inputs, shared figures and one grid an option, in the order of their sheets.
    grids: tuple[Grid, ...]
    # Name of each live input to the grid, row and column of its value.
    names: Mapping[str, tuple[str, int, int]]
    left_out: Mapping[str, str]  # options without a grid, and why


def central_case(
    appraisal: Appraisal,
    *,
    changes: Mapping[str, float] | None = None,
    observations: xr.Dataset | None = None,
) -> CentralCase:
    """Set out the options of an appraisal at the mean of every input, step by step."""
    point = worked_point(appraisal, changes=changes, observations=observations)
    value = input_cells(point.value)
    shared = shared_figures(point, value)
    results = _results_grid(point)
    options = []
    for option in point.options.values():
        grid, steps = option_grid(point, option, value=value, shared=shared)
        npv = present_value_cell(steps)
        _require_same(npv.value, point.npv(option.id), what=option.id)
        analysis = point.analysis
        payback = payback_cell(
            steps, first=analysis.start_year, last=analysis.start_year + analysis.horizon - 1
        )
        fewer = steps.row["fewer"][column_of(point, analysis.target_year)]
        results.add(_result_row(appraisal, point, option.id, npv=npv, payback=payback, fewer=fewer))
        options.append(grid)
    about = {
        str(n): {key: str(appraisal.parameters[n].attrs.get(key, "")) for key in ("description", "unit")}
        for n in appraisal.parameters.data_vars
    }
    inputs = input_grid(point.value, about=about, price_base=point.analysis.price_base)
    names = {cell_name(entry): ("inputs", row, 4) for row, entry in enumerate(LIVE)}
    return CentralCase((results, inputs, *shared.grids, *options), names, point.left_out)


def _results_grid(point: Point) -> Grid:
    year = point.analysis.target_year
    return Grid(
        "results",
        "Live central case: results",
        (
            "The second to fourth columns are formulas: they move when an input changes. They are one point, each "
            "input at its mean and rates of starts and exits staying where the last release left them.",
            "The mean over draws is the run's result. The two differ because the steps are not linear: coverage "
            "stops at all children, extra costs count in full and savings do not, and rates that may rise or fall "
            "by the same share raise the mean.",
        ),
        (
            "Option",
            "Net present value, live, GBP",
            "Year of payback, live, 0 for never",
            f"Fewer children in care, 31 March {year}, live",
            "Net present value of the same point by the package, GBP",
            "Net present value, mean over draws, GBP",
            "Net present value, lower end, GBP",
            "Net present value, upper end, GBP",
            f"Fewer children in care, 31 March {year}, mean over draws",
        ),
    )


def _result_row(
    appraisal: Appraisal, point: Point, option: str, *, npv: Cell, payback: Cell, fewer: Cell
) -> list[Cell | float | str]:
    found = appraisal.results.get(f"npv_fiscal.{option}", {})
    children = appraisal.results.get(f"fewer_children_{point.analysis.target_year}.{option}") or (
        appraisal.results.get(f"fewer_children_2032.{option}", {})
    )
    drawn = [found.get("mean"), found.get("lower"), found.get("upper"), children.get("mean")]
    stated = [float(x) if x is not None else "[z]" for x in drawn]
    return [appraisal.option_labels[option], npv, payback, fewer, point.npv(option), *stated]


def _require_same(cells: float, package: float, *, what: str) -> None:
    if not math.isclose(cells, package, rel_tol=AGREES, abs_tol=1e-3):
        raise AssertionError(f"the live case of {what} comes to {cells:.6f}, the package to {package:.6f}")
