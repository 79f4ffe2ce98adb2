"""The store under kills, full disks and refusals, with the inputs of its runs: sound at any moment."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cba.errors import StoreError
from cba.runs.reading import find_run, list_runs, verify_run
from tests.runs.test_store import MOMENT, names, store

FULL_CHILD = """
import os, signal, sys
from datetime import UTC, datetime
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
inputs = {f"priors/{number}.toml": f"new = {number}".encode() for number in range(4)}
moment = datetime(2026, 11, 21, 9, 45, tzinfo=UTC)
write_run(
    Path(root), analysis="latest", moment=moment, fingerprint="0" * 64, manifest={}, fill=fill, inputs=inputs,
    publish=True,
)
print(seen)
"""


def archived_in_child(root: Path, *, kill_at: int) -> subprocess.CompletedProcess[str]:
    """Store and publish a run with inputs in a child process, killed at its `kill_at`-th step (0: never)."""
    command = [sys.executable, "-c", FULL_CHILD, str(root), str(kill_at)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def sound_archive(root: Path) -> None:
    """Every kept input is what its name says, and every run finds its own."""
    kept = [file for file in (root / ".inputs").iterdir() if len(file.name) == 64]
    assert all(hashlib.sha256(file.read_bytes()).hexdigest() == file.name for file in kept)
    for run in list_runs(root):
        assert all(
            (root / ".inputs" / e["sha256"]).is_file() for e in run.manifest.get("inputs", {}).values()
        )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs SIGKILL")
def test_killed_at_any_step_of_keeping_inputs_and_publishing_the_store_stays_sound(tmp_path):
    (tmp_path / "whole").mkdir()
    store(tmp_path / "whole", inputs={"priors/a.toml": b"old"})
    steps = int(archived_in_child(tmp_path / "whole", kill_at=0).stdout)
    assert steps >= 40, f"only {steps} steps to kill at"
    shown = set()
    for at in range(1, steps + 1, 2):
        root = tmp_path / f"at{at}"
        before = store(root, inputs={"priors/a.toml": b"old"})
        assert archived_in_child(root, kill_at=at).returncode == -signal.SIGKILL
        sound_archive(root)
        runs = list_runs(root)
        assert [verify_run(run.path) for run in runs] == [[] for _ in runs] and not any(
            r.damage for r in runs
        )
        published = find_run(root, "latest/published").name
        assert published in {run.name for run in runs}
        shown.add(published == before.name)
        after = store(root, moment=MOMENT.replace(minute=50), inputs={"priors/b.toml": b"newer"})
        assert verify_run(after.path) == []
        sound_archive(root)
        left = [p.name for p in root.rglob("*") if p.name.endswith(".part") or p.name.startswith(".staging")]
        assert left == []
    assert shown == {True} or shown == {True, False}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs SIGKILL")
def test_killed_at_random_moments_of_many_runs_the_store_stays_sound(tmp_path):
    """Real SIGKILLs, not injected ones: a child stores runs without end until it is killed."""
    endless = FULL_CHILD.replace("write_run(\n", "while True: write_run(\n").replace(
        "sys.addaudithook(hook)\n", "print('ready', flush=True)\n"
    )
    rng = random.Random(8)
    for _ in range(6):
        command = [sys.executable, "-c", endless, str(tmp_path), "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.02, 0.5))
            child.kill()
        runs = list_runs(tmp_path)
        assert not any(run.damage for run in runs)
        assert all(verify_run(run.path) == [] for run in runs[-5:])
        if (tmp_path / "latest" / "published").exists():
            assert find_run(tmp_path, "latest/published").path.is_dir()
        if (tmp_path / ".inputs").is_dir():
            sound_archive(tmp_path)
    assert verify_run(store(tmp_path, moment=MOMENT.replace(day=29)).path) == []
    assert not list((tmp_path / "latest").glob(".staging*"))


def limited(root: Path, *, limit: int) -> subprocess.CompletedProcess[str]:
    """Store a run in a process that may write no file longer than `limit` bytes."""
    code = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);" + (
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    )
    report = "try:\n    {}\nexcept Exception as error:\n    print(error); sys.exit(getattr(error, 'exit_code', 99))\n"
    start = FULL_CHILD.index("write_run(\n")
    call = " ".join(FULL_CHILD[start : FULL_CHILD.index("print(seen)")].split())
    body = FULL_CHILD[:start].replace("import os,", code + "import os,", 1) + report.format(call)
    return subprocess.run(
        [sys.executable, "-c", body, str(root), "0"], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_FSIZE")
@pytest.mark.parametrize("limit", [5, 5_000])
def test_a_machine_that_refuses_longer_files_gives_one_clear_error_and_loses_nothing(tmp_path, limit):
    before = store(tmp_path, inputs={"priors/a.toml": b"old"})
    done = limited(tmp_path, limit=limit)
    assert done.returncode == 1, done.stderr
    assert "could not be" in done.stdout and "next step" in done.stdout and "Traceback" not in done.stderr
    assert [run.name for run in list_runs(tmp_path)] == [before.name]
    assert verify_run(before.path) == [] and names(tmp_path / "latest") == {before.name, "published"}
    sound_archive(tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_an_archive_that_cannot_be_written_gives_one_clear_error_and_loses_nothing(
    tmp_path, monkeypatch, code
):
    before = store(tmp_path, inputs={"priors/a.toml": b"old"})
    real = os.replace

    def refuse(source, target):
        if ".inputs" in str(target):
            raise OSError(code, os.strerror(code))
        return real(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match="inputs of the run could not be kept") as caught:
        store(tmp_path, inputs={"priors/b.toml": b"new"})
    monkeypatch.undo()
    assert caught.value.exit_code == 1 and caught.value.details["next step"]
    assert [run.name for run in list_runs(tmp_path)] == [before.name]
    sound_archive(tmp_path)
    assert not list((tmp_path / ".inputs").glob(".*.part"))
    assert store(tmp_path, inputs={"priors/b.toml": b"new"}).manifest["inputs"]["priors/b.toml"]["bytes"] == 3


def test_a_run_that_is_not_to_be_shown_leaves_the_pointer_alone(tmp_path):
    assert not store(tmp_path, publish=False).published
    assert not (tmp_path / "latest" / "published").exists()
    # runs are stored and readers see none: nobody can say that nothing moved, so a person shows the first
    assert not store(tmp_path).published
    other = tmp_path / "other"
    first = store(other)
    assert first.published and not store(other, publish=False).published
    assert (other / "latest" / "published").read_text().strip() == first.name
