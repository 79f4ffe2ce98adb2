"""The figures of how far forecasts can be trusted: past scores, the view from each release, the processes mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cba.reporting import figures_backtest as record
from cba.reporting.table_figures import TableFigure, table_figures

if TYPE_CHECKING:
    from cba.appraisal import Appraisal
    from cba.reporting.figure_blocks import FigureBlock

FIGURES = (
    TableFigure(
        "backtest", "Scores of past forecasts", "backtest_by_horizon", record.plot_backtest, record.describe_backtest,
        ("forecast|Forecast", "ahead|Years ahead|plain", "forecasts|Forecasts scored|plain",
         "crps|Mean score|count", "inside_50|50% intervals held|share", "inside_80|80% intervals held|share",
         "inside_90|90% intervals held|share", "log_score|Log score|number"),
        "Scores of forecasts of the number in care by years ahead, England; lower scores are better",
        {"quantity": "stock"}, 3.6,
    ),
    TableFigure(
        "vintages", "2032 as seen from each release", "backtest_vintages", record.plot_vintages,
        record.describe_vintages,
        ("release|Release|plain", "label|In words", "mean|Mean|number",
         "lower|Lower|number", "median|Median|number", "upper|Upper|number", "mcse|Monte Carlo error|number"),
        "Children and cost in 2032 under current policy as seen from each release, England", {}, 3.8,
    ),
    TableFigure(
        "structure", "Children in care in the target year by process", "structural", record.plot_structure,
        record.describe_structure,
        ("label|Process", "weight|Share of draws|share", "quantity|Quantity|name", "option|Option|option",
         "mean|Mean|number", "lower|Lower|number", "upper|Upper|number", "mcse|Monte Carlo error|number"),
        "Headline quantities under each process the number in care may follow", {}, record.structure_height,
    ),
)  # fmt: skip
"""Drawn where the run holds their tables."""


def trust_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figures of the record and of the processes that the appraisal has tables for, by name.

    Parameters
    ----------
    appraisal : Appraisal
        Of the headline stance.
    option : str
        Option the report follows.

    Returns
    -------
    dict of str to FigureBlock

    Examples
    --------
    >>> sorted(trust_figures(appraisal, "care_review"))  # doctest: +SKIP
    ['backtest', 'structure', 'vintages']
    """
    return table_figures(FIGURES, appraisal, option)
