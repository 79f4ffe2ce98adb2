"""Expected value of partial perfect information: what knowing one input, or one group, would be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from cba.decisions.control_inputs import AdditiveFit, find_controls
from cba.decisions.draws import (
    Estimate,
    FloatArray,
    options_matrix,
    parameter_table,
    require_same_draws,
    resolve_groups,
)
from cba.decisions.group_inputs import GroupFit, fit_group, group_basis
from cba.decisions.group_value import value_of_group_rules
from cba.decisions.half_samples import block_count, content_order
from cba.decisions.rule_value import HalfSampleFits, value_of_rules
from cba.decisions.single_input import fit_single_input
from cba.decisions.spline_basis import SplineBasis, spline_basis
from cba.decisions.threshold_grid import threshold_array


def evppi(
    net_benefit: xr.DataArray,
    parameters: xr.Dataset | pd.DataFrame,
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    independent: bool | None = None,
) -> pd.DataFrame:
    """Value of learning each input, or group of inputs, exactly before deciding.

    Parameters
    ----------
    net_benefit : DataArray, dims (sample, option), present value, GBP
        Paired draws of two options or more.
    parameters : Dataset over sample, or DataFrame with one row per draw
        The inputs' draws, paired with `net_benefit`. Inputs not named in `groups` still help: see Notes.
    groups : mapping of str to list of str, optional
        Columns learnt together, by group; None takes each column on its own.
    independent : bool, optional
        True where the inputs are independent by construction, False where they are not; by default decided
        from the draws. See Notes.

    Returns
    -------
    DataFrame, columns group, evppi, se
        In the order of `groups`; `evppi` is not negative, `se` its standard error, both in the units of
        `net_benefit`. The 95% interval is ``evppi -+ 1.96 se`` cut at zero.

    Raises
    ------
    InputError
        For unpaired draws, one option, NaN, an unknown column, fewer draws than parameters or fewer than 128.

    Notes
    -----
    ``E[max_d E[NB(d) | x]] - max_d E[NB(d)]`` [1]_. Conditional means are smoothing splines for one input,
    and main effects with pairwise interactions for a group (three-way interactions are not sought: a group
    with strong ones is undervalued, never overvalued). Rules are learnt on balanced half-samples and valued
    on the draws they have not seen, so an input worth nothing is not credited with its own noise [2]_; the
    standard error is the spread over half-samples. Inputs may be correlated, and draws are taken as
    independent: thin a Markov chain, or widen by the square root of draws over effective draws.

    With eight inputs or more and no test finding dependence among them, what the other inputs contribute is
    taken out first, which removes most of the noise; dependence too weak to be found can then bias a value by
    up to about one standard error. ``independent=False`` switches this off.

    Where two options are nearly tied in expectation every estimator is at its worst: which of them is the
    baseline is then noise too.

    References
    ----------
    .. [1] Heath, Kunst & Jackson (eds, 2024) *Value of Information for Healthcare Decision-Making*, ch. 3.
    .. [2] Strong, Oakley & Brennan (2014) *Medical Decision Making* 34:311-326 (regression, without
    splitting);
       McCarthy (1969) *Review of the International Statistical Institute* 37:239-264 (balanced half-samples).

    Examples
    --------
    Option B gains x - y; knowing x, spread 1, is worth less than knowing y, spread 2.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(1, 1, 4000), rng.normal(0, 2, 4000)
    >>> nb = xr.DataArray(np.stack([0 * x, x - y], 1), dims=("sample", "option"))
    >>> table = evppi(nb, pd.DataFrame({"x": x, "y": y}))
    >>> error = table["evppi"] - [0.0833, 0.3956]
    >>> bool((error.abs() < 3 * table["se"]).all())
    True
    """
    values = options_matrix(net_benefit)
    columns = parameter_table(parameters, net_benefit)
    chosen = resolve_groups(groups, columns)
    block_count(len(values))
    bases, values = _in_content_order(columns, values)
    additive = find_controls(bases, values, independent=independent)
    estimates = {group: _value(members, bases, values, additive) for group, members in chosen.items()}
    return _table(estimates)


def evppi_by_threshold(
    costs: xr.DataArray,
    effects: xr.DataArray,
    parameters: xr.Dataset | pd.DataFrame,
    thresholds: ArrayLike,
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    independent: bool | None = None,
) -> pd.DataFrame:
    """EVPPI along the value of one unit of effect; costs and effects are fitted once.

    Parameters
    ----------
    costs, effects : DataArray, dims (sample, option)
        Present value GBP, and units of effect; net benefit is ``threshold * effects - costs``.
    parameters : Dataset over sample, or DataFrame
        As in `evppi`.
    thresholds : array of float, >= 0
        GBP per unit of effect.
    groups : mapping of str to list of str, optional
        As in `evppi`.
    independent : bool, optional
        As in `evppi`.

    Returns
    -------
    DataFrame, columns group, threshold, evppi, se

    Raises
    ------
    InputError
        As in `evppi`; also for thresholds that are negative or not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(1.0, 1.0, 4000)
    >>> effects = xr.DataArray(np.stack([0 * x, x], 1), dims=("sample", "option"))
    >>> costs = xr.DataArray(np.tile([0.0, 1.0], (4000, 1)), dims=("sample", "option"))
    >>> curve = evppi_by_threshold(costs, effects, pd.DataFrame({"x": x}), [0.0, 1.0])
    >>> curve["evppi"].round(1).tolist()
    [0.0, 0.4]
    """
    grid = threshold_array(thresholds)
    cost, effect = options_matrix(costs, field="costs"), options_matrix(effects, field="effects")
    require_same_draws(costs, effects, fields=("costs", "effects"))
    columns = parameter_table(parameters, costs)
    chosen = resolve_groups(groups, columns)
    block_count(len(cost))
    bases, both = _in_content_order(columns, np.concatenate([effect, cost], axis=1), options=cost.shape[1])
    additive = find_controls(bases, both, independent=independent)
    rows = []
    for group, members in chosen.items():
        fits, controls = _fit(members, bases, both, additive)
        for threshold in grid:
            estimate = _at_threshold(fits, both, controls, float(threshold))
            rows.append((group, float(threshold), estimate.value, estimate.se))
    return pd.DataFrame(rows, columns=["group", "threshold", "evppi", "se"])


def value_of_learning(columns: dict[str, FloatArray], net_benefit: FloatArray) -> Estimate:
    """Value of learning all these columns together; the shared core of `evppi` and `evsi`.

    Parameters
    ----------
    columns : dict of str to array (sample,)
    net_benefit : array (sample, option)

    Returns
    -------
    Estimate
    """
    block_count(len(net_benefit))
    bases, values = _in_content_order(columns, net_benefit)
    return _value(list(bases), bases, values, None)


def _in_content_order(
    columns: dict[str, FloatArray], values: FloatArray, *, options: int | None = None
) -> tuple[dict[str, SplineBasis], FloatArray]:
    """Shuffle by content, and take out of each draw what is common to all options: it cannot matter."""
    width = options or values.shape[1]
    parts = [values[:, start : start + width] for start in range(0, values.shape[1], width)]
    order = content_order(list(columns.values()), parts[0])
    centred = [part - (part @ np.full(width, 1.0 / width))[:, None] for part in parts]
    bases = {name: spline_basis(column[order]) for name, column in columns.items()}
    joined = centred[0] if len(centred) == 1 else np.concatenate(centred, axis=1)
    return bases, joined.take(order, axis=0)


def _fit(
    members: list[str], bases: dict[str, SplineBasis], responses: FloatArray, additive: AdditiveFit | None
) -> tuple[HalfSampleFits | GroupFit, FloatArray | None]:
    varying = [bases[name] for name in members if len(bases[name].roughness) > 1]
    others = additive is not None and len(members) < len(additive.parts)
    controls = additive.without(members) if additive is not None and others else None
    if len(varying) < 2:
        basis = varying[0] if varying else bases[members[0]]
        return fit_single_input(basis, responses, controls=controls), controls
    rest = responses if controls is None else responses - controls
    return fit_group(group_basis(varying), rest), controls


def _value(
    members: list[str], bases: dict[str, SplineBasis], values: FloatArray, additive: AdditiveFit | None
) -> Estimate:
    fits, controls = _fit(members, bases, values, additive)
    if isinstance(fits, HalfSampleFits):
        return value_of_rules(fits)
    return value_of_group_rules(fits, values, controls=controls)


def _at_threshold(
    fits: HalfSampleFits | GroupFit, both: FloatArray, controls: FloatArray | None, threshold: float
) -> Estimate:
    if isinstance(fits, HalfSampleFits):
        return value_of_rules(fits.at_threshold(threshold))
    options = both.shape[1] // 2
    weights = np.concatenate([threshold * np.eye(options), -np.eye(options)])
    return value_of_group_rules(
        fits, both @ weights, controls=None if controls is None else controls @ weights, weights=weights
    )


def _table(estimates: dict[str, Estimate]) -> pd.DataFrame:
    rows = [(group, estimate.value, estimate.se) for group, estimate in estimates.items()]
    return pd.DataFrame(rows, columns=["group", "evppi", "se"])
