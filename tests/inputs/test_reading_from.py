"""Readers take the folders put in force, and only while they are in force."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from cba.errors import InputError
from cba.inputs.analyses import load_analysis
from cba.inputs.evidence import load_evidence
from cba.inputs.files import (
    options_folder,
    priors_folder,
    published_file,
    published_folder,
    published_in_force,
    reading_from,
    shipped_published_folder,
)
from cba.inputs.observations import load_observations, load_programme_rollout
from cba.inputs.options import load_options
from cba.inputs.prior_checks import load_plausibility
from cba.inputs.priors import load_priors


def _changed(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, (file, old)
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def other_published(tmp_path_factory) -> Path:
    """A copy of the published tables in which one figure of each kind differs."""
    folder = tmp_path_factory.mktemp("other") / "published"
    shutil.copytree(shipped_published_folder(), folder)
    _changed(
        folder / "care_duration.csv",
        "2010,2006,mean_days_final_period_of_care,820",
        "2010,2006,mean_days_final_period_of_care,821",
    )
    _changed(folder / "gdp_deflator.csv", "2009,69.566", "2009,69.567")
    _changed(
        folder / "unit_costs.csv", "england,England,adoption,2016,1010", "england,England,adoption,2016,1015"
    )
    _changed(folder / "spending_england.csv", "adoption,2009,214.206", "adoption,2009,214.207")
    _changed(folder / "evidence_effects.csv", "BEZECZKY2020_3m,family_help", "BEZECZKY2020_3x,family_help")
    rollout = (folder / "programme_rollout.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "programme_rollout.csv").write_text("".join(rollout[:-1]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def other_priors(tmp_path_factory) -> Path:
    """A copy of the priors with one belief, one option and one bound changed."""
    folder = tmp_path_factory.mktemp("other") / "priors"
    shutil.copytree(priors_folder(), folder)
    shutil.copy(folder / "options" / "kinship_only.toml", folder / "options" / "kinship_again.toml")
    _changed(folder / "options" / "kinship_again.toml", 'id = "kinship_only"', 'id = "kinship_again"')
    _changed(folder / "checks" / "plausibility.toml", "upper = 0.3\n", "upper = 0.31\n")
    return folder


def test_every_reader_of_published_tables_follows(other_published):
    before = load_observations()
    rows = len(load_programme_rollout())
    with reading_from(published=other_published):
        assert published_folder() == other_published and published_in_force()
        assert published_file("sources.csv").parent == other_published
        there = load_observations()
        assert len(load_programme_rollout()) == rows - 1
        assert "BEZECZKY2020_3x" in set(load_evidence().effects["study_id"])
    assert float(there["mean_days_in_care"].sel(year=2006)) == 821.0
    assert float(there["gdp_deflator"].sel(deflator_year=2009)) == 69.567
    assert float(there["unit_cost_weekly"].sel(year=2016, service="adoption")) == 1015.0
    assert float(there["spending"].sel(year=2009, line="adoption")) == 214.207
    differing = {str(name) for name in before.data_vars if not before[name].identical(there[name])}
    assert {"mean_days_in_care", "gdp_deflator", "unit_cost_weekly", "spending"} <= differing
    assert "stock" not in differing


def test_every_reader_of_priors_follows(other_priors):
    assert "kinship_again" not in {option.id for option in load_options()}
    with reading_from(priors=other_priors):
        assert priors_folder() == other_priors and options_folder() == other_priors / "options"
        assert "kinship_again" in {option.id for option in load_options()}
        assert load_priors()["foster.filled_share"].file.startswith(str(other_priors))
        assert load_plausibility()["fewer_children"].upper == 0.31
        assert published_folder() == shipped_published_folder()
    assert "kinship_again" not in {option.id for option in load_options()}


def test_an_analysis_is_checked_against_the_releases_in_force(tmp_path):
    folder = tmp_path / "published"
    shutil.copytree(shipped_published_folder(), folder)
    _changed(folder / "england_children.csv", "\n2024,", "\n2025,")
    with reading_from(published=folder):
        with pytest.raises(InputError, match="unknown release"):
            load_analysis("smoke")
        assert load_analysis("latest").release == 2025
    assert load_analysis("smoke").release == load_analysis("latest").release == 2024


def test_nothing_leaks(other_published, other_priors):
    first = load_observations()
    with reading_from(published=other_published):
        with reading_from(priors=other_priors):
            assert (published_folder(), priors_folder()) == (other_published, other_priors)
        assert priors_folder() != other_priors
        with reading_from(published=shipped_published_folder()):
            assert load_observations().identical(first)
        assert published_folder() == other_published
    with pytest.raises(KeyError), reading_from(published=other_published):
        raise KeyError
    assert published_folder() == shipped_published_folder() and not published_in_force()
    assert load_observations().identical(first)


def test_a_path_of_ones_own_wins(other_published):
    with reading_from(published=other_published):
        own = load_observations(path=shipped_published_folder())
    assert own.identical(load_observations())


def test_another_thread_does_not_see_it(other_published):
    seen: list[Path] = []
    with reading_from(published=other_published):
        worker = threading.Thread(target=lambda: seen.append(published_folder()))
        worker.start()
        worker.join()
    assert seen == [shipped_published_folder()]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist") as caught, reading_from(published=tmp_path / "x"):
        pass
    assert "restore the folder" in str(caught.value.details["next step"])
    with pytest.raises(InputError, match="published table is missing"), reading_from(published=tmp_path):
        published_file("sources.csv")
