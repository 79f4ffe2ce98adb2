"""Figures of the evidence: effects from study to national roll-out, and which intervention carries it."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from cba.reporting.figures.style import TEXT, duo, new_axes, styled
from cba.reporting.names import full_name
from cba.reporting.numbers import Style, matching_rows, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


_BESIDE = ("precision", "selection", "new_authority")
"""Stages shown for comparison: they do not lead to the roll-out."""


_MARKERS = ("o", "s", "^", "D", "v", "P")


@styled
def plot_effect_stages(appraisal: Appraisal, estimand: str, *, ax: Axes | None = None) -> Axes:
    """Draw one effect as published, with bias removed, in a new setting, and in a national roll-out.

    What stands beside that line (publication bias taken off, one authority alone) is dashed.
    """
    rows = matching_rows(appraisal.tables["effects"], {"estimand": estimand})
    ax = new_axes(height=1.2 + 0.45 * len(rows)) if ax is None else ax
    main, aside = duo()
    for place, row in enumerate(rows.to_dict("records")):
        beside = row["stage"] in _BESIDE
        colour, line = (aside, "--") if beside else (main, "-")
        ax.plot([row["lower"], row["upper"]], [place, place], color=colour, lw=2.2, ls=line)
        face = "white" if beside else colour
        ax.plot(row["mean"], place, _MARKERS[place % 6], color=face, ms=8, mec=colour, mew=1.6)
    ax.axvline(no_effect(estimand), color=TEXT, lw=1)
    ax.set_yticks(range(len(rows)), [full_name(stage) for stage in rows["stage"]])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel(fill(effect_label(appraisal, estimand), 34))
    return ax


def no_effect(estimand: str) -> float:
    """Return the value that means no effect: 1 for a ratio, 0 for a difference or a logarithm."""
    words = estimand.lower()
    ratio = "ratio" in words or "relative_risk" in words
    return 1.0 if ratio and "log" not in words else 0.0


def effect_label(appraisal: Appraisal, estimand: str) -> str:
    """Return the label the appraisal gives an effect."""
    return str(matching_rows(appraisal.tables["effects"], {"estimand": estimand})["label"].iloc[0])


def describe_effect_stages(appraisal: Appraisal, estimand: str) -> str:
    """Return the text alternative of `plot_effect_stages`."""
    rows = matching_rows(appraisal.tables["effects"], {"estimand": estimand}).to_dict("records")
    parts = [
        f"{full_name(row['stage'])}: {show(row['mean'], unit=0.01)} (interval "
        f"{show(row['lower'], unit=0.01)} to "
        f"{show(row['upper'], unit=0.01)})"
        for row in rows
    ]
    return (
        f"Interval chart, one row for each of {len(rows)} stages. Horizontal axis: "
        f"{effect_label(appraisal, estimand)}; the line "
        f"marks no effect. {'; '.join(parts)}."
    )


@styled
def plot_attribution(
    appraisal: Appraisal, option: str, *, field: str = "fewer_children", ax: Axes | None = None
) -> Axes:
    """Draw what each intervention contributes to one option (Shapley values, means).

    `field`: ``fewer_children`` or ``npv``.
    """
    rows = matching_rows(appraisal.tables["attribution"], {"option": option})
    ax = new_axes(height=1.1 + 0.5 * len(rows)) if ax is None else ax
    divisor = 1e9 if field == "npv" else 1.0
    values = rows[field].to_numpy() / divisor
    places = np.arange(len(rows))
    bars = ax.barh(
        places, values, color=[duo()[0] if value >= 0 else duo()[1] for value in values], height=0.6
    )
    style: Style = "money" if field == "npv" else "count"
    for bar, value, raw in zip(bars, values, rows[field], strict=True):
        bar.set_hatch("" if value >= 0 else "//")
        bar.set_edgecolor("white")
        ax.annotate(
            show(float(raw), style=style),
            (value, bar.get_y() + 0.3),
            xytext=(5 if value >= 0 else -5, 0),
            color=TEXT,
            textcoords="offset points",
            va="center",
            ha="left" if value >= 0 else "right",
        )
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(places, [fill(full_name(name), 20) for name in rows["component"]])
    ax.invert_yaxis()
    ax.margins(x=0.2)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    year = appraisal.analysis.target_year
    words = "Net present value, £ billion" if field == "npv" else f"Fewer children in care at 31 March {year}"
    ax.set_xlabel(words)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "\N{MINUS SIGN}"))
    return ax


def describe_attribution(appraisal: Appraisal, option: str, *, field: str = "fewer_children") -> str:
    """Return the text alternative of `plot_attribution`."""
    rows = matching_rows(appraisal.tables["attribution"], {"option": option})
    style: Style = "net" if field == "npv" else "fewer"
    words = "net present value" if field == "npv" else "fewer children in care"
    parts = [
        f"{full_name(row['component'])}: {show(row[field], style=style)}" for row in rows.to_dict("records")
    ]
    return (
        f"Horizontal bar chart, one bar for each intervention. Horizontal axis: {words}. {'; '.join(parts)}."
    )
