"""``cba update``: exit codes, what it prints, and that it stores nothing it should not."""

from __future__ import annotations

import json

import pytest
import typer

from cba.cli.answers import fail
from cba.cli.update import split_words, update
from cba.errors import InputError
from cba.inputs.releases.snapshots import current_snapshot
from tests.inputs import release_files as made
from tests.inputs.fake_publishers import UUID, DataSet, publishers
from tests.inputs.statistics_api import model
from tests.inputs.test_release_sources import MEASURE, ROWS


def call(*words, **more):
    """Run the command as the command line does and return its exit code."""
    try:
        return update(list(words), **more)
    except BaseException as error:
        return fail(error, as_json=more.get("as_json", False), debug=False)


@pytest.fixture
def store(tmp_path):
    yield tmp_path / "store"
    if (tmp_path / "store").exists():
        made.removable(tmp_path / "store")


@pytest.fixture
def newer(tmp_path):
    """A file of the project's own layout with one new row."""
    rows = made.table("care_duration")
    row = {"release": "2025", "year": "2025", "measure": MEASURE, "days": "889", "source": "S01"}
    file = tmp_path / "care_duration.csv"
    return made.write(made.pd.concat([rows, made.pd.DataFrame([row])]), file)


def test_a_new_row_is_stored_once(store, newer, capsys):
    assert call(files=[newer], store=store) == 0
    said = capsys.readouterr().out
    assert "care_duration: release 2025 is new (1 row)" in said
    assert f"Snapshot {current_snapshot(store).identifier[:12]}" in said
    assert call(files=[newer], store=store) == 0
    assert capsys.readouterr().out == "nothing new\n"


def test_json_says_the_same(store, newer, capsys):
    assert call("latest", files=[newer], store=store, as_json=True) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["changed"] and answer["exit_code"] == 0 and answer["held_reason"] is None
    assert answer["snapshot"] == current_snapshot(store).identifier
    assert answer["changes"][0]["new_releases"] == ["2025"]


def test_a_dry_run_stores_nothing(store, newer, capsys):
    assert call(files=[newer], store=store, dry_run=True) == 0
    assert "Nothing was stored" in capsys.readouterr().out and not store.exists()


def test_a_refused_file_is_exit_2_and_named(store, tmp_path, capsys):
    file = tmp_path / "care_duration.csv"
    file.write_text("release,year,measure,days,source\n2025,2025,x,-5,S01\n", encoding="utf-8")
    assert call(files=[file], store=store, as_json=True) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["file"] == "care_duration.csv" and "row 2" in error["field"] and error["next step"]
    assert not store.exists()


def test_without_files_and_sources_nothing_is_contacted(store, capsys):
    assert call("latest", store=store) == 2
    assert "--from FILE" in capsys.readouterr().err


def _spec(tmp_path, url):
    file = tmp_path / "mine.toml"
    file.write_text(
        f"""
        name = "mine"
        [[data.sources]]
        name = "length of care"
        kind = "ees"
        base_url = "{url}/statistics"
        data_set = "{UUID}"
        version = "2.0"
        source = "EES25"
        [[data.sources.tables]]
        table = "care_duration"
        value = "days"
        words = {{ measure = {{ column = "measure", labels = {{ "Mean days" = "{MEASURE}" }} }} }}
        """,
        encoding="utf-8",
    )
    return str(file)


def test_a_major_version_is_exit_4_with_its_reason(store, tmp_path, capsys):
    deleted = {"indicators": [{"previousState": model("IndicatorViewModel", label="Mean days")}]}
    with publishers() as fake:
        DataSet(ROWS, version="3.0", major=deleted).serve(fake)
        assert call(_spec(tmp_path, fake.url), store=store, as_json=True) == 4
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == 4 and "Mean days deleted" in answer["held_reason"]
    assert not answer["changed"] and not store.exists()


def test_sources_are_asked_and_a_source_that_is_down_is_exit_5(store, tmp_path, capsys, monkeypatch):
    with publishers() as fake:
        DataSet(ROWS).serve(fake)
        spec = _spec(tmp_path, fake.url)
        assert call(spec, store=store) == 0
        assert "release 2025 is new" in capsys.readouterr().out
    monkeypatch.setattr("time.sleep", lambda _: None)
    from cba.inputs.releases import update as door
    from cba.inputs.releases.http_client import Pace

    monkeypatch.setattr(door, "Pace", lambda: Pace(attempts=2, sleep=lambda _: None))
    assert call(spec, store=store) == 5
    assert "gave no usable answer" in capsys.readouterr().err


def test_words_after_from_are_files(tmp_path):
    spec, files = split_words(["latest", "b.csv"], files=[tmp_path / "a.csv"])
    assert spec == "latest" and [file.name for file in files] == ["a.csv", "b.csv"]
    for words, given in ((["a.csv"], []), (["one", "two"], [tmp_path])):
        with pytest.raises(InputError, match="neither an analysis nor a file") as caught:
            split_words(words, files=given)
        assert "--from" in caught.value.details["next step"]


def test_the_command_takes_a_shell_pattern(tmp_path, store, newer):
    app = typer.Typer()
    app.command("update")(update)
    from typer.testing import CliRunner

    words = ["--from", str(newer), str(made.write(made.needs_rows(2024), tmp_path / "needs.csv"))]
    found = CliRunner().invoke(app, [*words, "--store", str(store)])
    assert found.exit_code == 0 and "release 2025 is new" in found.output
