"""From money to service: set-up, delay and ramp, cost of a child; nothing is served that the money does not buy.

Money of a year is spent evenly over it. Its service follows after the delay d and, where the ramp stretches
by w years, evenly over the w years after that. With H(x) the integral of the share spent by time x, the share
of the service that has happened by the end of the k-th year after the money is

R(k) = (H(k + 1 - d) - H(k + 1 - d - w)) / w,     H(x) = 0, x^2/2, x - 1/2 for x < 0, 0 to 1, above 1

so a delay or a stretch by a fraction of a year is exact and no money is gained or lost on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from cba.interventions.records import Ground, Money

SETUP_YEARS = 2
"""First years with money in which part of it pays for set-up."""

HALF_YEAR = 0.5
"""Service is spread over the year, so on average it acts half a year after its money."""

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
    """Share of the service of a year's money that happens in that year and each after it, (sample, lag)."""
    timing = np.empty((delay.size, years))
    _compiled()[0](np.asarray(delay, dtype=float), np.asarray(stretch, dtype=float), timing)
    return timing


def slipped(path: np.ndarray, *, timing: np.ndarray) -> np.ndarray:
    """Move a yearly path (sample, year) later by its timing; nothing is gained on the way."""
    later = np.zeros(path.shape)
    if path.any():
        _compiled()[1](np.ascontiguousarray(path, dtype=float), np.ascontiguousarray(timing), later)
    return later


def service_money(money: np.ndarray, *, setup_share: np.ndarray) -> np.ndarray:
    """Money (sample, year) that pays for service once set-up is paid."""
    funded = money > 0
    order = np.cumsum(funded, axis=1)
    starting = funded & (order <= SETUP_YEARS)
    return money * np.where(starting, 1.0 - setup_share[:, None], 1.0)


def timing_of(ground: Ground, *, after: float = HALF_YEAR) -> np.ndarray:
    """When the service of a year's money happens, (sample, lag); `after` 0 for what acts as it is paid."""
    delay, stretch = ground.value("delivery.start_delay"), ground.value("delivery.ramp_stretch")
    return service_timing(delay + after, stretch=stretch, years=ground.years)


def bought(ground: Ground, money: np.ndarray, *, cost: np.ndarray) -> np.ndarray:
    """What the money of each year pays for once set-up, delay and ramp are taken off, (sample, year)."""
    paid = service_money(money, setup_share=ground.value("delivery.setup_share")) / cost[:, None]
    return slipped(paid, timing=timing_of(ground))


def coverage(
    ground: Ground, money: Money, *, cost: np.ndarray, eligible: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share of England's eligible children who are served, and the money of each year that serves nobody.

    `cost` (sample,) serves one child, above 0; `eligible` (sample,) or (sample, year) are children a year in
    all of England, of whom the areas of the option hold their part.
    """
    there = money.part * (eligible if eligible.ndim == 2 else eligible[:, None])
    served = bought(ground, money.yearly, cost=cost)
    share = money.part * np.minimum(served / there, 1.0)
    return share, np.maximum(served - there, 0.0) * cost[:, None]


def in_place(ground: Ground, money: Money) -> np.ndarray:
    """Share of a structural reform in place, (sample, year): of its programme money, what has acted so far.

    It is 0 throughout where there is no money and 1 once all of it has acted: it stays when the money ends.
    """
    total = money.programme.sum(axis=1, keepdims=True)
    spent = np.cumsum(slipped(money.programme, timing=timing_of(ground)), axis=1)
    return np.divide(spent, total, out=np.zeros_like(spent), where=total > 0)
