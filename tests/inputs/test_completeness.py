"""What a release needs: a November with children alone, a release cut short, and the newest release asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import cba
from cba.errors import NeedsPerson
from cba.inputs.analyses import load_analysis
from cba.inputs.completeness import completeness, in_words, not_held, require_complete
from cba.inputs.files import shipped_published_folder
from cba.runs.rerun import newer_release_note, request_fingerprint


@pytest.fixture(scope="module")
def shipped():
    return cba.load_observations()


def without(observations, release, **series):
    """The same release with some series missing in its own year."""
    made = observations.copy(deep=True)
    for name, labels in series.items():
        at = {"year": release} | labels
        made[name].loc[at] = np.nan
    return made


def test_the_shipped_release_is_whole(shipped):
    assert set(completeness(shipped)["state"]) == {"held"} and not_held(shipped) == ()
    require_complete(shipped)


def test_a_november_without_money_is_carried_forward(shipped):
    release = int(shipped.attrs["release"])
    made = without(shipped, release, spending={}, unit_cost_weekly={}, children_in_need={})
    require_complete(made)
    lines = not_held(made)
    assert len(lines) == 4 and all(f"{release - 2}-{(release - 1) % 100:02d}" in line for line in lines)
    assert any(line.startswith("unit costs") and "unit_costs.csv" in line for line in lines)
    assert in_words(made)[0] == f"Release {release}: 10 of 14 series that a run reads are held"


def test_one_line_of_spending_is_enough_to_carry_forward(shipped):
    release = int(shipped.attrs["release"])
    lines = not_held(without(shipped, release, spending={"line": "residential_care"}))
    assert len(lines) == 1 and lines[0].startswith("spending on residential care")


@pytest.mark.parametrize(
    "series, labels, file",
    [
        ("starts_by_age", {"age": "16_plus"}, "england_children.csv"),
        ("population_0_17", {}, "population_england.csv"),
        ("uasc_stock", {}, "england_children.csv"),
    ],
)
def test_what_no_run_can_do_without_is_named_with_its_file(shipped, series, labels, file):
    release = int(shipped.attrs["release"])
    with pytest.raises(NeedsPerson) as caught:
        require_complete(without(shipped, release, **{series: labels}))
    details = caught.value.details
    assert details["file"] == file and f"held to {release - 1}" in details["found"]
    assert caught.value.exit_code == 4


def test_a_suppressed_authority_is_not_a_missing_release(shipped):
    release = int(shipped.attrs["release"])
    made = without(shipped, release, stock_by_authority={"authority": "201"})
    assert not_held(made) == ()


# -- the newest release -------------------------------------------------------------------------------------


def folder_with_release(place: Path, release: int) -> Path:
    """The shipped tables with the figures of the newest release printed again as a later one."""
    folder = shutil.copytree(shipped_published_folder(), place)
    table = folder / "england_children.csv"
    rows = table.read_text(encoding="utf-8").splitlines()
    newest = max(row.split(",", 1)[0] for row in rows[1:])
    again = [row.replace(newest, str(release)) for row in rows if row.startswith(f"{newest},{newest},")]
    table.write_text("\n".join([*rows, *again]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def analysis_file(tmp_path, monkeypatch):
    """Writes an analysis into an empty working folder; what is given replaces lines of ``latest``."""
    written = (Path(cba.__file__).parents[1] / "reports" / "latest.toml").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()

    def write(release, more=""):
        file = tmp_path / "latest.toml"
        file.write_text(
            written.replace('release = "newest"', f"release = {release}") + more, encoding="utf-8"
        )
        return file

    return write


def stored(place: Path, release: int) -> None:
    """Put tables with a later release into the store as the current snapshot."""
    from cba.inputs.releases.snapshots import write_snapshot

    content = folder_with_release(place / "content", release)
    write_snapshot(content, store=place / "reports" / ".data", parent="shipped")


def test_newest_is_the_newest_held_and_years_follow(analysis_file, tmp_path):
    newest = int(cba.load_observations().attrs["release"])
    file = analysis_file('"newest"')
    before = load_analysis(file)
    assert (before.release, before.start_year, before.price_base) == (newest, newest + 2, newest)
    asked = request_fingerprint(file)
    stored(tmp_path, newest + 1)
    after = load_analysis(file)
    assert (after.release, after.start_year, after.price_base) == (newest + 1, newest + 3, newest + 1)
    assert request_fingerprint(file) != asked and newer_release_note(file) == ()


def test_years_that_are_written_stay(analysis_file):
    newest = int(cba.load_observations().attrs["release"])
    file = analysis_file('"newest"\nstart_year = 2027\nprice_base = 2023')
    found = load_analysis(file)
    assert (found.release, found.start_year, found.price_base) == (newest, 2027, 2023)


def test_a_pinned_release_says_that_a_newer_one_is_held(analysis_file, tmp_path):
    newest = int(cba.load_observations().attrs["release"])
    file = analysis_file(f"{newest}\nstart_year = {newest + 2}\nprice_base = {newest}")
    assert load_analysis(file).release == newest and newer_release_note(file) == ()
    stored(tmp_path, newest + 1)
    (note,) = newer_release_note(file)
    assert f"release {newest + 1} is held" in note and f"release {newest}," in note
    assert newer_release_note("no_such_analysis") == ()


def test_newest_of_the_shipped_tables_alone_says_so_where_the_store_holds_more(analysis_file, tmp_path):
    newest = int(cba.load_observations().attrs["release"])
    file = analysis_file('"newest"', '\n[data]\nsnapshot = "shipped"\n')
    stored(tmp_path, newest + 1)
    assert load_analysis(file).release == newest
    assert newer_release_note(file)
