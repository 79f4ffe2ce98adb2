"""Sample a built model with nutpie, check the gates, and hand on only draws that passed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pymc as pm
import xarray as xr

from cba.models.gates import Gates, convergence_table, require_convergence
from cba.models.log_densities import with_log_densities

SAMPLED_AT_LEAST = 2000
"""Draws sampled per chain before thinning: enough for the gates to judge a chain that mixes slowly."""

SAMPLED_PER_DRAW = 2
"""Sampled draws per draw kept."""


def sample_gated(
    model: pm.Model,
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: bool = False,
    gates: Gates | None = None,
    keep: Sequence[str] | None = None,
    latent: Sequence[str] | None = None,
    name: str = "baseline",
    target_accept: float = 0.8,
) -> xr.DataTree:
    """Sample, check and return a fit; draws that fail a gate never leave this function.

    Parameters
    ----------
    model : pymc.Model
        A built model.
    draws, tune, chains, seed : int
        Draws kept per chain, warm-up steps, chains, seed. More are sampled (at least 2,000 a chain, at least two
        per draw kept), judged by the gates, and then thinned evenly.
    progress : bool
        Show a progress bar.
    gates : Gates, optional
        Thresholds of :func:`cba.models.gates.convergence_table`.
    keep : sequence of str, optional
        Variables kept in ``posterior`` after the gates were checked on all of them.
    latent : sequence of str, optional
        Given, the fit also holds ``log_prior`` and ``log_likelihood`` of every draw, with these free variables left
        out of the prior (:func:`cba.models.log_densities.with_log_densities`).
    name : str
        Name of the model in messages.
    target_accept : float
        Mean acceptance the step size is tuned to, in (0, 1); higher takes smaller steps.

    Returns
    -------
    DataTree
        ``posterior``, ``sample_stats`` and ``convergence`` (one entry per gate); with `latent` the two groups of
        log densities.

    Raises
    ------
    GateError
        If a gate failed.

    Examples
    --------
    >>> with pm.Model() as model:
    ...     level = pm.Normal("level")
    >>> fit = sample_gated(model, draws=500, tune=500, chains=4, seed=1)  # doctest: +SKIP
    >>> fit["posterior"]["level"].sizes  # doctest: +SKIP
    Frozen({'chain': 4, 'draw': 500})
    """
    import nutpie  # seconds to import: only where something is sampled

    compiled = nutpie.compile_pymc_model(model)
    thin = max(SAMPLED_PER_DRAW, -(-SAMPLED_AT_LEAST // draws))
    tree = nutpie.sample(
        compiled,
        draws=thin * draws,
        tune=tune,
        chains=chains,
        seed=seed,
        target_accept=target_accept,
        progress_bar=progress,
        save_warmup=False,
    )
    table = convergence_table(tree, gates)
    require_convergence(table, model=name)
    handed = _handed_on(tree, table.set_index("check"), thin=thin)
    if latent is not None:
        handed = with_log_densities(handed, model, latent=latent)
    if keep is not None:
        handed["posterior"] = xr.DataTree(handed["posterior"].to_dataset()[list(keep)])
    return handed


def _handed_on(tree: xr.DataTree, table: pd.DataFrame, *, thin: int) -> xr.DataTree:
    """Every `thin`-th draw, with the figures the gates found on all draws."""
    thinned = {"draw": slice(None, None, thin)}
    posterior = tree["posterior"].to_dataset().isel(thinned).drop_vars("draw")
    stats = tree["sample_stats"].to_dataset()[["diverging", "energy", "depth"]]
    checks = table.astype({"passed": bool, "found": float, "required": float})
    return xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "sample_stats": stats.isel(thinned).drop_vars("draw"),
            "convergence": xr.Dataset.from_dataframe(checks),
        }
    )
