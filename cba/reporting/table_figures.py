"""Figures that each show rows of one table of the appraisal: drawn, described, with data table and CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cba.reporting.figure_blocks import FigureBlock, draw_block, table_and_link
from cba.reporting.html_tables import columns
from cba.reporting.page_sections import holds

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

LEAD = "the option the report follows"
"""Stands in `where` for the option that the report follows."""


@dataclass(frozen=True)
class TableFigure:
    """A figure of one table, made where the appraisal has rows of it.

    Attributes
    ----------
    name : str
        How templates call it, and the name of its CSV file; the figure's anchor is ``fig-<name>``.
    title : str
        Short name, for lists and for readers who do not see the drawing.
    table : str
        Name in ``appraisal.tables``.
    plot : callable
        ``plot(appraisal, option, ax=)`` draws on the axes.
    describe : callable
        ``describe(appraisal, option)`` is the full text alternative: kind of chart, axes, findings.
    columns : tuple of str
        Of the data table, as :func:`cba.reporting.html_tables.columns` reads them.
    caption : str
        Of the data table.
    where : mapping
        Column values that pick the rows; :data:`LEAD` stands for the option.
    height : float or callable
        Inches, or ``height(appraisal, option)``.
    """

    name: str
    title: str
    table: str
    plot: Callable[..., object]
    describe: Callable[[Appraisal, str], str]
    columns: tuple[str, ...]
    caption: str
    where: Mapping[str, object] = field(default_factory=dict)
    height: float | Callable[[Appraisal, str], float] = 3.6


def table_figures(
    figures: Sequence[TableFigure], appraisal: Appraisal, option: str
) -> dict[str, FigureBlock]:
    """Return those figures whose table has rows, by name.

    Parameters
    ----------
    figures : sequence of TableFigure
    appraisal : Appraisal
    option : str
        Option the report follows.

    Returns
    -------
    dict of str to FigureBlock

    Examples
    --------
    >>> table_figures(FIGURES, appraisal, "care_review")["tornado"].title  # doctest: +SKIP
    'What moves net present value'
    """
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
