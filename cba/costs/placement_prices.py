"""What a placement costs in each year, real terms: today's average and a path of real growth that settles.

P(t) = P(0) exp(sum_k g_inf + (g_0 - g_inf) 2^(-k/H)): today's real growth g_0, estimated from the published unit cost,
decays towards real earnings growth g_inf with half-life H.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.costs.prices import PriceIndex
from cba.dimensions import PLACEMENTS
from cba.errors import InputError

WEEKS = 365.0 / 7.0
"""Weeks in a year, as in the published unit costs (expenditure / children / 365 x 7)."""


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


def growth_path(first: np.ndarray, *, settled: np.ndarray, half_life: np.ndarray, steps: int) -> np.ndarray:
    """Price index 1 to `steps` years after the base year, shape (sample, step).

    Parameters
    ----------
    first, settled : ndarray, shape (sample,)
        Real growth now and in the long run, log points a year.
    half_life : ndarray, shape (sample,)
        Years in which the gap between the two halves, above 0.
    steps : int

    Examples
    --------
    Growth that has already settled compounds.

    >>> growth_path(np.array([0.1]), settled=np.array([0.1]), half_life=np.array([3.0]), steps=2).round(4).tolist()
    [[1.1052, 1.2214]]
    """
    decay = 0.5 ** (np.arange(steps)[None, :] / half_life[:, None])
    growth = settled[:, None] + (first - settled)[:, None] * decay
    return np.exp(np.cumsum(growth, axis=1))


def latest_cost_year(observations: xr.Dataset) -> int:
    """Last year with a published unit cost of residential care and of fostering."""
    known = observations["unit_cost_weekly"].sel(service=["residential_care", "fostering"]).dropna("year")
    if known.sizes["year"] == 0:
        raise InputError("no unit costs are published in this release", field="unit_cost_weekly", found="all missing",
                         allowed="at least one year", cause="unit costs begin in 2015-16",
                         remedy="choose a release from 2017")
    return int(known["year"].values[-1])


def placement_prices(observations: xr.Dataset, parameters: xr.Dataset, *, years: np.ndarray, price_base: int,
                     prices: PriceIndex) -> PlacementPrices:
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
    prices : PriceIndex

    Returns
    -------
    PlacementPrices
        The fostering average is split so that relatives, in-house and agency placements, weighted by their numbers,
        give the published average, with agency placements dearer by ``unit_costs.agency_premium``.

    Raises
    ------
    InputError
        If a split price is not positive.
    """
    base_year = latest_cost_year(observations)
    weekly = observations["unit_cost_weekly"].sel(year=base_year)
    factor = float(prices.index(price_base) / prices.index(base_year))
    yearly = {s: float(weekly.sel(service=s)) * WEEKS * factor for s in ("residential_care", "fostering")}
    value = {str(n): parameters[n].values for n in parameters.data_vars}
    today = {"childrens_home": np.full(parameters.sizes["sample"], yearly["residential_care"]),
             **_foster_prices(observations, value, average=yearly["fostering"])}
    for name, entry in (("supported_accommodation", "supported_accommodation"),
                        ("other_residential", "other_residential"), ("with_parents", "with_parents"),
                        ("placed_for_adoption", "with_parents")):
        today[name] = value[f"unit_costs.{entry}"] * WEEKS
    settle = {"settled": value["unit_costs.real_earnings_growth"], "half_life": value["unit_costs.growth_half_life"],
              "steps": int(years[-1]) - base_year}
    home = growth_path(value["unit_costs.residential_growth"], **settle)
    foster = growth_path(value["unit_costs.fostering_growth"], **settle)
    other = growth_path((value["unit_costs.residential_growth"] + value["unit_costs.fostering_growth"]) / 2, **settle)
    paths = {"childrens_home": home, "supported_accommodation": other, "other_residential": other}
    steps = np.asarray(years) - base_year - 1
    path = np.stack([today[p][:, None] * paths.get(p, foster)[:, steps] for p in PLACEMENTS], axis=-1)
    return PlacementPrices(base_year, np.stack([today[p] for p in PLACEMENTS], axis=-1), path)


def _foster_prices(observations, value, *, average: float) -> dict[str, np.ndarray]:
    """Split the published fostering average into relatives, in-house and agency."""
    names = ["foster_relative_or_friend", "foster_in_house", "foster_agency"]
    counts = observations["stock_by_placement"].sel(placement=names).dropna("year").isel(year=-1).values
    share = counts / counts.sum()
    ratio, premium = value["unit_costs.relative_foster_ratio"], value["unit_costs.agency_premium"]
    in_house = (average - share[2] * premium) / (share[0] * ratio + share[1] + share[2])
    if (in_house <= 0).any() or (in_house + premium <= 0).any():
        raise InputError("a foster placement would cost nothing or less", field="unit_costs.agency_premium",
                         found=float(premium.max()), allowed="a premium below the average cost of fostering",
                         cause="a premium wider than the average allows", remedy="narrow the prior")
    return {names[0]: in_house * ratio, names[1]: in_house, names[2]: in_house + premium}
