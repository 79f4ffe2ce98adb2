"""One standard for every option: each part decides, and verdicts follow from stated rules alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from cba.appraisal.workings import worked_options
from cba.errors import InputError
from cba.inputs.prior_checks import load_standard
from cba.interventions.kinds import checked
from cba.stances import prior_checks
from cba.stances.prior_checks import (
    NOT_KNOWN,
    _settled_by,
    _verdict,
    one_at_a_time_turns,
    prior_workings,
    standard_table,
)
from cba.tables.decisions import break_even_values
from tests.appraisal.made_workings import made_inputs, made_workings

RULE = load_standard()
DRAWS = 200
GOOD = {
    "mechanism": "Help",
    "not_compared": "",
    "one_sign": "",
    "controlled_comparison": "direct",
    "prior_both_signs": True,
    "prob_npv_positive": 0.7,
    "sign_turned_by": "",
}


@pytest.fixture(scope="module")
def workings():
    return made_workings("latest", DRAWS, 12)


@pytest.fixture(scope="module")
def alone():
    return prior_workings(made_inputs("latest", DRAWS, 12), draws=DRAWS, work=worked_options)


@pytest.fixture(scope="module")
def table(workings, alone):
    return standard_table(workings, {}, alone=alone).set_index("option")


@pytest.mark.parametrize(
    ("change", "verdict", "missing"),
    [
        ({}, "recommended", ""),
        ({"controlled_comparison": "transported"}, "recommended", ""),
        ({"controlled_comparison": "none"}, "promising if", "no controlled comparison"),
        ({"prior_both_signs": False}, "promising if", "one sign"),
        ({"prob_npv_positive": 0.699}, "promising if", "a chance below 70%"),
        ({"prob_npv_positive": 0.3}, "promising if", "a chance below 70%"),
        ({"prob_npv_positive": 0.299}, "not shown", "a chance below 70%"),
        ({"sign_turned_by": "reach: 0.35"}, "promising if", "reach: 0.35"),
        ({"sign_turned_by": NOT_KNOWN}, "promising if", "no curve stored"),
    ],
)
def test_each_part_of_the_standard_decides(change, verdict, missing):
    found = _verdict(GOOD | change, rule=RULE, condition="a trial")
    assert (
        found["verdict"] == verdict
        and missing in found["reason"]
        and (found["reason"] == "") == (not missing)
    )
    assert found["condition"] == ("a trial" if verdict == "promising if" else "")
    without = _verdict(GOOD | change, rule=RULE, condition="")  # nothing on offer would settle it
    assert without["verdict"] == verdict.replace("promising if", "not shown")
    assert ("no study on offer" in without["reason"]) == (verdict == "promising if")


def test_every_option_but_business_as_usual_passes_the_same_standard(table, workings):
    assert list(table.index) == [o for o in workings.accounts if o != "bau"] and "ffp_2025" in table.index
    assert not (table["verdict"] == "recommended").any()  # no curve is stored


def test_comparisons_are_those_of_the_evidence_table(table, workings):
    """Second route: the rows of the table itself, by country and design, against what is said of each option."""
    effects = workings.inputs.evidence.effects
    used = effects[effects["use"].isin(("synthesis", "censored"))]
    used = used[used["design_class"].isin(("rct", "matched", "panel"))]
    by = {name: set(rows["study_id"]) for name, rows in used.groupby("estimand")}
    family = table.loc["family_help_only"]
    # the made fit holds no panel, the one comparison of exits
    assert family["controlled_comparison"] == "none" and family["not_compared"] == "Family help: leaving care"
    starts, exits = family["studies"].removeprefix("Family help: ").split("; ")
    assert set(starts.split(", ")) == by["care_entry_log_rr"] and exits == "Family help: leaving care: none"
    assert "NWD_NY2019" not in family["studies"] and "BEZECZKY2020_12m" not in family["studies"]
    assert set(used.loc[used["estimand"] == "permanence_risk_diff", "country"]) == {"USA"}
    assert (
        table.loc["kinship_only", "controlled_comparison"] == "transported"
    )  # the weaker of its two effects
    for option in ("placement_reform", "foster_only", "care_review"):
        assert table.loc[option, "controlled_comparison"] == "none", option
    # how carers substitute was compared abroad; that money brings carers was not
    assert "MARINESCU" not in table.loc["foster_only", "studies"]


def test_harm_in_the_priors_is_counted_on_their_own_draws(table, alone):
    share = (alone.system.value("reform.step_down_share") < 0.0).mean()
    assert f"step-down: {share:.0%}" in table.loc["placement_reform", "prior_harm"]
    harm = (alone.system.value("family_help.log_risk_ratio") > 0.0).mean()
    assert f"Family help: {harm:.0%}" in table.loc["ffp_2025", "prior_harm"]
    assert table.loc["placement_reform", "prior_both_signs"] and table.loc["ffp_2025", "prior_both_signs"]
    assert not table.loc["foster_only", "prior_both_signs"]  # places that come cannot be fewer than none


def test_an_effect_that_cannot_be_negative_is_told_from_one_that_arithmetic_forbids(
    workings, alone, monkeypatch
):
    """A step-down that only helps, as it was stated before: the standard says so, unless a reason is written."""
    parameters = alone.system.parameters.copy()
    parameters["reform.step_down_share"] = abs(parameters["reform.step_down_share"])
    account = alone.accounts["placement_reform"]
    work = tuple(
        dataclasses.replace(w, shifts=tuple((a, b, abs(share)) for a, b, share in w.shifts))
        for w in account.work
    )
    accounts = alone.accounts | {"placement_reform": dataclasses.replace(account, work=work)}
    one_sided = dataclasses.replace(alone, accounts=accounts)
    row = standard_table(workings, {}, alone=one_sided).set_index("option").loc["placement_reform"]
    assert (
        not row["prior_both_signs"]
        and "with one sign" in row["reason"]
        and "step-down: 0%" in row["prior_harm"]
    )
    reasoned = RULE.model_copy(update={"arithmetic_forbids": {"step_down": "(nobody is there to move back)"}})
    monkeypatch.setattr(prior_checks, "load_standard", lambda: reasoned)
    row = standard_table(workings, {}, alone=one_sided).set_index("option").loc["placement_reform"]
    assert row["prior_both_signs"] and "nobody is there" in row["prior_harm"]


def test_chances_stand_at_the_stated_value_and_at_each_anchor(table, workings):
    arrays, anchors = workings.arrays, break_even_values(workings).query("kind == 'anchor'").set_index("name")
    for option in ("kinship_only", "placement_reform"):
        npv = arrays.npv.sel(option=option).values
        years = (arrays.child_years_safe - arrays.child_years_harm).sel(option=option).values
        assert table.loc[option, "prob_npv_positive"] == (npv > 0.0).mean()
        assert table.loc[option, "median_npv"] == np.median(npv)
        for name, value in anchors["value_per_child_year"].items():
            assert table.loc[option, f"prob_at_{name}"] == (npv + value * years > 0.0).mean()


def test_single_changes_are_read_from_the_kept_curve():
    assert one_at_a_time_turns(None, "a", median=1.0) is None
    rows = [
        ("1", "reach", "low", "alone", "a", -2.0),
        ("2", "reach", "high", "alone", "a", 3.0),
        ("3", "cost", "low", "fraction", "a", -1.0),
        ("4", "stay", "none", "alone", "b", -1.0),
    ]
    columns = ["spec", "axis", "level", "kind", "option", "npv_median"]
    curve = pd.DataFrame(rows, columns=columns)
    assert one_at_a_time_turns(curve, "a", median=1.0) == ("reach: low",)
    assert one_at_a_time_turns(curve, "a", median=-1.0) == ("reach: high",)
    assert one_at_a_time_turns(curve, "b", median=-1.0) == ()
    assert one_at_a_time_turns(curve, "c", median=1.0) is None


def test_the_study_that_would_settle_it_is_the_one_worth_most_of_those_that_measure_it(workings):
    columns = ["value_per_child_year", "design", "unit", "size", "value", "cost", "enbs", "best"]
    rows = [
        (0.0, "trial", "families", 5_000, 4e6, 3e6, 1e6, True),
        (0.0, "pathfinder_2", "authorities", 12, 9e6, 5e6, 4e6, True),
        (0.0, "pathfinder_2", "authorities", 24, 9.5e6, 8e6, 1.5e6, False),
        (0.0, "cost_return_help", "authorities", 50, 9e9, 0.0, 9e9, True),
        (1e6, "trial", "families", 9_000, 9e9, 0.0, 9e9, True),
    ]
    made = {"study_values": pd.DataFrame(rows, columns=columns)}
    effects = checked(workings.option("family_help_only"))
    said = _settled_by(made, effects, rule=RULE)
    assert said == "pathfinder 2 with 12 authorities: worth £9.0m, at a cost of £5.0m"
    assert _settled_by(made, checked(workings.option("placement_reform")), rule=RULE) == ""
    assert _settled_by({}, effects, rule=RULE) == ""


def test_a_standard_that_is_not_complete_is_refused(tmp_path):
    file = tmp_path / "standard.toml"
    file.write_text("schema = 1\nrecommended_from = 1.7\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"standard\.toml"):
        load_standard(file)
