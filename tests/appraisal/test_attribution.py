"""Credit adds up, exactly, and no intervention is credited with what it does not do."""

from __future__ import annotations

import numpy as np
import pytest

from cba.appraisal.quantities import discounted
from cba.appraisal.workings import net_saving
from cba.costs.account import total_cost
from cba.costs.option_account import option_account
from cba.decisions import shapley
from cba.tables.attribution import PLAYERS, attribution_table, component_account, with_components
from tests.appraisal.made_workings import option


def test_credit_sums_to_the_mean_effect_and_net_present_value(appraisal):
    table = appraisal.tables["attribution"]
    assert list(table["component"]) == list(PLAYERS)
    fewer = appraisal.results["fewer_children_2032.care_review_reinvest"]["mean"]
    assert table["fewer_children"].sum() == pytest.approx(fewer, rel=1e-9)
    assert table["npv"].sum() == pytest.approx(
        appraisal.results["npv_fiscal.care_review_reinvest"]["mean"], rel=1e-9
    )


@pytest.mark.parametrize("name", ["care_review_injection_only", "ffp_2025", "placement_reform"])
def test_credit_is_that_of_all_sixteen_subsets_worked_out_one_by_one(workings, name):
    """The short cuts (accounts worked out before, money that only adds) change nothing."""
    year = workings.years.index(workings.inputs.analysis.target_year)
    full = next(o for o in workings.inputs.options if o.id == name)

    def value(members):
        part = with_components(full, tuple(p for p in PLAYERS if p in members))
        account = option_account(part, workings.system, workings.basis)
        fewer = account.children.fewer_by_age[:, year].sum(axis=-1).mean()
        return np.array([fewer, discounted(workings, net_saving(account)).mean()])

    expected = shapley(value, PLAYERS)
    table = attribution_table(workings, name).set_index("component")
    for player in PLAYERS:
        found = table.loc[player, ["fewer_children", "npv"]].to_numpy(float)
        np.testing.assert_allclose(found, expected[player], rtol=1e-9, atol=1e-2)


def test_all_players_are_the_option(workings):
    whole = component_account(workings, "care_review", PLAYERS)
    np.testing.assert_allclose(net_saving(whole), net_saving(workings.accounts["care_review"]), rtol=1e-12)


def test_no_player_is_nothing(workings):
    empty = component_account(workings, "care_review", ())
    assert not net_saving(empty).any() and not empty.children.fewer_by_age.any()


def test_money_without_effect_earns_no_children_and_its_cost(appraisal, workings):
    row = appraisal.tables["attribution"].set_index("component").loc["cost_only"]
    idle = [
        x
        for x in workings.accounts["care_review"].costs
        if x.component in ("workforce", "regional_care", "other")
    ]
    spent = discounted(workings, sum(x.amount for x in idle)).mean()
    assert row["fewer_children"] == 0.0
    assert row["npv"] == pytest.approx(-spent, rel=1e-9)


def test_foster_recruitment_moves_cost_and_not_numbers(appraisal, workings):
    """Where what it saves is reinvested it moves numbers too: it pays for family help."""
    assert appraisal.tables["attribution"].set_index("component").loc["foster", "fewer_children"] > 0.0
    row = attribution_table(workings, "care_review").set_index("component").loc["foster"]
    assert row["fewer_children"] == pytest.approx(0.0, abs=1e-9)


def test_a_component_keeps_its_own_money_and_effects_only():
    part = with_components(option("care_review"), ("kinship",))
    assert {line.component for line in part.spend} == {"kinship"}
    assert part.effects.family_network and part.effects.foster_carers_target == 0.0
    assert part.recurrent is None and part.financing == "fade"


def test_a_shipped_part_is_recognised_and_reused(workings):
    found = component_account(workings, "care_review", ("kinship",))
    assert found is workings.accounts["kinship_only"]
    spend = component_account(workings, "care_review", ("family_help",))
    np.testing.assert_allclose(
        total_cost(spend), total_cost(workings.accounts["family_help_only"]), rtol=1e-12
    )
