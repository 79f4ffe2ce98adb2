"""What spending follows under business as usual in each future year: children, care leavers, orders, need."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.costs.unit_cost_paths import unit_cost_path
from cba.dimensions import PLACEMENTS
from cba.models.unit_costs import NEED
from cba.models.unit_costs_drivers import (
    DRIVERS,
    GUARDIANSHIP_YEARS,
    LEAVER_YEARS,
    guardianship_orders,
    published_drivers,
)
from cba.projection.care_system import CareSystem


def running_total(past: np.ndarray, flow: np.ndarray, *, years: int) -> np.ndarray:
    """Sum of a flow over the last years, the year itself included.

    Parameters
    ----------
    past : ndarray, shape (past year,)
        Flow of the years before the first, oldest first; at least ``years - 1`` of them.
    flow : ndarray, shape (sample, year)
        Flow of each year.
    years : int
        Years counted.

    Returns
    -------
    ndarray, shape (sample, year)

    Examples
    --------
    >>> running_total(np.array([9.0, 1.0, 2.0]), np.array([[3.0, 4.0]]), years=3).tolist()
    [[6.0, 9.0]]
    """
    before = past[past.size - (years - 1) :]
    whole = np.concatenate([np.broadcast_to(before, (flow.shape[0], before.size)), flow], axis=1)
    sums = np.cumsum(np.pad(whole, ((0, 0), (1, 0))), axis=1)
    return sums[:, years:] - sums[:, :-years]


def future_drivers(observations: xr.Dataset, system: CareSystem) -> np.ndarray:
    """Counts of every driver under business as usual.

    Parameters
    ----------
    observations : Dataset
        As published in the analysis's release.
    system : CareSystem
        Business as usual.

    Returns
    -------
    ndarray, shape (sample, year, driver)
        In the order of :data:`cba.models.unit_costs_drivers.DRIVERS`. Orders are made at the last published
        rate per child looked after; unaccompanied children follow their starts of two years from the last
        published number; need is a rate per child of the population with a path of its own.

    Examples
    --------
    >>> future_drivers(observations, system)[..., DRIVERS.index("leavers")].mean(axis=0)  # doctest: +SKIP
    """
    seen = published_drivers(observations).isel(year=-1)
    last = int(seen["year"])
    usual = system.baseline.transpose("sample", "year", "age")
    total = usual["children"].values.sum(-1)
    placed = total[..., None] * system.placement_mix
    orders = guardianship_orders(observations).sel(year=slice(None, last)).values
    leaving = observations["ceases_by_age"].sel(age="16_plus", year=slice(None, last)).values
    alone = (usual["starts"] - usual["starts_reachable"]).values.sum(-1)
    before = np.concatenate([alone[:, :1], alone[:, :-1]], axis=1)
    steps = system.years - last
    rate = np.exp(system.value(f"system.{NEED}_level"))[:, None] * unit_cost_path(
        system.parameters, (f"system.{NEED}",), steps=int(steps[-1]), settles=False
    )
    people = usual["population"].values
    counts = {
        "homes": placed[..., PLACEMENTS.index("childrens_home")],
        "fostered": sum(placed[..., i] for i, p in enumerate(PLACEMENTS) if p.startswith("foster")),
        "leavers": running_total(leaving, usual["ceases"].sel(age="16_plus").values, years=LEAVER_YEARS),
        "guardianship": running_total(
            orders, total * orders[-1] / float(seen.sel(driver="looked_after")), years=GUARDIANSHIP_YEARS
        ),
        "unaccompanied": float(seen.sel(driver="unaccompanied")) * (alone + before) / (2.0 * alone[:, :1]),
        "looked_after": total,
        "need": people * float(seen.sel(driver="need") / seen.sel(driver="population")) * rate[:, steps - 1],
        "population": people,
    }
    return np.stack([counts[name] for name in DRIVERS], axis=-1)
