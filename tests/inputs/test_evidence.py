"""The evidence table: harmonised by published formulas, nothing lost silently, mistakes refused by name."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cba.errors import InputError
from cba.inputs.evidence import harmonise, load_evidence
from cba.inputs.evidence_rules import DESIGN_CLASSES, OUTCOME_CLASSES

HERE = Path(__file__).parent
B = "row 3 (TRIAL_B), column "
MISTAKES = {  # file: (field, words of the problem, words of the next step)
    "interval_without_estimate.csv": (B + "estimate", "does not hold its estimate", "scale of the row"),
    "interval_one_end.csv": (B + "ci_low", "one end only", "add the other end"),
    "events_above_n.csv": (B + "events_treat", "more events than people", "correct the counts"),
    "scale_unknown.csv": (B + "scale", "unknown scale", "did you mean log_rr?"),
    "scale_not_of_estimand.csv": (B + "scale", "cannot be turned into", "exclude the row"),
    "same_study_and_scale.csv": ("row 3 (TRIAL_A), column study_id", "twice on one scale", "remove one row"),
    "overlap_group_twice.csv": (B + "overlap_group", "one overlap group", "exclude one of the two"),
    "se_negative.csv": (B + "se", "not above 0", "leave the cell empty"),
    "se_assumed_without_reason.csv": (B + "se_assumed_reason", "has no reason", "why this value"),
    "design_class_unknown.csv": (B + "design_class", "unknown design_class", "allowed word"),
    "intervention_unknown.csv": (B + "intervention", "unknown intervention", "did you mean family_help?"),
    "outcome_class_unknown.csv": (B + "outcome_class", "unknown outcome_class", "allowed word"),
    "synthesis_without_uncertainty.csv": (B + "se", "no uncertainty", "assumed standard error"),
    "synthesis_without_estimate.csv": (B + "estimate", "no estimate", "exclude the row"),
    "excluded_without_reason.csv": (B + "exclusion_reason", "without a reason", "say why"),
    "synthesis_with_reason.csv": (B + "exclusion_reason", "reason for exclusion", "empty the cell"),
    "estimand_missing.csv": (B + "estimand", "unknown estimand", "allowed estimand"),
    "cell_nan.csv": (B + "estimate", "not a finite number", "leave the cell empty"),
    "risk_as_per_cent.csv": (B + "risk_control", "not a proportion", "divide by 100"),
    "study_id_empty.csv": ("row 3 (no study_id), column study_id", "cell is empty", "fill it in"),
    "column_missing.csv": ("use", "columns are not those", "headings of the shipped table"),
    "column_unknown.csv": ("weight", "columns are not those", "headings of the shipped table"),
    "truncated.csv": ("row 3", "fewer cells than the header", "restore the row"),
    "empty.csv": (None, "holds no rows", "restore the file"),
    "censored_without_bounds.csv": (B + "bound_low", "no bounds", "add a bound"),
    "censored_bounds_swapped.csv": (B + "bound_low", "not in order", "swap them"),
    "censored_without_reason.csv": (B + "bound_reason", "have no reason", "why these bounds"),
    "censored_without_uncertainty.csv": (B + "se_assumed", "no uncertainty", "assumed standard error"),
    "censored_with_exclusion_reason.csv": (B + "exclusion_reason", "reason for exclusion", "empty the cell"),
    "synthesis_with_bounds.csv": (B + "bound_low", "has bounds too", "set use to censored"),
    "design_effect_one_end.csv": (B + "design_effect_low", "design effect is not a range", "95% point"),
    "design_effect_without_reason.csv": (B + "design_effect_reason", "has no reason", "why this range"),
    "level_unknown.csv": (B + "level", "unknown level", "allowed word"),
    "area_without_coverage.csv": (B + "coverage_low", "has no coverage", "add coverage_low"),
    "area_coverage_in_per_cent.csv": (B + "coverage_low", "coverage is not a range", "95% point"),
    "area_coverage_without_reason.csv": (B + "coverage_reason", "has no reason", "why this range"),
    "area_ages_unknown.csv": (B + "starts_ages", "whose starts", "use an age band, or all"),
    "area_of_another_estimand.csv": (B + "level", "another estimand", "set level to served"),
    "served_with_coverage.csv": (B + "coverage_low", "those served has a coverage", "set level to area"),
}


def test_every_malformed_file_is_tested():
    assert {file.name for file in (HERE / "malformed_evidence").iterdir()} == set(MISTAKES)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_by_file_row_column_problem_and_remedy(name):
    field, problem, remedy = MISTAKES[name]
    file = HERE / "malformed_evidence" / name
    with pytest.raises(InputError) as caught:
        load_evidence(file)
    found = caught.value.details
    assert found["file"] == str(file)
    assert found["field"] == field
    assert problem in caught.value.problem
    assert remedy in str(found["next step"])


@pytest.fixture(scope="module")
def shipped():
    return load_evidence()


def effect(evidence, study):
    rows = evidence.effects[
        (evidence.effects["study_id"] == study) & (evidence.effects["use"] == "synthesis")
    ]
    assert len(rows) == 1
    return float(rows["effect"].iloc[0]), float(rows["effect_se"].iloc[0])


def used_as(evidence, use):
    chosen = evidence.effects[evidence.effects["use"] == use]
    return chosen.groupby("estimand")["study_id"].agg(set).to_dict()


def test_synthesis_holds_the_intended_studies(shipped):
    assert used_as(shipped, "synthesis") == {
        "care_entry_log_rr": {
            "BEZECZKY2020_12m",
            "START2018",
            "BB26_CLA",
            "TRIPLEP_NC2018",
            "BENNETT2021_1617",
            "TFP2019",
            "NWD_NY2019",
            "ESSEX_MST_SIB",
        },
        "family_network_log_rr": {"CORAM2023_CLA12", "DIJKSTRA2018"},
        "permanence_risk_diff": {"TESTA_IL2002", "JBA2011_WI"},
        "foster_substitution_log_ratio": {"MARINESCU2023_NC"},
    }


def test_results_without_a_number_enter_as_intervals(shipped):
    """Null results lie astride 0, directions on one side of it; none has an estimate."""
    assert used_as(shipped, "censored") == {
        "care_entry_log_rr": {"TFP2016_PHASE1", "LEEDS_FV2017", "BENNETT2021_14"},
        "family_network_log_rr": {"DIJKSTRA2016"},
        "permanence_risk_diff": {"JBA2011_MN", "JBA2011_TN"},
    }
    rows = shipped.effects[shipped.effects["use"] == "censored"].set_index("study_id")
    assert rows["effect"].isna().all() and (rows["effect_se"] > 0).all()
    null = rows.loc[["TFP2016_PHASE1", "BENNETT2021_14", "DIJKSTRA2016"]]
    np.testing.assert_allclose(null["bound_high"], 1.96 * null["effect_se"], rtol=0.01)
    np.testing.assert_allclose(null["bound_low"], -null["bound_high"])
    assert rows.loc["LEEDS_FV2017", "bound_high"] == pytest.approx(-1.96 * 0.05)
    assert math.isnan(rows.loc["LEEDS_FV2017", "bound_low"])
    # Two states lie between the smallest result, Illinois, and the largest, Wisconsin.
    assert (rows.loc[["JBA2011_MN", "JBA2011_TN"], "bound_low"] == 0.066).all()


def test_area_level_studies_say_whose_starts_and_what_share_was_served(shipped):
    used = shipped.effects[shipped.effects["use"] != "excluded"].set_index("study_id")
    area = used[used["level"] == "area"]
    assert set(area.index) == {
        "TRIPLEP_NC2018",
        "BENNETT2021_1617",
        "BENNETT2021_14",
        "LEEDS_FV2017",
        "NWD_NY2019",
    }
    assert ((area["coverage_low"] > 0) & (area["coverage_high"] < 1)).all()
    assert area.loc["BENNETT2021_1617", "starts_ages"] == "16_plus"
    assert used.loc[used["level"] == "served", "coverage_low"].isna().all()


@pytest.mark.parametrize(
    "study, expected, se",
    [
        # published risk ratio 0.60 (0.48 to 0.76), siblings counted apart; and 0.93 (0.88 to 0.98)
        (
            "BEZECZKY2020_12m",
            math.log(0.60),
            (math.log(0.76) - math.log(0.48)) / 3.92 * (1.05 * 2.0) ** 0.25,
        ),
        ("TRIPLEP_NC2018", math.log(0.93), (math.log(0.98) - math.log(0.88)) / 3.92),
        # 25 of 760 against 27 of 746
        ("BB26_CLA", math.log((25 / 760) / (27 / 746)), math.sqrt(1 / 25 - 1 / 760 + 1 / 27 - 1 / 746)),
        # 1.7% against 2.5%; 36.2% against 44.8%
        ("TFP2019", math.log(1.7 / 2.5), 0.10),
        # two arms of 1,274 children, design effect about 1.48
        (
            "CORAM2023_CLA12",
            math.log(0.362 / 0.448),
            math.sqrt((1 / (0.362 * 1274) + 1 / (0.448 * 1274) - 2 / 1274) * math.sqrt(1.15 * 1.9)),
        ),
        # 9% of 229 families against 1.3% of 99
        (
            "DIJKSTRA2018",
            math.log(0.09 / 0.013),
            math.sqrt(1 / (0.09 * 229) - 1 / 229 + 1 / (0.013 * 99) - 1 / 99),
        ),
        ("NWD_NY2019", math.log(0.82), 0.10),
        ("ESSEX_MST_SIB", math.log(11.92 / 55), 0.25),
        # 77.9% of 3,287 against 71.8% of 3,470; significant at 0.02 implies a standard error near 0.025
        ("TESTA_IL2002", 0.061, 0.061 / stats.norm.ppf(1 - 0.015 / 2)),
        ("JBA2011_WI", 0.18, 0.06 * (1.1 * 2.0) ** 0.25),
        # 4% fewer with the spending lost; interval in proportion to 1.9 (0.7 to 2.9)
        ("BENNETT2021_1617", math.log(0.96), (math.log(0.985) - math.log(0.939)) / 3.92),
        ("MARINESCU2023_NC", math.log(1.2), 0.10),
    ],
)
def test_harmonised_effects_follow_from_the_published_figures(shipped, study, expected, se):
    found, found_se = effect(shipped, study)
    assert found == pytest.approx(expected, abs=2e-4)  # the table rounds logs to four decimals
    assert found_se == pytest.approx(se, abs=1e-3)


def test_counts_give_the_standard_error_a_simulation_finds():
    """Spread of the log risk ratio over 20,000 simulated trials: within its error and 1/(2 events)."""
    row = dict.fromkeys(("se", "ci_low", "ci_high", "se_assumed", "risk_treat", "risk_control"), math.nan)
    row |= dict.fromkeys(("design_effect_low", "design_effect_high"), math.nan)
    row |= {"estimand": "care_entry_log_rr", "scale": "log_rr", "estimate": math.nan, "use": "synthesis"}
    row |= {"events_treat": 250, "n_treat": 7600, "events_control": 270, "n_control": 7460}
    rng, trials = np.random.default_rng(0), 20_000
    treated, control = rng.binomial(7600, 250 / 7600, trials), rng.binomial(7460, 270 / 7460, trials)
    spread = np.std(np.log(treated / 7600) - np.log(control / 7460))
    assert harmonise(row).se == pytest.approx(spread, rel=4 / math.sqrt(2 * trials) + 1 / (2 * 250))


def test_adverse_results_stay_adverse(shipped):
    assert effect(shipped, "START2018")[0] > 0
    assert effect(shipped, "DIJKSTRA2018")[0] > 0


def test_every_published_row_is_kept_with_its_class_and_reason(shipped):
    effects = shipped.effects
    assert len(effects) == 57 + 3  # two states and a second scale, each from a row's own text
    assert set(effects["design_class"]) <= set(DESIGN_CLASSES)
    assert set(effects["outcome_class"]) <= set(OUTCOME_CLASSES)
    excluded = effects[effects["use"] == "excluded"]
    assert len(excluded) == 60 - 13 - 6
    assert (excluded["exclusion_reason"].str.len() > 10).all()
    assert excluded["effect"].isna().all()
    assert effects["transport_note"].str.len().gt(0).all()
    assert (len(shipped.costs), len(shipped.claims)) == (40, 72)


def test_designs_of_a_stance_select_trials(shipped):
    trials = shipped.synthesis("care_entry_log_rr", designs=("rct",))
    assert set(trials["study_id"]) == {"START2018", "BB26_CLA"}


def test_what_was_not_yet_known_is_listed_not_lost(shipped):
    then = load_evidence(until=2022)
    assert len(then.effects) + (then.left_out["table"] == "effects").sum() == len(shipped.effects)
    assert len(then.costs) + (then.left_out["table"] == "costs").sum() == len(shipped.costs)
    assert len(then.claims) + (then.left_out["table"] == "claims").sum() == len(shipped.claims)
    assert "CORAM2023_CLA12" not in set(then.effects["study_id"])
    assert "NWD_NY2019" in set(then.effects["study_id"])  # undated, but known by 2019
    undated = then.left_out.set_index("key").loc["OXON_FSP", "reason"]
    assert undated == "no year"
    assert set(then.claims["claim_id"].str.split("_").str[0]) == {"review", "windfall", "alma", "help"}
    assert then.fingerprint() != shipped.fingerprint()


def test_the_published_split_of_the_review_does_not_reach_its_total(shipped):
    claims = shipped.claims.set_index("claim_id")["value"]
    years = sum(claims[f"review_investment_year_{year}"] for year in range(1, 5))
    assert years == claims["review_investment_sum_of_years"] == 2523
    assert claims["review_investment_total"] == 2600


def test_adding_one_row_is_all_it_takes(tmp_path):
    table = pd.read_csv(HERE / "valid_evidence" / "two_trials.csv", dtype=str, keep_default_na=False)
    new = table.iloc[0].to_dict() | {
        "study_id": "NEW",
        "overlap_group": "new",
        "estimate": "-0.3",
        "se": "0.05",
    }
    file = tmp_path / "effects.csv"
    pd.concat([table, pd.DataFrame([new])]).to_csv(file, index=False)
    before, after = load_evidence(HERE / "valid_evidence" / "two_trials.csv"), load_evidence(file)
    assert effect(after, "NEW") == (-0.3, 0.05)
    assert len(after.synthesis("care_entry_log_rr")) == len(before.synthesis("care_entry_log_rr")) + 1
    assert before.fingerprint() != after.fingerprint()
    assert effect(after, "TRIAL_B") == pytest.approx(
        (math.log(0.2 / 0.125), math.sqrt(1 / 20 - 1 / 100 + 1 / 10 - 1 / 80))
    )


def test_every_kind_of_row_is_read(tmp_path):
    """An interval, an area, a clustered trial with a risk in one arm: each one row, nothing else."""
    table = load_evidence(HERE / "valid_evidence" / "every_kind.csv").effects.set_index("study_id")
    assert math.isnan(table.loc["NULL_D", "effect"]) and table.loc["NULL_D", "effect_se"] == 0.15
    assert table.loc["COUNTY_E", "starts_ages"] == "all"
    clustered = table.loc["SIBLINGS_F"]
    arms = [f"arm_{count}_{arm}" for arm in ("treat", "control") for count in ("events", "n")]
    assert clustered[arms].tolist() == [20, 100, 10, 80]
    independent = 1 / 20 - 1 / 100 + 1 / 10 - 1 / 80
    assert clustered["effect_se"] ** 2 == pytest.approx(independent * math.sqrt(1.2 * 2.0))
    assert math.isnan(table.loc["BETTER_G", "bound_low"])


def test_no_event_in_an_arm_still_counts(tmp_path):
    table = pd.read_csv(HERE / "valid_evidence" / "two_trials.csv", dtype=str, keep_default_na=False)
    table.loc[1, "events_treat"] = "0"
    file = tmp_path / "effects.csv"
    table.to_csv(file, index=False)
    row = load_evidence(file).effects.set_index("study_id").loc["TRIAL_B"]
    assert row["arm_events_treat"] == 0 and "half an event" in row["effect_derivation"]
    assert row["effect"] == pytest.approx(math.log((0.5 / 101) / (10.5 / 81)))


def test_odds_ratio_with_a_control_risk_becomes_the_risk_ratio(tmp_path):
    """Odds ratio 2 on a risk of 0.2: treated risk 1/3, so the risk ratio is 5/3."""
    table = pd.read_csv(HERE / "valid_evidence" / "two_trials.csv", dtype=str, keep_default_na=False)
    table.loc[0, ["scale", "estimate", "se", "risk_control"]] = ["log_or", str(math.log(2)), "0.3", "0.2"]
    file = tmp_path / "effects.csv"
    table.to_csv(file, index=False)
    found, se = effect(load_evidence(file), "TRIAL_A")
    assert found == pytest.approx(math.log(5 / 3))
    assert se == pytest.approx(
        0.3 * (1 - 1 / 3)
    )  # slope of log risk ratio in log odds ratio: 1 - treated risk


def test_a_folder_needs_all_three_tables(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_evidence(tmp_path)


@pytest.mark.parametrize(
    "table, old, new, field, problem",
    [
        ("evidence_costs.csv", ",318400,", ",-318400,", "column value", "negative"),
        ("evidence_costs.csv", ",318400,,,GBP/child/year,", ",318400,,,,", "column unit", "no unit"),
        ("published_claims.csv", ",2523,", ",,", "column value", "no value"),
        (
            "published_claims.csv",
            "review_investment_year_2,",
            "review_investment_year_1,",
            "claim_id",
            "twice",
        ),
    ],
)
def test_mistakes_in_costs_and_claims_are_refused(table, old, new, field, problem, tmp_path):
    published = Path(load_evidence.__code__.co_filename).parent / "published"
    for name in ("evidence_effects.csv", "evidence_costs.csv", "published_claims.csv"):
        text = (published / name).read_text(encoding="utf-8")
        if name == table:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=problem) as caught:
        load_evidence(tmp_path)
    assert caught.value.details["file"] == str(tmp_path / table)
    assert field in str(caught.value.details["field"])
