"""Figures of what drives a result: tornado and shares of variance."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.figures.style import (
    LEAD,
    TEXT,
    TableFigure,
    colours,
    duo,
    name_values,
    new_axes,
    scale_of,
    styled,
    table_figures,
)
from cba.reporting.names import input_name
from cba.reporting.numbers import matching_rows, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal
    from cba.reporting.figures.style import FigureBlock


MOST_BARS = 10


def clear_drivers(
    appraisal: Appraisal, option: str, *, outcome: str = "npv", most: int = MOST_BARS
) -> pd.DataFrame:
    """Return the inputs that move an outcome by clearly more than Monte Carlo error, most first.

    Rows of the table that are marked clear; the first one where none is. `outcome`: ``npv`` or
    ``fewer_children``.
    """
    rows = matching_rows(appraisal.tables["drivers"], {"option": option, "outcome": outcome})
    rows = rows.sort_values("rank")
    clear = rows[rows["clear"].astype(bool)]
    return (rows.head(1) if clear.empty else clear).head(most)


@styled
def plot_tornado(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw expected net present value at the low and the high end of the inputs that move it most."""
    rows = clear_drivers(appraisal, option)
    ax = new_axes(height=tornado_height(appraisal, option)) if ax is None else ax
    centre = float(appraisal.results[f"npv_fiscal.{option}"]["mean"])
    divisor, unit = scale_of(float(rows[["outcome_low", "outcome_high"]].abs().to_numpy().max()))
    places = np.arange(len(rows))
    for end, colour, hatch, label in (
        ("outcome_low", duo()[1], "//", "Input at its low end"),
        ("outcome_high", duo()[0], "", "Input at its high end"),
    ):
        width = (rows[end].to_numpy() - centre) / divisor
        ax.barh(
            places,
            width,
            left=centre / divisor,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            height=0.6,
            label=label,
        )
    ax.axvline(centre / divisor, color=TEXT, lw=1)
    ax.set_yticks(places, [fill(input_name(name), 24) for name in rows["input"]])
    ax.invert_yaxis()
    _across(ax)
    ax.set_xlabel(f"Expected net present value, {unit}")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.45, 1.0), ncols=2, borderaxespad=0.2)
    return ax


def tornado_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every bar of the tornado room."""
    return 1.5 + 0.45 * len(clear_drivers(appraisal, option))


def describe_tornado(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_tornado`."""
    parts = [
        f"{input_name(row['input'])}: {show(row['outcome_low'], style='money')} at its low end, "
        f"{show(row['outcome_high'], style='money')} at its high end"
        for row in clear_drivers(appraisal, option).to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each input that moves the outcome by clearly more than Monte Carlo "
        "error, longest first. Horizontal axis: expected net present value in pounds. Bars run from the value at "
        f"the input's 5% point to that at its 95% point. {'; '.join(parts)}."
    )


@styled
def plot_variance_shares(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the share of the variance of net present value that each research question accounts for."""
    rows = _question_shares(appraisal, option)
    ax = new_axes(height=1.1 + 0.42 * len(rows)) if ax is None else ax
    places = np.arange(len(rows))
    ax.barh(places, 100 * rows["effect"], color=duo()[0], height=0.6)
    ax.errorbar(
        100 * rows["effect"],
        places,
        xerr=196 * rows["se"],
        fmt="none",
        ecolor=TEXT,
        elinewidth=1.4,
        capsize=3,
    )
    for place, share, error in zip(places, rows["effect"], rows["se"], strict=True):
        ends = (100 * (share + 1.96 * error), place)
        ax.annotate(show(share, style="share", unit=0.01), ends, xytext=(6, 0), textcoords="offset points",
                    va="center", color=TEXT)  # fmt: skip
    ax.set_yticks(places, [name[:1].upper() + name[1:] for name in rows["name"]])
    ax.invert_yaxis()
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_xlim(min(0.0, float(100 * rows["effect"].min()) - 2.0), 112.0)
    _across(ax)
    ax.set_xlabel("Share of the variance of net present value, %")
    return ax


def describe_variance_shares(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_variance_shares`."""
    parts = [
        f"{row['name']}: {show(row['effect'], style='share', unit=0.01)} (error "
        f"{show(row['se'], style='share', unit=0.01)})"
        for row in _question_shares(appraisal, option).to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each group of inputs; lines are 95% intervals of Monte Carlo error. "
        f"Horizontal axis: share of the variance of net present value, per cent. {'; '.join(parts)}."
    )


def _question_shares(appraisal: Appraisal, option: str) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["variance_shares"], {"option": option, "split": "question"})
    return rows.sort_values("effect", ascending=False)


def _across(ax: Axes) -> None:
    """Grid the values of a horizontal chart, with a true minus sign."""
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "\N{MINUS SIGN}"))


# --- Figure of the effects that the model cannot see: how far each can move net present value, and … ---


_BAR = 0.26


_ROOM = 0.04
"""Share of the width between a bar and its words."""


def stress_height(appraisal: Appraisal, option: str) -> float:
    """Return the height of the figure, inches: room for each effect."""
    return 1.3 + 0.72 * len(_ranges(appraisal, option))


def _ranges(appraisal: Appraisal, option: str) -> list[pd.DataFrame]:
    """Return the curve of each effect, in the order of the table."""
    rows = matching_rows(appraisal.tables["stress_curves"], {"option": option})
    return [curve for _, curve in rows.groupby("stress", sort=False)]


@styled
def plot_stress(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw how far each effect moves mean net present value between its smallest and largest size."""
    ax = new_axes(height=stress_height(appraisal, option)) if ax is None else ax
    curves = _ranges(appraisal, option)
    every = [float(v) for curve in curves for v in curve["npv_mean"]]
    divisor, words = scale_of(max(abs(value) for value in every))
    lowest, highest = min(*every, 0.0) / divisor, max(*every, 0.0) / divisor
    room = _ROOM * (highest - lowest)
    for place, curve in enumerate(reversed(curves)):
        _draw_range(ax, curve, place, divisor=divisor, room=room)
        ax.text(lowest, place + 0.36, str(curve["label"].iloc[0]), color=TEXT, fontsize=10, va="bottom")
    ax.axvline(0.0, color=TEXT, lw=1.2)
    ax.set_xlim(lowest - room, highest + 7 * room)
    ax.set_ylim(-0.6, len(curves) - 0.1)
    ax.set_yticks([])
    ax.grid(axis="y", visible=False)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel(f"Mean net present value, {words}; zero marked")
    name_values(ax, "Bar: from the smallest to the largest size; dot: none;\ndiamond: figure to compare with")
    return ax


def _draw_range(ax: Axes, curve: pd.DataFrame, place: int, *, divisor: float, room: float) -> None:
    means = curve["npv_mean"] / divisor
    low, high = float(means.min()), float(means.max())
    ax.barh(place, high - low, left=low, height=_BAR, color=colours(2)[0])
    for mark, shape, size in (("comparison", "D", 7), ("now", "o", 8)):
        chosen = means[curve["mark"] == mark]
        ax.plot(
            chosen, [place] * len(chosen), marker=shape, ms=size, color="white", mec=TEXT, mew=1.4, ls="none"
        )
    ax.text(high + room, place, _sizes(curve), color=TEXT, fontsize=9, va="center")


def _sizes(curve: pd.DataFrame) -> str:
    ends = (float(curve["size"].iloc[0]), float(curve["size"].iloc[-1]))
    return " to ".join(f"{end:.2g}".replace("-", "\N{MINUS SIGN}") for end in ends)


def describe_stress(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_stress`."""
    said = []
    for curve in _ranges(appraisal, option):
        first, last = curve.iloc[0], curve.iloc[-1]
        said.append(
            f"{first['label']} (sizes {_sizes(curve)}, {first['unit']}): from "
            f"{show(float(first['npv_mean']), style='money')} to {show(float(last['npv_mean']), style='money')}"
        )
    return (
        "Bar chart, one bar for each effect outside the model. Horizontal axis: mean net present value; a line "
        f"marks zero. {'; '.join(said)}. A dot marks no effect, a diamond a figure to compare the size with."
    )


# --- Figure of switching values: how likely each input is to lie beyond the value that changes a … ---


_MARKERS = ("o", "s", "D")


@styled
def plot_switching(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the chance the evidence gives each input of lying beyond its switching value."""
    rows = matching_rows(appraisal.tables["switching_values"], {"option": option})
    inputs, targets = list(dict.fromkeys(rows["input"])), list(dict.fromkeys(rows["target"]))
    ax = new_axes(height=switching_height(appraisal, option)) if ax is None else ax
    palette = colours(max(len(targets), 3))
    for number, target in enumerate(targets):
        chosen = rows[rows["target"] == target].set_index("input").loc[inputs]
        offset = 0.24 * (number - (len(targets) - 1) / 2)
        places = np.arange(len(inputs)) + offset
        style = {"marker": _MARKERS[number % 3], "ls": "none", "color": palette[number], "ms": 7}
        reach = chosen["reachable"].to_numpy(dtype=bool)
        ax.plot(100 * chosen["probability_beyond"], places, markerfacecolor="white", **style)
        ax.plot(100 * chosen["probability_beyond"][reach], places[reach], label="_", **style)
        ax.plot([], [], label=fill(target, 34), **style)
    ax.set_yticks(range(len(inputs)), [fill(input_name(name), 24) for name in inputs])
    ax.set_ylim(len(inputs) - 0.5, -0.5)
    largest = float(100 * rows["probability_beyond"].max())
    ax.set_xlim(-2.0 if largest < 20 else -4.0, max(1.15 * largest, 20.0))
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("Chance of being beyond it, %\n(hollow: not reachable)")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.55, 1.0), ncols=1, borderaxespad=0.2)
    return ax


def switching_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every input of the switching values room."""
    rows = matching_rows(appraisal.tables["switching_values"], {"option": option})
    return 1.9 + 0.5 * rows["input"].nunique()


def describe_switching(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_switching`."""
    rows = matching_rows(appraisal.tables["switching_values"], {"option": option})
    found = rows[rows["reachable"].astype(bool)]
    parts = [
        f"{row['target']}: {input_name(row['input'])} beyond {show(row['value'])}, chance "
        f"{show(row['probability_beyond'], style='probability')}"
        for row in found.to_dict("records")
    ]
    return (
        f"Dot chart, one row for each of {rows['input'].nunique()} inputs and one marker for each of "
        f"{rows['target'].nunique()} targets; a hollow marker is a target that no value of the input reaches. "
        "Horizontal axis: chance, per cent, that the input lies beyond the value at which the conclusion changes. "
        f"{len(found)} of {len(rows)} can be reached. {'; '.join(parts)}"
    )


# --- The figure of effects outside the model as the page shows it ---


_FIGURE = TableFigure(
    "stress", "How far effects outside the model move net present value", "stress_curves", plot_stress,
    describe_stress,
    ("label|Effect", "unit|Size counted in", "size|Size|number", "npv_mean|Net present value: mean|money",
     "npv_lower|Lower|money", "npv_upper|Upper|money", "prob_positive|Chance of a net saving|probability",
     "fewer_mean|Fewer children: mean|count", "fewer_lower|Lower|count", "fewer_upper|Upper|count"),
    "Net present value and fewer children in care by size of each effect outside the model", {"option": LEAD},
    stress_height,
)  # fmt: skip


def stress_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figure of effects outside the model, where the appraisal has their tables."""
    return table_figures((_FIGURE,), appraisal, option)
