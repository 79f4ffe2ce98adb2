"""Figures of how well business as usual describes the past: totals a year ahead, and memory from year to year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, duo, name_values, new_axes, set_years, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

TOGETHER = "All series together"
"""Label of the rows that speak of all series."""


@styled
def plot_total(appraisal: Appraisal, option: str, *, quantity: str, ax: Axes | None = None) -> Axes:
    """Draw each published year of a total with what was expected of it.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``fit_checks_totals`` is read.
    option : str
        Not used: these years are past, the same whatever the option.
    quantity : {"stock_change", "starts", "ceases"}
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_total(appraisal, "care_review", quantity="starts")  # doctest: +SKIP
    """
    rows, ax = _total(appraisal, quantity), new_axes() if ax is None else ax
    years = rows["year"].to_numpy()
    ax.vlines(years, rows["lower"], rows["upper"], color=duo()[0], lw=5, alpha=0.35)
    ax.plot(years, rows["expected"], color=duo()[0], marker="_", ms=11, mew=2.2, ls="none", label="Expected")
    ax.plot(years, rows["published"], color=TEXT, marker="o", ms=5, ls="none", label="Published")
    if rows["lower"].min() < 0:
        ax.axhline(0.0, color=TEXT, lw=1)
    set_years(ax, int(years[0]), int(years[-1]))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace("-", "\N{MINUS SIGN}"))
    ax.legend(loc="upper left", ncols=2, frameon=False, fontsize=9.5)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.14 * (high - low))
    name_values(ax, f"{rows['label'].iloc[0]}")
    return ax


def _total(appraisal: Appraisal, quantity: str) -> pd.DataFrame:
    return matching_rows(appraisal.tables["fit_checks_totals"], {"quantity": quantity}).sort_values("year")


def describe_total(appraisal: Appraisal, option: str, *, quantity: str) -> str:
    """Return the text alternative of :func:`plot_total`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Not used.
    quantity : {"stock_change", "starts", "ceases"}

    Returns
    -------
    str

    Examples
    --------
    >>> describe_total(appraisal, "care_review", quantity="stock_change")  # doctest: +SKIP
    """
    rows = _total(appraisal, quantity)
    inside = rows["inside"].astype(str) == "True"
    outside = ", ".join(str(int(year)) for year in rows.loc[~inside, "year"]) or "none"
    last = rows.iloc[-1]
    label = str(rows["label"].iloc[0])
    found, lower, upper = (show(last[name], style="count") for name in ("published", "lower", "upper"))
    return (
        f"Point chart with intervals. Horizontal axis: year ending 31 March, {int(rows['year'].iloc[0])} to "
        f"{int(last['year'])}. Vertical axis: {label[:1].lower()}{label[1:]}. Each year's published figure is a dot, "
        "what the model expected of it from the year before a dash, and its interval a bar. "
        f"{int(inside.sum())} of {len(rows)} dots lie in their bars; outside: {outside}. Last year: published "
        f"{found}, interval {lower} to {upper}."
    )


@styled
def plot_autocorrelation(appraisal: Appraisal, option: str, *, lag: int = 1, ax: Axes | None = None) -> Axes:
    """Draw how changes of successive years hang together, series by series, against the model's own.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``fit_checks_autocorrelation`` is read.
    option : str
        Not used.
    lag : int
        Years apart, 1 to 3.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_autocorrelation(appraisal, "care_review")  # doctest: +SKIP
    """
    rows, ax = _single(appraisal, lag), new_axes(height=4.8) if ax is None else ax
    place = np.arange(len(rows))[::-1]
    ax.hlines(place, rows["lower"], rows["upper"], color=duo()[0], lw=6, alpha=0.35, label="Model")
    ax.plot(rows["found"], place, color=TEXT, marker="o", ms=5, ls="none", label="Published")
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(place, rows["series"])
    ax.grid(axis="y", visible=False)
    ax.set_xlim(-1.0, 1.0)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel("Correlation of a year's change with that of the year before")
    ax.legend(loc="upper right", frameon=False, fontsize=9.5)
    return ax


def _single(appraisal: Appraisal, lag: int) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["fit_checks_autocorrelation"], {"lag": lag})
    return rows[rows["series"] != TOGETHER]


def describe_autocorrelation(appraisal: Appraisal, option: str, *, lag: int = 1) -> str:
    """Return the text alternative of :func:`plot_autocorrelation`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Not used.
    lag : int

    Returns
    -------
    str

    Examples
    --------
    >>> describe_autocorrelation(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = _single(appraisal, lag)
    above = rows.loc[rows["found"] > rows["upper"], "series"]
    below = rows.loc[rows["found"] < rows["lower"], "series"]
    positive = int((rows["found"] > 0).sum())
    apart = f"{lag} year{'s' if lag > 1 else ''}"
    return (
        f"Point chart with intervals, one row for each of {len(rows)} series. Horizontal axis: correlation of a "
        f"year's change with that {apart} before, from minus 1 to 1. A dot is the published series, a bar the "
        f"interval of series drawn from the model. {positive} dots are above nil. Right of the bar: "
        f"{', '.join(above) or 'none'}; left of it: {', '.join(below) or 'none'}."
    )
