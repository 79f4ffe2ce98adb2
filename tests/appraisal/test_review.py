"""The review's claims as a condition: refused with few draws, otherwise only draws that meet them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba import Appraisal
from cba.recipe import appraise, assembled
from cba.stances.review import (
    ENOUGH,
    MEETING,
    NEAREST,
    claim_chance,
    claims_met,
    claims_reached,
    conditioned_on_claims,
    kept,
    kept_workings,
)
from cba.tables.attribution import component_account
from tests.appraisal.made_workings import made_draws, made_fits, made_inputs, made_workings, worked

MANY = 300
LOWERED = (15_000, 16_000)
"""Claims that some of the made draws meet: from family help, and in all."""


@pytest.fixture(scope="module")
def refused():
    inputs = made_inputs()
    baseline, effects = made_fits()
    return appraise(inputs.analysis, stance="review", baseline=baseline, effects=effects, progress=False)


def lowered(claims, **values):
    """Claims with other figures."""
    changed = {name: getattr(claims, name).model_copy(update={"value": v}) for name, v in values.items()}
    return claims.model_copy(update=changed)


@pytest.fixture(scope="module")
def believing():
    """Workings in which family help averts most of what it reaches in two draws of three, at a low cost.

    Even so 30,000 fewer are out of reach before whole age bands would be empty, so the claims are lowered.
    """
    inputs = made_inputs("latest", MANY, 12)
    chosen = tuple(o for o in inputs.options if o.id in ("bau", "care_review", "kinship_only"))
    analysis = inputs.analysis.model_copy(
        update={"options": tuple(o.id for o in chosen), "lead": "care_review"}
    )
    beliefs = {
        "family_help.log_risk_ratio": np.where(np.arange(MANY) % 3 > 0, -0.9, -0.1),
        "family_help.age_tilt_under_1": 0.3,
        "family_help.age_tilt_16_plus": 1.3,
        "family_help.start_share_early_help": 0.25,
        "family_help.start_share_in_need": 0.25,
        "family_help.start_share_protection": 0.245,
        "family_help.in_time_share": 1.0,
        "family_help.of_kind_share": 1.0,
        "family_help.eligible_children": 600_000.0,
        **{
            f"family_help.cost_per_family_{tier}": 1_600.0 for tier in ("early_help", "in_need", "protection")
        },
        "family_help.children_per_family": 1.0,
        "family_help.already_paid_share": 0.0,
        "family_help.deferral_share": 0.05,
        "family_help.stay_ratio": 1.0,
        "delivery.start_delay": 0.0,
        "kinship.route_share": 0.05,
        "unit_costs.mix_change_years": 0.4,
    }
    drawn = made_draws("latest", MANY, 12)
    drawn = drawn.assign({n: ("sample", np.broadcast_to(v, MANY).astype(float)) for n, v in beliefs.items()})
    claims = lowered(inputs.claims, family_help_children=LOWERED[0], fewer_children=LOWERED[1])
    return worked(dataclasses.replace(inputs, options=chosen, analysis=analysis, claims=claims), drawn)


@pytest.fixture(scope="module")
def conditioned(believing):
    return conditioned_on_claims(believing, assemble=assembled)


# --- too few draws --------------------------------------------------------------------------------------


def test_with_few_draws_every_result_is_null_and_the_run_succeeds(refused):
    assert refused.stance == "review" and refused.results
    for key, entry in refused.results.items():
        assert all(entry[f] is None for f in ("mean", "median", "lower", "upper", "mcse")), key
        assert entry["label"] and entry["unit"]


def test_with_few_draws_the_probability_is_still_given(refused):
    record = refused.provenance["review"]
    assert record["probability"] == 0.0 and record["draws"] == 0 and record["effective_draws"] == 0.0
    assert record["mcse"] > 0 and "30,000" in record["claims"] and record["enough"] == ENOUGH
    assert refused.provenance["stance"] == "review"


def test_with_few_draws_no_number_of_the_evidence_is_passed_off_as_the_reviews(refused):
    """Neither arrays nor tables: those of the evidence are in the evidence's own record."""
    for name in ("npv", "children", "cash_flow", "system_cost", "parameters"):
        assert getattr(refused, name).sizes["sample"] == 0, name
    assert "what_it_would_take" in refused.tables and "priors" in refused.tables
    assert not {"npv", "children_by_year", "cash_flow_by_year", "payback_measures", "attribution"} & set(
        refused.tables
    )


def test_a_refused_review_can_be_saved_shown_and_read(refused, tmp_path):
    read = Appraisal.from_directory(refused.to_directory(tmp_path / "review"))
    assert read.results == {k: dict(v) for k, v in refused.results.items()}
    assert read.npv.sizes["sample"] == 0 and list(read.npv["option"].values) == list(
        refused.npv["option"].values
    )
    assert "not defined" in read._repr_html_()


def test_each_claim_has_a_probability_and_an_upper_bound_where_no_draw_meets_it(refused):
    each = {one["claim"]: one for one in refused.provenance["review"]["each"]}
    assert [one["target"] for one in refused.provenance["review"]["each"]] == [17_000, 30_000] and len(
        each
    ) == 2
    for one in each.values():
        assert one["probability"] == 0.0 and one["mcse"] > 0 and one["highest"] < one["target"]
        assert one["words"].startswith("beyond what this model supports: no draw of 100")
        assert 3 / 110 < one["upper_95"]  # the rule of three, for at most 100 effective draws


def test_the_upper_bound_is_the_probability_that_would_hide_with_one_chance_in_twenty():
    draws = np.random.default_rng(0).normal(size=500)
    found = claim_chance(draws, target=10.0, chains=None)
    assert (1 - found["upper_95"]) ** 500 == pytest.approx(0.05)
    assert found["upper_95"] == pytest.approx(3 / 500, rel=0.01)
    met = claim_chance(draws, target=1.0, chains=None)
    assert met["upper_95"] is None and met["probability"] == (draws >= 1).mean()
    assert met["words"] == f"{met['draws']} of 500 draws reach it"


def test_what_one_would_need_to_believe_is_shown_by_the_nearest_draws(refused):
    table = refused.tables["need_to_believe"]
    assert table["which"].eq(NEAREST).all() and table["draws"].eq(10).all()
    assert table["shift"].abs().is_monotonic_decreasing
    assert "family_help.log_risk_ratio" in table["parameter"].tolist()


# --- enough draws ---------------------------------------------------------------------------------------


def test_only_draws_that_meet_the_claims_are_kept(believing, conditioned):
    year = believing.inputs.analysis.target_year
    met = claims_met(believing, claims_reached(believing))
    assert ENOUGH <= met.sum() < MANY
    total = conditioned.children.sel(year=year).sum("age")
    fewer = (total.sel(option="bau") - total.sel(option="care_review")).values
    assert fewer.size == met.sum() and fewer.min() >= LOWERED[1]
    entry = conditioned.results["fewer_children_2032.care_review"]
    assert entry["mean"] == pytest.approx(fewer.mean()) and entry["lower"] >= LOWERED[1]
    assert conditioned.provenance["review"]["probability"] == pytest.approx(met.mean())


def test_the_claims_ask_for_both_family_help_and_the_whole(believing):
    year = believing.years.index(believing.inputs.analysis.target_year)
    in_all = believing.accounts["care_review"].children.fewer_by_age[:, year].sum(axis=-1)
    met = claims_met(believing, claims_reached(believing))
    assert (in_all[met] >= LOWERED[1]).all() and not met[in_all < LOWERED[1]].any()
    alone = (
        component_account(believing, "care_review", ("family_help",)).children.fewer_by_age[:, year].sum(-1)
    )
    np.testing.assert_array_equal(met, (in_all >= LOWERED[1]) & (alone >= LOWERED[0]))


def test_all_that_is_kept_stays_paired(believing, conditioned):
    met = claims_met(believing, claims_reached(believing))
    np.testing.assert_array_equal(conditioned.npv, believing.arrays.npv.values[met])
    for name in ("family_help.log_risk_ratio", "delivery.cost_overrun"):
        np.testing.assert_array_equal(
            conditioned.parameters[name], believing.system.parameters[name].values[met]
        )
    roll_out = conditioned.tables["effects"].query("stage == 'roll_out' and estimand == 'care_entry_log_rr'")
    assert roll_out["mean"].item() == pytest.approx(
        believing.system.value("family_help.log_risk_ratio")[met].mean()
    )


def test_what_one_would_need_to_believe_compares_the_draws_that_meet_the_claims(believing, conditioned):
    met = claims_met(believing, claims_reached(believing))
    table = conditioned.tables["need_to_believe"].set_index("parameter")
    assert table["which"].eq(MEETING).all() and table["draws"].eq(met.sum()).all()
    draws = believing.system.value("family_help.log_risk_ratio")
    row = table.loc["family_help.log_risk_ratio"]
    assert row["mean"] == pytest.approx(draws.mean()) and row["needed_mean"] == pytest.approx(
        draws[met].mean()
    )
    assert row["shift"] == pytest.approx((draws[met].mean() - draws.mean()) / draws.std())


def test_draws_of_a_condition_are_known_as_such(conditioned):
    """So that nothing asks what information is worth to a belief that is nobody's."""
    assert conditioned.provenance["stance"] == "review" and "review_claims" not in conditioned.provenance


def test_a_conditioned_appraisal_keeps_its_analysis_and_can_be_saved(believing, conditioned, tmp_path):
    assert conditioned.analysis == believing.inputs.analysis
    read = Appraisal.from_directory(conditioned.to_directory(tmp_path / "review"))
    np.testing.assert_array_equal(read.npv.values, conditioned.npv.values)
    assert read.analysis == conditioned.analysis


def test_errors_of_kept_draws_take_them_as_independent(believing, conditioned):
    npv = conditioned.npv.sel(option="care_review").values
    expected = npv.std(ddof=1) / np.sqrt(npv.size)
    assert conditioned.results["npv_fiscal.care_review"]["mcse"] == pytest.approx(expected, rel=1e-9)


def test_keeping_all_draws_changes_nothing():
    base = made_workings()
    same = kept_workings(base, np.ones(base.system.reach.size, dtype=bool))
    np.testing.assert_array_equal(same.arrays.npv, base.arrays.npv)
    np.testing.assert_array_equal(same.system.guardian_years, base.system.guardian_years)
    np.testing.assert_array_equal(same.system.averted_kernel, base.system.averted_kernel)


def test_an_analysis_without_the_review_meets_no_claim(believing):
    alone = {name: a for name, a in believing.accounts.items() if name != "care_review"}
    without = dataclasses.replace(believing, accounts=alone)
    assert not claims_met(without, claims_reached(without)).any()


def test_what_has_no_draws_is_left_alone():
    mask = np.array([True, False, True])
    assert kept((np.arange(3), "x", 5), mask)[1:] == ("x", 5)
    assert kept(np.arange(4), mask).tolist() == [0, 1, 2, 3]
