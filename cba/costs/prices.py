"""Price bases: moving money between the prices of different years, and from real terms to cash.

A year is the year ending 31 March. Every conversion is a ratio of one index, so going to another base year
and back changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.dimensions import PLACEMENTS
from cba.errors import InputError
from cba.models.unit_costs import spread_ahead
from cba.models.unit_costs_accounts import WEEKS, last_account_year

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


DEFLATOR_DIM = "deflator_year"


@dataclass(frozen=True, kw_only=True)
class PriceIndex:
    """Price level by year: published to the last year of the deflator, then growing at a stated rate.

    Attributes
    ----------
    published : DataArray, dims (deflator_year), index, > 0
        The GDP deflator as in ``load_observations()["gdp_deflator"]``; its base does not matter.
    growth_beyond : float or DataArray (sample), optional
        Yearly growth after the last published year, a proportion (0.02 is 2%). None refuses those years.

    Examples
    --------
    >>> import xarray as xr
    >>> deflator = xr.DataArray([100.0, 110.0], coords={"deflator_year": [2023, 2024]}, dims="deflator_year")
    >>> prices = PriceIndex(published=deflator, growth_beyond=0.02)
    >>> round(float(prices.index(2026)), 6)
    114.444
    """

    published: xr.DataArray
    growth_beyond: float | xr.DataArray | None = None

    def __post_init__(self) -> None:
        """Refuse an index with gaps, repeated years or values that are not positive."""
        _check_published(self.published)
        growth = self.growth_beyond
        if growth is not None and not bool(np.all(np.asarray(growth) > -1.0) and np.all(np.isfinite(growth))):
            raise InputError(
                "the assumed growth of prices is not usable",
                field="growth_beyond",
                found=float(np.min(growth)),
                allowed="finite proportions above -1",
                cause="a percentage typed for a proportion, or a gap",
                remedy="write 2% a year as 0.02",
            )

    @property
    def first_year(self) -> int:
        """First year of the published index."""
        return int(self.published[DEFLATOR_DIM].values.min())

    @property
    def last_year(self) -> int:
        """Last year of the published index; later years follow `growth_beyond`."""
        return int(self.published[DEFLATOR_DIM].values.max())

    def index(self, year: int) -> xr.DataArray:
        """Price level of one year, in the base of the published index.

        Parameters
        ----------
        year : int
            Year ending 31 March.

        Returns
        -------
        DataArray, dims () or (sample)
            With `sample` only where a growth rate per draw was needed.

        Raises
        ------
        InputError
            A year before the first one, or after the last one without a growth assumption.

        Examples
        --------
        >>> import xarray as xr
        >>> deflator = xr.DataArray([100.0], coords={"deflator_year": [2024]}, dims="deflator_year")
        >>> float(PriceIndex(published=deflator, growth_beyond=0.02).index(2025))
        102.0
        """
        if self.first_year <= year <= self.last_year:
            return self.published.sel({DEFLATOR_DIM: year}, drop=True)
        if year < self.first_year or self.growth_beyond is None:
            raise InputError(
                f"there is no price index for the year {year}",
                field=DEFLATOR_DIM,
                found=year,
                allowed=f"{self.first_year} to {self.last_year}",
                cause="a price year missing or mistyped, or a projection beyond the published deflator",
                remedy="correct the price year, or state growth_beyond for years after the last one",
            )
        last = self.published.sel({DEFLATOR_DIM: self.last_year}, drop=True)
        return last * (1.0 + self.growth_beyond) ** (year - self.last_year)


def deflate[Amount: (float, np.ndarray, xr.DataArray)](
    amount: Amount, *, from_year: int, to_year: int, deflator: xr.DataArray | PriceIndex
) -> Amount:
    """Money of one price base in the prices of another.

    Parameters
    ----------
    amount : float, ndarray or DataArray, GBP in prices of `from_year`
    from_year, to_year : int
        Price years (year ending 31 March).
    deflator : DataArray (deflator_year) or PriceIndex
        Price level; only ratios are used. A PriceIndex with growth per draw needs a DataArray as `amount`.

    Returns
    -------
    float, ndarray or DataArray, as `amount`, GBP in prices of `to_year`

    Raises
    ------
    InputError
        A year outside the index, or an index with gaps or values that are not positive.

    Notes
    -----
    ``amount * index(to_year) / index(from_year)``.

    Examples
    --------
    >>> import xarray as xr
    >>> deflator = xr.DataArray([80.0, 100.0], coords={"deflator_year": [2023, 2024]}, dims="deflator_year")
    >>> deflate(40.0, from_year=2023, to_year=2024, deflator=deflator)
    50.0
    """
    prices = deflator if isinstance(deflator, PriceIndex) else PriceIndex(published=deflator)
    factor = prices.index(to_year) / prices.index(from_year)
    if isinstance(amount, xr.DataArray):
        return (amount * factor).assign_attrs(amount.attrs)
    if factor.ndim:
        raise InputError(
            "this conversion differs by draw and the amount has no draws",
            field="amount",
            found=type(amount).__name__,
            allowed="a DataArray",
            cause=f"price growth after {prices.last_year} is uncertain",
            remedy="pass the amount as a DataArray: it then comes back with the dim `sample`",
        )
    return amount * float(factor)


def cash_index(years: Iterable[int], *, price_base: int, prices: PriceIndex) -> xr.DataArray:
    """Cash of each year that buys what one pound buys in the price base.

    Parameters
    ----------
    years : iterable of int
        Years ending 31 March.
    price_base : int
        Year of the real prices, where the index is 1.
    prices : PriceIndex

    Returns
    -------
    DataArray, dims (year) or (year, sample), ratio > 0
        Multiply real money by it to get cash; divide cash by it to get real money.

    Raises
    ------
    InputError
        A year outside the index.

    Notes
    -----
    ``index(year) / index(price_base)``.

    Examples
    --------
    >>> import xarray as xr
    >>> deflator = xr.DataArray([100.0, 104.0], coords={"deflator_year": [2022, 2023]}, dims="deflator_year")
    >>> cash_index([2022, 2023], price_base=2022, prices=PriceIndex(published=deflator)).values.tolist()
    [1.0, 1.04]
    """
    calendar = [int(year) for year in years]
    base = prices.index(price_base)
    levels = xr.broadcast(*[prices.index(year) / base for year in calendar])
    return xr.concat(levels, dim=xr.Variable("year", calendar)).rename("cash_index")


def _check_published(published: xr.DataArray) -> None:
    if published.dims != (DEFLATOR_DIM,) or DEFLATOR_DIM not in published.coords:
        raise InputError(
            "the deflator is not a series of years",
            field=DEFLATOR_DIM,
            found=f"dims {tuple(published.dims)}",
            allowed=f"one dim, {DEFLATOR_DIM}, with a coordinate of years ending 31 March",
            remedy=f"rename the dim of the index to {DEFLATOR_DIM}",
        )
    years = np.sort(published[DEFLATOR_DIM].values)
    gaps = np.flatnonzero(np.diff(years) != 1)
    if years.size == 0 or gaps.size:
        raise InputError(
            "the deflator has no years, a gap or a repeated year",
            field=DEFLATOR_DIM,
            found=f"{years[gaps[0]]} followed by {years[gaps[0] + 1]}" if gaps.size else "no years",
            allowed="every year once, from first to last",
            remedy="complete the series; a missing year is not interpolated",
        )
    wrong = ~(published.values > 0.0) | ~np.isfinite(published.values)
    if wrong.any():
        raise InputError(
            "the deflator holds a value that is not a positive number",
            field=f"{DEFLATOR_DIM}={published[DEFLATOR_DIM].values[wrong][0]}",
            found=published.values[wrong][0],
            allowed="> 0",
            cause="growth rates in place of an index, or an empty cell",
            remedy="chain the growth rates into an index before use",
        )


# --- Bring every money input to the price base of the run, once ---


CONVERTED = "price_base"
"""Attribute that marks a parameter as converted, so that it cannot be converted twice."""


def in_price_base(
    parameters: xr.Dataset, priors: PriorRegistry, *, price_base: int, prices: PriceIndex
) -> xr.Dataset:
    """Return the parameters with every entry in GBP restated in the price base.

    Same variables; money entries carry the attribute ``price_base``.
    """
    converted = parameters.copy()
    for name, entry in priors.entries.items():
        if entry.price_year is None or name not in parameters:
            continue
        if CONVERTED in parameters[name].attrs:
            raise InputError(
                "a money input would be converted twice",
                field=name,
                found=f"already in prices of {parameters[name].attrs[CONVERTED]}",
                allowed="money in its own price year",
                cause="the conversion applied to its own result",
                remedy="convert the drawn parameters once",
            )
        factor = prices.index(price_base) / prices.index(int(entry.price_year))
        converted[name] = (parameters[name] * factor).assign_attrs(
            parameters[name].attrs | {CONVERTED: price_base}
        )
    return converted


# --- Paths of unit costs in real terms: growth that settles at a long-run pace, and what no equation … ---


LONG_RUN = ("unit_costs.real_earnings_growth", "unit_costs.growth_above_earnings")
"""Parts of the real growth at which unit costs settle."""


def growth_path(first: np.ndarray, *, settled: np.ndarray, half_life: np.ndarray, steps: int) -> np.ndarray:
    """Price index 1 to `steps` years after the base year.

    Shape (sample, step), ratio to the base year. ``exp(settled t + (first - settled) (1 - 2^(-t/H)) / (1 -
    2^(-1/H)))``. `first`, `settled`: real growth now and in the long run, log points a year.
    """
    decay = 0.5 ** (np.arange(steps)[None, :] / half_life[:, None])
    growth = settled[:, None] + (first - settled)[:, None] * decay
    return np.exp(np.cumsum(growth, axis=1))


def unit_cost_path(
    parameters: xr.Dataset, costs: tuple[str, ...], *, steps: int, settles: bool = True
) -> np.ndarray:
    """Real unit cost 1 to `steps` years ahead, as a ratio to its true level today.

    Shape (sample, step), above 0. ``growth path x exp(surprise x spread)``. `costs`: first parts of the
    names, for example ``("unit_costs.residential",)``; of several the average growth.
    """
    # `parameters`, dims (sample): with ``X_growth`` and ``X_surprise`` of each cost, ``lasting_share`` and
    # ``error_share`` of its set, the half-life of growth, the growth of earnings and the long-run growth
    # above it. `settles`: whether growth settles at that of earnings and what is above it; at none otherwise.
    group = costs[0].partition(".")[0]
    half_life = parameters["unit_costs.growth_half_life"].values
    first = np.mean([parameters[f"{cost}_growth"].values for cost in costs], axis=0)
    surprise = np.mean([parameters[f"{cost}_surprise"].values for cost in costs], axis=0)
    settled = (
        np.sum([parameters[name].values for name in LONG_RUN], axis=0) if settles else np.zeros_like(first)
    )
    spread = spread_ahead(
        steps,
        lasting=parameters[f"{group}.lasting_share"].values,
        error=parameters[f"{group}.error_share"].values,
        half_life=half_life,
    )
    path = growth_path(first, settled=settled, half_life=half_life, steps=steps)
    return path * np.exp(surprise[:, None] * spread)


# --- What a placement costs in each year, real terms: today's average and a path of real growth that … ---


FOSTER = ("foster_relative_or_friend", "foster_in_house", "foster_agency")


@dataclass(frozen=True)
class PlacementPrices:
    """Average yearly cost of a placement."""

    year: int  # last year with published unit costs
    today: np.ndarray  # (sample, placement): average cost in that year, GBP of the price base
    path: np.ndarray  # (sample, year, placement): average cost in each later year, GBP of the price base


def placement_prices(
    observations: xr.Dataset,
    parameters: xr.Dataset,
    *,
    years: np.ndarray,
    price_base: int,
    prices: PriceIndex,
) -> PlacementPrices:
    """Average yearly cost of a placement today and in each year, GBP of the price base.

    The fostering average is split so that relatives, in-house and agency placements, weighted by their
    numbers, give the published average, with agency dearer by ``unit_costs.agency_premium``.
    """
    # `years`: years ending 31 March, all after the last published unit cost.
    base_year = last_account_year(observations)
    value = {str(n): parameters[n].values for n in parameters.data_vars}
    today = _prices_today(observations, value, year=base_year, price_base=price_base, prices=prices)
    steps = np.asarray(years) - base_year
    growth = _growth_by_placement(parameters, steps=int(steps[-1]))
    path = np.stack([today[p][:, None] * growth[p][:, steps - 1] for p in PLACEMENTS], axis=-1)
    return PlacementPrices(base_year, np.stack([today[p] for p in PLACEMENTS], axis=-1), path)


def _prices_today(
    observations: xr.Dataset,
    value: Mapping[str, np.ndarray],
    *,
    year: int,
    price_base: int,
    prices: PriceIndex,
) -> dict[str, np.ndarray]:
    """Average yearly cost by placement in the last published year, (sample,), GBP of the price base."""
    weekly = observations["unit_cost_weekly"].sel(year=year)
    factor = np.asarray(prices.index(price_base) / prices.index(year), dtype=float)
    factor = np.broadcast_to(factor, value["unit_costs.agency_premium"].shape)
    average = {
        service: float(weekly.sel(service=service))
        * WEEKS
        * factor
        * np.exp(value[f"unit_costs.{name}_level"])
        for service, name in (("residential_care", "residential"), ("fostering", "fostering"))
    }
    counts = (
        observations["stock_by_placement"].sel(placement=list(FOSTER)).dropna("year").isel(year=-1).values
    )
    today = {"childrens_home": average["residential_care"]}
    today |= foster_prices(
        average["fostering"],
        counts=counts,
        relative_ratio=value["unit_costs.relative_foster_ratio"],
        premium=value["unit_costs.agency_premium"],
    )
    for name in ("supported_accommodation", "other_residential", "with_parents"):
        today[name] = value[f"unit_costs.{name}"] * WEEKS
    return today | {"placed_for_adoption": today["with_parents"]}


def _growth_by_placement(parameters: xr.Dataset, *, steps: int) -> dict[str, np.ndarray]:
    """Price index by placement, (sample, step): homes, fostering, and others in between."""
    residential, fostering = "unit_costs.residential", "unit_costs.fostering"
    home, foster, between = (
        unit_cost_path(parameters, costs, steps=steps)
        for costs in ((residential,), (fostering,), (residential, fostering))
    )
    dearer = {"childrens_home": home, "supported_accommodation": between, "other_residential": between}
    return {name: dearer.get(name, foster) for name in PLACEMENTS}


def foster_prices(
    average: np.ndarray, *, counts: np.ndarray, relative_ratio: np.ndarray, premium: np.ndarray
) -> dict[str, np.ndarray]:
    """Split the average cost of fostering into relatives, in-house and agency. `counts` (3,), children."""
    relative, own, agency = counts / counts.sum()
    in_house = (average - agency * premium) / (relative * relative_ratio + own + agency)
    if (in_house <= 0).any() or (in_house + premium <= 0).any():
        dear = (in_house <= 0).any()
        raise InputError(
            "a foster placement would cost nothing or less",
            file="priors/costs.toml",
            field="unit_costs.agency_premium",
            found=float(premium.max() if dear else premium.min()),
            allowed="premiums that leave every foster price above 0",
            cause="a premium wider than the average cost of fostering allows",
            remedy="narrow the prior",
        )
    return dict(zip(FOSTER, (in_house * relative_ratio, in_house, in_house + premium), strict=True))
