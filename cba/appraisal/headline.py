"""Headline quantities of every option, each with its interval and Monte Carlo standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cba.appraisal.summaries import payback, probability, quantity, undefined
from cba.costs.discounting import discount_factors
from cba.costs.option_account import total_cost, total_saving
from cba.costs.prices import cash_index
from cba.decisions.monte_carlo_error import mcse_mean
from cba.decisions.payback import payback_year

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

FEWER_CHILDREN = 30_000
"""Children fewer in care by the target year, as the review claims in all."""

ANNUAL_SAVING = 1e9
"""GBP a year that the review says shifts from care to help."""

SYSTEM_COST = 15e9
"""GBP a year that the review says the system costs without reform."""

REVIEW_YEAR = 2022
"""Price year of the review's figures of money: 2021-22."""

RATIO = "Benefit-cost ratio: cashable savings over programme, recurrent and allowance costs, ratio of means"


def headline_results(workings: Workings) -> dict[str, dict[str, Any]]:
    """Headline entries by key ``<quantity>.<option>``.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    dict
        Every quantity for every option; differences are against ``bau``, and what is undefined is None.

    Examples
    --------
    >>> headline_results(workings)["npv_fiscal.care_review"]["mean"]  # doctest: +SKIP
    """
    results: dict[str, dict[str, Any]] = {}
    for option in workings.accounts:
        for found in (_children(workings, option), _money(workings, option), _system(workings, option)):
            results.update({f"{name}.{option}": entry for name, entry in found.items()})
    return results


def _children(workings: Workings, option: str) -> dict[str, Any]:
    year = workings.inputs.analysis.target_year
    total = workings.arrays.children.sel(year=year)
    children = total.sel(option=option).values.sum(axis=-1)
    fewer = total.sel(option="bau").values.sum(axis=-1) - children
    say = _say(workings)
    return {
        "children_in_care_2032": quantity(
            children, label=f"Children looked after at 31 March {year}", unit="children", **say
        ),
        "fewer_children_2032": quantity(
            fewer,
            label=f"Fewer children looked after at 31 March {year} than under business as usual",
            unit="children",
            **say,
        ),
        "prob_fewer_30000_2032": probability(
            fewer >= FEWER_CHILDREN,
            chains=workings.chains,
            label=f"Probability of at least 30,000 fewer children in {year}",
        ),
    }


def _say(workings: Workings) -> dict[str, Any]:
    return {"level": workings.inputs.analysis.level, "chains": workings.chains}


def discounted(workings: Workings, amounts: np.ndarray) -> np.ndarray:
    """Present value over the headline horizon.

    Parameters
    ----------
    workings : Workings
        Gives the years, the start and the schedule.
    amounts : ndarray, shape (sample, year), GBP
        Amounts of the whole projection.

    Returns
    -------
    ndarray, shape (sample,), GBP, present value

    Examples
    --------
    >>> discounted(workings, account.recurrent).mean()  # doctest: +SKIP
    """
    analysis, years = workings.inputs.analysis, np.array(workings.years)
    offsets = years - analysis.start_year
    within = (offsets >= 0) & (offsets < analysis.horizon)
    return amounts[:, within] @ discount_factors(
        offsets[within], analysis.schedule, mid_year=analysis.mid_year
    )


def review_prices(workings: Workings) -> float:
    """Money of the price base that buys what one pound of the review's figures bought.

    Parameters
    ----------
    workings : Workings
        Gives price base and deflator.

    Returns
    -------
    float
        ``index(price_base) / index(2022)``: the review's thresholds are in prices of 2021-22, and whether
        they are met must not depend on the price base of the run.

    Examples
    --------
    >>> review_prices(workings)  # doctest: +SKIP
    """
    index = workings.basis.index
    return float(index.index(workings.basis.price_base) / index.index(REVIEW_YEAR))


def _money(workings: Workings, option: str) -> dict[str, Any]:
    analysis, account = workings.inputs.analysis, workings.accounts[option]
    year, base = analysis.target_year, analysis.price_base
    npv = workings.arrays.npv.sel(option=option).values
    savings = total_saving(account)
    saved = discounted(workings, savings)
    at_target = savings[:, workings.years.index(year)]
    say = _say(workings)
    found = {
        "npv_fiscal": quantity(npv, label="Fiscal net present value, all public payers", unit="GBP", **say),
        "gross_saving_total": quantity(
            saved, label="Cashable saving before programme cost, present value", unit="GBP", **say
        ),
        "annual_saving_2032": quantity(
            at_target, label=f"Cashable saving in {year}, real, prices of {base}", unit="GBP per year", **say
        ),
        "prob_annual_saving_1bn_2032": probability(
            at_target >= ANNUAL_SAVING * review_prices(workings),
            chains=workings.chains,
            label=f"Probability of a cashable saving of at least £1bn in {year}, 2021-22 prices",
        ),
    }
    return found | _verdict(workings, option, npv=npv, saved=saved)


def _verdict(workings: Workings, option: str, *, npv: np.ndarray, saved: np.ndarray) -> dict[str, Any]:
    """Whether it pays: probability of a net saving, ratio and payback; undefined for business as usual."""
    analysis, years = workings.inputs.analysis, "year ending 31 March"
    gain = "Probability of a net saving"
    late = f"Probability of not paying back within {analysis.horizon} years"
    first = "First year in which the cumulative discounted net saving is 0 or more and stays so"
    if option == "bau":
        return {
            "prob_npv_positive": undefined(label=gain, unit="probability"),
            "prob_never": undefined(label=late, unit="probability"),
            "bcr": undefined(label=RATIO, unit="ratio"),
            "payback_year": undefined(label=first, unit=years),
        }
    found = payback_draws(workings, option)
    return {
        "prob_npv_positive": probability(npv > 0, label=gain, chains=workings.chains),
        "bcr": _ratio(saved, discounted(workings, total_cost(workings.accounts[option])), **_say(workings)),
        "payback_year": payback(found, label=first, level=analysis.level),
        "prob_never": probability(np.isnan(found), label=late, chains=workings.chains),
    }


def payback_draws(workings: Workings, option: str) -> np.ndarray:
    """Year of payback in every draw.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    option : str
        Id of an option of the analysis.

    Returns
    -------
    ndarray, shape (sample,)
        Year ending 31 March; NaN for never within the horizon.

    Examples
    --------
    >>> payback_draws(workings, "care_review")  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    flow = workings.arrays.flows_long.sel(option=option)
    flow = flow.sel(year=slice(analysis.start_year, analysis.start_year + analysis.horizon - 1))
    return payback_year(flow, schedule=analysis.schedule, base_year=analysis.start_year).values


def _ratio(saved: np.ndarray, spent: np.ndarray, *, level: float, chains: int | None) -> dict[str, Any]:
    """Ratio of mean present values; interval of the ratio in each draw, error by the delta method."""
    if spent.mean() <= 0 or (spent <= 0).any():
        return undefined(label=RATIO, unit="ratio")
    entry = quantity(saved / spent, label=RATIO, unit="ratio", level=level, chains=chains)
    ratio = float(saved.mean() / spent.mean())
    return entry | {"mean": ratio, "mcse": mcse_mean((saved - ratio * spent) / spent.mean(), chains=chains)}


def _system(workings: Workings, option: str) -> dict[str, Any]:
    basis, year = workings.basis, workings.inputs.analysis.target_year
    real = workings.arrays.system_cost.sel(option=option, year=year, drop=True)
    to_cash = cash_index([year], price_base=basis.price_base, prices=basis.index).isel(year=0, drop=True)
    found: dict[str, Any] = {}
    for name, money, words in (
        ("cash", real * to_cash, "cash"),
        ("real", real / review_prices(workings), "2021-22 prices"),
    ):
        draws = money.values
        found[f"system_cost_2032_{name}"] = quantity(
            draws,
            label=f"Yearly cost of looked-after children, safeguarding and family support, {year}, {words}",
            unit="GBP per year",
            **_say(workings),
        )
        found[f"prob_system_cost_15bn_2032_{name}"] = probability(
            draws >= SYSTEM_COST,
            chains=workings.chains,
            label=f"Probability that it is at least £15bn in {year}, {words}",
        )
    return found
