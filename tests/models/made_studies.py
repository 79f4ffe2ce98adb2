"""Studies made for tests: every column the synthesis reads, one trial in England unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

import cba
from cba.models.studies import FAMILY_HELP

STARTS = {"under_1": 5200.0, "1_4": 4800.0, "5_9": 4900.0, "10_15": 7700.0, "16_plus": 3200.0}
"""About those of 2024, without unaccompanied children."""

EMPTY = (
    "bound_low", "bound_high", "design_effect_low", "design_effect_high", "coverage_low", "coverage_high",
    "arm_events_treat", "arm_n_treat", "arm_events_control", "arm_n_control",
)  # fmt: skip


def studies(effect, se, *, design="rct", estimand=FAMILY_HELP):
    count = len(effect)
    table = pd.DataFrame(
        {
            "study_id": [f"study_{number}" for number in range(count)],
            "estimand": estimand,
            "effect": np.asarray(effect, dtype=float),
            "effect_se": np.asarray(se, dtype=float),
            "design_class": [design] * count if isinstance(design, str) else design,
            "use": "synthesis",
            "country": "England",
            "outcome_class": "entered_care",
            "level": "served",
            "starts_ages": "",
        }
    )
    return table.assign(**dict.fromkeys(EMPTY, np.nan))


def evidence_of(table):
    return replace(cba.load_evidence(), effects=table)
