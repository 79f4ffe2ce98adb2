"""Regressions of paired draws, refitted on balanced half-samples: what decision rules are learnt with.

Draws are shuffled once and cut into blocks. Each row of a Hadamard matrix sends half of the blocks one way and half
the other: a rule is learnt on one half and valued on the other. Over all rows and their mirror images every pair of
blocks is together as often as apart (balanced repeated replication).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from cba.decisions.draws import FloatArray
from cba.errors import InputError

MINIMUM_DRAWS = 128
"""Fewer draws than this leave blocks of one or two, and a standard error that means nothing."""


SHUFFLE_SEED = 20240601


@lru_cache(maxsize=4)
def shuffled(draws: int) -> NDArray[np.intp]:
    """Order in which draws are cut into blocks: the same for every question asked of one run."""
    # Draws arrive chain by chain or sorted; blocks must each be like the whole.
    return np.random.default_rng(SHUFFLE_SEED).permutation(draws)


@lru_cache(maxsize=4)
def balanced_signs(blocks: int) -> FloatArray:
    """Rows of +1 (learn) and -1 (value), one per half-sample, mirror images left out.

    Shape (blocks - 1, blocks). Rows are orthogonal and sum to zero.
    """
    from scipy.linalg import hadamard

    return hadamard(blocks)[1:].astype(np.float64)


def contrasts(block_values: FloatArray) -> FloatArray:
    """Learning half minus valuing half, for every balanced half-sample at once, (block - 1, ...)."""
    return np.tensordot(balanced_signs(len(block_values)), block_values, axes=1)


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


def block_of_draw(draws: int, blocks: int) -> NDArray[np.intp]:
    """Block each shuffled draw is in; blocks differ by one draw at most."""
    return np.arange(draws) * blocks // draws


def block_edges(draws: int, blocks: int) -> NDArray[np.intp]:
    """First draw of each block, and the number of draws."""
    return np.searchsorted(block_of_draw(draws, blocks), np.arange(blocks + 1))


def block_sums(rows: FloatArray, blocks: int) -> FloatArray:
    """Sum of the rows of each block, (block, k)."""
    return np.add.reduceat(rows, block_edges(len(rows), blocks)[:-1], axis=0)


def block_products(rows: FloatArray, blocks: int) -> FloatArray:
    """Products of all columns with all columns, summed over the draws of each block, (block, column, column)."""
    return np.stack([rows[a:b].T @ rows[a:b] for a, b in pairwise(block_edges(len(rows), blocks))])


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


def spline_basis(values: FloatArray) -> SplineBasis:
    """Build the basis for one input. One function for a constant input, two for a binary one."""
    # Rotated by the generalised eigenvectors of roughness against the Gram matrix (Demmler & Reinsch 1975): a
    # smoothing spline of any strength then only multiplies each coefficient by
    # ``1 / (1 + strength * roughness)``.
    bin_of_draw, share, centre = _equal_count_bins(values, BINS)
    wanted = int(np.clip(len(values) // DRAWS_PER_KNOT, 4, MOST_KNOTS))
    spread = np.sqrt(share @ (centre - share @ centre) ** 2)
    if spread == 0.0:
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
    order = np.argsort(values, kind="stable")
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
    """Natural cubic splines that are one at one knot and zero at the others, at `points`; their roughness."""
    from scipy.interpolate import CubicSpline

    spline = CubicSpline(places, np.eye(len(places)), bc_type="natural")
    bend = spline(
        places, 2
    )  # second derivatives are straight lines between knots, so products integrate exactly
    left, right, gap = bend[:-1], bend[1:], np.diff(places)[:, None]
    roughness = (left.T @ (gap * (2.0 * left + right)) + right.T @ (gap * (left + 2.0 * right))) / 6.0
    return spline(points), roughness


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
    joined = np.hstack(matrices)
    gram, cross = joined.T @ joined / draws, joined.T @ (responses - responses.mean(axis=0)) / draws
    coefficients = np.linalg.lstsq(gram, cross, rcond=1e-10)[0]
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
    """Coefficients of the fit on every half-sample."""

    functions: FloatArray  # (sample, function)
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
    """Fit E[response | group] on every balanced half-sample.

    `responses` (sample, response). Strengths minimise Mallows' criterion summed over responses (each in units
    of its residual variance), main effects first, interactions given those.
    """
    draws = len(responses)
    blocks = block_count(draws, at_most=32)
    width = basis.functions.shape[1]
    products = block_products(np.hstack([basis.functions, responses]), blocks) / draws
    grams, crosses = products[:, :width, :width], products[:, :width, width:]
    gram, cross = grams.sum(axis=0), crosses.sum(axis=0)
    penalty = choose_penalty(basis, gram, cross, (responses**2).mean(axis=0), draws)
    moved_gram, moved_cross = contrasts(grams), contrasts(crosses)
    half = np.linalg.solve(
        gram + penalty + np.concatenate([moved_gram, -moved_gram]),
        cross + np.concatenate([moved_cross, -moved_cross]),
    )
    signs = np.concatenate([balanced_signs(blocks), -balanced_signs(blocks)])
    return GroupFit(basis.functions, half, signs)


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
