"""A figure as the page shows it: drawing, text alternative, data tables and CSV links of the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from cba.reporting.chart_style import page_axes
from cba.reporting.html_tables import Column, csv_link, html_table
from cba.reporting.inline_svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cba.appraisal import Appraisal


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

    Parameters
    ----------
    name : str
        Unique in the page.
    title : str
        Short name, for lists and for readers who do not see the drawing.
    draw : callable
        Draws on the axes it is given.
    description : str
        Full text alternative.
    tables, links : sequence of Markup
        Data tables and CSV links.
    height : float
        Inches.

    Returns
    -------
    FigureBlock

    Examples
    --------
    >>> line = lambda ax: ax.plot([0, 1])
    >>> block = draw_block("fig-a", title="A", draw=line, description="A line.", tables=[], links=[])
    >>> 'role="img"' in block.svg
    True
    """
    ax = page_axes(height=height)
    draw(ax)
    svg = inline_svg(ax.figure, name=name, title=title, description=description)
    return FigureBlock(name, title, svg, tuple(tables), tuple(links))


def range_columns(style: str) -> tuple[str, ...]:
    """Return the columns mean, lower and upper, as :func:`cba.reporting.html_tables.columns` reads them.

    Parameters
    ----------
    style : str
        How their cells are written.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> range_columns("money")[0]
    'mean|Mean|money'
    """
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
    """Return the HTML table and the CSV link of the same rows.

    Parameters
    ----------
    appraisal : Appraisal
    table : str
        Name in ``appraisal.tables``.
    shown : sequence of Column
        Columns in order.
    caption : str
        Of the table.
    where : mapping
        Column values that pick the rows.
    name : str
        Of the CSV file, without ending.

    Returns
    -------
    tuple of Markup

    Examples
    --------
    >>> table_and_link(appraisal, "npv", shown, caption="NPV", where={}, name="npv")  # doctest: +SKIP
    """
    fields = [column.field for column in shown]
    made = html_table(appraisal, table, shown, caption=caption, where=where)
    return made, csv_link(appraisal, table, name=name, where=where, fields=fields)
