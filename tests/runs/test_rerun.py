"""A re-run from end to end with made-up stages: what it does, says and leaves, whatever its steps do."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from cba.errors import GateError, InputError, StoreError
from cba.inputs.files import published_folder, reading_from
from cba.inputs.releases.update import Announced, ReleaseDay
from cba.runs.holds import approve_run
from cba.runs.manifest import json_log, tell_hook
from cba.runs.reading import list_runs, read_run, verify_run
from cba.runs.rerun import (
    NO_DAY,
    NOBODY_ASKED,
    Poll,
    RerunSteps,
    Update,
    alone,
    last_poll,
    note_poll,
    rerun,
)
from cba.runs.store import rerun_records
from tests.cli.test_cli import SMALL
from tests.fakes import made_up, stages_of

SOURCE = """
[data]
store = "data"
[[data.sources]]
name = "deflator"
kind = "hmt_deflator"
base_url = "https://www.gov.uk"
data_set = "government/collections/gdp-deflators-at-market-prices-and-money-gdp"
source = "HMT_GDP"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


def fake(shift: float = 0.0, **more) -> RerunSteps:
    def appraise(analysis, *, stance, **fits):
        return made_up(analysis, stance=stance, shift=shift)

    class Stored:
        @staticmethod
        def from_directory(path, *, lazy=False):
            return Path(path).name

    def render(appraisals, *, headline, manifest):
        more = sorted(set(manifest) & {"comparison", "scores"})
        return {"report.html": f"<html>{manifest['run']} {more}</html>"}

    return RerunSteps(stages=lambda: stages_of(appraise=appraise), **{"render": render, **more})


@pytest.fixture(autouse=True)
def stored(monkeypatch):
    """Read nothing of a made-up appraisal back: the report only needs its stance."""

    class Stored:
        @staticmethod
        def from_directory(path, *, lazy=False):
            return Path(path).name

    monkeypatch.setattr("cba.appraisal.record.Appraisal", Stored)


def edit_seed(folder: Path, seed: int) -> None:
    (folder / "small.toml").write_text(SMALL.replace("seed = 0", f"seed = {seed}"))


def test_first_run_no_change_then_a_change(here):
    events = []
    first = rerun("small.toml", root="reports", steps=fake(), by="Ann", log=lambda e, **f: events.append(e))
    assert first.status == "published" and first.exit_code == 0 and first.run.published
    assert first.run.manifest["run_by"] == "Ann" and verify_run(first.run.path) == []
    assert events == ["run", "stored", "published"]
    again = rerun("small.toml", root="reports", steps=fake(shift=9e9))
    assert again.status == "no change" and again.run.name == first.run.name and again.exit_code == 0
    (here / "small.toml").write_text("# a comment\n" + SMALL)
    assert rerun("small.toml", root="reports", steps=fake()).status == "no change"
    edit_seed(here, 1)
    second = rerun("small.toml", root="reports", steps=fake())
    assert second.status == "published" and second.run.name != first.run.name
    assert [run.published for run in list_runs("reports")] == [False, True]


def test_a_run_by_hand_counts_as_well(here):
    from cba.inputs.analyses import load_analysis
    from cba.runs.execute import execute

    run = execute(load_analysis("small.toml"), root="reports", stages=stages_of())
    assert run.manifest["request"] == ""  # it does not say what was asked for: the stages tell
    found = rerun("small.toml", root="reports", steps=fake())
    assert found.status == "no change" and found.run.name == run.name


def test_a_shift_is_held_and_readers_see_what_they_saw(here):
    first = rerun("small.toml", root="reports", steps=fake())
    edit_seed(here, 1)
    held = rerun("small.toml", root="reports", steps=fake(shift=3e9))
    assert held.status == "held" and held.exit_code == 4 and not held.run.published
    assert any("npv_fiscal.care_review" in note for note in held.notes)
    assert (Path("reports/small/published").read_text().strip()) == first.run.name
    waiting = rerun("small.toml", root="reports", steps=fake())
    assert waiting.status == "no change" and "waits for approval" in waiting.notes[0]


def test_scores_and_comparison_are_kept_beside_the_run_and_in_its_report(here):
    asked = []

    def compare(before, run):
        asked.append((before.name, run.name))
        return {"moved": ["code"]}

    def score(run, *, earlier):
        return {"added": [one.name for one in earlier]}

    steps = fake(compare=compare, score=score)
    first = rerun("small.toml", root="reports", steps=steps)
    assert asked == [] and not (first.run.path / "comparison.json").exists()
    edit_seed(here, 1)
    second = rerun("small.toml", root="reports", steps=steps)
    assert asked == [(first.run.name, second.run.name)]
    kept = json.loads((second.run.path / "comparison.json").read_text())
    assert kept["moved"] == ["code"] and kept["manifest_sha256"]
    assert json.loads((second.run.path / "scores.json").read_text())["added"] == [first.run.name]
    assert "['comparison', 'scores']" in (second.run.path / "report.html").read_text()
    assert verify_run(second.run.path) == []


def test_a_door_that_fails_after_the_run_is_reported_and_the_run_stands(here):
    def breaks(*anything, **more):
        raise ZeroDivisionError("no")

    rerun("small.toml", root="reports", steps=fake())
    edit_seed(here, 1)
    found = rerun("small.toml", root="reports", steps=fake(compare=breaks, score=breaks))
    assert found.status == "published" and len(found.notes) == 2
    assert all("ZeroDivisionError: no" in note for note in found.notes)
    assert verify_run(found.run.path) == []


@pytest.mark.parametrize("shift, then", [(0.0, "published"), (3e9, "held")])
def test_a_run_whose_page_cannot_be_made_is_not_published_and_made_up_for(here, shift, then):
    def breaks(*anything, **more):
        raise ZeroDivisionError("no page")

    first = rerun("small.toml", root="reports", steps=fake())
    edit_seed(here, 1)
    for _ in range(2):  # as long as it cannot be made
        found = rerun("small.toml", root="reports", by="ann", steps=fake(shift=shift, render=breaks))
        assert found.status == "not published" and found.exit_code == 1 and "no page" in found.notes[0]
        assert Path("reports/small/published").read_text().strip() == first.run.name
        with pytest.raises(InputError, match="without its page"):
            approve_run(found.run, by="somebody else", note="seen")
    assert len(list_runs("reports")) == 2 and not (found.run.path / "report.html").exists()
    again = rerun("small.toml", root="reports", by="ann", steps=fake(shift=shift))
    assert again.status == then and again.run.name == found.run.name
    assert (again.run.path / "report.html").is_file() and verify_run(again.run.path) == []
    approve_run(again.run, by="somebody else", note="seen")


def test_a_library_that_swallows_an_interrupt_does_not_publish(here):
    def swallows(before, run):
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        raise RuntimeError("no results to take")

    signal.signal(signal.SIGINT, signal.default_int_handler)
    first = rerun("small.toml", root="reports", steps=fake())
    edit_seed(here, 1)
    with pytest.raises(KeyboardInterrupt):
        rerun("small.toml", root="reports", steps=fake(compare=swallows))
    assert Path("reports/small/published").read_text().strip() == first.run.name


def announced(*silent: str) -> Announced:
    return Announced((ReleaseDay(date(2026, 11, 26), "looked after", "confirmed"),), silent)


def test_that_no_day_is_announced_is_said_once(here):
    (here / "small.toml").write_text(SMALL + SOURCE)
    silent = ["children in need"]
    steps = fake(
        update=lambda analysis: Update(False, "nothing new"), days=lambda analysis: announced(*silent)
    )
    assert rerun("small.toml", root="reports", steps=steps).notes == (NO_DAY.format("children in need"),)
    assert rerun("small.toml", root="reports", steps=steps).notes == ()
    silent.append("looked after")
    assert rerun("small.toml", root="reports", steps=steps).notes == (NO_DAY.format("looked after"),)
    silent.clear()
    assert rerun("small.toml", root="reports", steps=steps).notes == ()
    silent.append("looked after")  # announced in between, and then no more
    assert rerun("small.toml", root="reports", steps=steps).notes == (NO_DAY.format("looked after"),)


def test_that_nobody_is_asked_is_said_once(here):
    scheduled = {"root": "reports", "steps": fake(), "if_due": True}
    assert rerun("small.toml", **scheduled).notes == (NOBODY_ASKED,)
    note_poll(
        Path("reports/small"), replace(last_poll(Path("reports/small")), at=datetime(2026, 1, 1, tzinfo=UTC))
    )
    again = rerun("small.toml", **scheduled)
    assert again.status == "no change" and again.notes == ()


def test_a_run_stored_while_the_clock_ran_ahead_is_not_the_newest_for_ever(here, monkeypatch):
    """It answers another request; the re-run after it computes once, and what it published stays the newest."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) + timedelta(days=400)

    with monkeypatch.context() as clock:
        clock.setattr("cba.runs.execute.datetime", Ahead)
        ahead = rerun("small.toml", root="reports", steps=fake()).run
    assert ahead.ahead
    (here / "small.toml").write_text(SMALL.replace("seed = ", "seed = 1"))
    found = [rerun("small.toml", root="reports", steps=fake()) for _ in range(3)]
    assert [one.status for one in found] == ["published", "no change", "no change"]
    assert {one.run.name for one in found} == {found[0].run.name} != {ahead.name}


def test_sources_are_asked_and_a_major_change_is_held(here):
    (here / "small.toml").write_text(SMALL + SOURCE)
    asked = []

    def update(analysis):
        asked.append(analysis.name)
        return answers[len(asked) - 1]

    answers = [Update(False, "nothing new"), Update(False, "nothing new"), Update(False, "", ("withdrawn",))]
    steps = fake(update=update, days=lambda analysis: announced())
    assert rerun("small.toml", root="reports", steps=steps).status == "published"
    assert rerun("small.toml", root="reports", steps=steps).status == "no change"
    held = rerun("small.toml", root="reports", steps=steps)
    assert held.status == "held" and held.exit_code == 4 and held.notes == ("withdrawn",)
    assert len(asked) == 3 and len(list_runs("reports")) == 1
    assert last_poll(Path("reports/small")).days == (date(2026, 11, 26),)


def test_an_update_held_with_changed_tables_holds_the_run(here):
    (here / "small.toml").write_text(SMALL + SOURCE)
    steps = fake(update=lambda analysis: Update(True, "one release", ("a major new version",)))
    found = rerun("small.toml", root="reports", steps=steps)
    assert found.status == "held" and found.run.held == ("a major new version",)
    assert not Path("reports/small/published").exists()


def test_a_source_that_cannot_be_reached_stops_it_with_its_own_code(here):
    from cba.errors import SourceUnreachable

    (here / "small.toml").write_text(SMALL + SOURCE)

    def update(analysis):
        raise SourceUnreachable("the source did not answer")

    with pytest.raises(SourceUnreachable) as caught:
        rerun("small.toml", root="reports", steps=fake(update=update))
    assert caught.value.exit_code == 5 and last_poll(Path("reports/small")).at is None


def test_fetched_tables_that_break_their_schema_are_a_failed_gate(here):
    (here / "small.toml").write_text(SMALL + SOURCE)

    def refuses(analysis):
        raise InputError("a year is missing", file="england_children.csv", field="year")

    from dataclasses import replace

    steps = replace(
        fake(update=lambda analysis: Update(True, "one release")),
        stages=lambda: replace(stages_of(), observe=refuses),
    )
    with pytest.raises(GateError, match="schema") as caught:
        rerun("small.toml", root="reports", steps=steps)
    (place,) = Path("reports/small/failed").glob("*/diagnostics.json")
    diagnostics = json.loads(place.read_text())
    assert diagnostics["approvable"] is False and "a year is missing" in diagnostics["failures"][0]
    assert caught.value.__notes__ == [str(place)] and list_runs("reports") == []
    same = replace(steps, update=lambda analysis: Update(False, "nothing new"))
    with pytest.raises(InputError):  # nothing was fetched: a mistake in the tables of the user
        rerun("small.toml", root="reports", steps=same)


def test_a_failed_gate_leaves_diagnostics_and_what_readers_see(here):
    first = rerun("small.toml", root="reports", steps=fake())
    edit_seed(here, 1)

    def fails(analysis, *, stance, **fits):
        raise GateError("the baseline model has not converged", ["R-hat: found 1.2, required 1.01"])

    steps = RerunSteps(stages=lambda: stages_of(appraise=fails))
    with pytest.raises(GateError):
        rerun("small.toml", root="reports", steps=steps)
    assert [run.name for run in list_runs("reports")] == [first.run.name]
    assert Path("reports/small/published").read_text().strip() == first.run.name


def test_what_stands_under_the_name_of_another_run_is_not_believed(here):
    steps = fake(compare=lambda before, run: {"moved": ["code"]}, score=lambda run, *, earlier: {"added": 1})
    runs = []
    for seed in range(3):
        edit_seed(here, seed)
        runs.append(rerun("small.toml", root="reports", steps=steps).run)
    first, second, third = runs
    assert rerun_records(third) == {"comparison": {"moved": ["code"]}, "scores": {"added": 1}}
    for name in ("comparison.json", "scores.json"):
        before = (third.path / name).read_bytes()
        shutil.copyfile(second.path / name, third.path / name)
        with pytest.raises(StoreError, match=f"it is of run {second.name}"):
            rerun_records(third)
        (third.path / name).write_bytes(before)
    copied = first.path.with_name("20990101T000000Z-00000000")
    shutil.copytree(first.path, copied)
    with pytest.raises(StoreError, match=f"it is of run {first.name}"):
        read_run(copied)
    assert sum(bool(run.damage) for run in list_runs("reports")) == 1


# -- the calendar --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ago, days_ahead, due",
    [
        (None, (), True),
        (1, (), False),
        (6, (), False),
        (7, (), True),
        (2, (-1,), True),
        (2, (1,), False),
        (2, (-3,), False),
    ],
)
def test_polls_on_announced_days_and_weekly_otherwise(here, ago, days_ahead, due):
    today = datetime.now(UTC)
    if ago is not None:
        days = tuple(today.date() + timedelta(days=d) for d in days_ahead)
        note_poll(Path("reports/small"), Poll(today - timedelta(days=ago), days))
    found = rerun("small.toml", root="reports", steps=fake(), if_due=True)
    assert found.status == ("published" if due else "not due") and found.exit_code == 0


def newer_snapshot(folder: Path) -> None:
    """What `cba update` leaves: the pointer of the store names another snapshot."""
    (folder / "data").mkdir()
    (folder / "data" / "current").write_text("a" * 64 + "\n")


def other_tables(folder: Path) -> None:
    """A newer version of the package, with other tables."""
    shutil.copytree(published_folder(), folder / "published")
    (folder / "published" / "new.csv").write_text("a\n1\n")


@pytest.mark.parametrize("moves", [newer_snapshot, other_tables])
def test_data_that_moved_since_the_poll_are_due_at_once(here, moves):
    (here / "small.toml").write_text(SMALL + '[data]\nstore = "data"\n')
    rerun("small.toml", root="reports", steps=fake())
    assert rerun("small.toml", root="reports", steps=fake(), if_due=True).status == "not due"
    moves(here)
    moved = here / "published"
    with reading_from(published=moved) if moved.exists() else nullcontext():
        assert rerun("small.toml", root="reports", steps=fake(), if_due=True).status != "not due"
        assert rerun("small.toml", root="reports", steps=fake(), if_due=True).status == "not due"


def test_a_calendar_that_fails_costs_nothing_but_the_days(here):
    (here / "small.toml").write_text(SMALL + SOURCE)
    note_poll(Path("reports/small"), Poll(datetime(2026, 1, 1, tzinfo=UTC), (date(2030, 1, 1),)))

    def breaks(analysis):
        raise OSError("no network")

    steps = fake(update=lambda analysis: Update(False, "nothing new"), days=breaks)
    assert rerun("small.toml", root="reports", steps=steps).status == "published"
    assert last_poll(Path("reports/small")).days == (date(2030, 1, 1),)


def test_a_note_of_a_poll_that_cannot_be_read_makes_a_poll_due(tmp_path):
    (tmp_path / ".last_poll").write_text("yesterday")
    assert last_poll(tmp_path) == Poll()


# -- two at once ---------------------------------------------------------------------------------------------


def hold(folder: str, ready, done) -> None:
    with alone(Path(folder)):
        ready.set()
        done.wait(30)


def test_two_at_once_one_leaves_or_waits(here):
    spawn = multiprocessing.get_context("spawn")
    ready, done = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold, args=("reports/small", ready, done))
    other.start()
    try:
        assert ready.wait(30)
        with pytest.raises(StoreError, match="another re-run of this analysis is under way") as caught:
            rerun("small.toml", root="reports", steps=fake())
        assert caught.value.exit_code == 1 and "--wait" in caught.value.details["next step"]
        assert list_runs("reports") == []
        done.set()
        assert rerun("small.toml", root="reports", steps=fake(), wait=20.0).status == "published"
    finally:
        done.set()
        other.join(10)


# -- what machines read --------------------------------------------------------------------------------------


def test_log_lines_are_json_with_time_and_event(tmp_path, capsys):
    log = json_log(tmp_path / "logs" / "a.log", analysis="latest")
    log("run", value=float("nan"), reasons=("a", "b"))
    log("stored", run="x")
    lines = [json.loads(line) for line in (tmp_path / "logs" / "a.log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["run", "stored"] and lines[0]["value"] is None
    assert all(line["analysis"] == "latest" and datetime.fromisoformat(line["at"]).tzinfo for line in lines)
    json_log(None)("nothing")
    json_log("-")("to standard error")
    assert json.loads(capsys.readouterr().err)["event"] == "to standard error"


def test_the_hook_gets_the_summary_and_no_shell_reads_its_words(tmp_path):
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2] + sys.stdin.read())"
    words = [sys.executable, "-c", script, str(tmp_path / "got"), "$(echo no) ; "]
    assert tell_hook(words, {"status": "held"}) == ""
    got = (tmp_path / "got").read_text()
    assert got.startswith("$(echo no) ; ") and json.loads(got[13:]) == {"status": "held"}


@pytest.mark.parametrize(
    "words, said",
    [
        ([sys.executable, "-c", "import sys; sys.exit('broken')"], "code 1 (broken)"),
        (["/no/such/command"], "could not be started"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "longer than 1 seconds"),
    ],
)
def test_a_hook_that_fails_is_described(words, said):
    start = time.monotonic()
    assert said in tell_hook(words, {}, seconds=1.0 if "sleep" in words[-1] else 30.0)
    assert time.monotonic() - start < 30


def test_no_change_imports_nothing_that_computes(here):
    rerun("small.toml", root="reports", steps=fake())
    code = (
        "import sys; from cba.runs.rerun import rerun; print(rerun('small.toml', root='reports').status);"
        "heavy = {'numpy','pandas','pandera','xarray','pymc','matplotlib','preliz','pydantic','httpx'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    path = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    )
    assert done.stdout.splitlines() == ["no change", "[]"]
