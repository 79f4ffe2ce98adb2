"""Convergence gates: figures of a fit against the thresholds it must meet before its draws may be used."""

from __future__ import annotations

from dataclasses import dataclass

import arviz_stats  # noqa: F401  (registers the accessors)
import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats import bfmi, ess, rhat

from cba.errors import GateError


@dataclass(frozen=True)
class Gates:
    """Thresholds of convergence.

    Attributes
    ----------
    rhat : float
        Largest rank-normalised R-hat allowed, over every parameter.
    ess : float
        Smallest bulk and tail effective sample size allowed.
    bfmi : float
        Smallest energy fraction of missing information allowed, in every chain.
    divergences : int
        Most divergent transitions allowed.
    """

    rhat: float = 1.01
    ess: float = 400.0
    bfmi: float = 0.3
    divergences: int = 0


def convergence_table(tree: xr.DataTree, gates: Gates | None = None) -> pd.DataFrame:
    """Compare a fit with the gates.

    Parameters
    ----------
    tree : DataTree
        Groups ``posterior`` and ``sample_stats``, dims (chain, draw, ...).
    gates : Gates, optional
        Thresholds; Vehtari et al. (2021), doi 10.1214/20-BA1221, and Betancourt (2016), arXiv 1604.00695.

    Returns
    -------
    DataFrame
        Columns check, found, required, where (the worst parameter), passed; one row per gate.
    """
    gates = gates or Gates()
    posterior = tree["posterior"].to_dataset()
    stats = tree["sample_stats"].to_dataset()
    rows = []
    for check, figures, required, worst in (
        ("R-hat", rhat(posterior), gates.rhat, max),
        ("effective draws, bulk", ess(posterior, method="bulk"), gates.ess, min),
        ("effective draws, tail", ess(posterior, method="tail"), gates.ess, min),
    ):
        by_name = {name: float(figures[name].max() if worst is max else figures[name].min())
                   for name in figures.data_vars}
        where = worst(by_name, key=lambda name: by_name[name])
        found = by_name[where]
        passed = found <= required if worst is max else found >= required
        rows.append((check, found, required, where, bool(passed and np.isfinite(found))))
    energy = float(np.min(np.asarray(bfmi(tree)["energy"] if not isinstance(bfmi(tree), np.ndarray) else bfmi(tree))))
    rows.append(("BFMI", energy, gates.bfmi, "sampler", energy >= gates.bfmi))
    divergent = int(stats["diverging"].sum())
    rows.append(("divergences", divergent, gates.divergences, "sampler", divergent <= gates.divergences))
    return pd.DataFrame(rows, columns=["check", "found", "required", "where", "passed"])


def require_convergence(table: pd.DataFrame, *, model: str) -> None:
    """Raise if any gate failed.

    Parameters
    ----------
    table : DataFrame
        As returned by :func:`convergence_table`.
    model : str
        Name used in the message.

    Raises
    ------
    GateError
        Listing every failed check with the figure found and the figure required.
    """
    failed = table[~table["passed"]]
    if len(failed):
        raise GateError(
            f"the {model} model has not converged: {len(failed)} of {len(table)} checks failed, so no results are given"
            " (raise `tune` and `draws` in the analysis, or look at the named parameter)",
            tuple(f"{row.check}: found {row.found:.4g}, required {row.required:g} ({row.where})"
                  for row in failed.itertuples()),
        )
