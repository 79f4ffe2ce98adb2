"""What killed processes left is cleared by the next command, and nothing that a process still holds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile

import pytest

from cba.inputs.files import replace_file
from cba.inputs.leftovers import clear_parts, scratch_folder
from cba.reporting.card import render_runs_index
from cba.runs.reading import write_index
from cba.runs.store import prune_runs
from tests.runs.test_damaged_store import store

HOLDER = """
import sys
from cba.inputs.leftovers import scratch_folder
with scratch_folder("update") as place:
    (place / "published").mkdir()
    (place / "published" / "a.csv").write_text("a")
    (place / "published").chmod(0o555)
    print(place, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs SIGKILL")
def test_a_temporary_folder_is_cleared_when_its_process_was_killed_and_not_before(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for other in ("cba-data", "cba-update-notes"):  # somebody's own
        (tmp_path / other).mkdir()
    own = {*tmp_path.iterdir()}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", HOLDER], **pipes, env=environment) as holder:
        place = holder.stdout.readline().strip()
        with scratch_folder("report") as made:
            assert os.path.isdir(place) and made.is_dir()
        assert not made.exists() and os.path.isdir(place)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert os.path.isdir(place)
        with scratch_folder("update") as made:
            assert {*tmp_path.iterdir()} == own | {made}
    assert {*tmp_path.iterdir()} == own


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_half_written_files_are_cleared_by_the_next_writer(tmp_path, dead):
    left, held = tmp_path / f".index.html.{dead}.part", tmp_path / f".index.html.{os.getppid()}.part"
    probe, other = tmp_path / f".probe.{dead}.part", tmp_path / ".notes.part"
    for file in (left, held, probe, other):
        file.write_text("half")
    write_index(tmp_path, render=render_runs_index)
    assert not left.exists() and not probe.exists() and held.exists() and other.exists()
    left.write_text("half")
    replace_file(tmp_path / "index.html", "new")
    assert not left.exists() and (tmp_path / "index.html").read_text() == "new"
    left.mkdir()
    clear_parts(tmp_path)
    assert not left.exists() and held.exists()


def test_prune_clears_the_store(tmp_path, dead):
    run = store(tmp_path, inputs={"priors/a.toml": b"a"})
    (tmp_path / ".inputs" / "folders").mkdir()
    left = [
        run.path.parent / ".staging-20260101T000000Z-01234567",
        run.path.parent / f".published.{dead}.part",
        tmp_path / ".inputs" / f".{'0' * 64}.{dead}.part",
        tmp_path / ".inputs" / "folders" / f".0123.{dead}.part",
    ]
    for place in left:
        place.mkdir() if "staging" in place.name or place.parent.name == "folders" else place.write_text(
            "half"
        )
    prune_runs(tmp_path, keep=1, dry_run=True)
    assert all(place.exists() for place in left)
    prune_runs(tmp_path, keep=1)
    assert not any(place.exists() for place in left) and run.path.is_dir()
