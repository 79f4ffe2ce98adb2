"""Worst cases, regret and target curves against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from cba.decisions import (
    cvar,
    evpi,
    probability_at_least,
    regret_table,
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
    np.testing.assert_allclose(table["cvar"], cvar(nb), rtol=1e-12)
    assert table["prob_best"].sum() == pytest.approx(1.0)
    assert table["prob_negative"].iloc[0] == pytest.approx(0.5, abs=4 * 0.008)


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
