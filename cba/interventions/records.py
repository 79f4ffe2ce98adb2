"""What the kinds read and what they hand down: plain arrays of shape (sample, year, ...), no kind named in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class MetInCare:
    """Children met in care at an age, the same in every draw: what becomes of them, to the youngest's 18th birthday."""

    remaining: np.ndarray  # (age met, age then, lag): share still in care at each year end
    under_18: np.ndarray  # (age met, lag): share not yet 18
    minors: np.ndarray  # the same for ages spread evenly over a band, in the middle of each year
    ages: np.ndarray  # (age,): published age mix of the stock


@dataclass(frozen=True)
class Ground:
    """Business as usual as the kinds read it, the same for every option."""

    value: Callable[[str], np.ndarray]  # draws (sample,) of a parameter by name
    starts: np.ndarray  # (sample, year, age): children who are not unaccompanied
    children: np.ndarray
    exits: np.ndarray  # share of children who leave in a year
    mix: np.ndarray  # (sample, year, placement): shares
    reach: np.ndarray  # (sample, age): shares
    met: MetInCare

    @property
    def years(self) -> int:
        """Number of years."""
        return self.children.shape[1]

    def nothing(self) -> np.ndarray:
        """Zero in every draw and year."""
        return np.zeros(self.children.shape[:2])


@dataclass(frozen=True)
class Money:
    """What one effect may spend, (sample, year), GBP of the price base, and the share of England it is limited to.

    ``programme`` leaves recurrent money out: a reform is in place when its programme is spent, whatever it
    costs to run.
    """

    yearly: np.ndarray
    programme: np.ndarray
    part: float = 1.0


def added(parts: Sequence[Money], *, like: np.ndarray) -> Money:
    """Money of several options for one effect; of none, nothing."""
    none = np.zeros_like(like)
    yearly, programme = (sum((getattr(p, n) for p in parts), none) for n in ("yearly", "programme"))
    return Money(yearly, programme, max((p.part for p in parts), default=1.0))


@dataclass(frozen=True)
class Leavers:
    """Children who leave care earlier than they would have."""

    number: np.ndarray  # (sample, year): those who leave or are served
    fewer: np.ndarray  # (sample, year, age): fewer in care for it at 31 March
    placement: int | None = None  # the one they leave; None where they are spread as all children in care are
    # (sample, year): children whose new carers are paid until they are 18; None where they live at home as averted
    # children do. (sample,): what a year of it costs.
    supported: np.ndarray | None = None
    support: np.ndarray | None = None


@dataclass(frozen=True)
class Work:
    """One effect of one option at work: projection and costs apply what is there and never ask for the kind."""

    name: str
    component: str
    delivered: np.ndarray  # (sample, year): coverage, the share in place, or filled places
    surplus: np.ndarray | None = (
        None  # (sample, year): money that buys nothing; None where the service is given
    )
    averts: np.ndarray | None = None  # (sample, age): share of would-be starts that full coverage averts
    leavers: Leavers | None = None
    moved: np.ndarray | None = None  # (sample, year, placement): children moved out (positive) of placements
    shifts: tuple[tuple[int, int, np.ndarray], ...] = ()  # from, to, share moved
    cheaper: np.ndarray | None = None  # (sample, year, placement): share taken off a price
    deadweight: np.ndarray | None = None  # money paid to people who would have done the same without it
    demand_led: np.ndarray | None = None  # (sample, year): money paid to whoever is entitled, as planned

    @property
    def averted(self) -> np.ndarray | None:
        """Share of would-be starts that do not happen, (sample, year, age)."""
        return None if self.averts is None else self.delivered[..., None] * self.averts[:, None, :]

    def until(self, last: int) -> Work:
        """The same without what it does to prices and shares after a year of the projection, by its place."""
        on = (np.arange(self.delivered.shape[1]) <= last).astype(float)
        shifts = tuple((start, end, on * share) for start, end, share in self.shifts)
        return replace(
            self, shifts=shifts, cheaper=None if self.cheaper is None else on[:, None] * self.cheaper
        )

    def scaled(self, times: float) -> Work:
        """The same money with an effect some times as strong; what is delivered stays."""
        leavers = self.leavers
        if leavers is not None:
            paid = None if leavers.supported is None else times * leavers.supported
            leavers = replace(leavers, fewer=times * leavers.fewer, supported=paid)
        return replace(
            self,
            averts=None if self.averts is None else times * self.averts,
            leavers=leavers,
            moved=None if self.moved is None else times * self.moved,
            shifts=tuple((start, end, times * share) for start, end, share in self.shifts),
            cheaper=None if self.cheaper is None else times * self.cheaper,
        )


def share_averted(work: Iterable[Work], *, shape: tuple[int, ...]) -> np.ndarray:
    """Share of would-be starts averted, (sample, year, age): effects combine multiplicatively on what is left."""
    shares = [share for w in work if (share := w.averted) is not None and share.any()]
    if len(shares) < 2:  # one alone keeps the digits that 1 - (1 - x) would lose
        return shares[0] if shares else np.zeros(shape)
    left = np.ones(shape)
    for share in shares:
        left = left * (1.0 - share)
    return 1.0 - left
