"""A made-up appraisal, its tables and results taken from its own random draws, for testing what formats it.

Nothing in it is a finding: sizes are plausible so that charts have the shape of real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.inputs.analyses import Analysis
from tests.reporting.fake_beliefs import belief_tables
from tests.reporting.fake_decisions import decision_tables
from tests.reporting.fake_logs import log_tables
from tests.reporting.fake_tables import fixed_tables

OPTIONS = {
    "bau": "Business as usual",
    "care_review": "Care review, £2.6bn then £1bn a year",
    "care_review_injection_only": "Care review, money stops",
    "care_review_reinvest": "Care review, paid from savings",
    "family_help_only": "Family help only",
    "kinship_only": "Kinship support only",
    "foster_only": "Foster recruitment only",
}
_SCALE = dict(zip(OPTIONS, (0.0, 1.0, 0.5, 0.8, 0.8, 0.1, 0.0), strict=True))
_COST = dict(zip(OPTIONS, (0.0, 7.0, 2.2, 3.5, 6.0, 0.8, 0.4), strict=True))
PAYERS = ("council", "dfe", "dwp_hmrc")


@dataclass(frozen=True)
class FakeAppraisal:
    """What the reporting room reads of an appraisal."""

    analysis: Analysis
    stance: str
    option_labels: dict[str, str]
    children: xr.DataArray
    cash_flow: xr.DataArray
    npv: xr.DataArray
    tables: dict[str, pd.DataFrame]
    results: dict[str, dict[str, Any]]
    provenance: dict[str, Any]
    explorer: xr.Dataset | None = None


def make_analysis(**changes: Any) -> Analysis:
    """Return the specification the made-up appraisals share."""
    settings: dict[str, Any] = {
        "schema": 1,
        "name": "latest",
        "title": "Reform on the newest release",
        "frame": "latest",
        "release": 2024,
        "evidence_until": 2024,
        "options": tuple(OPTIONS),
        "start_year": 2026,
        "target_year": 2032,
        "price_base": 2024,
        "draws": 400,
        "tune": 500,
        "chains": 4,
        "seed": 7,
    }
    return Analysis.model_validate(settings | changes)


def make_appraisal(
    stance: str = "evidence",
    *,
    seed: int = 1,
    effect: float = 1.0,
    labels: dict[str, str] | None = None,
    undefined: bool = False,
    **changes: Any,
) -> FakeAppraisal:
    """Return a made-up appraisal; ``undefined`` empties its results as a review without enough draws does."""
    analysis = make_analysis(**changes)
    rng = np.random.default_rng(seed)
    years = np.arange(2025, 2056)
    names = {name: label for name, label in (labels or OPTIONS).items() if name in analysis.options}
    base = 83_600 * np.exp(np.cumsum(rng.normal(0.004, 0.02, (analysis.draws, years.size)), axis=1))
    share = effect * rng.normal(0.07, 0.06, analysis.draws)
    ramp = np.clip((years - 2026) / 6, 0, 1)
    children = np.stack([base * (1 - _SCALE[o] * share[:, None] * ramp) for o in names], axis=1)
    flows, components = _cash(children, list(names), years, rng, analysis)
    coords = {"sample": np.arange(analysis.draws), "option": list(names), "year": years}
    total = xr.DataArray(children, dims=("sample", "option", "year"), coords=coords)
    factors = xr.DataArray(1.035 ** -(years - 2026.0), coords={"year": years}, dims="year")
    horizon = {"year": slice(analysis.start_year, analysis.start_year + analysis.horizon - 1)}
    net = -flows.sum("line")
    npv = (net * factors).sel(horizon).sum("year").transpose("sample", "option")
    drawn = _Drawn(analysis, total, flows, net * factors, npv)
    results = {} if undefined else _results(drawn, names, analysis)
    keys = _results(drawn, names, analysis)
    if undefined:
        blank = dict.fromkeys(("mean", "median", "lower", "upper", "mcse"))
        results = {key: entry | blank for key, entry in keys.items()}
    return FakeAppraisal(
        analysis,
        stance,
        names,
        total,
        flows,
        npv,
        _tables(drawn, names, components, rng),
        results,
        _provenance(stance),
    )


@dataclass(frozen=True)
class _Drawn:
    analysis: Analysis
    children: xr.DataArray
    flows: xr.DataArray
    discounted: xr.DataArray
    npv: xr.DataArray


def _cash(children, options, years, rng, analysis):
    saving = -(children[:, :1] - children) * rng.lognormal(np.log(90_000), 0.3, (analysis.draws, 1, 1))
    running = (years >= 2026) & (years <= 2029)
    cost = np.array([_COST[o] for o in options])[None, :, None] * 1e9 / 14
    programme = cost * 2.6 * running * np.ones_like(saving) * rng.lognormal(0, 0.1, (analysis.draws, 1, 1))
    recurrent = cost * 1.0 * (years > 2029) * np.ones_like(saving)
    dead = 0.06 * cost * (years >= 2026) * np.ones_like(saving)
    lines = np.stack([programme, recurrent, 0.85 * saving, 0.15 * saving, dead], axis=-1)
    coords = {
        "sample": np.arange(analysis.draws),
        "option": options,
        "year": years,
        "payer": ("line", ["dfe", "dfe", "council", "dwp_hmrc", "council"]),
        "kind": ("line", ["programme", "recurrent", "saving", "saving", "deadweight"]),
    }
    return xr.DataArray(lines, dims=("sample", "option", "year", "line"), coords=coords), (
        "family_help",
        "kinship",
        "foster",
    )


def _stats(values, level=0.9) -> dict[str, float]:
    values = np.asarray(values, dtype=float)
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return {
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "lower": float(low),
        "upper": float(high),
    }


def _entry(label, unit, values) -> dict[str, Any]:
    values = np.asarray(values, dtype=float)
    return {
        "label": label,
        "unit": unit,
        **_stats(values),
        "level": 0.9,
        "mcse": float(values.std() / len(values) ** 0.5),
    }


def _chance(label, truth) -> dict[str, Any]:
    p = float(np.mean(truth))
    return {
        "label": label,
        "unit": "probability",
        "mean": p,
        "median": None,
        "lower": None,
        "upper": None,
        "level": 0.9,
        "mcse": (p * (1 - p) / len(truth)) ** 0.5,
    }


def _results(drawn: _Drawn, names, analysis) -> dict[str, dict[str, Any]]:
    found = {}
    year, bau = analysis.target_year, drawn.children.sel(option="bau")
    for option in names:
        stock = drawn.children.sel(option=option, year=year)
        fewer = bau.sel(year=year) - stock
        npv = drawn.npv.sel(option=option)
        saving = -drawn.flows.sel(option=option, year=year).isel(line=[2, 3]).sum("line")
        system = 2e5 * stock
        paid = _payback(drawn, option)
        never = np.isnan(paid)
        found |= {
            f"children_in_care_{year}.{option}": _entry("Children in care", "children", stock),
            f"fewer_children_{year}.{option}": _entry("Fewer children in care", "children", fewer),
            f"prob_fewer_30000_{year}.{option}": _chance("30,000 fewer", fewer >= 30_000),
            f"npv_fiscal.{option}": _entry("Net present value, fiscal", "GBP", npv),
            f"prob_npv_positive.{option}": _chance("Net saving", npv > 0),
            f"bcr.{option}": _entry("Benefit-cost ratio", "ratio", 0.4 + 0 * npv),
            f"payback_year.{option}": _entry("Payback year", "year", np.where(never, 2100, paid)),
            f"prob_never.{option}": _chance("Never pays back", never),
            f"gross_saving_total.{option}": _entry("Gross saving", "GBP", 9 * saving),
            f"annual_saving_{year}.{option}": _entry("Yearly saving", "GBP", saving),
            f"prob_annual_saving_1bn_{year}.{option}": _chance("Saving of £1bn", saving >= 1e9),
            f"system_cost_{year}_cash.{option}": _entry("System cost, cash", "GBP", system),
            f"system_cost_{year}_real.{option}": _entry("System cost, 2021-22 prices", "GBP", 0.8 * system),
            f"prob_system_cost_15bn_{year}_cash.{option}": _chance("£15bn, cash", system >= 15e9),
            f"prob_system_cost_15bn_{year}_real.{option}": _chance("£15bn, real", 0.8 * system >= 15e9),
        }
        if option == "bau":
            blank = dict.fromkeys(("mean", "median", "lower", "upper", "mcse"))
            found[f"bcr.{option}"] |= blank
            found[f"payback_year.{option}"] |= blank
    return found


def _payback(drawn: _Drawn, option: str) -> np.ndarray:
    start = drawn.analysis.start_year
    window = drawn.discounted.sel(option=option, year=slice(start, start + drawn.analysis.horizon - 1))
    ahead = window.cumsum("year").transpose("sample", "year").values >= 0
    stays = np.flip(np.logical_and.accumulate(np.flip(ahead, 1), axis=1), 1)
    return np.where(stays.any(1), start + stays.argmax(1), np.nan)


def _by_year(values: xr.DataArray, names) -> pd.DataFrame:
    rows = [
        {"option": option, "year": int(year), **_stats(values.sel(option=option, year=year))}
        for option in names
        for year in values.year
    ]
    return pd.DataFrame(rows)


def _tables(drawn: _Drawn, names, components, rng) -> dict[str, pd.DataFrame]:
    children = drawn.children
    tables = {
        "history": pd.DataFrame(
            {
                "year": np.arange(2010, 2025),
                "stock": np.linspace(64_400, 83_630, 15).round(-1),
                "starts": np.linspace(28_090, 33_000, 15).round(-1),
                "ceases": np.linspace(25_310, 33_050, 15).round(-1),
            }
        ),
        "children_by_year": _by_year(children, names),
        "fewer_children_by_year": _by_year(children.sel(option="bau") - children, names),
        "starts_by_year": _by_year(0.4 * children, names),
        "net_by_year": _net(drawn, names),
        "cash_flow_by_year": _cash_table(drawn, names),
        "npv": _npv(drawn, names),
        "system_cost_by_year": pd.concat(
            [
                _by_year(children * factor * 1.6e5, names).assign(price=price)
                for price, factor in (("real", 1.0), ("prices_of_2021-22", 0.9), ("cash", 1.2))
            ],
            ignore_index=True,
        ),
        "attribution": pd.DataFrame(
            [
                {
                    "option": o,
                    "component": c,
                    "fewer_children": 2500 * s * w,
                    "npv": (-3e9 if c == "family_help" else -2e8) * s,
                }
                for o, s in _SCALE.items()
                if o in names
                for c, w in zip(components, (0.9, 0.1, 0.0), strict=True)
            ]
        ),
    }
    start = drawn.analysis.start_year
    if "care_review" in names:
        tables |= (
            decision_tables(names, horizon=range(start, start + drawn.analysis.horizon)) | belief_tables()
        )
    fixed = fixed_tables(names)
    return tables | fixed | log_tables(fixed["priors"], names)


def _net(drawn: _Drawn, names) -> pd.DataFrame:
    net = -drawn.flows.sum("line")
    start = drawn.analysis.start_year
    frame = _by_year(net, names).drop(columns="median")
    running = drawn.discounted.where(drawn.discounted.year >= start, 0.0).cumsum("year")
    total = _by_year(running, names)
    for field in ("mean", "lower", "upper"):
        frame[f"cumulative_{field}"] = total[field]
    frame["prob_cumulative_positive"] = [
        float((running.sel(option=o, year=y) > 0).mean())
        for o, y in zip(frame["option"], frame["year"], strict=True)
    ]
    return frame[frame["year"] >= start].reset_index(drop=True)


def _cash_table(drawn: _Drawn, names) -> pd.DataFrame:
    rows = []
    for position in range(drawn.flows.sizes["line"]):
        line = drawn.flows.isel(line=position)
        frame = _by_year(line, names).drop(columns="median")
        rows.append(frame.assign(payer=str(line.payer.item()), kind=str(line.kind.item())))
    return pd.concat(rows, ignore_index=True)


def _npv(drawn: _Drawn, names) -> pd.DataFrame:
    rows = []
    for option, label in names.items():
        npv, long = drawn.npv.sel(option=option), drawn.discounted.sel(option=option).sum("year")
        error = float(npv.std()) / npv.size**0.5
        rows.append(
            {
                "option": option,
                "label": label,
                **_stats(npv),
                "mcse": error,
                "prob_positive": float((npv > 0).mean()),
                "prob_negative": float((npv < 0).mean()),
                "prob_mcse": 0.005,
                "npv_long_mean": float(long.mean()),
                "npv_long_lower": float(long.quantile(0.05)),
                "npv_long_upper": float(long.quantile(0.95)),
                "prob_long_positive": float((long > 0).mean()),
            }
        )
    return pd.DataFrame(rows)


def _provenance(stance: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "versions": {"cba": "0.1.0", "python": "3.13.1"},
        "seed": 7,
        "fingerprints": {"priors": "ab12", "data": "cd34"},
        "single_vintage_exceptions": ["GDP deflator: one vintage, cut at the frame's year"],
        "evidence_until": 2024,
        "release": 2024,
        "sources": [{"title": "Children looked after in England", "publisher": "DfE", "licence": "OGL"}],
    }
    if stance == "review":
        found["review"] = {
            "probability": 0.0005,
            "mcse": 0.0005,
            "draws": 1,
            "claims": "30,000 fewer",
        }
    return found


def make_stances(**changes: Any) -> list[FakeAppraisal]:
    """Return the three stances of one made-up run; the review has too few draws."""
    return [
        make_appraisal("evidence", seed=1, **changes),
        make_appraisal("sceptical", seed=2, effect=0.3, **changes),
        make_appraisal("review", seed=3, undefined=True, **changes),
    ]
