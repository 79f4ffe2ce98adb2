"""Two statements of the same cash flow: nominal for a finance director, real and discounted for the Treasury.

Both are made of the lines of cash flow and nothing else, so lines add up to payers and payers to the total.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.summaries import interval
from cba.costs.discounting import discount_factors
from cba.costs.prices import cash_index
from cba.errors import GateError

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

TOLERANCE = 1e-9
"""Largest gap allowed between the sum of the lines and the total, relative to the money moved."""


def finance_director_statement(workings: Workings) -> pd.DataFrame:
    """Nominal cash flow by option, year, payer and kind, with each payer's net and the total.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, year, payer, kind, row (``line``, ``payer`` or ``total``), mean, lower, upper: GBP,
        cash of the year, costs positive, cashable savings negative. Means of rows ``line`` add up to those of
        their payer, and payers to the total; limits of intervals do not add up.

    Examples
    --------
    >>> finance_director_statement(workings).query("row == 'total'")  # doctest: +SKIP
    """
    flow = _within_horizon(workings)
    index = cash_index(flow["year"].values, price_base=workings.basis.price_base, prices=workings.basis.index)
    return pd.concat(
        [_statement(one, workings, {"": one * index}) for one in _options(flow)], ignore_index=True
    )


def treasury_statement(workings: Workings) -> pd.DataFrame:
    """Real cash flow by option, year, payer and kind, discounted, and accumulated.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, year, payer, kind, row, then mean, lower, upper of the real flow, and the same of it
        discounted (``discounted_...``) and accumulated since the start (``cumulative_...``): GBP of the price
        base, costs positive, cashable savings negative. The last cumulative total is the net present value
        with its sign turned.

    Examples
    --------
    >>> treasury_statement(workings).query("row == 'total'").groupby("option").last()  # doctest: +SKIP
    """
    analysis, flow = workings.inputs.analysis, _within_horizon(workings)
    offsets = flow["year"].values - analysis.start_year
    factors = xr.DataArray(
        discount_factors(offsets, analysis.schedule, mid_year=analysis.mid_year), dims="year"
    )
    frames = []
    for one in _options(flow):
        present = (one * factors).transpose(*one.dims)
        running = present.cumsum("year").assign_coords(one.coords)
        frames.append(_statement(one, workings, {"": one, "discounted_": present, "cumulative_": running}))
    return pd.concat(frames, ignore_index=True)


def largest_gaps(workings: Workings) -> pd.DataFrame:
    """Largest gap between an option's lines of cash flow added up and its account's costs less savings.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, gap: relative to the money that moves in the draw and year, the largest of all.

    Notes
    -----
    The lines are summed by payer, then kind, then draw; the total is the net flow that the net present value
    is made of, worked out without the lines' labels.

    Examples
    --------
    >>> largest_gaps(workings)["gap"].max() < 1e-9  # doctest: +SKIP
    """
    rows = []
    for one in _options(workings.arrays.cash_flow):
        option = str(one["option"].values)
        total = -workings.arrays.flows_long.sel(option=option, year=one["year"]).transpose("sample", "year")
        summed = sum(
            (_of_line(one, payer, kind) for payer, kind in _lines(one)), np.zeros(total.shape, dtype=float)
        )
        moved = abs(one).sum("line").transpose("sample", "year").values
        gap = np.abs(summed - total.values) / np.maximum(moved, 1.0)
        rows.append((option, float(gap.max(initial=0.0))))
    return pd.DataFrame(rows, columns=["option", "gap"])


def require_adding_up(workings: Workings) -> None:
    """Refuse an account whose lines of cash flow do not add up to its total.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Raises
    ------
    GateError
        Naming each option whose gap is above 1e-9 of the money moved.

    Examples
    --------
    >>> require_adding_up(workings)  # doctest: +SKIP
    """
    gaps = largest_gaps(workings)
    wrong = gaps[~(gaps["gap"] <= TOLERANCE)]
    if len(wrong):
        raise GateError(
            "payers and kinds do not add up to the total cash flow",
            [f"{r.option}: gap of {r.gap:.1e}, at most {TOLERANCE:.0e} required" for r in wrong.itertuples()],
        )


def _within_horizon(workings: Workings) -> xr.DataArray:
    analysis = workings.inputs.analysis
    years = list(range(analysis.start_year, analysis.start_year + analysis.horizon))
    return workings.arrays.cash_flow.sel(year=years)


def _options(flow: xr.DataArray) -> Iterator[xr.DataArray]:
    for option in flow["option"].values:
        if option != "bau":
            yield flow.sel(option=option)


def _lines(flow: xr.DataArray) -> list[tuple[str, str]]:
    """Return payer and kind of the lines that are not zero throughout, each pair once, in their order."""
    moving = (flow != 0).any([d for d in flow.dims if d != "line"]).values
    pairs = zip(flow["payer"].values[moving], flow["kind"].values[moving], strict=True)
    return sorted({(str(payer), str(kind)) for payer, kind in pairs})


def _of_line(flow: xr.DataArray, payer: str, kind: str | None) -> np.ndarray:
    """Return money of one payer and kind (or of all its kinds), (sample, year)."""
    chosen = flow["payer"].values == payer
    if kind is not None:
        chosen &= flow["kind"].values == kind
    found: np.ndarray = flow.transpose("sample", "year", "line").values[..., chosen].sum(axis=-1)
    return found


def _statement(one: xr.DataArray, workings: Workings, flows: dict[str, xr.DataArray]) -> pd.DataFrame:
    """Return rows of one option: its lines, each payer's net, the total; `flows` by prefix of their columns."""
    level, lines = workings.inputs.analysis.level, _lines(one)
    wanted: list[tuple[str, str | None, str]] = [(p, k, "line") for p, k in lines]
    wanted += [(p, None, "payer") for p in dict.fromkeys(p for p, _ in lines)]
    frames = []
    for payer, kind, row in [*wanted, ("all", None, "total")]:
        frame = pd.DataFrame(
            {
                "option": str(one["option"].values),
                "year": one["year"].values,
                "payer": payer,
                "kind": kind or "net",
                "row": row,
            }
        )
        for prefix, flow in flows.items():
            if row == "total":
                money = flow.sum("line").transpose("sample", "year").values
            else:
                money = _of_line(flow, payer, kind)
            lower, upper = interval(money, level=level)
            frame[f"{prefix}mean"], frame[f"{prefix}lower"] = money.mean(axis=0), lower
            frame[f"{prefix}upper"] = upper
        frames.append(frame)
    return pd.concat(frames, ignore_index=True).sort_values("year", kind="stable", ignore_index=True)
