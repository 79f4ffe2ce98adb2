"""Figures of an option's money over time: net by year, cumulative net, and payback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.choices import horizon_years, payer_totals, within_horizon
from cba.reporting.figures import money, system
from cba.reporting.figures import money as payers
from cba.reporting.figures.style import (
    TEXT,
    FigureBlock,
    colours,
    describe_results,
    draw_block,
    duo,
    label_end,
    name_values,
    new_axes,
    plot_results,
    range_columns,
    scale_of,
    set_years,
    styled,
    table_and_link,
)
from cba.reporting.html_tables import columns
from cba.reporting.names import full_name, stance_name
from cba.reporting.numbers import is_defined, matching_rows, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


@styled
def plot_net_by_year(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw net cash flow by year (saving above zero, cost below) with its interval."""
    ax = new_axes() if ax is None else ax
    rows = within_horizon(appraisal, "net_by_year", option=option)
    divisor, unit = scale_of(float(rows[["lower", "upper"]].abs().to_numpy().max(initial=1.0)))
    mean = rows["mean"] / divisor
    errors = np.abs(np.stack([mean - rows["lower"] / divisor, rows["upper"] / divisor - mean]))
    shade = [duo()[0] if value >= 0 else duo()[1] for value in mean]
    bars = ax.bar(rows["year"], mean, color=shade, width=0.7)
    for bar, value in zip(bars, mean, strict=True):
        bar.set_hatch("" if value >= 0 else "//")
        bar.set_edgecolor("white")
    ax.errorbar(rows["year"], mean, yerr=errors, fmt="none", ecolor=TEXT, elinewidth=1.4, capsize=3)
    ax.axhline(0.0, color=TEXT, lw=1)
    _money_axis(ax, unit)
    set_years(ax, *horizon_years(appraisal))
    return ax


def describe_net_by_year(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_net_by_year`."""
    rows = within_horizon(appraisal, "net_by_year", option=option)
    low, high = rows.loc[rows["mean"].idxmin()], rows.loc[rows["mean"].idxmax()]
    return (
        f"Bar chart with interval lines, one bar a year. {_axis_words(appraisal)} Vertical axis: net "
        "saving (above zero) or "
        f"net cost (below zero), pounds a year. Lowest: {show(low['mean'], style='net')} in "
        f"{int(low['year'])}. Highest: "
        f"{show(high['mean'], style='net')} in {int(high['year'])}. The mean is a net saving in "
        f"{int((rows['mean'] > 0).sum())} of {len(rows)} years."
    )


@styled
def plot_cumulative(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw cumulative discounted net cash flow with its interval; payback is where it stays above zero."""
    ax = new_axes() if ax is None else ax
    rows = within_horizon(appraisal, "net_by_year", option=option)
    fields = ["cumulative_lower", "cumulative_upper"]
    divisor, unit = scale_of(float(rows[fields].abs().to_numpy().max(initial=1.0)))
    ax.fill_between(
        rows["year"], rows[fields[0]] / divisor, rows[fields[1]] / divisor, color=duo()[0], alpha=0.2, lw=0
    )
    ax.plot(rows["year"], rows["cumulative_mean"] / divisor, color=duo()[0])
    ax.axhline(0.0, color=TEXT, lw=1)
    _money_axis(ax, unit)
    last = rows.iloc[-1]
    for field, text in (
        ("cumulative_mean", "Mean"),
        ("cumulative_upper", "Upper end"),
        ("cumulative_lower", "Lower end"),
    ):
        label_end(ax, float(last["year"]), float(last[field]) / divisor, text)
    set_years(ax, *horizon_years(appraisal), room=0.25)
    return ax


def describe_cumulative(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_cumulative`."""
    rows = within_horizon(appraisal, "net_by_year", option=option)
    last, low = rows.iloc[-1], rows.loc[rows["cumulative_mean"].idxmin()]
    return (
        f"Line chart with a shaded interval. {_axis_words(appraisal)} Vertical axis: cumulative "
        "discounted net, pounds. The mean "
        f"is lowest in {int(low['year'])} ({show(low['cumulative_mean'], style='net')}) and ends in "
        f"{int(last['year'])} at "
        f"{show(last['cumulative_mean'], style='net')} (interval "
        f"{show(last['cumulative_lower'], style='money')} to "
        f"{show(last['cumulative_upper'], style='money')})."
    )


@styled
def plot_payback(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the probability of paying back in each year, and of never doing so within the horizon."""
    ax = new_axes(height=3.0) if ax is None else ax
    rows = matching_rows(appraisal.tables["payback"], {"option": option})
    first, last = horizon_years(appraisal)
    found = {
        int(y): float(p) for y, p in zip(rows["year"], rows["probability"], strict=True) if is_defined(y)
    }
    never = float(rows.loc[rows["year"].isna(), "probability"].sum())
    years = list(range(first, last + 1))
    values = [100 * found.get(year, 0.0) for year in years]
    ax.bar(range(len(years)), values, color=duo()[0], width=0.7)
    ax.bar(len(years) + 0.5, 100 * never, color=duo()[1], width=0.7, hatch="//", edgecolor="white")
    labels = [str(year) if number % 3 == 0 else "" for number, year in enumerate(years)]
    ax.set_xticks([*range(len(years)), len(years) + 0.5], [*labels, "Never"])
    for place, value in [*enumerate(values), (len(years) + 0.5, 100 * never)]:
        if value >= 0.5:
            ax.annotate(
                show(value / 100, style="probability"),
                (place, value),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                color=TEXT,
                fontsize=9.5,
            )
    name_values(ax, "Probability, %")
    ax.set_ylim(0, 108)
    ax.grid(axis="x", visible=False)
    return ax


def describe_payback(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_payback`."""
    rows = matching_rows(appraisal.tables["payback"], {"option": option})
    never = float(rows.loc[rows["year"].isna(), "probability"].sum())
    first, last = horizon_years(appraisal)
    by_year = rows.dropna(subset=["year"])
    best = (
        "No draw pays back within the horizon."
        if by_year.empty
        else (
            f"The single most probable year is {int(by_year.loc[by_year['probability'].idxmax(), 'year'])} "
            f"({show(float(by_year['probability'].max()), style='probability')})."
        )
    )
    return (
        f"Bar chart. Horizontal axis: year of payback, {first} to {last}, and never. Vertical axis: "
        "probability, per cent. "
        f"Never: {show(never, style='probability')}. {best}"
    )


def _money_axis(ax: Axes, unit: str) -> None:
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.3g}".replace("-", "\N{MINUS SIGN}"))
    name_values(ax, f"Net saving (+) or cost (\N{MINUS SIGN}), {unit}")


def _axis_words(appraisal: Appraisal) -> str:
    first, last = horizon_years(appraisal)
    return f"Horizontal axis: year ending 31 March, {first} to {last}."


# --- Figures of net present value: its distribution under each stance, and every option side by side ---


_BINS = 40


_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))


def npv_shares(appraisals: Sequence[Appraisal], option: str) -> pd.DataFrame:
    """Return the share of draws in each band of net present value, per stance.

    Columns ``stance``, ``from_gbp``, ``to_gbp``, ``share``; bands are the same for every stance: 40 between
    the 0.1% and 99.9% points of all draws; draws beyond them are counted in the outer bands.
    """
    # `appraisals`: a stance whose net present value is not defined is left out.
    draws = {item.stance: item.npv.sel(option=option).to_numpy() for item in _defined(appraisals, option)}
    if not draws:
        return pd.DataFrame(columns=["stance", "from_gbp", "to_gbp", "share"])
    low, high = np.quantile(np.concatenate(list(draws.values())), [0.001, 0.999])
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    tables = []
    for stance, values in draws.items():
        counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
        bands = {"stance": stance, "from_gbp": edges[:-1], "to_gbp": edges[1:], "share": counts / values.size}
        tables.append(pd.DataFrame(bands))
    return pd.concat(tables, ignore_index=True)


def _defined(appraisals: Sequence[Appraisal], option: str) -> list[Appraisal]:
    return [item for item in appraisals if is_defined(item.results[f"npv_fiscal.{option}"]["mean"])]


@styled
def plot_npv_distribution(appraisals: Sequence[Appraisal], option: str, *, ax: Axes | None = None) -> Axes:
    """Draw how net present value is distributed for one option, one outline per stance, zero marked."""
    ax = new_axes() if ax is None else ax
    shares = npv_shares(appraisals, option)
    shown = list(dict.fromkeys(shares["stance"]))
    palette = colours(max(len(shown), 3))
    for number, stance in enumerate(shown):
        rows = shares[shares["stance"] == stance]
        edges = np.append(rows["from_gbp"], rows["to_gbp"].iloc[-1]) / 1e9
        style = {"color": palette[number], "lw": 2, "ls": _DASHES[number % 3]}
        ax.stairs(100 * rows["share"], edges, label=stance_name(stance), **style)
        if number == 0:
            ax.stairs(100 * rows["share"], edges, fill=True, color=palette[0], alpha=0.15)
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_xlabel("Net present value, £ billion (\N{MINUS SIGN}: net cost)")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    name_values(ax, "Share of draws, %")
    ax.set_ylim(0, None)
    if len(shown) > 1:
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2, handlelength=1.6)
    return ax


def describe_npv_distribution(appraisals: Sequence[Appraisal], option: str) -> str:
    """Return the text alternative of `plot_npv_distribution`."""
    parts = []
    for item in _defined(appraisals, option):
        npv = item.results[f"npv_fiscal.{option}"]
        chance = show(item.results[f"prob_npv_positive.{option}"]["mean"], style="probability")
        parts.append(
            f"{stance_name(item.stance)}: mean {show(npv['mean'], style='net')}, interval "
            f"{show(npv['lower'], style='money')} to "
            f"{show(npv['upper'], style='money')}, {chance} of draws above zero."
        )
    return (
        "Histogram outlines, one for each stance. Horizontal axis: net present value in pounds, zero "
        "marked; left of zero is a net "
        "cost. Vertical axis: share of draws. " + " ".join(parts)
    )


@styled
def plot_npv_by_option(appraisals: Sequence[Appraisal], *, ax: Axes | None = None) -> Axes:
    """Draw mean and interval of net present value for every option and stance."""
    ax = plot_results(appraisals, "npv_fiscal", divisor=1e9, ax=ax)
    ax.set_xlabel("Net present value, £ billion (\N{MINUS SIGN}: net cost)")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    return ax


def describe_npv_by_option(appraisals: Sequence[Appraisal]) -> str:
    """Return the text alternative of `plot_npv_by_option`."""
    return describe_results(
        appraisals, "npv_fiscal", axis="net present value in pounds; left of zero is a net cost"
    )


# --- Figure of who pays and who gains over the horizon ---


@styled
def plot_payers(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw who pays and who saves over the horizon: mean net by payer, undiscounted."""
    net = payer_totals(appraisal, option)
    ax = new_axes(height=1.2 + 0.5 * len(net)) if ax is None else ax
    divisor, unit = scale_of(float(net.abs().max()) if len(net) else 1.0)
    places = range(len(net))
    bars = ax.barh(places, -net / divisor, color=[duo()[0] if v <= 0 else duo()[1] for v in net], height=0.6)
    for bar, value in zip(bars, net, strict=True):
        bar.set_hatch("//" if value > 0 else "")
        bar.set_edgecolor("white")
        end = -value / divisor
        ax.annotate(
            "saves" if value < 0 else "pays",
            (end, bar.get_y() + 0.3),
            xytext=(5 if end >= 0 else -5, 0),
            color=TEXT,
            textcoords="offset points",
            va="center",
            ha="left" if end >= 0 else "right",
        )
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(places, [fill(full_name(str(name)), 16) for name in net.index])
    ax.invert_yaxis()
    ax.margins(x=0.24)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.set_xlabel(f"Net saving (right) or cost (left), {unit}")
    return ax


def describe_payers(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of `plot_payers`."""
    net = payer_totals(appraisal, option)
    parts = [
        f"{full_name(name)} {'saves' if v < 0 else 'pays'} {show(abs(v), style='money')}"
        for name, v in net.items()
    ]
    return (
        "Horizontal bar chart, one bar for each payer. Horizontal axis: mean net over the horizon, "
        "undiscounted pounds; savings "
        f"to the right of zero, costs to the left. {'; '.join(parts)}."
    )


# --- The figures of money in the report: by year, payback, payers, cost of a placement and of the … ---


CLAIMED_COST = 15e9
"""The review's yearly cost of the system without reform, GBP, which a chart marks."""


_YEAR = "year|Year ending 31 March|plain"


_TOTAL = (
    "cumulative_mean|Mean|money",
    "cumulative_lower|Lower|money",
    "cumulative_upper|Upper|money",
    "prob_cumulative_positive|Chance it is above zero|probability",
)


@dataclass(frozen=True)
class _OptionFigure:
    """A figure of one option: how it is drawn and described, and the rows that go below it."""

    name: str
    title: str
    plot: Callable[..., object]
    describe: Callable[[Appraisal, str], str]
    table: str
    columns: tuple[str, ...]
    caption: str
    height: float = 3.6


_OPTION_FIGURES = (
    _OptionFigure(
        "net",
        "Net cash flow by year",
        money.plot_net_by_year,
        money.describe_net_by_year,
        "net_by_year",
        (_YEAR, *range_columns("money")),
        "Net saving (positive) or cost (negative) by year",
    ),
    _OptionFigure(
        "cumulative",
        "Cumulative discounted net",
        money.plot_cumulative,
        money.describe_cumulative,
        "net_by_year",
        (_YEAR, *_TOTAL),
        "Cumulative discounted net",
    ),
    _OptionFigure(
        "payback",
        "Year of payback",
        money.plot_payback,
        money.describe_payback,
        "payback",
        ("year|Year of payback (not defined: never)|plain", "probability|Probability|probability"),
        "Year of payback",
        3.0,
    ),
    _OptionFigure(
        "payers",
        "Who pays and who gains",
        payers.plot_payers,
        payers.describe_payers,
        "cash_flow_by_year",
        (_YEAR, "payer|Payer|name", "kind|Kind|name", *range_columns("money")),
        "Money by year, payer and kind; costs positive, savings negative",
        2.6,
    ),
)


def money_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figures net by year, cumulative net, payback and payers, by name."""
    return {figure.name: _drawn(figure, appraisal, option) for figure in _OPTION_FIGURES}


def _drawn(figure: _OptionFigure, appraisal: Appraisal, option: str) -> FigureBlock:
    table, link = table_and_link(
        appraisal,
        figure.table,
        columns(*figure.columns),
        caption=figure.caption,
        where={"option": option},
        name=figure.name,
    )
    return draw_block(
        f"fig-{figure.name}",
        title=figure.title,
        draw=lambda ax: figure.plot(appraisal, option, ax=ax),
        description=figure.describe(appraisal, option),
        tables=[table],
        links=[link],
        height=figure.height,
    )


def ladder_figure(appraisal: Appraisal) -> FigureBlock:
    """Return the figure of average, avoidable and cashable cost by placement."""
    shown = columns(
        "placement|Placement|name",
        "average|Average cost|money",
        "avoidable|Avoidable|money",
        "cashable_first_year|Cashable in the first year|money",
    )
    pair = table_and_link(
        appraisal,
        "cost_ladder",
        shown,
        caption="Cost per child per year, means",
        where={},
        name="cost_ladder",
    )
    return draw_block(
        "fig-ladder",
        title="From average cost to cash",
        draw=lambda ax: system.plot_cost_ladder(appraisal, ax=ax),
        description=system.describe_cost_ladder(appraisal),
        tables=[pair[0]],
        links=[pair[1]],
        height=1.5 + 0.42 * len(appraisal.tables["cost_ladder"]),
    )


def system_figure(appraisal: Appraisal, option: str, last_year: int) -> FigureBlock:
    """Return the figure of the yearly cost of the system."""
    shown = columns("year|Year ending 31 March|plain", "price|Prices|name", *range_columns("money"))
    pairs = [
        table_and_link(
            appraisal,
            "system_cost_by_year",
            shown,
            caption=f"Yearly cost of the system, {appraisal.option_labels[which]}",
            where={"option": which, "price__among": " ".join(system.PRICES)},
            name=f"system_cost_{which}",
        )
        for which in ("bau", option)
    ]
    return draw_block(
        "fig-system",
        title="Yearly cost of the system",
        draw=lambda ax: system.plot_system_cost(
            appraisal, option, last_year=last_year, claim=CLAIMED_COST, ax=ax
        ),
        description=system.describe_system_cost(appraisal, option, last_year=last_year),
        tables=[pair[0] for pair in pairs],
        links=[pair[1] for pair in pairs],
    )
