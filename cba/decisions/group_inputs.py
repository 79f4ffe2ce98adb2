"""Conditional mean of several responses given a group of inputs: main effects, pairwise interactions, ridge.

Main effects are splines in each input; interactions are products of their smoothest functions. Roughness is
penalised, main effects and interactions with strengths of their own, and the fit is repeated on balanced
half-samples exactly (not linearised): with up to a few hundred functions the difference matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from cba.decisions.draws import FloatArray
from cba.decisions.half_samples import balanced_signs, block_count, block_products, contrasts
from cba.decisions.spline_basis import SplineBasis

FUNCTIONS_PER_INPUT = {1: (16, 0), 2: (12, 7), 3: (10, 4), 4: (9, 3)}
"""Group size -> main-effect functions per input, functions per input that enter products."""

DRAWS_PER_FUNCTION = 12
MOST_FUNCTIONS = 300
STRENGTHS = 10.0 ** np.array([-5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 6.0])
COMPLEXITY_PRICE = 1.4


@dataclass(frozen=True)
class GroupBasis:
    """Functions of a group of inputs at each draw.

    Parameters
    ----------
    functions : array (sample, function)
        The constant first, then main effects, then products.
    roughness : array (function,)
        Relative to the smoothest bend of a main effect; zero for the constant and the straight lines.
    inputs : array of int (function, 2)
        Which inputs a function depends on, by position; -1 stands for none.
    """

    functions: FloatArray
    roughness: FloatArray
    inputs: NDArray[np.intp]


@dataclass(frozen=True)
class GroupFit:
    """Coefficients of the fit on all draws and on every half-sample.

    Parameters
    ----------
    functions : array (sample, function)
    coefficients : array (function, response)
    half_coefficients : array (half, function, response)
        Both members of each mirror pair: halves 0..H-1 learn where the sign is +1, H..2H-1 where it is -1.
    signs : array (half, block)
        The +1 and -1 of each half-sample.
    """

    functions: FloatArray
    coefficients: FloatArray
    half_coefficients: FloatArray
    signs: FloatArray


def group_basis(bases: list[SplineBasis]) -> GroupBasis:
    """Build the functions of a group of inputs.

    Parameters
    ----------
    bases : list of SplineBasis
        One per input, none of them constant.

    Returns
    -------
    GroupBasis
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

    Parameters
    ----------
    basis : GroupBasis
    responses : array (sample, response)

    Returns
    -------
    GroupFit

    Notes
    -----
    Strengths minimise Mallows' criterion summed over responses (each in units of its residual variance), main
    effects first, interactions given those.
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

    Parameters
    ----------
    basis : GroupBasis
    gram : array (function, function)
        Mean products of the functions.
    cross : array (function, response)
        Mean products with the responses.
    square : array (response,)
        Mean squares of the responses.
    draws : int

    Returns
    -------
    array (function, function)
        Diagonal, to be added to `gram`.
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
