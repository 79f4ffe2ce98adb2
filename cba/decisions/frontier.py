"""Cost-effectiveness frontier: which options no other option, or mix of options, beats on cost and effect."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from cba.decisions.acceptability_curves import paired_costs_and_effects
from cba.decisions.draws import FloatArray, option_labels, refuse_non_finite
from cba.errors import InputError


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


def _means(
    costs: ArrayLike, effects: ArrayLike, options: Sequence[Hashable] | None
) -> tuple[FloatArray, FloatArray, list[Hashable]]:
    labels: list[Hashable] | None = None if options is None else list(options)
    if isinstance(costs, xr.DataArray):
        labels = option_labels(costs) if labels is None else labels
        costs = costs.mean("sample") if "sample" in costs.dims else costs
    if isinstance(effects, xr.DataArray):
        effects = effects.mean("sample") if "sample" in effects.dims else effects
    cost, effect = np.asarray(costs, dtype=np.float64), np.asarray(effects, dtype=np.float64)
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
