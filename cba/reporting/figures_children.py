"""Figures of children: in care or starting each year with an option and without, and how many fewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, duo, label_end, new_axes, set_years, styled
from cba.reporting.numbers import show
from cba.reporting.report_choices import paths_overlap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

FEWER = "fewer_children_2032"
"""Key of the children fewer in the target year, whatever the year."""

_MEASURES = {
    "children_by_year": ("stock", "Children in care"),
    "starts_by_year": ("starts", "Children starting"),
}


@styled
def plot_with_and_without(
    appraisal: Appraisal,
    option: str,
    *,
    table: str = "children_by_year",
    last_year: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the observed years, then the paths on current policy and under an option, with intervals.

    Parameters
    ----------
    appraisal : Appraisal
        Its tables ``history`` and ``children_by_year`` or ``starts_by_year`` are read.
    option : str
        Option to set beside business as usual.
    table : str
        ``children_by_year`` (children at 31 March) or ``starts_by_year`` (children per year).
    last_year : int, optional
        Last year drawn, year ending 31 March.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_with_and_without(appraisal, "care_review")  # doctest: +SKIP
    """
    ax = new_axes() if ax is None else ax
    field, _ = _MEASURES[table]
    history = appraisal.tables["history"].dropna(subset=[field])
    ax.plot(history["year"], history[field], color=TEXT, lw=2)
    end = last_year or int(appraisal.tables[table]["year"].max())
    ends = []
    for name, colour, dashes, hatch in (
        ("bau", duo()[0], "-", None),
        (option, duo()[1], (0, (4, 2)), "////"),
    ):
        rows = _path(appraisal, table, name, end)
        shade = (
            {"facecolor": colour, "alpha": 0.20}
            if hatch is None
            else {"facecolor": "none", "edgecolor": colour, "hatch": hatch, "alpha": 0.6}
        )
        ax.fill_between(rows["year"], rows["lower"], rows["upper"], linewidth=0, **shade)
        ax.plot(rows["year"], rows["mean"], color=colour, linestyle=dashes)
        ends.append((name, float(rows["mean"].iloc[-1])))
    _label_paths(ax, end, ends, short_label(appraisal, option))
    middle = history.iloc[len(history) // 2]
    ax.annotate(
        "Observed", (middle["year"], middle[field]), xytext=(4, -16), textcoords="offset points", color=TEXT
    )
    set_years(ax, int(history["year"].min()), end, room=0.5)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_ylim(0, None)
    return ax


def _path(appraisal: Appraisal, table: str, option: str, last_year: int) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables[table], {"option": option})
    return rows[rows["year"] <= last_year].sort_values("year")


def _label_paths(ax: Axes, year: int, ends: Sequence[tuple[str, float]], label: str) -> None:
    """Label both paths at their end, pushed apart so that the words cannot overlap."""
    (_, without), (_, with_it) = ends
    up = 12.0 if without >= with_it else -12.0
    label_end(ax, year, without, "Current policy", dy=up)
    label_end(ax, year, with_it, label, dy=-up)


def short_label(appraisal: Appraisal, option: str, *, width: int = 17) -> str:
    """Return an option's label broken into lines of at most ``width`` letters.

    Parameters
    ----------
    appraisal : Appraisal
        Its ``option_labels`` are read.
    option : str
        Option id.
    width : int
        Longest line, letters.

    Returns
    -------
    str

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> print(short_label(SimpleNamespace(option_labels={"a": "Kinship support only"}), "a", width=10))
    Kinship
    support
    only
    """
    from textwrap import fill

    return fill(appraisal.option_labels.get(option, option).replace("$", r"\$"), width)


def describe_with_and_without(
    appraisal: Appraisal, option: str, *, table: str = "children_by_year", last_year: int
) -> str:
    """Return the text alternative of :func:`plot_with_and_without`: type, axes, finding, extremes.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.
    table : str
        Name in ``appraisal.tables``.
    last_year : int
        Last year shown, year ending 31 March.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_with_and_without(appraisal, "care_review", last_year=2035)  # doctest: +SKIP
    """
    field, words = _MEASURES[table]
    always = paths_overlap(appraisal, option, last_year, table=table)
    when = "in every year" if always else "in some years only"
    history = appraisal.tables["history"].dropna(subset=[field])
    low, high = history.loc[history[field].idxmin()], history.loc[history[field].idxmax()]
    ends = {name: _path(appraisal, table, name, last_year).iloc[-1] for name in ("bau", option)}
    between = "; ".join(
        f"{words_} {show(row['mean'], style='count')} in {last_year} (interval "
        f"{show(row['lower'], style='count')} to "
        f"{show(row['upper'], style='count')})"
        for words_, row in zip(("current policy", "with the option"), ends.values(), strict=True)
    )
    return (
        "Line chart with shaded intervals. Horizontal axis: year ending 31 March, "
        f"{int(history['year'].min())} to "
        f"{last_year}. Vertical axis: {words.lower()}, from zero. Observed figures run from "
        f"{show(low[field], style='count')} in {int(low['year'])} (lowest) to "
        f"{show(high[field], style='count')} in "
        f"{int(high['year'])} (highest). Projected: {between}. The two intervals overlap "
        f"{when}."
    )


@styled
def plot_fewer_children(
    appraisals: Sequence[Appraisal], *, claim: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how many fewer children each option leaves in care in the target year, under each stance.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance; a stance whose results are not defined is left out.
    claim : float, optional
        Claimed number of fewer children, drawn as a vertical line.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_fewer_children([appraisal], claim=30_000)  # doctest: +SKIP
    """
    from cba.reporting.figures_intervals import plot_results

    year = appraisals[0].analysis.target_year
    ax = plot_results(appraisals, FEWER, ax=ax)
    if claim is not None:
        ax.axvline(claim, color=TEXT, lw=1, ls=":")
        ax.annotate(
            f"Review: {claim:,.0f}",
            (claim, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4, 4),
            textcoords="offset points",
            ha="right",
            va="bottom",
            color=TEXT,
        )
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel(f"Fewer children in care at 31 March {year}")
    return ax


def describe_fewer_children(appraisals: Sequence[Appraisal]) -> str:
    """Return the text alternative of :func:`plot_fewer_children`.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance, the headline first.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_fewer_children([appraisal])  # doctest: +SKIP
    """
    from cba.reporting.figures_intervals import describe_results

    year = appraisals[0].analysis.target_year
    return describe_results(
        appraisals,
        FEWER,
        axis=f"fewer children in care at 31 March {year} than on current policy",
    )
