"""What a killed writer leaves in a stored run is no damage, and the next writer removes it; races lose nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from cba.runs.holds import approve_run
from cba.runs.reading import read_run, verify_run
from cba.runs.rerun import Poll, last_poll, note_poll
from cba.runs.whole_files import locked, sealed, to_json, write_whole
from tests.runs.test_store import fill, store

LEFT = (
    ".manifest.json.999.part",
    ".approval.json.999.part",
    ".comparison.json.999.part",
    ".report.html.new",
    ".report.pdf.new",
    "tables/.checklist.csv.new",
    "stances/evidence/.draws.nc.999.part",
)


def with_tables(folder: Path, name: str) -> None:
    fill(folder, name)
    (folder / "tables").mkdir()
    (folder / "tables" / "checklist.csv").write_text("a\n")


@pytest.mark.parametrize("name", LEFT)
def test_a_leftover_is_no_damage_and_the_next_writer_removes_it(tmp_path, name):
    run = store(tmp_path, fill=with_tables)
    (run.path / name).write_text("half")
    assert verify_run(run.path) == []
    with locked(run.path.parent):
        assert not (run.path / name).exists()
    assert verify_run(run.path) == [] and (run.path / "tables" / "checklist.csv").is_file()


def test_a_run_with_leftovers_can_be_approved(tmp_path):
    run = store(tmp_path, fill=with_tables, publish=False)
    for name in LEFT:
        (run.path / name).write_text("half")
    gates = {**run.manifest, "gates_passed": True, "run_by": "Ann"}
    write_whole(run.path / "manifest.json", to_json(sealed(gates)))
    assert approve_run(read_run(run.path), by="Bob", note="looked at").published
    assert not list(run.path.rglob(".*"))


@pytest.mark.parametrize("name", [".hidden.csv", "tables/new.part", ".part.csv"])
def test_any_other_file_that_was_added_is_still_named(tmp_path, name):
    run = store(tmp_path, fill=with_tables)
    (run.path / name).write_text("a")
    (problem,) = verify_run(run.path)
    assert problem.startswith(f"{name}: not in the manifest")


CHILD = """
import os, signal, sys
from cba.runs.store import put_file
from cba.runs.reading import read_run
import filelock

path, at, seen = sys.argv[1], int(sys.argv[2]), 0
run = read_run(path)

def hook(event, arguments):
    global seen
    if event in ("open", "os.rename", "os.remove") and path in str(arguments[0] if arguments else ""):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
put_file(run, "report.html", b"<html>new</html>")
put_file(run, "tables/checklist.csv", b"new")
print(seen)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs SIGKILL")
def test_killed_at_any_step_of_replacing_files_writing_them_again_mends_the_run(tmp_path):
    def child(path: Path, at: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", CHILD, str(path), str(at)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    steps = int(child(store(tmp_path / "whole", fill=with_tables).path, 0).stdout)
    assert steps >= 15, f"only {steps} steps to kill at"
    for at in range(1, steps + 1):
        run = store(tmp_path / f"at{at}", fill=with_tables)
        assert child(run.path, at).returncode == -signal.SIGKILL
        named = {problem.partition(":")[0] for problem in verify_run(run.path)}
        assert named <= {"report.html", "tables/checklist.csv"}  # what `cba report` writes anew
        assert child(run.path, 0).returncode == 0
        assert verify_run(run.path) == [] and not list(run.path.rglob(".*"))


# -- races ---------------------------------------------------------------------------------------------------


def test_a_poll_noted_while_another_takes_the_lock_is_kept(tmp_path, monkeypatch):
    """The other removes part files as soon as it holds the lock: it must not get it before the note stands."""
    real, others = os.replace, []

    def late(source, target):
        if not others:
            others.append(threading.Thread(target=take))
            others[0].start()
            others[0].join(0.5)
        return real(source, target)

    def take():
        with locked(tmp_path / "small"):
            pass

    monkeypatch.setattr(os, "replace", late)
    poll = Poll(datetime(2026, 11, 21, tzinfo=UTC), pending=True)
    note_poll(tmp_path / "small", poll)
    others[0].join(30)
    assert last_poll(tmp_path / "small") == poll


def test_the_archive_of_inputs_is_held_for_the_rename_and_not_while_a_run_is_filled(tmp_path, monkeypatch):
    seen, real = {}, os.rename

    def held() -> bool:
        try:
            with FileLock(tmp_path / ".inputs" / ".lock", timeout=0):
                return False
        except Timeout:
            return True

    def filled(folder: Path, name: str) -> None:
        fill(folder, name)
        seen["filled"] = held()

    def renamed(source, target):
        thread = threading.Thread(target=lambda: seen.update(renamed=held()))
        thread.start()
        thread.join(30)
        return real(source, target)

    (tmp_path / ".inputs").mkdir()
    monkeypatch.setattr(os, "rename", renamed)
    run = store(tmp_path, fill=filled, inputs={"priors/a.toml": b"a"})
    assert seen == {"filled": False, "renamed": True}
    kept = run.manifest["inputs"]["priors/a.toml"]
    assert (tmp_path / ".inputs" / kept["sha256"]).read_bytes() == b"a" and verify_run(run.path) == []
