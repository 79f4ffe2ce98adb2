"""Figure of risk: expected net present value of every option beside the mean of its worst draws."""

from __future__ import annotations

from dataclasses import replace
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.figures import (
    decisions as risk,
)
from cba.reporting.figures import (
    decisions as worth,
)
from cba.reporting.figures import (
    drivers,
)
from cba.reporting.figures import (
    drivers as switching,
)
from cba.reporting.figures import (
    learning as information,
)
from cba.reporting.figures import (
    learning as pilot,
)
from cba.reporting.figures import (
    learning as pilot_power,
)
from cba.reporting.figures import (
    learning as targets,
)
from cba.reporting.figures.style import (
    LEAD,
    TEXT,
    FigureBlock,
    TableFigure,
    colours,
    label_end,
    name_values,
    new_axes,
    scale_of,
    styled,
    table_figures,
)
from cba.reporting.numbers import is_defined, matching_rows, show
from cba.reporting.sections import holds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


@styled
def plot_risk(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw expected net present value of every option beside the mean of its worst draws."""
    rows = _cash_risk(appraisal)
    ax = new_axes(height=risk_height(appraisal, option)) if ax is None else ax
    divisor, unit = scale_of(float(rows[["mean", "cvar"]].abs().to_numpy().max(initial=1.0)))
    first, second = colours(3)[0], colours(3)[2]
    places = np.arange(len(rows))
    ax.hlines(places, rows["cvar"] / divisor, rows["mean"] / divisor, color="#BFBFBF", lw=2)
    ax.plot(rows["mean"] / divisor, places, "o", color=first, ms=8, mec="white", label="Expected value")
    ax.plot(
        rows["cvar"] / divisor,
        places,
        "D",
        color=second,
        ms=7,
        mec="white",
        label="Mean of the worst twentieth",
    )
    ax.axvline(0.0, color=TEXT, lw=1)
    labels = [appraisal.option_labels[name].replace("$", r"\$") for name in rows["option"]]
    ax.set_yticks(places, [fill(label, 21) for label in labels])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel(f"Net present value, {unit} (\N{MINUS SIGN}: net cost)")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.45, 1.0), ncols=2, borderaxespad=0.2, handletextpad=0.3)
    return ax


def risk_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every option a row."""
    return 1.4 + 0.45 * max(len(_cash_risk(appraisal)), 1)


def describe_risk(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_risk`."""
    parts = [
        f"{appraisal.option_labels[row['option']]}: {show(row['mean'], style='net')}, worst 5% "
        f"{show(row['cvar'], style='net')}"
        for row in _cash_risk(appraisal).to_dict("records")
    ]
    return (
        "Dot chart, one row for each option: a circle for its expected net present value, a diamond for the mean "
        f"of its worst draws. Horizontal axis: net present value in pounds. {'; '.join(parts)}."
    )


def _cash_risk(appraisal: Appraisal) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["risk"], {"value_per_child_year": 0.0})
    return rows[rows["option"] != "bau"]


# --- Figures along the value of a child-year: which option is best and how surely, and the frontier of … ---


MOST_LINES = 4


SHOWN_CHANCE = 0.05
"""An option is drawn where its chance of being best reaches this somewhere, or where it is the one to choose."""


_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))


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


@styled
def plot_acceptability(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw each contender's chance of being best by the value of a child-year; points mark the one to choose."""
    ax = new_axes(height=4.7) if ax is None else ax
    table = appraisal.tables["acceptability"]
    rows = table[table["value_per_child_year"] > 0]
    palette = colours(4)
    for number, name in enumerate(contenders(appraisal)):
        one = rows[rows["option"] == name]
        values, chances = one["value_per_child_year"].to_numpy(), 100 * one["prob_best"].to_numpy()
        label = fill(appraisal.option_labels[name].replace("$", r"\$"), 44)
        shade = palette[number % len(palette)]
        dash = _DASHES[
            (number + number // len(palette)) % len(_DASHES)
        ]  # a colour comes back with another dash
        ax.plot(values, chances, color=shade, ls=dash, lw=2.2, label=label)
        best = one["best"].to_numpy(dtype=bool)
        ax.plot(values[best], chances[best], "o", color=shade, ms=5, label="_")
    set_value_axis(ax)
    ax.set_ylim(0, 103)
    name_values(ax, "Chance of being best, %")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.09), ncols=1, borderaxespad=0.0, handlelength=2.4)
    return ax


def describe_acceptability(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_acceptability`."""
    table = appraisal.tables["acceptability"]
    best = table[table["best"].astype(bool)]
    changed = best[best["option"] != best["option"].shift()]
    parts = [
        f"from {show(row['value_per_child_year'], style='price')}: {appraisal.option_labels[row['option']]} "
        f"({show(row['prob_best'], style='probability')} chance of being best)"
        for row in changed.to_dict("records")
    ]
    return (
        f"Line chart, one line for each of {len(contenders(appraisal))} options that can be best; points mark the "
        "option with the highest expected net benefit. Horizontal axis: value of a child-year in pounds, on a "
        f"logarithmic scale. Vertical axis: chance of being best, per cent. The option to choose: {'; '.join(parts)}."
    )


@styled
def plot_frontier(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw every option by mean net cost and mean child-years, the frontier of undominated options joined."""
    ax = new_axes(height=frontier_height(appraisal, option)) if ax is None else ax
    rows = appraisal.tables["frontier"].sort_values("cost")
    divisor, unit = scale_of(float(rows["cost"].abs().max()))
    on = rows[rows["status"] == "frontier"]
    first, second = colours(2)[:2]
    ax.plot(on["effect"], on["cost"] / divisor, "-", color=first, lw=2)
    for row in rows.to_dict("records"):
        kept = row["status"] == "frontier"
        style = {"color": first, "marker": "o"} if kept else {"color": second, "marker": "X"}
        ax.plot(row["effect"], row["cost"] / divisor, ls="none", ms=9, mec="white", **style)
    for effect, cost, text in _labels_of_clusters(rows):
        label_end(ax, effect, cost / divisor, text, dy=-9)  # below: the frontier climbs
    names = [
        f"{number}  {appraisal.option_labels[name]}".replace("$", r"\$")
        for number, name in enumerate(rows["option"], start=1)
    ]
    ax.axhline(0.0, color=TEXT, lw=1)
    ax.margins(x=0.12, y=0.1)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    low, high = ax.get_ylim()
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "\N{MINUS SIGN}"))
    name_values(ax, f"Mean net cost, {unit}")
    key = "Circles joined: frontier. Crosses: dominated.\n" + "\n".join(fill(n, 44) for n in names)
    ax.set_xlabel("Child-years at home, less harm, discounted\n\n" + key, loc="left")
    return ax


def _labels_of_clusters(rows: pd.DataFrame) -> list[tuple[float, float, str]]:
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


def frontier_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, for the chart and its key, one line an option."""
    return 3.9 + 0.19 * len(appraisal.tables["frontier"])


def describe_frontier(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_frontier`."""
    rows = appraisal.tables["frontier"]
    return (
        "Dot chart, one point for each option; options on the frontier are joined. Horizontal axis: mean "
        "discounted child-years at home less harm. Vertical axis: mean net cost in pounds, present value. "
        + " ".join(_point_words(appraisal, rows))
    )


def _point_words(appraisal: Appraisal, rows: pd.DataFrame) -> list[str]:
    parts = []
    for row in rows.to_dict("records"):
        words = (
            f"{appraisal.option_labels[row['option']]}: {show(row['effect'], style='count')} child-years at "
            f"{show(row['cost'], style='money')}, {row['status']}"
        )
        if is_defined(row["icer"]):
            words += f", {show(row['icer'], style='money')} for each further child-year"
        parts.append(words + ".")
    return parts


def set_value_axis(ax: Axes) -> None:
    """Scale the horizontal axis for values of a child-year, which span several powers of ten."""
    ax.set_xscale("log")
    ax.minorticks_off()
    ticks = {1e4: "£10,000", 1e5: "£100,000", 1e6: "£1m", 1e7: "£10m"}
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.set_xlim(8e3, 1.7e7)
    ax.set_xlabel("Value of a child-year at home (logarithmic scale)")


# --- The figures of the decision in the report: drivers, switching, worth, risk, pilot, information, … ---


CONTENDERS = "the options that can be best"
"""Stands in `where` for the options drawn along the value of a child-year."""


_VALUE = "value_per_child_year|Value of a child-year|price"


FIGURES = (
    TableFigure(
        "tornado", "What moves net present value", "drivers", drivers.plot_tornado, drivers.describe_tornado,
        ("description|Input", "question|Research question", "confidence|Grade|name", "input_low|Low end|number",
         "input_high|High end|number", "outcome_low|Net present value at the low end|money",
         "outcome_high|At the high end|money", "swing_se|Error of the difference|money"),
        "Expected net present value with each input at its 5% and its 95% point, inputs that clearly move it",
        {"option": LEAD, "outcome": "npv", "clear": True}, drivers.tornado_height,
    ),
    TableFigure(
        "variance_shares", "Shares of the uncertainty in net present value", "variance_shares",
        drivers.plot_variance_shares, drivers.describe_variance_shares,
        ("split|Split by|name", "description|Group or input", "effect|Share of the variance|share", "se|Error|share"),
        "Shapley effects: shares of the variance of net present value, by research question and by leading input",
        {"option": LEAD}, lambda a, o: 1.1 + 0.42 * int((a.tables["variance_shares"]["split"] == "question").sum()),
    ),
    TableFigure(
        "switching_values", "Switching values of the leading inputs", "switching_values", switching.plot_switching,
        switching.describe_switching,
        ("target|Target", "description|Input", "unit|Unit", "input_median|Median believed|number",
         "value|Switching value|number", "se|Error|number", "probability_beyond|Chance of being beyond it|probability",
         "verdict|Reachable"),
        "Value of each leading input at which the conclusion changes", {"option": LEAD}, switching.switching_height,
    ),
    TableFigure(
        "acceptability", "Chance of being the best option", "acceptability", worth.plot_acceptability,
        worth.describe_acceptability,
        (_VALUE, "option|Option|option", "net_benefit|Expected net benefit|money", "net_benefit_se|Error|money",
         "prob_best|Chance of being best|probability"),
        "Expected net benefit and chance of being best, options drawn: every option that is somewhere the one to "
        "choose, then those likeliest to be best", {"option__among": CONTENDERS}, 4.7,
    ),
    TableFigure(
        "frontier", "Options by cost and child-years", "frontier", worth.plot_frontier, worth.describe_frontier,
        ("option|Option|option", "cost|Mean net cost|money", "effect|Child-years, less harm|count",
         "status|Status|name", "icer|Cost of each further child-year|money"),
        "Cost-effectiveness frontier: means, present value, against business as usual", {}, worth.frontier_height,
    ),
    TableFigure(
        "risk", "Expected value and worst cases", "risk", risk.plot_risk, risk.describe_risk,
        (_VALUE, "option|Option|option", "mean|Expected|money", "cvar|Mean of the worst twentieth|money",
         "expected_loss|Mean regret|money", "worst_loss|Regret, 99th percentile|money",
         "prob_best|Chance of being best|probability", "prob_negative|Chance of a net loss|probability"),
        "Expected net benefit, worst cases and regret, by value of a child-year", {}, risk.risk_height,
    ),
    TableFigure(
        "pilot_map", "Best strategy by design and value", "pilot_or_now", pilot.plot_pilot_map,
        pilot.describe_pilot_map,
        (_VALUE, "areas|Areas|count", "years|Years|plain", "strategy|Best strategy|name",
         "expected_payoff|Its expected payoff|money", "se|Error|money"),
        "Best of the four strategies and its expected payoff, by design of the pilot and value of a child-year",
        {"option": LEAD, "best": True}, pilot.pilot_map_height,
    ),
    TableFigure(
        "pilot_learning", "Value of learning and cost of delay", "pilot_learning", pilot.plot_pilot_learning,
        pilot.describe_pilot_learning,
        (_VALUE, "areas|Areas|count", "years|Years|plain", "value_of_learning|Value of learning|money",
         "cost_of_delay|Cost of delay|money", "pilot_cost|Net cost of the pilot|money",
         "value_of_stopping|Value of the option to stop|money"),
        "What a pilot teaches against what it costs to wait, by design and value of a child-year",
        {"option": LEAD}, lambda a, o: 1.6 + 0.6 * len(pilot.published_learning(a, o)),
    ),
    TableFigure(
        "pilot_power", "What a pilot could detect", "pilot_power", pilot_power.plot_pilot_power,
        pilot_power.describe_pilot_power,
        ("design|Design|name", "areas|Areas|count", "years|Years|plain", "published|Announced",
         "between_authority_sd|Spread between authorities|number",
         "detectable_percent|Smallest detectable fall, %|number", "fall_percent_mean|Expected fall, %|number",
         "fall_percent_lower|Lower|number", "fall_percent_upper|Upper|number",
         "power|Chance of finding it|probability"),
        "Power of each design: fall in starts as a per cent of starts; spread of their logs", {"option": LEAD}, 3.8,
    ),
    TableFigure(
        "information_value", "Value of information by research question", "information_value",
        information.plot_information, information.describe_information,
        (_VALUE, "question|Question", "value|Value of knowing it exactly|money", "se|Error|money",
         "best|Best option without it|option"),
        "Expected value of perfect information, present value, once for the country", {},
        information.information_height,
    ),
    TableFigure(
        "fewer_chances", "Chance of fewer children by year", "fewer_children_chances", targets.plot_fewer_chances,
        targets.describe_fewer_chances,
        ("year|Year ending 31 March|plain", "fewer_children|At least so many fewer|count",
         "probability|Chance|probability"),
        "Chance of at least so many fewer children in care, by year", {"option": LEAD}, 4.0,
    ),
    TableFigure(
        "payback_by_payer", "Payback by payer", "payback_by_payer", targets.plot_payback_by_payer,
        targets.describe_payback_by_payer,
        ("payer|Payer|name", "year|Year of payback (not defined: never)|plain", "probability|Chance|probability",
         "cumulative|Chance by then|probability"),
        "Year of payback by payer", {"option": LEAD}, targets.payer_height,
    ),
)  # fmt: skip


def decision_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figures of the decision that the appraisal has tables for, by name."""
    return table_figures([_filled(figure, appraisal, option) for figure in FIGURES], appraisal, option)


def _filled(figure: TableFigure, appraisal: Appraisal, option: str) -> TableFigure:
    """Return the figure with the contenders named, where its rows are theirs."""
    if CONTENDERS not in figure.where.values() or not holds(appraisal, figure.table, option):
        return figure
    names = " ".join(worth.contenders(appraisal))
    where = {key: names if value == CONTENDERS else value for key, value in figure.where.items()}
    return replace(figure, where=where)
