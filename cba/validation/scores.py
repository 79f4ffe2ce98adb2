"""Forecasts anyone could make of one series: last value, drift, exponential smoothing and ARIMA.

The last two need statsmodels, which only those who run the backtest install.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import minimize

from cba.errors import InputError
from cba.projection.processes import PROCESSES

ORDERS = ((0, 1, 0), (1, 1, 0), (0, 1, 1), (1, 1, 1), (0, 2, 1), (0, 2, 0), (1, 2, 0))
"""ARIMA orders among which the corrected Akaike criterion chooses."""


def naive(series: np.ndarray, *, years: int, draws: int, seed: int) -> np.ndarray:
    """Last value, with the spread of past yearly changes.

    Shape (sample, ahead). Variance ``h mean(d^2)`` after h years, d the yearly changes. `series` (year,).
    """
    ahead = np.arange(1, years + 1)
    sd = np.sqrt(np.mean(np.diff(series) ** 2) * ahead)
    return series[-1] + sd * np.random.default_rng(seed).standard_normal((draws, years))


def drift(series: np.ndarray, *, years: int, draws: int, seed: int) -> np.ndarray:
    """Random walk with drift.

    Shape (sample, ahead). Mean ``y + h m``, variance ``s^2 h (1 + h / T)``, m and s of the T yearly changes.
    """
    changes, ahead = np.diff(series), np.arange(1, years + 1)
    sd = changes.std(ddof=1) * np.sqrt(ahead * (1.0 + ahead / changes.size))
    noise = np.random.default_rng(seed).standard_normal((draws, years))
    return series[-1] + changes.mean() * ahead + sd * noise


def ets(series: np.ndarray, *, years: int, draws: int, seed: int) -> np.ndarray:
    """Exponential smoothing with a damped additive trend. Shape (sample, ahead). `series` (year,)."""
    _require_statsmodels()
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of short series, which these are
        fit = ETSModel(series, trend="add", damped_trend=True).fit(disp=False)
        found = fit.simulate(years, anchor="end", repetitions=draws, rng=np.random.default_rng(seed))
    return np.asarray(found).reshape(years, draws).T


def arima(series: np.ndarray, *, years: int, draws: int, seed: int) -> np.ndarray:
    """ARIMA of the order the corrected Akaike criterion chooses.

    Shape (sample, ahead). Normal around the forecast, with its standard error. `series` (year,).
    """
    _require_statsmodels()
    from statsmodels.tsa.arima.model import ARIMA

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = [ARIMA(series, order=order).fit() for order in ORDERS]
        best = min(fits, key=lambda fit: fit.aicc)
        ahead = best.get_forecast(years)
        mean, error = np.asarray(ahead.predicted_mean), np.asarray(ahead.se_mean)
    return mean + error * np.random.default_rng(seed).standard_normal((draws, years))


REFERENCES: Mapping[str, Callable[..., np.ndarray]] = {
    "last value": naive,
    "drift": drift,
    "ETS": ets,
    "ARIMA": arima,
}
"""Forecasts the model is held against, by name."""


def _require_statsmodels() -> None:
    try:
        import statsmodels  # noqa: F401
    except ImportError:
        raise InputError(
            "a forecast to compare with cannot be made",
            field="statsmodels",
            found="not installed",
            allowed="installed",
            cause="it is among the libraries for tests only",
            remedy='install the package with its development libraries: pip install "cba[dev]"',
        ) from None


# --- Scores of a forecast against an outturn: the continuous ranked probability score ---


def crps_draws(draws: np.ndarray, outturn: float) -> float:
    """Continuous ranked probability score of equally weighted draws; lower is better.

    Same units; for one draw the absolute error. `draws`: forecast draws, units of the outturn.
    """
    # ``mean |x_i - y| - mean |x_i - x_j| / 2`` over all pairs, summed over sorted draws.
    # Source: Gneiting & Raftery (2007), Strictly Proper Scoring Rules, JASA 102:359-378.
    import scoringrules

    values = np.asarray(draws, dtype=float)
    if values.size == 0 or not (np.isfinite(values).all() and np.isfinite(outturn)):
        raise InputError(
            "a forecast cannot be scored",
            field="draws, outturn",
            found="no draws, NaN or infinity",
            allowed="at least one finite draw and a finite outturn",
            cause="a year without an outturn, or a failed projection",
            remedy="score only years with a published figure",
        )
    return float(scoringrules.crps_ensemble(outturn, values, estimator="qd", backend="numpy"))


INTERVALS = (0.5, 0.8, 0.9)
"""Levels of the equal-tailed intervals whose coverage is counted."""


def scores(draws: np.ndarray, outturn: float) -> dict[str, float]:
    """Score a forecast given as draws in every way the record keeps. `outturn`: what happened, same units."""
    # Returned: ``crps`` (units of the outturn) and ``log_score`` (minus log density of a Gaussian kernel
    # estimate), both lower is better; ``pit``, the share of draws below the outturn; ``inside_50``,
    # ``inside_80``, ``inside_90``, 1 where the equal-tailed interval holds the outturn.
    import scoringrules

    crps = crps_draws(draws, outturn)
    values = np.asarray(draws, dtype=float)
    if np.ptp(values) == 0:
        raise InputError(
            "a forecast has no spread",
            field="draws",
            found=float(values[0]),
            allowed="draws that differ",
            cause="a degenerate series, or a point forecast",
            remedy="leave this forecast out of the record and say why",
        )
    pit = float(np.mean(values < outturn) + np.mean(values == outturn) / 2.0)
    inside = {f"inside_{round(100 * level)}": float(abs(pit - 0.5) <= level / 2.0) for level in INTERVALS}
    logs = float(scoringrules.logs_ensemble(outturn, values, backend="numpy"))
    return {"crps": crps, "log_score": logs, "pit": pit, **inside}


# --- Rows of the record of past forecasts: one for each forecast of one figure ---


def score_rows(
    forecasts: Mapping[str, np.ndarray],
    outturns: Mapping[int, float],
    *,
    origin: int,
    kind: str,
    quantity: str,
) -> Iterator[dict[str, object]]:
    """Score several forecasts (sample, ahead) of one series. Yields columns of `backtest_totals`.

    `outturns`: years ahead, from 1, to what happened.
    """
    for ahead, outturn in outturns.items():
        about = {"origin": origin, "kind": kind, "quantity": quantity, "ahead": ahead, "year": origin + ahead}
        for name, paths in forecasts.items():
            draws = paths[:, ahead - 1]
            found = {"forecast": name, "mean": float(draws.mean()), "outturn": outturn}
            yield {**about, **found, **scores(draws, outturn)}


def rows_beside_simple(
    values: np.ndarray,
    past: np.ndarray,
    happened: xr.DataArray,
    *,
    name: str,
    draws: int,
    seed: int,
    **about: Any,
) -> Iterator[dict[str, object]]:
    """Score a forecast (sample, ahead) under its name beside last value and drift of the same series.

    `happened`, dims (year); `about`: origin, kind and quantity. Draws of the simple ones differ by origin.
    """
    origin, years = about["origin"], values.shape[1]
    how = {"years": years, "draws": draws, "seed": seed + origin}
    paths = {name: values, "last value": naive(past, **how), "drift": drift(past, **how)}
    outturns = {ahead: float(happened.sel(year=origin + ahead)) for ahead in range(1, years + 1)}
    return score_rows(paths, outturns, **about)


# --- Weights of a mixture of forecasts that would have scored best: stacking on the continuous ranked … ---


@dataclass(frozen=True)
class MixtureTerms:
    """What the score of a mixture is made of, for one origin and horizon."""

    origin: int
    ahead: int
    error: np.ndarray  # (candidate,)
    spread: np.ndarray  # (candidate, candidate)

    def crps(self, weights: np.ndarray) -> float:
        """Score of the mixture. `weights` (candidate,)."""
        return float(weights @ self.error - weights @ self.spread @ weights / 2.0)


def mixture_terms(
    candidates: Sequence[np.ndarray], outturn: float, *, origin: int, ahead: int
) -> MixtureTerms:
    """Work out the terms of one forecast.

    Mean absolute differences between two samples come from their sorted union:
    ``E|X - Y| = integral of F(1 - G) + G(1 - F)``.
    """
    ordered = [np.sort(np.asarray(draws, dtype=float)) for draws in candidates]
    error = np.array([np.abs(draws - outturn).mean() for draws in ordered])
    spread = np.array([[_mean_gap(one, other) for other in ordered] for one in ordered])
    return MixtureTerms(origin, ahead, error, spread)


def _mean_gap(one: np.ndarray, other: np.ndarray) -> float:
    """Return E|X - Y| for two sorted samples."""
    points = np.sort(np.concatenate([one, other]))
    below_one = np.searchsorted(one, points[:-1], side="right") / one.size
    below_other = np.searchsorted(other, points[:-1], side="right") / other.size
    apart = below_one * (1.0 - below_other) + below_other * (1.0 - below_one)
    return float((apart * np.diff(points)).sum())


def stacked_weights(terms: Sequence[MixtureTerms]) -> np.ndarray:
    """Weights with the best mean score over the given forecasts. Shape (candidate,). At least 0, sum 1."""
    if not terms:
        raise InputError(
            "there is no scored forecast to weigh candidates by",
            field="terms",
            found="none",
            allowed="one or more",
            cause="no outturn was known yet",
            remedy="use equal weights until there is one",
        )
    size = terms[0].error.size
    first = np.eye(size)[0]
    scale = {
        ahead: np.mean([t.crps(first) for t in terms if t.ahead == ahead])
        for ahead in {t.ahead for t in terms}
    }
    error = np.mean([t.error / scale[t.ahead] for t in terms], axis=0)
    spread = np.mean([t.spread / scale[t.ahead] for t in terms], axis=0)
    found = minimize(
        lambda w: w @ error - w @ spread @ w / 2.0,
        np.full(size, 1.0 / size),
        jac=lambda w: error - spread @ w,
        bounds=[(0.0, 1.0)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones(size)},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    kept = np.where(found.x < 1e-9, 0.0, found.x)
    return kept / kept.sum()


def weights_known_then(terms: Sequence[MixtureTerms], *, fewest: int = 10) -> Mapping[int, np.ndarray]:
    """Weights stacked, at every origin, on the forecasts whose outturn was known by then."""
    found = {}
    for origin in sorted({term.origin for term in terms}):
        past = [term for term in terms if term.origin + term.ahead <= origin]
        size = terms[0].error.size
        found[origin] = stacked_weights(past) if len(past) >= fewest else np.full(size, 1.0 / size)
    return found


# --- What the record comes to: mean scores, differences with their error, coverage, stacked weights ---


AHEAD = 5
"""Years ahead that are scored."""


SHIPPED = "cba"
"""Name, in the record, of the mixture as shipped: momentum and pace at the weights in the registry."""


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
