"""Distributional weights: a pound counts for more to those who have less, by the marginal utility of income."""

from __future__ import annotations

import numpy as np

from cba.errors import InputError

FIFTHS = 5
"""Groups of the income distribution, poorest first."""


def welfare_weights(
    income: np.ndarray, *, reference: np.ndarray, elasticity: float | np.ndarray
) -> np.ndarray:
    """Weight of one pound at each income, against one at the reference income.

    Parameters
    ----------
    income : ndarray, shape (..., group), GBP a year, above 0
        Equivalised disposable income.
    reference : ndarray, shape (...), GBP a year, above 0
        Income at which a pound counts as one: the median, by convention.
    elasticity : float or ndarray, shape (...), >= 0
        Of the marginal utility of income; 0 makes every weight 1.

    Returns
    -------
    ndarray, shape of `income`, above 0

    Raises
    ------
    InputError
        An income that is not above 0, or a negative elasticity.

    Notes
    -----
    ``w = (reference / income) ** elasticity`` [1]_: 1.3 is the Green Book's elasticity, tested between 1.0
    and 1.6. Weighted results are a sensitivity; the unweighted ones stay the headline.

    References
    ----------
    .. [1] HM Treasury (2026) *The Green Book*, ch. 7 (distribution).

    Examples
    --------
    Half the median income: a pound counts 2 ** 1.3 = 2.46 times.

    >>> welfare_weights(np.array([15_000.0, 30_000.0]), reference=np.array(30_000.0), elasticity=1.3).round(2)
    array([2.46, 1.  ])
    """
    low = min(float(np.min(income)), float(np.min(reference)))
    if not low > 0.0:
        raise InputError(
            "an income is not above 0",
            file="priors/social.toml",
            field="social.income_fifth_*",
            found=low,
            allowed="> 0",
            cause="a prior that reaches 0",
            remedy="narrow the prior of that income",
        )
    power = np.asarray(elasticity, dtype=float)
    if not (power >= 0.0).all():
        raise InputError(
            "the elasticity of the marginal utility of income is negative",
            file="priors/social.toml",
            field="social.income_elasticity",
            found=float(power.min()),
            allowed=">= 0",
            cause="the sign of the exponent written with the number",
            remedy="write 1.3",
        )
    weights: np.ndarray = (np.asarray(reference)[..., None] / income) ** power[..., None]
    return weights


def falling_shares(ratio: np.ndarray, *, groups: int = FIFTHS) -> np.ndarray:
    """Shares of a total that fall by a constant ratio from the poorest group to the richest.

    Parameters
    ----------
    ratio : ndarray, shape (sample,), above 0
        Share of one group over that of the group below it.
    groups : int
        Number of groups.

    Returns
    -------
    ndarray, shape (sample, group)
        Rows sum to 1.

    Raises
    ------
    InputError
        A ratio that is not above 0.

    Examples
    --------
    >>> falling_shares(np.array([0.5]), groups=2).round(4).tolist()
    [[0.6667, 0.3333]]
    """
    if not (ratio > 0.0).all():
        raise InputError(
            "a ratio between groups is not above 0",
            file="priors/social.toml",
            field="social.need_ratio_between_fifths",
            found=float(np.min(ratio)),
            allowed="> 0",
            cause="a difference written for a ratio",
            remedy="write the rate of one group over that of the group below it",
        )
    parts = ratio[:, None] ** np.arange(groups)
    shares: np.ndarray = parts / parts.sum(axis=1, keepdims=True)
    return shares


def weighted_worth(amount: np.ndarray, *, shares: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Worth of an amount of money once every group's part of it is weighted.

    Parameters
    ----------
    amount : ndarray, shape (sample,), GBP
        Gain (positive) or loss of all groups together.
    shares : ndarray, shape (sample, group) or (group,)
        Each group's part of it; rows sum to 1.
    weights : ndarray, shape (sample, group) or (group,)
        As returned by :func:`welfare_weights`.

    Returns
    -------
    ndarray, shape (sample,), GBP at the reference income

    Raises
    ------
    InputError
        If the shares of a row do not sum to 1.

    Notes
    -----
    ``amount * sum_g share_g weight_g``.

    Examples
    --------
    >>> weighted_worth(np.array([100.0]), shares=np.array([0.5, 0.5]), weights=np.array([3.0, 1.0])).tolist()
    [200.0]
    """
    total = np.sum(shares, axis=-1)
    if not np.allclose(total, 1.0, rtol=0.0, atol=1e-9):
        raise InputError(
            "the shares of the income groups do not sum to 1",
            field="shares",
            found=float(np.ravel(total)[np.argmax(np.abs(np.ravel(total) - 1.0))]),
            allowed="1, within 1e-9",
            cause="a group left out",
            remedy="give the share of every group; nothing is rescaled",
        )
    worth: np.ndarray = amount * (shares * weights).sum(axis=-1)
    return worth
