"""Recent real growth of every unit cost, estimated from the published series of one release.

Growth is estimated in two sets of costs: the published weekly costs (children's homes, fostering, all children in
care), and what the other parts of section 251 spending cost per unit of their driver, beside the need for help.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.models.normal_priors import normal_settings
from cba.models.unit_costs_accounts import (
    PARTS,
    driver_index,
    driver_weights,
    last_account_year,
    published_spending,
)
from cba.models.unit_costs_drivers import published_drivers
from cba.models.unit_costs_growth import SHARES, JointGrowth, joined, joint_growth

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

NEED = "need_rate"
"""Children in need per child of the population: a driver that moves, estimated beside the costs."""

SETS: Mapping[str, tuple[str, ...]] = {
    "unit_costs": ("residential_care", "fostering", "cla_all"),
    "system": (*PARTS[2:], NEED),
}
"""Costs whose growth is estimated together: services with a published weekly cost; parts of spending per driver."""

COSTS = tuple(cost for costs in SETS.values() for cost in costs)
"""All of them, in order."""

NAMES: Mapping[str, str] = {
    "residential_care": "unit_costs.residential",
    "fostering": "unit_costs.fostering",
    **{cost: f"system.{cost}" for cost in SETS["system"]},
}
"""Cost to the first part of the names of its parameters."""

HALF_LIFE = "unit_costs.growth_half_life"


def cost_history(observations: xr.Dataset, *, costs: str) -> xr.DataArray:
    """Log real costs of one set in each published year.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    costs : {"unit_costs", "system"}
        Which set: weekly costs from 2015-16, or spending per unit of driver from 2012-13.

    Returns
    -------
    DataArray, dims (year, cost), log; only differences over years mean anything

    Raises
    ------
    InputError
        If the release lacks a series, or a year of one.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> homes = cost_history(load_observations(2024), costs="unit_costs").sel(cost="residential_care")
    >>> round(100 * float(np.expm1((homes.sel(year=2024) - homes.sel(year=2016)) / 8)), 1)
    6.2
    """
    last = last_account_year(observations)
    if costs == "unit_costs":
        known = observations["unit_cost_weekly"].sel(service=list(SETS[costs]), year=slice(None, last))
        table = known.dropna("year", how="all").transpose("year", "service")
    else:
        table = _spending_per_driver(observations)
    years = table["year"].values
    if not np.isfinite(table.values).all() or not (np.diff(years) == 1).all():
        raise InputError(
            "a cost has a gap",
            field="unit_cost_weekly" if costs == "unit_costs" else "spending",
            found=f"years {years.tolist()}, {int((~np.isfinite(table.values)).sum())} values missing",
            allowed="consecutive years, complete",
            cause="a gap in the series",
            remedy="complete the series",
        )
    real = np.log(table.values)
    prices = np.log(observations["gdp_deflator"].sel(deflator_year=years).values)
    names = list(SETS[costs])
    real -= prices[:, None] * np.array([name != NEED for name in names])
    return xr.DataArray(real, dims=("year", "cost"), coords={"year": years, "cost": names})


def _spending_per_driver(observations: xr.Dataset) -> xr.DataArray:
    """Cash spending per unit of driver, and children in need per child, (year, cost)."""
    spent, counts = published_spending(observations), published_drivers(observations)
    weights, detail = driver_weights(observations)
    missing = sorted({*map(int, spent["year"])} - {*map(int, counts["year"])})
    if missing:
        raise InputError(
            "spending and what drives it are not published for the same years",
            field="spending",
            found=f"no driver in {missing}",
            allowed="every year from 2012-13 to the last with unit costs",
            cause="a gap in a series",
            remedy="complete the series",
        )
    index = driver_index(counts, weights=weights, reference=counts.sel(year=detail)).sel(year=spent["year"])
    rate = counts.sel(driver="need", drop=True) / counts.sel(driver="population", drop=True)
    per_unit = (spent / index).sel(part=list(SETS["system"][:-1])).transpose("year", "part")
    table = np.column_stack([per_unit.values, rate.sel(year=spent["year"]).values])
    return xr.DataArray(table, dims=("year", "cost"), coords={"year": spent["year"].values})


def unit_cost_posterior(
    observations: xr.Dataset, *, priors: PriorRegistry, draws: int, seed: int, until: int | None = None
) -> JointGrowth:
    """Draw growth today, level and covariance of every cost, given their history.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    priors : PriorRegistry
        Needs ``unit_costs.real_growth`` and ``unit_costs.yearly_change``, normals, and the half-life of growth,
        whose own draws for `seed` are used, so that growth and its half-life stay paired.
    draws, seed : int
        Number of draws and their seed.
    until : int, optional
        Last year of history to use; the newest when left out.

    Returns
    -------
    JointGrowth
        Columns in the order of :data:`COSTS`.

    Raises
    ------
    InputError
        If a series has a gap or there are fewer than three yearly changes.

    Examples
    --------
    Homes grew by 4.4% a year to 2020-21 and 9.5% since; what lasts of that lies between.

    >>> import cba
    >>> found = unit_cost_posterior(cba.load_observations(), priors=cba.load_priors(), draws=500, seed=0)
    >>> bool(0.044 < found.growth[:, COSTS.index("residential_care")].mean() < 0.095)
    True
    """
    prior_mean, prior_sd = normal_settings(priors, "unit_costs.real_growth")
    _, change_sd = normal_settings(priors, "unit_costs.yearly_change")
    half_life = dataclasses.replace(priors, entries={HALF_LIFE: priors[HALF_LIFE]}).sample(draws, seed)[
        HALF_LIFE
    ]
    histories = [cost_history(observations, costs=costs).sel(year=slice(None, until)) for costs in SETS]
    sets = tuple(
        joint_growth(
            np.diff(history.values, axis=0),
            prior_mean=np.where(
                history["cost"].values == NEED, 0.0, prior_mean
            ),  # a rate has no prices in it
            prior_sd=prior_sd,
            change_sd=change_sd,
            half_life=half_life.values,
            seed=[seed, number],
        )
        for number, history in enumerate(histories)
    )
    shared = xr.concat(histories, dim="cost", join="inner").transpose("year", "cost").values
    return joined(sets, np.diff(shared, axis=0), change_sd=change_sd, seed=[seed, len(sets)])


def unit_cost_draws(
    observations: xr.Dataset, *, priors: PriorRegistry, draws: int, seed: int, until: int | None = None
) -> xr.Dataset:
    """Parameters of the paths of all unit costs, ready to join the other draws.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    priors : PriorRegistry
        As for :func:`unit_cost_posterior`.
    draws, seed : int
        Number of draws and their seed.
    until : int, optional
        Last year of history to use; the newest when left out.

    Returns
    -------
    Dataset, dims (sample)
        For each cost of :data:`NAMES` ``*_growth``, log points a year today; ``*_level``, true less published
        cost of the last year, log points; and ``*_surprise``, what no equation foresees, log points at the size
        of one year's change. For each set ``*.lasting_share`` and ``*.error_share`` of a change's variance.

    Raises
    ------
    InputError
        If a series has a gap or there are fewer than three yearly changes.

    Notes
    -----
    A cost h years ahead is multiplied by exp(surprise x spread(h)), so its spread in each year is that of the
    process; within a draw one surprise serves all years.

    Examples
    --------
    >>> import cba
    >>> drawn = unit_cost_draws(cba.load_observations(), priors=cba.load_priors(), draws=100, seed=0)
    >>> drawn["system.leaving_care_growth"].dims
    ('sample',)
    """
    found = unit_cost_posterior(observations, priors=priors, draws=draws, seed=seed, until=until)
    noise = np.random.default_rng([seed, len(SETS) + 1]).standard_normal((draws, len(COSTS), 1))
    surprise = (np.linalg.cholesky(found.covariance) @ noise)[..., 0]
    columns: dict[str, np.ndarray] = {}
    for cost, name in NAMES.items():
        position = COSTS.index(cost)
        columns[f"{name}_growth"] = found.growth[:, position]
        columns[f"{name}_level"] = found.level[:, position]
        columns[f"{name}_surprise"] = surprise[:, position]
    for costs, members in SETS.items():
        columns[f"{costs}.lasting_share"] = found.lasting[:, COSTS.index(members[0])]
        columns[f"{costs}.error_share"] = found.error[:, COSTS.index(members[0])]
    return xr.Dataset({name: ("sample", values) for name, values in columns.items()})


def prior_unit_cost_draws(priors: PriorRegistry, *, draws: int, seed: int) -> xr.Dataset:
    """Parameters of the paths of all unit costs before any published series.

    Parameters
    ----------
    priors : PriorRegistry
        Needs ``unit_costs.real_growth`` and ``unit_costs.yearly_change``, normals.
    draws, seed : int
        Number of draws and their seed.

    Returns
    -------
    Dataset, dims (sample)
        The same variables as :func:`unit_cost_draws`; published levels are taken as true.

    Examples
    --------
    >>> import cba
    >>> drawn = prior_unit_cost_draws(cba.load_priors(), draws=10_000, seed=0)
    >>> round(float(drawn["unit_costs.fostering_growth"].std()), 2)
    0.04
    """
    prior_mean, prior_sd = normal_settings(priors, "unit_costs.real_growth")
    _, change_sd = normal_settings(priors, "unit_costs.yearly_change")
    rng = np.random.default_rng([seed, len(SETS) + 2])
    columns: dict[str, np.ndarray] = {}
    for cost, name in NAMES.items():
        centre = 0.0 if cost == NEED else prior_mean
        columns[f"{name}_growth"] = centre + prior_sd * rng.standard_normal(draws)
        columns[f"{name}_level"] = np.zeros(draws)
        columns[f"{name}_surprise"] = change_sd * rng.standard_normal(draws)
    for costs in SETS:
        chosen = np.array(SHARES)[rng.integers(len(SHARES), size=draws)]
        columns[f"{costs}.lasting_share"], columns[f"{costs}.error_share"] = chosen.T
    return xr.Dataset({name: ("sample", values) for name, values in columns.items()})
