"""Scores of a forecast against an outturn: the continuous ranked probability score."""

from __future__ import annotations

import numpy as np

from cba.errors import InputError


def crps_draws(draws: np.ndarray, outturn: float) -> float:
    """Continuous ranked probability score of equally weighted draws; lower is better.

    Parameters
    ----------
    draws : ndarray, shape (sample,)
        Forecast draws, units of the outturn.
    outturn : float
        What happened.

    Returns
    -------
    float
        Same units; for one draw the absolute error.

    Raises
    ------
    InputError
        If a draw or the outturn is not a number, or there are no draws.

    Notes
    -----
    ``mean |x_i - y| - mean |x_i - x_j| / 2`` over all pairs [1]_.

    References
    ----------
    .. [1] Gneiting & Raftery (2007), Strictly Proper Scoring Rules, JASA 102:359-378.

    Examples
    --------
    >>> crps_draws(np.array([0.0, 1.0]), 0.5)
    0.25
    """
    import scoringrules

    values = np.asarray(draws, dtype=float)
    if values.size == 0 or not (np.isfinite(values).all() and np.isfinite(outturn)):
        raise InputError(
            "a forecast cannot be scored",
            field="draws, outturn",
            found="no draws, NaN or infinity",
            allowed="at least one finite draw and a finite outturn",
            cause="a year without an outturn, or a failed projection",
            remedy="score only years with a published figure",
        )
    return float(scoringrules.crps_ensemble(outturn, values, estimator="nrg", backend="numpy"))


def crps_normal(mean: float, sd: float, outturn: float) -> float:
    """Continuous ranked probability score of a normal forecast.

    Parameters
    ----------
    mean, sd : float
        Of the forecast; ``sd`` above 0.
    outturn : float
        What happened.

    Returns
    -------
    float
        ``sd (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))``, z = (outturn - mean) / sd.

    Raises
    ------
    InputError
        If ``sd`` is not above 0.

    Examples
    --------
    >>> round(crps_normal(0.0, 1.0, 0.0), 12)
    0.233694977255
    """
    import scoringrules

    if not sd > 0:
        raise InputError(
            "a normal forecast has no spread",
            field="sd",
            found=sd,
            allowed="above 0",
            cause="a point forecast",
            remedy="score a point forecast by its absolute error",
        )
    return float(scoringrules.crps_normal(outturn, mean, sd, backend="numpy"))
