"""Importance weights of draws: smoothed by a Pareto tail [1]_, and resampled systematically to equally weighted draws.

References
----------
.. [1] Vehtari, Simpson, Gelman, Yao & Gabry (2024) *JMLR* 25(72), Pareto smoothed importance sampling.
"""

from __future__ import annotations

import numpy as np

_STREAM = 21


def smoothed_weights(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Importance weights with their largest values smoothed by a Pareto tail, and the shape of that tail.

    Parameters
    ----------
    log_weights : ndarray, shape (sample,)
        Up to a constant.

    Returns
    -------
    weights : ndarray, shape (sample,)
        Sum to 1.
    k : float
        -inf where all are equal.

    Examples
    --------
    >>> weights, k = smoothed_weights(np.zeros(100))
    >>> bool(np.allclose(weights, 0.01)), k
    (True, -inf)
    """
    from arviz_stats.base import array_stats

    if np.ptp(log_weights) == 0:
        return np.full(log_weights.size, 1.0 / log_weights.size), -np.inf
    smooth, k = array_stats.psislw(-(log_weights - log_weights.max()))
    weights = np.exp(smooth - smooth.max())
    return weights / weights.sum(), float(k)


def systematic(weights: np.ndarray, *, seed: int) -> np.ndarray:
    """Places of equally weighted draws that stand for weighted ones.

    Parameters
    ----------
    weights : ndarray, shape (sample,)
        Sum to 1.
    seed : int
        Of the one uniform number that is drawn.

    Returns
    -------
    ndarray of int, shape (sample,)
        In order; draw i comes ``n w_i`` times, rounded up or down.

    Examples
    --------
    >>> systematic(np.array([0.5, 0.0, 0.25, 0.25]), seed=0).tolist()
    [0, 0, 2, 3]
    """
    count = weights.size
    start = np.random.default_rng([seed, _STREAM]).random()
    edges = np.cumsum(weights)
    places = np.searchsorted(edges / edges[-1], (np.arange(count) + start) / count, side="right")
    return np.minimum(places, count - 1)
