"""The panel of authorities: who is in it, in which years, who is left out and why.

An authority is in the panel if it kept its boundaries and published starts, stock and population in every year of the
panel. Nothing is apportioned, filled in or left out without a reason in the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.models.authority_panel_launches import (
    PATHFINDER,
    YEAR_END,
    Launches,
    calendar_year,
    programme_launches,
)

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

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
    """Counts by authority and year, with launches; dims (authority, year) unless said otherwise.

    Attributes
    ----------
    authority, name, region : ndarray of str, shape (authority,)
    years : ndarray of int, shape (year,)
        Years ending 31 March, without gaps; the first only serves as the first known rate.
    starts, stock, population : ndarray
        Children; people aged 0 to 17.
    usable : ndarray of bool
        False where an authority was in a later programme with the same aim.
    launches : Launches
        Of the authorities in the panel.
    launch_row : ndarray of int, shape (launch,)
        Row of the authority of each launch.
    excluded : DataFrame
        Columns authority, authority_name, years, reason: everything left out.
    release : int
        Release the panel was read in.
    """

    authority: np.ndarray
    name: np.ndarray
    region: np.ndarray
    years: np.ndarray
    starts: np.ndarray
    stock: np.ndarray
    population: np.ndarray
    usable: np.ndarray
    launches: Launches
    launch_row: np.ndarray
    excluded: pd.DataFrame
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

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    rollout : DataFrame
        As returned by :func:`cba.inputs.observations.load_programme_rollout`.
    priors : PriorRegistry
        Needs ``panel.unknown_launch`` and ``panel.launch_lag``.

    Returns
    -------
    AuthorityPanel

    Examples
    --------
    >>> import cba
    >>> from cba.inputs.observations import load_programme_rollout
    >>> panel = authority_panel(cba.load_observations(), load_programme_rollout(), cba.load_priors())
    >>> panel.starts.shape, int(panel.years[0]), panel.not_informative
    ((145, 12), 2013, '')
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
    excluded = [
        {"authority": code, "authority_name": title, "years": f"{years[0]} to {years[-1]}", "reason": reason}
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
) -> list[dict[str, str]]:
    return [
        {
            "authority": codes[row],
            "authority_name": titles[row],
            "years": ", ".join(str(year) for year in years[~usable[row]]),
            "reason": f"{PATHFINDER}, a later programme with the same aim",
        }
        for row in np.flatnonzero(~usable.all(axis=1))
    ]


def _in_panel(launches: Launches, codes: np.ndarray) -> tuple[Launches, np.ndarray, list[dict[str, str]]]:
    """Keep the launches of authorities in the panel; name those that are not."""
    place = {code: row for row, code in enumerate(codes)}
    kept = launches.table["authority"].isin(list(place)).to_numpy(bool)
    table = launches.table[kept].reset_index(drop=True)
    rows = np.array([place[code] for code in table["authority"]], dtype=int)
    absent = [
        {
            "authority": row["authority"],
            "authority_name": row["authority_name"],
            "years": "all",
            "reason": f"began {row['programme']} but is not in the panel",
        }
        for row in launches.table[~kept].to_dict("records")
    ]
    return Launches(table, launches.dates[kept]), rows, absent
