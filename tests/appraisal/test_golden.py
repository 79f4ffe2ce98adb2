"""Headline numbers change only on purpose: one small appraisal, rewritten with `make golden`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cba.appraisal import appraise
from cba.inputs.analyses import load_analysis
from cba.inputs.observations import load_observations
from cba.inputs.priors import load_priors
from tests.made_fits import made_baseline, made_effects

GOLDEN = Path(__file__).with_name("golden_appraisal.json")
DIGITS = 10


def rounded(value):
    return float(f"{value:.{DIGITS - 1}e}") if isinstance(value, float) else value


@pytest.fixture(scope="module")
def found():
    analysis = load_analysis("smoke").model_copy(update={"draws": 100, "chains": 2})
    baseline = made_baseline(load_observations(analysis.release), load_priors())
    appraisal = appraise(analysis, baseline=baseline, effects=made_effects(), progress=False)
    return {
        key: {f: rounded(v) for f, v in entry.items()} for key, entry in sorted(appraisal.results.items())
    }


def test_golden_appraisal(found, overwrite_golden):
    if overwrite_golden:
        GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert list(found) == list(golden)
    for key, entry in golden.items():
        for field, value in entry.items():
            if isinstance(value, float):
                scale = max(abs(golden[key].get("upper") or 0.0), abs(value))
                assert found[key][field] == pytest.approx(value, rel=1e-8, abs=1e-8 * scale), f"{key} {field}"
            else:
                assert found[key][field] == value, f"{key} {field}"
