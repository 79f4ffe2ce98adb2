"""Figures of the evidence: effects from study to roll-out, interventions, the panel of authorities, break-even."""

from __future__ import annotations

from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

import pandas as pd

from cba.inputs.table_words import CLASSES_OF_ESTIMAND
from cba.reporting.choices import View, holds
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Below, Data, Figure
from cba.reporting.html_tables import columns, csv_link, range_columns
from cba.reporting.names import full_name, stance_name
from cba.reporting.numbers import matching_rows, per_cent, pounds, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# --- One effect as published, with bias removed, in a new setting, and in a national roll-out ---


_FAMILY_HELP = tuple(f"class_{name}" for name in CLASSES_OF_ESTIMAND["care_entry_log_rr"])
_BESIDE = ("precision", "selection", "new_authority", *_FAMILY_HELP)
"""Stages shown for comparison: they do not lead to the roll-out."""


def effect_figures(view: View) -> list[Figure]:
    """Return one figure for each effect, from published studies to a national roll-out."""
    table = view.first.tables["effects"]
    labels = dict(zip(table["estimand"], table["label"], strict=True))
    return [
        _effect_figure(str(name), str(label), number)
        for number, (name, label) in enumerate(labels.items(), start=1)
    ]


def _effect_figure(estimand: str, label: str, number: int) -> Figure:
    stages = columns(columns(name={"stage": "Stage"}), range_columns("number"))
    shown = columns(stages, probability={"prob_beneficial": "Chance that it helps"})
    return Figure(
        f"effect_{estimand}",
        label,
        Data("effects", shown, label, chart.rows_with(estimand=estimand)),
        partial(_draw_effect, estimand=estimand, label=label),
        partial(_describe_effect, label=label),
        height=lambda rows: 1.2 + 0.45 * len(rows),
        anchor=f"effect-{number}",
    )


def _draw_effect(ax: Axes, rows: pd.DataFrame, view: View, *, estimand: str, label: str) -> None:
    """Draw one effect by stage; what stands beside the way to the roll-out is dashed."""
    main, aside = chart.duo()
    for place, row in enumerate(rows.to_dict("records")):
        beside = row["stage"] in _BESIDE
        colour, line = (aside, "--") if beside else (main, "-")
        ax.plot([row["lower"], row["upper"]], [place, place], color=colour, lw=2.2, ls=line)
        look = {"color": "white" if beside else colour, "ms": 8, "mec": colour, "mew": 1.6}
        ax.plot(row["mean"], place, "os^DvP"[place % 6], **look)
    ax.axvline(no_effect(estimand), color=chart.TEXT, lw=1)
    chart.name_rows(ax, [full_name(stage) for stage in rows["stage"]], values=fill(label, 34), form="g")


def no_effect(estimand: str) -> float:
    """Return the value that means no effect: 1 for a ratio, 0 for a difference or a logarithm."""
    words = estimand.lower()
    ratio = "ratio" in words or "relative_risk" in words
    return 1.0 if ratio and "log" not in words else 0.0


def _describe_effect(rows: pd.DataFrame, view: View, *, label: str) -> str:
    parts = [
        f"{full_name(row['stage'])}: {show(row['mean'], unit=0.01)} (interval {show(row['lower'], unit=0.01)} to "
        f"{show(row['upper'], unit=0.01)})"
        for row in rows.to_dict("records")
    ]
    return (
        f"Interval chart, one row for each of {len(rows)} stages. Horizontal axis: {label}; the line marks no effect. "
        f"{'; '.join(parts)}."
    )


# --- The break-even map: cut in starts against cashable saving per child-year, with beliefs and claims ---


_THOUSAND = 1e3


_TOP = 150.0
"""Thousand pounds at the top of the axis, unless beliefs or claims lie higher."""


_MAP_DASHES = ("-", "--", ":", "-.")


Maps = dict[str, pd.DataFrame]
"""The map of each stance that has one; the curve and the claims are read from the first."""


def _maps(view: View) -> Maps:
    return {
        appraisal.stance: matching_rows(appraisal.tables["break_even_map"], {"option": view.programme})
        for appraisal in view.appraisals
        if holds(appraisal, "break_even_map", view.programme)
    }


def _draw_map(ax: Axes, maps: Maps, view: View) -> None:
    """Draw the curve on which an option breaks even, where each stance puts it, and the review's figures."""
    first = next(iter(maps.values()))
    lowest, highest, top = _limits(maps)
    curve = first[(first["kind"] == "contour") & (first["value"] / _THOUSAND <= top)]
    ax.plot(100 * curve["cut"], curve["value"] / _THOUSAND, color=chart.TEXT, lw=2)
    small = {"ha": "center", "fontsize": 9.5}
    for number, (stance, table) in enumerate(maps.items()):
        _draw_stance(ax, table, stance, number)
    for row in first[first["kind"] == "claim"].itertuples():
        at = (100 * row.cut, row.value / _THOUSAND)
        ax.plot(*at, marker="X", ms=9, color=chart.TEXT, ls="none")
        chart.note(ax, fill(str(row.label), 16), at, (0.0, -9), **small | {"va": "top"})
    if len(curve):
        nearest = curve.iloc[0]
        at = (100 * nearest["cut"], nearest["value"] / _THOUSAND)
        chart.note(ax, "Breaks even", at, (8, 2), **small | {"ha": "left"})
        chart.note(ax, "Net saving", (highest - 1, top), (0.0, -4), **small | {"ha": "right", "va": "top"})
    ax.axvline(0.0, color=chart.TEXT, lw=0.8)
    ax.set_xlim(lowest, highest)
    ax.set_ylim(0.0, top)
    ax.xaxis.set_major_formatter(chart.signed(".0f"))
    ax.set_xlabel("Fewer starts in the target year, %")
    chart.name_values(ax, "Cashable saving per child-year, £ thousand")


def _draw_stance(ax: Axes, table: pd.DataFrame, stance: str, number: int) -> None:
    """Draw the ring that holds most of a stance's draws, its point, and its name above or below."""
    colour, above = chart.colours(4)[number % 4], number % 2 == 0
    edge, point = table[table["kind"] == "region"], table[table["kind"] == "point"]
    look = {"color": colour, "lw": 1.6, "ls": _MAP_DASHES[number % 4]}
    ax.plot(100 * edge["cut"], edge["value"] / _THOUSAND, **look)
    x, y = 100 * float(point["cut"].iloc[0]), float(point["value"].iloc[0]) / _THOUSAND
    ax.plot(x, y, marker=chart.MARKERS[number % 4], ms=7, color=colour, ls="none")
    end = edge.loc[edge["value"].idxmax() if above else edge["value"].idxmin()]
    at = (float(100 * end["cut"]), float(end["value"] / _THOUSAND))
    side = {"ha": "center", "va": "bottom" if above else "top"}
    chart.note(ax, stance_name(stance), at, (0.0, 4 if above else -4), fontsize=9.5, **side)


def _limits(maps: Maps) -> tuple[float, float, float]:
    """Lowest and highest cut (per cent) and highest value (thousand pounds) that the axes must hold."""
    shown = [table[table["kind"].isin(("region", "point", "claim"))] for table in maps.values()]
    lowest = min(0.0, *(100 * float(rows["cut"].min()) for rows in shown))
    highest = max(100 * float(rows["cut"].max()) for rows in shown)
    top = max(_TOP, *(float(rows["value"].max()) / _THOUSAND for rows in shown))
    room = 0.18 * (highest - lowest)
    return lowest - room / 2, highest + room, 1.1 * top


def _describe_map(maps: Maps, view: View) -> str:
    first = next(iter(maps.values()))
    points = [(stance_name(s), t[t["kind"] == "point"].iloc[0]) for s, t in maps.items()]
    said = [f"{name}: {_place(row)}" for name, row in points]
    said += [f"{row.label}: {_place(row)}" for _, row in first[first["kind"] == "claim"].iterrows()]
    curve = first[first["kind"] == "contour"]
    ends = "No curve: the option pays without any cut in starts."
    if len(curve):
        ends = (
            "A falling curve marks break-even, from "
            f"{_place(curve.iloc[0])} to {_place(curve.iloc[-1])}; above it the option saves, below it costs."
        )
    return (
        "Dot chart with rings and a curve. Horizontal axis: fewer starts in the target year, per cent. "
        "Vertical axis: cashable saving per child-year, thousand pounds. "
        f"{ends} {'; '.join(said)}. A ring round a stance's point holds most of its draws."
    )


def _place(row: pd.Series) -> str:
    cut, value = float(row["cut"]), float(row["value"])
    words = per_cent(abs(cut))
    return f"{words} {'fewer' if cut >= 0 else 'more'} starts at {pounds(value)} a child-year"


def _map_tables(view: View) -> Below:
    place = columns(
        share={"cut": "Fewer starts in the target year"}, money={"value": "Cashable saving per child-year"}
    )
    worth = {
        "money": {"npv": "Net present value"},
        "probability": {"prob_positive": "Chance of a net saving"},
    }

    def rows(kind: str, caption: str, first: str = "", **changes: Any) -> Data:
        named = columns(**{first: {"label": "Claim"} if kind == "claim" else {"name": "Stance"}})
        shown = columns(named, place, **worth) if first else place
        where = chart.rows_with(option=view.programme, kind=kind)
        return Data("break_even_map", shown, caption, where, **changes)

    held = [a for a in view.appraisals if holds(a, "break_even_map", view.programme)]
    caption = "Where the stance puts it"
    tables, _ = chart.below(
        view,
        *(rows("point", f"{caption}: {stance_name(a.stance)}", "name", appraisal=a) for a in held),
        rows("claim", "Where the review’s figures put it", "text"),
        rows("contour", "The curve on which net present value is nil"),
    )
    where = {"option": view.programme}
    return tables, [csv_link(view.first, "break_even_map", name="break_even_map", where=where)]


# --- England's own panel beside its placebos, the chain from money to children, and a pilot ---


_PILOT = {"outcome": "starts", "kind": "pilot", "label": "pilot areas, expected"}


def _reconciled_rows(view: View) -> pd.DataFrame:
    """Return the rows of the panel and the chain, and the fall that the announced pilot is expected to show."""
    rows = view.rows("panel_reconciled")
    if not view.holds("pilot_power"):
        return rows
    announced = view.rows("pilot_power", published=True, asked=True).iloc[:1]
    falls = {end: -announced[f"fall_percent_{other}"] / 100.0 for end, other in _TURNED.items()}
    place = rows["outcome"].eq("starts").sum()
    return pd.concat(
        [rows.iloc[:place], announced.assign(**falls, **_PILOT)[rows.columns], rows.iloc[place:]]
    )


_TURNED = {"mean": "mean", "lower": "upper", "upper": "lower"}
"""Ends of a change and of the fall it is."""


def _draw_reconciled(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw every estimate of the same change under each other; placebos are dashed."""
    main, aside = chart.duo()
    for place, row in enumerate(rows.to_dict("records")):
        colour, line = (aside, "--") if row["kind"] == "placebo" else (main, "-")
        ax.plot([row["lower"] * 100, row["upper"] * 100], [place] * 2, color=colour, lw=2.2, ls=line)
        ax.plot(row["mean"] * 100, place, "o", color=colour, mec="white", ms=8)
    names = [f"{row.outcome.capitalize()}: {row.label}" for row in rows.itertuples()]
    chart.name_rows(ax, names, values="Change, per cent", zero=True, form="g")


def _describe_reconciled(rows: pd.DataFrame, view: View) -> str:
    parts = [
        f"{row.outcome}, {row.label}: {show(100 * row.mean, unit=0.1)}% "
        f"({show(100 * row.lower, unit=0.1)} to {show(100 * row.upper, unit=0.1)}%)"
        for row in rows.itertuples()
    ]
    return (
        f"Interval chart of {len(rows)} estimates of the same change in an area. Horizontal axis: change in starts, or "
        f"in the odds of leaving care, per cent; the line marks none. {'; '.join(parts)}."
    )


RECONCILED = Figure(
    "panel",
    "England’s panel, placebos, the chain and a pilot",
    Data(
        "panel_reconciled",
        columns(columns(text={"outcome": "Outcome", "label": "Estimate"}), range_columns("share")),
        "Change in an area: what the panel finds, also where there was nothing to find, and what the model believes",
    ),
    _draw_reconciled,
    _describe_reconciled,
    rows=_reconciled_rows,
    height=lambda rows: 1.2 + 0.4 * len(rows),
    anchor="panel-reconciled",
)


FIGURES = (
    RECONCILED,
    Figure(
        "break_even_map",
        "Break-even map",
        _map_tables,
        _draw_map,
        _describe_map,
        rows=_maps,
        height=4.4,
        needs="break_even_map",
        anchor="break-even-map",
    ),
)
