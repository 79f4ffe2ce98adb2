"""The review's claims: how likely the evidence makes them, and what the draws that meet them look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.appraisal.attribution import component_account
from cba.appraisal.conditioning import kept_workings
from cba.appraisal.headline import FEWER_CHILDREN
from cba.appraisal.need_to_believe import nearest_beliefs, need_to_believe
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

CLAIM_COLUMNS = ("claim", "target", "probability", "mcse", "draws", "of", "highest", "upper_95", "words")
"""What is said of each claim."""

WITHOUT_DRAWS = (
    "history",
    "what_it_would_take",
    "evidence",
    "priors",
    "convergence",
    "reconciliation",
    "unmonetised",
    "prior_predictive",
    "prior_claims",
    "prior_alternatives",
)
"""Tables that hold no result of an option, and so are given even where too few draws meet the claims."""


def claims_reached(workings: Workings) -> dict[str, np.ndarray]:
    """Fewer children in care in the target year under ``care_review``, as far as each claim speaks of them.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    dict of str to ndarray, shape (sample,), children
        ``family_help`` (from family help alone) and ``in_all``; empty where the analysis has no ``care_review``.

    Examples
    --------
    >>> claims_reached(workings)["in_all"].mean()  # doctest: +SKIP
    """
    if "care_review" not in workings.accounts:
        return {}
    year = workings.years.index(workings.inputs.analysis.target_year)
    accounts = {
        "family_help": component_account(workings, "care_review", ("family_help",)),
        "in_all": workings.accounts["care_review"],
    }
    return {name: a.children.fewer_by_age[:, year].sum(axis=-1) for name, a in accounts.items()}


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
    return _met(claims_reached(workings), draws=workings.system.reach.size)


def _met(reached: Mapping[str, np.ndarray], *, draws: int) -> np.ndarray:
    if not reached:
        return np.zeros(draws, dtype=bool)
    return (reached["family_help"] >= FROM_FAMILY_HELP) & (reached["in_all"] >= IN_ALL)


def claims_found(workings: Workings) -> dict[str, Any]:
    """Return how likely the evidence makes the review's claims: together, and each of them alone.

    Parameters
    ----------
    workings : Workings
        Under ``evidence``.

    Returns
    -------
    dict
        As :func:`claims_record`, and ``each``: one :func:`claim_chance` per claim.

    Examples
    --------
    >>> claims_found(workings)["each"][0]["words"]  # doctest: +SKIP
    """
    reached = claims_reached(workings)
    each = [
        {
            "claim": words,
            "target": target,
            **claim_chance(reached[name], target=target, chains=workings.chains),
        }
        for name, words, target in (
            ("family_help", "fewer children in care because of family help, at least", FROM_FAMILY_HELP),
            ("in_all", "fewer children in care in all under care_review, at least", IN_ALL),
        )
        if name in reached
    ]
    met = _met(reached, draws=workings.system.reach.size)
    return claims_record(met, chains=workings.chains) | {"each": each}


def claim_chance(reached: np.ndarray, *, target: float, chains: int | None) -> dict[str, Any]:
    """Return the probability that a claim is met, or the most it can be where no draw meets it.

    Parameters
    ----------
    reached : ndarray, shape (sample,)
        What the claim speaks of, in every draw.
    target : float
        What it asks for at least.
    chains : int or None
        Chains of the draws.

    Returns
    -------
    dict
        probability, mcse, draws (that meet it), of (draws in all), highest (largest draw), upper_95 (None where a
        draw meets it) and words.

    Notes
    -----
    Where none of n draws meets the claim, probabilities above ``1 - 0.05 ** (1 / n)``, about 3 / n, would have
    shown at least one with 95% confidence (the rule of three, exactly). n is the effective number of draws.

    Examples
    --------
    >>> claim_chance(np.arange(1000.0), target=17_000, chains=None)["words"]
    'beyond what this model supports: no draw of 1,000 reaches it (the highest is 999); at most 0.3% at 95% confidence'
    """
    met = reached >= target
    count, size = int(met.sum()), met.size
    found = {
        "probability": float(met.mean()),
        "mcse": mcse_probability(met, chains=chains),
        "draws": count,
        "of": size,
        "highest": float(reached.max()),
        "upper_95": None,
    }
    if count:
        return found | {"words": f"{count:,} of {size:,} draws reach it"}
    independent = min(effective_sample_size(reached, chains=chains), size)
    upper = 1.0 - 0.05 ** (1.0 / independent)
    return found | {
        "upper_95": upper,
        "words": f"beyond what this model supports: no draw of {size:,} reaches it (the highest is "
        f"{found['highest']:,.0f}); at most {100 * upper:.1g}% at 95% confidence",
    }


def claims_record(met: np.ndarray, *, chains: int | None) -> dict[str, Any]:
    """Return how likely the review's claims are together, and whether enough draws meet them.

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
    empty = _emptied(evidence)
    return replace(
        empty,
        stance="review",
        tables=dict(empty.tables) | nearest_beliefs(evidence, count=ENOUGH),
        provenance=rest | {"stance": "review", "review": dict(record)},
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
    reached, record = claims_reached(workings), claims_found(workings)
    met = _met(reached, draws=workings.system.reach.size)
    if record["effective_draws"] < ENOUGH:
        none = review_without_draws(assemble(workings))
        if none is not None:
            return none
    cut = kept_workings(workings, met)
    kept = assemble(replace(cut, inputs=replace(cut.inputs, stance="review")))
    needed = need_to_believe(
        workings.system.parameters,
        reached["in_all"],
        chosen=met,
        level=workings.inputs.analysis.level,
    )
    return replace(
        kept,
        stance="review",
        tables=dict(kept.tables) | {"need_to_believe": needed},
        provenance=dict(kept.provenance) | {"review": record},
    )


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
