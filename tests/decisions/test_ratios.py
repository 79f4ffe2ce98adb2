"""Benefit-cost ratio and marginal value of public funds: ratios of means, infinite or missing where due."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from cba.decisions import cost_effectiveness_frontier, mvpf
from cba.errors import InputError


def test_financial_aid_example():
    tax = 0.2 * 21_150
    result = mvpf(32_250 + 21_150 - tax, 32_250 - tax)
    assert result.willingness_to_pay == 49_170
    assert result.net_cost == 28_020
    assert result.value == pytest.approx(1.7548, abs=5e-5)
    assert result.probability_self_financing == 0.0


def test_admission_example_pays_for_itself():
    net_cost = 11_403 - 3_184 - 5_601 + 2_035 - 7_274
    assert net_cost == -2_621
    result = mvpf(1.0, net_cost)
    assert result.value == math.inf
    assert result.probability_self_financing == 1.0


def test_scholarship_example():
    assert mvpf(987.0, 970 + 284 - 267).net_cost == 987


def test_draws_that_cancel_are_infinite_not_zero():
    result = mvpf(np.array([10.0, 10.0]), np.array([5.0, -5.0]))
    assert result.value == math.inf
    assert result.probability_self_financing == 0.5


def test_no_benefit_and_no_cost_is_missing():
    assert math.isnan(mvpf(-1.0, -1.0).value)
    assert mvpf(-1.0, 2.0).value == -0.5


def test_unpaired_draws_are_refused():
    with pytest.raises(InputError, match="not paired"):
        mvpf([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="NaN"):
        mvpf([1.0, np.nan], [1.0, 2.0])


def test_a_policy_that_costs_nothing_finances_itself():
    assert mvpf([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 5.0, -5.0]).probability_self_financing == 0.75
    assert mvpf(1.0, 0.0).value == np.inf and np.isnan(mvpf(0.0, 0.0).value)


def test_ratios_of_single_precision_money_keep_their_digits():
    """Costs of GBP 2.6bn that differ by GBP 200,000: a mean in single precision moves the ratio by 1.5%."""
    rng = np.random.default_rng(11)
    base = rng.normal(2.6e9, 2e8, (10_000, 1))
    costs = xr.DataArray(
        np.hstack([base, base + rng.normal(2e5, 5e4, (10_000, 1))]), dims=("sample", "option")
    )
    effects = xr.DataArray(np.tile([0.0, 1.0], (10_000, 1)), dims=("sample", "option"))
    double, single = (
        float(cost_effectiveness_frontier(costs.astype(kind), effects).icer[1]) for kind in ("f8", "f4")
    )
    assert single == pytest.approx(double, rel=1e-4)  # what storing the draws in single precision costs


def test_tables_and_nothing_are_no_draws():
    for wrong in (np.ones((2, 2)), np.array([])):
        with pytest.raises(InputError, match="not paired"):
            mvpf(wrong, wrong)
    labelled = xr.DataArray([1.0, 2.0], dims="sample", coords={"sample": [0, 1]})
    with pytest.raises(InputError, match="not paired"):
        mvpf(labelled, labelled.assign_coords(sample=[1, 0]))
    with pytest.raises(InputError, match="wrong dimensions"):
        mvpf(labelled.rename(sample="draw"), labelled)
    with pytest.raises(InputError, match="not paired"):
        mvpf(labelled.expand_dims("option"), labelled)
