"""Two updates of one store at once: neither loses what the other took, and what a killed one left is removed."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from cba.errors import SnapshotDamaged
from cba.inputs.files import shipped_published_folder
from cba.inputs.releases import update
from cba.inputs.releases.snapshots import current_snapshot, folder_identifier, identifiers
from cba.inputs.releases.update import storing_alone
from tests.inputs import release_files as made
from tests.inputs.fake_publishers import DataSet, publishers
from tests.inputs.test_release_sources import MEASURE, ROOT, ROWS, asked, durations, pace, store  # noqa: F401

DAYS = {"release": "2025", "year": "2025", "measure": MEASURE, "days": "889", "source": "S01"}


def with_row(name, row, folder):
    """A file of the project's own layout with one new row."""
    frame = made.pd.concat([made.table(name), made.pd.DataFrame([row])])
    return made.write(frame, folder / f"{name}.csv")


@pytest.fixture
def lengths(tmp_path):
    return with_row("care_duration", DAYS, tmp_path)


@pytest.fixture
def needs(tmp_path):
    last = made.table("children_in_need").iloc[-1].to_dict()
    return with_row("children_in_need", last | {"release": "2025", "year": "2025"}, tmp_path)


@pytest.fixture
def meanwhile(monkeypatch):
    """Let something else happen once, after an update has read what is held and before it stores."""

    def once(action):
        build, done = update.build_tables, []

        def built(*anything, **more):
            if not done:
                done.append(True)
                action()
            return build(*anything, **more)

        monkeypatch.setattr(update, "build_tables", built)

    return once


def releases(snapshot, table):
    return set(made.table(table, snapshot.folder)["release"])


def test_files_taken_by_another_update_meanwhile_are_kept(store, lengths, needs, meanwhile):  # noqa: F811
    inner = []
    meanwhile(lambda: inner.append(update.update_from_files([needs], store=store)))
    outer = update.update_from_files([lengths], store=store)
    assert outer.changed and inner[0].changed
    last = current_snapshot(store)
    assert last == outer.snapshot and last.parent == inner[0].snapshot.identifier
    assert inner[0].snapshot.parent == folder_identifier(shipped_published_folder())
    assert "2025" in releases(last, "care_duration") and "2025" in releases(last, "children_in_need")
    assert {one.name for one in last.sources} == {"care_duration.csv", "children_in_need.csv"}
    assert [change.table for change in outer.changes] == ["care_duration"]  # what this one brought


def test_the_same_files_taken_twice_at_once_are_new_once(store, lengths, meanwhile):  # noqa: F811
    inner = []
    meanwhile(lambda: inner.append(update.update_from_files([lengths], store=store)))
    outer = update.update_from_files([lengths], store=store)
    assert inner[0].changed and not outer.changed and outer.summary == ("nothing new",)
    assert outer.snapshot == inner[0].snapshot and identifiers(store) == (outer.snapshot.identifier,)


def test_sources_are_asked_again_where_the_store_moved_meanwhile(store, pace, needs, meanwhile):  # noqa: F811
    with publishers() as fake:
        DataSet(ROWS).serve(fake)
        meanwhile(lambda: update.update_from_files([needs], store=store))
        found = asked(durations(fake), store=store, pace=pace)
        assert found.changed and fake.times(f"{ROOT}/query") == 2
    last = current_snapshot(store)
    assert "2025" in releases(last, "care_duration") and "2025" in releases(last, "children_in_need")


def test_a_store_that_nobody_else_touched_is_asked_for_once(store, lengths, monkeypatch):  # noqa: F811
    calls, build = [], update.build_tables
    monkeypatch.setattr(
        update, "build_tables", lambda *anything, **more: calls.append(1) or build(*anything, **more)
    )
    assert update.update_from_files([lengths], store=store).changed and calls == [1]


def test_what_a_killed_update_left_is_removed(store, lengths):  # noqa: F811
    stale = store / ".0123456789abcdef.999.part"
    stale.mkdir(parents=True)
    (stale / "england_children.csv").write_text("half", encoding="utf-8")
    (stale / "england_children.csv").chmod(0o444)
    (store / ".current.999.part").write_text("half", encoding="utf-8")
    found = update.update_from_files([lengths], store=store)
    assert {one.name for one in store.iterdir()} == {".lock", "current", found.snapshot.identifier}


HOLDER = """
import sys
from pathlib import Path
from cba.inputs.releases.update import storing_alone
with storing_alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_update_waits_or_says_that_it_cannot(store, lengths, monkeypatch):  # noqa: F811
    command = [sys.executable, "-c", HOLDER, str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        monkeypatch.setattr("cba.inputs.releases.update._SECONDS", 0.2)
        with pytest.raises(SnapshotDamaged, match="another update has held the store") as caught:
            update.update_from_files([lengths], store=store)
        assert caught.value.exit_code == 1 and "update again" in caught.value.details["next step"]
        assert current_snapshot(store) is None
        monkeypatch.setattr("cba.inputs.releases.update._SECONDS", 30.0)
        threading.Timer(0.3, holder.stdin.close).start()
        assert update.update_from_files([lengths], store=store).changed


def test_a_store_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with (
        pytest.raises(SnapshotDamaged, match="could not be stored"),
        storing_alone(tmp_path / "file" / "store"),
    ):
        pass
