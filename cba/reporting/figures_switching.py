"""Figure of switching values: how likely each input is to lie beyond the value that changes a conclusion."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from cba.reporting.bound_numbers import matching_rows
from cba.reporting.chart_style import colours, new_axes, styled
from cba.reporting.full_names import input_name
from cba.reporting.numbers import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal

_MARKERS = ("o", "s", "D")


@styled
def plot_switching(appraisal: Appraisal, option: str, *, ax: Axes | None = None) -> Axes:
    """Draw the chance the evidence gives each input of lying beyond its switching value.

    Parameters
    ----------
    appraisal : Appraisal
        Its table ``switching_values`` is read.
    option : str
        Option id.
    ax : Axes, optional
        Axes to draw on; a new figure by default.

    Returns
    -------
    Axes

    Examples
    --------
    >>> plot_switching(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["switching_values"], {"option": option})
    inputs, targets = list(dict.fromkeys(rows["input"])), list(dict.fromkeys(rows["target"]))
    ax = new_axes(height=switching_height(appraisal, option)) if ax is None else ax
    palette = colours(max(len(targets), 3))
    for number, target in enumerate(targets):
        chosen = rows[rows["target"] == target].set_index("input").loc[inputs]
        offset = 0.24 * (number - (len(targets) - 1) / 2)
        places = np.arange(len(inputs)) + offset
        style = {"marker": _MARKERS[number % 3], "ls": "none", "color": palette[number], "ms": 7}
        reach = chosen["reachable"].to_numpy(dtype=bool)
        ax.plot(100 * chosen["probability_beyond"], places, markerfacecolor="white", **style)
        ax.plot(100 * chosen["probability_beyond"][reach], places[reach], label="_", **style)
        ax.plot([], [], label=fill(target, 34), **style)
    ax.set_yticks(range(len(inputs)), [fill(input_name(name), 24) for name in inputs])
    ax.set_ylim(len(inputs) - 0.5, -0.5)
    largest = float(100 * rows["probability_beyond"].max())
    ax.set_xlim(-2.0 if largest < 20 else -4.0, max(1.15 * largest, 20.0))
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("Chance of being beyond it, %\n(hollow: not reachable)")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.55, 1.0), ncols=1, borderaxespad=0.2)
    return ax


def switching_height(appraisal: Appraisal, option: str) -> float:
    """Return a height, inches, that gives every input of the switching values room.

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
    >>> switching_height(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["switching_values"], {"option": option})
    return 1.9 + 0.5 * rows["input"].nunique()


def describe_switching(appraisal: Appraisal, option: str) -> str:
    """Return the text alternative of :func:`plot_switching`.

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
    >>> describe_switching(appraisal, "care_review")  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables["switching_values"], {"option": option})
    found = rows[rows["reachable"].astype(bool)]
    parts = [
        f"{row['target']}: {input_name(row['input'])} beyond {show(row['value'])}, chance "
        f"{show(row['probability_beyond'], style='probability')}"
        for row in found.to_dict("records")
    ]
    return (
        f"Dot chart, one row for each of {rows['input'].nunique()} inputs and one marker for each of "
        f"{rows['target'].nunique()} targets; a hollow marker is a target that no value of the input reaches. "
        "Horizontal axis: chance, per cent, that the input lies beyond the value at which the conclusion changes. "
        f"{len(found)} of {len(rows)} can be reached. {'; '.join(parts)}"
    )
