"""Runs stored by another version of the package: named as such wherever their settings are read."""

from __future__ import annotations

import json

import pytest

from cba.errors import InputError
from cba.runs.compare import compare_runs
from cba.runs.execute import archived_analysis, execute
from cba.runs.reading import find_run, read_run
from cba.runs.whole_files import sealed, to_json
from tests.fakes import small_analysis, stages_of


@pytest.fixture
def two(tmp_path):
    """Two stored runs; the settings of the first hold a field that this version does not know."""
    for draws in (400, 800):
        execute(small_analysis(draws=draws), root=tmp_path, stages=stages_of())
    old, new = find_run(tmp_path, "small/published"), find_run(tmp_path, "small/latest")
    settings = {**old.manifest["settings"], "halo": 1}
    (old.path / "manifest.json").write_text(to_json(sealed({**old.manifest, "settings": settings})))
    return read_run(old.path), new


@pytest.mark.parametrize("earlier", [True, False])
def test_a_comparison_with_a_run_of_other_settings_is_refused(two, tmp_path, earlier):
    before, after = two if earlier else reversed(two)
    with pytest.raises(InputError, match="do not fit this version: an unknown field") as refused:
        compare_runs(before, after, root=tmp_path, fit=None)
    details = refused.value.details
    assert details["file"] == str(two[0].path / "manifest.json") and details["field"] == "settings.halo"
    assert details["usual cause"] == "stored by another version"
    assert details["next step"] == "compare runs of this version, or run the analysis again"


def test_a_replay_of_a_run_of_other_settings_is_refused(two, tmp_path, monkeypatch):
    (tmp_path / "analysis.json").write_text(json.dumps(two[0].manifest["settings"]))
    monkeypatch.setattr("cba.runs.execute.archived_inputs", lambda run: tmp_path)
    with pytest.raises(InputError, match="do not fit this version") as refused:
        archived_analysis(two[0])
    assert refused.value.details["field"] == "halo"
