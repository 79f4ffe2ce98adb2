"""``cba report``: what it makes again, what it keeps, and that a refusal leaves the run as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cba.cli import main
from cba.inputs.files import published_folder, shipped_published_folder
from cba.runs.reading import find_run
from cba.runs.whole_files import sealed, to_json
from tests.cli.test_cli import SMALL, answer
from tests.fakes import stages_of


@pytest.fixture
def stored(tmp_path, monkeypatch, capsys):
    """One stored run of made-up stages; its page, workbook and checklist are made of what they are given."""
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(SMALL)
    monkeypatch.setattr("cba.runs.stages.ordinary_stages", lambda **_: stages_of())

    class Stored:
        @staticmethod
        def from_directory(path, *, lazy=False):
            return json.loads((Path(path) / "appraisal.json").read_text())["stance"]

    monkeypatch.setattr("cba.appraisal.record.Appraisal", Stored)
    monkeypatch.setattr("cba.cli.run.render", rendered)
    monkeypatch.setattr("cba.cli.run.write_beside", beside)
    return answer(capsys, "run", "small.toml")[1]


def rendered(appraisals, *, headline, manifest):
    told = {name: manifest[name] for name in ("comparison", "scores") if name in manifest}
    text = f"{list(appraisals.items())} {manifest['run']} {json.dumps(told)} {published_folder()}"
    return {"report.html": f"<html>{text}</html>"}


def beside(folder, *, appraisals, headline, manifest):
    (folder / "tables" / "checklist.csv").write_bytes(b"list")
    (folder / "workbook.xlsx").write_bytes(b"book")


def files_of(run: str) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in Path(run).rglob("*") if file.is_file()}


def test_it_renders_again_from_what_is_stored(stored, capsys):
    for name in ("small", "small/latest", stored["path"], stored["run"][:12]):
        code, content = answer(capsys, "report", name)
        assert code == 0 and Path(content["report"]).resolve() == Path(stored["report"]).resolve()
        assert content["workbook"] == "written" and "page" not in content
    text = Path(stored["report"]).read_text()
    assert "[('evidence', 'evidence'), ('sceptical', 'sceptical')]" in text and stored["run"] in text
    assert (Path(stored["path"]) / "workbook.xlsx").read_bytes() == b"book"
    assert answer(capsys, "runs", "--verify")[1]["runs"][0]["damage"] == []
    Path(stored["report"]).unlink()  # a lost report is made again; a lost number is not
    assert main(["report", "small"]) == 0 and Path(stored["report"]).is_file()


def test_a_run_of_another_version_that_lacks_what_the_page_shows_is_named(stored, monkeypatch, capsys):
    """A row that is not there is a fault of this code, unless other code stored the run."""

    def lacks(*given, **more):
        raise IndexError("single positional indexer is out-of-bounds")

    monkeypatch.setattr("cba.cli.run.render", lacks)
    before = files_of(stored["path"])
    assert main(["report", "small"]) == 1 and "IndexError" in capsys.readouterr().err
    manifest = json.loads((Path(stored["path"]) / "manifest.json").read_text())
    manifest["fingerprints"]["code"] = "0" * 64
    del manifest["manifest_sha256"]
    (Path(stored["path"]) / "manifest.json").write_text(to_json(sealed(manifest)))
    code, content = answer(capsys, "report", "small")
    assert code == 0 and content["page"] == "stored" and "IndexError" in content["why"]
    assert main(["report", "small"]) == 0
    assert f"version {manifest['code']['version']}; its page is the stored one" in capsys.readouterr().out
    assert {n: b for n, b in files_of(stored["path"]).items() if "manifest" not in n} == {
        n: b for n, b in before.items() if "manifest" not in n
    }
    Path(stored["report"]).write_text("another page")
    assert main(["report", "small"]) == 2
    told = capsys.readouterr().err
    assert "another version" in told and "run the analysis again" in told


def test_it_shows_what_changed_and_the_scores_that_a_re_run_kept(stored):
    kept = {"comparison": {"moved": ["unit costs"]}, "scores": {"added": [2026]}}
    for name, record in kept.items():
        (Path(stored["path"]) / f"{name}.json").write_text(to_json(sealed(record)))
    assert main(["report", "small"]) == 0
    assert json.dumps(kept) in Path(stored["report"]).read_text()
    (Path(stored["path"]) / "scores.json").unlink()
    assert main(["report", "small"]) == 0
    assert json.dumps({"comparison": kept["comparison"]}) in Path(stored["report"]).read_text()


@pytest.mark.parametrize(
    "content", ['{"moved": []}', to_json({**sealed({"moved": []}), "moved": ["data"]}), "{", "[]"]
)
def test_a_damaged_record_of_what_changed_is_named_and_nothing_is_written(stored, capsys, content):
    (Path(stored["path"]) / "comparison.json").write_text(content)
    before = files_of(stored["path"])
    code, said = answer(capsys, "report", "small")
    assert code == 1 and "comparison.json: damaged" in said["error"]["problem"]
    assert said["error"]["next step"] and files_of(stored["path"]) == before


def test_a_mistake_in_the_workbook_leaves_the_run_as_it_was(stored, capsys, monkeypatch):
    def mistaken(folder, **what):
        raise KeyError("a name that nobody draws")

    monkeypatch.setattr("cba.cli.run.write_beside", mistaken)
    before = files_of(stored["path"])
    assert main(["report", "small"]) == 1
    assert "KeyError" in capsys.readouterr().err and files_of(stored["path"]) == before


def test_a_run_of_a_snapshot_is_rendered_with_the_tables_it_read(stored, monkeypatch):
    assert main(["report", "small"]) == 0
    page = Path(stored["report"])
    assert str(shipped_published_folder()) in page.read_text()
    run = find_run("reports", "small")
    settings = run.manifest["settings"]
    settings["data"]["snapshot"] = "0" * 64  # a snapshot that is not there any more
    manifest = sealed({**run.manifest, "settings": settings})
    (run.path / "manifest.json").write_text(to_json(manifest))
    assert main(["report", "small"]) == 0
    assert ".inputs" in page.read_text() and str(shipped_published_folder()) not in page.read_text()
