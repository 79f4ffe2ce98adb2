"""The number in care from totals alone, under each candidate process: what past forecasts are scored with.

Ages are published for too few years to score forecasts of them over many origins. The account of totals is the age
model with one band: same momentum, same pace, the covariance of its yearly changes estimated on totals.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.models.total_flows import REPEATED

PROCESSES = ("walk", "momentum", "pace", "reverting")
"""Candidates: rates stay; changes are partly repeated; growth returns to its pace; rates return to their mean."""

RETURN_SHARE = 0.2
"""Share of a rate's distance from its mean made good each year by the `reverting` candidate."""


def total_paths(posterior: xr.Dataset, *, process: str, years: int, seed: int) -> xr.Dataset:
    """Roll totals forward under one candidate process.

    Parameters
    ----------
    posterior : Dataset, dims (sample)
        As returned by :func:`cba.models.total_flows.total_flow_posterior`.
    process : str
        One of :data:`PROCESSES`.
    years : int
        Years ahead.
    seed : int
        Same seed, same innovations for every process.

    Returns
    -------
    Dataset, dims (sample, ahead), children
        ``stock``, ``starts``, ``ceases``; ``ahead`` counts years from 1.

    Raises
    ------
    InputError
        If the process is unknown.

    Notes
    -----
    ``N' = N + S - C + r S``, ``C = h (N + S/2)``. Under `pace` the shift c of :mod:`cba.projection.pace` is split
    evenly between starts and exits.

    Examples
    --------
    >>> import cba
    >>> from cba.models.total_flows import total_flow_posterior, total_flows
    >>> known = total_flows(cba.load_observations())
    >>> found = total_flow_posterior(known, cba.load_priors(), draws=500, seed=1)
    >>> paths = total_paths(found, process="walk", years=5, seed=1)
    >>> change = paths["stock"].sel(ahead=2) - paths["stock"].sel(ahead=1)
    >>> bool((change > paths["starts"].sel(ahead=2) - paths["ceases"].sel(ahead=2)).all())  # closure is positive
    True
    """
    if process not in PROCESSES:
        raise InputError(
            "the process of the number in care is unknown",
            field="process",
            found=process,
            allowed=", ".join(PROCESSES),
            cause="a spelling mistake",
            remedy="name one of the candidates",
        )
    draws = posterior.sizes["sample"]
    shocks = np.random.default_rng([seed, 31]).standard_normal((years, draws, 3))
    factor = posterior["change_factor" if process == "momentum" else "walk_factor"].values
    innovations = np.einsum("sij,tsj->tsi", factor, shocks)
    state = _Totals(posterior, process)
    found = {name: np.empty((draws, years)) for name in ("stock", "starts", "ceases")}
    for step in range(years):
        for name, values in zip(found, state.next_year(innovations[step]), strict=True):
            found[name][:, step] = values
    ahead = {"ahead": np.arange(1, years + 1)}
    return xr.Dataset({name: (("sample", "ahead"), values) for name, values in found.items()}, coords=ahead)


class _Totals:
    """Where every draw stands: stock, rates, the last change, the shift laid over the rates and what was applied."""

    def __init__(self, posterior: xr.Dataset, process: str) -> None:
        draws = posterior.sizes["sample"]
        self.process, self.posterior = process, posterior
        self.stock = np.full(draws, float(posterior["last_stock"]))
        self.rates = np.repeat(posterior["last_rates"].values[None], draws, axis=0)
        self.change = np.repeat(posterior["last_change"].values[None], draws, axis=0)
        self.persistence = posterior["trend_persistence"].values[:, None]
        self.pace = posterior["long_run_pace"].values
        self.shift = np.zeros(draws)
        self.applied = self.rates
        exits = 1.0 / (1.0 + np.exp(-self.rates[0, 1]))
        starts = np.exp(self.rates[0, 0]) / self.stock[0]
        self.by_start = starts * (1.0 - exits / 2.0 + np.exp(self.rates[0, 2]))
        self.by_exit = exits * (1.0 - exits) * (1.0 + starts / 2.0)

    def next_year(self, innovation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Move one year on and return stock, starts and ceases."""
        if self.process == "momentum":
            self.change = self.persistence * REPEATED * self.change + innovation
            self.rates = self.rates + self.change
        elif self.process == "reverting":
            mean = self.posterior["mean_rates"].values
            self.rates = self.rates + RETURN_SHARE * (mean - self.rates) + innovation
        else:
            self.rates = self.rates + innovation
        rates = self.rates.copy()
        if self.process == "pace":
            unchanged = np.log(_following(self.stock, self.applied)[0] / self.stock)
            self.shift = self.shift + self.pace - unchanged
            rates[:, 0] += 0.5 * self.shift / self.by_start
            rates[:, 1] -= 0.5 * self.shift / self.by_exit
        self.applied = rates
        self.stock, starts, ceases = _following(self.stock, rates)
        return self.stock, starts, ceases


def _following(stock: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stock at the year's end, starts and ceases, all (sample,)."""
    starts, exits = np.exp(rates[:, 0]), 1.0 / (1.0 + np.exp(-rates[:, 1]))
    ceases = exits * (stock + starts / 2.0)
    return stock + starts - ceases + np.exp(rates[:, 2]) * starts, starts, ceases
