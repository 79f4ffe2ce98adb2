"""Every table of who pays, who gains and on what accounts: cheap ones always, costly ones once a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cba.appraisal.break_even_map import break_even_map
from cba.appraisal.cash_flow_statements import finance_director_statement, treasury_statement
from cba.appraisal.cost_of_delay import cost_of_delay
from cba.appraisal.council_summary import council_summary
from cba.appraisal.distribution import distributional_sensitivity, mvpf_table, who_bears
from cba.appraisal.optimism_check import optimism_check, optimism_devices
from cba.appraisal.payback_measures import payback_measures
from cba.appraisal.perspectives import perspectives_table, social_account
from cba.appraisal.social_switching import social_switching
from cba.appraisal.tables_accounts import accounts_backtest, accounts_reconciliation, system_cost_parts
from cba.appraisal.tables_accounts_scenarios import growth_scenarios, review_price_base
from cba.appraisal.tables_money import (
    cash_flow_by_year,
    cost_ladder,
    financing_modes,
    net_by_year,
    npv_table,
    payback_table,
    system_cost_by_year,
)
from cba.appraisal.tables_schedules import discount_schedules_table
from cba.appraisal.tables_unit_costs import other_unit_costs, unit_cost_growth
from cba.appraisal.unmonetised import unmonetised_and_financing

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

LEAD = "care_review"
"""The option whose accounts are shown in full."""


def money_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Tables of cost, saving and payback; for every stance.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    dict of str to DataFrame
        ``cash_flow_by_year``, ``net_by_year``, ``npv``, ``payback``, ``payback_measures``, ``perspectives``,
        ``cost_of_delay``, ``system_cost_by_year``, ``cost_ladder``; with the review's programme also
        ``financing_modes`` and ``break_even_map``.

    Examples
    --------
    >>> money_tables(workings)["npv"]  # doctest: +SKIP
    """
    tables = {
        "cash_flow_by_year": cash_flow_by_year(workings),
        "net_by_year": net_by_year(workings),
        "npv": npv_table(workings),
        "payback": payback_table(workings),
        "payback_measures": payback_measures(workings),
        "perspectives": perspectives_table(workings),
        "cost_of_delay": cost_of_delay(workings),
        "system_cost_by_year": system_cost_by_year(workings),
        "cost_ladder": cost_ladder(workings),
    }
    if LEAD in workings.accounts:
        tables["financing_modes"] = financing_modes(workings)
        tables["break_even_map"] = break_even_map(workings, LEAD)
    return tables


def account_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Statements, calibration to the published accounts and sensitivities of money; once a run.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    dict of str to DataFrame
        ``cash_statement``, ``treasury_statement``, ``discount_schedules``, ``social_account``,
        ``social_switching``, ``distribution``, ``mvpf``, ``optimism_devices``, ``accounts_reconciliation``,
        ``accounts_backtest``, ``system_cost_parts``, ``unit_cost_growth``, ``other_unit_costs``; with the
        review's programme also ``growth_scenarios``, ``review_price_base``, ``optimism_check``,
        ``who_bears``, ``councils``, ``unmonetised_and_financing``.

    Examples
    --------
    >>> account_tables(workings)["accounts_reconciliation"]  # doctest: +SKIP
    """
    tables = {
        "cash_statement": finance_director_statement(workings),
        "treasury_statement": treasury_statement(workings),
        "discount_schedules": discount_schedules_table(workings),
        "social_account": social_account(workings),
        "social_switching": social_switching(workings),
        "distribution": distributional_sensitivity(workings),
        "mvpf": mvpf_table(workings),
        "optimism_devices": optimism_devices(workings),
        "accounts_reconciliation": accounts_reconciliation(workings),
        "accounts_backtest": accounts_backtest(workings),
        "system_cost_parts": system_cost_parts(workings),
        "unit_cost_growth": unit_cost_growth(workings),
        "other_unit_costs": other_unit_costs(workings),
    }
    if LEAD in workings.accounts:
        tables |= {
            "growth_scenarios": growth_scenarios(workings),
            "review_price_base": review_price_base(workings),
            "optimism_check": optimism_check(workings, LEAD),
            "who_bears": who_bears(workings, LEAD),
            "councils": council_summary(workings, LEAD, counted_in=workings.inputs.analysis.target_year),
            "unmonetised_and_financing": unmonetised_and_financing(workings, LEAD),
        }
    return tables
