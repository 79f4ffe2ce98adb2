"""Paired draws: the one place where decision functions check what they are given.

Every function of this room works on draws that are *paired*: one label on ``sample`` is the same state of the
world in every array and for every option. Unpaired draws give a number that looks right and is wrong, so they
are refused here, together with missing dimensions, a single option, NaN and infinities.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cba.errors import InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error, in the same units.

    Parameters
    ----------
    value : float
        Point estimate.
    se : float
        Standard error from the finite number of draws, zero or above.
    """

    value: float
    se: float

    def interval(self, *, level: float = 0.95, floor: float = 0.0) -> tuple[float, float]:
        """Normal interval around the value, cut at `floor` (a value of information cannot be negative)."""
        from scipy.stats import norm

        half = float(norm.ppf(0.5 + level / 2)) * self.se
        return max(self.value - half, floor), max(self.value + half, floor)


def require_dims(array: xr.DataArray, dims: Sequence[str], *, field: str, exact: bool = True) -> None:
    """Refuse an array that lacks a dimension, has one too many, or holds NaN or infinity.

    Parameters
    ----------
    array : DataArray
        What was passed.
    dims : sequence of str
        The dimensions it must have, in any order.
    field : str
        The argument's name, for the message.
    exact : bool
        Whether further dimensions are refused too.

    Raises
    ------
    InputError
        If it is no DataArray, its dimensions differ, it is empty or a value is not finite.
    """
    if not isinstance(array, xr.DataArray):
        raise InputError(
            "draws must carry named dimensions",
            field=field,
            found=type(array).__name__,
            allowed=f"xarray.DataArray with dims {tuple(dims)}",
            remedy=f"xr.DataArray(values, dims={tuple(dims)})",
        )
    missing = [dim for dim in dims if dim not in array.dims]
    extra = [dim for dim in array.dims if dim not in dims]
    if missing or (exact and extra):
        raise InputError(
            "draws have the wrong dimensions",
            field=field,
            found=tuple(array.dims),
            allowed=tuple(dims),
            cause="an array not yet summed or selected, or dimensions named differently",
            remedy="rename, sum or select until only these dimensions are left",
        )
    if array.size == 0:
        raise InputError("there are no draws", field=field, found=dict(array.sizes), allowed="one or more")
    refuse_non_finite(np.asarray(array.values), field=field)


def refuse_non_finite(values: NDArray[np.generic], *, field: str) -> None:
    """Refuse NaN and infinity.

    Raises
    ------
    InputError
        If values are not numbers, or one of them is NaN or infinite.
    """
    if values.dtype.kind not in "fiub":
        raise InputError("draws are not numbers", field=field, found=values.dtype, allowed="real numbers")
    bad = ~np.isfinite(values)
    if bad.any():
        raise InputError(
            "draws hold NaN or infinity",
            field=field,
            found=f"{int(bad.sum())} of {bad.size} values",
            allowed="finite numbers",
            cause="a division by zero or a missing price upstream",
            remedy="find where the first one arises; draws are never dropped silently",
        )


def require_same_draws(first: xr.DataArray, second: xr.DataArray, *, fields: tuple[str, str]) -> None:
    """Refuse two arrays whose ``sample`` dimension differs in length or in labels.

    Raises
    ------
    InputError
        If they are not the same draws in the same order.
    """
    one, two = first.sizes["sample"], second.sizes["sample"]
    if one != two:
        raise _unpaired(fields, f"{one} and {two} draws")
    if "sample" in first.indexes and "sample" in second.indexes:
        if not first.indexes["sample"].equals(second.indexes["sample"]):
            raise _unpaired(fields, "the same number of draws under different labels or in another order")


def _unpaired(fields: tuple[str, str], found: str) -> InputError:
    return InputError(
        f"{fields[0]} and {fields[1]} are not paired draw by draw",
        field="sample",
        found=found,
        allowed="identical sample labels in the same order",
        cause="draws from two runs, or one array thinned, shuffled or stacked differently",
        remedy="take both from the same run, or select the same labels from each: a.sel(sample=b['sample'])",
    )


def options_matrix(net_benefit: xr.DataArray, *, field: str = "net_benefit") -> FloatArray:
    """The (sample, option) values, after refusing everything that is not paired draws of two or more options.

    Raises
    ------
    InputError
        For wrong dimensions, NaN, infinity or a single option.
    """
    require_dims(net_benefit, ("sample", "option"), field=field)
    require_two_options(net_benefit, field=field)
    return np.ascontiguousarray(net_benefit.transpose("sample", "option").values, dtype=np.float64)


def require_two_options(net_benefit: xr.DataArray, *, field: str) -> None:
    """Refuse a single option: there is then no decision to inform.

    Raises
    ------
    InputError
        If ``option`` has fewer than two members.
    """
    if net_benefit.sizes["option"] < 2:
        raise InputError(
            "one option is no decision",
            field=field,
            found=f"{net_benefit.sizes['option']} option",
            allowed="two options or more",
            cause="net benefit taken against a comparator that was then dropped",
            remedy="keep the comparator as an option (its incremental net benefit is zero in every draw)",
        )


def option_labels(array: xr.DataArray) -> list[Hashable]:
    """Labels of the options, or their positions where the dimension has no coordinate."""
    return (
        list(array.coords["option"].values)
        if "option" in array.coords
        else list(range(array.sizes["option"]))
    )


def parameter_table(
    parameters: xr.Dataset | xr.DataArray | pd.DataFrame, net_benefit: xr.DataArray
) -> dict[str, FloatArray]:
    """Parameters as named columns paired with `net_benefit`.

    A DataFrame with the default index carries no labels and is matched by position; any other index, and
    every ``sample`` coordinate, must equal that of `net_benefit`.

    Raises
    ------
    InputError
        If the draws are unpaired, not finite, or fewer than the parameters.
    """
    if isinstance(parameters, pd.DataFrame):
        columns = _columns_of_frame(parameters, net_benefit)
    elif isinstance(parameters, xr.Dataset):
        columns = {}
        for name, array in parameters.data_vars.items():
            require_dims(array, ("sample",), field=str(name))
            require_same_draws(net_benefit, array, fields=("net_benefit", str(name)))
            columns[str(name)] = np.asarray(array.values, dtype=np.float64)
    else:
        raise InputError(
            "parameters must have names",
            field="parameters",
            found=type(parameters).__name__,
            allowed="xarray.Dataset over sample, or pandas.DataFrame",
            remedy="pandas.DataFrame(values, columns=[...])",
        )
    if not columns:
        raise InputError("no parameters were given", field="parameters", found="none", allowed="one or more")
    draws = net_benefit.sizes["sample"]
    if draws <= len(columns):
        raise InputError(
            "there are not more draws than parameters",
            field="parameters",
            found=f"{draws} draws of {len(columns)} parameters",
            allowed="many more draws than parameters",
            cause="the table is transposed, or the run was a trial run",
            remedy="put draws in rows and parameters in columns, or draw more",
        )
    return columns


def _columns_of_frame(frame: pd.DataFrame, net_benefit: xr.DataArray) -> dict[str, FloatArray]:
    if not frame.columns.is_unique:
        raise InputError("two parameters have the same name", field="parameters", found=list(frame.columns))
    if len(frame) != net_benefit.sizes["sample"]:
        raise _unpaired(
            ("net_benefit", "parameters"), f"{net_benefit.sizes['sample']} and {len(frame)} draws"
        )
    labelled = not (
        isinstance(frame.index, pd.RangeIndex) and frame.index.start == 0 and frame.index.step == 1
    )
    if labelled and "sample" in net_benefit.indexes and not net_benefit.indexes["sample"].equals(frame.index):
        raise _unpaired(("net_benefit", "parameters"), "the same number of draws under different labels")
    columns: dict[str, FloatArray] = {}
    for name in frame.columns:
        values = frame[name].to_numpy()
        refuse_non_finite(values, field=str(name))
        columns[str(name)] = values.astype(np.float64)
    return columns


def resolve_groups(
    groups: Mapping[str, Sequence[str]] | None, columns: Mapping[str, FloatArray]
) -> dict[str, list[str]]:
    """Groups as lists of existing columns; each column on its own where `groups` is None.

    Raises
    ------
    InputError
        If a group is empty or names an unknown column.
    """
    if groups is None:
        return {name: [name] for name in columns}
    resolved: dict[str, list[str]] = {}
    for group, members in groups.items():
        names = [members] if isinstance(members, str) else list(dict.fromkeys(members))
        unknown = [name for name in names if name not in columns]
        if unknown or not names:
            raise InputError(
                "a group is empty or names a parameter that is not there",
                field=str(group),
                found=unknown or "no parameters",
                allowed=", ".join(columns),
                cause="a parameter renamed in priors",
                remedy="correct the group's list",
            )
        resolved[str(group)] = names
    if not resolved:
        raise InputError(
            "no groups were given", field="groups", found="an empty mapping", allowed="None or one or more"
        )
    return resolved
