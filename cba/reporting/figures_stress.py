"""Figure of the effects that the model cannot see: how far each can move net present value, and what that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import TEXT, colours, name_values, new_axes, scale_of, styled
from cba.reporting.numbers import show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

_BAR = 0.26
_ROOM = 0.04
"""Share of the width between a bar and its words."""


def stress_height(appraisal: Appraisal, option: str) -> float:
    """Return the height of the figure, inches: room for each effect.

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
    >>> stress_height(appraisal, "care_review")  # doctest: +SKIP
    """
    return 1.3 + 0.72 * len(_ranges(appraisal, option))


def _ranges(appraisal: Appraisal, option: str) -> list[pd.DataFrame]:
    """Return the curve of each effect, in the order of the table."""
    rows = matching_rows(appraisal.tables["stress_curves"], {"option": option})
    return [curve for _, curve in rows.groupby("stress", sort=False)]


@styled
def plot_stress(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw how far each effect moves mean net present value between its smallest and largest size.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``stress_curves`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_stress(appraisal, "care_review")  # doctest: +SKIP
    """
    ax = new_axes(height=stress_height(appraisal, option)) if ax is None else ax
    curves = _ranges(appraisal, option)
    every = [float(v) for curve in curves for v in curve["npv_mean"]]
    divisor, words = scale_of(max(abs(value) for value in every))
    lowest, highest = min(*every, 0.0) / divisor, max(*every, 0.0) / divisor
    room = _ROOM * (highest - lowest)
    for place, curve in enumerate(reversed(curves)):
        _draw_range(ax, curve, place, divisor=divisor, room=room)
        ax.text(lowest, place + 0.36, str(curve["label"].iloc[0]), color=TEXT, fontsize=10, va="bottom")
    ax.axvline(0.0, color=TEXT, lw=1.2)
    ax.set_xlim(lowest - room, highest + 7 * room)
    ax.set_ylim(-0.6, len(curves) - 0.1)
    ax.set_yticks([])
    ax.grid(axis="y", visible=False)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "\N{MINUS SIGN}"))
    ax.set_xlabel(f"Mean net present value, {words}; zero marked")
    name_values(ax, "Bar: from the smallest to the largest size; dot: none;\ndiamond: figure to compare with")
    return ax


def _draw_range(ax: Axes, curve: pd.DataFrame, place: int, *, divisor: float, room: float) -> None:
    means = curve["npv_mean"] / divisor
    low, high = float(means.min()), float(means.max())
    ax.barh(place, high - low, left=low, height=_BAR, color=colours(2)[0])
    for mark, shape, size in (("comparison", "D", 7), ("now", "o", 8)):
        chosen = means[curve["mark"] == mark]
        ax.plot(
            chosen, [place] * len(chosen), marker=shape, ms=size, color="white", mec=TEXT, mew=1.4, ls="none"
        )
    ax.text(high + room, place, _sizes(curve), color=TEXT, fontsize=9, va="center")


def _sizes(curve: pd.DataFrame) -> str:
    ends = (float(curve["size"].iloc[0]), float(curve["size"].iloc[-1]))
    return " to ".join(f"{end:.2g}".replace("-", "\N{MINUS SIGN}") for end in ends)


def describe_stress(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_stress`.

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
    >>> describe_stress(appraisal, "care_review")  # doctest: +SKIP
    """
    said = []
    for curve in _ranges(appraisal, option):
        first, last = curve.iloc[0], curve.iloc[-1]
        said.append(
            f"{first['label']} (sizes {_sizes(curve)}, {first['unit']}): from "
            f"{show(float(first['npv_mean']), style='money')} to {show(float(last['npv_mean']), style='money')}"
        )
    return (
        "Bar chart, one bar for each effect outside the model. Horizontal axis: mean net present value; a line "
        f"marks zero. {'; '.join(said)}. A dot marks no effect, a diamond a figure to compare the size with."
    )
