"""Placement prices: the published average, growth in closed form, and prices that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cba.costs.prices import FOSTER, foster_prices, growth_path, unit_cost_path
from cba.dimensions import PLACEMENTS
from cba.errors import InputError
from cba.models.unit_costs_accounts import WEEKS
from tests.appraisal.made_workings import made_inputs, made_workings

RATES = st.floats(-0.1, 0.15)


@given(first=RATES, settled=RATES, half_life=st.floats(0.2, 30.0), steps=st.integers(1, 40))
def test_growth_is_a_geometric_sum(first, settled, half_life, steps):
    ratio = 0.5 ** (1.0 / half_life)
    t = np.arange(1, steps + 1)
    exact = settled * t + (first - settled) * (1 - ratio**t) / (1 - ratio)
    one = np.ones(1)
    found = growth_path(first * one, settled=settled * one, half_life=half_life * one, steps=steps)
    np.testing.assert_allclose(np.log(found[0]), exact, rtol=1e-9, atol=1e-12)


def test_growth_first_is_that_of_today_and_half_the_gap_is_left_after_the_half_life():
    one = np.ones(1)
    found = growth_path(0.09 * one, settled=0.01 * one, half_life=4.0 * one, steps=5)[0]
    yearly = np.diff(np.log(found), prepend=0.0)
    assert yearly[0] == pytest.approx(0.09)
    assert yearly[4] == pytest.approx(0.05)


@given(
    counts=st.lists(st.integers(1, 40_000), min_size=3, max_size=3),
    ratio=st.floats(0.3, 1.0),
    premium=st.floats(0.0, 20_000.0),
)
def test_split_gives_back_the_average_it_was_made_of(counts, ratio, premium):
    one, counts = np.ones(2), np.array(counts)
    found = foster_prices(38_000.0 * one, counts=counts, relative_ratio=ratio * one, premium=premium * one)
    weights = counts / counts.sum()
    average = sum(w * found[name] for w, name in zip(weights, FOSTER, strict=True))
    np.testing.assert_allclose(average, 38_000.0, rtol=1e-12)
    np.testing.assert_allclose(found["foster_agency"] - found["foster_in_house"], premium, atol=1e-6)


@pytest.mark.parametrize("premium", [200_000.0, -200_000.0])
def test_a_premium_that_leaves_nothing_for_a_placement_is_refused(premium):
    one = np.ones(1)
    with pytest.raises(InputError) as caught:
        foster_prices(38e3 * one, counts=np.ones(3), relative_ratio=0.7 * one, premium=premium * one)
    text = str(caught.value)
    assert "unit_costs.agency_premium" in text and str(int(premium)) in text and "narrow" in text


def test_prices_of_today_are_the_published_weekly_costs_up_to_their_error():
    """£6,775 and £720 a week in 2023-24; the analysis is in prices of that year."""
    workings = made_workings()
    prices, seen, value = workings.basis.prices, made_inputs().observations, workings.system.value
    home = prices.today[:, PLACEMENTS.index("childrens_home")]
    np.testing.assert_allclose(
        home, 6775.0 * WEEKS * np.exp(value("unit_costs.residential_level")), rtol=1e-12
    )
    counts = seen["stock_by_placement"].sel(year=2024, placement=list(FOSTER)).values
    foster = prices.today[:, [PLACEMENTS.index(p) for p in FOSTER]]
    average = 720.0 * WEEKS * np.exp(value("unit_costs.fostering_level"))
    np.testing.assert_allclose((foster * counts).sum(1) / counts.sum(), average, rtol=1e-12)
    assert prices.year == 2024
    assert np.abs(np.log(home / (6775.0 * WEEKS))).mean() < 0.02


def test_paths_start_a_year_after_today_and_are_never_cut_by_the_avoidable_share():
    workings = made_workings()
    prices, value = workings.basis.prices, workings.system.value
    surprise, shares = value("unit_costs.residential_surprise"), ("lasting", "error")
    walk = 1.0 - sum(value(f"unit_costs.{share}_share") for share in shares)
    home = PLACEMENTS.index("childrens_home")
    first = prices.path[:, 0, home] / prices.today[:, home]
    assert workings.years[0] == 2025
    expected = value("unit_costs.residential_growth") + surprise * np.sqrt(walk)
    np.testing.assert_allclose(np.log(first), expected, atol=1e-12)
    foster = PLACEMENTS.index("foster_in_house")
    half_life, now = value("unit_costs.growth_half_life"), value("unit_costs.fostering_growth")
    settled = value("unit_costs.real_earnings_growth") + value("unit_costs.growth_above_earnings")
    kept = 0.5 ** (1.0 / half_life)
    wide = np.sqrt(2.0 * walk + value("unit_costs.lasting_share") * (1.0 - kept**2))
    second = np.log(prices.path[:, 1, foster] / prices.today[:, foster])
    expected = now + settled + (now - settled) * kept + value("unit_costs.fostering_surprise") * wide
    np.testing.assert_allclose(second, expected, atol=1e-12)


def test_recent_real_growth_is_near_what_the_series_shows():
    """Homes 6.2% a year real 2016-24 and 9.5% since 2021, fostering -0.5% and 1.2%: today's lies between."""
    workings = made_workings()
    home = workings.system.value("unit_costs.residential_growth")
    foster = workings.system.value("unit_costs.fostering_growth")
    assert 0.055 < np.expm1(home.mean()) < 0.095
    assert -0.015 < np.expm1(foster.mean()) < 0.02


def test_prices_of_every_placement_by_hand():
    """Others are stated a week; supported and other residential places grow by the mean of homes and fostering."""
    workings = made_workings()
    prices, value = workings.basis.prices, workings.system.value
    place = {name: number for number, name in enumerate(PLACEMENTS)}
    weekly = {
        "supported_accommodation": "supported_accommodation",
        "other_residential": "other_residential",
        "with_parents": "with_parents",
        "placed_for_adoption": "with_parents",
    }
    for name, entry in weekly.items():
        np.testing.assert_allclose(
            prices.today[:, place[name]], value(f"unit_costs.{entry}") * WEEKS, rtol=1e-12
        )
    grown = prices.path / prices.today[:, None]
    steps = grown.shape[1]
    one, two = "unit_costs.residential", "unit_costs.fostering"
    paths = {
        names: unit_cost_path(workings.system.parameters, names, steps=steps)
        for names in ((one,), (two,), (one, two))
    }
    for name in PLACEMENTS:
        names = {
            "childrens_home": (one,),
            "supported_accommodation": (one, two),
            "other_residential": (one, two),
        }
        np.testing.assert_allclose(grown[..., place[name]], paths[names.get(name, (two,))], rtol=1e-9)
    np.testing.assert_allclose(
        prices.today[:, place["foster_relative_or_friend"]],
        value("unit_costs.relative_foster_ratio") * prices.today[:, place["foster_in_house"]],
        rtol=1e-12,
    )


def test_a_foster_price_of_nothing_is_refused():
    """Equal thirds of an average of 30 with a premium of 90: in-house places would cost exactly 0."""
    one = np.ones(1)
    parts = {"counts": np.array([0.0, 2.0, 1.0]), "relative_ratio": one}
    with pytest.raises(InputError, match="cost nothing or less"):
        foster_prices(30.0 * one, premium=90.0 * one, **parts)
    with pytest.raises(InputError, match="cost nothing or less"):
        foster_prices(30.0 * one, premium=-45.0 * one, **parts)
    kept = foster_prices(30.0 * one, premium=-44.0 * one, **parts)
    assert kept["foster_agency"][0] == pytest.approx(2 / 3)
