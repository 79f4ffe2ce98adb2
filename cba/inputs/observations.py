"""The observed series as one labelled Dataset, as they were known in a chosen release.

:func:`load_observations` reads the tables in ``cba/inputs/published`` (or another folder of the same layout),
refuses any that breaks its schema, and lays them out by year, age, placement, authority and so on. Standing
in an earlier release shows what an analyst had then, revisions and gaps included.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from cba.errors import InputError
from cba.inputs import table_words as words
from cba.inputs.files import bytes_of, published_folder
from cba.inputs.observed_children import (
    FIRST_YEAR,
    as_known,
    children_of_authorities,
    children_of_england,
    project_population,
    splice_population,
    to_array,
)
from cba.inputs.tables import read_tables

# --- Spending, unit costs, prices, need and population by authority: inputs of which one vintage exists ---


def one_vintage(
    tables: Mapping[str, pd.DataFrame], *, codes: Sequence[str], release: int
) -> dict[str, xr.DataArray]:
    """Spending, unit costs, children in need and population by authority, as ``published_tables.toml`` says.

    Dims and units as written there. `codes`: authorities. `release`: years after it are left out; population of
    year t is that of mid-year t-1.
    """
    costs, people = tables["unit_costs"], tables["population_authority"]
    tables = {**tables, "population_authority": people.assign(year=people["mid_year"] + 1)}
    members: dict[str, Sequence] = {
        "year": range(FIRST_YEAR, release + 1),
        "authority": codes,
        "line": sorted(tables["spending_england"]["line"].unique()),
        "service": words.TABLES["unit_costs"].words["service"],
        "cost_region": sorted(costs.loc[costs["level"] == "region", "area"].unique()),
        "measure": words.TABLES["children_in_need"].words["measure"],
    }
    arrays = {}
    for name, laid in words.ONE_VINTAGE.items():
        rows = tables[laid["table"]]
        rows = rows[rows["level"] == laid["level"]] if "level" in laid else rows
        dims = {dim: (column, members[dim]) for dim, column in laid["dims"].items()}
        said = {part: laid[part] for part in ("value", "units", "long_name")}
        arrays[name] = to_array(rows, dims=dims, **said)
    return arrays


def price_index(table: pd.DataFrame, *, last_year: int) -> xr.DataArray:
    """GDP deflator by financial year, 2023-24 = 100, with its status as a coordinate.

    Dims (deflator_year), index. `table`: ``gdp_deflator``; of several vintages the latest is taken.
    `last_year`: years ending after it are left out.
    """
    latest = table[table["vintage"] == table["vintage"].max()]
    rows = latest[latest["year"] <= last_year]
    index = to_array(
        rows,
        dims={"deflator_year": ("year", list(rows["year"]))},
        value="deflator",
        units="index, 2023-24 = 100",
        long_name="GDP deflator, financial year ending in the year named",
    )
    index = index.assign_coords(deflator_status=("deflator_year", rows["status"].to_numpy(dtype=str)))
    return index.assign_attrs(vintage=str(latest["vintage"].iloc[0]))


LICENCE = "Contains public sector information licensed under the Open Government Licence v3.0"
"""Acknowledgement the licence asks for; carried by every Dataset."""


_OTHER_TABLES = {"population": "population_england", "mean_days": "care_duration", "gdp": "gdp_deflator"}
"""First words of variables that come from neither ``england_children`` nor a table of one vintage."""


def load_observations(release: int | None = None, path: str | Path | None = None) -> xr.Dataset:
    """Observed series as known in one release of the children-looked-after statistics.

    Parameters
    ----------
    release : int, optional
        Year of the release to stand in: 2010 to 2019 or 2021 to 2024; the newest when left out. For each
        figure the value of the latest release not after it is taken.
    path : str or Path, optional
        Folder with tables of the same layout as ``cba/inputs/published``; when left out the folder in force,
        which is the shipped one outside :func:`cba.inputs.files.reading_from`.

    Returns
    -------
    Dataset
        float64, NaN where nothing was published. ``year`` is the year ending 31 March, 1994 to the release.
        Children: ``stock``, ``starts``, ``ceases``, ``adoptions``, ``sgo_orders``, ``cao_orders``,
        ``uasc_stock``, ``uasc_stock_16_plus``, ``uasc_starts`` (year); ``*_by_age`` (year, age);
        ``ceases_by_duration`` (year, duration), with bounds in years; ``ceases_by_reason`` (year, reason);
        ``starts_by_legal_status``; ``*_by_placement`` (year, placement), from 2018; ``*_by_authority``
        (authority, year). ``X_release`` and ``X_total`` hold the release a breakdown X was taken from and
        the total printed there. People: ``population_0_17`` (year), ``population_projection``
        (population_year), ``population_by_authority``. Money: ``spending`` (year, line; GBP million, cash),
        ``unit_cost_weekly`` (year, service; GBP per week, cash), their ``*_by_authority``, and
        ``gdp_deflator`` (deflator_year; 2023-24 = 100). Need: ``children_in_need`` (year, measure).
        Every variable has ``units``, ``source`` and ``long_name``; the Dataset has ``release``, ``licence``
        and ``single_vintage_exceptions`` (a JSON list of sentences).

    Raises
    ------
    InputError
        If the release does not exist, or a table is missing, unreadable or breaks its schema.

    Notes
    -----
    Nothing is interpolated. Totals of 2010 to 2017 were revised after their breakdowns were printed, so the
    parts of those years add up to ``X_total`` and not quite to the total.

    Examples
    --------
    >>> observations = load_observations()
    >>> int(observations["stock"].sel(year=2024))
    83630
    >>> then = load_observations(release=2021)
    >>> int(then["stock"].sel(year=2021)), int(observations["stock"].sel(year=2021))
    (80850, 80780)
    """
    folder = published_folder() if path is None else Path(path)
    return _observed(release, folder, _stamp(folder)).copy(deep=True)


def published_releases() -> tuple[int, ...]:
    """Years of the releases that the published tables hold, in order."""
    children = read_tables(("england_children",), folder=published_folder())["england_children"]
    return tuple(_releases(children))


def _releases(children: pd.DataFrame) -> list[int]:
    return sorted(int(value) for value in children["release"].unique())


def _stamp(folder: Path) -> str:
    """Return the hash of the tables of a folder, by which what was read from it before is known to hold still."""
    found = hashlib.sha256()
    try:
        for file in sorted(folder.glob("*.csv")):
            found.update(f"{file.name} {file.stat().st_size} ".encode() + bytes_of(file))
    except OSError:
        return ""  # reading the tables says which file it is, and why
    return found.hexdigest()


@lru_cache(maxsize=8)
def _observed(release: int | None, folder: Path, stamp: str) -> xr.Dataset:
    """Read and join the tables; one run asks for the same ones from several rooms."""
    tables = read_tables(words.OBSERVED, folder=folder)
    children = tables["england_children"]
    releases = _releases(children)
    chosen = _chosen_release(release, releases=releases, folder=folder)
    _refuse_release_without_total(children, folder=folder)
    codes = list(tables["authorities"]["authority"])
    people, borrowed = splice_population(tables["population_england"], release=chosen)
    newest = chosen == releases[-1]
    index = price_index(tables["gdp_deflator"], last_year=9999 if newest else chosen + 1)
    arrays = {
        **children_of_england(children, release=chosen),
        **children_of_authorities(
            tables["authority_children"], england=children, codes=codes, release=chosen
        ),
        "mean_days_in_care": _mean_days(tables["care_duration"], release=chosen),
        "population_0_17": people,
        "population_projection": project_population(
            tables["population_england"], people=people, newest=newest
        ),
        **one_vintage(tables, codes=codes, release=chosen),
        "gdp_deflator": index,
    }
    observations = _with_coordinates(xr.Dataset(arrays), authorities=tables["authorities"])
    _name_sources(observations, tables=tables)
    notes = [*_single_vintages(chosen, newest=newest, deflator=str(index.attrs["vintage"])), *borrowed]
    return observations.assign_attrs(
        release=chosen, single_vintage_exceptions=json.dumps(notes, ensure_ascii=False), licence=LICENCE
    )


def load_programme_rollout(path: str | Path | None = None) -> pd.DataFrame:
    """When and where reform programmes started.

    One row per programme, authority and event; `date` is a year, a month or a day and may be empty.
    """
    folder = published_folder() if path is None else Path(path)
    return read_tables(("programme_rollout",), folder=folder)["programme_rollout"]


def load_authorities(path: str | Path | None = None) -> pd.DataFrame:
    """Every authority, of today or before, with its ONS code and how deprived its children are.

    Index three-digit code; beside the columns of ``authorities`` `edition`, `deprivation` and `deprivation_of`.
    """
    # Deprivation: share of children aged 0 to 15 in families on low income, missing where the index has none; `of`
    # says whose figure it is where that is another area's.
    folder = published_folder() if path is None else Path(path)
    held = (folder / "deprivation.csv").is_file()  # snapshots made before the index came in have none
    tables = read_tables(("deprivation",) if held else ("authorities",), folder=folder)
    authorities, columns = tables["authorities"].set_index("authority"), ["edition", "value", "note"]
    index = tables["deprivation"].set_index("authority") if held else pd.DataFrame(columns=columns)
    newest = index.loc[index["edition"] == index["edition"].max(), columns]
    return authorities.join(newest.set_axis(["edition", "deprivation", "deprivation_of"], axis=1))


def _chosen_release(release: int | None, *, releases: list[int], folder: Path) -> int:
    """Take the release asked for, or the newest; refuse one that the tables do not hold."""
    if release is None:
        return releases[-1]
    if release not in releases:
        raise InputError(
            f"there is no release {release}",
            file=folder / "england_children.csv",
            field="release",
            found=release,
            allowed=", ".join(str(value) for value in releases),
        ).advice(
            "release 2020 is not available in this series; a year after the newest is not out yet",
            remedy="name one of the releases listed, or leave it out for the newest",
        )
    return int(release)


def _refuse_release_without_total(children: pd.DataFrame, *, folder: Path) -> None:
    """Every release printed the stock of its own year; one without it was cut off between two rows."""
    stock = children[(children["measure"] == "stock") & (children["breakdown"] == "total")]
    complete = set(stock.loc[stock["year"] == stock["release"], "release"])
    missing = sorted(set(children["release"]) - complete)
    if missing:
        raise InputError(
            "a release has no stock for its own year",
            file=folder / "england_children.csv",
            field="column release",
            found=f"release {missing[0]} without a row stock, total, {missing[0]}",
            allowed="every release holds the number looked after at 31 March of its year",
        ).advice(
            "the table was cut off between two rows, or a release was added in part",
            remedy="restore the missing rows from the release",
        )


def _mean_days(table: pd.DataFrame, *, release: int) -> xr.DataArray:
    known = as_known(table, release=release, key=["year", "measure"])
    return to_array(
        known,
        dims={"year": ("year", range(FIRST_YEAR, release + 1))},
        value="days",
        units="days",
        long_name="mean length of the last period of care of children ceasing in the year",
    )


def _with_coordinates(observations: xr.Dataset, *, authorities: pd.DataFrame) -> xr.Dataset:
    """Add names, regions and years of the authorities and the bounds of the stay bands."""
    bounds = np.array([words.DURATION_YEARS[str(band)] for band in observations["duration"].values])
    text = {name: authorities[name].to_numpy(dtype=str) for name in ("authority_name", "region")}
    years = {name: authorities[name].to_numpy() for name in ("first_year", "last_year")}
    return observations.assign_coords(
        duration_lower_years=("duration", bounds[:, 0]), duration_upper_years=("duration", bounds[:, 1])
    ).assign_coords({name: ("authority", values) for name, values in {**text, **years}.items()})


def _name_sources(observations: xr.Dataset, *, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write into each variable who published it, under which title and with which keys."""
    titles = tables["sources"].set_index("source")
    readable = {}
    for name in words.OBSERVED:
        keys = sorted(tables[name]["source"].unique())
        readable[name] = "; ".join(
            f"{titles.loc[k, 'publisher']}: {titles.loc[k, 'title']} [{k}]" for k in keys
        )
    for variable, array in observations.data_vars.items():
        name = str(variable)
        start = next((word for word in _OTHER_TABLES if name.startswith(word)), "")
        table = "authority_children" if "_by_authority" in name else "england_children"
        if name in words.ONE_VINTAGE:
            table = words.ONE_VINTAGE[name]["table"]
        elif start:
            table = _OTHER_TABLES[start]
        array.attrs["source"] = readable[table]


def _single_vintages(release: int, *, newest: bool, deflator: str) -> list[str]:
    """Sentences on the inputs that cannot be shown as known in the release."""
    if newest:
        return [
            f"gdp_deflator: vintage {deflator}, later than the release; years after it are forecasts",
            "population_projection: published after the release (2022-based)",
            f"spending, unit_cost_weekly: figures for {release} came out in the months after the release",
        ]
    return [
        f"gdp_deflator: one vintage ({deflator}), cut after {release + 1}; its later revisions are included",
        f"spending: section 251 exists in one vintage, cut at {release}",
        f"unit_cost_weekly: one vintage, cut at {release}",
        f"children_in_need: one vintage (release 2024), cut at {release}",
        f"population_by_authority: one vintage, rebased to the 2021 census, cut at mid-{release - 1}",
        "population_projection: the only projection is 2022-based and was not known; it is left missing",
    ]
