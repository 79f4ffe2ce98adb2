"""A whole run with made-up stages: what is stored, what is merged, and what a failed gate leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cba.errors import GateError, InputError, StoreError
from cba.runs.execute import execute
from cba.runs.manifest import stale_inputs
from cba.runs.reading import list_runs, verify_run
from tests.fakes import OPTIONS, made_up, small_analysis, stages_of

APPRAISAL_FILES = (
    "appraisal.json",
    "draws.nc",
    "tables/npv.csv",
    "tables/priors.csv",
    "tables/convergence.csv",
)


@pytest.fixture
def run(tmp_path):
    return execute(small_analysis(), root=tmp_path, stages=stages_of())


def test_the_folder_holds_what_the_contract_names(run):
    assert verify_run(run.path) == []
    files = set(run.manifest["files"]) | {"manifest.json"}
    assert files == {
        "manifest.json",
        "headline.json",
        "report.html",
        "tables/npv.csv",
        "tables/priors.csv",
        "tables/convergence.csv",
        *(f"stances/{stance}/{name}" for stance in ("evidence", "sceptical") for name in APPRAISAL_FILES),
    }
    assert (run.path / "report.html").read_text() == f"<html>{run.name}</html>"


def test_the_headline_follows_the_contract(run):
    headline = json.loads((run.path / "headline.json").read_text())
    assert set(headline) == {"schema", "run", "results", "results_by_stance"} and headline["schema"] == 1
    assert list(headline["results_by_stance"]) == ["sceptical"]
    expected = made_up(small_analysis(), stance="evidence").results
    for key, entry in expected.items():
        found = headline["results"][key]
        for field, value in entry.items():
            undefined = isinstance(value, float) and np.isnan(value)
            assert found[field] == (None if undefined else value)  # the same double, or null
    assert headline["results"]["bcr.care_review"]["mean"] is None
    other = headline["results_by_stance"]["sceptical"]["npv_fiscal.care_review"]["mean"]
    assert other == made_up(small_analysis(), stance="sceptical").results["npv_fiscal.care_review"]["mean"]
    assert headline["run"]["run"] == run.name and "files" not in headline["run"]


def test_tables_name_the_stance_first_and_lose_no_digit(run):
    npv = pd.read_csv(run.path / "tables" / "npv.csv")
    assert npv.columns[0] == "stance" and npv["stance"].tolist() == ["evidence"] * 3 + ["sceptical"] * 3
    for stance in ("evidence", "sceptical"):
        expected = made_up(small_analysis(), stance=stance).tables["npv"]["mean"].to_numpy()
        np.testing.assert_array_equal(npv.loc[npv["stance"] == stance, "mean"].to_numpy(), expected)
    priors = pd.read_csv(run.path / "tables" / "priors.csv")
    assert priors.columns.tolist() == ["stance", "name", "q50", "set_by_stance"]
    assert priors["q50"].tolist() == [1 / 3, 1 / 3]


def test_the_manifest_says_what_when_and_under_which_licence(run):
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert manifest["stances"] == ["evidence", "sceptical"] and manifest["headline_stance"] == "evidence"
    assert manifest["seed"] == 0 and manifest["draws"] == 400 and manifest["options"] == list(OPTIONS)
    assert manifest["started"].endswith("Z") and manifest["started"] <= manifest["finished"]
    assert "Open Government Licence v3.0" in manifest["acknowledgement"]
    assert manifest["code"]["version"] and manifest["environment"]["libraries"]["xarray"]
    assert {"priors/effects.toml", "published/england_children.csv"} <= set(
        manifest["fingerprints"]["inputs"]
    )
    assert run.name.endswith(manifest["fingerprints"]["run"][:8])
    assert len(manifest["gates"]) == 4 and manifest["gates_passed"] is True
    assert {row["stance"] for row in manifest["gates"]} == {"evidence", "sceptical"}
    assert manifest["single_vintage_exceptions"] == ["GDP deflator: one vintage only"]
    assert all(source["licence"] for source in manifest["sources"])
    assert manifest["provenance"]["sceptical"]["stance"] == "sceptical"


def test_the_same_inputs_give_the_same_fingerprint_and_numbers(tmp_path):
    first = execute(small_analysis(), root=tmp_path, stages=stages_of())
    second = execute(small_analysis(), root=tmp_path, stages=stages_of())
    other = execute(small_analysis(seed=1), root=tmp_path, stages=stages_of())
    prints = [run.manifest["fingerprints"]["run"] for run in (first, second, other)]
    assert prints[0] == prints[1] != prints[2]
    assert first.headline["results"] == second.headline["results"] != other.headline["results"]
    assert [run.name for run in list_runs(tmp_path) if run.published] == [first.name]


def test_a_failed_gate_leaves_diagnostics_and_no_results(tmp_path):
    failures = ("R-hat: found 1.2, required 1.01 (level)", "divergences: found 7, required 0 (sampler)")

    def fails(analysis, *, stance, **fits):
        if stance == "sceptical":  # the second stance: nothing of the first may be kept either
            raise GateError("the effects model has not converged", failures)
        return made_up(analysis, stance=stance)

    with pytest.raises(GateError) as caught:
        execute(small_analysis(), root=tmp_path, stages=stages_of(appraise=fails))
    (place,) = (tmp_path / "small" / "failed").glob("*/diagnostics.json")
    assert caught.value.__notes__ == [str(place)]
    diagnostics = json.loads(place.read_text())
    assert diagnostics["failures"] == list(failures) and diagnostics["approvable"] is False
    assert "results" not in diagnostics and diagnostics["fingerprints"]["run"]
    assert list_runs(tmp_path) == []
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {place.relative_to(tmp_path).as_posix(), "small/.lock"}


def test_a_refused_input_writes_nothing(tmp_path):
    def refuses(analysis):
        raise InputError("a year is missing", file="england_children.csv")

    with pytest.raises(InputError):
        execute(small_analysis(), root=tmp_path / "reports", stages=replace(stages_of(), observe=refuses))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_computed(tmp_path):
    (tmp_path / "small").write_text("a file where the folder of the analysis belongs")

    def never(analysis):
        raise AssertionError("computed before the folder was tried")

    with pytest.raises(StoreError, match="cannot be written to"):
        execute(small_analysis(), root=tmp_path, stages=replace(stages_of(), observe=never))


def test_a_report_that_fails_or_a_full_disk_leaves_no_run(tmp_path):
    def full(appraisals, *, headline, manifest):
        with open("/dev/full", "wb", buffering=0) as device:
            device.write(b"0")

    with pytest.raises(StoreError, match="the disk is full"):
        execute(small_analysis(), root=tmp_path, stages=stages_of(render=full))

    def bug(appraisals, *, headline, manifest):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        execute(small_analysis(), root=tmp_path, stages=stages_of(render=bug))
    assert {path.name for path in (tmp_path / "small").iterdir()} == {".lock"}


def test_steps_are_told_in_order_and_numbered(tmp_path):
    told = []
    execute(small_analysis(), root=tmp_path, stages=stages_of(), progress=lambda *step: told.append(step))
    assert [what for what, _, _ in told] == [
        "observed series",
        "fit, evidence",
        "appraise, evidence",
        "fit, sceptical",
        "appraise, sceptical",
        "report",
    ]
    assert [done for _, done, _ in told] == list(range(6)) and {total for *_, total in told} == {6}


def test_the_fake_offers_nothing_the_real_appraisal_does_not():
    """The store is tested with made-up appraisals: every field it reads must exist on the real one."""
    from dataclasses import fields

    from cba.appraisal.record import Appraisal
    from tests.fakes import FakeAppraisal

    real = {field.name for field in fields(Appraisal)} | set(dir(Appraisal))
    assert {field.name for field in fields(FakeAppraisal)} | {"to_directory", "from_directory"} <= real


def test_root_may_be_text_and_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = execute(small_analysis(), root="reports", stages=stages_of())
    assert run.path == Path("reports") / "small" / run.name and (tmp_path / run.path).is_dir()


def test_reconciliation_is_summed_up_by_check_in_the_manifest():
    from cba.inputs.observations import load_observations
    from cba.inputs.reconciliation import reconcile
    from cba.runs.manifest import gate_rows

    table = reconcile(load_observations())
    spoiled = table.copy()
    spoiled.loc[5, "passed"] = False
    for given, failed in ((table, set()), (spoiled, {table.loc[5, "check"]})):
        appraisal = made_up(small_analysis())
        both = {
            stance: replace(appraisal, tables={"reconciliation": given})
            for stance in ("evidence", "sceptical")
        }
        rows = gate_rows(both)
        assert [row["check"] for row in rows] == list(dict.fromkeys(table["check"]))
        assert sum(row["years"] for row in rows) == len(table)
        assert {row["check"] for row in rows if not row["passed"]} == failed


def test_review_shares_the_fits_of_evidence(tmp_path):
    asked = []

    def fit(analysis, *, stance, observations, root):
        asked.append(stance)
        return stance, stance

    given = []

    def appraise(analysis, *, stance, baseline, effects, **shared):
        given.append((stance, baseline))
        return made_up(analysis, stance=stance)

    analysis = small_analysis(stances=("evidence", "sceptical", "review"))
    execute(analysis, root=tmp_path, stages=replace(stages_of(appraise=appraise), fit=fit))
    assert asked == ["evidence", "sceptical"]
    assert given == [("evidence", "evidence"), ("sceptical", "sceptical"), ("review", "evidence")]


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (date(2025, 3, 31), []),
        (date(2025, 4, 1), ["began on 1 April 2025"]),
        (date(2025, 7, 1), ["began on 1 April 2025", "since July 2025"]),
        (date(2025, 11, 30), ["began on 1 April 2025", "since July 2025"]),
        (date(2025, 12, 1), ["began on 1 April 2025", "since November 2025", "since July 2025"]),
    ],
)
def test_what_is_out_of_date_is_judged_on_the_day_of_the_run(day, said):
    settings = {"start_year": 2026, "release": 2024, "price_base": 2024, "frame": "latest"}
    found = stale_inputs(settings, on=day)
    assert len(found) == len(said) and all(part in words for part, words in zip(said, found, strict=True))
    assert stale_inputs(settings | {"frame": "review_2022"}, on=day) == []


def test_the_manifest_keeps_what_was_out_of_date(run):
    on = date.fromisoformat(run.manifest["finished"][:10])
    assert run.manifest["stale"] == stale_inputs(run.manifest["settings"], on=on)
