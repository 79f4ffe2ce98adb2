"""What to choose on paired draws: worst cases and regret, acceptability, frontier and break-even value."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from cba.decisions.draws import (
    FloatArray,
    option_labels,
    options_matrix,
    refuse_non_finite,
    require_dims,
    require_paired,
    require_same_labels,
)
from cba.errors import InputError

TAIL = 0.05


def cvar(values: xr.DataArray, *, tail: float = TAIL) -> xr.DataArray:
    """Mean of the worst draws (conditional value at risk; low is bad).

    Parameters
    ----------
    values : DataArray, dims (sample, ...)
        Net benefit or any other quantity of which more is better.
    tail : float in (0, 1]
        Share of draws counted as worst; 1 gives the mean.

    Returns
    -------
    DataArray, dims (...), same units

    Raises
    ------
    InputError
        If `tail` is out of range or a value is not finite.

    Notes
    -----
    The draw at the edge counts by the part of it that falls into the tail, so the result moves smoothly with
    `tail` [1]_.

    References
    ----------
    .. [1] Rockafellar & Uryasev (2002) *Journal of Banking & Finance* 26:1443-1471.

    Examples
    --------
    >>> float(cvar(xr.DataArray([4.0, 1.0, 2.0, 3.0], dims="sample"), tail=0.5))
    1.5
    """
    values = require_dims(values, ("sample",), field="values", exact=False)
    if not 0 < tail <= 1:
        raise InputError(
            "the tail is not a share of draws", field="tail", found=tail, allowed="above 0, up to 1"
        )
    axis = values.get_axis_num("sample")
    ordered = np.sort(np.moveaxis(values.values, axis, 0), axis=0)
    wanted = tail * len(ordered)
    weight = np.clip(wanted - np.arange(len(ordered)), 0.0, 1.0) / wanted
    kept = values.isel(sample=0, drop=True)
    return xr.DataArray(
        np.tensordot(weight, ordered, axes=(0, 0)), dims=kept.dims, coords=kept.coords, name="cvar"
    )


def regret_table(net_benefit: xr.DataArray, *, tail: float = TAIL) -> pd.DataFrame:
    """Expected value beside the figures that other attitudes to risk would look at.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option), present value, GBP
    tail : float in (0, 1]
        Share of worst draws in `cvar`.

    Returns
    -------
    DataFrame, one row per option
        Columns option, mean, mean_se, cvar, expected_loss, worst_loss (99th percentile of regret),
        prob_best, prob_negative; GBP and probabilities.

    Raises
    ------
    InputError
        For one option, NaN or other dimensions, or a `tail` out of range.

    Examples
    --------
    >>> nb = xr.DataArray([[0.0, -10.0], [0.0, 30.0]], dims=("sample", "option"))
    >>> regret_table(nb)[["mean", "expected_loss", "prob_best", "prob_negative"]].values.tolist()
    [[0.0, 15.0, 0.5, 0.0], [10.0, 5.0, 0.5, 0.5]]
    """
    values = options_matrix(net_benefit)
    regret = values.max(axis=1, keepdims=True) - values
    best = np.bincount(values.argmax(axis=1), minlength=values.shape[1]) / len(values)
    return pd.DataFrame(
        {
            "option": option_labels(net_benefit),
            "mean": values.mean(axis=0),
            "mean_se": values.std(axis=0, ddof=1 if len(values) > 1 else 0) / np.sqrt(len(values)),
            "cvar": cvar(net_benefit.transpose("sample", "option"), tail=tail).values,
            "expected_loss": regret.mean(axis=0),
            "worst_loss": np.quantile(regret, 0.99, axis=0),
            "prob_best": best,
            "prob_negative": (values < 0).mean(axis=0),
        }
    )


# --- Probability of reaching a target, as a curve over targets ---


def probability_at_least(values: xr.DataArray, targets: ArrayLike) -> xr.Dataset:
    """Probability that a quantity is at least x, for each x.

    Parameters
    ----------
    values : DataArray, dims (sample, ...)
        For example fewer children in care in 2032, by option.
    targets : array of float
        Values of x, in units of `values`.

    Returns
    -------
    Dataset: probability, se, dims (target, ...)
        `se` for independent draws, ``sqrt(p (1 - p) / n)``; see `mcse_probability` for Markov chains.

    Raises
    ------
    InputError
        If a draw or a target is not finite.

    Examples
    --------
    >>> curve = probability_at_least(xr.DataArray([1.0, 2.0, 3.0, 4.0], dims="sample"), [0, 2, 5])
    >>> curve.probability.values.tolist()
    [1.0, 0.75, 0.0]
    """
    values = require_dims(values, ("sample",), field="values", exact=False)
    grid = np.atleast_1d(np.asarray(targets, dtype=np.float64))
    if grid.ndim != 1 or not np.isfinite(grid).all():
        raise InputError("targets are not numbers", field="targets", found=targets, allowed="finite numbers")
    moved = np.moveaxis(values.values, values.get_axis_num("sample"), -1)
    draws = moved.shape[-1]
    ordered = np.sort(moved.reshape(-1, draws))
    share = np.stack([1.0 - np.searchsorted(row, grid, side="left") / draws for row in ordered], axis=-1)
    kept = values.isel(sample=0, drop=True)
    probability = share.reshape(len(grid), *moved.shape[:-1])
    error = np.sqrt(probability * (1.0 - probability) / draws)
    coords = {**{name: coord for name, coord in kept.coords.items()}, "target": grid}
    dims = ("target", *kept.dims)
    return xr.Dataset({"probability": (dims, probability), "se": (dims, error)}, coords=coords)


# --- Thresholds: the value of one unit of effect, as a checked array ---


def threshold_array(thresholds: ArrayLike) -> FloatArray:
    """Thresholds as a one-dimensional array. Shape (threshold,). `thresholds`: GBP per unit of effect."""
    grid = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if grid.ndim != 1 or not grid.size or not np.isfinite(grid).all() or (grid < 0).any():
        raise InputError(
            "thresholds are not a list of prices",
            field="thresholds",
            found=np.asarray(thresholds).tolist()
            if np.size(thresholds) < 10
            else f"{np.size(thresholds)} values",
            allowed="one or more finite values of at least 0, in GBP per unit of effect",
        )
    return grid


# --- Acceptability: which option is best, how surely, and what certainty is worth, by the price of one … ---


def acceptability(costs: xr.DataArray, effects: xr.DataArray, thresholds: ArrayLike) -> xr.Dataset:
    """Expected incremental net benefit, acceptability curves, frontier and EVPI by threshold.

    Parameters
    ----------
    costs : DataArray, dims (sample, option), present value, GBP
        Positive is spending.
    effects : DataArray, dims (sample, option)
        Units of effect, for example discounted child-years safely at home; paired with `costs`.
    thresholds : array of float, >= 0
        GBP per unit of effect (lambda), in any order.

    Returns
    -------
    Dataset
        ``eib`` (threshold, option): expected incremental net benefit against the first option, GBP.
        ``ceac`` (threshold, option): share of draws in which the option is best; sums to one over options.
        ``best`` (threshold): label of the option with the highest expected net benefit.
        ``ceaf`` (threshold): `ceac` of that option.
        ``evpi`` (threshold): expected value of perfect information, GBP.

    Raises
    ------
    InputError
        For unpaired draws, options that differ, one option, NaN, or thresholds that are negative.

    Notes
    -----
    Net benefit is ``threshold * effects - costs`` [1]_. The highest acceptability curve need not be the best
    option, because a curve counts draws and not how much they gain: read `ceaf` and `best` beside it. Equal
    net benefits go to the option that comes first, always.

    References
    ----------
    .. [1] Stinnett & Mullahy (1998) *Medical Decision Making* 18:S68-S80; Barton, Briggs & Fenwick (2008)
       *Value in Health* 11:886-897.

    Examples
    --------
    >>> named = {"dims": ("sample", "option"), "coords": {"option": ["a", "b"]}}
    >>> costs = xr.DataArray([[0.0, 100.0], [0.0, 100.0]], **named)
    >>> effects = xr.DataArray([[0.0, 1.0], [0.0, 4.0]], **named)
    >>> result = acceptability(costs, effects, [0, 30, 200])
    >>> result.ceac.sel(option="b").values.tolist(), result.best.values.tolist()
    ([0.0, 0.5, 1.0], ['a', 'a', 'b'])
    >>> result.evpi.values.tolist()
    [0.0, 10.0, 0.0]
    """
    cost, effect = paired_costs_and_effects(costs, effects)
    grid = threshold_array(thresholds)
    order = np.argsort(grid, kind="stable")
    ascending = grid[order]
    top_cost, top_effect, wins = _envelope(cost, effect, ascending)
    back = np.argsort(order, kind="stable")
    draws, options = cost.shape
    mean_cost, mean_effect = cost.mean(axis=0), effect.mean(axis=0)
    expected = grid[:, None] * mean_effect - mean_cost
    best = expected.argmax(axis=1)
    ceac = wins[back] / draws
    perfect = (grid * top_effect[back] - top_cost[back]) / draws
    labels = option_labels(costs)
    return xr.Dataset(
        {
            "eib": (("threshold", "option"), expected - expected[:, :1]),
            "ceac": (("threshold", "option"), ceac),
            "ceaf": ("threshold", ceac[np.arange(len(grid)), best]),
            "evpi": ("threshold", np.maximum(perfect - expected.max(axis=1), 0.0)),
            "best": ("threshold", np.array(labels)[best]),
        },
        coords={"threshold": grid, "option": labels},
        attrs={"comparator": str(labels[0]), "draws": draws, "options": options},
    )


def paired_costs_and_effects(costs: xr.DataArray, effects: xr.DataArray) -> tuple[FloatArray, FloatArray]:
    """Values (sample, option) of both, after refusing draws or options that are not paired."""
    cost, effect = options_matrix(costs, field="costs"), options_matrix(effects, field="effects")
    require_paired(costs, effects, fields=("costs", "effects"))
    return cost, effect


def _envelope(
    cost: FloatArray, effect: FloatArray, grid: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Cost and effect of the best options, summed over draws, and draws won by option, at each threshold."""
    draws, options = cost.shape
    steps = len(grid)
    cost_step, effect_step = np.zeros(steps), np.zeros(steps)
    win_step = np.zeros((steps, options), dtype=np.int64)
    row = np.arange(draws)
    now = (grid[0] * effect - cost).argmax(axis=1)
    cost_step[0], effect_step[0] = cost[row, now].sum(), effect[row, now].sum()
    win_step[0] = np.bincount(now, minlength=options)
    at = np.zeros(draws, dtype=np.intp)
    while len(row):
        row, now, after, step = _next_switch(cost, effect, grid, row, now, at)
        cost_step += np.bincount(step, cost[row, after] - cost[row, now], minlength=steps)
        effect_step += np.bincount(step, effect[row, after] - effect[row, now], minlength=steps)
        for option, sign in ((after, 1), (now, -1)):
            moved = np.bincount(step * options + option, minlength=steps * options)
            win_step += sign * moved.reshape(steps, options)
        now, at = after, step
    return cost_step.cumsum(), effect_step.cumsum(), win_step.cumsum(axis=0)


def _next_switch(
    cost: FloatArray,
    effect: FloatArray,
    grid: FloatArray,
    row: NDArray[np.intp],
    now: NDArray[np.intp],
    at: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Draws that switch again: their row, option before and after, and the first threshold after the switch.

    The breakpoint says where to look; who wins there is decided by comparing net benefit exactly as a plain
    loop would, ties included, so that results equal the loop's.
    """
    extra_effect = effect[row] - effect[row, now][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = (cost[row] - cost[row, now][:, None]) / extra_effect
    crossing[extra_effect <= 0] = np.inf
    step = np.searchsorted(grid, crossing.min(axis=1), side="left")
    step = np.maximum(step - 1, at + 1)  # one early, in case rounding put the breakpoint just too high
    after = now.copy()
    waiting = np.flatnonzero(step < len(grid))
    while len(waiting):
        price = grid[step[waiting]]
        drawn = row[waiting]
        after[waiting] = (price[:, None] * effect[drawn] - cost[drawn]).argmax(axis=1)
        same = after[waiting] == now[waiting]
        waiting = waiting[same]
        step[waiting] += 1
        waiting = waiting[step[waiting] < len(grid)]
    going = after != now
    return row[going], now[going], after[going], step[going]


# --- Cost-effectiveness frontier: which options no other option, or mix of options, beats on cost and … ---


def cost_effectiveness_frontier(
    costs: ArrayLike, effects: ArrayLike, options: Sequence[Hashable] | None = None
) -> pd.DataFrame:
    """Incremental cost-effectiveness table with strong and extended dominance.

    Parameters
    ----------
    costs : array (option,) or DataArray with dim option (and sample: then means are taken), GBP
    effects : the same shape
        Units of effect, more is better.
    options : sequence, optional
        Labels; taken from the coordinate ``option`` where there is one.

    Returns
    -------
    DataFrame, columns option, cost, effect, status, versus, incremental_cost, incremental_effect, icer
        Sorted by cost. `status` is "frontier", "dominated" (another costs no more and achieves no less)
        or "extended" (a mix of its neighbours on the frontier does better). Increments and `icer` (GBP per
        unit of effect) are against the option `versus`, the one before it on the frontier, and missing off
        the frontier and for its first option.

    Raises
    ------
    InputError
        If lengths differ, there is no option, or a value is not finite.

    Notes
    -----
    The frontier is the lower convex hull of cost against effect, from the cheapest option upwards; ratios
    rise along it. Of options with equal cost and effect the first is kept [1]_.

    References
    ----------
    .. [1] US Department of Veterans Affairs, Health Economics Resource Center, *Cost-effectiveness analysis*.

    Examples
    --------
    >>> table = cost_effectiveness_frontier(
    ...     [5e3, 12e3, 10e3, 25e3, 35e3, 55e3], [1, 1.5, 2, 3, 4, 5], ["UC", "A", "B", "C", "D", "E"]
    ... )
    >>> table[["option", "status", "icer"]].values.tolist()[:3]
    [['UC', 'frontier', nan], ['B', 'frontier', 5000.0], ['A', 'dominated', nan]]
    >>> table.loc[table["status"] == "frontier", "icer"].tolist()
    [nan, 5000.0, 12500.0, 20000.0]
    """
    cost, effect, labels = _means(costs, effects, options)
    order = np.lexsort((np.arange(len(cost)), -effect, cost))  # cheapest first, then the most effective
    undominated: list[int] = []
    for place in order:
        if not undominated or effect[place] > effect[undominated[-1]]:
            undominated.append(int(place))
    hull: list[int] = []
    for place in undominated:
        while len(hull) > 1 and _ratio(cost, effect, hull[-2], hull[-1]) >= _ratio(
            cost, effect, hull[-1], place
        ):
            hull.pop()
        hull.append(place)
    rows = []
    for place in order:
        status = "frontier" if place in hull else "extended" if place in undominated else "dominated"
        row = [labels[place], cost[place], effect[place], status, None, np.nan, np.nan, np.nan]
        if status == "frontier" and hull.index(int(place)):
            before = hull[hull.index(int(place)) - 1]
            row[4:] = [
                labels[before],
                cost[place] - cost[before],
                effect[place] - effect[before],
                _ratio(cost, effect, before, int(place)),
            ]
        rows.append(row)
    names = ["option", "cost", "effect", "status", "versus", "incremental_cost", "incremental_effect", "icer"]
    return pd.DataFrame(rows, columns=names)


def _ratio(cost: FloatArray, effect: FloatArray, before: int, after: int) -> float:
    return float((cost[after] - cost[before]) / (effect[after] - effect[before]))


def _mean_of(values: ArrayLike, *, field: str) -> ArrayLike:
    """Return the means over draws of labelled values; anything else as it is."""
    if not isinstance(values, xr.DataArray):
        return values
    drawn = {"sample"} & set(values.dims)
    checked = require_dims(values, ("option", *drawn), field=field)
    return checked.mean("sample") if drawn else checked


def _means(
    costs: ArrayLike, effects: ArrayLike, options: Sequence[Hashable] | None
) -> tuple[FloatArray, FloatArray, list[Hashable]]:
    labels: list[Hashable] | None = None if options is None else list(options)
    one, two = _mean_of(costs, field="costs"), _mean_of(effects, field="effects")
    if isinstance(costs, xr.DataArray) and isinstance(effects, xr.DataArray):
        if "sample" in costs.dims and "sample" in effects.dims:
            require_paired(costs, effects, fields=("costs", "effects"))
        require_same_labels(costs, effects, "option", fields=("costs", "effects"))
    if isinstance(costs, xr.DataArray) and labels is None:
        labels = option_labels(costs)
    cost, effect = np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)
    labels = list(range(cost.size)) if labels is None else labels
    if cost.ndim != 1 or cost.shape != effect.shape or len(labels) != cost.size or not cost.size:
        raise InputError(
            "costs, effects and options do not match",
            field="costs, effects, options",
            found=f"{cost.shape}, {effect.shape}, {len(labels)} labels",
            allowed="one cost and one effect per option",
        )
    refuse_non_finite(cost, field="costs")
    refuse_non_finite(effect, field="effects")
    return cost, effect, labels


def plane_quadrants(costs: xr.DataArray, effects: xr.DataArray) -> pd.DataFrame:
    """Probability of each quadrant of the cost-effectiveness plane, against the first option.

    Parameters
    ----------
    costs, effects : DataArray, dims (sample, option)
        Paired draws.

    Returns
    -------
    DataFrame, one row per option but the first
        Columns option, better_cheaper, better_dearer, worse_cheaper, worse_dearer; rows sum to one. A draw on
        an axis counts as "better" when effects are equal and as "cheaper" when costs are.

    Raises
    ------
    InputError
        As `acceptability`.

    Examples
    --------
    >>> costs = xr.DataArray([[0.0, 1.0], [0.0, -1.0]], dims=("sample", "option"))
    >>> effects = xr.DataArray([[0.0, 2.0], [0.0, -2.0]], dims=("sample", "option"))
    >>> plane_quadrants(costs, effects).iloc[0].tolist()
    [1.0, 0.0, 0.5, 0.5, 0.0]
    """
    cost, effect = paired_costs_and_effects(costs, effects)
    extra_cost, extra_effect = cost[:, 1:] - cost[:, :1], effect[:, 1:] - effect[:, :1]
    better, cheaper = extra_effect >= 0, extra_cost <= 0
    return pd.DataFrame(
        {
            "option": option_labels(costs)[1:],
            "better_cheaper": (better & cheaper).mean(axis=0),
            "better_dearer": (better & ~cheaper).mean(axis=0),
            "worse_cheaper": (~better & cheaper).mean(axis=0),
            "worse_dearer": (~better & ~cheaper).mean(axis=0),
        }
    )


def break_even_value(costs: xr.DataArray, effects: xr.DataArray) -> pd.DataFrame:
    """Price of one unit of effect at which each option breaks even with the first (lambda*).

    Parameters
    ----------
    costs, effects : DataArray, dims (sample, option)
        Paired draws; GBP and units of effect.

    Returns
    -------
    DataFrame, one row per option but the first
        Columns option, value, se (GBP per unit of effect), incremental_cost, incremental_effect. `value` is
        missing where the option achieves no more than the first: no price then makes it break even from
        below. A negative `value` means it already pays at a price of zero.

    Raises
    ------
    InputError
        As `acceptability`.

    Notes
    -----
    Ratio of mean increments, never the mean of ratios; ``se`` by the delta method.

    Examples
    --------
    >>> costs = xr.DataArray([[0.0, 90.0], [0.0, 110.0]], dims=("sample", "option"))
    >>> effects = xr.DataArray([[0.0, 1.0], [0.0, 3.0]], dims=("sample", "option"))
    >>> break_even_value(costs, effects)["value"].tolist()
    [50.0]
    """
    cost, effect = paired_costs_and_effects(costs, effects)
    extra_cost, extra_effect = cost[:, 1:] - cost[:, :1], effect[:, 1:] - effect[:, :1]
    mean_cost, mean_effect = extra_cost.mean(axis=0), extra_effect.mean(axis=0)
    positive = mean_effect > 0
    divisor = np.where(positive, mean_effect, np.nan)
    value = mean_cost / divisor
    error = (extra_cost - value * extra_effect).std(axis=0, ddof=1) / np.sqrt(len(cost)) / divisor
    return pd.DataFrame(
        {
            "option": option_labels(costs)[1:],
            "value": value,
            "se": error,
            "incremental_cost": mean_cost,
            "incremental_effect": mean_effect,
        }
    )
