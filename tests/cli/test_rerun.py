"""`cba rerun`: its words, its exit codes, its JSON, its log and hook, and how fast it sees that nothing changed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cba.cli import main
from cba.errors import GateError
from cba.runs.rerun import alone
from cba.runs.stages import Stages
from tests.cli.test_cli import ERROR_FIELDS, SMALL, answer
from tests.fakes import made_up, stages_of
from tests.runs.test_rerun import edit_seed


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with one small analysis, and made-up stages in the place of the models."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    use(monkeypatch)
    return tmp_path


def use(monkeypatch, *, shift: float = 0.0, appraise=None) -> None:
    def made(analysis, *, stance, **fits):
        return made_up(analysis, stance=stance, shift=shift)

    def ordinary(**_: object) -> Stages:
        return stages_of(appraise=appraise or made)

    class Stored:
        @staticmethod
        def from_directory(path, *, lazy=False):
            return Path(path).name

    monkeypatch.setattr("cba.runs.stages.ordinary_stages", ordinary)
    monkeypatch.setattr("cba.appraisal.record.Appraisal", Stored)
    monkeypatch.setattr(
        "cba.cli.run.render",
        lambda a, *, headline, manifest: {"report.html": f"<html>{manifest['run']}</html>"},
    )
    monkeypatch.setattr("cba.cli.update._compare", lambda before, after: {"moved": []})
    monkeypatch.setattr("cba.cli.update._score", lambda run, *, earlier: {"added": []})


def test_run_no_change_held_approve_and_the_list(here, capsys, monkeypatch):
    assert main(["rerun", "small.toml", "--by", "Ann"]) == 0
    out = capsys.readouterr().out
    assert "new run " in out and ": published" in out and "Report: reports/small/" in out
    assert main(["rerun", "small.toml"]) == 0
    assert capsys.readouterr().out.startswith("no change: run ")
    edit_seed(here, 1)
    use(monkeypatch, shift=3e9)
    assert main(["rerun", "small.toml", "--by", "Ann"]) == 4
    out = capsys.readouterr().out
    assert (
        "held for approval" in out
        and "npv_fiscal.care_review moved from" in out
        and "cba runs approve" in out
    )
    code, listed = answer(capsys, "runs")
    assert [(bool(row["held"]), row["published"]) for row in listed["runs"]] == [(False, True), (True, False)]
    name = listed["runs"][1]["run"]
    assert "Held: waits for approval" in Path("reports/index.html").read_text()
    assert main(["runs", "approve", f"small/{name}", "--by", "Ann", "--note", "mine"]) == 2
    assert "by the person who ran it" in capsys.readouterr().err
    code, approved = answer(capsys, "runs", "approve", f"small/{name}", "--by", "Bea", "--note", "explained")
    assert code == 0 and approved["published"] and approved["approval"]["note"] == "explained"
    assert "Held" not in Path("reports/index.html").read_text()
    assert "approved by Bea" in Path("reports/index.html").read_text()
    assert answer(capsys, "runs", "--verify")[0] == 0


def test_json_of_each_outcome(here, capsys, monkeypatch):
    code, first = answer(capsys, "rerun", "small.toml")
    assert code == 0 and first["status"] == "published" and Path(first["path"]).is_dir()
    code, second = answer(capsys, "rerun", "small.toml")
    assert second["status"] == "no change" and second["run"] == first["run"]
    code, third = answer(capsys, "rerun", "small.toml", "--if-due")
    assert third["status"] == "not due"
    edit_seed(here, 1)
    use(monkeypatch, shift=3e9)
    code, held = answer(capsys, "rerun", "small.toml")
    assert code == 4 and held["status"] == "held" and held["notes"] and held["published"] is False


def test_the_log_and_the_hook_are_told_failures_too(here, capsys, monkeypatch):
    hook = [sys.executable, "-c", "import sys; open('told', 'a').write(sys.stdin.read())"]
    words = ["rerun", "small.toml", "--log", "a.jsonl", "--hook", shlex.join(hook)]
    assert main(words) == 0
    assert json.loads(Path("told").read_text())["status"] == "published"
    Path("told").unlink()
    edit_seed(here, 1)

    def fails(analysis, *, stance, **fits):
        raise GateError("the baseline model has not converged", ["R-hat: found 1.2, required 1.01"])

    use(monkeypatch, appraise=fails)
    assert main(words) == 3
    told = json.loads(Path("told").read_text())
    assert told["status"] == "failed" and told["exit_code"] == 3 and told["error"]["failures"]
    events = [json.loads(line)["event"] for line in Path("a.jsonl").read_text().splitlines()]
    assert events == ["run", "stored", "published", "hook", "run", "failed", "hook"]


def test_a_hook_that_fails_is_reported_and_fails_nothing(here, capsys):
    assert main(["rerun", "small.toml", "--hook", "/no/such/command now"]) == 0
    out, err = capsys.readouterr()
    assert "published" in out and "the hook failed: it could not be started" in err


def test_a_hook_that_fails_in_another_encoding_is_reported_and_fails_nothing(here, capsys):
    hook = [
        sys.executable,
        "-c",
        "import sys; sys.stderr.buffer.write(b'caf\\xe9 closed\\n'); sys.exit(3)",
    ]
    code = main(["rerun", "small.toml", "--hook", shlex.join(hook)])
    out, err = capsys.readouterr()
    assert code == 0 and "published" in out and "code 3 (caf\ufffd closed)" in err


@pytest.mark.parametrize(
    "words, code, said",
    [
        (["rerun", "nosuch"], 2, "nosuch"),
        (["rerun", "small.toml", "--hook", 'tell "team'], 2, "--hook"),
        (["rerun", "small.toml", "--hook", "tell \\"], 2, "every quote closed"),
        (["rerun", "small.toml", "--wait", "-1"], 2, "--wait"),
        (["runs", "prune", "--keep", "0"], 2, "--keep"),
        (["runs", "prune"], 2, "--keep"),
        (["runs", "approve", "small"], 2, "--by"),
        (["runs", "approve", "nosuch", "--by", "a", "--note", "b"], 2, "nosuch"),
        (["runs", "nonsense"], 2, "nonsense"),
    ],
)
def test_bad_usage_and_input(here, capsys, words, code, said):
    assert main(words) == code
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and said in err
    found, content = answer(capsys, *words)
    assert found == code and set(content["error"]) == ERROR_FIELDS


def test_another_re_run_under_way_is_one_message_and_exit_1(here, capsys):
    with alone(Path("reports/small")):
        assert main(["rerun", "small.toml"]) == 1
    assert "another re-run of this analysis is under way; nothing was done" in capsys.readouterr().err


def test_a_run_by_hand_with_publish_is_held_too(here, capsys, monkeypatch):
    answer(capsys, "run", "small.toml", "--by", "Ann")
    edit_seed(here, 1)
    use(monkeypatch, shift=3e9)
    code, held = answer(capsys, "run", "small.toml", "--publish", "--by", "Ann")
    assert code == 4 and held["held"] and held["published"] is False
    assert main(["run", "small.toml"]) == 0  # nothing was asked for that was not done
    assert "Held for approval" in capsys.readouterr().out


def test_prune_lists_what_goes_and_rewrites_the_list(here, capsys):
    for seed in range(3):
        edit_seed(here, seed)
        assert main(["rerun", "small.toml"]) == 0
    capsys.readouterr()
    code, would = answer(capsys, "runs", "prune", "--keep", "1", "--dry-run")
    assert len(would["runs"]) == 2 and len(answer(capsys, "runs")[1]["runs"]) == 3
    assert main(["runs", "prune", "--keep", "1"]) == 0
    out = capsys.readouterr().out
    assert "Removed 2 runs" in out and all(name in out for name in would["runs"])
    (left,) = answer(capsys, "runs")[1]["runs"]
    assert left["published"] and would["runs"][0].split("/")[1] not in Path("reports/index.html").read_text()


def test_no_change_imports_nothing_heavy(here):
    assert main(["rerun", "small.toml"]) == 0
    code = (
        "import sys; from cba.cli import main; code = main(['rerun', 'small.toml']);"
        "heavy = {'numpy','pandas','pandera','xarray','pymc','matplotlib','preliz','httpx','scipy'};"
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    first, last = done.stdout.splitlines()
    assert first.startswith("no change: run ") and last == "0 []"
