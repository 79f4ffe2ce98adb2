"""A run stored by an earlier version is listed, opened and shown; what it was made with is told.

That it is compared with a run of this version is tested beside the goldens, for which that run is made.
"""

from __future__ import annotations

import hashlib
import json

import pandas as pd
import pytest

import cba
from tests.golden.goldens import bound_differences, same
from tests.golden.made import (
    ANALYST,
    SMALL,
    Shop,
    bound_numbers_of,
    headline_of,
    page_of,
    unpack_stored_run,
)

STANCE = "evidence"


def manifest_of(run):
    return json.loads((run / "manifest.json").read_text(encoding="utf-8"))


def stored_by_another_version(run, *, without):
    """Make the run one of other code whose tables lack a column, sealed as the store seals it."""
    table, column = without
    file = run / "stances" / STANCE / "tables" / f"{table}.csv"
    text = pd.read_csv(file, dtype=str).drop(columns=column).to_csv(index=False, lineterminator="\n")
    file.write_text(text, encoding="utf-8")
    manifest = manifest_of(run)
    del manifest["manifest_sha256"]
    manifest["fingerprints"]["code"] = "0" * 64
    entry = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text.encode())}
    manifest["files"][f"stances/{STANCE}/tables/{table}.csv"] = entry
    plain = json.dumps(manifest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    sealed = {**manifest, "manifest_sha256": hashlib.sha256(plain.encode()).hexdigest()}
    (run / "manifest.json").write_text(
        json.dumps(sealed, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def test_it_is_listed_with_its_version_and_every_file_is_sound(stored_shop, stored_run):
    run = stored_run
    (row,) = stored_shop.ask("runs", "--root", str(stored_shop.root), "--verify")["runs"]
    assert row["run"] == run.name and row["analysis"] == SMALL and row["damage"] == []
    assert row["published"] and row["stances"] == [STANCE]
    assert row["version"] == manifest_of(run)["code"]["version"]


def test_it_opens_with_the_results_tables_and_draws_it_was_stored_with(stored_run):
    run = stored_run
    appraisal = cba.Appraisal.from_directory(run / "stances" / STANCE)
    assert appraisal.stance == STANCE and appraisal.analysis.name == SMALL
    assert dict(appraisal.results) == headline_of(run)
    files = {file.stem for file in (run / "stances" / STANCE / "tables").glob("*.csv")}
    assert set(appraisal.tables) == files
    for option in appraisal.option_labels:
        draws = appraisal.npv.sel(option=option).values
        assert len(draws) == 100
        assert same(float(draws.mean()), appraisal.results[f"npv_fiscal.{option}"]["mean"])


def test_its_page_is_that_of_its_own_numbers(stored_run):
    results = headline_of(stored_run)
    numbers = [n for n in bound_numbers_of(page_of(stored_run)) if "key" in n]
    assert len(numbers) > 10
    for number in numbers:
        expected = results[number["key"]][number["field"]]
        assert number["value"] is None if expected is None else same(number["value"], expected), number


def test_its_report_shows_the_page_it_was_stored_with(reported):
    run, answer = reported["run"], reported["answer"]
    assert answer["exit_code"] == 0 and answer["run"] == run.name
    moved = bound_differences(bound_numbers_of(page_of(run)), reported["before"], at="page")
    assert moved == []  # it lacks what pages show now, so it keeps its own


def test_its_report_says_which_version_made_it(reported):
    version = manifest_of(reported["run"])["code"]["version"]
    said = {name: text for name, text in reported["answer"].items() if name not in ("report", "run")}
    assert version in json.dumps(said)


@pytest.fixture(scope="module")
def lacking(tmp_path_factory):
    """The stored run as one of another version, whose tables lack a column; its page before, and the answer."""
    shop = Shop(tmp_path_factory.mktemp("lacking") / "reports")
    run = unpack_stored_run(shop.root)
    stored_by_another_version(run, without=("cash_flow_by_year", "mean"))
    page = (run / "report.html").read_bytes()
    return shop, run, page, shop.ask("report", str(run), "--root", str(shop.root))


def test_of_another_version_that_lacks_a_column_its_page_stays_as_stored(lacking):
    shop, run, page, _ = lacking
    assert (run / "report.html").read_bytes() == page
    (row,) = shop.ask("runs", "--root", str(shop.root), "--verify")["runs"]
    assert row["damage"] == []


def test_of_another_version_that_lacks_a_column_its_stored_page_is_shown(lacking):
    _, run, _, answer = lacking
    assert answer["exit_code"] == 0 and answer["report"] == str(run / "report.html")


def test_who_ran_it_is_kept(stored_run):
    assert manifest_of(stored_run)["run_by"] == ANALYST
