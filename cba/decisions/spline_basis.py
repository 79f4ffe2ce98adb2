"""A natural cubic spline in one input, its functions orthonormal and ordered by roughness.

The input is first put into at most a few hundred bins of equal count (its own values where there are few), so
that every later step costs the number of bins, not the number of draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cba.decisions.draws import FloatArray
from cba.decisions.half_samples import distinct_order

BINS = 128
DRAWS_PER_KNOT = 40
MOST_KNOTS = 24


@dataclass(frozen=True)
class SplineBasis:
    """Functions of one input, evaluated at its bins.

    Parameters
    ----------
    bin_of_draw : array of int (sample,)
        Bin in which each draw falls.
    share : array (bin,)
        Share of draws in each bin; sums to one.
    centre : array (bin,)
        Mean of the input in each bin, in the input's units.
    functions : array (bin, function)
        Orthonormal under `share`. The first is constant, the second the standardised input.
    roughness : array (function,)
        Integrated squared second derivative of each; zero for the first two, rising after.
    standardised : array (sample,)
        The input itself, less its mean over its spread.
    """

    bin_of_draw: NDArray[np.intp]
    share: FloatArray
    centre: FloatArray
    functions: FloatArray
    roughness: FloatArray
    standardised: FloatArray

    def at_draws(self, count: int) -> FloatArray:
        """First `count` functions after the constant, at each draw; the straight line exactly, not by bin."""
        values = self.functions[:, 1 : count + 1][self.bin_of_draw]
        if values.shape[1]:
            values[:, 0] = self.standardised
        return values


def spline_basis(values: FloatArray, *, knots: int | None = None, bins: int = BINS) -> SplineBasis:
    """Build the basis for one input.

    Parameters
    ----------
    values : array (sample,)
        Draws of the input.
    knots : int, optional
        Knots at quantiles; by default one per `DRAWS_PER_KNOT` draws, between 4 and `MOST_KNOTS`.
    bins : int
        Most bins used.

    Returns
    -------
    SplineBasis
        One function for a constant input, two for a binary one.

    Notes
    -----
    Rotated by the generalised eigenvectors of roughness against the Gram matrix (Demmler & Reinsch 1975): a
    smoothing spline of any strength then only multiplies each coefficient by ``1 / (1 + strength *
    roughness)``.

    Examples
    --------
    >>> basis = spline_basis(np.linspace(0.0, 1.0, 1000))
    >>> gram = basis.functions.T @ (basis.share[:, None] * basis.functions)
    >>> bool(np.allclose(gram, np.eye(len(gram)), atol=1e-6))
    True
    """
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
