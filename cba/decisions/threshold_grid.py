"""Thresholds: the value of one unit of effect, as a checked array."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cba.decisions.draws import FloatArray
from cba.errors import InputError


def threshold_array(thresholds: ArrayLike) -> FloatArray:
    """Thresholds as a one-dimensional array.

    Parameters
    ----------
    thresholds : array of float, >= 0
        GBP per unit of effect.

    Returns
    -------
    array (threshold,)

    Raises
    ------
    InputError
        If there is none, or one is negative or not finite.

    Examples
    --------
    >>> threshold_array([0, 20_000]).tolist()
    [0.0, 20000.0]
    """
    grid = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if grid.ndim != 1 or not grid.size or not np.isfinite(grid).all() or (grid < 0).any():
        raise InputError(
            "thresholds are not a list of prices",
            field="thresholds",
            found=np.asarray(thresholds).tolist()
            if np.size(thresholds) < 10
            else f"{np.size(thresholds)} values",
            allowed="one or more finite values of at least 0, in GBP per unit of effect",
        )
    return grid
