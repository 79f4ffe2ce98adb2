"""Children looked after in England if nothing changes: the account of stock and flows rolled forward by age."""

from __future__ import annotations

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
        ``children`` (sample, year, age) at 31 March; ``starts_reachable`` (sample, year, age), starts of children
        who are not unaccompanied; ``starts``, ``ceases`` (sample, year, age); ``closure`` and
        ``population`` (sample, year). Every
        draw conserves children: change in stock = starts - ceases + closure.

    Raises
    ------
    InputError
        If a move out of an age band exceeds the children in it (raised by the kernel, never clipped).
    """
    constant = fit["constant_data"].to_dataset()
    reachable = (rates["start_rate"] * population).transpose("sample", "year", "age")
    starts = reachable + rates["uasc_starts"] * constant["uasc_share"]
    closure = rates["closure_rate"] * reachable.sum("age")
    residual = closure * reachable / reachable.sum("age")
    initial = xr.DataArray(
        np.broadcast_to(constant["stock"].values, (rates.sizes["sample"], 5)),
        dims=("sample", "state"), coords={"state": list(AGE_BANDS)},
    )
    arrays = [rates[n].transpose("sample", "year", "age").values for n in ("exit", "ageing")]
    arrays.append(rates["stay"].transpose("sample", "year").values)
    entries = xr.DataArray(_entries(starts.transpose("sample", "year", "age").values,
                                    residual.transpose("sample", "year", "age").values, *arrays),
                           dims=("sample", "year", "state"),
                           coords={"year": rates["year"], "state": list(AGE_BANDS)})
    moves = xr.DataArray(_moves(*arrays[:2]), dims=("sample", "year", "from_state", "to_state"),
                         coords={"year": rates["year"], "from_state": list(AGE_BANDS), "to_state": list(AGE_BANDS)})
    children = project(initial, entries, moves).rename(state="age").transpose("sample", "year", "age")
    before = np.concatenate([np.broadcast_to(constant["stock"].values, children.values[:, :1].shape),
                             children.values[:, :-1]], axis=1)
    change = children.values.sum(axis=-1) - before.sum(axis=-1)
    ceases = xr.DataArray(_ceases(before, starts.transpose("sample", "year", "age").values,
                                  residual.transpose("sample", "year", "age").values, *arrays),
                          dims=("sample", "year", "age"), coords=children.coords)
    _require_closed(change, starts, ceases, closure)
    return xr.Dataset({"children": children, "starts_reachable": reachable, "starts": starts, "ceases": ceases,
                       "closure": closure, "population": population.broadcast_like(closure)})


def _moves(exits: np.ndarray, ageing: np.ndarray) -> np.ndarray:
    """Share of each band's children who are in each band a year later, (sample, year, from, to)."""
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


def _entries(starts, residual, exits, ageing, stay) -> np.ndarray:
    """Children who entered in the year and are still looked after at its end, by band, (sample, year, age)."""
    fresh = (1.0 - exits / 2.0) * starts + residual
    grows = ageing / 2.0
    grows[..., 0] = 1.0 - stay
    entries = fresh * (1.0 - grows)
    entries[..., 1:] += (fresh * grows)[..., :-1] * (1.0 - exits[..., 1:] / 2.0)
    return entries


def _ceases(before, starts, residual, exits, ageing, stay) -> np.ndarray:
    """Children who ceased, by band: h (N + S/2 + A/2) with A the children who grew into the band."""
    fresh = (1.0 - exits / 2.0) * starts + residual
    grown = ageing * ((1.0 - exits) * before + fresh / 2.0)
    grown[..., 0] = (1.0 - exits[..., 0]) * before[..., 0] + (1.0 - stay) * fresh[..., 0]
    arrived = np.zeros_like(grown)
    arrived[..., 1:] = grown[..., :-1]
    return exits * (before + (starts + arrived) / 2.0)


def _require_closed(change, starts, ceases, closure) -> None:
    gap = np.abs(change - (starts.sum("age") - ceases.sum("age") + closure).transpose("sample", "year").values).max()
    if gap > 1e-6:
        raise AssertionError(f"the account of children does not close: {gap:.3g} children are lost or made up")
