"""Figures of children: in care or starting each year with an option and without, how many fewer, and the tracker."""

from __future__ import annotations

from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

import pandas as pd

from cba.appraisal.quantities import stem_of
from cba.inputs.evidence import load_claims
from cba.reporting.brief import chain, claimed, has_chain
from cba.reporting.choices import View, belief_rows, paths_overlap, tracker_beliefs
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Below, Data, Figure
from cba.reporting.html_tables import columns, range_columns, results_below
from cba.reporting.numbers import counted, spanned

if TYPE_CHECKING:
    from matplotlib.axes import Axes


FEWER = stem_of("fewer_children")
"""Key of the children fewer in the target year, whatever the year."""


YEAR = columns(plain={"year": "Year ending 31 March"})


PATH = columns(YEAR, range_columns("count"))


# --- With the option and without, by year ---


def _path(view: View, table: str, option: str) -> pd.DataFrame:
    rows = view.rows(table, option=option)
    return rows[rows["year"] <= view.last_year].sort_values("year")


def _draw_paths(ax: Axes, history: pd.DataFrame, view: View, *, table: str, field: str) -> None:
    """Draw the observed years, then the paths on current policy and under an option, with intervals."""
    ax.plot(history["year"], history[field], color=chart.TEXT, lw=2)
    without, with_it = (_path(view, table, name) for name in ("bau", view.option))
    chart.band(ax, without, chart.duo()[0], alpha=0.20)
    chart.band(ax, with_it, chart.duo()[1], (0, (4, 2)), hatch="////", alpha=0.6)
    ends = [float(rows["mean"].iloc[-1]) for rows in (without, with_it)]
    # Pushed apart, so that the words cannot overlap.
    up = 12.0 if ends[0] >= ends[1] else -12.0
    chart.label_end(ax, view.last_year, ends[0], "Current policy", dy=up)
    chart.label_end(ax, view.last_year, ends[1], fill(view.label(view.option), 17), dy=-up)
    if field == "stock":
        _draw_claimed_paths(ax)
    middle = history.iloc[len(history) // 2]
    chart.note(ax, "Observed", (middle["year"], middle[field]), (4, -16), va="baseline")
    chart.set_years(ax, int(history["year"].min()), view.last_year, room=0.5)
    ax.yaxis.set_major_formatter(chart.signed(",.0f"))
    ax.set_ylim(0, None)


def _draw_claimed_paths(ax: Axes) -> None:
    """Draw the review's own two paths: straight from what it counted to what it expected and to what it claimed."""
    claims = load_claims()
    year, without = claims.children_without_reform.year, claims.children_without_reform.value
    for end, words in (
        (without, "Review: no reform"),
        (without - claims.fewer_children.value, "Review: reform"),
    ):
        ax.plot([REVIEWED, year], [claimed()["then"], end], color=chart.TEXT, lw=1.2, ls=(0, (1, 1.5)))
        chart.note(ax, words, (year, end), (-4, 9 if end == without else -9), ha="right", fontsize=9)


def _claimed_words() -> str:
    claims = load_claims()
    without = claims.children_without_reform
    return f"The review expected {without} in {without.year}, or {claims.fewer_children} fewer with reform. "


REVIEWED = 2022
"""Year of the review, from which its own paths start."""


def _describe_paths(history: pd.DataFrame, view: View, *, table: str, field: str, words: str) -> str:
    always = paths_overlap(view.first, view.option, view.last_year, table=table)
    low, high = history.loc[history[field].idxmin()], history.loc[history[field].idxmax()]
    ends = [
        f"{name} {counted(row['mean'])} in {view.last_year} (interval {spanned(row, counted)})"
        for name, row in (
            ("current policy", _path(view, table, "bau").iloc[-1]),
            ("with the option", _path(view, table, view.option).iloc[-1]),
        )
    ]
    return (
        f"Line chart with shaded intervals. Horizontal axis: year ending 31 March, {int(history['year'].min())} to "
        f"{view.last_year}. Vertical axis: {words}, from zero. Observed figures run from {counted(low[field])} in "
        f"{int(low['year'])} (lowest) to {counted(high[field])} in {int(high['year'])} (highest). Projected: "
        f"{'; '.join(ends)}. {_claimed_words() if field == 'stock' else ''}"
        f"The two intervals overlap {'in every year' if always else 'in some years only'}."
    )


def _path_figure(stem: str, field: str, words: str, what: str) -> Figure:
    """Return the figure of one count by year. `stem`: of its table; `field`: of the history."""
    table = f"{stem}_by_year"

    def tables(view: View) -> Below:
        observed = columns(YEAR, count={field: what})
        paths = (
            Data(
                table,
                PATH,
                f"{what}, {view.first.option_labels.get(option, option)}, England",
                chart.rows_with(option=option),
                name=f"{stem}_{option}",
            )
            for option in ("bau", view.option)
        )
        history = Data("history", observed, f"{what}, observed, England", name=f"{stem}_observed")
        return chart.below(view, history, *paths)

    return Figure(
        stem,
        f"{what}, with and without",
        tables,
        partial(_draw_paths, table=table, field=field),
        partial(_describe_paths, table=table, field=field, words=words),
        rows=lambda view: view.first.tables["history"].dropna(subset=[field]),
    )


# --- Fewer children ---


def _draw_fewer(ax: Axes, options: list[str], view: View) -> None:
    """Draw how many fewer children each option leaves in care in the target year, and the review's claim."""
    values = f"Fewer children in care at 31 March {view.first.analysis.target_year}"
    chart.draw_results(ax, view, FEWER, values=values, form=",.0f")
    claim = load_claims().fewer_children
    ax.axvline(claim.value, color=chart.TEXT, lw=1, ls=":")
    above = {"xycoords": ("data", "axes fraction"), "ha": "right", "va": "bottom"}
    chart.note(ax, f"Review: {claim}", (claim.value, 1.0), (-4, 4), **above)


def _describe_fewer(options: list[str], view: View) -> str:
    axis = f"fewer children in care at 31 March {view.first.analysis.target_year} than on current policy"
    return chart.describe_results(view, FEWER, style="count", axis=axis)


# --- The chain: what the review needs at each step, and what the evidence gives ---


_GAP, _PALE = 1.2, ("#FBD9C6", "#C9D8E8")
"""Between the two columns of bars, whose full length is one; colours on which dark text is read."""


def _draw_chain(ax: Axes, steps: pd.DataFrame, view: View) -> None:
    """Draw two columns of bars: the review's are full, those of the evidence are its share of what is needed."""
    for place, row in enumerate(steps.to_dict("records")):
        gives = row["gives"] / row["needs"] if row["needs"] > 0 else 0.0
        ax.barh(place, 1.0, height=0.46, color=_PALE[0], left=0.0)
        ax.barh(place, max(-0.1, min(gives, 1.0)), height=0.46, color=_PALE[1], left=_GAP)
        ax.plot([_GAP, _GAP], [place - 0.23, place + 0.23], color=chart.TEXT, lw=1)
        for left, words in ((0.0, row["needs_words"]), (_GAP, row["gives_words"])):
            ax.text(left + 0.03, place, words, va="center", color=chart.TEXT, fontsize=10)
        ax.text(0.0, place - 0.29, row["label"], va="bottom", color=chart.TEXT, fontsize=9.5, weight="bold")
    for left, words in ((0.0, "The review needs"), (_GAP, "The evidence gives")):
        ax.text(left, -0.85, words, va="bottom", color=chart.TEXT)
    ax.set_ylim(len(steps) - 0.6, -1.15)
    ax.set_xlim(-0.02, _GAP + 1.05)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.axis("off")


def _describe_chain(steps: pd.DataFrame, view: View) -> str:
    parts = (
        f"{row['label']}: {row['needs_words']} needed, {row['gives_words']} found"
        for _, row in steps.iterrows()
    )
    return (
        "Bar chart in two columns, what the review needs and what the evidence gives. Horizontal axis: share of what "
        f"the review needs at that step. {'; '.join(parts)}."
    )


def _chain_tables(view: View) -> Below:
    ends = {"mean": "Mean", "lower": "Lower", "upper": "Upper"}
    what = columns(text={"step": "Step"})
    steps = (
        Data(
            "effect_chain",
            columns(what, **{style: ends}),
            f"The evidence: {name}",
            chart.rows_with(option=view.option, kind=kind),
            name=f"chain_{kind}",
        )
        for kind, name, style in (
            ("money", "money", "money"),
            ("share", "shares", "number"),
            ("children", "children", "count"),
        )
    )
    need = columns(
        count={"target_children": "Fewer children"},
        share={"cut_median": "Fall in starts needed"},
        ratio={"risk_ratio_reach_0_6": "Risk left"},
    )
    return chart.below(
        view, *steps, Data("what_it_would_take", need, "What the review needs", name="chain_needs")
    )


# --- The tracker: starts expected each year under each belief, and starts published to date ---


def _draw_tracker(ax: Axes, published: pd.DataFrame, view: View) -> None:
    """Draw published starts, those expected on current policy and if the claim held, and the line between."""
    ahead, claim = belief_rows(view.first, "current_policy"), belief_rows(view.first, "claim")
    ax.plot(published["year"], published["mean"], color=chart.TEXT, lw=1.5, marker="o", ms=5)
    middle = published.iloc[len(published) // 2]
    chart.note(ax, "Published", (middle["year"], middle["mean"]), (-6, 12), va="baseline")
    chart.band(ax, ahead, chart.duo()[0], alpha=0.20)
    # The programme as the headline stance holds it: on current policy but for a few hundred starts.
    programme = belief_rows(view.first, "programme")
    ax.plot(programme["year"], programme["mean"], color=chart.duo()[0], lw=0, marker="o", ms=3.5)
    if len(claim):
        started = claim[claim["line"].notna()]
        chart.band(ax, started, chart.duo()[1], (0, (4, 2)), hatch="////", alpha=0.6)
        ax.plot(started["year"], started["line"], color=chart.TEXT, lw=1.2, linestyle=(0, (1, 1.5)))
        last = int(started["year"].max())
        chart.label_end(ax, last, float(started["mean"].iloc[-1]), "If the claim\nheld")
        chart.label_end(ax, last, float(started["line"].iloc[-1]), "On track: at\nor below this", dy=6)
    words = "Current policy;\nprogramme on the\nevidence (dots)"
    chart.label_end(ax, int(ahead["year"].max()), float(ahead["mean"].iloc[-1]), words, dy=10)
    chart.set_years(ax, int(published["year"].min()), int(ahead["year"].max()), room=0.55)
    ax.yaxis.set_major_formatter(chart.signed(",.0f"))
    ax.set_ylim(0, None)


def _describe_tracker(published: pd.DataFrame, view: View) -> str:
    ahead, claim = belief_rows(view.first, "current_policy"), belief_rows(view.first, "claim")
    last, end = published.iloc[-1], ahead.iloc[-1]
    text = (
        f"Line chart. Horizontal axis: year ending 31 March, {published['year'].min()} to {ahead['year'].max()}. "
        "Vertical axis: children starting care in the year who are not unaccompanied, from 0. The last published "
        f"figure is {counted(last['mean'])} in {last['year']}. On current policy {_range(end)} would start in "
        f"{end['year']}; with the programme as the evidence has it "
        f"{_range(belief_rows(view.first, 'programme').iloc[-1])}. "
    )
    if len(claim):
        text += (
            f"If the review’s claim held {_range(claim.iloc[-1])} would. A dotted line at "
            f"{counted(claim.iloc[-1]['line'])} in that year marks what would still be on track."
        )
    return text


def _range(row: pd.Series[Any]) -> str:
    low, mid, high = (counted(row[field]) for field in ("lower", "mean", "upper"))
    return f"{mid} ({low} to {high})"


def _tracker_tables(view: View) -> Below:
    published = columns(YEAR, count={"mean": "Starts published"})
    beliefs = [(view.first, "published", "Published, newest release"), *tracker_beliefs(view.appraisals)]
    tables = (
        Data(
            "tracker",
            published if belief == "published" else PATH,
            f"Starts of children who are not unaccompanied, England: {label}",
            chart.rows_with(belief=belief),
            name=f"tracker_{belief}_{appraisal.stance}",
            appraisal=appraisal,
        )
        for appraisal, belief, label in beliefs
    )
    return chart.below(view, *tables)


FIGURES = (
    _path_figure("children", "stock", "children in care", "Children in care at the end of March"),
    _path_figure("starts", "starts", "children starting", "Children starting to be looked after"),
    Figure(
        "fewer",
        "Fewer children in care, by option and view",
        lambda view: results_below(view.appraisals, FEWER, style="count", what="Fewer children in care"),
        _draw_fewer,
        _describe_fewer,
        lambda view: chart.drawn_options(view.appraisals, FEWER),
        chart.results_height,
    ),
    Figure(
        "chain",
        "From money to children: needed and found",
        _chain_tables,
        _draw_chain,
        _describe_chain,
        chain,
        4.1,
        needs=has_chain,
    ),
    Figure(
        "tracker",
        "Starts expected each year under each belief",
        _tracker_tables,
        _draw_tracker,
        _describe_tracker,
        lambda view: belief_rows(view.first, "published"),
        needs="tracker",
    ),
)
