"""Section 251 spending by part, as published, and how much of each part follows which driver.

A part that is made of several published lines with different drivers follows a fixed-weight index of them,
with the shares of the last year in which the lines were published apart.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from cba.errors import InputError

# --- What spending follows, as published: children in homes and foster care, care leavers, orders, … ---


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

    Dims (year, driver), children, orders still running or episodes of need. Years from `FIRST_ACCOUNT` to the
    release, of those with every driver.
    """
    # Children in homes were not published apart from other residential settings before 2018: for earlier
    # years the share of looked-after children in homes of the first year that is.
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

    Dims (year), orders. Rising evenly from none before `FIRST_GUARDIANSHIP` to the first published year.
    """
    orders = observations["sgo_orders"]
    first = int(orders.dropna("year")["year"][0])
    rise = (orders["year"] - FIRST_GUARDIANSHIP + 1) / (first - FIRST_GUARDIANSHIP + 1)
    early = float(orders.sel(year=first)) * rise.clip(0.0)
    return orders.where(orders["year"] >= first, early)


WEEKS = 365.0 / 7.0
"""Weeks in a year, as in the published unit costs (expenditure / children / 365 x 7)."""


PARTS = ("homes", "fostering", "leaving_care", "other_care", "safeguarding", "family_support")
"""Parts of spending; the first four are spending on looked-after children."""


GROUPS: Mapping[str, tuple[str, ...]] = {
    "total_cla": PARTS[:4],
    "total_safeguarding": ("safeguarding",),
    "total_family_support": ("family_support",),
}
"""Published group totals and the parts they are made of."""


MADE_OF: Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]] = {
    "homes": ("homes", {}),
    "fostering": ("fostered", {}),
    "leaving_care": ("leavers", {}),
    "other_care": (
        "looked_after",
        {"guardianship": ("special_guardianship",), "unaccompanied": ("asylum_children",)},
    ),
    "safeguarding": ("population", {"need": ("social_work",)}),
    "family_support": (
        "population",
        {
            "need": (
                "targeted_family_support",
                "direct_payments",
                "short_breaks_disabled",
                "other_disabled",
            )
        },
    ),
}
"""Part to the driver of most of it, and the published lines in it that follow another driver."""


def published_spending(observations: xr.Dataset) -> xr.DataArray:
    """Gross expenditure by part, as published.

    Dims (year, part), GBP million, cash. From `FIRST_ACCOUNT` to the last year with unit costs; parts of a
    group add up to its total.
    """
    # Fostering is its published line, or in years without detail the published weekly cost times children
    # fostered; other care is what remains of the group.
    last = last_account_year(observations)
    spending = observations["spending"].sel(year=slice(FIRST_ACCOUNT, last))
    fostered = observations["stock_by_placement_published"].sel(placement_published="foster_all")
    weekly = observations["unit_cost_weekly"].sel(service="fostering")
    bought = (fostered * weekly * WEEKS / 1e6).sel(year=spending["year"]).drop_vars(["service"])
    lines = {
        name: spending.sel(line=name, drop=True) for name in (*GROUPS, "residential_care", "leaving_care")
    }
    _require_published(lines)
    fostering = spending.sel(line="fostering", drop=True).fillna(bought)
    parts = {
        "homes": lines["residential_care"],
        "fostering": fostering,
        "leaving_care": lines["leaving_care"],
        "other_care": lines["total_cla"] - lines["residential_care"] - lines["leaving_care"] - fostering,
        "safeguarding": lines["total_safeguarding"],
        "family_support": lines["total_family_support"],
    }
    table = np.stack([np.asarray(parts[name].values) for name in PARTS], axis=-1)
    return xr.DataArray(
        table, dims=("year", "part"), coords={"year": spending["year"].values, "part": list(PARTS)}
    )


def last_account_year(observations: xr.Dataset) -> int:
    """Last year with published unit costs of children's homes and of fostering."""
    known = observations["unit_cost_weekly"].sel(service=["residential_care", "fostering"]).dropna("year")
    if known.sizes["year"] == 0:
        raise InputError(
            "no unit costs are published in this release",
            field="unit_cost_weekly",
            found="all missing",
            allowed="at least one year",
            cause="unit costs begin in 2015-16",
            remedy="choose a release from 2017",
        )
    return int(known["year"].values[-1])


def _require_published(lines: Mapping[str, xr.DataArray]) -> None:
    for name, amounts in lines.items():
        missing = amounts["year"].values[~np.isfinite(amounts.values)]
        if missing.size:
            raise InputError(
                "the outturn has no value for a year that the accounts are reconciled with",
                file="spending_england.csv",
                field=f"spending line {name}",
                found=f"missing in {int(missing[0])}",
                allowed=f"a published value in every year from {FIRST_ACCOUNT}",
                cause="an incomplete release",
                remedy="complete spending_england.csv or choose an earlier release",
            )


def driver_weights(observations: xr.Dataset) -> tuple[xr.DataArray, int]:
    """Share of each part's spending that follows each driver, in the last year with published detail.

    Returns `weights`, dims (part, driver): shares; rows sum to 1. `year`: year ending 31 March they belong
    to.
    """
    lines = sorted({line for _, apart in MADE_OF.values() for group in apart.values() for line in group})
    spent = published_spending(observations)
    detail = observations["spending"].sel(line=lines, year=spent["year"]).dropna("year")
    if detail.sizes["year"] == 0:
        raise InputError(
            "no year has spending by line",
            file="spending_england.csv",
            field=f"spending lines {', '.join(lines)}",
            found="missing in every year",
            allowed="at least one year from 2012-13",
            cause="an incomplete release",
            remedy="complete spending_england.csv",
        )
    year = int(detail["year"][-1])
    now, whole = detail.sel(year=year), spent.sel(year=year)
    shares = np.zeros((len(PARTS), len(DRIVERS)))
    for row, (part, (main, apart)) in enumerate(MADE_OF.items()):
        for driver, group in apart.items():
            shares[row, DRIVERS.index(driver)] = float(now.sel(line=list(group)).sum() / whole.sel(part=part))
        shares[row, DRIVERS.index(main)] = 1.0 - shares[row].sum()
    coords = {"part": list(PARTS), "driver": list(DRIVERS)}
    return xr.DataArray(shares, dims=("part", "driver"), coords=coords), year


def driver_index(counts: xr.DataArray, *, weights: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    """Fixed-weight index of the drivers of each part.

    Dims (..., part), ratio to the reference year. ``sum_j w_j X_j / X_j(reference)``. `counts`, dims
    (..., driver); `weights`, dims (part, driver); `reference`, dims (driver).
    """
    return xr.dot(counts / reference, weights, dim="driver")
