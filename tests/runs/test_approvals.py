"""Approvals: another person releases a run; nobody releases a failed or damaged one."""

from __future__ import annotations

import json
import os

import pytest

from cba.errors import GateError, InputError, StoreError
from cba.runs.execute import RunRequest, execute
from cba.runs.holds import approve_run, refuse_failed
from cba.runs.reading import find_run, list_runs, read_run, verify_run
from tests.fakes import small_analysis, stages_of
from tests.runs.test_holds import shifted


@pytest.fixture
def held(tmp_path):
    execute(small_analysis(), root=tmp_path, stages=shifted(0.0))
    return execute(small_analysis(), root=tmp_path, stages=shifted(3e9), request=RunRequest(by="Ann Analyst"))


def test_a_held_run_is_released_by_somebody_else(held, tmp_path):
    before = (held.path / "manifest.json").read_bytes()
    run = approve_run(held, by="Bea Assurer", note="the new release explains it")
    assert run.published and run.held == () and find_run(tmp_path, "small").name == held.name
    assert (held.path / "manifest.json").read_bytes() == before and verify_run(run.path) == []
    record = json.loads((held.path / "approval.json").read_text())
    assert record["approved_by"] == "Bea Assurer" and record["analyst"] == "Ann Analyst"
    assert record["note"] == "the new release explains it" and record["held"] == list(held.held)
    assert record["headline_sha256"] == run.manifest["files"]["headline.json"]["sha256"]
    assert approve_run(run, by="bea  assurer", note="again").approval == run.approval  # no second record


@pytest.mark.parametrize(
    "by, note, said",
    [
        ("Ann Analyst", "fine", "by the person who ran it"),
        (" ann  ANALYST ", "fine", "by the person who ran it"),
        ("\u0410nn \u0410nalyst", "fine", "by the person who ran it"),
        ("\u0410\u043f\u043f", "fine", "by the person who ran it"),
        ("Ann Ana1yst", "fine", "by the person who ran it"),
        ("\u1d00nn Analyst", "fine", "by the person who ran it"),
        ("...", "fine", "by the person who ran it"),
        ("", "fine", "a text is empty"),
        ("Bea", " ", "a text is empty"),
    ],
)
def test_the_analyst_and_the_wordless_are_refused(held, by, note, said):
    with pytest.raises(InputError, match=said) as caught:
        approve_run(held, by=by, note=note)
    assert caught.value.details["next step"] and not (held.path / "approval.json").exists()
    assert read_run(held.path).held and not read_run(held.path).published


def test_a_second_approver_is_refused(held):
    approve_run(held, by="Bea", note="fine")
    with pytest.raises(InputError, match="approved already"):
        approve_run(held, by="Cy", note="fine too")


def test_a_damaged_run_is_refused_with_the_name_of_the_file(held):
    (held.path / "stances" / "evidence" / "draws.nc").write_bytes(b"no")
    with pytest.raises(StoreError, match=r"stances/evidence/draws.nc: damaged"):
        approve_run(held, by="Bea", note="fine")
    assert not (held.path / "approval.json").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("Bea", "Ann"),
        lambda text: text[:-5],
        lambda text: "{}",
    ],
)
def test_a_forged_or_damaged_approval_is_named(held, spoil):
    run = approve_run(held, by="Bea", note="fine")
    file = run.path / "approval.json"
    file.write_text(spoil(file.read_text()))
    with pytest.raises(StoreError, match="approval.json is damaged"):
        read_run(run.path)
    assert next(r for r in list_runs(run.path.parents[1]) if r.name == run.name).damage


def test_an_approval_of_another_run_does_not_count(held, tmp_path):
    other = execute(small_analysis(), root=tmp_path, stages=shifted(5e9), request=RunRequest(by="Ann"))
    run = approve_run(held, by="Bea", note="fine")
    (other.path / "approval.json").write_bytes((run.path / "approval.json").read_bytes())
    with pytest.raises(StoreError, match="of another run"):
        read_run(other.path)


def test_what_failed_a_gate_can_never_be_approved(tmp_path):
    def fails(analysis, *, stance, **fits):
        raise GateError("the baseline model has not converged", ["R-hat: found 1.2, required 1.01"])

    with pytest.raises(GateError) as caught:
        execute(small_analysis(), root=tmp_path, stages=stages_of(appraise=fails))
    (place,) = (tmp_path / "small" / "failed").glob("*/diagnostics.json")
    assert caught.value.__notes__ == [str(place)]
    for path in (place, place.parent, tmp_path / "small" / "failed" / "20260101T000000Z"):
        with pytest.raises(InputError, match="can never be approved"):
            refuse_failed(path)


def test_a_run_whose_gates_did_not_pass_is_refused(tmp_path):
    from tests.runs.test_store import store

    with pytest.raises(InputError, match="gates did not pass"):
        approve_run(store(tmp_path), by="Bea", note="fine")


def test_a_kill_between_record_and_pointer_leaves_a_sound_store(held, monkeypatch, tmp_path):
    """The record is whole, readers see the old run, and approving again shows the new one."""
    real, calls = os.replace, []

    def dies(*names):
        calls.append(names)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*names)

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        approve_run(held, by="Bea", note="fine")
    monkeypatch.undo()
    between = read_run(held.path)
    assert between.approval and not between.published
    assert find_run(tmp_path, "small/published").name != held.name
    assert approve_run(between, by="Bea", note="fine").published


@pytest.mark.parametrize("by", ["", " "])
def test_a_run_that_nobody_is_said_to_have_run_cannot_be_approved(tmp_path, by):
    """Whoever approves it may be its analyst: it is run again under a name, which reads what is stored."""
    execute(small_analysis(), root=tmp_path, stages=shifted(0.0))
    run = execute(small_analysis(), root=tmp_path, stages=shifted(3e9), request=RunRequest(by=by))
    with pytest.raises(InputError, match="names nobody who ran it") as refused:
        approve_run(run, by="Bea", note="fine")
    assert "--by" in refused.value.details["next step"] and not (run.path / "approval.json").exists()
