"""Figure of what finding out is worth, by research question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.chart_style import TEXT, duo, new_axes, scale_of, styled
from cba.reporting.numbers import rounding_unit, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal


def value_shown(appraisal: Appraisal) -> float:
    """Return the value of a child-year, of those worked out, nearest to the highest one put forward elsewhere.

    Parameters
    ----------
    appraisal : Appraisal
        Its tables ``information_value`` and ``break_even_values`` (rows of kind ``anchor``) are read.

    Returns
    -------
    float
        GBP; 0, cash alone, where no value is put forward.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> worth = pd.DataFrame({"value_per_child_year": [0.0, 1e5, 1e6]})
    >>> anchors = pd.DataFrame({"kind": ["anchor", "option"], "value_per_child_year": [1.2e5, 5e6]})
    >>> value_shown(SimpleNamespace(tables={"information_value": worth, "break_even_values": anchors}))
    100000.0
    """
    worked = appraisal.tables["information_value"]["value_per_child_year"]
    known = appraisal.tables.get("break_even_values")
    anchors = [] if known is None else known.loc[known["kind"] == "anchor", "value_per_child_year"]
    highest = max(anchors, default=0.0)
    return float(min(worked, key=lambda value: abs(value - highest)))


def best_question(appraisal: Appraisal, value: float) -> str:
    """Return the research question whose answer is worth most there; empty where none is worth anything.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``information_value`` is read.
    value : float
        GBP for a child-year, one of those worked out.

    Returns
    -------
    str

    Examples
    --------
    >>> best_question(appraisal, 0.0)  # doctest: +SKIP
    'price reform'
    """
    rows = _questions(appraisal, value)
    top = rows.iloc[0]
    return str(top["question"]) if top["value"] > 1.96 * top["se"] else ""


@styled
def plot_information(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the value of perfect information on each research question, with its error.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``information_value`` is read.
    option : str
        Option id; not used, all options are compared.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_information(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = _questions(appraisal, value_shown(appraisal))
    ax = new_axes(height=information_height(appraisal, option)) if ax is None else ax
    divisor, unit = scale_of(float((rows["value"] + 1.96 * rows["se"]).max()))
    places = np.arange(len(rows))
    value, error = rows["value"].to_numpy() / divisor, 1.96 * rows["se"].to_numpy() / divisor
    ax.barh(places, value, color=duo()[0], height=0.6)
    low = np.minimum(error, value)
    ax.errorbar(value, places, xerr=[low, error], fmt="none", ecolor=TEXT, elinewidth=1.4, capsize=3)
    for place, raw, se, end in zip(places, rows["value"], rows["se"], value + error, strict=True):
        text = show(float(raw), style="money", unit=rounding_unit(raw, se))
        ax.annotate(text, (end, place), xytext=(6, 0), textcoords="offset points", va="center", color=TEXT)
    ax.set_yticks(places, [name[:1].upper() + name[1:] for name in rows["question"]])
    ax.invert_yaxis()
    ax.margins(x=0.25)
    ax.set_xlim(left=0.0)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(f"Value of knowing it exactly, {unit}, present value")
    return ax


def information_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every question a bar.

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
    >>> information_height(appraisal, "care_review")  # doctest: +SKIP
    """
    return 1.1 + 0.42 * len(_questions(appraisal, value_shown(appraisal)))


def describe_information(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_information`.

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
    >>> describe_information(appraisal, "care_review")  # doctest: +SKIP
    """
    parts = [
        f"{row['question']}: {show(row['value'], style='money', unit=rounding_unit(row['value'], row['se']))} "
        f"(error {show(row['se'], style='money', unit=rounding_unit(row['se'], figures=2))})"
        for row in _questions(appraisal, value_shown(appraisal)).to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each research question, highest first; lines are 95% intervals. "
        "Horizontal axis: value of perfect information in pounds, present value, at "
        f"{show(value_shown(appraisal), style='price')} for a child-year. {'; '.join(parts)}."
    )


def _questions(appraisal: Appraisal, value: float) -> pd.DataFrame:
    table = appraisal.tables["information_value"]
    rows = table[table["value_per_child_year"] == value]
    return rows[rows["question"] != "everything"].sort_values("value", ascending=False)
