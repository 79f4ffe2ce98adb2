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

    Shape of `income`, above 0. `income` (..., group), GBP a year, above 0; `reference` (...), GBP a year,
    above 0; `elasticity`, float or ndarray, (...), >= 0.
    """
    # ``w = (reference / income) ** elasticity``: 1.3 is the Green Book's elasticity, tested between 1.0 and
    # 1.6. Weighted results are a sensitivity; the unweighted ones stay the headline.
    # Source: HM Treasury (2026) *The Green Book*, ch. 7 (distribution).
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

    Shape (sample, group). Rows sum to 1. `ratio` (sample,), above 0.
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

    `amount` (sample,), GBP; `shares` (sample, group) or (group,); `weights` (sample, group) or (group,).
    ``amount * sum_g share_g weight_g``.
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
    """One way of valuing what a change in care is worth to children."""

    # name and label: its key and its words.
    name: str
    label: str
    population: str
    # Whether it is discounted with the schedule for health and well-being; money otherwise.
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
"""By name. `need_cost` has no value: nothing says how much of it help avoids."""


VALUED = tuple(name for name, m in MEASURES.items() if m.population == IN_CARE)
"""Measures that put a value on a child-year."""


def one_measure(measures: str | Sequence[str]) -> SocialMeasure:
    """Return the measure asked for, refusing to add two."""
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

    May be below 0 where the sign of a change is open. `measure`, "lifetime_cost", "wellby" or "qaly".
    `parameters`: joint draws with the ``social.*`` entries, money in the price base.
    """
    # `growth_years`: years from the price year of the WELLBY to the price base, over which its value rises
    # with income.
    #
    # ``lifetime cost * causal share / years in care``;
    # ``points * WELLBY * exp(elasticity * g * growth years)`` ; ``QALY change * value of a QALY``. Values of
    # health and well-being are constant in real terms beyond the price base, since the schedule they are
    # discounted with leaves income growth out.
    # Source: HM Treasury (2021) *Wellbeing guidance for appraisal*; HM Treasury (2026) *The Green Book*, ch.
    # 8.
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
        remedy="read in break_even_values what a year of help would have to be worth",
    )
