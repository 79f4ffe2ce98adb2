"""``cba compare``: table, words, JSON and figure of a stored comparison; what is refused."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from cba.cli.compare import compare
from cba.errors import InputError
from cba.runs.compare_words import with_words

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
    """Two runs by name, and a comparison that is not worked out."""
    monkeypatch.setattr("cba.runs.stored_runs.find_run", lambda root, name: name)
    monkeypatch.setattr(
        "cba.runs.compare.compare_runs",
        lambda one, other, *, root, stance: SimpleNamespace(record=lambda: RECORD),
    )


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


def test_the_figure_is_written(compared, tmp_path):
    file = tmp_path / "change.svg"
    compare("a", "b", figure=file, as_json=True)
    assert "<svg" in file.read_text(encoding="utf-8")


def test_another_kind_of_figure_is_refused(compared, tmp_path):
    with pytest.raises(InputError, match="cannot be written") as refused:
        compare("a", "b", figure=tmp_path / "change.doc")
    assert refused.value.details["field"] == "--figure" and refused.value.details["found"] == "change.doc"


def test_an_option_that_is_not_in_both_runs_is_refused(compared):
    with pytest.raises(InputError, match="not in both runs") as refused:
        compare("a", "b", option="foster_only")
    assert refused.value.details["allowed"] == "care_review"
