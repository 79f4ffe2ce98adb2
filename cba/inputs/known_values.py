"""From long tables to labelled arrays, each cell from the latest release not after a given one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

Dims = Mapping[str, tuple[str, Sequence]]
"""Dimension of an array to the column of the table that holds it and its members in order."""


def as_known(table: pd.DataFrame, *, release: int, key: Sequence[str]) -> pd.DataFrame:
    """Keep, for each key, the row of the latest release not after the one asked for.

    Parameters
    ----------
    table : DataFrame
        With a column ``release``.
    release : int
        The release to stand in.
    key : sequence of str
        Columns that name a figure apart from its release.

    Returns
    -------
    DataFrame
        One row per key.

    Examples
    --------
    >>> table = pd.DataFrame({"release": [2022, 2023], "year": [2022, 2022], "children": [82170, 82080]})
    >>> int(as_known(table, release=2024, key=["year"])["children"].iloc[0])
    82080
    """
    known = table[table["release"] <= release].sort_values("release", kind="stable")
    return known.drop_duplicates(list(key), keep="last")


def to_array(table: pd.DataFrame, *, dims: Dims, value: str) -> xr.DataArray:
    """Lay the rows of a long table out as a labelled array; NaN where there is no row.

    Parameters
    ----------
    table : DataFrame
        One row per cell.
    dims : mapping of str to (column, members)
        For each dimension of the result the column that holds it and its members in order; rows of other
        members are left out.
    value : str
        Column with the values.

    Returns
    -------
    DataArray, dims as given, float64

    Examples
    --------
    >>> rows = pd.DataFrame({"year": [2023, 2024], "children": [83760, 83630]})
    >>> to_array(rows, dims={"year": ("year", [2022, 2023, 2024])}, value="children").values
    array([   nan, 83760., 83630.])
    """
    places = [pd.Index(members).get_indexer(table[column]) for column, members in dims.values()]
    inside = np.logical_and.reduce([place >= 0 for place in places])
    values = np.full([len(members) for _, members in dims.values()], np.nan)
    values[tuple(place[inside] for place in places)] = table[value].to_numpy(dtype=float)[inside]
    return xr.DataArray(
        values, dims=list(dims), coords={name: list(members) for name, (_, members) in dims.items()}
    )
