"""``places``: new places of a kind, and what they replace; some are given up every year.

A million pounds brings `places_per_million` filled places; half of a year's loss falls on the year they come.
Filled places in `placement` take in children of `replaces`; the rest take in children who would have been
there anyway.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cba.dimensions import PLACEMENTS, Placement
from cba.interventions.delivery import slipped, timing_of
from cba.interventions.effects import Drawn, Effect, Form, Kind, middle
from cba.interventions.records import Ground, Money, Work

MILLION = 1e6


class Places(Form):
    """`replaces` gives shares of filled places, each of what those before it leave; `log_odds` shifts the first."""

    placement: Placement = "foster_in_house"
    places_per_million: Drawn
    attrition: Drawn
    most: Drawn | None = None
    replaces: dict[Placement, Drawn]
    log_odds: Drawn | None = None


UNITS = {
    "places_per_million": ("places per GBP million", "filled places for a million pounds"),
    "attrition": ("share", "share of places given up in a year"),
    "most": ("places", "most filled places that come, whatever the money"),
    **{
        f"replaces.{p}": ("share", f"share of filled places that replace {p.replace('_', ' ')}")
        for p in PLACEMENTS
    },
    "log_odds": ("log odds", "shift of the first share, log odds"),
}


def _check(effect: Effect) -> None:
    if effect.form.placement in effect.form.replaces or not effect.form.replaces:
        raise effect.refused(
            "places do not say what they replace",
            field="replaces",
            found=", ".join(effect.form.replaces) or "nothing",
            allowed="other placements, each with a share",
            cause="the placement itself named, or the table left empty",
            remedy="state a share for each placement that the new places take children from",
        )


def _act(effect: Effect, ground: Ground, money: Money) -> Work:
    per_pound = (effect.draws(ground, "places_per_million") / MILLION)[:, None]
    paid = np.cumsum(slipped(money.yearly, timing=timing_of(ground)), axis=1) * per_pound
    most = effect.draws(ground, "most")[:, None] if effect.has("most") else np.full((1, 1), np.inf)
    come = np.minimum(paid, most)
    filled = _after_attrition(np.diff(come, axis=1, prepend=0.0), effect.draws(ground, "attrition"))
    wasted = np.diff(np.maximum(paid - come, 0.0), axis=1, prepend=0.0) / per_pound
    return replace(_at(effect, ground, filled), surplus=wasted)


def _at(effect: Effect, ground: Ground, filled: np.ndarray) -> Work:
    moved = np.zeros((*filled.shape, len(PLACEMENTS)))
    left = np.ones(filled.shape[0])
    for position, name in enumerate(effect.form.replaces):
        share = effect.draws(ground, f"replaces.{name}")
        if position == 0 and effect.has("log_odds"):
            odds = share / (1.0 - share) * np.exp(effect.draws(ground, "log_odds"))
            share = odds / (1.0 + odds)
        moved[..., PLACEMENTS.index(name)] = filled * (left * share)[:, None]
        left = left * (1.0 - share)
    moved[..., PLACEMENTS.index(effect.form.placement)] = -moved.sum(axis=-1)
    return Work(effect.name, effect.component, filled, moved=moved)


def _after_attrition(new: np.ndarray, attrition: np.ndarray) -> np.ndarray:
    """Places at each 31 March, (sample, year)."""
    places, current = np.empty_like(new), np.zeros(new.shape[0])
    for year in range(new.shape[1]):
        current = current * (1.0 - attrition) + new[:, year] * (1.0 - attrition / 2.0)
        places[:, year] = current
    return places


def _words(effect: Effect) -> str:
    number = (
        f"{middle(effect, 'places_per_million')} filled places for a million pounds"
        if effect.entries["evidence"].get("places_per_million")
        else "filled places"
    )
    names = ", ".join(name.replace("_", " ") for name in effect.form.replaces)
    where = effect.form.placement.replace("_", " ")
    return f"Brings {number} in {where}, replacing {names}; some are given up every year"


ABOVE_NOUGHT = ("places_per_million", "most")

KIND = Kind("places", Places, UNITS, ABOVE_NOUGHT, _act, _at, _words, _check)
