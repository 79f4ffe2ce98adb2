"""Figures of what drives a result: tornado and shares of variance."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, duo, new_axes, scale_of, styled
from cba.reporting.full_names import input_name
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

MOST_BARS = 10


def clear_drivers(
    appraisal: Appraisal, option: str, *, outcome: str = "npv", most: int = MOST_BARS
) -> pd.DataFrame:
    """Return the inputs that move an outcome by clearly more than Monte Carlo error, most first.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``drivers`` is read.
    option : str
        Option id.
    outcome : str
        ``npv`` or ``fewer_children``.
    most : int
        Most rows returned.

    Returns
    -------
    DataFrame
        Rows of the table that are marked clear; the first one where none is.

    Examples
    --------
    >>> clear_drivers(appraisal, "care_review")["input"]  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["drivers"], {"option": option, "outcome": outcome})
    rows = rows.sort_values("rank")
    clear = rows[rows["clear"].astype(bool)]
    return (rows.head(1) if clear.empty else clear).head(most)


@styled
def plot_tornado(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw expected net present value at the low and the high end of the inputs that move it most.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``drivers`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_tornado(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = clear_drivers(appraisal, option)
    ax = new_axes(height=tornado_height(appraisal, option)) if ax is None else ax
    centre = float(appraisal.results[f"npv_fiscal.{option}"]["mean"])
    divisor, unit = scale_of(float(rows[["outcome_low", "outcome_high"]].abs().to_numpy().max()))
    places = np.arange(len(rows))
    for end, colour, hatch, label in (
        ("outcome_low", duo()[1], "//", "Input at its low end"),
        ("outcome_high", duo()[0], "", "Input at its high end"),
    ):
        width = (rows[end].to_numpy() - centre) / divisor
        ax.barh(
            places,
            width,
            left=centre / divisor,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            height=0.6,
            label=label,
        )
    ax.axvline(centre / divisor, color=TEXT, lw=1)
    ax.set_yticks(places, [fill(input_name(name), 24) for name in rows["input"]])
    ax.invert_yaxis()
    _across(ax)
    ax.set_xlabel(f"Expected net present value, {unit}")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.45, 1.0), ncols=2, borderaxespad=0.2)
    return ax


def tornado_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every bar of the tornado room.

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
    >>> tornado_height(appraisal, "care_review")  # doctest: +SKIP
    """
    return 1.5 + 0.45 * len(clear_drivers(appraisal, option))


def describe_tornado(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_tornado`.

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
    >>> describe_tornado(appraisal, "care_review")  # doctest: +SKIP
    """
    parts = [
        f"{input_name(row['input'])}: {show(row['outcome_low'], style='money')} at its low end, "
        f"{show(row['outcome_high'], style='money')} at its high end"
        for row in clear_drivers(appraisal, option).to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each input that moves the outcome by clearly more than Monte Carlo "
        "error, longest first. Horizontal axis: expected net present value in pounds. Bars run from the value at "
        f"the input's 5% point to that at its 95% point. {'; '.join(parts)}."
    )


@styled
def plot_variance_shares(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the share of the variance of net present value that each research question accounts for.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``variance_shares`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_variance_shares(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = _question_shares(appraisal, option)
    ax = new_axes(height=1.1 + 0.42 * len(rows)) if ax is None else ax
    places = np.arange(len(rows))
    ax.barh(places, 100 * rows["effect"], color=duo()[0], height=0.6)
    ax.errorbar(
        100 * rows["effect"],
        places,
        xerr=196 * rows["se"],
        fmt="none",
        ecolor=TEXT,
        elinewidth=1.4,
        capsize=3,
    )
    for place, share, error in zip(places, rows["effect"], rows["se"], strict=True):
        ends = (100 * (share + 1.96 * error), place)
        ax.annotate(show(share, style="share", unit=0.01), ends, xytext=(6, 0), textcoords="offset points",
                    va="center", color=TEXT)  # fmt: skip
    ax.set_yticks(places, [name[:1].upper() + name[1:] for name in rows["name"]])
    ax.invert_yaxis()
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_xlim(min(0.0, float(100 * rows["effect"].min()) - 2.0), 112.0)
    _across(ax)
    ax.set_xlabel("Share of the variance of net present value, %")
    return ax


def describe_variance_shares(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_variance_shares`.

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
    >>> describe_variance_shares(appraisal, "care_review")  # doctest: +SKIP
    """
    parts = [
        f"{row['name']}: {show(row['effect'], style='share', unit=0.01)} (error "
        f"{show(row['se'], style='share', unit=0.01)})"
        for row in _question_shares(appraisal, option).to_dict("records")
    ]
    return (
        "Horizontal bar chart, one bar for each group of inputs; lines are 95% intervals of Monte Carlo error. "
        f"Horizontal axis: share of the variance of net present value, per cent. {'; '.join(parts)}."
    )


def _question_shares(appraisal: Appraisal, option: str) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["variance_shares"], {"option": option, "split": "question"})
    return rows.sort_values("effect", ascending=False)


def _across(ax: Axes) -> None:
    """Grid the values of a horizontal chart, with a true minus sign."""
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "\N{MINUS SIGN}"))
