"""Switching values against linear-Gaussian closed forms, and what cannot be reached."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from cba.decisions import switching_value
from cba.decisions.ratios import _crossing
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


@pytest.mark.parametrize("target", [-9.99, -3.0, 9.99])
def test_the_curve_goes_on_straight_to_the_furthest_draw_on_either_side(target):
    """Of 2,001 even values from -10 to 10 the outermost bins have their means at about 9.9."""
    x = xr.DataArray(np.linspace(-10.0, 10.0, 2_001), dims="sample")
    result = switching_value(x, 2.0 * x, statistic="mean", target=2.0 * target)
    assert result.reachable and result.value == pytest.approx(target, abs=1e-6)
    assert result.probability_beyond == pytest.approx((10.0 - abs(target)) / 20.0, abs=2e-3)
    assert not switching_value(x, 2.0 * x, statistic="mean", target=20.001).reachable


@pytest.mark.parametrize("draws, width", [(2_000, 100), (800, 64)])
def test_a_statistic_of_ones_own_is_taken_over_windows_of_neighbours(draws, width):
    """A twentieth of the draws, at least 64, at 41 places: a plain loop finds where their mean outcome is 0."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=draws)
    y = x + 0.3 * rng.normal(size=draws)
    starts = [int(place * (draws - width) / 40) for place in range(41)]
    order = np.argsort(x)
    middle = np.array([x[order[start : start + width]].mean() for start in starts])
    means = np.array([y[order[start : start + width]].mean() for start in starts])
    (before,) = (i for i in range(40) if means[i] < 0 < means[i + 1])
    root = float(np.interp(0.0, means[before : before + 2], middle[before : before + 2]))
    pair = (xr.DataArray(values, dims="sample") for values in (x, y))
    result = switching_value(*pair, statistic=lambda draws: float(draws.mean()), target=0.0)
    assert result.crossings == pytest.approx((root,), rel=1e-9)


def test_crossings_and_what_lies_beyond_them_by_hand():
    """Over -4 to 4 the curve is 2, 1, -1, -1, 3: it crosses at -1 and 2.5 and is below 0 in between."""
    points = np.array([-4.0, -2.0, 0.0, 2.0, 4.0])
    curve, error = np.array([2.0, 1.0, -1.0, -1.0, 3.0]), np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    values = np.linspace(-4.0, 4.0, 81)
    found = _crossing(values, points, curve, error)
    assert found.crossings == pytest.approx((-1.0, 2.5))
    assert found.value == pytest.approx(-1.0)  # 30 of 81 draws are below it, 65 below the other
    assert found.se == pytest.approx(0.2 * 2.0 / 2.0)  # error there over the slope
    assert found.probability_beyond == pytest.approx((31 + 16) / 81)
    turned = _crossing(values, points, curve[::-1], error)
    assert turned.value == pytest.approx(1.0) and turned.se == pytest.approx(0.3 * 2.0 / 2.0)
    assert _crossing(values, points, np.zeros(5), error).reachable is False
    touching = _crossing(values, points, np.array([2.0, 1.0, 0.0, 1.0, 2.0]), error)
    assert touching.crossings == pytest.approx((0.0,)) and touching.probability_beyond == 0.0
    jump = _crossing(np.array([0.0, 1.0]), np.array([0.0, 0.0, 1.0]), np.array([-1.0, 1.0, 2.0]), error[:3])
    assert jump.value == 0.0 and np.isnan(jump.se)


@pytest.mark.parametrize("statistic", [0.0, 1.0])
def test_the_lowest_and_the_highest_are_no_quantiles(case, statistic):
    with pytest.raises(InputError, match="statistic is not known"):
        switching_value(*case, statistic=statistic, target=0.0)


def test_an_input_of_five_values_crosses_between_two_of_them():
    """Below at the lowest value and above at the others: one crossing, half-way, and none at the end."""
    x = np.repeat(np.arange(5.0), 100)
    pair = (xr.DataArray(values, dims="sample") for values in (x, np.where(x > 0, 1.0, -1.0)))
    result = switching_value(*pair, statistic="mean", target=0.0)
    assert result.crossings == pytest.approx((0.5,), abs=0.1)
    assert result.probability_beyond == pytest.approx(0.2)


def test_an_outcome_at_its_target_counts_as_reaching_no_further():
    """P(outcome <= 0 | x) of an outcome of 0 and 1 is Phi(-x): 0.3 at x = 0.524."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=DRAWS)
    event = (rng.normal(size=DRAWS) < x).astype(float)
    pair = (xr.DataArray(values, dims="sample") for values in (x, event))
    result = switching_value(*pair, statistic=0.3, target=0.0)
    assert result.value == pytest.approx(-norm.ppf(0.3), abs=4 * result.se + 0.02)
