"""Stages read from the store: the same run without the work, and never from a damaged or other copy."""

from __future__ import annotations

import filecmp
import json
from dataclasses import dataclass, replace

import pandas as pd
import pytest
import xarray as xr

from cba.runs.execute import execute, replay_run
from cba.runs.reading import verify_run
from cba.runs.stages import ordinary_stages, stored_appraisal
from tests.fakes import FakeAppraisal, made_up, small_analysis, stages_of


@dataclass(frozen=True)
class Readable(FakeAppraisal):
    """A made-up appraisal that can be read back."""

    @classmethod
    def from_directory(cls, folder, *, lazy=False):
        from cba.inputs.analyses import Analysis

        record = json.loads((folder / "appraisal.json").read_text())
        npv = xr.open_dataset(folder / "draws.nc", engine="h5netcdf")["npv"].load()
        tables = {file.stem: pd.read_csv(file) for file in sorted((folder / "tables").glob("*.csv"))}
        analysis = Analysis.model_validate(small_analysis().model_dump(mode="json", by_alias=True))
        return cls(analysis, record["stance"], npv, tables, record["results"], record["provenance"])


@pytest.fixture
def counted(monkeypatch):
    """Stages that count what they make, read back from the store."""
    monkeypatch.setattr("cba.appraisal.record.Appraisal", Readable)
    made: list[str] = []

    def appraise(analysis, *, stance, **fits):
        made.append(stance)
        found = made_up(analysis, stance=stance)
        # a file holds no NaN: the real appraisal writes None too
        results = {k: {n: None if v != v else v for n, v in e.items()} for k, e in found.results.items()}
        return Readable(analysis, stance, found.npv, found.tables, results, found.provenance)

    stages = replace(
        stages_of(appraise=appraise),
        reuse=lambda root, **asked: stored_appraisal(root, **asked),
    )
    return stages, made


def same_numbers(one, two) -> bool:
    names = [n for n in one.manifest["files"] if n.startswith("tables/") or n.endswith(("draws.nc", ".csv"))]
    return names == [n for n in two.manifest["files"] if n in names] and all(
        filecmp.cmp(one.path / name, two.path / name, shallow=False) for name in names
    )


def test_the_second_run_makes_nothing_and_stores_the_same(tmp_path, counted):
    stages, made = counted
    first = execute(small_analysis(), root=tmp_path, stages=stages)
    second = execute(small_analysis(), root=tmp_path, stages=stages)
    assert made == ["evidence", "sceptical"]
    assert second.manifest["stages_read"] == {"evidence": first.name, "sceptical": first.name}
    assert same_numbers(first, second) and verify_run(second.path) == []
    assert first.headline["results"] == second.headline["results"]


def test_a_title_is_not_a_reason_to_work_and_the_record_takes_it(tmp_path, counted):
    stages, made = counted
    execute(small_analysis(), root=tmp_path, stages=stages)
    run = execute(small_analysis(title="Another"), root=tmp_path, stages=stages)
    record = json.loads((run.path / "stances" / "evidence" / "appraisal.json").read_text())
    assert made == ["evidence", "sceptical"] and record["analysis"]["title"] == "Another"
    assert record["provenance"]["fingerprints"]["analysis"] == small_analysis(title="Another").fingerprint()


def test_another_stance_is_made_and_those_stored_are_read(tmp_path, counted):
    stages, made = counted
    execute(small_analysis(), root=tmp_path, stages=stages)
    execute(small_analysis(stances=("evidence", "sceptical", "review")), root=tmp_path, stages=stages)
    assert made == ["evidence", "sceptical", "review"]


def test_a_change_is_made_anew(tmp_path, counted):
    stages, made = counted
    execute(small_analysis(), root=tmp_path, stages=stages)
    execute(small_analysis(seed=1), root=tmp_path, stages=stages)
    assert made == ["evidence", "sceptical"] * 2


def test_a_damaged_copy_is_named_and_made_anew(tmp_path, counted, capsys):
    stages, made = counted
    first = execute(small_analysis(), root=tmp_path, stages=stages)
    file = first.path / "stances" / "sceptical" / "draws.nc"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    second = execute(small_analysis(), root=tmp_path, stages=stages)
    assert made == ["evidence", "sceptical", "sceptical"]
    assert f"{file} is damaged" in capsys.readouterr().err
    assert verify_run(second.path) == [] and list(second.manifest["stages_read"]) == ["evidence"]


@pytest.mark.slow
def test_a_real_run_is_read_and_replayed_to_the_last_bit(tmp_path):
    """Made fits, real appraisals: run, read back from the store, and replay after the priors have changed."""
    import shutil

    from cba.appraisal.inputs import read_inputs
    from cba.inputs.analyses import load_analysis
    from cba.inputs.files import priors_folder, reading_from
    from tests.made_fits import as_made_for, made_baseline, made_effects

    def fit(analysis, *, stance, observations, root):
        inputs = read_inputs(analysis, stance=stance, observations=observations)
        return as_made_for(inputs, made_baseline(observations, inputs.priors), made_effects())

    analysis = load_analysis("smoke").model_copy(
        update={"draws": 100, "chains": 2, "stances": ("sceptical",)}
    )
    stages = replace(ordinary_stages(), fit=fit)
    first = execute(analysis, root=tmp_path, stages=stages)
    second = execute(analysis, root=tmp_path, stages=stages)
    assert second.manifest["stages_read"] == {"sceptical": first.name} and same_numbers(first, second)
    shutil.copytree(priors_folder(), tmp_path / "priors")
    costs = tmp_path / "priors" / "costs.toml"
    changed = costs.read_text().replace("quantiles = {", "quantiles = { ", 1)
    costs.write_text(changed.replace('"0.95" = 0', '"0.95" = 1', 1))
    with reading_from(priors=tmp_path / "priors"):
        again = replay_run(first, stages=stages)
    assert again["results"] == first.headline["results"]
