"""Children met in care: how long they would have stayed, who leaves early, and how a stay of another length runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

RETURN_YEARS = 5.0
"""Years after leaving within which the share who come back has come back, evenly."""


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., None]:
    """Compile the recursion on first use; numba stays out of the import path."""
    import numba

    @numba.njit(cache=True)
    def recurse(
        rate: np.ndarray,
        most: np.ndarray,
        pool: np.ndarray,
        counts: np.ndarray,
        fewer_each: np.ndarray,
        gone_each: np.ndarray,
        leavers: np.ndarray,
        fewer: np.ndarray,
        gone: np.ndarray,
    ) -> None:
        samples, years, groups = rate.shape
        ages = fewer.shape[2]
        there = np.zeros(groups)
        for s in range(samples):
            draw = s if fewer_each.shape[0] > 1 else 0
            for year in range(years):
                total = 0.0
                for g in range(groups):
                    there[g] = pool[s, year, g]
                    if year > 0:
                        for age in range(ages):
                            there[g] -= counts[g, age] * gone[s, year - 1, age]
                    total += there[g]
                served = min(1.0, most[s, year] / total) if total > 0.0 else 0.0
                for g in range(groups):
                    leaving = rate[s, year, g] * there[g] * served
                    leavers[s, year, g] = leaving
                    if leaving != 0.0:
                        for age in range(ages):
                            for lag in range(years - year):
                                fewer[s, year + lag, age] += leaving * fewer_each[draw, g, age, lag]
                                gone[s, year + lag, age] += leaving * gone_each[draw, g, age, lag]

    return recurse


def followed(
    rate: np.ndarray,
    *,
    pool: np.ndarray,
    counts: np.ndarray,
    fewer: np.ndarray,
    gone: np.ndarray,
    most: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Who is taken out of a pool year by year: who was taken before cannot be taken again.

    Returns children taken (sample, year, group) and children fewer (sample, year, age).
    """
    # `rate` and `pool` (sample, year, group) are shares and children; `most` (sample, year) is how many can be taken in
    # all. `counts` (group, age) says which of the children gone before belonged to a group. `fewer` and `gone`
    # (sample or 1, group, age, lag) are the children fewer in care, and no longer in the pool, per child taken.
    limit = np.full(rate.shape[:2], np.inf) if most is None else most
    leavers = np.zeros(rate.shape)
    by_age, away = (np.zeros((*rate.shape[:2], fewer.shape[2])) for _ in range(2))
    if rate.any():
        kernels = np.broadcast_arrays(fewer, gone)
        whole = [np.ascontiguousarray(a, dtype=float) for a in (rate, limit, pool, counts, *kernels)]
        _compiled()(*whole, leavers, by_age, away)
    return leavers, by_age


def leaving_kernel(remaining: np.ndarray, *, returns: np.ndarray | None) -> np.ndarray:
    """Children fewer per child who leaves early, (sample or 1, age met, age then, lag), those who come back taken off.

    `returns` (sample,) is the share who are in care again within five years; None where nobody comes back.
    """
    if returns is None:
        return remaining[None]
    lags = np.arange(remaining.shape[-1])
    kept = 1.0 - returns[:, None] * np.minimum(lags / RETURN_YEARS, 1.0)[None, :]
    return remaining[None] * kept[:, None, None, :]


def of_one_placement(kernel: np.ndarray, *, ages: np.ndarray) -> np.ndarray:
    """A kernel (sample, age met, age then, lag) for children of mixed ages as one group, (sample, 1, age then, lag)."""
    return np.einsum("a,sabl->sbl", ages, kernel)[:, None]


def another_stay(remaining: np.ndarray, under_18: np.ndarray, *, odds: np.ndarray) -> np.ndarray:
    """Share still in care where the yearly odds of leaving are `odds` times as high, over the share as it is.

    `remaining` (lag,) and `under_18` (lag,) are of children met at one age, `odds` (sample,); returns
    (sample, lag). Turning 18 is not left to odds: they act on who leaves before.
    """
    staying = np.divide(remaining, under_18, out=np.zeros_like(remaining), where=under_18 > 0)
    before = np.concatenate([[1.0], staying[:-1]])
    leave = 1.0 - np.divide(staying, before, out=np.ones_like(staying), where=before > 0)
    sooner = odds[:, None] * leave / (1.0 - leave + odds[:, None] * leave)
    return np.cumprod(1.0 - sooner, axis=1) * np.divide(
        1.0, staying, out=np.zeros_like(staying), where=staying > 0
    )


def odds_of_stay(remaining: np.ndarray, under_18: np.ndarray, *, ratio: np.ndarray) -> np.ndarray:
    """Times the yearly odds of leaving that make the expected remaining stay `ratio` (sample,) times as long.

    Bisection on the log of the odds: the expected stay falls as they rise, from the time to the 18th birthday to
    nothing. NaN where no odds reach the ratio.
    """
    expected = remaining.sum()
    low, high = np.full(ratio.shape, -_WIDEST), np.full(ratio.shape, _WIDEST)
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        stay = another_stay(remaining, under_18, odds=np.exp(middle)) @ remaining
        longer = stay > ratio * expected
        low, high = np.where(longer, middle, low), np.where(longer, high, middle)
    found = np.exp((low + high) / 2.0)
    missed = np.abs(another_stay(remaining, under_18, odds=found) @ remaining - ratio * expected)
    found = np.where(missed > _MISSED * expected, np.nan, found)
    return np.where(ratio == 1.0, 1.0, found)  # no effect is exactly none


_WIDEST, _STEPS, _MISSED = 30.0, 80, 1e-9
"""Log odds searched, halvings of them (to 5e-23, below rounding), and the error of the stay that counts as missed."""
