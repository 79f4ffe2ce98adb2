"""Children aged 0 to 17: the denominator of every rate, on one census footing, and its projection.

The office for statistics moved its estimates to the 2021 census: mid-2020 fell from 12.09 to 11.79 million
without a child having left. A series that mixes footings has a step that is no event, so earlier years are
reached by *growth inside one vintage and one footing*, never by putting levels of two side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from cba.errors import InputError
from cba.inputs.known_values import to_array
from cba.inputs.observed_children import FIRST_YEAR

BANDS = ("0_4", "5_9", "10_14", "15", "16")
"""Age bands whose sum stands in for 0-17 where 0-17 itself was not published (mid-2010 and mid-2011)."""


@dataclass(frozen=True)
class _Vintage:
    """Estimates of one vintage on one census footing.

    Attributes
    ----------
    vintage, census_base : int
        Release that used the estimates, and the census they rest on.
    people : dict of int to float
        Mid-year to population.
    bands : bool
        True for the sum of age bands 0 to 16 instead of 0 to 17.
    """

    vintage: int
    census_base: int
    people: dict[int, float]
    bands: bool = False


def _by_mid_year(people: pd.Series) -> dict[int, float]:
    years = people.index.to_numpy(dtype=int)
    return dict(zip(years.tolist(), people.to_numpy(dtype=float).tolist(), strict=True))


def _vintages(estimates: pd.DataFrame) -> list[_Vintage]:
    """Every vintage and footing of 0-17, and the age-band sums that have all their bands."""
    found = []
    for vintage, base in estimates[["vintage", "census_base"]].drop_duplicates().to_numpy(dtype=int).tolist():
        rows = estimates[(estimates["vintage"] == vintage) & (estimates["census_base"] == base)]
        whole = rows[rows["age_band"] == "0_17"]
        if len(whole):
            found.append(_Vintage(vintage, base, _by_mid_year(whole.set_index("mid_year")["population"])))
        sums = rows[rows["age_band"].isin(BANDS)].groupby("mid_year")["population"].agg(["sum", "size"])
        bands = _by_mid_year(sums.loc[sums["size"] == len(BANDS), "sum"])
        if bands:
            found.append(_Vintage(vintage, base, bands, bands=True))
    return found


def _agrees(copy: _Vintage, known: list[_Vintage]) -> bool:
    """Whether a later copy repeats, at the earliest mid-year it shares, what was already published."""
    for other in known:
        if other.census_base == copy.census_base and not other.bands:
            shared = sorted(set(copy.people) & set(other.people))
            if shared and copy.people[shared[0]] == other.people[shared[0]]:
                return True
    return False


def _preference(vintages: list[_Vintage], *, release: int, base: int) -> list[_Vintage]:
    """Vintages in the order in which their growth is believed.

    First those known in the release and on the footing of its newest level, newest first; then a later copy
    of those same estimates reaching further back; then known ones on an older footing; then later vintages
    on the footing of the newest level, oldest first; the age-band sums last.
    """
    totals = [one for one in vintages if not one.bands]
    known = [one for one in totals if one.vintage <= release]
    later = [one for one in totals if one.vintage > release and one.census_base == base]
    newest_first = sorted(known, key=lambda one: -one.vintage)
    copies = [one for one in later if _agrees(one, known)]
    return [
        *(one for one in newest_first if one.census_base == base),
        *copies,
        *(one for one in newest_first if one.census_base != base),
        *sorted((one for one in later if one not in copies), key=lambda one: one.vintage),
        *(one for one in vintages if one.bands),
    ]


def _growth(preference: list[_Vintage], mid_year: int) -> tuple[float, _Vintage] | None:
    """Growth from one mid-year to the next, and the vintage that shows it."""
    for one in preference:
        if mid_year in one.people and mid_year + 1 in one.people:
            return one.people[mid_year + 1] / one.people[mid_year], one
    return None


def _sentence(mid_years: list[int], vintage: _Vintage) -> str:
    span = f"mid-{min(mid_years)} to mid-{max(mid_years) + 1}"
    if vintage.bands:
        return f"population_0_17: growth {span} is that of ages 0 to 16, of which one vintage exists"
    return f"population_0_17: growth {span} is that of vintage {vintage.vintage}, later than the release"


def splice_population(table: pd.DataFrame, *, release: int) -> tuple[xr.DataArray, list[str]]:
    """Splice the population 0-17 that children of each year are divided by, without the step of a census.

    Parameters
    ----------
    table : DataFrame
        ``population_england``.
    release : int
        The release to stand in.

    Returns
    -------
    DataArray, dims (year), people
        For year t the estimate of mid-year t-1, as the publisher divides; NaN before 2010.
    list of str
        One sentence for each stretch that rests on estimates published after the release.

    Raises
    ------
    InputError
        If no estimate of 0-17 was known in the release.

    Notes
    -----
    The level is that of the newest vintage known; ``p(t-1) = p(t) / g(t)`` with g the growth inside one
    vintage on one census footing, and forwards the same way where the newest estimate is older than t-1.

    Examples
    --------
    >>> from cba.inputs.published_tables import read_table
    >>> people, _ = splice_population(read_table("population_england"), release=2024)
    >>> int(people.sel(year=2024))
    11998646
    """
    estimates = table[table["kind"] == "estimate"]
    vintages = _vintages(estimates)
    known = [one for one in vintages if one.vintage <= release and not one.bands]
    if not known:
        raise InputError(
            "no population estimate was known in this release",
            file="population_england.csv",
            field="vintage",
            found=f"earliest vintage {min((one.vintage for one in vintages), default='none')}",
            allowed=f"an estimate of 0_17 of vintage {release} or earlier",
            cause="rows of early vintages were removed",
            remedy="restore them; every DfE release names the estimate it divided by",
        )
    newest = max(known, key=lambda one: (one.vintage, max(one.people)))
    preference = _preference(vintages, release=release, base=newest.census_base)
    anchor = max(newest.people)
    level = {anchor: newest.people[anchor]}
    borrowed: dict[int, _Vintage] = {}
    for mid_year in [*range(anchor - 1, 2000, -1), *range(anchor, release - 1)]:
        step = _growth(preference, mid_year)
        if step is None:
            continue
        growth, vintage = step
        if mid_year < anchor and mid_year + 1 in level:
            level[mid_year] = level[mid_year + 1] / growth
        elif mid_year >= anchor and mid_year in level:
            level[mid_year + 1] = level[mid_year] * growth
        if vintage.vintage > release or vintage.bands:
            borrowed[mid_year] = vintage
    spliced = pd.DataFrame({"year": [y + 1 for y in level], "people": list(level.values())})
    people = to_array(spliced, dims={"year": ("year", range(FIRST_YEAR, release + 1))}, value="people")
    people.attrs = {
        "units": "people",
        "long_name": "children aged 0 to 17, mid-year before the year named, on one census footing",
        "mid_year": "year t holds the estimate of 30 June t-1",
    }
    exceptions = [
        _sentence([year for year, used in borrowed.items() if used is vintage], vintage)
        for vintage in vintages
        if any(used is vintage for used in borrowed.values())
    ]
    return people, exceptions


def project_population(table: pd.DataFrame, *, people: xr.DataArray, newest: bool) -> xr.DataArray:
    """Move the projection of 0-17 to the level of the last estimate, so that its growth carries on from it.

    Parameters
    ----------
    table : DataFrame
        ``population_england``.
    people : DataArray, dims (year), people
        As returned by :func:`splice_population`.
    newest : bool
        Whether the release is the newest: the projection has a single vintage and is missing otherwise.

    Returns
    -------
    DataArray, dims (population_year), people
        For year t the projection of mid-year t-1; the first year is the last estimate itself, where that
        was projected too.

    Notes
    -----
    ``projected(t) x estimate(t0) / projected(t0)`` with t0 the last year that was estimated: the projection
    starts from mid-2022 and puts mid-2023 at 11.92 million where the estimate is 12.00 million.

    Examples
    --------
    >>> from cba.inputs.published_tables import read_table
    >>> table = read_table("population_england")
    >>> people, _ = splice_population(table, release=2024)
    >>> ahead = project_population(table, people=people, newest=True)
    >>> int(ahead.sel(population_year=2024)) == int(people.sel(year=2024))
    True
    """
    rows = table[table["kind"] == "projection"]
    sums = rows.groupby("mid_year")["population"].sum()
    joined = int(people.dropna("year")["year"].max())
    future = sums[sums.index + 1 >= joined] if newest else sums
    frame = pd.DataFrame({"year": future.index + 1, "people": future.to_numpy()})
    years = list(frame["year"])
    projected = to_array(frame, dims={"population_year": ("year", years)}, value="people")
    if newest and joined in years:
        projected = projected * float(people.sel(year=joined)) / float(projected.sel(population_year=joined))
    else:
        projected = projected * float("nan")
    projected.attrs = {
        "units": "people",
        "long_name": "children aged 0 to 17, projected from the last estimate on, mid-year before the year",
        "mid_year": "population_year t holds 30 June t-1",
    }
    return projected
