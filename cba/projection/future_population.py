"""Children aged 0 to 17 in future years: the official projection where there is one, stated growth beyond."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr


def future_population(
    observations: xr.Dataset, *, years: Sequence[int], growth: xr.DataArray
) -> xr.DataArray:
    """Population used as denominator of each future year.

    Parameters
    ----------
    observations : Dataset
        ``population_projection`` (population_year), rebased to the last estimate; missing in older releases.
    years : sequence of int
        Years ending 31 March, each using the population of the 30 June before.
    growth : DataArray, dims (sample), log points a year
        Growth where no projection was published, and beyond the last projected year.

    Returns
    -------
    DataArray, dims (sample, year), children

    Examples
    --------
    Projected to 2025, then growing 1% a year.

    >>> known = xr.DataArray([1100.0], dims="population_year", coords={"population_year": [2025]})
    >>> last = xr.DataArray([1000.0], dims="year", coords={"year": [2024]})
    >>> frame = xr.Dataset({"population_projection": known, "population_0_17": last})
    >>> grown = xr.DataArray([0.01], dims="sample")
    >>> future_population(frame, years=[2025, 2026], growth=grown).round(1).values.tolist()
    [[1100.0, 1111.1]]
    """
    known = observations["population_projection"].dropna("population_year")
    last = observations["population_0_17"].dropna("year").isel(year=-1)
    anchor_year, anchor = int(last["year"]), float(last)
    columns = []
    for year in years:
        if year in known["population_year"].values:
            anchor_year, anchor = year, float(known.sel(population_year=year))
        columns.append(anchor * np.exp(growth.values * (year - anchor_year)))
    return xr.DataArray(np.stack(columns, axis=1), dims=("sample", "year"), coords={"year": list(years)})
