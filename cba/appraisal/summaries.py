"""Summaries of draws: mean, median, equal-tailed interval and Monte Carlo standard error."""

from __future__ import annotations

from typing import Any

import numpy as np

from cba.decisions.monte_carlo_error import mcse_mean, mcse_probability

Summary = dict[str, Any]
"""Label, unit, mean, median, lower, upper, level and mcse; None where undefined."""


def interval(draws: np.ndarray, *, level: float, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Equal-tailed interval that holds `level` of the draws along `axis`.

    Parameters
    ----------
    draws : ndarray
        Draws of any quantity.
    level : float, in (0, 1)
        Probability between the two limits.
    axis : int
        Axis of the draws.

    Returns
    -------
    lower, upper : ndarray
        Quantiles ``(1 - level) / 2`` and ``(1 + level) / 2``.

    Examples
    --------
    >>> lower, upper = interval(np.arange(101.0), level=0.9)
    >>> round(float(lower), 6), round(float(upper), 6)
    (5.0, 95.0)
    """
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(draws, [tail, 1.0 - tail], axis=axis)
    return lower, upper


def quantity(draws: np.ndarray, *, label: str, unit: str, level: float, chains: int | None) -> Summary:
    """Headline entry of a quantity.

    Parameters
    ----------
    draws : ndarray, shape (sample,)
        Finite draws.
    label, unit : str
        What it is, in words.
    level : float
        Probability of the interval.
    chains : int or None
        Markov chains the draws come from; None for independent draws.

    Returns
    -------
    dict
        Label, unit, mean, median, lower, upper, level and the Monte Carlo standard error of the mean.

    Examples
    --------
    >>> quantity(np.arange(5.0), label="x", unit="GBP", level=0.5, chains=None)["upper"]
    3.0
    """
    lower, upper = interval(draws, level=level)
    return {
        "label": label,
        "unit": unit,
        "mean": float(draws.mean()),
        "median": float(np.median(draws)),
        "lower": float(lower),
        "upper": float(upper),
        "level": level,
        "mcse": mcse_mean(draws, chains=chains),
    }


def probability(event: np.ndarray, *, label: str, chains: int | None) -> Summary:
    """Headline entry of a probability: mean and standard error only.

    Parameters
    ----------
    event : ndarray of bool, shape (sample,)
        Whether it happened.
    label : str
        What it is, in words.
    chains : int or None
        As in :func:`quantity`.

    Returns
    -------
    dict
        An event that happened in no draw, or in all, still has an error: half an event in the draws made.

    Examples
    --------
    >>> probability(np.array([True, False]), label="x", chains=None)["mean"]
    0.5
    """
    error = mcse_probability(event, chains=chains)
    return {
        "label": label,
        "unit": "probability",
        "mean": float(event.mean()),
        "median": None,
        "lower": None,
        "upper": None,
        "level": None,
        "mcse": error,
    }


def undefined(*, label: str, unit: str) -> Summary:
    """Headline entry of a quantity that is not defined.

    Parameters
    ----------
    label, unit : str
        What it would be.

    Returns
    -------
    dict
        Every number is None.

    Examples
    --------
    >>> undefined(label="Benefit-cost ratio", unit="ratio")["mean"] is None
    True
    """
    return {
        "label": label,
        "unit": unit,
        "mean": None,
        "median": None,
        "lower": None,
        "upper": None,
        "level": None,
        "mcse": None,
    }


def payback(draws: np.ndarray, *, label: str, level: float) -> Summary:
    """Headline entry of a payback year, where NaN means never within the horizon.

    Parameters
    ----------
    draws : ndarray, shape (sample,)
        Years ending 31 March, NaN for never.
    label : str
        What it is, in words.
    level : float
        Probability of the interval.

    Returns
    -------
    dict
        Never counts as later than any year, so a quantile that falls on it is undefined, as is the mean as soon
        as one draw never pays back.

    Examples
    --------
    >>> entry = payback(np.array([2030.0, 2031.0, np.nan]), label="x", level=0.9)
    >>> entry["median"], entry["upper"], entry["mean"]
    (2031.0, None, None)
    """
    late = np.sort(np.where(np.isnan(draws), np.inf, draws))
    tail = (1.0 - level) / 2.0

    def at(share: float) -> float | None:
        value = late[min(int(np.ceil(share * late.size)) - 1, late.size - 1)]
        return float(value) if np.isfinite(value) else None

    mean = None if np.isnan(draws).any() else float(draws.mean())
    return {
        "label": label,
        "unit": "year ending 31 March",
        "mean": mean,
        "median": at(0.5),
        "lower": at(tail),
        "upper": at(1.0 - tail),
        "level": level,
        "mcse": None,
    }
