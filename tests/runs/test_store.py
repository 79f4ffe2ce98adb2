"""The store: whole or nothing, whatever goes wrong, and damage is named."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cba.errors import StoreError
from cba.runs.reading import BEHIND, find_run, index_rows, list_runs, read_run, verify_run
from cba.runs.store import publish_run, put_file, write_failure, write_run
from cba.runs.whole_files import require_writable, write_whole

MOMENT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def fill(folder: Path, name: str) -> None:
    (folder / "headline.json").write_text(json.dumps({"schema": 1, "run": {"run": name}}))
    (folder / "report.html").write_text(f"<html>{name}</html>")
    (folder / "stances" / "evidence").mkdir(parents=True)
    (folder / "stances" / "evidence" / "draws.nc").write_bytes(bytes(range(256)) * 40)


def store(root: Path, *, moment: datetime = MOMENT, analysis: str = "latest", fill=fill, **more):
    return write_run(
        root,
        analysis=analysis,
        moment=moment,
        fingerprint="0123abcd" * 8,
        manifest={"seed": 0, "x": 1.5},
        fill=fill,
        **more,
    )


def names(folder: Path) -> set[str]:
    return {place.name for place in folder.iterdir() if place.name != ".lock"}


def test_a_run_is_named_hashed_published_and_sound(tmp_path):
    run = store(tmp_path)
    assert run.path == tmp_path / "latest" / "20261121T093000Z-0123abcd"
    assert run.published and run.manifest["run"] == run.name and run.manifest["seed"] == 0
    assert set(run.manifest["files"]) == {"headline.json", "report.html", "stances/evidence/draws.nc"}
    assert run.manifest["files"]["stances/evidence/draws.nc"]["bytes"] == 256 * 40
    assert verify_run(run.path) == []
    assert (tmp_path / "latest" / "published").read_text() == run.name + "\n"
    assert run.headline["run"]["run"] == run.name


def test_two_runs_of_one_second_are_both_kept_and_the_first_stays_published(tmp_path):
    first, second = store(tmp_path), store(tmp_path)
    assert second.name == first.name + "-2"
    assert [(run.name, run.published) for run in list_runs(tmp_path)] == [
        (first.name, True),
        (second.name, False),
    ]
    assert publish_run(second).published
    assert not read_run(first.path).published
    third = store(tmp_path, publish=True)
    assert third.published


@pytest.mark.parametrize(
    "name, spoil, said",
    [
        ("stances/evidence/draws.nc", lambda p: p.write_bytes(b"\1" + p.read_bytes()[1:]), "SHA-256"),
        (
            "stances/evidence/draws.nc",
            lambda p: p.write_bytes(p.read_bytes()[:-1]),
            "10239 bytes where 10240",
        ),
        ("headline.json", lambda p: p.unlink(), "missing"),
        ("tables/added.csv", lambda p: (p.parent.mkdir(), p.write_text("a")), "not in the manifest"),
    ],
)
def test_a_damaged_missing_or_added_file_is_named(tmp_path, name, spoil, said):
    run = store(tmp_path)
    spoil(run.path / name)
    (problem,) = verify_run(run.path)
    assert problem.startswith(name + ": ") and said in problem


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"seed": 0', '"seed": 1'),
        lambda text: text.replace('"bytes": 10240', '"bytes": 10241'),
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "manifest_sha256"}),
    ],
)
def test_a_damaged_manifest_is_named_and_does_not_hide_other_runs(tmp_path, spoil):
    bad, good = store(tmp_path), store(tmp_path, analysis="review_2022")
    manifest = bad.path / "manifest.json"
    manifest.write_text(spoil(manifest.read_text()))
    with pytest.raises(StoreError, match="manifest.json is damaged") as caught:
        read_run(bad.path)
    assert str(manifest) in str(caught.value) and caught.value.details["next step"]
    damaged, sound = list_runs(tmp_path)
    assert damaged.damage and damaged.manifest == {} and not sound.damage
    assert find_run(tmp_path, "review_2022").name == good.name
    with pytest.raises(StoreError):
        find_run(tmp_path, "latest")


def test_disk_full_is_one_clear_error_and_leaves_nothing(tmp_path):
    def full(folder: Path, name: str) -> None:
        fill(folder, name)
        with open("/dev/full", "wb", buffering=0) as device:  # the kernel's own "no space left"
            device.write(b"0")

    before = store(tmp_path)
    with pytest.raises(StoreError) as caught:
        store(tmp_path, fill=full)
    message = str(caught.value)
    assert "could not be stored" in message and "the disk is full" in message and "free some space" in message
    assert str(tmp_path / "latest") in message and caught.value.exit_code == 1
    assert names(tmp_path / "latest") == {before.name, "published"}
    assert verify_run(before.path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fails_while_the_manifest_is_forced_out_leaves_nothing(tmp_path, monkeypatch, code):
    def refuse(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError):
        store(tmp_path)
    monkeypatch.undo()
    assert names(tmp_path / "latest") == set()
    assert list_runs(tmp_path) == []


def test_a_bug_or_an_interrupt_while_writing_leaves_nothing(tmp_path):
    def interrupted(folder: Path, name: str) -> None:
        fill(folder, name)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store(tmp_path, fill=interrupted)
    assert names(tmp_path / "latest") == set()


@pytest.mark.parametrize("where", [".", "latest"])
def test_a_file_where_the_folder_belongs_is_refused_before_and_while_storing(tmp_path, where):
    root = tmp_path / "reports"
    blocking = root if where == "." else root / where
    blocking.parent.mkdir(exist_ok=True)
    blocking.write_text("mine")
    with pytest.raises(StoreError) as caught:
        require_writable(root / "latest")
    assert "cannot be written to" in str(caught.value) and "--root" in caught.value.details["next step"]
    with pytest.raises(StoreError):
        store(root)
    assert blocking.read_text() == "mine"


def test_require_writable_leaves_no_folder_behind(tmp_path):
    require_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_write_whole_keeps_the_old_text_where_the_new_cannot_be_written(tmp_path, monkeypatch):
    path = tmp_path / "published"
    write_whole(path, "old")

    def refuse(*names: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match="disk is full"):
        write_whole(path, "new")
    assert path.read_text() == "old" and [place.name for place in tmp_path.iterdir()] == ["published"]


def test_diagnostics_of_a_failed_run_are_not_a_run(tmp_path):
    place = write_failure(tmp_path, analysis="latest", moment=MOMENT, diagnostics={"approvable": False})
    assert place == tmp_path / "latest" / "failed" / "20261121T093000Z" / "diagnostics.json"
    assert json.loads(place.read_text()) == {"approvable": False}
    again = write_failure(tmp_path, analysis="latest", moment=MOMENT, diagnostics={})
    assert again.parent.name == "20261121T093000Z-2"
    assert list_runs(tmp_path) == [] and not (tmp_path / "latest" / "published").exists()


def test_the_report_alone_can_be_written_again(tmp_path):
    run = store(tmp_path)
    again = put_file(run, "report.html", b"<html>new</html>")
    assert (run.path / "report.html").read_text() == "<html>new</html>"
    assert verify_run(again.path) == []
    assert again.manifest["files"]["headline.json"] == run.manifest["files"]["headline.json"]
    assert again.manifest["files"]["report.html"] != run.manifest["files"]["report.html"]


# -- killed at any moment ------------------------------------------------------------------------------------

CHILD = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from cba.runs.store import write_run

root, at, seen = sys.argv[1], int(sys.argv[2]), 0
events = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir")

def hook(event, arguments):
    global seen
    if event in events and root in str(arguments[0] if arguments else ""):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

def fill(folder, name):
    for number in range(3):
        (folder / f"{number}.csv").write_text("a" * 10_000)

import filelock  # not one of the steps
sys.addaudithook(hook)
moment = datetime(2026, 11, 21, 9, 45, tzinfo=UTC)
write_run(Path(root), analysis="latest", moment=moment, fingerprint="0" * 64, manifest={}, fill=fill)
print(seen)
"""


def store_in_child(root: Path, *, kill_at: int) -> subprocess.CompletedProcess[str]:
    """Store a run in a child process, killed at its `kill_at`-th step on the file system (0: never)."""
    command = [sys.executable, "-c", CHILD, str(root), str(kill_at)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="needs SIGKILL")
def test_killed_at_every_step_the_store_stays_sound_and_the_next_run_cleans_up(tmp_path):
    store(tmp_path / "whole")
    steps = int(store_in_child(tmp_path / "whole", kill_at=0).stdout)
    assert steps >= 20, f"only {steps} steps to kill at"
    incomplete = 0
    for at in range(1, steps + 1):
        root = tmp_path / f"at{at}"
        before = store(root)
        assert store_in_child(root, kill_at=at).returncode == -signal.SIGKILL
        runs = list_runs(root)
        assert runs[0].name == before.name and runs[0].published
        assert [verify_run(run.path) for run in runs] == [[] for _ in runs]
        assert find_run(root, "latest").name == before.name  # readers still see the run they saw
        incomplete += len(runs) == 1
        after = store(root, moment=MOMENT.replace(minute=50))
        assert verify_run(after.path) == []
        assert names(root / "latest") == {run.name for run in list_runs(root)} | {"published"}
    assert incomplete >= 15  # most kills came before the rename: the run was not there at all


HOLDER = """
import sys
from pathlib import Path
from cba.runs.whole_files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_where_the_lock_is_held_the_second_run_leaves_cleanly_or_waits(tmp_path, monkeypatch):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "latest")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        monkeypatch.setattr("cba.runs.whole_files._LOCK_SECONDS", 0.2)
        with pytest.raises(StoreError, match="another run has held the lock"):
            store(tmp_path)
        assert list_runs(tmp_path) == []
        monkeypatch.setattr("cba.runs.whole_files._LOCK_SECONDS", 30.0)
        threading.Timer(0.3, holder.stdin.close).start()
        assert store(tmp_path).published  # waited until the other left


# -- found by what a person types ---------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path):
    first = store(tmp_path, moment=MOMENT)
    second = store(tmp_path, moment=MOMENT.replace(day=22))
    other = store(tmp_path, moment=MOMENT.replace(day=20), analysis="review_2022")
    return tmp_path, first, second, other


@pytest.mark.parametrize(
    "typed, found",
    [
        ("latest", 0),  # the analysis of that name: its published run
        ("latest/published", 0),
        ("latest/latest", 1),
        ("latest/20261122", 1),
        ("20261122T093000Z-0123abcd", 1),
        ("2026112", None),
        ("20261120", 2),
        ("review_2022", 2),
        ("review_2022/latest", 2),
        ("nothing", None),
        ("review_2022/20261122", None),
        ("published", None),
    ],
)
def test_find_run(three, typed, found):
    root, *runs = three
    if found is None:
        with pytest.raises(Exception, match="run") as caught:
            find_run(root, typed)
        assert (
            caught.value.exit_code == 2 and "cba runs" in str(caught.value) and str(root) in str(caught.value)
        )
    else:
        assert find_run(root, typed).path == runs[found].path


def test_find_run_by_path_and_newest_of_all(three):
    root, _, _, other = three
    assert find_run("nowhere", str(other.path)).name == other.name
    only = store(root / "b", analysis="mine")
    assert find_run(root / "b", "latest").name == only.name


def test_a_run_stored_while_the_clock_stood_behind_is_flagged_and_is_the_newest(tmp_path):
    """Three runs, the clock a day behind for the last two: newest is the one stored last, as the store has it."""
    right = store(tmp_path)
    behind = [store(tmp_path, moment=MOMENT - timedelta(days=1, minutes=-n)) for n in (0, 1)]
    assert [run.name for run in list_runs(tmp_path)] == [right.name, *(run.name for run in behind)]
    assert find_run(tmp_path, "latest/latest").name == behind[1].name
    assert [run.clock for run in (right, *behind)] == ["", BEHIND, BEHIND]
    assert [row.reasons for row in index_rows(tmp_path)][0][-1] == BEHIND
    assert store(tmp_path, moment=MOMENT + timedelta(days=1)).clock == ""


def test_two_runs_at_once_are_not_taken_for_a_wrong_clock(tmp_path):
    """The one that began first is stored last: it ended after the other began."""
    store(tmp_path)
    ended = (MOMENT + timedelta(minutes=9)).isoformat()
    late = write_run(
        tmp_path,
        analysis="latest",
        moment=MOMENT - timedelta(minutes=30),
        fingerprint="4567abcd" * 8,
        manifest={"finished": ended},
        fill=fill,
    )
    assert late.clock == "" and "stored_after" not in late.manifest
