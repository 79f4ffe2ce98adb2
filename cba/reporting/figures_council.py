"""Figure of one council's account: what it saves or pays by year, and what is freed but not yet cashable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cba.reporting.chart_style import TEXT, duo, name_values, new_axes, scale_of, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@styled
def plot_council(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a council's own net cash by year with its interval: saving above zero, cost below.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`cba.appraisal.council_view.council_view`.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_council(table)  # doctest: +SKIP
    """
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
    """Return the text alternative of :func:`plot_council`.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`cba.appraisal.council_view.council_view`.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_council(table)  # doctest: +SKIP
    """
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
