"""Children aged 0 to 17 in future years: the official projection where the frame has one, stated growth otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr


def future_population(observations: xr.Dataset, *, years: Sequence[int], growth: xr.DataArray) -> xr.DataArray:
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
