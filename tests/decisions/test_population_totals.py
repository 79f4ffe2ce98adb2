"""Population value at any rate, 0% included, and the choice of a design."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cba.decisions import enbs, evsi_with_covariance, optimal_design, population_value
from cba.errors import InputError
from tests.decisions.known_answers import against_zero, labelled, normal_loss


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


def test_shared_draws_narrow_the_range(designs):
    """The shortfall of 50 is 100, its error 283 if independent and 28 if errors correlate by 0.99."""
    table = enbs(designs, population_factor=1_000.0, fixed_cost=2_000.0, cost_per_unit=10.0)
    se = table["se"].to_numpy()
    joint = np.outer(se, se) * (0.99 + 0.01 * np.eye(len(se)))
    best = optimal_design(table, covariance=joint)
    assert (best.design, best.lower, best.upper) == (100.0, 100.0, 100.0)
    independent = optimal_design(table, covariance=np.diag(se**2))
    assert (independent.lower, independent.upper) == (50.0, 100.0)


def test_the_range_holds_the_best_size_of_a_known_problem():
    """EVSI of the normal-normal case, cost chosen so that the best of many sizes is known."""
    sizes = np.array([10, 25, 50, 75, 100, 150, 200, 400])
    spread = 10_000 / np.sqrt(1 + 25 / sizes)
    exact = pd.DataFrame({"design": sizes, "evsi": [normal_loss(3_000.0, s) for s in spread], "se": 0.0})
    money = {"population_factor": 100.0, "fixed_cost": 0.0, "cost_per_unit": 300.0}
    truth = optimal_design(enbs(exact, **money))
    assert truth.design not in (sizes[0], sizes[-1])
    held, widths = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        theta = rng.normal(0.3, 1.0, 2_000)
        gain = 10_000 * theta + 3_000 * rng.standard_normal(2_000)
        studies = evsi_with_covariance(
            labelled(against_zero(gain)),
            xr.DataArray(theta, dims="sample"),
            standard_errors=5 / np.sqrt(sizes),
        )
        table = enbs(studies.table.assign(design=sizes), **money)
        best = optimal_design(table, covariance=100.0**2 * studies.covariance)
        held.append(best.lower <= truth.design <= best.upper)
        widths.append((best.upper - best.lower) / (optimal_design(table).upper - optimal_design(table).lower))
    assert np.mean(held) >= 0.93
    assert np.mean(widths) < 0.7  # pairing the draws is worth its trouble


@pytest.mark.parametrize(
    "change, match",
    [
        ({"covariance": np.eye(2)}, "does not belong"),
        ({"covariance": np.eye(5)}, "does not belong"),
        ({"level": 95.0}, "not a probability"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused(designs, change, match):
    table = enbs(designs, population_factor=1_000.0, fixed_cost=2_000.0, cost_per_unit=10.0)
    with pytest.raises(InputError, match=match):
        optimal_design(table, **change)


def test_numbers_that_are_missing_are_refused(designs):
    broken = designs.assign(evsi=[0.0, np.nan, 8.0, 8.6, 9.0])
    with pytest.raises(InputError, match="NaN"):
        enbs(broken, population_factor=1.0, fixed_cost=0.0, cost_per_unit=0.0)
    with pytest.raises(InputError, match="out of range"):
        enbs(designs, population_factor=1.0, fixed_cost=np.nan, cost_per_unit=0.0)
    with pytest.raises(InputError, match="NaN"):
        optimal_design(pd.DataFrame({"design": [1.0], "enbs": [np.nan], "se": [0.0]}))


def test_no_study_is_worth_doing(designs):
    table = enbs(designs, population_factor=1.0, fixed_cost=2_000.0, cost_per_unit=10.0)
    assert not optimal_design(table).worth_doing


def test_incomplete_tables_are_refused(designs):
    with pytest.raises(InputError, match="incomplete"):
        enbs(designs.drop(columns="se"), population_factor=1.0, fixed_cost=0.0, cost_per_unit=0.0)
    with pytest.raises(InputError, match="no design"):
        optimal_design(pd.DataFrame({"design": [], "enbs": [], "se": []}))


def test_the_range_of_designs_by_hand():
    """Errors of 2, covariances with the best 3 and 0: differences have errors 1.41 and 2.83, at 95% 2.77 and 5.54."""
    table = pd.DataFrame({"design": [1.0, 2.0, 3.0], "enbs": [7.5, 10.0, 4.4], "se": [2.0, 2.0, 2.0]})
    covariance = np.array([[4.0, 3.0, 1.0], [3.0, 4.0, 0.0], [1.0, 0.0, 4.0]])
    best = optimal_design(table, covariance=covariance)
    assert (best.lower, best.upper) == (1.0, 2.0)
    wider = optimal_design(table.assign(enbs=[7.1, 10.0, 4.5]), covariance=covariance)
    assert (wider.lower, wider.upper) == (2.0, 3.0)
    assert optimal_design(table, level=0.5).lower == 2.0  # 0.674 x 2.83 = 1.9 of the 2.5 it falls short
    for level in (0.0, 1.0):
        with pytest.raises(InputError, match="not a probability"):
            optimal_design(table, level=level)


def test_a_study_that_only_covers_its_cost_is_not_worth_doing():
    table = pd.DataFrame({"design": [1.0], "evsi": [2.0], "se": [0.0]})
    even = enbs(table, population_factor=1.0, fixed_cost=1.5, cost_per_unit=0.5)
    assert even["enbs"].iloc[0] == 0.0 and even["prob_positive"].iloc[0] == 0.0
    assert not optimal_design(even).worth_doing
    for factor, cost in (
        (2.0, 2.0),
        (0.5, 0.5),
    ):  # 2 pounds with an error of 2, half a pound with one of a half
        unsure = enbs(table.assign(se=1.0), population_factor=factor, fixed_cost=cost, cost_per_unit=0.0)
        assert unsure["prob_positive"].iloc[0] == pytest.approx(0.8413447, abs=1e-6)
    assert enbs(table, population_factor=0.0, fixed_cost=1.0, cost_per_unit=0.0)["enbs"].iloc[0] == -1.0


def test_part_persons_count_and_nobody_is_worth_nothing():
    assert population_value(1.0, population=1.5, years=2, rate=0.0) == 3.0
    assert population_value(1.0, population=0.0, years=2, rate=0.0) == 0.0
