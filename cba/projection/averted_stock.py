"""Children fewer in care at each year end, from starts averted in each year: one convolution over years."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., None]:
    """Compile the convolution on first use; numba stays out of the import path."""
    import numba

    @numba.njit(parallel=True, cache=True)
    def convolve(
        averted: np.ndarray,
        kernel: np.ndarray,
        mix: np.ndarray,
        by_age: np.ndarray,
        by_placement: np.ndarray,
    ) -> None:
        samples, years, ages = averted.shape
        placements = mix.shape[2]
        for s in numba.prange(samples):
            for year in range(years):
                for lag in range(year + 1):
                    total = 0.0
                    for end in range(ages):
                        found = 0.0
                        for start in range(ages):
                            found += averted[s, year - lag, start] * kernel[s, lag, start, end]
                        by_age[s, year, end] += found
                        total += found
                    for placement in range(placements):
                        by_placement[s, year, placement] += total * mix[s, lag, placement]

    return convolve


def averted_stock(
    averted: np.ndarray, *, kernel: np.ndarray, mix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Children fewer in care, by age and by placement.

    Parameters
    ----------
    averted : ndarray, shape (sample, year, from age), children
        Starts averted in each year; negative where a service adds starts.
    kernel : ndarray, shape (sample, from age, to age, lag)
        As returned by :func:`cba.projection.stay_length.averted_stock_kernel`; at least as many lags as
        years.
    mix : ndarray, shape (sample, lag, placement)
        Placement mix of children `lag` years after their start; rows sum to 1.

    Returns
    -------
    by_age, by_placement : ndarray, shapes (sample, year, age) and (sample, year, placement)
        Children fewer at each 31 March; both sum to the same total.

    Examples
    --------
    One start averted a year, every stay one year long: one child fewer at each year end.

    >>> averted = np.zeros((1, 3, 5)); averted[..., 2] = 1.0
    >>> kernel = np.zeros((1, 5, 5, 3)); kernel[:, 2, 2, 0] = 1.0
    >>> ages, placements = averted_stock(averted, kernel=kernel, mix=np.full((1, 3, 2), 0.5))
    >>> ages[0, :, 2].tolist(), placements[0, 0].tolist()
    ([1.0, 1.0, 1.0], [0.5, 0.5])
    """
    by_age = np.zeros(averted.shape)
    by_placement = np.zeros((*averted.shape[:2], mix.shape[2]))
    if not averted.any():
        return by_age, by_placement
    _compiled()(
        np.ascontiguousarray(averted, dtype=float),
        np.ascontiguousarray(np.moveaxis(kernel, 3, 1)),
        np.ascontiguousarray(mix),
        by_age,
        by_placement,
    )
    return by_age, by_placement
