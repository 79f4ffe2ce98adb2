"""Government chart style for every figure, and the one record that says what a figure is.

Analysis Function palette, light grid, horizontal text. Colour never carries a meaning alone: lines also differ in
dashes, points in shape, areas in hatching, and each is labelled where it stands in dark text. A figure is a `Figure`:
what it is called, the rows it shows, how they are drawn and said in words, and the data tables below it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import afcharts.af_colours as af_colours
import matplotlib
import matplotlib.figure
import matplotlib.style
import numpy as np
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from cba.reporting.choices import View
from cba.reporting.html_tables import Column, csv_link, html_table
from cba.reporting.names import stance_name
from cba.reporting.numbers import Style, is_defined, show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from cba.appraisal.record import Appraisal


TEXT, GREY = "#0b0c0c", "#BFBFBF"


MINUS = "\N{MINUS SIGN}"


WIDTH, HEIGHT = 5.4, 3.6
"""Inches. Narrow, so that a whole chart fits a telephone at 10 pixels a letter and a desk screen at 17."""


MARKERS = ("o", "s", "D", "^")


ERROR_LINES = {"fmt": "none", "ecolor": TEXT, "elinewidth": 1.4, "capsize": 3}
"""How the interval of an error is drawn on a bar."""


DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))


# --- What a figure is ---


Where = Callable[[View], Mapping[str, object]]
"""What picks the rows of a table."""


def of_option(view: View) -> Mapping[str, object]:
    """Pick the rows of the option the page follows."""
    return {"option": view.option}


def rows_with(**values: Any) -> Where:
    """Pick the rows that hold these values; all rows where none is given."""
    return lambda _: values


@dataclass(frozen=True)
class Data:
    """Rows of one table as they stand below a figure: as a table of the page and as a CSV file."""

    table: str
    columns: tuple[Column, ...]
    caption: str
    where: Where = field(default_factory=rows_with)
    name: str = ""  # of the CSV file; that of the figure where left out
    appraisal: Appraisal | None = None  # that of the headline stance where left out


Below = tuple[Sequence[Markup], Sequence[Markup]]
"""What stands below a figure: its data tables, and the links that save them."""


@dataclass(frozen=True)
class Figure:
    """A figure of the report. It is drawn where the run holds rows of the table it needs."""

    name: str  # how templates call it; its anchor is ``fig-<name>``
    title: str  # short name, for lists and for readers who do not see the drawing
    data: Data | Callable[[View], Below]
    draw: Callable[[Axes, Any, View], None]
    # The full text alternative: kind of chart, axes, findings.
    describe: Callable[[Any, View], str]
    rows: Callable[[View], Any] | None = None  # what is drawn, where it is not all rows of `data`
    height: float | Callable[[Any], float] = HEIGHT  # inches, or by what is drawn
    # Table without which it is not drawn, where it is not that of `data`; or what says whether a run holds enough.
    needs: str | Callable[[View], bool] = ""
    anchor: str = ""  # where it is not the name


@dataclass(frozen=True)
class FigureBlock:
    """A figure as the page shows it: drawing, data tables and CSV links."""

    name: str
    title: str
    svg: Markup
    tables: tuple[Markup, ...]
    links: tuple[Markup, ...]


def is_shown(figure: Figure, view: View) -> bool:
    """Return whether the run holds what a figure needs."""
    if callable(figure.needs):
        return figure.needs(view)
    needs = figure.needs or (figure.data.table if isinstance(figure.data, Data) else "")
    return not needs or view.holds(needs)


def content(figure: Figure, view: View) -> Any:
    """Return what a figure draws and describes."""
    if figure.rows is not None:
        return figure.rows(view)
    return view.rows(figure.data.table, **figure.data.where(view)) if isinstance(figure.data, Data) else None


def described(figure: Figure, view: View) -> str:
    """Return the text alternative of a figure."""
    return figure.describe(content(figure, view), view)


def drawn(
    figure: Figure, view: View, ax: Axes | None = None, *, axes: Callable[..., Axes] | None = None
) -> Axes:
    """Draw a figure on given axes or on new ones, which a notebook shows; no setting of the caller changes."""
    rows = content(figure, view)
    with government_style():
        ax = (axes or new_axes)(height=_height(figure, rows)) if ax is None else ax
        figure.draw(ax, rows, view)
    return ax


def on_page(figure: Figure, view: View) -> FigureBlock:
    """Return a figure as the page shows it."""
    name, ax = f"fig-{figure.anchor or figure.name}", drawn(figure, view, axes=page_axes)
    svg = inline_svg(ax.figure, name=name, title=figure.title, description=described(figure, view))
    data = figure.data
    tables, links = below(view, data, name=figure.name) if isinstance(data, Data) else data(view)
    return FigureBlock(name, figure.title, svg, tuple(tables), tuple(links))


def _height(figure: Figure, rows: Any) -> float:
    return figure.height(rows) if callable(figure.height) else figure.height


def below(view: View, *data: Data, name: str = "") -> Below:
    """Return the tables and the links of the same rows."""
    tables, links = [], []
    for one in data:
        appraisal, where = one.appraisal or view.first, one.where(view)
        fields = [column.field for column in one.columns]
        tables.append(html_table(appraisal, one.table, one.columns, caption=one.caption, where=where))
        links.append(csv_link(appraisal, one.table, name=one.name or name, where=where, fields=fields))
    return tables, links


# --- Style, palette and axes ---


_FONT = {"font.sans-serif": ["DejaVu Sans"], "font.size": 11, "axes.titlesize": 11, "axes.labelsize": 11}


@contextmanager
def government_style() -> Iterator[None]:
    """Apply the style inside a ``with`` block and nowhere else."""
    with matplotlib.style.context(["afcharts.afcharts", _FONT]):
        yield


@cache
def colours(number: int = 4, palette: Literal["categorical", "duo"] = "categorical") -> tuple[str, ...]:
    """Return the first colours of a palette (2 to 6), which its package reads from a file every time."""
    return tuple(af_colours.get_af_colours(palette, number_of_colours=number))


def duo() -> tuple[str, ...]:
    """Return the two colours meant for two categories."""
    return colours(2, "duo")


def new_axes(*, height: float = HEIGHT) -> Axes:
    """Return axes on a figure of their own; in a notebook, inline display shows it."""
    from matplotlib import pyplot as plt

    axes: Axes = plt.subplots(figsize=(WIDTH, height), layout="constrained")[1]
    return axes


def page_axes(*, height: float = HEIGHT) -> Axes:
    """Return axes on a figure that no window or notebook knows of, for the page."""
    with government_style():
        axes: Axes = matplotlib.figure.Figure(figsize=(WIDTH, height), layout="constrained").subplots()
    return axes


def note(ax: Axes, text: str, at: tuple[Any, Any], away: tuple[float, float], **style: Any) -> None:
    """Write dark text some points away from a point."""
    chosen = {"va": "center", "color": TEXT} | style
    ax.annotate(text, at, xytext=away, textcoords="offset points", **chosen)


def label_end(ax: Axes, x: float, y: float, text: str, *, dy: float = 0.0) -> None:
    """Write a label just right of a point, in dark text."""
    note(ax, text, (x, y), (6, dy), ha="left", annotation_clip=False)


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


def signed(form: str) -> Callable[[float, object], str]:
    """Return what writes the numbers of an axis, with a true minus sign."""
    return lambda value, _: format(value, form).replace("-", MINUS)


def name_rows(
    ax: Axes,
    labels: Sequence[str],
    *,
    values: str,
    ends: tuple[float, float] | None = (0.5, 0.5),
    zero: bool = False,
    form: str = "",
    ticks: int = 0,
) -> None:
    """Name the rows of a horizontal chart from the top, and its values, gridded; `ends`: room below and above."""
    ax.set_yticks(range(len(labels)), labels)
    if ends is None:
        ax.invert_yaxis()
    else:
        ax.set_ylim(len(labels) - ends[0], -ends[1])
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", visible=True)
    ax.set_xlabel(values)
    if zero:
        ax.axvline(0.0, color=TEXT, lw=1)
    if ticks:
        ax.xaxis.set_major_locator(MaxNLocator(ticks))
    if form:
        ax.xaxis.set_major_formatter(signed(form))


def key_above(ax: Axes, *, left: float, ncols: int, **style: Any) -> None:
    """Write the key above the chart."""
    ax.legend(loc="lower left", bbox_to_anchor=(left, 1.0), ncols=ncols, borderaxespad=0.2, **style)


def hatch_costs(bars: Iterable[Any], values: Sequence[float]) -> None:
    """Colour and hatch the bars of what is below zero, so that colour is not all that tells them apart."""
    for bar, value in zip(bars, values, strict=True):
        bar.set(facecolor=duo()[value < 0], hatch="//" if value < 0 else "", edgecolor="white")


def named_bars(
    ax: Axes,
    values: Any,
    names: Iterable[str],
    words: Iterable[str],
    *,
    axis: str,
    wrap: int = 20,
    errors: Any = None,
    **row: Any,
) -> None:
    """Draw a bar for each row, named, with words beyond its end and the interval of its errors, 95%."""
    places, reach = np.arange(len(values)), np.zeros(len(values)) if errors is None else 1.96 * errors
    hatch_costs(ax.barh(places, values, height=0.6), values)
    if errors is not None:
        ax.errorbar(values, places, xerr=reach, **ERROR_LINES)
    for place, value, room, said in zip(places, values, reach, words, strict=True):
        side = -1 if errors is None and value < 0 else 1
        note(ax, said, (value + side * room, place), (6 * side, 0), ha="left" if side > 0 else "right")
    labels = [fill(name[:1].upper() + name[1:], wrap) for name in names]
    name_rows(ax, labels, ends=None, values=axis, **row)


def band(
    ax: Axes, rows: pd.DataFrame, colour: str, dashes: Any = "-", *, hatch: str | None = None, alpha: float
) -> None:
    """Draw a mean by year with its interval, shaded or hatched."""
    shade = {"facecolor": "none", "edgecolor": colour, "hatch": hatch} if hatch else {"facecolor": colour}
    ax.fill_between(rows["year"], rows["lower"], rows["upper"], linewidth=0, alpha=alpha, **shade)
    ax.plot(rows["year"], rows["mean"], color=colour, linestyle=dashes)


# --- Interval charts: one row per option, one marker per stance, for any quantity of the results ---


def drawn_options(appraisals: Sequence[Appraisal], quantity: str) -> list[str]:
    """Return the options, but business as usual, that have a defined mean under some stance, in listed order."""
    return [
        option
        for option in appraisals[0].option_labels
        if option != "bau" and any(_defined(appraisal, quantity, option) for appraisal in appraisals)
    ]


def _defined(appraisal: Appraisal, quantity: str, option: str) -> Mapping[str, Any] | None:
    """Return the result when it is there and defined."""
    entry = appraisal.results.get(f"{quantity}.{option}")
    return entry if entry is not None and is_defined(entry["mean"]) else None


def draw_results(
    ax: Axes, view: View, quantity: str, *, values: str, form: str, divisor: float = 1.0
) -> None:
    """Draw mean and interval of one quantity for every option and stance, zero marked."""
    options = drawn_options(view.appraisals, quantity)
    shown = [a for a in view.appraisals if any(_defined(a, quantity, option) for option in options)]
    for number, appraisal in enumerate(shown):
        colour, offset = colours(max(len(shown), 3))[number], 0.22 * (number - (len(shown) - 1) / 2)
        for row, option in enumerate(options):
            entry = _defined(appraisal, quantity, option)
            if entry is None:
                continue
            low, middle, high = (entry[field] / divisor for field in ("lower", "mean", "upper"))
            ax.plot([low, high], [row + offset] * 2, color=colour, ls=DASHES[number % 3], lw=2.2)
            label = stance_name(appraisal.stance) if row == 0 else "_"
            mark = {"color": colour, "ms": 7, "mec": "white", "label": label}
            ax.plot(middle, row + offset, MARKERS[number % 3], **mark)
    labels = [fill(view.label(option), 21) for option in options]
    name_rows(ax, labels, values=values, ends=(0.4, 0.6), zero=True, form=form, ticks=5)
    if len(shown) > 1 and ax.get_legend_handles_labels()[0]:
        key_above(ax, left=-0.45, ncols=3, handletextpad=0.3)


def results_height(options: Sequence[str]) -> float:
    """Return a height, inches, that gives every option room for its stances."""
    return 1.4 + 0.62 * max(len(options), 1)


def describe_results(view: View, quantity: str, *, style: Style, axis: str) -> str:
    """Return the text alternative of `draw_results`: type, axes, finding, extremes, per stance."""
    options = drawn_options(view.appraisals, quantity)
    parts = []
    for appraisal in view.appraisals:
        found = {o: float(entry["mean"]) for o in options if (entry := _defined(appraisal, quantity, o))}
        if not found:
            continue
        low, high = (
            f"{show(found[option], style=style)} ({appraisal.option_labels[option]})"
            for option in (min(found, key=found.__getitem__), max(found, key=found.__getitem__))
        )
        parts.append(f"{stance_name(appraisal.stance)}: lowest mean {low}, highest {high}.")
    return (
        f"Interval chart. One row for each of {len(options)} options, one marker per view of the evidence; the line is "
        f"the interval. "
        f"Horizontal axis: {axis}. {' '.join(parts)}"
    )


# --- A matplotlib figure as SVG that can stand inside a page: accessible, scalable, identifiers its own ---


_FONTS = "Arial, Helvetica, 'Liberation Sans', sans-serif"


_ANCHORS = {"right": "end", "center": "middle"}
"""Alignment to the point of a line that stands still whatever font the page has; the left one does by itself."""


def inline_svg(figure: matplotlib.figure.Figure, *, name: str, title: str, description: str) -> Markup:
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


def _named_lines(figure: matplotlib.figure.Figure) -> dict[str, Text]:
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
