"""Children looked after in England if nothing changes: stock and flows rolled forward by age."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.projection.kernel import project


def business_as_usual(fit: xr.DataTree, rates: xr.Dataset, population: xr.DataArray) -> xr.Dataset:
    """Roll the stock forward from the last published 31 March.

    Parameters
    ----------
    fit : DataTree
        As returned by :func:`cba.fit_baseline`; gives the last stock and the ages of unaccompanied children.
    rates : Dataset, dims (sample, year, age)
        As returned by :func:`cba.projection.rate_paths.rate_paths`.
    population : DataArray, dims (year) or (sample, year)
        Children aged 0 to 17 used as denominator of each year.

    Returns
    -------
    Dataset
        ``children`` (sample, year, age) at 31 March; ``starts_reachable`` (sample, year, age), starts of
        children who are not unaccompanied; ``starts``, ``ceases`` (sample, year, age); ``closure`` and
        ``population`` (sample, year). Every draw conserves children: change in stock = starts - ceases +
        closure.

    Raises
    ------
    InputError
        If a move out of an age band exceeds the children in it (raised by the kernel, never clipped).

    Examples
    --------
    >>> import cba
    >>> from cba.projection.rate_paths import rate_paths
    >>> fit = cba.fit_baseline(cba.load_observations(), cba.load_priors())  # doctest: +SKIP
    >>> rates = rate_paths(fit, range(2025, 2033), seed=0)  # doctest: +SKIP
    >>> people = xr.DataArray([12e6] * 8, dims="year", coords={"year": range(2025, 2033)})
    >>> business_as_usual(fit, rates, people)["children"].dims  # doctest: +SKIP
    ('sample', 'year', 'age')
    """
    flows = _flows(rates, population, fit)
    account, closure = flows.account, flows.closure
    constant = fit["constant_data"].to_dataset()
    stock = np.broadcast_to(constant["stock"].values, (rates.sizes["sample"], 5))
    children = _rolled(account, stock, years=rates["year"])
    before = np.concatenate([stock[:, None], children.values[:, :-1]], axis=1)
    ceases = children.copy(data=_ceases(account, before))
    _require_closed(
        children.values.sum(-1) - before.sum(-1),
        starts=account.starts.sum(-1),
        ceases=ceases.values.sum(-1),
        closure=closure.values,
    )
    return xr.Dataset(
        {
            "children": children,
            "starts_reachable": flows.reachable,
            "starts": flows.starts,
            "ceases": ceases,
            "closure": closure,
            "population": population.broadcast_like(closure),
        }
    )


def next_stock(
    rates: xr.Dataset, stock: np.ndarray, *, population: xr.DataArray, fit: xr.DataTree
) -> np.ndarray:
    """Roll the stock one year on.

    Parameters
    ----------
    rates : Dataset, dims (sample, year, age)
        Of one year, as :func:`cba.projection.rate_paths.rate_paths`.
    stock : ndarray, shape (sample, age)
        Children at the 31 March before.
    population : DataArray, dims (year) or (sample, year)
        Children aged 0 to 17 in that year.
    fit : DataTree
        Gives the ages of unaccompanied children.

    Returns
    -------
    ndarray, shape (sample, age), children
        By the account of :func:`business_as_usual`.

    Examples
    --------
    >>> next_stock(rates.isel(year=[0]), stock, population=people, fit=fit).shape  # doctest: +SKIP
    (4000, 5)
    """
    account = _flows(rates, population, fit).account
    moved = np.einsum("sa,sab->sb", stock, _moves(account)[:, 0])
    return moved + _entries(account)[:, 0]


class _Flows(NamedTuple):
    """Starts and closure that the rates of future years come to, and the account they make."""

    reachable: xr.DataArray
    starts: xr.DataArray
    closure: xr.DataArray
    account: _Account


def _flows(rates: xr.Dataset, population: xr.DataArray, fit: xr.DataTree) -> _Flows:
    order = ("sample", "year", "age")
    uasc_share = fit["constant_data"]["uasc_share"]
    reachable = (rates["start_rate"] * population).transpose(*order)
    starts = (reachable + rates["uasc_starts"] * uasc_share).transpose(*order)
    closure = (rates["closure_rate"] * reachable.sum("age")).transpose("sample", "year")
    residual = (closure * reachable / reachable.sum("age")).transpose(*order)
    account = _Account(
        starts=starts.values,
        residual=residual.values,
        exits=rates["exit"].transpose(*order).values,
        ageing=rates["ageing"].transpose(*order).values,
        stay=rates["stay"].transpose("sample", "year").values,
    )
    return _Flows(reachable, starts, closure, account)


class _Account(NamedTuple):
    """Flows and rates of future years: shape (sample, year, age), the stay rate (sample, year)."""

    starts: np.ndarray
    residual: np.ndarray
    exits: np.ndarray
    ageing: np.ndarray
    stay: np.ndarray


def _rolled(account: _Account, stock: np.ndarray, *, years: xr.DataArray) -> xr.DataArray:
    """Children by age at each 31 March, from the stock before the first year; dims (sample, year, age)."""
    bands = list(AGE_BANDS)
    initial = xr.DataArray(stock, dims=("sample", "state"), coords={"state": bands})
    entries = xr.DataArray(
        _entries(account), dims=("sample", "year", "state"), coords={"year": years, "state": bands}
    )
    moves = xr.DataArray(
        _moves(account),
        dims=("sample", "year", "from_state", "to_state"),
        coords={"year": years, "from_state": bands, "to_state": bands},
    )
    return project(initial, entries, moves).rename(state="age").transpose("sample", "year", "age")


def _moves(account: _Account) -> np.ndarray:
    """Share of each band's children who are in each band a year later, (sample, year, from, to)."""
    exits, ageing = account.exits, account.ageing
    moves = np.zeros((*exits.shape, 5))
    for band in range(5):
        kept = 1.0 - exits[..., band]
        grows = np.ones_like(kept) if band == 0 else ageing[..., band]
        if band < 4:
            moves[..., band, band] = kept * (1.0 - grows)
            moves[..., band, band + 1] = kept * grows * (1.0 - exits[..., band + 1] / 2.0)
        else:
            moves[..., band, band] = kept
    return moves


def _entries(account: _Account) -> np.ndarray:
    """Children who entered in the year and are still there at its end, by band, (sample, year, age)."""
    exits = account.exits
    fresh = (1.0 - exits / 2.0) * account.starts + account.residual
    grows = account.ageing / 2.0
    grows[..., 0] = 1.0 - account.stay
    entries = fresh * (1.0 - grows)
    entries[..., 1:] += (fresh * grows)[..., :-1] * (1.0 - exits[..., 1:] / 2.0)
    return entries


def _ceases(account: _Account, before: np.ndarray) -> np.ndarray:
    """Children who ceased, by band: h (N + S/2 + A/2) with A the children who grew into the band."""
    exits = account.exits
    fresh = (1.0 - exits / 2.0) * account.starts + account.residual
    grown = account.ageing * ((1.0 - exits) * before + fresh / 2.0)
    grown[..., 0] = (1.0 - exits[..., 0]) * before[..., 0] + (1.0 - account.stay) * fresh[..., 0]
    arrived = np.zeros_like(grown)
    arrived[..., 1:] = grown[..., :-1]
    return exits * (before + (account.starts + arrived) / 2.0)


def _require_closed(
    change: np.ndarray, *, starts: np.ndarray, ceases: np.ndarray, closure: np.ndarray
) -> None:
    gap = np.abs(change - (starts - ceases + closure)).max()
    if not gap <= 1e-6:  # written so that NaN fails too
        raise AssertionError(
            f"the account of children does not close: {gap:.3g} children are lost or made up"
        )
