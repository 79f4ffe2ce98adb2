"""Which of many findings stand clear of Monte Carlo error: at three errors, or more where very many are tried."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

ERRORS = 3.0
"""Errors a finding must be from nought, however few are tried."""

BY_CHANCE = 0.05
"""Chance that one or more of all that are tried is let in by error alone."""


def errors_asked(tried: int) -> float:
    """How many errors a finding must be from nought, given how many are tried.

    Parameters
    ----------
    tried : int
        Findings looked at, 1 or more.

    Returns
    -------
    float
        ``max(3, z)``, z the normal quantile at ``1 - 0.05 / (2 tried)``.

    Notes
    -----
    Bonferroni's bound: of ``tried`` findings that are nought, each is beyond z errors with probability
    ``0.05 / tried``, so that any is with 0.05 at most.

    Examples
    --------
    >>> errors_asked(1), round(errors_asked(155), 2)
    (3.0, 3.6)
    """
    return max(ERRORS, NormalDist().inv_cdf(1.0 - BY_CHANCE / (2.0 * tried)))


def clear_of_chance(found: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Say which findings are not nought and further from it than error explains.

    Parameters
    ----------
    found : ndarray, shape (finding,)
        Every finding that was tried, the small ones too.
    errors : ndarray, shape (finding,)
        Their Monte Carlo standard errors, same unit.

    Returns
    -------
    ndarray of bool, shape (finding,)
        A finding of exactly nought is never clear, even without an error.

    Examples
    --------
    >>> clear_of_chance(np.array([4.0, 2.9, 0.0]), np.array([1.0, 1.0, 0.0])).tolist()
    [True, False, False]
    """
    size = np.abs(np.asarray(found, dtype=float))
    limit = errors_asked(max(size.size, 1)) * np.asarray(errors, dtype=float)
    return (size > 0.0) & (size >= limit)
