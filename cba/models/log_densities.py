"""Log prior and log likelihood of every draw of a fit, for asking how much each of them moves a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pytensor.compile.mode import Mode
from pytensor.graph.replace import graph_replace, vectorize_graph

PRIOR, LIKELIHOOD = "log_prior", "log_likelihood"
"""Names of the two groups of a fit, as ArviZ expects them."""


def with_log_densities(
    tree: xr.DataTree,
    model: pm.Model,
    *,
    latent: Sequence[str] = (),
    aside: Sequence[str] = (),
    only: Mapping[str, Callable[[str], bool]] | None = None,
) -> xr.DataTree:
    """Add to a fit the log density of its draws: of each prior, and of each observed variable.

    Parameters
    ----------
    tree : DataTree
        Its ``posterior`` (chain, draw, ...) holds every free variable of the model, untransformed.
    model : pymc.Model
        The model it was sampled from.
    latent : sequence of str
        Free variables that are part of the model and not prior beliefs (study effects, common factors, noise of
        counts): left out of the prior.
    aside : sequence of str
        Observed variables of alternatives shown beside the result, and the free variables that belong to them:
        left out of both.
    only : mapping of dimension to predicate, optional
        Where variables hold alternatives side by side: the labels of a dimension that belong to the result.

    Returns
    -------
    DataTree
        A new tree with groups ``log_prior`` and ``log_likelihood``, one variable each, dims (chain, draw), summed
        over everything but the draws.

    Notes
    -----
    All draws are evaluated at once, without compiling: the graph of the model is vectorised over the draws and
    run by NumPy.

    Examples
    --------
    >>> with pm.Model() as model:
    ...     level = pm.Normal("level")
    ...     seen = pm.Normal("seen", level, observed=1.0)
    >>> posterior = xr.Dataset({"level": (("chain", "draw"), [[0.0, 1.0]])})
    >>> dense = with_log_densities(xr.DataTree.from_dict({"posterior": posterior}), model)
    >>> dense["log_likelihood"]["seen"].values.round(3).tolist()
    [[-1.419, -0.919]]
    """
    posterior = tree["posterior"].to_dataset()
    left_out = {*latent, *aside}
    priors = [rv for rv in model.free_RVs if rv.name not in left_out]
    observed = [rv for rv in model.observed_RVs if rv.name not in left_out]
    found = _log_densities(model, [*priors, *observed], posterior, only=only or {})
    nodes = {name: node.to_dataset() for name, node in tree.children.items()}
    for group, variables in ((PRIOR, priors), (LIKELIHOOD, observed)):
        nodes[group] = xr.Dataset({rv.name: found[rv.name] for rv in variables})
    return xr.DataTree.from_dict(nodes)


def _log_densities(
    model: pm.Model,
    variables: list,
    posterior: xr.Dataset,
    *,
    only: Mapping[str, Callable[[str], bool]],
) -> dict[str, xr.DataArray]:
    """Log density of each variable in every draw, summed over its own dimensions, dims (chain, draw)."""
    if not variables:
        return {}
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    given: list[np.ndarray] = []
    batched: dict[Any, Any] = {}
    values: dict[Any, Any] = {}
    for rv in model.free_RVs:
        held = posterior[rv.name].transpose("chain", "draw", ...).values
        given.append(held.reshape(chains * draws, *held.shape[2:]).astype(rv.type.dtype, copy=False))
        one = pt.tensor(rv.name, dtype=rv.type.dtype, shape=rv.type.shape)
        batched[one] = pt.tensor(rv.name, dtype=rv.type.dtype, shape=(None, *rv.type.shape))
        transform = model.rvs_to_transforms[rv]
        values[model.rvs_to_values[rv]] = (
            one if transform is None else transform.forward(one, *rv.owner.inputs)
        )
    # Densities of the priors as stated: without the Jacobian of the transform the sampler works in.
    logs = graph_replace(model.logp(vars=variables, jacobian=False, sum=False), values, strict=False)
    run = pytensor.function(
        list(batched.values()),
        vectorize_graph(logs, replace=batched),
        mode=Mode(linker="py", optimizer="fast_compile"),
        on_unused_input="ignore",
    )
    found = {}
    for rv, log in zip(variables, run(*given), strict=True):
        kept = _of_result(model, rv.name, np.asarray(log), only=only)
        total = kept.reshape(chains * draws, -1).sum(axis=1)
        found[rv.name] = xr.DataArray(total.reshape(chains, draws), dims=("chain", "draw"))
    return found


def _of_result(
    model: pm.Model, name: str, log: np.ndarray, *, only: Mapping[str, Callable[[str], bool]]
) -> np.ndarray:
    """Return the elements of a variable whose labels belong to the result; all where nothing is said of them."""
    for axis, dim in enumerate(model.named_vars_to_dims.get(name, ()), start=1):
        if dim in only and log.ndim > axis:
            wanted = [place for place, label in enumerate(model.coords[dim]) if only[dim](str(label))]
            log = log.take(wanted, axis=axis)
    return log
