"""A whole re-run, nothing made up, where one prior moved: stored draws re-weighted, against a fit made again."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from cba.cli.update import doors
from cba.inputs.files import priors_folder, reading_from
from cba.runs.rerun import rerun
from cba.runs.stages import ordinary_stages

SPEC = """schema = 1
name = "moved"
title = "One prior moves"
frame = "latest"
release = 2024
evidence_until = 2026
stances = ["evidence"]
options = ["bau", "kinship_only"]
start_year = 2026
horizon = 10
long_horizon = 10
target_year = 2032
price_base = 2024
draws = 1000
tune = 1000
chains = 4
seed = 3
"""


def with_a_moved_prior(folder):
    """Copy the registry; unaccompanied starts come back a little faster."""
    shutil.copytree(priors_folder(), folder)
    file = folder / "baseline.toml"
    entry, rest = file.read_text(encoding="utf-8").split("[baseline.uasc_persistence]", 1)
    moved = rest.replace("alpha = 8.0", "alpha = 7.0", 1)
    assert moved != rest
    file.write_text(f"{entry}[baseline.uasc_persistence]{moved}", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_re_run_re_weights_where_one_prior_moved_and_finds_what_a_fit_finds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "moved.toml"
    spec.write_text(SPEC, encoding="utf-8")
    first = rerun(spec, root=tmp_path / "reports", doors=doors()).run
    assert first.manifest["fits"]["evidence"]["baseline"] == {"made_by": "fitted"}
    with reading_from(priors=with_a_moved_prior(tmp_path / "priors")):
        second = rerun(spec, root=tmp_path / "reports", doors=doors()).run
        again = rerun(spec, root=tmp_path / "reports", doors=doors())
        anew = replace(doors(), stages=ordinary_stages, compare=None, score=None)
        oracle = rerun(spec, root=tmp_path / "elsewhere", doors=anew).run
    made = second.manifest["fits"]["evidence"]
    assert made["effects"] == {"made_by": "fitted"}, "its priors did not move: the kept fit serves"
    assert made["baseline"]["made_by"] == "re-weighted"
    assert made["baseline"]["moved"] == "baseline.uasc_persistence" and made["baseline"]["pareto_k"] < 0.7
    assert again.status == "no change"
    assert oracle.manifest["fits"]["evidence"]["baseline"] == {"made_by": "fitted"}
    _agree(second, oracle)


def _agree(run, oracle):
    """Every mean within four of the errors the two state, weights counted in the first."""
    found, wanted = run.headline["results"], oracle.headline["results"]
    assert set(found) == set(wanted)
    for key, entry in wanted.items():
        if entry["mean"] is None or not entry["mcse"]:
            continue
        error = np.hypot(entry["mcse"], 1.5 * found[key]["mcse"])
        assert abs(found[key]["mean"] - entry["mean"]) <= 4 * error, key
