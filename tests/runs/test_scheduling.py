"""The examples of schedules: units that verify, a line of cron, a workflow that parses, commands that exist."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cba.inputs.analyses import load_data
from cba.inputs.data_sources import Data
from cba.runs.rerun import Poll, note_poll

DOCS = Path(__file__).resolve().parents[2] / "docs"
PLACE = DOCS / "scheduling"
(VENV,) = re.findall(r"^VENV := (.+)$", (DOCS.parent / "Makefile").read_text(), re.MULTILINE)
PROGRAM = f"{VENV}/bin/cba"
"""Where `make install` puts the program, in the checkout."""


def unit(name: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd tells capitals apart
    parser.read(PLACE / name, encoding="utf-8")
    return {section: dict(parser[section]) for section in parser.sections()}


def checkout(folder: Path) -> Path:
    """Make a folder with the program where `make install` puts it."""
    program = folder / PROGRAM
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cba.cli "$@"\n')
    program.chmod(0o755)
    return folder


def accepted(words: list[str]) -> None:
    """Refuse a command line that `cba rerun` would refuse, without running it."""
    from inspect import signature
    from typing import get_args, get_type_hints

    from cba.cli.update import rerun

    assert words[0].endswith(PROGRAM) and words[1] == "rerun" and words[2] in ("latest", "review_2022")
    hints = get_type_hints(rerun, include_extras=True)
    known = {
        flag
        for name in signature(rerun).parameters
        for option in get_args(hints[name])[1:]
        for flag in getattr(option, "param_decls", ()) or (f"--{name.replace('_', '-')}",)
    }
    asked = {word for word in words[3:] if word.startswith("--")}
    assert asked and asked <= known, asked - known


def test_the_service_says_what_runs_where_and_that_held_is_no_failure():
    service = unit("cba-rerun.service")
    assert set(service) == {"Unit", "Service"} and service["Service"]["Type"] == "oneshot"
    assert service["Service"]["SuccessExitStatus"] == "4"
    words = shlex.split(service["Service"]["ExecStart"])
    assert words[0] == f"{service['Service']['WorkingDirectory']}/{PROGRAM}"  # systemd wants it absolute
    accepted(words)
    assert service["Service"]["ReadWritePaths"] == service["Service"]["WorkingDirectory"]


def test_the_timer_starts_the_service_after_the_hour_of_publication():
    timer = unit("cba-rerun.timer")
    assert timer["Timer"]["Unit"] == "cba-rerun.service" and (PLACE / timer["Timer"]["Unit"]).is_file()
    assert timer["Timer"]["OnCalendar"] == "*-*-* 10:00:00 Europe/London"
    assert timer["Timer"]["Persistent"] == "true" and timer["Install"]["WantedBy"] == "timers.target"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_units_verify(tmp_path):
    units = ("cba-rerun.service", "cba-rerun.timer")
    for name in units:
        text = (PLACE / name).read_text()
        user = os.environ.get("USER") or "root"  # what the reader must correct
        text = text.replace("/srv/cba", str(checkout(tmp_path / "srv")))  # must hold the program
        (tmp_path / name).write_text(text.replace("User=cba", f"User={user}"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in units)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "cba-rerun" in line]
    assert done.returncode == 0 and ours == []


def test_the_crontab_line_has_five_fields_and_a_command():
    (line,) = [x for x in (PLACE / "crontab").read_text().splitlines() if x and not x.startswith("#")]
    *when, command = line.split(maxsplit=5)
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    for field, (low, high) in zip(when, bounds, strict=True):
        assert field == "*" or low <= int(field) <= high
    assert "%" not in command  # cron reads it as a new line
    folder, words = command.split(" && ")
    assert folder.startswith("cd /") and words.startswith(f"{PROGRAM} rerun")
    accepted(shlex.split(words))


def schedules() -> dict[str, str]:
    """Return what systemd and cron start, as a line for `sh`; cron goes to the folder itself."""
    service = unit("cba-rerun.service")["Service"]
    given = f"cd {service['WorkingDirectory']} && {service['Environment']} {service['ExecStart']}"
    line = (PLACE / "crontab").read_text().splitlines()[-1]
    return {"systemd": given, "cron": line.split(maxsplit=5)[5]}


@pytest.mark.parametrize("by", ["systemd", "cron"])
def test_what_a_schedule_starts_runs_in_a_bare_environment(tmp_path, by):
    """As written, with the checkout in place of /srv/cba. What it asks for was polled just now, so it runs nothing."""
    checkout(tmp_path)
    note_poll(tmp_path / "reports" / "latest", Poll(datetime.now(UTC)))
    line = schedules()[by].replace("/srv/cba", str(tmp_path))
    bare = {
        "PATH": os.confstr("CS_PATH"),
        "PYTHONPATH": str(DOCS.parent),
    }  # the installed program needs no PYTHONPATH
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=bare, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0 and done.stdout.startswith("not due"), done.stdout + done.stderr
    assert json.loads((tmp_path / "rerun.jsonl").read_text().splitlines()[-1])["event"] == "not due"
    assert not list((tmp_path / "reports" / "latest").glob("2*"))


def test_the_installed_program_starts_with_nothing_in_its_environment():
    program = Path(sys.executable).with_name("cba")
    done = subprocess.run([program, "rerun", "--help"], env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--if-due" in done.stdout


def test_the_sources_of_the_page_can_be_appended_to_the_shipped_analysis(tmp_path):
    """As it stands somebody is asked, and the calendar too; the part in comments is a source once it is filled in."""
    shipped = (DOCS.parent / "reports" / "latest.toml").read_text()
    text = (PLACE / "sources.toml").read_text()
    table = text.index("# [[data.sources]]")
    filled = text[:table] + re.sub(r"^# ?", "", text[table:], flags=re.MULTILINE)
    for written, names in ((text, ["deflators"]), (filled, ["deflators", "length of care"])):
        (tmp_path / "latest.toml").write_text(f"{shipped}\n{written}")
        data = load_data(str(tmp_path / "latest.toml"))
        assert [one.name for one in data.sources] == names and data.snapshot == "current"
        assert all(one.publication and one.calendar_url for one in data.sources)


def test_the_workflow_parses_and_hands_the_exit_code_on():
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((PLACE / "rerun.yml").read_text())
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    assert triggers["schedule"][0]["cron"].split() == ["0", "10", "*", "*", "*"]
    assert workflow["concurrency"]["cancel-in-progress"] is False
    steps = workflow["jobs"]["rerun"]["steps"]
    assert all(set(step) & {"uses", "run"} for step in steps)
    (script,) = [step["run"] for step in steps if step.get("id") == "rerun"]
    (command,) = re.findall(r"^\s*(cba rerun .*)$", script, re.MULTILINE)
    accepted([PROGRAM, *shlex.split(command)[1:]])
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0


def steps() -> list[dict]:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((PLACE / "rerun.yml").read_text())["jobs"]["rerun"]["steps"]


def ci(step: str, folder: Path, *, code: int = 0, **given: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script with a program that notes its words and ends with a code."""
    (script,) = [one["run"] for one in steps() if one.get("id") == step]
    (folder / "cba").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {folder}/words\nexit {code}\n')
    (folder / "cba").chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(folder / "output"), **given}
    return subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code, expected", [(0, 0), (1, 1), (2, 2), (3, 3), (4, 0), (5, 5)])
def test_the_script_of_the_workflow_passes_every_failure_on_but_a_held_run(tmp_path, code, expected):
    done = ci("rerun", tmp_path, code=code, BY="ann")
    assert done.returncode == expected and (tmp_path / "output").read_text() == f"code={code}\n"


def test_a_held_run_can_be_released_in_the_workflow_and_no_input_is_run_as_a_command(tmp_path):
    note = "ages and places; $(touch hacked) `touch hacked`"
    assert ci("approve", tmp_path, RUN="latest/20261119", BY="bea", NOTE=note).returncode == 0
    words = (tmp_path / "words").read_text().splitlines()
    assert words == ["runs", "approve", "latest/20261119", "--root", "out", "--by", "bea", "--note", note]
    assert all("${{" not in one["run"] for one in steps() if one.get("id"))
    whether = {one["id"]: one["if"] for one in steps() if one.get("id")}
    assert whether == {"rerun": "inputs.approve == ''", "approve": "inputs.approve != ''"}


def test_runs_and_snapshots_are_kept_between_jobs_whatever_becomes_of_one():
    kept = [one for one in steps() if "actions/cache/" in one.get("uses", "")]
    restored, saved = kept
    assert "restore" in restored["uses"] and "save" in saved["uses"] and saved["if"] == "always()"
    assert (
        restored["with"]["path"] == saved["with"]["path"] and restored["with"]["key"] == saved["with"]["key"]
    )
    assert restored["with"]["path"].split() == ["out", Data().store]
    order = steps()
    work = [order.index(one) for one in order if one.get("id")]
    assert order.index(restored) < min(work) and max(work) < order.index(saved)


def test_the_page_names_its_examples_and_every_exit_code():
    text = (DOCS / "scheduling.md").read_text()
    for file in PLACE.iterdir():
        assert f"(scheduling/{file.name})" in text
    assert re.findall(r"^\| (\d) \|", text, re.MULTILINE) == list("012345")
