"""Figures along the value of a child-year: which option is best and how surely, and the frontier of options."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.chart_style import TEXT, colours, label_end, name_values, new_axes, scale_of, styled
from cba.reporting.numbers import is_defined, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

MOST_LINES = 4
SHOWN_CHANCE = 0.05
"""An option is drawn where its chance of being best reaches this somewhere, or where it is the one to choose."""

_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))


def contenders(appraisal: Appraisal) -> list[str]:
    """Return the options that are worth drawing in acceptability curves, those to choose first, then the surest.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``acceptability`` is read.

    Returns
    -------
    list of str
        Every option that is somewhere the one to choose; at most four where these are not more.

    Examples
    --------
    >>> contenders(appraisal)  # doctest: +SKIP
    """
    table = appraisal.tables["acceptability"]
    highest = table.groupby("option", sort=False)["prob_best"].max()
    chosen = set(table.loc[table["best"].astype(bool), "option"])
    order = sorted(highest.index, key=lambda name: (name not in chosen, -highest[name]))
    kept = [name for name in order if name in chosen or highest[name] >= SHOWN_CHANCE]
    return kept[: max(MOST_LINES, len(chosen))]


@styled
def plot_acceptability(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw each contender's chance of being best by the value of a child-year; points mark the one to choose.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``acceptability`` is read.
    option : str
        Option id; not used, every contender is drawn.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_acceptability(appraisal, "care_review")  # doctest: +SKIP
    """
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
    """Return the text alternative of :func:`plot_acceptability`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id; not used.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_acceptability(appraisal, "care_review")  # doctest: +SKIP
    """
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
    """Draw every option by mean net cost and mean child-years, the frontier of undominated options joined.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``frontier`` is read.
    option : str
        Option id; not used, every option is drawn.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_frontier(appraisal, "care_review")  # doctest: +SKIP
    """
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
    """Return a height, inches, for the chart and its key, one line an option.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id; not used.

    Returns
    -------
    float

    Examples
    --------
    >>> frontier_height(appraisal, "care_review")  # doctest: +SKIP
    """
    return 3.9 + 0.19 * len(appraisal.tables["frontier"])


def describe_frontier(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_frontier`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id; not used.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_frontier(appraisal, "care_review")  # doctest: +SKIP
    """
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
    """Scale the horizontal axis for values of a child-year, which span several powers of ten.

    Parameters
    ----------
    ax : Axes
        Axes to draw on.

    Examples
    --------
    >>> set_value_axis(ax)  # doctest: +SKIP
    """
    ax.set_xscale("log")
    ax.minorticks_off()
    ticks = {1e4: "£10,000", 1e5: "£100,000", 1e6: "£1m", 1e7: "£10m"}
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.set_xlim(8e3, 1.7e7)
    ax.set_xlabel("Value of a child-year at home (logarithmic scale)")
