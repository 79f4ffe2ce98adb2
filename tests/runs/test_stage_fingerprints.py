"""Fingerprints of stages: each moves with what the stage reads, and with nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cba.errors import InputError
from cba.inputs.files import priors_folder, published_folder, reading_from
from cba.runs import fingerprints
from tests.fakes import small_analysis

ALL = {
    "observations",
    "baseline/evidence",
    "baseline/sceptical",
    "effects/evidence",
    "effects/sceptical",
    "appraisal/evidence",
    "appraisal/sceptical",
    "report",
}
FITS = {name for name in ALL if "/" in name}
LATER = {"appraisal/evidence", "appraisal/sceptical", "report"}
EFFECTS = {"effects/evidence", "effects/sceptical"}
SCEPTIC = {"effects/sceptical", "appraisal/sceptical", "report"}
SAID, SAYS = r'^description = "', 'description = "Otherwise: '


def prints(**changes) -> dict[str, str]:
    settings = small_analysis(**changes).model_dump(mode="json", by_alias=True)
    return fingerprints.stage_fingerprints(settings)


def moved(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after.get(name)}


@pytest.fixture
def mine(tmp_path):
    """Copies of priors and tables that a test may edit."""
    priors, published = tmp_path / "priors", tmp_path / "published"
    shutil.copytree(priors_folder(), priors)
    shutil.copytree(published_folder(), published)
    with reading_from(priors=priors, published=published):
        yield tmp_path


def edit(file: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, file.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1
    file.write_text(text)


def test_copies_of_the_same_files_give_the_same_fingerprints(mine):
    assert set(prints()) == ALL
    with reading_from(priors=mine / "priors"):
        assert prints() == prints()


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"title": "Another"}, {"report"}),
        ({"seed": 1}, ALL - {"observations"}),
        ({"draws": 800}, ALL - {"observations"}),
        ({"price_base": 2023}, LATER),
        ({"level": 0.8}, LATER),
        ({"release": 2022}, ALL),
        ({"evidence_until": 2023}, EFFECTS | LATER),
        ({"stances": ("sceptical", "evidence")}, LATER),
        ({"gates": {"rhat": 1.02}}, ALL - {"observations"}),
    ],
)
def test_settings_move_the_stages_that_use_them(changes, expected):
    assert moved(prints(), prints(**changes)) == expected


def test_another_stance_leaves_those_before_it_alone():
    one, two = prints(stances=("evidence", "sceptical")), prints(stances=("evidence", "sceptical", "review"))
    assert moved(one, two) == {"report"} and set(two) - set(one) == {"appraisal/review"}


@pytest.mark.parametrize(
    "file, pattern, new, expected",
    [
        ("priors/costs.toml", r"\A", "# a comment\n", set()),
        ("priors/costs.toml", SAID, SAYS, LATER),
        ("priors/baseline.toml", SAID, SAYS, ALL - {"observations"} - EFFECTS),
        ("priors/effects.toml", SAID, SAYS, EFFECTS | LATER),
        ("priors/stances.toml", r'reason = "', 'reason = "otherwise: ', SCEPTIC),
        ("priors/studies/study_costs.toml", SAID, SAYS, LATER),
        ("priors/options/care_review.toml", r'^label = "', 'label = "Otherwise: ', LATER),
        ("published/england_children.csv", r"\n\Z", "\n\n", ALL),
        ("published/evidence_effects.csv", r"\n\Z", "\n\n", EFFECTS | LATER),
    ],
)  # fmt: skip
def test_files_move_the_stages_that_read_them(mine, file, pattern, new, expected):
    before = prints()
    edit(mine / file, pattern, new)
    assert moved(before, prints()) == expected


def test_an_override_moves_its_own_stance_only(mine):
    before = prints()
    edit(
        mine / "priors" / "delivery.toml",
        r'"0\.05" = -0\.04, "0\.95" = 0\.04',
        '"0.05" = -0.05, "0.95" = 0.05',
    )
    assert moved(before, prints()) == {"appraisal/sceptical", "report"}


@pytest.mark.parametrize(
    "file, expected",
    [
        ("errors.py", ALL - {"report"}),
        ("inputs/new.py", ALL - {"report"}),
        ("models/new.py", FITS),
        ("costs/new.py", {"appraisal/evidence", "appraisal/sceptical"}),
        ("schedules.toml", {"appraisal/evidence", "appraisal/sceptical"}),
        ("tables/measures.toml", {"appraisal/evidence", "appraisal/sceptical"}),
        ("reporting/templates/page.html.j2", set()),
        ("runs/new.py", set()),
        ("cli/new.py", set()),
    ],
)
def test_code_moves_the_stages_of_its_room_and_those_after(tmp_path, monkeypatch, file, expected):
    package = tmp_path / "cba"
    shutil.copytree(fingerprints.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprints, "PACKAGE", package)
    before = prints()
    place = package / file
    place.write_text((place.read_text() if place.is_file() else "") + "\nx = 1\n")
    after = moved(before, prints())
    assert after - {"report"} == expected
    assert ("report" in after) == (bool(expected) or file.startswith("reporting"))


def test_a_broken_file_is_refused_with_its_name(mine):
    (mine / "priors" / "costs.toml").write_text("a = \n")
    with pytest.raises(InputError) as caught:
        prints()
    assert "costs.toml" in str(caught.value)
