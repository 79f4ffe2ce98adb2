"""Discount factors and present values against the published bands and closed forms (CASES C7, C8, C14)."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cba.discounting import (
    _schedule,
    discount_factors,
    find_schedule,
    flat_schedule,
    list_schedules,
    present_value,
)
from cba.errors import InputError

YEARS = [0, 1, 5, 10, 20, 30, 31, 50, 75, 76, 100, 125, 126, 200, 201, 301]
FACTORS = {  # CASES C7, recomputed there from the rates the Department for Transport restates
    "green_book_2026": [
        1, 0.966183575, 0.841973167, 0.708918814, 0.502565884, 0.356278411, 0.345901370, 0.197262718,
        0.094213773, 0.091915876, 0.050818022, 0.027410763,
        0.026873297, 0.006207379, 0.006115644, 0.001386700,
    ],
    "green_book_2026_health": [
        1, 0.985221675, 0.928260325, 0.861667232, 0.742470418, 0.639762430, 0.631614602, 0.495093597,
        0.359354454, 0.355550068, 0.275401556, 0.211061853,
        0.209262198, 0.111042047, 0.110335897, 0.058419951,
    ],
    "green_book_2026_reduced": [
        1, 0.970873786, 0.862608784, 0.744093915, 0.553675754, 0.411986760, 0.401663995, 0.248013972,
        0.131512569, 0.128757165, 0.077458828, 0.045622028,
        0.044855007, 0.012790883, 0.012627982, 0.003519852,
    ],
}  # fmt: skip


def stream(values, first_year=2023, **other):
    years = np.arange(first_year, first_year + np.shape(values)[-1])
    dims = (*other, "year")
    return xr.DataArray(np.asarray(values, dtype=float), {**other, "year": years}, dims)


# --- factors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", FACTORS)
def test_factors_of_the_published_schedules(schedule):
    """C7; the table prints nine decimals."""
    np.testing.assert_allclose(discount_factors(YEARS, schedule), FACTORS[schedule], rtol=0, atol=1e-9)


def test_the_standard_schedule_is_the_default():
    np.testing.assert_array_equal(discount_factors(YEARS), discount_factors(YEARS, "green_book_2026"))


@pytest.mark.parametrize("last, exact", [(5, (1 - 1.035**-5) / 0.035), (30, (1 - 1.035**-30) / 0.035)])
def test_sums_within_the_first_band_are_annuities(last, exact):
    """C7: 4.515052375 and 18.392045411."""
    assert discount_factors(range(1, last + 1)).sum() == pytest.approx(exact, abs=1e-12)


def test_sum_across_bands():
    assert discount_factors(range(1, 101)).sum() == pytest.approx(28.863363356, abs=1e-9)


@pytest.mark.parametrize("year, rate", [(31, 0.03), (76, 0.025), (126, 0.02), (201, 0.015), (301, 0.01)])
def test_a_new_band_applies_from_its_first_year_only(year, rate):
    """Year 31 is factor(30)/1.03: the lower rate is chained on, never applied from year 0."""
    before, after = discount_factors([year - 1, year])
    assert after == pytest.approx(before / (1 + rate), rel=1e-14)
    assert after != pytest.approx((1 + rate) ** -year, rel=1e-3)


def test_the_review_of_2026_is_flat():
    years = np.arange(0, 401)
    np.testing.assert_allclose(discount_factors(years, "review_2026_flat_3"), 1.03**-years, rtol=1e-12)


def test_mid_year_lies_half_a_year_later():
    """Within a band that is (1 + r)^-(t + 1/2); across the kink it uses the rate of the year it falls in."""
    expected = 1.035 ** -(np.arange(30) + 0.5)
    np.testing.assert_allclose(discount_factors(np.arange(30), mid_year=True), expected, rtol=1e-12)
    assert discount_factors([30], mid_year=True)[0] == pytest.approx(1.035**-30 * 1.03**-0.5, rel=1e-12)


@given(st.lists(st.integers(0, 350), min_size=1, max_size=20), st.sampled_from(sorted(FACTORS)))
def test_factors_fall_with_time_and_keep_the_shape_asked_for(years, schedule):
    factors = discount_factors(years, schedule)
    assert factors.shape == (len(years),)
    order = np.argsort(years, kind="stable")
    assert np.all(np.diff(factors[order]) <= 0)
    assert np.all((factors > 0) & (factors <= 1))
    np.testing.assert_array_equal(discount_factors(np.array([years, years]), schedule)[1], factors)


def test_schedules_say_where_they_come_from():
    schedules = list_schedules()
    assert [schedule.name for schedule in schedules] == [*FACTORS, "review_2026_flat_3"]
    for schedule in schedules:
        assert schedule.source and schedule.url.startswith("https://www.gov.uk/")
        assert date(2026, 1, 1) < schedule.vintage < date(2026, 12, 31)


# --- present values -------------------------------------------------------------------------------------


def test_net_present_value_of_a_simple_flow():
    """C8: -100, then 30 in years 1 to 5."""
    value = present_value(stream([-100, 30, 30, 30, 30, 30]), "green_book_2026", 2023)
    assert float(value) == pytest.approx(35.451571264, abs=1e-9)


def test_net_present_value_after_bias_and_tax_burden():
    """C8: benefits of 10 in years 1 to 29 against a cost of 132 in year 0."""
    benefits = present_value(stream([0.0] + [10.0] * 29), "green_book_2026", 2023)
    assert float(benefits) == pytest.approx(180.357670008, abs=1e-9)
    assert float(benefits) - 132 == pytest.approx(48.357670008, abs=1e-9)


def test_discounting_at_nothing_is_the_plain_sum():
    """C14 relation 5: a constant is value x years."""
    draws = np.random.default_rng(0).normal(0, 1e9, (50, 30))
    flow = stream(draws, sample=np.arange(50))
    xr.testing.assert_allclose(present_value(flow, flat_schedule(0.0), 2023), flow.sum("year"), rtol=1e-13)
    constant = present_value(stream(np.full(30, 7.0)), flat_schedule(0.0), 2023)
    assert float(constant) == 7.0 * 30


def test_dims_labels_units_and_draws_are_kept():
    flow = stream(np.ones((3, 2, 4)), sample=[5, 7, 9], option=["bau", "care_review"])
    flow = flow.assign_attrs(units="GBP").rename("saving")
    value = present_value(flow, "green_book_2026", 2023)
    assert value.dims == ("sample", "option") and value.attrs == {"units": "GBP"} and value.name == "saving"
    assert value["option"].values.tolist() == ["bau", "care_review"]


@given(st.permutations(range(6)))
def test_the_order_of_years_does_not_matter(order):
    """C14 relation 6."""
    flow = stream([-100.0, 30, 31, 32, 33, 34])
    value = present_value(flow.isel(year=order), "green_book_2026", 2020)
    assert float(value) == pytest.approx(float(present_value(flow, "green_book_2026", 2020)), rel=1e-13)


def test_permuting_draws_changes_no_summary():
    """C14 relation 7."""
    flow = stream(np.random.default_rng(1).normal(size=(40, 10)), sample=np.arange(40))
    order = np.random.default_rng(2).permutation(40)
    value = present_value(flow, "green_book_2026", 2023)
    permuted = present_value(flow.isel(sample=order), "green_book_2026", 2023)
    xr.testing.assert_allclose(permuted.sortby("sample"), value, rtol=1e-12)


@given(st.floats(-1e12, 1e12), st.integers(0, 20))
def test_moving_the_base_year_scales_every_stream_alike(amount, later):
    """Within the first band one year of base costs one rate."""
    flow = stream([amount, 0.0, amount])
    early = float(present_value(flow, "green_book_2026", 2023 - later))
    now = float(present_value(flow, "green_book_2026", 2023))
    assert early * 1.035**later == pytest.approx(now, rel=1e-12, abs=1e-6)


def test_a_stream_is_discounted_from_its_own_base_year():
    """Money of 2032 seen from 2023 is nine years away."""
    flow = xr.DataArray([1.0], {"year": [2032]}, "year")
    assert float(present_value(flow, "green_book_2026", 2023)) == pytest.approx(1.035**-9, rel=1e-14)


# --- what is refused ------------------------------------------------------------------------------------


def test_an_unknown_schedule_lists_the_known_ones():
    with pytest.raises(InputError) as caught:
        discount_factors([0], "green_book_2022")
    message = str(caught.value)
    assert "schedules.toml" in message and "found: green_book_2022" in message
    for schedule in list_schedules():
        assert schedule.name in message


@pytest.mark.parametrize(
    "years, problem",
    [
        ([-1, 0], "before the base year"),
        ([0, 2032], "years are not offsets"),
        ([0.5], "whole numbers"),
        ([math.nan], "whole numbers"),
        (["1"], "whole numbers"),
    ],
)
def test_years_that_are_not_offsets_are_refused(years, problem):
    with pytest.raises(InputError, match=problem) as caught:
        discount_factors(years)
    assert "field: years" in str(caught.value) and "next step: " in str(caught.value)


@pytest.mark.parametrize(
    "flow, problem, field",
    [
        (stream([1.0, 2.0], first_year=2022), "before the base year 2023", "base_year"),
        (stream([1.0, np.nan]), "missing or infinite values", "stream"),
        (stream([np.inf, -np.inf]), "missing or infinite values", "stream"),
        (stream([1.0, 2.0]).drop_vars("year"), "no calendar years", "stream.year"),
        (stream([1.0, 2.0]).rename(year="financial_year"), "no calendar years", "stream.year"),
        (stream([1.0, 2.0]).assign_coords(year=[2023, 2023]), "appears twice", "stream.year"),
        (stream([1.0, 2.0]).assign_coords(year=[2023.0, 2023.5]), "whole numbers", "stream.year"),
    ],
)
def test_streams_that_cannot_be_discounted_are_refused(flow, problem, field):
    with pytest.raises(InputError, match=problem) as caught:
        present_value(flow, "green_book_2026", 2023)
    assert f"field: {field}" in str(caught.value) and "next step: " in str(caught.value)


@pytest.mark.parametrize("rate", [-1.0, math.nan, math.inf])
def test_a_rate_that_is_no_rate_is_refused(rate):
    with pytest.raises(InputError, match="not usable"):
        flat_schedule(rate)


@pytest.mark.parametrize("rates", [[[30, 0.035]], [[75, 0.03], [30, 0.035], [math.inf, 0.02]], []])
def test_bands_that_do_not_cover_every_year_once_are_refused(rates):
    with pytest.raises(InputError, match="do not cover every year") as caught:
        _schedule("broken", title="", rates=rates, vintage=date.min, source="", url="")
    assert "field: broken.rates" in str(caught.value) and "inf" in str(caught.value)


def test_a_schedule_of_your_own_passes_through():
    own = flat_schedule(0.05)
    assert find_schedule(own) is own
    assert discount_factors([2], own)[0] == pytest.approx(1.05**-2, rel=1e-15)
