"""``placement_shift``: a service that moves children from one placement to another, while its money lasts.

Of the children in `from` a share c is served and `share` of those served move to `to`. Without a cost per
child it is a reform of structure: c is the share of its programme money spent so far, and stays.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from cba.dimensions import PLACEMENTS, Placement
from cba.interventions.delivery import coverage, in_place
from cba.interventions.effects import Drawn, Effect, Form, Kind, middle
from cba.interventions.records import Ground, Money, Work


class PlacementShift(Form):
    """Who moves stays in care: costs change, the number of children does not."""

    from_: Placement = Field(alias="from")
    to: Placement
    share: Drawn
    cost_per_child: Drawn | None = None


UNITS = {
    "share": ("share", "share of the children served who move to another placement"),
    "cost_per_child": ("GBP per child", "cost of serving one child for a year"),
}


def _check(effect: Effect) -> None:
    if effect.form.from_ == effect.form.to:
        raise effect.refused(
            "children are moved to the placement they are in",
            field="to",
            found=effect.form.to,
            allowed="another placement than `from`",
            cause="one of the two not changed",
            remedy="name where they move to",
        )


def _act(effect: Effect, ground: Ground, money: Money) -> Work:
    covered, surplus = in_place(ground, money), ground.nothing()
    if effect.has("cost_per_child"):
        there = ground.children.sum(axis=-1) * ground.mix[..., PLACEMENTS.index(effect.form.from_)]
        cost = effect.draws(ground, "cost_per_child")
        covered, surplus = coverage(ground, money, cost=cost, eligible=there)
    return replace(_at(effect, ground, covered), surplus=surplus)


def _at(effect: Effect, ground: Ground, covered: np.ndarray) -> Work:
    moved = covered * effect.draws(ground, "share")[:, None]
    shift = (PLACEMENTS.index(effect.form.from_), PLACEMENTS.index(effect.form.to), moved)
    return Work(effect.name, effect.component, covered, shifts=(shift,))


def _words(effect: Effect) -> str:
    ends = (
        "ends with its money"
        if effect.has("cost_per_child")
        else "a reform of structure: it stays once paid for"
    )
    names = (effect.form.from_.replace("_", " "), effect.form.to.replace("_", " "))
    return f"Moves a share {middle(effect, 'share')} of children served from {names[0]} to {names[1]}; {ends}"


ABOVE_NOUGHT = ("cost_per_child",)

KIND = Kind("placement_shift", PlacementShift, UNITS, ABOVE_NOUGHT, _act, _at, _words, _check)
