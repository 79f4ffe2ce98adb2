"""Starts, ceases and the stock of each published year, predicted a year ahead by a fit that left the year out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit

from cba.dimensions import AGE_BANDS
from cba.models.flow_rates import FlowRates
from cba.models.predictive_checks import YearsLeftOut
from cba.projection.business_as_usual import business_as_usual

QUANTITIES = {
    "stock_change": "Change in children looked after",
    "starts": "Children starting to be looked after",
    "ceases": "Children ceasing to be looked after",
}
"""Totals that are predicted, by name."""


def totals_checks(
    changes: np.ndarray, weighed: YearsLeftOut, *, rates: FlowRates, observations: xr.Dataset, level: float
) -> pd.DataFrame:
    """Hold the published totals of each year against their predictions from the year before.

    Parameters
    ----------
    changes : ndarray, shape (draw, series, change)
        As returned by :func:`cba.models.predictive_checks.replicated_changes`.
    weighed : YearsLeftOut
        Weights that leave each year out.
    rates : FlowRates
    observations : Dataset
        The published series.
    level : float
        Probability of the intervals.

    Returns
    -------
    DataFrame
        ``quantity``, ``label``, ``year``, ``published``, ``expected``, ``lower``, ``upper`` (children), ``pit``
        (probability of a figure no larger) and ``inside``.

    Examples
    --------
    >>> totals_checks(changes, weighed, rates=rates, observations=known, level=0.9)["pit"].max() <= 1  # doctest: +SKIP
    True
    """
    predicted = _predicted(changes, rates=rates, observations=observations)
    published = _published(rates, observations)
    tails = (1.0 - level) / 2.0, (1.0 + level) / 2.0
    rows = []
    for name, label in QUANTITIES.items():
        for place, year in enumerate(rates.years[1:]):
            draws, weights = predicted[name][:, place], weighed.weights[:, place]
            found = float(published[name][place])
            lower, upper = weighted_quantiles(draws, weights, tails)
            pit = float(weights[draws <= found].sum())
            inside = lower <= found <= upper
            rows.append((name, label, int(year), found, weights @ draws, lower, upper, pit, inside))
    columns = ["quantity", "label", "year", "published", "expected", "lower", "upper", "pit", "inside"]
    return pd.DataFrame(rows, columns=columns)


def weighted_quantiles(draws: np.ndarray, weights: np.ndarray, ends: tuple[float, ...]) -> list[float]:
    """Return quantiles of weighted draws.

    Parameters
    ----------
    draws, weights : ndarray, shape (draw,)
        Weights sum to 1.
    ends : tuple of float
        In (0, 1).

    Returns
    -------
    list of float

    Examples
    --------
    >>> [round(value, 6) for value in weighted_quantiles(np.arange(5.0), np.full(5, 0.2), (0.5,))]
    [2.0]
    """
    order = np.argsort(draws)
    middle = np.cumsum(weights[order]) - 0.5 * weights[order]
    return [float(np.interp(end, middle, draws[order])) for end in ends]


def _predicted(changes: np.ndarray, *, rates: FlowRates, observations: xr.Dataset) -> dict[str, np.ndarray]:
    """Roll every published 31 March one year on, (draw, change); all years at once, as so many samples."""
    draws, _, years = changes.shape
    next_rates = (rates.values[:, :-1] + changes).transpose(0, 2, 1).reshape(draws * years, -1)
    before, people = _stocks(rates, observations), _people(rates, observations)
    fit = xr.DataTree.from_dict(
        {
            "constant_data": xr.Dataset(
                {
                    "stock": (("sample", "age"), np.tile(before[:-1], (draws, 1))),
                    "uasc_share": ("age", rates.uasc_share),
                },
                coords={"age": list(AGE_BANDS)},
            )
        }
    )
    population = xr.DataArray(np.tile(people, draws)[:, None], dims=("sample", "year"), coords={"year": [1]})
    rolled = business_as_usual(fit, _as_rates(next_rates), population)
    each = {
        name: rolled[source].sum("age").values.reshape(draws, years)
        for name, source in (("starts", "starts"), ("ceases", "ceases"), ("stock", "children"))
    }
    each["stock_change"] = each.pop("stock") - before[:-1].sum(axis=1)
    return each


def _as_rates(values: np.ndarray) -> xr.Dataset:
    """Return log rates and log odds (sample, series) as the projection reads them, one year each."""
    ageing = np.zeros((len(values), 1, 5))
    ageing[:, 0, 1:4] = expit(values[:, 10:13])
    by_age = ("sample", "year", "age")
    return xr.Dataset(
        {
            "start_rate": (by_age, np.exp(values[:, None, 0:5])),
            "exit": (by_age, expit(values[:, None, 5:10])),
            "ageing": (by_age, ageing),
            "stay": (("sample", "year"), expit(values[:, 13:14])),
            "closure_rate": (("sample", "year"), np.exp(values[:, 14:15])),
            "uasc_starts": (("sample", "year"), np.exp(values[:, 15:16])),
        },
        coords={"year": [1], "age": list(AGE_BANDS)},
    )


def _stocks(rates: FlowRates, observations: xr.Dataset) -> np.ndarray:
    """Children by age at each 31 March of the series, (year, age)."""
    return observations["stock_by_age"].sel(age=list(AGE_BANDS), year=rates.years).values.astype(float)


def _people(rates: FlowRates, observations: xr.Dataset) -> np.ndarray:
    return observations["population_0_17"].sel(year=rates.years[1:]).values.astype(float)


def _published(rates: FlowRates, observations: xr.Dataset) -> dict[str, np.ndarray]:
    by_age = observations[["starts_by_age", "ceases_by_age"]].sel(age=list(AGE_BANDS), year=rates.years[1:])
    return {
        "stock_change": np.diff(_stocks(rates, observations).sum(axis=1)),
        "starts": by_age["starts_by_age"].sum("age").values,
        "ceases": by_age["ceases_by_age"].sum("age").values,
    }
