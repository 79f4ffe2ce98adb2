"""One age and one year that can be worked out by hand: 1,000 children in care, 200 starts, a fifth leave in a year."""

from __future__ import annotations

import numpy as np

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.interventions.effects import read_effect
from cba.interventions.kinds import KINDS
from cba.interventions.records import Ground, MetInCare, Money

BAND = AGE_BANDS.index("10_15")
LAGS, LEAVE = 60, 0.2
DELIVERY = {"delivery.start_delay": -0.5, "delivery.ramp_stretch": 0.0, "delivery.setup_share": 0.0}
"""Service acts in the year of its money: the half year is taken off by the delay."""


def ground(years=1, *, draws=1, **values):
    """Children of one age who stay in it for ever and leave at a constant rate."""
    only = np.zeros((draws, years, len(AGE_BANDS)))
    only[..., BAND] = 1.0
    stay = np.zeros((len(AGE_BANDS), len(AGE_BANDS), LAGS))
    stay[BAND, BAND] = (1.0 - LEAVE) ** (np.arange(LAGS) + 1.0)
    mix = np.zeros((draws, years, len(PLACEMENTS)))
    mix[..., PLACEMENTS.index("childrens_home")], mix[..., PLACEMENTS.index("foster_agency")] = 0.1, 0.9
    known = {name: np.full(draws, value) for name, value in DELIVERY.items()}
    known |= {name: np.broadcast_to(np.asarray(value, dtype=float), draws) for name, value in values.items()}
    ones = np.ones((len(AGE_BANDS), LAGS))
    return Ground(
        value=known.__getitem__,
        starts=200.0 * only,
        children=1000.0 * only,
        exits=LEAVE * only,
        mix=mix,
        reach=np.full((draws, len(AGE_BANDS)), 0.5),
        met=MetInCare(remaining=stay, under_18=ones, minors=ones, ages=only[0, 0]),
    )


def money(*pounds, draws=1, part=1.0):
    path = np.tile(np.array(pounds, dtype=float), (draws, 1))
    return Money(path, path, part)


def effect(kind, **fields):
    """A checked effect whose numbers are inputs named after their fields."""
    fields = {"component": "mentoring", "kind": kind, "confidence": "red", "source": "own judgement"} | fields
    form = KINDS[kind].form.model_validate(fields)
    return read_effect(KINDS[kind], form, name=f"mentoring.{kind}")


def act(stated, there, paid):
    return stated.kind.act(stated, there, paid)
