"""From children fewer in care to money: avoidable cost, and the part of it councils can take out of budgets.

Saving(t) = sum_p Y_p(t) m_p P_p(t), with Y the child-years not spent in placement p, m the avoidable share of the
average cost (never grown) and P the real price. A share is cashable at once, more of it from the second year on:

    cash(t) = s S(t) + (1 - s) r S(t - 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cba.dimensions import PLACEMENTS

LATER = 2
"""Years after which what was not cashable at once becomes so in part."""


@dataclass(frozen=True)
class SavingLine:
    """One line of savings: who gains, on what; `amount` (sample, year) in GBP of the price base."""

    component: str
    payer: str
    amount: np.ndarray


def child_years(stock: np.ndarray) -> np.ndarray:
    """Child-years in a year from numbers at its two ends (nothing before the first year), axis 1 is the year."""
    before = np.concatenate([np.zeros_like(stock[:, :1]), stock[:, :-1]], axis=1)
    return (before + stock) / 2.0


def avoidable_share(parameters) -> np.ndarray:
    """Share of the average cost that one placement fewer avoids, shape (sample, placement)."""
    entry = {"childrens_home": "avoidable.childrens_home"}
    entry |= {p: "avoidable.foster" for p in PLACEMENTS if p.startswith("foster")}
    return np.stack([parameters[entry.get(p, "avoidable.other")].values for p in PLACEMENTS], axis=-1)


def cashable(avoided: np.ndarray, *, at_once: np.ndarray, rest_later: np.ndarray) -> np.ndarray:
    """Part of an avoidable cost that leaves budgets in each year, same shape as `avoided`.

    Parameters
    ----------
    avoided : ndarray, shape (sample, year), GBP
    at_once : ndarray, shape (sample,)
        Share cashable in the year it arises.
    rest_later : ndarray, shape (sample,)
        Share of the rest that is cashable from the second year after.

    Examples
    --------
    >>> cashable(np.array([[0.0, 100.0, 100.0, 100.0]]), at_once=np.array([0.6]), rest_later=np.array([0.5])).tolist()
    [[0.0, 60.0, 60.0, 80.0]]
    """
    earlier = np.zeros_like(avoided)
    earlier[:, LATER:] = avoided[:, :-LATER]
    return at_once[:, None] * avoided + ((1.0 - at_once) * rest_later)[:, None] * earlier


def placement_savings(fewer: np.ndarray, moved: np.ndarray, *, prices: np.ndarray, parameters) -> np.ndarray:
    """Avoidable cost by placement and year, shape (sample, year, placement), GBP of the price base.

    Parameters
    ----------
    fewer : ndarray, shape (sample, year, placement)
        Children fewer at 31 March.
    moved : ndarray, shape (sample, year, placement)
        Children moved out of (positive) or into a placement.
    prices : ndarray, shape (sample, year, placement)
    parameters : Dataset, dims (sample)
    """
    return child_years(fewer + moved) * prices * avoidable_share(parameters)[:, None, :]
