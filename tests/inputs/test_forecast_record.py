"""Forecasts written down before what happened was read stay as they were written."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cba
from cba.dimensions import AGE_BANDS
from cba.inputs.observations import published_releases

RECORD = Path(cba.__file__).parent / "inputs" / "forecast_record"
WRITTEN = {
    "2024_shipped.csv": "20335921489bc6912bd379b2c6a21c9d59e0ce19c71bbf592efd6b1cef7e3c13",
    "2024_frozen.csv": "db25c5eb553ba41176fe8d7afbea142ade319c42479ddd96d4b01135b83c2169",
    "2024_frozen_authorities.csv": "b122ae63c8d74438a5f3f1f722b0f0433d8795eedd5b24e97ae294c548c8c98c",
    "former_candidates.csv": "9eda1a412a5e2bb69ab21e412095513e8a9363224efda73eafaf477f592b054b",
}
"""SHA-256 of each file as it was written; a forecast is never corrected."""


def test_every_forecast_stands_as_it_was_written():
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in RECORD.glob("*.csv")}
    assert found == WRITTEN


@pytest.fixture(scope="module")
def shipped():
    return pd.read_csv(RECORD / "2024_shipped.csv")


def test_it_is_of_one_version_and_begins_after_its_data(shipped):
    assert set(shipped["commit"]) == {"31ca633"} and set(shipped["release"]) == {2024}
    assert sorted(set(shipped["year"])) == list(range(2025, 2033))
    assert not shipped.duplicated(["year", "flow", "age", "unaccompanied"]).any()


def test_quantiles_rise_and_give_back_the_mean(shipped):
    quantiles = shipped.filter(regex=r"^q\d{3}$").to_numpy()
    assert quantiles.shape[1] == 200 and (np.diff(quantiles, axis=1) >= 0).all()
    # the mean of 200 quantiles leaves out a little of each tail, most where shocks are rare; cells are rounded
    np.testing.assert_allclose(quantiles.mean(axis=1), shipped["mean"], rtol=0.01, atol=0.1)


def test_ages_and_kinds_add_up_and_children_are_conserved(shipped):
    means = shipped.set_index(["flow", "unaccompanied", "age", "year"])["mean"]
    years = range(2025, 2033)
    for flow in ("stock", "starts", "ceases"):
        for year in years:
            by_age = sum(means[flow, "all", age, year] for age in AGE_BANDS)
            assert by_age == pytest.approx(means[flow, "all", "all", year], abs=0.5)
    for year in years:
        assert means["starts", "no", "all", year] + means["starts", "yes", "all", year] == pytest.approx(
            means["starts", "all", "all", year], abs=0.5
        )
    for year in years[1:]:
        change = means["stock", "all", "all", year] - means["stock", "all", "all", year - 1]
        flow = means["starts", "all", "all", year] - means["ceases", "all", "all", year]
        # what starts and ceases leave unexplained, the closure, is the same each year
        closure = change - flow
        assert abs(closure) < 0.01 * means["stock", "all", "all", year]


def test_it_is_what_that_version_published(shipped):
    """Its report said 90,000 children in March 2032, 68,000 to 107,000, to the nearest thousand or ten."""
    row = shipped.query("flow == 'stock' and age == 'all' and year == 2032").iloc[0]
    low, middle, high = (np.mean(row[[f"q{i:03d}", f"q{i + 1:03d}"]].astype(float)) for i in (10, 100, 190))
    assert (round(low, -3), round(high, -3)) == (68_000, 107_000)
    assert round(row["mean"], -4) == round(middle, -4) == 90_000


def test_no_later_release_is_read_before_the_forecast_is_frozen():
    """Release 2025 or later among the shipped tables asks for a commit named under Freeze, and what it froze."""
    changelog = (Path(cba.__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert refused_release(published_releases(), changelog, written=set(WRITTEN)) is None
    later = (*published_releases(), 2025)
    for words in ("", "## Freeze\n", "## Freeze\nCommit `abc`\n", "`0123abc`\n## Other\n"):
        assert refused_release(later, words, written=FROZEN) == 2025
    assert refused_release(later, "## Freeze\nCommit `0123abc` ...\n", written=FROZEN) is None
    assert refused_release(later, "## Freeze\nCommit `0123abc` ...\n", written={"2024_shipped.csv"}) == 2025


FROZEN = {"2024_frozen.csv", "2024_frozen_authorities.csv"}


def refused_release(releases, changelog, *, written):
    """The newest release, where it may not be shipped yet."""
    _, _, freeze = changelog.partition("## Freeze\n")
    named = re.search(r"`[0-9a-f]{7,40}`", freeze.partition("\n## ")[0])
    return max(releases) if max(releases) > 2024 and not (named and written >= FROZEN) else None
