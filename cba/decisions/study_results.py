"""Every result a study with normal error could report, and what net benefit would then be expected to be.

A study is not simulated but integrated over: the quantity it estimates lies on a grid of nodes, its result on
a grid of results, and the likelihood between the two is a matrix. Both grids follow the quantiles of the
prior, so that a skewed or heavy-tailed prior costs no accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.special import ndtr

from cba.decisions.draws import FloatArray
from cba.decisions.rule_value import HalfSampleFits
from cba.errors import InputError

NODES, RESULTS = 301, 161
DEEPEST = 6.0
"""Standard normal quantile at which both grids end: two in a billion lie beyond."""

_NODE_PLACES = np.linspace(-DEEPEST, DEEPEST, NODES)
_RESULT_PLACES = np.linspace(-DEEPEST, DEEPEST, RESULTS)


class Prior(Protocol):
    """A continuous distribution with quantiles, such as ``scipy.stats.norm(0.3, 1)``."""

    def ppf(self, q: ArrayLike) -> FloatArray:
        """Quantile at probability `q`."""


@dataclass(frozen=True)
class PriorNodes:
    """A known prior on a grid.

    Parameters
    ----------
    values : array (node,)
        Quantiles of the prior, rising.
    share : array (node,)
        Probability each node stands for; sums to one.
    """

    values: FloatArray
    share: FloatArray


def prior_nodes(prior: Prior) -> PriorNodes:
    """Put a prior on a grid that follows its quantiles.

    Parameters
    ----------
    prior : Prior

    Returns
    -------
    PriorNodes

    Raises
    ------
    InputError
        If a quantile is not finite or quantiles do not rise.

    Notes
    -----
    ``x = Q(Phi(z))`` with z on an even grid: the trapezium rule in z is then exact to rounding for a normal
    prior and for smooth functions of one.

    Examples
    --------
    >>> from scipy.stats import norm
    >>> nodes = prior_nodes(norm(2.0, 3.0))
    >>> round(float(nodes.share @ nodes.values), 6), round(float(nodes.share @ nodes.values**2), 4)
    (2.0, 13.0)
    """
    one = hasattr(prior, "ppf") and np.ndim(prior.ppf(0.5)) == 0
    values = np.asarray(prior.ppf(ndtr(_NODE_PLACES)) if one else [], dtype=np.float64)
    if not one or not np.isfinite(values).all() or (np.diff(values) <= 0).any():
        raise InputError(
            "the prior has no rising, finite quantiles",
            field="prior",
            found=f"quantiles from {values[0]:g} to {values[-1]:g}" if one else type(prior).__name__,
            allowed="one continuous distribution over one parameter",
            cause="a discrete or degenerate distribution, or one with several parameters",
            remedy="pass a frozen distribution such as scipy.stats.norm(0.3, 1), or leave `prior` out",
        )
    weight = np.exp(-0.5 * _NODE_PLACES**2)
    return PriorNodes(values, weight / weight.sum())


def fits_over_draws(
    centre: FloatArray, share: FloatArray, fits: HalfSampleFits, *, size: float
) -> HalfSampleFits:
    """Conditional means given each possible result, the draws themselves being the prior.

    Parameters
    ----------
    centre, share : array (point,)
        Values of the quantity studied, rising, and the share of draws at each.
    fits : HalfSampleFits
        Conditional means given the quantity, on those points.
    size : float, > 0
        Standard error of the study, in the quantity's units.

    Returns
    -------
    HalfSampleFits
        On the grid of results.
    """
    reached = np.cumsum(share) - share / 2
    likelihood = _likelihood(centre, np.interp(ndtr(_RESULT_PLACES), reached, centre), size)
    reach = share @ likelihood
    return HalfSampleFits(
        (fits.fitted * share) @ likelihood / reach,
        _row_by_row(fits.fitted_shift * share, likelihood) / reach,
        fits.total @ likelihood,
        _row_by_row(fits.total_shift, likelihood),
    )


def fits_over_prior(
    centre: FloatArray, nodes: PriorNodes, fits: HalfSampleFits, *, size: float
) -> HalfSampleFits:
    """Conditional means given each possible result under a known prior.

    Parameters
    ----------
    centre : array (point,)
        Values of the quantity at which `fits` stand, rising.
    nodes : PriorNodes
    fits : HalfSampleFits
        Between points and beyond the outermost they are continued in straight lines.
    size : float, > 0
        Standard error of the study, in the quantity's units.

    Returns
    -------
    HalfSampleFits
        On the grid of results.
    """
    likelihood = _likelihood(nodes.values, np.interp(_RESULT_PLACES, _NODE_PLACES, nodes.values), size)
    reach = nodes.share @ likelihood
    weight = _straight_lines(centre, nodes.values).T @ (nodes.share[:, None] * likelihood)  # (point, result)
    total, shift = fits.fitted @ weight, _row_by_row(fits.fitted_shift, weight)
    return HalfSampleFits(total / reach, shift / reach, total, shift)


def _likelihood(parameter: FloatArray, quantiles: FloatArray, size: float) -> FloatArray:
    """Probability of each result (column) given each value of the parameter (row); rows sum to one.

    Results lie where the prior's quantiles do, moved out by the study's error as variances add: exactly at the
    quantiles of the results for a normal prior, close to them otherwise.
    """
    middle = quantiles[RESULTS // 2]
    reach = np.hypot(quantiles - middle, size * _RESULT_PLACES)
    results = middle + np.copysign(reach, _RESULT_PLACES)
    width = np.gradient(results)
    blur = np.maximum(size, width / 2)  # a study sharper than the grid still reaches it
    density = np.exp(-0.5 * ((results - parameter[:, None]) / blur) ** 2) * (width / blur)
    density += 1e-300  # no result is impossible, so that no posterior divides by zero
    density /= density.sum(axis=1, keepdims=True)
    return density


def _row_by_row(shifts: FloatArray, weight: FloatArray) -> FloatArray:
    """``shifts @ weight`` in products small enough to stay on one core."""
    return np.matmul(shifts[:, :, None], weight)[:, :, 0]


def _straight_lines(known: FloatArray, wanted: FloatArray) -> csr_array:
    """Sparse matrix (wanted, known) that interpolates linearly, and continues the outermost lines."""
    left = np.clip(np.searchsorted(known, wanted) - 1, 0, len(known) - 2)
    share = (wanted - known[left]) / (known[left + 1] - known[left])
    row = np.arange(len(wanted))
    entries = (np.r_[1.0 - share, share], (np.r_[row, row], np.r_[left, left + 1]))
    return csr_array(entries, shape=(len(wanted), len(known)))
