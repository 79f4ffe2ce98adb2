"""When service follows its money: exact in fractions of a year, and no money gained or lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cba.interventions.delivery import service_timing, slipped

YEARS = 8


def timing(delay, stretch, years=YEARS):
    return service_timing(np.array([delay]), stretch=np.array([stretch]), years=years)[0]


def by_simulation(delay, stretch, *, pounds=400_000, seed=0):
    """Spend pounds evenly over a year, serve each after its delay plus a part of the stretch; count by year."""
    rng = np.random.default_rng(seed)
    served = rng.uniform(0, 1, pounds) + delay + stretch * rng.uniform(0, 1, pounds)
    return np.bincount(np.floor(served).astype(int), minlength=60)[:YEARS] / pounds


@pytest.mark.parametrize("delay, stretch", [(0.3, 0.7), (1.9, 2.4), (0.0, 0.05), (0.5, 1.0), (2.25, 5.5)])
def test_timing_is_that_of_pounds_followed_one_by_one(delay, stretch):
    """Within five standard errors of a simulated share."""
    found, counted = timing(delay, stretch), by_simulation(delay, stretch)
    error = np.sqrt(np.maximum(found * (1 - found), 1e-6) / 400_000)
    assert (np.abs(found - counted) <= 5 * error).all()


def test_whole_years_and_fractions_without_a_stretch():
    assert timing(0.0, 0.0).tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert timing(2.0, 0.0).tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(timing(1.25, 0.0)[:4], [0, 0.75, 0.25, 0], atol=1e-12)
    assert not timing(9.0, 0.0).any()


@given(delay=st.floats(0, 10), stretch=st.floats(0, 10))
def test_shares_are_shares_and_sum_to_one_once_all_has_happened(delay, stretch):
    found = timing(delay, stretch, years=24)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1.0, abs=1e-9)
    mean = float(found @ (np.arange(24) + 0.5))
    assert mean == pytest.approx(delay + stretch / 2 + 0.5, abs=0.3)  # up to where in a year service falls


@given(delay=st.floats(0, 4), stretch=st.floats(0, 1e-3))
def test_a_stretch_that_vanishes_is_a_mere_delay(delay, stretch):
    np.testing.assert_allclose(timing(delay, stretch), timing(delay + stretch / 2, 0.0), atol=1e-3)


def test_nothing_jumps_where_the_short_cut_begins():
    np.testing.assert_allclose(timing(0.3, 1.01e-4), timing(0.3, 0.99e-4), atol=1e-5)


def moved_by_loops(path, shares):
    later = np.zeros_like(path)
    for draw in range(path.shape[0]):
        for year in range(path.shape[1]):
            for lag in range(path.shape[1] - year):
                later[draw, year + lag] += path[draw, year] * shares[draw, lag]
    return later


def test_moving_a_path_equals_loops_and_gains_nothing():
    rng = np.random.default_rng(1)
    path = rng.uniform(0, 1e9, (40, YEARS)) * (rng.uniform(size=(40, YEARS)) > 0.3)
    shares = service_timing(rng.gamma(2, 0.5, 40), stretch=rng.gamma(2, 0.5, 40), years=YEARS)
    found = slipped(path, timing=shares)
    np.testing.assert_allclose(found, moved_by_loops(path, shares), rtol=1e-12, atol=1e-3)
    assert (np.cumsum(path - found, axis=1) >= -1e-3).all()  # nothing is served before it is paid


@given(delay=st.floats(0, 3), stretch=st.floats(0, 3))
def test_all_money_is_served_in_the_end(delay, stretch):
    path = np.zeros((1, 24))
    path[0, :6] = [5.0, 0.0, 7.0, 1.0, 0.0, 2.0]
    shares = service_timing(np.array([delay]), stretch=np.array([stretch]), years=24)
    assert slipped(path, timing=shares).sum() == pytest.approx(15.0, rel=1e-9)


def test_nothing_from_nothing_and_later_money_changes_no_earlier_year():
    shares = service_timing(np.full(2, 0.7), stretch=np.full(2, 0.6), years=4)
    assert not slipped(np.zeros((2, 4)), timing=shares).any()
    path = np.ones((2, 4))
    later = path.copy()
    later[:, 2:] += 5
    np.testing.assert_array_equal(slipped(path, timing=shares)[:, :2], slipped(later, timing=shares)[:, :2])
