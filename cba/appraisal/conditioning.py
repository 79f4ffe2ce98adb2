"""Keep some draws of the workings: all arrays at once, so that pairing is never lost."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings


def kept(value: Any, keep: np.ndarray) -> Any:
    """Return the chosen draws of an array, Dataset, record or collection; anything without draws unchanged.

    Parameters
    ----------
    value : object
        Arrays are cut along their first axis where its length is that of `keep`, labelled arrays along
        ``sample``.
    keep : ndarray of bool, shape (sample,)
        Which draws.

    Returns
    -------
    object
        Of the same kind as `value`.

    Examples
    --------
    >>> kept({"a": np.arange(3), "b": "text"}, np.array([True, False, True]))
    {'a': array([0, 2]), 'b': 'text'}
    """
    if isinstance(value, xr.DataArray | xr.Dataset):
        return value.isel(sample=np.flatnonzero(keep)) if "sample" in value.dims else value
    if isinstance(value, np.ndarray):
        return value[keep] if value.ndim and value.shape[0] == keep.size else value
    if isinstance(value, dict):
        return {name: kept(item, keep) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(kept(item, keep) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value, **{f.name: kept(getattr(value, f.name), keep) for f in dataclasses.fields(value)}
        )
    return value


def kept_workings(workings: Workings, keep: np.ndarray) -> Workings:
    """Return the workings of the chosen draws; their errors take them as independent.

    Parameters
    ----------
    workings : Workings
        Everything worked out on all draws.
    keep : ndarray of bool, shape (sample,)
        More draws than there are years, so that no other axis can be taken for them.

    Returns
    -------
    Workings
        Inputs, baseline fit and its checks unchanged; the draws of the effects cut like everything else.

    Examples
    --------
    >>> kept_workings(workings, workings.system.reach > 0.3)  # doctest: +SKIP
    """
    return dataclasses.replace(
        workings,
        effects=kept_tree(workings.effects, keep),
        system=kept(workings.system, keep),
        basis=kept(workings.basis, keep),
        accounts=kept(workings.accounts, keep),
        arrays=kept(workings.arrays, keep),
        chains=None,
    )


def kept_tree(tree: xr.DataTree, keep: np.ndarray) -> xr.DataTree:
    """Return the chosen draws of a fit, chains joined; groups without draws unchanged.

    Parameters
    ----------
    tree : DataTree
        A fit with dims (chain, draw, ...).
    keep : ndarray of bool, shape (sample,)
        Chains one after another.

    Returns
    -------
    DataTree
        Dims (sample, ...).

    Examples
    --------
    >>> tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"a": (("chain", "draw"), [[1.0, 2.0], [3.0, 4.0]])})})
    >>> kept_tree(tree, np.array([True, False, False, True]))["posterior"]["a"].values.tolist()
    [1.0, 4.0]
    """
    nodes = {}
    for name, node in tree.children.items():
        data = node.to_dataset()
        if {"chain", "draw"} <= set(data.dims):
            data = data.stack(sample=("chain", "draw"), create_index=False)
            data = kept(data.drop_vars(["chain", "draw"], errors="ignore").transpose("sample", ...), keep)
        nodes[name] = data
    return xr.DataTree.from_dict(nodes)
