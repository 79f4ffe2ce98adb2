"""A store with something damaged in it: that is listed as damaged, all the rest is read as it was."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cba.cli import main
from cba.errors import InputError, StoreError
from cba.runs.holds import approve_run, shifts_beyond_tolerance
from cba.runs.reading import find_run, index_rows, list_runs, read_run, run_moment
from cba.runs.store import archived_inputs, prune_runs, write_run
from cba.runs.whole_files import sealed, to_json

MOMENT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
KNOWN = {
    "schema": 1,
    "title": "Made up",
    "settings": {"options": ["bau"], "release": 2024},
    "stances": ["evidence"],
    "code": {"version": "0.1.0"},
    "run_by": "Ann Analyst",
    "gates_passed": True,
}
RESULTS = {
    "npv_fiscal.a": {"label": "NPV", "mean": 1.0, "lower": 0.0, "upper": 2.0, "mcse": 0.1, "level": 0.9}
}


def fill(folder: Path, name: str) -> None:
    (folder / "headline.json").write_text(json.dumps({"results": RESULTS}))


def store(root: Path, *, analysis: str = "small", moment: datetime = MOMENT, **more):
    manifest = {**KNOWN, "analysis": analysis, **more.pop("manifest", {})}
    fixed = {"fingerprint": "0123abcd" * 8, "manifest": manifest, "fill": fill}
    return write_run(root, analysis=analysis, moment=moment, **fixed, **more)


def resealed(**changes):
    """Return what puts other entries into a manifest and seals it again, as anybody can."""

    def spoil(run) -> None:
        manifest = {**run.manifest, **changes}
        manifest = {name: value for name, value in manifest.items() if value is not ...}
        (run.path / "manifest.json").write_text(to_json(sealed(manifest)))

    return spoil


def written(content: bytes):
    return lambda run: (run.path / "manifest.json").write_bytes(content)


HASH = {"sha256": "0" * 64, "bytes": 1}
DAMAGES = {
    "not text": written(b"\xff\xfe"),
    "too deep": written(b"[" * 200_000),
    "too deep inside": written(b'{"a": ' + b"[" * 200_000),
    "NaN": written(b'{"a": NaN, "manifest_sha256": "x"}'),
    "infinite": written(b'{"a": 1e999, "manifest_sha256": "x"}'),
    "endless digits": written(b'{"a": ' + b"1" * 5000 + b"}"),
    "empty": written(b""),
    "a list": written(b"[]"),
    "half of a letter": written(b'{"a": "\\ud800", "manifest_sha256": "x"}'),
    "missing": lambda run: (run.path / "manifest.json").unlink(),
    "a folder": lambda run: ((run.path / "manifest.json").unlink(), (run.path / "manifest.json").mkdir()),
    "code is text": resealed(code="x"),
    "code is gone": resealed(code=...),
    "version is a number": resealed(code={"version": 1}),
    "settings is a list": resealed(settings=[]),
    "settings is gone": resealed(settings=...),
    "options is a text": resealed(settings={"options": "bau", "release": 2024}),
    "release is a text": resealed(settings={"options": ["bau"], "release": "2024"}),
    "stances is a table": resealed(stances={}),
    "held is a text": resealed(held="no"),
    "held holds numbers": resealed(held=[1]),
    "files is a list": resealed(files=[]),
    "files is gone": resealed(files=...),
    "an entry of files is a text": resealed(files={"headline.json": "x"}),
    "a file outside the run": resealed(files={"../../x": HASH}),
    "inputs is a text": resealed(inputs="x"),
    "an input outside the archive": resealed(inputs={"/etc/x": HASH}),
    "stages is a text": resealed(stages="x"),
    "run_by is a list": resealed(run_by=["Ann"]),
    "another run's": resealed(run="20261121T093000Z-ffffffff"),
    "approval too deep": lambda run: (run.path / "approval.json").write_text("[" * 200_000),
    "approval of nothing": lambda run: (run.path / "approval.json").write_text(to_json(sealed({}))),
    "approval not text": lambda run: (run.path / "approval.json").write_bytes(b"\xff"),
}


@pytest.fixture
def three(tmp_path):
    """The published run of an analysis, a newer one of it, and one of another analysis."""
    return tmp_path, [
        store(tmp_path),
        store(tmp_path, moment=MOMENT + timedelta(days=1)),
        store(tmp_path, analysis="zoo"),
    ]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_listed_as_damaged_beside_the_others(three, damage, capsys):
    root, (published, newer, other) = three
    DAMAGES[damage](newer)
    assert [(run.name, bool(run.damage)) for run in list_runs(root)] == [
        (published.name, False),
        (newer.name, True),
        (other.name, False),
    ]
    assert sorted(row.status for row in index_rows(root)) == ["damaged", "published", "published"]
    assert main(["runs", "--root", str(root), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["runs"]
    assert [bool(row["damage"]) for row in told] == [False, True, False]
    assert main(["runs", "--root", str(root)]) == 1
    assert find_run(root, "small").name == published.name and find_run(root, "zoo").name == other.name
    for words in (["report", f"small/{newer.name}"], ["compare", "small", newer.name]):
        assert main([*words, "--root", str(root)]) == 1
        said = capsys.readouterr().err
        assert newer.name in said and "is damaged" in said and "--debug" not in said
    pruned = prune_runs(root, keep=1)
    assert not pruned.runs and newer.path.is_dir() and any(newer.name in words for words in pruned.left)
    assert store(root, moment=MOMENT + timedelta(days=2)).path.is_dir()


POINTERS = {
    "not text": lambda file: file.write_bytes(b"\xff\xfe"),
    "empty": lambda file: file.write_text(""),
    "a path": lambda file: file.write_text("../../etc"),
    "a run that is gone": lambda file: file.write_text("20250101T000000Z-0123abcd\n"),
    "a NUL": lambda file: file.write_bytes(b"a\0b"),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "nowhere": lambda file: (file.unlink(), file.symlink_to("gone")),
}


@pytest.mark.parametrize("spoil", POINTERS)
def test_a_damaged_pointer_is_listed_and_named_and_nothing_is_taken_for_the_published_run(
    three, spoil, capsys
):
    root, (published, newer, other) = three
    POINTERS[spoil](root / "small" / "published")
    assert main(["runs", "--root", str(root), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [row["analysis"] for row in told["pointers"]] == ["small"]
    assert [row["published"] for row in told["runs"]] == [False, False, True]
    assert [row.status for row in index_rows(root) if row.run == "published"] == ["damaged"]
    for name in ("small", "small/published"):
        with pytest.raises(StoreError, match="published is damaged: it names no stored run"):
            find_run(root, name)
    assert find_run(root, "small/latest").name == newer.name and find_run(root, "zoo").name == other.name
    assert not prune_runs(root, keep=1).runs and published.path.is_dir()


@pytest.mark.parametrize("spoil", [*POINTERS, "removed"])
def test_where_the_published_run_cannot_be_found_the_next_is_held_and_never_published_as_the_first(
    three, spoil
):
    root, _ = three
    pointer = root / "small" / "published"
    {**POINTERS, "removed": lambda file: file.unlink()}[spoil](pointer)
    (reason,) = shifts_beyond_tolerance(root / "small", RESULTS, tolerances={})
    assert reason.startswith("the published run cannot be found")
    assert not store(root, moment=MOMENT + timedelta(days=2)).published
    assert shifts_beyond_tolerance(root / "new", RESULTS, tolerances={}) == ()
    assert store(root, analysis="new").published


@pytest.mark.parametrize(
    "spoil",
    [
        DAMAGES["too deep"],
        DAMAGES["missing"],
        lambda run: (run.path / "headline.json").unlink(),
        lambda run: (run.path / "headline.json").write_text('{"results": {}}'),
    ],
)
def test_where_the_published_run_is_damaged_the_next_is_held(three, spoil):
    root, (published, *_) = three
    spoil(published)
    (reason,) = shifts_beyond_tolerance(root / "small", RESULTS, tolerances={})
    assert reason.startswith("the published run cannot be read")
    assert not store(root, moment=MOMENT + timedelta(days=2)).published


@pytest.mark.parametrize("below", ["", "below"])
@pytest.mark.parametrize("command", [["runs"], ["run", "smoke"], ["report", "x"], ["compare", "a", "b"],
                                     ["rerun", "latest"], ["council", "Leeds"], ["runs", "prune", "--keep", "1"],
                                     ["runs", "approve", "x", "--by", "B", "--note", "n"]])  # fmt: skip
def test_a_file_in_place_of_the_folder_of_reports_is_refused_by_every_command(
    tmp_path, command, below, capsys
):
    (tmp_path / "README.md").write_text("mine")
    assert main([*command, "--root", str(tmp_path / "README.md" / below)]) == 2
    said = capsys.readouterr().err
    assert "not a folder" in said and "README.md" in said and "next step" in said


# -- approvals ----------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(tmp_path):
    store(tmp_path)
    return store(tmp_path, moment=MOMENT + timedelta(days=1), manifest={"held": ["it moved"]}, publish=False)


@pytest.mark.parametrize("by", ["ann  analyst", "ＡＮＮ Ａｎａｌｙｓｔ", "Ann\u00a0Analyst", "Ａnn analyst"])
def test_the_analyst_is_refused_however_the_name_is_written(waiting, by):
    with pytest.raises(InputError, match="by the person who ran it"):
        approve_run(waiting, by=by, note="fine")
    assert not (waiting.path / "approval.json").exists()


@pytest.mark.parametrize(
    "text", ["Ann Analyst\u200b", "A\nB\x1b[31m", "\u202eBea", "Bea\ufe0f", "Be\u00ada", "B\x9b"]
)
@pytest.mark.parametrize("field", ["--by", "--note"])
def test_names_and_notes_with_what_nobody_sees_are_refused(waiting, field, text):
    words = {"by": "Bea", "note": "fine", field[2:]: text}
    with pytest.raises(InputError, match="cannot see") as refused:
        approve_run(waiting, **words)
    assert refused.value.details["field"] == field and not (waiting.path / "approval.json").exists()


@pytest.mark.parametrize("text", ["\u200b", " \u2060 ", "", "\u3164"])
@pytest.mark.parametrize("field", ["by", "note"])
def test_names_and_notes_without_anything_to_read_are_refused(waiting, field, text):
    with pytest.raises(InputError):
        approve_run(waiting, **{"by": "Bea", "note": "fine", field: text})
    assert not (waiting.path / "approval.json").exists()


def test_the_analyst_of_a_run_is_a_name_that_can_be_read(tmp_path):
    from cba.runs.manifest import person

    assert person(" Bea ") == "Bea"
    with pytest.raises(InputError, match="cannot see"):
        person("Ann\u200b")


@pytest.mark.parametrize(
    "change",
    [
        {"run": "20261121T093000Z-0123abcd"},
        {"analysis": "other"},
        {"analyst": "Somebody Else"},
        {"headline_sha256": "0" * 64},
        {"approved_by": "Ann Analyst"},
        {"approved_by": "ANN\u200b ANALYST"},
        {"approved_by": "\u200b"},
        {"approved_by": None},
        {"approved_by": ["Bea"]},
    ],
)
def test_an_approval_counts_only_where_it_agrees_with_the_manifest(waiting, change):
    run = approve_run(waiting, by="Bea Assurer", note="looked at")
    forged = to_json(sealed({**run.approval, **change}))
    (run.path / "approval.json").write_text(forged)
    with pytest.raises(StoreError, match=r"approval.json is damaged"):
        read_run(run.path)
    (found,) = (one for one in list_runs(run.path.parents[1]) if one.name == run.name)
    assert not found.approval and found.held == ("it moved",)


def test_an_approval_does_not_outlive_a_change_of_who_ran_it(waiting):
    run = approve_run(waiting, by="Bea Assurer", note="looked at")
    resealed(run_by="Bea Assurer")(run)
    with pytest.raises(StoreError, match=r"approval.json is damaged"):
        read_run(run.path)


# -- clocks -------------------------------------------------------------------------------------------------


def test_a_run_from_the_future_is_flagged_and_never_the_newest(tmp_path, capsys):
    now = datetime.now(UTC)
    ahead = store(tmp_path, moment=now + timedelta(days=400), publish=False)
    assert find_run(tmp_path, "small/latest").name == ahead.name  # there is no other
    shutil.rmtree(tmp_path / "small")
    published = store(tmp_path, moment=now - timedelta(days=2))
    ahead = store(tmp_path, moment=now + timedelta(days=400))
    newest = store(tmp_path, moment=now - timedelta(hours=1))
    assert find_run(tmp_path, "small/latest").name == newest.name
    assert max(list_runs(tmp_path), key=run_moment).name == newest.name
    assert main(["runs", "--root", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["runs"]
    assert [row["run"] for row in told if row["ahead"]] == [ahead.name]
    main(["runs", "--root", str(tmp_path)])
    assert "future" in capsys.readouterr().out
    assert [row.run for row in index_rows(tmp_path) if any("future" in why for why in row.reasons)] == [
        ahead.name
    ]
    assert [run.name for run in prune_runs(tmp_path, keep=1).runs] == [ahead.name]
    assert {run.name for run in list_runs(tmp_path)} == {published.name, newest.name}


def test_inputs_of_a_run_are_laid_out_inside_the_archive_only(tmp_path):
    run = store(tmp_path, inputs={"priors/a.toml": b"a"})
    resealed(inputs={"../../../x": HASH})(run)
    with pytest.raises(StoreError, match="no sound entry"):
        archived_inputs(read_run(run.path))
