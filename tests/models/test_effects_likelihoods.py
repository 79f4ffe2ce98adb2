"""Densities of arms and intervals against SciPy, and the algebra of risks against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats

from cba.models.studies import (
    arm_log_density,
    interval_log_density,
    log_normal_cdf,
    risks_from_difference,
    risks_from_ratio,
    seen_draw,
    seen_interval_log_density,
    seen_log_density,
)


def value(tensor):
    return np.asarray(tensor.eval(mode="FAST_COMPILE"))


def constant(number):
    return pt.constant(np.asarray(number, dtype=float))


@pytest.mark.parametrize("log_ratio", [-3.0, -0.2, 0.0, 0.7, 4.0])
@pytest.mark.parametrize("log_odds_product", [-9.0, -2.0, 0.0, 3.0])
def test_risks_have_the_ratio_and_the_odds_product(log_ratio, log_odds_product):
    treated, control = map(value, risks_from_ratio(constant(log_ratio), constant(log_odds_product)))
    assert 0 < control < 1 and 0 < treated < 1
    assert math.log(treated / control) == pytest.approx(log_ratio, abs=1e-9)
    odds = treated / (1 - treated) * control / (1 - control)
    assert math.log(odds) == pytest.approx(log_odds_product, abs=1e-7)


@pytest.mark.parametrize("difference", [-0.9, -0.1, 0.0, 0.06, 0.8])
@pytest.mark.parametrize("log_odds_product", [-5.0, 0.0, 2.2])
def test_risks_have_the_difference_and_the_odds_product(difference, log_odds_product):
    treated, control = map(value, risks_from_difference(constant(difference), constant(log_odds_product)))
    assert 0 < control < 1 and 0 < treated < 1
    assert treated - control == pytest.approx(difference, abs=1e-9)
    odds = treated / (1 - treated) * control / (1 - control)
    assert math.log(odds) == pytest.approx(log_odds_product, abs=1e-6)


@pytest.mark.parametrize("events, people", [(0, 99), (1, 99), (25, 760), (760, 760)])
def test_one_arm_is_the_binomial(events, people):
    risks = np.array([0.01, 0.03, 0.4])
    found = value(arm_log_density(constant(events), constant(people), constant(risks), constant(1.0)))
    np.testing.assert_allclose(found, stats.binom(people, risks).logpmf(events), rtol=1e-10)


def test_with_a_flat_risk_the_posterior_is_the_beta_of_effective_counts():
    """Deviance over D: the posterior of the risk is Beta(e/D + 1, (n - e)/D + 1), so its variance grows by D."""
    n, share, design = 4000.0, 0.3, 2.5
    grid = np.linspace(0.2, 0.4, 2001)
    logs = value(arm_log_density(constant(n * share), constant(n), constant(grid), constant(design)))
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    exact = stats.beta(n * share / design + 1, n * (1 - share) / design + 1)
    mean = weight @ grid
    assert mean == pytest.approx(exact.mean(), abs=1e-8)
    sd = math.sqrt(weight @ (grid - mean) ** 2)
    assert sd == pytest.approx(exact.std(), rel=1e-6)
    assert sd == pytest.approx(math.sqrt(design * share * (1 - share) / n), rel=0.002)  # the normal limit


def test_one_arm_alone_teaches_nothing_about_the_design_effect():
    """With the risk free the likelihood, integrated over it, is the same whatever D: it is not identified."""
    grid = np.linspace(0.15, 0.45, 1201)
    mass = []
    for design in (1.0, 2.0, 5.0):
        logs = value(arm_log_density(constant(900.0), constant(3000.0), constant(grid), constant(design)))
        mass.append(integrate.trapezoid(np.exp(logs), grid))
    np.testing.assert_allclose(mass, mass[0], rtol=0.01)


@pytest.mark.parametrize("low, high", [(-0.2, 0.2), (1.0, 3.0), (-4.0, -1.5), (-25.0, -0.1), (0.5, 25.0)])
def test_intervals_are_the_mass_scipy_finds(low, high):
    mean, sd = np.array([-0.5, 0.0, 0.4]), np.array([0.1, 0.3, 1.0])
    found = value(interval_log_density(constant(low), constant(mean), constant(sd), constant(high)))
    a, b = (low - mean) / sd, (high - mean) / sd
    flipped = a > 0  # SciPy's difference is exact on the side of small tails
    exact = np.where(flipped, stats.norm.sf(a) - stats.norm.sf(b), stats.norm.cdf(b) - stats.norm.cdf(a))
    known = exact > 1e-290
    np.testing.assert_allclose(found[known], np.log(exact[known]), rtol=1e-8, atol=1e-12)
    assert np.isfinite(found).all()


def test_far_from_the_mean_the_interval_stays_exact():
    """Where a plain difference of distribution functions is 0, the density still points the way back."""
    assert stats.norm.cdf(41) - stats.norm.cdf(40) == 0
    found = float(value(interval_log_density(constant(40.0), constant(0.0), constant(1.0), constant(41.0))))
    exact = stats.norm.logsf(40.0) + math.log1p(-math.exp(stats.norm.logsf(41.0) - stats.norm.logsf(40.0)))
    assert found == pytest.approx(exact, rel=1e-10)


def test_log_of_the_normal_distribution_function():
    at = np.array([-60.0, -8.0, -0.5, 0.0, 0.5, 8.0])
    np.testing.assert_allclose(value(log_normal_cdf(constant(at))), stats.norm.logcdf(at), rtol=1e-9)


# --- results of studies of which significant benefits are seen more often than others ---------------------


FAVOURED = {"centre": -0.1, "sd": 0.25, "sign": -1.0, "cut": 0.3, "weight": 0.4}
"""A benefit is a fall, significant below -0.3; other results are seen four times in ten."""


def weighed(at, *, centre, sd, sign, cut, weight):
    """Density of a result that was seen, by Bayes in plain numbers: normal times chance, over the chance of any."""
    chance = np.where(sign * at > cut, 1.0, weight)
    grid = np.linspace(centre - 12 * sd, centre + 12 * sd, 400_001)
    every = integrate.trapezoid(
        stats.norm.pdf(grid, centre, sd) * np.where(sign * grid > cut, 1.0, weight), grid
    )
    return stats.norm.pdf(at, centre, sd) * chance / every


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_density_of_results_that_were_seen(sign):
    known = FAVOURED | {"sign": sign}
    at = np.array([-1.0, -0.31, -0.29, 0.0, 0.29, 0.31, 1.0])
    found = value(seen_log_density(constant(at), *(constant(v) for v in known.values())))
    np.testing.assert_allclose(np.exp(found), weighed(at, **known), rtol=1e-4)


def test_where_all_are_seen_alike_the_results_are_normal():
    known = FAVOURED | {"weight": 1.0}
    at = np.array([-1.0, -0.2, 0.5])
    found = value(seen_log_density(constant(at), *(constant(v) for v in known.values())))
    np.testing.assert_allclose(found, stats.norm.logpdf(at, -0.1, 0.25), rtol=1e-9)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("low, high", [(-25.0, 0.0), (0.1, 25.0), (-0.5, 0.2), (-0.1, 0.1), (-25.0, -0.4)])
def test_intervals_of_results_that_were_seen_are_the_mass_of_their_density(low, high, sign):
    """Half-open and closed, on one side of significance and across it, against the integral of the density."""
    known = FAVOURED | {"sign": sign}
    ends = np.clip([low, high], -5.0, 5.0)
    parts = [ends[0], *(c for c in (-0.3, 0.3) if ends[0] < c < ends[1]), ends[1]]
    mass = sum(
        integrate.quad(lambda x: float(weighed(x, **known)), a, b, points=[-0.1] if a < -0.1 < b else None)[0]
        for a, b in zip(parts, parts[1:], strict=False)
    )
    numbers = [np.array([low]), constant([-0.1]), constant([0.25]), np.array([high])]
    rest = [np.array([sign]), np.array([0.3]), constant(0.4)]
    found = float(value(seen_interval_log_density(*numbers, *rest))[0])
    assert math.exp(found) == pytest.approx(mass, rel=1e-4)


def test_results_drawn_as_seen_have_their_density():
    """Shares below points on both sides of significance, within four binomial errors of the integral."""
    n, rng = 40_000, np.random.default_rng(8)
    drawn = seen_draw(*FAVOURED.values(), rng=rng, size=(n,))
    for point in (-0.5, -0.3, -0.1, 0.2):
        grid = np.linspace(-3.5, point, 20_001)
        mass = integrate.trapezoid(weighed(grid, **FAVOURED), grid)
        assert abs((drawn <= point).mean() - mass) < 4 * math.sqrt(mass * (1 - mass) / n) + 1e-3, point
