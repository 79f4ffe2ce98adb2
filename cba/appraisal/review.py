"""The review's claims: how likely the evidence makes them, and what the draws that meet them look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cba.appraisal.attribution import component_account
from cba.appraisal.conditioning import kept_workings
from cba.decisions.monte_carlo_error import mcse_probability

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal
    from cba.appraisal.stages import Workings

FROM_FAMILY_HELP = 17_000
IN_ALL = 30_000
ENOUGH = 100
"""Effective draws below which a conditional result is not given."""

CLAIMS = (f"at least {FROM_FAMILY_HELP:,} fewer children in care because of family help and at least {IN_ALL:,} fewer "
          "in all under care_review")


def claims_met(workings: Workings) -> np.ndarray:
    """Whether each draw meets the review's claims on children in the target year, shape (sample,)."""
    year = workings.years.index(workings.inputs.analysis.target_year)
    if "care_review" not in workings.accounts:
        return np.zeros(workings.system.reach.size, dtype=bool)
    in_all = workings.accounts["care_review"].children.fewer_by_age[:, year].sum(axis=-1)
    if in_all.max() < IN_ALL:
        return np.zeros(in_all.size, dtype=bool)
    alone = component_account(workings, "care_review", ("family_help",)).children.fewer_by_age[:, year].sum(axis=-1)
    return (alone >= FROM_FAMILY_HELP) & (in_all >= IN_ALL)


def conditioned_on_claims(workings: Workings, *, assemble: Callable[[Workings], Appraisal]) -> Appraisal:
    """Keep the evidence draws that meet the review's claims.

    Parameters
    ----------
    workings : Workings
        Under ``evidence``.
    assemble : callable
        Makes an appraisal of workings.

    Returns
    -------
    Appraisal
        Stance ``review``. With fewer than 100 draws that meet the claims every result is undefined; otherwise the
        results are those of the conditioned draws, whose errors take them as independent.
    """
    met = claims_met(workings)
    chains = workings.inputs.analysis.chains
    record = {"claims": CLAIMS, "probability": float(met.mean()), "draws": int(met.sum()),
              "mcse": mcse_probability(met, chains=chains), "enough": ENOUGH}
    few = met.sum() < ENOUGH
    appraisal = assemble(workings if few else kept_workings(workings, met))
    provenance = dict(appraisal.provenance) | {"stance": "review", "review": record}
    if few:
        empty = {key: entry | dict.fromkeys(("mean", "median", "lower", "upper", "mcse"))
                 for key, entry in appraisal.results.items()}
        return replace(appraisal, stance="review", results=empty, provenance=provenance)
    return replace(appraisal, stance="review", provenance=provenance)
