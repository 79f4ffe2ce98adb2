"""Recent real growth of a published unit cost: a conjugate normal estimate from its yearly changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.models.normal_priors import normal_settings

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry


def real_changes(series: xr.DataArray, deflator: xr.DataArray) -> np.ndarray:
    """Yearly log changes of a cash series in real terms.

    Parameters
    ----------
    series : DataArray, dims (year)
        Cash amounts; years without a value are left out, the others must be consecutive.
    deflator : DataArray, dims (deflator_year)
        GDP deflator index.

    Returns
    -------
    ndarray, shape (changes,)
        log(cost_t / cost_{t-1}) - log(deflator_t / deflator_{t-1}).

    Raises
    ------
    InputError
        If fewer than two years are known, or a year between them is missing.

    Examples
    --------
    >>> cash = xr.DataArray([100.0, 110.0], dims="year", coords={"year": [2023, 2024]})
    >>> index = xr.DataArray([95.0, 100.0], dims="deflator_year", coords={"deflator_year": [2023, 2024]})
    >>> real_changes(cash, index).round(4).tolist()
    [0.044]
    """
    known = series.dropna("year")
    years = known["year"].values
    if len(years) < 2 or not (np.diff(years) == 1).all():
        raise InputError(
            "a unit cost has no two consecutive years",
            field=str(series.name),
            found=years.tolist(),
            allowed="consecutive years",
            cause="a gap in the series",
            remedy="complete the series",
        )
    real = np.log(known.values) - np.log(deflator.sel(deflator_year=years).values)
    return np.diff(real)


def growth_posterior(
    changes: np.ndarray, *, prior_mean: float, prior_sd: float, variance: float | np.ndarray | None = None
) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Mean and standard deviation of the growth rate given its yearly changes.

    Parameters
    ----------
    changes : ndarray
        Yearly real log changes.
    prior_mean, prior_sd : float
        Normal prior of the growth rate.
    variance : float or ndarray, optional
        Variance of a yearly change; that of the changes themselves (at least three) when left out.

    Returns
    -------
    mean, sd : float or ndarray
        Normal posterior given the variance.

    Raises
    ------
    InputError
        If there are fewer than three changes.

    Examples
    --------
    A prior much wider than the data leaves the plain mean and its standard error.

    >>> mean, sd = growth_posterior(np.array([0.04, 0.06, 0.05]), prior_mean=0.0, prior_sd=1e6)
    >>> round(float(mean), 4), round(float(sd), 4)
    (0.05, 0.0058)
    """
    if changes.size < 3:
        raise InputError(
            "too few yearly changes to estimate growth",
            field="unit_cost_weekly",
            found=changes.size,
            allowed="3 or more",
            cause="an early release",
            remedy="choose a later release",
        )
    error = (changes.var(ddof=1) if variance is None else variance) / changes.size
    weight = 1.0 / error + 1.0 / prior_sd**2
    return (changes.mean() / error + prior_mean / prior_sd**2) / weight, np.sqrt(1.0 / weight)


def real_growth_draws(
    observations: xr.Dataset, *, service: str, priors: PriorRegistry, draws: int, seed: int
) -> np.ndarray:
    """Draws of the recent real growth of one service's unit cost.

    Parameters
    ----------
    observations : Dataset
        Gives ``unit_cost_weekly`` (year, service), GBP cash, and ``gdp_deflator`` (deflator_year).
    service : str
        One of the services of ``unit_cost_weekly``.
    priors : PriorRegistry
        Needs ``unit_costs.real_growth``, a normal.
    draws, seed : int
        Number of draws and their seed; each service has a stream of its own.

    Returns
    -------
    ndarray, shape (sample,), log points a year
        The variance of a yearly change is drawn from its scaled inverse chi-squared law first, so that a short
        series gives wide draws.

    Raises
    ------
    InputError
        If the series has a gap or fewer than three yearly changes.

    Examples
    --------
    >>> import cba
    >>> known, priors = cba.load_observations(), cba.load_priors()
    >>> grown = real_growth_draws(known, service="fostering", priors=priors, draws=1000, seed=0)
    >>> bool(-0.03 < grown.mean() < 0.02)
    True
    """
    changes = real_changes(
        observations["unit_cost_weekly"].sel(service=service), observations["gdp_deflator"]
    )
    prior_mean, prior_sd = normal_settings(priors, "unit_costs.real_growth")
    stream = np.random.default_rng([seed, sum(service.encode())])
    degrees = changes.size - 1
    variance = degrees * changes.var(ddof=1) / stream.chisquare(degrees, draws)
    mean, sd = growth_posterior(changes, prior_mean=prior_mean, prior_sd=prior_sd, variance=variance)
    return mean + sd * stream.standard_normal(draws)
