"""Balanced half-samples: how draws are split to learn a decision rule on one half and value it on the other.

Draws are put in an order that depends only on what they contain, never on the row they stand in, then cut
into blocks. Each row of a Hadamard matrix sends half of the blocks one way and half the other; over all rows
and their mirror images every pair of blocks is together as often as apart (balanced repeated replication), so
no random number is needed and permuting the draws changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

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

    `columns`: parameters; their order does not matter. `net_benefit` (sample, option).
    """
    # `net_benefit`: only the rank of its spread tells apart draws of equal parameters, so that permuting the
    # options, adding the same amount to all of them or changing the unit of money leaves the order alone.
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

    Each key gives up its lowest bits to its own position and the keys are sorted as plain numbers. Keys alike
    in all other bits count as the same: with 10,000 random keys one time in ten million.
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

    Shape (blocks - 1, blocks). Rows are orthogonal and sum to zero.
    """
    from scipy.linalg import hadamard

    signs = hadamard(blocks)[1:].astype(np.float64)
    signs.setflags(write=False)
    return signs


def contrasts(block_values: FloatArray) -> FloatArray:
    """Learning half minus valuing half, for every balanced half-sample at once.

    Shape (block - 1, ...). ``balanced_signs(blocks) @ block_values`` by the fast Walsh-Hadamard transform,
    which needs no matrix. `block_values` (block, ...): one value per block, a power of two of them.
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
    """Number of blocks: `at_most`, or half as many where blocks would hold fewer than eight draws."""
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
    that would wait for a second, busy core is many times slower. Shape (block, column, column).
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


# --- A natural cubic spline in one input, its functions orthonormal and ordered by roughness ---


BINS = 128


DRAWS_PER_KNOT = 40


MOST_KNOTS = 24


@dataclass(frozen=True)
class SplineBasis:
    """Functions of one input, evaluated at its bins."""

    bin_of_draw: NDArray[np.intp]  # (sample,)
    share: FloatArray  # (bin,): share of draws in each bin; sums to one
    centre: FloatArray  # (bin,): mean of the input in each bin, in the input's units
    # (bin, function): orthonormal under `share`. The first is constant, the second the standardised input.
    functions: FloatArray
    # (function,): integrated squared second derivative of each; zero for the first two, rising after.
    roughness: FloatArray
    standardised: FloatArray  # (sample,): the input itself, less its mean over its spread

    def at_draws(self, count: int) -> FloatArray:
        """First `count` functions after the constant, at each draw; the straight line exactly, not by bin."""
        values = self.functions[:, 1 : count + 1][self.bin_of_draw]
        if values.shape[1]:
            values[:, 0] = self.standardised
        return values


def spline_basis(values: FloatArray, *, knots: int | None = None, bins: int = BINS) -> SplineBasis:
    """Build the basis for one input. One function for a constant input, two for a binary one."""
    # Rotated by the generalised eigenvectors of roughness against the Gram matrix (Demmler & Reinsch 1975): a
    # smoothing spline of any strength then only multiplies each coefficient by
    # ``1 / (1 + strength * roughness)``.
    bin_of_draw, share, centre = _equal_count_bins(values, bins)
    wanted = knots or int(np.clip(len(values) // DRAWS_PER_KNOT, 4, MOST_KNOTS))
    spread = np.sqrt(share @ (centre - share @ centre) ** 2)
    if len(centre) == 1 or spread == 0.0:
        flat = np.zeros(len(values))
        return SplineBasis(bin_of_draw, share, centre, np.ones((len(centre), 1)), np.zeros(1), flat)
    standard = (centre - share @ centre) / spread
    exact = (values - share @ centre) / spread
    places = _knots(standard, share, wanted)
    linear = np.stack([np.ones_like(standard), standard], axis=1)
    if len(places) < 3:
        return SplineBasis(bin_of_draw, share, centre, linear, np.zeros(2), exact)
    functions, roughness = _demmler_reinsch(standard, share, places)
    functions[:, :2], roughness[:2] = linear, 0.0
    return SplineBasis(bin_of_draw, share, centre, functions, np.maximum(roughness, 0.0), exact)


def _equal_count_bins(values: FloatArray, bins: int) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
    order = _rising(values)
    ordered = values[order]
    steps = np.flatnonzero(np.diff(ordered) > 0) + 1
    if len(steps) < bins:
        label = np.zeros(len(values), dtype=np.intp)
        label[steps] = 1
        label = np.cumsum(label)
    else:
        label = np.arange(len(values)) * bins // len(values)
    bin_of_draw = np.empty(len(values), dtype=np.intp)
    bin_of_draw[order] = label
    count = np.bincount(label)
    # offsets from the middle keep the bin means exact when values are large and close together
    middle = ordered[len(ordered) // 2]
    return bin_of_draw, count / len(values), middle + np.bincount(label, ordered - middle) / count


def _rising(values: FloatArray) -> NDArray[np.intp]:
    """Order of the values; by their bits, which rise with the number once those of negatives are turned over."""
    bits = (values + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    order = distinct_order(np.where(bits & sign, ~bits, bits | sign))
    return np.argsort(values) if order is None else order


def _knots(standard: FloatArray, share: FloatArray, wanted: int) -> FloatArray:
    distinct = np.unique(standard)
    if len(distinct) <= wanted:
        return distinct
    reached = np.cumsum(share) - share / 2
    chosen = np.searchsorted(reached, np.linspace(0.0, 1.0, wanted)).clip(0, len(standard) - 1)
    return np.unique(standard[chosen])


def _demmler_reinsch(
    standard: FloatArray, share: FloatArray, places: FloatArray
) -> tuple[FloatArray, FloatArray]:
    from scipy.linalg import eigh

    cardinal, bend_penalty = _natural_spline(standard, places)
    gram = cardinal.T @ (share[:, None] * cardinal)
    gram += np.eye(len(places)) * 1e-10 * np.trace(gram) / len(places)
    roughness, rotation = eigh(bend_penalty, gram)
    return cardinal @ rotation, roughness


def _natural_spline(points: FloatArray, places: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Natural cubic splines that are one at one knot and zero at the others, at `points`; their roughness.

    Green & Silverman (1994) *Nonparametric Regression and Generalized Linear Models*, section 2.1: second
    derivatives at the inner knots are ``R^-1 Q' f``, the roughness matrix is ``Q R^-1 Q'``.
    """
    gap = np.diff(places)
    inner = np.arange(len(places) - 2)
    difference = np.zeros((len(places), len(inner)))
    difference[inner, inner] = 1.0 / gap[:-1]
    difference[inner + 1, inner] = -1.0 / gap[:-1] - 1.0 / gap[1:]
    difference[inner + 2, inner] = 1.0 / gap[1:]
    mass = np.diag((gap[:-1] + gap[1:]) / 3.0) + np.diag(gap[1:-1] / 6.0, 1) + np.diag(gap[1:-1] / 6.0, -1)
    bend = np.zeros((len(places), len(places)))
    bend[1:-1] = np.linalg.solve(mass, difference.T)

    left = np.clip(np.searchsorted(places, points) - 1, 0, len(gap) - 1)
    width, row = gap[left], np.arange(len(points))
    low = (places[left + 1] - points) / width
    high = 1.0 - low
    value, curve = np.zeros((len(points), len(places))), np.zeros((len(points), len(places)))
    value[row, left], value[row, left + 1] = low, high
    curve[row, left] = (low**3 - low) * width**2 / 6.0
    curve[row, left + 1] = (high**3 - high) * width**2 / 6.0
    return value + curve @ bend, difference @ bend[1:-1]


# --- Take the other inputs' share out of net benefit before asking what one input is worth, where … ---


FEWEST_INPUTS = 8
"""Below this there are too few pairs of inputs for "no dependence found" to mean much."""


LEVEL = 0.01
"""Level of each test of independence; a false alarm costs precision only."""


@dataclass(frozen=True)
class AdditiveFit:
    """Contribution of each input to each response, all fitted jointly."""

    parts: dict[str, FloatArray]  # mean zero over the draws
    total: FloatArray  # (sample, response)

    def without(self, members: list[str]) -> FloatArray:
        """Sum of the contributions of all inputs but these."""
        rest = self.total.copy()
        for name in members:
            rest -= self.parts[name]
        return rest


def find_controls(
    bases: dict[str, SplineBasis], responses: FloatArray, *, independent: bool | None
) -> AdditiveFit | None:
    """Fit the additive part, or return None where it must not be used. `responses` (sample, response)."""
    # `independent`: true: the inputs are independent by construction. False: they are not. None: use controls
    # only with `FEWEST_INPUTS` inputs or more and no sign of dependence.
    if independent is False or len(bases) < 2 or (independent is None and len(bases) < FEWEST_INPUTS):
        return None
    draws = len(responses)
    functions = _main_functions(bases, draws)
    names, matrices = list(functions), list(functions.values())
    width = sum(matrix.shape[1] for matrix in matrices)
    if 10 * width > draws:
        return None  # a joint fit would follow the noise it is meant to remove
    centred = responses - column_means(responses)
    moments = block_products([*matrices, centred], 1)[0, :width] / draws
    gram = moments[:, :width]
    coefficients = np.linalg.lstsq(gram, moments[:, width:], rcond=1e-10)[0]
    ends = np.cumsum([matrix.shape[1] for matrix in matrices])
    parts = {
        name: matrix @ coefficients[end - matrix.shape[1] : end]
        for name, matrix, end in zip(names, matrices, ends, strict=True)
    }
    fit = AdditiveFit(parts, np.sum(list(parts.values()), axis=0))
    if independent is None and (_pairs_depend(gram, ends, draws) or _sums_depend(functions, fit)):
        return None
    return fit


def _main_functions(bases: dict[str, SplineBasis], draws: int) -> dict[str, FloatArray]:
    """The standardised input and, with draws enough, its two smoothest bends; orthonormal, mean zero."""
    bends = 2 if draws >= 60 * len(bases) else 0
    return {name: basis.at_draws(1 + bends) for name, basis in bases.items()}


def _pairs_depend(gram: FloatArray, ends: np.ndarray, draws: int) -> bool:
    """Whether any product of functions of two different inputs has a mean that chance does not explain."""
    from scipy.special import chdtrc

    starts = np.r_[0, ends[:-1]]
    input_of = np.repeat(np.arange(len(ends)), ends - starts)
    cross = gram[(input_of[:, None] < input_of[None, :])] ** 2 * draws
    if not cross.size:
        return False
    largest = chdtrc(1, cross.max()) * cross.size
    together = chdtrc(cross.size, cross.sum())
    return bool(min(largest, together) < LEVEL)


def _sums_depend(functions: dict[str, FloatArray], fit: AdditiveFit) -> bool:
    """Whether what the other inputs contribute to the responses varies with any one input."""
    from scipy.special import chdtrc

    for name, matrix in functions.items():
        others = fit.total - fit.parts[name]
        variance, axes = np.linalg.eigh(others.T @ others / len(others))
        kept = variance > 1e-8 * variance.max(initial=0.0)
        if not kept.any() or not matrix.size:
            continue
        whitened = others @ (axes[:, kept] / np.sqrt(variance[kept]))
        statistic = ((matrix.T @ whitened) ** 2).sum() / len(others)
        if chdtrc(matrix.shape[1] * int(kept.sum()), statistic) * len(functions) < LEVEL:
            return True
    return False


# --- Conditional mean of several responses given a group of inputs: main effects, pairwise … ---


FUNCTIONS_PER_INPUT = {1: (16, 0), 2: (12, 7), 3: (10, 4), 4: (9, 3)}
"""Group size -> main-effect functions per input, functions per input that enter products."""


DRAWS_PER_FUNCTION = 12


MOST_FUNCTIONS = 300


STRENGTHS = 10.0 ** np.array([-5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 6.0])


COMPLEXITY_PRICE = 1.4


@dataclass(frozen=True)
class GroupBasis:
    """Functions of a group of inputs at each draw."""

    functions: FloatArray  # (sample, function): the constant first, then main effects, then products
    # (function,): relative to the smoothest bend of a main effect; zero for the constant and the straight
    # lines.
    roughness: FloatArray
    # (function, 2): which inputs a function depends on, by position; -1 stands for none.
    inputs: NDArray[np.intp]


@dataclass(frozen=True)
class GroupFit:
    """Coefficients of the fit on all draws and on every half-sample."""

    functions: FloatArray  # (sample, function)
    coefficients: FloatArray  # (function, response)
    # (half, function, response): both members of each mirror pair: halves 0..H-1 learn where the sign is +1,
    # H..2H-1 where it is -1.
    half_coefficients: FloatArray
    signs: FloatArray  # (half, block): the +1 and -1 of each half-sample


def group_basis(bases: list[SplineBasis]) -> GroupBasis:
    """Build the functions of a group of inputs.

    At most one function per `DRAWS_PER_FUNCTION` draws; products give way first, then bends.
    """
    draws = len(bases[0].bin_of_draw)
    budget = min(MOST_FUNCTIONS, draws // DRAWS_PER_FUNCTION)
    mains, products = FUNCTIONS_PER_INPUT.get(len(bases), (6, 2))
    while products and _size(len(bases), mains, products) > budget:
        mains, products = (mains - 1, products) if mains > products + 2 else (mains, products - 1)
    while mains > 1 and _size(len(bases), mains, 0) > budget:
        mains -= 1
    each = [basis.at_draws(mains) for basis in bases]
    rough = [
        basis.roughness[1 : mains + 1] / (basis.roughness[2] if len(basis.roughness) > 2 else 1.0)
        for basis in bases
    ]
    pieces, penalties, owners = [np.ones((draws, 1))], [np.zeros(1)], [(-1, -1, 1)]
    for one, (block, penalty) in enumerate(zip(each, rough, strict=True)):
        pieces.append(block)
        penalties.append(penalty)
        owners.append((one, -1, block.shape[1]))
    for one, two in combinations(range(len(bases)), 2):
        left, right = each[one][:, :products], each[two][:, :products]
        pieces.append((left[:, :, None] * right[:, None, :]).reshape(draws, -1))
        penalty = (1.0 + rough[one][:products, None]) * (1.0 + rough[two][None, :products])
        penalties.append(penalty.ravel())
        owners.append((one, two, penalty.size))
    inputs = np.concatenate([np.tile((one, two), (count, 1)) for one, two, count in owners])
    return GroupBasis(np.concatenate(pieces, axis=1), np.concatenate(penalties), inputs)


def _size(inputs: int, mains: int, products: int) -> int:
    return 1 + inputs * mains + inputs * (inputs - 1) // 2 * products**2


def fit_group(basis: GroupBasis, responses: FloatArray) -> GroupFit:
    """Fit E[response | group] on all draws and on every balanced half-sample.

    `responses` (sample, response). Strengths minimise Mallows' criterion summed over responses (each in units
    of its residual variance), main effects first, interactions given those.
    """
    draws = len(responses)
    blocks = block_count(draws, at_most=32)
    width = basis.functions.shape[1]
    products = block_products([basis.functions, responses], blocks) / draws
    grams, crosses = products[:, :width, :width], products[:, :width, width:]
    gram, cross = grams.sum(axis=0), crosses.sum(axis=0)
    penalty = choose_penalty(basis, gram, cross, (responses**2).mean(axis=0), draws)
    coefficients = np.linalg.solve(gram + penalty, cross)
    moved_gram, moved_cross = contrasts(grams), contrasts(crosses)
    half = np.linalg.solve(
        gram + penalty + np.concatenate([moved_gram, -moved_gram]),
        cross + np.concatenate([moved_cross, -moved_cross]),
    )
    signs = np.concatenate([balanced_signs(blocks), -balanced_signs(blocks)])
    return GroupFit(basis.functions, coefficients, half, signs)


def choose_penalty(
    basis: GroupBasis, gram: FloatArray, cross: FloatArray, square: FloatArray, draws: int
) -> FloatArray:
    """Diagonal penalty with the best strength for main effects, then for products.

    Shape (function, function). `gram` (function, function); `cross` (function, response).
    """
    floor = 1e-9 * np.trace(gram) / len(gram)
    noise = _residual_variance(gram, cross, square, draws, floor)
    mains = int((basis.inputs[:, 1] < 0).sum())
    best = np.zeros(mains)
    for end in sorted({mains, len(gram)}):
        part = slice(0, end)
        trials = []
        for strength in STRENGTHS:
            settled = best if end > mains else np.zeros(0)
            trial = np.concatenate([settled, strength * basis.roughness[len(settled) : end]])
            score = _criterion(trial + floor, gram[part, part], cross[part], noise, draws)
            trials.append((score, trial))
        best = min(trials, key=lambda scored: scored[0])[1]
    return np.diag(best + floor)


def _residual_variance(
    gram: FloatArray, cross: FloatArray, square: FloatArray, draws: int, floor: float
) -> FloatArray:
    explained = (cross * np.linalg.solve(gram + floor * np.eye(len(gram)), cross)).sum(axis=0)
    left = np.maximum(square - explained, 1e-12 * square) / (1.0 - len(gram) / draws)
    return np.where(square > 1e-12 * square.max(initial=0.0), left, np.inf)


def _criterion(
    diagonal: FloatArray, gram: FloatArray, cross: FloatArray, noise: FloatArray, draws: int
) -> float:
    solved = np.linalg.solve(gram + np.diag(diagonal), np.concatenate([cross, gram], axis=1))
    width = cross.shape[1]
    coefficients = solved[:, :width]
    freedom = np.trace(solved[:, width:])
    lost = (coefficients * (gram @ coefficients - 2.0 * cross)).sum(axis=0)  # residual square less a constant
    return float((draws * lost / noise).sum() + 2.0 * COMPLEXITY_PRICE * freedom * np.isfinite(noise).sum())
