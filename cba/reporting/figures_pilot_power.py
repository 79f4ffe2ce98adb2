"""Figure of what a pilot can see: the smallest fall it would detect beside the fall that is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, colours, new_axes, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal


def announced_row(appraisal: Appraisal, option: str) -> pd.Series:
    """Return the row of ``pilot_power`` of the design announced in 2023; the first design where it is not there.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    Series

    Examples
    --------
    >>> announced_row(appraisal, "care_review")["areas"]  # doctest: +SKIP
    12
    """
    rows = matching_rows(appraisal.tables["pilot_power"], {"option": option})
    return rows.sort_values("published", ascending=False, kind="stable").iloc[0]


@styled
def plot_pilot_power(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the fall in starts that each two-year design could detect beside the fall that is expected.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``pilot_power`` is read.
    option : str
        Option whose roll-out is in question.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_pilot_power(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = _announced_length(appraisal, option)
    ax = new_axes(height=1.5 + 0.45 * len(rows)) if ax is None else ax
    first, second = colours(2)[0], colours(3)[2]
    places = np.arange(len(rows))
    ax.hlines(places, rows["fall_percent_lower"], rows["fall_percent_upper"], color=first, lw=2.4)
    ax.plot(
        rows["fall_percent_mean"],
        places,
        "o",
        color=first,
        ms=7,
        mec="white",
        label="Expected, with interval",
    )
    ax.plot(rows["detectable_percent"], places, "D", color=second, ms=7, label="Smallest detectable")
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(places, [_design(row) for row in rows.to_dict("records")])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel("Fall in starts, %")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.3, 1.0), ncols=2, borderaxespad=0.2, handletextpad=0.3)
    return ax


def describe_pilot_power(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_pilot_power`.

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
    >>> describe_pilot_power(appraisal, "care_review")  # doctest: +SKIP
    """
    parts = [
        f"{_design(row)}: detectable {show(row['detectable_percent'], unit=0.1)}%, "
        f"expected {show(row['fall_percent_mean'], unit=0.01)}%, "
        f"chance of finding it {show(row['power'], style='probability')}"
        for row in _announced_length(appraisal, option).to_dict("records")
    ]
    return (
        "Interval chart, one row for each design. Horizontal axis: fall in starts in the areas studied, per cent; "
        "a circle with a line is what is expected, a diamond the smallest fall found with a power of 80%. "
        f"{'; '.join(parts)}."
    )


def _announced_length(appraisal: Appraisal, option: str) -> pd.DataFrame:
    years = announced_row(appraisal, option)["years"]
    return matching_rows(appraisal.tables["pilot_power"], {"option": option, "years": years})


def _design(row: dict[str, object]) -> str:
    words = f"{row['areas']} areas" + (", in steps" if row["design"] != "pilot" else "")
    return f"{words} (announced)" if row["published"] else words
