"""Optimism bias and the marginal excess tax burden (CASES C8)."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cba.costs.optimism_bias import adjust
from cba.errors import InputError

SHARE = st.floats(0, 1)


@pytest.mark.parametrize(
    "mitigation, burden, expected", [(0.5, 0, 110), (0.5, 0.2, 132), (1, 0, 100), (0, 0, 120)]
)
def test_worked_examples(mitigation, burden, expected):
    """C8: cost 100, bias 20%."""
    adjusted = adjust(100.0, 0.20, mitigation, marginal_excess_tax_burden=burden)
    assert adjusted == pytest.approx(expected, abs=1e-9)


def test_the_burden_is_off_and_nothing_is_mitigated_unless_said():
    assert adjust(100.0, 0.20) == pytest.approx(120.0, abs=1e-9)


def test_the_burden_falls_on_the_adjusted_cost():
    """Order of operations: added to the bias instead, the example would give 130."""
    assert adjust(100.0, 0.20, 0.5, marginal_excess_tax_burden=0.2) != pytest.approx(130.0, abs=1.0)


@given(st.floats(0, 1e12), st.floats(0, 5), SHARE, SHARE, st.floats(0, 1))
def test_a_higher_cost_is_never_cheaper_and_mitigation_never_dearer(cost, bias, first, second, burden):
    """C14 relation 2, and monotone in mitigation."""
    low, high = sorted((first, second))
    settings = {"marginal_excess_tax_burden": burden}
    assert adjust(cost, bias, high, **settings) <= adjust(cost, bias, low, **settings) * (1 + 1e-12)
    assert adjust(cost, bias, low, **settings) <= adjust(2 * cost, bias, low, **settings)
    assert adjust(cost, bias, low, **settings) >= cost * (1 - 1e-12)


def test_draws_and_labels_broadcast():
    cost = xr.DataArray([100.0, 200.0], {"component": ["kinship", "foster"]}, "component")
    bias = xr.DataArray([0.0, 0.1, 0.5], dims="sample")
    adjusted = adjust(cost, bias, 0.5)
    expected = np.outer([100.0, 200.0], [1.0, 1.05, 1.25])
    np.testing.assert_allclose(adjusted.transpose("component", "sample"), expected, rtol=1e-14)


@pytest.mark.parametrize("mitigation", [-0.01, 1.01, 50, np.nan])
def test_mitigation_outside_0_to_1_is_refused(mitigation):
    with pytest.raises(InputError, match="mitigation is outside its range") as caught:
        adjust(100.0, 0.2, mitigation)
    assert "allowed: 0 to 1" in str(caught.value) and "usual cause: a percentage" in str(caught.value)


@pytest.mark.parametrize(
    "field, arguments",
    [
        ("cost", {"cost": -1.0, "bias": 0.2}),
        ("cost", {"cost": xr.DataArray([1.0, np.nan], dims="sample"), "bias": 0.2}),
        ("bias", {"cost": 1.0, "bias": -0.2}),
        ("bias", {"cost": 1.0, "bias": np.inf}),
        ("marginal_excess_tax_burden", {"cost": 1.0, "bias": 0.2, "marginal_excess_tax_burden": -0.1}),
    ],
)
def test_values_that_are_no_amounts_are_refused(field, arguments):
    with pytest.raises(InputError, match=f"{field} is outside its range") as caught:
        adjust(**arguments)
    assert f"field: {field}" in str(caught.value) and "next step: " in str(caught.value)
