"""``cba compare``: table, words, JSON and figure of a stored comparison; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cba.cli import main
from cba.cli.runs import compare
from cba.errors import InputError
from cba.runs.comparison import with_words
from cba.runs.execute import execute
from cba.runs.reading import RunRecord
from tests.fakes import small_analysis, stages_of

SHARES = {
    "data": {"value": 0.0, "mcse": 0.0, "within_error": True},
    "priors and evidence": {"value": 7e5, "mcse": 3e5, "within_error": False},
    "unit costs": {"value": -2.7e6, "mcse": 2e5, "within_error": False},
    "prices and schedule": {"value": 0.0, "mcse": 0.0, "within_error": True},
    "options": {"value": 0.0, "mcse": 0.0, "within_error": True},
    "code": {"value": 0.0, "mcse": 0.0, "within_error": True},
}
NUMBERS = {
    "before": "latest/a",
    "after": "latest/b",
    "stance": "evidence",
    "moved": ["priors and evidence", "unit costs"],
    "notes": ["A note."],
    "settings": {"options": ["bau", "care_review"]},
    "changes": [
        {
            "key": "npv_fiscal.care_review",
            "label": "Fiscal net present value",
            "unit": "GBP",
            "before": -9.105e9,
            "after": -9.107e9,
            "difference": -2e6,
            "mcse": 1.5e5,
            "within_error": False,
            "shares": SHARES,
        }
    ],
}
RECORD = with_words(NUMBERS)


@pytest.fixture
def compared(monkeypatch):
    """Two runs by name, and a comparison that is not worked out; the list says how often it was asked for."""
    asked = []

    def compare_runs(one, other, *, root, stance):
        asked.append((one.name, other.name))
        return SimpleNamespace(record=lambda: RECORD)

    options = {"settings": {"options": ["bau", "care_review"]}}
    monkeypatch.setattr(
        "cba.runs.reading.find_run", lambda root, name: RunRecord(Path(name), "latest", name, options)
    )
    monkeypatch.setattr("cba.runs.compare.compare_runs", compare_runs)
    return asked


def test_it_prints_a_table_and_sentences(compared, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    compare("a", "b")
    said = " ".join(capsys.readouterr().out.split())
    assert "unit costs -£2.7m, priors and evidence +£0.7m" in said
    assert "npv_fiscal.care_review" in said and "A note." in said


def test_json_holds_every_number_and_the_words(compared, capsys):
    compare("a", "b", as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["changes"] == RECORD["changes"] and answer["exit_code"] == 0
    assert answer["sentences"][-1] == "A note."


def test_an_option_that_is_not_in_both_runs_is_refused(compared):
    with pytest.raises(InputError, match="not in both runs") as refused:
        compare("a", "b", option="foster_only")
    assert refused.value.details["allowed"] == "care_review" and compared == []


@pytest.fixture
def analysis_called_latest(tmp_path, monkeypatch):
    """Two stored runs of an analysis called as the shipped one is; readers see the first."""
    monkeypatch.chdir(tmp_path)
    for draws in (400, 800):
        analysis = small_analysis(name="latest", draws=draws)
        execute(analysis, root="reports", stages=stages_of())
    asked = []

    def compare_runs(one, other, *, root, stance):
        asked.append((one.published, other.published))
        return SimpleNamespace(record=lambda: RECORD)

    monkeypatch.setattr("cba.runs.compare.compare_runs", compare_runs)
    return asked


def test_the_words_of_the_readme_mean_the_published_and_the_newest_run(analysis_called_latest, capsys):
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    (line,) = (line for line in readme.splitlines() if line.startswith("    cba compare "))
    words = line.partition("#")[0].split()[1:]
    assert main(words) == 0 and analysis_called_latest == [(True, False)]


@pytest.mark.parametrize("words", [("published", "latest"), ("latest", "latest/published")])
def test_two_words_for_one_run_are_refused(analysis_called_latest, capsys, words):
    assert main(["compare", *words, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["problem"] == "both words mean the same run" and "ANALYSIS/latest" in error["next step"]
    assert all(f"`{word}`" in error["found"] for word in words) and analysis_called_latest == []
