"""Population value at any rate, 0% included, and the choice of a design."""

from __future__ import annotations

import pandas as pd
import pytest

from cba.decisions import enbs, optimal_design, population_value
from cba.errors import InputError


def test_no_discounting_is_the_plain_product():
    assert population_value(3.5, population=200.0, years=12, rate=0.0) == 3.5 * 200 * 12


@pytest.mark.parametrize("rate", [1e-12, 1e-9, -1e-9, 1e-6])
def test_no_jump_at_zero(rate):
    assert population_value(1.0, population=1.0, years=30, rate=rate) == pytest.approx(
        30.0, abs=500 * abs(rate) + 1e-12
    )


@pytest.mark.parametrize("rate", [-0.02, 0.015, 0.035, 0.1])
def test_matches_the_annuity_formula(rate):
    """sum over t = 0..T-1 of (1 + r)^-t = (1 - (1 + r)^-T) / r * (1 + r)."""
    exact = (1 - (1 + rate) ** -25) / rate * (1 + rate)
    assert population_value(1.0, population=1.0, years=25, rate=rate) == pytest.approx(exact, rel=1e-12)


def test_green_book_schedule():
    """Years 0 to 5 of the standard schedule: 1 + 4.515052375."""
    value = population_value(1.0, population=1.0, years=6, schedule="green_book_2026")
    assert value == pytest.approx(5.515052375, abs=1e-9)


def test_nothing_lasts_no_years():
    assert population_value(1.0, population=1.0, years=0, rate=0.035) == 0.0


@pytest.mark.parametrize(
    "keywords, field",
    [
        ({"population": 1.0, "years": 1}, "rate, schedule"),
        ({"population": 1.0, "years": 1, "rate": 0.0, "schedule": "green_book_2026"}, "rate, schedule"),
        ({"population": -1.0, "years": 1, "rate": 0.0}, "population"),
        ({"population": 1.0, "years": 1.5, "rate": 0.0}, "years"),
        ({"population": 1.0, "years": 1, "rate": -1.0}, "rate"),
    ],
)
def test_bad_input_is_refused(keywords, field):
    with pytest.raises(InputError) as caught:
        population_value(1.0, **keywords)
    assert f"field: {field}" in str(caught.value)


@pytest.fixture
def designs():
    return pd.DataFrame(
        {"design": [0, 10, 50, 100, 400], "evsi": [0.0, 4.0, 8.0, 8.6, 9.0], "se": [0.0] + [0.2] * 4}
    )


def test_enbs_and_its_probability(designs):
    table = enbs(designs, population_factor=1_000.0, fixed_cost=2_000.0, cost_per_unit=10.0)
    assert table["enbs"].tolist() == [-2_000.0, 1_900.0, 5_500.0, 5_600.0, 3_000.0]
    assert table["se"].tolist() == [0.0, 200.0, 200.0, 200.0, 200.0]
    assert table["prob_positive"].tolist()[0] == 0.0
    assert table["prob_positive"].iloc[1] > 0.999


def test_best_design_with_its_interval(designs):
    table = enbs(designs, population_factor=1_000.0, fixed_cost=2_000.0, cost_per_unit=10.0)
    best = optimal_design(table)
    assert (best.design, best.enbs, best.lower, best.upper) == (100.0, 5_600.0, 50.0, 100.0)
    assert best.worth_doing


def test_no_study_is_worth_doing(designs):
    table = enbs(designs, population_factor=1.0, fixed_cost=2_000.0, cost_per_unit=10.0)
    assert not optimal_design(table).worth_doing


def test_incomplete_tables_are_refused(designs):
    with pytest.raises(InputError, match="incomplete"):
        enbs(designs.drop(columns="se"), population_factor=1.0, fixed_cost=0.0, cost_per_unit=0.0)
    with pytest.raises(InputError, match="no design"):
        optimal_design(pd.DataFrame({"design": [], "enbs": [], "se": []}))
