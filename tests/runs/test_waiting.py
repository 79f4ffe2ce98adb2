"""Exit code 4 as long as something waits for a person, and nothing is published past a published run that is lost."""

from __future__ import annotations

import pytest

from cba.runs.holds import approve_run
from cba.runs.rerun import last_poll, note_poll, rerun
from tests.runs.test_rerun import edit_seed, fake, here, stored

__all__ = ["here", "stored"]


def again(**asked):
    return rerun("small.toml", root="reports", by="Ann", steps=fake(shift=asked.pop("shift", 0.0)), **asked)


def test_a_held_run_waits_until_somebody_decides(here):
    assert again().exit_code == 0 and again().exit_code == 0
    edit_seed(here, 1)
    assert again(shift=3e9).exit_code == 4
    for status, asked in (("no change", {}), ("no change", {}), ("not due", {"if_due": True})):
        found = again(**asked)
        assert (found.status, found.exit_code) == (status, 4)
        assert "waits for approval" in found.notes[-1] and found.waiting == found.notes[-1:]
    approve_run(found.run, by="Bea", note="looked at")
    for asked in ({}, {"if_due": True}):
        assert again(**asked).exit_code == 0


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_where_readers_see_no_sound_run_a_rerun_is_held(here, content):
    first, pointer = again(), here / "reports" / "small" / "published"
    pointer.unlink() if content is None else pointer.write_bytes(content)
    found = again()
    assert (found.status, found.exit_code) == ("no change", 4) and "cannot be found" in found.notes[-1]
    edit_seed(here, 1)
    held = again(shift=5e9)
    assert (held.status, held.exit_code) == ("held", 4) and not held.run.published
    assert any("the published run cannot be found" in reason for reason in held.run.held)
    assert approve_run(first.run, by="Bea", note="the one readers saw").published


def test_so_is_a_run_by_hand(here, monkeypatch):
    from cba.cli import main
    from tests.cli.test_rerun import use

    use(monkeypatch)
    assert main(["run", "small.toml", "--by", "Ann"]) == 0
    (here / "reports" / "small" / "published").write_text("")
    assert main(["run", "small.toml", "--by", "Ann"]) == 4


def test_a_poll_noted_while_the_clock_ran_ahead_is_no_reason_not_to_ask(here):
    from dataclasses import replace
    from datetime import timedelta

    again()
    poll = last_poll(here / "reports" / "small")
    note_poll(here / "reports" / "small", replace(poll, at=poll.at + timedelta(days=400)))
    assert again(if_due=True).status == "no change"
