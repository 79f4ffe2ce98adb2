"""The loop over years of a first guess at reinvested money, compiled; imported where it is called, for numba is slow.

The two functions stand at the top of the module, so that the compiled code is kept between processes.
"""

from __future__ import annotations

import numba
import numpy as np

from cba.costs.savings import LATER
from cba.dimensions import PLACEMENTS
from cba.projection.care_system import RETURN_YEARS
from cba.projection.coverage import SETUP_YEARS

_HOME = PLACEMENTS.index("childrens_home")
_WAITS = np.array(RETURN_YEARS)


@numba.njit(cache=True)
def _placement_cash(
    t: int,
    fewer: np.ndarray,
    others: np.ndarray,
    worth: np.ndarray,
    avoided: np.ndarray,
    rules: tuple[float, float, float],
) -> float:
    """Return what year `t` cashes of fewer children in placements; `avoided` is filled for that year."""
    at_once, later, nhs = rules
    cashed = 0.0
    for p in range(fewer.shape[1]):
        children = fewer[t, p] + others[t, p]
        if t > 0:
            children += fewer[t - 1, p] + others[t - 1, p]
        avoided[t, p] = children / 2.0 * worth[t, p]
        cash = min(avoided[t, p], 0.0) + at_once * max(avoided[t, p], 0.0)
        if t >= LATER:
            cash += later * max(avoided[t - LATER, p], 0.0)
        cashed += cash * (1.0 - nhs) if p == _HOME else cash
    return cashed


@numba.njit(parallel=True, cache=True)
def sweep(
    cap: np.ndarray,
    programme: np.ndarray,
    timing: np.ndarray,
    none_served: np.ndarray,
    all_served: np.ndarray,
    stays: np.ndarray,
    mix: np.ndarray,
    others: np.ndarray,
    worth: np.ndarray,
    fixed: np.ndarray,
    draw: np.ndarray,
    money: np.ndarray,
) -> None:
    """Fill `money` with what is reinvested, one sweep forward in time.

    Parameters
    ----------
    cap, programme, fixed : ndarray, shape (sample, year), GBP of the price base
        Most that is reinvested, programme money, support of special guardians.
    timing : ndarray, shape (sample, lag)
        Share of a year's money that acts so many years later.
    none_served, all_served : ndarray, shape (sample, year, age), children
        Starts averted if nobody and if everybody eligible were served.
    stays : ndarray, shape (sample, lag, age)
        Children away so many years after an averted start.
    mix : ndarray, shape (sample, lag, placement)
    others : ndarray, shape (sample, year, placement), children
        Fewer or moved for other reasons than family help.
    worth : ndarray, shape (sample, year, placement), GBP
        Avoidable cost of a child-year.
    draw : ndarray, shape (sample, 10)
        Numbers of one value per draw, in the order they are unpacked.
    money : ndarray, shape (sample, year), GBP
        Filled here.

    Examples
    --------
    >>> sweep(*arrays, money)  # doctest: +SKIP
    """
    years, places = money.shape[1], mix.shape[2]
    for s in numba.prange(money.shape[0]):
        share, setup, full_cost, part, at_once, later, nhs, case, deferred, support = draw[s]
        acting, home, averted = np.zeros(years), np.zeros(years), np.zeros(years)
        fewer, avoided, legal = np.zeros((years, places)), np.zeros((years, places)), np.zeros(years)
        cashed, funded = 0.0, 0
        for t in range(years):
            if t > 0:
                money[s, t] = min(cap[s, t], share * max(cashed, 0.0))
            spent = programme[s, t] + money[s, t]
            if spent > 0.0:
                funded += 1
                spent *= 1.0 - setup if funded <= SETUP_YEARS else 1.0
            for lag in range(years - t):
                acting[t + lag] += timing[s, lag] * spent
            served = min(acting[t] / full_cost, part)
            starts = none_served[s, t] + served * (all_served[s, t] - none_served[s, t])
            averted[t] = starts.sum()
            for lag in range(years - t):
                there = 0.0
                for age in range(starts.size):
                    there += starts[age] * stays[s, lag, age]
                home[t + lag] += there
                for p in range(places):
                    fewer[t + lag, p] += there * mix[s, lag, p]
            rules = (at_once, later, nhs)
            cashed = _placement_cash(t, fewer, others[s], worth[s], avoided, rules) - fixed[s, t]
            returned = 0.0
            for wait in _WAITS:
                if t >= wait:
                    returned += averted[t - wait] / _WAITS.size
            legal[t] = (averted[t] - deferred * returned) * case
            cashed += min(legal[t], 0.0) + at_once * max(legal[t], 0.0)
            if t >= LATER:
                cashed += later * max(legal[t - LATER], 0.0)
            at_home = max(home[t], 0.0) + (max(home[t - 1], 0.0) if t > 0 else 0.0)
            cashed -= support * at_home / 2.0
