"""Yearly cost of the system under business as usual: section 251 gross spending, a driver for each part.

Spending on looked-after children, safeguarding and family support together. Homes follow children in homes
and their price; fostering likewise; the rest of spending on looked-after children follows the number in care
and its own real growth per child; safeguarding and family support follow the population aged 0 to 17 and
their own real growth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.costs.placement_prices import WEEKS, PlacementPrices, latest_cost_year
from cba.costs.prices import PriceIndex
from cba.dimensions import PLACEMENTS
from cba.errors import InputError

MILLION = 1e6
PARTS = ("homes", "fostering", "other_care", "safeguarding", "family_support")


@dataclass(frozen=True)
class Accounts:
    """Spending of the last published year.

    Attributes
    ----------
    year : int
        Year ending 31 March.
    spending : dict of str to ndarray, shape (1,) or (sample,)
        By part, GBP of the price base.
    children, population : float
        Looked-after children at 31 March, and children aged 0 to 17, of that year.
    """

    year: int
    spending: dict[str, np.ndarray]
    children: float
    population: float


def last_accounts(observations: xr.Dataset, *, price_base: int, prices: PriceIndex) -> Accounts:
    """Split the last published section 251 outturn into the parts of :data:`PARTS`.

    Parameters
    ----------
    observations : Dataset
        Spending, unit costs, placements and population as published.
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
        If the outturn of the last year with unit costs is not published.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> seen = load_observations(2024)
    >>> accounts = last_accounts(seen, price_base=2024, prices=PriceIndex(published=seen["gdp_deflator"]))
    >>> accounts.year, round(float(sum(accounts.spending.values())[0]) / 1e9, 1)
    (2024, 13.3)
    """
    year = latest_cost_year(observations)
    totals = _outturn(observations, year=year)
    foster = [p for p in PLACEMENTS if p.startswith("foster")]
    fostered = float(observations["stock_by_placement"].sel(placement=foster, year=year).sum("placement"))
    weekly = float(observations["unit_cost_weekly"].sel(service="fostering", year=year))
    fostering = fostered * weekly * WEEKS / MILLION
    factor = np.asarray(prices.index(price_base) / prices.index(year), dtype=float) * MILLION
    parts = {
        "homes": totals["residential_care"],
        "fostering": fostering,
        "other_care": totals["total_cla"] - totals["residential_care"] - fostering,
        "safeguarding": totals["total_safeguarding"],
        "family_support": totals["total_family_support"],
    }
    return Accounts(
        year,
        {name: np.atleast_1d(amount * factor) for name, amount in parts.items()},
        float(observations["stock"].sel(year=year)),
        float(observations["population_0_17"].sel(year=year)),
    )


def _outturn(observations: xr.Dataset, *, year: int) -> dict[str, float]:
    """Lines of the outturn of one year that the parts are made of, GBP million, cash."""
    spending = observations["spending"].sel(year=year)
    lines = ("total_cla", "residential_care", "total_safeguarding", "total_family_support")
    totals = {line: float(spending.sel(line=line)) for line in lines}
    missing = [line for line, amount in totals.items() if not np.isfinite(amount)]
    if missing:
        raise InputError(
            "the outturn has no value for the last year with unit costs",
            file="spending_england.csv",
            field=f"spending line {missing[0]}",
            found=f"missing in {year}",
            allowed="a published value",
            cause="an incomplete release",
            remedy="complete spending_england.csv or choose an earlier release",
        )
    return totals


def system_cost(
    accounts: Accounts,
    *,
    children: np.ndarray,
    placement_mix: np.ndarray,
    prices: PlacementPrices,
    population: np.ndarray,
    parameters: xr.Dataset,
    years: np.ndarray,
    observations: xr.Dataset,
) -> dict[str, np.ndarray]:
    """Real cost of each part in each year under business as usual.

    Parameters
    ----------
    accounts : Accounts
        As returned by :func:`last_accounts`.
    children : ndarray, shape (sample, year)
        Looked-after children at 31 March under business as usual.
    placement_mix : ndarray, shape (sample, year, placement)
        Rows sum to 1.
    prices : PlacementPrices
        Of the same year as the accounts.
    population : ndarray, shape (sample, year) or (year,)
        Children aged 0 to 17.
    parameters : Dataset, dims (sample)
        With the ``system.*`` entries.
    years : ndarray of int
        Years ending 31 March.
    observations : Dataset
        Gives the placements of the account's year.

    Returns
    -------
    dict of str to ndarray, shape (sample, year), GBP of the price base
        By part; each is the account of its part times an index that is 1 in the account's year.

    Examples
    --------
    >>> parts = system_cost(accounts, children=children, **drivers)  # doctest: +SKIP
    >>> sum(parts.values())  # doctest: +SKIP
    """
    placed = observations["stock_by_placement"].sel(year=accounts.year, placement=list(PLACEMENTS)).values
    home = PLACEMENTS.index("childrens_home")
    foster = [i for i, p in enumerate(PLACEMENTS) if p.startswith("foster")]
    now = children[..., None] * placement_mix
    home_cost = now[..., home] * prices.path[..., home] / (placed[home] * prices.today[:, None, home])
    before = (placed[foster] * prices.today[:, foster]).sum(-1)[:, None]
    foster_cost = (now[..., foster] * prices.path[..., foster]).sum(-1) / before
    steps = (np.asarray(years) - accounts.year)[None, :]

    def grown(entry: str) -> np.ndarray:
        return np.exp(parameters[entry].values[:, None] * steps)

    heads = np.broadcast_to(population, children.shape) / accounts.population
    index = {
        "homes": home_cost,
        "fostering": foster_cost,
        "other_care": children / accounts.children * grown("system.other_care_growth"),
        "safeguarding": heads * grown("system.safeguarding_growth"),
        "family_support": heads * grown("system.family_support_growth"),
    }
    return {name: accounts.spending[name][:, None] * index[name] for name in PARTS}
