"""Fits where only priors moved: kept draws are re-weighted, and fitted again where that does not hold.

A fit under other priors and otherwise the same data, evidence, settings and code stands in the cache under a key that
differs in the priors alone; that is how it is found. What was done is in the attributes of the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cba.inputs.files import reading_from
from cba.models.effects_areas import ELIGIBLE, REACH_ENTRIES, RELATIVE_RISKS, RISK, SHARES, TILTS
from cba.models.parameters import STRAIGHT
from cba.models.sampling import smoothed_weights, systematic
from cba.models.studies import ESTIMANDS
from cba.runs.cache import PRIOR_GROUPS, cached_fit
from cba.runs.fingerprints import content_sha256
from cba.runs.reading import runs_of
from cba.runs.whole_files import StoreError

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis
    from cba.inputs.prior_entries import PriorEntry
    from cba.inputs.priors import PriorRegistry
    from cba.runs.reading import RunRecord


# --- Re-weight the draws of a fit where only priors moved: the ratio of new to old prior density, … ---


LARGEST_K = 0.7
"""Pareto k beyond which weighted draws cannot be trusted."""


LEAST_ESS = 400.0
"""Effective draws below which they are too few."""


_AGREES = 1e-6


_NO_WEIGHT = -700.0
"""Log of a weight that is none in double precision."""


_WALKS: Mapping[str, slice] = {
    "baseline.start_innovation_sd": slice(0, 5),
    "baseline.exit_innovation_sd": slice(5, 10),
    "baseline.ageing_innovation_sd": slice(10, 11),
    "baseline.stay_innovation_sd": slice(13, 14),
    "baseline.closure_innovation_sd": slice(14, 15),
}
"""Places of each standard deviation among those of the walks; the three ageing rates share one."""


_POOLED = ("mean", "raw_mean", "precision_mean", "selection_mean")
"""Every way of pooling has means of its own with the same prior: all are re-weighted, or none."""


VECTORS: Mapping[str, tuple[str, ...]] = {
    "bounded": (ELIGIBLE, RISK),
    "relative_risk": RELATIVE_RISKS,
    "age_tilt": TILTS,
}
"""Entries of reach that are one vector of the model; their densities are stored together."""


_ALONE = (
    "baseline.start_common_loading",
    "baseline.exit_common_loading",
    "baseline.common_correlation",
    "baseline.shock_probability",
    "baseline.uasc_persistence",
    "baseline.uasc_long_run_starts",
    "baseline.uasc_innovation_sd",
    *(entry for entries in VECTORS.values() for entry in entries),
)
"""Entries that are a variable of the posterior under the last part of their name."""


@dataclass(frozen=True)
class Reweighting:
    """What came of re-weighting a fit."""

    # Equally weighted draws under the new priors; None where the model must be fitted again.
    fit: xr.DataTree | None
    moved: tuple[str, ...]  # entries whose numbers moved
    # pareto_k and ess: shape of the tail of the weights (-inf where all are equal), and effective draws; NaN
    # where no weight could be worked out.
    pareto_k: float = np.nan
    ess: float = np.nan
    reason: str = ""  # why the model must be fitted again; empty where it need not be


def reweighted(
    fit: xr.DataTree,
    *,
    old: PriorRegistry,
    new: PriorRegistry,
    entries: tuple[str, ...],
    seed: int,
    least_ess: float = LEAST_ESS,
) -> Reweighting:
    """Turn draws under old priors into draws under new ones, or say why not.

    Entries that no model reads need no weights: the fit is returned as it is. `fit`: made under `old`, with
    ``posterior`` and ``log_prior`` (chain, draw, ...).
    """
    # Effective draws are ``1 / sum w_i^2`` for weights that sum to 1. The old density is also in the fit, by
    # variable: where the two disagree the fit was not made under `old`, and nothing is re-weighted.
    moved = moved_entries(old, new, entries=entries)
    read = tuple(name for name in moved if not _is_straight(name))
    if not read:
        return Reweighting(fit, moved, pareto_k=-np.inf, ess=float(_draws(fit)))
    reason = next((why for name in read if (why := _cannot(name, fit, old=old, new=new))), "")
    if reason:
        return Reweighting(None, moved, reason=reason)
    ratio = np.zeros(_draws(fit))
    variables: dict[str, np.ndarray] = {}
    for name in read:
        parts = log_ratios(fit, name, old=old, new=new)
        ratio += sum(parts.values())
        first = next(iter(parts.values()))  # of the result; alternatives beside it have no stored density
        variables[_stored_as(name)] = variables.get(_stored_as(name), 0.0) + first
    if np.isnan(ratio).any() or not np.isfinite(ratio.max()):
        return Reweighting(None, moved, reason="the draws have no density under the old or the new priors")
    ratio = np.maximum(ratio, ratio.max() + _NO_WEIGHT)  # a draw that is impossible now weighs nothing
    weights, k = smoothed_weights(ratio)
    ess = float(1.0 / np.sum(weights**2))
    if k > LARGEST_K or ess < least_ess:
        why = f"Pareto k {k:.2f} and {ess:.0f} effective draws, where {LARGEST_K} at most and {least_ess:.0f} are asked"
        return Reweighting(None, moved, k, ess, why)
    kept = systematic(weights, seed=seed)
    return Reweighting(_resampled(_with_prior(fit, variables), kept), moved, k, ess)


def moved_entries(old: PriorRegistry, new: PriorRegistry, *, entries: tuple[str, ...]) -> tuple[str, ...]:
    """Return the entries whose numbers differ between two registries, one that only one of them has included.

    A change of words is none.
    """
    return tuple(
        name
        for name in entries
        if (name in old) != (name in new) or (name in old and _numbers(old[name]) != _numbers(new[name]))
    )


def _numbers(entry: PriorEntry) -> tuple:
    fitted = entry.fitted
    shape = (fitted.family, *sorted(fitted.parameters.items()), fitted.lower, fitted.upper)
    return (*shape, entry.price_year, entry.shares_group)


def log_ratios(
    fit: xr.DataTree, entry: str, *, old: PriorRegistry, new: PriorRegistry
) -> dict[str, np.ndarray]:
    """Log of new over old prior density of one entry in every draw, by variable of the posterior.

    Summed over a variable's own dimensions; the variable of the result first.
    """
    found = {}
    for name, values in _held(fit, entry).items():
        with np.errstate(divide="ignore"):
            after, before = (np.log(priors[entry].fitted.pdf(values)) for priors in (new, old))
        found[name] = (after - before).sum(axis=1)
    return found


def _is_straight(entry: str) -> bool:
    """Say whether an entry is in a model's group of names but enters a run straight from its prior."""
    return entry in STRAIGHT or (entry.startswith("family_help.") and entry not in REACH_ENTRIES)


def _stored_as(entry: str) -> str:
    """Name of the log prior of an entry's variable in a fit."""
    if entry in {e.prior for e in ESTIMANDS.values()}:
        return "mean"
    for name, entries in VECTORS.items():
        if entry in entries:
            return name
    return entry.rsplit(".", 1)[-1]


def _held(fit: xr.DataTree, entry: str) -> dict[str, np.ndarray]:
    """Draws of the variables an entry is the prior of, the first dimension the draws."""
    posterior = fit["posterior"].to_dataset().transpose("chain", "draw", ...)
    if entry in _WALKS:
        found = {entry: posterior["innovation_sd"].values[..., _WALKS[entry]]}
    elif entry in _ALONE:
        found = {entry: posterior[entry.rsplit(".", 1)[-1]].values}
    else:
        estimands = [name for name, e in ESTIMANDS.items() if e.prior == entry]
        found = {name: posterior[name].sel(estimand=estimands).values for name in _POOLED}
    return {name: part.reshape(_draws(fit), -1) for name, part in found.items()}


def _cannot(entry: str, fit: xr.DataTree, *, old: PriorRegistry, new: PriorRegistry) -> str:
    """Say why an entry's draws cannot be re-weighted; empty where they can."""
    known = (*_WALKS, *_ALONE, *(e.prior for e in ESTIMANDS.values()))
    if entry not in old or entry not in new:
        return f"{entry} is in one set of priors only"
    if entry not in known or entry in SHARES or "log_prior" not in fit.children:
        return f"{entry} is no variable of the fit on its own"
    one, other = old[entry].fitted, new[entry].fitted
    if one.support != other.support:
        return f"the bounds of {entry} moved"
    try:
        held = _held(fit, entry)
    except KeyError:
        return f"{entry} is no variable of this fit"
    stored = fit["log_prior"].to_dataset()
    if entry.startswith("baseline.") and entry.rsplit(".", 1)[-1] in stored:
        values = next(iter(held.values()))
        with np.errstate(divide="ignore"):
            now = np.log(one.pdf(values)).sum(axis=1)
        if not np.allclose(stored[entry.rsplit(".", 1)[-1]].values.ravel(), now, rtol=_AGREES, atol=_AGREES):
            return f"the fit was not made under the old prior of {entry}"
    return ""


def _draws(fit: xr.DataTree) -> int:
    sizes = fit["posterior"].sizes
    return int(sizes["chain"] * sizes["draw"])


def _with_prior(fit: xr.DataTree, ratios: Mapping[str, np.ndarray]) -> xr.DataTree:
    """Return the fit with the log prior of the new beliefs."""
    stored = fit["log_prior"].to_dataset()
    shape = (fit["posterior"].sizes["chain"], fit["posterior"].sizes["draw"])
    changed = {name: stored[name] + ratio.reshape(shape) for name, ratio in ratios.items() if name in stored}
    nodes = {name: node.to_dataset() for name, node in fit.children.items()}
    return xr.DataTree.from_dict({**nodes, "log_prior": stored.assign(changed)})


def _resampled(fit: xr.DataTree, kept: np.ndarray) -> xr.DataTree:
    """Take the same draws in every group that has draws; the shape of the chains stays."""
    nodes = {}
    for name, node in fit.children.items():
        data = node.to_dataset()
        if {"chain", "draw"} <= set(data.dims):
            shape = (data.sizes["chain"], data.sizes["draw"])
            data = xr.Dataset(
                {
                    str(v): _taken(data[v], kept, shape=shape) if "chain" in data[v].dims else data[v]
                    for v in data.data_vars
                },
                coords={c: data[c] for c in data.coords},
                attrs=data.attrs,
            )
        nodes[name] = data
    return xr.DataTree.from_dict(nodes)


def _taken(array: xr.DataArray, kept: np.ndarray, *, shape: tuple[int, int]) -> xr.DataArray:
    ordered = array.transpose("chain", "draw", ...)
    flat = ordered.values.reshape(shape[0] * shape[1], *ordered.shape[2:])
    return ordered.copy(data=flat[kept].reshape(ordered.shape))


REWEIGHTED, FITTED = "re-weighted", "fitted"
"""How the draws of a fit were made."""


class _NotKept(Exception):
    """The cache holds no such fit."""


def reweighted_fit(
    root: str | Path,
    *,
    model: str,
    key: Mapping[str, Any],
    fit: Callable[[], xr.DataTree],
    earlier: PriorRegistry | None,
    priors: PriorRegistry,
    seed: int,
    redo_prior: Callable[[], xr.Dataset] | None = None,
) -> xr.DataTree:
    """Return the fit kept under a key, else an earlier one re-weighted, else a new one.

    With attributes ``made_by`` (``fitted`` or ``re-weighted``), and ``pareto_k``, ``effective_draws``,
    ``from_fit`` and ``moved`` where it was re-weighted, or ``not_reweighted`` (why) where that was tried.
    """
    # `earlier`: priors of an earlier run, of the same stance; None never re-weights. `redo_prior`: draws of
    # what the fit shows "before any study", under `priors`; a fit with a group ``prior`` is not re-weighted
    # without it.
    kept = _kept(root, model=model, key=key)
    if kept is not None or earlier is None:
        return kept if kept is not None else cached_fit(root, model=model, key=key, fit=fit)
    old_key = {**key, "priors": [e.content() for n, e in earlier.entries.items() if _read_by(model, n)]}
    before = _kept(root, model=model, key=old_key)
    if before is None:
        return cached_fit(root, model=model, key=key, fit=fit)

    entries = tuple(sorted(n for n in {*earlier, *priors} if _read_by(model, n)))
    found = reweighted(before, old=earlier, new=priors, entries=entries, seed=seed)
    stale = "prior" in before.children and found.fit is not before
    if found.fit is None or (stale and redo_prior is None):
        reason = found.reason or "what it shows before any study was not worked out again"
        return cached_fit(root, model=model, key=key, fit=lambda: _noted(fit(), not_reweighted=reason))
    tree = found.fit
    if stale and redo_prior is not None:
        nodes = {name: node.to_dataset() for name, node in tree.children.items()}
        tree = type(tree).from_dict({**nodes, "prior": redo_prior()})
    note = {
        "made_by": REWEIGHTED,
        "pareto_k": found.pareto_k,
        "effective_draws": found.ess,
        "from_fit": content_sha256(old_key)[:16],
        "moved": ", ".join(found.moved) or "nothing but words",
    }
    marked = {**key, "reweighted_from": content_sha256(old_key)}
    return cached_fit(root, model=model, key=marked, fit=lambda: _noted(tree, **note))


def fit_note(tree: xr.DataTree) -> dict[str, Any]:
    """Return how a fit was made, for the manifest. ``made_by`` and what goes with it."""
    names = ("pareto_k", "effective_draws", "from_fit", "moved", "not_reweighted")
    made = {"made_by": str(tree.attrs.get("made_by", FITTED))}
    return made | {n: _plain(tree.attrs[n]) for n in names if n in tree.attrs}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


def _read_by(model: str, entry: str) -> bool:
    return entry.startswith(PRIOR_GROUPS[model])


def _kept(root: str | Path, *, model: str, key: Mapping[str, Any]) -> xr.DataTree | None:
    """Return the fit the cache holds under a key, if it does."""

    def none() -> xr.DataTree:
        raise _NotKept

    try:
        return cached_fit(root, model=model, key=key, fit=none)
    except _NotKept:
        return None


def _noted(tree: xr.DataTree, **note: Any) -> xr.DataTree:
    """Return a fit with notes in its attributes."""
    noted = tree.copy()
    noted.attrs = {**tree.attrs, **note}
    return noted


# --- What re-weighting an earlier run's draws needs beside them: the priors it was made with, and what … ---


def earlier_priors(
    analysis: Analysis, *, root: Path, stance: str, run: bool | RunRecord
) -> PriorRegistry | None:
    """Return the priors an earlier run was made with.

    None where there is no such run or its archive is not whole.
    """
    from cba.inputs.priors import load_priors
    from cba.runs.archive import archived_inputs

    if isinstance(run, bool):
        known = [record for record in runs_of(root, analysis.name) if not record.damage]
        if not known:
            return None
        run = known[-1]
    try:
        folder = archived_inputs(run)
    except StoreError:
        return None
    with reading_from(priors=folder / "priors"):
        return load_priors(stance=stance)


def with_totals(
    baseline: xr.DataTree, observations: xr.Dataset, priors: PriorRegistry, *, settings: Mapping[str, Any]
) -> xr.DataTree:
    """Work out again what the totals add to re-weighted draws: it is a closed form of the new priors.

    The same where the draws were not re-weighted. `settings`: with ``draws`` (a chain), ``chains`` and
    ``seed``.
    """
    if fit_note(baseline)["made_by"] != REWEIGHTED:
        return baseline
    from cba.models.baseline import TOTALS, total_draws

    sizes = {name: settings[name] for name in ("draws", "chains", "seed")}
    found = total_draws(observations, priors, **sizes)
    renewed = baseline.copy()
    renewed["totals"] = type(baseline)(found[list(TOTALS)])
    return renewed
