"""Spending, unit costs, prices, need and population by authority: inputs of which one vintage exists.

They were published once each, so they cannot be shown as known in an earlier release. For such a release
they are cut at its year and each is named in ``single_vintage_exceptions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from cba.inputs import published_categories as words
from cba.inputs.known_values import to_array
from cba.inputs.observed_children import FIRST_YEAR


def _described(array: xr.DataArray, *, units: str, long_name: str) -> xr.DataArray:
    array.attrs = {"units": units, "long_name": long_name}
    return array


def spending(
    tables: Mapping[str, pd.DataFrame], *, codes: Sequence[str], release: int
) -> dict[str, xr.DataArray]:
    """Gross section 251 expenditure, England by line and authorities by group.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        ``spending_england`` and ``spending_authority``.
    codes : sequence of str
        Three-digit authority codes.
    release : int
        Years after it are left out.

    Returns
    -------
    dict of str to DataArray, GBP million, cash
        ``spending``, dims (year, line); ``spending_by_authority``, dims (authority, year, line).

    Examples
    --------
    >>> from cba.inputs.published_tables import read_table
    >>> tables = {name: read_table(name) for name in ("spending_england", "spending_authority")}
    >>> float(spending(tables, codes=["383"], release=2024)["spending"].sel(year=2022, line="total_cla"))
    6127.41
    """
    years = ("year", range(FIRST_YEAR, release + 1))
    lines = sorted(tables["spending_england"]["line"].unique())
    england = to_array(
        tables["spending_england"], dims={"year": years, "line": ("line", lines)}, value="gbp_million"
    )
    councils = to_array(
        tables["spending_authority"],
        dims={"authority": ("authority", codes), "year": years, "line": ("line", lines)},
        value="gbp_million",
    )
    return {
        "spending": _described(
            england, units="GBP million, cash", long_name="gross expenditure, section 251 outturn, by line"
        ),
        "spending_by_authority": _described(
            councils,
            units="GBP million, cash",
            long_name="gross expenditure, section 251 outturn, by authority and group",
        ),
    }


def unit_costs(table: pd.DataFrame, *, codes: Sequence[str], release: int) -> dict[str, xr.DataArray]:
    """Weekly unit costs: England, regions and authorities.

    Parameters
    ----------
    table : DataFrame
        ``unit_costs``.
    codes : sequence of str
        Three-digit authority codes.
    release : int
        Years after it are left out.

    Returns
    -------
    dict of str to DataArray, GBP per child per week, cash
        dims (year, service), (authority, year, service) and (cost_region, year, service).

    Examples
    --------
    >>> from cba.inputs.published_tables import read_table
    >>> costs = unit_costs(read_table("unit_costs"), codes=["383"], release=2024)
    >>> float(costs["unit_cost_weekly"].sel(year=2024, service="residential_care"))
    6775.0
    """
    places = {"year": ("year", range(FIRST_YEAR, release + 1)), "service": ("service", words.SERVICES)}
    by_level = {level: table[table["level"] == level] for level in ("england", "region", "authority")}
    units = "GBP per child per week, cash"
    value = "gbp_per_child_week"
    dims = {"authority": ("area", codes), **places}
    regions = {"cost_region": ("area", sorted(by_level["region"]["area"].unique())), **places}
    return {
        "unit_cost_weekly": _described(
            to_array(by_level["england"], dims=places, value=value),
            units=units,
            long_name="average weekly unit cost, England (services are not comparable with each other)",
        ),
        "unit_cost_weekly_by_authority": _described(
            to_array(by_level["authority"], dims=dims, value=value),
            units=units,
            long_name="average weekly unit cost, by authority",
        ),
        "unit_cost_weekly_by_region": _described(
            to_array(by_level["region"], dims=regions, value=value),
            units=units,
            long_name="average weekly unit cost, by region",
        ),
    }


def price_index(table: pd.DataFrame, *, last_year: int) -> xr.DataArray:
    """GDP deflator by financial year, 2023-24 = 100, with its status as a coordinate.

    Parameters
    ----------
    table : DataFrame
        ``gdp_deflator``; of several vintages the latest is taken.
    last_year : int
        Years ending after it are left out.

    Returns
    -------
    DataArray, dims (deflator_year), index

    Examples
    --------
    >>> from cba.inputs.published_tables import read_table
    >>> float(price_index(read_table("gdp_deflator"), last_year=2024).sel(deflator_year=2022))
    88.773
    """
    latest = table[table["vintage"] == table["vintage"].max()]
    rows = latest[latest["year"] <= last_year]
    years = list(rows["year"])
    index = to_array(rows, dims={"deflator_year": ("year", years)}, value="deflator")
    index = index.assign_coords(deflator_status=("deflator_year", rows["status"].to_numpy(dtype=str)))
    index = _described(
        index, units="index, 2023-24 = 100", long_name="GDP deflator, financial year ending in the year named"
    )
    index.attrs["vintage"] = str(latest["vintage"].iloc[0])
    return index


def need_and_population(
    tables: Mapping[str, pd.DataFrame], *, codes: Sequence[str], release: int
) -> dict[str, xr.DataArray]:
    """Children in need (England) and population 0-17 by authority.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        ``children_in_need`` and ``population_authority``.
    codes : sequence of str
        Three-digit authority codes.
    release : int
        Years after it are left out; population of year t is that of mid-year t-1.

    Returns
    -------
    dict of str to DataArray
        ``children_in_need``, dims (year, measure); ``population_by_authority``, dims (authority, year).

    Examples
    --------
    >>> from cba.inputs.published_tables import read_table
    >>> tables = {name: read_table(name) for name in ("children_in_need", "population_authority")}
    >>> need = need_and_population(tables, codes=["383"], release=2024)["children_in_need"]
    >>> int(need.sel(year=2024, measure="cin_at_31_march_episodes"))
    399460
    """
    years = ("year", range(FIRST_YEAR, release + 1))
    people = tables["population_authority"].assign(year=lambda rows: rows["mid_year"] + 1)
    return {
        "children_in_need": _described(
            to_array(
                tables["children_in_need"],
                dims={"year": years, "measure": ("measure", words.NEEDS_MEASURES)},
                value="count",
            ),
            units="episodes, referrals, children or plans",
            long_name="children in need, referrals and child protection plans, England",
        ),
        "population_by_authority": _described(
            to_array(
                people, dims={"authority": ("authority", codes), "year": years}, value="population_0_17"
            ),
            units="people",
            long_name="children aged 0 to 17, mid-year before the year named, by authority",
        ),
    }
