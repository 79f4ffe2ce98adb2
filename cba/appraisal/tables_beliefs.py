"""Tables of beliefs: what the evidence says, which studies were used, the priors, and what the claims would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.review import FROM_FAMILY_HELP, IN_ALL
from cba.appraisal.summaries import interval, probability
from cba.models.effects import ESTIMANDS
from cba.models.parameters import ROLL_OUT

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.inputs.evidence import Evidence
    from cba.inputs.priors import PriorRegistry

REACHES = (0.6, 0.4)
"""Shares of starts reached for which the required risk ratio is shown."""


def effects_table(workings: Workings) -> pd.DataFrame:
    """From the raw pooled effect to that of a national roll-out, by estimand."""
    posterior = workings.effects["posterior"].to_dataset()
    level, rows = workings.inputs.analysis.level, []
    for estimand, about in ESTIMANDS.items():
        stages = {
            "raw": posterior["raw_mean"].sel(estimand=estimand).values.ravel(),
            "bias_adjusted": posterior["mean"].sel(estimand=estimand).values.ravel(),
            "new_setting": posterior["new_setting"].sel(estimand=estimand).values.ravel(),
            "roll_out": workings.system.value(ROLL_OUT[estimand]),
        }
        for stage, draws in stages.items():
            lower, upper = interval(draws, level=level)
            rows.append({"estimand": estimand, "label": about.label, "stage": stage, "mean": draws.mean(),
                         "lower": lower, "upper": upper, "prob_beneficial": (about.favours * draws > 0).mean()})
    return pd.DataFrame(rows)


def studies_table(evidence: Evidence) -> pd.DataFrame:
    """Every study, used or not, with the reason where it is not."""
    columns = ["study_id", "intervention", "outcome", "design_class", "country", "year", "estimand", "effect",
               "effect_se", "use", "exclusion_reason"]
    return evidence.effects[columns].reset_index(drop=True)


def priors_table(priors: PriorRegistry) -> pd.DataFrame:
    """The registry as an assumptions log."""
    table = priors.table().rename(columns={"p05": "q05", "p50": "q50", "p95": "q95"})
    table.index.name = "name"
    columns = ["description", "distribution", "q05", "q50", "q95", "unit", "price_year", "confidence", "owner",
               "reviewed", "basis", "source", "stance"]
    return table[columns].reset_index()


def what_it_would_take(workings: Workings) -> pd.DataFrame:
    """Cut in starts needed for the claims, and the risk ratio that implies at two levels of reach.

    The cut is in starts of children who are not unaccompanied, in full from the first year, with averted children
    staying as long as the average entrant and none deferred: the easiest case for the claims.
    """
    analysis, system = workings.inputs.analysis, workings.system
    kernel = _plain_kernel(workings)
    starts = system.baseline["starts_reachable"].transpose("sample", "year", "age").values
    first, last = (workings.years.index(y) for y in (analysis.start_year, analysis.target_year))
    gone = sum(starts[:, year] @ kernel[:, last - year] for year in range(first, last + 1))
    in_all = (workings.arrays.children.sel(option="bau", year=analysis.target_year).sum("age")
              - workings.arrays.children.sum("age").sel(option="care_review", year=analysis.target_year)
              ).values if "care_review" in workings.accounts else None
    rows = []
    for target in (FROM_FAMILY_HELP, IN_ALL):
        cut = target / gone
        lower, upper = interval(cut, level=analysis.level)
        median = float(np.median(cut))
        row = {"start_year": analysis.start_year, "target_children": target, "cut_median": median, "cut_lower": lower,
               "cut_upper": upper}
        for reach in REACHES:
            ratio = 1.0 - median / reach
            row[f"risk_ratio_reach_{str(reach).replace('.', '_')}"] = ratio if ratio >= 0 else np.nan
        row["prob_evidence"] = np.nan if in_all is None else float((in_all >= target).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def _plain_kernel(workings: Workings) -> np.ndarray:
    """Children fewer per averted start by age at the start and lag, at the average stay, (age, lag)."""
    from cba.projection.stay_length import averted_stock_kernel, stay_length

    stays = stay_length(workings.inputs.observations)
    return averted_stock_kernel(stays, stay_ratio=np.ones(1), lags=len(workings.years))[0].sum(axis=1)


def claims_table(workings: Workings) -> pd.DataFrame:
    """Probability that each published claim is met."""
    analysis, arrays = workings.inputs.analysis, workings.arrays
    year = analysis.target_year
    children = arrays.children.sum("age").sel(year=year)
    usual = children.sel(option="bau").values
    rows = [("children in care without reform, at least", 100_000, "children", usual >= 100_000)]
    cost = arrays.system_cost.sel(option="bau", year=year)
    rows.append((f"yearly cost of the system without reform, real prices of {analysis.price_base}, at least", 15e9,
                 "GBP per year", cost.values >= 15e9))
    if "care_review" in workings.accounts:
        fewer = usual - children.sel(option="care_review").values
        saved = -arrays.cash_flow.sel(option="care_review", year=year)
        saved = saved.isel(line=np.flatnonzero(saved["kind"].values == "saving")).sum("line").values
        rows += [("fewer children under the care review, at least", IN_ALL, "children", fewer >= IN_ALL),
                 ("yearly cashable saving under the care review, at least", 1e9, "GBP per year", saved >= 1e9),
                 ("yearly cashable saving under the care review, at least", 517e6, "GBP per year", saved >= 517e6)]
    return pd.DataFrame([{"claim": claim, "value": value, "unit": unit, **_chance(event, analysis.chains)}
                         for claim, value, unit, event in rows])


def _chance(event: np.ndarray, chains: int) -> dict[str, float]:
    found = probability(event, label="", chains=chains)
    return {"probability": found["mean"], "mcse": found["mcse"]}
