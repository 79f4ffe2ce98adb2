"""The figures of the fits in the report: predictions of the past, memory from year to year, and calibration."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cba.reporting import figures_calibration as calibration
from cba.reporting import figures_fit_checks as checks
from cba.reporting.figure_blocks import FigureBlock
from cba.reporting.table_figures import TableFigure, table_figures

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

_TOTAL = (
    "year|Year ending 31 March|plain", "published|Published|count", "expected|Expected|count",
    "lower|Lower|count", "upper|Upper|count", "inside|Inside",
)  # fmt: skip
FIGURES = (
    TableFigure(
        "fit_stock_change", "Change in children looked after, expected and published", "fit_checks_totals",
        partial(checks.plot_total, quantity="stock_change"), partial(checks.describe_total, quantity="stock_change"),
        _TOTAL, "Change in children looked after, each year expected from the year before",
        {"quantity": "stock_change"},
    ),
    TableFigure(
        "fit_starts", "Starts to be looked after, expected and published", "fit_checks_totals",
        partial(checks.plot_total, quantity="starts"), partial(checks.describe_total, quantity="starts"),
        _TOTAL, "Children starting to be looked after, each year expected from the year before", {"quantity": "starts"},
    ),
    TableFigure(
        "fit_pit_series", "Were the model’s probabilities of yearly changes right?", "fit_checks_pit_curves",
        partial(calibration.plot_pit, which="series"), partial(calibration.describe_pit, which="series"),
        ("place|Probability|number", "departure|Departure|number", "lower|Reach of chance: lower|number",
         "upper|Upper|number"),
        "Yearly changes by the probability given beforehand to one no larger", {"set": "series"},
    ),
    TableFigure(
        "fit_pit_studies", "Were the model’s probabilities of study results right?", "fit_checks_pit_curves",
        partial(calibration.plot_pit, which="studies"), partial(calibration.describe_pit, which="studies"),
        ("place|Probability|number", "departure|Departure|number", "lower|Reach of chance: lower|number",
         "upper|Upper|number"),
        "Studies by the probability given beforehand to a result no larger", {"set": "studies"},
    ),
    TableFigure(
        "fit_autocorrelation", "Does one year’s change carry into the next?", "fit_checks_autocorrelation",
        checks.plot_autocorrelation, checks.describe_autocorrelation,
        ("series|Series", "lag|Years apart|plain", "found|Correlation|number", "lower|Of the model: lower|number",
         "upper|Upper|number", "p_value|Probability of as much|number"),
        "Correlation of yearly changes one, two and three years apart, published and drawn from the model", {}, 4.8,
    ),
    TableFigure(
        "calibration_baseline", "Ranks of the truth, business as usual", "calibration_shares_baseline",
        partial(calibration.plot_calibration, model="baseline"),
        partial(calibration.describe_calibration, model="baseline"),
        ("place|Rank, as a share|number", "lower|Reach of chance: lower|number", "upper|Upper|number"),
        "Reach of chance for the shares of ranks, business as usual",
    ),
    TableFigure(
        "calibration_effects", "Ranks of the truth, effects", "calibration_shares_effects",
        partial(calibration.plot_calibration, model="effects"),
        partial(calibration.describe_calibration, model="effects"),
        ("place|Rank, as a share|number", "lower|Reach of chance: lower|number", "upper|Upper|number"),
        "Reach of chance for the shares of ranks, effects",
    ),
)  # fmt: skip


def fit_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figures of the fits that the appraisal has tables for, by name.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option the report follows.

    Returns
    -------
    dict of str to FigureBlock

    Examples
    --------
    >>> "fit_autocorrelation" in fit_figures(appraisal, "care_review")  # doctest: +SKIP
    True
    """
    return table_figures(FIGURES, appraisal, option)
