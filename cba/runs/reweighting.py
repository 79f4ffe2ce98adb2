"""Fits where only priors moved: kept draws are re-weighted, and fitted again where that does not hold.

A fit under other priors and otherwise the same data, evidence, settings and code stands in the cache under a key that
differs in the priors alone; that is how it is found. What was done is in the attributes of the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cba.runs.fingerprints import content_sha256
from cba.runs.fit_cache import PRIOR_GROUPS, cached_fit

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from cba.inputs.prior_registry import PriorRegistry

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

    Parameters
    ----------
    root : str or Path
        Folder of the reports; the cache is its ``.cache``.
    model : {"baseline", "effects"}
    key : mapping
        As :func:`cba.runs.fit_cache.fit_key` returns it for `priors`.
    fit : callable
        Fits again.
    earlier : PriorRegistry or None
        Priors of an earlier run, of the same stance; None never re-weights.
    priors : PriorRegistry
        Priors now.
    seed : int
        Of the analysis.
    redo_prior : callable, optional
        Draws of what the fit shows "before any study", under `priors`; a fit with a group ``prior`` is not
        re-weighted without it.

    Returns
    -------
    DataTree
        With attributes ``made_by`` (``fitted`` or ``re-weighted``), and ``pareto_k``, ``effective_draws``,
        ``from_fit`` and ``moved`` where it was re-weighted, or ``not_reweighted`` (why) where that was tried.

    Examples
    --------
    >>> reweighted_fit(root, model="baseline", key=key, fit=fit, earlier=None, priors=priors, seed=1)  # doctest: +SKIP
    """
    kept = _kept(root, model=model, key=key)
    if kept is not None or earlier is None:
        return kept if kept is not None else cached_fit(root, model=model, key=key, fit=fit)
    old_key = {**key, "priors": [e.content() for n, e in earlier.entries.items() if _read_by(model, n)]}
    before = _kept(root, model=model, key=old_key)
    if before is None:
        return cached_fit(root, model=model, key=key, fit=fit)
    from cba.models.reweighting import reweighted

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
    """Return how a fit was made, for the manifest.

    Parameters
    ----------
    tree : DataTree
        As :func:`reweighted_fit` returns it, or any fit.

    Returns
    -------
    dict
        ``made_by`` and what goes with it.

    Examples
    --------
    >>> import xarray as xr
    >>> fit_note(xr.DataTree())
    {'made_by': 'fitted'}
    """
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
