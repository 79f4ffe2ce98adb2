"""Ratios of benefit to cost: always a ratio of means over draws, never a mean of ratios."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cba.decisions.draws import FloatArray, refuse_non_finite, require_dims, require_paired
from cba.decisions.information import conditional_mean
from cba.decisions.regression import block_count
from cba.discounting import discount_factors
from cba.errors import InputError

# --- Payback: the first year from which cumulative discounted net saving stays at or above zero ---


def payback_year(
    net_cash_flow: xr.DataArray, *, schedule: str = "green_book_2026", base_year: int
) -> xr.DataArray:
    """Year in which each draw pays back for good, or NaN for never within the horizon.

    Parameters
    ----------
    net_cash_flow : DataArray, dims (sample, year) and any others, GBP, undiscounted
        Positive is a net saving, programme and recurrent cost included. ``year`` is a coordinate of calendar
        years, none before `base_year`; they need not be consecutive.
    schedule : str
        Discount schedule, see `cba.costs.discount_factors`.
    base_year : int
        Year 0 of discounting.

    Returns
    -------
    DataArray, the dimensions of `net_cash_flow` without ``year``
        Year (as float), or NaN where the cumulative net is still below zero at the horizon. A stream that
        never spends pays back in its first year: it is never below zero.

    Raises
    ------
    InputError
        If ``year`` has no coordinate, repeats, or starts before `base_year`; if a value is not finite.

    Notes
    -----
    First T with ``sum_{t <= s} net(t) * factor(t - base_year) >= 0`` for every s from T to the horizon. A
    stream that breaks even early and is overtaken by later recurrent cost has not paid back by then. Rounding
    is allowed for: a shortfall below 1e-9 of the money moved so far counts as zero.

    Examples
    --------
    >>> flow = xr.DataArray(
    ...     [[-100.0, 60.0, 60.0], [-100.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    ...     dims=("sample", "year"), coords={"year": [2023, 2024, 2025]},
    ... )
    >>> payback_year(flow, schedule="green_book_2026", base_year=2023).values.tolist()
    [2025.0, nan, 2023.0]
    """
    net_cash_flow = require_dims(net_cash_flow, ("sample", "year"), field="net_cash_flow", exact=False)
    if "year" not in net_cash_flow.indexes:
        raise InputError(
            "years have no labels",
            field="year",
            found="a dimension without a coordinate",
            allowed="calendar years",
            remedy="net_cash_flow.assign_coords(year=range(first, last + 1))",
        )
    flow = net_cash_flow.sortby("year")
    years = np.asarray(flow["year"].values)
    if len(np.unique(years)) != len(years) or years[0] < base_year:
        raise InputError(
            "years repeat or start before the base year",
            field="year",
            found=f"{years[0]} to {years[-1]}, {len(years)} years, base year {base_year}",
            allowed="different calendar years from the base year on",
            cause="offsets in place of calendar years, or the wrong base year",
        )
    factors = xr.DataArray(discount_factors((years - base_year).astype(int), schedule), dims="year")
    present = flow * factors
    cumulative = present.cumsum("year")
    moved = abs(present).cumsum("year")
    short = cumulative < -1e-9 * moved
    return _year_after_last(short, years).rename("payback_year")


def _year_after_last(short: xr.DataArray, years: np.ndarray) -> xr.DataArray:
    """The year after the last one in which the stream is short; NaN where that is the horizon."""
    axis = short.get_axis_num("year")
    values = np.moveaxis(short.values, axis, -1)
    ever = values.any(axis=-1)
    last = len(years) - 1 - values[..., ::-1].argmax(axis=-1)
    place = np.where(ever, last + 1, 0)
    labels = np.append(years.astype(np.float64), np.nan)
    kept = short.isel(year=0, drop=True)
    return xr.DataArray(labels[place], dims=kept.dims, coords=kept.coords)


@dataclass(frozen=True)
class Mvpf:
    """Marginal value of public funds.

    Parameters
    ----------
    value : float
        Pounds of benefit per pound of net cost; infinite where the policy pays for itself; NaN where it
        neither benefits anyone nor costs anything.
    probability_self_financing : float
        Share of draws in which net cost is not above zero.
    willingness_to_pay, net_cost : float
        Means over draws, present value.
    """

    value: float
    probability_self_financing: float
    willingness_to_pay: float
    net_cost: float


def mvpf(willingness_to_pay: ArrayLike, net_cost: ArrayLike) -> Mvpf:
    """Marginal value of public funds: beneficiaries' willingness to pay over net cost to government.

    Parameters
    ----------
    willingness_to_pay : float or array (sample,), present value, GBP
        What the policy is worth to those it reaches.
    net_cost : float or array (sample,), present value, GBP
        Spending less all savings and taxes it brings; paired with `willingness_to_pay`.

    Returns
    -------
    Mvpf

    Raises
    ------
    InputError
        If the draws are unpaired or not finite.

    Notes
    -----
    ``mean(WTP) / mean(net cost)`` [1]_; with mean net cost at or below zero and mean WTP above, infinite.
    With both at or below zero the ratio says nothing and is missing. It is not additive over draws: the mean
    of ratios is not reported.

    References
    ----------
    .. [1] Hendren & Sprung-Keyser (2020) *Quarterly Journal of Economics* 135:1209-1318.

    Examples
    --------
    >>> round(mvpf(49_170, 28_020).value, 4)
    1.7548
    >>> result = mvpf([10.0, 10.0], [5.0, -5.0])
    >>> result.value, result.probability_self_financing
    (inf, 0.5)
    """
    benefit, cost = _paired(willingness_to_pay, net_cost, fields=("willingness_to_pay", "net_cost"))
    mean_benefit, mean_cost = float(benefit.mean()), float(cost.mean())
    if mean_cost > 0:
        value = mean_benefit / mean_cost
    else:
        value = np.inf if mean_benefit > 0 else np.nan
    return Mvpf(value, float((cost <= 0).mean()), mean_benefit, mean_cost)


def _paired(one: ArrayLike, two: ArrayLike, *, fields: tuple[str, str]) -> tuple[FloatArray, FloatArray]:
    if isinstance(one, xr.DataArray) and isinstance(two, xr.DataArray) and one.ndim == 1 == two.ndim:
        require_dims(one, ("sample",), field=fields[0])
        require_dims(two, ("sample",), field=fields[1])
        require_paired(one, two, fields=fields)
    first, second = np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)
    refuse_non_finite(first, field=fields[0])
    refuse_non_finite(second, field=fields[1])
    if first.shape != second.shape or first.ndim > 1 or not first.size:
        raise InputError(
            f"{fields[0]} and {fields[1]} are not paired draw by draw",
            field="sample",
            found=f"shapes {first.shape} and {second.shape}",
            allowed="two numbers, or two arrays of equal length",
        )
    return first, second


# --- Switching values: what an input would have to be for a conclusion to change, and how likely that … ---


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
        Share of draws of the input at which the conclusion is another than at its median, on the far side of any
        crossing: the probability the evidence gives to the conclusion being the other way. Zero where not
        reachable.
    se : float
        Standard error of `value`; NaN where not reachable or not available.
    crossings : tuple of float
        Every value at which the target is crossed, rising; `value` is the one nearest to the input's median.
    """

    value: float
    reachable: bool
    probability_beyond: float
    se: float = float("nan")
    crossings: tuple[float, ...] = ()

    def __str__(self) -> str:
        if not self.reachable:
            return "not reachable within the prior's support"
        crossed = " and ".join(f"{value:.4g}" for value in self.crossings or (self.value,))
        return f"{crossed} (probability beyond: {self.probability_beyond:.2f})"


def switching_value(
    parameter: xr.DataArray, outcome: xr.DataArray, *, statistic: Statistic, target: float
) -> SwitchingValue:
    """Value of one input at which a statistic of the outcome equals its target.

    Parameters
    ----------
    parameter : DataArray, dims (sample,)
        Draws of the input.
    outcome : DataArray, dims (sample,)
        Paired draws of the outcome. For a probability ("1,000 fewer with probability one half") pass the
        event as 0 and 1 with ``statistic="mean"`` and the probability as `target`.
    statistic : "mean", "median", a float in (0, 1), or a callable
        Of the outcome given the input; a float is that quantile. A callable takes an array of outcomes and is
        applied to the draws with the nearest values of the input.
    target : float
        Value of the statistic at which the conclusion changes; zero for "NPV = 0".

    Returns
    -------
    SwitchingValue
        Its `value` is the crossing nearest to the input's median, counted in draws; `crossings` are all.

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
    parameter = require_dims(parameter, ("sample",), field="parameter")
    outcome = require_dims(outcome, ("sample",), field="outcome")
    require_paired(parameter, outcome, fields=("parameter", "outcome"))
    if not np.isfinite(target):
        raise InputError(
            "the target is not a number", field="target", found=target, allowed="a finite number"
        )
    values, results = parameter.values, outcome.values
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
    holds = np.interp(values, points, curve) >= 0
    beyond = float((holds != (np.interp(np.median(values), points, curve) >= 0)).mean())
    run = points[place + 1] - points[place]
    spread = float(error[place] * run / abs(step[nearest])) if run > 0 else float("nan")
    return SwitchingValue(root, True, beyond, spread, tuple(np.unique(roots).tolist()))
