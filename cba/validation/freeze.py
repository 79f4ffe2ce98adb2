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
from cba.inputs.safe_files import csv_text, frame_of
from cba.models.authority_shares import ShareWalk, authority_quantiles, share_paths, share_walk
from cba.tables.children import ALL_AGES, QUANTILES, quantile_rows
from cba.validation.authority_skill import CONSTANT, DRIFT, LAST
from cba.validation.backtest import LEAST_YEARS, known_at
from cba.validation.scores import AHEAD, REFERENCES, SHIPPED, drift, naive, scores

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


# --- What happened, held against every forecast written down beforehand, by the rule of the record's README ---


STORED = ("shipped", "frozen")
"""Forecasts from one release, in the order they were written."""


ALL_SIZES = "all"
"""Authorities of every size, beside the quarters by size (1: the smallest)."""


def outcomes(folder: Path, observations: xr.Dataset, *, origin: int) -> dict[str, pd.DataFrame]:
    """Score the forecasts written from one release against another as it first came out: its own year alone.

    ``outcome``: England, columns written, forecast, year, flow, age, unaccompanied, mean, outturn and those of
    `scores`; ``outcome_authorities``: those of `authority_outcomes`.
    """
    files = {written: frame_of(folder / f"{origin}_{written}.csv") for written in STORED}
    asked, year = outturns(observations), int(observations.attrs["release"])
    rows = []
    for written, table in files.items():
        for row in table[table["year"] == year].to_dict("records"):
            about = {name: row[name] for name in ("flow", "age", "unaccompanied")}
            happened = asked.get(tuple(about.values()))
            if happened is not None:
                label = {"written": written, "forecast": row.get("forecast", SHIPPED), "year": year}
                drawn = np.array([row[name] for name in QUANTILES])
                rows.append(
                    label | about | {"mean": row["mean"], "outturn": happened} | scores(drawn, happened)
                )
    stored = frame_of(folder / f"{origin}_frozen_authorities.csv", dtype={"authority": str})
    named = {"outcome": pd.DataFrame(rows), "outcome_authorities": authority_outcomes(stored, observations)}
    return named


def outturns(observations: xr.Dataset) -> dict[tuple[str, str, str], float]:
    """Return what happened in the year of a release, as published, by flow, age and which children."""
    now = observations.sel(year=int(observations.attrs["release"]))
    found = {(flow, ALL_AGES, EVERYONE): float(now[flow]) for flow in FLOWS}
    found |= {
        (flow, age, EVERYONE): float(now[f"{flow}_by_age"].sel(age=age))
        for flow in FLOWS
        for age in AGE_BANDS
    }
    alone = float(now["uasc_stock"])
    found |= {("stock", ALL_AGES, ALONE): alone, ("stock", ALL_AGES, OTHERS): float(now["stock"]) - alone}
    return {what: value for what, value in found.items() if np.isfinite(value)}


def authority_outcomes(stored: pd.DataFrame, observations: xr.Dataset) -> pd.DataFrame:
    """Score forecasts by authority, of those that exist unchanged and were published, in all and by quarter of size.

    Columns forecast, quarter, year, authorities, crps (mean, children), pit (mean), inside_80, inside_90 (shares), and
    less_<simple forecast> with its standard error over authorities.
    """
    year = int(observations.attrs["release"])
    happened = observations["stock_by_authority"].sel(year=year).dropna("authority").to_series()
    happened = happened[observations["first_year"].to_series().reindex(happened.index) < year]
    chosen = stored[(stored["year"] == year) & stored["authority"].isin(happened.index)]
    quantiles = [name for name in stored if name.startswith("q")]
    each = pd.DataFrame(
        scores(row[quantiles].to_numpy(float), happened[row["authority"]]) for _, row in chosen.iterrows()
    )
    each = each.assign(forecast=chosen["forecast"].to_numpy(), authority=chosen["authority"].to_numpy())
    size = chosen[chosen["forecast"] == SHIPPED].set_index("authority")["mean"]
    quarter = pd.qcut(size, 4, labels=["1", "2", "3", "4"])
    sizes = [ALL_SIZES, *quarter.cat.categories]
    groups = [(q, each if q == ALL_SIZES else each[each["authority"].map(quarter) == q]) for q in sizes]
    return pd.DataFrame(
        {"forecast": name, "quarter": q, "year": year} | _authority_scores(part, name)
        for name in each["forecast"].unique()
        for q, part in groups
    )


def _authority_scores(part: pd.DataFrame, name: str) -> dict[str, float]:
    wide = part.pivot(index="authority", columns="forecast", values="crps")
    own = part[part["forecast"] == name]
    row: dict[str, float] = {"authorities": len(own)}
    row |= {column: float(own[column].mean()) for column in ("crps", "pit", "inside_80", "inside_90")}
    for other in wide.columns.drop([name, SHIPPED], errors="ignore"):
        apart = (wide[name] - wide[other]).dropna()
        row |= {f"less_{other}": apart.mean(), f"less_{other}_se": apart.std(ddof=1) / np.sqrt(len(apart))}
    return row


def write_outcomes(folder: Path, observations: xr.Dataset, *, origin: int) -> tuple[Path, ...]:
    """Write both tables of `outcomes` beside the forecasts they score."""
    found = outcomes(folder, observations, origin=origin)
    for name, table in found.items():
        replace_file(folder / f"{origin}_{name}.csv", csv_text(table, float_format="%.6g"))
    return tuple(folder / f"{origin}_{name}.csv" for name in found)
