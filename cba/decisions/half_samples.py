"""Balanced half-samples: how draws are split to learn a decision rule on one half and value it on the other.

Draws are put in an order that depends only on what they contain, never on the row they stand in, then cut
into blocks. Each row of a Hadamard matrix sends half of the blocks one way and half the other; over all rows
and their mirror images every pair of blocks is together as often as apart (balanced repeated replication), so
no random number is needed and permuting the draws changes nothing.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cba.decisions.draws import FloatArray
from cba.errors import InputError

MINIMUM_DRAWS = 128
"""Fewer draws than this leave blocks of one or two, and a standard error that means nothing."""

ROWS_PER_PRODUCT = 32
"""Rows of a matrix product done at once."""


def content_order(columns: list[FloatArray], net_benefit: FloatArray) -> NDArray[np.intp]:
    """Order of the draws by a hash of their contents, the same however the rows are shuffled.

    Parameters
    ----------
    columns : list of array (sample,)
        Parameters; their order does not matter.
    net_benefit : array (sample, option)
        Only the rank of its spread tells apart draws of equal parameters, so that permuting the options,
        adding the same amount to all of them or changing the unit of money leaves the order alone.

    Returns
    -------
    array of int (sample,)

    Examples
    --------
    >>> x = np.array([3.0, 1.0, 2.0])
    >>> order = content_order([x], np.zeros((3, 2)))
    >>> shuffled = content_order([x[[2, 0, 1]]], np.zeros((3, 2)))
    >>> bool((x[order] == x[[2, 0, 1]][shuffled]).all())
    True
    """
    same = np.zeros(len(net_benefit), dtype=np.uint64)
    for column in columns:
        same += _mix(
            _bits(column)
        )  # unsigned sums wrap around, and do not depend on the order of the columns
    order = distinct_order(_mix(same))
    if order is not None:
        return order
    first = np.lexsort((np.ptp(net_benefit, axis=1), same))
    grouped = same[first]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
    place = np.arange(len(grouped)) - np.repeat(starts, np.diff(np.r_[starts, len(grouped)]))
    key = _mix(grouped + _mix(place.astype(np.uint64)))  # equal parameters are scattered, not kept together
    return first[np.argsort(key, kind="stable")]


def distinct_order(keys: NDArray[np.uint64]) -> NDArray[np.intp] | None:
    """Order of keys that differ, several times faster than an argsort; None where two may be the same.

    Parameters
    ----------
    keys : array of uint64 (sample,)

    Returns
    -------
    array of int (sample,) or None

    Notes
    -----
    Each key gives up its lowest bits to its own position and the keys are sorted as plain numbers. Keys
    alike in all other bits count as the same: with 10,000 random keys one time in ten million.

    Examples
    --------
    >>> distinct_order(np.array([3 << 40, 1 << 40, 2 << 40], dtype=np.uint64)).tolist()
    [1, 2, 0]
    >>> distinct_order(np.array([1, 1], dtype=np.uint64)) is None
    True
    """
    low = np.uint64((1 << max(len(keys) - 1, 1).bit_length()) - 1)
    packed = np.sort((keys & ~low) | np.arange(len(keys), dtype=np.uint64))
    if (packed[1:] ^ packed[:-1] <= low).any():
        return None
    return (packed & low).astype(np.intp)


def _bits(values: FloatArray) -> NDArray[np.uint64]:
    """Bits of each number; adding zero first makes 0 and -0 the same number."""
    return np.ascontiguousarray(values + 0.0).view(np.uint64)


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble bits so that close numbers become unrelated (the finaliser of splitmix64)."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@lru_cache(maxsize=4)
def balanced_signs(blocks: int) -> FloatArray:
    """Rows of +1 (learn) and -1 (value), one per half-sample, mirror images left out.

    Parameters
    ----------
    blocks : int
        A power of two.

    Returns
    -------
    array (blocks - 1, blocks)
        Rows are orthogonal and sum to zero.

    Examples
    --------
    >>> signs = balanced_signs(4)
    >>> signs.sum(axis=1).tolist(), (signs @ signs.T).tolist()[0]
    ([0.0, 0.0, 0.0], [4.0, 0.0, 0.0])
    """
    from scipy.linalg import hadamard

    signs = hadamard(blocks)[1:].astype(np.float64)
    signs.setflags(write=False)
    return signs


def contrasts(block_values: FloatArray) -> FloatArray:
    """Learning half minus valuing half, for every balanced half-sample at once.

    Parameters
    ----------
    block_values : array (block, ...)
        One value per block, a power of two of them.

    Returns
    -------
    array (block - 1, ...)
        ``balanced_signs(blocks) @ block_values`` by the fast Walsh-Hadamard transform, which needs no matrix.

    Examples
    --------
    >>> values = np.arange(8.0) ** 2
    >>> bool(np.allclose(contrasts(values), balanced_signs(8) @ values))
    True
    """
    result = np.asarray(block_values, dtype=np.float64)
    tail, step = result.shape[1:], 1
    while step < len(result):
        paired = result.reshape(-1, 2, step, *tail)
        mixed = np.empty_like(paired)
        np.add(paired[:, 0], paired[:, 1], out=mixed[:, 0])
        np.subtract(paired[:, 0], paired[:, 1], out=mixed[:, 1])
        result = mixed.reshape(-1, *tail)
        step *= 2
    return result[1:]


def block_count(draws: int, *, at_most: int = 64) -> int:
    """Number of blocks: `at_most`, or half as many where blocks would hold fewer than eight draws.

    Raises
    ------
    InputError
        Below `MINIMUM_DRAWS`.
    """
    if draws < MINIMUM_DRAWS:
        raise InputError(
            "there are too few draws to estimate a conditional mean",
            field="sample",
            found=f"{draws} draws",
            allowed=f"{MINIMUM_DRAWS} or more; 1,000 or more for a useful standard error",
            cause="a trial run",
            remedy="draw more",
        )
    blocks = at_most
    while draws < 8 * blocks and blocks > 16:
        blocks //= 2
    return blocks


def block_height(draws: int, blocks: int) -> int:
    """Draws in each block but the last, which may hold fewer."""
    return -(-draws // blocks)


def by_block(rows: FloatArray, blocks: int) -> FloatArray:
    """Rows (sample, k) cut into (block, rows in block, k), the last block filled up with zeros."""
    height = block_height(len(rows), blocks)
    missing = height * blocks - len(rows)
    if missing:
        rows = np.concatenate([rows, np.zeros((missing, rows.shape[1]))])
    return rows.reshape(blocks, height, rows.shape[1])


def block_sums(rows: FloatArray, blocks: int) -> FloatArray:
    """Sum of the rows of each block, (block, k)."""
    cut = by_block(rows, blocks)
    return np.matmul(np.ones((1, cut.shape[1])), cut)[:, 0]


def block_products(pieces: list[FloatArray], blocks: int) -> FloatArray:
    """Products of all columns with all columns, summed over the draws of each block, (block, column, column).

    Blocks are cut into stacks of `ROWS_PER_PRODUCT` rows: products that small stay on one core, and a library
    that would wait for a second, busy core is many times slower.

    Parameters
    ----------
    pieces : list of array (sample, k)
        Matrices to stand side by side.
    blocks : int

    Returns
    -------
    array (block, column, column)
    """
    draws, width = len(pieces[0]), sum(piece.shape[1] for piece in pieces)
    height = block_height(draws, blocks)
    stacks = -(-height // ROWS_PER_PRODUCT)
    rows = np.zeros((blocks, stacks * ROWS_PER_PRODUCT, width))
    start = 0
    for piece in pieces:
        for block in range(blocks):
            part = piece[block * height : (block + 1) * height]
            rows[block, : len(part), start : start + piece.shape[1]] = part
        start += piece.shape[1]
    cut = rows.reshape(blocks * stacks, ROWS_PER_PRODUCT, width)
    products = np.matmul(cut.transpose(0, 2, 1), cut)
    return products.reshape(blocks, stacks, width, width).sum(axis=1)


def column_means(rows: FloatArray) -> FloatArray:
    """Mean of each column; a product with ones, several times faster than a sum over a long axis."""
    return np.full(len(rows), 1.0 / len(rows)) @ rows
