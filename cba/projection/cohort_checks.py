"""What the cohort kernel refuses: dims, labels, counts and moves, each with a message that says where.

The functions return nothing when all is well. `values` are bare arrays whose absent dims have length 1; the
labelled array beside them is only read for the labels in a message.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.errors import InputError

ROW_SUM_TOLERANCE = 1e-9
"""How far a row of moves may exceed 1 before it is refused: room for rounding, not for error."""

INITIAL_DIMS = ("sample", "option", "state")
ENTRIES_DIMS = ("sample", "option", "year", "state")
MOVES_DIMS = ("sample", "option", "year", "from_state", "to_state")
AXES: dict[str, tuple[str, ...]] = {
    "sample": ("sample",),
    "option": ("option",),
    "year": ("year",),
    "state": ("state", "from_state", "to_state"),
}
OPTIONAL = {"initial": {"option"}, "entries": {"option"}, "moves": {"option", "year"}}


type Carrier = tuple[str, xr.DataArray, str]
"""An argument's name, the argument, and the dim of it that is meant."""


def check_alignment(*, initial: xr.DataArray, entries: xr.DataArray, moves: xr.DataArray) -> None:
    """Refuse missing or unknown dims, and labels that differ between arguments in value or in order."""
    arrays = {"entries": entries, "initial": initial, "moves": moves}
    _check_dims(initial, "initial", INITIAL_DIMS)
    _check_dims(entries, "entries", ENTRIES_DIMS)
    _check_dims(moves, "moves", MOVES_DIMS)
    for axis, dims in AXES.items():
        carriers = [(name, array, dim) for name, array in arrays.items() for dim in dims if dim in array.dims]
        for carrier in carriers[1:]:
            _check_same_length(axis, carriers[0], carrier)
        labelled = [(name, array, dim) for name, array, dim in carriers if dim in array.indexes]
        for carrier in labelled[1:]:
            _check_same_labels(axis, labelled[0], carrier)


def _check_dims(array: xr.DataArray, name: str, dims: tuple[str, ...]) -> None:
    required = set(dims) - OPTIONAL[name]
    if required <= set(array.dims) <= set(dims):
        return
    optional = " and ".join(sorted(OPTIONAL[name]))
    raise InputError(
        f"{name} has the wrong dims",
        field=name,
        found=tuple(array.dims),
        allowed=f"{tuple(dim for dim in dims if dim in required)}, and optionally {optional}",
        remedy="rename or expand the dims; for one known value use .expand_dims(sample=...)",
    )


def _check_same_length(axis: str, first: Carrier, second: Carrier) -> None:
    (first_name, first_array, first_dim), (second_name, second_array, second_dim) = first, second
    expected, found = first_array.sizes[first_dim], second_array.sizes[second_dim]
    if expected == found:
        return
    raise InputError(
        f"{first_name} and {second_name} differ in the length of {axis!r}",
        field=f"{second_name}.{second_dim}",
        found=found,
        allowed=f"{expected}, as in {first_name}",
        remedy="draw all inputs once, together, and select the same labels from each",
    )


def _check_same_labels(axis: str, first: Carrier, second: Carrier) -> None:
    (first_name, first_array, first_dim), (second_name, second_array, second_dim) = first, second
    labels, others = first_array.indexes[first_dim], second_array.indexes[second_dim]
    if labels.equals(others):
        return
    worst = int(np.flatnonzero(np.asarray(labels != others))[0])
    raise InputError(
        f"{first_name} and {second_name} are not aligned: labels of {axis!r} differ or are in another order",
        field=f"{second_name}.{second_dim}",
        found=f"{others[worst]} at position {worst}",
        allowed=f"{labels[worst]}, as in {first_name}",
        cause="inputs drawn or sorted separately, so that one draw is not one state of the world",
        remedy=f"reindex {second_name} to the labels of {first_name}; rows are never matched silently",
    )


def _position(array: xr.DataArray, flat: int, dims: tuple[str, ...]) -> str:
    """Labels of element `flat` of `array` (its dims in the order of `dims`), for a message."""
    present = [dim for dim in dims if dim in array.dims]
    index = np.unravel_index(flat, [array.sizes[dim] for dim in present])
    parts = []
    for dim, place in zip(present, index, strict=True):
        label = array.indexes[dim][place] if dim in array.indexes else int(place)
        parts.append(f"{dim}={label}")
    return ", ".join(parts)


def check_counts(values: np.ndarray, array: xr.DataArray, name: str) -> None:
    """Refuse counts that are negative, NaN or infinite, naming the worst."""
    good = np.isfinite(values) & (values >= 0)
    if good.all():
        return
    # NaN and infinity sort below every negative number, so that the worst fault is the one shown.
    worst = int(np.argmin(np.where(np.isfinite(values), values, -np.inf)))
    found = values.flat[worst]
    kind = "negative" if np.isfinite(found) else "not finite"
    where = _position(array, worst, INITIAL_DIMS if name == "initial" else ENTRIES_DIMS)
    raise InputError(
        f"{name} holds {int((~good).sum())} counts that are negative or not finite; the worst is {kind}",
        field=f"{name}[{where}]",
        found=found,
        allowed="finite, >= 0",
        cause="a gap in a series, or a flow taken out of a stock that was smaller",
        remedy=f"correct {name}; nothing is clipped",
    )


def check_whole(values: np.ndarray, array: xr.DataArray) -> None:
    """Refuse an initial stock of part children: process noise moves whole ones."""
    broken = values != np.rint(values)
    if broken.any():
        worst = int(np.argmax(broken))
        raise InputError(
            "process noise moves whole children, and the initial stock is not whole",
            field=f"initial[{_position(array, worst, INITIAL_DIMS)}]",
            found=values.flat[worst],
            allowed="whole numbers when rng is given",
            remedy="pass counts, or leave rng out for expectations",
        )


def check_moves(values: np.ndarray, moves: xr.DataArray) -> None:
    """Refuse probabilities below 0 or missing, and rows that sum to more than 1, naming the worst row."""
    if not values.min(initial=0.0) >= 0.0:  # written so that NaN fails too
        worst = int(np.argmin(np.where(np.isnan(values), -np.inf, values)))
        where = _position(moves, worst, MOVES_DIMS)
        raise InputError(
            "a move probability is negative or missing",
            field=f"moves[{where}]",
            found=values.flat[worst],
            allowed="0 to 1",
            cause="a remainder of shares that already summed to more than 1",
            remedy="correct the moves; nothing is clipped",
        )
    totals = np.einsum("...ij->...i", values)
    over = totals > 1.0 + ROW_SUM_TOLERANCE
    if not over.any():
        return
    worst = int(np.argmax(totals))
    where = _position(moves.isel(to_state=0), worst, MOVES_DIMS)
    raise InputError(
        f"move probabilities out of {where} sum to {totals.flat[worst]:.6g}, more than 1 "
        f"({int(over.sum())} of {totals.size} rows are wrong; this is the worst)",
        field="moves",
        found=f"{totals.flat[worst]:.9g}",
        allowed="rows summing to at most 1; the remainder leaves",
        cause="yearly and monthly rates mixed, or each exit made yearly on its own",
        remedy="correct the moves; rows are never rescaled silently",
    )
