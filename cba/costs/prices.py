"""Price bases: moving money between the prices of different years, and from real terms to cash.

A year is the year ending 31 March. Every conversion is a ratio of one index, so going to another base year
and back changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from cba.errors import InputError

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
