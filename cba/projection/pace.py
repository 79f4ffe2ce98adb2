"""Draws of business as usual whose growth is brought back to a stated pace, year by year.

The rates of such a draw still move as the fitted process says; a shift common to all ages is laid over them, part on
the start rates and part on the odds of ceasing. Each year it grows by what the number in care would miss its target
by if rates stayed as they were the year before:

    c(t) = c(t-1) + g*(t) - g(N(t-1), rates of t-1),

with g the growth of log stock and g* its target. A year's noise is therefore not carried on, and the number in care
moves like a random walk with drift, yet every child still starts, ages and ceases in the account.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.projection.business_as_usual import next_stock


def held_to_pace(
    fit: xr.DataTree,
    rates: xr.Dataset,
    *,
    population: xr.DataArray,
    targets: np.ndarray,
    through_starts: np.ndarray,
) -> xr.Dataset:
    """Shift start rates and odds of ceasing so that growth returns to its target.

    Parameters
    ----------
    fit : DataTree
        As returned by :func:`cba.fit_baseline`; gives the last stock and rates.
    rates : Dataset, dims (sample, year, age)
        As returned by :func:`cba.projection.rate_paths.rate_paths`.
    population : DataArray, dims (year) or (sample, year)
        Children aged 0 to 17.
    targets : ndarray, shape (sample, year)
        Growth of log stock aimed at; NaN where a draw's rates are left alone from then on.
    through_starts : ndarray, shape (sample,)
        Share of the shift that comes through starts, 0 to 1; the rest through exits.

    Returns
    -------
    Dataset
        `rates` with ``start_rate`` and ``exit`` shifted in the draws with a target.

    Notes
    -----
    A shift c moves the log start rates by ``w c / k_s`` and the log odds of ceasing by ``-(1 - w) c / k_x``, where
    k_s and k_x are the growth a unit shift of either brings at the last release: starts that stay the year, with the
    closure residual that goes with them, over the stock; ``h (1 - h) (N + S/2)`` over the stock.

    Examples
    --------
    >>> held = held_to_pace(fit, rates, population=people, targets=g, through_starts=w)  # doctest: +SKIP
    """
    chosen = np.flatnonzero(~np.isnan(targets).all(axis=1))
    if chosen.size == 0:
        return rates
    constant = fit["constant_data"].to_dataset()
    by_start, by_exit = _responses(constant)
    part = rates.isel(sample=chosen).copy(deep=True)
    people = population.isel(sample=chosen) if "sample" in population.dims else population
    goal, weight = targets[chosen], through_starts[chosen, None]
    stock = np.broadcast_to(constant["stock"].values, (chosen.size, 5))
    applied = _last_rates(constant, part)
    shift = np.zeros(chosen.size)
    starts, exits = part["start_rate"].values, part["exit"].values
    for step in range(goal.shape[1]):
        now = people.isel(year=[step])
        as_before = applied.assign_coords(year=now["year"])
        unchanged = next_stock(as_before, stock, population=now, fit=fit)
        missing = goal[:, step] - np.log(unchanged.sum(-1) / stock.sum(-1))
        shift = np.where(np.isnan(missing), shift, shift + missing)
        starts[:, step] *= np.exp(weight * shift[:, None] / by_start)
        odds = exits[:, step] / (1.0 - exits[:, step]) * np.exp(-(1.0 - weight) * shift[:, None] / by_exit)
        exits[:, step] = odds / (1.0 + odds)
        applied = part.isel(year=[step])
        stock = next_stock(applied, stock, population=now, fit=fit)
    shifted = {"start_rate": rates["start_rate"].copy(deep=True), "exit": rates["exit"].copy(deep=True)}
    shifted["start_rate"].values[chosen], shifted["exit"].values[chosen] = starts, exits
    return rates.assign(shifted)


def _last_rates(constant: xr.Dataset, rates: xr.Dataset) -> xr.Dataset:
    """Rates of the last published year in the form of a projected one, the same for every draw."""
    last = constant["observed_rates"].isel(year=-1).values
    shares = 1.0 / (1.0 + np.exp(-last))
    one = rates.isel(year=[0]).copy(deep=True)
    one["start_rate"].values[:] = np.exp(last[:5])
    one["exit"].values[:] = shares[5:10]
    one["ageing"].values[..., 1:4] = shares[10:13]
    one["stay"].values[:] = shares[13]
    one["closure_rate"].values[:] = np.exp(last[14])
    one["uasc_starts"].values[:] = np.exp(last[15])
    return one


def _responses(constant: xr.Dataset) -> tuple[float, float]:
    """Growth of log stock that a unit shift of the log start rates, and of the log odds of staying, brings."""
    last = constant["observed_rates"].isel(year=-1).values
    stock = constant["stock"].values
    reachable = np.exp(last[:5]) * float(constant["population"])
    starts = reachable + np.exp(last[15]) * constant["uasc_share"].values
    exits = 1.0 / (1.0 + np.exp(-last[5:10]))
    closure = np.exp(last[14]) * reachable
    by_start = (reachable * (1.0 - exits / 2.0) + closure).sum() / stock.sum()
    by_exit = (exits * (1.0 - exits) * (stock + starts / 2.0)).sum() / stock.sum()
    return float(by_start), float(by_exit)
