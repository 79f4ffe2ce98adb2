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
