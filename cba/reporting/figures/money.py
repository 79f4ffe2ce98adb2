"""Figures of money: net by year, cumulative net, payback, payers, net present value, and what care costs."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.inputs.evidence import load_claims
from cba.reporting.choices import View, horizon_years, never_by_payer, payer_totals, within_horizon
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Below, Data, Figure
from cba.reporting.html_tables import columns, frame_link, range_columns, results_below
from cba.reporting.names import full_name, stance_name
from cba.reporting.numbers import chance_of, is_defined, netted, pounds, spanned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


YEAR = columns(plain={"year": "Year ending 31 March"})


NEVER = columns(plain={"year": "Year of payback (not defined: never)"})


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


def _draw_payback(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw the probability of paying back in each year, and of never doing so within the horizon."""
    first, last = horizon_years(view.first)
    pairs = zip(rows["year"], rows["probability"], strict=True)
    found = {int(year): float(chance) for year, chance in pairs if is_defined(year)}
    never = 100 * float(rows.loc[rows["year"].isna(), "probability"].sum())
    years = list(range(first, last + 1))
    values = [100 * found.get(year, 0.0) for year in years]
    aside = len(years) + 0.5
    ax.bar(range(len(years)), values, color=chart.duo()[0], width=0.7)
    ax.bar(aside, never, color=chart.duo()[1], width=0.7, hatch="//", edgecolor="white")
    labels = [str(year) if number % 3 == 0 else "" for number, year in enumerate(years)]
    ax.set_xticks([*range(len(years)), aside], [*labels, "Never"])
    for place, value in [*enumerate(values), (aside, never)]:
        if value >= 0.5:
            words = chance_of(value / 100)
            chart.note(ax, words, (place, value), (0, 3), ha="center", va="baseline", fontsize=9.5)
    chart.name_values(ax, "Probability, %")
    ax.set_ylim(0, 108)
    ax.grid(axis="x", visible=False)


def _describe_payback(rows: pd.DataFrame, view: View) -> str:
    never = float(rows.loc[rows["year"].isna(), "probability"].sum())
    first, last = horizon_years(view.first)
    by_year = rows.dropna(subset=["year"])
    best = "No draw pays back within the horizon."
    if len(by_year):
        top = by_year.loc[by_year["probability"].idxmax()]
        chance = chance_of(top["probability"])
        best = f"The single most probable year is {int(top['year'])} ({chance})."
    return (
        f"Bar chart. Horizontal axis: year of payback, {first} to {last}, and never. Vertical axis: probability, per "
        f"cent. Never: {chance_of(never)}. {best}"
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


def _draw_never(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw the chance that each payer never pays back within the horizon."""
    chances, names = rows["probability"], map(full_name, rows["payer"])
    words = (chance_of(p, unit=se) for p, se in zip(chances, rows["mcse"], strict=True))
    chart.named_bars(ax, 100 * chances, names, words, axis="Chance of never paying back, %", wrap=16)
    ax.set_xlim(0, 116)


def _describe_never(rows: pd.DataFrame, view: View) -> str:
    parts = [f"{full_name(row['payer'])}: {chance_of(row['probability'])}" for row in rows.to_dict("records")]
    return (
        "Horizontal bar chart, one bar for each payer. Horizontal axis: chance, per cent, of never paying back "
        f"within {view.first.analysis.horizon} years. {'; '.join(parts)}."
    )


# --- Net present value: its distribution under each stance, and every option side by side ---


_BINS = 40


_NPV = f"Net present value, £ billion ({chart.MINUS}: net cost)"


def npv_shares(appraisals: Sequence[Appraisal], option: str) -> pd.DataFrame:
    """Return the share of draws in each band of net present value, per stance.

    Columns ``stance``, ``from_gbp``, ``to_gbp``, ``share``; bands are the same for every stance: 40 between
    the 0.1% and 99.9% points of all draws; draws beyond them are counted in the outer bands.
    """
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


def _draw_distribution(ax: Axes, shares: pd.DataFrame, view: View) -> None:
    """Draw how net present value is distributed for one option, one outline per stance, zero marked."""
    shown = list(dict.fromkeys(shares["stance"]))
    palette = chart.colours(max(len(shown), 3))
    for number, stance in enumerate(shown):
        rows = shares[shares["stance"] == stance]
        edges = np.append(rows["from_gbp"], rows["to_gbp"].iloc[-1]) / 1e9
        style = {"color": palette[number], "lw": 2, "ls": chart.DASHES[number % 3]}
        ax.stairs(100 * rows["share"], edges, label=stance_name(stance), **style)
        if number == 0:
            ax.stairs(100 * rows["share"], edges, fill=True, color=palette[0], alpha=0.15)
    ax.axvline(0.0, color=chart.TEXT, lw=1)
    ax.set_xlabel(_NPV)
    ax.xaxis.set_major_formatter(chart.signed("g"))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    chart.name_values(ax, "Share of draws, %")
    ax.set_ylim(0, None)
    if len(shown) > 1:
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2, handlelength=1.6)


def _describe_distribution(shares: pd.DataFrame, view: View) -> str:
    parts = []
    for item in _defined(view.appraisals, view.option):
        npv = item.results[f"npv_fiscal.{view.option}"]
        chance = chance_of(item.results[f"prob_npv_positive.{view.option}"]["mean"])
        parts.append(
            f"{stance_name(item.stance)}: mean {netted(npv['mean'])}, interval "
            f"{spanned(npv, pounds)}, {chance} of draws above zero."
        )
    return (
        "Histogram outlines, one for each stance. Horizontal axis: net present value in pounds, zero marked; left of "
        f"zero is a net cost. Vertical axis: share of draws. {' '.join(parts)}"
    )


def _distribution_tables(view: View) -> Below:
    tables, _ = results_below(view.appraisals, "npv_fiscal", style="money", what="Net present value")
    return tables, [frame_link(npv_shares(view.appraisals, view.option), name="npv_distribution")]


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


def _draw_ladder(ax: Axes, rows: pd.DataFrame, view: View) -> None:
    """Draw, for each placement, average cost of a child-year, avoidable part, and part cashable in year one."""
    places = np.arange(len(rows))
    ax.hlines(places, rows["cashable_first_year"] / 1e3, rows["average"] / 1e3, color=chart.GREY, lw=2)
    marks = {**_PARTS, "cashable_first_year": "Cashable in year one"}.items()
    for (field, words), marker, colour in zip(marks, chart.MARKERS[:3], chart.colours(3), strict=True):
        ax.plot(rows[field] / 1e3, places, marker, color=colour, ms=8, mec="white", label=words)
    labels = [fill(full_name(name), 22) for name in rows["placement"]]
    chart.name_rows(ax, labels, ends=(0.4, 0.6), values="£ thousand per child per year")
    ax.set_xlim(0, None)
    close = {"borderaxespad": 0.2, "handletextpad": 0.1, "columnspacing": 0.8}
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, **close)


def _describe_ladder(rows: pd.DataFrame, view: View) -> str:
    high, low = rows.loc[rows["average"].idxmax()], rows.loc[rows["average"].idxmin()]
    return (
        "Dot chart, one row for each placement, three markers a row: average cost, avoidable, cashable in the first "
        "year. Horizontal axis: pounds per child per year, from zero. Highest average: "
        f"{full_name(high['placement'])}, {pounds(high['average'])}, of which {pounds(high['cashable_first_year'])} "
        f"cashable in the first year. Lowest average: {full_name(low['placement'])}, {pounds(low['average'])}."
    )


_PARTS = {"average": "Average cost", "avoidable": "Avoidable"}


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
        "payback",
        "Year of payback",
        Data(
            "payback",
            columns(NEVER, probability={"probability": "Probability"}),
            "Year of payback",
            chart.of_option,
        ),
        _draw_payback,
        _describe_payback,
        height=3.0,
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
        "payback_by_payer",
        "Payback by payer",
        Data(
            "payback_by_payer",
            columns(
                columns(name={"payer": "Payer"}),
                NEVER,
                probability={"probability": "Chance", "cumulative": "Chance by then"},
            ),
            "Year of payback by payer",
            chart.of_option,
        ),
        _draw_never,
        _describe_never,
        lambda view: never_by_payer(view.first, view.option),
        lambda rows: 1.1 + 0.5 * len(rows),
    ),
    Figure(
        "npv_distribution",
        "Distribution of net present value",
        _distribution_tables,
        _draw_distribution,
        _describe_distribution,
        lambda view: npv_shares(view.appraisals, view.option),
        anchor="npv",
    ),
    Figure(
        "npv_by_option",
        "Net present value, by option and stance",
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
        "ladder",
        "From average cost to cash",
        Data(
            "cost_ladder",
            columns(
                name={"placement": "Placement"},
                money={**_PARTS, "cashable_first_year": "Cashable in the first year"},
            ),
            "Cost per child per year, means",
            name="cost_ladder",
        ),
        _draw_ladder,
        _describe_ladder,
        height=lambda rows: 1.5 + 0.42 * len(rows),
    ),
    Figure(
        "system",
        "Yearly cost of the system",
        _system_tables,
        _draw_system,
        _describe_system,
        lambda view: view.first.tables["system_cost_by_year"],
    ),
)
