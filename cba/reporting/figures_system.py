"""Figures of what care costs: the whole system by year, and the part of one placement that can be saved."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, colours, label_end, name_values, new_axes, set_years, styled
from cba.reporting.full_names import full_name
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

CASH, CLAIM_PRICES = "cash", "prices_of_2021-22"
PRICES = {CASH: "Cash", CLAIM_PRICES: "2021-22 prices"}
"""What is drawn, and how it is labelled: real terms at the prices of the claim, so that its line can be crossed."""


@styled
def plot_system_cost(
    appraisal: Appraisal, option: str, *, last_year: int, claim: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what the system costs by year, in cash and at the claim's prices, on current policy and with an option.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``system_cost_by_year`` is read.
    option : str
        Option id.
    last_year : int
        Last year drawn, year ending 31 March.
    claim : float, optional
        Claimed yearly cost, GBP of 2021-22, drawn as a line across.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_system_cost(appraisal, "care_review", last_year=2032, claim=15e9)  # doctest: +SKIP
    """
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
    """Return the text alternative of :func:`plot_system_cost`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.
    last_year : int
        Last year shown, year ending 31 March.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_system_cost(appraisal, "care_review", last_year=2035)  # doctest: +SKIP
    """
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
    """Draw, for each placement, average cost of a child-year, avoidable part, and part cashable in year one.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``cost_ladder`` is read.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_cost_ladder(appraisal)  # doctest: +SKIP
    """
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
    """Return the text alternative of :func:`plot_cost_ladder`.

    Parameters
    ----------
    appraisal : Appraisal

    Returns
    -------
    str

    Examples
    --------
    >>> describe_cost_ladder(appraisal)  # doctest: +SKIP
    """
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
