"""Corrections for optimism: each taken out alone helps, together most, and an uplift is arithmetic."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.appraisal.quantities import discounted
from cba.costs.account import total_cost, total_saving
from cba.costs.optimism_bias import DEVICES, Device
from cba.errors import InputError
from cba.inputs.analyses import Scenarios
from cba.models.parameters import ROLL_OUT
from cba.tables.accounts import _account, optimism_check
from tests.appraisal.made_workings import made_draws, made_inputs, worked

LEAD = "care_review"


@pytest.fixture(scope="module")
def table(workings):
    return optimism_check(workings, LEAD).set_index("case")


def test_as_modelled_is_the_headline(workings, table):
    npv = workings.arrays.npv.sel(option=LEAD).values
    row = table.loc["as modelled"]
    assert row["npv_mean"] == pytest.approx(npv.mean(), rel=1e-9)
    assert row["change_mean"] == 0.0
    assert all(device.entry in row["devices"] for device in DEVICES)


def test_taking_out_the_correction_of_cost_leaves_allowances_without_their_overrun(workings, table):
    """Allowances, a share of the kinship money, scale with the overrun; all other money is fixed."""
    account, value = workings.accounts[LEAD], workings.system.value
    led, over = value("kinship.allowance_share")[:, None], value("delivery.cost_overrun")[:, None] - 1.0
    kinship = sum(c.amount for c in account.costs if c.component == "kinship")
    excess = kinship * led * over / (1.0 + led * over)
    by_hand = discounted(workings, total_cost(account) - excess).mean()
    assert excess.max() > 1e5
    assert table.loc["without a correction of cost", "cost_mean"] == pytest.approx(by_hand, rel=2e-3)


@pytest.mark.parametrize("overrun", [None, "none", "delivery", "money"])
def test_the_switch_of_an_analysis_reaches_every_account(workings, overrun):
    """What all money comes to, or what fixed money buys less, has the order of the readings."""
    inputs = made_inputs()
    scenarios = Scenarios(overrun=overrun)
    analysis = inputs.analysis.model_copy(update={"scenarios": scenarios})
    found = worked(dataclasses.replace(inputs, analysis=analysis), made_draws())
    over = workings.system.value("delivery.cost_overrun")[:, None]
    money, usual = (
        sum(c.amount for c in w.accounts["family_help_only"].costs if c.component == "family_help")
        for w in (found, workings)
    )
    np.testing.assert_allclose(money, usual * over if overrun == "money" else usual, rtol=1e-12)
    served, before = (w.accounts["family_help_only"].delivered("family_help") for w in (found, workings))
    if overrun == "delivery":
        free = before < 1.0
        np.testing.assert_allclose(served[free], np.minimum(before / over, 1.0)[free], rtol=1e-9)
        assert np.abs(served - before).max() > 1e-3
    else:
        np.testing.assert_array_equal(served, before)


def test_a_switch_that_is_none_of_the_readings_is_refused():
    with pytest.raises(ValueError, match="overrun"):
        Scenarios(overrun="both")


def test_without_attenuation_is_the_appraisal_of_effects_in_a_new_place(workings, table):
    """Second method: the whole appraisal again on draws whose effects are those before the loss at scale."""
    inputs, drawn = made_inputs(), made_draws()
    few = dataclasses.replace(inputs, options=tuple(o for o in inputs.options if o.id in ("bau", LEAD)))
    setting = workings.effects["posterior"]["new_setting"]
    before = {name: ("sample", setting.sel(estimand=e).values.ravel()) for e, name in ROLL_OUT.items()}
    again = worked(few, drawn.assign(before))
    npv = float(again.arrays.npv.sel(option=LEAD).mean())
    assert table.loc["without a correction of benefit", "npv_mean"] == pytest.approx(npv, rel=1e-9)


def test_every_correction_costs_the_option_something(table):
    for case in ("cost", "benefit"):
        assert table.loc[f"without a correction of {case}", "change_mean"] > 0.0
    assert table.loc["without any correction", "change_mean"] == table["change_mean"].max()
    assert table.loc["without any correction", "devices"] == "none"


def test_an_uplift_is_on_bare_cost_and_benefit_and_stands_alone(workings, table):
    """Cost up and benefit down by the same share of what they are without the other devices."""
    five, six = table.loc["uplift instead, grade 5"], table.loc["uplift instead, grade 6, the worst"]
    assert six["cost_mean"] / five["cost_mean"] == pytest.approx(1.40 / 1.25)
    for row in (five, six):
        assert "delivery.cost_overrun" not in row["devices"] and "effects.attenuation" not in row["devices"]
        assert "delivery.start_delay: widened prior" in row["devices"], "time has no uplift"
    assert six["npv_mean"] < five["npv_mean"] < table.loc["without any correction", "npv_mean"]


def test_a_harm_is_not_made_smaller_by_cutting_benefits(workings, table):
    bare = discounted(workings, total_saving(_account(workings, LEAD, without=("cost", "benefit"))))
    assert (bare < 0).any(), "some draws are adverse"
    by_hand = np.mean([0.6 * value if value > 0 else value for value in bare])
    assert table.loc["uplift instead, grade 6, the worst", "saving_mean"] == pytest.approx(by_hand)


def test_two_devices_on_one_input_stop_the_table(workings, monkeypatch):
    twice = (*DEVICES, Device("delivery.cost_overrun", "cost", "uplift", 1.0))
    monkeypatch.setattr("cba.tables.accounts.DEVICES", twice)
    with pytest.raises(InputError, match="corrected for optimism twice"):
        optimism_check(workings, LEAD)
