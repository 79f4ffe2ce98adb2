"""Monte Carlo errors against closed forms, repetition, and a second implementation."""

from __future__ import annotations

import arviz_stats.base as arviz_arrays
import numpy as np
import pytest
from scipy.stats import beta, norm

from cba.decisions import (
    Estimate,
    effective_sample_size,
    mcse_mean,
    mcse_probability,
    mcse_quantile,
    round_to_error,
)
from cba.errors import InputError


def autoregressive(rho: float, chains: int, length: int, seed: int) -> np.ndarray:
    """Chains of an AR(1) process with unit variance, one after another."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(chains, length)) * np.sqrt(1 - rho**2)
    values = np.empty((chains, length))
    values[:, 0] = rng.normal(size=chains)
    for t in range(1, length):
        values[:, t] = rho * values[:, t - 1] + noise[:, t]
    return values.ravel()


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.5, 0.9])
def test_effective_size_of_an_autoregression(rho):
    """n (1 - rho) / (1 + rho)."""
    values = autoregressive(rho, 4, 10_000, seed=1)
    exact = 40_000 * (1 - rho) / (1 + rho)
    assert effective_sample_size(values, chains=4) == pytest.approx(exact, rel=0.12)


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_agrees_with_arviz(rho):
    values = autoregressive(rho, 4, 1_000, seed=2)
    theirs = float(arviz_arrays.array_stats.ess(values.reshape(4, 1_000), method="mean"))
    assert effective_sample_size(values, chains=4) == pytest.approx(theirs, rel=0.1)


def test_independent_draws_count_in_full():
    assert effective_sample_size(np.random.default_rng(0).normal(size=123)) == 123.0


def test_chains_that_disagree_have_few_effective_draws():
    values = np.concatenate([np.random.default_rng(s).normal(10 * s, 1, 500) for s in range(4)])
    assert effective_sample_size(values, chains=4) < 20


@pytest.mark.parametrize("chains", [None, 4])
def test_error_of_the_mean_is_its_spread_over_repetitions(chains):
    rho = 0.0 if chains is None else 0.7
    runs = [autoregressive(rho, 4, 500, seed=s) for s in range(200)]
    spread = np.std([run.mean() for run in runs])
    assert np.mean([mcse_mean(run, chains=chains) for run in runs]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.95])
def test_error_of_a_quantile_is_its_spread_over_repetitions(probability):
    runs = [np.random.default_rng(s).normal(size=2_000) for s in range(300)]
    exact = np.sqrt(probability * (1 - probability) / 2_000) / norm.pdf(norm.ppf(probability))
    assert np.mean([mcse_quantile(run, probability) for run in runs]) == pytest.approx(exact, rel=0.12)


def test_error_of_a_probability():
    events = np.arange(1_000) < 200
    assert mcse_probability(events) == pytest.approx(np.sqrt(0.2 * 0.8 / 1_000))
    assert mcse_probability(np.ones(400, dtype=bool)) == 0.5 / 400
    assert mcse_probability(np.zeros(400, dtype=bool)) == 0.5 / 400
    chained = autoregressive(0.8, 4, 1_000, seed=3) > 0
    assert mcse_probability(chained, chains=4) > 1.5 * mcse_probability(chained)


@pytest.mark.parametrize(
    "value, mcse, rounded",
    [
        (123_456.0, 30.0, 123_460.0),
        (123_456.0, 60.0, 123_500.0),
        (0.51234, 0.004, 0.512),
        (-1_234.5, 400.0, -1_200.0),
        (3.0, 0.0, 3.0),
        (0.004, 2.0, 0.0),
    ],
)
def test_rounding_to_error(value, mcse, rounded):
    assert round_to_error(value, mcse) == pytest.approx(rounded, abs=1e-12)


def test_rounding_keeps_what_is_undefined():
    assert np.isnan(round_to_error(float("nan"), 1.0))
    assert round_to_error(2.5, float("nan")) == 2.5


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda: mcse_mean([1.0, np.nan]), "NaN"),
        (lambda: mcse_mean([1.0]), "one row of numbers"),
        (lambda: mcse_mean(np.zeros((4, 5))), "stack"),
        (lambda: effective_sample_size(np.arange(10.0), chains=3), "do not divide"),
        (lambda: mcse_quantile(np.arange(10.0), 1.5), "probability"),
        (lambda: round_to_error(1.0, -1.0), "negative"),
    ],
)
def test_bad_input_is_refused(call, expected):
    with pytest.raises(InputError, match=expected):
        call()


def test_near_the_smallest_draw_the_error_reaches_down_to_it():
    """By hand, for 0, 1, ..., 99 at 0.5%: the beta(1.5, 100.5) of the share below holds draws 0 to 2."""
    assert mcse_quantile(np.arange(100.0), 0.005) == pytest.approx(1.0, abs=1e-12)


def plain_effective_size(chains: np.ndarray) -> float:
    """Vehtari et al. (2021), section 3.2, in loops: autocovariances, pairs that stay positive and do not rise."""
    count, length = chains.shape
    within = np.mean([chain.var(ddof=1) for chain in chains])
    between = np.var([chain.mean() for chain in chains], ddof=1) if count > 1 else 0.0
    pooled = within * (length - 1) / length + between
    correlation = [1.0]
    for lag in range(1, length):
        covariance = np.mean(
            [((c[lag:] - c.mean()) * (c[: length - lag] - c.mean())).sum() / length for c in chains]
        )
        correlation.append(1.0 - (within - covariance) / pooled)
    pairs: list[float] = []
    for first in range(0, length - 1, 2):
        pair = correlation[first] + correlation[first + 1]
        if pair < 0:
            break
        pairs.append(min([pair, *pairs[-1:]]))
    total = count * length
    return total / max(2 * sum(pairs) - 1, 1 / np.log10(max(total, 11)))


@pytest.mark.parametrize("chains, length", [(1, 4), (1, 5), (2, 4), (2, 5), (3, 8), (4, 31), (2, 200)])
def test_effective_size_is_that_of_plain_loops(chains, length):
    for rho in (-0.9, -0.3, 0.2, 0.95):
        values = autoregressive(rho, chains, length, seed=length)
        plain = plain_effective_size(values.reshape(chains, length))
        assert effective_sample_size(values, chains=chains) == pytest.approx(plain, rel=1e-9)


def test_chains_of_four_draws_are_the_shortest():
    with pytest.raises(InputError, match="do not divide"):
        effective_sample_size(np.arange(6.0), chains=2)
    with pytest.raises(InputError, match="do not divide"):
        effective_sample_size(np.arange(6.0), chains=0)
    assert effective_sample_size(np.full(8, 3.0), chains=2) == 8.0


@pytest.mark.parametrize("probability", [0.002, 0.3, 0.5, 0.77, 0.998])
def test_error_of_a_quantile_lies_between_order_statistics(probability):
    """For 0, 1, ..., 99 an order statistic is its place, so the error is half a distance of places."""
    low, high = beta.ppf(norm.cdf([-1, 1]), 100 * probability + 1, 100 * (1 - probability) + 1) * 100 - 1
    places = min(np.ceil(high), 99) - max(np.floor(low), 0)
    assert mcse_quantile(np.arange(100.0), probability) == pytest.approx(places / 2, abs=1e-12)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_quantiles_at_the_ends_have_no_error(probability):
    with pytest.raises(InputError, match="probability"):
        mcse_quantile(np.arange(100.0), probability)


def test_interval_is_normal_and_ends_at_its_floor():
    assert Estimate(1.0, 0.1).interval() == pytest.approx((1 - 0.1959964, 1 + 0.1959964), abs=1e-6)
    assert Estimate(1.0, 1.0).interval(level=0.5) == pytest.approx((1 - 0.6744898, 1 + 0.6744898), abs=1e-6)
    assert Estimate(0.1, 1.0).interval() == pytest.approx((0.0, 0.1 + 1.959964), abs=1e-6)
    assert Estimate(-9.0, 1.0).interval(floor=-5.0) == (-5.0, -5.0)


def test_draws_at_a_quantile_count_as_below_it():
    """Two chains of noughts and ones, ever fewer ones: the effective size is that of being nought."""
    values = (autoregressive(0.9, 2, 300, seed=4) > 0.8).astype(float)
    size = effective_sample_size((values <= 0).astype(float), chains=2)
    assert size < 300 and np.quantile(values, 0.6) == 0.0
    low, high = beta.ppf(norm.cdf([-1, 1]), size * 0.6 + 1, size * 0.4 + 1) * 600 - 1
    ordered = np.sort(values)
    expected = (ordered[int(np.ceil(high))] - ordered[int(np.floor(low))]) / 2
    assert mcse_quantile(values, 0.6, chains=2) == expected


def test_two_draws_have_an_error():
    assert mcse_mean([1.0, 3.0]) == pytest.approx(1.0)
