"""Headline quantities of every option, each with its interval and Monte Carlo standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cba.appraisal.summaries import payback, probability, quantity, undefined
from cba.costs.prices import cash_index
from cba.decisions.monte_carlo_error import mcse_mean
from cba.decisions.payback import payback_year

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

FEWER_CHILDREN = 30_000
ANNUAL_SAVING = 1e9
SYSTEM_COST = 15e9
REAL_YEAR = 2022
"""Price year of the review's system cost: 2021-22."""


def headline_results(workings: Workings) -> dict[str, dict[str, Any]]:
    """Headline entries by key ``<quantity>.<option>``.

    Parameters
    ----------
    workings : Workings

    Returns
    -------
    dict
        Every quantity for every option; differences are against ``bau``, and what is undefined is None.
    """
    results: dict[str, dict[str, Any]] = {}
    for option in workings.accounts:
        for found in (_children(workings, option), _money(workings, option), _system(workings, option)):
            results.update({f"{name}.{option}": entry for name, entry in found.items()})
    return results


def _children(workings: Workings, option: str) -> dict[str, Any]:
    analysis = workings.inputs.analysis
    say = {"level": analysis.level, "chains": analysis.chains}
    total = workings.arrays.children.sel(year=analysis.target_year).sum("age")
    children = total.sel(option=option).values
    fewer = total.sel(option="bau").values - children
    year = analysis.target_year
    return {
        "children_in_care_2032": quantity(children, label=f"Children looked after at 31 March {year}",
                                          unit="children", **say),
        "fewer_children_2032": quantity(fewer, label=f"Fewer children looked after at 31 March {year} than under "
                                        "business as usual", unit="children", **say),
        "prob_fewer_30000_2032": probability(fewer >= FEWER_CHILDREN, chains=analysis.chains,
                                             label=f"Probability of at least 30,000 fewer children in {year}"),
    }


def discounted(workings: Workings, amounts: np.ndarray) -> np.ndarray:
    """Present value over the headline horizon of (sample, year) amounts of the whole projection."""
    from cba.costs.discounting import discount_factors

    analysis, years = workings.inputs.analysis, np.array(workings.years)
    offsets = years - analysis.start_year
    within = (offsets >= 0) & (offsets < analysis.horizon)
    factors = discount_factors(offsets[within], analysis.schedule, mid_year=analysis.mid_year)
    return amounts[:, within] @ factors


def _money(workings: Workings, option: str) -> dict[str, Any]:
    analysis, account = workings.inputs.analysis, workings.accounts[option]
    say = {"level": analysis.level, "chains": analysis.chains}
    npv = workings.arrays.npv.sel(option=option).values
    zero = np.zeros_like(account.recurrent)
    savings = sum((line.amount for line in account.savings), zero)
    saved = discounted(workings, savings)
    spent = discounted(workings, sum((line.amount for line in account.costs), zero))
    at_target = savings[:, workings.years.index(analysis.target_year)]
    found = {
        "npv_fiscal": quantity(npv, label="Fiscal net present value, all public payers", unit="GBP", **say),
        "gross_saving_total": quantity(saved, label="Cashable saving before programme cost, present value",
                                       unit="GBP", **say),
        "annual_saving_2032": quantity(at_target, label=f"Cashable saving in {analysis.target_year}, real",
                                       unit="GBP per year", **say),
        "prob_annual_saving_1bn_2032": probability(
            at_target >= ANNUAL_SAVING, chains=analysis.chains,
            label=f"Probability of a cashable saving of at least £1bn in {analysis.target_year}"),
    }
    if option == "bau":
        labels = {"prob_npv_positive": "Probability of a net saving", "prob_never": "Probability of never paying back"}
        found |= {name: undefined(label=label, unit="probability") for name, label in labels.items()}
        return found | {"bcr": undefined(label="Benefit-cost ratio", unit="ratio"),
                        "payback_year": undefined(label="Year of payback", unit="year ending 31 March")}
    never = payback_draws(workings, option)
    return found | {
        "prob_npv_positive": probability(npv > 0, label="Probability of a net saving", chains=analysis.chains),
        "bcr": _ratio(saved, spent, **say),
        "payback_year": payback(never, label="First year in which the cumulative discounted net saving is 0 or more "
                                "and stays so", level=analysis.level),
        "prob_never": probability(np.isnan(never), chains=analysis.chains,
                                  label=f"Probability of not paying back within {analysis.horizon} years"),
    }


def payback_draws(workings: Workings, option: str) -> np.ndarray:
    """Year of payback in every draw, NaN for never within the horizon."""
    analysis = workings.inputs.analysis
    flow = workings.arrays.flows_long.sel(option=option)
    flow = flow.sel(year=slice(analysis.start_year, analysis.start_year + analysis.horizon - 1))
    return payback_year(flow, schedule=analysis.schedule, base_year=analysis.start_year).values


def _ratio(saved: np.ndarray, spent: np.ndarray, *, level: float, chains: int) -> dict[str, Any]:
    """Ratio of mean present values; the interval is of the ratio in each draw, the error by the delta method."""
    label = "Benefit-cost ratio: cashable savings over programme, recurrent and allowance costs, ratio of means"
    if spent.mean() <= 0 or (spent <= 0).any():
        return undefined(label=label, unit="ratio")
    entry = quantity(saved / spent, label=label, unit="ratio", level=level, chains=chains)
    ratio = float(saved.mean() / spent.mean())
    return entry | {"mean": ratio, "mcse": mcse_mean((saved - ratio * spent) / spent.mean(), chains=chains)}


def _system(workings: Workings, option: str) -> dict[str, Any]:
    analysis, basis = workings.inputs.analysis, workings.basis
    say = {"level": analysis.level, "chains": analysis.chains}
    year = analysis.target_year
    real = workings.arrays.system_cost.sel(option=option, year=year)
    to_real = float(basis.index.index(REAL_YEAR) / basis.index.index(basis.price_base))
    cash = real * cash_index([year], price_base=basis.price_base, prices=basis.index).sel(year=year)
    found: dict[str, Any] = {}
    for name, money, words in (("cash", cash, "cash"), ("real", real * to_real, "2021-22 prices")):
        draws = money.transpose("sample").values
        found[f"system_cost_2032_{name}"] = quantity(
            draws, label=f"Yearly cost of looked-after children, safeguarding and family support, {year}, {words}",
            unit="GBP per year", **say)
        found[f"prob_system_cost_15bn_2032_{name}"] = probability(
            draws >= SYSTEM_COST, chains=analysis.chains,
            label=f"Probability that it is at least £15bn in {year}, {words}")
    return found


def total_children(workings: Workings) -> xr.DataArray:
    """Children looked after at 31 March, all ages, dims (sample, option, year)."""
    return workings.arrays.children.sum("age")
