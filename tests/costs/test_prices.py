"""Price bases: ratios of one index, refused outside it, never moving a net present value (CASES C14-11)."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cba.costs.prices import PriceIndex, cash_index, deflate
from cba.discounting import present_value
from cba.errors import InputError

GROWTH = [0.02, 0.005, 0.06, 0.061, 0.04]


def deflator(first_year=2019, growth=GROWTH):
    levels = 80.0 * np.cumprod([1.0, *(1.0 + np.asarray(growth))])
    years = np.arange(first_year, first_year + len(levels))
    return xr.DataArray(levels, {"deflator_year": years}, "deflator_year")


SERIES = deflator()  # 2019 to 2024
YEARS = st.integers(2019, 2024)


def test_one_year_of_inflation_is_the_published_growth():
    moved = deflate(100.0, from_year=2021, to_year=2022, deflator=SERIES)
    assert moved == pytest.approx(106.0, rel=1e-14)
    assert deflate(moved, from_year=2022, to_year=2021, deflator=SERIES) == pytest.approx(100.0, rel=1e-14)


@given(st.floats(-1e12, 1e12), YEARS, YEARS)
def test_there_and_back_is_the_identity(amount, first, second):
    there = deflate(amount, from_year=first, to_year=second, deflator=SERIES)
    back = deflate(there, from_year=second, to_year=first, deflator=SERIES)
    assert back == pytest.approx(amount, rel=1e-12)


@given(YEARS, YEARS, YEARS)
def test_a_detour_changes_nothing(first, second, third):
    straight = deflate(1.0, from_year=first, to_year=third, deflator=SERIES)
    leg = deflate(1.0, from_year=first, to_year=second, deflator=SERIES)
    assert deflate(leg, from_year=second, to_year=third, deflator=SERIES) == pytest.approx(
        straight, rel=1e-12
    )


def test_the_base_of_the_index_does_not_matter():
    for scale in (1e-4, 0.01, 3.0):
        moved = deflate(7.0, from_year=2019, to_year=2024, deflator=SERIES * scale)
        assert moved == pytest.approx(7.0 * np.prod(1 + np.array(GROWTH)), rel=1e-12)


def test_net_present_value_does_not_move_with_the_price_base():
    """Invariant: to other prices and back; and in other prices it is the same value, converted."""
    flow = xr.DataArray(
        np.random.default_rng(0).normal(0, 1e8, (20, 10)), {"year": range(2024, 2034)}, ("sample", "year")
    )
    npv = present_value(flow, "green_book_2026", 2024)
    moved = deflate(flow, from_year=2022, to_year=2019, deflator=SERIES)
    back = deflate(moved, from_year=2019, to_year=2022, deflator=SERIES)
    xr.testing.assert_allclose(present_value(back, "green_book_2026", 2024), npv, rtol=1e-9)
    converted = deflate(npv, from_year=2022, to_year=2019, deflator=SERIES)
    xr.testing.assert_allclose(present_value(moved, "green_book_2026", 2024), converted, rtol=1e-9)


def test_the_type_of_the_amount_is_kept():
    options = {"from_year": 2020, "to_year": 2024, "deflator": SERIES}
    assert isinstance(deflate(1.0, **options), float)
    assert isinstance(deflate(np.ones(3), **options), np.ndarray)
    labelled = deflate(xr.DataArray([1.0], dims="sample", attrs={"units": "GBP"}), **options)
    assert labelled.dims == ("sample",) and labelled.attrs == {"units": "GBP"}


# --- beyond the published years -------------------------------------------------------------------------


def test_growth_beyond_the_last_year_compounds():
    prices = PriceIndex(published=SERIES, growth_beyond=0.02)
    assert float(prices.index(2034) / prices.index(2024)) == pytest.approx(1.02**10, rel=1e-13)
    assert float(prices.index(2024)) == float(SERIES[-1])
    assert (prices.first_year, prices.last_year) == (2019, 2024)


def test_growth_per_draw_gives_an_index_per_draw():
    rates = xr.DataArray([0.0, 0.02, -0.01], {"sample": [4, 5, 6]}, "sample")
    prices = PriceIndex(published=SERIES, growth_beyond=rates)
    assert prices.index(2023).ndim == 0
    expected = float(SERIES[-1]) * np.array([1.0, 1.02, 0.99]) ** 3
    np.testing.assert_allclose(prices.index(2027), expected, rtol=1e-13)
    amount = xr.DataArray([10.0, 10.0, 10.0], {"sample": [4, 5, 6]}, "sample")
    there = deflate(amount, from_year=2022, to_year=2030, deflator=prices)
    xr.testing.assert_allclose(
        deflate(there, from_year=2030, to_year=2022, deflator=prices), amount, rtol=1e-12
    )


def test_cash_index_is_one_in_the_price_base_and_compounds_after():
    rates = xr.DataArray([0.01, 0.03], {"sample": [0, 1]}, "sample")
    prices = PriceIndex(published=SERIES, growth_beyond=rates)
    index = cash_index(range(2022, 2027), price_base=2022, prices=prices)
    assert index.dims == ("year", "sample") and index["year"].values.tolist() == list(range(2022, 2027))
    np.testing.assert_array_equal(index.sel(year=2022), 1.0)
    known = 1.061 * 1.04
    np.testing.assert_allclose(index.sel(year=2026), known * np.array([1.01, 1.03]) ** 2, rtol=1e-13)
    assert cash_index([2022, 2024], price_base=2022, prices=PriceIndex(published=SERIES)).dims == ("year",)


def test_cash_and_real_are_inverse():
    prices = PriceIndex(published=SERIES, growth_beyond=0.018)
    index = cash_index([2030], price_base=2022, prices=prices)
    real = deflate(float(index[0]), from_year=2030, to_year=2022, deflator=prices)
    assert real == pytest.approx(1.0, rel=1e-12)


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2018, 2025])
@pytest.mark.parametrize("side", ["from_year", "to_year"])
def test_a_year_outside_the_index_is_refused(side, year):
    years = {"from_year": 2020, "to_year": 2020, side: year}
    with pytest.raises(InputError, match=f"no price index for the year {year}") as caught:
        deflate(1.0, **years, deflator=SERIES)
    assert "allowed: 2019 to 2024" in str(caught.value) and "growth_beyond" in str(caught.value)


def test_growth_does_not_reach_back():
    with pytest.raises(InputError, match="no price index for the year 2018"):
        PriceIndex(published=SERIES, growth_beyond=0.02).index(2018)


@pytest.mark.parametrize("growth", [-1.0, np.nan, np.inf, xr.DataArray([0.02, np.nan], dims="sample")])
def test_growth_that_is_no_rate_is_refused(growth):
    with pytest.raises(InputError, match="not usable") as caught:
        PriceIndex(published=SERIES, growth_beyond=growth)
    assert "field: growth_beyond" in str(caught.value)


@pytest.mark.parametrize(
    "published, problem",
    [
        (SERIES.isel(deflator_year=[0, 1, 3]), "a gap"),
        (SERIES.isel(deflator_year=[0, 1, 1]), "a repeated year"),
        (SERIES.isel(deflator_year=[]), "no years"),
        (SERIES.where(SERIES["deflator_year"] != 2021), "not a positive number"),
        (SERIES - 85.0, "not a positive number"),
        (SERIES.rename(deflator_year="year"), "not a series of years"),
        (SERIES.drop_vars("deflator_year"), "not a series of years"),
    ],
)
def test_a_broken_deflator_is_refused(published, problem):
    with pytest.raises(InputError, match=problem) as caught:
        PriceIndex(published=published)
    assert "deflator_year" in str(caught.value) and "next step: " in str(caught.value)


def test_a_plain_amount_cannot_take_growth_per_draw():
    prices = PriceIndex(published=SERIES, growth_beyond=xr.DataArray([0.01, 0.02], dims="sample"))
    with pytest.raises(InputError, match="differs by draw") as caught:
        deflate(1.0, from_year=2024, to_year=2030, deflator=prices)
    assert "DataArray" in str(caught.value)


@pytest.mark.parametrize("growth", [-1.0, np.inf, np.nan])
def test_growth_that_leaves_no_prices_is_refused(growth):
    with pytest.raises(InputError, match="growth of prices is not usable"):
        PriceIndex(published=SERIES, growth_beyond=growth)
    PriceIndex(published=SERIES, growth_beyond=-0.99)


@pytest.mark.parametrize("level", [0.0, -1.0, np.inf, np.nan])
def test_a_level_that_is_no_price_is_refused(level):
    broken = SERIES.copy()
    broken[2] = level
    with pytest.raises(InputError, match="not a positive number") as caught:
        PriceIndex(published=broken)
    assert "deflator_year=2021" in str(caught.value)


def test_years_that_do_not_follow_each_other_are_refused():
    for years, shown in (([0, 1, 3], "2020 followed by 2022"), ([0, 1, 1], "2020 followed by 2020")):
        with pytest.raises(InputError, match="a gap or a repeated year") as caught:
            PriceIndex(published=SERIES.isel(deflator_year=years))
        assert shown in str(caught.value)
    with pytest.raises(InputError, match="no years"):
        PriceIndex(published=SERIES.isel(deflator_year=[]))
    assert PriceIndex(published=SERIES.isel(deflator_year=[2, 0, 1])).last_year == 2021
    with pytest.raises(InputError, match="not a series of years"):
        PriceIndex(published=SERIES.rename(deflator_year="year"))


def test_prices_beyond_the_last_year_grow_from_it():
    prices = PriceIndex(published=SERIES, growth_beyond=0.1)
    assert float(prices.index(2026)) == pytest.approx(float(SERIES[-1]) * 1.21, rel=1e-12)
    assert float(prices.index(2019)) == 80.0 and (prices.first_year, prices.last_year) == (2019, 2024)
    for year in (2018, 2025):
        with pytest.raises(InputError, match="no price index"):
            PriceIndex(published=SERIES).index(year)
    with pytest.raises(InputError, match="no price index"):
        prices.index(2018)


def test_labelled_amounts_keep_their_labels_and_take_the_growth_of_each_draw():
    prices = PriceIndex(published=SERIES, growth_beyond=xr.DataArray([0.0, 0.1], dims="sample"))
    amount = xr.DataArray([100.0, 200.0], dims="sample", attrs={"units": "GBP"})
    moved = deflate(amount, from_year=2021, to_year=2022, deflator=SERIES)
    np.testing.assert_allclose(moved, [106.0, 212.0], rtol=1e-12)
    assert moved.attrs == {"units": "GBP"}
    ahead = deflate(amount, from_year=2024, to_year=2026, deflator=prices)
    np.testing.assert_allclose(ahead, [100.0, 242.0], rtol=1e-12)
    array = deflate(np.array([100.0, 50.0]), from_year=2021, to_year=2022, deflator=prices)
    np.testing.assert_allclose(array, [106.0, 53.0], rtol=1e-12)
    with pytest.raises(InputError, match="differs by draw"):
        deflate(100.0, from_year=2024, to_year=2025, deflator=prices)
