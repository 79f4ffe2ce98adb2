"""The figure of effects outside the model as the page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cba.reporting.figures_stress import describe_stress, plot_stress, stress_height
from cba.reporting.table_figures import LEAD, TableFigure, table_figures

if TYPE_CHECKING:
    from cba.appraisal import Appraisal
    from cba.reporting.figure_blocks import FigureBlock

_FIGURE = TableFigure(
    "stress", "How far effects outside the model move net present value", "stress_curves", plot_stress,
    describe_stress,
    ("label|Effect", "unit|Size counted in", "size|Size|number", "npv_mean|Net present value: mean|money",
     "npv_lower|Lower|money", "npv_upper|Upper|money", "prob_positive|Chance of a net saving|probability",
     "fewer_mean|Fewer children: mean|count", "fewer_lower|Lower|count", "fewer_upper|Upper|count"),
    "Net present value and fewer children in care by size of each effect outside the model", {"option": LEAD},
    stress_height,
)  # fmt: skip


def stress_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figure of effects outside the model, where the appraisal has their tables.

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
    >>> list(stress_figures(appraisal, "care_review"))  # doctest: +SKIP
    ['stress']
    """
    return table_figures((_FIGURE,), appraisal, option)
