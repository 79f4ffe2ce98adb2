"""Figures of the decision: risk of every option, and which is best by the value of a child-year."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.choices import View
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Data, Figure
from cba.reporting.html_tables import columns
from cba.reporting.numbers import chance_of, counted, is_defined, netted, pounds, priced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


VALUE = columns(price={"value_per_child_year": "Value of a child-year"})


# --- Risk ---


def _cash_risk(view: View) -> pd.DataFrame:
    rows = view.rows("risk", value_per_child_year=0.0)
    return rows[rows["option"] != "bau"]


def _draw_risk(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw expected net present value of every option beside the mean of its worst draws."""
    divisor, unit = chart.scale_of(float(rows[["mean", "cvar"]].abs().to_numpy().max(initial=1.0)))
    first, second = chart.colours(3)[0], chart.colours(3)[2]
    places, mean, worst = np.arange(len(rows)), rows["mean"] / divisor, rows["cvar"] / divisor
    ax.hlines(places, worst, mean, color=chart.GREY, lw=2)
    ax.plot(mean, places, "o", color=first, ms=8, mec="white", label="Expected value")
    ax.plot(worst, places, "D", color=second, ms=7, mec="white", label="Mean of the worst twentieth")
    labels = [fill(view.label(option), 21) for option in rows["option"]]
    values = f"Net present value, {unit} ({chart.MINUS}: net cost)"
    chart.name_rows(ax, labels, values=values, zero=True, form=",g", ticks=5)
    chart.key_above(ax, left=-0.45, ncols=2, handletextpad=0.3)


def _describe_risk(rows: pd.DataFrame, view: View) -> str:
    parts = [
        f"{view.first.option_labels[row['option']]}: {netted(row['mean'])}, worst 5% {netted(row['cvar'])}"
        for row in rows.to_dict("records")
    ]
    return (
        "Dot chart, one row for each option: a circle for its expected net present value, a diamond for the mean "
        f"of its worst draws. Horizontal axis: net present value in pounds. {'; '.join(parts)}."
    )


# --- Along the value of a child-year: which option is best and how surely, and the frontier of options ---


MOST_LINES = 4


SHOWN_CHANCE = 0.05
"""An option is drawn where its chance of being best reaches this somewhere, or where it is the one to choose."""


def contenders(appraisal: Appraisal) -> list[str]:
    """Return the options that are worth drawing in acceptability curves, those to choose first, then the surest.

    Every option that is somewhere the one to choose; at most four where these are not more.
    """
    table = appraisal.tables["acceptability"]
    highest = table.groupby("option", sort=False)["prob_best"].max()
    chosen = set(table.loc[table["best"].astype(bool), "option"])
    order = sorted(highest.index, key=lambda name: (name not in chosen, -highest[name]))
    kept = [name for name in order if name in chosen or highest[name] >= SHOWN_CHANCE]
    return kept[: max(MOST_LINES, len(chosen))]


def _draw_acceptability(ax: Axes, table: pd.DataFrame, view: View) -> None:
    """Draw each contender's chance of being best by the value of a child-year; points mark the one to choose."""
    rows = table[table["value_per_child_year"] > 0]
    palette = chart.colours(4)
    for number, name in enumerate(contenders(view.first)):
        one = rows[rows["option"] == name]
        values, chances = one["value_per_child_year"].to_numpy(), 100 * one["prob_best"].to_numpy()
        shade = palette[number % len(palette)]
        # A colour comes back with another dash.
        dash = chart.DASHES[(number + number // len(palette)) % len(chart.DASHES)]
        ax.plot(values, chances, color=shade, ls=dash, lw=2.2, label=fill(view.label(name), 44))
        best = one["best"].to_numpy(dtype=bool)
        ax.plot(values[best], chances[best], "o", color=shade, ms=5, label="_")
    ax.set_xscale("log")
    ax.minorticks_off()
    ticks = {1e4: "£10,000", 1e5: "£100,000", 1e6: "£1m", 1e7: "£10m"}
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.set_xlim(8e3, 1.7e7)
    ax.set_xlabel("Value of a child-year at home (logarithmic scale)")
    ax.set_ylim(0, 103)
    chart.name_values(ax, "Chance of being best, %")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.09), ncols=1, borderaxespad=0.0, handlelength=2.4)


def _describe_acceptability(table: pd.DataFrame, view: View) -> str:
    best = table[table["best"].astype(bool)]
    changed = best[best["option"] != best["option"].shift()]
    parts = [
        f"from {priced(row['value_per_child_year'])}: {view.first.option_labels[row['option']]} "
        f"({chance_of(row['prob_best'])} chance of being best)"
        for row in changed.to_dict("records")
    ]
    return (
        f"Line chart, one line for each of {len(contenders(view.first))} options that can be best; points mark the "
        "option with the highest expected net benefit. Horizontal axis: value of a child-year in pounds, on a "
        f"logarithmic scale. Vertical axis: chance of being best, per cent. The highest expected: {'; '.join(parts)}."
    )


def _draw_frontier(ax: Axes, table: pd.DataFrame, view: View) -> None:
    """Draw every option by mean net cost and mean child-years, the frontier of undominated options joined."""
    rows = table.sort_values("cost")
    divisor, unit = chart.scale_of(float(rows["cost"].abs().max()))
    on = rows[rows["status"] == "frontier"]
    first, second = chart.colours(2)[:2]
    ax.plot(on["effect"], on["cost"] / divisor, "-", color=first, lw=2)
    for row in rows.to_dict("records"):
        kept = row["status"] == "frontier"
        style = {"color": first, "marker": "o"} if kept else {"color": second, "marker": "X"}
        ax.plot(row["effect"], row["cost"] / divisor, ls="none", ms=9, mec="white", **style)
    for effect, cost, text in _numbered_points(rows):
        chart.label_end(ax, effect, cost / divisor, text, dy=-9)  # below: the frontier climbs
    names = [f"{number}  {view.label(name)}" for number, name in enumerate(rows["option"], start=1)]
    ax.axhline(0.0, color=chart.TEXT, lw=1)
    ax.margins(x=0.12, y=0.1)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    low, high = ax.get_ylim()
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(chart.signed(",g"))
    chart.name_values(ax, f"Mean net cost, {unit}")
    key = "Circles joined: frontier. Crosses: dominated.\n" + "\n".join(fill(n, 44) for n in names)
    ax.set_xlabel("Child-years at home, less harm, discounted\n\n" + key, loc="left")


def _numbered_points(rows: pd.DataFrame) -> list[tuple[float, float, str]]:
    """Where to write the numbers of the points: one label for points whose labels would run into each other."""
    found: list[tuple[float, float, str]] = []
    width, height = (float(np.ptp(rows[name])) or 1.0 for name in ("effect", "cost"))
    for number, (effect, cost) in enumerate(zip(rows["effect"], rows["cost"], strict=True), start=1):
        near = [
            place
            for place, (x, y, text) in enumerate(found)
            if abs(x - effect) < (0.05 + 0.025 * len(text)) * width and abs(y - cost) < 0.09 * height
        ]
        if near:
            x, y, text = found[near[0]]
            found[near[0]] = (max(x, effect), min(y, cost), f"{text}, {number}")
        else:
            found.append((effect, cost, str(number)))
    return found


def _describe_frontier(rows: pd.DataFrame, view: View) -> str:
    parts = []
    for row in rows.to_dict("records"):
        words = (
            f"{view.first.option_labels[row['option']]}: {counted(row['effect'])} child-years at "
            f"{pounds(row['cost'])}, {row['status']}"
        )
        if is_defined(row["icer"]):
            words += f", {pounds(row['icer'])} for each further child-year"
        parts.append(f"{words}.")
    return (
        "Dot chart, one point for each option; options on the frontier are joined. Horizontal axis: mean "
        "discounted child-years at home less harm. Vertical axis: mean net cost in pounds, present value. "
        + " ".join(parts)
    )


# --- The specification curve: every combination of choices tried, in the order of what it finds ---


def _draw_curve(
    ax: Axes, table: pd.DataFrame, quantity: str, view: View, *, divisor: float, values: str
) -> None:
    """Draw the mean and the interval of every specification, those of one way of paying side by side."""
    start, middles, names = 0, [], []
    for number, (option, rows) in enumerate(table.groupby("option", sort=False)):
        places = start + rows[f"{quantity}_place"].to_numpy()
        low, mean, high = (
            rows[f"{quantity}_{end}"].to_numpy() / divisor for end in ("lower", "mean", "upper")
        )
        ax.vlines(places, low, high, color=chart.GREY, lw=0.8)
        ax.plot(places, mean, "o", color=chart.colours(3)[number % 3], ms=2.2)
        own = (rows["kind"] == "headline").to_numpy()
        ax.plot(places[own], mean[own], "D", color=chart.TEXT, ms=7)
        if not number and own.any():
            chart.note(ax, "headline", (places[own][0], mean[own][0]), (0, -42), ha="center")
        middles.append(start + len(rows) / 2)
        names.append(fill(view.label(str(option)), 16))
        start += len(rows) + 15
    ax.axhline(0.0, color=chart.TEXT, lw=1)
    ax.set_xticks(middles, names)
    ax.grid(axis="x", visible=False)
    ax.yaxis.set_major_formatter(chart.signed(",g"))
    chart.name_values(ax, values)


def _describe_curve(table: pd.DataFrame, quantity: str, view: View, *, said: Callable[[float], str]) -> str:
    parts = [
        f"{view.first.option_labels[str(option)]}: means from {said(rows[f'{quantity}_mean'].min())} to "
        f"{said(rows[f'{quantity}_mean'].max())}"
        for option, rows in table.groupby("option", sort=False)
    ]
    return (
        "Dot chart, a point with its interval for each combination of choices, from the least to the greatest along "
        f"the horizontal axis, the ways of paying side by side; a diamond marks the headline. {'; '.join(parts)}."
    )


def _curve(quantity: str, title: str, *, values: str, divisor: float, said: Callable[[float], str]) -> Figure:
    """Return the figure of one quantity of the curve; its data are the summary and, in the file, every point."""
    shown = f"{quantity}_mean", f"{quantity}_lower", f"{quantity}_upper"
    data = Data(
        "specification_curve",
        columns(
            _OPTION,
            plain={"number": "Specification"},
            text={"kind": "Kind", "axis": "Choice", "level": "Level"},
            **{
                "fewer" if quantity == "fewer" else "money": dict(
                    zip(shown, ("Mean", "Lower", "Upper"), strict=True)
                )
            },
        ),
        f"{title}: the headline, each other level alone, and the corners",
        lambda view: {"kind__among": "headline alone less_favourable more_favourable"},
        name=f"specification_curve_{quantity}",
    )
    return Figure(
        f"curve_{quantity}",
        title,
        data,
        lambda ax, rows, view: _draw_curve(ax, rows, quantity, view, divisor=divisor, values=values),
        lambda rows, view: _describe_curve(rows, quantity, view, said=said),
        rows=lambda view: view.first.tables["specification_curve"],
        height=4.2,
    )


_OPTION = columns(option={"option": "Option"})


FIGURES = (
    _curve(
        "fewer",
        "Children fewer in care under every combination of choices",
        values="Children fewer in the target year, mean and interval",
        divisor=1.0,
        said=counted,
    ),
    _curve(
        "npv",
        "Net present value under every combination of choices",
        values=f"Net present value, £ billion ({chart.MINUS}: net cost)",
        divisor=1e9,
        said=netted,
    ),
    Figure(
        "acceptability",
        "Chance of being the best option",
        Data(
            "acceptability",
            columns(
                VALUE,
                _OPTION,
                money={"net_benefit": "Expected net benefit", "net_benefit_se": "Error"},
                probability={"prob_best": "Chance of being best"},
            ),
            "Expected net benefit and chance of being best, options drawn: every option that is somewhere the one to "
            "choose, then those likeliest to be best",
            lambda view: {"option__among": " ".join(contenders(view.first))},
        ),
        _draw_acceptability,
        _describe_acceptability,
        rows=lambda view: view.first.tables["acceptability"],
        height=4.7,
    ),
    Figure(
        "frontier",
        "Options by cost and child-years",
        Data(
            "frontier",
            columns(
                _OPTION,
                columns(money={"cost": "Mean net cost"}, count={"effect": "Child-years, less harm"}),
                name={"status": "Status"},
                money={"icer": "Cost of each further child-year"},
            ),
            "Cost-effectiveness frontier: means, present value, against business as usual",
        ),
        _draw_frontier,
        _describe_frontier,
        height=lambda rows: 3.9 + 0.19 * len(rows),  # the chart and its key, one line an option
    ),
    Figure(
        "risk",
        "Expected value and worst cases",
        Data(
            "risk",
            columns(
                VALUE,
                _OPTION,
                money={
                    "mean": "Expected",
                    "cvar": "Mean of the worst twentieth",
                    "expected_loss": "Mean regret",
                    "worst_loss": "Regret, 99th percentile",
                },
                probability={"prob_best": "Chance of being best", "prob_negative": "Chance of a net loss"},
            ),
            "Expected net benefit, worst cases and regret, by value of a child-year",
        ),
        _draw_risk,
        _describe_risk,
        rows=_cash_risk,
        height=lambda rows: 1.4 + 0.45 * max(len(rows), 1),
    ),
)
