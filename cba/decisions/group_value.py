"""Value of deciding on a group of inputs: rules from `group_inputs` tried draw by draw on the other half."""

from __future__ import annotations

import numpy as np

from cba.decisions.draws import Estimate, FloatArray
from cba.decisions.group_inputs import GroupFit
from cba.decisions.half_samples import ROWS_PER_PRODUCT, block_height, block_sums
from cba.decisions.rule_value import estimate_from_halves

STACKS_AT_A_TIME = 32
"""Stacks of rows handled together: few enough to stay in cache, so memory does not grow with the draws."""


def value_of_group_rules(
    fit: GroupFit,
    net_benefit: FloatArray,
    *,
    controls: FloatArray | None = None,
    weights: FloatArray | None = None,
) -> Estimate:
    """Gain from deciding on the group rather than once for all.

    Parameters
    ----------
    fit : GroupFit
        Of the responses less their controls.
    net_benefit : array (sample, option)
        In the same (content) order.
    controls : array (sample, option), optional
        Contribution of the other, independent inputs to net benefit; mean zero.
    weights : array (response, option), optional
        How responses combine into net benefit (effects times threshold less costs); the identity by default.

    Returns
    -------
    Estimate
        Units of net benefit.
    """
    draws, options = net_benefit.shape
    blocks = fit.signs.shape[1]
    rest = net_benefit if controls is None else net_benefit - controls
    coefficients = fit.half_coefficients if weights is None else fit.half_coefficients @ weights
    drift = np.zeros((len(fit.signs), options))
    if controls is not None:
        drift = fit.signs @ block_sums(controls, blocks) / draws
    everyone, contrast = _follow_rules(fit, rest, coefficients, drift)
    sums = block_sums(rest, blocks) / draws
    overall, tilt = sums.sum(axis=0), fit.signs @ sums + drift
    best = (overall + tilt).argmax(axis=1)
    row = np.arange(len(best))
    return estimate_from_halves(everyone - overall[best], contrast - tilt[row, best])


def _follow_rules(
    fit: GroupFit, rest: FloatArray, coefficients: FloatArray, drift: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Net benefit of each half-sample's rule: over all draws, and over its learning less its valuing half."""
    draws, options = rest.shape
    halves, blocks = fit.signs.shape
    stacked = np.ascontiguousarray(coefficients.transpose(2, 0, 1))  # (option, half, function)
    everyone, contrast = np.zeros(halves), np.zeros(halves)
    shape = (STACKS_AT_A_TIME, halves, ROWS_PER_PRODUCT)
    candidate, best, gained, moved = (np.empty(shape) for _ in range(4))
    block = np.arange(draws) // block_height(draws, blocks)
    step = STACKS_AT_A_TIME * ROWS_PER_PRODUCT
    for start in range(0, draws, step):
        functions = _stacks(fit.functions[start : start + step]).transpose(0, 2, 1)
        outcome = _stacks(rest[start : start + step]).transpose(2, 0, 1)[
            :, :, None
        ]  # padded rows gain nothing
        present = _stacks(np.ones((min(step, draws - start), 1))).transpose(0, 2, 1)
        sign = fit.signs[:, np.pad(block[start : start + step], (0, step - len(block[start : start + step])))]
        sign = sign.reshape(halves, STACKS_AT_A_TIME, ROWS_PER_PRODUCT).transpose(1, 0, 2)
        np.matmul(stacked[0], functions, out=best)
        best += drift[:, :1]
        gained[:], moved[:] = outcome[0], drift[:, :1]
        for option in range(1, options):
            np.matmul(stacked[option], functions, out=candidate)
            candidate += drift[:, option : option + 1]
            better = candidate > best
            np.copyto(best, candidate, where=better)
            np.copyto(gained, outcome[option], where=better)
            np.copyto(moved, drift[:, option : option + 1], where=better)
        everyone += np.einsum("shr->h", gained)
        contrast += np.einsum("shr,shr->h", gained, sign) + np.einsum("shr,sir->h", moved, present)
    return everyone / draws, contrast / draws


def _stacks(rows: FloatArray) -> FloatArray:
    """Rows cut into (stack, row, k), filled up with zeros."""
    missing = STACKS_AT_A_TIME * ROWS_PER_PRODUCT - len(rows)
    if missing:
        rows = np.concatenate([rows, np.zeros((missing, rows.shape[1]))])
    return rows.reshape(STACKS_AT_A_TIME, ROWS_PER_PRODUCT, rows.shape[1])
