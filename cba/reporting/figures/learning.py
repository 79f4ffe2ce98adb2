"""Figure of what finding out is worth, by research question."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.figures.style import TEXT, colours, duo, name_values, new_axes, scale_of, set_years, styled
from cba.reporting.names import full_name
from cba.reporting.numbers import matching_rows, rounding_unit, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


def value_shown(appraisal: Appraisal) -> float:
    """Return the value of a child-year, of those worked out, nearest to the highest one put forward elsewhere.

    GBP; 0, cash alone, where no value is put forward.
    """
    worked = appraisal.tables["information_value"]["value_per_child_year"]
    known = appraisal.tables.get("break_even_values")
    anchors = [] if known is None else known.loc[known["kind"] == "anchor", "value_per_child_year"]
    highest = max(anchors, default=0.0)
    return float(min(worked, key=lambda value: abs(value - highest)))


def best_question(appraisal: Appraisal, value: float) -> str:
    """Return the research question whose answer is worth most there; empty where none is worth anything."""
    rows = _questions(appraisal, value)
    top = rows.iloc[0]
    return str(top["question"]) if top["value"] > 1.96 * top["se"] else ""


@styled
def plot_information(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the value of perfect information on each research question, with its error."""
    rows = _questions(appraisal, value_shown(appraisal))
    ax = new_axes(height=information_height(appraisal, option)) if ax is None else ax
    divisor, unit = scale_of(float((rows["value"] + 1.96 * rows["se"]).max()))
    places = np.arange(len(rows))
    value, error = rows["value"].to_numpy() / divisor, 1.96 * rows["se"].to_numpy() / divisor
    ax.barh(places, value, color=duo()[0], height=0.6)
    low = np.minimum(error, value)
    ax.errorbar(value, places, xerr=[low, error], fmt="none", ecolor=TEXT, elinewidth=1.4, capsize=3)
    for place, raw, se, end in zip(places, rows["value"], rows["se"], value + error, strict=True):
        text = show(float(raw), style="money", unit=rounding_unit(raw, se))
        ax.annotate(text, (end, place), xytext=(6, 0), textcoords="offset points", va="center", color=TEXT)
    ax.set_yticks(places, [name[:1].upper() + name[1:] for name in rows["question"]])
    ax.invert_yaxis()
    ax.margins(x=0.25)
    ax.set_xlim(left=0.0)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(f"Value of knowing it exactly, {unit}, present value")
    return ax


def information_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every question a bar."""
    return 1.1 + 0.42 * len(_questions(appraisal, value_shown(appraisal)))


def describe_information(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_information`."""
    parts = [
        f"{row['question']}: {show(row['value'], style='money', unit=rounding_unit(row['value'], row['se']))} "
        f"(error {show(row['se'], style='money', unit=rounding_unit(row['se'], figures=2))})"
        for row in _questions(appraisal, value_shown(appraisal)).to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each research question, highest first; lines are 95% intervals. "
        "Horizontal axis: value of perfect information in pounds, present value, at "
        f"{show(value_shown(appraisal), style='price')} for a child-year. {'; '.join(parts)}."
    )


def _questions(appraisal: Appraisal, value: float) -> pd.DataFrame:
    table = appraisal.tables["information_value"]
    rows = table[table["value_per_child_year"] == value]
    return rows[rows["question"] != "everything"].sort_values("value", ascending=False)


# --- Figure of what a pilot can see: the smallest fall it would detect beside the fall that is expected ---


def announced_row(appraisal: Appraisal, option: str) -> pd.Series:
    """Return the row of ``pilot_power`` of the design announced in 2023; the first design where it is not there."""
    rows = matching_rows(appraisal.tables["pilot_power"], {"option": option})
    return rows.sort_values("published", ascending=False, kind="stable").iloc[0]


@styled
def plot_pilot_power(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the fall in starts that each two-year design could detect beside the fall that is expected."""
    rows = _announced_length(appraisal, option)
    ax = new_axes(height=1.5 + 0.45 * len(rows)) if ax is None else ax
    first, second = colours(2)[0], colours(3)[2]
    places = np.arange(len(rows))
    ax.hlines(places, rows["fall_percent_lower"], rows["fall_percent_upper"], color=first, lw=2.4)
    ax.plot(
        rows["fall_percent_mean"],
        places,
        "o",
        color=first,
        ms=7,
        mec="white",
        label="Expected, with interval",
    )
    ax.plot(rows["detectable_percent"], places, "D", color=second, ms=7, label="Smallest detectable")
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(places, [_design(row) for row in rows.to_dict("records")])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel("Fall in starts, %")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.3, 1.0), ncols=2, borderaxespad=0.2, handletextpad=0.3)
    return ax


def describe_pilot_power(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_pilot_power`."""
    parts = [
        f"{_design(row)}: detectable {show(row['detectable_percent'], unit=0.1)}%, "
        f"expected {show(row['fall_percent_mean'], unit=0.01)}%, "
        f"chance of finding it {show(row['power'], style='probability')}"
        for row in _announced_length(appraisal, option).to_dict("records")
    ]
    return (
        "Interval chart, one row for each design. Horizontal axis: fall in starts in the areas studied, per cent; "
        "a circle with a line is what is expected, a diamond the smallest fall found with a power of 80%. "
        f"{'; '.join(parts)}."
    )


def _announced_length(appraisal: Appraisal, option: str) -> pd.DataFrame:
    years = announced_row(appraisal, option)["years"]
    return matching_rows(appraisal.tables["pilot_power"], {"option": option, "years": years})


def _design(row: dict[str, object]) -> str:
    words = f"{row['areas']} areas" + (", in steps" if row["design"] != "pilot" else "")
    return f"{words} (announced)" if row["published"] else words


# --- Figures of "pilot or now": the best strategy by design and value, and learning against delay ---


STRATEGIES = {"never": "Never", "go_now": "Now", "pilot_first": "Pilot", "in_steps": "Steps"}


_DARK = ("go_now", "pilot_first")


_PARTS = {
    "value_of_learning": "Value of learning",
    "cost_of_delay": "Cost of delay",
    "pilot_cost": "Net cost of the pilot",
}


@styled
def plot_pilot_map(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw which strategy is best for each design of a pilot and value of a child-year."""
    rows = matching_rows(appraisal.tables["pilot_or_now"], {"option": option})
    best = rows[rows["best"].astype(bool)]
    designs = best[["years", "areas"]].drop_duplicates().sort_values(["years", "areas"])
    values = sorted(best["value_per_child_year"].unique())
    ax = new_axes(height=pilot_map_height(appraisal, option)) if ax is None else ax
    fills = dict(zip(STRATEGIES, ("#FFFFFF", *colours(4)[:1], *colours(4)[2:3], "#BFBFBF"), strict=True))
    for place, (years, areas) in enumerate(designs.itertuples(index=False)):
        one = best[(best["years"] == years) & (best["areas"] == areas)].set_index("value_per_child_year")
        for column, value in enumerate(values):
            name = str(one.loc[value, "strategy"])
            ax.barh(
                place, 0.96, left=column - 0.48, height=0.9, color=fills[name], edgecolor="#B1B4B6", lw=0.8
            )
            ink = "white" if name in _DARK else TEXT
            ax.text(column, place, STRATEGIES[name], ha="center", va="center", color=ink, fontsize=9)
    labels = [
        f"{areas} areas, {years} year{'s' if years > 1 else ''}"
        for years, areas in designs.itertuples(index=False)
    ]
    ax.set_yticks(range(len(designs)), labels)
    ax.set_xticks(range(len(values)), [_short(value) for value in values], fontsize=9)
    ax.set_xlim(-0.55, len(values) - 0.45)
    ax.set_ylim(len(designs) - 0.45, -0.55)
    ax.grid(visible=False)
    ax.set_xlabel("Value of a child-year at home")
    return ax


def pilot_map_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every design a row."""
    rows = matching_rows(appraisal.tables["pilot_or_now"], {"option": option})
    return 1.0 + 0.3 * len(rows[["areas", "years"]].drop_duplicates())


def describe_pilot_map(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_pilot_map`."""
    rows = matching_rows(appraisal.tables["pilot_or_now"], {"option": option})
    best = rows[rows["best"].astype(bool)]
    parts = []
    for value, one in best.groupby("value_per_child_year"):
        counts = one["strategy"].value_counts()
        words = ", ".join(f"{STRATEGIES[str(name)].lower()} in {number}" for name, number in counts.items())
        parts.append(f"at {show(float(value), style='price')} {words}")
    designs = len(best[["areas", "years"]].drop_duplicates())
    return (
        f"Grid of cells, one row for each of {designs} designs of a pilot, each cell naming the best strategy. "
        "Horizontal axis: value of a child-year in pounds. Vertical axis: number of areas and years of the pilot. "
        f"Best in so many designs: {'; '.join(parts)}."
    )


@styled
def plot_pilot_learning(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw what the published pilot would teach beside what waiting for it costs, by value of a child-year."""
    rows = published_learning(appraisal, option)
    ax = new_axes(height=1.6 + 0.6 * len(rows)) if ax is None else ax
    divisor, unit = scale_of(float(rows[list(_PARTS)].abs().to_numpy().max(initial=1.0)))
    palette, hatches = colours(3), ("", "//", "..")
    for number, (part, label) in enumerate(_PARTS.items()):
        places = np.arange(len(rows)) + 0.26 * (number - 1)
        ax.barh(places, rows[part] / divisor, height=0.24, color=palette[number], hatch=hatches[number],
                edgecolor="white", label=label,
                xerr=1.96 * rows[f"{part}_se"] / divisor, error_kw={"ecolor": TEXT, "elinewidth": 1.2})  # fmt: skip
        for place, raw, se in zip(places, rows[part], rows[f"{part}_se"], strict=True):
            end = (max(raw, 0.0) + 1.96 * se) / divisor
            ax.annotate(show(raw, style="money", unit=rounding_unit(raw, se)), (end, place), xytext=(5, 0),
                        textcoords="offset points", va="center", color=TEXT, fontsize=8.5)  # fmt: skip
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(range(len(rows)), [_short(value) for value in rows["value_per_child_year"]])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "\N{MINUS SIGN}"))
    ax.margins(x=0.22)
    ax.set_xlabel(f"Present value, {unit}; rows: value of a child-year")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.16, 1.0), ncols=3, borderaxespad=0.2, columnspacing=1.0)
    return ax


def published_learning(appraisal: Appraisal, option: str) -> pd.DataFrame:
    """Return the rows of ``pilot_learning`` for the design announced in 2023: 12 areas, two years.

    By value of a child-year, ascending.
    """
    announced = announced_row(appraisal, option)
    where = {"option": option, "areas": announced["areas"], "years": announced["years"]}
    return matching_rows(appraisal.tables["pilot_learning"], where).sort_values("value_per_child_year")


def describe_pilot_learning(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_pilot_learning`."""
    parts = [
        f"at {show(row['value_per_child_year'], style='price')}: "
        f"learning {show(row['value_of_learning'], style='money')}, "
        f"delay {show(row['cost_of_delay'], style='money')}, pilot {show(row['pilot_cost'], style='money')}"
        for row in published_learning(appraisal, option).to_dict("records")
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


# --- Figures of targets: chance of fewer children by year, and payback by payer ---


MOST_LINES = 4


_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))


@styled
def plot_fewer_chances(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the chance of at least so many fewer children, by year: the review's numbers and the smallest."""
    ax = new_axes(height=4.0) if ax is None else ax
    rows = matching_rows(appraisal.tables["fewer_children_chances"], {"option": option})
    palette = colours(4)
    for number, target in enumerate(drawn_targets(rows)):
        one = rows[rows["fewer_children"] == target].sort_values("year")
        label = f"At least {show(target, style='count')}"
        ax.plot(
            one["year"],
            100 * one["probability"],
            color=palette[number],
            ls=_DASHES[number],
            lw=2.2,
            label=label,
        )
    set_years(ax, int(rows["year"].min()), int(rows["year"].max()))
    ax.set_ylim(0, 103)
    name_values(ax, "Chance of so many fewer children, %")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.09), ncols=2, borderaxespad=0.0, handlelength=2.4)
    return ax


def drawn_targets(rows: pd.DataFrame) -> list[float]:
    """Return the numbers of children drawn: the smallest two and the largest two of a table's."""
    targets = sorted(set(rows["fewer_children"]))
    return targets if len(targets) <= MOST_LINES else [*targets[:2], *targets[-2:]]


def describe_fewer_chances(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_fewer_chances`."""
    rows = matching_rows(appraisal.tables["fewer_children_chances"], {"option": option})
    last = rows[rows["year"] == rows["year"].max()]
    parts = [
        f"at least {show(row['fewer_children'], style='count')}: {show(row['probability'], style='probability')}"
        for row in last.to_dict("records")
    ]
    return (
        f"Line chart, one line for each of {len(drawn_targets(rows))} numbers of children. Horizontal axis: years "
        f"ending 31 March, {int(rows['year'].min())} to {int(rows['year'].max())}. Vertical axis: chance of at least "
        f"so many fewer children in care, per cent. In the last year {'; '.join(parts)}."
    )


@styled
def plot_payback_by_payer(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the chance that each payer never pays back, and that it has by the end of the horizon."""
    rows = never_by_payer(appraisal, option)
    ax = new_axes(height=payer_height(appraisal, option)) if ax is None else ax
    places = np.arange(len(rows))
    ax.barh(places, 100 * rows["probability"], color=duo()[0], height=0.6)
    for place, chance, error in zip(places, rows["probability"], rows["mcse"], strict=True):
        ax.annotate(show(chance, style="probability", unit=error), (100 * chance, place), xytext=(6, 0),
                    textcoords="offset points", va="center", color=TEXT)  # fmt: skip
    ax.set_yticks(places, [fill(full_name(name), 16) for name in rows["payer"]])
    ax.invert_yaxis()
    ax.set_xlim(0, 116)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.set_xlabel("Chance of never paying back, %")
    return ax


def never_by_payer(appraisal: Appraisal, option: str) -> pd.DataFrame:
    """Return each payer's row of never paying back within the horizon, the likeliest first."""
    rows = matching_rows(appraisal.tables["payback_by_payer"], {"option": option})
    return rows[rows["year"].isna()].sort_values("probability", ascending=False, kind="stable")


def payer_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every payer a bar."""
    return 1.1 + 0.5 * len(never_by_payer(appraisal, option))


def describe_payback_by_payer(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_payback_by_payer`."""
    parts = [
        f"{full_name(row['payer'])}: {show(row['probability'], style='probability')}"
        for row in never_by_payer(appraisal, option).to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each payer. Horizontal axis: chance, per cent, of never paying back "
        f"within {appraisal.analysis.horizon} years. {'; '.join(parts)}."
    )
