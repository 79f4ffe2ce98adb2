"""Discount factors and present values: arithmetic on the dated schedules in `schedules.toml` beside this file."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from cba.errors import InputError

DEFAULT_SCHEDULE = "green_book_2026"


_FILE = "cba/schedules.toml"


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
    text = resources.files("cba").joinpath("schedules.toml").read_text(encoding="utf-8")
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


LAST_OFFSET = 1000
"""Offsets above this are calendar years passed by mistake."""


def discount_factors(
    years: ArrayLike, schedule: str | DiscountSchedule = DEFAULT_SCHEDULE, *, mid_year: bool = False
) -> np.ndarray:
    """Present value of one pound in each year, seen from the base year.

    Parameters
    ----------
    years : array of int
        Years after the base year, >= 0; year 0 is undiscounted.
    schedule : str or DiscountSchedule
        A name in `list_schedules()`, or a schedule of your own.
    mid_year : bool
        Money falls half a year later than in the default, so year 0 is discounted by half a year. Off by
        default, as in the Green Book.

    Returns
    -------
    ndarray, shape of `years`, in (0, 1] for positive rates

    Raises
    ------
    InputError
        Unknown schedule (the known ones are listed); years that are negative or not whole.

    Notes
    -----
    ``factor(0) = 1; factor(t) = factor(t - 1) / (1 + rate(t))``, with the rate of the band of year t: factors
    multiply through the bands, a later and lower rate never applies from year 0 [1]_. Mid-year factors are
    ``factor(t) / sqrt(1 + rate(t + 1))``.

    References
    ----------
    .. [1] HM Treasury (2026) *The Green Book*, ch. 6; rates restated by DfT, 16 April 2026.

    Examples
    --------
    >>> discount_factors([0, 1, 30, 31]).round(4).tolist()
    [1.0, 0.9662, 0.3563, 0.3459]
    """
    chosen = find_schedule(schedule)
    offsets = _whole_years(years, field="years")
    if offsets.size and not (offsets.min() >= 0 and offsets.max() <= LAST_OFFSET):
        before = offsets.min() < 0
        raise InputError(
            "a year before the base year cannot be discounted" if before else "years are not offsets",
            field="years",
            found=int(offsets.min() if before else offsets.max()),
            allowed=f"whole years from 0 to {LAST_OFFSET}, counted from the base year",
            cause="calendar years and offsets mixed, or a base year later than the first cash flow",
            remedy="subtract the base year, or move it to the first year of the cash flow",
        )
    last = int(offsets.max(initial=0))
    table = np.concatenate([[1.0], np.cumprod(1.0 / (1.0 + chosen.rates(np.arange(1, last + 1))))])
    factors = table[offsets]
    return factors / np.sqrt(1.0 + chosen.rates(offsets + 1)) if mid_year else factors


def present_value(
    stream: xr.DataArray,
    schedule: str | DiscountSchedule,
    base_year: int,
    *,
    mid_year: bool = False,
) -> xr.DataArray:
    """Sum over years of a stream, each year discounted to the base year.

    Parameters
    ----------
    stream : DataArray, dims (..., year), any money or quantity a year
        `year` is a calendar coordinate (year ending 31 March), unique, in any order, gaps allowed. Money
        is in one price base: this function discounts, it does not deflate.
    schedule : str or DiscountSchedule
        As in `discount_factors`.
    base_year : int
        Calendar year that is year 0 (undiscounted).
    mid_year : bool
        As in `discount_factors`.

    Returns
    -------
    DataArray, dims (...), units of `stream`
        Other dims and coordinates are kept.

    Raises
    ------
    InputError
        No `year` coordinate, repeated years, a year before the base year, or a value that is missing or infinite.

    Notes
    -----
    ``sum over year of stream(year) * factor(year - base_year)``.

    Examples
    --------
    100 spent in 2023, 30 saved in each of the five years after:

    >>> import xarray as xr
    >>> flow = xr.DataArray([-100.0, 30, 30, 30, 30, 30], coords={"year": range(2023, 2029)}, dims="year")
    >>> round(float(present_value(flow, "green_book_2026", 2023)), 9)
    35.451571264
    """
    years = _calendar_years(stream)
    if years.size and years.min() < base_year:
        raise InputError(
            f"the stream has years before the base year {base_year}",
            field="base_year",
            found=int(years.min()),
            allowed=f"years from {base_year} on",
            remedy="drop past years, which are sunk, or choose the first year of the stream as base year",
        )
    stream = stream.astype(np.float64, copy=False)
    unknown = int((~np.isfinite(stream)).sum())
    if unknown:
        raise InputError(
            "the stream has missing or infinite values",
            field="stream",
            found=f"{unknown} of {stream.size} missing or infinite",
            allowed="a finite number in every year; zero where nothing flows",
            remedy="fill the year with its value: a missing year is not a zero",
        )
    factors = discount_factors(years - int(base_year), schedule, mid_year=mid_year)
    value = xr.dot(stream, xr.DataArray(factors, dims="year"), dim="year")
    return value.rename(stream.name).assign_attrs(stream.attrs)


def _whole_years(years: ArrayLike, *, field: str) -> np.ndarray:
    given = np.asarray(years)
    if given.dtype.kind not in "iuf" or not np.array_equal(given, np.rint(given)):
        raise InputError(
            "years must be whole numbers",
            field=field,
            found=np.array2string(given, threshold=6),
            allowed="integers, for example 0, 1, 2",
            remedy="give the year ending 31 March as an integer; for money in mid-year use mid_year=True",
        )
    return given.astype(np.int64)


def _calendar_years(stream: xr.DataArray) -> np.ndarray:
    if "year" not in stream.dims or "year" not in stream.coords:
        raise InputError(
            "the stream has no calendar years",
            field="stream.year",
            found=f"dims {tuple(stream.dims)}",
            allowed="a dim `year` with a coordinate of calendar years",
            remedy="add one: stream.assign_coords(year=range(2023, ...))",
        )
    years = _whole_years(stream["year"].values, field="stream.year")
    if np.unique(years).size != years.size:
        repeated = sorted({int(year) for year in years if (years == year).sum() > 1})
        remedy = "sum or drop the repeated rows before discounting"
        raise InputError("a year appears twice", field="stream.year", found=repeated, remedy=remedy)
    return years
