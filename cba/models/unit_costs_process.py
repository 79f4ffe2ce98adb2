"""The process of unit costs run ahead of the last published year, for its spread, and back to earlier years."""

from __future__ import annotations

import numpy as np

from cba.models.unit_costs_growth import JointGrowth


def spread_ahead(steps: int, *, lasting: np.ndarray, error: np.ndarray, half_life: np.ndarray) -> np.ndarray:
    """Standard deviation of a cost some years ahead, in units of that of a yearly change.

    Parameters
    ----------
    steps : int
        Years ahead, 1 to `steps`.
    lasting, error : ndarray, shape (sample,)
        Shares of the variance of a change.
    half_life : ndarray, shape (sample,)
        Years.

    Returns
    -------
    ndarray, shape (sample, step)
        Root of ``h (1 - lasting - error) + lasting (1 - r^2) sum_{m=1..h-1} ((1 - r^m) / (1 - r))^2`` with
        r = 2^(-1/H): changes that do not come back, and new growth that lasts, after the first year's, which
        is today's growth.

    Examples
    --------
    Without lasting growth and errors it is a random walk.

    >>> zero = np.zeros(1)
    >>> spread_ahead(4, lasting=zero, error=zero, half_life=zero + 3.0).round(3).tolist()
    [[1.0, 1.414, 1.732, 2.0]]
    """
    kept = (0.5 ** (1.0 / half_life))[:, None]
    carried = ((1.0 - kept ** np.arange(steps)) / (1.0 - kept)) ** 2
    grown = lasting[:, None] * (1.0 - kept**2) * np.cumsum(carried, axis=1)
    return np.sqrt((1.0 - lasting - error)[:, None] * np.arange(1, steps + 1) + grown)


def simulated_past(found: JointGrowth, *, years: int, seed: int | list[int]) -> np.ndarray:
    """Run the process backwards from the last published year: what earlier years would have been published as.

    Parameters
    ----------
    found : JointGrowth
        Draws of growth today, mean growth, level, covariance and shares.
    years : int
        Years back.
    seed : int or list of int
        Seed of changes and errors.

    Returns
    -------
    ndarray, shape (sample, years + 1, cost)
        Log cost relative to the published one of the last year; the last year first, then each year before.

    Notes
    -----
    The process reads the same in both directions: going back, lasting growth returns to its mean at the same
    pace, changes that do not come back have the same covariance, and each published level has its own error.

    Examples
    --------
    >>> from cba.models.unit_costs_growth import joint_growth
    >>> changes = np.full((12, 1), 0.05)
    >>> found = joint_growth(changes, prior_mean=np.array([0.02]), prior_sd=0.1, change_sd=0.01,
    ...                      half_life=np.full(2000, 3.0), seed=0)
    >>> past = simulated_past(found, years=10, seed=1)
    >>> past.shape, round(float(past[:, -1].mean()), 1)
    ((2000, 11, 1), -0.5)
    """
    rng = np.random.default_rng(seed)
    draws, costs = found.mean.shape
    root = np.linalg.cholesky(found.covariance)

    def noise(share: np.ndarray) -> np.ndarray:
        return np.sqrt(share) * (root @ rng.standard_normal((draws, costs, 1)))[..., 0]

    kept = (0.5 ** (1.0 / found.half_life))[:, None]
    lasting, level = found.growth - found.mean, found.level.copy()
    published = [level + noise(found.error / 2.0)]
    for _ in range(years):
        level = level - found.mean - lasting - noise(1.0 - found.lasting - found.error)
        published.append(level + noise(found.error / 2.0))
        lasting = kept * lasting + noise((1.0 - kept**2) * found.lasting)
    return np.stack(published, axis=1)
