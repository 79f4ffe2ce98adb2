"""Snapshots: named by their content, whole or not there, and never read when damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cba.errors import InputError, SnapshotDamaged
from cba.inputs.analyses import load_analysis, tables_of
from cba.inputs.data_sources import Data
from cba.inputs.files import published_folder, reading_from, shipped_published_folder
from cba.inputs.releases import snapshots
from cba.inputs.releases.downloads import Origin
from cba.inputs.releases.snapshots import (
    chosen_folder,
    current_snapshot,
    folder_identifier,
    identifiers,
    read_snapshot,
    write_snapshot,
)
from cba.runs.rerun import request_fingerprint
from tests.inputs.release_files import removable

EARLIER = Origin("a", "a.csv", "0" * 64, 9, "2026-11-01T00:00:00+00:00")
LATER = replace(EARLIER, retrieved="2026-12-01T00:00:00+00:00")


@pytest.fixture
def store(tmp_path):
    yield tmp_path / "store"
    if (tmp_path / "store").exists():
        removable(tmp_path / "store")


@pytest.fixture
def stored(store):
    return write_snapshot(shipped_published_folder(), store=store, parent="", sources=[EARLIER])


@pytest.fixture
def changed(tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(shipped_published_folder(), folder)
    file = folder / "care_duration.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(",820,", ",821,"), encoding="utf-8")
    return folder


def test_the_same_content_is_the_same_snapshot_whenever_it_came(store, stored):
    again = write_snapshot(shipped_published_folder(), store=store, parent="x", sources=[LATER])
    assert again == stored and again.sources == (EARLIER,)
    assert stored.identifier == folder_identifier(shipped_published_folder()) and identifiers(store) == (
        stored.identifier,
    )


def test_other_content_is_another_snapshot_and_becomes_current(store, stored, changed):
    other = write_snapshot(changed, store=store, parent=stored.identifier)
    assert other.identifier != stored.identifier and other.parent == stored.identifier
    assert current_snapshot(store) == other and len(identifiers(store)) == 2
    back = write_snapshot(shipped_published_folder(), store=store, parent="")
    assert back == stored == current_snapshot(store)


def test_a_snapshot_holds_every_table_and_may_not_be_written(stored):
    assert {file.name for file in stored.folder.glob("*.csv")} == {
        file.name for file in shipped_published_folder().glob("*.csv")
    }
    modes = {file.stat().st_mode & 0o222 for file in [stored.folder, *stored.folder.iterdir()]}
    assert modes == {0}


@pytest.mark.parametrize("damage", ["changed", "missing", "added"])
def test_a_damaged_file_is_named(store, stored, damage):
    removable(stored.folder)
    file = stored.folder / "unit_costs.csv"
    if damage == "changed":
        content = bytearray(file.read_bytes())
        content[-3] ^= 1  # one bit
        file.write_bytes(bytes(content))
    elif damage == "missing":
        file.unlink()
    else:
        file = stored.folder / "more.csv"
        file.write_bytes(b"x\n")
    with pytest.raises(SnapshotDamaged, match="a snapshot is damaged") as caught:
        read_snapshot(store, stored.identifier)
    assert caught.value.details["file"] == str(file) and caught.value.details["found"] == damage
    assert caught.value.details["next step"] and caught.value.exit_code == 1


@pytest.mark.parametrize(
    "text", ["", "{", '{"seal": "x"}', "[]", "[" * 200_000, '{"a": NaN}', '{"seal": "x", "identifier": []}']
)
def test_a_damaged_record_is_named(store, stored, text):
    removable(stored.folder)
    (stored.folder / "snapshot.json").write_text(text, encoding="utf-8")
    with pytest.raises(SnapshotDamaged, match="damaged") as caught:
        current_snapshot(store)
    assert caught.value.details["file"].endswith("snapshot.json")


@pytest.mark.parametrize(
    "change", [{"releases": []}, {"sources": [{"x": 1}]}, {"files": "x"}, {"notes": None}]
)
def test_a_record_of_another_shape_is_damaged_however_it_is_sealed(stored, store, change):
    stored.folder.chmod(0o755)
    file = stored.folder / "snapshot.json"
    record = {**json.loads(file.read_text()), **change}
    file.chmod(0o644)
    file.write_text(json.dumps(record | {"seal": snapshots.seal_of(record)}))
    with pytest.raises(SnapshotDamaged, match="is damaged"):
        read_snapshot(store, stored.identifier)


def test_a_pointer_that_is_gone_is_not_a_store_without_snapshots(store, stored, changed):
    later = write_snapshot(changed, store=store, parent=stored.identifier)
    assert current_snapshot(store) == later
    (store / "current").unlink()
    with pytest.raises(SnapshotDamaged, match="is damaged"):
        current_snapshot(store)


def test_a_record_rewritten_with_another_source_is_damaged(store, stored):
    removable(stored.folder)
    file = stored.folder / "snapshot.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    record["sources"][0]["address"] = "elsewhere.csv"
    file.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(SnapshotDamaged, match="damaged") as caught:
        read_snapshot(store, stored.identifier)
    assert "seal" in caught.value.details["found"]


@pytest.mark.parametrize("name", ["0" * 64, "deadbeef", "../store", "", "CURRENT!"])
def test_a_snapshot_that_is_not_there(store, stored, name):
    with pytest.raises(InputError, match="no such snapshot") as caught:
        read_snapshot(store, name)
    assert stored.identifier[:12] in caught.value.details["allowed"]


def test_nothing_is_left_where_writing_fails(store, stored, changed, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "x.csv")

    monkeypatch.setattr(snapshots.shutil, "copyfile", full)
    with pytest.raises(SnapshotDamaged, match="could not be stored") as caught:
        write_snapshot(changed, store=store, parent="")
    assert "No space left" in caught.value.details["found"]
    assert current_snapshot(store) == stored
    assert {one.name for one in store.iterdir()} == {stored.identifier, "current"}


def test_a_store_that_is_a_file_is_said(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(SnapshotDamaged, match="could not be stored"):
        write_snapshot(shipped_published_folder(), store=tmp_path / "file" / "store", parent="")


KILLED = """
import os, sys
from pathlib import Path
from cba.inputs.releases import snapshots
seen = 0
def stop(frame, event, argument):
    global seen
    if event == "line" and frame.f_code.co_filename.endswith(("snapshots.py", "files.py")):
        seen += 1
        if seen == int(sys.argv[3]):
            os._exit(9)
    return stop
sys.settrace(stop)
snapshots.write_snapshot(Path(sys.argv[1]), store=Path(sys.argv[2]), parent="")
sys.settrace(None)
print(seen)
"""


def test_killed_at_any_line_the_store_stays_valid(tmp_path, store, stored, changed):
    """One run to the end counts the lines; then it is killed at points spread over them."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def run(place: Path, at: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(changed), str(place), str(at)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    lines = int(run(tmp_path / "whole", 10**9).stdout)
    removable(tmp_path / "whole")
    assert lines > 60
    for at in range(1, lines, max(1, lines // 8)):
        place = shutil.copytree(store, tmp_path / f"killed at {at}")
        assert run(place, at).returncode == 9
        found = current_snapshot(place)
        assert found is not None and all(read_snapshot(place, one) for one in identifiers(place))
        assert found.identifier == stored.identifier or len(identifiers(place)) == 2
        removable(place)
    other = write_snapshot(changed, store=store, parent="")
    assert current_snapshot(store) == other


def test_an_analysis_reads_the_snapshot_it_names(store, stored, changed):
    other = write_snapshot(changed, store=store, parent=stored.identifier)
    where = {"store": str(store)}
    assert chosen_folder(Data()) == shipped_published_folder()
    assert chosen_folder(Data(snapshot="current", **where)) == other.folder
    assert chosen_folder(Data(snapshot=stored.identifier[:12], **where)) == stored.folder
    assert chosen_folder(Data(snapshot="current", store=str(store / "empty"))) == shipped_published_folder()
    with reading_from(published=changed):
        assert chosen_folder(Data(snapshot="current", **where)) == changed
    analysis = load_analysis("latest").model_copy(update={"data": Data(snapshot="current", **where)})
    with tables_of(analysis):
        assert published_folder() == other.folder
    assert published_folder() == shipped_published_folder()


def test_an_analysis_may_name_a_release_of_its_snapshot_only(tmp_path, store, changed):
    file = changed / "england_children.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("\n2024,", "\n2025,"), encoding="utf-8")
    write_snapshot(changed, store=store, parent="")
    written = (Path(__file__).parents[2] / "reports" / "smoke.toml").read_text(encoding="utf-8")
    written = written.replace("release = 2024", "release = 2025").replace('"smoke"', '"mine"')
    spec = tmp_path / "mine.toml"
    spec.write_text(written, encoding="utf-8")
    with pytest.raises(InputError, match="unknown release") as caught:
        load_analysis(spec)
    assert "cba update" in caught.value.details["next step"]
    spec.write_text(f'{written}\n[data]\nstore = "{store}"\nsnapshot = "current"\n', encoding="utf-8")
    assert load_analysis(spec).release == 2025


def test_a_pointer_that_names_no_snapshot_is_damaged_and_a_file_is_no_store(store, stored, tmp_path):
    """What an analysis names wrongly is an input; what the store names wrongly is the store's damage."""
    (store / "current").write_text("deadbeef" * 8)
    with pytest.raises(SnapshotDamaged, match="damaged") as damaged:
        current_snapshot(store)
    assert damaged.value.details["file"] == str(store / "current")
    (tmp_path / "README.md").write_text("mine")
    for place in (tmp_path / "README.md", tmp_path / "README.md" / "below"):
        with pytest.raises(InputError, match="not a folder") as refused:
            current_snapshot(place)
        assert refused.value.details["field"] == "store"


def test_a_re_run_reads_the_pointer_as_every_reader_does(store, stored, tmp_path):
    """Two snapshots and no pointer: damage for the reader, and no answer for the quick look of a re-run."""
    analysis = tmp_path / "a.toml"
    analysis.write_text(f'release = 2024\n[data]\nsnapshot = "current"\nstore = "{store}"\n')
    assert request_fingerprint(analysis) is not None
    (store / ("0" * 64)).mkdir()
    (store / "current").unlink()
    assert request_fingerprint(analysis) is None
