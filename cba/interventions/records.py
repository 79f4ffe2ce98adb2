"""What the kinds read and what they hand down: plain arrays of shape (sample, year, ...), no kind named in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class MetInCare:
    """Children met in care at an age, the same in every draw: what becomes of them, to the youngest's 18th birthday.

    ``remaining`` (age met, age then, lag) is the share still in care at each year end, ``under_18`` (age met,
    lag) the share not yet 18; ``minors`` is the same for ages spread evenly over a band, in the middle of
    each year. ``ages`` is the published age mix of the stock.
    """

    remaining: np.ndarray
    under_18: np.ndarray
    minors: np.ndarray
    ages: np.ndarray


@dataclass(frozen=True)
class Ground:
    """Business as usual as the kinds read it, the same for every option.

    ``value`` gives the draws (sample,) of a parameter by name. ``starts`` are of children who are not
    unaccompanied; ``exits`` is the share of children who leave in a year; ``mix`` (sample, year, placement)
    and ``reach`` (sample, age) are shares.
    """

    value: Callable[[str], np.ndarray]
    starts: np.ndarray
    children: np.ndarray
    exits: np.ndarray
    mix: np.ndarray
    reach: np.ndarray
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


@dataclass(frozen=True)
class Leavers:
    """Children who leave care earlier than they would have.

    ``number`` (sample, year) leave or are served; ``fewer`` (sample, year, age) are fewer in care for it at
    31 March. ``placement`` is the one they leave, None where they are spread as all children in care are.
    ``supported`` (sample, year) are children whose new carers are paid until they are 18 and ``support``
    (sample,) what a year of it costs; where it is None they live at home as averted children do.
    """

    number: np.ndarray
    fewer: np.ndarray
    placement: int | None = None
    supported: np.ndarray | None = None
    support: np.ndarray | None = None


@dataclass(frozen=True)
class Work:
    """One effect of one option at work: projection and costs apply what is there and never ask for the kind.

    ``delivered`` (sample, year) is coverage, the share in place, or filled places; ``surplus`` (sample, year)
    the money that buys nothing, None where the service itself is given. ``averts`` (sample, age) is the share
    of would-be starts that full coverage averts; ``moved`` (sample, year, placement) children moved out
    (positive) of placements; ``shifts`` are (from, to, share moved); ``cheaper`` (sample, year, placement)
    the share taken off a price; ``deadweight`` money paid to people who would have done the same without it.
    """

    name: str
    component: str
    delivered: np.ndarray
    surplus: np.ndarray | None = None
    averts: np.ndarray | None = None
    leavers: Leavers | None = None
    moved: np.ndarray | None = None
    shifts: tuple[tuple[int, int, np.ndarray], ...] = ()
    cheaper: np.ndarray | None = None
    deadweight: np.ndarray | None = None

    @property
    def averted(self) -> np.ndarray | None:
        """Share of would-be starts that do not happen, (sample, year, age)."""
        return None if self.averts is None else self.delivered[..., None] * self.averts[:, None, :]

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
