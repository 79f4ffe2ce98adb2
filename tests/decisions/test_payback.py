"""Payback on hand-made streams: discounted, for good, or never."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cba.decisions import payback_year
from cba.discounting import discount_factors
from cba.errors import InputError


def stream(*rows: list[float], first: int = 2023) -> xr.DataArray:
    years = np.arange(first, first + len(rows[0]))
    return xr.DataArray(np.array(rows, dtype=float), dims=("sample", "year"), coords={"year": years})


def test_discounting_moves_the_year():
    """100 now and 50 in each of two years pays back undiscounted, but not discounted: that takes 55.4."""
    flow = stream([-100, 50, 50], [-100, 50, 55.3], [-100, 50, 55.4])
    years = payback_year(flow, schedule="green_book_2026", base_year=2023)
    assert np.isnan(years[:2]).all()
    assert float(years[2]) == 2025


def test_breaking_even_and_falling_back_is_not_payback():
    flow = stream([-10, 30, -50, 10, 40], [-10, 30, -5, -5, -5], [-10, 30, 0, 0, -40])
    years = payback_year(flow, schedule="green_book_2026", base_year=2023)
    assert years.values[:2].tolist() == [2027.0, 2024.0]
    assert np.isnan(years[2])


def test_a_stream_that_never_spends_pays_back_in_its_first_year():
    flow = stream([0, 0, 0], [0, 0, 5], [3, 1, 1], first=2030)
    assert payback_year(flow, base_year=2025).values.tolist() == [2030.0, 2030.0, 2030.0]


def test_cost_alone_is_never():
    assert np.isnan(payback_year(stream([-1, 0, 0], [0, 0, -1]), base_year=2023)).all()


def test_exact_break_even_is_not_lost_to_rounding():
    factors = discount_factors([0, 1, 2])
    flow = stream([-0.1, 0.05 / factors[1], 0.05 / factors[2]])
    assert float(payback_year(flow, base_year=2023)[0]) == 2025


@given(st.integers(0, 10**6))
def test_agrees_with_the_definition_spelled_out(seed):
    rng = np.random.default_rng(seed)
    flow = stream(*rng.integers(-5, 6, (8, 6)).astype(float).tolist())
    got = payback_year(flow, base_year=2023)
    factors = discount_factors(np.arange(6))
    for row, year in zip(flow.values, got.values, strict=True):
        total = np.cumsum(row * factors)
        good = [t for t in range(6) if (total[t:] >= -1e-9).all()]
        assert (np.isnan(year) and not good) or (good and year == 2023 + good[0])


def test_other_dimensions_and_year_order_do_not_matter():
    flow = stream([-100, 60, 60], [-100, 200, 0]).expand_dims(option=["a", "b"])
    years = payback_year(flow.isel(year=[2, 0, 1]).transpose("year", "option", "sample"), base_year=2023)
    assert set(years.dims) == {"option", "sample"}
    assert years.sel(option="b").values.tolist() == [2025.0, 2024.0]


@pytest.mark.parametrize(
    "flow, base, expected",
    [
        (xr.DataArray(np.zeros((2, 3)), dims=("sample", "year")), 2023, "years have no labels"),
        (stream([0, 0, 0]), 2024, "before the base year"),
        (stream([0, np.nan, 0]), 2023, "NaN"),
        (stream([0, 0, 0]).rename(year="t"), 2023, "wrong dimensions"),
        (stream([0, 0, 0]).assign_coords(year=[2023, 2023, 2024]), 2023, "stands twice"),
    ],
)
def test_bad_input_is_refused(flow, base, expected):
    with pytest.raises(InputError, match=expected):
        payback_year(flow, base_year=base)


def test_a_shortfall_is_judged_against_the_money_moved_so_far():
    """Short by a billionth of the 200 moved counts as nothing, by three billionths as a debt."""
    flow = stream([-100, 100 - 1e-7, 0], [-100, 100 - 6e-7, 0])
    flow = flow / xr.DataArray(discount_factors([0, 1, 2]), dims="year")
    assert payback_year(flow, base_year=2023).values.tolist() == [2024.0, pytest.approx(np.nan, nan_ok=True)]
