"""A matplotlib figure as SVG that can stand inside a page: accessible, scalable, identifiers its own."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import matplotlib
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.text import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FONTS = "Arial, Helvetica, 'Liberation Sans', sans-serif"
_ANCHORS = {"right": "end", "center": "middle"}
"""Alignment to the point of a line that stands still whatever font the page has; the left one does by itself."""


def inline_svg(figure: Figure, *, name: str, title: str, description: str) -> Markup:
    """Return the figure as an ``<svg role="img">`` element.

    Parameters
    ----------
    figure : Figure
        Drawn figure.
    name : str
        Unique in the page; every identifier in the drawing starts with it.
    title, description : str
        Short name and full text alternative.

    Returns
    -------
    Markup
        Text stays text, so it scales, prints and can be searched; the same figure gives the same characters.

    Examples
    --------
    >>> inline_svg(figure, name="npv", title="A", description="A line.")  # doctest: +SKIP
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
