"""Specifications of analyses: loaded by path or name, and every mistake refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cba.errors import InputError
from cba.inputs.analyses import load_analysis

HERE = Path(__file__).parent
OPTIONS = HERE / "valid_options"
SMALL = HERE / "valid_analyses" / "small.toml"
MISTAKES = {  # file: (field, words of the problem, words of the next step)
    "option_unknown.toml": ("options", "unknown option", "did you mean programme?"),
    "option_twice.toml": ("options", "listed twice", "remove one"),
    "bau_not_first.toml": ("options", "not business as usual", "put bau first"),
    "stance_unknown.toml": ("stances.1", "allowed words", "allowed words"),
    "review_first.toml": ("stances", "cannot be the headline", "put evidence first"),
    "review_alone.toml": ("stances", "without `evidence`", "add evidence"),
    "schedule_unknown.toml": ("schedule", "allowed words", "allowed words"),
    "release_2020.toml": ("release", "unknown release", "listed release"),
    "start_already_observed.toml": ("start_year", "already observed", "2022-23 is 2023"),
    "target_before_start.toml": ("target_year", "outside the projection", "correct one"),
    "price_base_beyond_deflator.toml": ("price_base", "does not reach", "deflator covers"),
    "level_as_per_cent.toml": ("level", "too high", "correct the number"),
    "level_nan.toml": ("level", "NaN", "finite number"),
    "draws_not_multiple.toml": ("draws", "multiple of chains", "change one"),
    "seed_missing.toml": ("seed", "required field is missing", "`seed`"),
    "seed_negative.toml": ("seed", "below the lowest", "correct the number"),
    "field_unknown.toml": ("burn_in", "unknown field", "remove the field"),
    "gate_unknown.toml": ("gates.effective", "unknown field", "remove the field"),
    "frame_of_another_option.toml": ("options", "does not belong to the frame", "remove the option"),
    "evidence_from_the_future.toml": ("evidence_until", "after the start", "correct evidence_until"),
    "name_not_the_file.toml": ("name", "not the name of its file", "the same"),
    "key_twice.toml": (None, "appears twice", "remove or rename"),
    "horizons_swapped.toml": ("long_horizon", "shorter than the horizon", "correct one"),
    "mixture_not_summing.toml": ("mixture", "do not sum to 1", "never rescaled"),
    "mixture_with_review.toml": ("mixture.review", "`review` cannot be mixed", "read review beside"),
    "mixture_without_weights.toml": ("mixture", "do not come together", "write [mixture]"),
    "weights_without_mixture.toml": ("mixture", "do not come together", "remove the weights"),
}


def test_every_malformed_file_is_tested():
    assert {file.name for file in (HERE / "malformed_analyses").iterdir()} == set(MISTAKES)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_by_file_field_problem_and_remedy(name, tmp_path):
    field, problem, remedy = MISTAKES[name]
    file = Path(shutil.copy(HERE / "malformed_analyses" / name, tmp_path / "mistake.toml"))
    with pytest.raises(InputError) as caught:
        load_analysis(file, options_path=OPTIONS)
    found = caught.value.details
    assert found["file"] == str(file)
    assert found["field"] == field
    assert problem in caught.value.problem
    assert remedy in str(found["next step"])


def test_defaults_are_ours_and_stated():
    analysis = load_analysis(SMALL, options_path=OPTIONS)
    assert (analysis.level, analysis.horizon, analysis.long_horizon) == (0.9, 10, 30)
    assert (analysis.gates.rhat, analysis.gates.bfmi, analysis.gates.divergences) == (1.01, 0.3, 0)
    assert analysis.gates.ess == 100
    assert analysis.data.sources == ()
    assert analysis.scenarios.review_price_year is None
    assert analysis.mid_year is False


def test_weights_of_a_mixture_are_read_and_change_the_fingerprint(tmp_path):
    text = SMALL.read_text(encoding="utf-8").replace('"sceptical", "review"]', '"sceptical", "mixture"]')
    found = []
    for weight in (0.7, 0.6):
        file = tmp_path / "small.toml"
        file.write_text(
            f"{text}\n[mixture]\nevidence = {weight}\nsceptical = {1 - weight}\n", encoding="utf-8"
        )
        found.append(load_analysis(file, options_path=OPTIONS))
    assert [analysis.mixture.evidence for analysis in found] == [0.7, 0.6]
    assert found[0].fingerprint() != found[1].fingerprint()
    assert load_analysis(SMALL, options_path=OPTIONS).mixture is None


def test_an_analysis_cannot_be_changed():
    analysis = load_analysis(SMALL, options_path=OPTIONS)
    with pytest.raises(ValueError, match="frozen"):
        analysis.seed = 1


def test_fingerprint_ignores_layout_and_sees_every_setting(tmp_path):
    text = SMALL.read_text(encoding="utf-8")
    original = load_analysis(SMALL, options_path=OPTIONS).fingerprint()

    def fingerprint(changed: str) -> str:
        file = tmp_path / "small.toml"
        file.write_text(changed, encoding="utf-8")
        return load_analysis(file, options_path=OPTIONS).fingerprint()

    assert fingerprint("# a comment\n" + text.replace("seed = 0", "seed    = 0")) == original
    for old, new in (("seed = 0", "seed = 1"), ("ess = 100", "ess = 101"), ("draws = 400", "draws = 404")):
        assert fingerprint(text.replace(old, new)) != original


def test_a_name_is_looked_up_here_first(tmp_path, monkeypatch):
    (tmp_path / "reports").mkdir()
    shutil.copy(SMALL, tmp_path / "reports" / "small.toml")
    monkeypatch.chdir(tmp_path)
    assert load_analysis("small", options_path=OPTIONS).title == "A small analysis"
    with pytest.raises(InputError, match="did you mean small") as caught:
        load_analysis("smal", options_path=OPTIONS)
    assert "small" in str(caught.value.details["allowed"])


def test_an_unwritten_path_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_analysis(tmp_path / "none.toml")


@pytest.mark.parametrize("name, release, start", [("review_2022", 2021, 2023), ("latest", None, None)])
def test_shipped_analyses_load_by_name_from_any_folder(name, release, start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    analysis = load_analysis(name)
    assert analysis.name == analysis.frame == name
    assert analysis.stances[0] == "evidence"
    assert analysis.target_year == 2032
    assert analysis.data.sources == ()
    if release:
        assert (analysis.release, analysis.evidence_until, analysis.start_year) == (release, 2022, start)
