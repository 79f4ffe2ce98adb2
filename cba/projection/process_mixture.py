"""Which process each draw of business as usual follows, and the flow rates that follow from it.

Fifteen yearly changes cannot choose between processes for the number in care, so a mixture is carried: in each draw it
follows one of two. *Momentum*: rates stay where the last release put them, but for a share of their last change that is
repeated year after year and dies away, and a random walk. *Pace*: whatever the rates do, growth is brought back to its
long-run pace (:mod:`cba.projection.pace`). Weights up to five years ahead come from scores of past forecasts, later
ones are stated; a draw changes process once at most, because one rank decides in both stretches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from cba.projection.pace import held_to_pace
from cba.projection.rate_paths import rate_paths

SCORED_YEARS = 5
"""Years ahead for which forecasts could be scored; beyond, weights and the fading of the pace are stated."""


def usual_rates(
    fit: xr.DataTree,
    *,
    years: Sequence[int],
    population: xr.DataArray,
    parameters: xr.Dataset,
    seed: int,
) -> xr.Dataset:
    """Draw the flow rates of future years under the mixture of processes.

    Parameters
    ----------
    fit : DataTree
        As returned by :func:`cba.fit_baseline`.
    years : sequence of int
        Consecutive years ending 31 March from the one after the release.
    population : DataArray, dims (year) or (sample, year)
        Children aged 0 to 17.
    parameters : Dataset, dims (sample)
        ``baseline.trend_persistence``, ``long_run_pace``, ``process_rank``, ``pace_weight``,
        ``pace_weight_beyond``, ``pace_fade`` and ``pace_through_starts``.
    seed : int
        Seed of the yearly innovations.

    Returns
    -------
    Dataset, dims (sample, year, age)
        As :func:`cba.projection.rate_paths.rate_paths`.

    Raises
    ------
    InputError
        If the years do not follow on from the release.

    Examples
    --------
    >>> rates = usual_rates(fit, years=years, population=people, parameters=drawn, seed=0)  # doctest: +SKIP
    """
    targets = pace_targets(parameters, years=years)
    momentum = np.where(np.isnan(targets[:, 0]), parameters["baseline.trend_persistence"].values, 0.0)
    rates = rate_paths(fit, years, seed=seed, persistence=momentum)
    through_starts = parameters["baseline.pace_through_starts"].values
    return held_to_pace(fit, rates, population=population, targets=targets, through_starts=through_starts)


def at_pace(parameters: xr.Dataset, *, years_ahead: int) -> np.ndarray:
    """Say which draws are held to the long-run pace so many years after the release.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        ``baseline.process_rank``, ``baseline.pace_weight`` and ``baseline.pace_weight_beyond``.
    years_ahead : int
        1 is the first projected year.

    Returns
    -------
    ndarray of bool, shape (sample,)

    Examples
    --------
    >>> weights = {"baseline.pace_weight": 0.5, "baseline.pace_weight_beyond": 0.33}
    >>> ranks = {"baseline.process_rank": ("sample", [0.1, 0.4, 0.9])}
    >>> drawn = xr.Dataset(ranks | {name: ("sample", [value] * 3) for name, value in weights.items()})
    >>> at_pace(drawn, years_ahead=5).tolist(), at_pace(drawn, years_ahead=6).tolist()
    ([True, True, False], [True, False, False])
    """
    weight = "baseline.pace_weight" if years_ahead <= SCORED_YEARS else "baseline.pace_weight_beyond"
    return parameters["baseline.process_rank"].values < parameters[weight].values


def pace_targets(parameters: xr.Dataset, *, years: Sequence[int]) -> np.ndarray:
    """Growth each draw is held to in each year; NaN where it is not held.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        As for :func:`usual_rates`.
    years : sequence of int
        The projected years, in order.

    Returns
    -------
    ndarray, shape (sample, year), log points a year

    Notes
    -----
    The pace g in the first five years; ``g f^(h - 5)`` in the h-th year after, f being the share that remains.

    Examples
    --------
    >>> given = {"process_rank": 0.0, "pace_weight": 0.5, "pace_weight_beyond": 0.3}
    >>> given |= {"long_run_pace": 0.02, "pace_fade": 0.5}
    >>> drawn = xr.Dataset({f"baseline.{name}": ("sample", [value]) for name, value in given.items()})
    >>> pace_targets(drawn, years=range(2025, 2032)).round(3).tolist()
    [[0.02, 0.02, 0.02, 0.02, 0.02, 0.01, 0.005]]
    """
    pace, fade = parameters["baseline.long_run_pace"].values, parameters["baseline.pace_fade"].values
    columns = []
    for ahead in range(1, len(years) + 1):
        target = pace * fade ** max(0, ahead - SCORED_YEARS)
        columns.append(np.where(at_pace(parameters, years_ahead=ahead), target, np.nan))
    return np.stack(columns, axis=1)
