"""Forecasts anyone could make of one series: last value, drift, exponential smoothing and ARIMA.

The last two need statsmodels, which only those who run the backtest install.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.errors import InputError

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


# --- What the record comes to: mean scores, differences with their error, coverage, and whether that is enough ---


AHEAD = 5
"""Years ahead that are scored."""


SHIPPED = "cba"
"""Name, in the record, of the model as shipped."""


HELD_AGAINST = "drift"
"""Forecast the shipped one is judged by."""


FIRST, LATEST = "first published", "latest"
"""Figures a forecast is scored against: of the first release that has the year, and of the newest."""


BLOCK = 5
"""Years that neighbouring origins share at most: the length of a block of the standard errors."""


MOST_OF_DRIFT, MOST_AT_A_HORIZON = 1.05, 1.25
"""As good as drift: the most its score may be of drift's, on average and at any horizon; stated before scoring."""


HOLDING = {80: (0.70, 0.90), 90: (0.82, 0.97)}
"""Shares of intervals that must hold, by level; stated before scoring."""


def score_summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean score and coverage of every forecast, by quantity, what it is held against and years ahead."""
    # Columns quantity, against, forecast, ahead, forecasts (number scored), crps, log_score, pit (means), inside_50,
    # inside_80, inside_90 (shares), then crps_ratio (to drift's on the same origins) and crps_less_drift, with its
    # standard error over origins.
    rows = []
    for key, block in scores.groupby(["quantity", "against", "ahead"], sort=False):
        about = dict(zip(("quantity", "against", "ahead"), key, strict=True))
        wide = block.pivot_table(index="origin", columns="forecast", values="crps")
        for forecast, part in block.groupby("forecast", sort=False):
            row = {**about, "forecast": forecast, "forecasts": len(part)}
            row |= {name: float(part[name].mean()) for name in ("crps", "log_score", "pit", *COVERAGES)}
            rows.append(row | _beside_drift(wide, str(forecast)))
    return pd.DataFrame(rows)


COVERAGES = tuple(f"inside_{round(100 * level)}" for level in INTERVALS)


GAP = ("crps_less_drift", "crps_less_drift_se")


def _beside_drift(wide: pd.DataFrame, forecast: str) -> dict[str, float]:
    """Ratio and mean difference of a forecast's scores to drift's, origin by origin, with its standard error."""
    if HELD_AGAINST not in wide:
        return dict.fromkeys(("crps_ratio", "crps_less_drift", "crps_less_drift_se"), np.nan)
    both = wide[[forecast, HELD_AGAINST]].dropna() if forecast != HELD_AGAINST else wide[[forecast]].dropna()
    ours, drifting = both[forecast], both[HELD_AGAINST]
    gap = (ours - drifting).to_numpy()
    found = {"crps_ratio": float(ours.mean() / drifting.mean()), "crps_less_drift": float(gap.mean())}
    return found | {"crps_less_drift_se": block_error(gap)}


def headline_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean score over one to five years ahead, horizons counted alike, by what origins and outturns are counted.

    Columns against, origins (all, or one kind of them), forecast, crps, crps_ratio and crps_less_drift with its
    standard error, inside_80, inside_90, log_score; best first.
    """
    chosen, rows = scores[scores["quantity"] == "stock"], []
    kinds = ("all", *chosen["kind"].unique())
    for against in (FIRST, LATEST):
        for kind in kinds:
            part = chosen[(chosen["against"] == against) & ((kind == "all") | (chosen["kind"] == kind))]
            columns = ["crps", "log_score", "inside_80", "inside_90"]
            means = part.groupby(["forecast", "ahead"])[columns].mean().groupby("forecast").mean()
            wide = part.pivot_table(index="origin", columns="forecast", values="crps")
            for forecast, row in means.sort_values("crps").iterrows():
                about = {"against": against, "origins": kind, "forecast": forecast, **row}
                rows.append(about | _beside_drift(wide, str(forecast)))
    return pd.DataFrame(rows)


def scores_by_origin(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean score of each origin against first published figures. Columns origin, kind, cba, drift."""
    chosen = scores[(scores["quantity"] == "stock") & (scores["against"] == FIRST)]
    wide = chosen.pivot_table(index=["origin", "kind"], columns="forecast", values="crps")
    return wide[[SHIPPED, HELD_AGAINST]].dropna().reset_index().rename_axis(columns=None)


def block_error(values: np.ndarray) -> float:
    """Standard error of the mean of values of which neighbours overlap, from blocks of `BLOCK`; NaN for fewer than two.

    ``sqrt((g0 + 2 sum_k (1 - k / BLOCK) g_k) / n)``, g the autocovariances: Bartlett's weights, which overlapping
    blocks come to (Newey and West 1987, Econometrica 55:703-708).
    """
    if values.size < 2:
        return float("nan")
    centred = values - values.mean()
    total = float(centred @ centred) / values.size
    for lag in range(1, min(BLOCK - 1, values.size - 1) + 1):
        total += 2.0 * (1.0 - lag / BLOCK) * float(centred[lag:] @ centred[:-lag]) / values.size
    return float(np.sqrt(max(total, 0.0) / values.size))


def reached(scores: pd.DataFrame) -> pd.DataFrame:
    """Hold the shipped forecasts against what was asked of them beforehand. Columns quantity, asked, found, met."""
    rows = []
    for quantity, against in (("stock", FIRST), ("spending", LATEST)):
        part = scores[(scores["quantity"] == quantity) & (scores["against"] == against)]
        both = part.pivot_table(index=["origin", "ahead"], columns="forecast", values="crps")
        both = both[[SHIPPED, HELD_AGAINST]].dropna()
        means = both.groupby("ahead").mean().mean()
        ratio = float(means[SHIPPED] / means[HELD_AGAINST])
        gap, error = (both.groupby("origin").mean().pipe(_beside_drift, SHIPPED)[n] for n in GAP)
        ours = score_summary(part).query("forecast == @SHIPPED")
        worst = float(ours["crps_ratio"].max())
        asked = [
            (
                "better: mean score below drift by two standard errors",
                f"{ratio:.2f} of it",
                gap < -2.0 * error,
            ),
            (f"as good: mean score at most {MOST_OF_DRIFT} of drift", f"{ratio:.2f}", ratio <= MOST_OF_DRIFT),
            (
                f"as good: at most {MOST_AT_A_HORIZON} at any horizon",
                f"{worst:.2f}",
                worst <= MOST_AT_A_HORIZON,
            ),
        ]
        for level, (low, high) in HOLDING.items():
            share = float(ours[f"inside_{level}"].mean())
            words = f"as good: {low:.0%} to {high:.0%} of {level}% intervals hold"
            asked.append((words, f"{share:.0%}", low <= share <= high))
        rows += [(quantity, *row) for row in asked]
    return pd.DataFrame(rows, columns=["quantity", "asked", "found", "met"])
