"""``cba council``: the table on the screen and in JSON is that of the appraisal, and a wrong name is helped."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from cba.cli.council import _children, council, council_sentences
from cba.errors import InputError
from cba.inputs.analyses import load_analysis
from cba.inputs.files import published_folder
from cba.inputs.releases.snapshots import current_snapshot
from cba.inputs.releases.update import update_from_files
from cba.reporting.numbers import pounds
from cba.tables.councils import council_options, council_view
from tests.appraisal.made_workings import made_workings
from tests.inputs import release_files as made

SNAPSHOT = """
schema = 1
name = "mine"
title = "Newer tables"
release = 2024
evidence_until = 2024
stances = ["evidence"]
options = ["bau", "care_review"]
start_year = 2026
target_year = 2032
price_base = 2024
draws = 400
tune = 400
chains = 4
seed = 0

[data]
snapshot = "current"
store = "{store}"
"""


@pytest.fixture
def worked(monkeypatch):
    """Workings that are not worked out; the list says for what, and from which tables."""
    asked = []

    def made_of(inputs, *, root):
        asked.append((inputs.analysis.name, inputs.stance, published_folder()))
        return made_workings()

    monkeypatch.setattr("cba.cli.council.worked_inputs", made_of)
    return asked


def test_json_holds_every_row(worked, capsys):
    council("Leeds", as_json=True, root=Path("reports"))
    answer = json.loads(capsys.readouterr().out)
    view = council_view(made_workings(), "Leeds", load_analysis("latest").lead_option)
    assert len(answer["options"]) == len(council_options(made_workings(), "Leeds"))
    assert len(answer["rows"]) == len(view) and answer["exit_code"] == 0
    assert answer["rows"][0]["mean"] == pytest.approx(view["mean"].iloc[0])
    assert [asked[:2] for asked in worked] == [("latest", "evidence")]


def test_the_screen_names_the_council_the_years_and_who_pays(worked, capsys):
    council("383", root=Path("reports"))
    said = capsys.readouterr().out
    for words in ("Leeds: of about", "2025-26", "2034-35", "Freed", "Department", "England's average"):
        assert words in said
    own = (
        council_options(made_workings(), "Leeds").set_index("option").loc[load_analysis("latest").lead_option]
    )
    more = "saves" if own["council_net_mean"] > 0 else "pays"
    assert f"the council {more} {pounds(abs(own['council_net_mean']))} more" in " ".join(said.split())


@pytest.mark.parametrize(
    "mean, lower, upper, words",
    [
        (0.0199, 0.0, 1.0, "fewer than one (0 to 1)"),
        (-0.4, -2.0, 1.0, "fewer than one (\N{MINUS SIGN}2 to 1)"),
        (3.2, 0.0, 8.0, "about 3 (0 to 8)"),
        (-2.6, -9.0, 2.0, "about \N{MINUS SIGN}3 (\N{MINUS SIGN}9 to 2)"),
        (0.0, 0.0, 0.0, "none (0 to 0)"),
    ],
)
def test_no_part_of_a_child_is_printed(mean, lower, upper, words):
    assert _children({"mean": mean, "lower": lower, "upper": upper}) == words


def test_no_year_of_noughts_is_printed_and_other_years_can_be_asked_for(worked, capsys):
    council("Rutland", years=12, root=Path("reports"))
    said = capsys.readouterr().out
    assert "2036-37" in said and "0.00 (0.00 to 0.00)" not in said


def test_a_council_with_nobody_in_care_is_told_so(worked, capsys):
    council("Isles of Scilly", root=Path("reports"))
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "Isles of Scilly: of about 0 children in care" in said
        and "would keep out none (90% interval 0 to 0)" in said
    )


def test_more_children_in_care_are_said_to_be_more():
    view, chosen = made_view(mean=-2.6, lower=-9.0, upper=2.0)
    assert "mine would bring in about 3 (90% interval \N{MINUS SIGN}2 to 9)" in council_sentences(
        view, chosen, interval="90% interval"
    )
    view, chosen = made_view(mean=2.6, lower=-2.0, upper=9.0)
    assert "mine would keep out about 3 (90% interval \N{MINUS SIGN}2 to 9)" in council_sentences(
        view, chosen, interval="90% interval"
    )


def made_view(**fewer):
    view = pd.DataFrame([{"kind": "in care", "year": 2032, "mean": 500.0}])
    money = {"council_net_mean": -2e6, "council_net_lower": -3e6, "council_net_upper": -1e6}
    about = {"counted_in": 2032, "name": "Leeds", "option": "mine", "first_year": 2026, "last_year": 2035}
    return view, about | money | {f"fewer_{end}": value for end, value in fewer.items()} | {"grant_mean": 5e6}


def test_an_unknown_name_is_refused_with_near_ones_before_anything_is_fitted(worked):
    with pytest.raises(InputError, match="an unknown authority") as caught:
        council("Leds", root=Path("reports"))
    assert "did you mean Leeds" in str(caught.value) and worked == []


def test_an_unknown_option_is_refused_before_anything_is_fitted(worked):
    with pytest.raises(InputError, match="no such option") as caught:
        council("Leeds", option="care_reveiw", root=Path("reports"))
    assert "care_review" in caught.value.details["allowed"] and worked == []


def test_an_option_of_other_authorities_is_refused_before_anything_is_fitted(worked):
    with pytest.raises(InputError, match="limited to other authorities") as caught:
        council("Leeds", analysis="review_2022", option="dfe_2023", root=Path("reports"))
    assert caught.value.details["found"] == "Leeds (383)" and worked == []


def test_the_tables_are_those_of_the_snapshot_that_the_analysis_names(worked, tmp_path):
    store = tmp_path / "store"
    row = {
        "release": "2025",
        "year": "2025",
        "measure": "mean_days_final_period_of_care",
        "days": "889",
        "source": "S01",
    }
    rows = made.pd.concat([made.table("care_duration"), made.pd.DataFrame([row])])
    update_from_files([made.write(rows, tmp_path / "care_duration.csv")], store=store)
    spec = tmp_path / "mine.toml"
    spec.write_text(SNAPSHOT.format(store=store), encoding="utf-8")
    council("Leeds", analysis=str(spec), root=tmp_path)
    assert [asked[2] for asked in worked] == [current_snapshot(store).folder]
    made.removable(store)
