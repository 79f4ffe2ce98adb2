"""Tables of the made-up appraisal that do not come from its draws."""

from __future__ import annotations

import numpy as np
import pandas as pd


def fixed_tables(names) -> dict[str, pd.DataFrame]:
    stages = ("raw", "bias_adjusted", "new_setting", "roll_out")
    effects = [
        {
            "estimand": e,
            "label": text,
            "stage": s,
            "mean": m * w,
            "lower": m * w - d * k,
            "upper": m * w + d * k,
            "prob_beneficial": 0.8,
        }
        for e, text, m, d in (
            ("log_rr_entry", "Family help: log risk ratio of entering care", -0.25, 0.12),
            ("rd_permanence", "Kinship support: difference in permanence at 24 months", 0.06, 0.03),
        )
        for s, w, k in zip(stages, (1.0, 0.7, 0.7, 0.45), (1.0, 1.2, 2.0, 1.6), strict=True)
    ]
    placements = ("foster_in_house", "foster_agency", "childrens_home", "supported_accommodation")
    cost = np.array([42e3, 61e3, 290e3, 75e3])
    return {
        "what_it_would_take": pd.DataFrame(
            [
                {
                    "start_year": s,
                    "target_children": t,
                    "cut_median": c,
                    "cut_lower": c - 0.05,
                    "cut_upper": c + 0.06,
                    "risk_ratio_reach_0_6": 1 - c / 0.6,
                    "risk_ratio_reach_0_4": 1 - c / 0.4 if c < 0.4 else np.nan,
                    "prob_evidence": p,
                }
                for s, t, c, p in ((2026, 17_000, 0.32, 0.01), (2026, 30_000, 0.56, 0.0))
            ]
        ),
        "effects": pd.DataFrame(effects),
        "evidence": pd.DataFrame(
            [
                {
                    "study_id": "START2018",
                    "intervention": "family_help",
                    "outcome": "out-of-home placement at 18 months",
                    "design_class": "rct",
                    "country": "England",
                    "year": 2018,
                    "estimand": "log_rr_entry",
                    "effect": 0.223,
                    "effect_se": 0.25,
                    "use": "synthesis",
                    "exclusion_reason": "",
                },
                {
                    "study_id": "AL2012",
                    "intervention": "family_help",
                    "outcome": "placement",
                    "design_class": "review",
                    "country": "multiple",
                    "year": 2012,
                    "estimand": "log_rr_entry",
                    "effect": np.nan,
                    "effect_se": np.nan,
                    "use": "excluded",
                    "exclusion_reason": "no estimate published",
                },
                {
                    "study_id": "AREA2017",
                    "intervention": "family_help",
                    "outcome": "children looked after",
                    "design_class": "before_after",
                    "country": "England",
                    "year": 2017,
                    "estimand": "log_rr_entry",
                    "effect": np.nan,
                    "effect_se": 0.05,
                    "bound_low": np.nan,
                    "bound_high": -0.098,
                    "level": "area",
                    "coverage_low": 0.2,
                    "coverage_high": 0.8,
                    "use": "censored",
                    "exclusion_reason": "",
                },
            ]
        ),
        "priors": pd.DataFrame(
            [
                {
                    "name": f"{group}.item_{i}",
                    "description": f"Made-up input {i} of {group}",
                    "distribution": "LogNormal",
                    "p05": 0.5 * i,
                    "p50": 1.0 * i,
                    "p95": 2.0 * i,
                    "unit": "ratio",
                    "price_year": None,
                    "confidence": c,
                    "owner": "analysis",
                    "reviewed": "2024-11-21",
                    "basis": "judgement",
                    "source": "judgement: made up",
                    "stance": "evidence",
                }
                for group in ("effects", "baseline", "costs", "delivery")
                for i, c in enumerate(("amber", "red", "green"), start=1)
            ]
        ),
        "convergence": pd.DataFrame(
            [
                {
                    "model": "baseline",
                    "check": "R-hat",
                    "found": 1.003,
                    "required": 1.01,
                    "where": "drift",
                    "passed": True,
                },
                {
                    "model": "effects",
                    "check": "divergences",
                    "found": 0.0,
                    "required": 0.0,
                    "where": "",
                    "passed": True,
                },
            ]
        ),
        "financing_modes": pd.DataFrame(
            [
                {
                    "option": o,
                    "label": names[o],
                    "recurrent_2030_mean": r,
                    "prob_recurrent_2030_full": p,
                    "npv_mean": -m * 1e9,
                    "npv_lower": -1.5 * m * 1e9,
                    "npv_upper": -0.4 * m * 1e9,
                    "prob_npv_positive": 0.05,
                    "fewer_mean": f,
                }
                for o, r, p, m, f in (
                    ("care_review", 1e9, 1.0, 5.0, 2900.0),
                    ("care_review_injection_only", 0.0, 0.0, 1.5, 900.0),
                    ("care_review_reinvest", 1.6e8, 0.002, 2.0, 1500.0),
                )
                if o in names
            ]
        ),
        "cost_ladder": pd.DataFrame(
            {
                "placement": placements,
                "average": cost,
                "avoidable": 0.6 * cost,
                "cashable_first_year": 0.35 * cost,
            }
        ),
        "claims": pd.DataFrame(
            [
                {
                    "claim": "30,000 fewer children in care by 2032",
                    "value": 30_000.0,
                    "unit": "children",
                    "probability": 0.001,
                    "mcse": 0.001,
                },
                {
                    "claim": "£1bn a year shifted for good",
                    "value": 1e9,
                    "unit": "GBP",
                    "probability": 0.01,
                    "mcse": 0.003,
                },
            ]
        ),
        "reconciliation": pd.DataFrame(
            [
                {
                    "check": "ages sum to total",
                    "year": 2024,
                    "found": 83_630.0,
                    "expected": 83_630.0,
                    "tolerance": 50.0,
                    "passed": True,
                }
            ]
        ),
        "unmonetised": pd.DataFrame(
            [{"option": o, "item": "Children's own wellbeing"} for o in names if o != "bau"]
        ),
    }
