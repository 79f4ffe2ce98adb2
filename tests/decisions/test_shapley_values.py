"""Shapley values: efficiency, symmetry, dummies, additivity, and draws."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cba.decisions import shapley
from cba.errors import InputError


def random_game(seed: int, players: int):
    rng = np.random.default_rng(seed)
    known: dict[frozenset[int], float] = {}

    def value(subset: frozenset[int]) -> float:
        return known.setdefault(subset, float(rng.normal()))

    return value


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_equals_the_average_over_all_orders(seed, players):
    value = random_game(seed, players)
    shares = shapley(value, range(players))
    orders = list(permutations(range(players)))
    for player in range(players):
        gains = []
        for order in orders:
            before = frozenset(order[: order.index(player)])
            gains.append(value(before | {player}) - value(before))
        assert shares[player] == pytest.approx(np.mean(gains), abs=1e-12)
    assert sum(shares.values()) == pytest.approx(
        value(frozenset(range(players))) - value(frozenset()), abs=1e-12
    )


def test_glove_game():
    """Two left gloves, one right: the right one is worth 2/3."""
    shares = shapley(lambda s: float("r" in s and bool(s & {"l1", "l2"})), ["l1", "l2", "r"])
    assert shares == pytest.approx({"l1": 1 / 6, "l2": 1 / 6, "r": 2 / 3})


def test_draws_sum_exactly_in_every_draw():
    rng = np.random.default_rng(0)
    cut = {name: xr.DataArray(rng.uniform(0, 0.3, (500, 4)), dims=("sample", "year")) for name in "abc"}

    def children(subset: frozenset[str]) -> xr.DataArray:
        left = xr.ones_like(cut["a"]) * 80_000.0
        for name in sorted(subset):
            left = left * (1 - cut[name])
        return left

    shares = shapley(children, ["a", "b", "c"])
    total = children(frozenset("abc")) - children(frozenset())
    np.testing.assert_allclose(sum(shares.values()), total, rtol=1e-12)
    assert shares["a"].dims == ("sample", "year")


def test_every_subset_is_asked_for_once():
    seen: list[frozenset[str]] = []
    shapley(lambda s: seen.append(s) or float(len(s)), "abcd")
    assert len(seen) == 16 == len(set(seen))
    assert all(isinstance(subset, frozenset) for subset in seen)


@pytest.mark.parametrize("players", [[], ["a", "a"], list(range(17))])
def test_bad_players_are_refused(players):
    with pytest.raises(InputError, match="players"):
        shapley(lambda s: 0.0, players)


def test_as_many_players_as_are_allowed_may_play(monkeypatch):
    monkeypatch.setattr("cba.decisions.shares.MOST_PLAYERS", 3)
    assert shapley(lambda s: float(len(s)), "abc") == pytest.approx({"a": 1.0, "b": 1.0, "c": 1.0})
    with pytest.raises(InputError, match="4 players"):
        shapley(lambda s: 0.0, "abcd")
