"""Densities of what a study reports: events in two arms, and a result known only to lie in an interval.

All are written on PyTensor tensors, so that one compiled model holds every kind of study.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt

_ROOT_HALF = np.sqrt(0.5)
_TINY = 1e-300


def risks_from_ratio(log_ratio: Any, log_odds_product: Any) -> tuple[Any, Any]:
    """Risks of both arms from their log ratio and the log of the product of their odds.

    Parameters
    ----------
    log_ratio : tensor
        Log of the treated risk over the control risk.
    log_odds_product : tensor
        Log of the product of both odds: any real number, whatever the ratio.

    Returns
    -------
    treated, control : tensor
        In (0, 1).

    Notes
    -----
    The odds product varies independently of the risk ratio, which a control risk does not (a ratio above
    1/p0 would make a risk above 1): Richardson, Robins and Wang (2017), doi 10.1080/01621459.2016.1192546.
    With r the ratio and w the odds product, ``r (1 - w) p0^2 + w (1 + r) p0 - w = 0``.

    Examples
    --------
    >>> treated, control = risks_from_ratio(pt.constant(np.log(0.5)), pt.constant(np.log(0.2 / 0.8 * 0.4 / 0.6)))
    >>> float(treated.eval(mode="FAST_COMPILE").round(6)), float(control.eval(mode="FAST_COMPILE").round(6))
    (0.2, 0.4)
    """
    ratio, product = pt.exp(log_ratio), pt.exp(log_odds_product)
    root = pt.sqrt((product * (1.0 - ratio)) ** 2 + 4.0 * product * ratio)
    control = 2.0 * product / (product * (1.0 + ratio) + root)
    return ratio * control, control


def risks_from_difference(difference: Any, log_odds_product: Any) -> tuple[Any, Any]:
    """Risks of both arms from their difference and the log of the product of their odds.

    Parameters
    ----------
    difference : tensor
        Treated risk less control risk, in (-1, 1).
    log_odds_product : tensor
        As in :func:`risks_from_ratio`.

    Returns
    -------
    treated, control : tensor
        In (0, 1).

    Notes
    -----
    With d the difference and w the odds product, ``(1 - w) p0^2 + (d + w (2 - d)) p0 - w (1 - d) = 0``. The arm with
    the lower risk is solved for and the difference added to it: taken from the higher one, a risk near 0 would lose
    every digit.

    Examples
    --------
    >>> odds_product = np.log(0.78 / 0.22 * 0.72 / 0.28)
    >>> treated, control = risks_from_difference(pt.constant(0.06), pt.constant(odds_product))
    >>> float(treated.eval(mode="FAST_COMPILE").round(6)), float(control.eval(mode="FAST_COMPILE").round(6))
    (0.78, 0.72)
    """
    product = pt.exp(log_odds_product)
    treated_lower = difference < 0
    apart = pt.switch(treated_lower, -difference, difference)
    linear = apart + product * (2.0 - apart)
    last = product * (1.0 - apart)
    lower = 2.0 * last / (linear + pt.sqrt(linear**2 + 4.0 * (1.0 - product) * last))
    higher = lower + apart
    return pt.switch(treated_lower, lower, higher), pt.switch(treated_lower, higher, lower)


def arm_log_density(events: Any, people: Any, risk: Any, design_effect: Any) -> Any:
    """Log probability of the events in one arm, its variance multiplied by a design effect.

    Parameters
    ----------
    events, people : tensor
        Counts; events need not be whole, where they are a published risk times the people.
    risk : tensor
        In (0, 1).
    design_effect : tensor
        Variance of the count over that of independent people; above 0.

    Returns
    -------
    tensor

    Notes
    -----
    The binomial where the design effect D is 1. Otherwise the extended quasi-likelihood (Nelder and Pregibon
    1987, doi 10.1093/biomet/74.2.221): deviance over D, less half the log of D, so that with the risk free
    nothing is learned about D, as it must be from one count.

    Examples
    --------
    >>> from scipy import stats
    >>> numbers = (pt.constant(np.float64(number)) for number in (25, 760, 0.03, 1))
    >>> found = arm_log_density(*numbers)
    >>> abs(float(found.eval(mode="FAST_COMPILE")) - float(stats.binom(760, 0.03).logpmf(25))) < 1e-9
    True
    """
    share = events / people
    coefficient = pt.gammaln(people + 1.0) - pt.gammaln(events + 1.0) - pt.gammaln(people - events + 1.0)
    logs = [part * pt.log(pt.maximum(part, _TINY)) for part in (share, 1.0 - share)]  # 0 log 0 is 0
    best = people * (logs[0] + logs[1])
    found = events * pt.log(risk) + (people - events) * pt.log1p(-risk)
    return coefficient + best + (found - best) / design_effect - 0.5 * pt.log(design_effect)


def interval_log_density(lower: Any, mean: Any, sd: Any, upper: Any) -> Any:
    """Log probability that a normal result lies between two bounds.

    Parameters
    ----------
    lower, upper : tensor
        Bounds, lower below upper; an open end is a bound some hundred standard deviations away.
    mean, sd : tensor
        Of the result.

    Returns
    -------
    tensor

    Notes
    -----
    ``log(Phi(b) - Phi(a))``, worked on the side of the mean where both tails are small, so that it stays exact
    far from the mean.

    Examples
    --------
    >>> found = interval_log_density(pt.constant(10.0), pt.constant(0.0), pt.constant(1.0), pt.constant(11.0))
    >>> float(found.eval(mode="FAST_COMPILE").round(4))
    -53.2313
    """
    a, b = (lower - mean) / sd, (upper - mean) / sd
    swap = (a + b) > 0.0
    low, high = pt.switch(swap, -b, a), pt.switch(swap, -a, b)
    small, large = log_normal_cdf(low), log_normal_cdf(high)
    return large + pt.log1mexp(pt.minimum(small - large, -1e-15))


def log_normal_cdf(value: Any) -> Any:
    """Log of the standard normal distribution function, exact in the lower tail.

    Parameters
    ----------
    value : tensor

    Returns
    -------
    tensor

    Examples
    --------
    >>> float(log_normal_cdf(pt.constant(-40.0)).eval(mode="FAST_COMPILE").round(3))
    -804.608
    """
    scaled = -value * _ROOT_HALF
    tail = pt.log(pt.erfcx(pt.maximum(scaled, 0.0)) / 2.0) - pt.maximum(scaled, 0.0) ** 2
    return pt.switch(value < 0.0, tail, pt.log1p(-pt.erfc(-pt.minimum(scaled, 0.0)) / 2.0))
