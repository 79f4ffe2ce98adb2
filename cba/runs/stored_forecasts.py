"""Forecasts that a stored run holds: equally weighted draws by quantity, age and year under its headline stance."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cba.runs.stored_runs import RunRecord

FORECASTS = "tables/forecasts.csv"
"""Forecasts of a run, over all its stances."""

Key = tuple[str, str, int]
"""Quantity, age band or ``all``, year ending 31 March."""


def run_forecasts(run: RunRecord) -> dict[Key, np.ndarray]:
    """Return the forecasts of a run under its headline stance.

    Parameters
    ----------
    run : RunRecord

    Returns
    -------
    dict of (quantity, age, year) to ndarray
        Equally weighted draws. Runs stored without a table of forecasts give those of the stock from their draws.

    Examples
    --------
    >>> run_forecasts(run)["stock", "all", 2025].size  # doctest: +SKIP
    200
    """
    stance = run.manifest["stances"][0]
    file = run.path / FORECASTS
    if file.is_file():
        with file.open(encoding="utf-8", newline="") as text:
            rows = [row for row in csv.DictReader(text) if row["stance"] == stance]
        return {
            (row["quantity"], row["age"], int(row["year"])): np.array(
                [float(value) for name, value in row.items() if name[0] == "q" and name[1:].isdigit()]
            )
            for row in rows
        }
    return _from_draws(run, stance=stance)


def _from_draws(run: RunRecord, *, stance: str) -> dict[Key, np.ndarray]:
    from cba.appraisal.forecasts import ALL_AGES, YEARS_AHEAD

    file = run.path / "stances" / stance / "draws.nc"
    if not file.is_file():
        return {}
    import xarray as xr

    with xr.open_datatree(file, engine="h5netcdf") as tree:
        held = tree["draws"].to_dataset()
        if "children" not in held:
            return {}
        children = held["children"].sel(option="bau").isel(year=slice(0, YEARS_AHEAD)).load()
    found: dict[Key, np.ndarray] = {}
    for year in map(int, children["year"].values):
        of_year = children.sel(year=year).transpose("sample", "age")
        found["stock", ALL_AGES, year] = of_year.values.sum(axis=-1)
        found |= {("stock", str(age), year): of_year.sel(age=age).values for age in of_year["age"].values}
    return found
