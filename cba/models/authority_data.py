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
import xarray as xr

from cba.errors import InputError

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


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
    """Authorities that began a programme."""

    # Columns authority, authority_name, programme, innovator (bool), known (how the date is known), earliest,
    # latest (calendar years); one row per authority, in the order of `dates`.
    table: pd.DataFrame
    # (launch, DATES): equally likely launch dates, calendar years with decimals; all the same where the date
    # is known.
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

    `priors`: needs ``panel.unknown_launch`` (calendar year) and ``panel.launch_lag`` (years).
    """
    # A date published to the year is any date of that year; a project start, a planned launch or the start of
    # an evaluation is followed by a lag; a missing date is anywhere in the window of the programme's
    # launches. Each is represented by `DATES` equally likely dates, the quantiles (m + 1/2) / DATES.
    levels = (np.arange(DATES) + 0.5) / DATES
    unknown = np.asarray(priors["panel.unknown_launch"].fitted.ppf(levels))
    lag = np.asarray(priors["panel.launch_lag"].fitted.ppf(levels))
    rows, dates = [], []
    for row in rollout.to_dict("records"):
        programme = next((p for p in PROGRAMMES if str(row["programme"]).startswith(p)), None)
        if programme is None:
            continue
        known, candidates = _candidates(row, unknown=unknown, lag=lag, levels=levels)
        about = (str(row["authority"]), row["authority_name"], programme, row["role"] == "innovator", known)
        rows.append((*about, float(candidates.min()), float(candidates.max())))
        dates.append(candidates)
    names = ["authority", "authority_name", "programme", "innovator", "known", "earliest", "latest"]
    table = pd.DataFrame(rows, columns=names)
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

    `date`: ``YYYY``, ``YYYY-MM`` (taken as the first of the month) or ``YYYY-MM-DD``.
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
    """Years a programme had run when a figure was taken. Shape (..., year). 0 before the launch."""
    # For starts, the mean over the year, with the months before the launch as 0.
    end = np.maximum(years + YEAR_END - dates[..., None], 0.0)
    if outcome == "stock":
        return np.asarray(end)
    begin = np.maximum(years + YEAR_END - 1.0 - dates[..., None], 0.0)
    return np.asarray((end**2 - begin**2) / 2.0)


# --- The panel of authorities: who is in it, in which years, who is left out and why ---


OUTCOMES = ("starts", "stock")
"""Series the panel is read on: children starting to be looked after, and looked after at 31 March."""


MOST = 0.9
"""A year is in the panel if this share of the authorities then existing published all three series."""


FULL_YEARS = 2.0
"""Years after the latest possible launch that an authority needs to say anything about an effect that grows."""


FEWEST_LAUNCHES = 8
"""Launches that long ago without which the panel is not asked: to 2022 there are four, of one programme in one month,
which nothing tells apart from whatever else those four councils had in common."""


@dataclass(frozen=True)
class AuthorityPanel:
    """Counts by authority and year, with launches; dims (authority, year) unless said otherwise."""

    authority: np.ndarray  # (authority,)
    name: np.ndarray  # (authority,)
    region: np.ndarray  # (authority,)
    # (year,): years ending 31 March, without gaps; the first only serves as the first known rate.
    years: np.ndarray
    # starts, stock, population: children; people aged 0 to 17.
    starts: np.ndarray
    stock: np.ndarray
    population: np.ndarray
    usable: np.ndarray  # false where an authority was in a later programme with the same aim
    launches: Launches
    launch_row: np.ndarray  # (launch,)
    excluded: pd.DataFrame  # columns authority, authority_name, years, reason: everything left out
    release: int

    def counts(self, outcome: str) -> np.ndarray:
        """Counts of one of :data:`OUTCOMES`."""
        return self.starts if outcome == "starts" else self.stock

    @property
    def not_informative(self) -> str:
        """Why the panel cannot be asked about the programmes; empty if it can."""
        spread = ~self.launches.innovator
        elapsed = self.years[-1] + YEAR_END - self.launches.table["latest"].to_numpy(float)
        found = int((spread & (elapsed >= FULL_YEARS)).sum())
        if found >= FEWEST_LAUNCHES:
            return ""
        return (
            f"by 31 March {self.years[-1]} only {found} authorities beside the programmes' inventors had run a "
            f"programme for {FULL_YEARS:g} years; {FEWEST_LAUNCHES} are needed"
        )


def authority_panel(observations: xr.Dataset, rollout: pd.DataFrame, priors: PriorRegistry) -> AuthorityPanel:
    """Read the panel of authorities as known in one release.

    `priors`: needs ``panel.unknown_launch`` and ``panel.launch_lag``.
    """
    names = ("starts_by_authority", "stock_by_authority", "population_by_authority")
    series = np.stack([observations[n].transpose("authority", "year").values for n in names])
    years = observations["year"].values.astype(int)
    chosen = _years(series, years)
    series, years = series[:, :, chosen], years[chosen]
    reasons = _reasons(observations, series, years)
    kept = np.array([not reason for reason in reasons])
    codes = observations["authority"].values.astype(str)
    titles = observations["authority_name"].values.astype(str)
    usable = _usable(rollout, codes[kept], years)
    launches, row, absent = _in_panel(programme_launches(rollout, priors), codes[kept])
    excluded: list[tuple[str, ...]] = [
        (code, title, f"{years[0]} to {years[-1]}", reason)
        for code, title, reason in zip(codes, titles, reasons, strict=True)
        if reason
    ]
    excluded += _pathfinders(codes[kept], titles[kept], usable, years) + absent
    return AuthorityPanel(
        authority=codes[kept],
        name=titles[kept],
        region=observations["region"].values.astype(str)[kept],
        years=years,
        starts=series[0][kept],
        stock=series[1][kept],
        population=series[2][kept],
        usable=usable,
        launches=launches,
        launch_row=row,
        excluded=pd.DataFrame(excluded, columns=["authority", "authority_name", "years", "reason"]),
        release=int(observations.attrs["release"]),
    )


def _years(series: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Positions of the last unbroken run of years that nearly every authority published in full."""
    complete = np.isfinite(series).all(axis=0).sum(axis=0)
    existing = np.isfinite(series).any(axis=0).sum(axis=0)
    good = complete >= MOST * np.maximum(existing, 1)
    last = int(np.flatnonzero(good)[-1])
    first = last
    while first > 0 and good[first - 1]:
        first -= 1
    return np.arange(first, last + 1)


def _reasons(observations: xr.Dataset, series: np.ndarray, years: np.ndarray) -> list[str]:
    """Why each authority is left out; empty where it is kept."""
    first, last = observations["first_year"].values, observations["last_year"].values
    reasons = []
    for row in range(series.shape[1]):
        missing = [
            f"{word} {', '.join(str(y) for y in years[~np.isfinite(values)])}"
            for word, values in zip(("starts", "stock", "population"), series[:, row], strict=True)
            if not np.isfinite(values).all()
        ]
        if first[row] > years[0] or last[row] < years[-1]:
            reasons.append(f"boundaries changed: existed in years ending {first[row]} to {last[row]}")
        elif missing:
            reasons.append(f"not published: {'; '.join(missing)}")
        elif (series[:2, row] <= 0).any():
            reasons.append("a year without any child, which has no rate to follow")
        else:
            reasons.append("")
    return reasons


def _usable(rollout: pd.DataFrame, codes: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Mark the years before an authority was announced as a pathfinder."""
    usable = np.ones((len(codes), len(years)), dtype=bool)
    for row in rollout[rollout["programme"] == PATHFINDER].to_dict("records"):
        after = years + YEAR_END > calendar_year(str(row["date"]))
        usable[np.ix_(codes == str(row["authority"]), after)] = False
    return usable


def _pathfinders(
    codes: np.ndarray, titles: np.ndarray, usable: np.ndarray, years: np.ndarray
) -> list[tuple[str, ...]]:
    reason = f"{PATHFINDER}, a later programme with the same aim"
    return [
        (codes[row], titles[row], ", ".join(str(year) for year in years[~usable[row]]), reason)
        for row in np.flatnonzero(~usable.all(axis=1))
    ]


def _in_panel(launches: Launches, codes: np.ndarray) -> tuple[Launches, np.ndarray, list[tuple[str, ...]]]:
    """Keep the launches of authorities in the panel; name those that are not."""
    place = {code: row for row, code in enumerate(codes)}
    kept = launches.table["authority"].isin(list(place)).to_numpy(bool)
    table = launches.table[kept].reset_index(drop=True)
    rows = np.array([place[code] for code in table["authority"]], dtype=int)
    absent: list[tuple[str, ...]] = [
        (row.authority, row.authority_name, "all", f"began {row.programme} but is not in the panel")
        for row in launches.table[~kept].itertuples()
    ]
    return Launches(table, launches.dates[kept]), rows, absent
