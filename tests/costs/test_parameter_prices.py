"""Money inputs are brought to the price base once, by the index of their own price year."""

from __future__ import annotations

import numpy as np
import pytest

from cba.costs.prices import PriceIndex, in_price_base
from cba.errors import InputError
from cba.inputs.observations import load_observations
from cba.inputs.priors import load_priors


@pytest.fixture(scope="module")
def registry():
    return load_priors()


@pytest.fixture(scope="module")
def prices():
    return PriceIndex(published=load_observations(2024)["gdp_deflator"], growth_beyond=0.02)


def test_every_money_entry_is_converted_and_nothing_else(registry, prices):
    drawn = registry.sample(20, seed=0)
    found = in_price_base(drawn, registry, price_base=2024, prices=prices)
    money = {n for n, entry in registry.entries.items() if entry.price_year is not None}
    assert {n for n, entry in registry.entries.items() if "GBP" in entry.unit} == money
    for name in drawn.data_vars:
        factor = 1.0
        if name in money:
            year = int(registry[name].price_year)
            factor = float(prices.index(2024) / prices.index(year))
        np.testing.assert_allclose(
            found[name].values, drawn[name].values * factor, rtol=1e-12, err_msg=str(name)
        )


def test_inflation_makes_older_pounds_worth_more(registry, prices):
    drawn = registry.sample(5, seed=0)
    found = in_price_base(drawn, registry, price_base=2024, prices=prices)
    assert (found["kinship.meeting_cost"] > drawn["kinship.meeting_cost"]).all()  # 2021-22 money


def test_converting_twice_is_refused(registry, prices):
    once = in_price_base(registry.sample(5, seed=0), registry, price_base=2024, prices=prices)
    with pytest.raises(InputError) as caught:
        in_price_base(once, registry, price_base=2022, prices=prices)
    assert "twice" in str(caught.value) and "2024" in str(caught.value) and "once" in str(caught.value)


def test_the_drawn_parameters_stay_as_they_were(registry, prices):
    drawn = registry.sample(5, seed=0)
    before = drawn.copy(deep=True)
    in_price_base(drawn, registry, price_base=2024, prices=prices)
    assert drawn.identical(before)
