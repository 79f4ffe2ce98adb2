"""A mixture of stances: joint draws of two beliefs in stated shares, so that all later arithmetic stays paired.

A draw of the mixture is a whole draw of one stance, never a blend of two: every parameter of it comes from the
same belief. The shares are exact in every chain up to one draw, and which draws come from where depends on the
seed alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.inputs import Inputs, fitted, joint_draws, read_inputs
from cba.appraisal.record import Appraisal
from cba.appraisal.workings import Workings
from cba.errors import InputError
from cba.inputs.analyses import MIXED, Analysis, Mixture
from cba.inputs.completeness import require_complete

HELD = "mixture.evidence"
"""Parameter of a mixture that says whether a draw is one of the evidence (1) or of the sceptic (0)."""


_STREAM = 7


_DENSITIES = ("log_prior", "log_likelihood", "posterior_predictive")


def from_evidence(weights: Mixture, *, chains: int, draws: int, seed: int) -> np.ndarray:
    """Choose the draws of a mixture that are draws of the evidence.

    Shape (chain, draw). ``round(weight * chains * draws)`` draws in all, in every chain the same number but
    for one.
    """
    wanted = round(weights.evidence * chains * draws)
    upto = [(wanted * chain) // chains for chain in range(chains + 1)]
    rng = np.random.default_rng([seed, _STREAM])
    chosen = np.zeros((chains, draws), dtype=bool)
    for chain, count in enumerate(np.diff(upto)):
        chosen[chain, rng.permutation(draws)[:count]] = True
    return chosen


def mixed_workings(
    beliefs: Mapping[str, Belief], weights: Mixture, *, work: Callable[..., Workings]
) -> Workings:
    """Mix the joint draws of two stances and work out every option on them.

    Stance ``mixture``; its parameters hold `HELD`. `beliefs`: ``evidence`` and ``sceptical``, with the same
    number of chains and draws. `work`: ``work(inputs, drawn, baseline=, effects=)``, `worked_options`.
    """
    evidence, sceptical = (beliefs[stance] for stance in MIXED)
    sizes = evidence.effects["posterior"].sizes
    seed = evidence.inputs.analysis.seed
    chosen = from_evidence(weights, chains=sizes["chain"], draws=sizes["draw"], seed=seed)
    baseline = evidence.baseline
    if sceptical.baseline is not evidence.baseline:
        baseline = mixed_tree(evidence.baseline, sceptical.baseline, chosen)
    workings = work(
        dataclasses.replace(evidence.inputs, stance="mixture"),
        _mixed(evidence.drawn, sceptical.drawn, chosen.ravel(), dims=("sample",)),
        baseline=baseline,
        effects=mixed_tree(evidence.effects, sceptical.effects, chosen),
    )
    about = {
        "description": "Whether the draw is of the stance evidence (1) or sceptical (0)",
        "unit": "indicator",
    }
    parameters = workings.system.parameters.assign({HELD: ("sample", chosen.ravel().astype(float), about)})
    return dataclasses.replace(workings, system=dataclasses.replace(workings.system, parameters=parameters))


def mixed_tree(evidence: xr.DataTree, sceptical: xr.DataTree, chosen: np.ndarray) -> xr.DataTree:
    """Mix two fits of the same model draw by draw. `chosen` (chain, draw)."""
    # Returned: groups with draws mixed, variables that only one fit has or that are labelled differently (one
    # value per study, where the stances admit different studies) left out; checks of both fits, each with its
    # stance; other groups as in the evidence. Log densities belong to one posterior and are left out.
    nodes: dict[str, xr.Dataset] = {}
    for name, node in evidence.children.items():
        held = node.to_dataset()
        if name in _DENSITIES:
            continue
        if name == "convergence":
            other = sceptical["convergence"].to_dataset()
            nodes[name] = xr.concat([_named(held, MIXED[0]), _named(other, MIXED[1])], dim="check")
        elif {"chain", "draw"} <= set(held.dims):
            if name in sceptical.children:
                nodes[name] = _mixed(held, sceptical[name].to_dataset(), chosen, dims=("chain", "draw"))
        else:
            nodes[name] = held
    return xr.DataTree.from_dict(nodes)


def _named(checks: xr.Dataset, stance: str) -> xr.Dataset:
    """Return the checks of a fit with the stance before the place they speak of."""
    return checks.assign(where=checks["where"].copy(data=[f"{stance}: {w}" for w in checks["where"].values]))


def _mixed(
    evidence: xr.Dataset, sceptical: xr.Dataset, chosen: np.ndarray, *, dims: tuple[str, ...]
) -> xr.Dataset:
    """Return the variables both hold under the same labels, each draw from the stance chosen for it."""
    found = {}
    for name, one in evidence.data_vars.items():
        if name not in sceptical or not set(dims) <= set(one.dims):
            continue
        one, other = one.transpose(*dims, ...), sceptical[name].transpose(*dims, ...)
        if one.sizes != other.sizes or not _same_labels(one, other, dims):
            continue
        mask = chosen.reshape(chosen.shape + (1,) * (one.ndim - len(dims)))
        found[name] = one.copy(data=np.where(mask, one.values, other.values))
    return xr.Dataset(found, attrs=evidence.attrs)


def _same_labels(one: xr.DataArray, other: xr.DataArray, dims: tuple[str, ...]) -> bool:
    labels = [d for d in one.dims if d not in dims and d in one.coords]
    return all(d in other.coords and np.array_equal(one[d].values, other[d].values) for d in labels)


def as_mixture(
    appraisal: Appraisal, weights: Mixture, beliefs: Mapping[str, Belief], *, held: np.ndarray
) -> Appraisal:
    """Record in an appraisal of mixed draws what was mixed.

    The provenance says weights, draws and fingerprints of both sets of priors; the table of priors lists the
    entries of the evidence and those the sceptic holds otherwise.
    """
    from cba.tables.beliefs import priors_table

    draws = int(held.sum())
    prints = {stance: belief.inputs.priors.fingerprint() for stance, belief in beliefs.items()}
    record: dict[str, Any] = {
        "weights": weights.model_dump(),
        "draws": {MIXED[0]: draws, MIXED[1]: held.size - draws},
        "fingerprints": prints,
    }
    both = {stance: priors_table(belief.inputs.priors) for stance, belief in beliefs.items()}
    own = both[MIXED[1]][both[MIXED[1]]["stance"] == MIXED[1]]
    tables = dict(appraisal.tables) | {"priors": pd.concat([both[MIXED[0]], own], ignore_index=True)}
    return dataclasses.replace(
        appraisal, tables=tables, provenance=dict(appraisal.provenance) | {"mixture": record}
    )


# --- The stances as beliefs: which exist, and inputs, fits and joint draws of those that can be mixed ---


STANCES = ("evidence", "sceptical", "mixture", "review")
"""Stances an appraisal can be made under."""


@dataclass(frozen=True)
class Belief:
    """One stance to be mixed."""

    inputs: Inputs
    drawn: xr.Dataset  # dims (sample): joint draws of every parameter
    # baseline and effects: the fits they were joined from.
    baseline: xr.DataTree
    effects: xr.DataTree


def fit_of(given: xr.DataTree | Mapping[str, xr.DataTree] | None, *, stance: str) -> xr.DataTree | None:
    """Return the fit of one stance where fits were handed over by stance; one fit serves them all.

    None where it has to be made. `given`, mapping of stance to DataTree, or None.
    """
    if given is None or isinstance(given, xr.DataTree):
        return given
    return given.get(stance)


def same_baseline_priors(one: Inputs, other: Inputs) -> bool:
    """Whether two stances hold the same priors of business as usual, so that one fit serves both."""
    names = [name for name in one.priors if name.startswith("baseline.")]
    return all(one.priors[name].content() == other.priors[name].content() for name in names)


def check_stance(stance: str, *, weights: Mapping[str, float] | None) -> None:
    """Refuse a stance that does not exist, and weights where nothing is mixed."""
    if stance not in STANCES:
        raise InputError(
            "an unknown stance",
            field="stance",
            found=stance,
            allowed=", ".join(STANCES),
            cause="a spelling mistake",
            remedy="use an allowed stance",
        )
    if weights is not None and stance != "mixture":
        raise InputError(
            "weights are given to a stance that mixes nothing",
            field="weights",
            found=f"stance {stance}",
            allowed="weights with stance mixture only",
            cause="the stance left at its default",
            remedy='add stance="mixture", or leave the weights out',
        )


def mixed_beliefs(
    analysis: Analysis,
    *,
    baseline: xr.DataTree | Mapping[str, xr.DataTree] | None,
    effects: xr.DataTree | Mapping[str, xr.DataTree] | None,
    progress: bool,
    observations: xr.Dataset | None,
) -> dict[str, Belief]:
    """Return inputs, fits and joint draws of the stances that can be mixed, on one baseline where they agree.

    ``evidence`` and ``sceptical``. `baseline`, `effects`, mapping of stance to DataTree, or None.
    """
    if isinstance(effects, xr.DataTree):
        raise InputError(
            "one fit of the effects is given for two stances",
            field="effects",
            found="a single fit",
            allowed='{"evidence": fit, "sceptical": fit}',
            cause="a call written for one stance",
            remedy="give a fit by stance, or none",
        )
    beliefs: dict[str, Belief] = {}
    for stance in MIXED:
        inputs = read_inputs(analysis, stance=stance, observations=observations)
        require_complete(inputs.observations)
        observations, usual = inputs.observations, fit_of(baseline, stance=stance)
        first = next(iter(beliefs.values()), None)
        if first is not None and same_baseline_priors(first.inputs, inputs):
            usual = first.baseline
        usual, found = fitted(
            inputs, baseline=usual, effects=fit_of(effects, stance=stance), progress=progress
        )
        beliefs[stance] = Belief(inputs, joint_draws(inputs, baseline=usual, effects=found), usual, found)
    return beliefs
