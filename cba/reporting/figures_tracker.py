"""Figure of the tracker: starts expected each year under each belief, and starts published to date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, duo, label_end, new_axes, set_years, styled
from cba.reporting.full_names import stance_name
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

TABLE = "tracker"


def tracker_beliefs(appraisals: Sequence[Appraisal]) -> list[tuple[Appraisal, str, str]]:
    """Return the beliefs the tracker draws: the appraisal that holds each, its name in the table, and its label.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance, the headline first.

    Returns
    -------
    list of (Appraisal, str, str)
        Current policy, the programme under each stance that has a tracker, and the claim where it can be drawn.

    Examples
    --------
    >>> [label for _, _, label in tracker_beliefs([appraisal])]  # doctest: +SKIP
    ['Current policy', 'Programme: evidence', 'The review’s claim']
    """
    first = appraisals[0]
    found = [(first, "current_policy", "Current policy")]
    for appraisal in appraisals:
        table = appraisal.tables.get(TABLE)
        if table is not None and not table.empty:
            found.append((appraisal, "programme", f"Programme: {stance_name(appraisal.stance).lower()}"))
    if (first.tables[TABLE]["belief"] == "claim").any():
        found.append((first, "claim", "The review’s claim"))
    return found


@styled
def plot_tracker(appraisals: Sequence[Appraisal], *, ax: Axes | None = None) -> Axes:
    """Draw published starts, those expected on current policy and if the claim held, and the line between.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance, the headline first; the table ``tracker`` is read.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_tracker([appraisal])  # doctest: +SKIP
    """
    ax = new_axes() if ax is None else ax
    first = appraisals[0]
    published = belief_rows(first, "published")
    ax.plot(published["year"], published["mean"], color=TEXT, lw=1.5, marker="o", ms=5)
    middle = published.iloc[len(published) // 2]
    ax.annotate(
        "Published", (middle["year"], middle["mean"]), xytext=(-6, 12), textcoords="offset points", color=TEXT
    )
    _band(ax, belief_rows(first, "current_policy"), "-", None, duo()[0])
    _programme(ax, appraisals)
    claim = belief_rows(first, "claim")
    if len(claim):
        started = claim[claim["line"].notna()]
        _band(ax, started, (0, (4, 2)), "////", duo()[1])
        ax.plot(started["year"], started["line"], color=TEXT, lw=1.2, linestyle=(0, (1, 1.5)))
        label_end(ax, int(started["year"].max()), float(started["mean"].iloc[-1]), "If the claim\nheld")
        label_end(
            ax,
            int(started["year"].max()),
            float(started["line"].iloc[-1]),
            "On track: at\nor below this",
            dy=6,
        )
    ahead = belief_rows(first, "current_policy")
    label_end(
        ax,
        int(ahead["year"].max()),
        float(ahead["mean"].iloc[-1]),
        "Current policy;\nprogramme on the\nevidence (dots)",
        dy=10,
    )
    set_years(ax, int(published["year"].min()), int(ahead["year"].max()), room=0.55)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.set_ylim(0, None)
    return ax


def _programme(ax: Axes, appraisals: Sequence[Appraisal]) -> None:
    """Mark the programme as the headline stance holds it: on current policy but for a few hundred starts."""
    rows = belief_rows(appraisals[0], "programme")
    ax.plot(rows["year"], rows["mean"], color=duo()[0], lw=0, marker="o", ms=3.5)


def _band(ax: Axes, rows: pd.DataFrame, dashes: object, hatch: str | None, colour: str) -> None:
    shade = (
        {"facecolor": colour, "alpha": 0.20}
        if hatch is None
        else {"facecolor": "none", "edgecolor": colour, "hatch": hatch, "alpha": 0.6}
    )
    ax.fill_between(rows["year"], rows["lower"], rows["upper"], linewidth=0, **shade)
    ax.plot(rows["year"], rows["mean"], color=colour, linestyle=dashes)


def belief_rows(appraisal: Appraisal, belief: str) -> pd.DataFrame:
    """Return the rows of one belief, by year.

    Parameters
    ----------
    appraisal : Appraisal
    belief : str
        ``current_policy``, ``programme``, ``claim`` or ``published``.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> belief_rows(appraisal, "published")  # doctest: +SKIP
    """
    return matching_rows(appraisal.tables[TABLE], {"belief": belief}).sort_values("year")


def describe_tracker(appraisals: Sequence[Appraisal]) -> str:
    """Return the text alternative of :func:`plot_tracker`.

    Parameters
    ----------
    appraisals : sequence of Appraisal

    Returns
    -------
    str

    Examples
    --------
    >>> describe_tracker([appraisal])  # doctest: +SKIP
    """
    first = appraisals[0]
    published, ahead = belief_rows(first, "published"), belief_rows(first, "current_policy")
    last, end = published.iloc[-1], ahead.iloc[-1]
    text = (
        "Line chart. Horizontal axis: year ending 31 March, "
        f"{published['year'].min()} to {ahead['year'].max()}. "
        "Vertical axis: children starting care in the year who are not unaccompanied, from 0. "
        f"The last published figure is {show(float(last['mean']), style='count')} in {last['year']}. "
        f"On current policy {_range(end)} would start in {end['year']}"
    )
    programme = belief_rows(first, "programme").iloc[-1]
    text += f"; with the programme as the evidence has it {_range(programme)}. "
    claim = belief_rows(first, "claim")
    if len(claim):
        lowest = claim.iloc[-1]
        text += (
            f"If the review’s claim held {_range(lowest)} would. A dotted line at "
            f"{show(float(lowest['line']), style='count')} in that year marks what would still be on track."
        )
    return text


def _range(row: pd.Series) -> str:
    low, mid, high = (show(float(row[field]), style="count") for field in ("lower", "mean", "upper"))
    return f"{mid} ({low} to {high})"
