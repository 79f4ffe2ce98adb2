"""Payback: the first year from which cumulative discounted net saving stays at or above zero."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from cba.costs.discounting import discount_factors
from cba.decisions.draws import require_dims
from cba.errors import InputError


def payback_year(
    net_cash_flow: xr.DataArray, *, schedule: str = "green_book_2026", base_year: int
) -> xr.DataArray:
    """Year in which each draw pays back for good, or NaN for never within the horizon.

    Parameters
    ----------
    net_cash_flow : DataArray, dims (sample, year) and any others, GBP, undiscounted
        Positive is a net saving, programme and recurrent cost included. ``year`` is a coordinate of calendar
        years, none before `base_year`; they need not be consecutive.
    schedule : str
        Discount schedule, see `cba.costs.discount_factors`.
    base_year : int
        Year 0 of discounting.

    Returns
    -------
    DataArray, the dimensions of `net_cash_flow` without ``year``
        Year (as float), or NaN where the cumulative net is still below zero at the horizon. A stream that
        never spends pays back in its first year: it is never below zero.

    Raises
    ------
    InputError
        If ``year`` has no coordinate, repeats, or starts before `base_year`; if a value is not finite.

    Notes
    -----
    First T with ``sum_{t <= s} net(t) * factor(t - base_year) >= 0`` for every s from T to the horizon. A
    stream that breaks even early and is overtaken by later recurrent cost has not paid back by then. Rounding
    is allowed for: a shortfall below 1e-9 of the money moved so far counts as zero.

    Examples
    --------
    >>> flow = xr.DataArray(
    ...     [[-100.0, 60.0, 60.0], [-100.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    ...     dims=("sample", "year"), coords={"year": [2023, 2024, 2025]},
    ... )
    >>> payback_year(flow, schedule="green_book_2026", base_year=2023).values.tolist()
    [2025.0, nan, 2023.0]
    """
    require_dims(net_cash_flow, ("sample", "year"), field="net_cash_flow", exact=False)
    if "year" not in net_cash_flow.indexes:
        raise InputError(
            "years have no labels",
            field="year",
            found="a dimension without a coordinate",
            allowed="calendar years",
            remedy="net_cash_flow.assign_coords(year=range(first, last + 1))",
        )
    flow = net_cash_flow.sortby("year")
    years = np.asarray(flow["year"].values)
    if len(np.unique(years)) != len(years) or years[0] < base_year:
        raise InputError(
            "years repeat or start before the base year",
            field="year",
            found=f"{years[0]} to {years[-1]}, {len(years)} years, base year {base_year}",
            allowed="different calendar years from the base year on",
            cause="offsets in place of calendar years, or the wrong base year",
        )
    factors = xr.DataArray(discount_factors((years - base_year).astype(int), schedule), dims="year")
    present = flow * factors
    cumulative = present.cumsum("year")
    moved = abs(present).cumsum("year")
    short = cumulative < -1e-9 * moved
    return _year_after_last(short, years).rename("payback_year")


def _year_after_last(short: xr.DataArray, years: np.ndarray) -> xr.DataArray:
    """The year after the last one in which the stream is short; NaN where that is the horizon."""
    axis = short.get_axis_num("year")
    values = np.moveaxis(short.values, axis, -1)
    ever = values.any(axis=-1)
    last = len(years) - 1 - values[..., ::-1].argmax(axis=-1)
    place = np.where(ever, last + 1, 0)
    labels = np.append(years.astype(np.float64), np.nan)
    kept = short.isel(year=0, drop=True)
    return xr.DataArray(labels[place], dims=kept.dims, coords=kept.coords)


def payback_distribution(payback: xr.DataArray, years: np.ndarray | list[int]) -> pd.DataFrame:
    """Probability of having paid back by each year, and of never doing so within the horizon.

    Parameters
    ----------
    payback : DataArray, dims (sample,)
        From `payback_year`; NaN is never.
    years : array of int
        Years to report.

    Returns
    -------
    DataFrame, columns year, probability, cumulative, se
        Its last row has year "never"; `probability` sums to one when `years` covers the horizon; `se` is that
        of `cumulative` for independent draws (in the last row, of the probability of never).

    Raises
    ------
    InputError
        If there are no draws.

    Examples
    --------
    >>> payback = xr.DataArray([2025.0, 2025.0, np.nan, 2024.0], dims="sample")
    >>> table = payback_distribution(payback, [2024, 2025])
    >>> table[["year", "probability", "cumulative"]].values.tolist()
    [[2024, 0.25, 0.25], [2025, 0.5, 0.75], ['never', 0.25, 0.25]]
    """
    values = np.asarray(payback.values, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise InputError(
            "payback years must be one per draw",
            field="payback",
            found=dict(payback.sizes),
            allowed="dims (sample,)",
        )
    asked = [int(year) for year in years]
    exact = [float((values == year).mean()) for year in asked]
    reached = [float((values <= year).mean()) for year in asked]
    never = float(np.isnan(values).mean())
    cumulative = np.array([*reached, never])
    return pd.DataFrame(
        {
            "year": [*asked, "never"],
            "probability": [*exact, never],
            "cumulative": cumulative,
            "se": np.sqrt(cumulative * (1.0 - cumulative) / len(values)),
        }
    )
