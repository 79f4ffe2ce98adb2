"""Government chart style for every figure: Analysis Function palette, light grid, horizontal text.

Colour never carries a meaning alone: lines also differ in dashes, points in shape, areas in hatching, and
each is
labelled where it stands in dark text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import TYPE_CHECKING, Literal

import afcharts.af_colours as af_colours
import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEXT = "#0b0c0c"
WIDTH, HEIGHT = 5.4, 3.6
"""Inches. Narrow, so that a whole chart fits a telephone at 10 pixels a letter and a desk screen at 17."""

_FONT = {"font.sans-serif": ["DejaVu Sans"], "font.size": 11, "axes.titlesize": 11, "axes.labelsize": 11}


@contextmanager
def government_style() -> Iterator[None]:
    """Apply the style inside a ``with`` block and nowhere else.

    Returns
    -------
    Iterator[None

    Examples
    --------
    >>> government_style()  # doctest: +SKIP
    """
    with matplotlib.style.context(["afcharts.afcharts", _FONT]):
        yield


def styled[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """Draw a figure function in the government style, without changing the caller's own settings.

    Parameters
    ----------
    draw : callable
        Draws a figure.

    Returns
    -------
    callable

    Examples
    --------
    >>> styled(draw)  # doctest: +SKIP
    """

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with government_style():
            return draw(*args, **kwargs)

    return in_style


def colours(number: int = 4) -> list[str]:
    """Return the first colours of the categorical palette (2 to 6).

    Parameters
    ----------
    number : int
        How many.

    Returns
    -------
    list of str

    Examples
    --------
    >>> colours(3)
    ['#12436D', '#28A197', '#801650']
    """
    return list(_palette("categorical", number))


def duo() -> tuple[str, str]:
    """Return the two colours meant for two categories.

    Returns
    -------
    tuple

    Examples
    --------
    >>> duo()
    ('#12436D', '#F46A25')
    """
    first, second = _palette("duo", 2)
    return first, second


@cache
def _palette(name: Literal["categorical", "duo"], number: int) -> tuple[str, ...]:
    """Return colours of a palette, which its package reads from a file every time."""
    return tuple(af_colours.get_af_colours(name, number_of_colours=number))


def new_axes(*, height: float = HEIGHT) -> Axes:
    """Return axes on a figure of their own; in a notebook, inline display shows it.

    Parameters
    ----------
    height : float
        Inches.

    Returns
    -------
    Axes

    Examples
    --------
    >>> new_axes()  # doctest: +SKIP
    """
    from matplotlib import pyplot as plt

    axes: Axes = plt.subplots(figsize=(WIDTH, height), layout="constrained")[1]
    return axes


def page_axes(*, height: float = HEIGHT) -> Axes:
    """Return axes on a figure that no window or notebook knows of, for the page.

    Parameters
    ----------
    height : float
        Inches.

    Returns
    -------
    Axes

    Examples
    --------
    >>> page_axes()  # doctest: +SKIP
    """
    with government_style():
        axes: Axes = Figure(figsize=(WIDTH, height), layout="constrained").subplots()
    return axes


def label_end(ax: Axes, x: float, y: float, text: str, *, dy: float = 0.0) -> None:
    """Write a label just right of a point, in dark text.

    Parameters
    ----------
    ax : Axes
        Axes to draw on.
    x : float
        Data coordinate.
    y : float
        Data coordinate.
    text : str
        What the reader sees.
    dy : float
        Points to move the label up.

    Examples
    --------
    >>> label_end(ax, 2035, 1.0, "Cash")  # doctest: +SKIP
    """
    ax.annotate(
        text,
        (x, y),
        xytext=(6, dy),
        textcoords="offset points",
        va="center",
        ha="left",
        color=TEXT,
        annotation_clip=False,
    )


def name_values(ax: Axes, text: str) -> None:
    """Write what the vertical axis measures above it, so that no text stands on its side.

    Parameters
    ----------
    ax : Axes
        Axes to draw on.
    text : str
        What the reader sees.

    Examples
    --------
    >>> name_values(ax, "Cash")  # doctest: +SKIP
    """
    ax.set_title(text, loc="left", pad=8)


def set_years(ax: Axes, first: int, last: int, *, room: float = 0.0) -> None:
    """Label years as they end (31 March), few enough to read, with room on the right for labels.

    Parameters
    ----------
    ax : Axes
        Axes to draw on.
    first : int
        First year, ending 31 March.
    last : int
        Last year, ending 31 March.
    room : float
        Share of the width kept free on the right.

    Examples
    --------
    >>> set_years(ax, 2026, 2035)  # doctest: +SKIP
    """
    step = max(1, round((last - first) / 5))
    ticks = list(range(last, first - 1, -step))[::-1]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xlim(first - 0.5, last + 0.5 + room * (last - first))
    ax.grid(axis="x", visible=False)


def scale_of(largest: float) -> tuple[float, str]:
    """Return divisor and words for an axis of money.

    Parameters
    ----------
    largest : float
        Largest size on the axis, GBP.

    Returns
    -------
    tuple

    Examples
    --------
    >>> scale_of(3e9), scale_of(2e7)
    ((1000000000.0, '£ billion'), (1000000.0, '£ million'))
    """
    if largest >= 1e9:
        return 1e9, "£ billion"
    if largest >= 1e6:
        return 1e6, "£ million"
    return 1.0, "£"
