"""Reach by age: consistent with all starts, never above 1, and the product against a plain sum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

import cba
from cba.dimensions import AGE_BANDS
from cba.models.effects_areas import (
    START_SHARES,
    care_facts,
    log_change_in_starts,
    over_tiers,
    reach_by_age,
    reach_of_draws,
    tier_shares,
)
from cba.models.parameters import family_help_tiers, with_family_help
from cba.models.studies import CLASSES

STARTS = np.array([5200.0, 4800.0, 4900.0, 7700.0, 3200.0])


@pytest.fixture(scope="module")
def drawn():
    return cba.load_priors().sample(2000, seed=3)


def test_reach_is_what_was_known_in_time_and_of_a_kind(drawn):
    overall, by_age = reach_of_draws(drawn, STARTS)
    known = 1.0 - drawn["family_help.start_share_unknown"].values
    expected = known * drawn["family_help.in_time_share"].values * drawn["family_help.of_kind_share"].values
    np.testing.assert_allclose(overall, expected)
    np.testing.assert_allclose(by_age @ STARTS / STARTS.sum(), overall, rtol=1e-8)
    assert (by_age > 0).all() and (by_age < 1).all()


def test_the_prior_of_reach_is_wide_and_says_so(drawn):
    """5% and 95% about 0.3 and 0.75: neither the third of one early-help programme nor all known children."""
    low, high = np.quantile(reach_of_draws(drawn, STARTS)[0], [0.05, 0.95])
    assert 0.25 < low < 0.35 and 0.70 < high < 0.80


def test_eligible_times_risk_is_reach_times_starts_in_every_draw_and_tier(drawn):
    added = with_family_help(drawn, STARTS)
    draws = {str(name): added[name].values for name in added.data_vars}
    overall, _ = reach_of_draws(draws, STARTS)
    eligible = draws["family_help.eligible_children"]
    np.testing.assert_allclose(
        eligible * draws["family_help.yearly_entry_risk"], overall * STARTS.sum(), rtol=1e-12
    )
    tiers = family_help_tiers(draws, STARTS)
    starts = (tiers["eligible"] * tiers["entry_risk"]).values
    np.testing.assert_allclose(starts, tiers["reach"].values * STARTS.sum(), rtol=1e-12)
    np.testing.assert_allclose(tiers["reach"].sum("tier"), overall, rtol=1e-12)
    np.testing.assert_allclose(tiers["eligible"].sum("tier"), eligible, rtol=1e-12)


def test_new_money_for_a_child_is_the_mean_over_tiers_less_what_is_paid(drawn):
    """One draw by hand: sum of eligible share x cost of a family, over children, times what is new."""
    added, at = with_family_help(drawn, STARTS), 7
    value = {str(name): float(added[name].values[at]) for name in added.data_vars}
    family = sum(
        value[f"family_help.eligible_tier_{tier}"] * value[f"family_help.cost_per_family_{tier}"]
        for tier in ("early_help", "in_need", "protection")
    )
    new = family / value["family_help.children_per_family"] * (1 - value["family_help.already_paid_share"])
    assert value["family_help.cost_per_child"] == pytest.approx(new, rel=1e-12)


def test_the_risk_ratio_over_tiers_is_weighted_by_reach(drawn):
    draws = {name: drawn[name].values for name in START_SHARES}
    weights = tier_shares(draws)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    ratios = np.random.default_rng(1).uniform(0.6, 1.3, (2000, len(CLASSES)))
    found = np.exp(over_tiers(np.log(ratios), draws))
    classes = [CLASSES.index(name) for name in ("early_help", "family_support", "edge_of_care")]
    for at in (0, 11, 1999):
        exact = sum(weights[at, k] * ratios[at, c] for k, c in enumerate(classes))
        assert found[at] == pytest.approx(exact, rel=1e-12)
    alike = np.full((2000, len(CLASSES)), np.log(0.9))  # no tier matters where all classes do the same
    np.testing.assert_allclose(over_tiers(alike, draws), np.log(0.9))


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


def test_starts_leave_unaccompanied_children_out():
    observations = cba.load_observations()
    starts = care_facts(observations).starts
    assert starts.shape == (len(AGE_BANDS),)
    total = float(observations["starts"].dropna("year").isel(year=-1))
    alone = float(observations["uasc_starts"].dropna("year").isel(year=-1))
    assert starts.sum() == pytest.approx(total - alone, rel=1e-3)
