"""Switching values against linear-Gaussian closed forms, and what cannot be reached."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from cba.decisions import switching_value
from cba.errors import InputError

DRAWS = 20_000


@pytest.fixture(scope="module")
def case():
    """Saving is 2x - 2 plus noise of standard deviation 3."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=DRAWS)
    saving = 2 * x - 2 + 3 * rng.normal(size=DRAWS)
    return xr.DataArray(x, dims="sample"), xr.DataArray(saving, dims="sample")


def test_mean(case):
    result = switching_value(*case, statistic="mean", target=0.0)
    assert result.reachable
    assert abs(result.value - 1.0) <= 4 * result.se
    assert result.se < 0.05
    assert result.probability_beyond == pytest.approx(norm.sf(1.0), abs=0.02)


def test_the_side_already_reached(case):
    """Target -4 is crossed at -1: the conclusion changes below it."""
    result = switching_value(*case, statistic="mean", target=-4.0)
    assert abs(result.value + 1.0) <= 4 * result.se
    assert result.probability_beyond == pytest.approx(norm.cdf(-1.0), abs=0.02)


@pytest.mark.parametrize(
    "statistic, shift", [("median", 0.0), (0.5, 0.0), (0.25, norm.ppf(0.25)), (0.9, norm.ppf(0.9))]
)
def test_quantiles(case, statistic, shift):
    """Quantile q of N(2x - 2, 3) is zero at x = 1 - 3 z_q / 2."""
    result = switching_value(*case, statistic=statistic, target=0.0)
    assert abs(result.value - (1.0 - 1.5 * shift)) <= 4 * result.se + 0.05


def test_probability_of_an_event(case):
    """P(saving >= 0 | x) = Phi((2x - 2) / 3) is 0.7 at x = 1 + 1.5 z_0.7."""
    x, saving = case
    result = switching_value(x, (saving >= 0).astype(float), statistic="mean", target=0.7)
    assert abs(result.value - (1.0 + 1.5 * norm.ppf(0.7))) <= 4 * result.se + 0.03


def test_a_statistic_of_ones_own(case):
    result = switching_value(*case, statistic=lambda draws: float(np.mean(draws)), target=0.0)
    assert result.value == pytest.approx(1.0, abs=0.2)
    assert np.isnan(result.se)


def test_a_curve_takes_the_crossing_nearest_the_median():
    x = np.random.default_rng(1).normal(0.5, 1.0, DRAWS)
    outcome = xr.DataArray(x**2 - 4.0, dims="sample")
    result = switching_value(xr.DataArray(x, dims="sample"), outcome, statistic="mean", target=0.0)
    assert result.value == pytest.approx(2.0, abs=0.05)
    assert result.crossings == pytest.approx([-2.0, 2.0], abs=0.1)
    assert result.probability_beyond == pytest.approx(norm.sf(1.5) + norm.cdf(-2.5), abs=0.004)


def test_every_crossing_is_reported_and_the_chance_beyond_is_that_of_the_other_conclusion():
    """y = 1 - x^2 is above zero between -1 and 1, where half of the draws of an even x on (-2, 2) lie."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-2, 2, 6000)
    outcome = xr.DataArray(1 - x**2 + rng.normal(0, 0.3, 6000), dims="sample")
    result = switching_value(xr.DataArray(x, dims="sample"), outcome, statistic="mean", target=0.0)
    assert result.crossings == pytest.approx([-1.0, 1.0], abs=0.05)
    assert result.probability_beyond == pytest.approx(0.5, abs=0.03)
    assert abs(result.value) == pytest.approx(1.0, abs=0.05) and result.value in result.crossings
    assert " and " in str(result) and "0.5" in str(result)


def test_not_reachable(case):
    result = switching_value(*case, statistic="mean", target=50.0)
    assert not result.reachable
    assert np.isnan(result.value)
    assert result.probability_beyond == 0.0
    assert str(result) == "not reachable within the prior's support"


def test_an_input_that_does_not_matter_reaches_nothing(case):
    x, _ = case
    outcome = xr.DataArray(5.0 + np.random.default_rng(2).normal(size=DRAWS), dims="sample")
    assert not switching_value(x, outcome, statistic="mean", target=0.0).reachable


def test_order_of_draws_does_not_matter(case):
    order = np.random.default_rng(3).permutation(DRAWS)
    one = switching_value(*case, statistic="mean", target=0.0)
    two = switching_value(*(array.isel(sample=order) for array in case), statistic="mean", target=0.0)
    assert one.value == pytest.approx(two.value, rel=1e-9)
    assert one.se == pytest.approx(two.se, rel=0.25)  # from other half-samples


@pytest.mark.parametrize(
    "change, statistic, target, expected",
    [
        (lambda x, y: (x, y.isel(sample=slice(1, None))), "mean", 0.0, "not paired"),
        (lambda x, y: (x.where(x > 0), y), "mean", 0.0, "NaN"),
        (lambda x, y: (0 * x, y), "mean", 0.0, "does not vary"),
        (lambda x, y: (x, y), "mode", 0.0, "statistic is not known"),
        (lambda x, y: (x, y), 1.5, 0.0, "statistic is not known"),
        (lambda x, y: (x, y), "mean", np.nan, "target"),
        (lambda x, y: (x[:50], y[:50]), "mean", 0.0, "too few draws"),
    ],
)
def test_bad_input_is_refused(case, change, statistic, target, expected):
    with pytest.raises(InputError, match=expected):
        switching_value(*change(*case), statistic=statistic, target=target)
