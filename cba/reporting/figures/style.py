"""Government chart style for every figure: Analysis Function palette, light grid, horizontal text.

Colour never carries a meaning alone: lines also differ in dashes, points in shape, areas in hatching, and
each is
labelled where it stands in dark text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Literal

import afcharts.af_colours as af_colours
import matplotlib
import matplotlib.style
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from cba.reporting.html_tables import Column, columns, csv_link, html_table
from cba.reporting.names import stance_name
from cba.reporting.numbers import Style, is_defined, show
from cba.reporting.sections import holds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


TEXT = "#0b0c0c"


WIDTH, HEIGHT = 5.4, 3.6
"""Inches. Narrow, so that a whole chart fits a telephone at 10 pixels a letter and a desk screen at 17."""


_FONT = {"font.sans-serif": ["DejaVu Sans"], "font.size": 11, "axes.titlesize": 11, "axes.labelsize": 11}


@contextmanager
def government_style() -> Iterator[None]:
    """Apply the style inside a ``with`` block and nowhere else."""
    with matplotlib.style.context(["afcharts.afcharts", _FONT]):
        yield


def styled[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """Draw a figure function in the government style, without changing the caller's own settings."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with government_style():
            return draw(*args, **kwargs)

    return in_style


def colours(number: int = 4) -> list[str]:
    """Return the first colours of the categorical palette (2 to 6)."""
    return list(_palette("categorical", number))


def duo() -> tuple[str, str]:
    """Return the two colours meant for two categories."""
    first, second = _palette("duo", 2)
    return first, second


@cache
def _palette(name: Literal["categorical", "duo"], number: int) -> tuple[str, ...]:
    """Return colours of a palette, which its package reads from a file every time."""
    return tuple(af_colours.get_af_colours(name, number_of_colours=number))


def new_axes(*, height: float = HEIGHT) -> Axes:
    """Return axes on a figure of their own; in a notebook, inline display shows it."""
    from matplotlib import pyplot as plt

    axes: Axes = plt.subplots(figsize=(WIDTH, height), layout="constrained")[1]
    return axes


def page_axes(*, height: float = HEIGHT) -> Axes:
    """Return axes on a figure that no window or notebook knows of, for the page."""
    with government_style():
        axes: Axes = Figure(figsize=(WIDTH, height), layout="constrained").subplots()
    return axes


def label_end(ax: Axes, x: float, y: float, text: str, *, dy: float = 0.0) -> None:
    """Write a label just right of a point, in dark text."""
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
    """Write what the vertical axis measures above it, so that no text stands on its side."""
    ax.set_title(text, loc="left", pad=8)


def set_years(ax: Axes, first: int, last: int, *, room: float = 0.0) -> None:
    """Label years as they end (31 March), few enough to read, with room on the right for labels."""
    step = max(1, round((last - first) / 5))
    ticks = list(range(last, first - 1, -step))[::-1]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xlim(first - 0.5, last + 0.5 + room * (last - first))
    ax.grid(axis="x", visible=False)


def scale_of(largest: float) -> tuple[float, str]:
    """Return divisor and words for an axis of money. `largest`: largest size on the axis, GBP."""
    if largest >= 1e9:
        return 1e9, "£ billion"
    if largest >= 1e6:
        return 1e6, "£ million"
    return 1.0, "£"


# --- Interval charts: one row per option, one marker per stance, for any quantity of the results ---


_MARKERS = ("o", "s", "D")


_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))


def drawn_options(appraisals: Sequence[Appraisal], quantity: str) -> list[str]:
    """Return the options, but business as usual, that have a defined mean under some stance, in listed order."""
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

    `quantity`: start of the result key, for example ``npv_fiscal``.
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
    """Return a height, inches, that gives every option room for its stances."""
    return 1.4 + 0.62 * max(len(drawn_options(appraisals, quantity)), 1)


def describe_results(appraisals: Sequence[Appraisal], quantity: str, *, axis: str) -> str:
    """Return the text alternative of `plot_results`: type, axes, finding, extremes, per stance."""
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


# --- A matplotlib figure as SVG that can stand inside a page: accessible, scalable, identifiers its own ---


_FONTS = "Arial, Helvetica, 'Liberation Sans', sans-serif"


_ANCHORS = {"right": "end", "center": "middle"}
"""Alignment to the point of a line that stands still whatever font the page has; the left one does by itself."""


def inline_svg(figure: Figure, *, name: str, title: str, description: str) -> Markup:
    """Return the figure as an ``<svg role="img">`` element.

    Text stays text, so it scales, prints and can be searched; the same figure gives the same characters.
    """
    buffer = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": name}
    for background in (figure.patch, *(ax.patch for ax in figure.axes)):
        background.set_visible(False)
    with matplotlib.rc_context(settings):
        named = _named_lines(figure)
        # The canvas itself, because savefig draws a figure with a layout twice.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    body = _drawing(_anchored(buffer.getvalue(), named))
    width, height = (72.0 * float(size) for size in figure.get_size_inches())
    head = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        'aria-labelledby="{0}-title {0}-desc" viewBox="0 0 {1:g} {2:g}" stroke-linejoin="round">'
        '<title id="{0}-title">{3}</title><desc id="{0}-desc">{4}</desc>'
    ).format(name, width, height, title, description)
    return head + Markup(_own_identifiers(body, escape(name))) + Markup("</svg>")


def _named_lines(figure: Figure) -> dict[str, Text]:
    """Give each text of several lines that is not aligned left an identifier to find its lines by."""
    lines = [
        text
        for text in figure.findobj(Text)
        if "\n" in text.get_text() and text.get_rotation() == 0 and text.get_horizontalalignment() in _ANCHORS
    ]
    named = {f"lines-{number}": text for number, text in enumerate(lines)}
    for name, text in named.items():
        text.set_gid(name)
    return named


def _anchored(svg: str, named: dict[str, Text]) -> str:
    """Hold every line of these texts at its aligned end, as single lines are held.

    Each line was placed by its start, worked out from the widths of matplotlib's font; the page has another.
    """

    def held(match: re.Match[str]) -> str:
        text = named[match[2]]
        across = text.get_transform().transform(text.get_unitless_position())[0]
        anchor = _ANCHORS[text.get_horizontalalignment()]
        moved = rf'<text style="text-anchor: {anchor}; \1" x="{across:.6f}" y="\2">'
        return re.sub(r'<text style="([^"]*)" transform="translate\(\S+ (\S+)\)">', moved, match[0])

    return re.sub(r'(<g id="(lines-\d+)">)(?:(?!</g>).)*', held, svg, flags=re.S)


def _drawing(svg: str) -> str:
    """Return what stands inside the outer element, without metadata, comments and page-wide style rules."""
    inner = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.S)
    inner = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", inner, flags=re.S)
    inner = re.sub(r"<!--.*?-->", "", inner, flags=re.S)
    inner = re.sub(r"font(-family)?: ([^;\"]*?)'DejaVu Sans'[^;\"]*", rf"font\1: \2{_FONTS}", inner)
    inner = re.sub(r"(\d+\.\d{2})\d+", r"\1", inner)
    return re.sub(r"\n\s*", "\n", inner)


def _own_identifiers(svg: str, name: str) -> str:
    """Drop identifiers nothing refers to; put the figure's name before the others."""
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))

    def renamed(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    svg = re.sub(r' id="([^"]+)"', renamed, svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    return re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)


# --- A figure as the page shows it: drawing, text alternative, data tables and CSV links of the same … ---


@dataclass(frozen=True)
class FigureBlock:
    """A figure as the page shows it: drawing, data tables and CSV links."""

    name: str
    title: str
    svg: Markup
    tables: tuple[Markup, ...]
    links: tuple[Markup, ...]


def draw_block(
    name: str,
    *,
    title: str,
    draw: Callable[[Axes], object],
    description: str,
    tables: Sequence[Markup],
    links: Sequence[Markup],
    height: float = 3.6,
) -> FigureBlock:
    """Draw one figure for the page and put it together with its tables.

    `title`: short name, for lists and for readers who do not see the drawing.
    """
    ax = page_axes(height=height)
    draw(ax)
    svg = inline_svg(ax.figure, name=name, title=title, description=description)
    return FigureBlock(name, title, svg, tuple(tables), tuple(links))


def range_columns(style: str) -> tuple[str, ...]:
    """Return the columns mean, lower and upper, as `columns` reads them."""
    return (f"mean|Mean|{style}", f"lower|Lower|{style}", f"upper|Upper|{style}")


def table_and_link(
    appraisal: Appraisal,
    table: str,
    shown: Sequence[Column],
    *,
    caption: str,
    where: Mapping[str, object],
    name: str,
) -> tuple[Markup, Markup]:
    """Return the HTML table and the CSV link of the same rows. `shown`: columns in order."""
    fields = [column.field for column in shown]
    made = html_table(appraisal, table, shown, caption=caption, where=where)
    return made, csv_link(appraisal, table, name=name, where=where, fields=fields)


# --- Figures that each show rows of one table of the appraisal: drawn, described, with data table and … ---


LEAD = "the option the report follows"
"""Stands in `where` for the option that the report follows."""


@dataclass(frozen=True)
class TableFigure:
    """A figure of one table, made where the appraisal has rows of it."""

    name: str  # how templates call it, and the name of its CSV file; the figure's anchor is ``fig-<name>``
    title: str  # short name, for lists and for readers who do not see the drawing
    table: str
    plot: Callable[..., object]  # ``plot(appraisal, option, ax=)`` draws on the axes
    # ``describe(appraisal, option)`` is the full text alternative: kind of chart, axes, findings.
    describe: Callable[[Appraisal, str], str]
    columns: tuple[str, ...]  # of the data table, as `columns` reads them
    caption: str
    # Column values that pick the rows; `LEAD` stands for the option.
    where: Mapping[str, object] = field(default_factory=dict)
    height: float | Callable[[Appraisal, str], float] = 3.6  # inches, or ``height(appraisal, option)``


def table_figures(
    figures: Sequence[TableFigure], appraisal: Appraisal, option: str
) -> dict[str, FigureBlock]:
    """Return those figures whose table has rows, by name."""
    return {
        figure.name: _drawn(figure, appraisal, option)
        for figure in figures
        if holds(appraisal, figure.table, option)
    }


def _drawn(figure: TableFigure, appraisal: Appraisal, option: str) -> FigureBlock:
    where = {column: option if value == LEAD else value for column, value in figure.where.items()}
    table, link = table_and_link(
        appraisal,
        figure.table,
        columns(*figure.columns),
        caption=figure.caption,
        where=where,
        name=figure.name,
    )
    height = figure.height(appraisal, option) if callable(figure.height) else figure.height
    return draw_block(
        f"fig-{figure.name}",
        title=figure.title,
        draw=lambda ax: figure.plot(appraisal, option, ax=ax),
        description=figure.describe(appraisal, option),
        tables=[table],
        links=[link],
        height=height,
    )
