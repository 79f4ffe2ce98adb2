"""Money to services: never more than the money buys, later by the delay, and the review's foster carers by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cba.interventions.delivery import coverage, in_place, service_money
from cba.interventions.kinds import shipped_effect
from cba.interventions.records import Money
from tests.interventions.made_ground import ground

ONE = np.ones(1)
CARERS = 9000  # the review's target: carers, not households


def money_paths(years=8):
    amounts = st.lists(st.floats(0, 1e9), min_size=years, max_size=years)
    return amounts.map(lambda values: np.array([values]))


def place(*, delay=0.0, stretch=0.0, setup=0.0, years=8, **values):
    """A system of one draw; half a year passes before any service."""
    delivery = {
        "delivery.start_delay": delay,
        "delivery.ramp_stretch": stretch,
        "delivery.setup_share": setup,
    }
    return ground(years, **delivery, **values)


def covered(money, *, cost, eligible, **delivery):
    there = place(years=money.shape[1], **delivery)
    return coverage(there, Money(money, money), cost=cost * ONE, eligible=eligible)[0]


# --- coverage -------------------------------------------------------------------------------------------


def test_setup_takes_its_share_of_the_first_two_years_with_money():
    money = np.array([[0.0, 5, 0, 10, 10], [10.0, 10, 10, 0, 0]])
    found = service_money(money, setup_share=np.array([0.2, 0.5]))
    np.testing.assert_allclose(found, [[0, 4, 0, 8, 10], [5, 5, 10, 0, 0]])


@given(
    money=money_paths(),
    cost=st.floats(500, 2e4),
    setup=st.floats(0, 0.9),
    delay=st.floats(0, 5),
    stretch=st.floats(0, 5),
)
def test_children_served_never_cost_more_than_the_money(money, cost, setup, delay, stretch):
    """Coverage never outlives its money, in total and up to any year."""
    eligible = 500_000.0
    share = covered(money, cost=cost, eligible=eligible * ONE, setup=setup, delay=delay, stretch=stretch)
    assert (share >= 0).all() and (share <= 1).all()
    spent = np.cumsum(share * eligible * cost, axis=1)
    assert (spent <= np.cumsum(money, axis=1) * (1 + 1e-9) + 1e-6).all()


def test_coverage_by_hand_and_saturation():
    """£2m at £4,000 a child for 1,000 children, a quarter of the first years in set-up, half a year's delay."""
    money = np.array([[2e6, 2e6, 8e6, 8e6, 0.0]])
    settings = {"cost": 4000.0, "setup": 0.25}
    found = covered(money, eligible=1000 * ONE, **settings)
    served = np.array([375, 375, 2000, 2000, 0]) / 2 + np.array([0, 375, 375, 2000, 2000]) / 2
    np.testing.assert_allclose(found[0], np.minimum(served / 1000, 1.0), rtol=1e-12)
    assert found[0, 3] == 1.0
    by_year = covered(money, eligible=np.full((1, 5), 1000.0), **settings)
    np.testing.assert_array_equal(found, by_year)


def test_without_money_nobody_is_served():
    assert (covered(np.zeros((1, 4)), cost=1.0, eligible=ONE, stretch=1.0) == 0).all()


def test_a_stretched_ramp_only_slows_the_start():
    """Money for good: the same coverage in the end, never more on the way, and less while it starts up."""
    money = np.full((1, 8), 1e6)
    settings = {"cost": 1000.0, "eligible": 4000 * ONE}
    quick = covered(money, **settings)[0]
    slow = covered(money, stretch=2.0, **settings)[0]
    assert (slow <= quick + 1e-12).all() and (slow[:3] < quick[:3]).all()
    np.testing.assert_allclose(slow[4:], quick[4:], rtol=1e-12)


# --- foster carers --------------------------------------------------------------------------------------


def foster(money, *, target=CARERS, attrition=0.14, places=1.65, filled=0.61, cost=1000.0, delivered=1.0):
    """Filled places of the shipped effect, from carers to households to places."""
    values = {
        "cost_per_carer": cost,
        "target_delivered": delivered,
        "carers_per_household": 1.7,
        "places_per_household": places,
        "filled_share": filled,
        "attrition": attrition,
        "home_share": 0.1,
        "agency_share": 0.5,
        "substitution": 0.0,
    }
    there = place(delay=0.5, years=money.shape[1], **{f"foster.{name}": v for name, v in values.items()})
    effect = replace(shipped_effect("foster_places"), switch=target)
    return effect.kind.act(effect, there, Money(money, money)).delivered[0]


def plenty(years=10):
    money = np.zeros((1, years))
    money[0, 0] = 1e9
    return money


def test_nine_thousand_carers_are_about_5_300_households():
    """9,000 / 1.7 carers per household = 5,294; with one filled place each and nobody leaving, that many places."""
    found = foster(plenty(), attrition=0.0, places=1.0, filled=1.0)
    assert found[0] == 0
    np.testing.assert_allclose(found[1:], CARERS / 1.7, rtol=1e-12)
    assert CARERS / 1.7 == pytest.approx(5300, abs=10)


def test_filled_places_at_best():
    """6,700 at best needs about 2.1 places a household at 60% filled and no attrition.

    At 1.65 places (70,465 places in 42,615 households of all types) and 61% filled it is 5,330 before anyone
    leaves, and 4,955 at the end of the year of approval with 14% leaving a year.
    """
    assert foster(plenty(), attrition=0.0, places=2.1, filled=0.6)[1] == pytest.approx(6700, rel=0.01)
    assert foster(plenty(), attrition=0.0)[1] == pytest.approx(5330, rel=1e-3)
    assert foster(plenty())[1] == pytest.approx(5330 * (1 - 0.07), rel=1e-3)


def test_households_leave_year_by_year():
    found = foster(plenty(), attrition=0.14)
    first = CARERS / 1.7 * 1.65 * 0.61 * (1 - 0.07)
    np.testing.assert_allclose(found[1:], first * 0.86 ** np.arange(9), rtol=1e-12)


def test_money_and_delivery_bound_recruitment():
    money = np.array([[3e6, 0, 3e6, 0, 0, 0]])
    found = foster(money, cost=1000.0, attrition=0.0, places=1.0, filled=1.0)
    np.testing.assert_allclose(found, np.array([0, 3000, 3000, 6000, 6000, 6000]) / 1.7, rtol=1e-12)
    short = foster(money, cost=1000.0, attrition=0.0, places=1.0, filled=1.0, target=4000, delivered=0.5)
    np.testing.assert_allclose(short, np.array([0, 1500, 1500, 2000, 2000, 2000]) / 1.7, rtol=1e-12)


# --- reform ---------------------------------------------------------------------------------------------


@given(money=money_paths(12), delay=st.floats(0, 3), stretch=st.floats(0, 3))
def test_reform_progresses_to_one_once_its_money_is_spent(money, delay, stretch):
    money[:, 4:] = 0.0
    money = np.where(money < 1, 0.0, money)
    found = in_place(place(delay=delay, stretch=stretch, years=12), Money(money, money))[0]
    assert (np.diff(found) >= -1e-12).all() and (found >= 0).all()
    assert found[-1] == pytest.approx(1.0 if money.sum() > 0 else 0.0, abs=1e-9)
