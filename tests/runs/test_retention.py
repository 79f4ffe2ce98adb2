"""Retention: old runs go, with the inputs only they had; what people rely on stays."""

from __future__ import annotations

import pytest

from cba.errors import InputError
from cba.runs.execute import RunRequest, execute
from cba.runs.holds import approve_run
from cba.runs.reading import list_runs, verify_run
from cba.runs.store import archived_inputs, prune_runs, publish_run
from tests.fakes import small_analysis
from tests.runs.test_holds import shifted


def names(root):
    return [run.name for run in list_runs(root)]


@pytest.fixture
def seven(tmp_path):
    runs = [execute(small_analysis(seed=seed), root=tmp_path, stages=shifted(0.0)) for seed in range(5)]
    publish_run(runs[1])
    far = execute(small_analysis(), root=tmp_path, stages=shifted(3e9), request=RunRequest(by="Ann"))
    farther = execute(small_analysis(), root=tmp_path, stages=shifted(9e9), request=RunRequest(by="Ann"))
    approve_run(far, by="Bea", note="fine")
    publish_run(runs[1])
    return tmp_path, [*runs, far, farther]


def test_published_approved_held_and_newest_runs_stay(seven):
    root, runs = seven
    held, approved = runs[6], runs[5]
    extra = execute(small_analysis(seed=9), root=root, stages=shifted(0.0))
    would = prune_runs(root, keep=1, dry_run=True)
    assert len(names(root)) == 8 and would.bytes > 0
    done = prune_runs(root, keep=1)
    assert [run.name for run in done.runs] == [run.name for run in would.runs]
    assert {run.name for run in done.runs} == {runs[i].name for i in (0, 2, 3, 4)}
    assert set(names(root)) == {runs[1].name, approved.name, held.name, extra.name}
    for run in list_runs(root):
        assert verify_run(run.path) == [] and archived_inputs(run).is_dir()
    assert [run.published for run in list_runs(root) if run.name == runs[1].name] == [True]
    assert not list((root / "small").glob(".staging*"))


def test_only_inputs_that_no_run_names_are_removed(seven):
    root, runs = seven
    own = {run.name: run.manifest["inputs"]["analysis.json"]["sha256"] for run in runs}
    shared = runs[0].manifest["inputs"]["priors/costs.toml"]["sha256"]
    done = prune_runs(root, keep=1)
    gone = {place.name for place in done.inputs}
    assert {own[runs[i].name] for i in (2, 3, 4)} <= gone
    assert shared not in gone and own[runs[1].name] not in gone
    assert own[runs[0].name] not in gone  # the same analysis as the held run's, which stays


def test_a_damaged_run_is_left_for_a_person_and_nothing_archived_is_removed(seven):
    root, runs = seven
    (runs[0].path / "manifest.json").write_text("{}")
    done = prune_runs(root, keep=1)
    assert runs[0].path.is_dir() and done.inputs == ()


def test_each_analysis_keeps_its_own(tmp_path):
    for name in ("one", "two"):
        for seed in range(3):
            execute(small_analysis(name=name, seed=seed), root=tmp_path, stages=shifted(0.0))
    prune_runs(tmp_path, keep=1)
    assert sorted(run.analysis for run in list_runs(tmp_path)) == ["one", "one", "two", "two"]


def test_at_least_one_is_kept(tmp_path):
    with pytest.raises(InputError, match="too low") as caught:
        prune_runs(tmp_path, keep=0)
    assert caught.value.details["field"] == "--keep"
