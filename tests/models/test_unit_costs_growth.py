"""Joint growth of unit costs: other routes to the same posterior, and simulate and recover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cba.errors import InputError
from cba.models.unit_costs import (
    SHARES,
    JointGrowth,
    joined,
    joint_growth,
    simulated_past,
    spread_ahead,
    time_correlation,
)

PRIOR = {"prior_sd": 0.04, "change_sd": 0.03}
CHANGES = np.array([0.037, 0.044, 0.061, 0.028, 0.043, 0.091, 0.107, 0.073])


def loadings(years, *, lasting, error, half_life, ratio):
    """The process written out: mean, lasting growth, other changes and errors as one linear map of unit normals."""
    kept = 0.5 ** (1 / half_life)
    carried = np.zeros((years, years))  # lasting growth of year t from the shocks of years up to t
    for t in range(years):
        for s in range(t + 1):
            carried[t, s] = kept ** (t - s) * np.sqrt(lasting * (1.0 if s == 0 else 1 - kept**2))
    mean = np.sqrt(ratio) * np.ones((years, 1))
    other = np.sqrt(1 - lasting - error) * np.eye(years)
    errors = np.sqrt(error / 2) * (np.eye(years, years + 1, 1) - np.eye(years, years + 1))
    changes = np.hstack([mean, carried, other, errors])
    growth = np.hstack([mean[:1], carried[-1:], np.zeros((1, 2 * years + 1))])
    level = np.zeros((1, changes.shape[1]))
    level[0, -1] = -np.sqrt(error / 2)
    return changes, growth, level


def moments_by_quadrature(changes, half_life, *, prior_mean=0.02):
    """Mean and variance of growth today and of the level, over a grid of the variance and all shares."""
    years = changes.size
    ratio = (PRIOR["prior_sd"] / PRIOR["change_sd"]) ** 2
    variance = np.exp(np.linspace(np.log(1e-6), np.log(1e-1), 4001))
    prior = stats.invwishart(df=3, scale=PRIOR["change_sd"] ** 2).logpdf(variance) + np.log(variance)
    gap, weights, found = changes - prior_mean, [], []
    for lasting, error in SHARES:
        made, *targets = loadings(years, lasting=lasting, error=error, half_life=half_life, ratio=ratio)
        seen = made @ made.T
        size = gap @ np.linalg.solve(seen, gap)
        like = -0.5 * (size / variance + years * np.log(variance) + np.linalg.slogdet(seen)[1])
        weights.append(np.exp(prior + like))
        rows = []
        for target in targets:
            centre = (target @ made.T @ np.linalg.solve(seen, gap)).item()
            left = (target @ target.T - target @ made.T @ np.linalg.solve(seen, made @ target.T)).item()
            rows.append((centre, left))
        found.append(rows)
    weights = np.array(weights) / np.sum(weights)
    moments = []
    for k in range(2):
        centre = np.array([rows[k][0] for rows in found])[:, None]
        left = np.array([rows[k][1] for rows in found])[:, None]
        mean = (weights * centre).sum()
        spread = (weights * (left * variance[None] + (centre - mean) ** 2)).sum()
        moments.append((mean + (prior_mean if k == 0 else 0.0), spread))
    return moments, weights.sum(axis=1)


@pytest.mark.parametrize("half_life", [1.0, 5.0])
def test_one_cost_agrees_with_quadrature(half_life):
    draws = 40_000
    found = joint_growth(
        CHANGES[:, None], prior_mean=np.array([0.02]), half_life=np.full(draws, half_life), seed=1, **PRIOR
    )
    (growth, level), shares = moments_by_quadrature(CHANGES, half_life)
    for sample, (mean, variance) in ((found.growth[:, 0], growth), (found.level[:, 0], level)):
        assert abs(sample.mean() - mean) < 4 * np.sqrt(variance / draws)
        fourth = ((sample - sample.mean()) ** 4).mean()
        assert abs(sample.var() - variance) < 4 * np.sqrt((fourth - variance**2) / draws)
    for (lasting, error), share in zip(SHARES, shares, strict=True):
        chosen = ((found.lasting[:, 0] == lasting) & (found.error[:, 0] == error)).mean()
        assert abs(chosen - share) < 4 * np.sqrt(share * (1 - share) / draws)


def test_time_correlation_is_that_of_the_process_written_out():
    made, *_ = loadings(7, lasting=0.4, error=0.25, half_life=2.5, ratio=0.0)
    shares = {"lasting": np.array(0.4), "error": np.array(0.25), "half_life": np.array(2.5)}
    np.testing.assert_allclose(time_correlation(7, **shares), made @ made.T, atol=1e-12)


def drawn_from_the_prior(rng, *, costs=2, years=8, half_life=3.0):
    covariance = np.atleast_2d(
        stats.invwishart(costs + 2, PRIOR["change_sd"] ** 2 * np.eye(costs)).rvs(random_state=rng)
    )
    root = np.linalg.cholesky(covariance)
    lasting, error = SHARES[rng.integers(len(SHARES))]
    ratio = (PRIOR["prior_sd"] / PRIOR["change_sd"]) ** 2
    maps = loadings(years, lasting=lasting, error=error, half_life=half_life, ratio=ratio)
    noise = rng.standard_normal((maps[0].shape[1], costs)) @ root.T
    changes, growth, level = (each @ noise for each in maps)
    truth = {"growth": growth[0] + 0.02, "level": level[0], "sd": np.sqrt(np.diag(covariance))}
    truth["covariance"] = covariance[0, 1]
    return changes + 0.02, truth


def test_truth_ranks_evenly_among_the_draws():
    """Simulation-based calibration: data from the prior, then the rank of what made them; 200 data sets."""
    rng, sets, draws = np.random.default_rng(7), 200, 99
    ranks = {name: [] for name in ("growth", "level", "sd", "covariance")}
    for seed in range(sets):
        changes, truth = drawn_from_the_prior(rng)
        found = joint_growth(
            changes, prior_mean=np.full(2, 0.02), half_life=np.full(draws, 3.0), seed=seed, **PRIOR
        )
        sd = np.sqrt(found.covariance[:, 0, 0])
        ranks["growth"].append((found.growth[:, 0] < truth["growth"][0]).sum())
        ranks["sd"].append((sd < truth["sd"][0]).sum())
        ranks["covariance"].append((found.covariance[:, 0, 1] < truth["covariance"]).sum())
        tied = rng.uniform(size=draws) < 0.5  # a level without error is exactly 0 in truth and in draws
        below, equal = found.level[:, 0] < truth["level"][0], found.level[:, 0] == truth["level"][0]
        ranks["level"].append((below | (equal & tied)).sum())
    for name, values in ranks.items():
        if name == "level":
            continue  # ties leave its rank uneven near the middle; the quadrature above covers it
        counts = np.bincount(np.array(values) // 20, minlength=5)
        assert stats.chisquare(counts).pvalue > 1e-3, (name, counts)


def test_a_long_series_gives_back_what_made_it():
    rng = np.random.default_rng(3)
    truth = np.array([[4e-4, 2e-4], [2e-4, 9e-4]])
    changes = rng.multivariate_normal([0.06, -0.01], truth, 300)
    found = joint_growth(changes, prior_mean=np.full(2, 0.02), half_life=np.full(40, 3.0), seed=0, **PRIOR)
    np.testing.assert_allclose(found.mean.mean(axis=0), [0.06, -0.01], atol=4 * 0.03 / np.sqrt(300))
    np.testing.assert_allclose(found.covariance.mean(axis=0), truth, atol=4 * 9e-4 * np.sqrt(2 / 300))
    assert found.lasting.mean() < 0.1 and found.error.mean() < 0.1


def test_joined_sets_keep_growth_and_share_a_covariance():
    """Mean of an inverse Wishart: scale / (degrees - K - 1); its spread against scipy's."""
    rng = np.random.default_rng(5)
    changes = rng.multivariate_normal([0.05, 0.0], [[4e-4, 3e-4], [3e-4, 4e-4]], 9)
    half_life = np.full(20_000, 3.0)
    sets = tuple(
        joint_growth(changes[:, [k]], prior_mean=np.array([0.02]), half_life=half_life, seed=k, **PRIOR)
        for k in (0, 1)
    )
    found = joined(sets, changes, change_sd=PRIOR["change_sd"], seed=9)
    for k in (0, 1):
        np.testing.assert_array_equal(found.growth[:, k], sets[k].growth[:, 0])
        np.testing.assert_array_equal(found.level[:, k], sets[k].level[:, 0])
    gap = changes - changes.mean(axis=0)
    scale = gap.T @ gap + PRIOR["change_sd"] ** 2 * np.eye(2)
    degrees = 2 + 2 + 9 - 1
    expected = scale / (degrees - 2 - 1)
    spread = found.covariance.std(axis=0)
    assert (np.abs(found.covariance.mean(axis=0) - expected) < 4 * spread / np.sqrt(half_life.size)).all()
    other = stats.invwishart(degrees, scale).rvs(20_000, random_state=rng)
    for pair in ((0, 0), (0, 1), (1, 1)):
        test = stats.ks_2samp(found.covariance[:, pair[0], pair[1]], other[:, pair[0], pair[1]])
        assert test.pvalue > 1e-3, pair


def test_spread_ahead_is_that_of_simulated_years():
    rng, draws, steps = np.random.default_rng(2), 40_000, 9
    lasting, error, half_life = 0.5, 0.25, 4.0
    kept = 0.5 ** (1 / half_life)
    growth, total, found = np.zeros(draws), np.zeros(draws), []
    for step in range(steps):
        if step > 0:  # the first year grows as today
            growth = kept * growth + np.sqrt(lasting * (1 - kept**2)) * rng.standard_normal(draws)
        total = total + growth + np.sqrt(1 - lasting - error) * rng.standard_normal(draws)
        found.append(total.std())
    one = np.ones(1)
    expected = spread_ahead(steps, lasting=lasting * one, error=error * one, half_life=half_life * one)[0]
    np.testing.assert_allclose(found, expected, rtol=4 / np.sqrt(2 * draws))


def test_years_run_backwards_have_the_process_s_own_covariance():
    rng, draws, years = np.random.default_rng(4), 60_000, 6
    lasting, error, half_life, sd = 0.5, 0.25, 3.0, 0.02
    wide = np.ones((draws, 1))
    found = JointGrowth(
        mean=0.0 * wide,
        growth=sd * np.sqrt(lasting) * rng.standard_normal((draws, 1)),
        level=sd * np.sqrt(error / 2) * rng.standard_normal((draws, 1)),
        covariance=np.full((draws, 1, 1), sd**2),
        lasting=lasting * wide,
        error=error * wide,
        half_life=np.full(draws, half_life),
    )
    changes = -np.diff(simulated_past(found, years=years, seed=0)[..., 0], axis=1)
    shares = {"lasting": np.array(lasting), "error": np.array(error), "half_life": np.array(half_life)}
    expected = time_correlation(years, **shares)
    np.testing.assert_allclose(np.cov(changes.T) / sd**2, expected, atol=4.5 * np.sqrt(2 / draws))


@pytest.mark.parametrize("changes", [np.zeros((2, 1)), np.array([[0.1], [np.nan], [0.2]])])
def test_too_little_to_estimate_from_is_refused(changes):
    with pytest.raises(InputError) as caught:
        joint_growth(changes, prior_mean=np.zeros(1), half_life=np.ones(3), seed=0, **PRIOR)
    text = str(caught.value)
    assert "unit_cost_weekly" in text and "3 or more" in text and "later release" in text
