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
    ``mean |x_i - y| - mean |x_i - x_j| / 2`` over all pairs [1]_, summed over sorted draws.

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
    return float(scoringrules.crps_ensemble(outturn, values, estimator="qd", backend="numpy"))


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


INTERVALS = (0.5, 0.8, 0.9)
"""Levels of the equal-tailed intervals whose coverage is counted."""


def scores(draws: np.ndarray, outturn: float) -> dict[str, float]:
    """Score a forecast given as draws in every way the record keeps.

    Parameters
    ----------
    draws : ndarray, shape (sample,)
        Forecast draws, at least two different ones.
    outturn : float
        What happened, same units.

    Returns
    -------
    dict
        ``crps`` (units of the outturn) and ``log_score`` (minus log density of a Gaussian kernel estimate), both lower
        is better; ``pit``, the share of draws below the outturn; ``inside_50``, ``inside_80``, ``inside_90``, 1 where
        the equal-tailed interval holds the outturn.

    Raises
    ------
    InputError
        If a draw or the outturn is not a number, or the draws are all the same.

    Examples
    --------
    >>> found = scores(np.random.default_rng(1).standard_normal(4000), 0.0)
    >>> round(found["crps"], 2), round(found["log_score"], 1), found["inside_50"]
    (0.23, 0.9, 1.0)
    """
    import scoringrules

    crps = crps_draws(draws, outturn)
    values = np.asarray(draws, dtype=float)
    if np.ptp(values) == 0:
        raise InputError(
            "a forecast has no spread",
            field="draws",
            found=float(values[0]),
            allowed="draws that differ",
            cause="a degenerate series, or a point forecast",
            remedy="leave this forecast out of the record and say why",
        )
    pit = float(np.mean(values < outturn) + np.mean(values == outturn) / 2.0)
    inside = {f"inside_{round(100 * level)}": float(abs(pit - 0.5) <= level / 2.0) for level in INTERVALS}
    logs = float(scoringrules.logs_ensemble(outturn, values, backend="numpy"))
    return {"crps": crps, "log_score": logs, "pit": pit, **inside}
