"""The density of one prior entry as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cba.errors import InputError
from cba.inputs.prior_alternatives import alternative_fits
from cba.runs.whole_writing import store_errors

if TYPE_CHECKING:
    from cba.inputs.prior_entries import PriorEntry

_POINTS = 400
_DARK_BLUE, _LIGHT_BLUE, _GREY = "#12436D", "#6BACE6", "#5A5A5A"
_SUFFIXES = (".png", ".svg", ".pdf")


def draw_density(entry: PriorEntry, *, path: Path) -> None:
    """Draw the density of an entry, its median and its 90% interval, and the two nearest other families.

    Parameters
    ----------
    entry : PriorEntry
        Not a fixed value.
    path : Path
        A .png, .svg or .pdf file.

    Raises
    ------
    InputError
        If the kind of file is another one, or the entry is a fixed value.
    StoreError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from cba.inputs.priors import load_priors
    >>> with TemporaryDirectory() as folder:
    ...     draw_density(load_priors()["delivery.start_delay"], path=Path(folder) / "delay.png")
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(
            "a figure cannot be written as this kind of file",
            file=path,
            found=path.suffix or "no ending",
            allowed=", ".join(_SUFFIXES),
            cause="the ending left out or misspelt",
            remedy="end the name in .png",
        )
    lowest, low, middle, high, highest = (float(v) for v in entry.fitted.ppf([0.002, 0.05, 0.5, 0.95, 0.998]))
    margin = 0.05 * (highest - lowest)
    at = np.linspace(lowest - margin, highest + margin, _POINTS)
    density = entry.fitted.pdf(at)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    inside = (at >= low) & (at <= high)
    axes.fill_between(at[inside], density[inside], color=_LIGHT_BLUE, linewidth=0)
    axes.plot(at, density, color=_DARK_BLUE, label=entry.fitted.label)
    for fit, dashes in zip(alternative_fits(entry), ((4, 2), (1, 2)), strict=False):
        other = fit.distribution
        axes.plot(at, other.pdf(at), color=_GREY, linewidth=1, dashes=dashes, label=other.label)
    axes.legend(frameon=False)
    axes.axvline(middle, color=_DARK_BLUE, linestyle="--")
    axes.set_title(f"{entry.name}: {middle:.3g}, 90% interval {low:.3g} to {high:.3g}", loc="left")
    axes.set_xlabel(f"{entry.description} ({entry.unit})", wrap=True)
    axes.set_ylabel("Density")
    axes.set_yticks([])
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    with store_errors("the figure could not be written", file=path):
        figure.savefig(path, dpi=150)
