"""Figures of what finding out is worth: by research question, and "pilot first or go now"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.reporting.choices import View, announced_row, published_learning, question_values, value_shown
from cba.reporting.figures import style as chart
from cba.reporting.figures.decisions import VALUE
from cba.reporting.figures.style import Data, Figure
from cba.reporting.html_tables import columns, range_columns
from cba.reporting.numbers import chance_of, pounds, priced, rounding_unit, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# --- Value of information ---


def _draw_information(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw the value of perfect information on each research question, with its error."""
    divisor, unit = chart.scale_of(float((rows["value"] + 1.96 * rows["se"]).max()))
    value, error = rows["value"], rows["se"]
    pairs = zip(value, error, strict=True)
    words = (pounds(float(raw), unit=rounding_unit(raw, se)) for raw, se in pairs)
    axis = f"Value of knowing it exactly, {unit}, present value"
    shown, errors = value / divisor, error / divisor
    chart.named_bars(ax, shown, rows["question"], words, errors=errors, axis=axis, wrap=60, ticks=4)
    ax.margins(x=0.25)
    ax.set_xlim(left=0.0)


def _describe_information(rows: pd.DataFrame, view: View) -> str:
    parts = [
        f"{row['question']}: {pounds(row['value'], unit=rounding_unit(row['value'], row['se']))} "
        f"(error {pounds(row['se'], unit=rounding_unit(row['se'], figures=2))})"
        for row in rows.to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each research question, highest first; lines are 95% intervals. "
        "Horizontal axis: value of perfect information in pounds, present value, at "
        f"{priced(value_shown(view.first))} for a child-year. {'; '.join(parts)}."
    )


# --- What a pilot can see: the smallest fall it would detect beside the fall that is expected ---


def _announced_length(view: View) -> pd.DataFrame:
    years = announced_row(view.first, view.option)["years"]
    return view.rows("pilot_power", option=view.option, years=years, asked=True)


def _draw_power(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw the fall in starts that each two-year design could detect beside the fall that is expected."""
    first, second, places = chart.colours(2)[0], chart.colours(3)[2], np.arange(len(rows))
    ax.hlines(places, rows["fall_percent_lower"], rows["fall_percent_upper"], color=first, lw=2.4)
    circles = {"color": first, "ms": 7, "mec": "white", "label": "Expected, with interval"}
    ax.plot(rows["fall_percent_mean"], places, "o", **circles)
    ax.plot(rows["detectable_percent"], places, "D", color=second, ms=7, label="Smallest detectable")
    labels = [_design(row) for row in rows.to_dict("records")]
    chart.name_rows(ax, labels, values="Fall in starts, %", zero=True, form="g")
    chart.key_above(ax, left=-0.3, ncols=2, handletextpad=0.3)


def _describe_power(rows: pd.DataFrame, view: View) -> str:
    parts = [
        f"{_design(row)}: detectable {show(row['detectable_percent'], unit=0.1)}%, expected "
        f"{show(row['fall_percent_mean'], unit=0.01)}%, chance of finding it {chance_of(row['power'])}"
        for row in rows.to_dict("records")
    ]
    return (
        "Interval chart, one row for each design. Horizontal axis: fall in starts in the areas studied, per cent; "
        "a circle with a line is what is expected, a diamond the smallest fall found with a power of 80%. "
        f"{'; '.join(parts)}."
    )


def _design(row: dict[str, object]) -> str:
    words = f"{row['areas']} areas" + (", in steps" if row["design"] != "pilot" else "")
    return f"{words} (announced)" if row["published"] else words


# --- The best strategy by design and value ---


STRATEGIES = {"never": "Never", "go_now": "Now", "pilot_first": "Pilot", "in_steps": "Steps"}


_DARK = ("go_now", "pilot_first")


def _best(view: View) -> pd.DataFrame:
    rows = view.rows("pilot_or_now", option=view.option)
    return rows[rows["best"].astype(bool)]


def _designs(best: pd.DataFrame) -> pd.DataFrame:
    return best[["years", "areas"]].drop_duplicates().sort_values(["years", "areas"])


def _draw_map(ax: Axes, best: pd.DataFrame, view: View) -> None:
    """Draw which strategy is best for each design of a pilot and value of a child-year."""
    designs, values = _designs(best), sorted(best["value_per_child_year"].unique())
    fills = dict(
        zip(STRATEGIES, ("#FFFFFF", *chart.colours(4)[:1], *chart.colours(4)[2:3], chart.GREY), strict=True)
    )
    labels = []
    for place, (years, areas) in enumerate(designs.itertuples(index=False)):
        one = best[(best["years"] == years) & (best["areas"] == areas)].set_index("value_per_child_year")
        labels.append(f"{areas} areas, {years} year{'s' if years > 1 else ''}")
        for column, value in enumerate(values):
            name = str(one.loc[value, "strategy"])
            cell = {"color": fills[name], "edgecolor": "#B1B4B6", "lw": 0.8}
            ax.barh(place, 0.96, left=column - 0.48, height=0.9, **cell)
            ink = "white" if name in _DARK else chart.TEXT
            ax.text(column, place, STRATEGIES[name], ha="center", va="center", color=ink, fontsize=9)
    chart.name_rows(ax, labels, ends=(0.45, 0.55), values="Value of a child-year at home")
    ax.set_xticks(range(len(values)), [_short(value) for value in values], fontsize=9)
    ax.set_xlim(-0.55, len(values) - 0.45)
    ax.grid(visible=False)


def _describe_map(best: pd.DataFrame, view: View) -> str:
    parts = []
    for value, one in best.groupby("value_per_child_year"):
        counts = one["strategy"].value_counts()
        words = ", ".join(f"{STRATEGIES[str(name)].lower()} in {number}" for name, number in counts.items())
        parts.append(f"at {priced(value)} {words}")
    return (
        f"Grid of cells, one row for each of {len(_designs(best))} designs of a pilot, each cell naming the best "
        "strategy. Horizontal axis: value of a child-year in pounds. Vertical axis: number of areas and years of the "
        f"pilot. Best in so many designs: {'; '.join(parts)}."
    )


# --- Learning against delay ---


_PARTS = {
    "value_of_learning": "Value of learning",
    "cost_of_delay": "Cost of delay",
    "pilot_cost": "Net cost of the pilot",
}


def _draw_learning(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw what the published pilot would teach beside what waiting for it costs, by value of a child-year."""
    divisor, unit = chart.scale_of(float(rows[list(_PARTS)].abs().to_numpy().max(initial=1.0)))
    looks = zip(_PARTS.items(), chart.colours(3), ("", "//", ".."), strict=True)
    for number, ((part, label), colour, hatch) in enumerate(looks):
        places, errors = np.arange(len(rows)) + 0.26 * (number - 1), rows[f"{part}_se"]
        style = {"height": 0.24, "color": colour, "hatch": hatch, "edgecolor": "white", "label": label}
        lines = {"xerr": 1.96 * errors / divisor, "error_kw": {"ecolor": chart.TEXT, "elinewidth": 1.2}}
        ax.barh(places, rows[part] / divisor, **style, **lines)
        for place, raw, se in zip(places, rows[part], errors, strict=True):
            words = pounds(raw, unit=rounding_unit(raw, se))
            chart.note(ax, words, ((max(raw, 0.0) + 1.96 * se) / divisor, place), (5, 0), fontsize=8.5)
    labels = [_short(value) for value in rows["value_per_child_year"]]
    values = f"Present value, {unit}; rows: value of a child-year"
    chart.name_rows(ax, labels, values=values, zero=True, form=",g", ticks=5)
    ax.margins(x=0.22)
    chart.key_above(ax, left=-0.16, ncols=3, columnspacing=1.0)


def _describe_learning(rows: pd.DataFrame, view: View) -> str:
    parts = [
        f"at {priced(row['value_per_child_year'])}: learning {pounds(row['value_of_learning'])}, delay "
        f"{pounds(row['cost_of_delay'])}, pilot {pounds(row['pilot_cost'])}"
        for row in rows.to_dict("records")
    ]
    return (
        "Horizontal bar chart, three bars for each value of a child-year: value of learning, cost of delay and net "
        f"cost of the pilot. Horizontal axis: present value in pounds. {'; '.join(parts)}."
    )


def _short(value: float) -> str:
    """Write a value of a child-year in a few letters."""
    if value >= 1e6:
        return f"£{value / 1e6:g}m"
    return f"£{value / 1e3:g}k" if value else "£0"


_DESIGN = columns(count={"areas": "Areas"}, plain={"years": "Years"})


FIGURES = (
    Figure(
        "pilot_map",
        "Best strategy by design and value",
        Data(
            "pilot_or_now",
            columns(
                VALUE,
                _DESIGN,
                name={"strategy": "Best strategy"},
                money={"expected_payoff": "Its expected payoff", "se": "Error"},
            ),
            "Best of the four strategies and its expected payoff, by design of the pilot and value of a child-year",
            lambda view: {"option": view.option, "best": True},
        ),
        _draw_map,
        _describe_map,
        rows=_best,
        height=lambda best: 1.0 + 0.3 * len(_designs(best)),
    ),
    Figure(
        "pilot_learning",
        "Value of learning and cost of delay",
        Data(
            "pilot_learning",
            columns(VALUE, _DESIGN, money={**_PARTS, "value_of_stopping": "Value of the option to stop"}),
            "What a pilot teaches against what it costs to wait, by design and value of a child-year",
            chart.of_option,
        ),
        _draw_learning,
        _describe_learning,
        rows=lambda view: published_learning(view.first, view.option),
        height=lambda rows: 1.6 + 0.6 * len(rows),
    ),
    Figure(
        "pilot_power",
        "What a pilot could detect",
        Data(
            "pilot_power",
            columns(
                columns(columns(name={"design": "Design"}), _DESIGN, text={"published": "Announced"}),
                columns(text={"controls": "Others"}, share={"contrast": "Arms differ by, of the full dose"}),
                columns(text={"available": "Available"}, number={"detectable_percent": "Detectable fall, %"}),
                columns(number={"detectable_stock_percent": "Detectable fall in number, %"}),
                range_columns("number", "fall_percent_", mean="Expected fall, %"),
                probability={"power": "Chance of finding it"},
            ),
            "Power of each design: falls by the full dose, in starts and at the end in the number in care, per cent",
            chart.of_option,
        ),
        _draw_power,
        _describe_power,
        rows=_announced_length,
        height=3.8,
    ),
    Figure(
        "information_value",
        "Value of information by research question",
        Data(
            "information_value",
            columns(
                VALUE,
                text={"question": "Question"},
                money={"value": "Value of knowing it exactly", "se": "Error"},
                option={"best": "Best option without it"},
            ),
            "Expected value of perfect information, present value, once for the country",
        ),
        _draw_information,
        _describe_information,
        rows=lambda view: question_values(view.first, value_shown(view.first)),
        height=lambda rows: 1.1 + 0.42 * len(rows),
    ),
)
