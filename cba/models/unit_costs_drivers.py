"""What spending follows, as published: children in homes and foster care, care leavers, orders, children in need."""

from __future__ import annotations

import xarray as xr

from cba.errors import InputError

FIRST_ACCOUNT = 2013
"""2012-13: before it the form had other definitions (social work moved into safeguarding in 2011-12)."""

DRIVERS = (
    "homes",
    "fostered",
    "leavers",
    "guardianship",
    "unaccompanied",
    "looked_after",
    "need",
    "population",
)
"""Counts that spending follows."""

LEAVER_YEARS = 4
"""Years for which a young person who left care at 16 or over counts as a care leaver: to about 21."""

GUARDIANSHIP_YEARS = 12
"""Years for which a guardianship order counts: made at about six on average, it ends at 18."""

FIRST_GUARDIANSHIP = 2006
"""Special guardianship began on 30 December 2005; orders before the first published year rise to it evenly."""


def published_drivers(observations: xr.Dataset) -> xr.DataArray:
    """Counts that spending follows, each year from 2012-13.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.

    Returns
    -------
    DataArray, dims (year, driver), children, orders still running or episodes of need
        Years from :data:`FIRST_ACCOUNT` to the release, of those with every driver.

    Raises
    ------
    InputError
        If the release has no year with every driver.

    Notes
    -----
    Children in homes were not published apart from other residential settings before 2018: for earlier years the
    share of looked-after children in homes of the first year that is.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> counts = published_drivers(load_observations(2024))
    >>> counts.sel(year=2024, driver=["homes", "leavers", "need"]).values.tolist()
    [8640.0, 60150.0, 399460.0]
    """
    stock = observations["stock"]
    placed = observations["stock_by_placement"].sel(placement="childrens_home")
    first = (placed / stock).dropna("year")
    if first.sizes["year"] == 0:
        raise _no_drivers("stock_by_placement", "releases before 2021 group placements differently")
    leaving = observations["ceases_by_age"].sel(age="16_plus", drop=True)
    counts = {
        "homes": placed.drop_vars("placement").fillna(stock * float(first[0])),
        "fostered": observations["stock_by_placement_published"].sel(
            placement_published="foster_all", drop=True
        ),
        "leavers": leaving.rolling(year=LEAVER_YEARS).sum(),
        "guardianship": guardianship_orders(observations).rolling(year=GUARDIANSHIP_YEARS).sum(),
        "unaccompanied": observations["uasc_stock"],
        "looked_after": stock,
        "need": observations["children_in_need"].sel(measure="cin_at_31_march_episodes", drop=True),
        "population": observations["population_0_17"],
    }
    joined = xr.concat(
        [counts[name] for name in DRIVERS],
        dim=xr.Variable("driver", list(DRIVERS)),
        coords="minimal",
        compat="override",
    )
    known = joined.sel(year=slice(FIRST_ACCOUNT, None)).dropna("year").transpose("year", "driver")
    if known.sizes["year"] == 0:
        raise _no_drivers("children_in_need", "a release before 2013")
    return known.rename("drivers").reset_coords(drop=True)


def _no_drivers(field: str, cause: str) -> InputError:
    return InputError(
        "the release does not publish what spending is driven by",
        field=field,
        found="no year with every driver",
        allowed="at least one year from 2012-13",
        cause=cause,
        remedy="choose a release from 2021",
    )


def guardianship_orders(observations: xr.Dataset) -> xr.DataArray:
    """Special guardianship orders of each year, those before the first published year filled in.

    Parameters
    ----------
    observations : Dataset
        With ``sgo_orders`` (year).

    Returns
    -------
    DataArray, dims (year), orders
        Rising evenly from none before :data:`FIRST_GUARDIANSHIP` to the first published year.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> guardianship_orders(load_observations(2024)).sel(year=[2005, 2008, 2010]).values.tolist()
    [0.0, 756.0, 1260.0]
    """
    orders = observations["sgo_orders"]
    first = int(orders.dropna("year")["year"][0])
    rise = (orders["year"] - FIRST_GUARDIANSHIP + 1) / (first - FIRST_GUARDIANSHIP + 1)
    early = float(orders.sel(year=first)) * rise.clip(0.0)
    return orders.where(orders["year"] >= first, early)
