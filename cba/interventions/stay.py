"""``stay``: a service that changes how long children in care stay; those served keep it when the money ends.

The eligible are children in care who were not served before; of them a share c = min(1, money / cost /
eligible) is served in a year. A served child's yearly odds of leaving before 18 are multiplied by what makes
the expected remaining stay `ratio` times as long.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cba.dimensions import AGE_BANDS, AgeBand
from cba.interventions.delivery import bought
from cba.interventions.effects import Drawn, Effect, Form, Kind, age_words, ages_of, middle
from cba.interventions.records import Ground, Leavers, Money, Work
from cba.interventions.remaining import another_stay, followed, odds_of_stay


class Stay(Form):
    """All ages where none is named."""

    ages: tuple[AgeBand, ...] | None = None
    ratio: Drawn
    cost_per_child: Drawn


UNITS = {
    "ratio": ("ratio", "expected remaining stay in care, child served against not served"),
    "cost_per_child": ("GBP per child", "cost of serving one child once"),
}


def _act(effect: Effect, ground: Ground, money: Money) -> Work:
    cost = effect.draws(ground, "cost_per_child")
    most = bought(ground, money.yearly, cost=cost)
    done = _at(effect, ground, most, part=money.part)
    assert done.leavers is not None  # whom it serves
    return replace(done, surplus=np.maximum(most - done.leavers.number, 0.0) * cost[:, None])


def _at(effect: Effect, ground: Ground, most: np.ndarray, *, part: float = 1.0) -> Work:
    """Serve so many children a year (sample, year), as far as there are any who were not served before."""
    ages = ages_of(effect.form.ages)
    there = part * ground.children[..., ages]
    kept = _kept(effect, ground, ages)
    as_usual = ground.met.remaining[None, ages, :, : ground.years]
    served, fewer = followed(
        np.ones(there.shape),
        pool=there,
        counts=np.eye(len(AGE_BANDS))[ages],
        fewer=as_usual * (1.0 - kept),
        gone=as_usual,  # who was served and is still there, or would be, is not there to be served again
        most=most,
    )
    number = served.sum(axis=-1)
    share = number / ground.children[..., ages].sum(axis=-1)
    return Work(effect.name, effect.component, share, leavers=Leavers(number, fewer))


def _kept(effect: Effect, ground: Ground, ages: list[int]) -> np.ndarray:
    """Share of served children still in care over the share as it is, (sample, age, 1, lag)."""
    ratio = effect.draws(ground, "ratio")
    shares = []
    for age in ages:
        remaining, under_18 = ground.met.remaining[age].sum(axis=0), ground.met.under_18[age]
        odds = odds_of_stay(remaining, under_18, ratio=ratio)
        if np.isnan(odds).any():
            most = under_18.sum() / remaining.sum()
            raise effect.refused(
                "no odds of leaving make a stay of that length",
                field="ratio",
                found=f"{ratio.min():.3g} to {ratio.max():.3g} in the draws",
                allowed=f"above 0 and below {most:.2f} for children met at {AGE_BANDS[age]}",
                cause="a stay that would pass the 18th birthday, or none at all",
                remedy="narrow the prior; nothing is cut off",
            )
        shares.append(another_stay(remaining, under_18, odds=odds)[:, : ground.years])
    return np.where(ratio[:, None, None] == 1.0, 1.0, np.stack(shares, axis=1))[:, :, None, :]


def _words(effect: Effect) -> str:
    return (
        f"Changes how long children in care stay: expected remaining stay {middle(effect, 'ratio')} times as long for "
        f"a child served, {age_words(effect.form.ages)}; kept by those served when the money ends"
    )


ABOVE_NOUGHT = ("ratio", "cost_per_child")

KIND = Kind("stay", Stay, UNITS, ABOVE_NOUGHT, _act, _at, _words)
