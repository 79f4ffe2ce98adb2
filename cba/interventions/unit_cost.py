"""``unit_cost``: what changes the real price of a placement for the children who are in it.

Of the child-weeks in the placement a share c is covered and their price is `ratio` times as high: on average
it is 1 - c (1 - ratio) times as high. When the money ends the price fades back or persists, as stated.
Without a cost it is a reform of structure: c is the share of its programme money spent so far. A lower price
closes no place, so what it saves leaves budgets as it is paid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from cba.dimensions import PLACEMENTS, Placement
from cba.interventions.delivery import coverage, in_place
from cba.interventions.effects import Drawn, Effect, Form, Kind, middle, require_one
from cba.interventions.records import Ground, Money, Work

WEEKS = 365 / 7
"""Weeks a year."""


class UnitCost(Form):
    """`cut` (1 - ratio) stands for `ratio` where an input of the appraisal says how much less is paid."""

    placement: Placement
    ratio: Drawn | None = None
    cut: Drawn | None = None
    cost_per_child: Drawn | None = None
    cost_per_week: Drawn | None = None
    when_money_ends: Literal["persists", "fades"]


UNITS = {
    "ratio": ("ratio", "real price of a placement, covered against not covered"),
    "cut": ("share", "share taken off the price"),
    "cost_per_child": ("GBP per child per year", "cost of covering one child for a year"),
    "cost_per_week": ("GBP per child per week", "cost of covering one child-week"),
}


def _check(effect: Effect) -> None:
    require_one(
        effect,
        "an effect on a price needs one ratio",
        allowed="`ratio`, or `cut`",
        given=effect.has("ratio") + effect.has("cut"),
    )
    structural = not effect.has("cost_per_child") and not effect.has("cost_per_week")
    if structural and effect.form.when_money_ends == "fades":
        raise effect.refused(
            "a reform of structure does not fade",
            field="when_money_ends",
            found="fades",
            allowed="persists; or a cost per child, so that each year's money covers its children",
            cause="`cost_per_child` left out",
            remedy="state `cost_per_child`, or write persists",
        )


def _act(effect: Effect, ground: Ground, money: Money) -> Work:
    covered, surplus = in_place(ground, money), ground.nothing()
    weekly = effect.has("cost_per_week")
    if weekly or effect.has("cost_per_child"):
        cost = (
            WEEKS * effect.draws(ground, "cost_per_week")
            if weekly
            else effect.draws(ground, "cost_per_child")
        )
        there = ground.children.sum(axis=-1) * ground.mix[..., PLACEMENTS.index(effect.form.placement)]
        covered, surplus = coverage(ground, money, cost=cost, eligible=there)
        if effect.form.when_money_ends == "persists":
            covered = np.maximum.accumulate(covered, axis=1)
    return replace(_at(effect, ground, covered), surplus=surplus)


def _at(effect: Effect, ground: Ground, covered: np.ndarray) -> Work:
    cut = effect.draws(ground, "cut") if effect.has("cut") else 1.0 - effect.draws(ground, "ratio")
    cheaper = np.zeros((*covered.shape, len(PLACEMENTS)))
    cheaper[..., PLACEMENTS.index(effect.form.placement)] = covered * cut[:, None]
    return Work(effect.name, effect.component, covered, cheaper=cheaper)


def _words(effect: Effect) -> str:
    number = f"{middle(effect, 'ratio')} times as high" if effect.has("ratio") else "lower by a fitted share"
    name = effect.form.placement.replace("_", " ")
    return f"Changes the real price of {name}: {number}; {effect.form.when_money_ends} when the money ends"


ABOVE_NOUGHT = ("ratio", "cost_per_child", "cost_per_week")

KIND = Kind("unit_cost", UnitCost, UNITS, ABOVE_NOUGHT, _act, _at, _words, _check)
