"""Values of a child-year against arithmetic by hand; two values of one change are never added."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import xarray as xr

from cba.costs.social_value import MEASURES, VALUED, child_year_value, one_measure
from cba.errors import InputError

DRAWN = xr.Dataset(
    {
        name: ("sample", values)
        for name, values in {
            "social.causal_share": [0.1, 0.4],
            "social.life_satisfaction_change": [0.5, -0.2],
            "social.wellby": [13_000.0, 16_000.0],
            "social.income_elasticity": [1.3, 1.3],
            "social.gdp_per_head_growth": [0.01, 0.0],
            "social.health_utility_change": [0.02, 0.0],
            "social.qaly": [70_000.0, 70_000.0],
        }.items()
    }
)
SETTINGS = {"lifetime_cost": 1_200_000.0, "years_in_care": 2.4, "growth_years": 4.0}


@pytest.mark.parametrize(
    "measure, expected",
    [
        ("lifetime_cost", [50_000.0, 200_000.0]),
        ("wellby", [6_500.0 * np.exp(0.052), -3_200.0]),
        ("qaly", [1_400.0, 0.0]),
    ],
)
def test_worked_by_hand(measure, expected):
    np.testing.assert_allclose(child_year_value(measure, DRAWN, **SETTINGS), expected, rtol=1e-12)


@pytest.mark.parametrize("pair", list(combinations(MEASURES, 2)))
def test_adding_two_measures_is_refused(pair):
    """£1.2m and £720,000 are of nested populations; QALYs and WELLBYs are of the same lives."""
    with pytest.raises(InputError, match="two values of the same change would be added") as caught:
        one_measure(pair)
    message = str(caught.value)
    assert " + ".join(pair) in message and "next step: show them side by side" in message
    populations = {MEASURES[name].population for name in pair}
    assert ("associations of two populations" in message) == (len(populations) == 2)


def test_the_need_figure_values_no_child_year():
    with pytest.raises(InputError, match="puts no value on a child-year") as caught:
        child_year_value("need_cost", DRAWN, **SETTINGS)
    assert "children who need a social worker" in str(caught.value)
    assert "need_cost" not in VALUED


@pytest.mark.parametrize("asked", ["welby", [], ["lifetime"]])
def test_unknown_measures_are_refused(asked):
    with pytest.raises(InputError, match="measure of social value") as caught:
        one_measure(asked)
    assert "allowed: lifetime_cost, wellby, qaly, need_cost" in str(caught.value)


def test_only_health_and_well_being_take_the_schedule_of_health():
    assert {m.name for m in MEASURES.values() if m.health_schedule} == {"wellby", "qaly"}
