"""The draws of an appraisal as a file: arrays by sample, every uncertain input, and what the explorer keeps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr


def write_draws(
    file: Path, *, draws: xr.Dataset, parameters: xr.Dataset, explorer: xr.Dataset | None = None
) -> None:
    """Write draws, parameters and the explorer's draws as groups of one netCDF file.

    Parameters
    ----------
    file : Path
        Replaced if it exists.
    draws : Dataset, dims (sample, ...)
    parameters : Dataset, dims (sample)
        Every uncertain input.
    explorer : Dataset, optional

    Notes
    -----
    The parameters are one matrix, by name and sample: a file of some 150 variables takes half a second to open.

    Examples
    --------
    >>> write_draws(folder / "draws.nc", draws=draws, parameters=parameters)  # doctest: +SKIP
    """
    groups = {"draws": _with_a_draw(draws), "parameters": _with_a_draw(_as_matrix(parameters))}
    if explorer is not None:
        groups["explorer"] = explorer
    # Only the cash flow is worth compressing: many lines are zero, where draws of children are all noise.
    compact = {"zlib": True, "complevel": 1, "shuffle": True}
    packing = {"/draws": {"cash_flow": compact}} if "cash_flow" in draws else {}
    xr.DataTree.from_dict(groups).to_netcdf(file, engine="h5netcdf", encoding=packing)


def read_draws(
    file: Path, *, count: int, lazy: bool = False
) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset | None]:
    """Read a file of :func:`write_draws`.

    Parameters
    ----------
    file : Path
    count : int
        Number of draws written; 0 for a stance that has none.
    lazy : bool
        Leave the arrays in the file, which must stay where it is, until they are used.

    Returns
    -------
    tuple of Dataset
        Draws, parameters, and the explorer's draws or None.

    Raises
    ------
    OSError, KeyError
        If the file is missing, damaged or holds something else.

    Examples
    --------
    >>> draws, parameters, explorer = read_draws(folder / "draws.nc", count=4000)  # doctest: +SKIP
    """
    drawn = slice(0, count)
    with xr.open_dataset(file, group="parameters", engine="h5netcdf") as opened:
        parameters = _as_variables(opened.load()).isel(sample=drawn)
    try:
        with xr.open_dataset(file, group="explorer", engine="h5netcdf") as opened:
            explorer = opened.load()
    except OSError:  # a group that is not there
        explorer = None
    draws = xr.open_dataset(file, group="draws", engine="h5netcdf")
    if not lazy:
        with draws:
            draws.load()
    return draws.isel(sample=drawn), parameters, explorer


def _as_matrix(parameters: xr.Dataset) -> xr.Dataset:
    """Return parameters as one array by name and sample, with their attributes as text beside each name."""
    names = [str(name) for name in parameters.data_vars]
    about = [
        json.dumps({k: v for k, v in parameters[name].attrs.items() if isinstance(v, str | int | float)})
        for name in names
    ]
    values = np.array([parameters[name].transpose("sample").values for name in names])
    made = xr.Dataset(
        {"value": (("name", "sample"), values), "about": ("name", about)},
        coords={"name": names, **{c: parameters[c] for c in parameters.coords}},
    )
    return made


def _as_variables(stored: xr.Dataset) -> xr.Dataset:
    """Return parameters as a variable each; runs stored before were so already."""
    if "about" not in stored:
        return stored
    values, about = stored["value"].values, stored["about"].values.tolist()
    held = {
        str(name): ("sample", values[row], json.loads(about[row]))
        for row, name in enumerate(stored["name"].values)
    }
    return xr.Dataset(held, coords={c: stored[c] for c in stored.coords if c != "name"})


def _with_a_draw(data: xr.Dataset) -> xr.Dataset:
    """Return data without draws with one missing draw: in netCDF a length of 0 means that it may grow."""
    return data if data.sizes["sample"] else data.pad(sample=(0, 1))
