"""``cba council``: the table on the screen and in JSON is that of the appraisal, and a wrong name is helped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cba.appraisal.council_view import council_view
from cba.cli.council import council
from cba.errors import InputError
from tests.appraisal.made_workings import made_workings


@pytest.fixture
def worked(monkeypatch):
    asked = []

    def made(analysis, *, stance, root):
        asked.append((analysis, stance))
        return made_workings()

    monkeypatch.setattr("cba.cli.council.worked_analysis", made)
    return asked


def test_json_holds_every_row(worked, capsys):
    council("Leeds", as_json=True, root=Path("reports"))
    answer = json.loads(capsys.readouterr().out)
    view = council_view(made_workings(), "Leeds")
    assert len(answer["rows"]) == len(view) and answer["exit_code"] == 0
    assert answer["rows"][0]["mean"] == pytest.approx(view["mean"].iloc[0])
    assert worked == [("latest", "evidence")]


def test_the_screen_names_the_council_the_years_and_who_pays(worked, capsys):
    council("383", root=Path("reports"))
    said = capsys.readouterr().out
    for words in ("Leeds: care_review", "2025-26", "2028-29", "Freed", "Department", "Councils"):
        assert words in said


def test_an_unknown_name_is_refused_with_near_ones(worked):
    with pytest.raises(InputError, match="an unknown authority") as caught:
        council("Leds", root=Path("reports"))
    assert "did you mean Leeds" in str(caught.value)
