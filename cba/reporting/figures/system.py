"""Figure of the calibration to the published accounts: modelled spending with its interval, and the outturn."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from cba.reporting.figures.style import (
    TEXT,
    colours,
    duo,
    label_end,
    name_values,
    new_axes,
    scale_of,
    set_years,
    styled,
)
from cba.reporting.names import full_name
from cba.reporting.numbers import matching_rows, show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


_BILLION = 1e9


@styled
def plot_accounts(appraisal: Appraisal, option: str, *, line: str = "total", ax: Axes | None = None) -> Axes:
    """Draw what the model says a line of the accounts cost in each published year, and what it did cost.

    `option` is not used: the accounts are of the past, the same whatever the option.
    """
    ax = new_axes() if ax is None else ax
    rows = matching_rows(appraisal.tables["accounts_reconciliation"], {"line": line}).sort_values("year")
    years = rows["year"].to_numpy()
    ax.fill_between(
        years,
        rows["modelled_lower"] / _BILLION,
        rows["modelled_upper"] / _BILLION,
        color=duo()[0],
        alpha=0.22,
        lw=0,
    )
    ax.plot(years, rows["modelled_mean"] / _BILLION, color=duo()[0], lw=2.2)
    ax.plot(years, rows["published_real"] / _BILLION, color=TEXT, marker="o", ms=5, ls="none")
    first = rows.iloc[0]
    _label(ax, first["year"], first["modelled_upper"], "Modelled", dy=8)
    _label(ax, first["year"], first["published_real"], "Published", dy=9)
    set_years(ax, int(years[0]), int(years[-1]))
    ax.set_ylim(bottom=0.0)
    name_values(ax, "Spending, real terms, £ billion")
    return ax


def _label(ax: Axes, year: float, value: float, text: str, *, dy: float) -> None:
    ax.annotate(
        text, (year, value / _BILLION), xytext=(2, dy), textcoords="offset points", color=TEXT, fontsize=9.5
    )


def describe_accounts(appraisal: Appraisal, option: str, *, line: str = "total") -> str:
    """Return the text alternative of `plot_accounts`."""
    rows = matching_rows(appraisal.tables["accounts_reconciliation"], {"line": line}).sort_values("year")
    said = [
        f"{int(row['year'])}: published {show(float(row['published_real']), style='money')}, modelled "
        f"{show(float(row['modelled_lower']), style='money')} to {show(float(row['modelled_upper']), style='money')}"
        for row in (rows.iloc[0].to_dict(), rows.iloc[-1].to_dict())
    ]
    inside = int((rows["inside"].astype(str) == "True").sum())
    return (
        "Line chart with an interval, and points. Horizontal axis: year ending 31 March. Vertical axis: spending in "
        f"real terms, billion pounds. {'; '.join(said)}. {inside} of {len(rows)} points lie in the interval."
    )


# --- Figure of one council's account: what it saves or pays by year, and what is freed but not yet … ---


@styled
def plot_council(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a council's own net cash by year with its interval: saving above zero, cost below."""
    ax = new_axes() if ax is None else ax
    rows = _own_net(table)
    divisor, unit = scale_of(float(rows[["lower", "upper"]].abs().to_numpy().max(initial=1.0)))
    mean = -rows["mean"].to_numpy() / divisor
    low, high = -rows["upper"].to_numpy() / divisor, -rows["lower"].to_numpy() / divisor
    places = np.arange(len(rows))
    bars = ax.bar(places, mean, color=[duo()[0] if value >= 0 else duo()[1] for value in mean], width=0.6)
    for bar, value in zip(bars, mean, strict=True):
        bar.set_hatch("" if value >= 0 else "//")
        bar.set_edgecolor("white")
    ax.errorbar(
        places,
        mean,
        yerr=np.abs([mean - low, high - mean]),
        fmt="none",
        ecolor=TEXT,
        elinewidth=1.4,
        capsize=3,
    )
    for place, value, end in zip(places, rows["mean"], high, strict=True):
        ax.annotate(
            show(-float(value), style="money"),
            (place, max(end, 0.0)),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            color=TEXT,
            fontsize=9.5,
        )
    ax.axhline(0.0, color=TEXT, lw=1)
    ax.margins(y=0.15)
    ax.set_xticks(places, [show(float(year), style="year") for year in rows["year"]])
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.3g}".replace("-", "\N{MINUS SIGN}"))
    name_values(ax, f"Council: net saving (+) or cost (\N{MINUS SIGN}), cash, {unit}")
    ax.grid(axis="x", visible=False)
    return ax


def describe_council(table: pd.DataFrame) -> str:
    """Return the text alternative of `plot_council`."""
    rows = _own_net(table)
    said = [
        f"{show(float(r.year), style='year')}: {show(-float(r.mean), style='net')} (interval "
        f"{show(-float(r.upper), style='money')} to {show(-float(r.lower), style='money')})"
        for r in rows.itertuples()
    ]
    return (
        f"Bar chart with interval lines, one bar a year, for {table['name'].iloc[0]}. Horizontal axis: "
        "financial year. Vertical axis: the council's own net cash, nominal pounds; savings above zero, costs "
        f"below. {'; '.join(said)}. Grants from central government are not in it."
    )


def _own_net(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["payer"] == "council") & (table["row"] == "payer")].sort_values("year")


# --- Figures of what care costs: the whole system by year, and the part of one placement that can be … ---


CASH, CLAIM_PRICES = "cash", "prices_of_2021-22"


PRICES = {CASH: "Cash", CLAIM_PRICES: "2021-22 prices"}
"""What is drawn, and how it is labelled: real terms at the prices of the claim, so that its line can be crossed."""


@styled
def plot_system_cost(
    appraisal: Appraisal, option: str, *, last_year: int, claim: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what the system costs by year, in cash and at the claim's prices, on current policy and with an option."""
    ax = new_axes() if ax is None else ax
    table = appraisal.tables["system_cost_by_year"]
    first = int(table["year"].min())
    for (price, words), colour, hatch in zip(
        PRICES.items(), (colours(4)[2], colours(4)[0]), ("////", None), strict=True
    ):
        for name, dashes in (("bau", "-"), (option, (0, (4, 2)))):
            rows = matching_rows(table, {"option": name, "price": price})
            rows = rows[rows["year"] <= last_year].sort_values("year")
            ax.plot(rows["year"], rows["mean"] / 1e9, color=colour, linestyle=dashes)
            if name == "bau":
                shade = (
                    {"facecolor": colour, "alpha": 0.18}
                    if hatch is None
                    else {"facecolor": "none", "edgecolor": colour, "hatch": hatch, "alpha": 0.5}
                )
                ax.fill_between(rows["year"], rows["lower"] / 1e9, rows["upper"] / 1e9, linewidth=0, **shade)
                label_end(ax, last_year, float(rows["mean"].iloc[-1]) / 1e9, words)
    if claim is not None:
        ax.axhline(claim / 1e9, color=TEXT, lw=1, ls=":")
        label_end(ax, last_year, claim / 1e9, f"Review: £{claim / 1e9:.0f}bn", dy=-8)
    set_years(ax, first, last_year, room=0.36)
    ax.set_ylim(0, None)
    name_values(ax, "£ billion a year")
    return ax


def describe_system_cost(appraisal: Appraisal, option: str, *, last_year: int) -> str:
    """Return the text alternative of `plot_system_cost`."""
    table = appraisal.tables["system_cost_by_year"]
    parts = []
    for price, words in ((CASH, "in cash"), (CLAIM_PRICES, "at 2021-22 prices")):
        for name, which in (("bau", "current policy"), (option, "with the option")):
            row = matching_rows(table, {"option": name, "price": price, "year": last_year}).iloc[0]
            parts.append(f"{words}, {which}: {show(row['mean'], style='money')}")
    return (
        "Line chart with shaded intervals. Horizontal axis: year ending 31 March, "
        f"{int(table['year'].min())} to {last_year}. "
        "Vertical axis: yearly cost, £ billion, from zero. Solid lines: current policy; dashed: with "
        f"the option. In {last_year}, " + "; ".join(parts) + "."
    )


@styled
def plot_cost_ladder(appraisal: Appraisal, *, ax: Axes | None = None) -> Axes:
    """Draw, for each placement, average cost of a child-year, avoidable part, and part cashable in year one."""
    rows = appraisal.tables["cost_ladder"]
    ax = new_axes(height=1.5 + 0.42 * len(rows)) if ax is None else ax
    places = np.arange(len(rows))
    ax.hlines(places, rows["cashable_first_year"] / 1e3, rows["average"] / 1e3, color="#BFBFBF", lw=2)
    marks = (
        ("average", "o", "Average cost"),
        ("avoidable", "s", "Avoidable"),
        ("cashable_first_year", "D", "Cashable in year one"),
    )
    for (field, marker, words), colour in zip(marks, colours(3), strict=True):
        ax.plot(rows[field] / 1e3, places, marker, color=colour, ms=8, mec="white", label=words)
    ax.set_yticks(places, [fill(full_name(name), 22) for name in rows["placement"]])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(0, None)
    ax.set_xlabel("£ thousand per child per year")
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=3,
        borderaxespad=0.2,
        handletextpad=0.1,
        columnspacing=0.8,
    )
    return ax


def describe_cost_ladder(appraisal: Appraisal) -> str:
    """Return the text alternative of `plot_cost_ladder`."""
    rows = appraisal.tables["cost_ladder"]
    high, low = rows.loc[rows["average"].idxmax()], rows.loc[rows["average"].idxmin()]
    return (
        "Dot chart, one row for each placement, three markers a row: average cost, avoidable, "
        "cashable in the first year. "
        "Horizontal axis: pounds per child per year, from zero. "
        f"Highest average: {full_name(high['placement'])}, {show(high['average'], style='money')}, of which "
        f"{show(high['cashable_first_year'], style='money')} cashable in the first year. Lowest average: "
        f"{full_name(low['placement'])}, {show(low['average'], style='money')}."
    )
