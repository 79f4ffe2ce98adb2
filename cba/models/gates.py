"""Convergence gates: figures of a fit against the thresholds it must meet before its draws may be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

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

    Examples
    --------
    >>> Gates().rhat, Gates(ess=100.0).ess
    (1.01, 100.0)
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
        Columns check, found, required, where (the worst parameter), passed; one row per gate. A figure that
        cannot be computed, as where a chain never moved, is the worst there is: NaN, and not passed.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> dims = ("chain", "draw")
    >>> stats = {"energy": (dims, rng.standard_normal((4, 500)))}
    >>> stats["diverging"] = (dims, np.zeros((4, 500), bool))
    >>> posterior = xr.Dataset({"level": (dims, rng.standard_normal((4, 500)))})
    >>> fit = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": xr.Dataset(stats)})
    >>> bool(convergence_table(fit)["passed"].all())
    True
    """
    from arviz_stats import bfmi, ess, rhat  # slow to import, and needed only where something was sampled

    gates = gates or Gates()
    posterior = tree["posterior"].to_dataset()
    rows = []
    for check, figures, required, largest in (
        ("R-hat", rhat(posterior), gates.rhat, True),
        ("effective draws, bulk", ess(posterior, method="bulk"), gates.ess, False),
        ("effective draws, tail", ess(posterior, method="tail"), gates.ess, False),
    ):
        where, found = _worst(figures, largest=largest)
        rows.append((check, found, required, where, found <= required if largest else found >= required))
    energy = float(np.min(np.asarray(bfmi(tree)["energy"])))
    rows.append(("BFMI", energy, gates.bfmi, "sampler", energy >= gates.bfmi))
    divergent = int(tree["sample_stats"]["diverging"].sum())
    rows.append(("divergences", divergent, gates.divergences, "sampler", divergent <= gates.divergences))
    return pd.DataFrame(rows, columns=["check", "found", "required", "where", "passed"])


def _worst(figures: xr.Dataset, *, largest: bool) -> tuple[str, float]:
    """Name and figure of the worst parameter; NaN, which no comparison would notice, is worst of all."""
    by_name = {}
    for name, values in figures.data_vars.items():
        # max and min skip NaN unless told not to, and one bad element must not hide behind the others.
        by_name[str(name)] = float(values.max(skipna=False) if largest else values.min(skipna=False))
    for name, figure in by_name.items():
        if np.isnan(figure):
            return name, figure
    where = (max if largest else min)(by_name, key=by_name.__getitem__)
    return where, by_name[where]


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

    Examples
    --------
    >>> row = ("R-hat", 1.2, 1.01, "level", False)
    >>> table = pd.DataFrame([row], columns=["check", "found", "required", "where", "passed"])
    >>> require_convergence(table, model="baseline")
    Traceback (most recent call last):
    ...
    cba.errors.GateError: the baseline model has not converged: 1 of 1 checks failed...
    """
    failed = table[~table["passed"].astype(bool)]
    if len(failed):
        raise GateError(
            f"the {model} model has not converged: {len(failed)} of {len(table)} checks failed, so no "
            "results are given (raise `tune` and `draws` in the analysis, or look at the named parameter)",
            tuple(
                f"{row.check}: found {row.found:.4g}, required {row.required:g} ({row.where})"
                for row in failed.itertuples()
            ),
        )
