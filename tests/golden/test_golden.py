"""No number moves: results, tables, explorer, bound numbers and commands of two made runs are those stored in `files`.

Everything is compared to 1e-10, relative or, below 1, absolute. `make golden` stores what this version finds.
"""

from __future__ import annotations

import json
import math

import pytest

from tests.golden.goldens import (
    all_table_differences,
    bound_differences,
    differences,
    explorer_differences,
    read_golden,
    retired_tables,
    same,
    table_differences,
    write_golden,
)
from tests.golden.made import (
    ANALYSES,
    ASSURER,
    STANCES,
    bound_numbers_of,
    checklist_of,
    explorer_of,
    headline_of,
    masked,
    merged_tables_of,
    page_of,
    results_of,
    specification,
    table_cells,
    tables_of,
)

COMMANDS = {
    "run_golden_2024": ".gz",
    "run_golden_2021": ".gz",
    "runs": "",
    "runs_verify": "",
    "runs_prune": "",
    "runs_approve": "",
    "check_files": "",
    "check_shipped": "",
    "priors": ".gz",
    "priors_sceptical": ".gz",
    "prior_of_evidence": "",
    "prior_of_sceptical": "",
    "council": ".gz",
    "council_refused": "",
    "compare": ".gz",
    "report": "",
}
"""Commands asked with --json, by a name of ours, and whether their answer is stored compressed."""

each_analysis = pytest.mark.parametrize("analysis", ANALYSES)
each_stance = pytest.mark.parametrize("stance", STANCES)


@pytest.fixture(scope="session")
def pages(runs):
    """The page of each run as a tree, as it was stored by the run."""
    return {name: page_of(run) for name, run in runs.items()}


@pytest.fixture(scope="session")
def answers(shop, runs, comparison, reported):
    """What each command answers, masked, in this order: the last one writes."""
    root = ("--root", str(shop.root))
    files = [str(specification(name)) for name in ANALYSES]
    new, old = (str(runs[name]) for name in ANALYSES)
    council = ("council", "Leeds", "--analysis", files[0], *root)
    shop.ask("runs", *root, name="runs")
    shop.ask("runs", *root, "--verify", name="runs_verify")
    shop.ask("runs", "prune", "--keep", "1", "--dry-run", *root, name="runs_prune")
    shop.ask("check", *files, new, old, name="check_files")
    shop.ask("check", name="check_shipped")
    shop.ask("priors", name="priors")
    shop.ask("priors", "--stance", "sceptical", name="priors_sceptical")
    shop.ask("priors", "family_help.eligible_children", name="prior_of_evidence")
    shop.ask("priors", "effects.attenuation", "--stance", "sceptical", name="prior_of_sceptical")
    shop.ask(*council, "--option", "care_review", name="council")
    shop.ask(*council, "--option", "care_reveiw", name="council_refused")
    words = ("--by", ASSURER, "--note", "looked at every golden")
    shop.ask("runs", "approve", new, *words, *root, name="runs_approve")
    asked = {name: masked(answer, root=shop.root) for name, answer in shop.answers.items()}
    asked["compare"] = masked(comparison, root=shop.root)
    asked["report"] = masked(reported["answer"], root=reported["root"])
    return asked


def compared(name, found, *, overwrite, how=differences):
    """Compare with a golden, or store it anew."""
    if overwrite:
        write_golden(name, found)
    told = list(how(json.loads(json.dumps(found)), read_golden(name), at=name.partition(".")[0]))
    if told:
        more = f"\nand {len(told) - 40} more" if len(told) > 40 else ""
        pytest.fail("\n".join(told[:40]) + more, pytrace=False)


def shapes(found, expected, *, at):
    """Compare columns and lines of tables, of those that are not retired."""
    expected = {
        name: shape for name, shape in expected.items() if name in found or name not in retired_tables()
    }
    return differences(found, expected, at=at)


@each_stance
@each_analysis
def test_headline_results(runs, analysis, stance, overwrite_golden):
    found = results_of(runs[analysis], stance)
    compared(f"{analysis}_{stance}_results.json", found, overwrite=overwrite_golden)


@each_stance
@each_analysis
def test_tables(runs, analysis, stance, overwrite_golden):
    found = tables_of(runs[analysis], stance)
    name = f"{analysis}_{stance}_tables.json.gz"
    compared(name, found, overwrite=overwrite_golden, how=all_table_differences)


@each_analysis
def test_tables_of_the_run(runs, analysis, overwrite_golden):
    compared(
        f"{analysis}_run_tables.json",
        merged_tables_of(runs[analysis]),
        overwrite=overwrite_golden,
        how=shapes,
    )
    name = f"{analysis}_checklist.json.gz"
    compared(name, checklist_of(runs[analysis]), overwrite=overwrite_golden, how=table_differences)


@each_analysis
def test_the_headline_file_holds_the_results_of_every_stance(runs, analysis):
    headline = json.loads((runs[analysis] / "headline.json").read_text(encoding="utf-8"))
    first, *others = STANCES
    assert headline["schema"] == 1
    assert headline["results"] == results_of(runs[analysis], first)
    assert headline["results_by_stance"] == {stance: results_of(runs[analysis], stance) for stance in others}


@each_analysis
def test_explorer(pages, analysis, overwrite_golden):
    found = explorer_of(pages[analysis])
    name = f"{analysis}_explorer.json.gz"
    compared(name, found, overwrite=overwrite_golden, how=explorer_differences)


@each_analysis
def test_numbers_bound_in_the_page(pages, analysis, overwrite_golden):
    found = bound_numbers_of(pages[analysis])
    assert len(found) > 1000
    compared(f"{analysis}_bound_numbers.json.gz", found, overwrite=overwrite_golden, how=bound_differences)


@pytest.mark.parametrize("command", COMMANDS)
def test_command(answers, command, overwrite_golden):
    name = f"command_{command}.json{COMMANDS[command]}"
    compared(name, answers[command], overwrite=overwrite_golden)


def test_no_answer_is_left_out(answers):
    assert set(answers) == set(COMMANDS)


def test_a_run_stored_by_an_earlier_version_is_compared_on_the_keys_of_both(comparison, runs, stored_run):
    assert comparison["exit_code"] == 0 and comparison["sentences"]
    before, after = headline_of(stored_run), headline_of(runs["golden_2024"])
    shared = {key for key in before if key in after and before[key]["mean"] is not None}
    changes = {change["key"]: change for change in comparison["changes"]}
    assert {"npv_fiscal.care_review", "fewer_children_2032.care_review"} <= set(changes) <= shared
    assert len(changes) >= 10
    for key, change in changes.items():
        assert same(change["before"], before[key]["mean"]) and same(change["after"], after[key]["mean"]), key
        shares = sum(share["value"] for share in change["shares"].values())
        assert shares == pytest.approx(change["difference"], rel=1e-9, abs=1e-6), key


# -- the goldens themselves --------------------------------------------------------------------------------------


def test_every_retired_table_has_a_reason_and_was_there():
    retired = retired_tables()
    assert all(isinstance(reason, str) and len(reason.split()) >= 3 for reason in retired.values())
    known = {
        name
        for analysis in ANALYSES
        for stance in STANCES
        for name in read_golden(f"{analysis}_{stance}_tables.json.gz")
    }
    assert set(retired) <= known


def test_every_stance_has_results_and_the_evidence_has_most_tables():
    for analysis in ANALYSES:
        sizes = {stance: len(read_golden(f"{analysis}_{stance}_tables.json.gz")) for stance in STANCES}
        assert sizes["evidence"] == max(sizes.values()) > 80 and min(sizes.values()) > 5


def test_undefined_is_the_same_as_undefined_and_as_nothing_else():
    assert same(None, None) and same(math.nan, math.nan) and same(math.inf, math.inf)
    assert not same(None, math.nan) and not same(None, 0.0) and not same(math.nan, 0.0)
    assert not same(True, 1) and not same("1", 1) and not same(math.inf, -math.inf)


def test_numbers_agree_to_a_ten_thousand_millionth():
    assert same(1e9, 1e9 + 0.09) and not same(1e9, 1e9 + 0.2)
    assert same(1e-3, 1e-3 + 9e-11) and not same(1e-3, 1e-3 + 2e-10)
    assert same(2032, 2032.0)


def test_a_difference_names_table_row_column_and_both_values():
    golden = {"option": ["bau", "care_review"], "year": [2030, 2032], "mean": [0.0, 1.5]}
    moved = {**golden, "mean": [0.0, 1.6]}
    told = all_table_differences({"npv": moved}, {"npv": golden}, at="golden_2024_evidence_tables")
    assert told == [
        "golden_2024_evidence_tables, table npv, row 1 (care_review, 2032), column mean: found 1.6, expected 1.5"
    ]


def test_missing_new_and_reordered_columns_and_tables_are_told():
    golden = {"a": [1], "b": [2]}
    assert table_differences({"b": [2], "a": [1]}, golden, at="t") == [
        "t: columns in another order, from number 0: found b, expected a"
    ]
    assert table_differences({"a": [1], "c": [2]}, golden, at="t") == [
        "t: columns missing: b",
        "t: columns new: c",
    ]
    assert table_differences({"a": [1, 1], "b": [2, 2]}, golden, at="t")[0] == "t: found 2 rows, expected 1"
    assert all_table_differences({}, {"npv": golden}, at="x") == ["x: table npv is missing"]
    assert all_table_differences({"npv": golden}, {}, at="x") == ["x: table npv is new: make golden"]


def test_a_bound_number_that_goes_is_told_and_the_next_ones_are_not():
    golden = [
        {"section": "money", "key": key, "value": value, "text": "1"}
        for key, value in (("a", 1.0), ("b", 2.0))
    ]
    assert bound_differences(golden[1:], golden, at="p") == ["p: numbers missing: section=money key=a #1"]
    assert bound_differences([golden[0], {**golden[1], "text": "2"}], golden, at="p") == [
        "p, section=money key=b #1, text: found '2', expected '1'"
    ]


def test_of_one_table_five_differences_are_told():
    golden = {"mean": [0.0] * 9}
    told = table_differences({"mean": [1.0] * 9}, golden, at="t")
    assert len(told) == 6 and told[-1] == "t: and 4 more"


def test_tables_are_read_as_numbers_text_and_nothing(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("age,mean,note\n5_9,1.5e-3,\n10,inf,20261121T093000Z-0123abcd\n", encoding="utf-8")
    assert table_cells(file, root=tmp_path) == {
        "age": ["5_9", 10],
        "mean": [0.0015, math.inf],
        "note": [None, "(run)"],
    }
