"""Value of a child-year safely at home beyond public budgets: three ways of putting it, of which one is used.

The lifetime cost associated with care (£1.2m a child, an association, so a causal share applies), points of life
satisfaction (WELLBY) and health-related quality of life (QALY) value the same change in the same children's
lives. The £720,000 figure is of another population, children who need a social worker, nearly all of whom never
enter care. So no two of them are ever added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.errors import InputError

# --- Distributional weights: a pound counts for more to those who have less, by the marginal utility … ---


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


@dataclass(frozen=True)
class SocialMeasure:
    """One way of valuing what a change in care is worth to children.

    Attributes
    ----------
    name, label : str
        Its key and its words.
    population : str
        Whose change it values.
    health_schedule : bool
        Whether it is discounted with the schedule for health and well-being; money otherwise.
    """

    name: str
    label: str
    population: str
    health_schedule: bool


IN_CARE, IN_NEED = "children who enter care", "children who need a social worker"


MEASURES = {
    m.name: m
    for m in (
        SocialMeasure("lifetime_cost", "Lifetime cost of care experience, causal share", IN_CARE, False),
        SocialMeasure("wellby", "Life satisfaction (WELLBY)", IN_CARE, True),
        SocialMeasure("qaly", "Health-related quality of life (QALY)", IN_CARE, True),
        SocialMeasure("need_cost", "Lifetime cost of needing a social worker", IN_NEED, False),
    )
}
"""By name. `need_cost` has a switching value and no value: nothing says how much of it help avoids."""


VALUED = tuple(name for name, m in MEASURES.items() if m.population == IN_CARE)
"""Measures that put a value on a child-year."""


def one_measure(measures: str | Sequence[str]) -> SocialMeasure:
    """Return the measure asked for, refusing to add two.

    Parameters
    ----------
    measures : str or sequence of str
        One name of :data:`MEASURES`.

    Returns
    -------
    SocialMeasure

    Raises
    ------
    InputError
        For none, an unknown one, or more than one.

    Examples
    --------
    >>> one_measure("wellby").health_schedule
    True
    >>> one_measure(["lifetime_cost", "need_cost"])
    Traceback (most recent call last):
        ...
    cba.errors.InputError: two values of the same change would be added
    ...
    """
    asked = [measures] if isinstance(measures, str) else list(measures)
    unknown = [name for name in asked if name not in MEASURES]
    if unknown or not asked:
        raise InputError(
            "an unknown measure of social value" if unknown else "no measure of social value is named",
            field="measure",
            found=unknown[0] if unknown else "nothing",
            allowed=", ".join(MEASURES),
            cause="a spelling mistake",
            remedy="name one of them",
        )
    if len(asked) > 1:
        groups = {MEASURES[name].population for name in asked}
        raise InputError(
            "two values of the same change would be added",
            field="measure",
            found=" + ".join(asked),
            allowed="one measure at a time",
            cause="associations of two populations, one inside the other, taken for two benefits"
            if len(groups) > 1
            else "the same child-years valued twice",
            remedy="show them side by side, each in a result of its own",
        )
    return MEASURES[asked[0]]


def child_year_value(
    measure: str, parameters: xr.Dataset, *, lifetime_cost: float, years_in_care: float, growth_years: float
) -> np.ndarray:
    """Value of one child-year safely at home rather than in care.

    Parameters
    ----------
    measure : {"lifetime_cost", "wellby", "qaly"}
        Which value.
    parameters : Dataset, dims (sample)
        Joint draws with the ``social.*`` entries, money in the price base.
    lifetime_cost : float, GBP of the price base
        Lifetime cost associated with care experience, per child.
    years_in_care : float, above 0
        Average years in care of a child, over which it is spread.
    growth_years : float
        Years from the price year of the WELLBY to the price base, over which its value rises with income.

    Returns
    -------
    ndarray, shape (sample,), GBP of the price base per child-year
        May be below 0 where the sign of a change is open.

    Raises
    ------
    InputError
        For a measure that values no child-year.

    Notes
    -----
    ``lifetime cost * causal share / years in care``; ``points * WELLBY * exp(elasticity * g * growth years)``
    [1]_; ``QALY change * value of a QALY``. Values of health and well-being are constant in real terms beyond
    the price base, since the schedule they are discounted with leaves income growth out.

    References
    ----------
    .. [1] HM Treasury (2021) *Wellbeing guidance for appraisal*; HM Treasury (2026) *The Green Book*, ch. 8.

    Examples
    --------
    >>> drawn = xr.Dataset({"social.causal_share": ("sample", [0.2])})
    >>> child_year_value(
    ...     "lifetime_cost", drawn, lifetime_cost=1.2e6, years_in_care=2.5, growth_years=0.0
    ... ).round(6).tolist()
    [96000.0]
    """
    chosen = one_measure(measure)

    def value(name: str) -> np.ndarray:
        return parameters[f"social.{name}"].values

    if chosen.name == "lifetime_cost":
        return lifetime_cost * value("causal_share") / years_in_care
    if chosen.name == "wellby":
        richer = np.exp(value("income_elasticity") * value("gdp_per_head_growth") * growth_years)
        return value("life_satisfaction_change") * value("wellby") * richer
    if chosen.name == "qaly":
        return value("health_utility_change") * value("qaly")
    raise InputError(
        "the measure puts no value on a child-year",
        field="measure",
        found=chosen.name,
        allowed=", ".join(VALUED),
        cause="£720,000 is of children who need a social worker, whether or not they enter care",
        remedy="read its switching value: the share of it that help would have to avoid",
    )
