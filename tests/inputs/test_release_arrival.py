"""Releases arrive in order, never seen before and with revised history, and end in the tables we ship."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cba.inputs.files import reading_from, shipped_published_folder
from cba.inputs.observations import load_observations
from cba.inputs.releases.snapshots import current_snapshot, folder_identifier
from cba.inputs.releases.update import update_from_files
from tests.inputs import release_files as made


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """Let 2022, 2023 and 2024 arrive one after the other in a store that knows nothing after 2021."""
    place = tmp_path_factory.mktemp("rehearsal")
    parent = made.stripped_to(2021, place / "then")
    outcomes = {}
    for release in (2022, 2023, 2024):
        folder = place / str(release)
        files = made.release_files(release, folder) + made.rest_files(release, folder)
        with reading_from(published=parent):
            outcomes[release] = update_from_files(files, store=place / "store")
    yield place, outcomes
    made.removable(place / "store")


@pytest.mark.parametrize("release", [2022, 2023, 2024])
def test_each_release_is_as_the_shipped_tables_have_it(rehearsed, release):
    _, outcomes = rehearsed
    folder = outcomes[release].snapshot.folder
    ours = load_observations(release, path=folder)
    shipped = load_observations(release)
    assert int(ours.attrs["release"]) == release
    assert outcomes[release].changed and outcomes[release].held_reason is None
    over_england = [
        name for name in shipped if "year" in shipped[name].dims and "authority" not in shipped[name].dims
    ]
    single_vintage = {"population_0_17", "children_in_need"}  # cut by year, not by what was known
    for name in [one for one in over_england if one not in single_vintage]:
        assert ours[name].equals(shipped[name]), name
    councils = [
        name for name in shipped if str(name).endswith("_by_authority") and "year" in shipped[name].dims
    ]
    for name in councils:
        known = ours[name].authority
        there = shipped[name].dropna("authority", how="all").authority
        assert set(there.values) <= set(known.values), name
        np.testing.assert_array_equal(
            ours[name].sel(authority=there.values).values,
            shipped[name].sel(authority=there.values).values,
            str(name),
        )


def test_the_end_is_what_we_ship_to_the_last_byte(rehearsed):
    place, outcomes = rehearsed
    last = outcomes[2024].snapshot
    assert last.identifier == folder_identifier(shipped_published_folder())
    assert current_snapshot(place / "store") == last
    for file in shipped_published_folder().glob("*.csv"):
        assert (last.folder / file.name).read_bytes() == file.read_bytes(), file.name
    with reading_from(published=last.folder):
        assert load_observations().equals(load_observations(path=shipped_published_folder()))


@pytest.mark.parametrize(
    ("release", "first", "revised"),  # first figure of the year before, and its first revision
    [(2022, "80,850", "80,780"), (2023, "82,170", "82,080"), (2024, "83,840", "83,760")],
)
def test_revised_history_is_recorded_and_said(rehearsed, release, first, revised):
    _, outcomes = rehearsed
    said = next(one for one in outcomes[release].summary if one.startswith("england_children"))
    assert f"release {release} is new" in said
    assert f"stock total total {release - 1} from {first} to {revised}" in said
    record = json.loads((outcomes[release].snapshot.folder / "snapshot.json").read_text(encoding="utf-8"))
    england = next(one for one in record["changes"] if one["table"] == "england_children")
    plain = {(one["figure"], one["before"], one["after"]) for one in england["revisions"]}
    digits = first.replace(",", ""), revised.replace(",", "")
    assert (f"stock total total {release - 1}", *digits) in plain
    assert england["revised"] >= len(england["revisions"]) > 20


def test_parents_and_releases_are_on_record(rehearsed):
    _, outcomes = rehearsed
    assert outcomes[2023].snapshot.parent == outcomes[2022].snapshot.identifier
    assert outcomes[2024].snapshot.parent == outcomes[2023].snapshot.identifier
    assert outcomes[2023].snapshot.releases["england_children"][-1] == "2023"
    names = {source.name for source in outcomes[2023].snapshot.sources}
    assert {"england_2023.csv", "england_2022.csv"} <= names
    assert all(len(source.sha256) == 64 and source.licence for source in outcomes[2023].snapshot.sources)


def test_authorities_that_are_new_are_named(rehearsed):
    _, outcomes = rehearsed
    assert "authority 940 North Northamptonshire is new" in outcomes[2022].summary
    codes = made.table("authorities", outcomes[2022].snapshot.folder).set_index("authority")
    assert codes.loc["940", "region"] == "East Midlands" and codes.loc["383", "last_year"] == "2022"


def test_the_same_files_again_are_nothing_new(rehearsed):
    place, outcomes = rehearsed
    files = made.release_files(2024, place / "again")
    again = update_from_files(files, store=place / "store")
    assert not again.changed and again.summary == ("nothing new",)
    assert again.snapshot == outcomes[2024].snapshot
