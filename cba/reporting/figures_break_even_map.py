"""Figure of the break-even map: cut in starts against cashable saving per child-year, with beliefs and claims."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, colours, name_values, new_axes, styled
from cba.reporting.full_names import stance_name
from cba.reporting.numbers import show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

_SHAPES = ("o", "s", "D", "^")
_DASHES = ("-", "--", ":", "-.")
_THOUSAND = 1e3
_TOP = 150.0
"""Thousand pounds at the top of the axis, unless beliefs or claims lie higher."""


@styled
def plot_break_even_map(appraisals: Sequence[Appraisal], option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the curve on which an option breaks even, where each stance puts it, and the review's figures.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance; the curve is that of the first. Their tables ``break_even_map`` are read; one without
        rows (a stance without draws) is left out.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_break_even_map([appraisal], "care_review")  # doctest: +SKIP
    """
    ax = new_axes(height=4.4) if ax is None else ax
    tables = _tables(appraisals, option)
    first = next(iter(tables.values()))
    lowest, highest, top = _limits(list(tables.values()))
    curve = first[(first["kind"] == "contour") & (first["value"] / _THOUSAND <= top)]
    ax.plot(100 * curve["cut"], curve["value"] / _THOUSAND, color=TEXT, lw=2)
    for number, (stance, table) in enumerate(tables.items()):
        _draw_stance(ax, table, stance, number)
    for row in first[first["kind"] == "claim"].itertuples():
        ax.plot(100 * row.cut, row.value / _THOUSAND, marker="X", ms=9, color=TEXT, ls="none")
        _label(
            ax, 100 * row.cut, row.value / _THOUSAND, fill(str(row.label), 16), dy=-9, va="top", ha="center"
        )
    if len(curve):
        nearest = curve.iloc[0]
        _label(ax, 100 * nearest["cut"], nearest["value"] / _THOUSAND, "Breaks even", dy=2, ha="left", dx=8)
        _label(ax, highest - 1, top, "Net saving", dy=-4, va="top", ha="right")
    ax.axvline(0.0, color=TEXT, lw=0.8)
    ax.set_xlim(lowest, highest)
    ax.set_ylim(0.0, top)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel("Fewer starts in the target year, %")
    name_values(ax, "Cashable saving per child-year, £ thousand")
    return ax


def _draw_stance(ax: Axes, table: pd.DataFrame, stance: str, number: int) -> None:
    colour = colours(4)[number % 4]
    edge, point = table[table["kind"] == "region"], table[table["kind"] == "point"]
    dash = _DASHES[number % len(_DASHES)]
    ax.plot(100 * edge["cut"], edge["value"] / _THOUSAND, color=colour, lw=1.6, ls=dash)
    x, y = 100 * float(point["cut"].iloc[0]), float(point["value"].iloc[0]) / _THOUSAND
    ax.plot(x, y, marker=_SHAPES[number % len(_SHAPES)], ms=7, color=colour, ls="none")
    above = number % 2 == 0
    height = float((edge["value"].max() if above else edge["value"].min()) / _THOUSAND)
    place = float(100 * edge.loc[edge["value"].idxmax() if above else edge["value"].idxmin(), "cut"])
    words = stance_name(stance)
    _label(ax, place, height, words, dy=4 if above else -4, va="bottom" if above else "top", ha="center")


def _label(
    ax: Axes, x: float, y: float, text: str, *, dy: float, ha: str, va: str = "center", dx: float = 0.0
) -> None:
    ax.annotate(
        text, (x, y), xytext=(dx, dy), textcoords="offset points", ha=ha, va=va, color=TEXT, fontsize=9.5
    )


def _tables(appraisals: Sequence[Appraisal], option: str) -> dict[str, pd.DataFrame]:
    found = {}
    for appraisal in appraisals:
        if "break_even_map" in appraisal.tables:
            rows = matching_rows(appraisal.tables["break_even_map"], {"option": option})
            if len(rows):
                found[appraisal.stance] = rows
    return found


def _limits(tables: list[pd.DataFrame]) -> tuple[float, float, float]:
    """Lowest and highest cut (per cent) and highest value (thousand pounds) that the axes must hold."""
    shown = [table[table["kind"].isin(("region", "point", "claim"))] for table in tables]
    lowest = min(0.0, *(100 * float(rows["cut"].min()) for rows in shown))
    highest = max(100 * float(rows["cut"].max()) for rows in shown)
    top = max(_TOP, *(float(rows["value"].max()) / _THOUSAND for rows in shown))
    room = 0.18 * (highest - lowest)
    return lowest - room / 2, highest + room, 1.1 * top


def describe_break_even_map(appraisals: Sequence[Appraisal], option: str) -> str:
    """Return the text alternative of :func:`plot_break_even_map`.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance.
    option : str
        Option id.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_break_even_map([appraisal], "care_review")  # doctest: +SKIP
    """
    tables = _tables(appraisals, option)
    first = next(iter(tables.values()))
    points = [(stance_name(s), t[t["kind"] == "point"].iloc[0]) for s, t in tables.items()]
    said = [f"{name}: {_place(row)}" for name, row in points]
    said += [f"{row.label}: {_place(row)}" for row in first[first["kind"] == "claim"].itertuples()]
    curve = first[first["kind"] == "contour"]
    ends = "No curve: the option pays without any cut in starts."
    if len(curve):
        ends = (
            "A falling curve marks break-even, from "
            f"{_place(curve.iloc[0])} to {_place(curve.iloc[-1])}; above it the option saves, below it costs."
        )
    return (
        "Dot chart with rings and a curve. Horizontal axis: fewer starts in the target year, per cent. "
        "Vertical axis: cashable saving per child-year, thousand pounds. "
        f"{ends} {'; '.join(said)}. A ring round a stance's point holds most of its draws."
    )


def _place(row: object) -> str:
    cut, value = float(row.cut), float(row.value)  # type: ignore[attr-defined]  # a row of the table
    words = show(abs(cut), style="share")
    return f"{words} {'fewer' if cut >= 0 else 'more'} starts at {show(value, style='money')} a child-year"
