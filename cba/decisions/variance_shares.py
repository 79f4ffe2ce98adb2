"""Shapley effects: shares of an output's variance due to inputs that may be correlated, from draws alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from cba.decisions.draws import FloatArray, parameter_table, require_dims, resolve_groups
from cba.decisions.group_inputs import GroupBasis, choose_penalty, group_basis
from cba.decisions.half_samples import block_count, block_products, block_sums, content_order
from cba.decisions.shapley_values import shapley
from cba.decisions.spline_basis import spline_basis
from cba.errors import InputError

MOST_GROUPS = 8
"""256 subsets to fit; beyond this, put inputs into groups."""


def shapley_effects(
    outcome: xr.DataArray,
    parameters: xr.Dataset | pd.DataFrame,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Split the variance of an outcome among inputs, correlated or not.

    Parameters
    ----------
    outcome : DataArray, dims (sample,)
        Any quantity; its draws are paired with `parameters`.
    parameters : Dataset over sample, or DataFrame
    groups : mapping of str to list of str, optional
        Inputs that share one effect; None takes each column on its own. At most eight.

    Returns
    -------
    DataFrame, columns group, effect, se
        Shares of the variance. They sum to the share explained by all inputs together (one, where the outcome
        is a function of them); noise in the fits can make a small one slightly negative.

    Raises
    ------
    InputError
        For unpaired draws, NaN, too many groups, fewer draws than parameters or fewer than 128, or an outcome
        that does not vary.

    Notes
    -----
    Shapley values of ``S -> Var(E[outcome | inputs in S]) / Var(outcome)`` [1]_, exact over all subsets; each
    variance from the regression behind `evppi`, corrected for its degrees of freedom. Interactions of three
    inputs or more are not sought. With independent inputs the effects lie between first-order and total Sobol
    indices; with correlated ones an input without any effect of its own shares in what it is correlated with.

    References
    ----------
    .. [1] Owen (2014) *SIAM/ASA Journal on Uncertainty Quantification* 2:245-251; Song, Nelson & Staum (2016)
       in the same journal 4:1060-1083.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 4000))
    >>> table = shapley_effects(xr.DataArray(3 * x + 4 * y, dims="sample"), pd.DataFrame({"x": x, "y": y}))
    >>> bool(abs(table["effect"] - [0.36, 0.64]).max() < 0.03), round(float(table["effect"].sum()), 2)
    (True, 1.0)
    """
    require_dims(outcome, ("sample",), field="outcome")
    columns = parameter_table(parameters, outcome)
    chosen = resolve_groups(groups, columns)
    if len(chosen) > MOST_GROUPS:
        raise InputError(
            "there are too many inputs to fit every subset",
            field="groups",
            found=f"{len(chosen)} groups",
            allowed=f"up to {MOST_GROUPS}",
            remedy="group inputs by research question",
        )
    values = np.asarray(outcome.values, dtype=np.float64)
    blocks = block_count(len(values))
    order = content_order(list(columns.values()), np.stack([values, np.zeros_like(values)], axis=1))
    centred = (values - values.mean())[order][:, None]
    variance = float((centred**2).mean())
    if variance <= 1e-24 * float((values**2).mean()):
        raise InputError("the outcome does not vary", field="outcome", found="variance 0", allowed="above 0")
    bases = {name: spline_basis(columns[name][order]) for members in chosen.values() for name in members}
    names = [name for name, basis in bases.items() if len(basis.roughness) > 1]
    places = {
        group: {names.index(name) for name in members if name in names} for group, members in chosen.items()
    }
    fits = _Fits.of(group_basis([bases[name] for name in names]), centred, blocks) if names else None
    explained = {
        frozenset(subset): _explained(
            fits, set().union(*(places[group] for group in subset)), centred, blocks
        )
        for size in range(len(chosen) + 1)
        for subset in combinations(chosen, size)
    }
    effects = shapley(explained.__getitem__, list(chosen))
    spread = block_sums(centred**2, blocks)[:, 0] / len(values)
    return _table(effects, variance, spread)


@dataclass(frozen=True)
class _Fits:
    """The functions of all inputs with their moments, from which every subset is fitted."""

    basis: GroupBasis
    gram: FloatArray
    cross: FloatArray
    penalty: FloatArray

    @classmethod
    def of(cls, basis: GroupBasis, centred: FloatArray, blocks: int) -> _Fits:
        """Moments and one penalty for all subsets, so that adding an input never takes a function away."""
        draws, width = basis.functions.shape
        moments = block_products([basis.functions, centred], blocks).sum(axis=0) / draws
        gram, cross = moments[:width, :width], moments[:width, width:]
        square = (centred**2).mean(axis=0)
        return cls(basis, gram, cross, choose_penalty(basis, gram, cross, square, draws))


def _explained(fits: _Fits | None, members: set[int], centred: FloatArray, blocks: int) -> FloatArray:
    """Explained variance, then its parts by block (sums over draws divided by the number of draws)."""
    if fits is None or not members:
        return np.zeros(blocks + 1)
    used = np.isin(fits.basis.inputs, [-1, *members]).all(axis=1)
    gram, cross = fits.gram[np.ix_(used, used)], fits.cross[used]
    solved = np.linalg.solve(gram + fits.penalty[np.ix_(used, used)], np.concatenate([cross, gram], axis=1))
    coefficients = np.zeros(len(used))
    coefficients[used] = solved[:, 0]
    left = (centred[:, 0] - fits.basis.functions @ coefficients) ** 2
    gained = centred[:, 0] ** 2 - left / (1.0 - np.trace(solved[:, 1:]) / len(left))
    parts = block_sums(gained[:, None], blocks)[:, 0] / len(left)
    return np.concatenate([[parts.sum()], parts])


def _table(effects: dict[str, FloatArray], variance: float, spread: FloatArray) -> pd.DataFrame:
    """Shares, with errors from the blocks: a share is a ratio of sums over draws."""
    rows = []
    for group, parts in effects.items():
        share = float(parts[0] / variance)
        influence = (parts[1:] - share * spread) / variance
        error = np.sqrt(len(spread) / (len(spread) - 1.0) * ((influence - influence.mean()) ** 2).sum())
        rows.append((group, share, float(error)))
    return pd.DataFrame(rows, columns=["group", "effect", "se"])
