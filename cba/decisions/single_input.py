"""Conditional mean of responses given one input: a smoothing spline, refitted on balanced half-samples."""

from __future__ import annotations

import numpy as np

from cba.decisions.draws import FloatArray
from cba.decisions.half_samples import block_count, block_height, block_sums, column_means, contrasts
from cba.decisions.rule_value import HalfSampleFits
from cba.decisions.spline_basis import SplineBasis

STRENGTHS = np.concatenate([10.0 ** np.linspace(-8.0, 2.0, 31), [1e12]])
COMPLEXITY_PRICE = 1.4
"""What one degree of freedom costs in units of Mallows' price: above one, because criteria undersmooth."""

KEPT_BEND = 0.5
"""A fit that keeps less than this of every bend counts as a straight line."""


def fit_single_input(
    basis: SplineBasis, responses: FloatArray, *, controls: FloatArray | None = None
) -> HalfSampleFits:
    """Fit E[response | input] on all draws and on every balanced half-sample.

    Parameters
    ----------
    basis : SplineBasis
        Of the input, its draws in the content order of `half_samples.content_order`.
    responses : array (sample, response)
        What depends on it, in the same order.
    controls : array (sample, response), optional
        Part of the responses, with mean zero, known not to depend on the input: taken out before the fit, so
        that it disturbs only the overall mean.

    Returns
    -------
    HalfSampleFits
        On the input's bins.

    Notes
    -----
    Where the fit is close to a straight line, rules are valued with it, which is less noisy; otherwise with
    the sums of the draws themselves, which no smoothing can bias.

    One smoothing strength serves all responses, so the fit is linear in them. It minimises Mallows' criterion
    summed over responses, each in units of its own residual variance. "No dependence at all" is one of the
    choices for the fit, while half-samples may then still differ by a straight line: what noise could have
    produced stays in the standard error.
    """
    draws = len(responses)
    blocks = block_count(draws)
    rest = responses if controls is None else responses - controls
    mean = column_means(rest)
    centred = rest - mean
    share, sums = _cells(basis, centred, blocks)
    functions = basis.functions
    coefficients = functions.T @ sums.sum(axis=0)
    square = np.einsum("ij,ij->j", centred, centred) / draws
    shrink, noise_shrink = _shrinkage(coefficients, basis.roughness, square, draws)
    rule, rule_shift = _half_fits(functions, share, sums, shrink, noise_shrink)
    moved_share = contrasts(share)
    moved_share -= (
        moved_share.sum(axis=1, keepdims=True) * basis.share
    )  # halves differ in size by a few draws
    if (shrink[2:] < KEPT_BEND).all():
        total = (rule + mean).T * basis.share
        total_shift = rule_shift * basis.share + (rule + mean).T[:, None] * moved_share
    else:
        total = (sums.sum(axis=0) + basis.share[:, None] * mean).T
        total_shift = contrasts(sums).transpose(2, 0, 1) + mean[:, None, None] * moved_share
    if controls is not None:
        drift = contrasts(block_sums(controls, blocks) / draws).T[:, :, None]
        rule_shift = rule_shift + drift
        total_shift = total_shift + drift * basis.share
    return HalfSampleFits((rule + mean).T, rule_shift, total, total_shift)


def _half_fits(
    functions: FloatArray, share: FloatArray, sums: FloatArray, shrink: FloatArray, noise_shrink: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fit at the bins (bin, response), about the mean, and what half-samples add (response, half, bin)."""
    fitted = functions @ (shrink[:, None] * (functions.T @ sums.sum(axis=0)))
    left = sums - share[:, :, None] * fitted  # what the fit leaves, by block and bin
    scores = np.matmul(functions.T, left) * noise_shrink[:, None]  # (block, function, response)
    used = noise_shrink > 0.0
    shift = np.matmul(functions[:, used], contrasts(scores[:, used]))
    return fitted, np.ascontiguousarray(shift.transpose(2, 0, 1))


def _cells(basis: SplineBasis, centred: FloatArray, blocks: int) -> tuple[FloatArray, FloatArray]:
    """Share of the draws, and sums of the responses over the number of draws, by block and bin."""
    draws, responses = centred.shape
    bins = len(basis.share)
    cell = (np.arange(draws) // block_height(draws, blocks)) * bins + basis.bin_of_draw
    share = np.bincount(cell, minlength=blocks * bins).reshape(blocks, bins) / draws
    sums = np.empty((blocks * bins, responses))
    for response in range(responses):
        sums[:, response] = np.bincount(cell, centred[:, response], minlength=blocks * bins)
    return share, sums.reshape(blocks, bins, responses) / draws


def _shrinkage(
    coefficients: FloatArray, roughness: FloatArray, variance: FloatArray, draws: int
) -> tuple[FloatArray, FloatArray]:
    """Factors on the coefficients: for the fit, and for its noise (at least a straight line)."""
    kept = 1.0 / (1.0 + STRENGTHS[:, None] * roughness)
    kept[:, :2] = 1.0
    kept = np.concatenate([np.eye(1, len(roughness)), kept])
    useful = variance > 1e-12 * variance.max(initial=0.0)
    if not useful.any():
        return kept[0], kept[-1]
    energy = coefficients[:, useful] ** 2
    full = np.maximum(variance[useful] - energy.sum(axis=0), 1e-12 * variance[useful])
    noise = full / (1.0 - len(roughness) / draws)
    explained = (1.0 - (1.0 - kept) ** 2) @ (energy / noise)
    criterion = -draws * explained.sum(axis=1) + 2.0 * COMPLEXITY_PRICE * useful.sum() * kept.sum(axis=1)
    best = int(criterion.argmin())
    return kept[best], kept[best] if best else kept[-1]
