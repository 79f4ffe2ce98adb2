"""Figure of what area-level studies teach: each part of the product, and the product, before and after the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, duo, new_axes, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

_PARTS = {
    "coverage": "Coverage",
    "reach": "Reach",
    "effect": "Effect, 1 - RR",
    "change": "Product, log change",
}


@styled
def plot_reach(appraisal: Appraisal, study: str, *, ax: Axes | None = None) -> Axes:
    """Draw coverage, reach, effect and their product for one area-level study, before and after the data.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``reach`` is read.
    study : str
        Name of the study.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_reach(appraisal, "ENGLAND_PANEL")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["reach"], {"study_id": study}).to_dict("records")
    ax = new_axes(height=3.2) if ax is None else ax
    first, second = duo()
    for place, row in enumerate(rows):
        before, after = place - 0.14, place + 0.14
        ax.plot([row["prior_lower"], row["prior_upper"]], [before] * 2, color=second, lw=2.2, ls="--")
        ax.plot(row["prior_mean"], before, "s", color="white", mec=second, mew=1.6, ms=7)
        ax.plot([row["lower"], row["upper"]], [after] * 2, color=first, lw=2.2)
        ax.plot(row["mean"], after, "o", color=first, mec="white", ms=8)
    ax.annotate(
        "Before", (rows[0]["prior_upper"], -0.14), xytext=(5, -3), textcoords="offset points", color=TEXT
    )
    ax.annotate("After", (rows[0]["upper"], 0.14), xytext=(5, -5), textcoords="offset points", color=TEXT)
    ax.axvline(0.0, color=TEXT, lw=1)
    ax.set_yticks(range(len(rows)), [_PARTS[row["quantity"]] for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel("Share, or log points for the product")
    return ax


def describe_reach(appraisal: Appraisal, study: str) -> str:
    """Return the text alternative of :func:`plot_reach`.

    Parameters
    ----------
    appraisal : Appraisal
    study : str
        Name of the study.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_reach(appraisal, "ENGLAND_PANEL")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["reach"], {"study_id": study}).to_dict("records")
    parts = [
        f"{_PARTS[row['quantity']]}: before {show(row['prior_lower'], unit=0.01)} to "
        f"{show(row['prior_upper'], unit=0.01)}, after {show(row['lower'], unit=0.01)} to "
        f"{show(row['upper'], unit=0.01)}"
        for row in rows
    ]
    return (
        f"Interval chart of {len(rows)} quantities for the study {study}, each before and after the data. "
        f"Horizontal axis: shares, or log points for the product; the line marks nought. {'; '.join(parts)}."
    )
