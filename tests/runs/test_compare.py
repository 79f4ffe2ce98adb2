"""Comparison of two runs: sums, the share of the code, what is said, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from cba.errors import InputError, StoreError
from cba.runs.compare import (
    UNREAD,
    compare_runs,
    compare_stored,
    kept_folders,
    read_run_inputs,
    worlds_between,
)
from cba.runs.comparison import CODE, UNIT_COSTS, Stored, change_sentences, difference_in_words, in_words
from cba.runs.fingerprints import input_fingerprints
from cba.runs.reading import RunRecord
from tests.runs.test_compare_worlds import OPTIONS_HERE, changed_priors, made_fit, small


def stored_results(held, root: Path):
    """What a run of these inputs would have stored, as far as a comparison reads it."""
    draws = worlds_between(held, held, groups=(), options=OPTIONS_HERE, root=root, fit=made_fit)(frozenset())
    return {
        key: {"label": key.partition(".")[0], "unit": "GBP", "mean": float(row.mean()), "mcse": 1.0}
        for key, row in draws.items()
    }


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A run, and the same with a lower avoidable share of foster care."""
    root = tmp_path_factory.mktemp("compared")
    folder = changed_priors(
        root / "priors", file="costs.toml", heading="avoidable.foster", old='"0.05" = 0.4', new='"0.05" = 0.2'
    )
    one = read_run_inputs(small(), stance="evidence", name="latest/a")
    other = read_run_inputs(small(), stance="evidence", name="latest/b", priors=folder)
    return tuple(Stored(held, stored_results(held, root), "code 1") for held in (one, other))


def test_differences_are_those_of_the_stored_figures(two, tmp_path):
    before, after = two
    found = compare_stored(before, after, root=tmp_path, fit=made_fit)
    assert found.moved == (UNIT_COSTS,) and found.notes == ()
    for change in found.changes:
        whole = after.results[change.key]["mean"] - before.results[change.key]["mean"]
        assert change.difference.value == pytest.approx(whole, rel=1e-9, abs=1e-6)
        assert sum(s.value for s in change.shares.values()) == pytest.approx(whole, rel=1e-9, abs=1e-6)
        assert all(s.value == 0.0 and s.mcse == 0.0 for p, s in change.shares.items() if p != UNIT_COSTS)
    npv = next(c for c in found.changes if c.key == "npv_fiscal.care_review")
    assert npv.difference.value < 0, "less of the cost is avoided, so that less is saved"


def test_other_code_takes_what_the_inputs_do_not_explain(two, tmp_path):
    before, after = two
    key = "npv_fiscal.care_review"
    shifted = {**before.results, key: {**before.results[key], "mean": before.results[key]["mean"] - 5e6}}
    older = dataclasses.replace(before, results=shifted, made_by="code 0")
    found = compare_stored(older, after, root=tmp_path, fit=made_fit)
    assert found.moved == (UNIT_COSTS, CODE)
    change = next(c for c in found.changes if c.key == key)
    assert change.shares[CODE].value == pytest.approx(5e6, rel=1e-6)
    assert change.before == shifted[key]["mean"] and change.after == after.results[key]["mean"]
    assert sum(s.value for s in change.shares.values()) == pytest.approx(change.difference.value, rel=1e-9)
    assert change.difference.value == pytest.approx(change.after - change.before, rel=1e-9)
    same = next(c for c in found.changes if c.key == "fewer_children_2032.care_review")
    assert same.shares[CODE].value == 0.0 and same.shares[CODE].mcse == 0.0
    assert "share of the code is taken first" in found.notes[0]


def test_runs_of_one_older_code_are_both_made_again_and_it_says_so(two, tmp_path):
    before, after = two
    key = "npv_fiscal.care_review"
    stale = {**after.results, key: {**after.results[key], "mean": after.results[key]["mean"] + 1e6}}
    found = compare_stored(before, dataclasses.replace(after, results=stale), root=tmp_path, fit=made_fit)
    assert CODE not in found.moved and "both were made again" in found.notes[0]
    change = next(c for c in found.changes if c.key == key)
    assert change.shares[CODE].value == 0.0 and change.after == pytest.approx(after.results[key]["mean"])


def test_a_run_compared_with_itself_has_not_changed(two, tmp_path):
    found = compare_stored(two[0], two[0], root=tmp_path, fit=made_fit)
    assert found.moved == () and all(c.difference.value == 0.0 for c in found.changes)
    assert change_sentences(found.record()) == [
        "Nothing that moves a result differs between latest/a and latest/a."
    ]


def test_an_option_of_one_run_only_is_named(two, tmp_path):
    before, after = two
    analysis = before.made_from.inputs.analysis.model_copy(update={"options": (*OPTIONS_HERE, "foster_only")})
    wider = dataclasses.replace(
        before.made_from, inputs=dataclasses.replace(before.made_from.inputs, analysis=analysis)
    )
    found = compare_stored(dataclasses.replace(before, made_from=wider), after, root=tmp_path, fit=made_fit)
    assert any("earlier run only" in note and "foster_only" in note for note in found.notes)
    assert not any(change.key.endswith("foster_only") for change in found.changes)


def test_runs_without_a_common_option_are_refused(two, tmp_path):
    before, after = two
    analysis = before.made_from.inputs.analysis.model_copy(update={"options": ("bau", "foster_only")})
    apart = dataclasses.replace(
        before.made_from, inputs=dataclasses.replace(before.made_from.inputs, analysis=analysis)
    )
    with pytest.raises(InputError, match="no option in common"):
        compare_stored(dataclasses.replace(before, made_from=apart), after, root=tmp_path, fit=made_fit)


def stored_record(root: Path, name: str, *, results, stances=("evidence",), **manifest) -> RunRecord:
    """A stored run as far as a comparison reads it."""
    folder = root / "latest" / name
    folder.mkdir(parents=True)
    headline = json.dumps({"results": results, "results_by_stance": {}}).encode()
    (folder / "headline.json").write_bytes(headline)
    content = {
        "files": {"headline.json": {"sha256": hashlib.sha256(headline).hexdigest(), "bytes": len(headline)}},
        "settings": small().model_dump(mode="json", by_alias=True),
        "stances": list(stances),
        "fingerprints": {"inputs": input_fingerprints(), "code": "c", "environment": "e"},
    }
    return RunRecord(folder, "latest", name, content | manifest)


def test_stored_runs_are_read_and_compared(two, tmp_path):
    before, after = (
        stored_record(tmp_path, name, results=s.results) for name, s in zip("ab", two, strict=True)
    )
    priors = {"a": None, "b": two[1].made_from.priors}
    found = compare_runs(
        before, after, root=tmp_path, folders=lambda run: (None, priors[run.name]), fit=made_fit
    )
    assert (found.before, found.after, found.stance) == ("latest/a", "latest/b", "evidence")
    assert found.moved == (UNIT_COSTS,) and found.notes == ()


def test_inputs_of_other_code_that_this_version_does_not_take_are_told_with_the_code(two, tmp_path):
    """Nobody can split what both changed: the whole difference is the share of the code, and a note says why."""
    made = two[0].results
    unread = tmp_path / "priors"
    shutil.copytree(two[1].made_from.priors, unread)
    entry = next(unread.glob("effects.toml"))
    entry.write_text(entry.read_text().replace('unit = "share"', 'unit_of_old = "share"', 1))
    prints = {"inputs": input_fingerprints(), "code": "older", "environment": "e"}
    before = stored_record(tmp_path, "a", results=made, fingerprints=prints)
    after = stored_record(tmp_path, "b", results=two[1].results)
    priors = {"a": unread, "b": two[1].made_from.priors}
    how = {"root": tmp_path, "folders": lambda run: (None, priors[run.name]), "fit": made_fit}
    found = compare_runs(before, after, **how)
    assert found.moved == (CODE,) and found.notes[0].startswith(UNREAD)
    for change in found.changes:
        assert change.before == pytest.approx(made[change.key]["mean"])
        assert change.shares[CODE].value == pytest.approx(change.difference.value, rel=1e-9, abs=1e-9)
    same = stored_record(tmp_path, "c", results=made)
    priors["c"] = unread
    with pytest.raises(InputError):  # of the same code they are a mistake, and not another version's
        compare_runs(same, after, **how)


def test_a_stance_of_one_run_only_is_refused(two, tmp_path):
    before = stored_record(tmp_path, "a", results=two[0].results)
    after = stored_record(tmp_path, "b", results=two[0].results, stances=("evidence", "review"))
    with pytest.raises(InputError, match="cannot be compared under this stance") as refused:
        compare_runs(before, after, root=tmp_path, stance="review")
    assert refused.value.details["allowed"] == "evidence" and refused.value.details["field"] == "--stance"


def test_a_run_that_kept_no_inputs_is_refused(two, tmp_path):
    run = stored_record(tmp_path, "a", results=two[0].results)
    with pytest.raises(StoreError, match="names no inputs to make it again from"):
        kept_folders(run)


def test_sentences_give_the_cause_and_round_to_the_error(two, tmp_path):
    record = compare_stored(*two, root=tmp_path, fit=made_fit).record()
    told = change_sentences(record)
    assert told[0] == "What differs between latest/a and latest/b (stance evidence): unit costs."
    npv = next(line for line in told if line.startswith("npv_fiscal"))
    assert "unit costs -£" in npv and "prior" not in npv
    usual = next(line for line in told if line.startswith("children_in_care"))
    assert "exactly the same" in usual


@pytest.mark.parametrize(
    ("value", "unit", "place", "expected"),
    [
        (1.2345e9, "GBP", 7, "+£1.23bn"),
        (-2.9e5, "GBP per year", 4, "-£0.29m a year"),
        (0.0123, "probability", -3, "+1.2 percentage points"),
        (12.3, "children", 0, "+12 children"),
    ],
)
def test_figures_in_words(value, unit, place, expected):
    assert in_words(value, unit=unit, place=place, signed=True, difference=True) == expected


def test_a_difference_within_its_error_is_marked():
    assert difference_in_words({"value": 3.0, "mcse": 2.0, "within_error": True}, unit="children")[0] == "~"
    assert difference_in_words({"value": 0.0, "mcse": 0.0, "within_error": True}, unit="children") == "0"
