"""Figure of risk: expected net present value of every option beside the mean of its worst draws."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, colours, new_axes, scale_of, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal


@styled
def plot_risk(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw expected net present value of every option beside the mean of its worst draws.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``risk`` is read.
    option : str
        Option id; not used, every option but business as usual is drawn.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_risk(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = _cash_risk(appraisal)
    ax = new_axes(height=risk_height(appraisal, option)) if ax is None else ax
    divisor, unit = scale_of(float(rows[["mean", "cvar"]].abs().to_numpy().max(initial=1.0)))
    first, second = colours(3)[0], colours(3)[2]
    places = np.arange(len(rows))
    ax.hlines(places, rows["cvar"] / divisor, rows["mean"] / divisor, color="#BFBFBF", lw=2)
    ax.plot(rows["mean"] / divisor, places, "o", color=first, ms=8, mec="white", label="Expected value")
    ax.plot(
        rows["cvar"] / divisor,
        places,
        "D",
        color=second,
        ms=7,
        mec="white",
        label="Mean of the worst twentieth",
    )
    ax.axvline(0.0, color=TEXT, lw=1)
    labels = [appraisal.option_labels[name].replace("$", r"\$") for name in rows["option"]]
    ax.set_yticks(places, [fill(label, 21) for label in labels])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel(f"Net present value, {unit} (\N{MINUS SIGN}: net cost)")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.45, 1.0), ncols=2, borderaxespad=0.2, handletextpad=0.3)
    return ax


def risk_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every option a row.

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
    >>> risk_height(appraisal, "care_review")  # doctest: +SKIP
    """
    return 1.4 + 0.45 * max(len(_cash_risk(appraisal)), 1)


def describe_risk(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_risk`.

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
    >>> describe_risk(appraisal, "care_review")  # doctest: +SKIP
    """
    parts = [
        f"{appraisal.option_labels[row['option']]}: {show(row['mean'], style='net')}, worst 5% "
        f"{show(row['cvar'], style='net')}"
        for row in _cash_risk(appraisal).to_dict("records")
    ]
    return (
        "Dot chart, one row for each option: a circle for its expected net present value, a diamond for the mean "
        f"of its worst draws. Horizontal axis: net present value in pounds. {'; '.join(parts)}."
    )


def _cash_risk(appraisal: Appraisal) -> pd.DataFrame:
    rows = matching_rows(appraisal.tables["risk"], {"value_per_child_year": 0.0})
    return rows[rows["option"] != "bau"]
