"""The generic cohort kernel: a stock of children in states, moved once a year, then joined by entries.

It knows nothing of care: states, moves and entries are whatever the caller names. The care system of the
package is built on it, and so can be any other stock-flow account with yearly steps.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.projection.cohort_checks import (
    ENTRIES_DIMS,
    INITIAL_DIMS,
    MOVES_DIMS,
    check_alignment,
    check_counts,
    check_moves,
    check_whole,
)


def project(
    initial: xr.DataArray,
    entries: xr.DataArray,
    moves: xr.DataArray,
    rng: np.random.Generator | int | None = None,
) -> xr.DataArray:
    """State at the end of each year of a cohort that moves between states, leaves and is joined by entries.

    Parameters
    ----------
    initial : DataArray, dims (sample, [option,] state), children
        Stock before the first year; finite, >= 0. Whole numbers when `rng` is given.
    entries : DataArray, dims (sample, [option,] year, state), children a year
        Who joins during each year: counted at its end, at risk of moving from the next. Finite, >= 0.
    moves : DataArray, dims (sample, [option,] [year,] from_state, to_state), probability a year
        Each in [0, 1]; every row (over `to_state`) sums to at most 1 and the remainder leaves. Without `year`
        the same moves apply every year; without `option`, to every option.
    rng : Generator or int, optional
        None gives expectations. With a generator (or a seed) entries are Poisson and moves multinomial.
        Every option starts from the same stream, so options with equal inputs get equal outputs.

    Returns
    -------
    DataArray, dims (sample, [option,] year, state), children
        Stock at the end of each year of `entries`; `initial` itself is not included. New memory, C order:
        ``state`` fastest, ``sample`` slowest.

    Raises
    ------
    InputError
        Missing or unknown dims; coordinates of `sample`, `option`, `year` or the states that differ; NaN or
        negative counts; moves outside [0, 1] or rows above 1 (the worst row is named). Nothing is clipped.

    Notes
    -----
    ``x(t+1) = x(t) moves(t) + entries(t)``. The process variance of one state kept with probability q and
    joined by Poisson(m) children is ``Var(t+1) = q^2 Var(t) + q (1 - q) E x(t) + m`` [1]_: it settles, where
    adding variances up year after year would grow without limit.

    Inputs in (sample, ..., state) order and float64 are read in place. The loop works on blocks of 64
    samples turned into a structure of arrays; see `cba.projection.recursion`.

    References
    ----------
    .. [1] Law of total variance for binomial thinning plus Poisson entry; e.g. Weiss (2018) *An Introduction
       to Discrete-Valued Time Series*, ch. 2 (the Poisson INAR(1) process). Wiley.

    Examples
    --------
    Of 100 children, 70% stay each year and 30 join: the stock stays at 100.

    >>> import xarray as xr
    >>> initial = xr.DataArray([[100.0]], dims=("sample", "state"))
    >>> entries = xr.DataArray([[[30.0], [30.0]]], dims=("sample", "year", "state"))
    >>> moves = xr.DataArray([[[0.7]]], dims=("sample", "from_state", "to_state"))
    >>> project(initial, entries, moves).values.round(6).tolist()
    [[[100.0], [100.0]]]
    """
    check_alignment(initial=initial, entries=entries, moves=moves)
    start = _values(initial, "initial", INITIAL_DIMS)
    joining = _values(entries, "entries", ENTRIES_DIMS)
    moving = _values(moves, "moves", MOVES_DIMS)
    check_counts(start, initial, "initial")
    check_moves(moving, moves)
    options = max(start.shape[1], joining.shape[1], moving.shape[1])
    shape = (joining.shape[0], options, *joining.shape[2:])
    if rng is None:
        states = _expected(start, joining, moving, shape=shape, entries=entries)
    else:
        from cba.projection.process_noise import simulated_states

        check_counts(joining, entries, "entries")
        check_whole(start, initial)
        states = simulated_states(start, joining, moving, shape=shape, rng=np.random.default_rng(rng))
    return _labelled(states, (initial, entries, moves))


def _expected(
    initial: np.ndarray,
    joining: np.ndarray,
    moving: np.ndarray,
    *,
    shape: tuple[int, ...],
    entries: xr.DataArray,
) -> np.ndarray:
    from cba.projection.recursion import expected_states  # numba: seconds to import, so only when used

    out = np.empty(shape)
    # The loop has seen every entry anyway, so it does the checking; the slow look is for the message alone.
    if not expected_states(initial, joining, moving, out):
        check_counts(joining, entries, "entries")
        raise InputError(
            "the projected stock overflows: entries or the initial stock are too large to add up",
            field="entries",
            found=f"up to {float(joining.max()):g} children a year",
            remedy="check the units: children, not rates per million",
        )
    return out


def _values(array: xr.DataArray, name: str, dims: tuple[str, ...]) -> np.ndarray:
    """Values with every dim of `dims` in order, absent ones of length 1; no copy when already so."""
    present = [dim for dim in dims if dim in array.dims]
    try:
        values = np.ascontiguousarray(array.transpose(*present).values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} does not hold numbers", field=name, found=array.dtype, allowed="float"
        ) from error
    absent = tuple(position for position, dim in enumerate(dims) if dim not in array.dims)
    return np.expand_dims(values, absent)


def _labelled(states: np.ndarray, arrays: tuple[xr.DataArray, ...]) -> xr.DataArray:
    """Name the dims of the result, taking each label from the first argument that has it."""
    has_option = any("option" in array.dims for array in arrays)
    dims = ("sample", "option", "year", "state") if has_option else ("sample", "year", "state")
    coords = {}
    for dim in dims:
        source = next((array for array in arrays if dim in array.coords and dim in array.dims), None)
        if source is not None:
            coords[dim] = source.coords[dim].variable
    return xr.DataArray(states if has_option else states[:, 0], dims=dims, coords=coords)
