"""Paths of unit costs in real terms: growth that settles at a long-run pace, and what no equation foresees."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.models.unit_costs_process import spread_ahead

LONG_RUN = ("unit_costs.real_earnings_growth", "unit_costs.growth_above_earnings")
"""Parts of the real growth at which unit costs settle."""


def growth_path(first: np.ndarray, *, settled: np.ndarray, half_life: np.ndarray, steps: int) -> np.ndarray:
    """Price index 1 to `steps` years after the base year.

    Parameters
    ----------
    first, settled : ndarray, shape (sample,)
        Real growth now and in the long run, log points a year.
    half_life : ndarray, shape (sample,)
        Years in which the gap between the two halves, above 0.
    steps : int
        Number of years.

    Returns
    -------
    ndarray, shape (sample, step), ratio to the base year
        ``exp(settled t + (first - settled) (1 - 2^(-t/H)) / (1 - 2^(-1/H)))``.

    Examples
    --------
    Growth that has already settled compounds.

    >>> flat = np.array([0.1])
    >>> growth_path(flat, settled=flat, half_life=np.array([3.0]), steps=2).round(4).tolist()
    [[1.1052, 1.2214]]
    """
    decay = 0.5 ** (np.arange(steps)[None, :] / half_life[:, None])
    growth = settled[:, None] + (first - settled)[:, None] * decay
    return np.exp(np.cumsum(growth, axis=1))


def unit_cost_path(
    parameters: xr.Dataset, costs: tuple[str, ...], *, steps: int, settles: bool = True
) -> np.ndarray:
    """Real unit cost 1 to `steps` years ahead, as a ratio to its true level today.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        With ``X_growth`` and ``X_surprise`` of each cost, ``lasting_share`` and ``error_share`` of its set, the
        half-life of growth, the growth of earnings and the long-run growth above it.
    costs : tuple of str
        First parts of the names, for example ``("unit_costs.residential",)``; of several the average growth.
    steps : int
        Number of years.
    settles : bool
        Whether growth settles at that of earnings and what is above it; at none otherwise.

    Returns
    -------
    ndarray, shape (sample, step), above 0
        ``growth path x exp(surprise x spread)``.

    Examples
    --------
    >>> entries = {"a.b_growth": 0.02, "a.b_surprise": 0.0, "a.lasting_share": 0.0, "a.error_share": 0.0,
    ...            "unit_costs.growth_half_life": 3.0, "unit_costs.real_earnings_growth": 0.02,
    ...            "unit_costs.growth_above_earnings": 0.0}
    >>> drawn = xr.Dataset({name: ("sample", [value]) for name, value in entries.items()})
    >>> unit_cost_path(drawn, ("a.b",), steps=2).round(4).tolist()
    [[1.0202, 1.0408]]
    """
    group = costs[0].partition(".")[0]
    half_life = parameters["unit_costs.growth_half_life"].values
    first = np.mean([parameters[f"{cost}_growth"].values for cost in costs], axis=0)
    surprise = np.mean([parameters[f"{cost}_surprise"].values for cost in costs], axis=0)
    settled = (
        np.sum([parameters[name].values for name in LONG_RUN], axis=0) if settles else np.zeros_like(first)
    )
    spread = spread_ahead(
        steps,
        lasting=parameters[f"{group}.lasting_share"].values,
        error=parameters[f"{group}.error_share"].values,
        half_life=half_life,
    )
    path = growth_path(first, settled=settled, half_life=half_life, steps=steps)
    return path * np.exp(surprise[:, None] * spread)
