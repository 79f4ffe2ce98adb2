"""The accounts add up to what was published, and next year is near this one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.costs.placement_prices import PlacementPrices
from cba.costs.prices import PriceIndex
from cba.costs.system_cost import PARTS, last_accounts, system_cost
from cba.dimensions import PLACEMENTS
from cba.errors import InputError
from cba.inputs.observations import load_observations
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


def drivers(seen, accounts, **changes):
    """Drivers of the year of the accounts itself: every index must be 1."""
    workings = made_workings()
    today = workings.basis.prices.today
    draws = today.shape[0]
    placed = seen["stock_by_placement"].sel(year=accounts.year, placement=list(PLACEMENTS)).values
    found = {
        "children": np.full((draws, 1), accounts.children),
        "placement_mix": np.broadcast_to(placed / placed.sum(), (draws, 1, len(PLACEMENTS))),
        "prices": PlacementPrices(accounts.year, today, today[:, None, :]),
        "population": np.full((draws, 1), accounts.population),
        "parameters": workings.system.parameters,
        "years": np.array([accounts.year]),
        "observations": seen,
    }
    return found | changes


def test_in_its_own_year_the_system_costs_what_the_accounts_say(seen, accounts):
    """Up to rounding of the published placements, which do not add up to the published stock exactly."""
    parts = system_cost(accounts, **drivers(seen, accounts))
    for part in PARTS:
        np.testing.assert_allclose(parts[part][:, 0] / accounts.spending[part], 1.0, rtol=5e-4, err_msg=part)


@pytest.mark.parametrize(
    "driver, moved",
    [("children", {"homes", "fostering", "other_care"}), ("population", {"safeguarding", "family_support"})],
)
def test_each_part_follows_its_own_driver(seen, accounts, driver, moved):
    """A tenth more of a driver is a tenth more of the parts it drives, and nothing else moves."""
    usual = drivers(seen, accounts)
    before = system_cost(accounts, **usual)
    after = system_cost(accounts, **{**usual, driver: usual[driver] * 1.1})
    for part in PARTS:
        np.testing.assert_allclose(after[part] / before[part], 1.1 if part in moved else 1.0, rtol=1e-12)


def test_prices_move_homes_and_fostering_only(seen, accounts):
    usual = drivers(seen, accounts)
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


def test_a_missing_outturn_is_refused(seen):
    spending = seen["spending"].copy(deep=True)
    spending.loc[{"year": 2024, "line": "total_safeguarding"}] = np.nan
    with pytest.raises(InputError) as caught:
        last_accounts(
            seen.assign(spending=spending), price_base=2024, prices=PriceIndex(published=seen["gdp_deflator"])
        )
    text = str(caught.value)
    assert "total_safeguarding" in text and "2024" in text and "spending_england.csv" in text
