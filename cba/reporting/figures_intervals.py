"""Interval charts: one row per option, one marker per stance, for any quantity of the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import MaxNLocator

from cba.reporting.chart_style import TEXT, colours, new_axes, styled
from cba.reporting.full_names import stance_name
from cba.reporting.numbers import Style, is_defined, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

_MARKERS = ("o", "s", "D")
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))


def drawn_options(appraisals: Sequence[Appraisal], quantity: str) -> list[str]:
    """Return the options, but business as usual, that have a defined mean under some stance, in listed order.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance.
    quantity : str
        Start of the result key, before the option.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> one = SimpleNamespace(option_labels={"bau": "", "a": "", "b": ""}, results={"bcr.a": {"mean": 0.5}})
    >>> drawn_options([one], "bcr")
    ['a']
    """
    return [
        option
        for option in appraisals[0].option_labels
        if option != "bau" and any(_mean(appraisal, quantity, option) is not None for appraisal in appraisals)
    ]


def _mean(appraisal: Appraisal, quantity: str, option: str) -> Mapping[str, Any] | None:
    """Return the result when it is there and defined."""
    entry = appraisal.results.get(f"{quantity}.{option}")
    return entry if entry is not None and is_defined(entry["mean"]) else None


@styled
def plot_results(
    appraisals: Sequence[Appraisal], quantity: str, *, divisor: float = 1.0, ax: Axes | None = None
) -> Axes:
    """Draw mean and interval of one quantity for every option and stance, zero marked.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance.
    quantity : str
        Start of the result key, for example ``npv_fiscal``.
    divisor : float
        What values are divided by (1e9 for billions).
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_results([appraisal], "npv_fiscal", divisor=1e9)  # doctest: +SKIP
    """
    options = drawn_options(appraisals, quantity)
    ax = new_axes(height=interval_height(appraisals, quantity)) if ax is None else ax
    shown = [item for item in appraisals if any(_mean(item, quantity, option) for option in options)]
    palette = colours(max(len(shown), 3))
    for number, appraisal in enumerate(shown):
        offset = 0.22 * (number - (len(shown) - 1) / 2)
        for row, option in enumerate(options):
            entry = _mean(appraisal, quantity, option)
            if entry is None:
                continue
            low, middle, high = (entry[field] / divisor for field in ("lower", "mean", "upper"))
            ax.plot([low, high], [row + offset] * 2, color=palette[number], ls=_DASHES[number % 3], lw=2.2)
            ax.plot(
                middle,
                row + offset,
                _MARKERS[number % 3],
                color=palette[number],
                ms=7,
                mec="white",
                label=stance_name(appraisal.stance) if row == 0 else "_",
            )
    _dress(ax, [appraisals[0].option_labels[option] for option in options], legend=len(shown) > 1)
    return ax


def _dress(ax: Axes, labels: Sequence[str], *, legend: bool) -> None:
    """Name the rows, mark zero, grid the values; the key stands above the chart."""
    from textwrap import fill

    ax.axvline(0.0, color=TEXT, lw=1)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_yticks(range(len(labels)), [fill(label.replace("$", r"\$"), 21) for label in labels])
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    if legend and ax.get_legend_handles_labels()[0]:
        ax.legend(
            loc="lower left", bbox_to_anchor=(-0.45, 1.0), ncols=3, borderaxespad=0.2, handletextpad=0.3
        )


def interval_height(appraisals: Sequence[Appraisal], quantity: str) -> float:
    """Return a height, inches, that gives every option room for its stances.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance.
    quantity : str
        Start of the result key.

    Returns
    -------
    float

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> one = SimpleNamespace(option_labels={"bau": "", "a": ""}, results={"bcr.a": {"mean": 0.5}})
    >>> interval_height([one], "bcr")
    2.02
    """
    return 1.4 + 0.62 * max(len(drawn_options(appraisals, quantity)), 1)


def describe_results(appraisals: Sequence[Appraisal], quantity: str, *, axis: str) -> str:
    """Return the text alternative of :func:`plot_results`: type, axes, finding, extremes, per stance.

    Parameters
    ----------
    appraisals : sequence of Appraisal
        One per stance, the headline first.
    quantity : str
        Start of the result key, before the option.
    axis : str
        What the horizontal axis measures.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_results([appraisal], "npv_fiscal", axis="GBP")  # doctest: +SKIP
    """
    options = drawn_options(appraisals, quantity)
    style: Style = "count" if quantity.startswith("fewer") else "money"
    parts = []
    for appraisal in appraisals:
        found = {
            option: entry for option in options if (entry := _mean(appraisal, quantity, option)) is not None
        }
        if not found:
            continue
        low, high = (pick(found, key=lambda o: found[o]["mean"]) for pick in (min, max))
        parts.append(
            f"{stance_name(appraisal.stance)}: lowest mean {show(found[low]['mean'], style=style)} "
            f"({appraisal.option_labels[low]}), highest {show(found[high]['mean'], style=style)} "
            f"({appraisal.option_labels[high]})."
        )
    return (
        f"Interval chart. One row for each of {len(options)} options, one marker per stance; the line "
        "is the interval. "
        f"Horizontal axis: {axis}. " + " ".join(parts)
    )
