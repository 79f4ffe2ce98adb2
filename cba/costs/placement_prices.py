"""What a placement costs in each year, real terms: today's average and a path of real growth that settles.

P(t) = P(0) exp(sum_{k < t} g_inf + (g_0 - g_inf) 2^(-k/H)) exp(z spread(t)): today's real growth g_0, estimated
with the level P(0) from the published unit costs, decays with half-life H towards long-run growth g_inf, that of
earnings and what is above it; what no equation foresees, z, spreads as it did in the published years.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.costs.prices import PriceIndex
from cba.costs.unit_cost_paths import unit_cost_path
from cba.dimensions import PLACEMENTS
from cba.errors import InputError
from cba.models.unit_costs_accounts import WEEKS, last_account_year

FOSTER = ("foster_relative_or_friend", "foster_in_house", "foster_agency")


@dataclass(frozen=True)
class PlacementPrices:
    """Average yearly cost of a placement.

    Attributes
    ----------
    year : int
        Last year with published unit costs.
    today : ndarray, shape (sample, placement)
        Average cost in that year, GBP of the price base.
    path : ndarray, shape (sample, year, placement)
        Average cost in each later year, GBP of the price base.
    """

    year: int
    today: np.ndarray
    path: np.ndarray


def placement_prices(
    observations: xr.Dataset,
    parameters: xr.Dataset,
    *,
    years: np.ndarray,
    price_base: int,
    prices: PriceIndex,
) -> PlacementPrices:
    """Average yearly cost of a placement today and in each year, GBP of the price base.

    Parameters
    ----------
    observations : Dataset
        Unit costs and placements as published.
    parameters : Dataset, dims (sample)
        Joint draws, money in the price base.
    years : ndarray of int
        Years ending 31 March, all after the last published unit cost.
    price_base : int
        Year ending 31 March.
    prices : PriceIndex
        Deflator with its growth beyond the last published year.

    Returns
    -------
    PlacementPrices
        The fostering average is split so that relatives, in-house and agency placements, weighted by their
        numbers, give the published average, with agency dearer by ``unit_costs.agency_premium``.

    Raises
    ------
    InputError
        If a split price is not positive.

    Examples
    --------
    >>> found = placement_prices(seen, drawn, years=years, price_base=2024, prices=index)  # doctest: +SKIP
    >>> found.path.mean(axis=0)  # doctest: +SKIP
    """
    base_year = last_account_year(observations)
    value = {str(n): parameters[n].values for n in parameters.data_vars}
    today = _prices_today(observations, value, year=base_year, price_base=price_base, prices=prices)
    steps = np.asarray(years) - base_year
    growth = _growth_by_placement(parameters, steps=int(steps[-1]))
    path = np.stack([today[p][:, None] * growth[p][:, steps - 1] for p in PLACEMENTS], axis=-1)
    return PlacementPrices(base_year, np.stack([today[p] for p in PLACEMENTS], axis=-1), path)


def _prices_today(
    observations: xr.Dataset,
    value: Mapping[str, np.ndarray],
    *,
    year: int,
    price_base: int,
    prices: PriceIndex,
) -> dict[str, np.ndarray]:
    """Average yearly cost by placement in the last published year, (sample,), GBP of the price base."""
    weekly = observations["unit_cost_weekly"].sel(year=year)
    factor = np.asarray(prices.index(price_base) / prices.index(year), dtype=float)
    factor = np.broadcast_to(factor, value["unit_costs.agency_premium"].shape)
    average = {
        service: float(weekly.sel(service=service))
        * WEEKS
        * factor
        * np.exp(value[f"unit_costs.{name}_level"])
        for service, name in (("residential_care", "residential"), ("fostering", "fostering"))
    }
    counts = (
        observations["stock_by_placement"].sel(placement=list(FOSTER)).dropna("year").isel(year=-1).values
    )
    today = {"childrens_home": average["residential_care"]}
    today |= foster_prices(
        average["fostering"],
        counts=counts,
        relative_ratio=value["unit_costs.relative_foster_ratio"],
        premium=value["unit_costs.agency_premium"],
    )
    for name in ("supported_accommodation", "other_residential", "with_parents"):
        today[name] = value[f"unit_costs.{name}"] * WEEKS
    return today | {"placed_for_adoption": today["with_parents"]}


def _growth_by_placement(parameters: xr.Dataset, *, steps: int) -> dict[str, np.ndarray]:
    """Price index by placement, (sample, step): homes, fostering, and others in between."""
    residential, fostering = "unit_costs.residential", "unit_costs.fostering"
    home, foster, between = (
        unit_cost_path(parameters, costs, steps=steps)
        for costs in ((residential,), (fostering,), (residential, fostering))
    )
    dearer = {"childrens_home": home, "supported_accommodation": between, "other_residential": between}
    return {name: dearer.get(name, foster) for name in PLACEMENTS}


def foster_prices(
    average: np.ndarray, *, counts: np.ndarray, relative_ratio: np.ndarray, premium: np.ndarray
) -> dict[str, np.ndarray]:
    """Split the average cost of fostering into relatives, in-house and agency.

    Parameters
    ----------
    average : ndarray, shape (sample,), GBP a year
        Published average of all foster placements.
    counts : ndarray, shape (3,), children
        Placements with relatives or friends, in-house and with agencies.
    relative_ratio : ndarray, shape (sample,)
        Cost with relatives as a share of in-house.
    premium : ndarray, shape (sample,), GBP a year
        Cost with agencies above in-house.

    Returns
    -------
    dict of str to ndarray, shape (sample,), GBP a year
        Weighted by `counts` they give `average`.

    Raises
    ------
    InputError
        If a price is not positive.

    Examples
    --------
    >>> one = np.ones(1)
    >>> split = foster_prices(30e3 * one, counts=np.array([0, 1, 1]), relative_ratio=one, premium=10e3 * one)
    >>> split["foster_in_house"].tolist(), split["foster_agency"].tolist()
    ([25000.0], [35000.0])
    """
    relative, own, agency = counts / counts.sum()
    in_house = (average - agency * premium) / (relative * relative_ratio + own + agency)
    if (in_house <= 0).any() or (in_house + premium <= 0).any():
        dear = (in_house <= 0).any()
        raise InputError(
            "a foster placement would cost nothing or less",
            file="priors/costs.toml",
            field="unit_costs.agency_premium",
            found=float(premium.max() if dear else premium.min()),
            allowed="premiums that leave every foster price above 0",
            cause="a premium wider than the average cost of fostering allows",
            remedy="narrow the prior",
        )
    return dict(zip(FOSTER, (in_house * relative_ratio, in_house, in_house + premium), strict=True))
