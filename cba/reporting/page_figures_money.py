"""The figures of money in the report: by year, payback, payers, cost of a placement and of the system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cba.reporting import figures_money as money
from cba.reporting import figures_payers as payers
from cba.reporting import figures_system as system
from cba.reporting.figure_blocks import FigureBlock, draw_block, range_columns, table_and_link
from cba.reporting.html_tables import columns

if TYPE_CHECKING:
    from cba.appraisal import Appraisal


CLAIMED_COST = 15e9
"""The review's yearly cost of the system without reform, GBP, which a chart marks."""


_YEAR = "year|Year ending 31 March|plain"
_TOTAL = (
    "cumulative_mean|Mean|money",
    "cumulative_lower|Lower|money",
    "cumulative_upper|Upper|money",
    "prob_cumulative_positive|Chance it is above zero|probability",
)


@dataclass(frozen=True)
class _OptionFigure:
    """A figure of one option: how it is drawn and described, and the rows that go below it."""

    name: str
    title: str
    plot: Callable[..., object]
    describe: Callable[[Appraisal, str], str]
    table: str
    columns: tuple[str, ...]
    caption: str
    height: float = 3.6


_OPTION_FIGURES = (
    _OptionFigure(
        "net",
        "Net cash flow by year",
        money.plot_net_by_year,
        money.describe_net_by_year,
        "net_by_year",
        (_YEAR, *range_columns("money")),
        "Net saving (positive) or cost (negative) by year",
    ),
    _OptionFigure(
        "cumulative",
        "Cumulative discounted net",
        money.plot_cumulative,
        money.describe_cumulative,
        "net_by_year",
        (_YEAR, *_TOTAL),
        "Cumulative discounted net",
    ),
    _OptionFigure(
        "payback",
        "Year of payback",
        money.plot_payback,
        money.describe_payback,
        "payback",
        ("year|Year of payback (not defined: never)|plain", "probability|Probability|probability"),
        "Year of payback",
        3.0,
    ),
    _OptionFigure(
        "payers",
        "Who pays and who gains",
        payers.plot_payers,
        payers.describe_payers,
        "cash_flow_by_year",
        (_YEAR, "payer|Payer|name", "kind|Kind|name", *range_columns("money")),
        "Money by year, payer and kind; costs positive, savings negative",
        2.6,
    ),
)


def money_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figures net by year, cumulative net, payback and payers, by name.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.

    Returns
    -------
    dict of str to FigureBlock

    Examples
    --------
    >>> list(money_figures(appraisal, "care_review"))  # doctest: +SKIP
    ['net', 'cumulative', 'payback', 'payers']
    """
    return {figure.name: _drawn(figure, appraisal, option) for figure in _OPTION_FIGURES}


def _drawn(figure: _OptionFigure, appraisal: Appraisal, option: str) -> FigureBlock:
    table, link = table_and_link(
        appraisal,
        figure.table,
        columns(*figure.columns),
        caption=figure.caption,
        where={"option": option},
        name=figure.name,
    )
    return draw_block(
        f"fig-{figure.name}",
        title=figure.title,
        draw=lambda ax: figure.plot(appraisal, option, ax=ax),
        description=figure.describe(appraisal, option),
        tables=[table],
        links=[link],
        height=figure.height,
    )


def ladder_figure(appraisal: Appraisal) -> FigureBlock:
    """Return the figure of average, avoidable and cashable cost by placement.

    Parameters
    ----------
    appraisal : Appraisal

    Returns
    -------
    FigureBlock

    Examples
    --------
    >>> ladder_figure(appraisal)  # doctest: +SKIP
    """
    shown = columns(
        "placement|Placement|name",
        "average|Average cost|money",
        "avoidable|Avoidable|money",
        "cashable_first_year|Cashable in the first year|money",
    )
    pair = table_and_link(
        appraisal,
        "cost_ladder",
        shown,
        caption="Cost per child per year, means",
        where={},
        name="cost_ladder",
    )
    return draw_block(
        "fig-ladder",
        title="From average cost to cash",
        draw=lambda ax: system.plot_cost_ladder(appraisal, ax=ax),
        description=system.describe_cost_ladder(appraisal),
        tables=[pair[0]],
        links=[pair[1]],
        height=1.5 + 0.42 * len(appraisal.tables["cost_ladder"]),
    )


def system_figure(appraisal: Appraisal, option: str, last_year: int) -> FigureBlock:
    """Return the figure of the yearly cost of the system.

    Parameters
    ----------
    appraisal : Appraisal
    option : str
        Option id.
    last_year : int
        Last year shown, year ending 31 March.

    Returns
    -------
    FigureBlock

    Examples
    --------
    >>> system_figure(appraisal, "care_review", 2035)  # doctest: +SKIP
    """
    shown = columns("year|Year ending 31 March|plain", "price|Prices|name", *range_columns("money"))
    pairs = [
        table_and_link(
            appraisal,
            "system_cost_by_year",
            shown,
            caption=f"Yearly cost of the system, {appraisal.option_labels[which]}",
            where={"option": which, "price__among": " ".join(system.PRICES)},
            name=f"system_cost_{which}",
        )
        for which in ("bau", option)
    ]
    return draw_block(
        "fig-system",
        title="Yearly cost of the system",
        draw=lambda ax: system.plot_system_cost(
            appraisal, option, last_year=last_year, claim=CLAIMED_COST, ax=ax
        ),
        description=system.describe_system_cost(appraisal, option, last_year=last_year),
        tables=[pair[0] for pair in pairs],
        links=[pair[1] for pair in pairs],
    )
