"""Every table of the decision analysis, each where it is asked for: cheap ones always, costly ones once a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from threadpoolctl import threadpool_limits

from cba.appraisal.quantities import lead_option, of_headline_stance
from cba.inputs.reconciliation import reconcile
from cba.models.authority_findings import panel_tables
from cba.models.slow_results import backtest_tables
from cba.tables.accounts import (
    accounts_backtest,
    accounts_reconciliation,
    growth_scenarios,
    optimism_check,
    optimism_devices,
    other_unit_costs,
    review_price_base,
    system_cost_parts,
    unit_cost_growth,
)
from cba.tables.all_councils import council_summary
from cba.tables.assumptions import assumptions_log
from cba.tables.attribution import attribution_table, break_even_map
from cba.tables.beliefs import claims_table, effects_table, priors_table, studies_table, what_it_would_take
from cba.tables.children import (
    children_by_year,
    effect_chain,
    fewer_children_by_year,
    forecast_table,
    history,
    reach_table,
    starts_by_year,
    structural_results,
    tracker_table,
)
from cba.tables.convergence import decision_convergence
from cba.tables.decisions import (
    acceptability_table,
    best_option_table,
    break_even_values,
    dominance_table,
    drivers_table,
    fewer_children_chances,
    frontier_table,
    information_value,
    payback_by_payer,
    plane_table,
    rank_probabilities_table,
    ranking_table,
    risk_table,
    switching_table,
    variance_table,
)
from cba.tables.money import (
    cash_flow_by_year,
    cost_ladder,
    cost_of_delay,
    discount_schedules_table,
    finance_director_statement,
    financing_modes,
    net_by_year,
    npv_table,
    payback_measures,
    payback_table,
    system_cost_by_year,
    treasury_statement,
)
from cba.tables.pilots import pilot_tables
from cba.tables.society import (
    distributional_sensitivity,
    mvpf_table,
    perspectives_table,
    social_account,
    social_switching,
    unmonetised_and_financing,
    who_bears,
)
from cba.tables.stress import stress_tables
from cba.tables.studies import optimal_studies, study_values

if TYPE_CHECKING:
    from cba.appraisal.workings import Workings


INFORMATION_VALUES = (0.0, 100e3, 500e3, 2.5e6)
"""GBP per child-year at which the value of information is worked out: cash alone, near the highest value put forward
elsewhere, and two far above it, towards those at which programmes break even."""


FEWEST_DRAWS = 128
"""Fewer draws cannot say what an input moves or what learning is worth."""


def decision_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Tables of what to choose, how surely, and at what risk; for every stance.

    ``break_even_values``, ``acceptability``, ``best_option``, ``frontier``, ``plane``, ``risk``, ``ranking``,
    ``rank_probabilities``, ``dominance``, ``fewer_children_chances``, ``payback_by_payer``.
    """
    return {
        "break_even_values": break_even_values(workings),
        "acceptability": acceptability_table(workings),
        "best_option": best_option_table(workings),
        "frontier": frontier_table(workings),
        "plane": plane_table(workings),
        "risk": risk_table(workings),
        "ranking": ranking_table(workings),
        "rank_probabilities": rank_probabilities_table(workings),
        "dominance": dominance_table(workings),
        "fewer_children_chances": fewer_children_chances(workings),
        "payback_by_payer": payback_by_payer(workings),
    }


def learning_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Tables of what drives the result, what would change it and what finding out is worth.

    ``drivers``, ``variance_shares``, ``switching_values``, ``information_value``, ``study_values``,
    ``optimal_studies`` and those of `pilot_tables`.
    """
    # None with fewer than 128 draws, or where the option the report follows is the same in every draw.
    #
    # Matrix products here are small and many. A linear algebra library that shares each among threads spends
    # its time waiting for them, and up to 30 times as long on a busy machine, so it is held to one.
    npv = workings.arrays.npv.sel(option=lead_option(workings))
    if npv.sizes["sample"] < FEWEST_DRAWS or float(npv.std()) == 0.0:
        return {}
    with threadpool_limits(1, user_api="blas"):
        drivers = drivers_table(workings)
        studies = study_values(workings, values=INFORMATION_VALUES)
        return {
            "drivers": drivers,
            "variance_shares": variance_table(workings, drivers),
            "switching_values": switching_table(workings, drivers),
            "information_value": information_value(workings, values=INFORMATION_VALUES),
            "study_values": studies,
            "optimal_studies": optimal_studies(studies),
        } | pilot_tables(workings)


# --- Every table of who pays, who gains and on what accounts: cheap ones always, costly ones once a run ---


LEAD = "care_review"
"""The option whose accounts are shown in full."""


def money_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Tables of cost, saving and payback; for every stance."""
    # Returned: ``cash_flow_by_year``, ``net_by_year``, ``npv``, ``payback``, ``payback_measures``,
    # ``perspectives``, ``cost_of_delay``, ``system_cost_by_year``, ``cost_ladder``; with the review's
    # programme also ``financing_modes`` and ``break_even_map``.
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
    """Statements, calibration to the published accounts and sensitivities of money; once a run."""
    # Returned: ``cash_statement``, ``treasury_statement``, ``discount_schedules``, ``social_account``,
    # ``social_switching``, ``distribution``, ``mvpf``, ``optimism_devices``, ``accounts_reconciliation``,
    # ``accounts_backtest``, ``system_cost_parts``, ``unit_cost_growth``, ``other_unit_costs``; with the
    # review's programme also ``growth_scenarios``, ``review_price_base``, ``optimism_check``, ``who_bears``,
    # ``councils``, ``unmonetised_and_financing``.
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


# --- Every table of an appraisal, by name; formats and reports only read them ---


def all_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Return every table of one appraisal.

    Numbers are means and interval limits at the analysis's level; money is GBP of the price base.
    """
    inputs = workings.inputs
    tables = {
        "history": history(inputs.observations),
        "children_by_year": children_by_year(workings),
        "fewer_children_by_year": fewer_children_by_year(workings),
        "starts_by_year": starts_by_year(workings),
        "forecasts": forecast_table(workings),
        "what_it_would_take": what_it_would_take(workings),
        "effects": effects_table(workings),
        "reach": reach_table(workings),
        "evidence": studies_table(inputs.evidence),
        "priors": priors_table(inputs.priors),
        "convergence": _convergence(workings),
        "claims": claims_table(workings),
        "reconciliation": reconcile(inputs.observations),
        "unmonetised": pd.DataFrame(
            [(o.id, item) for o in inputs.options for item in o.unmonetised], columns=["option", "item"]
        ),
    }
    if "care_review" in workings.accounts:
        tables["attribution"] = attribution_table(workings)
        tables["effect_chain"] = effect_chain(workings)
    tables |= panel_tables(inputs.analysis.evidence_until)
    tables |= money_tables(workings) | decision_tables(workings)
    if len(workings.accounts) > 1:
        tables["tracker"] = tracker_table(workings)
    tables |= {
        "structural": structural_results(workings),
        "decision_convergence": decision_convergence(workings),
    }
    if of_headline_stance(workings):
        tables |= (
            account_tables(workings) | learning_tables(workings) | backtest_tables() | stress_tables(workings)
        )
        tables["assumptions_log"] = assumptions_log(workings)
    return tables


def _convergence(workings: Workings) -> pd.DataFrame:
    """Gates of both fits, as checked when they were made."""
    frames = []
    for name, tree in (("baseline", workings.baseline), ("effects", workings.effects)):
        frame = tree["convergence"].to_dataset().to_dataframe().reset_index()
        frame.insert(0, "model", name)
        frames.append(frame[["model", "check", "found", "required", "where", "passed"]])
    return pd.concat(frames, ignore_index=True)
