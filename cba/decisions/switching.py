"""Switching values: what an input would have to be for a conclusion to change, and how likely that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.decisions.conditional_curves import conditional_mean
from cba.decisions.draws import FloatArray, require_dims, require_same_draws
from cba.decisions.half_samples import block_count
from cba.errors import InputError

Statistic = str | float | Callable[[FloatArray], float]


@dataclass(frozen=True)
class SwitchingValue:
    """Where a statistic of the outcome crosses its target.

    Parameters
    ----------
    value : float
        The input's value at the crossing, in its units; NaN where the target is not reached within the draws.
    reachable : bool
        Whether any value within the draws of the input reaches the target.
    probability_beyond : float
        Share of draws on the far side of `value`, seen from the input's median: the probability the evidence
        gives to the conclusion being the other way. Zero where not reachable.
    se : float
        Standard error of `value`; NaN where not reachable or not available.
    """

    value: float
    reachable: bool
    probability_beyond: float
    se: float = float("nan")

    def __str__(self) -> str:
        if not self.reachable:
            return "not reachable within the prior's support"
        return f"{self.value:.4g} (probability beyond: {self.probability_beyond:.2f})"


def switching_value(
    parameter: xr.DataArray, outcome: xr.DataArray, *, statistic: Statistic, target: float
) -> SwitchingValue:
    """Value of one input at which a statistic of the outcome equals its target.

    Parameters
    ----------
    parameter : DataArray, dims (sample,)
        Draws of the input.
    outcome : DataArray, dims (sample,)
        Paired draws of the outcome. For a probability ("30,000 fewer with probability one half") pass the
        event as 0 and 1 with ``statistic="mean"`` and the probability as `target`.
    statistic : "mean", "median", a float in (0, 1), or a callable
        Of the outcome given the input; a float is that quantile. A callable takes an array of outcomes and is
        applied to the draws with the nearest values of the input.
    target : float
        Value of the statistic at which the conclusion changes; zero for "NPV = 0".

    Returns
    -------
    SwitchingValue
        The crossing nearest to the input's median, counted in draws, where there are several.

    Raises
    ------
    InputError
        For unpaired draws, NaN, fewer than 128 draws, an unknown statistic, or an input that does not vary.

    Notes
    -----
    Solves ``statistic(outcome | input = x) = target`` on a smoothing spline through the draws of the run, all
    other inputs staying as uncertain as they are and moving with this one where they are correlated. A
    quantile is found where ``P(outcome <= target | input)`` equals its probability. Outside the inner 99% of
    draws the curve continues as a straight line up to the furthest draw, and no further.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(0.0, 1.0, 4000)
    >>> saving = xr.DataArray(2.0 * x - 2.0 + rng.normal(0.0, 1.0, 4000), dims="sample")
    >>> result = switching_value(xr.DataArray(x, dims="sample"), saving, statistic="mean", target=0.0)
    >>> bool(abs(result.value - 1.0) < 4 * result.se), bool(abs(result.probability_beyond - 0.159) < 0.03)
    (True, True)
    >>> print(switching_value(xr.DataArray(x, dims="sample"), saving, statistic="mean", target=100.0))
    not reachable within the prior's support
    """
    for array, field in ((parameter, "parameter"), (outcome, "outcome")):
        require_dims(array, ("sample",), field=field)
    require_same_draws(parameter, outcome, fields=("parameter", "outcome"))
    if not np.isfinite(target):
        raise InputError(
            "the target is not a number", field="target", found=target, allowed="a finite number"
        )
    values = np.asarray(parameter.values, dtype=np.float64)
    results = np.asarray(outcome.values, dtype=np.float64)
    block_count(len(values))
    if np.ptp(values) == 0:
        raise InputError(
            "the input does not vary, so nothing can be learnt from its draws",
            field="parameter",
            found=f"{values[0]} in every draw",
            allowed="an uncertain input",
        )
    points, curve, error = _curve(values, results, statistic, target)
    return _crossing(values, points, curve, error)


def _curve(
    values: FloatArray, results: FloatArray, statistic: Statistic, target: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points of the input, statistic less target there, and its standard error."""
    if callable(statistic):
        points, curve = _in_windows(values, results, statistic)
        return points, curve - target, np.full(len(points), np.nan)
    if statistic == "mean":
        fit, level = conditional_mean(values, results), target
    else:
        probability = 0.5 if statistic == "median" else statistic
        if not isinstance(probability, float) or not 0 < probability < 1:
            raise InputError(
                "this statistic is not known",
                field="statistic",
                found=statistic,
                allowed="'mean', 'median', a quantile's probability between 0 and 1, or a callable",
            )
        fit, level = conditional_mean(values, (results <= target).astype(np.float64)), probability
    ends = np.array([values.min(), values.max()])
    points = np.concatenate([ends[:1], fit.points, ends[1:]])
    curve = np.concatenate(
        [_continued(fit.points, fit.mean, ends[0]), fit.mean, _continued(fit.points, fit.mean, ends[1])]
    )
    error = np.sqrt((fit.shift**2).mean(axis=0))
    return points, curve - level, np.concatenate([error[:1], error, error[-1:]])


def _continued(points: FloatArray, mean: FloatArray, end: float) -> FloatArray:
    """The curve's outermost straight line, at the furthest draw."""
    inner = [0, 1] if end <= points[0] else [-1, -2]
    gap = points[inner[0]] - points[inner[1]]
    slope = (mean[inner[0]] - mean[inner[1]]) / gap if gap else 0.0
    return np.array([mean[inner[0]] + slope * (end - points[inner[0]])])


def _in_windows(
    values: FloatArray, results: FloatArray, statistic: Callable[[FloatArray], float]
) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(values, kind="stable")
    width = max(64, len(values) // 20)
    starts = np.linspace(0, len(values) - width, 41).astype(int)
    points = np.array([values[order[start : start + width]].mean() for start in starts])
    curve = np.array([float(statistic(results[order[start : start + width]])) for start in starts])
    return points, curve


def _crossing(values: FloatArray, points: FloatArray, curve: FloatArray, error: FloatArray) -> SwitchingValue:
    sign = np.sign(curve)
    places = np.flatnonzero((sign[:-1] * sign[1:] <= 0) & (curve[:-1] != curve[1:]))
    if not len(places):
        return SwitchingValue(float("nan"), False, 0.0)
    step = curve[places + 1] - curve[places]
    roots = points[places] - curve[places] * (points[places + 1] - points[places]) / step
    below = np.searchsorted(np.sort(values), roots) / len(values)
    nearest = int(np.abs(below - 0.5).argmin())
    root, place = float(roots[nearest]), places[nearest]
    beyond = float((values > root).mean()) if root >= np.median(values) else float((values < root).mean())
    run = points[place + 1] - points[place]
    spread = float(error[place] * run / abs(step[nearest])) if run > 0 else float("nan")
    return SwitchingValue(root, True, beyond, spread)
