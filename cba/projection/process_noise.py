"""Process noise: whole children who enter by a Poisson and move by a multinomial law, one draw per sample.

For England the noise is negligible beside the uncertainty of the rates; for one authority it is not.
"""

from __future__ import annotations

import numpy as np


def simulated_states(
    initial: np.ndarray,
    entries: np.ndarray,
    moves: np.ndarray,
    *,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw one path per sample and option; inputs already checked and shaped by `cba.projection.kernel`.

    Parameters
    ----------
    initial, entries, moves : ndarray
        (sample, 1 or option, state), (sample, 1 or option, year, state) and (sample, 1 or option, 1 or year,
        from_state, to_state): whole children, children a year, probabilities.
    shape : tuple of int
        (sample, option, year, state) of the result.
    rng : Generator
        Advanced by one draw. Options share the stream seeded by it: equal inputs give equal paths, so that
        an option without effect differs from business as usual by exactly nothing.

    Returns
    -------
    ndarray (sample, option, year, state), children, whole numbers
    """
    out = np.empty(shape)
    seed = int(rng.integers(2**63))
    for option in range(shape[1]):
        of_option = np.random.default_rng(seed)
        stock = _of(initial, option).astype(np.int64)
        joining, moving = _of(entries, option), _of(moves, option)
        for year in range(shape[2]):
            moved = _multinomial(stock, moving[:, year if moving.shape[1] > 1 else 0], of_option)
            stock = moved + of_option.poisson(joining[:, year])
            out[:, option, year] = stock
    return out


def _of(values: np.ndarray, option: int) -> np.ndarray:
    return values[:, option if values.shape[1] > 1 else 0]


def _multinomial(stock: np.ndarray, moves: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where each row's children go, by binomials in turn: goal j has p_j / (1 - p_0 - ... - p_{j-1})."""
    arrived = np.zeros_like(stock)
    for origin in range(stock.shape[1]):
        waiting = stock[:, origin].copy()
        unplaced = np.ones(stock.shape[0])
        for goal in range(stock.shape[1]):
            share = moves[:, origin, goal]
            # Rows are checked before: only rounding can take the ratio past 1, or to 0/0 at the end.
            chance = np.divide(share, unplaced, out=np.zeros_like(share), where=unplaced > 0)
            took = rng.binomial(waiting, np.minimum(chance, 1.0))
            arrived[:, goal] += took
            waiting -= took
            unplaced = np.maximum(unplaced - share, 0.0)
    return arrived
