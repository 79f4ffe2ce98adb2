"""Children fewer in care at each year end, from starts averted in each year: one convolution over years."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.errors import InputError


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
        # Ages and placements are written out so that running sums stay in registers: three times as fast.
        for s in numba.prange(averted.shape[0]):
            for year in range(averted.shape[1]):
                age_0 = age_1 = age_2 = age_3 = age_4 = 0.0
                at_0 = at_1 = at_2 = at_3 = at_4 = at_5 = at_6 = at_7 = 0.0
                for lag in range(year + 1):
                    a, k, m = averted[s, year - lag], kernel[s, lag], mix[s, lag]
                    n_0 = a[0] * k[0, 0] + a[1] * k[1, 0] + a[2] * k[2, 0] + a[3] * k[3, 0] + a[4] * k[4, 0]
                    n_1 = a[0] * k[0, 1] + a[1] * k[1, 1] + a[2] * k[2, 1] + a[3] * k[3, 1] + a[4] * k[4, 1]
                    n_2 = a[0] * k[0, 2] + a[1] * k[1, 2] + a[2] * k[2, 2] + a[3] * k[3, 2] + a[4] * k[4, 2]
                    n_3 = a[0] * k[0, 3] + a[1] * k[1, 3] + a[2] * k[2, 3] + a[3] * k[3, 3] + a[4] * k[4, 3]
                    n_4 = a[0] * k[0, 4] + a[1] * k[1, 4] + a[2] * k[2, 4] + a[3] * k[3, 4] + a[4] * k[4, 4]
                    age_0 += n_0
                    age_1 += n_1
                    age_2 += n_2
                    age_3 += n_3
                    age_4 += n_4
                    n = n_0 + n_1 + n_2 + n_3 + n_4
                    at_0 += n * m[0]
                    at_1 += n * m[1]
                    at_2 += n * m[2]
                    at_3 += n * m[3]
                    at_4 += n * m[4]
                    at_5 += n * m[5]
                    at_6 += n * m[6]
                    at_7 += n * m[7]
                ages, places = by_age[s, year], by_placement[s, year]
                ages[0], ages[1], ages[2], ages[3], ages[4] = age_0, age_1, age_2, age_3, age_4
                places[0], places[1], places[2], places[3] = at_0, at_1, at_2, at_3
                places[4], places[5], places[6], places[7] = at_4, at_5, at_6, at_7

    return convolve


def averted_stock(
    averted: np.ndarray, *, kernel: np.ndarray, mix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Children fewer in care, by age and by placement.

    Parameters
    ----------
    averted : ndarray, shape (sample, year, from age), children
        Starts averted in each year; negative where a service adds starts. Five ages, as in
        :data:`cba.dimensions.AGE_BANDS`.
    kernel : ndarray, shape (sample, from age, to age, lag)
        As returned by :func:`cba.projection.stay_length.averted_stock_kernel`; at least as many lags as
        years.
    mix : ndarray, shape (sample, lag, placement)
        Placement mix of children `lag` years after their start; rows sum to 1. Eight placements, as in
        :data:`cba.dimensions.PLACEMENTS`.

    Returns
    -------
    by_age, by_placement : ndarray, shapes (sample, year, age) and (sample, year, placement)
        Children fewer at each 31 March; both sum to the same total.

    Raises
    ------
    InputError
        Other numbers of ages or placements: they are written out in the compiled loop.

    Examples
    --------
    One start averted a year, every stay one year long: one child fewer at each year end.

    >>> averted = np.zeros((1, 3, 5)); averted[..., 2] = 1.0
    >>> kernel = np.zeros((1, 5, 5, 3)); kernel[:, 2, 2, 0] = 1.0
    >>> ages, placements = averted_stock(averted, kernel=kernel, mix=np.full((1, 3, 8), 0.125))
    >>> ages[0, :, 2].tolist(), placements[0, 0, :2].tolist()
    ([1.0, 1.0, 1.0], [0.125, 0.125])
    """
    sizes = (averted.shape[2], mix.shape[2])
    if sizes != (len(AGE_BANDS), len(PLACEMENTS)):
        raise InputError(
            "starts averted do not have the ages and placements of the package",
            field="averted, mix",
            found=f"{sizes[0]} ages, {sizes[1]} placements",
            allowed=f"{len(AGE_BANDS)} ages, {len(PLACEMENTS)} placements",
            cause="axes in another order",
            remedy="give arrays as (sample, year, age) and (sample, lag, placement)",
        )
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
