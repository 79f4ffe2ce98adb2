"""Does the fitted baseline describe the years it was fitted to? Predictions with each year left out, from one fit.

The density of a whole year's changes is worked out with what is particular to the year (its common factors, its
shocks, its counting noise) integrated out, so that leaving a year out is a matter of weighing draws by one over that
density (Pareto-smoothed; Vehtari, Simpson, Gelman, Yao and Gabry 2024). Counting noise that two successive years share
is counted in each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import log_ndtr, logsumexp, ndtr

from cba.models.flow_rates import FlowRates

MOST_DRAWS = 1000
"""Draws used: enough for probabilities to within 0.02."""

LARGEST_K = 0.7
"""Pareto k beyond which leaving a year out by weights cannot be trusted."""

_FACTOR = np.linspace(-5.0, 5.0, 41)
_STARTS, _EXITS, _ALONE = slice(0, 5), slice(5, 10), slice(10, 15)


@dataclass(frozen=True)
class MovementDraws:
    """Posterior draws of how rates move; every array has shape (draw, ...).

    Attributes
    ----------
    sd : ndarray, shape (draw, 15)
    start_loading, exit_loading : ndarray, shape (draw, 5)
    correlation, shock_probability, persistence, log_long_run, unaccompanied_sd : ndarray, shape (draw,)
    shock_ratio : float
    place : ndarray of int, shape (draw,)
        Which of all draws of the fit, chain after chain, these are.
    """

    sd: np.ndarray
    start_loading: np.ndarray
    exit_loading: np.ndarray
    correlation: np.ndarray
    shock_probability: np.ndarray
    persistence: np.ndarray
    log_long_run: np.ndarray
    unaccompanied_sd: np.ndarray
    shock_ratio: float
    place: np.ndarray


@dataclass(frozen=True)
class YearsLeftOut:
    """Weights that leave one year out.

    Attributes
    ----------
    weights : ndarray, shape (draw, year)
        Each column sums to 1.
    pareto_k : ndarray, shape (year,)
    """

    weights: np.ndarray
    pareto_k: np.ndarray


def movement_draws(fit: xr.DataTree, *, most: int = MOST_DRAWS) -> MovementDraws:
    """Take evenly spaced draws of how rates move from a fit.

    Parameters
    ----------
    fit : DataTree
        As returned by :func:`cba.fit_baseline`.
    most : int
        Draws at most.

    Returns
    -------
    MovementDraws

    Examples
    --------
    >>> movement_draws(fit).sd.shape  # doctest: +SKIP
    (1000, 15)
    """
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    total = posterior.sizes["sample"]
    place = np.arange(total)[:: -(-total // most)]

    def of(name: str) -> np.ndarray:
        return posterior[name].transpose("sample", ...).values[place]

    return MovementDraws(
        sd=of("innovation_sd"),
        start_loading=of("start_common_loading"),
        exit_loading=of("exit_common_loading"),
        correlation=of("common_correlation"),
        shock_probability=of("shock_probability"),
        persistence=of("uasc_persistence"),
        log_long_run=np.log(of("uasc_long_run_starts")),
        unaccompanied_sd=of("uasc_innovation_sd"),
        shock_ratio=float(fit["constant_data"]["shock_ratio"]),
        place=place,
    )


def _noise_variance(rates: FlowRates) -> np.ndarray:
    """Variance of a yearly change by counting noise, (series, change)."""
    return rates.noise[:, 1:] ** 2 + rates.noise[:, :-1] ** 2


def _log_mixture(gap: np.ndarray, sd: np.ndarray, extra: np.ndarray, draws: MovementDraws) -> np.ndarray:
    """Log density of gaps of walks: ordinary years and shocks, each with counting noise; draws come first."""
    chance = draws.shock_probability.reshape(-1, *[1] * (np.ndim(gap) - 1))
    parts = []
    for ratio, share in ((1.0, 1.0 - chance), (draws.shock_ratio, chance)):
        variance = (ratio * sd) ** 2 + extra
        parts.append(np.log(share) - 0.5 * (np.log(2.0 * np.pi * variance) + gap**2 / variance))
    return np.logaddexp(*parts)


def yearly_log_density(draws: MovementDraws, rates: FlowRates) -> np.ndarray:
    """Log density of all changes of each year, what is particular to the year integrated out.

    Parameters
    ----------
    draws : MovementDraws
    rates : FlowRates
        The published changes and their counting noise.

    Returns
    -------
    ndarray, shape (draw, year - 1)

    Notes
    -----
    With A(f) and B(g) the densities of the start and the exit rates at values of their common factors,
    ``integral A(f) B(g) phi(f, g; rho)`` by the trapezium rule on a grid of a quarter of a standard deviation.

    Examples
    --------
    >>> yearly_log_density(draws, rates).shape  # doctest: +SKIP
    (1000, 13)
    """
    changes, noise = np.diff(rates.values, axis=1), _noise_variance(rates)
    blocks = []
    for rows, loading in ((_STARTS, draws.start_loading), (_EXITS, draws.exit_loading)):
        gap = changes[None, rows, :, None] - loading[:, :, None, None] * _FACTOR
        sd = draws.sd[:, rows, None, None]
        blocks.append(_log_mixture(gap, sd, noise[None, rows, :, None], draws).sum(axis=1))
    together = _integrated(blocks[0], blocks[1], draws.correlation)
    alone = changes[None, _ALONE] - np.zeros((len(draws.sd), 1, 1))
    alone_density = _log_mixture(alone, draws.sd[:, _ALONE, None], noise[None, _ALONE], draws).sum(axis=1)
    mean, variance = unaccompanied_moments(draws, rates)
    gap = changes[-1] - mean
    unaccompanied = -0.5 * (np.log(2.0 * np.pi * variance) + gap**2 / variance)
    return together + alone_density + unaccompanied


def _integrated(starts: np.ndarray, exits: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Log of the double integral over both common factors; inputs (draw, year, node)."""
    rho = correlation[:, None, None]
    f, g = _FACTOR[None, :, None], _FACTOR[None, None, :]
    square = (f**2 - 2.0 * rho * f * g + g**2) / (1.0 - rho**2)
    density = np.exp(-0.5 * square) / (2.0 * np.pi * np.sqrt(1.0 - rho**2))
    tops = starts.max(axis=2, keepdims=True), exits.max(axis=2, keepdims=True)
    half = np.exp(starts - tops[0]) @ density
    whole = (half * np.exp(exits - tops[1])).sum(axis=2) * (_FACTOR[1] - _FACTOR[0]) ** 2
    return np.log(whole) + tops[0][..., 0] + tops[1][..., 0]


def unaccompanied_moments(draws: MovementDraws, rates: FlowRates) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each year's change in the log of unaccompanied starts, given the year before.

    Parameters
    ----------
    draws : MovementDraws
    rates : FlowRates

    Returns
    -------
    mean, variance : ndarray, shape (draw, year - 1)

    Examples
    --------
    >>> unaccompanied_moments(draws, rates)[0].shape  # doctest: +SKIP
    (1000, 13)
    """
    pull = (1.0 - draws.persistence)[:, None]
    mean = pull * (draws.log_long_run[:, None] - rates.values[-1, :-1])
    noise = rates.noise[-1, 1:] ** 2 + draws.persistence[:, None] ** 2 * rates.noise[-1, :-1] ** 2
    return mean, draws.unaccompanied_sd[:, None] ** 2 + noise


def left_out(log_density: np.ndarray) -> YearsLeftOut:
    """Weigh draws so that they are draws without one year, or one study.

    Parameters
    ----------
    log_density : ndarray, shape (draw, year)
        Of what is left out, given each draw.

    Returns
    -------
    YearsLeftOut

    Examples
    --------
    What every draw explains equally well moves nothing.

    >>> left_out(np.zeros((400, 2))).weights.sum(axis=0).round(6).tolist()
    [1.0, 1.0]
    """
    from arviz_stats.base import array_stats

    if np.ptp(log_density, axis=0).max(initial=0.0) == 0.0:
        return YearsLeftOut(
            np.full(log_density.shape, 1.0 / len(log_density)), np.zeros(log_density.shape[1])
        )
    # given the log density of what is left out, it weighs by one over it
    log_weights, pareto_k = array_stats.psislw(log_density.T, r_eff=1.0, axis=-1)
    weights = np.exp(log_weights - logsumexp(log_weights, axis=-1, keepdims=True))
    return YearsLeftOut(weights.T, np.asarray(pareto_k))


def change_probabilities(draws: MovementDraws, rates: FlowRates) -> np.ndarray:
    """Probability of a change no larger than the one published, given each draw.

    Parameters
    ----------
    draws : MovementDraws
    rates : FlowRates

    Returns
    -------
    ndarray, shape (draw, series, year - 1)
        Averaged over draws with a year left out, these are the values of the probability integral transform.

    Examples
    --------
    >>> change_probabilities(draws, rates).shape  # doctest: +SKIP
    (1000, 16, 13)
    """
    changes, noise = np.diff(rates.values, axis=1), _noise_variance(rates)
    common = np.concatenate([draws.start_loading, draws.exit_loading, np.zeros((len(draws.sd), 5))], axis=1)
    found = np.empty((len(draws.sd), *changes.shape))
    chance = draws.shock_probability[:, None, None]
    found[:, :-1] = 0.0
    for ratio, share in ((1.0, 1.0 - chance), (draws.shock_ratio, chance)):
        variance = (ratio * draws.sd[..., None]) ** 2 + common[..., None] ** 2 + noise[:-1]
        found[:, :-1] += share * ndtr(changes[:-1] / np.sqrt(variance))
    mean, variance = unaccompanied_moments(draws, rates)
    found[:, -1] = np.exp(log_ndtr((changes[-1] - mean) / np.sqrt(variance)))
    return found


def replicated_changes(draws: MovementDraws, rates: FlowRates, *, seed: int) -> np.ndarray:
    """Draw the changes of every year anew, each from the published rates of the year before.

    Parameters
    ----------
    draws : MovementDraws
    rates : FlowRates
    seed : int

    Returns
    -------
    ndarray, shape (draw, series, year - 1)

    Examples
    --------
    >>> replicated_changes(draws, rates, seed=1).shape  # doctest: +SKIP
    (1000, 16, 13)
    """
    rng = np.random.default_rng([seed, 41])
    count, years = len(draws.sd), rates.values.shape[1] - 1
    factor = rng.standard_normal((count, 2, years))
    rho = draws.correlation[:, None]
    exits = rho * factor[:, 0] + np.sqrt(1.0 - rho**2) * factor[:, 1]
    shock = rng.random((count, 15, years)) < draws.shock_probability[:, None, None]
    steps = np.where(shock, draws.shock_ratio, 1.0) * draws.sd[..., None]
    noise = rates.noise * rng.standard_normal((count, *rates.noise.shape))
    found = np.diff(noise, axis=2)
    found[:, :-1] += steps * rng.standard_normal(steps.shape)
    found[:, _STARTS] += draws.start_loading[..., None] * factor[:, None, 0]
    found[:, _EXITS] += draws.exit_loading[..., None] * exits[:, None]
    pull = (1.0 - draws.persistence)[:, None]
    before = rates.values[-1, :-1] - noise[:, -1, :-1]
    found[:, -1] += pull * (draws.log_long_run[:, None] - before)
    found[:, -1] += draws.unaccompanied_sd[:, None] * rng.standard_normal((count, years))
    return found


def spread_of_total_starts(first: np.ndarray, *, loading: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Standard deviation of an ordinary year's change in the log of total starts.

    Parameters
    ----------
    first : ndarray, shape (age,)
        Log start rates whose shares weigh the age bands.
    loading : ndarray, shape (..., age)
        On the common factor of starts.
    sd : ndarray, shape (..., age)
        Of each band's own yearly change.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> found = spread_of_total_starts(np.zeros(5), loading=np.full(5, 0.03), sd=np.full(5, 0.04 * 5**0.5))
    >>> float(found.round(6))
    0.05
    """
    weight = np.exp(first) / np.exp(first).sum()
    return np.sqrt((loading @ weight) ** 2 + ((sd * weight) ** 2).sum(axis=-1))


def autocorrelations(changes: np.ndarray, *, lags: int = 3) -> np.ndarray:
    """Autocorrelation of innovations about their expected value of 0.

    Parameters
    ----------
    changes : ndarray, shape (..., year)
        Innovations: changes less what the year before lets one expect.
    lags : int

    Returns
    -------
    ndarray, shape (..., lag)
        ``sum e(t) e(t+k) / sum e(t)^2``; a drift shows as a positive one, because nothing is taken off.

    Examples
    --------
    >>> autocorrelations(np.array([1.0, -1.0, 1.0, -1.0]), lags=2).tolist()
    [-0.75, 0.5]
    """
    total = (changes**2).sum(axis=-1)
    each = [(changes[..., lag:] * changes[..., :-lag]).sum(axis=-1) / total for lag in range(1, lags + 1)]
    return np.stack(each, axis=-1)
