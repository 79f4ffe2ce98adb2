"""When each authority began a Strengthening Families programme, with what is not known about the date.

A launch is never guessed: it is a handful of equally likely dates, from the published date, the lag from a project's
start to changed practice, or the window in which launches with no published date happened.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.errors import InputError

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

PROGRAMMES = ("Family Safeguarding", "Family Valued", "No Wrong Door")
"""Programmes of Strengthening Families, Protecting Children, as the roll-out table's names begin."""

PATHFINDER = "Families First for Children pathfinder"
"""A later programme with the same aim: its authorities cannot stand for business as usual once it is announced."""

LAUNCHED = ("launch", "go live", "start", "implementation", "go live (New Roads)")
"""Events after which families met the programme; any other dated event came before that."""

DATES = 5
"""Equally likely launch dates an uncertain launch is represented by."""

YEAR_END = 0.25
"""31 March as a share of a calendar year."""


@dataclass(frozen=True)
class Launches:
    """Authorities that began a programme.

    Attributes
    ----------
    table : DataFrame
        Columns authority, authority_name, programme, innovator (bool), known (how the date is known), earliest,
        latest (calendar years); one row per authority, in the order of `dates`.
    dates : ndarray, shape (launch, DATES)
        Equally likely launch dates, calendar years with decimals; all the same where the date is known.
    """

    table: pd.DataFrame
    dates: np.ndarray

    @property
    def innovator(self) -> np.ndarray:
        """Which launches are those of the programmes' inventors, who were chosen for their results."""
        return self.table["innovator"].to_numpy(bool)

    @property
    def programme(self) -> np.ndarray:
        """Position of each launch's programme in :data:`PROGRAMMES`."""
        return np.array([PROGRAMMES.index(p) for p in self.table["programme"]], dtype=int)

    @property
    def certain(self) -> np.ndarray:
        """Which launches have one date."""
        return np.ptp(self.dates, axis=1) == 0.0


def programme_launches(rollout: pd.DataFrame, priors: PriorRegistry) -> Launches:
    """Launches of the Strengthening Families programmes with their uncertainty.

    Parameters
    ----------
    rollout : DataFrame
        As returned by :func:`cba.inputs.observations.load_programme_rollout`.
    priors : PriorRegistry
        Needs ``panel.unknown_launch`` (calendar year) and ``panel.launch_lag`` (years).

    Returns
    -------
    Launches

    Raises
    ------
    InputError
        If an authority is listed twice or a date cannot be read.

    Notes
    -----
    A date published to the year is any date of that year; a project start, a planned launch or the start of an
    evaluation is followed by a lag; a missing date is anywhere in the window of the programme's launches. Each is
    represented by :data:`DATES` equally likely dates, the quantiles (m + 1/2) / DATES.

    Examples
    --------
    >>> import cba
    >>> from cba.inputs.observations import load_programme_rollout
    >>> launches = programme_launches(load_programme_rollout(), cba.load_priors())
    >>> len(launches.table), int(launches.innovator.sum()), int(launches.certain.sum())
    (25, 3, 7)
    """
    levels = (np.arange(DATES) + 0.5) / DATES
    unknown = np.asarray(priors["panel.unknown_launch"].fitted.ppf(levels))
    lag = np.asarray(priors["panel.launch_lag"].fitted.ppf(levels))
    rows, dates = [], []
    for row in rollout.to_dict("records"):
        programme = next((p for p in PROGRAMMES if str(row["programme"]).startswith(p)), None)
        if programme is None:
            continue
        known, candidates = _candidates(row, unknown=unknown, lag=lag, levels=levels)
        rows.append(
            {
                "authority": str(row["authority"]),
                "authority_name": row["authority_name"],
                "programme": programme,
                "innovator": row["role"] == "innovator",
                "known": known,
                "earliest": float(candidates.min()),
                "latest": float(candidates.max()),
            }
        )
        dates.append(candidates)
    table = pd.DataFrame(rows)
    _refuse_two_programmes(table)
    return Launches(table, np.array(dates))


def _candidates(
    row: dict[str, object], *, unknown: np.ndarray, lag: np.ndarray, levels: np.ndarray
) -> tuple[str, np.ndarray]:
    """How a launch date is known, and its equally likely values."""
    if pd.isna(row["date"]):
        return "date not published", unknown
    begun, precision = calendar_year(str(row["date"])), str(row["date_precision"])
    if row["event"] not in LAUNCHED:
        return "dated before practice changed", begun + lag
    if precision == "year":
        return "known to the year", begun + levels
    return "date published", np.full(DATES, begun)


def calendar_year(date: str) -> float:
    """Read a date of the roll-out table as a calendar year with decimals.

    Parameters
    ----------
    date : str
        ``YYYY``, ``YYYY-MM`` (taken as the first of the month) or ``YYYY-MM-DD``.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If it is none of these.

    Examples
    --------
    >>> calendar_year("2020-07"), calendar_year("2015")
    (2020.4972677595629, 2015.0)
    """
    parts = date.split("-")
    try:
        day = dt.date(*[int(part) for part in parts + ["1", "1"][len(parts) - 1 :]])
    except (TypeError, ValueError):
        raise InputError(
            "a launch date cannot be read",
            file="programme_rollout.csv",
            field="date",
            found=date,
            allowed="YYYY, YYYY-MM or YYYY-MM-DD, or empty where the date is not known",
            cause="a date written in words or in another order",
            remedy="write it as year, month and day with hyphens",
        ) from None
    start = dt.date(day.year, 1, 1)
    return day.year + (day - start).days / ((dt.date(day.year + 1, 1, 1) - start).days)


def _refuse_two_programmes(table: pd.DataFrame) -> None:
    twice = table.loc[table["authority"].duplicated(), "authority_name"]
    if len(twice):
        raise InputError(
            "an authority began two programmes, so the panel cannot tell which did what",
            file="programme_rollout.csv",
            field="authority",
            found=str(twice.iloc[0]),
            allowed="one row per authority among the Strengthening Families programmes",
            cause="a second event of one programme entered as a row of its own",
            remedy="keep the row of the launch",
        )


def years_since_launch(dates: np.ndarray, years: np.ndarray, *, outcome: str) -> np.ndarray:
    """Years a programme had run when a figure was taken.

    Parameters
    ----------
    dates : ndarray, shape (...)
        Launch dates, calendar years.
    years : ndarray of int, shape (year,)
        Years ending 31 March.
    outcome : {"starts", "stock"}
        The number looked after is of 31 March; starts are of the whole year.

    Returns
    -------
    ndarray, shape (..., year)
        0 before the launch. For starts, the mean over the year, with the months before the launch as 0.

    Examples
    --------
    >>> years_since_launch(np.array([2020.25]), np.array([2020, 2021, 2022]), outcome="starts")
    array([[0. , 0.5, 1.5]])
    """
    end = np.maximum(years + YEAR_END - dates[..., None], 0.0)
    if outcome == "stock":
        return np.asarray(end)
    begin = np.maximum(years + YEAR_END - 1.0 - dates[..., None], 0.0)
    return np.asarray((end**2 - begin**2) / 2.0)
