"""Paired draws: the one place where decision functions check what they are given.

Every function of this room works on draws that are *paired*: one label on ``sample`` is the same state of the
world in every array and for every option. Unpaired draws give a number that looks right and is wrong, so they
are refused here, together with missing dimensions, a single option, NaN and infinities.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from cba.errors import InputError

FloatArray = NDArray[np.float64]


class Quantiles(Protocol):
    """Anything with quantiles, such as ``scipy.stats.norm(0.3, 1)`` or a PreliZ distribution."""

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile at probability `q`."""


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


def require_dims(array: xr.DataArray, dims: Sequence[str], *, field: str, exact: bool = True) -> xr.DataArray:
    """Return the array in double precision; refuse a dimension missing or too many, labels twice, NaN, infinity."""
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
    for dim, labels in array.indexes.items():
        if not labels.is_unique:
            raise InputError(
                f"a label of {dim} stands twice",
                field=field,
                found=", ".join(dict.fromkeys(str(label) for label in labels[labels.duplicated()][:3])),
                allowed="each label once",
                cause="two tables joined, or chains stacked under one number",
                remedy="give each its own label; nothing is added up or dropped silently",
            )
    refuse_non_finite(np.asarray(array.values), field=field)
    # sums over draws in single precision lose the digits that tell options apart
    return array.astype(np.float64, copy=False)


def refuse_non_finite(values: NDArray[np.generic], *, field: str) -> None:
    """Refuse NaN and infinity."""
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


def require_paired(first: xr.DataArray, second: xr.DataArray, *, fields: tuple[str, str]) -> None:
    """Refuse two arrays whose draws, options or other shared labels differ, in number, by name or in order."""
    one, two = first.sizes["sample"], second.sizes["sample"]
    if one != two:
        raise _unpaired(fields, f"{one} and {two} draws")
    for dim in (str(dim) for dim in first.dims if dim in second.dims):
        if dim == "sample":
            # draws without labels are taken in their order
            labelled = "sample" in first.indexes and "sample" in second.indexes
            if labelled and not first.indexes["sample"].equals(second.indexes["sample"]):
                raise _unpaired(fields, "the same number of draws under different labels or in another order")
        else:
            require_same_labels(first, second, dim, fields=fields)


def require_same_labels(
    first: xr.DataArray, second: xr.DataArray, dim: str, *, fields: tuple[str, str]
) -> None:
    """Refuse two arrays with other labels along a dimension, or the same in another order."""
    if labels_of(first, dim) != labels_of(second, dim):
        raise InputError(
            f"{fields[0]} and {fields[1]} are not of the same {dim}s in the same order",
            field=dim,
            found=f"{labels_of(first, dim)} and {labels_of(second, dim)}",
            allowed="identical labels in the same order",
            cause="one of them sorted, filtered or labelled apart from the other",
            remedy=f"{fields[1]}.sel({dim}={fields[0]}['{dim}'])",
        )


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
    """The (sample, option) values, after refusing everything that is not paired draws of two or more options."""
    net_benefit = require_dims(net_benefit, ("sample", "option"), field=field)
    require_two_options(net_benefit, field=field)
    return np.ascontiguousarray(net_benefit.transpose("sample", "option").values, dtype=np.float64)


def require_two_options(net_benefit: xr.DataArray, *, field: str) -> None:
    """Refuse a single option: there is then no decision to inform."""
    if net_benefit.sizes["option"] < 2:
        raise InputError(
            "one option is no decision",
            field=field,
            found=f"{net_benefit.sizes['option']} option",
            allowed="two options or more",
            cause="net benefit taken against a comparator that was then dropped",
            remedy="keep the comparator as an option (its incremental net benefit is zero in every draw)",
        )


def labels_of(array: xr.DataArray, dim: str) -> list[Hashable]:
    """Labels along a dimension, or their positions where it has no coordinate."""
    return array.coords[dim].values.tolist() if dim in array.coords else list(range(array.sizes[dim]))


def option_labels(array: xr.DataArray) -> list[Hashable]:
    """Labels of the options, or their positions where the dimension has no coordinate."""
    return labels_of(array, "option")


def parameter_table(
    parameters: xr.Dataset | xr.DataArray | pd.DataFrame, net_benefit: xr.DataArray
) -> dict[str, FloatArray]:
    """Parameters as named columns paired with `net_benefit`.

    A DataFrame with the default index carries no labels and is matched by position; any other index, and
    every ``sample`` coordinate, must equal that of `net_benefit`.
    """
    if isinstance(parameters, pd.DataFrame):
        columns = _columns_of_frame(parameters, net_benefit)
    elif isinstance(parameters, xr.Dataset):
        columns = {}
        for name, array in parameters.data_vars.items():
            require_dims(array, ("sample",), field=str(name))
            require_paired(net_benefit, array, fields=("net_benefit", str(name)))
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
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise InputError(
            "two parameters have the same name",
            field="parameters",
            found=", ".join(sorted({name for name in names if names.count(name) > 1})),
            allowed="each name once; the number 1 and the text '1' are one name",
            cause="two tables joined, or numbered columns beside named ones",
            remedy="rename one: frame.add_prefix('x')",
        )
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
    for name, column in zip(names, frame.columns, strict=True):
        values = frame[column].to_numpy()
        refuse_non_finite(values, field=name)
        columns[name] = values.astype(np.float64)
    return columns


def resolve_groups(
    groups: Mapping[str, Sequence[str]] | None, columns: Mapping[str, FloatArray]
) -> dict[str, list[str]]:
    """Groups as lists of existing columns; each column on its own where `groups` is None."""
    if groups is None:
        return {name: [name] for name in columns}
    resolved: dict[str, list[str]] = {}
    for group, members in groups.items():
        listed = [members] if isinstance(members, str) else list(members)
        names = list(dict.fromkeys(str(name) for name in listed))  # columns may be numbered
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


# --- Monte Carlo standard errors of means and probabilities ---


def effective_sample_size(draws: ArrayLike, *, chains: int | None = None) -> float:
    """Number of independent draws that would give the same precision for the mean.

    Parameters
    ----------
    draws : array (sample,)
        Draws; with `chains`, the chains one after another, each in the order drawn.
    chains : int, optional
        Number of equally long Markov chains; None for independent draws.

    Returns
    -------
    float
        The number of draws for independent draws; otherwise between 1 and that number times its logarithm to
        base 10 (chains that alternate can beat independence).

    Raises
    ------
    InputError
        For NaN, or draws that do not divide into `chains` of at least four.

    Notes
    -----
    Autocorrelations from within- and between-chain variance, summed in pairs while these stay positive and do
    not rise (Geyer) [1]_. Draws that never vary are taken as independent: their error is zero either way.

    References
    ----------
    .. [1] Vehtari et al. (2021) *Bayesian Analysis* 16:667-718; Geyer (1992) *Statistical Science* 7:473-483.

    Examples
    --------
    >>> effective_sample_size(np.arange(8.0))
    8.0
    >>> bool(effective_sample_size(np.cumsum(np.random.default_rng(0).normal(size=1000)), chains=1) < 50)
    True
    """
    values = _draws(draws)
    if chains is None or np.ptp(values) == 0:
        return float(len(values))
    if chains < 1 or len(values) % chains or len(values) // chains < 4:
        raise InputError(
            "draws do not divide into chains",
            field="chains",
            found=f"{len(values)} draws, {chains} chains",
            allowed="equal chains of at least 4 draws",
            cause="chains of different lengths, or draws thinned after stacking",
        )
    table = values.reshape(chains, -1)
    return _geyer(table)


def _geyer(table: FloatArray) -> float:
    chains, length = table.shape
    centred = table - table.mean(axis=1, keepdims=True)
    size = 1 << (2 * length - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, size, axis=1)[:, :length].mean(axis=0) / length
    within = covariance[0] * length / (length - 1.0)
    between = table.mean(axis=1).var(ddof=1) if chains > 1 else 0.0
    pooled = within * (length - 1.0) / length + between
    correlation = 1.0 - (within - covariance) / pooled
    correlation[0] = 1.0
    pairs = correlation[: length - length % 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = np.minimum.accumulate(pairs[: negative[0] if len(negative) else len(pairs)])
    total = chains * length
    time = max(2.0 * pairs.sum() - 1.0, 1.0 / math.log10(max(total, 11)))
    return float(total / time)


def mcse_mean(draws: ArrayLike, *, chains: int | None = None) -> float:
    """Monte Carlo standard error of the mean.

    Parameters
    ----------
    draws : array (sample,)
    chains : int, optional
        As in `effective_sample_size`.

    Returns
    -------
    float
        Units of `draws`; zero for draws that never vary.

    Raises
    ------
    InputError
        For NaN, fewer than two draws, or draws that do not divide into `chains`.

    Examples
    --------
    >>> round(mcse_mean([1.0, 2.0, 3.0, 4.0]), 4)
    0.6455
    """
    values = _draws(draws)
    return float(values.std(ddof=1) / math.sqrt(effective_sample_size(values, chains=chains)))


def mcse_probability(events: ArrayLike, *, chains: int | None = None) -> float:
    """Monte Carlo standard error of a probability.

    Parameters
    ----------
    events : array of bool (sample,)
        Whether the event happens in each draw.
    chains : int, optional
        As in `effective_sample_size`.

    Returns
    -------
    float
        Where the event happens in all draws or in none, the plain formula gives zero, which no finite number
        of draws supports: the error is then that of half an event, ``0.5 / draws``.

    Raises
    ------
    InputError
        As `mcse_mean`.

    Examples
    --------
    >>> round(mcse_probability([True, False, False, False]), 4)
    0.2165
    """
    values = _draws(np.asarray(events).astype(np.float64))
    share = float(values.mean())
    if share in (0.0, 1.0):
        return 0.5 / len(values)
    return math.sqrt(share * (1.0 - share) / effective_sample_size(values, chains=chains))


def _draws(draws: ArrayLike) -> FloatArray:
    raw = np.asarray(draws)
    refuse_non_finite(raw, field="draws")
    values = raw.astype(np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise InputError(
            "draws must be one row of numbers",
            field="draws",
            found=f"shape {values.shape}",
            allowed="two draws or more in one dimension",
            remedy="stack chains: draws.stack(sample=('chain', 'draw'))",
        )
    return values
