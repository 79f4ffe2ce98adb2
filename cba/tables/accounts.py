"""Results with and without each correction for optimism, worked out again on the same draws."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.quantities import discounted, lead_option, probability, review_prices
from cba.appraisal.workings import Workings
from cba.costs.account import OptionAccount, total_cost, total_saving
from cba.costs.optimism_bias import DEVICES, UPLIFTS, Device, adjust, require_one_device
from cba.costs.option_account import option_account
from cba.costs.prices import LONG_RUN, placement_prices
from cba.costs.system_cost import (
    LINES,
    by_line,
    forecast_history,
    modelled_history,
    published_real,
    usual_cost,
)
from cba.decisions.draws import mcse_mean
from cba.models.parameters import ROLL_OUT
from cba.models.unit_costs import HALF_LIFE, NAMES, NEED
from cba.models.unit_costs_accounts import last_account_year
from cba.tables.catalogue import MONEY, catalogued, chance, review_programme, spread

_NO_ATTENUATION = "effects.attenuation"


@catalogued(
    "optimism_check",
    "Results without the correction for optimism, or with uplifts in its place",
    MONEY,
    once=True,
    needs=review_programme,
)
def optimism_check(workings: Workings, option: str | None = None) -> pd.DataFrame:
    """Work out an option with its corrections for optimism, without some, and with an uplift in their place."""
    # Columns option, case, devices (those in force), npv_mean, npv_lower, npv_upper, prob_positive, mcse
    # (of the probability), cost_mean, saving_mean (GBP, present value), fewer_mean
    # (children in the target year) and change_mean (of net present value against the first case, draw by
    # draw). Cases: as modelled; without the device on cost, on time, on benefit, on all; and with each uplift
    # of `UPLIFTS` instead of those on cost and benefit.
    option = option or lead_option(workings)
    require_one_device(DEVICES)
    kinds = ("cost", "time", "benefit")
    cases = [("as modelled", (), 0.0), *((f"without a correction of {kind}", (kind,), 0.0) for kind in kinds)]
    cases += [("without any correction", kinds, 0.0)]
    cases += [(f"uplift instead, {grade}", ("cost", "benefit"), bias) for grade, bias in UPLIFTS.items()]
    target = workings.target
    rows: list[dict[str, Any]] = []
    modelled: np.ndarray | None = None
    for case, without, bias in cases:
        account = _account(workings, option, without=without)
        cost = adjust(discounted(workings, total_cost(account)), bias)
        saving = _less(discounted(workings, total_saving(account)), bias)
        fewer = _less(account.children.fewer[:, target], bias)
        npv = saving - cost
        modelled = npv if modelled is None else modelled
        left = "; ".join(f"{d.entry}: {d.kind}" for d in DEVICES if d.corrects not in without) or "none"
        uplift = f"uplift of cost and cut of benefit, {bias:.0%}; " if bias else ""
        rows.append(
            {
                "option": option,
                "case": case,
                "devices": uplift + left,
                **spread(workings, npv, "npv_"),
                **chance(workings, npv > 0, "prob_positive"),
                "cost_mean": cost.mean(),
                "saving_mean": saving.mean(),
                "fewer_mean": fewer.mean(),
                "change_mean": (npv - modelled).mean(),
            }
        )
    return pd.DataFrame(rows)


def _account(workings: Workings, option: str, *, without: tuple[str, ...]) -> OptionAccount:
    """Return the option's account with some devices at their neutral values, on the same draws."""
    drawn = workings.system.parameters
    for device in DEVICES:
        if device.corrects in without:
            drawn = _neutral(workings, drawn, device)
    system = dataclasses.replace(workings.system, parameters=drawn)
    chosen = workings.option(option)
    return option_account(chosen, system, workings.basis)


def _neutral(workings: Workings, drawn: xr.Dataset, device: Device) -> xr.Dataset:
    """Return the parameters with one device taken out; what is lost at scale is in the effects already."""
    size = workings.system.reach.size
    if device.entry != _NO_ATTENUATION:
        return drawn.assign({device.entry: ("sample", np.full(size, device.neutral))})
    before = workings.effects["posterior"].to_dataset()["new_setting"]
    effects = {name: before.sel(estimand=e).values.ravel() for e, name in ROLL_OUT.items()}
    return drawn.assign({name: ("sample", effect) for name, effect in effects.items()})


def _less(benefit: np.ndarray, bias: float) -> np.ndarray:
    """Return a benefit cut by the bias; what is a harm already is not made smaller."""
    return np.where(benefit > 0.0, benefit * (1.0 - bias), benefit)


# --- Tables of accounts: calibration to section 251, forecasts from earlier years ---


FIRST_ORIGIN = 2019
"""First year from which unit costs, published since 2015-16, have the three yearly changes an estimate needs."""


@catalogued(
    "accounts_reconciliation", "Published and modelled spending, 2012-13 onwards", "GBP million.", once=True
)
def accounts_reconciliation(workings: Workings) -> pd.DataFrame:
    """Published section 251 spending beside what the equations of the projection give, by year and line.

    Columns year, line (a group total, or ``total``), published_cash, published_real, modelled_mean,
    modelled_lower, modelled_upper, inside; GBP, all but the first in the price base.
    """
    # Modelled from the projection's own starting point backwards, with the published drivers and nothing
    # fitted to a single year: `modelled_history`.
    analysis, observations = workings.inputs.analysis, workings.inputs.observations
    base = analysis.price_base
    modelled = modelled_history(
        observations,
        priors=workings.inputs.priors,
        price_base=base,
        draws=workings.system.reach.size,
        seed=analysis.seed,
    )
    real = by_line(published_real(observations, price_base=base))
    table = _compared(workings, real, by_line(modelled))
    prices = observations["gdp_deflator"].to_series()
    table.insert(2, "published_cash", table["published_real"] * table["year"].map(prices) / prices[base])
    return table


def _compared(workings: Workings, published: xr.DataArray, modelled: xr.DataArray) -> pd.DataFrame:
    """One row per year and line: published, modelled mean and limits, and whether it lies between."""
    years, lines = published["year"].values, list(LINES)
    seen = published.transpose("year", "line").values
    found = spread(workings, modelled.transpose("sample", "year", "line").values, "modelled_")
    inside = (seen >= found["modelled_lower"]) & (seen <= found["modelled_upper"])
    columns = {"published_real": seen, **found, "inside": inside}
    index = {"year": np.repeat(years, len(lines)), "line": lines * len(years)}
    return pd.DataFrame(index | {name: column.ravel() for name, column in columns.items()})


@catalogued(
    "accounts_backtest",
    "Spending forecast from earlier years against what was published",
    "GBP million, real.",
    once=True,
)
def accounts_backtest(workings: Workings) -> pd.DataFrame:
    """Published spending beside forecasts made from earlier years, growth estimated from those years back.

    Columns origin, year, line, published_real, modelled_mean, modelled_lower, modelled_upper, inside; GBP of
    the price base.
    """
    # The number of children and other drivers are the published ones; origins overlap, so their errors are
    # not independent. Empty before release 2022.
    analysis, observations = workings.inputs.analysis, workings.inputs.observations
    real = by_line(published_real(observations, price_base=analysis.price_base))
    none = real.isel(year=slice(0)).expand_dims(sample=1)
    frames = [_compared(workings, none.isel(sample=0), none).assign(origin=0)]
    for origin in range(FIRST_ORIGIN, last_account_year(observations)):
        ahead = forecast_history(
            observations,
            workings.system.parameters,
            priors=workings.inputs.priors,
            origin=origin,
            price_base=analysis.price_base,
            seed=analysis.seed,
        )
        frames.append(_compared(workings, real.sel(year=ahead["year"]), by_line(ahead)).assign(origin=origin))
    table = pd.concat(frames, ignore_index=True)
    table.insert(0, "origin", table.pop("origin"))
    return table


# --- The same draws costed again: other growth of unit costs, another price year for the review's … ---


FOR_GOOD = 1e6
"""Half-life, in years, that stands for growth that never settles."""


SCENARIOS = ("estimated growth, settling", "no further real growth", "recent growth continues")


def scenario_parameters(parameters: xr.Dataset, scenario: str) -> xr.Dataset:
    """Parameters with the growth of unit costs as a scenario says; all else, surprises included, as drawn."""
    if scenario == SCENARIOS[0]:
        return parameters
    growths = [f"{name}_growth" for cost, name in NAMES.items() if cost != NEED]
    if scenario == SCENARIOS[1]:
        still = [*growths, *LONG_RUN]
        return parameters.assign({name: xr.zeros_like(parameters[name]) for name in still})
    return parameters.assign({HALF_LIFE: xr.full_like(parameters[HALF_LIFE], FOR_GOOD)})


@catalogued(
    "growth_scenarios", "Results under other paths of unit costs", MONEY, once=True, needs=review_programme
)
def growth_scenarios(workings: Workings) -> pd.DataFrame:
    """Net present value and cost of the system under other growth of unit costs, on the same draws.

    What no equation foresees, and the mix of placements, are as in the headline: only growth differs.
    """
    # Columns scenario, npv_mean, npv_lower, npv_upper, prob_npv_positive, gross_saving_mean (all of
    # the lead option), system_cost_mean, system_cost_lower, system_cost_upper (target year, prices of
    # 2021-22), prob_15bn_real, prob_15bn_cash, prob_mcse (of the probability in real terms).
    basis, observations = workings.basis, workings.inputs.observations
    money: dict[str, Any] = {"price_base": basis.price_base, "prices": basis.index}
    lead = lead_option(workings)
    option = workings.option(lead)
    position = workings.target
    rows = []
    for scenario in SCENARIOS:
        changed = scenario_parameters(workings.system.parameters, scenario)
        prices = placement_prices(observations, changed, years=workings.system.years, **money)
        account = option_account(option, workings.system, dataclasses.replace(basis, prices=prices))
        system = dataclasses.replace(workings.system, parameters=changed)
        usual = usual_cost(observations, system, placements=prices, **money)
        real = np.sum(list(usual.values()), axis=0)[:, position]
        rows.append({"scenario": scenario, **_money_of(workings, account), **_cost_of_system(workings, real)})
    return pd.DataFrame(rows)


def _cost_of_system(workings: Workings, real: np.ndarray) -> dict[str, float]:
    """Cost of the target year in prices of 2021-22, and the probability that it reaches the review's figure."""
    cash = real * workings.to_cash([workings.inputs.analysis.target_year]).isel(year=0).values
    then = real / review_prices(workings)
    claimed = workings.inputs.claims.system_cost.value
    reached = probability(then >= claimed, label="", chains=workings.chains)
    return spread(workings, then, "system_cost_") | {
        "prob_15bn_real": reached["mean"],
        "prob_15bn_cash": (cash >= claimed).mean(),
        "prob_mcse": reached["mcse"],
    }


@catalogued(
    "review_price_base",
    "Results if the review's figures were in other prices",
    MONEY,
    once=True,
    needs=review_programme,
)
def review_price_base(workings: Workings) -> pd.DataFrame:
    """Cost and worth of the review's programme under each reading of the prices its figures are in."""
    # Columns option, price_year ("cash" for prices of the year of spending), as_run, cost_mean (present value
    # over the horizon), npv_mean, npv_lower, npv_upper, npv_mcse, prob_npv_positive, gross_saving_mean; GBP
    # of the price base, on the same draws. The review does not say which prices its £2.6bn is in.
    claims = workings.inputs.claims
    option = workings.option(claims.programme)
    stated = {line.price_year for line in option.spend}
    rows = []
    for reading in dict.fromkeys((*stated, claims.price_year, claims.price_year + 1, "cash")):
        spend = tuple(line.model_copy(update={"price_year": reading}) for line in option.spend)
        later = option.recurrent and option.recurrent.model_copy(update={"price_year": reading})
        changed = option.model_copy(update={"spend": spend, "recurrent": later})
        account = option_account(changed, workings.system, workings.basis)
        if stated == {reading}:
            account = workings.accounts[option.id]
        row = {"option": option.id, "price_year": str(reading), "as_run": stated == {reading}}
        row["cost_mean"] = float(discounted(workings, total_cost(account)).mean())
        rows.append(row | _money_of(workings, account))
    return pd.DataFrame(rows)


# --- Unit costs beside placements ---


def _money_of(workings: Workings, account: OptionAccount) -> dict[str, Any]:
    saved = discounted(workings, total_saving(account))
    npv = saved - discounted(workings, total_cost(account))
    return spread(workings, npv, "npv_") | {
        "npv_mcse": mcse_mean(npv, chains=workings.chains),
        "prob_npv_positive": (npv > 0).mean(),
        "gross_saving_mean": saved.mean(),
    }
