"""Figures of "pilot or now": the best strategy by design and value, and learning against delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, colours, new_axes, scale_of, styled
from cba.reporting.figures_pilot_power import announced_row
from cba.reporting.numbers import rounding_unit, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

STRATEGIES = {"never": "Never", "go_now": "Now", "pilot_first": "Pilot", "in_steps": "Steps"}
_DARK = ("go_now", "pilot_first")
_PARTS = {
    "value_of_learning": "Value of learning",
    "cost_of_delay": "Cost of delay",
    "pilot_cost": "Net cost of the pilot",
}


@styled
def plot_pilot_map(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw which strategy is best for each design of a pilot and value of a child-year.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``pilot_or_now`` is read.
    option : str
        Option whose roll-out is in question.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_pilot_map(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["pilot_or_now"], {"option": option})
    best = rows[rows["best"].astype(bool)]
    designs = best[["years", "areas"]].drop_duplicates().sort_values(["years", "areas"])
    values = sorted(best["value_per_child_year"].unique())
    ax = new_axes(height=pilot_map_height(appraisal, option)) if ax is None else ax
    fills = dict(zip(STRATEGIES, ("#FFFFFF", *colours(4)[:1], *colours(4)[2:3], "#BFBFBF"), strict=True))
    for place, (years, areas) in enumerate(designs.itertuples(index=False)):
        one = best[(best["years"] == years) & (best["areas"] == areas)].set_index("value_per_child_year")
        for column, value in enumerate(values):
            name = str(one.loc[value, "strategy"])
            ax.barh(
                place, 0.96, left=column - 0.48, height=0.9, color=fills[name], edgecolor="#B1B4B6", lw=0.8
            )
            ink = "white" if name in _DARK else TEXT
            ax.text(column, place, STRATEGIES[name], ha="center", va="center", color=ink, fontsize=9)
    labels = [
        f"{areas} areas, {years} year{'s' if years > 1 else ''}"
        for years, areas in designs.itertuples(index=False)
    ]
    ax.set_yticks(range(len(designs)), labels)
    ax.set_xticks(range(len(values)), [_short(value) for value in values], fontsize=9)
    ax.set_xlim(-0.55, len(values) - 0.45)
    ax.set_ylim(len(designs) - 0.45, -0.55)
    ax.grid(visible=False)
    ax.set_xlabel("Value of a child-year at home")
    return ax


def pilot_map_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every design a row.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    float

    Examples
    --------
    >>> pilot_map_height(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["pilot_or_now"], {"option": option})
    return 1.0 + 0.3 * len(rows[["areas", "years"]].drop_duplicates())


def describe_pilot_map(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_pilot_map`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_pilot_map(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["pilot_or_now"], {"option": option})
    best = rows[rows["best"].astype(bool)]
    parts = []
    for value, one in best.groupby("value_per_child_year"):
        counts = one["strategy"].value_counts()
        words = ", ".join(f"{STRATEGIES[str(name)].lower()} in {number}" for name, number in counts.items())
        parts.append(f"at {show(float(value), style='price')} {words}")
    designs = len(best[["areas", "years"]].drop_duplicates())
    return (
        f"Grid of cells, one row for each of {designs} designs of a pilot, each cell naming the best strategy. "
        "Horizontal axis: value of a child-year in pounds. Vertical axis: number of areas and years of the pilot. "
        f"Best in so many designs: {'; '.join(parts)}."
    )


@styled
def plot_pilot_learning(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw what the published pilot would teach beside what waiting for it costs, by value of a child-year.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``pilot_learning`` is read.
    option : str
        Option whose roll-out is in question.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_pilot_learning(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = published_learning(appraisal, option)
    ax = new_axes(height=1.6 + 0.6 * len(rows)) if ax is None else ax
    divisor, unit = scale_of(float(rows[list(_PARTS)].abs().to_numpy().max(initial=1.0)))
    palette, hatches = colours(3), ("", "//", "..")
    for number, (part, label) in enumerate(_PARTS.items()):
        places = np.arange(len(rows)) + 0.26 * (number - 1)
        ax.barh(places, rows[part] / divisor, height=0.24, color=palette[number], hatch=hatches[number],
                edgecolor="white", label=label,
                xerr=1.96 * rows[f"{part}_se"] / divisor, error_kw={"ecolor": TEXT, "elinewidth": 1.2})  # fmt: skip
        for place, raw, se in zip(places, rows[part], rows[f"{part}_se"], strict=True):
            end = (max(raw, 0.0) + 1.96 * se) / divisor
            ax.annotate(show(raw, style="money", unit=rounding_unit(raw, se)), (end, place), xytext=(5, 0),
                        textcoords="offset points", va="center", color=TEXT, fontsize=8.5)  # fmt: skip
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(range(len(rows)), [_short(value) for value in rows["value_per_child_year"]])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "\N{MINUS SIGN}"))
    ax.margins(x=0.22)
    ax.set_xlabel(f"Present value, {unit}; rows: value of a child-year")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.16, 1.0), ncols=3, borderaxespad=0.2, columnspacing=1.0)
    return ax


def published_learning(appraisal: Appraisal, option: str) -> pd.DataFrame:
    """Return the rows of ``pilot_learning`` for the design announced in 2023: 12 areas, two years.

    Parameters
    ----------
    appraisal : Appraisal
        Its tables ``pilot_learning`` and ``pilot_power`` are read.
    option : str
        Option id.

    Returns
    -------
    DataFrame
        By value of a child-year, ascending.

    Examples
    --------
    >>> published_learning(appraisal, "care_review")["value_of_learning"]  # doctest: +SKIP
    """
    announced = announced_row(appraisal, option)
    where = {"option": option, "areas": announced["areas"], "years": announced["years"]}
    return matching_rows(appraisal.tables["pilot_learning"], where).sort_values("value_per_child_year")


def describe_pilot_learning(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_pilot_learning`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_pilot_learning(appraisal, "care_review")  # doctest: +SKIP
    """
    parts = [
        f"at {show(row['value_per_child_year'], style='price')}: "
        f"learning {show(row['value_of_learning'], style='money')}, "
        f"delay {show(row['cost_of_delay'], style='money')}, pilot {show(row['pilot_cost'], style='money')}"
        for row in published_learning(appraisal, option).to_dict("records")
    ]
    return (
        "Horizontal bar chart, three bars for each value of a child-year: value of learning, cost of delay and net "
        f"cost of the pilot. Horizontal axis: present value in pounds. {'; '.join(parts)}."
    )


def _short(value: float) -> str:
    """Write a value of a child-year in a few letters."""
    if value >= 1e6:
        return f"£{value / 1e6:g}m"
    return f"£{value / 1e3:g}k" if value else "£0"
