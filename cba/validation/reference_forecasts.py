"""Forecasts anyone could make of one series: last value, drift, exponential smoothing and ARIMA.

The last two need statsmodels, which only those who run the backtest install.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np

from cba.errors import InputError

ORDERS = ((0, 1, 0), (1, 1, 0), (0, 1, 1), (1, 1, 1), (0, 2, 1), (0, 2, 0), (1, 2, 0))
"""ARIMA orders among which the corrected Akaike criterion chooses."""


def naive(series: np.ndarray, *, years: int, draws: int, seed: int) -> np.ndarray:
    """Last value, with the spread of past yearly changes.

    Parameters
    ----------
    series : ndarray, shape (year,)
        History.
    years, draws : int
    seed : int

    Returns
    -------
    ndarray, shape (sample, ahead)
        Variance ``h mean(d^2)`` after h years, d the yearly changes.

    Examples
    --------
    >>> naive(np.array([1.0, 2.0, 1.0]), years=2, draws=3, seed=1).shape
    (3, 2)
    """
    ahead = np.arange(1, years + 1)
    sd = np.sqrt(np.mean(np.diff(series) ** 2) * ahead)
    return series[-1] + sd * np.random.default_rng(seed).standard_normal((draws, years))


def drift(series: np.ndarray, *, years: int, draws: int, seed: int) -> np.ndarray:
    """Random walk with drift.

    Parameters
    ----------
    series : ndarray, shape (year,)
        History.
    years, draws : int
    seed : int

    Returns
    -------
    ndarray, shape (sample, ahead)
        Mean ``y + h m``, variance ``s^2 h (1 + h / T)``, m and s of the T yearly changes.

    Examples
    --------
    >>> drift(np.array([1.0, 2.0, 3.0]), years=2, draws=1, seed=1).round(6).tolist()
    [[4.0, 5.0]]
    """
    changes, ahead = np.diff(series), np.arange(1, years + 1)
    sd = changes.std(ddof=1) * np.sqrt(ahead * (1.0 + ahead / changes.size))
    noise = np.random.default_rng(seed).standard_normal((draws, years))
    return series[-1] + changes.mean() * ahead + sd * noise


def ets(series: np.ndarray, *, years: int, draws: int, seed: int) -> np.ndarray:
    """Exponential smoothing with a damped additive trend.

    Parameters
    ----------
    series : ndarray, shape (year,)
        History.
    years, draws : int
    seed : int

    Returns
    -------
    ndarray, shape (sample, ahead)

    Raises
    ------
    InputError
        If statsmodels is missing.

    Examples
    --------
    >>> ets(np.arange(20.0) ** 1.1, years=2, draws=3, seed=1).shape
    (3, 2)
    """
    _require_statsmodels()
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of short series, which these are
        fit = ETSModel(series, trend="add", damped_trend=True).fit(disp=False)
        found = fit.simulate(years, anchor="end", repetitions=draws, rng=np.random.default_rng(seed))
    return np.asarray(found).reshape(years, draws).T


def arima(series: np.ndarray, *, years: int, draws: int, seed: int) -> np.ndarray:
    """ARIMA of the order the corrected Akaike criterion chooses.

    Parameters
    ----------
    series : ndarray, shape (year,)
        History.
    years, draws : int
    seed : int

    Returns
    -------
    ndarray, shape (sample, ahead)
        Normal around the forecast, with its standard error.

    Raises
    ------
    InputError
        If statsmodels is missing.

    Examples
    --------
    >>> arima(np.arange(20.0) ** 1.1, years=2, draws=3, seed=1).shape
    (3, 2)
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
