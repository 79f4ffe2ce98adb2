"""Figures of money: net by year, cumulative net, payers, net present value, what care costs, and councils."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.inputs.evidence import load_claims
from cba.reporting.choices import View, horizon_years, payer_totals, within_horizon
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Below, Data, Figure
from cba.reporting.html_tables import columns, csv_link, html_table, range_columns, results_below
from cba.reporting.names import full_name
from cba.reporting.numbers import counted, netted, pounds, show, spanned

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


def _draw_cumulative(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw cumulative discounted net cash flow with its interval; payback is where it stays above zero."""
    low, high = "cumulative_lower", "cumulative_upper"
    divisor, unit = chart.scale_of(float(rows[[low, high]].abs().to_numpy().max(initial=1.0)))
    shade = {"color": chart.duo()[0], "alpha": 0.2, "lw": 0}
    ax.fill_between(rows["year"], rows[low] / divisor, rows[high] / divisor, **shade)
    ax.plot(rows["year"], rows["cumulative_mean"] / divisor, color=chart.duo()[0])
    _money_axis(ax, unit)
    last = rows.iloc[-1]
    for field, text in (("cumulative_mean", "Mean"), (high, "Upper end"), (low, "Lower end")):
        chart.label_end(ax, float(last["year"]), float(last[field]) / divisor, text)
    chart.set_years(ax, *horizon_years(view.first), room=0.25)


def _describe_cumulative(rows: pd.DataFrame, view: View) -> str:
    last, low = rows.iloc[-1], rows.loc[rows["cumulative_mean"].idxmin()]
    return (
        f"Line chart with a shaded interval. {_axis_words(view)} Vertical axis: cumulative discounted net, pounds. The "
        f"mean is lowest in {int(low['year'])} ({netted(low['cumulative_mean'])}) and ends in "
        f"{int(last['year'])} at {netted(last['cumulative_mean'])} (interval "
        f"{spanned(last, pounds, of='cumulative_')})."
    )


# --- By payer ---


def _draw_payers(ax: Axes, net: pd.Series[float], view: View) -> None:
    """Draw who pays and who saves over the horizon: mean net by payer, undiscounted."""
    divisor, unit = chart.scale_of(float(net.abs().max()) if len(net) else 1.0)
    words = ("saves" if value < 0 else "pays" for value in net)
    axis = f"Net saving (right) or cost (left), {unit}"
    chart.named_bars(ax, -net / divisor, map(full_name, net.index), words, axis=axis, wrap=16, zero=True)
    ax.margins(x=0.24)


def _describe_payers(net: pd.Series[float], view: View) -> str:
    parts = [f"{full_name(name)} {'saves' if v < 0 else 'pays'} {pounds(abs(v))}" for name, v in net.items()]
    return (
        "Horizontal bar chart, one bar for each payer. Horizontal axis: mean net over the horizon, undiscounted "
        f"pounds; savings to the right of zero, costs to the left. {'; '.join(parts)}."
    )


# --- Net present value of every option side by side ---


_NPV = f"Net present value, £ billion ({chart.MINUS}: net cost)"


# --- What care costs: the whole system by year, and the part of one placement that can be cashed ---


CASH, CLAIM_PRICES = "cash", "prices_of_2021-22"


PRICES = {CASH: "Cash", CLAIM_PRICES: "2021-22 prices"}
"""What is drawn, and how it is labelled: real terms at the prices of the claim, so that its line can be crossed."""


def _draw_system(ax: Axes, table: pd.DataFrame, view: View) -> None:
    """Draw what the system costs by year, in cash and at the claim's prices, on current policy and with an option."""
    looks = zip(PRICES.items(), (chart.colours(4)[2], chart.colours(4)[0]), ("////", None), strict=True)
    shown = table[table["year"] <= view.last_year].sort_values("year")
    ends = ["mean", "lower", "upper"]
    billions = shown.assign(**shown[ends] / 1e9)
    for (price, words), colour, hatch in looks:
        at_price = billions[billions["price"] == price]
        usual, changed = (at_price[at_price["option"] == name] for name in ("bau", view.option))
        chart.band(ax, usual, colour, hatch=hatch, alpha=0.5 if hatch else 0.18)
        ax.plot(changed["year"], changed["mean"], color=colour, linestyle=(0, (4, 2)))
        chart.label_end(ax, view.last_year, float(usual["mean"].iloc[-1]), words)
    claim = load_claims().system_cost
    ax.axhline(claim.value / 1e9, color=chart.TEXT, lw=1, ls=":")
    chart.label_end(ax, view.last_year, claim.value / 1e9, f"Review: {claim}", dy=-8)
    chart.set_years(ax, int(table["year"].min()), view.last_year, room=0.36)
    ax.set_ylim(0, None)
    chart.name_values(ax, "£ billion a year")


def _describe_system(table: pd.DataFrame, view: View) -> str:
    parts = []
    for price, words in ((CASH, "in cash"), (CLAIM_PRICES, "at 2021-22 prices")):
        for name, which in (("bau", "current policy"), (view.option, "with the option")):
            row = view.rows("system_cost_by_year", option=name, price=price, year=view.last_year).iloc[0]
            parts.append(f"{words}, {which}: {pounds(row['mean'])}")
    return (
        f"Line chart with shaded intervals. Horizontal axis: year ending 31 March, {int(table['year'].min())} to "
        f"{view.last_year}. Vertical axis: yearly cost, £ billion, from zero. Solid lines: current policy; dashed: "
        f"with the option. In {view.last_year}, {'; '.join(parts)}."
    )


def _system_tables(view: View) -> Below:
    shown = columns(YEAR, columns(name={"price": "Prices"}), range_columns("money"))
    tables = (
        Data(
            "system_cost_by_year",
            shown,
            f"Yearly cost of the system, {view.first.option_labels[option]}",
            chart.rows_with(option=option, price__among=" ".join(PRICES)),
            name=f"system_cost_{option}",
        )
        for option in ("bau", view.option)
    )
    return chart.below(view, *tables)


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
        "cumulative",
        "Cumulative discounted net",
        Data(
            "net_by_year",
            columns(
                YEAR,
                range_columns("money", "cumulative_"),
                probability={"prob_cumulative_positive": "Chance it is above zero"},
            ),
            "Cumulative discounted net",
            chart.of_option,
        ),
        _draw_cumulative,
        _describe_cumulative,
        _years,
    ),
    Figure(
        "payers",
        "Who pays and who gains",
        Data(
            "cash_flow_by_year",
            columns(YEAR, columns(name={"payer": "Payer", "kind": "Kind"}), range_columns("money")),
            "Money by year, payer and kind; costs positive, savings negative",
            chart.of_option,
        ),
        _draw_payers,
        _describe_payers,
        lambda view: payer_totals(view.first, view.option),
        2.6,
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
        "system",
        "Yearly cost of the system",
        _system_tables,
        _draw_system,
        _describe_system,
        lambda view: view.first.tables["system_cost_by_year"],
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
