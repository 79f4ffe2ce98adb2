"""The accounts add up to what was published, and next year is near this one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.costs.prices import PlacementPrices, PriceIndex, unit_cost_path
from cba.costs.system_cost import future_drivers, last_accounts, system_cost, usual_cost
from cba.dimensions import PLACEMENTS
from cba.inputs.observations import load_observations
from cba.models.unit_costs_accounts import DRIVERS, PARTS, driver_weights, published_drivers
from tests.appraisal.made_workings import made_inputs, made_workings

LINES = ("total_cla", "total_safeguarding", "total_family_support")


@pytest.fixture(scope="module")
def seen():
    return made_inputs().observations


@pytest.fixture(scope="module")
def accounts(seen):
    return last_accounts(seen, price_base=2024, prices=PriceIndex(published=seen["gdp_deflator"]))


def test_accounts_are_the_published_13_3_billion(seen, accounts):
    published = float(seen["spending"].sel(year=2024, line=list(LINES)).sum()) * 1e6
    assert accounts.year == 2024
    assert float(sum(accounts.spending.values())[0]) == pytest.approx(published, rel=1e-12)
    assert published == pytest.approx(13.3e9, abs=0.05e9)


def test_accounts_of_2022_are_the_published_10_5_billion():
    seen = load_observations(2022)
    found = last_accounts(
        seen, price_base=2022, prices=PriceIndex(published=seen["gdp_deflator"], growth_beyond=0.0)
    )
    assert found.year == 2022
    assert float(sum(found.spending.values())[0]) == pytest.approx(10.5e9, abs=0.05e9)


def test_every_part_is_a_cost_and_placements_explain_under_half(accounts):
    total = float(sum(accounts.spending.values())[0])
    assert set(accounts.spending) == set(PARTS)
    assert all((part > 0).all() for part in accounts.spending.values())
    assert float((accounts.spending["homes"] + accounts.spending["fostering"])[0]) < 0.5 * total


def test_another_price_base_is_the_same_money(seen, accounts):
    prices = PriceIndex(published=seen["gdp_deflator"])
    other = last_accounts(seen, price_base=2022, prices=prices)
    ratio = float(prices.index(2022) / prices.index(2024))
    for part in PARTS:
        np.testing.assert_allclose(other.spending[part], accounts.spending[part] * ratio, rtol=1e-12)


def drivers(accounts, **changes):
    """Drivers and prices of the year of the accounts itself, one year on: every driver index is 1."""
    workings = made_workings()
    today = workings.basis.prices.today
    found = {
        "drivers": np.tile(accounts.drivers.values, (today.shape[0], 1, 1)),
        "prices": PlacementPrices(accounts.year, today, today[:, None, :]),
        "parameters": workings.system.parameters,
        "years": np.array([accounts.year + 1]),
    }
    return found | changes


def test_with_nothing_moving_but_unit_costs_each_part_is_its_account_times_its_cost(accounts):
    parameters = made_workings().system.parameters
    parts = system_cost(accounts, **drivers(accounts))
    level = parameters[
        "unit_costs.residential_level"
    ].values  # prices held: only the error of the published one
    np.testing.assert_allclose(np.log(parts["homes"][:, 0] / accounts.spending["homes"]), level, atol=1e-12)
    shares = 1.0 - parameters["system.lasting_share"].values - parameters["system.error_share"].values
    for part in PARTS[2:]:
        entries = (parameters[f"system.{part}_{name}"].values for name in ("growth", "level", "surprise"))
        growth, level, surprise = entries
        expected = growth + level + surprise * np.sqrt(shares)
        found = np.log(parts[part][:, 0] / accounts.spending[part])
        np.testing.assert_allclose(found, expected, atol=1e-12, err_msg=part)


FOLLOWED_BY = {
    "homes": {"homes"},
    "fostered": {"fostering"},
    "leavers": {"leaving_care"},
    "guardianship": {"other_care"},
    "unaccompanied": {"other_care"},
    "looked_after": {"other_care"},
    "need": {"safeguarding", "family_support"},
    "population": {"safeguarding", "family_support"},
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_part_follows_its_own_drivers(accounts, driver):
    """A tenth more of a driver is a tenth of its share more of the parts that follow it; nothing else moves."""
    usual = drivers(accounts)
    more = usual["drivers"].copy()
    more[..., DRIVERS.index(driver)] *= 1.1
    before, after = system_cost(accounts, **usual), system_cost(accounts, **{**usual, "drivers": more})
    for part in PARTS:
        share = float(accounts.weights.sel(part=part, driver=driver))
        assert (share > 0) == (part in FOLLOWED_BY[driver]), part
        np.testing.assert_allclose(after[part] / before[part], 1.0 + 0.1 * share, rtol=1e-12)


def test_every_driver_all_together_moves_every_part_alike(accounts):
    usual = drivers(accounts)
    before, after = (
        system_cost(accounts, **{**usual, "drivers": factor * usual["drivers"]}) for factor in (1.0, 1.1)
    )
    for part in PARTS:
        np.testing.assert_allclose(after[part] / before[part], 1.1, rtol=1e-12)


def test_prices_move_homes_and_fostering_only(accounts):
    usual = drivers(accounts)
    dearer = dataclasses.replace(usual["prices"], path=usual["prices"].path * 1.2)
    before, after = (system_cost(accounts, **{**usual, "prices": p}) for p in (usual["prices"], dearer))
    for part in PARTS:
        expected = 1.2 if part in ("homes", "fostering") else 1.0
        np.testing.assert_allclose(after[part] / before[part], expected, rtol=1e-12)


def test_next_year_is_near_this_year(accounts):
    """Real growth of the whole was 1% to 10% a year since 2015-16; one year ahead lies in that range."""
    workings = made_workings()
    parts = workings.arrays.bau_parts
    growth = sum(parts.values())[:, 0] / float(sum(accounts.spending.values())[0]) - 1.0
    assert workings.years[0] == 2025
    assert -0.02 < np.quantile(growth, 0.05) < np.quantile(growth, 0.95) < 0.12
    assert growth.mean() == pytest.approx(0.04, abs=0.03)


def test_a_later_year_of_a_part_by_hand(accounts):
    """Leaving care three years on: account, driver of that year, level, growth and what was not foreseen."""
    workings = made_workings()
    parameters, prices = workings.system.parameters, workings.basis.prices
    counts = np.tile(accounts.drivers.values, (100, 2, 1))
    counts[:, 1] *= 1.5
    parts = system_cost(
        accounts, drivers=counts, prices=dataclasses.replace(prices, path=prices.path[:, 1:3]),
        parameters=parameters, years=np.array([2026, 2027]),
    )  # fmt: skip
    path = unit_cost_path(parameters, ("system.leaving_care",), steps=3)
    level = np.exp(parameters["system.leaving_care_level"].values)
    for place, factor in ((0, 1.0), (1, 1.5)):
        expected = accounts.spending["leaving_care"] * factor * level * path[:, 1 + place]
        np.testing.assert_allclose(parts["leaving_care"][:, place], expected, rtol=1e-12)
        home = PLACEMENTS.index("childrens_home")
        level_of_homes = np.exp(parameters["unit_costs.residential_level"].values)
        dearer = prices.path[:, 1 + place, home] / prices.today[:, home]
        expected = accounts.spending["homes"] * factor * level_of_homes * dearer
        np.testing.assert_allclose(parts["homes"][:, place], expected, rtol=1e-12)


def test_usual_cost_is_the_system_cost_of_its_drivers(seen, accounts):
    workings = made_workings()
    prices = PriceIndex(published=seen["gdp_deflator"])
    found = usual_cost(
        seen, workings.system, placements=workings.basis.prices, price_base=2024, prices=prices
    )
    parts = system_cost(
        accounts,
        drivers=future_drivers(seen, workings.system),
        prices=workings.basis.prices,
        parameters=workings.system.parameters,
        years=workings.system.years,
    )
    for part in PARTS:
        np.testing.assert_allclose(found[part], parts[part], rtol=1e-12)


def test_shares_of_drivers_are_those_of_the_detailed_year_moved_on_by_their_counts(seen, accounts):
    """What a driver drove when the lines were published apart, times its growth since; they sum to 1."""
    shares, detail = driver_weights(seen)
    counts = published_drivers(seen)
    for part in PARTS:
        moved = {
            name: float(shares.sel(part=part, driver=name))
            * float(counts.sel(year=2024, driver=name))
            / float(counts.sel(year=detail, driver=name))
            for name in DRIVERS
        }
        for name, amount in moved.items():
            expected = amount / sum(moved.values())
            assert float(accounts.weights.sel(part=part, driver=name)) == pytest.approx(expected, rel=1e-12)
