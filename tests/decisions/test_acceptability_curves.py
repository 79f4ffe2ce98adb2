"""Acceptability against a plain loop over thresholds, ties included."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cba.decisions import acceptability, evpi
from cba.errors import InputError
from tests.decisions.known_answers import acceptability_workload, labelled


def plain_loop(costs: np.ndarray, effects: np.ndarray, grid: np.ndarray) -> dict[str, np.ndarray]:
    rows = []
    for threshold in grid:
        nb = threshold * effects - costs
        mean = nb.mean(axis=0)
        share = np.bincount(nb.argmax(axis=1), minlength=nb.shape[1]) / len(nb)
        rows.append(
            (mean - mean[0], share, share[mean.argmax()], nb.max(axis=1).mean() - mean.max(), mean.argmax())
        )
    return dict(
        zip(("eib", "ceac", "ceaf", "evpi", "best"), map(np.array, zip(*rows, strict=True)), strict=True)
    )


def test_equals_a_plain_loop_on_the_full_workload():
    costs, effects, grid = acceptability_workload()
    result = acceptability(costs, effects, grid)
    expected = plain_loop(costs.values, effects.values, grid)
    np.testing.assert_allclose(result.eib, expected["eib"], rtol=1e-9, atol=1e-6)
    np.testing.assert_array_equal(result.ceac, expected["ceac"])
    np.testing.assert_array_equal(result.ceaf, expected["ceaf"])
    np.testing.assert_array_equal(result.best, expected["best"])
    np.testing.assert_allclose(result.evpi, expected["evpi"], rtol=1e-9, atol=1e-6)
    assert float(result.evpi.sel(threshold=20_000)) == pytest.approx(5_910.150979, abs=1e-6)


@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 40))
def test_equals_a_plain_loop_where_everything_ties(seed, options, draws):
    """Small whole numbers: lines coincide and cross exactly at thresholds."""
    rng = np.random.default_rng(seed)
    effects = rng.integers(0, 5, (draws, options)).astype(float)
    costs = rng.integers(0, 12, (draws, options)).astype(float)
    grid = np.unique(rng.integers(0, 9, 6)).astype(float)
    result = acceptability(labelled(costs), labelled(effects), grid)
    expected = plain_loop(costs, effects, grid)
    np.testing.assert_array_equal(result.ceac, expected["ceac"])
    np.testing.assert_allclose(result.evpi, expected["evpi"], atol=1e-9)


def test_evpi_is_that_of_net_benefit():
    costs, effects, _ = acceptability_workload(2_000)
    result = acceptability(costs, effects, [17_300.0])
    np.testing.assert_allclose(result.evpi[0], evpi(17_300.0 * effects - costs), rtol=1e-9)


def test_order_of_thresholds_and_options_changes_only_the_order():
    costs, effects, _ = acceptability_workload(1_000)
    named = [array.assign_coords(option=list("abcde")) for array in (costs, effects)]
    grid = [30_000.0, 0.0, 10_000.0]
    one = acceptability(*named, grid)
    two = acceptability(*named, sorted(grid)).sel(threshold=grid)
    np.testing.assert_array_equal(one.ceac, two.ceac)
    turned = acceptability(*(array.isel(option=[0, 3, 1, 4, 2]) for array in named), grid).sel(
        option=list("abcde")
    )
    np.testing.assert_allclose(turned.eib, one.eib, rtol=1e-12)
    np.testing.assert_array_equal(turned.ceac, one.ceac)
    np.testing.assert_array_equal(turned.best, one.best)


def test_the_highest_curve_need_not_be_the_best_option():
    """One rare large gain: best on average, seldom best."""
    effects = labelled(np.array([[0.0, -1.0]] * 8 + [[0.0, 50.0]] * 2))
    result = acceptability(xr.zeros_like(effects), effects, [1.0])
    assert int(result.best[0]) == 1
    assert float(result.ceaf[0]) == pytest.approx(0.2)
    assert float(result.ceac.max()) == pytest.approx(0.8)


def test_memory_stays_small():
    costs, effects, grid = acceptability_workload()
    tracemalloc.start()
    acceptability(costs, effects, grid)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # one array of draws x options x thresholds would be 200 MB


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda c, e, k: (c.isel(sample=slice(1, None)), e, k), "not paired"),
        (lambda c, e, k: (c.isel(option=[0]), e.isel(option=[0]), k), "one option is no decision"),
        (lambda c, e, k: (c.where(c > 1e4), e, k), "NaN"),
        (lambda c, e, k: (c, e, [-1.0]), "thresholds"),
        (lambda c, e, k: (c, e, []), "thresholds"),
        (lambda c, e, k: (c, e, [np.nan]), "thresholds"),
        (
            lambda c, e, k: (c.assign_coords(option=list("abcde")), e.assign_coords(option=list("abced")), k),
            "same options in the same order",
        ),
        (
            lambda c, e, k: (
                c.assign_coords(sample=np.arange(99, -1, -1)),
                e.assign_coords(sample=np.arange(100)),
                k,
            ),
            "not paired",
        ),
    ],
)
def test_bad_input_is_refused(change, expected):
    costs, effects, grid = acceptability_workload(100)
    with pytest.raises(InputError, match=expected):
        acceptability(*change(costs, effects, grid))


@pytest.mark.parametrize("count, shown", [(9, "-1.0"), (10, "10 values")])
def test_a_refusal_shows_a_short_list_of_thresholds_and_counts_a_long_one(count, shown):
    costs, effects, _ = acceptability_workload(10)
    with pytest.raises(InputError) as caught:
        acceptability(costs, effects, [-1.0] * count)
    assert shown in str(caught.value) and ("values" in shown or "10 values" not in str(caught.value))


def test_thresholds_in_a_table_are_refused():
    costs, effects, _ = acceptability_workload(10)
    with pytest.raises(InputError, match="list of prices"):
        acceptability(costs, effects, [[1.0, 2.0]])
