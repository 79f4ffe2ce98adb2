"""Weights of a mixture of forecasts that would have scored best: stacking on the continuous ranked probability score.

The score of a mixture is a quadratic form, ``CRPS(w) = w'a - w'B w / 2`` with ``a_i = E|X_i - y|`` and
``B_ij = E|X_i - X_j|``, so weights need no further draws. Horizons count alike: each score is divided by the mean score
of the first candidate at its horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from cba.errors import InputError


@dataclass(frozen=True)
class MixtureTerms:
    """What the score of a mixture is made of, for one origin and horizon.

    Attributes
    ----------
    origin, ahead : int
    error : ndarray, shape (candidate,)
        ``E|X_i - y|``.
    spread : ndarray, shape (candidate, candidate)
        ``E|X_i - X_j|``.

    Examples
    --------
    >>> terms = mixture_terms([np.array([0.0, 1.0]), np.array([2.0])], 1.0, origin=2010, ahead=1)
    >>> terms.error.tolist(), terms.crps(np.array([0.0, 1.0]))
    ([0.5, 1.0], 1.0)
    """

    origin: int
    ahead: int
    error: np.ndarray
    spread: np.ndarray

    def crps(self, weights: np.ndarray) -> float:
        """Score of the mixture.

        Parameters
        ----------
        weights : ndarray, shape (candidate,)
            At least 0, sum 1.

        Returns
        -------
        float

        Examples
        --------
        >>> mixture_terms([np.array([0.0]), np.array([2.0])], 1.0, origin=1, ahead=1).crps(np.array([0.5, 0.5]))
        0.5
        """
        return float(weights @ self.error - weights @ self.spread @ weights / 2.0)


def mixture_terms(
    candidates: Sequence[np.ndarray], outturn: float, *, origin: int, ahead: int
) -> MixtureTerms:
    """Work out the terms of one forecast.

    Parameters
    ----------
    candidates : sequence of ndarray, shape (sample,)
        Draws of each candidate.
    outturn : float
    origin, ahead : int
        Kept as labels.

    Returns
    -------
    MixtureTerms

    Notes
    -----
    Mean absolute differences between two samples come from their sorted union:
    ``E|X - Y| = integral of F(1 - G) + G(1 - F)``.

    Examples
    --------
    >>> mixture_terms([np.array([0.0, 2.0])], 1.0, origin=1, ahead=1).spread.tolist()
    [[1.0]]
    """
    ordered = [np.sort(np.asarray(draws, dtype=float)) for draws in candidates]
    error = np.array([np.abs(draws - outturn).mean() for draws in ordered])
    spread = np.array([[_mean_gap(one, other) for other in ordered] for one in ordered])
    return MixtureTerms(origin, ahead, error, spread)


def _mean_gap(one: np.ndarray, other: np.ndarray) -> float:
    """Return E|X - Y| for two sorted samples."""
    points = np.sort(np.concatenate([one, other]))
    below_one = np.searchsorted(one, points[:-1], side="right") / one.size
    below_other = np.searchsorted(other, points[:-1], side="right") / other.size
    apart = below_one * (1.0 - below_other) + below_other * (1.0 - below_one)
    return float((apart * np.diff(points)).sum())


def stacked_weights(terms: Sequence[MixtureTerms]) -> np.ndarray:
    """Weights with the best mean score over the given forecasts.

    Parameters
    ----------
    terms : sequence of MixtureTerms
        Of several origins and horizons.

    Returns
    -------
    ndarray, shape (candidate,)
        At least 0, sum 1.

    Raises
    ------
    InputError
        If there is nothing to stack on.

    Examples
    --------
    Two candidates, one of them always right: it gets the whole weight.

    >>> rng = np.random.default_rng(1)
    >>> right, wrong = rng.standard_normal(500), rng.standard_normal(500) + 9.0
    >>> given = [mixture_terms([right, wrong], 0.1 * k, origin=k, ahead=1) for k in range(-5, 6)]
    >>> stacked_weights(given).round(3).tolist()
    [1.0, 0.0]
    """
    if not terms:
        raise InputError(
            "there is no scored forecast to weigh candidates by",
            field="terms",
            found="none",
            allowed="one or more",
            cause="no outturn was known yet",
            remedy="use equal weights until there is one",
        )
    size = terms[0].error.size
    first = np.eye(size)[0]
    scale = {
        ahead: np.mean([t.crps(first) for t in terms if t.ahead == ahead])
        for ahead in {t.ahead for t in terms}
    }
    error = np.mean([t.error / scale[t.ahead] for t in terms], axis=0)
    spread = np.mean([t.spread / scale[t.ahead] for t in terms], axis=0)
    found = minimize(
        lambda w: w @ error - w @ spread @ w / 2.0,
        np.full(size, 1.0 / size),
        jac=lambda w: error - spread @ w,
        bounds=[(0.0, 1.0)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones(size)},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    kept = np.where(found.x < 1e-9, 0.0, found.x)
    return kept / kept.sum()


def weights_known_then(terms: Sequence[MixtureTerms], *, fewest: int = 10) -> Mapping[int, np.ndarray]:
    """Weights stacked, at every origin, on the forecasts whose outturn was known by then.

    Parameters
    ----------
    terms : sequence of MixtureTerms
    fewest : int
        Forecasts with a known outturn below which the weights are equal.

    Returns
    -------
    mapping of int to ndarray
        Origin to weights.

    Examples
    --------
    >>> given = [mixture_terms([np.array([0.0, 1.0]), np.array([5.0, 6.0])], 0.5, origin=o, ahead=1) for o in range(20)]
    >>> known = weights_known_then(given)
    >>> known[3].tolist(), known[19].round(2).tolist()
    ([0.5, 0.5], [1.0, 0.0])
    """
    found = {}
    for origin in sorted({term.origin for term in terms}):
        past = [term for term in terms if term.origin + term.ahead <= origin]
        size = terms[0].error.size
        found[origin] = stacked_weights(past) if len(past) >= fewest else np.full(size, 1.0 / size)
    return found
