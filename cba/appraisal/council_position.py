"""One authority's place in the national account: its share of children and of care, and its own unit costs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.projection.care_system import authority_share

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

RECENT_YEARS = 3
"""Last published years whose unit costs say how dear an authority is against England."""

SERVICES = {"childrens_home": "residential_care", "foster": "fostering"}
"""Placement, or the beginning of its name, to the service whose published unit cost stands for it."""

HIDDEN = 5.0
"""Largest number of unaccompanied children that is suppressed; the smallest is 1."""


@dataclass(frozen=True)
class CouncilPosition:
    """What places one authority in the national account.

    Attributes
    ----------
    code, name, region : str
        Three-digit code, name and region.
    stock : float
        Looked-after children at the last published 31 March.
    children_share : float
        Share of England's children aged 0 to 17: its share of money.
    care_share : float
        Share of looked-after children who are not unaccompanied (of all of them where these are not published
        by authority): its share of every change in care.
    price_ratio : dict of str to ndarray, shape (sample,)
        Own unit cost over England's, by service: draws.
    price_years : dict of str to int
        Published years each ratio rests on; 0 where the authority has none and the spread of all stands in.
    """

    code: str
    name: str
    region: str
    stock: float
    children_share: float
    care_share: float
    price_ratio: dict[str, np.ndarray]
    price_years: dict[str, int]


def find_authority(seen: xr.Dataset, authority: str) -> str:
    """Return the code of an authority of today, by code or name.

    Parameters
    ----------
    seen : Dataset
        Observed series: give the authorities of the release.
    authority : str
        Three-digit code, or name in any case.

    Returns
    -------
    str
        Three-digit code.

    Raises
    ------
    InputError
        For an unknown authority, with near names, and for one that no longer exists.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> find_authority(load_observations(2024), "leeds")
    '383'
    """
    today = authority_share(seen)
    names = {str(c): str(n) for c, n in zip(seen["authority"].values, _names(seen), strict=True)}
    asked = authority.strip()
    found = [c for c, name in names.items() if asked == c or asked.casefold() == name.casefold()]
    current = [code for code in found if code in today]
    if current:
        return current[0]
    near = difflib.get_close_matches(
        asked.casefold(), [names[c].casefold() for c in today if c in names], n=3, cutoff=0.5
    )
    proper = {name.casefold(): name for name in names.values()}
    raise InputError(
        "the authority no longer exists" if found else "an unknown authority",
        field="authority",
        found=authority,
        allowed="the three-digit code or name of an authority of today",
        cause="a reorganisation" if found else "a spelling mistake, or an ONS code",
        remedy=f"did you mean {' or '.join(proper[n] for n in near)}?"
        if near
        else "see cba/inputs/published/authorities.csv",
    )


def _names(seen: xr.Dataset) -> np.ndarray:
    names: np.ndarray = (
        seen["authority_name"].values if "authority_name" in seen else seen["authority"].values
    )
    return names


def council_position(workings: Workings, authority: str) -> CouncilPosition:
    """Place one authority in the national account.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    authority : str
        Code or name, as :func:`find_authority` reads it.

    Returns
    -------
    CouncilPosition

    Raises
    ------
    InputError
        For an unknown authority, or one whose children in care are not published.

    Notes
    -----
    Ratio of unit costs: the mean of the log ratios of the last three published years plus what a new year
    brings, Normal with the pooled spread s within authorities: variance ``s^2 (1 + 1/n)``. An authority
    without unit costs has the mean and spread of all authorities.

    Examples
    --------
    >>> council_position(workings, "Leeds").care_share  # doctest: +SKIP
    """
    seen = workings.inputs.observations
    code = find_authority(seen, authority)
    own = seen.sel(authority=code)
    shares, stock = care_shares(seen)
    if code not in shares:
        raise InputError(
            "the authority's children in care are not published in this release",
            file="authority_children.csv",
            field="stock_by_authority",
            found=f"{code} missing in {int(stock['year'])}",
            allowed="a number",
            cause="suppression, or a reorganisation after the release",
            remedy="choose a later release",
        )
    ratios, years = _price_ratios(workings, code)
    name = str(own["authority_name"].values) if "authority_name" in own.coords else code
    region = str(own["region"].values) if "region" in own.coords else ""
    return CouncilPosition(
        code=code,
        name=name,
        region=region,
        stock=float(stock.sel(authority=code)),
        children_share=workings.system.authority_share[code],
        care_share=shares[code],
        price_ratio=ratios,
        price_years=years,
    )


def care_shares(seen: xr.Dataset) -> tuple[dict[str, float], xr.DataArray]:
    """Share of England's looked-after children by authority in the last published year.

    Parameters
    ----------
    seen : Dataset
        Observed series.

    Returns
    -------
    shares : dict of str to float
        By code; they sum to 1. Unaccompanied children are taken off where the same year publishes them.
    stock : DataArray, dims (authority)
        Looked-after children of that year, as published.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> shares, stock = care_shares(load_observations(2024))
    >>> round(sum(shares.values()), 12), len(shares)
    (1.0, 153)
    """
    stock = seen["stock_by_authority"].dropna("year", how="all").isel(year=-1)
    known = stock.dropna("authority")
    alone = seen["uasc_stock_by_authority"].sel(year=int(stock["year"]), authority=known["authority"])
    if alone.notnull().any():
        # A suppressed number stands in the middle of what it can be: 1 to 5, or to all the authority has.
        most = known.copy(data=np.minimum(known.values, HIDDEN))
        known = known - alone.fillna((np.minimum(most, 1.0) + most) / 2.0)
    share = known / known.sum()
    pairs = zip(share["authority"].values, share.values, strict=True)
    return {str(code): float(value) for code, value in pairs}, stock


def _price_ratios(workings: Workings, code: str) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Draws of own unit cost over England's by service, and the years they rest on."""
    size = workings.system.reach.size
    rng = np.random.default_rng([workings.inputs.analysis.seed, int(code)])
    ratios, years = {}, {}
    for service in SERVICES.values():
        mean, spread, years[service] = price_moments(workings.inputs.observations, service)[code]
        ratios[service] = np.exp(mean + spread * rng.standard_normal(size))
    return ratios, years


def price_moments(seen: xr.Dataset, service: str) -> dict[str, tuple[float, float, int]]:
    """Mean and spread of every authority's log ratio of unit cost to England's in a new year.

    Parameters
    ----------
    seen : Dataset
        Observed series.
    service : str
        Service of the published unit costs.

    Returns
    -------
    dict of str to (float, float, int)
        By code: mean, standard deviation and number of years it rests on.

    Raises
    ------
    InputError
        If the release has no unit costs by authority.

    Examples
    --------
    >>> from cba.inputs.observations import load_observations
    >>> mean, spread, years = price_moments(load_observations(2024), "fostering")["383"]
    >>> bool(0.6 < np.exp(mean) < 0.7), years
    (True, 3)
    """
    own = seen["unit_cost_weekly_by_authority"].sel(service=service).transpose("authority", "year")
    ratio = own.values / seen["unit_cost_weekly"].sel(service=service).values
    ratio = ratio[:, np.isfinite(ratio).any(axis=0)][:, -RECENT_YEARS:]
    if ratio.shape[1] == 0:
        raise InputError(
            "the release has no unit costs by authority",
            file="unit_costs.csv",
            field=f"unit_cost_weekly_by_authority, {service}",
            found="all missing",
            allowed="at least one year",
            cause="unit costs by authority begin in 2015-16",
            remedy="choose a release from 2017",
        )
    log_ratio = np.log(ratio)
    known = np.isfinite(log_ratio)
    count = known.sum(axis=1)
    means = np.where(known, log_ratio, 0.0).sum(axis=1) / np.maximum(count, 1)
    off = np.where(known, log_ratio - means[:, None], 0.0)
    within = np.sqrt((off**2).sum() / np.maximum(count - 1, 0).sum())
    others = means[count > 0]
    found = {}
    for code, mean, years in zip(own["authority"].values, means, count, strict=True):
        if years:
            found[str(code)] = (float(mean), float(within * np.sqrt(1.0 + 1.0 / years)), int(years))
        else:
            found[str(code)] = (float(others.mean()), float(others.std(ddof=1)), 0)
    return found
