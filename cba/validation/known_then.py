"""What was known at each past origin: totals as published then, or, marked so, as published since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.inputs.observations import load_observations
from cba.models.total_flows import TotalFlows, checked_totals

FIRST_ORIGIN = 2003
"""First origin scored: nine yearly changes of the totals are known by then."""

HISTORY_RELEASE = 2021
"""First release that carries the totals of every year since 1994."""

AS_PUBLISHED = "as published then"
SINCE_REVISED = "pseudo-real-time"

Load = Callable[[int | None], xr.Dataset]
"""Release (None for the newest) to the series as known in it."""


@dataclass(frozen=True)
class Origin:
    """A year from which forecasts are made, with the totals known at it.

    Attributes
    ----------
    year : int
        Year ending 31 March, the last one known.
    kind : str
        :data:`AS_PUBLISHED` where the figures are those of the release of that year (years before 2006, which no
        release before 2021 carries, are from that one), :data:`SINCE_REVISED` where later figures stand in.
    flows : TotalFlows
        Totals to that year.

    Examples
    --------
    >>> [origin.year for origin in known_origins().origins][:2]
    [2003, 2004]
    """

    year: int
    kind: str
    flows: TotalFlows


class Skipped(NamedTuple):
    """An origin, release or outturn left out of the record, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class KnownOrigins:
    """Every origin forecasts can be made from, what was left out, and what happened since.

    Attributes
    ----------
    origins : tuple of Origin
    skipped : tuple of Skipped
    outturns : Dataset, dims (year)
        ``stock``, ``starts`` and ``ceases`` as published in the latest release.

    Examples
    --------
    >>> int(known_origins().outturns["stock"].sel(year=2024))
    83630
    """

    origins: tuple[Origin, ...]
    skipped: tuple[Skipped, ...]
    outturns: xr.Dataset


def known_origins(
    *, first: int = FIRST_ORIGIN, load: Load = load_observations, latest: int | None = None
) -> KnownOrigins:
    """Collect the origins of the backtest from the published releases.

    Parameters
    ----------
    first : int
        First origin.
    load : callable
        Release to the series as known in it; None is the newest.
    latest : int, optional
        Release that says what happened; the newest by default.

    Returns
    -------
    KnownOrigins

    Examples
    --------
    >>> found = known_origins()
    >>> [origin.year for origin in found.origins if origin.kind == AS_PUBLISHED]
    [2010, 2011, 2012, 2013, 2014, 2015, 2016, 2017, 2018, 2021, 2022, 2023]
    >>> [skipped.what for skipped in found.skipped]
    ['release 2019', 'release 2020']
    """
    newest = load(latest)
    names = ["stock", "starts", "ceases"]
    outturns = newest[names].dropna("year", how="any")
    history = load(HISTORY_RELEASE)[names].dropna("year", how="any")
    origins, skipped = [], []
    for year in range(first, int(outturns["year"][-1])):
        try:
            published = _as_published(load, year, history) if year >= 2010 else None
        except InputError as error:
            skipped.append(Skipped(f"release {year}", error.problem))
            published = None
        if published is not None:
            origins.append(Origin(year, AS_PUBLISHED, published))
            continue
        try:
            origins.append(Origin(year, SINCE_REVISED, _flows(outturns.sel(year=slice(None, year)))))
        except InputError as error:
            skipped.append(Skipped(f"origin {year}", error.problem))
    return KnownOrigins(tuple(origins), tuple(skipped), outturns)


def _as_published(load: Load, year: int, history: xr.Dataset) -> TotalFlows:
    """Totals as the release of `year` and those before it had them; earlier years as first published together."""
    known = load(year)[["stock", "starts", "ceases"]].dropna("year", how="any")
    if known.sizes["year"] == 0 or int(known["year"][-1]) != year:
        raise InputError(
            "the release has no starts and ceases of its own year",
            field="starts, ceases",
            found=[int(y) for y in known["year"].values[-1:]],
            allowed=f"{year}",
            cause="tables the archive does not hold",
            remedy="score this origin with later figures, marked so",
        )
    earlier = history.sel(year=slice(None, int(known["year"][0]) - 1))
    return _flows(xr.concat([earlier, known], dim="year"))


def _flows(known: xr.Dataset) -> TotalFlows:
    years = known["year"].values
    series = (known[name].values.astype(float) for name in ("stock", "starts", "ceases"))
    return checked_totals(TotalFlows(np.asarray(years), *series))
