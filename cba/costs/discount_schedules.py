"""Discount schedules as dated data, read from `schedules.toml` beside this file."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike

from cba.errors import InputError

DEFAULT_SCHEDULE = "green_book_2026"
_FILE = "cba/costs/schedules.toml"


@dataclass(frozen=True, kw_only=True)
class DiscountSchedule:
    """Yearly discount rates by band of years from the base year, with where they come from.

    Attributes
    ----------
    name, title : str
        Key in `schedules.toml`, and what to print.
    bands : tuple of (float, float)
        Last year of the band and yearly rate (proportion, > -1), in order of year; the last band ends at inf.
    vintage : date
        When the schedule was published.
    source, url : str
        Where the rates were read.

    Examples
    --------
    >>> find_schedule("green_book_2026").bands[:2]
    ((30.0, 0.035), (75.0, 0.03))
    """

    name: str
    title: str
    bands: tuple[tuple[float, float], ...]
    vintage: date
    source: str
    url: str

    def rates(self, years: ArrayLike) -> np.ndarray:
        """Yearly rate in force in each year.

        Parameters
        ----------
        years : array of int
            Years after the base year.

        Returns
        -------
        ndarray, shape of `years`, proportion
            Year 0 has the rate of the first band.

        Examples
        --------
        >>> find_schedule("green_book_2026").rates([30, 31]).tolist()
        [0.035, 0.03]
        """
        ends = np.array([end for end, _ in self.bands])
        return np.array([rate for _, rate in self.bands])[np.searchsorted(ends, np.asarray(years))]


def find_schedule(schedule: str | DiscountSchedule) -> DiscountSchedule:
    """Schedule of a given name; a schedule is returned as it is.

    Parameters
    ----------
    schedule : str or DiscountSchedule

    Returns
    -------
    DiscountSchedule

    Raises
    ------
    InputError
        The name is unknown; the known ones are listed.

    Examples
    --------
    >>> find_schedule("review_2026_flat_3").vintage.isoformat()
    '2026-06-30'
    """
    if isinstance(schedule, DiscountSchedule):
        return schedule
    known = _shipped()
    if schedule not in known:
        raise InputError(
            f"there is no discount schedule {schedule!r}",
            file=_FILE,
            field="schedule",
            found=schedule,
            allowed=", ".join(known),
            remedy="choose one of these, or add a dated table to the file",
        )
    return known[schedule]


def list_schedules() -> tuple[DiscountSchedule, ...]:
    """Discount schedules shipped with the package.

    Returns
    -------
    tuple of DiscountSchedule
        In the order of `schedules.toml`; the first is the default.

    Raises
    ------
    InputError
        The file holds a schedule whose bands are out of order or do not reach the end.

    Examples
    --------
    >>> [schedule.name for schedule in list_schedules()]
    ['green_book_2026', 'green_book_2026_health', 'green_book_2026_reduced', 'review_2026_flat_3']
    """
    return tuple(_shipped().values())


def flat_schedule(rate: float) -> DiscountSchedule:
    """Schedule of one rate for every year, for a sensitivity that no publication prescribes.

    Parameters
    ----------
    rate : float
        Yearly, as a proportion; > -1 and finite. 0 gives plain sums.

    Returns
    -------
    DiscountSchedule

    Raises
    ------
    InputError
        The rate is not finite or not above -1.

    Examples
    --------
    >>> flat_schedule(0.03).title
    '3% in every year'
    """
    return _schedule(
        f"flat_{rate:g}",
        title=f"{100 * rate:g}% in every year",
        rates=[[math.inf, rate]],
        vintage=date.min,
        source="set by the user",
        url="",
    )


@cache
def _shipped() -> dict[str, DiscountSchedule]:
    text = resources.files("cba.costs").joinpath("schedules.toml").read_text(encoding="utf-8")
    return {name: _schedule(name, **entry) for name, entry in tomllib.loads(text).items()}


def _schedule(
    name: str, *, title: str, rates: list[list[float]], vintage: date, source: str, url: str
) -> DiscountSchedule:
    ends = [float(end) for end, _ in rates]
    ordered = all(first < second for first, second in zip(ends, ends[1:], strict=False))
    if not ordered or ends[-1:] != [math.inf]:
        raise InputError(
            f"the bands of {name!r} do not cover every year once",
            file=_FILE,
            field=f"{name}.rates",
            found=ends,
            allowed="last years in rising order, the last one inf",
            remedy="write the missing band; a rate is never carried on silently",
        )
    for _, rate in rates:
        if not -1.0 < rate < math.inf:
            raise InputError(
                f"a rate of {name!r} is not usable",
                file=_FILE,
                field=f"{name}.rates",
                found=rate,
                allowed="a finite proportion above -1",
                cause="a percentage typed for a proportion, or a gap",
                remedy="write 3.5% as 0.035",
            )
    bands = tuple((float(end), float(rate)) for end, rate in rates)
    return DiscountSchedule(name=name, title=title, bands=bands, vintage=vintage, source=source, url=url)
