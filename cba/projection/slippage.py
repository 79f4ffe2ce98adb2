"""When the service that money pays for happens: later than the money by a delay, and spread by a slow ramp.

Money of a year is spent evenly over it. Its service follows after the delay d and, where the ramp stretches by
w years, evenly over the w years after that. With H(x) the integral of the share spent by time x, the share of
the service that has happened by the end of the k-th year after the money is

    R(k) = (H(k + 1 - d) - H(k + 1 - d - w)) / w,     H(x) = 0, x^2/2, x - 1/2 for x < 0, 0 to 1, above 1

so a delay or a stretch by a fraction of a year is exact and no money is gained or lost on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

SHORTEST_STRETCH = 1e-4
"""Below this many years (an hour) a stretch is a mere delay to the middle of it: the quotient has no digits."""


@lru_cache(maxsize=1)
def _compiled() -> tuple[Callable[..., None], Callable[..., None]]:
    """Compile both loops on first use; numba stays out of the import path."""
    import numba

    @numba.njit(cache=True)
    def spent(time: float) -> float:
        if time <= 0.0:
            return 0.0
        return time * time / 2.0 if time < 1.0 else time - 0.5

    @numba.njit(cache=True)
    def shares(delay: np.ndarray, stretch: np.ndarray, timing: np.ndarray) -> None:
        for s in range(timing.shape[0]):
            before = 0.0
            for lag in range(timing.shape[1]):
                end = lag + 1.0 - delay[s]
                if stretch[s] < SHORTEST_STRETCH:
                    done = min(max(end - stretch[s] / 2.0, 0.0), 1.0)
                else:
                    done = (spent(end) - spent(end - stretch[s])) / stretch[s]
                timing[s, lag] = max(done - before, 0.0)  # rounding leaves -1e-17 where nothing happens
                before = done

    @numba.njit(cache=True)
    def move(path: np.ndarray, timing: np.ndarray, later: np.ndarray) -> None:
        for s in range(path.shape[0]):
            for lag in range(path.shape[1]):
                share = timing[s, lag]
                if share > 0.0:
                    for year in range(lag, path.shape[1]):
                        later[s, year] += share * path[s, year - lag]

    return shares, move


def service_timing(delay: np.ndarray, *, stretch: np.ndarray, years: int) -> np.ndarray:
    """Share of the service of a year's money that happens in that year and in each year after it.

    Parameters
    ----------
    delay : ndarray, shape (sample,), years, 0 or more
        Time between money and the first of its service.
    stretch : ndarray, shape (sample,), years, 0 or more
        Time over which service starts up; 0 where all of it follows at once.
    years : int
        Years covered, 1 or more.

    Returns
    -------
    ndarray, shape (sample, lag), in [0, 1]
        Rows sum to 1, less what happens after `years`.

    Examples
    --------
    Half a year late: half in the year, half in the next. Spread over one year more: an eighth comes in year two.

    >>> half, one, none = np.array([0.5]), np.array([1.0]), np.array([0.0])
    >>> service_timing(half, stretch=none, years=3).tolist()
    [[0.5, 0.5, 0.0]]
    >>> service_timing(half, stretch=one, years=3).tolist()
    [[0.125, 0.75, 0.125]]
    """
    timing = np.empty((delay.size, years))
    _compiled()[0](np.asarray(delay, dtype=float), np.asarray(stretch, dtype=float), timing)
    return timing


def slipped(path: np.ndarray, *, timing: np.ndarray) -> np.ndarray:
    """Move a yearly path later by its timing; nothing is gained on the way.

    Parameters
    ----------
    path : ndarray, shape (sample, year)
        Amount per year; zero before the first year.
    timing : ndarray, shape (sample, lag)
        As returned by :func:`service_timing`, at least as many lags as years.

    Returns
    -------
    ndarray, shape (sample, year)
        ``sum over lag of timing(lag) path(year - lag)``; its sum never exceeds that of `path`.

    Examples
    --------
    >>> slipped(np.array([[8.0, 0.0, 0.0]]), timing=np.array([[0.75, 0.25, 0.0]])).tolist()
    [[6.0, 2.0, 0.0]]
    """
    later = np.zeros(path.shape)
    if path.any():
        _compiled()[1](np.ascontiguousarray(path, dtype=float), np.ascontiguousarray(timing), later)
    return later
