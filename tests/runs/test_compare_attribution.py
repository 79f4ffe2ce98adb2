"""Attribution of paired differences: axioms of Shapley, a second method, and errors that cover."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from cba.runs.comparison import Shift, split_differences

GROUPS = ("data", "priors and evidence", "unit costs")


def _world(*, draws: int = 200, seed: int = 0):
    """A world with interactions: each set of groups adds noise of its own to every draw."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=draws)
    rows: dict[frozenset, dict[str, np.ndarray]] = {}

    def world(members: frozenset[str]) -> dict[str, np.ndarray]:
        if members not in rows:
            size = sum(GROUPS.index(name) + 1.0 for name in members) ** 2
            own = np.random.default_rng(len(rows)).normal(size=draws)
            rows[members] = {"npv": size + common * (1.0 + size) + 0.1 * own, "children": common + size}
        return rows[members]

    return world


def _by_orders(world, key: str) -> dict[str, np.ndarray]:
    """The definition itself: the average gain over all orders of arrival."""
    gains: dict[str, list[np.ndarray]] = {name: [] for name in GROUPS}
    for order in permutations(GROUPS):
        for place, name in enumerate(order):
            before, after = frozenset(order[:place]), frozenset(order[: place + 1])
            gains[name].append(world(after)[key] - world(before)[key])
    return {name: np.mean(found, axis=0) for name, found in gains.items()}


@pytest.mark.parametrize("key", ["npv", "children"])
def test_shares_are_those_of_all_orders_of_arrival(key):
    world = _world()
    splits, _ = split_differences(world, GROUPS)
    for name, draws in _by_orders(world, key).items():
        share = splits[key].shares[name]
        assert share.value == pytest.approx(draws.mean(), rel=1e-12)
        assert share.mcse == pytest.approx(draws.std(ddof=1) / np.sqrt(draws.size), rel=1e-12)


def test_shares_sum_to_the_difference():
    world = _world()
    splits, _ = split_differences(world, GROUPS)
    whole = world(frozenset(GROUPS))["npv"].mean() - world(frozenset())["npv"].mean()
    assert splits["npv"].total.value == pytest.approx(whole, rel=1e-12)
    assert sum(s.value for s in splits["npv"].shares.values()) == pytest.approx(whole, rel=1e-12)


def test_a_player_that_adds_nothing_gets_nothing_and_equals_get_the_same():
    base = np.arange(6.0)

    def world(members: frozenset[str]) -> dict[str, np.ndarray]:
        return {"npv": base + 10.0 * len(members & {"data", "unit costs"}) ** 2}

    shares = split_differences(world, GROUPS)[0]["npv"].shares
    assert shares["priors and evidence"] == Shift(0.0, 0.0)
    assert shares["data"] == shares["unit costs"] == Shift(20.0, 0.0)


def test_each_world_is_worked_out_once():
    asked: list[frozenset[str]] = []

    def world(members: frozenset[str]) -> dict[str, np.ndarray]:
        asked.append(members)
        return {"npv": np.zeros(4)}

    split_differences(world, GROUPS)
    assert len(asked) == len(set(asked)) == 2 ** len(GROUPS)


def test_nothing_moved_leaves_one_world_and_no_shares():
    splits, missing = split_differences(lambda members: {"npv": np.arange(4.0)}, ())
    assert splits["npv"].total == Shift(0.0, 0.0) and splits["npv"].shares == {} and missing == ()


def test_a_figure_some_worlds_lack_is_named_and_not_split():
    def world(members: frozenset[str]) -> dict[str, np.ndarray]:
        return {"npv": np.zeros(4)} | ({} if members else {"bcr": np.ones(4)})

    splits, missing = split_differences(world, ("data",))
    assert set(splits) == {"npv"} and missing == ("bcr",)


def test_common_draws_show_what_independent_ones_would_hide():
    rng = np.random.default_rng(5)
    state = rng.normal(0.0, 100.0, 400)
    splits, _ = split_differences(lambda members: {"npv": state + len(members)}, ("data",))
    moved = splits["npv"].total
    assert moved.value == pytest.approx(1.0) and not moved.within_error
    apart = Shift(1.0, np.sqrt(2.0) * state.std(ddof=1) / np.sqrt(state.size))
    assert apart.within_error


def test_errors_cover_the_true_difference():
    """Two errors each side hold the true difference in about 95 of 100 repetitions (binomial, 99.9% limits)."""
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        state, noise = rng.normal(size=(2, 250))
        rows = {frozenset(): state, frozenset({"data"}): state + 0.2 + 0.5 * noise}
        moved = split_differences(lambda m, rows=rows: {"npv": rows[m]}, ("data",))[0]["npv"].total
        covered += abs(moved.value - 0.2) <= 2.0 * moved.mcse
    assert 272 <= covered <= 298
