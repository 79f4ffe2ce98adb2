"""Waterfall of what moved a headline figure between two runs, from the record of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cba.errors import InputError
from cba.reporting.figures.style import (
    TEXT,
    FigureBlock,
    duo,
    government_style,
    inline_svg,
    name_values,
    new_axes,
    note,
    page_axes,
    scale_of,
)
from cba.reporting.numbers import bound

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    with government_style():
        ax = new_axes(height=_height(record)) if ax is None else ax
        for row, step in enumerate(found, start=1):
            _draw_step(ax, step, row, divisor=divisor)
        for row, name in ((0, "before"), (len(rows) - 1, "after")):
            value = change[name] / divisor
            ax.plot(value, row, marker="D", ms=7, color=TEXT, ls="none")
            note(ax, f"{value:,.4g}", (value, row), (7, 0))
        ax.set_yticks(range(len(rows)), rows)
        ax.invert_yaxis()
        ax.margins(x=_ROOM)
        left, right = ax.get_xlim()
        ax.set_xlim(left, right + _ROOM * (right - left))
        ax.grid(axis="y", visible=False)
        name_values(ax, unit)
    return ax


def _draw_step(ax: Axes, step: Mapping[str, Any], row: int, *, divisor: float) -> None:
    start, width = step["start"] / divisor, (step["end"] - step["start"]) / divisor
    reach = TWO_ERRORS * step["mcse"] / divisor
    ax.barh(
        row,
        width,
        left=start,
        height=0.55,
        color=duo()[0] if width >= 0 else duo()[1],
        hatch="////" if step["within_error"] else None,
        edgecolor="white",
        xerr=reach,
        error_kw={"ecolor": TEXT, "capsize": 2, "lw": 1},
    )
    note(ax, f"{width:+.3g}", (max(start, start + width + reach), row), (5, 0))


def change_figure(record: Mapping[str, Any], *, key: str) -> Figure:
    """Return the waterfall as a figure that no window knows of, for a file or a page."""
    figure = plot_change(record, key, ax=page_axes(height=_height(record))).figure
    return figure  # type: ignore[return-value]


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
        divisor, words = scale_of(max(abs(s["value"]) for s in change["shares"].values()))
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


def _block(record: Mapping[str, Any], key: str) -> FigureBlock:
    name, title = "fig-changes", "What moved the net present value since the last run"
    words = describe_change(record, key)
    drawing = inline_svg(change_figure(record, key=key), name=name, title=title, description=words)
    return FigureBlock(name, title, drawing, (), ())


def _height(record: Mapping[str, Any]) -> float:
    """Inches: a row for each end and for each group that differs."""
    return 1.3 + 0.42 * (len(record["moved"]) + 2)
