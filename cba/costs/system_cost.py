"""Yearly cost of the system under business as usual: section 251 gross spending, each part with its own driver.

Spending on looked-after children, safeguarding and family support together. Each part is the last published
account times what its driver does and what a unit of the driver costs: homes follow children in homes and their
price, leaving care the young people who left at 16 or over, safeguarding mostly children in need, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.costs.prices import LONG_RUN, PlacementPrices, PriceIndex, unit_cost_path
from cba.dimensions import PLACEMENTS
from cba.models.unit_costs import (
    COSTS,
    HALF_LIFE,
    NAMES,
    NEED,
    simulated_past,
    unit_cost_draws,
    unit_cost_posterior,
)
from cba.models.unit_costs_accounts import (
    DRIVERS,
    GROUPS,
    GUARDIANSHIP_YEARS,
    LEAVER_YEARS,
    PARTS,
    driver_index,
    driver_weights,
    guardianship_orders,
    last_account_year,
    published_drivers,
    published_spending,
)
from cba.projection.care_system import CareSystem

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


# --- What spending follows under business as usual in each future year: children, care leavers, … ---


def running_total(past: np.ndarray, flow: np.ndarray, *, years: int) -> np.ndarray:
    """Sum of a flow over the last years, the year itself included.

    Shape (sample, year). `past` (past year,): flow of the years before the first, oldest first; at least
    ``years - 1`` of them. `flow` (sample, year).
    """
    before = past[past.size - (years - 1) :]
    whole = np.concatenate([np.broadcast_to(before, (flow.shape[0], before.size)), flow], axis=1)
    sums = np.cumsum(np.pad(whole, ((0, 0), (1, 0))), axis=1)
    return sums[:, years:] - sums[:, :-years]


def future_drivers(observations: xr.Dataset, system: CareSystem) -> np.ndarray:
    """Counts of every driver under business as usual. Shape (sample, year, driver)."""
    # Returned: orders are made at the last published rate per child looked after; need is a rate per child of
    # the population with a path of its own.
    seen = published_drivers(observations).isel(year=-1)
    last = int(seen["year"])
    usual = system.baseline.transpose("sample", "year", "age")
    total = usual["children"].values.sum(-1)
    placed = total[..., None] * system.placement_mix
    orders = guardianship_orders(observations).sel(year=slice(None, last)).values
    leaving = observations["ceases_by_age"].sel(age="16_plus", year=slice(None, last)).values
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
        "unaccompanied": usual["unaccompanied"].values,
        "looked_after": total,
        "need": people * float(seen.sel(driver="need") / seen.sel(driver="population")) * rate[:, steps - 1],
        "population": people,
    }
    return np.stack([counts[name] for name in DRIVERS], axis=-1)


# --- The equations of the projection run over the published years, to see whether they give back the … ---


LINES = (*GROUPS, "total")
"""Published group totals and their sum."""


SERVICE = {"homes": "residential_care", "fostering": "fostering"}
"""Parts whose unit cost is a published weekly cost."""


def published_real(observations: xr.Dataset, *, price_base: int) -> xr.DataArray:
    """Spending by part in real terms. Dims (year, part), GBP of the price base."""
    spent = published_spending(observations)
    index = observations["gdp_deflator"]
    prices = index.sel(deflator_year=spent["year"].values).values
    return spent * 1e6 * float(index.sel(deflator_year=price_base)) / xr.DataArray(prices, dims="year")


def _driver_history(observations: xr.Dataset) -> xr.DataArray:
    weights, detail = driver_weights(observations)
    counts = published_drivers(observations)
    return driver_index(counts, weights=weights, reference=counts.sel(year=detail)).transpose("year", "part")


def modelled_history(
    observations: xr.Dataset, *, priors: PriorRegistry, price_base: int, draws: int, seed: int
) -> xr.DataArray:
    """Spending of every published year by the equations of the projection, run back from its starting point.

    ``last account x published driver index x simulated unit cost``; an error of what is published in each
    year, the last one included. `price_base`: year ending 31 March within the published deflator.
    """
    # Dims (sample, year, part), GBP of the price base. `draws`, `seed`: those of the analysis, so that growth
    # and level are the draws of its projection.
    real = published_real(observations, price_base=price_base)
    years = real["year"].values
    index = _driver_history(observations).sel(year=years).values
    back = len(years) - 1
    found = unit_cost_posterior(observations, priors=priors, draws=draws, seed=seed)
    past = simulated_past(found, years=back, seed=[seed, 251])[:, ::-1]
    parts = [
        float(real.sel(part=part)[-1])
        * index[:, column]
        / index[-1, column]
        * np.exp(past[..., COSTS.index(SERVICE.get(part, part))])
        for column, part in enumerate(PARTS)
    ]
    return xr.DataArray(
        np.stack(parts, axis=-1), dims=("sample", "year", "part"), coords={"year": years, "part": list(PARTS)}
    )


def forecast_history(
    observations: xr.Dataset,
    parameters: xr.Dataset,
    *,
    priors: PriorRegistry,
    origin: int,
    price_base: int,
    seed: int,
) -> xr.DataArray:
    """Spending after an earlier year by the equations of the projection, growth estimated from that year back.

    Dims (sample, year, part), GBP of the price base. Years after `origin`.
    """
    # Drivers are the published ones: this tests unit costs, not the number of children.
    real = published_real(observations, price_base=price_base)
    index = _driver_history(observations)
    years = real["year"].values[real["year"].values > origin]
    draws = parameters.sizes["sample"]
    known = parameters[[HALF_LIFE, *LONG_RUN]]
    known = known.merge(unit_cost_draws(observations, priors=priors, draws=draws, seed=seed, until=origin))
    parts = []
    for part in PARTS:
        name = NAMES[SERVICE.get(part, part)]
        path = (
            unit_cost_path(known, (name,), steps=len(years)) * np.exp(known[f"{name}_level"].values)[:, None]
        )
        moved = index.sel(year=years, part=part).values / float(index.sel(year=origin, part=part))
        parts.append(float(real.sel(year=origin, part=part)) * moved * path)
    return xr.DataArray(
        np.stack(parts, axis=-1), dims=("sample", "year", "part"), coords={"year": years, "part": list(PARTS)}
    )


def by_line(parts: xr.DataArray) -> xr.DataArray:
    """Add parts up to the published group totals and their sum.

    Dims (..., line). In the order of `LINES`. `parts`, dims (..., part): amounts by part.
    """
    sums = [parts.sel(part=list(members)).sum("part") for members in GROUPS.values()]
    return xr.concat([*sums, parts.sum("part")], dim=xr.Variable("line", list(LINES))).transpose(..., "line")


MILLION = 1e6


PRICED = {"homes": ("childrens_home", "residential"), "fostering": ("foster_in_house", "fostering")}
"""Parts whose unit cost is a placement price: the placement whose path it is, and the name of the weekly cost."""


@dataclass(frozen=True)
class Accounts:
    """Spending of the last published year."""

    year: int
    spending: dict[str, np.ndarray]  # (1,) or (sample,): by part, GBP of the price base
    drivers: xr.DataArray  # dims (driver): counts of that year
    weights: xr.DataArray  # dims (part, driver): share of each part that follows each driver, in that year


def last_accounts(observations: xr.Dataset, *, price_base: int, prices: PriceIndex) -> Accounts:
    """Split the last published section 251 outturn into its parts.

    Parts add up to looked-after children, safeguarding and family support together.
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

    Shape (sample, year), GBP of the price base. By part: ``account x driver index x unit cost index``.
    `drivers` (sample, year, driver). `parameters`: with the growth, level and surprise of every unit cost.
    """
    # The unit cost index starts at the true level of the last published year, which the published one misses
    # by an error (``*_level``).
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
    """Cost of the system by part under business as usual. Shape (sample, year), GBP of the price base."""
    return system_cost(
        last_accounts(observations, price_base=price_base, prices=prices),
        drivers=future_drivers(observations, system),
        prices=placements,
        parameters=system.parameters,
        years=system.years,
    )
