"""Every table of the decision analysis, each where it is asked for: cheap ones always, costly ones once a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from threadpoolctl import threadpool_limits

from cba.appraisal.decision_acceptability import (
    acceptability_table,
    best_option_table,
    frontier_table,
    plane_table,
)
from cba.appraisal.decision_drivers import drivers_table, lead_option, switching_table, variance_table
from cba.appraisal.decision_risk import (
    dominance_table,
    rank_probabilities_table,
    ranking_table,
    risk_table,
)
from cba.appraisal.decision_targets import fewer_children_chances, payback_by_payer
from cba.appraisal.decision_values import break_even_values, information_value
from cba.appraisal.pilot_or_now import pilot_tables
from cba.appraisal.study_values import optimal_studies, study_values

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

INFORMATION_VALUES = (0.0, 100e3, 500e3, 2.5e6)
"""GBP per child-year at which the value of information is worked out: cash alone, near the highest value put forward
elsewhere, and two far above it, towards those at which programmes break even."""

FEWEST_DRAWS = 128
"""Fewer draws cannot say what an input moves or what learning is worth."""


def decision_tables(workings: Workings) -> dict[str, pd.DataFrame]:
    """Tables of what to choose, how surely, and at what risk; for every stance.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    dict of str to DataFrame
        ``break_even_values``, ``acceptability``, ``best_option``, ``frontier``, ``plane``, ``risk``,
        ``ranking``, ``rank_probabilities``, ``dominance``, ``fewer_children_chances``, ``payback_by_payer``.

    Examples
    --------
    >>> decision_tables(workings)["best_option"]  # doctest: +SKIP
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

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    dict of str to DataFrame
        ``drivers``, ``variance_shares``, ``switching_values``, ``information_value``, ``study_values``,
        ``optimal_studies`` and those of :func:`cba.appraisal.pilot_or_now.pilot_tables`. None with fewer than
        128 draws, or where the option the report follows is the same in every draw.

    Notes
    -----
    Matrix products here are small and many. A linear algebra library that shares each among threads spends its
    time waiting for them, and up to 30 times as long on a busy machine, so it is held to one.

    Examples
    --------
    >>> learning_tables(workings)["information_value"]  # doctest: +SKIP
    """
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


def of_headline_stance(workings: Workings) -> bool:
    """Whether these are all the draws of the analysis's first stance: only then is learning valued.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    bool
        False for other stances, and for draws conditioned on the review's claims.

    Examples
    --------
    >>> of_headline_stance(workings)  # doctest: +SKIP
    True
    """
    analysis = workings.inputs.analysis
    every = workings.arrays.npv.sizes["sample"] == analysis.draws
    return every and workings.inputs.stance == analysis.stances[0]
