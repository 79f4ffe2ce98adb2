"""Published placement groups turned into the project's placements, on one footing across the 2023-24 recode.

Until the release of 2023 supported accommodation sat inside wider groups; in 2023-24 it received a code of
its own and part of it moved to `other`. Putting `independent_semi_supported` and `other` together bridges
the change. Foster care by carers who are not relatives or friends is parted into in-house and agency by who
provides it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from cba.dimensions import PLACEMENTS

IN_HOUSE = ("own_la", "other_la", "other_public")
"""Providers whose foster placements count as in-house."""

AGENCY = ("private", "voluntary")
"""Providers whose foster placements count as agency."""

RULE = (
    "childrens_home = secure and children's homes; supported_accommodation = independent, semi-independent "
    "and supported accommodation + other; "
    "other_residential = other residential settings + residential schools; "
    "foster_agency = private and voluntary share of foster placements in the stock, x all foster placements; "
    "foster_in_house = carers who are not relatives or friends, less agency (family and friends carers are "
    "approved by authorities)"
)
"""How the placements are built from the published groups; shown in the attributes."""


def _group(published: xr.DataArray, name: str) -> xr.DataArray:
    return published.sel(placement_published=name, drop=True)


def _childrens_homes(published: xr.DataArray) -> xr.DataArray:
    """Take secure and children's homes; where that sum is withheld, the wider group less its other part."""
    group = published.sel(placement_published="secure_childrens_homes_semi_independent", drop=True)
    part = published.sel(placement_published="semi_independent_unregulated", drop=True)
    return published.sel(placement_published="secure_and_childrens_homes", drop=True).fillna(group - part)


def agency_share(providers: xr.DataArray, *, published: xr.DataArray) -> xr.DataArray:
    """Agency share of foster placements with carers who are not relatives or friends, at 31 March.

    Parameters
    ----------
    providers : DataArray, dims (year, provider), children
        Children in foster care at 31 March by provider.
    published : DataArray, dims (year, placement_published), children
        Stock by published placement group.

    Returns
    -------
    DataArray, dims (year), share in [0, 1]

    Notes
    -----
    ``(private + voluntary) / all providers x foster_all / foster_other_carer``: the provider table covers all
    foster care, and the carers who are relatives or friends are taken to be in-house.

    Examples
    --------
    >>> providers = xr.DataArray([[60.0, 0.0, 0.0, 30.0, 10.0]], dims=("year", "provider"), coords={
    ...     "provider": ["own_la", "other_la", "other_public", "private", "voluntary"]})
    >>> published = xr.DataArray([[100.0, 80.0]], dims=("year", "placement_published"), coords={
    ...     "placement_published": ["foster_all", "foster_other_carer"]})
    >>> float(agency_share(providers, published=published)[0])
    0.5
    """
    agency = providers.sel(provider=list(AGENCY)).sum("provider", skipna=False)
    everyone = agency + providers.sel(provider=list(IN_HOUSE)).sum("provider", skipna=False)
    foster = published.sel(placement_published="foster_all", drop=True)
    other_carers = published.sel(placement_published="foster_other_carer", drop=True)
    return agency / everyone * foster / other_carers


def split_placements(
    published: xr.DataArray,
    *,
    foster_in_stock: xr.DataArray,
    providers: xr.DataArray,
    hidden: xr.DataArray,
    measure: str,
) -> xr.DataArray:
    """Children by placement, in the categories of :data:`cba.dimensions.PLACEMENTS`.

    Parameters
    ----------
    published : DataArray, dims (year, placement_published), children
        Stock, starts (first placement) or ceases (last placement) by published group.
    foster_in_stock : DataArray, dims (year, placement_published), children
        Stock by published group: providers are published for the stock only.
    providers : DataArray, dims (year, provider), children
        Children in foster care at 31 March by provider.
    hidden : DataArray, dims (year), bool
        Years in which `placed_for_adoption` was withheld as a small number: it enters as zero (1 to 5
        children in England).
    measure : str
        ``stock``, ``starts`` or ``ceases``, for the attributes.

    Returns
    -------
    DataArray, dims (year, placement), children
        A year is whole or missing altogether; parts add up to the published total within rounding to 10.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> stock = load_observations()["stock_by_placement"].sel(year=2024)
    >>> int(stock.sel(placement="childrens_home")), int(stock.sel(placement="supported_accommodation"))
    (8640, 10040)
    """
    group = partial(_group, published)
    adoption = group("placed_for_adoption")
    other_carers = group("foster_other_carer")
    agency = other_carers * agency_share(providers, published=foster_in_stock)
    parts = {
        "foster_relative_or_friend": group("foster_relative_or_friend"),
        "foster_in_house": other_carers - agency,
        "foster_agency": agency,
        "childrens_home": _childrens_homes(published),
        "supported_accommodation": group("independent_semi_supported") + group("other"),
        "other_residential": group("other_residential_settings") + group("residential_schools"),
        "with_parents": group("with_parents"),
        "placed_for_adoption": xr.where(hidden, 0.0, adoption),
    }
    stacked = xr.concat([parts[name] for name in PLACEMENTS], dim="placement", coords="minimal")
    result = stacked.assign_coords(placement=list(PLACEMENTS)).transpose("year", "placement")
    result = result.where(np.isfinite(result).all("placement"))
    providers_note = "" if measure == "stock" else "; provider shares are those of the stock in the same year"
    when = {"stock": "at 31 March", "starts": "first placement", "ceases": "last placement"}[measure]
    result.attrs = {
        "units": "children",
        "long_name": f"{measure} by placement ({when})",
        "derivation": RULE + providers_note,
    }
    return result
