"""Monte Carlo errors against closed forms, repetition, and a second implementation."""

from __future__ import annotations

import arviz_stats.base as arviz_arrays
import numpy as np
import pytest

from cba.decisions import (
    Estimate,
    effective_sample_size,
    mcse_mean,
    mcse_probability,
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


def test_error_of_a_probability():
    events = np.arange(1_000) < 200
    assert mcse_probability(events) == pytest.approx(np.sqrt(0.2 * 0.8 / 1_000))
    assert mcse_probability(np.ones(400, dtype=bool)) == 0.5 / 400
    assert mcse_probability(np.zeros(400, dtype=bool)) == 0.5 / 400
    chained = autoregressive(0.8, 4, 1_000, seed=3) > 0
    assert mcse_probability(chained, chains=4) > 1.5 * mcse_probability(chained)


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda: mcse_mean([1.0, np.nan]), "NaN"),
        (lambda: mcse_mean([1.0]), "one row of numbers"),
        (lambda: mcse_mean(np.zeros((4, 5))), "stack"),
        (lambda: effective_sample_size(np.arange(10.0), chains=3), "do not divide"),
    ],
)
def test_bad_input_is_refused(call, expected):
    with pytest.raises(InputError, match=expected):
        call()


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


def test_interval_is_normal_and_ends_at_its_floor():
    assert Estimate(1.0, 0.1).interval() == pytest.approx((1 - 0.1959964, 1 + 0.1959964), abs=1e-6)
    assert Estimate(1.0, 1.0).interval(level=0.5) == pytest.approx((1 - 0.6744898, 1 + 0.6744898), abs=1e-6)
    assert Estimate(0.1, 1.0).interval() == pytest.approx((0.0, 0.1 + 1.959964), abs=1e-6)
    assert Estimate(-9.0, 1.0).interval(floor=-5.0) == (-5.0, -5.0)


def test_two_draws_have_an_error():
    assert mcse_mean([1.0, 3.0]) == pytest.approx(1.0)
