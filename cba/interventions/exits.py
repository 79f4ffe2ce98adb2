"""``exits``: a service that changes how many children leave care in a year, while its money lasts.

Of the children in care a share c is served, and the yearly odds of leaving are 1 - c (1 - OR) times as high:
with a share h who leave, f h / (1 - h + f h) do, f that factor. Who leaves early would have stayed as long as
children met in care do. Where help serves families, and `eligible` are theirs, the odds are OR^c times as high, for a
whole area (`log_ratio`). It can be stated as a difference in cumulative permanence RD over T years instead: a
rate of -ln(1 - RD)/T a year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cba.dimensions import AGE_BANDS, PLACEMENTS, AgeBand, Placement
from cba.interventions.delivery import coverage, slipped, timing_of
from cba.interventions.effects import Drawn, Effect, Form, Kind, age_words, ages_of, middle, require_one
from cba.interventions.records import Ground, Leavers, Money, Work
from cba.interventions.remaining import followed, leaving_kernel, of_one_placement


class Exits(Form):
    """`returns` is the share back in care within five years; without it nobody comes back, and the report says so.

    `existing` names people by the option's switch who are paid although they would do the same without: then
    the money is deadweight, and coverage is the part of their bill that is paid.
    """

    ages: tuple[AgeBand, ...] | None = None
    placement: Placement | None = None
    ratio: Drawn | None = None
    log_ratio: Drawn | None = None
    gain: Drawn | None = None
    gain_years: Drawn | None = None
    cost_per_child: Drawn
    eligible: Drawn | None = None
    returns: Drawn | None = None
    existing: Mapping[str, tuple[str, ...]] | None = None
    support_until_18: Drawn | None = None


UNITS = {
    "ratio": ("odds ratio", "ratio of the yearly odds of leaving care, child served against not served"),
    "log_ratio": (
        "log odds ratio",
        "log odds ratio of leaving care in a year, where all the eligible are served",
    ),
    "eligible": ("children", "eligible children a year, where those served are not the children in care"),
    "gain": ("risk difference", "difference in cumulative permanence"),
    "gain_years": ("years", "years over which the difference builds up"),
    "cost_per_child": ("GBP per child", "cost of serving one child for a year"),
    "returns": ("share", "share of those who leave early who are in care again within five years"),
    "support_until_18": ("GBP per child per year", "support of a child who left until 18"),
}


RATIOS = {"ratio": "odds ratio", "log_ratio": "log odds ratio"}


def _check(effect: Effect) -> None:
    parts = effect.has("gain") + effect.has("gain_years")
    require_one(
        effect,
        "an effect on exits needs one odds ratio",
        allowed="`ratio`; `log_ratio`; or `gain` with `gain_years` where permanence was studied",
        given=2
        if parts == 1
        else effect.has("ratio") + effect.has("log_ratio") + parts // 2,  # half of a difference says nothing
    )


def _act(effect: Effect, ground: Ground, money: Money) -> Work:
    share, surplus, deadweight = _covered(effect, ground, money)
    return replace(_at(effect, ground, share), surplus=surplus, deadweight=deadweight)


def _there(effect: Effect, ground: Ground) -> np.ndarray:
    """Children whom it could serve, (sample, year, age), or (sample, year, 1) where they are in one placement.

    Ages within a placement are not published: those of the stock stand for them.
    """
    if effect.form.placement is None:
        return ground.children[..., ages_of(effect.form.ages)]
    place = PLACEMENTS.index(effect.form.placement)
    return np.asarray(ground.children.sum(axis=-1, keepdims=True) * ground.mix[..., place, None])


def _at(effect: Effect, ground: Ground, share: np.ndarray) -> Work:
    ages, there = ages_of(effect.form.ages), _there(effect, ground)
    place = None if effect.form.placement is None else PLACEMENTS.index(effect.form.placement)
    returns = effect.draws(ground, "returns") if effect.has("returns") else None
    kernel = leaving_kernel(ground.met.remaining[..., : ground.years], returns=returns)[:, ages]
    counts, rate = np.eye(len(AGE_BANDS))[ages], _rate(effect, ground, share, ages)
    weights = ground.met.ages[ages] / ground.met.ages[ages].sum()
    if place is not None:
        kernel, counts = of_one_placement(kernel, ages=weights), np.ones((1, len(AGE_BANDS)))
        rate = rate @ weights[:, None] if rate.shape[-1] > 1 else rate
    rate = np.ascontiguousarray(np.broadcast_to(rate, there.shape))
    taken, fewer = followed(rate, pool=there, counts=counts, fewer=kernel, gone=kernel)
    leavers = Leavers(taken.sum(axis=-1), fewer, place)
    if effect.has("support_until_18"):
        leavers = _supported(effect, ground, leavers, weights)
    return Work(effect.name, effect.component, share, leavers=leavers)


def _covered(
    effect: Effect, ground: Ground, money: Money
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Coverage, money that buys nothing, and money for people who would have done the same."""
    cost = effect.draws(ground, "cost_per_child")
    if effect.form.existing is None:
        stated = effect.has("eligible")
        there = effect.draws(ground, "eligible") if stated else _there(effect, ground).sum(axis=-1)
        return *coverage(ground, money, cost=cost, eligible=there), None
    people = sum((ground.value(n) for n in effect.form.existing[str(effect.switch)]), np.zeros(cost.size))
    bill = (cost * people)[:, None]
    asked = np.divide(money.yearly, bill, out=np.zeros_like(money.yearly), where=bill > 0)
    share = np.minimum(asked, money.part)
    # The money is shown in the year of its budget; an allowance acts as it is paid, with no half year between.
    return slipped(share, timing=timing_of(ground, after=0.0)), money.yearly - share * bill, share * bill


def _rate(effect: Effect, ground: Ground, share: np.ndarray, ages: list[int]) -> np.ndarray:
    """Share of the children there who leave early in each year, (sample, year, age or 1)."""
    if effect.has("gain"):
        yearly = -np.log1p(-effect.draws(ground, "gain")) / effect.draws(ground, "gain_years")
        return np.asarray(yearly[:, None] * share)[..., None]
    usual = ground.exits[..., ages]
    if effect.has("log_ratio"):
        change = np.expm1(share * effect.draws(ground, "log_ratio")[:, None])[..., None]
    else:
        change = share[..., None] * (effect.draws(ground, "ratio") - 1.0)[:, None, None]
    # f h / (1 - h + f h) - h with f = 1 + change, written so that no change is exactly nothing
    return np.asarray(change * usual * (1.0 - usual) / (1.0 + change * usual))


def _supported(effect: Effect, ground: Ground, leavers: Leavers, weights: np.ndarray) -> Leavers:
    """Children whose new carers are paid until they are 18, and what it costs."""
    minors = weights @ ground.met.minors[ages_of(effect.form.ages), : ground.years]
    lag = np.arange(ground.years)[None, :] - np.arange(ground.years)[:, None]
    supported = leavers.number @ np.where(lag >= 0, minors[np.maximum(lag, 0)], 0.0)
    return replace(leavers, supported=supported, support=effect.draws(ground, "support_until_18"))


def _words(effect: Effect) -> str:
    stated = [f"{words} {middle(effect, name)}" for name, words in RATIOS.items() if effect.has(name)]
    number = "".join(stated) or "a fitted difference"
    back = "" if effect.has("returns") else "; no return to care is stated, so none is counted"
    return (
        f"Changes how many children leave care in a year: {number} for a child served, "
        f"{age_words(effect.form.ages)}; ends with its money{back}"
    )


ABOVE_NOUGHT = ("ratio", "cost_per_child", "gain_years", "support_until_18")

KIND = Kind("exits", Exits, UNITS, ABOVE_NOUGHT, _act, _at, _words, _check)
