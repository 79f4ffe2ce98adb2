"""Made-up assumptions log, tracker and statements: columns of real ones, numbers made up."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

LEAD = "care_review"
YEARS = range(2026, 2033)
CLEAR = {
    "delivery.item_1": ("npv", 0.8),
    "effects.item_2": ("fewer_children", 0.2),
    "costs.item_3": ("npv", 0.03),
}
"""Inputs that clearly move a result, and by how much of its variance."""


def log_tables(priors: pd.DataFrame, names: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Return the tables of this file; those of one option only where it is appraised."""
    made = {"assumptions_log": _log(priors)}
    return made | ({"tracker": _tracker(), **_statements()} if LEAD in names else {})


def _log(priors: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for place, row in enumerate(priors.to_dict("records")):
        moved, share = CLEAR.get(row["name"], ("", 0.0))
        measured = "bound" if row["name"] == "effects.item_3" else "fixed" if place == 11 else "draws"
        found: dict[str, object] = {"measured": measured}
        for outcome in ("npv", "fewer_children"):
            own = share if outcome == moved else 0.4 if measured == "bound" else 0.0002
            found |= {
                f"{outcome}_share": np.nan if measured == "fixed" else own,
                f"{outcome}_share_se": np.nan if measured == "fixed" else 0.004,
                f"{outcome}_clear": measured != "fixed" and own > 0.012,
            }
        rows.append(
            {
                "name": row["name"],
                "description": row["description"],
                "distribution": row["distribution"],
                "parameters": "mu = 0, sigma = 0.4",
                "q05": row["p05"],
                "q50": row["p50"],
                "q95": row["p95"],
                "unit": row["unit"],
                "price_year": np.nan,
                "confidence": row["confidence"],
                "basis": row["basis"],
                "owner": row["owner"],
                "reviewed": row["reviewed"],
                "source": row["source"],
                "links": json.dumps([[row["source"], ""], ["a paper", "https://example.org/paper"]]),
                "other_stances": json.dumps(
                    [{"stance": "sceptical", "reason": "trials only", "q05": 0.8, "q50": 0.9, "q95": 1.1}]
                    if place == 0
                    else []
                ),
                **found,
                "influence": share,
                "level": "high" if share >= 0.05 else "some" if share else "none",
            }
        )
    return pd.DataFrame(rows).sort_values("influence", ascending=False, kind="stable").reset_index(drop=True)


def _tracker() -> pd.DataFrame:
    rows = []
    for belief, level, chance in (
        ("current_policy", 25_900.0, 0.001),
        ("programme", 25_600.0, 0.002),
        ("claim", 12_800.0, 0.95),
    ):
        rows += [
            (belief, year, level, 0.85 * level, 1.2 * level, 16_000.0 + year, chance, 0.003, False)
            for year in YEARS
        ]
    rows += [
        ("published", year, 25_700.0 + year, np.nan, np.nan, np.nan, np.nan, np.nan, False)
        for year in range(2019, 2025)
    ]
    names = ["belief", "year", "mean", "lower", "upper", "line", "prob_on_track", "mcse", "after_frame"]
    return pd.DataFrame(rows, columns=names).assign(option=LEAD)


def _statements() -> dict[str, pd.DataFrame]:
    rows = []
    for year in YEARS:
        for payer, kind, row, mean in (
            ("dfe", "programme", "line", 5e8),
            ("dfe", "net", "payer", 5e8),
            ("council", "net", "payer", -1e7),
            ("all", "net", "total", 4.9e8),
        ):
            rows.append((LEAD, year, payer, kind, row, mean, mean - 5e6, mean + 5e6))
    names = ["option", "year", "payer", "kind", "row", "mean", "lower", "upper"]
    cash = pd.DataFrame(rows, columns=names)
    spread = {
        f"{prefix}_{field}": cash[field] * factor
        for prefix, factor in (("discounted", 0.9), ("cumulative", 3.0))
        for field in ("mean", "lower", "upper")
    }
    fifths = pd.DataFrame(
        [(LEAD, fifth, 0.2, 0.2, 1.0, -1e9, 1e8, -9e8, -1e9, -8e8) for fifth in range(1, 6)],
        columns=["option", "fifth", "tax_share", "need_share", "weight", "public_mean", "private_mean",
                 "net_mean", "net_lower", "net_upper"],
    )  # fmt: skip
    alternatives = pd.DataFrame(
        [("delivery.item_1", rank, family, 0.0, 0.5, 1.0, 2.0)
         for rank, family in enumerate(("LogNormal", "Gamma"))],
        columns=["name", "rank", "family", "fit_error", "q05", "q50", "q95"],
    )  # fmt: skip
    return {
        "cash_statement": cash,
        "treasury_statement": cash.assign(**spread),
        "who_bears": fifths,
        "prior_alternatives": alternatives,
    }
