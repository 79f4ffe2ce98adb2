"""Children who leave relatives' foster care early under allowances, and how many fewer are in care for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., None]:
    """Compile the recursion on first use; numba stays out of the import path."""
    import numba

    @numba.njit(cache=True)
    def recurse(
        rate: np.ndarray, relatives: np.ndarray, kernel: np.ndarray, leavers: np.ndarray, by_age: np.ndarray
    ) -> None:
        samples, years = relatives.shape
        ages = kernel.shape[1]
        for s in range(samples):
            for year in range(years):
                gone = 0.0
                if year > 0:
                    for age in range(ages):
                        gone += by_age[s, year - 1, age]
                leaving = rate[s, year] * (relatives[s, year] - gone)
                leavers[s, year] = leaving
                if leaving != 0.0:
                    for age in range(ages):
                        for lag in range(years - year):
                            by_age[s, year + lag, age] += leaving * kernel[s, age, lag]

    return recurse


def early_leavers(
    rate: np.ndarray, *, relatives: np.ndarray, kernel: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Work out early leavers year by year: who has left cannot leave again.

    Parameters
    ----------
    rate : ndarray, shape (sample, year), share a year
        Yearly rate of leaving early: the allowance's effect times the part of the allowance gap that is paid.
    relatives : ndarray, shape (sample, year), children
        Relatives' foster care under business as usual, at 31 March.
    kernel : ndarray, shape (sample, age, lag)
        Children fewer per early leaver, at least as many lags as years.

    Returns
    -------
    leavers : ndarray, shape (sample, year)
        ``rate(t) (relatives(t) - fewer(t - 1))``.
    by_age : ndarray, shape (sample, year, age)
        Children fewer in care at each 31 March.

    Examples
    --------
    A tenth of 100 children leave each year and none would have left otherwise.

    >>> stays = np.zeros((1, 5, 3)); stays[:, 2] = 1.0
    >>> leavers, by_age = early_leavers(np.full((1, 3), 0.1), relatives=np.full((1, 3), 100.0), kernel=stays)
    >>> leavers.round(2).tolist(), by_age[0, :, 2].round(2).tolist()
    ([[10.0, 9.0, 8.1]], [10.0, 19.0, 27.1])
    """
    leavers = np.zeros(relatives.shape)
    by_age = np.zeros((*relatives.shape, kernel.shape[1]))
    if rate.any():
        _compiled()(
            np.ascontiguousarray(rate, dtype=float),
            np.ascontiguousarray(relatives, dtype=float),
            np.ascontiguousarray(kernel, dtype=float),
            leavers,
            by_age,
        )
    return leavers, by_age
