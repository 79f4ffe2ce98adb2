"""The figure of councils: how many children each has in care, and how that would change per child."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cba.reporting.choices import View
from cba.reporting.figures import style as chart
from cba.reporting.figures.style import Below, Figure
from cba.reporting.html_tables import columns, csv_link, html_table
from cba.reporting.numbers import counted, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes


COUNCILS_SHOWN = 5
"""Authorities printed at each end of the list."""


PLACES = (10, 30, 100, 300, 1_000, 3_000)
"""Numbers of children in care that the axis names."""


def _drawn(view: View) -> pd.DataFrame:
    """Return the councils with a child in care, in the order of the table."""
    rows = view.rows("councils", option=view.option)
    return rows[rows["stock"] > 0]


def _england(rows: pd.DataFrame) -> float:
    """Return the change per 10,000 children over all councils."""
    return float((rows["fewer_per_10000"] * rows["children"]).sum() / rows["children"].sum())


def _draw(ax: Axes, rows: pd.DataFrame, view: View) -> None:
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


def _describe(rows: pd.DataFrame, view: View) -> str:
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


def _below(view: View) -> Below:
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
        "councils",
        "Councils by size and change",
        _below,
        _draw,
        _describe,
        _drawn,
        4.2,
        needs="councils_by_group",
    ),
)
