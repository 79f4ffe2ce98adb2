"""Every table of an appraisal, by name; formats and reports only read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from cba.appraisal.assumptions_log import assumptions_log
from cba.appraisal.attribution import attribution_table
from cba.appraisal.backtest_results import backtest_tables
from cba.appraisal.decision_convergence import decision_convergence
from cba.appraisal.decision_tables import decision_tables, learning_tables, of_headline_stance
from cba.appraisal.forecasts import forecast_table
from cba.appraisal.money_tables import account_tables, money_tables
from cba.appraisal.stress_tests import stress_tables
from cba.appraisal.structural_results import structural_results
from cba.appraisal.tables_beliefs import (
    claims_table,
    effects_table,
    priors_table,
    studies_table,
    what_it_would_take,
)
from cba.appraisal.tables_chain import effect_chain
from cba.appraisal.tables_children import children_by_year, fewer_children_by_year, history, starts_by_year
from cba.appraisal.tables_reach import reach_table
from cba.appraisal.tracker import tracker_table
from cba.inputs.reconciliation import reconcile
from cba.models.panel_results import panel_tables

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings


def all_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Return every table of one appraisal.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    dict of str to DataFrame
        Numbers are means and interval limits at the analysis's level; money is GBP of the price base.

    Examples
    --------
    >>> all_tables(workings)["npv"]  # doctest: +SKIP
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
