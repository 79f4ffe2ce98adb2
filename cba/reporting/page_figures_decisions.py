"""The figures of the decision in the report: drivers, switching, worth, risk, pilot, information, targets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cba.reporting import figures_drivers as drivers
from cba.reporting import figures_information as information
from cba.reporting import figures_pilot as pilot
from cba.reporting import figures_pilot_power as pilot_power
from cba.reporting import figures_risk as risk
from cba.reporting import figures_switching as switching
from cba.reporting import figures_targets as targets
from cba.reporting import figures_worth as worth
from cba.reporting.figure_blocks import FigureBlock
from cba.reporting.page_sections import holds
from cba.reporting.table_figures import LEAD, TableFigure, table_figures

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

CONTENDERS = "the options that can be best"
"""Stands in `where` for the options drawn along the value of a child-year."""

_VALUE = "value_per_child_year|Value of a child-year|price"

FIGURES = (
    TableFigure(
        "tornado", "What moves net present value", "drivers", drivers.plot_tornado, drivers.describe_tornado,
        ("description|Input", "question|Research question", "confidence|Grade|name", "input_low|Low end|number",
         "input_high|High end|number", "outcome_low|Net present value at the low end|money",
         "outcome_high|At the high end|money", "swing_se|Error of the difference|money"),
        "Expected net present value with each input at its 5% and its 95% point, inputs that clearly move it",
        {"option": LEAD, "outcome": "npv", "clear": True}, drivers.tornado_height,
    ),
    TableFigure(
        "variance_shares", "Shares of the uncertainty in net present value", "variance_shares",
        drivers.plot_variance_shares, drivers.describe_variance_shares,
        ("split|Split by|name", "description|Group or input", "effect|Share of the variance|share", "se|Error|share"),
        "Shapley effects: shares of the variance of net present value, by research question and by leading input",
        {"option": LEAD}, lambda a, o: 1.1 + 0.42 * int((a.tables["variance_shares"]["split"] == "question").sum()),
    ),
    TableFigure(
        "switching_values", "Switching values of the leading inputs", "switching_values", switching.plot_switching,
        switching.describe_switching,
        ("target|Target", "description|Input", "unit|Unit", "input_median|Median believed|number",
         "value|Switching value|number", "se|Error|number", "probability_beyond|Chance of being beyond it|probability",
         "verdict|Reachable"),
        "Value of each leading input at which the conclusion changes", {"option": LEAD}, switching.switching_height,
    ),
    TableFigure(
        "acceptability", "Chance of being the best option", "acceptability", worth.plot_acceptability,
        worth.describe_acceptability,
        (_VALUE, "option|Option|option", "net_benefit|Expected net benefit|money", "net_benefit_se|Error|money",
         "prob_best|Chance of being best|probability"),
        "Expected net benefit and chance of being best, options drawn: every option that is somewhere the one to "
        "choose, then those likeliest to be best", {"option__among": CONTENDERS}, 4.7,
    ),
    TableFigure(
        "frontier", "Options by cost and child-years", "frontier", worth.plot_frontier, worth.describe_frontier,
        ("option|Option|option", "cost|Mean net cost|money", "effect|Child-years, less harm|count",
         "status|Status|name", "icer|Cost of each further child-year|money"),
        "Cost-effectiveness frontier: means, present value, against business as usual", {}, worth.frontier_height,
    ),
    TableFigure(
        "risk", "Expected value and worst cases", "risk", risk.plot_risk, risk.describe_risk,
        (_VALUE, "option|Option|option", "mean|Expected|money", "cvar|Mean of the worst twentieth|money",
         "expected_loss|Mean regret|money", "worst_loss|Regret, 99th percentile|money",
         "prob_best|Chance of being best|probability", "prob_negative|Chance of a net loss|probability"),
        "Expected net benefit, worst cases and regret, by value of a child-year", {}, risk.risk_height,
    ),
    TableFigure(
        "pilot_map", "Best strategy by design and value", "pilot_or_now", pilot.plot_pilot_map,
        pilot.describe_pilot_map,
        (_VALUE, "areas|Areas|count", "years|Years|plain", "strategy|Best strategy|name",
         "expected_payoff|Its expected payoff|money", "se|Error|money"),
        "Best of the four strategies and its expected payoff, by design of the pilot and value of a child-year",
        {"option": LEAD, "best": True}, pilot.pilot_map_height,
    ),
    TableFigure(
        "pilot_learning", "Value of learning and cost of delay", "pilot_learning", pilot.plot_pilot_learning,
        pilot.describe_pilot_learning,
        (_VALUE, "areas|Areas|count", "years|Years|plain", "value_of_learning|Value of learning|money",
         "cost_of_delay|Cost of delay|money", "pilot_cost|Net cost of the pilot|money",
         "value_of_stopping|Value of the option to stop|money"),
        "What a pilot teaches against what it costs to wait, by design and value of a child-year",
        {"option": LEAD}, lambda a, o: 1.6 + 0.6 * len(pilot.published_learning(a, o)),
    ),
    TableFigure(
        "pilot_power", "What a pilot could detect", "pilot_power", pilot_power.plot_pilot_power,
        pilot_power.describe_pilot_power,
        ("design|Design|name", "areas|Areas|count", "years|Years|plain", "published|Announced",
         "between_authority_sd|Spread between authorities|number",
         "detectable_percent|Smallest detectable fall, %|number", "fall_percent_mean|Expected fall, %|number",
         "fall_percent_lower|Lower|number", "fall_percent_upper|Upper|number",
         "power|Chance of finding it|probability"),
        "Power of each design: fall in starts as a per cent of starts; spread of their logs", {"option": LEAD}, 3.8,
    ),
    TableFigure(
        "information_value", "Value of information by research question", "information_value",
        information.plot_information, information.describe_information,
        (_VALUE, "question|Question", "value|Value of knowing it exactly|money", "se|Error|money",
         "best|Best option without it|option"),
        "Expected value of perfect information, present value, once for the country", {},
        information.information_height,
    ),
    TableFigure(
        "fewer_chances", "Chance of fewer children by year", "fewer_children_chances", targets.plot_fewer_chances,
        targets.describe_fewer_chances,
        ("year|Year ending 31 March|plain", "fewer_children|At least so many fewer|count",
         "probability|Chance|probability"),
        "Chance of at least so many fewer children in care, by year", {"option": LEAD}, 4.0,
    ),
    TableFigure(
        "payback_by_payer", "Payback by payer", "payback_by_payer", targets.plot_payback_by_payer,
        targets.describe_payback_by_payer,
        ("payer|Payer|name", "year|Year of payback (not defined: never)|plain", "probability|Chance|probability",
         "cumulative|Chance by then|probability"),
        "Year of payback by payer", {"option": LEAD}, targets.payer_height,
    ),
)  # fmt: skip


def decision_figures(appraisal: Appraisal, option: str) -> dict[str, FigureBlock]:
    """Return the figures of the decision that the appraisal has tables for, by name.

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
    >>> "tornado" in decision_figures(appraisal, "care_review")  # doctest: +SKIP
    True
    """
    return table_figures([_filled(figure, appraisal, option) for figure in FIGURES], appraisal, option)


def _filled(figure: TableFigure, appraisal: Appraisal, option: str) -> TableFigure:
    """Return the figure with the contenders named, where its rows are theirs."""
    if CONTENDERS not in figure.where.values() or not holds(appraisal, figure.table, option):
        return figure
    names = " ".join(worth.contenders(appraisal))
    where = {key: names if value == CONTENDERS else value for key, value in figure.where.items()}
    return replace(figure, where=where)
