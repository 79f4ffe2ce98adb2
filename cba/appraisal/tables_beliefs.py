"""Tables of beliefs: what the evidence says, which studies count, the priors, what the claims would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.appraisal.headline import ANNUAL_SAVING, SYSTEM_COST, review_prices
from cba.appraisal.review import FROM_FAMILY_HELP, IN_ALL
from cba.appraisal.summaries import interval, probability
from cba.costs.option_account import total_saving
from cba.models.estimands import ESTIMANDS
from cba.models.parameters import ROLL_OUT
from cba.projection.stay_length import averted_stock_kernel, stay_length

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.inputs.evidence import Evidence
    from cba.inputs.prior_registry import PriorRegistry

REACHES = (0.6, 0.4)
"""Shares of starts reached for which the required risk ratio is shown."""


STAGES = {
    "raw": "raw_mean",
    "precision": "precision_mean",
    "selection": "selection_mean",
    "bias_adjusted": "mean",
    "new_setting": "new_setting",
    "new_authority": "new_authority",
}
"""Stage of the effects table to the variable of the fit; the roll-out, less what is lost at scale, comes last."""


def effects_table(workings: Workings) -> pd.DataFrame:
    """From the raw pooled effect to that of a national roll-out, by estimand.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns estimand, label, stage, mean, lower, upper and prob_beneficial. Stages: raw (pooled as
        published), precision and selection (publication bias taken off in two ways, for comparison),
        bias_adjusted (mean effect in England), new_setting (predictive of a national roll-out at the strength of
        the studies), new_authority (one authority in it), roll_out (national, less what is lost at scale).

    Examples
    --------
    >>> effects_table(workings)  # doctest: +SKIP
    """
    posterior = workings.effects["posterior"].to_dataset()
    level, rows = workings.inputs.analysis.level, []
    for estimand, about in ESTIMANDS.items():
        stages = {
            stage: posterior[name].sel(estimand=estimand).values.ravel() for stage, name in STAGES.items()
        }
        stages["roll_out"] = workings.system.value(ROLL_OUT[estimand])
        for stage, draws in stages.items():
            lower, upper = interval(draws, level=level)
            rows.append(
                {
                    "estimand": estimand,
                    "label": about.label,
                    "stage": stage,
                    "mean": draws.mean(),
                    "lower": lower,
                    "upper": upper,
                    "prob_beneficial": (about.favours * draws > 0).mean(),
                }
            )
    return pd.DataFrame(rows)


def studies_table(evidence: Evidence) -> pd.DataFrame:
    """Every study, used or not, with the reason where it is not.

    Parameters
    ----------
    evidence : Evidence
        As returned by :func:`cba.load_evidence`.

    Returns
    -------
    DataFrame
        One row per study, estimand and scale.

    Examples
    --------
    >>> from cba.inputs.evidence import load_evidence
    >>> studies_table(load_evidence())["use"].isin(["synthesis", "censored", "excluded"]).all().item()
    True
    """
    columns = [
        "study_id",
        "intervention",
        "outcome",
        "design_class",
        "country",
        "year",
        "estimand",
        "effect",
        "effect_se",
        "bound_low",
        "bound_high",
        "level",
        "coverage_low",
        "coverage_high",
        "use",
        "exclusion_reason",
    ]
    return evidence.effects[columns].reset_index(drop=True)


def priors_table(priors: PriorRegistry) -> pd.DataFrame:
    """The registry as an assumptions log.

    Parameters
    ----------
    priors : PriorRegistry
        As returned by :func:`cba.load_priors`.

    Returns
    -------
    DataFrame
        One row per entry: name, description, distribution, quantiles, unit, price year, quality and source.

    Examples
    --------
    >>> from cba.inputs.priors import load_priors
    >>> log = priors_table(load_priors()).set_index("name")
    >>> log.loc["kinship.meeting_cost", "unit"]
    'GBP per child'
    """
    table = priors.table().rename(columns={"p05": "q05", "p50": "q50", "p95": "q95"})
    table.index.name = "name"
    columns = [
        "description",
        "distribution",
        "q05",
        "q50",
        "q95",
        "unit",
        "price_year",
        "confidence",
        "owner",
        "reviewed",
        "basis",
        "source",
        "stated",
        "fit_error",
        "stance",
    ]
    return table[columns].reset_index()


def what_it_would_take(workings: Workings) -> pd.DataFrame:
    """Cut in starts needed for the claims, and the risk ratio that implies at two levels of reach.

    The cut is in starts of children who are not unaccompanied, in full from the first year, with averted
    children staying as long as the average entrant and none deferred: the easiest case for the claims.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns start_year, target_children, cut_median, cut_lower, cut_upper (shares of starts),
        risk_ratio_reach_0_6, risk_ratio_reach_0_4 (missing where no ratio would do) and prob_evidence.

    Examples
    --------
    >>> what_it_would_take(workings)  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    starts = workings.system.baseline["starts_reachable"].transpose("sample", "year", "age").values
    kernel = _plain_kernel(workings)
    first, last = (workings.years.index(y) for y in (analysis.start_year, analysis.target_year))
    gone = sum(starts[:, year] @ kernel[:, last - year] for year in range(first, last + 1))
    in_all = None
    if "care_review" in workings.accounts:
        in_all = workings.accounts["care_review"].children.fewer_by_age[:, last].sum(axis=-1)
    rows = []
    for target in (FROM_FAMILY_HELP, IN_ALL):
        cut = target / gone
        lower, upper = interval(cut, level=analysis.level)
        row = {
            "start_year": analysis.start_year,
            "target_children": target,
            "cut_median": float(np.median(cut)),
        }
        row |= {"cut_lower": float(lower), "cut_upper": float(upper)}
        for reach in REACHES:
            ratio = 1.0 - row["cut_median"] / reach
            row[f"risk_ratio_reach_{str(reach).replace('.', '_')}"] = ratio if ratio >= 0 else np.nan
        row["prob_evidence"] = np.nan if in_all is None else float((in_all >= target).mean())
        rows.append(row)
    return pd.DataFrame(rows)


def _plain_kernel(workings: Workings) -> np.ndarray:
    """Children fewer per averted start by age at the start and lag, at the average stay, (age, lag)."""
    stays = stay_length(workings.inputs.observations)
    return averted_stock_kernel(stays, stay_ratio=np.ones(1), lags=len(workings.years))[0].sum(axis=1)


def claims_table(workings: Workings) -> pd.DataFrame:
    """Probability that each published claim is met; money of the claims is read in prices of 2021-22.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns claim, value, unit, probability, mcse.

    Examples
    --------
    >>> claims_table(workings)  # doctest: +SKIP
    """
    analysis, arrays = workings.inputs.analysis, workings.arrays
    total = arrays.children.sel(year=analysis.target_year)
    usual = total.sel(option="bau").values.sum(axis=-1)
    pound = review_prices(workings)
    cost = arrays.system_cost.sel(option="bau", year=analysis.target_year).values / pound
    money = "GBP per year, 2021-22 prices"
    rows: list[tuple[str, float, str, np.ndarray]] = [
        ("children in care without reform, at least", 100_000, "children", usual >= 100_000),
        (
            "yearly cost of the system without reform (2021-22 prices), at least",
            SYSTEM_COST,
            money,
            cost >= SYSTEM_COST,
        ),
    ]
    if "care_review" in workings.accounts:
        fewer = usual - total.sel(option="care_review").values.sum(axis=-1)
        saving = total_saving(workings.accounts["care_review"])
        saved = saving[:, workings.years.index(analysis.target_year)] / pound
        rows += [
            ("fewer children under the care review, at least", IN_ALL, "children", fewer >= IN_ALL),
            (
                "yearly cashable saving under the care review (2021-22 prices), at least",
                ANNUAL_SAVING,
                money,
                saved >= ANNUAL_SAVING,
            ),
            (
                "yearly cashable saving under the care review (2021-22 prices), at least",
                517e6,
                money,
                saved >= 517e6,
            ),
        ]
    chances = [probability(event, label="", chains=workings.chains) for *_, event in rows]
    return pd.DataFrame(
        [
            {"claim": claim, "value": value, "unit": unit, "probability": c["mean"], "mcse": c["mcse"]}
            for (claim, value, unit, _), c in zip(rows, chances, strict=True)
        ]
    )
