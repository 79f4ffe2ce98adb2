"""Sample a built model with nutpie, check the gates, and hand on only draws that passed."""

from __future__ import annotations

from collections.abc import Sequence

import nutpie
import pymc as pm
import xarray as xr

from cba.models.gates import Gates, convergence_table, require_convergence


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
    name: str = "baseline",
) -> xr.DataTree:
    """Sample, check and return a fit; draws that fail a gate never leave this function.

    Parameters
    ----------
    model : pymc.Model
        A built model.
    draws, tune, chains, seed : int
        Draws kept per chain, warm-up steps, chains, seed.
    progress : bool
        Show a progress bar.
    gates : Gates, optional
        Thresholds of :func:`cba.models.gates.convergence_table`.
    keep : sequence of str, optional
        Variables kept in ``posterior`` after the gates were checked on all of them.
    name : str
        Name of the model in messages.

    Returns
    -------
    DataTree
        ``posterior``, ``sample_stats`` and ``convergence`` (one entry per gate).

    Raises
    ------
    GateError
        If a gate failed.
    """
    compiled = nutpie.compile_pymc_model(model)
    tree = nutpie.sample(compiled, draws=draws, tune=tune, chains=chains, seed=seed, progress_bar=progress,
                         save_warmup=False)
    table = convergence_table(tree, gates)
    require_convergence(table, model=name)
    posterior = tree["posterior"].to_dataset()
    result = xr.DataTree.from_dict({
        "posterior": posterior if keep is None else posterior[list(keep)],
        "sample_stats": tree["sample_stats"].to_dataset()[["diverging", "energy", "depth"]],
        "convergence": xr.Dataset.from_dataframe(table.set_index("check").astype({"passed": bool, "found": float, "required": float})),
    })
    return result
