"""Yearly cost of the system under business as usual: section 251 gross spending, each part with its own driver.

Spending on looked-after children, safeguarding and family support together. Each part is the last published
account times what its driver does and what a unit of the driver costs: homes follow children in homes and their
price, leaving care the young people who left at 16 or over, safeguarding mostly children in need, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.costs.accounts_drivers import future_drivers
from cba.costs.placement_prices import PlacementPrices
from cba.costs.prices import PriceIndex
from cba.costs.unit_cost_paths import unit_cost_path
from cba.dimensions import PLACEMENTS
from cba.models.unit_costs_accounts import (
    PARTS,
    driver_index,
    driver_weights,
    last_account_year,
    published_spending,
)
from cba.models.unit_costs_drivers import published_drivers
from cba.projection.care_system import CareSystem

MILLION = 1e6

PRICED = {"homes": ("childrens_home", "residential"), "fostering": ("foster_in_house", "fostering")}
"""Parts whose unit cost is a placement price: the placement whose path it is, and the name of the weekly cost."""


@dataclass(frozen=True)
class Accounts:
    """Spending of the last published year.

    Attributes
    ----------
    year : int
        Year ending 31 March.
    spending : dict of str to ndarray, shape (1,) or (sample,)
        By part, GBP of the price base.
    drivers : DataArray, dims (driver)
        Counts of that year.
    weights : DataArray, dims (part, driver)
        Share of each part that follows each driver, in that year.
    """

    year: int
    spending: dict[str, np.ndarray]
    drivers: xr.DataArray
    weights: xr.DataArray


def last_accounts(observations: xr.Dataset, *, price_base: int, prices: PriceIndex) -> Accounts:
    """Split the last published section 251 outturn into its parts.

    Parameters
    ----------
    observations : Dataset
        Spending, unit costs, placements, need and population as published.
    price_base : int
        Year ending 31 March.
    prices : PriceIndex
        Deflator with its growth beyond the last published year.

    Returns
    -------
    Accounts
        Parts add up to looked-after children, safeguarding and family support together.

    Raises
    ------
    InputError
        If a total of a year from 2012-13 to the last with unit costs is not published.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> seen = load_observations(2024)
    >>> accounts = last_accounts(seen, price_base=2024, prices=PriceIndex(published=seen["gdp_deflator"]))
    >>> accounts.year, round(float(sum(accounts.spending.values())[0]) / 1e9, 1)
    (2024, 13.3)
    """
    year = last_account_year(observations)
    spent = published_spending(observations).sel(year=year)
    counts = published_drivers(observations)
    shares, detail = driver_weights(observations)
    moved = shares * counts.sel(year=year) / counts.sel(year=detail)
    factor = np.asarray(prices.index(price_base) / prices.index(year), dtype=float) * MILLION
    return Accounts(
        year,
        {part: np.atleast_1d(float(spent.sel(part=part)) * factor) for part in PARTS},
        counts.sel(year=year, drop=True),
        (moved / moved.sum("driver")).drop_vars("year", errors="ignore"),
    )


def system_cost(
    accounts: Accounts,
    *,
    drivers: np.ndarray,
    prices: PlacementPrices,
    parameters: xr.Dataset,
    years: np.ndarray,
) -> dict[str, np.ndarray]:
    """Real cost of each part in each year under business as usual.

    Parameters
    ----------
    accounts : Accounts
        As returned by :func:`last_accounts`.
    drivers : ndarray, shape (sample, year, driver)
        As returned by :func:`cba.costs.accounts_drivers.future_drivers`.
    prices : PlacementPrices
        Of the same year as the accounts.
    parameters : Dataset, dims (sample)
        With the growth, level and surprise of every unit cost.
    years : ndarray of int
        Years ending 31 March, all after that of the accounts.

    Returns
    -------
    dict of str to ndarray, shape (sample, year), GBP of the price base
        By part: ``account x driver index x unit cost index``.

    Notes
    -----
    The unit cost index starts at the true level of the last published year, which the published one misses by
    an error (``*_level``).

    Examples
    --------
    >>> parts = system_cost(accounts, drivers=drivers, **paths)  # doctest: +SKIP
    >>> sum(parts.values())  # doctest: +SKIP
    """
    counts = xr.DataArray(
        drivers, dims=("sample", "year", "driver"), coords={"driver": accounts.drivers["driver"]}
    )
    index = driver_index(counts, weights=accounts.weights, reference=accounts.drivers)
    steps = np.asarray(years) - accounts.year
    found = {}
    for part in PARTS:
        cost = _unit_cost_index(part, prices=prices, parameters=parameters, steps=steps)
        found[part] = accounts.spending[part][:, None] * index.sel(part=part).values * cost
    return found


def _unit_cost_index(
    part: str, *, prices: PlacementPrices, parameters: xr.Dataset, steps: np.ndarray
) -> np.ndarray:
    """Unit cost of a part over the published one of the accounts' year, (sample, year)."""
    if part in PRICED:
        placement, name = PRICED[part]
        position = PLACEMENTS.index(placement)
        level = parameters[f"unit_costs.{name}_level"].values
        return np.exp(level)[:, None] * prices.path[..., position] / prices.today[:, None, position]
    level = parameters[f"system.{part}_level"].values
    path = unit_cost_path(parameters, (f"system.{part}",), steps=int(steps[-1]))
    return np.exp(level)[:, None] * path[:, steps - 1]


def usual_cost(
    observations: xr.Dataset,
    system: CareSystem,
    *,
    placements: PlacementPrices,
    price_base: int,
    prices: PriceIndex,
) -> dict[str, np.ndarray]:
    """Cost of the system by part under business as usual.

    Parameters
    ----------
    observations : Dataset
        As published in the analysis's release.
    system : CareSystem
        Business as usual.
    placements : PlacementPrices
        What placements cost.
    price_base : int
        Year ending 31 March.
    prices : PriceIndex
        Deflator with its growth beyond the last published year.

    Returns
    -------
    dict of str to ndarray, shape (sample, year), GBP of the price base

    Examples
    --------
    >>> usual_cost(observations, system, placements=placements, **money)["homes"].mean(axis=0)  # doctest: +SKIP
    """
    return system_cost(
        last_accounts(observations, price_base=price_base, prices=prices),
        drivers=future_drivers(observations, system),
        prices=placements,
        parameters=system.parameters,
        years=system.years,
    )
