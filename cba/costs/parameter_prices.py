"""Bring every money input to the price base of the run, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from cba.costs.prices import PriceIndex
from cba.errors import InputError

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

CONVERTED = "price_base"
"""Attribute that marks a parameter as converted, so that it cannot be converted twice."""


def in_price_base(
    parameters: xr.Dataset, priors: PriorRegistry, *, price_base: int, prices: PriceIndex
) -> xr.Dataset:
    """Return the parameters with every entry in GBP restated in the price base.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        Joint draws, each money entry in its own price year.
    priors : PriorRegistry
        Says which entries are money and in which price year.
    price_base : int
        Year ending 31 March.
    prices : PriceIndex
        Deflator with its growth beyond the last published year.

    Returns
    -------
    Dataset
        Same variables; money entries carry the attribute ``price_base``.

    Raises
    ------
    InputError
        If the parameters were converted before.

    Examples
    --------
    >>> from cba.inputs.priors import load_priors
    >>> index = xr.DataArray(
    ...     [100.0, 106.0], coords={"deflator_year": [2022, 2023]}, dims="deflator_year"
    ... )
    >>> drawn = xr.Dataset({"legal.cost_per_case": ("sample", [1000.0])})  # in prices of 2021-22
    >>> prices = PriceIndex(published=index)
    >>> in_price_base(drawn, load_priors(), price_base=2023, prices=prices)["legal.cost_per_case"].values
    array([1060.])
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
