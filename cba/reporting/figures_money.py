"""Figures of an option's money over time: net by year, cumulative net, and payback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, duo, label_end, name_values, new_axes, scale_of, set_years, styled
from cba.reporting.horizon import horizon_years, within_horizon
from cba.reporting.numbers import is_defined, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal


@styled
def plot_net_by_year(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw net cash flow by year (saving above zero, cost below) with its interval.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``net_by_year`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_net_by_year(appraisal, "care_review")  # doctest: +SKIP
    """
    ax = new_axes() if ax is None else ax
    rows = within_horizon(appraisal, "net_by_year", option=option)
    divisor, unit = scale_of(float(rows[["lower", "upper"]].abs().to_numpy().max(initial=1.0)))
    mean = rows["mean"] / divisor
    errors = np.abs(np.stack([mean - rows["lower"] / divisor, rows["upper"] / divisor - mean]))
    shade = [duo()[0] if value >= 0 else duo()[1] for value in mean]
    bars = ax.bar(rows["year"], mean, color=shade, width=0.7)
    for bar, value in zip(bars, mean, strict=True):
        bar.set_hatch("" if value >= 0 else "//")
        bar.set_edgecolor("white")
    ax.errorbar(rows["year"], mean, yerr=errors, fmt="none", ecolor=TEXT, elinewidth=1.4, capsize=3)
    ax.axhline(0.0, color=TEXT, lw=1)
    _money_axis(ax, unit)
    set_years(ax, *horizon_years(appraisal))
    return ax


def describe_net_by_year(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_net_by_year`.

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
    >>> describe_net_by_year(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = within_horizon(appraisal, "net_by_year", option=option)
    low, high = rows.loc[rows["mean"].idxmin()], rows.loc[rows["mean"].idxmax()]
    return (
        f"Bar chart with interval lines, one bar a year. {_axis_words(appraisal)} Vertical axis: net "
        "saving (above zero) or "
        f"net cost (below zero), pounds a year. Lowest: {show(low['mean'], style='net')} in "
        f"{int(low['year'])}. Highest: "
        f"{show(high['mean'], style='net')} in {int(high['year'])}. The mean is a net saving in "
        f"{int((rows['mean'] > 0).sum())} of {len(rows)} years."
    )


@styled
def plot_cumulative(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw cumulative discounted net cash flow with its interval; payback is where it stays above zero.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``net_by_year`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_cumulative(appraisal, "care_review")  # doctest: +SKIP
    """
    ax = new_axes() if ax is None else ax
    rows = within_horizon(appraisal, "net_by_year", option=option)
    fields = ["cumulative_lower", "cumulative_upper"]
    divisor, unit = scale_of(float(rows[fields].abs().to_numpy().max(initial=1.0)))
    ax.fill_between(
        rows["year"], rows[fields[0]] / divisor, rows[fields[1]] / divisor, color=duo()[0], alpha=0.2, lw=0
    )
    ax.plot(rows["year"], rows["cumulative_mean"] / divisor, color=duo()[0])
    ax.axhline(0.0, color=TEXT, lw=1)
    _money_axis(ax, unit)
    last = rows.iloc[-1]
    for field, text in (
        ("cumulative_mean", "Mean"),
        ("cumulative_upper", "Upper end"),
        ("cumulative_lower", "Lower end"),
    ):
        label_end(ax, float(last["year"]), float(last[field]) / divisor, text)
    set_years(ax, *horizon_years(appraisal), room=0.25)
    return ax


def describe_cumulative(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_cumulative`.

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
    >>> describe_cumulative(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = within_horizon(appraisal, "net_by_year", option=option)
    last, low = rows.iloc[-1], rows.loc[rows["cumulative_mean"].idxmin()]
    return (
        f"Line chart with a shaded interval. {_axis_words(appraisal)} Vertical axis: cumulative "
        "discounted net, pounds. The mean "
        f"is lowest in {int(low['year'])} ({show(low['cumulative_mean'], style='net')}) and ends in "
        f"{int(last['year'])} at "
        f"{show(last['cumulative_mean'], style='net')} (interval "
        f"{show(last['cumulative_lower'], style='money')} to "
        f"{show(last['cumulative_upper'], style='money')})."
    )


@styled
def plot_payback(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the probability of paying back in each year, and of never doing so within the horizon.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``payback`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_payback(appraisal, "care_review")  # doctest: +SKIP
    """
    ax = new_axes(height=3.0) if ax is None else ax
    rows = matching_rows(appraisal.tables["payback"], {"option": option})
    first, last = horizon_years(appraisal)
    found = {
        int(y): float(p) for y, p in zip(rows["year"], rows["probability"], strict=True) if is_defined(y)
    }
    never = float(rows.loc[rows["year"].isna(), "probability"].sum())
    years = list(range(first, last + 1))
    values = [100 * found.get(year, 0.0) for year in years]
    ax.bar(range(len(years)), values, color=duo()[0], width=0.7)
    ax.bar(len(years) + 0.5, 100 * never, color=duo()[1], width=0.7, hatch="//", edgecolor="white")
    labels = [str(year) if number % 3 == 0 else "" for number, year in enumerate(years)]
    ax.set_xticks([*range(len(years)), len(years) + 0.5], [*labels, "Never"])
    for place, value in [*enumerate(values), (len(years) + 0.5, 100 * never)]:
        if value >= 0.5:
            ax.annotate(
                show(value / 100, style="probability"),
                (place, value),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                color=TEXT,
                fontsize=9.5,
            )
    name_values(ax, "Probability, %")
    ax.set_ylim(0, 108)
    ax.grid(axis="x", visible=False)
    return ax


def describe_payback(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_payback`.

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
    >>> describe_payback(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["payback"], {"option": option})
    never = float(rows.loc[rows["year"].isna(), "probability"].sum())
    first, last = horizon_years(appraisal)
    by_year = rows.dropna(subset=["year"])
    best = (
        "No draw pays back within the horizon."
        if by_year.empty
        else (
            f"The single most probable year is {int(by_year.loc[by_year['probability'].idxmax(), 'year'])} "
            f"({show(float(by_year['probability'].max()), style='probability')})."
        )
    )
    return (
        f"Bar chart. Horizontal axis: year of payback, {first} to {last}, and never. Vertical axis: "
        "probability, per cent. "
        f"Never: {show(never, style='probability')}. {best}"
    )


def _money_axis(ax: Axes, unit: str) -> None:
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.3g}".replace("-", "\N{MINUS SIGN}"))
    name_values(ax, f"Net saving (+) or cost (\N{MINUS SIGN}), {unit}")


def _axis_words(appraisal: Appraisal) -> str:
    first, last = horizon_years(appraisal)
    return f"Horizontal axis: year ending 31 March, {first} to {last}."
