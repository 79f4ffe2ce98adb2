"""Worst cases, regret, ranks, dominance and target curves against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from cba.decisions import (
    cvar,
    evpi,
    expected_loss,
    probability_at_least,
    ranking_probabilities,
    regret_table,
    stochastic_dominance,
)
from cba.errors import InputError
from tests.decisions.known_answers import labelled


@pytest.mark.parametrize("tail", [0.01, 0.05, 0.25])
def test_worst_cases_of_a_normal(tail):
    """Mean of the worst share a of N(m, s) is m - s pdf(z) / a."""
    values = xr.DataArray(np.random.default_rng(0).normal(10, 3, 400_000), dims="sample")
    exact = 10 - 3 * norm.pdf(norm.ppf(tail)) / tail
    assert float(cvar(values, tail=tail)) == pytest.approx(exact, abs=4 * 3 / np.sqrt(400_000 * tail))


def test_worst_cases_of_all_draws_is_the_mean():
    values = xr.DataArray(np.random.default_rng(1).normal(size=(101, 3)), dims=("sample", "option"))
    np.testing.assert_allclose(cvar(values, tail=1.0), values.mean("sample"), rtol=1e-12)


def test_the_edge_draw_counts_in_part():
    values = xr.DataArray([0.0, 10.0, 20.0], dims="sample")
    assert float(cvar(values, tail=0.5)) == pytest.approx((0 + 0.5 * 10) / 1.5)


@pytest.mark.parametrize("tail", [0.0, 1.5, -0.1])
def test_bad_tail_is_refused(tail):
    with pytest.raises(InputError, match="tail"):
        cvar(xr.DataArray([1.0, 2.0], dims="sample"), tail=tail)


def test_regret_table_agrees_with_its_parts():
    nb = labelled(np.random.default_rng(2).normal([0, 1, 2], [1, 5, 9], (4_000, 3)))
    table = regret_table(nb)
    assert table["expected_loss"].min() == pytest.approx(float(evpi(nb)), rel=1e-12)
    np.testing.assert_allclose(table["expected_loss"], expected_loss(nb), rtol=1e-12)
    np.testing.assert_allclose(table["cvar"], cvar(nb), rtol=1e-12)
    assert table["prob_best"].sum() == pytest.approx(1.0)
    assert table["prob_negative"].iloc[0] == pytest.approx(0.5, abs=4 * 0.008)


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 30))
def test_rank_probabilities_are_doubly_stochastic(seed, options, draws):
    nb = labelled(np.random.default_rng(seed).integers(0, 3, (draws, options)).astype(float))
    ranks = ranking_probabilities(nb)
    np.testing.assert_allclose(ranks.sum("rank"), 1.0)
    np.testing.assert_allclose(ranks.sum("option"), 1.0)


def test_first_rank_is_being_best():
    nb = labelled(np.random.default_rng(3).normal([0, 0.5], 1, (40_000, 2)))
    exact = norm.cdf(0.5 / np.sqrt(2))
    assert float(ranking_probabilities(nb)[1, 0]) == pytest.approx(exact, abs=4 * 0.0025)


def test_a_shift_dominates_and_a_spread_does_not():
    draws = np.random.default_rng(4).normal(size=5_000)
    nb = labelled(np.stack([draws, draws[::-1] + 1.0, 3 * draws], 1))
    first, second = stochastic_dominance(nb), stochastic_dominance(nb, order=2)
    assert bool(first[1, 0]) and not bool(first[0, 1])
    assert not first[0, 2] and not first[2, 0]
    assert bool(second[1, 2]) and not bool(second[2, 0])
    assert not np.diag(first).any()


def test_first_order_implies_second_order():
    nb = labelled(np.random.default_rng(5).integers(0, 4, (12, 6)).astype(float))
    first, second = stochastic_dominance(nb), stochastic_dominance(nb, order=2)
    assert bool((~first | second).all())


def test_unknown_order_is_refused():
    with pytest.raises(InputError, match="1 or 2"):
        stochastic_dominance(labelled(np.zeros((3, 2))), order=3)


def test_probability_at_least_counts_draws():
    rng = np.random.default_rng(6)
    values = xr.DataArray(
        rng.integers(0, 10, (500, 2)).astype(float), dims=("sample", "option"), coords={"option": ["a", "b"]}
    )
    targets = [-1.0, 0.0, 3.0, 3.5, 9.0, 10.0]
    curve = probability_at_least(values, targets)
    for target in targets:
        np.testing.assert_allclose(curve.probability.sel(target=target), (values >= target).mean("sample"))
    assert (curve.probability.diff("target") <= 0).all()
    p = curve.probability.sel(target=3.0)
    np.testing.assert_allclose(curve.se.sel(target=3.0), np.sqrt(p * (1 - p) / 500))


def test_nan_target_is_refused():
    with pytest.raises(InputError, match="targets"):
        probability_at_least(xr.DataArray([1.0], dims="sample"), [np.nan])


def test_nothing_lost_and_nothing_gained_is_not_negative():
    """Business as usual, exactly zero against itself, has no chance of a loss."""
    net_benefit = xr.DataArray([[0.0, -1.0], [0.0, 1.0], [0.0, 0.0]], dims=("sample", "option"))
    assert regret_table(net_benefit)["prob_negative"].tolist() == [0.0, pytest.approx(1 / 3)]


def test_one_draw_is_taken_as_it_is():
    one = labelled(np.array([[1.0, -2.0]]))
    assert cvar(one).values.tolist() == [1.0, -2.0]
    assert probability_at_least(one, [0.0]).probability.values.tolist() == [[1.0, 0.0]]
    table = regret_table(one)
    assert table["mean_se"].tolist() == [0.0, 0.0] and table["worst_loss"].tolist() == [0.0, 3.0]
    assert table["prob_best"].tolist() == [1.0, 0.0] and table["prob_negative"].tolist() == [0.0, 1.0]


def test_regret_table_by_hand():
    """Draws 0, 1, ..., 100 against 50: regrets run from 0 to 50; the 99th percentile of 101 is one below the top."""
    draws = np.arange(101.0)
    table = regret_table(labelled(np.stack([draws, np.full(101, 50.0)], 1)))
    assert table["mean_se"].iloc[0] == pytest.approx(np.sqrt(101 * 102 / 12) / np.sqrt(101), rel=1e-12)
    assert table["worst_loss"].tolist() == pytest.approx([49.0, 49.0], abs=1e-9)
    assert table["prob_best"].tolist() == pytest.approx([51 / 101, 50 / 101])  # a tie goes to the first


def test_rounding_and_equality_dominate_nothing():
    assert not stochastic_dominance(labelled(np.zeros((4, 2)))).any()
    near = labelled(np.array([[0.1 + 0.2, 0.3], [1.0, 1.0]]))
    assert near[0, 0] > near[0, 1] and not stochastic_dominance(near).any()
    better = labelled(np.array([[0.3 + 1e-9, 0.3], [1.0, 1.0 + 5e-17]]))
    assert stochastic_dominance(better).values.tolist() == [[False, True], [False, False]]
