"""The review's claims: how likely the evidence makes them, and what the draws that meet them look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.appraisal.attribution import component_account
from cba.appraisal.conditioning import kept_workings
from cba.appraisal.headline import FEWER_CHILDREN
from cba.appraisal.record import ARRAYS
from cba.decisions.monte_carlo_error import effective_sample_size, mcse_probability

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal
    from cba.appraisal.stages import Workings

FROM_FAMILY_HELP = 17_000
IN_ALL = FEWER_CHILDREN
ENOUGH = 100
"""Effective draws below which a conditional result is not given."""

CLAIMS = (
    f"at least {FROM_FAMILY_HELP:,} fewer children in care because of family help and at least {IN_ALL:,} "
    "fewer in all under care_review"
)

WITHOUT_DRAWS = (
    "history",
    "what_it_would_take",
    "evidence",
    "priors",
    "convergence",
    "reconciliation",
    "unmonetised",
)
"""Tables that hold no result of an option, and so are given even where too few draws meet the claims."""


def claims_met(workings: Workings) -> np.ndarray:
    """Whether each draw meets the review's claims on children in the target year.

    Parameters
    ----------
    workings : Workings
        Under ``evidence``.

    Returns
    -------
    ndarray of bool, shape (sample,)
        At least 30,000 fewer in all under ``care_review``, and 17,000 fewer from family help alone.

    Examples
    --------
    >>> claims_met(workings).mean()  # doctest: +SKIP
    """
    year = workings.years.index(workings.inputs.analysis.target_year)
    if "care_review" not in workings.accounts:
        return np.zeros(workings.system.reach.size, dtype=bool)
    in_all = workings.accounts["care_review"].children.fewer_by_age[:, year].sum(axis=-1)
    if in_all.max() < IN_ALL:
        return np.zeros(in_all.size, dtype=bool)
    alone = component_account(workings, "care_review", ("family_help",))
    return (alone.children.fewer_by_age[:, year].sum(axis=-1) >= FROM_FAMILY_HELP) & (in_all >= IN_ALL)


def claims_record(met: np.ndarray, *, chains: int | None) -> dict[str, Any]:
    """Return how likely the evidence makes the review's claims, and whether enough draws meet them.

    Parameters
    ----------
    met : ndarray of bool, shape (sample,)
        As returned by :func:`claims_met`.
    chains : int or None
        Chains of the draws.

    Returns
    -------
    dict
        claims, probability and its mcse, draws, effective_draws, enough (the number that would do).

    Examples
    --------
    >>> claims_record(np.array([True, False, False, False]), chains=None)["probability"]
    0.25
    """
    independent = effective_sample_size(met.astype(float), chains=chains) / met.size
    return {
        "claims": CLAIMS,
        "probability": float(met.mean()),
        "draws": int(met.sum()),
        "effective_draws": float(met.sum()) * min(independent, 1.0),
        "mcse": mcse_probability(met, chains=chains),
        "enough": ENOUGH,
    }


def review_without_draws(evidence: Appraisal) -> Appraisal | None:
    """Return the `review` stance of an evidence appraisal whose draws hardly ever meet the claims.

    Parameters
    ----------
    evidence : Appraisal
        Under ``evidence``.

    Returns
    -------
    Appraisal or None
        With every result undefined and no draws; None where enough draws meet the claims, so that their
        results have to be worked out.

    Examples
    --------
    >>> review_without_draws(appraisal).results["npv_fiscal.care_review"]["mean"]  # doctest: +SKIP
    """
    record = evidence.provenance.get("review_claims")
    if record is None or record["effective_draws"] >= ENOUGH:
        return None
    rest = {key: value for key, value in evidence.provenance.items() if key != "review_claims"}
    return replace(
        _emptied(evidence), stance="review", provenance=rest | {"stance": "review", "review": dict(record)}
    )


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
        Stance ``review``. With fewer than 100 effective draws meeting the claims every result is undefined,
        and arrays and tables of results hold no draws; otherwise they are those of the conditioned draws.

    Examples
    --------
    >>> conditioned_on_claims(workings, assemble=assemble).provenance["review"]  # doctest: +SKIP
    """
    met = claims_met(workings)
    record = claims_record(met, chains=workings.chains)
    if record["effective_draws"] < ENOUGH:
        none = review_without_draws(assemble(workings))
        if none is not None:
            return none
    kept = assemble(kept_workings(workings, met))
    rest = {key: value for key, value in kept.provenance.items() if key != "review_claims"}
    return replace(kept, stance="review", provenance=rest | {"stance": "review", "review": record})


def _emptied(appraisal: Appraisal) -> Appraisal:
    """Return the appraisal without results or draws: those of the evidence are not the review's."""
    blank = dict.fromkeys(("mean", "median", "lower", "upper", "mcse"))
    none = {name: getattr(appraisal, name).isel(sample=slice(0, 0)) for name in (*ARRAYS, "parameters")}
    return replace(
        appraisal,
        results={key: dict(entry) | blank for key, entry in appraisal.results.items()},
        tables={name: table for name, table in appraisal.tables.items() if name in WITHOUT_DRAWS},
        **none,
    )
