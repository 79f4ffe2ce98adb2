"""Value of choosing by what one learns, from rules learnt on half of the draws and tried on the other half.

This is the estimator behind `evppi` and `evsi`. For each balanced half-sample a decision rule ("at this value
of the input choose that option") and the best option without the input are both learnt on one half and valued
by the net benefit of the *other* half, which they have not seen: an input that tells nothing earns nothing on
average, where plain regression credits it with its own noise. Half of the gap between in-sample and
out-of-sample value is then given back, because the rule was learnt on half of the draws only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cba.decisions.draws import Estimate, FloatArray


@dataclass(frozen=True)
class HalfSampleFits:
    """Conditional means fitted on half-samples and the net benefit to value rules with, on one set of points.

    All arrays are linear in the responses, so fits of effects and costs combine into a fit of
    ``threshold * effects - costs``.

    Parameters
    ----------
    fitted : array (option, point)
        Conditional mean on all draws.
    fitted_shift : array (option, half, point)
        What is added to it on the half that learns (and subtracted on its mirror image).
    total : array (option, point)
        Net benefit to value rules with, times the share of draws at each point.
    total_shift : array (option, half, point)
        The same, learning half minus valuing half.
    """

    fitted: FloatArray
    fitted_shift: FloatArray
    total: FloatArray
    total_shift: FloatArray

    def at_threshold(self, threshold: float) -> HalfSampleFits:
        """From responses (effects of every option, then costs) to net benefit at one threshold."""
        half = len(self.fitted) // 2
        return HalfSampleFits(
            *(
                threshold * array[:half] - array[half:]
                for array in (self.fitted, self.fitted_shift, self.total, self.total_shift)
            )
        )


def value_of_rules(fits: HalfSampleFits) -> Estimate:
    """Gain from deciding point by point rather than once for all.

    Parameters
    ----------
    fits : HalfSampleFits
        Two options or more.

    Returns
    -------
    Estimate
        Value not below zero, and standard error, in units of net benefit.

    Examples
    --------
    Two points, equally likely; option 1 gains 10 in one and loses 10 in the other; no noise at all.

    >>> level = np.array([[0.0, 0.0], [10.0, -10.0]])
    >>> still = np.zeros((2, 3, 2))
    >>> value_of_rules(HalfSampleFits(level, still, level / 2, still)).value
    5.0
    """
    return estimate_from_halves(*gains_of_rules(fits))


def gains_of_rules(fits: HalfSampleFits) -> tuple[FloatArray, FloatArray]:
    """Gain of each half-sample's rule: over all draws, and on its learning less its valuing half.

    Parameters
    ----------
    fits : HalfSampleFits
        Two options or more.

    Returns
    -------
    everyone, contrast : array (half,)
        For every half-sample and then for its mirror images; what `estimate_from_halves` takes.
    """
    outcomes = [_learn_and_value(fits, sign) for sign in (1.0, -1.0)]
    everyone = np.concatenate([everyone for everyone, _ in outcomes])
    contrast = np.concatenate([contrast for _, contrast in outcomes])
    return everyone, contrast


def estimate_from_halves(everyone: FloatArray, contrast: FloatArray) -> Estimate:
    """Combine the gains of rules over all draws with the contrast between learning and valuing halves.

    ``everyone - contrast`` is the gain on the half that did not learn; ``everyone`` the average of both.
    Their mean costs a rule learnt on n/2 draws what one learnt on all n draws would lose. The standard error
    is the spread over half-samples of the out-of-sample gain: with halves, the variance of the difference
    between two halves is that of the whole-sample estimate. It is widened by Student's quantile over the
    normal one, so that 1.96 of it makes a 95% interval.
    """
    value = float(np.mean(everyone - contrast / 2))
    spread = float(np.std(everyone - contrast))
    return Estimate(value=max(value, 0.0), se=spread * _student(len(contrast) // 2))


def covariance_of_halves(gains: list[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Covariance of the errors of estimates whose gains come from the same half-samples.

    Parameters
    ----------
    gains : list of (everyone, contrast)
        One per estimate, as returned by `gains_of_rules`.

    Returns
    -------
    array (estimate, estimate)
        Its diagonal is the square of the standard errors of `estimate_from_halves`.
    """
    unseen = np.stack([everyone - contrast for everyone, contrast in gains])
    unseen -= unseen.mean(axis=1, keepdims=True)
    widen = _student(unseen.shape[1] // 2)
    return unseen @ unseen.T / unseen.shape[1] * widen**2


def _learn_and_value(fits: HalfSampleFits, sign: float) -> tuple[FloatArray, FloatArray]:
    options, halves, _ = fits.fitted_shift.shape
    learnt = fits.fitted[0] + sign * fits.fitted_shift[0]
    total = np.repeat(fits.total[0][None], halves, axis=0)
    shift = fits.total_shift[0].copy()
    for option in range(1, options):
        candidate = fits.fitted[option] + sign * fits.fitted_shift[option]
        better = candidate > learnt
        np.copyto(learnt, candidate, where=better)
        np.copyto(total, fits.total[option], where=better)
        np.copyto(shift, fits.total_shift[option], where=better)
    everywhere = fits.total.sum(axis=1)
    contrast = sign * fits.total_shift.sum(axis=2)  # (option, half)
    best = (everywhere[:, None] + contrast).argmax(axis=0)
    row = np.arange(halves)
    return total.sum(axis=1) - everywhere[best], sign * shift.sum(axis=1) - contrast[best, row]


@lru_cache(maxsize=8)
def _student(freedom: int) -> float:
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(freedom, 0.975) / ndtri(0.975))
