"""Take the other inputs' share out of net benefit before asking what one input is worth, where allowed.

With many inputs most of the variation of net benefit is noise to any one of them, and that noise is most of
the error of a value of information. Where the inputs are independent it can be removed: an additive fit on
all inputs at once says what the others contribute, and their contribution has the same mean whatever the one
input is. Where they are not independent this would be wrong, so it is done only when there are many inputs
and no test finds dependence among them; otherwise each input is fitted on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cba.decisions.draws import FloatArray
from cba.decisions.half_samples import block_products, column_means
from cba.decisions.spline_basis import SplineBasis

FEWEST_INPUTS = 8
"""Below this there are too few pairs of inputs for "no dependence found" to mean much."""

LEVEL = 0.01
"""Level of each test of independence; a false alarm costs precision only."""


@dataclass(frozen=True)
class AdditiveFit:
    """Contribution of each input to each response, all fitted jointly.

    Parameters
    ----------
    parts : dict of str to array (sample, response)
        Mean zero over the draws.
    total : array (sample, response)
        Their sum.
    """

    parts: dict[str, FloatArray]
    total: FloatArray

    def without(self, members: list[str]) -> FloatArray:
        """Sum of the contributions of all inputs but these."""
        rest = self.total.copy()
        for name in members:
            rest -= self.parts[name]
        return rest


def find_controls(
    bases: dict[str, SplineBasis], responses: FloatArray, *, independent: bool | None
) -> AdditiveFit | None:
    """Fit the additive part, or return None where it must not be used.

    Parameters
    ----------
    bases : dict of str to SplineBasis
        Of every input.
    responses : array (sample, response)
        Net benefit by option, or effects and costs.
    independent : bool or None
        True: the inputs are independent by construction. False: they are not. None: use controls only with
        `FEWEST_INPUTS` inputs or more and no sign of dependence.

    Returns
    -------
    AdditiveFit or None
    """
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
