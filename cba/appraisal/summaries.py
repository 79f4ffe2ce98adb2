"""Summaries of draws: mean, median, equal-tailed interval and Monte Carlo standard error."""

from __future__ import annotations

import numpy as np
from arviz_stats.base import array_stats

Summary = dict[str, object]


def interval(draws: np.ndarray, *, level: float, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Equal-tailed interval that holds `level` of the draws along `axis`."""
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(draws, [tail, 1.0 - tail], axis=axis)
    return lower, upper


def mcse_mean(draws: np.ndarray, *, chains: int) -> float:
    """Monte Carlo standard error of a mean, shape (sample,) with whole chains one after the other.

    Parameters
    ----------
    draws : ndarray, shape (sample,)
        Draws ordered by chain.
    chains : int
        Number of chains; the sample size must be a multiple of it.

    Notes
    -----
    Standard deviation over the square root of the effective sample size of Vehtari et al. (2021),
    doi 10.1214/20-BA1221, so draws that repeat each other count for less.
    """
    if np.ptp(draws) == 0.0:
        return 0.0
    return float(array_stats.mcse(draws.reshape(chains, -1), chain_axis=0, draw_axis=1, method="mean"))


def quantity(draws: np.ndarray, *, label: str, unit: str, level: float, chains: int) -> Summary:
    """Headline entry of a quantity: label, unit, mean, median, interval, level and standard error of the mean."""
    lower, upper = interval(draws, level=level)
    return {"label": label, "unit": unit, "mean": float(draws.mean()), "median": float(np.median(draws)),
            "lower": float(lower), "upper": float(upper), "level": level, "mcse": mcse_mean(draws, chains=chains)}


def probability(event: np.ndarray, *, label: str, chains: int) -> Summary:
    """Headline entry of a probability: mean and standard error only.

    An event that happened in no draw, or in all, has no observed spread: its error is stated as 1/draws, the
    smallest probability these draws could have shown.
    """
    error = mcse_mean(event.astype(float), chains=chains)
    return {"label": label, "unit": "probability", "mean": float(event.mean()), "median": None, "lower": None,
            "upper": None, "level": None, "mcse": error or 1.0 / event.size}


def undefined(*, label: str, unit: str) -> Summary:
    """Headline entry of a quantity that is not defined."""
    return {"label": label, "unit": unit, "mean": None, "median": None, "lower": None, "upper": None, "level": None,
            "mcse": None}


def payback(draws: np.ndarray, *, label: str, level: float) -> Summary:
    """Headline entry of a payback year, where NaN means never within the horizon.

    Never counts as later than any year, so a quantile that falls on it is undefined, as is the mean as soon as
    one draw never pays back.
    """
    late = np.sort(np.where(np.isnan(draws), np.inf, draws))
    tail = (1.0 - level) / 2.0

    def at(share: float) -> float | None:
        value = late[min(int(np.ceil(share * late.size)) - 1, late.size - 1)]
        return float(value) if np.isfinite(value) else None

    mean = None if np.isnan(draws).any() else float(draws.mean())
    return {"label": label, "unit": "year ending 31 March", "mean": mean, "median": at(0.5), "lower": at(tail),
            "upper": at(1.0 - tail), "level": level, "mcse": None}
