"""``starts``: a service that changes how many children start to be looked after.

Coverage c is children served over eligible children; of the would-be starts of an age, the share phi is of
children it could reach, and each served child starts RR times as often: a share c phi (1 - RR) of starts does
not happen. It ends with coverage; deferred starts come later, beyond what studies followed, as for every
averted start.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cba.dimensions import AGE_BANDS, AgeBand
from cba.interventions.delivery import coverage
from cba.interventions.effects import Drawn, Effect, Form, Kind, age_words, ages_of, middle, require_one
from cba.interventions.records import Ground, Money, Work


class Starts(Form):
    """Without `reach` and `entry_risk` the eligible are the children who would start, were there no service."""

    ages: tuple[AgeBand, ...] | None = None
    ratio: Drawn | None = None
    log_ratio: Drawn | None = None
    age_multiple: dict[AgeBand, Drawn] | None = None
    cost_per_child: Drawn
    eligible: Drawn | None = None
    reach: Drawn | None = None
    entry_risk: Drawn | None = None
    fitted_reach: bool = False


UNITS = {
    "ratio": ("ratio", "risk ratio of starting to be looked after, child served against not served"),
    "log_ratio": ("log risk ratio", "log risk ratio of starting to be looked after"),
    "cost_per_child": ("GBP per child", "cost of serving one child"),
    "eligible": ("children", "eligible children a year"),
    "reach": ("share", "share of would-be starts that are of children it could serve"),
    "entry_risk": ("share", "yearly risk that an eligible child starts, without it"),
    **{f"age_multiple.{age}": ("multiple", f"multiple of the log risk ratio, {age}") for age in AGE_BANDS},
}


def _check(effect: Effect) -> None:
    require_one(
        effect,
        "an effect on starts needs one risk ratio",
        allowed="`ratio`, or its logarithm `log_ratio`",
        given=effect.has("ratio") + effect.has("log_ratio"),
    )


def _act(effect: Effect, ground: Ground, money: Money) -> Work:
    if effect.has("eligible"):
        eligible = effect.draws(ground, "eligible")[:, None] * np.ones(ground.years)
    else:
        eligible = (ground.starts * _reach(effect, ground)[:, None, :]).sum(axis=-1)
        if effect.has("entry_risk"):
            eligible = eligible / effect.draws(ground, "entry_risk")[:, None]
    cost = effect.draws(ground, "cost_per_child")
    share, surplus = coverage(ground, money, cost=cost, eligible=eligible)
    return replace(_at(effect, ground, share), surplus=surplus)


def _at(effect: Effect, ground: Ground, share: np.ndarray) -> Work:
    averts = _reach(effect, ground) * (1.0 - _ratio(effect, ground))
    return Work(effect.name, effect.component, share, averts=averts)


def _reach(effect: Effect, ground: Ground) -> np.ndarray:
    """Share of would-be starts of each age that are of children it could serve, (sample or 1, age)."""
    chosen = np.zeros(len(AGE_BANDS))
    chosen[ages_of(effect.form.ages)] = 1.0
    reach = effect.draws(ground, "reach")[:, None] if effect.has("reach") else np.ones((1, 1))
    return np.asarray(chosen * (ground.reach if effect.form.fitted_reach else reach))


def _ratio(effect: Effect, ground: Ground) -> np.ndarray:
    """Risk ratio by age, (sample, age)."""
    if effect.has("log_ratio"):
        log = effect.draws(ground, "log_ratio")
    else:
        log = np.log(effect.draws(ground, "ratio"))
    multiple = np.ones((log.size, len(AGE_BANDS)))
    for position, age in enumerate(AGE_BANDS):
        if effect.has(f"age_multiple.{age}"):
            multiple[:, position] = effect.draws(ground, f"age_multiple.{age}")
    return np.exp(log[:, None] * multiple)


def _words(effect: Effect) -> str:
    number = f"risk ratio {middle(effect, 'ratio')}" if effect.has("ratio") else "a fitted risk ratio"
    return (
        f"Changes how many children start to be looked after: {number} for a child served, "
        f"{age_words(effect.form.ages)}; ends with its money"
    )


ABOVE_NOUGHT = ("ratio", "cost_per_child", "eligible", "entry_risk")

KIND = Kind("starts", Starts, UNITS, ABOVE_NOUGHT, _act, _at, _words, _check)
