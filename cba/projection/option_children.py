"""What an option changes: starts averted, early exits, placements moved, children looked after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.errors import InputError
from cba.interventions.records import Leavers, Work, share_averted
from cba.projection.care_system import CareSystem, averted_stock


@dataclass(frozen=True)
class OptionChildren:
    """Changes against business as usual; positive means fewer."""

    averted_starts: np.ndarray  # (sample, year, age)
    early_leavers: np.ndarray  # (sample, year): children who leave early, or are served so that they do
    # (sample, year): early leavers not yet 18: children the council supports under their orders.
    under_guardianship: np.ndarray
    fewer_by_age: np.ndarray  # (sample, year, age): children fewer in care at 31 March
    # (sample, year, placement): the same, by placement; sums to the same total.
    fewer_by_placement: np.ndarray
    # (sample, year, placement): children moved out of (positive) or into (negative) a placement; sums to 0.
    moved: np.ndarray
    # (sample, year): children fewer in care who live at home: their start was averted, or they left early
    # without an order. Below 0 where an effect is adverse.
    at_home: np.ndarray

    @property
    def fewer(self) -> np.ndarray:
        """Children of all ages fewer in care at 31 March, (sample, year)."""
        return np.asarray(self.fewer_by_age.sum(axis=-1))


def averted_share(system: CareSystem, work: Sequence[Work]) -> np.ndarray:
    """Share of starts (not unaccompanied) averted, (sample, year, age); negative where a service adds starts."""
    return share_averted(work, shape=system.ground.starts.shape)


def option_children(system: CareSystem, work: Sequence[Work]) -> OptionChildren:
    """Children looked after under an option, as changes against business as usual.

    Raises InputError if it would take more children out of an age band or a placement than business as usual holds.
    """
    ground = system.ground
    averted = ground.starts * averted_share(system, work)
    by_age, by_placement = averted_stock(averted, kernel=system.averted_kernel, mix=system.entrant_mix)
    at_home = _total(by_age)
    placed = _total(ground.children)[..., None] * system.placement_mix
    leavers, guarded = np.zeros((2, *at_home.shape))
    for done in work:
        if done.leavers is None:
            continue
        fewer = _still_there(done.leavers, by_age, ground.children)
        by_age = by_age + fewer
        by_placement = by_placement + _where(done.leavers, _total(fewer), system.placement_mix)
        leavers = leavers + done.leavers.number
        if done.leavers.supported is None:
            at_home = at_home + _total(fewer)
        else:
            guarded = guarded + done.leavers.supported
    left = placed - by_placement
    moved = _moved(work, left)
    _require_enough(ground.children - by_age, names=AGE_BANDS, what="an age band")
    _require_enough(left - moved, names=PLACEMENTS, what="a placement")
    return OptionChildren(averted, leavers, guarded, by_age, by_placement, moved, at_home)


def _total(parts: np.ndarray) -> np.ndarray:
    """Sum over the last axis as a product with ones: it is short, where a plain sum is ten times as slow."""
    return np.asarray(parts @ np.ones(parts.shape[-1]))


def _still_there(leavers: Leavers, gone: np.ndarray, children: np.ndarray) -> np.ndarray:
    """Children fewer for early leavers, of those whom the effects before have left in care.

    Effects multiply: 1 - (1 - x)(1 - y) of the children are gone. Who leaves one placement is counted on its number
    under business as usual, for where averted children would have been by then is known only on average.
    """
    if leavers.placement is not None or not gone.any():
        return leavers.fewer
    return leavers.fewer * (1.0 - gone / children)


def _where(leavers: Leavers, fewer: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Children fewer by placement: in the one they leave, else spread as all children in care are."""
    if leavers.placement is None:
        return fewer[..., None] * mix
    return fewer[..., None] * np.eye(len(PLACEMENTS))[leavers.placement]


def _moved(work: Sequence[Work], left: np.ndarray) -> np.ndarray:
    """Children moved between placements: by new places, and as shares of those left."""
    moved = np.zeros_like(left)
    for done in work:
        if done.moved is not None:
            moved += done.moved
        for start, end, share in done.shifts:
            moved[..., start] += share * left[..., start]
            moved[..., end] -= share * left[..., start]
    return moved


def _require_enough(left: np.ndarray, *, names: tuple[str, ...], what: str) -> None:
    if left.min() >= -1e-6:
        return
    lowest = left.reshape(-1, left.shape[-1]).min(axis=0)
    worst = int(np.argmin(lowest))
    draws = float((left[..., worst] < 0).any(axis=1).mean())
    raise InputError(
        f"an option takes more children out of {what} than it holds",
        field=names[worst],
        found=f"{lowest[worst]:.0f} children left in the worst draw and year ({draws:.2%} of draws)",
        allowed="0 or more",
        cause="an effect or a number of places beyond what the system holds",
        remedy="narrow the prior of that effect; nothing is clipped",
    )
