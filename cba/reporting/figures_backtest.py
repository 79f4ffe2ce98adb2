"""Figures of the record: scores of past forecasts, the review's path seen from each release, the processes mixed."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, colours, new_axes, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

COMPARED = ("cba", "drift", "ARIMA", "last value")
"""Forecasts drawn; the others are in the table."""

MARKS = ("o", "s", "D", "^")
LIFT = {"cba": -8, "drift": 8}
"""Points by which labels of lines that end together are moved apart."""

REVIEW_CHILDREN = 100_000
"""Children the review's path approaches, which a chart marks."""


@styled
def plot_backtest(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the mean score of each forecast of the number in care by years ahead.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``backtest_by_horizon`` is read.
    option : str
        Not used.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_backtest(appraisal, "care_review")  # doctest: +SKIP
    """
    ax = new_axes(height=3.6) if ax is None else ax
    for name, colour, mark in zip(COMPARED, colours(4), MARKS, strict=True):
        rows = _horizons(appraisal, name)
        ax.plot(rows["ahead"], rows["crps"], marker=mark, color=colour, lw=2, ms=6, mec="white")
        last = rows.iloc[-1]
        label = "this model" if name == "cba" else name
        ax.annotate(
            label,
            (last["ahead"], last["crps"]),
            xytext=(6, LIFT.get(name, 0)),
            textcoords="offset points",
            va="center",
        )
    ax.set_xlim(0.8, 6.1)
    ax.set_ylim(0, None)
    ax.set_xticks(range(1, 6))
    ax.set_xlabel("Years ahead")
    ax.set_ylabel("Mean score, children")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return ax


def describe_backtest(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_backtest`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Not used.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_backtest(appraisal, "care_review")  # doctest: +SKIP
    """
    parts = []
    for name in COMPARED:
        rows = _horizons(appraisal, name)
        first, last = (show(rows["crps"].iloc[place], style="count") for place in (0, -1))
        parts.append(
            f"{'this model' if name == 'cba' else name}: {first} one year ahead, {last} five years ahead"
        )
    return (
        "Line chart, one line for each forecast. Horizontal axis: years ahead, 1 to 5. Vertical axis: mean score in "
        f"children, from 0; lower is better. {'; '.join(parts)}."
    )


def _horizons(appraisal: Appraisal, forecast: str) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["backtest_by_horizon"], {"quantity": "stock", "forecast": forecast})
    return rows.sort_values("ahead")


@styled
def plot_vintages(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw children in care in the target year as seen from each release, with the review's path.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``backtest_vintages`` is read.
    option : str
        Not used.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_vintages(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = _vintages(appraisal, "children_in_care_2032")
    chances = _vintages(appraisal, f"prob_children_{REVIEW_CHILDREN}").set_index("release")["mean"]
    costs = _vintages(appraisal, "prob_system_cost_15bn_2032_real").set_index("release")["mean"]
    ax = new_axes(height=3.8) if ax is None else ax
    first = colours(3)[0]
    places = np.arange(len(rows))
    ax.vlines(places, rows["lower"], rows["upper"], color=first, lw=3)
    ax.plot(places, rows["median"], "o", color=first, ms=8, mec="white")
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        words = f"100,000: {chances[row['release']]:.0%}\n£15bn: {costs[row['release']]:.0%}"
        ax.annotate(
            words, (place, row["upper"]), xytext=(0, 6), textcoords="offset points", ha="center", va="bottom"
        )
    ax.axhline(REVIEW_CHILDREN, color=TEXT, lw=1, ls="--")
    ax.annotate("100,000", (-0.48, REVIEW_CHILDREN), xytext=(0, 3), textcoords="offset points", va="bottom")
    ax.set_xticks(places, [f"Release {release}" for release in rows["release"]])
    ax.set_xlim(-0.5, len(rows) - 0.5)
    low, high = float(rows["lower"].min()), float(rows["upper"].max())
    ax.set_ylim(low - 0.1 * (high - low), high + 0.3 * (high - low))
    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return ax


def describe_vintages(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_vintages`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Not used.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_vintages(appraisal, "care_review")  # doctest: +SKIP
    """
    chances = _vintages(appraisal, f"prob_children_{REVIEW_CHILDREN}").set_index("release")["mean"]
    costs = _vintages(appraisal, "prob_system_cost_15bn_2032_real").set_index("release")["mean"]
    parts = [
        f"release {row['release']}: {show(row['lower'], style='count')} to {show(row['upper'], style='count')}, "
        f"chance of at least 100,000 {chances[row['release']]:.0%}, of at least £15bn {costs[row['release']]:.0%}"
        for row in _vintages(appraisal, "children_in_care_2032").to_dict("records")
    ]
    return (
        "Interval chart, one bar with a dot at the median for each release of the statistics. Horizontal axis: "
        f"release. Vertical axis: children in care in 2032 under current policy. {'; '.join(parts)}."
    )


def _vintages(appraisal: Appraisal, quantity: str) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["backtest_vintages"], {"quantity": quantity})
    return rows.sort_values("release")


@styled
def plot_structure(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw children in care in the target year under current policy, by process.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``structural`` is read.
    option : str
        Not used.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_structure(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = _processes(appraisal)
    ax = new_axes(height=structure_height(appraisal, option)) if ax is None else ax
    places = np.arange(len(rows))
    ax.hlines(places, rows["lower"], rows["upper"], color=colours(3)[0], lw=3)
    ax.plot(rows["mean"], places, "o", color=colours(3)[0], ms=8, mec="white")
    ax.set_yticks(places, [fill(label, 24) for label in rows["label"]])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_xlabel("Children in care")
    return ax


def structure_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every process a row.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Not used.

    Returns
    -------
    float

    Examples
    --------
    >>> structure_height(appraisal, "care_review")  # doctest: +SKIP
    """
    return 1.2 + 0.55 * len(_processes(appraisal))


def describe_structure(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_structure`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Not used.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_structure(appraisal, "care_review")  # doctest: +SKIP
    """
    parts = [
        f"{row['label']}: mean {show(row['mean'], style='count')}, {show(row['lower'], style='count')} to "
        f"{show(row['upper'], style='count')}"
        for row in _processes(appraisal).to_dict("records")
    ]
    return (
        "Interval chart, one row for each process the number in care may follow, a dot at the mean. Horizontal axis: "
        f"children in care in the target year under current policy. {'; '.join(parts)}."
    )


def _processes(appraisal: Appraisal) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["structural"], {"quantity": "children_in_care"})
    return rows[rows["mean"].notna()]
