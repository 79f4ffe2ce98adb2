"""What the record of past forecasts comes to: mean scores, differences with their error, coverage, stacked weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from cba.inputs.observations import load_observations
from cba.inputs.priors import load_priors
from cba.models.slow_results import keep_result
from cba.projection.processes import PROCESSES
from cba.validation.backtest import (
    AHEAD,
    SHIPPED,
    Skipped,
    backtest_ages,
    backtest_spending,
    backtest_totals,
    known_origins,
    vintage_record,
)
from cba.validation.scores import REFERENCES, MixtureTerms, stacked_weights

COVERED = (50, 80, 90)


def score_summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean score and coverage of every forecast, by quantity and years ahead."""
    # Columns quantity, forecast, ahead, forecasts (number scored), crps, log_score, pit (means), inside_50,
    # inside_80, inside_90 (shares) and their standard errors, then ``crps_less_best``: mean score less that
    # of the best reference at this horizon, with its standard error over origins.
    #
    # Forecasts h years ahead from neighbouring origins share h - 1 years, so the standard error of a share
    # counts n / h of them, and that of a mean difference is Newey and West's with h - 1 lags.
    # Source: Newey & West (1987), A Simple, Positive Semi-definite, Heteroskedasticity and Autocorrelation
    # Consistent Covariance Matrix, Econometrica 55:703-708.
    rows = []
    for key, block in scores.groupby(["quantity", "ahead"], sort=False):
        quantity, ahead = str(key[0]), int(key[1])
        wide = block.pivot(index="origin", columns="forecast", values="crps").sort_index()
        references = [name for name in REFERENCES if name in wide]
        best = min(references, key=lambda name: wide[name].mean()) if references else None
        for forecast, part in block.groupby("forecast", sort=False):
            row = {"quantity": quantity, "forecast": forecast, "ahead": ahead, "forecasts": len(part)}
            row |= {name: float(part[name].mean()) for name in ("crps", "log_score", "pit")}
            for level in COVERED:
                share = float(part[f"inside_{level}"].mean())
                row[f"inside_{level}"] = share
                row[f"inside_{level}_se"] = np.sqrt(level / 100 * (1 - level / 100) * ahead / len(part))
            gap = (wide[forecast] - wide[best]).dropna().to_numpy() if best else np.array([np.nan])
            row |= {"best_reference": best or "", "crps_less_best": float(gap.mean())}
            row["crps_less_best_se"] = long_run_error(gap, lags=ahead - 1)
            rows.append(row)
    return pd.DataFrame(rows)


def headline_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean score over one to five years ahead, horizons counted alike, beside the best reference.

    Columns forecast, crps, less_best (crps less that of the best reference), se, inside_80, inside_90,
    log_score; best first.
    """
    # The standard error is that of the mean over origins of each origin's mean difference, with four lags.
    chosen = scores[scores["quantity"] == "stock"]
    means = chosen.groupby(["forecast", "ahead"])[["crps", "log_score", "inside_80", "inside_90"]].mean()
    found = means.groupby("forecast").mean()
    best = found.loc[[name for name in REFERENCES if name in found.index], "crps"].idxmin()
    by_origin = chosen.pivot_table(index="origin", columns="forecast", values="crps")
    rows = []
    for forecast, row in found.sort_values("crps").iterrows():
        gap = (by_origin[forecast] - by_origin[best]).dropna().to_numpy()
        error = long_run_error(gap, lags=AHEAD - 1)
        rows.append(
            {
                "forecast": forecast,
                "crps": row["crps"],
                "less_best": row["crps"] - found.loc[best, "crps"],
                "se": error,
            }
            | {name: row[name] for name in ("inside_80", "inside_90", "log_score")}
        )
    return pd.DataFrame(rows)


def long_run_error(values: np.ndarray, *, lags: int) -> float:
    """Standard error of the mean of values that overlap.

    NaN for fewer than two values. ``sqrt((g0 + 2 sum_k (1 - k / (L + 1)) g_k) / n)``, g the autocovariances.
    """
    if values.size < 2:
        return float("nan")
    centred = values - values.mean()
    total = float(centred @ centred) / values.size
    for lag in range(1, min(lags, values.size - 1) + 1):
        share = 1.0 - lag / (lags + 1.0)
        total += 2.0 * share * float(centred[lag:] @ centred[:-lag]) / values.size
    return float(np.sqrt(max(total, 0.0) / values.size))


def stacking_table(terms: Sequence[MixtureTerms]) -> pd.DataFrame:
    """Weights of the candidate processes stacked on several parts of the record.

    Columns scored_on, process, weight.
    """
    origins = [t.origin for t in terms]
    middle = (min(origins) + max(origins)) // 2
    parts = {
        "all origins, one to five years": list(terms),
        "one and two years": [t for t in terms if t.ahead <= 2],
        "four and five years": [t for t in terms if t.ahead >= 4],
        f"origins to {middle}": [t for t in terms if t.origin <= middle],
        f"origins from {middle + 1}": [t for t in terms if t.origin > middle],
    }
    return pd.DataFrame(
        {"scored_on": name, "process": process, "weight": weight}
        for name, part in parts.items()
        for process, weight in zip(PROCESSES, stacked_weights(part), strict=True)
    )


def reached(scores: pd.DataFrame) -> pd.DataFrame:
    """Hold the shipped mixture against what was asked of it. Columns asked, found, met."""
    summary = score_summary(scores[scores["quantity"] == "stock"])
    ours = summary[summary["forecast"] == SHIPPED]
    top = headline_scores(scores).set_index("forecast")
    gap, error = top.loc[SHIPPED, "less_best"], top.loc[SHIPPED, "se"]
    rows = [
        ("mean score over one to five years below the best reference", f"{gap:+,.0f} ({error:,.0f})", gap < 0)
    ]
    worst = (ours["crps_less_best"] - ours["crps_less_best_se"]).max()
    rows.append(
        ("at no horizon worse by more than the standard error", f"{worst:+,.0f} beyond it", worst <= 0)
    )
    for level in (80, 90):
        off = (ours[f"inside_{level}"] - level / 100).abs() / ours[f"inside_{level}_se"]
        found = ", ".join(f"{share:.0%}" for share in ours[f"inside_{level}"])
        rows.append(
            (f"{level}% intervals hold {level}% within two standard errors", found, bool((off <= 2).all()))
        )
    return pd.DataFrame(rows, columns=["asked", "found", "met"])


# --- Make the whole record of past forecasts and keep it: totals, ages, spending, weights, the view … ---


PRICE_BASE = 2024
"""Prices in which past spending is scored; the last year of the deflator is 2023-24."""


def backtest_record(*, draws: int, tell: Callable[[str], None]) -> dict[str, pd.DataFrame]:
    """Forecast from every origin and score.

    ``scores``, ``headline``, ``reached``, ``by_horizon``, ``stacking``, ``vintages`` and ``skipped``.
    """
    priors, newest = load_priors(), load_observations()
    tell("totals")
    totals = backtest_totals(known_origins(), priors, draws=draws)
    tell("spending")
    spent = backtest_spending(newest, priors, price_base=PRICE_BASE, draws=draws)
    tell("ages")
    ages = backtest_ages(priors, draws=draws // 2)
    tell("vintages")
    vintages = vintage_record(draws=draws)
    by_age = ages[0][ages[0]["quantity"].str.contains(",")]
    shipped = ages[0][~ages[0]["quantity"].str.contains(",")]
    shipped = shipped.assign(quantity=shipped["quantity"] + " (model by age)")
    scores = pd.concat([totals.scores, spent[0], by_age, shipped], ignore_index=True)
    return {
        "scores": scores,
        "headline": headline_scores(totals.scores),
        "reached": reached(totals.scores),
        "by_horizon": score_summary(scores),
        "stacking": stacking_table(totals.terms),
        "vintages": vintages,
        "skipped": pd.DataFrame([*totals.skipped, *spent[1], *ages[1]], columns=list(Skipped._fields)),
    }


def refresh_backtest(*, draws: int, tell: Callable[[str], None]) -> dict[str, pd.DataFrame]:
    """Make the record of past forecasts again, keep it and return its tables."""
    tables = backtest_record(draws=draws, tell=tell)
    release = int(load_observations().attrs["release"])
    keep_result("backtest", tables, release=release, draws=draws)
    return tables
