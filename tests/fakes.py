"""A made-up appraisal for testing what stores and prints one: few draws, arithmetic a reader can follow.

Nothing in it is a finding. `stages_of` puts made-up stages in the place of the models, so that a whole run
takes a fraction of a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.inputs.analyses import Analysis
from cba.runs.stages import Stages

OPTIONS = ("bau", "care_review", "kinship_only")


@dataclass(frozen=True)
class FakeAppraisal:
    """What the store reads of an appraisal."""

    analysis: Analysis
    stance: str
    npv: xr.DataArray
    tables: dict[str, pd.DataFrame]
    results: dict[str, dict[str, Any]]
    provenance: dict[str, Any]

    def to_directory(self, path: str | Path) -> None:
        folder = Path(path)
        (folder / "tables").mkdir(parents=True)
        content = {"stance": self.stance, "results": self.results, "provenance": self.provenance}
        (folder / "appraisal.json").write_text(json.dumps(content), encoding="utf-8")
        self.npv.to_dataset(name="npv").to_netcdf(folder / "draws.nc", engine="h5netcdf")
        for name, table in self.tables.items():
            table.to_csv(folder / "tables" / f"{name}.csv", index=False)


def small_analysis(**changes: Any) -> Analysis:
    """Return a specification with three options and two stances."""
    settings: dict[str, Any] = {
        "schema": 1,
        "name": "small",
        "title": "A small analysis",
        "release": 2024,
        "evidence_until": 2024,
        "stances": ("evidence", "sceptical"),
        "options": OPTIONS,
        "start_year": 2026,
        "target_year": 2032,
        "price_base": 2024,
        "draws": 400,
        "tune": 400,
        "chains": 4,
        "seed": 0,
    }
    return Analysis.model_validate(settings | changes)


def made_up(analysis: Analysis, *, stance: str = "evidence", shift: float = 0.0) -> FakeAppraisal:
    """Return an appraisal whose NPV is normal: mean -1bn (plus `shift`) times the position of the option."""
    rng = np.random.default_rng([analysis.seed, len(stance)])
    base = rng.standard_normal((analysis.draws, 1))
    position = np.arange(len(analysis.options))
    values = (base * 0.5e9 - 1e9 + shift) * position
    npv = xr.DataArray(
        values, dims=("sample", "option"), coords={"option": list(analysis.options)}, attrs={"units": "GBP"}
    )
    results = {}
    for option in analysis.options:
        results |= _results(npv.sel(option=option).values, option=option, year=analysis.target_year)
    return FakeAppraisal(analysis, stance, npv, _tables(npv), results, _provenance(stance))


def _results(npv: np.ndarray, *, option: str, year: int) -> dict[str, dict[str, Any]]:
    low, middle, high = (float(value) for value in np.quantile(npv, [0.05, 0.5, 0.95]))
    error = float(npv.std() / np.sqrt(npv.size))
    money = {
        "mean": float(npv.mean()),
        "median": middle,
        "lower": low,
        "upper": high,
        "level": 0.9,
        "mcse": error,
    }
    children = {key: value if key == "level" else value / -1e6 for key, value in money.items()} | {
        "mcse": error / 1e6
    }
    chance = float((npv > 0).mean())
    probability = {"median": None, "lower": None, "upper": None, "level": 0.9, "mcse": 0.004}
    undefined = dict.fromkeys(("mean", "median", "lower", "upper", "mcse")) | {"level": 0.9}
    return {
        f"npv_fiscal.{option}": {"label": "Net present value", "unit": "GBP", **money},
        f"fewer_children_{year}.{option}": {
            "label": "Fewer children in care",
            "unit": "children",
            **children,
        },
        f"prob_npv_positive.{option}": {
            "label": "Net saving",
            "unit": "probability",
            **probability,
            "mean": chance,
        },
        f"prob_fewer_30000_{year}.{option}": {
            "label": "30,000",
            "unit": "probability",
            **probability,
            "mean": 0.001,
        },
        f"prob_never.{option}": {"label": "Never", "unit": "probability", **probability, "mean": 1 - chance},
        f"payback_year.{option}": {"label": "Payback", "unit": "year", **undefined},
        f"bcr.{option}": {"label": "BCR", "unit": "ratio", **undefined, "mean": float("nan")},
    }


def _tables(npv: xr.DataArray) -> dict[str, pd.DataFrame]:
    frame = pd.DataFrame({"option": npv["option"].values, "mean": npv.mean("sample").values})
    gates = [
        ("baseline", "R-hat", 1.002, 1.01, "level", True),
        ("effects", "divergences", 0.0, 0.0, "sampler", True),
    ]
    return {
        "npv": frame,
        "priors": pd.DataFrame({"name": ["effects.attenuation"], "q50": [1 / 3], "stance": ["evidence"]}),
        "convergence": pd.DataFrame(
            gates, columns=["model", "check", "found", "required", "where", "passed"]
        ),
    }


def _provenance(stance: str) -> dict[str, Any]:
    return {
        "stance": stance,
        "single_vintage_exceptions": ["GDP deflator: one vintage only"],
        "release": 2024,
    }


def stages_of(
    *, appraise: Callable[..., Any] | None = None, render: Callable[..., str] | None = None
) -> Stages:
    """Return stages that observe and fit nothing and appraise with `made_up`."""
    nothing = xr.DataTree()
    return Stages(
        observe=lambda analysis: xr.Dataset(),
        fit=lambda analysis, *, stance, observations, root: (nothing, nothing),
        appraise=appraise or (lambda analysis, *, stance, **fits: made_up(analysis, stance=stance)),
        render=render
        or (lambda appraisals, *, headline, manifest: {"report.html": f"<html>{manifest['run']}</html>"}),
    )
