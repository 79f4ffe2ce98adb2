"""The compiled inner loop of the cohort kernel: the only module here that imports numba.

Array layout. Callers keep ``sample`` slowest and ``state`` fastest, which is how draws are stored. The loop
works on blocks of ``BLOCK`` samples turned into a structure of arrays, ``(state, sample)`` and
``(from_state, to_state, sample)``, with the samples of a block adjacent: the arithmetic runs across samples
in vector registers, and one block's working set stays in the processor's second-level cache.
"""

from __future__ import annotations

import numba
import numpy as np

BLOCK = 64


@numba.njit(cache=True, parallel=True)
def expected_states(initial: np.ndarray, entries: np.ndarray, moves: np.ndarray, out: np.ndarray) -> bool:
    """Fill `out` with x(t+1) = x(t) moves(t) + entries(t); say whether entries were all finite and >= 0.

    Shapes: initial (sample, 1 or option, state); entries (sample, 1 or option, year, state); moves (sample,
    1 or option, 1 or year, state, state); out (sample, option, year, state). The check rides on the loop: a
    state that was ever NaN or infinite stays so, whatever multiplies it, hence one look at the last year.
    """
    samples, options, years, states = out.shape
    blocks = (samples + BLOCK - 1) // BLOCK
    faults = 0
    for job in numba.prange(blocks * options):
        option = job % options
        first = (job // options) * BLOCK
        end = min(first + BLOCK, samples)
        of_initial = option if initial.shape[1] > 1 else 0
        of_entries = option if entries.shape[1] > 1 else 0
        of_moves = option if moves.shape[1] > 1 else 0
        stock = np.zeros((states, BLOCK))
        arriving = np.zeros((states, BLOCK))
        move = np.zeros((states, states, BLOCK))
        lowest = np.zeros(BLOCK)
        for state in range(states):
            for lane in range(end - first):
                stock[state, lane] = initial[first + lane, of_initial, state]
        for year in range(years):
            if year == 0 or moves.shape[2] > 1:
                for lane in range(end - first):
                    for origin in range(states):
                        for goal in range(states):
                            move[origin, goal, lane] = moves[first + lane, of_moves, year, origin, goal]
            for goal in range(states):
                source = entries[first:end, of_entries, year, goal]
                reached = arriving[goal]
                for lane in range(end - first):
                    entry = source[lane]
                    reached[lane] = entry
                    lowest[lane] = entry if entry < lowest[lane] else lowest[lane]
                for origin in range(states):
                    leaving, share = stock[origin], move[origin, goal]
                    for lane in range(BLOCK):
                        reached[lane] += leaving[lane] * share[lane]
                result = out[first:end, option, year, goal]
                for lane in range(end - first):
                    result[lane] = reached[lane]
            stock, arriving = arriving, stock
        for lane in range(BLOCK):
            faults += lowest[lane] < 0.0
            for state in range(states):
                faults += not stock[state, lane] < np.inf
    return faults == 0
