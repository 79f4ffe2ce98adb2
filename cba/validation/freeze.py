"""Forecasts of business as usual written down before the next release is read, and simple ones beside them.

Made from the newest release and kept in ``inputs/forecast_record``, whose README says by which rule they are scored.
A forecast is written once: a test holds the hash of each file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.inputs import read_inputs
from cba.appraisal.workings import Workings, work_through
from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.inputs.analyses import load_analysis
from cba.inputs.files import replace_file
from cba.inputs.safe_files import csv_text
from cba.models.authority_shares import ShareWalk, authority_quantiles, share_paths, share_walk
from cba.tables.children import ALL_AGES, QUANTILES, quantile_rows
from cba.validation.authority_skill import CONSTANT, DRIFT, LAST
from cba.validation.backtest import LEAST_YEARS, known_at
from cba.validation.scores import AHEAD, REFERENCES, SHIPPED, drift, naive

FLOWS = {"stock": "children", "starts": "starts", "ceases": "ceases"}


AUTHORITY_LEVELS = tuple((np.arange(20) + 0.5) / 20)
"""Quantiles kept of each authority's forecast: equally weighted draws in all but name."""


EVERYONE, ALONE, OTHERS = "all", "yes", "no"
"""Which children a forecast is of: all, unaccompanied asylum-seeking children, or the others."""


Rows = dict[tuple[str, str, int], np.ndarray]


def england_forecasts(workings: Workings) -> pd.DataFrame:
    """Forecasts of England's stock, starts and ceases to the target year, and of simple methods for the stock.

    Columns forecast, year (ending 31 March), flow, age, unaccompanied, mean and 200 quantiles ``q001`` to ``q200``.
    """
    usual = workings.system.baseline.sel(year=slice(None, workings.inputs.analysis.target_year))
    years = [int(year) for year in usual["year"].values]
    kinds = {EVERYONE: _by_age(usual, FLOWS, years)}
    alone = usual["unaccompanied"].transpose("sample", "year").values
    stock = usual["children"].sum("age").transpose("sample", "year").values
    kinds[ALONE] = _totals("stock", alone, years)
    kinds[OTHERS] = _totals("stock", stock - alone, years) | _by_age(
        usual, {"starts": "starts_reachable"}, years
    )
    tables = [_table(rows, forecast=SHIPPED, unaccompanied=kind) for kind, rows in kinds.items()]
    past = known_at(years[0] - 1).known["stock"].dropna("year").values
    how = {"years": len(years), "draws": len(stock), "seed": workings.inputs.analysis.seed}
    tables += [
        _table(_totals("stock", method(past, **how), years), forecast=name, unaccompanied=EVERYONE)
        for name, method in REFERENCES.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _by_age(usual: xr.Dataset, flows: Mapping[str, str], years: list[int]) -> Rows:
    rows: Rows = {}
    for flow, name in flows.items():
        values = usual[name].transpose("sample", "year", "age").values
        rows |= _totals(flow, values.sum(axis=-1), years)
        rows |= {
            (flow, age, y): values[:, i, a] for i, y in enumerate(years) for a, age in enumerate(AGE_BANDS)
        }
    return rows


def _totals(flow: str, values: np.ndarray, years: list[int]) -> Rows:
    return {(flow, ALL_AGES, year): values[:, place] for place, year in enumerate(years)}


def _table(rows: Rows, *, forecast: str, unaccompanied: str) -> pd.DataFrame:
    table = quantile_rows(rows).rename(columns={"quantity": "flow"})
    table = table.assign(forecast=forecast, unaccompanied=unaccompanied)
    return table[["forecast", "year", "flow", "age", "unaccompanied", "mean", *QUANTILES]]


# --- Authorities: England's draws shared out, and simple methods on each authority's own past ---


def authority_forecasts(workings: Workings) -> pd.DataFrame:
    """Forecasts of children in care by authority, one to five years ahead; those as shipped add up to England's.

    Columns forecast, authority, year, mean and 20 quantiles ``q0.025`` to ``q0.975``.
    """
    seed, walk = workings.inputs.analysis.seed, share_walk(workings.inputs.observations)
    usual = workings.system.baseline["children"].sum("age").transpose("sample", "year")
    england = usual.values[:, :AHEAD]
    draws = {
        SHIPPED: england[..., None] * share_paths(walk, size=len(england), years=AHEAD, seed=seed),
        CONSTANT: england[..., None] * (walk.stock / walk.stock.sum()),
        LAST: simple_forecasts(naive, workings, walk, draws=len(england)),
        DRIFT: simple_forecasts(drift, workings, walk, draws=len(england)),
    }
    tables = [
        authority_quantiles(values, walk, levels=AUTHORITY_LEVELS).assign(forecast=name)
        for name, values in draws.items()
    ]
    found = pd.concat(tables, ignore_index=True).dropna()
    return found[["forecast", *found.columns.drop("forecast")]]


def simple_forecasts(
    method: Callable[..., np.ndarray], workings: Workings, walk: ShareWalk, *, draws: int
) -> np.ndarray:
    """Forecast each authority from its own past alone, (sample, ahead, authority); NaN where that is too short."""
    stock = workings.inputs.observations["stock_by_authority"].transpose("authority", "year")
    found = np.full((draws, AHEAD, walk.authority.size), np.nan)
    for place, code in enumerate(walk.authority):
        past = stock.sel(authority=code).dropna("year").values
        if past.size >= LEAST_YEARS and np.ptp(past):
            seed = workings.inputs.analysis.seed + place
            found[..., place] = method(past, years=AHEAD, draws=draws, seed=seed)
    return found


def write_forecasts(folder: Path, *, analysis: str = "latest") -> tuple[Path, ...]:
    """Write both tables of an analysis's newest release into a folder; refuses to write over a forecast."""
    inputs = read_inputs(load_analysis(analysis), stance="evidence")
    release = int(inputs.observations.attrs["release"])
    files = f"{release}_frozen.csv", f"{release}_frozen_authorities.csv"
    for name in files:
        if (folder / name).exists():
            raise InputError(
                "a forecast is written once",
                file=folder / name,
                found="a forecast from this release",
                allowed="none yet",
                cause="it was frozen before",
                remedy="freeze the forecast of the next release, or write into another folder to compare",
            )
    workings = work_through(inputs)
    for name, table in zip(files, (england_forecasts(workings), authority_forecasts(workings)), strict=True):
        replace_file(folder / name, csv_text(table, float_format="%.6g"))
    return tuple(folder / name for name in files)
