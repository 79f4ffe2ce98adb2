"""Children of one authority as they would be counted: expectations, and the chance of a small number of children.

England's numbers are large and their randomness can be left out. In one authority whole children enter and leave:
the number of them fewer in a placement is Poisson, and so is the number in care around its expected path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.projection.kernel import project

if TYPE_CHECKING:
    from cba.appraisal.council_position import CouncilPosition
    from cba.appraisal.stages import Workings


def counted(expected: np.ndarray, *, stay: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole children around an expected path that starts from nobody.

    Parameters
    ----------
    expected : ndarray, shape (sample, year, ...), children, >= 0
        Expected numbers at 31 March.
    stay : ndarray, shape (sample,), in [0, 1]
        Share of them still counted a year later, where the path allows it.
    rng : Generator
        Advanced by the draw.

    Returns
    -------
    ndarray, shape of `expected`, whole numbers
        In every year Poisson with the expected mean; neighbouring years share children.

    Notes
    -----
    The Poisson INAR(1) process: ``N(t) = Bin(N(t-1), a) + Poisson(m(t) - a m(t-1))`` with
    ``a = min(stay, m(t) / m(t-1))`` has mean and variance m(t) in every year.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = counted(np.full((20_000, 3), 5.0), stay=np.full(20_000, 0.7), rng=rng)
    >>> bool((abs(found.mean(axis=0) - 5.0) < 0.07).all() and (abs(found.var(axis=0) - 5.0) < 0.25).all())
    True
    """
    years = expected.shape[1]
    flat = np.moveaxis(expected, 1, -1).reshape(-1, years)
    kept = np.repeat(stay, flat.shape[0] // stay.size)[:, None]
    before = np.concatenate([np.zeros((flat.shape[0], 1)), flat[:, :-1]], axis=1)
    possible = np.divide(flat, before, out=np.ones_like(flat), where=before > 0)
    moves = np.minimum(kept, possible)
    joining = np.maximum(flat - moves * before, 0.0)  # rounding can leave -1e-17
    found = _projected(np.zeros(flat.shape[0]), joining, moves, rng=rng)
    shape = (*np.moveaxis(expected, 1, -1).shape,)
    return np.moveaxis(found.reshape(shape), -1, 1)


def _projected(
    initial: np.ndarray, joining: np.ndarray, moves: np.ndarray, *, rng: np.random.Generator
) -> np.ndarray:
    """One stock per row through the cohort kernel, (row, year)."""
    states = project(
        xr.DataArray(initial[:, None], dims=("sample", "state")),
        xr.DataArray(joining[..., None], dims=("sample", "year", "state")),
        xr.DataArray(moves[..., None, None], dims=("sample", "year", "from_state", "to_state")),
        rng=rng,
    )
    found: np.ndarray = states.values[..., 0]
    return found


def fewer_counted(fewer: np.ndarray, *, workings: Workings, rng: np.random.Generator) -> np.ndarray:
    """Whole children fewer in care in one authority, by placement; more where below 0.

    Parameters
    ----------
    fewer : ndarray, shape (sample, year, placement)
        Expected children fewer at 31 March.
    workings : Workings
        Gives how long averted starts would have lasted.
    rng : Generator
        Advanced by the draw.

    Returns
    -------
    ndarray, shape of `fewer`
        With mean `fewer` in every draw.

    Examples
    --------
    >>> fewer_counted(fewer, workings=workings, rng=rng)  # doctest: +SKIP
    """
    stay = stay_of_averted(workings)
    gone = counted(np.maximum(fewer, 0.0), stay=stay, rng=rng)
    return gone - counted(np.maximum(-fewer, 0.0), stay=stay, rng=rng)


def stay_of_averted(workings: Workings) -> np.ndarray:
    """Share of children fewer in care a year after an averted start who still are a year later.

    Parameters
    ----------
    workings : Workings
        Gives the kernel of averted starts and the ages of those who start.

    Returns
    -------
    ndarray, shape (sample,), in [0, 1]

    Examples
    --------
    >>> stay_of_averted(workings).mean()  # doctest: +SKIP
    """
    starts = workings.system.baseline["starts_reachable"].mean(["sample", "year"]).values
    kernel = np.einsum("a,sabl->sl", starts / starts.sum(), workings.system.averted_kernel[..., 1:3])
    share: np.ndarray = kernel[:, 1] / kernel[:, 0]
    return share


def usual_stock(
    workings: Workings, position: CouncilPosition, *, years: int, rng: np.random.Generator | None
) -> np.ndarray:
    """Looked-after children of one authority under business as usual, from the first projected year on.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    position : CouncilPosition
        Gives its own number in care today.
    years : int
        Years of the projection wanted, from its first.
    rng : Generator or None
        None gives expectations.

    Returns
    -------
    ndarray, shape (sample, year), children
        Its own number moves as England's does, with England's turnover, until there is a model of authorities.

    Examples
    --------
    >>> usual_stock(workings, position, years=4, rng=None)  # doctest: +SKIP
    """
    baseline = workings.system.baseline
    national = baseline["children"].sum("age").transpose("sample", "year").values[:, :years]
    starts = baseline["starts"].sum("age").transpose("sample", "year").values[:, :years]
    today = float(workings.inputs.observations["stock"].dropna("year").isel(year=-1))
    part = position.stock / today
    if rng is None:
        return national * part
    before = np.concatenate([np.full((national.shape[0], 1), today), national[:, :-1]], axis=1)
    moves = (national - starts) / before
    return _projected(np.full(national.shape[0], position.stock), starts * part, moves, rng=rng)
