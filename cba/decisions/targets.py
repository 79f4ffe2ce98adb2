"""Probability of reaching a target, as a curve over targets."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cba.decisions.draws import require_dims
from cba.errors import InputError


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
    require_dims(values, ("sample",), field="values", exact=False)
    grid = np.atleast_1d(np.asarray(targets, dtype=np.float64))
    if grid.ndim != 1 or not np.isfinite(grid).all():
        raise InputError("targets are not numbers", field="targets", found=targets, allowed="finite numbers")
    moved = np.moveaxis(values.values.astype(np.float64), values.get_axis_num("sample"), -1)
    draws = moved.shape[-1]
    ordered = np.sort(moved.reshape(-1, draws), axis=-1)
    share = np.stack([1.0 - np.searchsorted(row, grid, side="left") / draws for row in ordered], axis=-1)
    kept = values.isel(sample=0, drop=True)
    probability = share.reshape(len(grid), *moved.shape[:-1])
    error = np.sqrt(probability * (1.0 - probability) / draws)
    coords = {**{name: coord for name, coord in kept.coords.items()}, "target": grid}
    dims = ("target", *kept.dims)
    return xr.Dataset({"probability": (dims, probability), "se": (dims, error)}, coords=coords)
