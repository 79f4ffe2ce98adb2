"""Numbers are rounded to their error, read back as what they were, and keep their sign in words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cba.errors import InputError
from cba.reporting.numbers import error_from_interval, is_defined, rounding_unit, show, words_for
from cba.reporting.workbook import content
from tests.reporting.page_reading import number_in

MONEY = st.floats(-5e10, 5e10).filter(lambda value: abs(value) > 1.0)


@pytest.mark.parametrize(
    "value, error, unit",
    [
        (84_312, 70, 100),
        (84_312, 101, 1000),
        (84_312, 100, 100),
        (84_312, 0, 100),
        (0.0, 3.0, 10),
        (0.0, None, 1),
        (-1.9e9, 2e7, 1e8),
    ],
)
def test_the_last_place_is_not_below_the_error(value, error, unit):
    assert rounding_unit(value, error) == pytest.approx(unit)


@pytest.mark.parametrize(
    "value, style, unit, text",
    [
        (83_630, "count", 10, "83,630"),
        (2_340, "fewer", 100, "2,300 fewer"),
        (-2_340, "fewer", 100, "2,300 more"),
        (3, "fewer", 100, "no change, to the nearest 100"),
        (0.0, "fewer", None, "no change"),
        (-1.234e9, "net", 1e8, "a net cost of £1.2 billion"),
        (1.234e9, "net", 1e7, "a net saving of £1.23 billion"),
        (4e7, "net", 1e8, "neither a net saving nor a net cost, to the nearest £100 million"),
        (-4.56e8, "money", 1e6, "−£456 million"),
        (999.96e6, "money", 1e6, "£1.000 billion"),
        (0.0, "money", 1e6, "£0"),
        (4e6, "money", 1e8, "within £50 million of £0"),
        (51_080, "money", 100, "£51,100"),
        (0.0, "probability", None, "<1%"),
        (0.004, "probability", 0.001, "<1%"),
        (0.996, "probability", 0.001, ">99%"),
        (1.0, "probability", None, ">99%"),
        (0.163, "probability", 0.006, "16%"),
        (0.163, "probability", 0.03, "15%"),
        (0.02, "probability", 0.03, "<5%"),
        (0.9, "share", 0.01, "90%"),
        (2032, "year", None, "2031-32"),
        (2100, "year", None, "2099-00"),
        (0.4049, "ratio", 0.01, "0.40"),
        (-0.113, "number", 0.01, "−0.11"),
        (-0.001, "number", 0.01, "0.00"),
        (None, "net", None, "not defined"),
        (math.nan, "count", None, "not defined"),
    ],
)
def test_a_number_reads_as_it_should(value, style, unit, text):
    assert show(value, style=style, unit=unit) == text


@given(value=MONEY, figures=st.integers(1, 9))
def test_money_reads_back_to_half_a_unit(value, figures):
    unit = 10.0**figures
    text = show(value, style="money", unit=unit)
    if text.startswith("within"):
        assert abs(value) <= unit / 2
    else:
        assert abs(number_in(text) - value) <= unit / 2 * (1 + 1e-9) + 1e-6


@given(value=MONEY, figures=st.integers(1, 9))
def test_a_saving_and_a_cost_of_one_size_differ_by_one_word(value, figures):
    unit = 10.0**figures
    there, back = show(value, style="net", unit=unit), show(-value, style="net", unit=unit)
    assert (
        there == back.replace("saving", "?").replace("cost", "saving").replace("?", "cost") or there == back
    )


@given(p=st.floats(0.0, 1.0))
def test_a_probability_and_its_complement_agree(p):
    """Both framings stand together, so "<1%" must face ">99%" and the two must sum to 100 within rounding."""
    one, other = show(p, style="probability"), show(1.0 - p, style="probability")
    if one.startswith("<"):
        assert other == ">99%"
    elif not one.startswith(">"):
        assert abs(number_in(one) + number_in(other) - 1.0) < 0.0101


@pytest.mark.parametrize("p", [-0.01, 1.01])
def test_a_probability_outside_its_range_is_refused(p):
    with pytest.raises(InputError, match="outside 0 to 1"):
        show(p, style="probability")
    with pytest.raises(InputError, match="outside 0 to 1"):
        words_for(p)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.float32, np.float64])
def test_a_number_of_another_library_reads_as_one_of_python(kind):
    assert show(kind(84_000), style="count") == show(84_000, style="count") == "84,000"
    assert content(kind(84_000), {}) == content(84_000, {}) == 84_000
    assert type(content(kind(84_000), {})) in (int, float)  # what a sheet can hold


def test_an_unknown_style_is_refused():
    with pytest.raises(InputError, match="no such style") as caught:
        show(1.0, style="pounds")  # type: ignore[arg-type]
    assert "pounds" in str(caught.value) and "money" in str(caught.value)


def test_the_error_implied_by_an_interval_is_that_of_the_draws():
    """On normal draws, width of the 90% interval gives the standard error of the mean to a few per cent."""
    draws = np.random.default_rng(4).normal(3.0, 2.0, 20_000)
    low, high = np.quantile(draws, [0.05, 0.95])
    assert error_from_interval(low, high, draws=draws.size) == pytest.approx(2.0 / draws.size**0.5, rel=0.03)


def test_truth_values_are_not_numbers():
    assert not is_defined(True) and not is_defined("1") and is_defined(1) and not is_defined(math.inf)
