"""Savings in closed form: child-years, avoidable share, cashability; extra costs are paid in full."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cba.costs.account import avoidable_share, cashable, child_years, placement_savings
from cba.dimensions import PLACEMENTS

SHARES = st.floats(0.0, 1.0)


def parameters(home=0.8, foster=0.6, other=0.7):
    values = {"childrens_home": home, "foster": foster, "other": other}
    return xr.Dataset({f"avoidable.{name}": ("sample", [v]) for name, v in values.items()})


@given(saved=arrays(float, (1, 9), elements=st.floats(0.0, 1e9)), s=SHARES, r=SHARES)
def test_savings_are_cashable_in_two_steps(saved, s, r):
    """cash(t) = s S(t) + (1 - s) r S(t - 2)."""
    found = cashable(saved, at_once=np.array([s]), rest_later=np.array([r]))[0]
    earlier = np.concatenate([[0.0, 0.0], saved[0, :-2]])
    np.testing.assert_allclose(found, s * saved[0] + (1 - s) * r * earlier, rtol=1e-12, atol=1e-6)


@given(flow=arrays(float, (1, 9), elements=st.floats(-1e9, 1e9)), s=SHARES, r=SHARES)
def test_extra_costs_are_paid_in_full_at_once(flow, s, r):
    """Nobody can take only part of an extra placement into account, or pay for it two years later."""
    settings = {"at_once": np.array([s]), "rest_later": np.array([r])}
    found = cashable(flow, **settings)
    np.testing.assert_allclose(
        found - cashable(np.maximum(flow, 0.0), **settings), np.minimum(flow, 0.0), rtol=1e-12, atol=1e-6
    )


@given(flow=arrays(float, (1, 9), elements=st.floats(-1e9, 1e9)), s=SHARES, r=SHARES)
def test_no_more_becomes_cash_than_was_avoided(flow, s, r):
    found = cashable(flow, at_once=np.array([s]), rest_later=np.array([r]))
    assert found.sum() <= flow.sum() + 1e-3


def test_a_steady_saving_ends_at_its_cashable_share():
    found = cashable(np.full((1, 6), 100.0), at_once=np.array([0.6]), rest_later=np.array([0.7]))[0]
    np.testing.assert_allclose(found, [60, 60, 88, 88, 88, 88])


def test_shares_broadcast_over_placements():
    """One call for all placements equals one call for each."""
    flow = np.random.default_rng(0).normal(0, 1e6, (4, 7, 8))
    share = {"at_once": np.array([0.1, 0.4, 0.6, 0.9]), "rest_later": np.array([0.5, 0.2, 0.9, 0.0])}
    together = cashable(flow, **share)
    for place in range(8):
        np.testing.assert_allclose(together[..., place], cashable(flow[..., place], **share), rtol=1e-12)


def test_child_years_are_the_mean_of_both_ends_and_nothing_came_before():
    np.testing.assert_allclose(child_years(np.array([[4.0, 10.0, 0.0]])), [[2.0, 7.0, 5.0]])


def test_child_years_of_all_years_are_the_stocks_less_half_the_last():
    stock = np.random.default_rng(1).normal(0, 100, (3, 12))
    np.testing.assert_allclose(child_years(stock).sum(1), stock.sum(1) - stock[:, -1] / 2, rtol=1e-12)


def test_avoidable_share_by_placement():
    found = dict(zip(PLACEMENTS, avoidable_share(parameters())[0], strict=True))
    assert found["childrens_home"] == 0.8
    assert {found[p] for p in PLACEMENTS if p.startswith("foster")} == {0.6}
    assert found["supported_accommodation"] == found["with_parents"] == 0.7


def test_avoidable_share_is_never_grown():
    """Prices double in ten years; the share of the price that is avoided does not move."""
    fewer = np.full((1, 10, len(PLACEMENTS)), 3.0)
    prices = np.broadcast_to(1e4 * 2.0 ** np.linspace(0, 1, 10)[None, :, None], fewer.shape)
    saved = placement_savings(fewer, 0.0 * fewer, prices=prices, parameters=parameters())
    share = saved / (child_years(fewer) * prices)
    np.testing.assert_allclose(share, np.broadcast_to(avoidable_share(parameters())[:, None, :], share.shape))


def test_moved_children_save_where_they_leave_and_cost_where_they_arrive():
    fewer = np.zeros((1, 2, len(PLACEMENTS)))
    moved = fewer.copy()
    home, own = PLACEMENTS.index("childrens_home"), PLACEMENTS.index("foster_in_house")
    moved[..., home], moved[..., own] = 10.0, -10.0
    prices = np.full(fewer.shape, 1e4)
    prices[..., home] = 3e5
    saved = placement_savings(fewer, moved, prices=prices, parameters=parameters())
    assert saved[0, 1, home] == pytest.approx(10 * 3e5 * 0.8)
    assert saved[0, 1, own] == pytest.approx(-10 * 1e4 * 0.6)
