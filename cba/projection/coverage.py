"""How many children a programme serves: coverage built from money, cost per child, set-up and delay.

Coverage never exceeds what its money buys: children served in a year are the money of that year, less set-up,
over the cost of serving one child, moved by the unplanned delay and spread by a slow ramp; the share of the
eligible who are served saturates at 1, beyond which further money buys nothing.
"""

from __future__ import annotations

import numpy as np

from cba.projection.slippage import slipped

SETUP_YEARS = 2
"""First years with money in which part of it pays for set-up."""

HALF_YEAR = 0.5
"""Service is spread over the year, so on average it acts half a year after its money."""


def service_money(money: np.ndarray, *, setup_share: np.ndarray) -> np.ndarray:
    """Money that pays for service after set-up, shape (sample, year).

    Parameters
    ----------
    money : ndarray, shape (sample, year), GBP of the price base
    setup_share : ndarray, shape (sample,)
        Share of the first two years with money that goes into set-up.

    Returns
    -------
    ndarray, shape (sample, year), GBP of the price base

    Examples
    --------
    >>> service_money(np.array([[0.0, 10.0, 10.0, 10.0]]), setup_share=np.array([0.3])).tolist()
    [[0.0, 7.0, 7.0, 10.0]]
    """
    funded = money > 0
    order = np.cumsum(funded, axis=1)
    starting = funded & (order <= SETUP_YEARS)
    return money * np.where(starting, 1.0 - setup_share[:, None], 1.0)


def coverage(
    money: np.ndarray,
    *,
    unit_cost: np.ndarray,
    eligible: np.ndarray,
    setup_share: np.ndarray,
    timing: np.ndarray,
) -> np.ndarray:
    """Share of the eligible who are served in each year.

    Parameters
    ----------
    money : ndarray, shape (sample, year), GBP of the price base
    unit_cost : ndarray, shape (sample,), GBP per child of the price base, above 0
    eligible : ndarray, shape (sample,) or (sample, year), children a year, above 0
    setup_share : ndarray, shape (sample,)
        See :func:`service_money`.
    timing : ndarray, shape (sample, lag)
        When the service of a year's money happens: :func:`cba.projection.slippage.service_timing`.

    Returns
    -------
    ndarray, shape (sample, year), in [0, 1]
        Children served over children eligible; money beyond full coverage buys nothing.

    Examples
    --------
    A million at 1,000 a child for 4,000 children: half a year late, the last half after the money.

    >>> one, late = np.ones(1), np.array([[0.5, 0.5, 0.0]])
    >>> money = np.array([[1e6, 0.0, 0.0]])
    >>> coverage(money, unit_cost=1e3 * one, eligible=4e3 * one, setup_share=0 * one, timing=late).tolist()
    [[0.125, 0.125, 0.0]]
    """
    served = service_money(money, setup_share=setup_share) / unit_cost[:, None]
    served = slipped(served, timing=timing)
    eligible = eligible if eligible.ndim == 2 else eligible[:, None]
    return np.minimum(served / eligible, 1.0)


def filled_foster_places(
    money: np.ndarray,
    *,
    target: float,
    cost_per_carer: np.ndarray,
    delivered: np.ndarray,
    carers_per_household: np.ndarray,
    places_per_household: np.ndarray,
    filled_share: np.ndarray,
    attrition: np.ndarray,
    timing: np.ndarray,
) -> np.ndarray:
    """Additional filled foster places at each 31 March, shape (sample, year).

    Parameters
    ----------
    money : ndarray, shape (sample, year), GBP of the price base
    target : float
        Carers the option means to recruit (9,000 in the review: carers, not households).
    cost_per_carer, delivered, carers_per_household, places_per_household, filled_share, attrition
        Arrays of shape (sample,); `delivered` is the share of the target that is additional and delivered.
    timing : ndarray, shape (sample, lag)
        When the carers whom a year's money recruits begin.

    Returns
    -------
    ndarray, shape (sample, year)
        Households x places x filled share, after yearly attrition of households. Money bounds recruitment: no
        more carers than it pays for, and no more than the delivered share of the target.

    Examples
    --------
    Ten carers in five households with two places each, all filled: ten places; a tenth goes each year.

    >>> one = np.ones(1)
    >>> settings = {"cost_per_carer": one, "delivered": one, "carers_per_household": 2 * one}
    >>> settings |= {"places_per_household": 2 * one, "filled_share": one, "attrition": 0.1 * one}
    >>> money, late = np.array([[10.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    >>> filled_foster_places(money, target=10, timing=late, **settings).round(2).tolist()
    [[0.0, 9.5, 8.55]]
    """
    affordable = np.cumsum(slipped(money, timing=timing), axis=1) / cost_per_carer[:, None]
    recruited = np.minimum(affordable, target) * delivered[:, None]
    new = np.diff(recruited, axis=1, prepend=0.0) / carers_per_household[:, None]
    households = np.empty_like(new)
    current = np.zeros(new.shape[0])
    for year in range(new.shape[1]):
        current = current * (1.0 - attrition) + new[:, year] * (1.0 - attrition / 2.0)
        households[:, year] = current
    return households * (places_per_household * filled_share)[:, None]


def reform_progress(money: np.ndarray, *, timing: np.ndarray) -> np.ndarray:
    """Share of a structural reform in place: the share of its money spent so far.

    Parameters
    ----------
    money : ndarray, shape (sample, year), GBP of the price base
    timing : ndarray, shape (sample, lag)
        When what a year's money pays for is in place.

    Returns
    -------
    ndarray, shape (sample, year), in [0, 1]
        0 throughout where there is no money; 1 once all of it has acted.

    Examples
    --------
    >>> late = np.array([[0.0, 1.0, 0.0, 0.0]])
    >>> reform_progress(np.array([[10.0, 10.0, 0.0, 0.0]]), timing=late).tolist()
    [[0.0, 0.5, 1.0, 1.0]]
    """
    total = money.sum(axis=1, keepdims=True)
    spent = np.cumsum(slipped(money, timing=timing), axis=1)
    return np.divide(spent, total, out=np.zeros_like(spent), where=total > 0)
