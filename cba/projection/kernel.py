"""The generic cohort kernel: a stock of children in states, moved once a year, then joined by entries.

It knows nothing of care: states, moves and entries are whatever the caller names. The care system of the
package is built on it, and so can be any other stock-flow account with yearly steps. Below it stand the kernels of the
care system itself: a child who started in band a is in care x years later with probability F(x) P(under 18), F the
share of stays longer than x (:mod:`cba.models.stays`), and in age band b with the share of entry ages that lead there.
An age-only exit rate would overstate how long an averted start would have lasted.
"""

from __future__ import annotations

import numba
import numpy as np
import xarray as xr

from cba.dimensions import AGE_BANDS, AGE_LIMITS
from cba.errors import InputError
from cba.interventions.records import MetInCare
from cba.models.stays import StayLength, age_position

# --- What the cohort kernel refuses: dims, labels, counts and moves, each with a message that says … ---


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
    samples turned into a structure of arrays; see `cba.projection.kernel`.

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


# --- Process noise: whole children who enter by a Poisson and move by a multinomial law, one draw per … ---


def simulated_states(
    initial: np.ndarray,
    entries: np.ndarray,
    moves: np.ndarray,
    *,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw one path per sample and option; inputs already checked and shaped by `cba.projection.kernel`.

    `rng`: options share the stream seeded by it: equal inputs give equal paths, so that an option without
    effect differs from business as usual by exactly nothing.
    """
    # Shape (sample, option, year, state), children, whole numbers.
    out = np.empty(shape)
    seed = int(rng.integers(2**63))
    for option in range(shape[1]):
        of_option = np.random.default_rng(seed)
        stock = _of(initial, option).astype(np.int64)
        joining, moving = _of(entries, option), _of(moves, option)
        for year in range(shape[2]):
            moved = _moved(stock, moving[:, year if moving.shape[1] > 1 else 0], of_option)
            stock = moved + of_option.poisson(joining[:, year])
            out[:, option, year] = stock
    return out


def _of(values: np.ndarray, option: int) -> np.ndarray:
    return values[:, option if values.shape[1] > 1 else 0]


def _moved(stock: np.ndarray, moves: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return where the children of each sample and state are a year later; whoever has no place there has left."""
    leaving = np.maximum(1.0 - moves.sum(axis=-1, keepdims=True), 0.0)
    shares = np.concatenate([moves, leaving], axis=-1)  # rows were checked: only rounding is taken off below
    placed = rng.multinomial(stock, shares / shares.sum(axis=-1, keepdims=True))
    return placed[..., :-1].sum(axis=1)


# --- The compiled inner loop of the cohort kernel: the only module here that imports numba ---


@numba.njit(cache=True, parallel=True)
def expected_states(initial: np.ndarray, entries: np.ndarray, moves: np.ndarray, out: np.ndarray) -> bool:
    """Fill `out` with x(t+1) = x(t) moves(t) + entries(t); say whether entries were all finite and >= 0."""
    # Shapes: initial (sample, 1 or option, state); entries (sample, 1 or option, year, state); moves (sample,
    # 1 or option, 1 or year, state, state); out (sample, option, year, state). The check rides on the loop: a
    # state that was ever NaN or infinite stays so, whatever multiplies it, hence one look at the last year.
    samples, options, years, states = out.shape
    faults = 0
    for job in numba.prange(samples * options):
        s, option = job // options, job % options
        stock = initial[s, option if initial.shape[1] > 1 else 0]
        joining = entries[s, option if entries.shape[1] > 1 else 0]
        moving = moves[s, option if moves.shape[1] > 1 else 0]
        for year in range(years):
            share, reached = moving[year if moves.shape[2] > 1 else 0], out[s, option, year]
            for goal in range(states):
                faults += joining[year, goal] < 0.0
                reached[goal] = joining[year, goal]
                for origin in range(states):
                    reached[goal] += stock[origin] * share[origin, goal]
            stock = reached
        for state in range(states):
            faults += not stock[state] < np.inf
    return faults == 0


# --- Children fewer in care for one averted start, by age as time passes, and what becomes of those met in care ---


QUADRATURE = 8
"""Points per year over which starts are spread; the midpoint rule is off by at most 2 per 1,000 starts."""

SPENT_POINTS, AGE_POINTS = 1800, 41
"""Points over the time a child met in care has spent there (18 years), and over the ages of a band."""


def averted_stock_kernel(stays: StayLength, *, stay_ratio: np.ndarray, lags: int) -> np.ndarray:
    """Children fewer in care at each year end for one averted start, by age at the start and age then.

    Shape (sample, from age, to age, lag). Values in [0, 1]: starts are spread evenly over their year.
    """
    offsets = (np.arange(QUADRATURE) + 0.5) / QUADRATURE
    length = np.arange(lags)[:, None] + offsets[None, :]
    position = age_position(length)
    share = stays.share(length[None] / np.asarray(stay_ratio)[:, None, None])
    return averaged_over_year(share, position)


def averaged_over_year(share: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Average over the points of a year of the share still in care times the share in each age band.

    Shape (sample, from age, to age, lag). One matrix product per lag, laid out in memory with the ages of a
    lag side by side, as the convolution over years reads them. `share` (sample, lag, point).
    """
    # `share`: share still looked after, given not yet 18. `position` (from age, to age, lag, point).
    kernel = np.empty((share.shape[0], share.shape[1], 25))
    for lag in range(share.shape[1]):
        kernel[:, lag] = share[:, lag] @ (position[:, :, lag].reshape(25, -1).T / share.shape[2])
    return np.moveaxis(kernel.reshape(*share.shape[:2], 5, 5), 1, 3)


def met_in_care(stays: StayLength, *, lags: int, starts: np.ndarray, stock: np.ndarray) -> MetInCare:
    """What becomes of children met in care at each age, for a steady population.

    `starts` and `stock` (age,) are of any total; at least `lags` year ends.
    """
    # There are w(y - u) F(u) children of age y who have spent u years in care, w the density of starts by age; each is
    # there x years on with probability F(u + x)/F(u) while under 18. Nobody has been in care since before birth, so a
    # young child has mostly just come.
    lowest, highest = np.array(AGE_LIMITS).T
    lags = max(lags, int(highest[-1]))
    spent = (np.arange(SPENT_POINTS) + 0.5) * highest[-1] / SPENT_POINTS
    offsets = (np.arange(QUADRATURE) + 0.5) / QUADRATURE
    length = (np.arange(lags)[:, None] + offsets).ravel()
    later = stays.share(spent[:, None] + length)
    remaining, under_18 = np.zeros((len(AGE_BANDS), len(AGE_BANDS), lags)), np.zeros((len(AGE_BANDS), lags))
    for band in range(len(AGE_BANDS)):
        points = lowest[band] + (np.arange(AGE_POINTS) + 0.5) / AGE_POINTS * (highest - lowest)[band]
        started = points[:, None] - spent
        density = (starts / (highest - lowest))[np.digitize(started, highest[:-1])] * (started >= 0)
        in_care = density @ stays.share(spent)
        left = density @ later / in_care.sum()
        then = points[:, None] + length
        for end in range(band, len(AGE_BANDS)):
            there = (left * ((then >= lowest[end]) & (then < highest[end]))).sum(axis=0)
            remaining[band, end] = there.reshape(lags, QUADRATURE).mean(axis=1)
        minors = in_care @ (then < highest[-1]) / in_care.sum()
        under_18[band] = minors.reshape(lags, QUADRATURE).mean(axis=1)
    evenly = age_position(np.arange(lags) + 0.5).sum(axis=1)
    return MetInCare(remaining, under_18, evenly, stock / stock.sum())
