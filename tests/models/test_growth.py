"""Real growth of unit costs: closed forms, and the growth the published series show."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import cba
from cba.errors import InputError
from cba.models.growth import growth_posterior, real_changes, real_growth_draws


@pytest.fixture(scope="module")
def observations():
    return cba.load_observations()


def series(values, years, dim="year"):
    return xr.DataArray(np.array(values, dtype=float), dims=dim, coords={dim: years}, name="unit_cost_weekly")


def test_a_cost_that_keeps_pace_with_prices_does_not_grow():
    years = list(range(2016, 2022))
    index = 100 * 1.03 ** np.arange(6)
    changes = real_changes(series(7 * index, years), series(index, years, dim="deflator_year"))
    np.testing.assert_allclose(changes, 0.0, atol=1e-12)


def test_changes_are_logs_and_the_base_of_the_index_does_not_matter():
    years = [2020, 2021, 2022]
    cost, index = series([100, 120, 90], years), series([50, 55, 60.5], years, dim="deflator_year")
    expected = np.log([120 / 100 / 1.1, 90 / 120 / 1.1])
    np.testing.assert_allclose(real_changes(cost, index), expected, rtol=1e-12)
    np.testing.assert_allclose(real_changes(cost, 37 * index), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "first, last, service, stated, room",
    [
        (2016, 2024, "residential_care", 6.2, 0.1),
        (2021, 2024, "residential_care", 9.5, 0.15),
        (2016, 2021, "residential_care", 4.5, 0.2),
        (2016, 2024, "fostering", -0.5, 0.1),
    ],
)
def test_published_series_grow_as_stated(observations, first, last, service, stated, room):
    """Real growth, per cent a year. To 2021 the series and the deflator in use give 4.35, stated as 4.5."""
    cost = observations["unit_cost_weekly"].sel(service=service, year=slice(first, last))
    changes = real_changes(cost, observations["gdp_deflator"])
    assert changes.size == last - first
    found = 100 * np.expm1(changes.mean())
    assert found == pytest.approx(stated, abs=room)
    cash = float(cost[-1] / cost[0])
    prices = float(observations["gdp_deflator"].sel(deflator_year=last)) / float(
        observations["gdp_deflator"].sel(deflator_year=first)
    )
    assert found == pytest.approx(100 * ((cash / prices) ** (1 / (last - first)) - 1), rel=1e-9)


def test_posterior_is_the_normal_product():
    """Quadrature: prior density times likelihood of the mean, on a grid."""
    changes = np.array([0.02, 0.07, 0.05, 0.11])
    mean, sd = growth_posterior(changes, prior_mean=0.02, prior_sd=0.03)
    grid = np.linspace(-0.5, 0.5, 200_001)
    se = changes.std(ddof=1) / 2
    density = np.exp(-0.5 * ((grid - 0.02) / 0.03) ** 2 - 0.5 * ((grid - changes.mean()) / se) ** 2)
    density /= density.sum()
    assert mean == pytest.approx(density @ grid, rel=1e-9)
    assert sd == pytest.approx(np.sqrt(density @ (grid - mean) ** 2), rel=1e-7)


def test_a_firm_prior_and_a_vague_one_bound_the_answer():
    changes = np.array([0.02, 0.07, 0.05, 0.11])
    assert growth_posterior(changes, prior_mean=0.3, prior_sd=1e-9)[0] == pytest.approx(0.3, abs=1e-6)
    vague = growth_posterior(changes, prior_mean=0.3, prior_sd=1e6)
    assert vague[0] == pytest.approx(changes.mean(), abs=1e-6)
    assert vague[1] == pytest.approx(changes.std(ddof=1) / 2, rel=1e-6)


def mixed_over_the_variance(changes, prior):
    """Mean and sd over the scaled inverse chi-squared law of the variance, by its quantiles."""
    degrees = changes.size - 1
    grid = (np.arange(200_000) + 0.5) / 200_000
    variance = degrees * changes.var(ddof=1) / stats.chi2.ppf(grid, degrees)
    error = variance / changes.size
    weight = 1 / error + 1 / prior["sigma"] ** 2
    centre = (changes.mean() / error + prior["mu"] / prior["sigma"] ** 2) / weight
    return centre.mean(), np.sqrt((1 / weight).mean() + centre.var())


def test_draws_follow_the_posterior_and_each_service_has_its_own(observations):
    priors = cba.load_priors()
    settings = {"priors": priors, "draws": 20_000, "seed": 0}
    found = {
        s: real_growth_draws(observations, service=s, **settings) for s in ("fostering", "residential_care")
    }
    for service, draws in found.items():
        changes = real_changes(
            observations["unit_cost_weekly"].sel(service=service), observations["gdp_deflator"]
        )
        prior = priors["unit_costs.real_growth"].parameters
        mean, sd = mixed_over_the_variance(changes, prior)
        assert abs(draws.mean() - mean) < 4 * sd / np.sqrt(draws.size)
        fourth = ((draws - draws.mean()) ** 4).mean()
        assert abs(draws.var() - sd**2) < 4 * np.sqrt((fourth - sd**4) / draws.size)
        assert sd > growth_posterior(changes, prior_mean=prior["mu"], prior_sd=prior["sigma"])[1]
        np.testing.assert_array_equal(draws, real_growth_draws(observations, service=service, **settings))
    assert abs(np.corrcoef(found["fostering"], found["residential_care"])[0, 1]) < 4 / np.sqrt(20_000)


@pytest.mark.parametrize(
    "values, years", [([1, 2], [2016, 2018]), ([1], [2016]), ([1, np.nan, 3], [2016, 2017, 2018])]
)
def test_a_gap_is_refused(values, years):
    with pytest.raises(InputError, match="no two consecutive years") as caught:
        real_changes(series(values, years), series(np.ones(5), range(2015, 2020), dim="deflator_year"))
    assert "unit_cost_weekly" in str(caught.value) and "complete the series" in str(caught.value)


def test_two_changes_are_too_few():
    with pytest.raises(InputError, match="too few yearly changes") as caught:
        growth_posterior(np.array([0.1, 0.2]), prior_mean=0.0, prior_sd=1.0)
    assert "3 or more" in str(caught.value)
