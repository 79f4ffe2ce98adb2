"""Figures of ranks and probabilities that should be even: how far they are from it, and how far chance takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, duo, label_end, name_values, new_axes, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

_BAND = ("place", "lower", "upper")
_NAMES = {"baseline": "business as usual", "effects": "the effects"}


@styled
def plot_calibration(appraisal: Appraisal, option: str, *, model: str, ax: Axes | None = None) -> Axes:
    """Draw, for every quantity of a model, the share of ranks below each place less the place.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``calibration_shares_<model>`` is read.
    option : str
        Not used: a calibration is of the model, whatever the option.
    model : {"baseline", "effects"}
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_calibration(appraisal, "care_review", model="baseline")  # doctest: +SKIP
    """
    table, ax = _shares(appraisal, model), new_axes() if ax is None else ax
    place = table["place"].to_numpy()
    for quantity in table.columns.difference(_BAND):
        ax.plot(place, table[quantity], color=duo()[0], lw=0.7, alpha=0.35)
    for side in ("lower", "upper"):
        ax.plot(place, table[side], color=duo()[1], lw=2.2)
    ax.axhline(0.0, color=TEXT, lw=1)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(*_limits(table))
    ax.set_xlabel("Rank of the truth among the draws, as a share")
    name_values(ax, "Share of ranks below, less what even ranks would give")
    middle = len(table) // 2
    ax.annotate(
        "Reach of chance",
        (place[middle], table["upper"].iloc[middle]),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        color=TEXT,
        fontsize=9.5,
    )
    return ax


def _shares(appraisal: Appraisal, model: str) -> pd.DataFrame:
    return appraisal.tables[f"calibration_shares_{model}"]


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    far = float(table.drop(columns="place").abs().to_numpy().max())
    return -1.2 * far, 1.2 * far


def describe_calibration(appraisal: Appraisal, option: str, *, model: str) -> str:
    """Return the text alternative of :func:`plot_calibration`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Not used.
    model : {"baseline", "effects"}

    Returns
    -------
    str

    Examples
    --------
    >>> describe_calibration(appraisal, "care_review", model="effects")  # doctest: +SKIP
    """
    table = _shares(appraisal, model)
    lines = table[table.columns.difference(_BAND)]
    outside = int(((lines.gt(table["upper"], axis=0)) | (lines.lt(table["lower"], axis=0))).any().sum())
    rows = matching_rows(appraisal.tables["calibration_quantities"], {"model": model})
    wanting = int((rows["passed"].astype(str) != "True").sum())
    reach = show(float(table["upper"].max()), style="number", unit=0.001)
    return (
        "Line chart. Horizontal axis: rank of the truth among the draws, as a share from 0 to 1. Vertical axis: "
        f"share of ranks below, less what even ranks would give. {lines.shape[1]} thin lines, one per quantity of "
        f"the model of {_NAMES.get(model, model)}, wander about nil; two thick lines mark how far chance takes one "
        f"of them, {reach} at most. {outside} leave it somewhere; allowing for their number, {wanting} of "
        f"{len(rows)} quantities are found wanting."
    )


@styled
def plot_pit(appraisal: Appraisal, option: str, *, which: str, ax: Axes | None = None) -> Axes:
    """Draw the share of predicted probabilities below each place less the place.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``fit_checks_pit_curves`` is read.
    option : str
        Not used.
    which : {"series", "studies"}
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_pit(appraisal, "care_review", which="series")  # doctest: +SKIP
    """
    rows, ax = _curve(appraisal, which), new_axes() if ax is None else ax
    place = rows["place"].to_numpy()
    ax.fill_between(place, rows["lower"], rows["upper"], color=duo()[1], alpha=0.18, lw=0)
    ax.step(place, rows["departure"], where="post", color=duo()[0], lw=2.0)
    ax.axhline(0.0, color=TEXT, lw=1)
    ax.set_xlim(0.0, 1.0)
    far = float(rows[["departure", "lower", "upper"]].abs().to_numpy().max())
    ax.set_ylim(-1.2 * far, 1.2 * far)
    ax.set_xlabel("Probability given to a figure no larger than the published one")
    name_values(ax, "Share of figures below, less what a good forecast would give")
    label_end(ax, 0.02, 1.05 * far, "Shaded: reach of chance")
    return ax


def _curve(appraisal: Appraisal, which: str) -> pd.DataFrame:
    return matching_rows(appraisal.tables["fit_checks_pit_curves"], {"set": which})


def describe_pit(appraisal: Appraisal, option: str, *, which: str) -> str:
    """Return the text alternative of :func:`plot_pit`.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Not used.
    which : {"series", "studies"}

    Returns
    -------
    str

    Examples
    --------
    >>> describe_pit(appraisal, "care_review", which="studies")  # doctest: +SKIP
    """
    rows = _curve(appraisal, which)
    out = rows["departure"].gt(rows["upper"]) | rows["departure"].lt(rows["lower"])
    said = "leaves the shaded reach of chance" if out.any() else "stays inside the shaded reach of chance"
    furthest = rows.loc[rows["departure"].abs().idxmax()]
    what = "yearly changes" if which == "series" else "studies"
    place = show(furthest["place"], style="share")
    away = show(furthest["departure"], style="number", unit=0.001)
    return (
        "Line chart with a band. Horizontal axis: probability given beforehand to a figure no larger than the "
        f"published one, 0 to 1. Vertical axis: share of the {int(rows['count'].iloc[0])} {what} below it, less "
        f"what a good forecast would give. The line {said}; it is furthest from nil at {place}, by {away}."
    )
