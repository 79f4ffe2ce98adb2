"""Children of future years: the projection where there is one, else growth from its last year or last estimate."""

from __future__ import annotations

import numpy as np
import xarray as xr

import cba
from cba.projection.business_as_usual import future_population


def test_projected_years_are_those_published_and_the_same_in_every_draw():
    observations = cba.load_observations()
    growth = xr.DataArray(np.array([-0.01, 0.02]), dims="sample")
    found = future_population(observations, years=range(2025, 2054), growth=growth)
    expected = observations["population_projection"].sel(population_year=range(2025, 2054)).values
    np.testing.assert_allclose(found, np.broadcast_to(expected, (2, 29)))
    beyond = future_population(observations, years=[2053, 2054, 2055], growth=growth)
    np.testing.assert_allclose(beyond[:, 2] / beyond[:, 0], np.exp(2 * growth), rtol=1e-12)


def test_without_a_projection_the_last_estimate_grows():
    """The frame of release 2021 has none."""
    observations = cba.load_observations(2021)
    assert not observations["population_projection"].notnull().any()
    growth = xr.DataArray(np.array([0.0, 0.004]), dims="sample")
    found = future_population(observations, years=[2022, 2032], growth=growth)
    last = float(observations["population_0_17"].sel(year=2021))
    np.testing.assert_allclose(found.values, [[last, last], [last * np.exp(0.004), last * np.exp(0.044)]])


def test_the_first_projected_year_follows_the_last_estimate():
    """The projection is rebased to the estimates, so no step of a different base year enters the starts."""
    observations = cba.load_observations()
    last = float(observations["population_0_17"].sel(year=2024))
    none = xr.DataArray(np.zeros(1), dims="sample")
    path = future_population(observations, years=range(2025, 2033), growth=none).values[0]
    steps = np.diff(np.log(np.concatenate([[last], path])))
    assert np.abs(steps).max() < 0.015
