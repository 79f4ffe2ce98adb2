"""Figures of the decision: which option is best by the value of a child-year, and the specification curve."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import fill
from typing import TYPE_CHECKING

import pandas as pd

from cba.reporting.choices import View
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Data, Figure
from cba.reporting.html_tables import columns
from cba.reporting.numbers import chance_of, counted, netted, priced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


VALUE = columns(price={"value_per_child_year": "Value of a child-year"})


# --- Along the value of a child-year: which option is best and how surely ---


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
)
