"""Figures of money: net by year, cumulative net, payers, net present value, what care costs, and councils."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.reporting.choices import View, horizon_years, within_horizon
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Below, Data, Figure
from cba.reporting.html_tables import columns, csv_link, html_table, range_columns, results_below
from cba.reporting.numbers import counted, netted, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes


YEAR = columns(plain={"year": "Year ending 31 March"})


def _money_axis(ax: Axes, unit: str) -> None:
    ax.axhline(0.0, color=chart.TEXT, lw=1)
    ax.yaxis.set_major_formatter(chart.signed(",.3g"))
    chart.name_values(ax, f"Net saving (+) or cost ({chart.MINUS}), {unit}")


def _axis_words(view: View) -> str:
    first, last = horizon_years(view.first)
    return f"Horizontal axis: year ending 31 March, {first} to {last}."


def _years(view: View) -> pd.DataFrame:
    return within_horizon(view.first, "net_by_year", option=view.option)


# --- By year ---


def _draw_net(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw net cash flow by year (saving above zero, cost below) with its interval."""
    divisor, unit = chart.scale_of(float(rows[["lower", "upper"]].abs().to_numpy().max(initial=1.0)))
    mean = rows["mean"] / divisor
    errors = np.abs(np.stack([mean - rows["lower"] / divisor, rows["upper"] / divisor - mean]))
    chart.hatch_costs(ax.bar(rows["year"], mean, width=0.7), mean)
    ax.errorbar(rows["year"], mean, yerr=errors, **chart.ERROR_LINES)
    _money_axis(ax, unit)
    chart.set_years(ax, *horizon_years(view.first))


def _describe_net(rows: pd.DataFrame, view: View) -> str:
    low, high = rows.loc[rows["mean"].idxmin()], rows.loc[rows["mean"].idxmax()]
    return (
        f"Bar chart with interval lines, one bar a year. {_axis_words(view)} Vertical axis: net saving (above zero) or "
        f"net cost (below zero), pounds a year. Lowest: {netted(low['mean'])} in {int(low['year'])}. "
        f"Highest: {netted(high['mean'])} in {int(high['year'])}. The mean is a net saving in "
        f"{int((rows['mean'] > 0).sum())} of {len(rows)} years."
    )


# --- Net present value of every option side by side ---


_NPV = f"Net present value, £ billion ({chart.MINUS}: net cost)"


# --- Councils: how many children each has in care, and how that would change per child ---


COUNCILS_SHOWN = 5
"""Authorities printed at each end of the list."""


PLACES = (10, 30, 100, 300, 1_000, 3_000)
"""Numbers of children in care that the axis names."""


def _councils_drawn(view: View) -> pd.DataFrame:
    """Return the councils with a child in care, in the order of the table."""
    rows = view.rows("councils", option=view.option)
    return rows[rows["stock"] > 0]


def _england(rows: pd.DataFrame) -> float:
    """Return the change per 10,000 children over all councils."""
    return float((rows["fewer_per_10000"] * rows["children"]).sum() / rows["children"].sum())


def _draw_councils(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw a dot for each council: children in care today, and how many fewer per 10,000 children."""
    ends = {"most deprived fifth": "Most deprived fifth", "least deprived fifth": "Least deprived fifth"}
    groups = rows["deprivation_fifth"].map(ends).fillna("Between")
    for number, group in enumerate((*ends.values(), "Between")):
        held = rows[groups == group]
        look = {"color": chart.colours(3)[number], "mec": "white", "ms": 6, "zorder": 4 - number}
        ax.plot(held["stock"], held["fewer_per_10000"], chart.MARKERS[number], label=group, **look)
    ax.axhline(_england(rows), color=chart.TEXT, lw=1, ls=chart.DASHES[1])
    ax.set_xscale("log")
    ax.set_xticks(PLACES, [f"{place:,}" for place in PLACES])
    ax.minorticks_off()
    chart.label_end(ax, ax.get_xlim()[1], _england(rows), "England")
    ax.set_xlabel("Children in care today")
    ax.set_title("Fewer in care per 10,000 children", loc="left", pad=28)
    chart.key_above(ax, left=-0.1, ncols=3, handletextpad=0.1, columnspacing=0.8)


def _describe_councils(rows: pd.DataFrame, view: View) -> str:
    def said(row: pd.Series) -> str:
        return f"{row['name']}, {show(row['fewer_per_10000'])}, with {counted(row['stock'])} in care"

    high, low = (rows.loc[rows["fewer_per_10000"].agg(end)] for end in ("idxmax", "idxmin"))
    few = int((rows["fewer_mean"].abs() < 1.0).sum())
    return (
        f"Dot chart, one dot for each of {len(rows)} authorities with a child in care. Horizontal axis: children in "
        f"care today, logarithmic, {counted(rows['stock'].min())} to {counted(rows['stock'].max())}. Vertical axis: "
        f"children fewer in care at 31 March {int(rows['counted_in'].iloc[0])} per 10,000 children, mean. England: "
        f"{show(_england(rows))}. Highest: {said(high)}. Lowest: {said(low)}. In {few} of them fewer than one child is "
        "expected to be kept out of care."
    )


def _below_councils(view: View) -> Below:
    """Return the councils at both ends by saving less cost per child, and all of them as a file."""
    net = view.rows("councils", option=view.option)["net_per_child"].sort_values()
    shown_each = min(COUNCILS_SHOWN, len(net))
    shown = columns(
        text={"name": "Authority", "region": "Region"},
        count={"stock": "Children in care today"},
        number={"fewer_per_10000": "Fewer per 10,000 children"},
        money={"net_per_child": "Saving less cost per child"},
    )
    tables = [
        html_table(
            view.first,
            "councils",
            shown,
            f"Authorities with the {words} saving less cost per child",
            where={"option": view.option, f"net_per_child__{side}": float(limit)},
            order="net_per_child",
        )
        for words, side, limit in (
            ("highest", "from", net.iloc[-shown_each]),
            ("lowest", "to", net.iloc[shown_each - 1]),
        )
    ]
    return tables, [csv_link(view.first, "councils", name="councils")]


FIGURES = (
    Figure(
        "net",
        "Net cash flow by year",
        Data(
            "net_by_year",
            columns(YEAR, range_columns("money")),
            "Net saving (positive) or cost (negative) by year",
            chart.of_option,
        ),
        _draw_net,
        _describe_net,
        _years,
    ),
    Figure(
        "npv_by_option",
        "Net present value, by option and view",
        lambda view: results_below(view.appraisals, "npv_fiscal", style="money", what="Net present value"),
        lambda ax, _, view: chart.draw_results(ax, view, "npv_fiscal", values=_NPV, form="g", divisor=1e9),
        lambda options, view: chart.describe_results(
            view,
            "npv_fiscal",
            style="money",
            axis="net present value in pounds; left of zero is a net cost",
        ),
        lambda view: chart.drawn_options(view.appraisals, "npv_fiscal"),
        chart.results_height,
        anchor="npv-options",
    ),
    Figure(
        "councils",
        "Councils by size and change",
        _below_councils,
        _draw_councils,
        _describe_councils,
        _councils_drawn,
        4.2,
        needs="councils_by_group",
    ),
)
