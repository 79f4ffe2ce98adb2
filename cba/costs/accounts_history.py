"""The equations of the projection run over the published years, to see whether they give back the accounts.

Two runs. Backwards from the projection's own starting point to 2012-13, with the published drivers and prices
and nothing fitted to a single year. And forwards from earlier years, with growth estimated only from what was
known then, which the estimate has not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.costs.unit_cost_paths import LONG_RUN, unit_cost_path
from cba.models.unit_costs import COSTS, HALF_LIFE, NAMES, unit_cost_draws, unit_cost_posterior
from cba.models.unit_costs_accounts import GROUPS, PARTS, driver_index, driver_weights, published_spending
from cba.models.unit_costs_drivers import published_drivers
from cba.models.unit_costs_process import simulated_past

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

LINES = (*GROUPS, "total")
"""Published group totals and their sum."""

SERVICE = {"homes": "residential_care", "fostering": "fostering"}
"""Parts whose unit cost is a published weekly cost."""


def published_real(observations: xr.Dataset, *, price_base: int) -> xr.DataArray:
    """Spending by part in real terms.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    price_base : int
        Year ending 31 March within the published deflator.

    Returns
    -------
    DataArray, dims (year, part), GBP of the price base

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> real = published_real(load_observations(2024), price_base=2024)
    >>> round(float(real.sel(year=2013).sum()) / 1e9, 2)
    8.64
    """
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

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    priors : PriorRegistry
        As for :func:`cba.models.unit_costs.unit_cost_posterior`.
    price_base : int
        Year ending 31 March within the published deflator.
    draws, seed : int
        Those of the analysis, so that growth and level are the draws of its projection.

    Returns
    -------
    DataArray, dims (sample, year, part), GBP of the price base
        ``last account x published driver index x simulated unit cost``; an error of what is published in each
        year, the last one included.

    Examples
    --------
    >>> modelled_history(observations, priors=priors, price_base=2024, draws=1000, seed=0)  # doctest: +SKIP
    """
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

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    parameters : Dataset, dims (sample)
        Gives the half-life of growth and the long-run growth; its draws must be those of `seed`.
    priors : PriorRegistry
        As for :func:`cba.models.unit_costs.unit_cost_posterior`.
    origin : int
        Last year whose accounts and unit costs are known; from 2019, three yearly changes of the latter.
    price_base : int
        Year ending 31 March within the published deflator.
    seed : int
        Seed of the analysis.

    Returns
    -------
    DataArray, dims (sample, year, part), GBP of the price base
        Years after `origin`. Drivers are the published ones: this tests unit costs, not the number of children.

    Raises
    ------
    InputError
        If fewer than three yearly changes are known at the origin.

    Examples
    --------
    >>> forecast_history(observations, parameters, priors=priors, origin=2020, **base)  # doctest: +SKIP
    """
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

    Parameters
    ----------
    parts : DataArray, dims (..., part)
        Amounts by part.

    Returns
    -------
    DataArray, dims (..., line)
        In the order of :data:`LINES`.

    Examples
    --------
    >>> six = xr.DataArray([1.0, 1.0, 1.0, 1.0, 5.0, 7.0], dims="part", coords={"part": list(PARTS)})
    >>> by_line(six).values.tolist()
    [4.0, 5.0, 7.0, 16.0]
    """
    sums = [parts.sel(part=list(members)).sum("part") for members in GROUPS.values()]
    return xr.concat([*sums, parts.sum("part")], dim=xr.Variable("line", list(LINES))).transpose(..., "line")
