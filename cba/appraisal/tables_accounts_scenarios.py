"""The same draws costed again: other growth of unit costs, another price year for the review's figures."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.headline import REVIEW_YEAR, SYSTEM_COST, discounted, review_prices
from cba.appraisal.summaries import interval, probability
from cba.costs.option_account import OptionAccount, option_account, total_cost, total_saving
from cba.costs.placement_prices import placement_prices
from cba.costs.prices import cash_index
from cba.costs.system_cost import usual_cost
from cba.costs.unit_cost_paths import LONG_RUN
from cba.decisions.monte_carlo_error import mcse_mean
from cba.models.unit_costs import HALF_LIFE, NAMES, NEED

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

LEAD = "care_review"
FOR_GOOD = 1e6
"""Half-life, in years, that stands for growth that never settles."""

SCENARIOS = ("estimated growth, settling", "no further real growth", "recent growth continues")


def scenario_parameters(parameters: xr.Dataset, scenario: str) -> xr.Dataset:
    """Parameters with the growth of unit costs as a scenario says; all else, surprises included, as drawn.

    Parameters
    ----------
    parameters : Dataset, dims (sample)
        As returned by :func:`cba.models.parameters.joint_parameters`.
    scenario : {"estimated growth, settling", "no further real growth", "recent growth continues"}
        Which one; the need for help keeps its own path in all of them.

    Returns
    -------
    Dataset, dims (sample)

    Examples
    --------
    >>> scenario_parameters(parameters, "no further real growth")  # doctest: +SKIP
    """
    if scenario == SCENARIOS[0]:
        return parameters
    growths = [f"{name}_growth" for cost, name in NAMES.items() if cost != NEED]
    if scenario == SCENARIOS[1]:
        still = [*growths, *LONG_RUN]
        return parameters.assign({name: xr.zeros_like(parameters[name]) for name in still})
    return parameters.assign({HALF_LIFE: xr.full_like(parameters[HALF_LIFE], FOR_GOOD)})


def growth_scenarios(workings: Workings) -> pd.DataFrame:
    """Net present value and cost of the system under other growth of unit costs, on the same draws.

    Parameters
    ----------
    workings : Workings
        Everything worked out; needs the option ``care_review``.

    Returns
    -------
    DataFrame
        Columns scenario, npv_mean, npv_lower, npv_upper, prob_npv_positive, gross_saving_mean (all of
        ``care_review``), system_cost_mean, system_cost_lower, system_cost_upper (target year, prices of
        2021-22), prob_15bn_real, prob_15bn_cash, prob_mcse (of the probability in real terms).

    Notes
    -----
    What no equation foresees, and the mix of placements, are as in the headline: only growth differs.

    Examples
    --------
    >>> growth_scenarios(workings)  # doctest: +SKIP
    """
    return pd.DataFrame([{"scenario": name} | _scenario(workings, name) for name in SCENARIOS])


def _scenario(workings: Workings, scenario: str) -> dict[str, float]:
    analysis, basis = workings.inputs.analysis, workings.basis
    observations = workings.inputs.observations
    changed = scenario_parameters(workings.system.parameters, scenario)
    money: dict[str, Any] = {"price_base": basis.price_base, "prices": basis.index}
    prices = placement_prices(observations, changed, years=workings.system.years, **money)
    option = next(o for o in workings.inputs.options if o.id == LEAD)
    account = option_account(option, workings.system, dataclasses.replace(basis, prices=prices))
    usual = usual_cost(
        observations,
        dataclasses.replace(workings.system, parameters=changed),
        placements=prices,
        **money,
    )
    position = workings.years.index(analysis.target_year)
    real = np.sum(list(usual.values()), axis=0)[:, position]
    return _worth(workings, account) | _cost_of_system(workings, real)


def _worth(workings: Workings, account: OptionAccount) -> dict[str, float]:
    saved = discounted(workings, total_saving(account))
    npv = saved - discounted(workings, total_cost(account))
    lower, upper = interval(npv, level=workings.inputs.analysis.level)
    return {
        "npv_mean": float(npv.mean()),
        "npv_lower": float(lower),
        "npv_upper": float(upper),
        "npv_mcse": mcse_mean(npv, chains=workings.chains),
        "prob_npv_positive": float((npv > 0).mean()),
        "gross_saving_mean": float(saved.mean()),
    }


def _cost_of_system(workings: Workings, real: np.ndarray) -> dict[str, float]:
    """Cost of the target year in prices of 2021-22, and the probability that it reaches the review's figure."""
    basis, year = workings.basis, workings.inputs.analysis.target_year
    cash = real * cash_index([year], price_base=basis.price_base, prices=basis.index).isel(year=0).values
    then = real / review_prices(workings)
    lower, upper = interval(then, level=workings.inputs.analysis.level)
    reached = probability(then >= SYSTEM_COST, label="", chains=workings.chains)
    return {
        "system_cost_mean": float(then.mean()),
        "system_cost_lower": float(lower),
        "system_cost_upper": float(upper),
        "prob_15bn_real": reached["mean"],
        "prob_15bn_cash": float((cash >= SYSTEM_COST).mean()),
        "prob_mcse": reached["mcse"],
    }


def review_price_base(workings: Workings) -> pd.DataFrame:
    """Cost and worth of the review's programme under each reading of the prices its figures are in.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, price_year ("cash" for prices of the year of spending), as_run, cost_mean (present value
        over the horizon), npv_mean, npv_lower, npv_upper, npv_mcse, prob_npv_positive, gross_saving_mean; GBP of
        the price base, on the same draws. The review does not say which prices its £2.6bn is in.

    Examples
    --------
    >>> review_price_base(workings)  # doctest: +SKIP
    """
    rows = []
    chosen = [o for o in workings.inputs.options if o.id == LEAD]
    for option in chosen:
        stated = {line.price_year for line in option.spend}
        for reading in dict.fromkeys((*stated, REVIEW_YEAR, REVIEW_YEAR + 1, "cash")):
            if stated == {reading}:
                account = workings.accounts[option.id]
            else:
                spend = tuple(line.model_copy(update={"price_year": reading}) for line in option.spend)
                later = option.recurrent and option.recurrent.model_copy(update={"price_year": reading})
                changed = option.model_copy(update={"spend": spend, "recurrent": later})
                account = option_account(changed, workings.system, workings.basis)
            row = {"option": option.id, "price_year": str(reading), "as_run": stated == {reading}}
            row["cost_mean"] = float(discounted(workings, total_cost(account)).mean())
            rows.append(row | _worth(workings, account))
    return pd.DataFrame(rows)
