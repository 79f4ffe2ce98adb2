"""Figures of what drives a result, and of what moved it between two runs."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from markupsafe import Markup

from cba.errors import InputError
from cba.reporting.choices import View
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Data, Figure
from cba.reporting.html_tables import columns
from cba.reporting.names import input_name
from cba.reporting.numbers import bound, per_cent, pounds

if TYPE_CHECKING:
    import matplotlib.figure
    from matplotlib.axes import Axes


# --- Tornado ---


MOST_BARS = 10


def clear_drivers(view: View) -> pd.DataFrame:
    """Return the inputs that move net present value by clearly more than Monte Carlo error, most first.

    Rows of the table that are marked clear; the first one where none is.
    """
    rows = view.rows("drivers", option=view.option, outcome="npv").sort_values("rank")
    clear = rows[rows["clear"].astype(bool)]
    return (rows.head(1) if clear.empty else clear).head(MOST_BARS)


def _draw_tornado(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw expected net present value at the low and the high end of the inputs that move it most."""
    centre = float(view.first.results[f"npv_fiscal.{view.option}"]["mean"])
    divisor, unit = chart.scale_of(float(rows[["outcome_low", "outcome_high"]].abs().to_numpy().max()))
    for end, colour, hatch, label in (
        ("outcome_low", chart.duo()[1], "//", "Input at its low end"),
        ("outcome_high", chart.duo()[0], "", "Input at its high end"),
    ):
        width = (rows[end].to_numpy() - centre) / divisor
        style = {"color": colour, "hatch": hatch, "edgecolor": "white", "height": 0.6, "label": label}
        ax.barh(np.arange(len(rows)), width, left=centre / divisor, **style)
    ax.axvline(centre / divisor, color=chart.TEXT, lw=1)
    labels = [fill(input_name(name), 24) for name in rows["input"]]
    chart.name_rows(ax, labels, ends=None, values=f"Expected net present value, {unit}", form=",g", ticks=5)
    chart.key_above(ax, left=-0.45, ncols=2)


def _describe_tornado(rows: pd.DataFrame, view: View) -> str:
    parts = [
        f"{input_name(row['input'])}: {pounds(row['outcome_low'])} at its low end, "
        f"{pounds(row['outcome_high'])} at its high end"
        for row in rows.to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each input that moves the outcome by clearly more than Monte Carlo "
        "error, longest first. Horizontal axis: expected net present value in pounds. Bars run from the value at "
        f"the input's 5% point to that at its 95% point. {'; '.join(parts)}."
    )


# --- Shares of variance ---


def _question_shares(view: View) -> pd.DataFrame:
    rows = view.rows("variance_shares", option=view.option, split="question")
    return rows.sort_values("effect", ascending=False)


def _draw_shares(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw the share of the variance of net present value that each research question accounts for."""
    words = (per_cent(share, unit=0.01) for share in rows["effect"])
    axis, look = "Share of the variance of net present value, %", {"zero": True, "form": ",g", "ticks": 5}
    shares, errors = 100 * rows["effect"], 100 * rows["se"]
    chart.named_bars(ax, shares, rows["name"], words, errors=errors, axis=axis, wrap=60, **look)
    ax.set_xlim(min(0.0, float(100 * rows["effect"].min()) - 2.0), 112.0)


def _describe_shares(rows: pd.DataFrame, view: View) -> str:
    parts = [
        f"{row['name']}: {per_cent(row['effect'], unit=0.01)} (error {per_cent(row['se'], unit=0.01)})"
        for row in rows.to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each group of inputs; lines are 95% intervals of Monte Carlo error. "
        f"Horizontal axis: share of the variance of net present value, per cent. {'; '.join(parts)}."
    )


FIGURES = (
    Figure(
        "tornado",
        "What moves net present value",
        Data(
            "drivers",
            columns(
                text={"description": "Input", "question": "Research question"},
                name={"confidence": "Grade"},
                number={"input_low": "Low end", "input_high": "High end"},
                money={
                    "outcome_low": "Net present value at the low end",
                    "outcome_high": "At the high end",
                    "swing_se": "Error of the difference",
                },
            ),
            "Expected net present value with each input at its 5% and its 95% point, inputs that clearly move it",
            lambda view: {"option": view.option, "outcome": "npv", "clear": True},
        ),
        _draw_tornado,
        _describe_tornado,
        rows=clear_drivers,
        height=lambda rows: 1.5 + 0.45 * len(rows),
    ),
    Figure(
        "variance_shares",
        "Shares of the uncertainty in net present value",
        Data(
            "variance_shares",
            columns(
                name={"split": "Split by"},
                text={"description": "Group or input"},
                share={"effect": "Share of the variance", "se": "Error"},
            ),
            "Shapley effects: shares of the variance of net present value, by research question and by leading input",
            chart.of_option,
        ),
        _draw_shares,
        _describe_shares,
        rows=_question_shares,
        height=lambda rows: 1.1 + 0.42 * len(rows),
    ),
)


# --- What moved a headline figure between two runs: a waterfall, from the record of a comparison ---


TWO_ERRORS = 2.0
"""Monte Carlo errors each side of a step that its whisker shows."""


_ROOM = 0.16
"""Share of the width kept free for numbers."""


def change_named(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return one change of a comparison.

    `record`: record of a comparison: ``before``, ``after``, ``moved`` and ``changes``.
    """
    for change in record["changes"]:
        if change["key"] == key:
            found: Mapping[str, Any] = change
            return found
    raise InputError(
        "the comparison has no such quantity",
        field="key",
        found=key,
        allowed=", ".join(change["key"] for change in record["changes"][:6]) or "none: nothing moved",
        cause="a quantity that is not defined in both runs",
        remedy="choose one of the quantities compared",
    )


def steps(record: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the steps from the figure before to the figure after.

    One step a group that differs, the largest first: ``player``, ``start``, ``end``, ``mcse``,
    ``within_error``; the last ends where the figure after stands, to rounding.
    """
    change = change_named(record, key)
    found, at = [], float(change["before"])
    for player in sorted(record["moved"], key=lambda player: -abs(change["shares"][player]["value"])):
        share = change["shares"][player]
        ends = {"start": at, "end": at + share["value"]}
        at = ends["end"]
        found.append({"player": player, **ends, "mcse": share["mcse"], "within_error": share["within_error"]})
    return found


def plot_change(record: Mapping[str, Any], key: str, *, ax: Axes | None = None) -> Axes:
    """Draw how each group of inputs moved one figure from the earlier run to the later one.

    The axis does not begin at nothing: the ends are points, and only steps are bars. Whiskers are two Monte
    Carlo errors each side; a step within them is hatched. `key`: ``<quantity>.<option>``.
    """
    change, found = change_named(record, key), steps(record, key)
    divisor, unit = _scale(change)
    rows = ["Before", *(step["player"].capitalize() for step in found), "After"]
    with chart.government_style():
        ax = chart.new_axes(height=_height(record)) if ax is None else ax
        for row, step in enumerate(found, start=1):
            _draw_step(ax, step, row, divisor=divisor)
        for row, name in ((0, "before"), (len(rows) - 1, "after")):
            value = change[name] / divisor
            ax.plot(value, row, marker="D", ms=7, color=chart.TEXT, ls="none")
            chart.note(ax, f"{value:,.4g}", (value, row), (7, 0))
        ax.set_yticks(range(len(rows)), rows)
        ax.invert_yaxis()
        ax.margins(x=_ROOM)
        left, right = ax.get_xlim()
        ax.set_xlim(left, right + _ROOM * (right - left))
        ax.grid(axis="y", visible=False)
        chart.name_values(ax, unit)
    return ax


def _draw_step(ax: Axes, step: Mapping[str, Any], row: int, *, divisor: float) -> None:
    start, width = step["start"] / divisor, (step["end"] - step["start"]) / divisor
    reach = TWO_ERRORS * step["mcse"] / divisor
    ax.barh(
        row,
        width,
        left=start,
        height=0.55,
        color=chart.duo()[width < 0],
        hatch="////" if step["within_error"] else None,
        edgecolor="white",
        xerr=reach,
        error_kw={"ecolor": chart.TEXT, "capsize": 2, "lw": 1},
    )
    chart.note(ax, f"{width:+.3g}", (max(start, start + width + reach), row), (5, 0))


def change_figure(record: Mapping[str, Any], *, key: str) -> matplotlib.figure.Figure:
    """Return the waterfall as a figure that no window knows of, for a file or a page."""
    axes = plot_change(record, key, ax=chart.page_axes(height=_height(record)))
    return cast("matplotlib.figure.Figure", axes.figure)


def describe_change(record: Mapping[str, Any], key: str) -> str:
    """Return the text alternative of `plot_change`."""
    change = change_named(record, key)
    divisor, unit = _scale(change)
    said = [
        f"{step['player']} {(step['end'] - step['start']) / divisor:+.3g}"
        + (" (within Monte Carlo error)" if step["within_error"] else "")
        for step in steps(record, key)
    ]
    return (
        f"Waterfall chart. Horizontal axis: {change['label']}, {unit}. From {change['before'] / divisor:,.4g} in "
        f"{record['before']} to {change['after'] / divisor:,.4g} in {record['after']}: {', '.join(said)}."
    )


def _scale(change: Mapping[str, Any]) -> tuple[float, str]:
    """Divisor and words of the axis: money by the size of what moved, the rest as it is."""
    if str(change["unit"]).startswith("GBP"):
        divisor, words = chart.scale_of(max(abs(s["value"]) for s in change["shares"].values()))
        return divisor, words + (" a year" if "per year" in change["unit"] else "")
    if change["unit"] == "probability":
        return 0.01, "%"
    return 1.0, str(change["unit"])


def change_context(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the section on changes uses, from what a re-run kept beside its manifest.

    ``changes`` and ``forecast_scores`` (None where there is none), ``change_rows``
    (bound cells of what is told) and ``change_block`` (the waterfall, or None).
    """
    # `manifest`: with ``comparison`` and ``scores`` where a re-run made them.
    record, scores = manifest.get("comparison"), manifest.get("scores")
    if not record or not record["moved"]:
        return {"changes": record, "forecast_scores": scores, "change_rows": [], "change_block": None}
    told = [change for change in record["changes"] if change["key"] in record["told"]]
    key = f"npv_fiscal.{record['option']}"
    return {
        "changes": record,
        "forecast_scores": scores,
        "change_rows": [_bound_row(change, moved=record["moved"]) for change in told],
        "change_block": _block(record, key) if key in record["told"] else None,
    }


def _bound_row(change: Mapping[str, Any], *, moved: list[str]) -> dict[str, Any]:
    """Cells of one quantity, each bound to the number it shows."""
    key = change["key"]

    def cell(value: float, text: str, field: str) -> Markup:
        return bound(value, text, {"data-comparison": key, "data-field": field})

    return {
        "label": change["label"],
        "option": key.rpartition(".")[2],
        "before": cell(change["before"], change["before_text"], "before"),
        "after": cell(change["after"], change["after_text"], "after"),
        "difference": cell(change["difference"], change["text"], "difference"),
        "shares": [cell(change["shares"][p]["value"], change["shares"][p]["text"], p) for p in moved],
    }


def _block(record: Mapping[str, Any], key: str) -> chart.FigureBlock:
    name, title = "fig-changes", "What moved the net present value since the last run"
    words = describe_change(record, key)
    drawing = chart.inline_svg(change_figure(record, key=key), name=name, title=title, description=words)
    return chart.FigureBlock(name, title, drawing, (), ())


def _height(record: Mapping[str, Any]) -> float:
    """Inches: a row for each end and for each group that differs."""
    return 1.3 + 0.42 * (len(record["moved"]) + 2)
