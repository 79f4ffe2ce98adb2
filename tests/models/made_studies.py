"""Studies made for tests: every column the synthesis reads, one trial in England unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

import cba
from cba.inputs.table_words import CLASSES_OF_ESTIMAND
from cba.models.effects_areas import CareFacts
from cba.models.stays import StayLength
from cba.models.studies import FAMILY_HELP

FACTS = CareFacts(
    starts=np.array([5200.0, 4800.0, 4900.0, 7700.0, 3200.0]),
    stays=StayLength(np.array([0.0, 1.0]), np.array([0.0, np.log(0.5)])),
)
"""Starts about those of 2024, without unaccompanied children; half of the children leave in each year."""

EMPTY = (
    "bound_low", "bound_high", "design_effect_low", "design_effect_high", "coverage_low", "coverage_high",
    "arm_events_treat", "arm_n_treat", "arm_events_control", "arm_n_control", "risk_control", "follow_up_months",
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
            "service_class": CLASSES_OF_ESTIMAND[estimand][0] if estimand in CLASSES_OF_ESTIMAND else "",
            "at_scale": "no",
            "usual_help": "yes",
        }
    )
    return table.assign(**dict.fromkeys(EMPTY, np.nan))


def evidence_of(table):
    return replace(cba.load_evidence(), effects=table)
