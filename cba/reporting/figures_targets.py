"""Figures of targets: chance of fewer children by year, and payback by payer."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, colours, duo, name_values, new_axes, set_years, styled
from cba.reporting.full_names import full_name
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

MOST_LINES = 4
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))


@styled
def plot_fewer_chances(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the chance of at least so many fewer children, by year: the review's numbers and the smallest.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``fewer_children_chances`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_fewer_chances(appraisal, "care_review")  # doctest: +SKIP
    """
    ax = new_axes(height=4.0) if ax is None else ax
    rows = matching_rows(appraisal.tables["fewer_children_chances"], {"option": option})
    palette = colours(4)
    for number, target in enumerate(drawn_targets(rows)):
        one = rows[rows["fewer_children"] == target].sort_values("year")
        label = f"At least {show(target, style='count')}"
        ax.plot(
            one["year"],
            100 * one["probability"],
            color=palette[number],
            ls=_DASHES[number],
            lw=2.2,
            label=label,
        )
    set_years(ax, int(rows["year"].min()), int(rows["year"].max()))
    ax.set_ylim(0, 103)
    name_values(ax, "Chance of so many fewer children, %")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.09), ncols=2, borderaxespad=0.0, handlelength=2.4)
    return ax


def drawn_targets(rows: pd.DataFrame) -> list[float]:
    """Return the numbers of children drawn: the smallest two and the largest two of a table's.

    Parameters
    ----------
    rows : DataFrame
        With a column ``fewer_children``.

    Returns
    -------
    list of float

    Examples
    --------
    >>> drawn_targets(pd.DataFrame({"fewer_children": [1, 2, 3, 4, 5]}))
    [1, 2, 4, 5]
    """
    targets = sorted(set(rows["fewer_children"]))
    return targets if len(targets) <= MOST_LINES else [*targets[:2], *targets[-2:]]


def describe_fewer_chances(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_fewer_chances`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_fewer_chances(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["fewer_children_chances"], {"option": option})
    last = rows[rows["year"] == rows["year"].max()]
    parts = [
        f"at least {show(row['fewer_children'], style='count')}: {show(row['probability'], style='probability')}"
        for row in last.to_dict("records")
    ]
    return (
        f"Line chart, one line for each of {len(drawn_targets(rows))} numbers of children. Horizontal axis: years "
        f"ending 31 March, {int(rows['year'].min())} to {int(rows['year'].max())}. Vertical axis: chance of at least "
        f"so many fewer children in care, per cent. In the last year {'; '.join(parts)}."
    )


@styled
def plot_payback_by_payer(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the chance that each payer never pays back, and that it has by the end of the horizon.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``payback_by_payer`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_payback_by_payer(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = never_by_payer(appraisal, option)
    ax = new_axes(height=payer_height(appraisal, option)) if ax is None else ax
    places = np.arange(len(rows))
    ax.barh(places, 100 * rows["probability"], color=duo()[0], height=0.6)
    for place, chance, error in zip(places, rows["probability"], rows["mcse"], strict=True):
        ax.annotate(show(chance, style="probability", unit=error), (100 * chance, place), xytext=(6, 0),
                    textcoords="offset points", va="center", color=TEXT)  # fmt: skip
    ax.set_yticks(places, [fill(full_name(name), 16) for name in rows["payer"]])
    ax.invert_yaxis()
    ax.set_xlim(0, 116)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.set_xlabel("Chance of never paying back, %")
    return ax


def never_by_payer(appraisal: Appraisal, option: str) -> pd.DataFrame:
    """Return each payer's row of never paying back within the horizon, the likeliest first.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``payback_by_payer`` is read.
    option : str
        Option id.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> never_by_payer(appraisal, "care_review")["payer"]  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["payback_by_payer"], {"option": option})
    return rows[rows["year"].isna()].sort_values("probability", ascending=False, kind="stable")


def payer_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every payer a bar.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    float

    Examples
    --------
    >>> payer_height(appraisal, "care_review")  # doctest: +SKIP
    """
    return 1.1 + 0.5 * len(never_by_payer(appraisal, option))


def describe_payback_by_payer(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_payback_by_payer`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_payback_by_payer(appraisal, "care_review")  # doctest: +SKIP
    """
    parts = [
        f"{full_name(row['payer'])}: {show(row['probability'], style='probability')}"
        for row in never_by_payer(appraisal, option).to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each payer. Horizontal axis: chance, per cent, of never paying back "
        f"within {appraisal.analysis.horizon} years. {'; '.join(parts)}."
    )
