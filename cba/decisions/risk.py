"""Attitudes to risk: expected loss, worst cases, ranks and stochastic dominance, all on paired draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from cba.decisions.draws import option_labels, options_matrix, require_dims
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
    require_dims(values, ("sample",), field="values", exact=False)
    if not 0 < tail <= 1:
        raise InputError(
            "the tail is not a share of draws", field="tail", found=tail, allowed="above 0, up to 1"
        )
    axis = values.get_axis_num("sample")
    ordered = np.sort(np.moveaxis(values.values.astype(np.float64), axis, 0), axis=0)
    wanted = tail * len(ordered)
    weight = np.clip(wanted - np.arange(len(ordered)), 0.0, 1.0) / wanted
    kept = values.isel(sample=0, drop=True)
    return xr.DataArray(
        np.tensordot(weight, ordered, axes=(0, 0)), dims=kept.dims, coords=kept.coords, name="cvar"
    )


def expected_loss(net_benefit: xr.DataArray) -> xr.DataArray:
    """Mean regret of each option: how far it falls short of the best option of each draw.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option), present value, GBP

    Returns
    -------
    DataArray, dims (option,), GBP
        Not negative; the smallest equals `evpi`.

    Raises
    ------
    InputError
        For one option, NaN or other dimensions.

    Examples
    --------
    >>> nb = xr.DataArray([[0.0, -10.0], [0.0, 30.0]], dims=("sample", "option"))
    >>> expected_loss(nb).values.tolist()
    [15.0, 5.0]
    """
    values = options_matrix(net_benefit)
    loss = (values.max(axis=1, keepdims=True) - values).mean(axis=0)
    return xr.DataArray(
        loss, dims="option", coords={"option": option_labels(net_benefit)}, name="expected_loss"
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
        As `expected_loss` and `cvar`.

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


def ranking_probabilities(net_benefit: xr.DataArray) -> xr.DataArray:
    """Probability of each option taking each rank, on common draws.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option)

    Returns
    -------
    DataArray, dims (option, rank)
        Rank 1 is best. Rows and columns sum to one; ties go to the option that comes first.

    Raises
    ------
    InputError
        For one option, NaN or other dimensions.

    Examples
    --------
    >>> nb = xr.DataArray([[0.0, -10.0], [0.0, 30.0]], dims=("sample", "option"))
    >>> ranking_probabilities(nb).values.tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    values = options_matrix(net_benefit)
    options = values.shape[1]
    order = np.argsort(-values, axis=1, kind="stable")
    share = np.stack([np.bincount(order[:, rank], minlength=options) for rank in range(options)], axis=1)
    return xr.DataArray(
        share / len(values),
        dims=("option", "rank"),
        coords={"option": option_labels(net_benefit), "rank": np.arange(1, options + 1)},
        name="probability",
    )


def stochastic_dominance(net_benefit: xr.DataArray, *, order: int = 1) -> xr.DataArray:
    """Whether one option's distribution dominates another's, whatever the attitude to risk.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option)
    order : {1, 2}
        1: preferred by everyone who wants more. 2: by everyone who also dislikes risk.

    Returns
    -------
    DataArray of bool, dims (option, other)
        True where `option` dominates `other`: nowhere worse and somewhere better. False on the diagonal.

    Raises
    ------
    InputError
        For one option, NaN, other dimensions or another order.

    Notes
    -----
    Compares sorted draws (order 1) or their running sums from the worst upwards (order 2): marginal
    distributions, not draws in pairs, so an option can dominate and still lose in some states of the world.

    Examples
    --------
    >>> nb = xr.DataArray([[0.0, 1.0, -9.0], [2.0, 3.0, 12.0]], dims=("sample", "option"))
    >>> stochastic_dominance(nb).values.tolist()
    [[False, False, False], [True, False, False], [False, False, False]]
    >>> bool(stochastic_dominance(nb, order=2)[1, 2])
    True
    """
    values = options_matrix(net_benefit)
    if order not in (1, 2):
        raise InputError(
            "dominance of this order is not defined", field="order", found=order, allowed="1 or 2"
        )
    ladder = np.sort(values, axis=0)
    if order == 2:
        ladder = ladder.cumsum(axis=0)
    difference = ladder[:, :, None] - ladder[:, None, :]
    slack = 1e-12 * np.abs(ladder).max()
    dominates = (difference >= -slack).all(axis=0) & (difference > slack).any(axis=0)
    labels = option_labels(net_benefit)
    return xr.DataArray(dominates, dims=("option", "other"), coords={"option": labels, "other": labels})
