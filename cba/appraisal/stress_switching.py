"""Where a conclusion changes as one effect grows: signs of means, ties for the best option, even chances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cba.decisions.monte_carlo_error import mcse_mean

if TYPE_CHECKING:
    from cba.appraisal.stress_slopes import Slopes, StressKind


TOLD = 2.0
"""Errors a size must be from nought to be told: an effect that hardly acts on an option has a size of pure error."""


@dataclass(frozen=True)
class StressedDraws:
    """Draws of every option at size 0, and what one unit of one effect does to them.

    Attributes
    ----------
    npv, fewer : dict of str to ndarray, shape (sample,)
        By option; business as usual is 0.
    slopes : dict of str to Slopes
        By option.
    """

    npv: Mapping[str, np.ndarray]
    fewer: Mapping[str, np.ndarray]
    slopes: Mapping[str, Slopes]

    def npv_at(self, option: str, size: float) -> np.ndarray:
        """Net present value of an option with the effect at a size, (sample,), GBP."""
        return self.npv[option] + size * self.slopes[option].npv

    def fewer_at(self, option: str, size: float) -> np.ndarray:
        """Children fewer in the target year with the effect at a size, (sample,)."""
        return self.fewer[option] + size * self.slopes[option].fewer


@dataclass(frozen=True)
class Switch:
    """Where a conclusion changes.

    Attributes
    ----------
    now : float
        What is judged, at size 0.
    holds_now : bool
        Whether the conclusion holds at size 0.
    size : float
        Size at which that changes; NaN where none does.
    se : float
        Monte Carlo standard error of `size`; NaN where there is none.
    """

    now: float
    holds_now: bool
    size: float
    se: float

    @property
    def told(self) -> bool:
        """Whether there is a size and its error leaves something of it: it is :data:`TOLD` errors from nought."""
        return bool(np.isfinite(self.size)) and not abs(self.size) < TOLD * self.se


def switch_of_mean(start: np.ndarray, slope: np.ndarray, *, chains: int | None) -> Switch:
    """Size at which a mean is 0.

    Parameters
    ----------
    start, slope : ndarray, shape (sample,)
        A draw is ``start + size * slope``.
    chains : int or None
        Markov chains the draws come from.

    Returns
    -------
    Switch
        ``-E[start] / E[slope]``; its error is that of the mean at that size over the slope. A mean without a
        slope changes nowhere.

    Examples
    --------
    >>> switch_of_mean(np.array([-3.0, -1.0]), np.array([1.0, 3.0]), chains=None).size
    1.0
    """
    now, rate = float(start.mean()), float(slope.mean())
    if rate == 0.0:
        return Switch(now, now > 0.0, np.nan, np.nan)
    size = -now / rate
    return Switch(now, now > 0.0, size, mcse_mean(start + size * slope, chains=chains) / abs(rate))


def switch_of_best(draws: StressedDraws, option: str, kind: StressKind, *, chains: int | None) -> Switch:
    """Nearest size at which an option ties for the highest mean net present value, every option stressed alike.

    Parameters
    ----------
    draws : StressedDraws
        Of every option but business as usual, which is 0.
    option : str
        The one judged.
    kind : StressKind
        Sizes that are possible come first.
    chains : int or None
        Markov chains the draws come from.

    Returns
    -------
    Switch
        Now: by how much its mean is above that of the best other option, or of doing nothing.

    Notes
    -----
    Means are straight lines in the size, so options tie at ``-E[NPV_1 - NPV_2] / E[a_1 - a_2]``; ties below a third
    line are passed over.

    Examples
    --------
    >>> switch_of_best(draws, "placement_reform", kind, chains=None).size  # doctest: +SKIP
    """
    means = {"bau": 0.0} | {o: float(v.mean()) for o, v in draws.npv.items()}
    rates = {"bau": 0.0} | {o: float(s.npv.mean()) for o, s in draws.slopes.items()}
    others = [o for o in means if o != option]
    now = means[option] - max(means[o] for o in others)
    ties = {
        (means[o] - means[option]) / (rates[option] - rates[o]): o
        for o in others
        if rates[option] != rates[o]
    }
    for size in sorted(ties, key=lambda size: (not kind.lower <= size <= kind.upper, abs(size))):
        highest = max(means[o] + size * rates[o] for o in others)
        own = means[option] + size * rates[option]
        if own >= highest - 1e-9 * max(abs(highest), abs(means[option])):
            other, rate = ties[size], abs(rates[option] - rates[ties[size]])
            gap = draws.npv_at(option, size) - (0.0 if other == "bau" else draws.npv_at(other, size))
            return Switch(now, now > 0.0, size, mcse_mean(gap, chains=chains) / rate)
    return Switch(now, now > 0.0, np.nan, np.nan)


def even_chance(start: np.ndarray, slope: np.ndarray, *, target: float, lower: float, upper: float) -> float:
    """Smallest size, up or down, at which half of the draws change sides of a target.

    Parameters
    ----------
    start, slope : ndarray, shape (sample,)
        A draw is ``start + size * slope``.
    target : float
        The statement is that a draw is at least this.
    lower, upper : float
        Sizes that are possible, with 0 among them.

    Returns
    -------
    float
        NaN where no possible size makes or unmakes an even chance of the statement.

    Notes
    -----
    Each draw changes sides at ``(target - start) / slope``; in that order the chance is a running count.

    Examples
    --------
    >>> even_chance(np.zeros(4), np.arange(1.0, 5.0), target=6.0, lower=0.0, upper=np.inf)
    2.0
    """
    moving = slope != 0.0
    holds = start >= target
    now = holds.sum() * 2 >= start.size
    sizes = []
    for sign, end in ((1.0, upper), (-1.0, -lower)):
        turns = sign * (target - start[moving]) / slope[moving]
        gains = np.where(holds[moving], -1, 1)
        ahead = (turns >= 0.0) & (turns <= end) & ((sign * slope[moving] > 0.0) != holds[moving])
        order = np.argsort(turns[ahead], kind="stable")
        count = holds.sum() + np.cumsum(gains[ahead][order])
        changed = (count * 2 >= start.size) != now
        if changed.any():
            sizes.append(sign * float(turns[ahead][order][int(changed.argmax())]))
    return min(sizes, key=abs) if sizes else float("nan")
