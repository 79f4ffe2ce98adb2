"""Figures of children: in care or starting each year with an option and without, and how many fewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from cba.reporting.choices import paths_overlap
from cba.reporting.figures.style import (
    TEXT,
    FigureBlock,
    draw_block,
    duo,
    label_end,
    new_axes,
    range_columns,
    set_years,
    styled,
    table_and_link,
)
from cba.reporting.html_tables import columns
from cba.reporting.names import stance_name
from cba.reporting.numbers import matching_rows, show
from cba.reporting.sections import holds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


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

    `table`: ``children_by_year`` (children at 31 March) or ``starts_by_year`` (children per year).
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
    """Return an option's label broken into lines of at most ``width`` letters."""
    from textwrap import fill

    return fill(appraisal.option_labels.get(option, option).replace("$", r"\$"), width)


def describe_with_and_without(
    appraisal: Appraisal, option: str, *, table: str = "children_by_year", last_year: int
) -> str:
    """Return the text alternative of `plot_with_and_without`: type, axes, finding, extremes."""
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

    `appraisals`: a stance whose results are not defined is left out.
    """
    from cba.reporting.figures.style import plot_results

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
    """Return the text alternative of `plot_fewer_children`."""
    from cba.reporting.figures.style import describe_results

    year = appraisals[0].analysis.target_year
    return describe_results(
        appraisals,
        FEWER,
        axis=f"fewer children in care at 31 March {year} than on current policy",
    )


# --- Figure of the tracker: starts expected each year under each belief, and starts published to date ---


TABLE = "tracker"


def tracker_beliefs(appraisals: Sequence[Appraisal]) -> list[tuple[Appraisal, str, str]]:
    """Return the beliefs the tracker draws: the appraisal that holds each, its name in the table, and its label.

    Current policy, the programme under each stance that has a tracker, and the claim where it can be drawn.
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
    """Draw published starts, those expected on current policy and if the claim held, and the line between."""
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

    `belief`: ``current_policy``, ``programme``, ``claim`` or ``published``.
    """
    return matching_rows(appraisal.tables[TABLE], {"belief": belief}).sort_values("year")


def describe_tracker(appraisals: Sequence[Appraisal]) -> str:
    """Return the text alternative of `plot_tracker`."""
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


# --- The figure of the tracker in the report, with its tables, and the years its words speak of ---


def tracker_figures(appraisals: Sequence[Appraisal], option: str) -> dict[str, FigureBlock]:
    """Return the figure of the tracker where the headline appraisal has its table."""
    first = appraisals[0]
    if not holds(first, TABLE, option):
        return {}
    shown = columns("year|Year ending 31 March|plain", *range_columns("count"))
    published = columns("year|Year ending 31 March|plain", "mean|Starts published|count")
    beliefs = [(first, "published", "Published, newest release"), *tracker_beliefs(appraisals)]
    pairs = [
        table_and_link(
            appraisal,
            TABLE,
            published if belief == "published" else shown,
            caption=f"Starts of children who are not unaccompanied, England: {label}",
            where={"belief": belief},
            name=f"tracker_{belief}_{appraisal.stance}",
        )
        for appraisal, belief, label in beliefs
    ]
    block = draw_block(
        "fig-tracker",
        title="Starts expected each year under each belief",
        draw=lambda ax: plot_tracker(appraisals, ax=ax),
        description=describe_tracker(appraisals),
        tables=[pair[0] for pair in pairs],
        links=[pair[1] for pair in pairs],
    )
    return {"tracker": block}


def tracker_choices(appraisals: Sequence[Appraisal], option: str) -> dict[str, Any]:
    """Return the years, beliefs and figures the words of the tracker name; empty where there is no tracker."""
    # Returned: ``tracker_years`` (years with a line), ``tracker_beliefs`` (stance, belief and label),
    # ``tracker_last`` (newest published year), ``tracker_tested`` (published years with a line, known after
    # the frame) and ``tracker_blurred`` (whether the programme's mean stays inside the interval of current
    # policy).
    first = appraisals[0]
    if not holds(first, TABLE, option):
        return {"tracker_years": []}
    ahead, published = belief_rows(first, "current_policy"), belief_rows(first, "published")
    tested = published[published["line"].notna()]
    return {
        "tracker_years": [int(y) for y in ahead.loc[ahead["line"].notna(), "year"]],
        "tracker_beliefs": [
            {"stance": a.stance, "belief": belief, "label": label}
            for a, belief, label in tracker_beliefs(appraisals)
        ],
        "tracker_last": int(published["year"].max()),
        "tracker_tested": [int(y) for y in tested["year"]],
        "tracker_blurred": _blurred(first),
    }


def _blurred(appraisal: Appraisal) -> bool:
    """Return whether the programme's mean lies inside the interval of current policy in every year."""
    ahead = belief_rows(appraisal, "current_policy").set_index("year")
    programme = belief_rows(appraisal, "programme").set_index("year")["mean"]
    return bool(((programme >= ahead["lower"]) & (programme <= ahead["upper"])).all())
