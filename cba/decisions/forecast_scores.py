"""Where an outturn fell in a forecast: continuous ranked probability score, percentile and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cba.decisions.draws import refuse_non_finite
from cba.errors import InputError

LEVELS = (0.5, 0.8, 0.9)
"""Equal-tailed intervals whose coverage is counted."""


@dataclass(frozen=True)
class OutturnScore:
    """One forecast held against what happened."""

    crps: float  # continuous ranked probability score, units of the forecast; lower is better
    # Share of the forecast below the outturn, 0 to 1 (probability integral transform; draws equal to the
    # outturn count half). Over many independent forecasts that tell the truth it is uniform.
    percentile: float
    inside: dict[float, bool]  # by level of `LEVELS`, whether the outturn fell in the equal-tailed interval
    median: float


def outturn_score(draws: ArrayLike, outturn: float) -> OutturnScore:
    """Score equally weighted draws of a forecast. `outturn`: what happened, in the same units."""
    # ``mean |x_i - y| - mean |x_i - x_j| / 2`` over all m^2 pairs; of sorted draws the second term is
    # ``sum (2 i - m - 1) x_i / m^2``.
    # Source: Gneiting & Raftery (2007), Strictly Proper Scoring Rules, JASA 102:359-378.
    refuse_non_finite(np.asarray(draws), field="draws")
    refuse_non_finite(np.asarray([outturn]), field="outturn")
    values = np.sort(np.asarray(draws, dtype=np.float64))
    if values.ndim != 1 or values.size < 2:
        raise InputError(
            "a forecast cannot be scored",
            field="draws",
            found=f"shape {values.shape}",
            allowed="two draws or more in one dimension",
            cause="a forecast that was not stored",
            remedy="score runs that hold their forecasts",
        )
    inside = {}
    for level in LEVELS:
        low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        inside[level] = bool(low <= outturn <= high)
    return OutturnScore(
        crps=_crps(values - outturn),
        percentile=float(np.mean(values < outturn) + 0.5 * np.mean(values == outturn)),
        inside=inside,
        median=float(np.median(values)),
    )


def _crps(gaps: np.ndarray) -> float:
    """Return the continuous ranked probability score of sorted draws less the outturn, exact over all pairs."""
    count = gaps.size
    ranks = 2.0 * np.arange(1, count + 1) - count - 1.0
    return float(np.mean(np.abs(gaps)) - np.sum(ranks * gaps) / count**2)
