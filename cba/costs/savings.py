"""From children fewer in care to money: avoidable cost, and the part of it councils can take out of budgets.

S(t) = sum_p Y_p(t) m_p P_p(t), with Y the child-years not spent in placement p, m the avoidable share of the
average cost (never grown) and P the real price. Of a saving a share s leaves budgets at once, and a share r
of the rest from the second year after. An extra cost (S below 0: more children, or children moved in) is paid
in full as it arises, since nobody can delay it:

    cash(t) = s S+(t) + (1 - s) r S+(t - 2) + S-(t).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

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
    """Child-years in each year from numbers at its two ends.

    Parameters
    ----------
    stock : ndarray, shape (sample, year, ...), children at 31 March
        Changes against business as usual, so nothing before the first year.

    Returns
    -------
    ndarray, shape of `stock`, child-years
        ``(stock(t - 1) + stock(t)) / 2``.

    Examples
    --------
    >>> child_years(np.array([[10.0, 20.0, 20.0]])).tolist()
    [[5.0, 15.0, 20.0]]
    """
    before = np.concatenate([np.zeros_like(stock[:, :1]), stock[:, :-1]], axis=1)
    return (before + stock) / 2.0


def avoidable_share(parameters: xr.Dataset) -> np.ndarray:
    """Share of the average cost that one placement fewer avoids.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        With ``avoidable.childrens_home``, ``avoidable.foster`` and ``avoidable.other``.

    Returns
    -------
    ndarray, shape (sample, placement), in [0, 1]
        The same in every year: unit costs grow, this share does not.

    Examples
    --------
    >>> names = ("childrens_home", "foster", "other")
    >>> drawn = xr.Dataset({f"avoidable.{n}": ("sample", [v]) for n, v in zip(names, (0.8, 0.6, 0.7))})
    >>> dict(zip(PLACEMENTS, avoidable_share(drawn)[0].tolist()))["foster_agency"]
    0.6
    """
    entry = {"childrens_home": "avoidable.childrens_home"}
    entry |= {p: "avoidable.foster" for p in PLACEMENTS if p.startswith("foster")}
    return np.stack([parameters[entry.get(p, "avoidable.other")].values for p in PLACEMENTS], axis=-1)


def cashable(avoided: np.ndarray, *, at_once: np.ndarray, rest_later: np.ndarray) -> np.ndarray:
    """Part of an avoidable cost that leaves budgets in each year; an extra cost counts in full.

    Parameters
    ----------
    avoided : ndarray, shape (sample, year, ...), GBP
        Avoidable cost of each year; negative where an option makes care dearer.
    at_once : ndarray, shape (sample,), in [0, 1]
        Share of a saving cashable in the year it arises.
    rest_later : ndarray, shape (sample,), in [0, 1]
        Share of the rest that is cashable from the second year after.

    Returns
    -------
    ndarray, shape of `avoided`, GBP

    Examples
    --------
    >>> share = {"at_once": np.array([0.6]), "rest_later": np.array([0.5])}
    >>> cashable(np.array([[0.0, 100.0, 100.0, 100.0]]), **share).tolist()
    [[0.0, 60.0, 60.0, 80.0]]
    >>> cashable(np.array([[-100.0, 0.0, 0.0]]), **share).tolist()
    [[-100.0, 0.0, 0.0]]
    """
    wide = (-1, *[1] * (avoided.ndim - 1))
    saved = np.maximum(avoided, 0.0)
    cash = avoided - saved  # what is dearer, in full
    cash += at_once.reshape(wide) * saved
    cash[:, LATER:] += ((1.0 - at_once) * rest_later).reshape(wide) * saved[:, :-LATER]
    return cash


def placement_savings(
    fewer: np.ndarray, moved: np.ndarray, *, prices: np.ndarray, parameters: xr.Dataset
) -> np.ndarray:
    """Avoidable cost by placement and year, before cashability.

    Parameters
    ----------
    fewer : ndarray, shape (sample, year, placement)
        Children fewer at 31 March.
    moved : ndarray, shape (sample, year, placement)
        Children moved out of (positive) or into a placement.
    prices : ndarray, shape (sample, year, placement), GBP a year of the price base
        Average cost of a placement.
    parameters : Dataset, dims (sample)
        With the entries of :func:`avoidable_share`.

    Returns
    -------
    ndarray, shape (sample, year, placement), GBP of the price base
        ``child-years x price x avoidable share``.

    Examples
    --------
    Two children fewer from the end of the first year, at £10,000 and an avoidable share of a half.

    >>> names = ("childrens_home", "foster", "other")
    >>> drawn = xr.Dataset({f"avoidable.{n}": ("sample", [0.5]) for n in names})
    >>> fewer = np.full((1, 2, 8), 2.0)
    >>> saved = placement_savings(fewer, 0.0 * fewer, prices=np.full((1, 2, 8), 1e4), parameters=drawn)
    >>> saved[0, :, 0].tolist()
    [5000.0, 10000.0]
    """
    return child_years(fewer + moved) * prices * avoidable_share(parameters)[:, None, :]
