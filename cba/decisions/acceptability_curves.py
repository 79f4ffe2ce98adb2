"""Acceptability: which option is best, how surely, and what certainty is worth, by the price of one effect.

The net benefit of every option is a straight line in the threshold, so each draw is decided by the upper
envelope of a few lines: it is walked once, from breakpoint to breakpoint, and never evaluated threshold by
threshold. Time and memory do not grow with draws x options x thresholds.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from cba.decisions.draws import FloatArray, option_labels, options_matrix, require_same_draws
from cba.decisions.threshold_grid import threshold_array
from cba.errors import InputError


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
    """Values (sample, option) of both, after refusing draws or options that are not paired.

    Raises
    ------
    InputError
    """
    cost, effect = options_matrix(costs, field="costs"), options_matrix(effects, field="effects")
    require_same_draws(costs, effects, fields=("costs", "effects"))
    if option_labels(costs) != option_labels(effects):
        raise InputError(
            "costs and effects are not of the same options in the same order",
            field="option",
            found=f"{option_labels(costs)} and {option_labels(effects)}",
            allowed="identical labels",
            remedy="effects.sel(option=costs['option'])",
        )
    return cost, effect


def _envelope(
    cost: FloatArray, effect: FloatArray, grid: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Cost and effect of the best options, summed over draws, and draws won by option, at each threshold."""
    draws, options = cost.shape
    steps = len(grid) + 1  # a switch after the last threshold falls into the last, unused place
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
    return cost_step.cumsum()[:-1], effect_step.cumsum()[:-1], win_step.cumsum(axis=0)[:-1]


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
