"""Scores against the closed forms of Gneiting & Raftery (2007) and a plain loop over pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from cba.errors import InputError
from cba.validation.scores import crps_draws


def crps_normal(mean: float, sd: float, outturn: float) -> float:
    """The closed form: ``sd (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))``."""
    z = (outturn - mean) / sd
    return sd * (z * (2.0 * norm.cdf(z) - 1.0) + 2.0 * norm.pdf(z) - 1.0 / np.sqrt(np.pi))


def test_draws_equal_a_plain_loop_over_pairs():
    draws = np.random.default_rng(0).gamma(2.0, 3.0, 60)
    pairs = np.mean([abs(a - b) for a in draws for b in draws])
    expected = np.mean([abs(a - 4.0) for a in draws]) - pairs / 2
    assert crps_draws(draws, 4.0) == pytest.approx(expected, rel=1e-12)


def test_one_draw_scores_its_absolute_error():
    assert crps_draws(np.array([3.0]), 5.5) == pytest.approx(2.5, abs=1e-12)


def test_draws_converge_to_the_normal_closed_form():
    """Spread of the estimate over independent batches gives its Monte Carlo error."""
    rng = np.random.default_rng(1)
    batches = np.array([crps_draws(rng.normal(0.0, 1.0, 1_000), 1.0) for _ in range(40)])
    error = batches.std(ddof=1) / np.sqrt(batches.size)
    assert abs(batches.mean() - crps_normal(0.0, 1.0, 1.0)) <= 4 * error


def test_refuses_what_cannot_be_scored():
    with pytest.raises(InputError, match="finite outturn"):
        crps_draws(np.array([1.0, 2.0]), float("nan"))
