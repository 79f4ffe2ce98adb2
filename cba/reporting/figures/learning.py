"""Figures of what finding out is worth: by research question, and what a pilot could see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.reporting.choices import View, announced_row, question_values, value_shown
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


_DESIGN = columns(count={"areas": "Areas"}, plain={"years": "Years"})


FIGURES = (
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
