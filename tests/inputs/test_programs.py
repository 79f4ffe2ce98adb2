"""Programs that are started: nothing of them is left behind, and what they say does not fill the memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from cba.inputs.programs import KEPT_BYTES, run_program
from cba.reporting import pdf
from cba.runs import manifest

SLEEPS = "#!/bin/sh\nsleep 77 & echo $! > '{noted}'\n{then}\n"


def program(folder: Path, name: str, *, then: str) -> Path:
    """A program that leaves something in the background and notes its number."""
    file = folder / name
    file.write_text(SLEEPS.format(noted=folder / "noted", then=then))
    file.chmod(0o755)
    return file


def lives(folder: Path) -> bool:
    """Whether the noted process is still there, and not only its entry in the list of processes."""
    stat = Path("/proc", (folder / "noted").read_text().strip(), "stat")
    for _ in range(500):
        if not stat.is_file() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        time.sleep(0.02)
    return True


def hook(folder, monkeypatch):
    return manifest.tell_hook([str(folder / "program")], {"a": 1}, seconds=1.0)


def git(folder, monkeypatch):
    (folder / "program").rename(folder / "git")
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(manifest, "_GIT_SECONDS", 1.0)
    return manifest._git("status")


def chromium(folder, monkeypatch):
    (folder / "program").rename(folder / "chromium")
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(pdf, "SECONDS", 1.0)
    (folder / "page.html").write_text("<html></html>")
    with pytest.raises(pdf.BrowserError) as caught:
        pdf.report_pdf(folder / "page.html")
    return str(caught.value)


@pytest.mark.parametrize("then, said", [("sleep 78", "time up"), ("exit 0", "ended"), ("exit 3", "failed")])
@pytest.mark.parametrize("start", [hook, git, chromium])
def test_nothing_of_a_program_outlives_it(tmp_path, monkeypatch, start, then, said):
    program(tmp_path, "program", then=then)
    began = time.monotonic()
    found = start(tmp_path, monkeypatch)
    assert time.monotonic() - began < 20
    assert not lives(tmp_path)
    if start is hook:
        words = {"time up": "longer than 1 seconds", "ended": "", "failed": "code 3"}
        assert words[said] in found and bool(found) == bool(words[said])


def test_what_a_program_says_is_cut_and_its_end_is_kept():
    noisy = "import sys\nfor _ in range(400): sys.stderr.write('x' * 100_000)\nsys.exit('the last word')"
    tracemalloc.start()
    found = run_program([sys.executable, "-c", noisy], seconds=60.0)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.code == 1 and found.errors.rstrip().endswith("the last word")
    assert len(found.errors) <= KEPT_BYTES and most < 5_000_000  # of 40 million bytes


def test_a_program_that_reads_nothing_is_no_trouble():
    found = run_program([sys.executable, "-c", "print('done')"], seconds=60.0, given="x" * 2_000_000)
    assert (found.code, found.output.strip()) == (0, "done")


def test_an_interrupt_while_a_program_starts_ends_it_too(tmp_path, monkeypatch):
    """Ctrl-C between the start and the wait for its end: the program must not be left alone in its own group."""
    file = program(tmp_path, "program", then="sleep 78")
    start = subprocess.Popen

    def interrupted(*words, **how):
        started = start(*words, **how)
        for _ in range(500):
            if (tmp_path / "noted").is_file() and (tmp_path / "noted").read_text().strip():
                break
            time.sleep(0.02)
        signal.raise_signal(signal.SIGINT)
        return started

    monkeypatch.setattr("cba.inputs.programs.subprocess.Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_program([str(file)], seconds=60.0)
    monkeypatch.undo()
    assert not lives(tmp_path)


def test_an_interrupt_ends_the_program_too(tmp_path):
    file = program(tmp_path, "program", then="sleep 78")
    code = f"from cba.inputs.programs import run_program; run_program([{str(file)!r}], seconds=60.0)"
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen([sys.executable, "-c", code], env=here, stderr=subprocess.DEVNULL) as waiting:
        for _ in range(500):
            if (tmp_path / "noted").is_file() and (tmp_path / "noted").read_text().strip():
                break
            time.sleep(0.02)
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(20) != 0
    assert not lives(tmp_path)
