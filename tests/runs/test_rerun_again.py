"""A re-run that did not come to its end: it is due again, goes on from what it stored, and settles once done."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cba.errors import GateError, StoreError
from cba.runs.reading import list_runs, verify_run
from cba.runs.rerun import Poll, RerunSteps, Update, last_poll, note_poll, rerun
from tests.cli.test_cli import SMALL
from tests.fakes import stages_of
from tests.runs.test_rerun import SOURCE, edit_seed, fake, here, stored  # noqa: F401

FOLDER = Path("reports/small")


def failing(**more) -> RerunSteps:
    def fails(analysis, *, stance, **fits):
        raise GateError("the baseline model has not converged", ["R-hat: found 1.2, required 1.01"])

    return RerunSteps(stages=lambda: stages_of(appraise=fails), **more)


def scheduled(steps: RerunSteps, **more):
    return rerun("small.toml", root="reports", steps=steps, if_due=True, **more)


def killed(*anything, **more):
    raise KeyboardInterrupt  # nothing catches it, like a kill


def test_a_failed_run_is_tried_again_until_it_has_come_to_its_end(here):  # noqa: F811
    for _ in range(3):
        with pytest.raises(GateError):
            scheduled(failing())
        assert last_poll(FOLDER).pending
    assert scheduled(fake()).status == "published" and not last_poll(FOLDER).pending
    assert scheduled(fake()).status == "not due"


def test_a_fetched_release_is_run_the_next_day_though_the_sources_then_say_nothing_new(here):  # noqa: F811
    (here / "small.toml").write_text(SMALL + SOURCE)
    news = [Update(True, "one release"), Update(False, "nothing new")]
    with pytest.raises(GateError):
        scheduled(failing(update=lambda analysis: news[0]))
    found = scheduled(fake(update=lambda analysis: news[1]))
    assert found.status == "published" and scheduled(fake()).status == "not due"


@pytest.mark.parametrize("outcome", ["no change", "published", "held"])
def test_every_end_settles_the_poll_at_the_time_of_asking(here, outcome):  # noqa: F811
    if outcome != "published":
        rerun("small.toml", root="reports", steps=fake())
    if outcome == "held":
        edit_seed(here, 1)
    note_poll(FOLDER, Poll(datetime(2026, 1, 1, tzinfo=UTC), pending=True))
    found = scheduled(fake(shift=3e9 if outcome == "held" else 0.0))
    assert found.status == outcome and not last_poll(FOLDER).pending
    assert (datetime.now(UTC) - last_poll(FOLDER).at).total_seconds() < 600


@pytest.mark.parametrize("at", ["score", "compare", "render", "publish"])
def test_killed_after_storing_the_next_one_goes_on_from_the_stored_run(here, monkeypatch, at):  # noqa: F811
    first, scored = rerun("small.toml", root="reports", steps=fake()), []

    def score(run, *, earlier):
        scored.append(run.name)
        return {"added": len(scored)}

    steps = fake(score=score, compare=lambda before, run: {"before": before.name})
    edit_seed(here, 1)
    note_poll(FOLDER, Poll(datetime(2026, 1, 1, tzinfo=UTC)))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if at == "publish":
            patch.setattr("cba.runs.rerun.publish_run", killed)
        scheduled(steps if at == "publish" else replace(steps, **{at: killed}))
    second = list_runs("reports")[-1]
    assert second.name != first.run.name and not second.published

    found = scheduled(replace(steps, stages=killed))  # computes nothing anew
    assert found.status == "published" and found.run.name == second.name and found.run.published
    assert json.loads((second.path / "comparison.json").read_text())["before"] == first.run.name
    assert json.loads((second.path / "scores.json").read_text())["added"] == 1 == len(scored)
    assert "['comparison', 'scores']" in (second.path / "report.html").read_text()
    assert verify_run(second.path) == [] and scheduled(steps).status == "not due"


def test_by_hand_too_a_run_that_was_stored_and_not_shown_is_finished(here):  # noqa: F811
    rerun("small.toml", root="reports", steps=fake())
    edit_seed(here, 1)
    with pytest.raises(KeyboardInterrupt):
        rerun("small.toml", root="reports", steps=fake(compare=killed))
    found = rerun("small.toml", root="reports", steps=fake())
    assert found.status == "published" and len(list_runs("reports")) == 2
    assert rerun("small.toml", root="reports", steps=fake()).status == "no change"


def test_a_held_run_that_was_cut_short_gets_its_report_and_stays_held(here):  # noqa: F811
    first = rerun("small.toml", root="reports", steps=fake())
    edit_seed(here, 1)
    with pytest.raises(KeyboardInterrupt):
        rerun("small.toml", root="reports", steps=fake(shift=3e9, render=killed))
    found = rerun("small.toml", root="reports", steps=fake())
    assert found.status == "held" and (FOLDER / "published").read_text().strip() == first.run.name
    assert (found.run.path / "report.html").read_text().startswith("<html>")


def test_a_poll_that_cannot_be_settled_costs_a_note_and_not_the_run(here, monkeypatch):  # noqa: F811
    def refuse(folder, poll):
        if not poll.pending:
            raise StoreError("the disk is full", file=folder)
        note_poll(folder, poll)

    monkeypatch.setattr("cba.runs.rerun.note_poll", refuse)
    found = scheduled(fake())
    assert found.status == "published" and "will look again" in found.notes[-1]
    monkeypatch.setattr("cba.runs.rerun.note_poll", note_poll)
    assert scheduled(fake()).status == "no change" and scheduled(fake()).status == "not due"


def test_a_note_of_an_older_version_is_not_pending(tmp_path):
    (tmp_path / ".last_poll").write_text('{"at": "2026-11-21T10:00:00+00:00", "days": ["2026-11-26"]}')
    assert last_poll(tmp_path) == Poll(
        datetime(2026, 11, 21, 10, tzinfo=UTC), (datetime(2026, 11, 26).date(),), pending=False
    )
