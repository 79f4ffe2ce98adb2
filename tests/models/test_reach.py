"""Reach by age: consistent with all starts, never above 1, and the product against a plain sum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

import cba
from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.effects_areas import (
    ELIGIBLE,
    RISK,
    checked_starts,
    log_change_in_starts,
    reach_by_age,
    reach_of_draws,
    recent_starts,
)

STARTS = np.array([5200.0, 4800.0, 4900.0, 7700.0, 3200.0])


@pytest.fixture(scope="module")
def drawn():
    return cba.load_priors().sample(2000, seed=3)


def test_reach_of_all_ages_is_eligible_times_risk_over_starts(drawn):
    overall, by_age = reach_of_draws(drawn, STARTS)
    np.testing.assert_allclose(overall, drawn[ELIGIBLE].values * drawn[RISK].values / STARTS.sum())
    np.testing.assert_allclose(by_age @ STARTS / STARTS.sum(), overall, rtol=1e-8)
    assert (by_age > 0).all() and (by_age < 1).all()


def test_level_is_solved_for_as_a_root_finder_does(drawn):
    weights, share = np.array([0.2, 0.1, 0.25, 0.3, 0.15]), STARTS / STARTS.sum()
    pattern = np.log(weights / share)
    for overall in (0.05, 0.35, 0.9):
        level = optimize.brentq(
            lambda x, want=overall: share @ (1 / (1 + np.exp(-(x + pattern)))) - want, -20, 20, xtol=1e-14
        )
        exact = 1 / (1 + np.exp(-(level + pattern)))
        np.testing.assert_allclose(reach_by_age(np.array([overall]), weights, share), exact, rtol=1e-8)


def test_a_small_reach_is_the_plain_ratio_of_eligible_starts_to_starts():
    """phi_a = N_a b_a / S_a: eligible children times their risk over starts, band by band."""
    weights, share = np.array([0.2, 0.1, 0.25, 0.3, 0.15]), STARTS / STARTS.sum()
    overall = 1e-5
    plain = overall * weights / weights.sum() / share
    np.testing.assert_allclose(reach_by_age(np.array([overall]), weights, share), plain, rtol=1e-4)


def test_the_scale_of_the_weights_does_not_matter():
    weights, share = np.array([0.2, 0.1, 0.25, 0.3, 0.15]), STARTS / STARTS.sum()
    once, twice = (reach_by_age(np.array([0.4]), k * weights, share) for k in (1.0, 7.0))
    np.testing.assert_allclose(once, twice, rtol=1e-9)


def test_a_reach_above_one_is_refused(drawn):
    with pytest.raises(InputError, match="reach more starts than there are") as caught:
        reach_of_draws(drawn, STARTS / 5)
    assert ELIGIBLE in str(caught.value) and "lower the upper bounds" in str(caught.value)


def test_log_change_is_the_sum_over_ages_and_may_be_adverse(drawn):
    rng = np.random.default_rng(1)
    coverage, reach = rng.uniform(0, 1, (3, 2)), rng.uniform(0, 1, (3, 5))
    log_ratio, tilt = rng.normal(0, 0.5, (3, 2)), rng.uniform(0.5, 1, (3, 5))
    ages = np.array([STARTS / STARTS.sum(), [0, 0, 0, 0, 1.0]])
    found = log_change_in_starts(coverage, reach, log_ratio, tilt, ages)
    for draw in range(3):
        for study in range(2):
            averted = sum(
                ages[study, a] * reach[draw, a] * (1 - np.exp(log_ratio[draw, study] * tilt[draw, a]))
                for a in range(5)
            )
            exact = np.log(1 - coverage[draw, study] * averted)
            assert found[draw, study] == pytest.approx(exact, rel=1e-12)
    assert (np.sign(found[:, 1]) == np.sign(log_ratio[:, 1])).all()


def test_recent_starts_leave_unaccompanied_children_out():
    observations = cba.load_observations()
    starts = recent_starts(observations)
    assert list(starts) == list(AGE_BANDS)
    total = float(observations["starts"].dropna("year").isel(year=-1))
    alone = float(observations["uasc_starts"].dropna("year").isel(year=-1))
    assert sum(starts.values()) == pytest.approx(total - alone, rel=1e-3)
    assert checked_starts(starts, cba.load_priors()).sum() == pytest.approx(sum(starts.values()))
