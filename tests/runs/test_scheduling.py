"""The examples of schedules: units that verify, a line of cron, a workflow that parses, commands that exist."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PLACE = DOCS / "scheduling"


def unit(name: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd tells capitals apart
    parser.read(PLACE / name, encoding="utf-8")
    return {section: dict(parser[section]) for section in parser.sections()}


def accepted(words: list[str]) -> None:
    """Refuse a command line that `cba rerun` would refuse, without running it."""
    from inspect import signature
    from typing import get_args, get_type_hints

    from cba.cli.update import rerun

    assert words[:2] == ["cba", "rerun"] and words[2] in ("latest", "review_2022")
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
    assert Path(words[0]).is_absolute()  # systemd refuses anything else
    accepted(words[1:])
    assert service["Service"]["ReadWritePaths"] == service["Service"]["WorkingDirectory"]


def test_the_timer_starts_the_service_after_the_hour_of_publication():
    timer = unit("cba-rerun.timer")
    assert timer["Timer"]["Unit"] == "cba-rerun.service" and (PLACE / timer["Timer"]["Unit"]).is_file()
    assert timer["Timer"]["OnCalendar"] == "*-*-* 10:00:00 Europe/London"
    assert timer["Timer"]["Persistent"] == "true" and timer["Install"]["WantedBy"] == "timers.target"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_units_verify(tmp_path):
    for name in ("cba-rerun.service", "cba-rerun.timer"):
        text = (PLACE / name).read_text()
        user = os.environ.get("USER") or "root"  # the one thing the reader must correct
        (tmp_path / name).write_text(text.replace("User=cba", f"User={user}"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
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
    assert folder.startswith("cd /") and words.startswith("cba rerun")
    accepted(shlex.split(words))


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
    accepted(shlex.split(command))
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("code, expected", [(0, 0), (1, 1), (2, 2), (3, 3), (4, 0), (5, 5)])
def test_the_script_of_the_workflow_passes_every_failure_on_but_a_held_run(tmp_path, code, expected):
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((PLACE / "rerun.yml").read_text())
    (script,) = [s["run"] for s in workflow["jobs"]["rerun"]["steps"] if s.get("id") == "rerun"]
    (tmp_path / "cba").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "cba").chmod(0o755)
    (tmp_path / "output").write_text("")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(tmp_path / "output")}
    written = script.replace("${{ github.actor }}", "ann")
    done = subprocess.run(["bash", "-c", written], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == expected and (tmp_path / "output").read_text() == f"code={code}\n"


def test_the_page_names_its_examples_and_every_exit_code():
    text = (DOCS / "scheduling.md").read_text()
    for file in PLACE.iterdir():
        assert f"(scheduling/{file.name})" in text
    assert re.findall(r"^\| (\d) \|", text, re.MULTILINE) == list("012345")
