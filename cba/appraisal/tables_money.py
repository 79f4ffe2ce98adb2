"""Tables of money: cash flow, net present value, payback, financing modes, system cost, cost ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.headline import payback_draws, review_prices
from cba.appraisal.summaries import interval, probability
from cba.appraisal.tables_children import by_option_and_year
from cba.costs.discounting import discount_factors
from cba.costs.prices import cash_index
from cba.costs.savings import avoidable_share
from cba.decisions.monte_carlo_error import mcse_mean
from cba.dimensions import PLACEMENTS

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

FULL_RECURRENT_YEAR = 2030
"""Year by which the review says £1bn a year has shifted."""

REVIEW_PRICES = "prices_of_2021-22"
"""Real terms at the prices the review's figures are read in."""

MODES = ("care_review", "care_review_injection_only", "care_review_reinvest")


def cash_flow_by_year(workings: Workings) -> pd.DataFrame:
    """Real cash flow by option, year, payer and kind; lines of zero left out.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, year, payer, kind, mean, lower, upper: GBP of the price base, costs positive, savings
        negative.

    Examples
    --------
    >>> cash_flow_by_year(workings)  # doctest: +SKIP
    """
    flow, level = workings.arrays.cash_flow, workings.inputs.analysis.level
    frames = []
    keys = pd.MultiIndex.from_arrays([flow["payer"].values, flow["kind"].values])
    for payer, kind in keys.unique():
        chosen = np.flatnonzero((flow["payer"].values == payer) & (flow["kind"].values == kind))
        frame = by_option_and_year(flow.isel(line=chosen).sum("line"), level=level)
        frame.insert(2, "payer", payer)
        frame.insert(3, "kind", kind)
        frames.append(frame[(frame["lower"] != 0) | (frame["upper"] != 0)])
    joined = pd.concat(frames, ignore_index=True)
    order = {o: i for i, o in enumerate(workings.accounts)}
    return joined.sort_values(
        by=["option", "year", "payer", "kind"],
        key=lambda c: c.map(order) if c.name == "option" else c,
        ignore_index=True,
    )[["option", "year", "payer", "kind", "mean", "lower", "upper"]]


def net_by_year(workings: Workings) -> pd.DataFrame:
    """Net saving by option and year, and the cumulative discounted net saving.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, year, mean, lower, upper, cumulative_mean, cumulative_lower, cumulative_upper,
        prob_cumulative_positive: GBP of the price base, positive is a saving.

    Examples
    --------
    >>> net_by_year(workings)  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    years = range(analysis.start_year, analysis.start_year + analysis.horizon)
    flows = workings.arrays.flows_long.sel(year=list(years))
    factors = discount_factors(np.arange(analysis.horizon), analysis.schedule, mid_year=analysis.mid_year)
    cumulative = (flows * xr.DataArray(factors, dims="year")).cumsum("year").assign_coords(year=flows["year"])
    table = by_option_and_year(flows, level=analysis.level)
    running = by_option_and_year(cumulative, level=analysis.level)
    for name in ("mean", "lower", "upper"):
        table[f"cumulative_{name}"] = running[name]
    positive = (cumulative > 0).mean("sample").transpose("option", "year")
    table["prob_cumulative_positive"] = positive.values.ravel()
    return table.drop(columns="median")


def npv_table(workings: Workings) -> pd.DataFrame:
    """Fiscal net present value by option over the headline and the long horizon.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, label, mean, median, lower, upper, mcse, prob_positive, prob_negative, prob_mcse, and
        npv_long_mean, npv_long_lower, npv_long_upper, prob_long_positive: GBP, positive is a net saving.

    Examples
    --------
    >>> npv_table(workings)  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    rows = []
    for option in workings.inputs.options:
        npv = workings.arrays.npv.sel(option=option.id).values
        long = workings.arrays.npv_long.sel(option=option.id).values
        lower, upper = interval(npv, level=analysis.level)
        long_lower, long_upper = interval(long, level=analysis.level)
        gain = probability(npv > 0, label="", chains=workings.chains)
        rows.append(
            {
                "option": option.id,
                "label": option.label,
                "mean": npv.mean(),
                "median": np.median(npv),
                "lower": lower,
                "upper": upper,
                "mcse": mcse_mean(npv, chains=workings.chains),
                "prob_positive": gain["mean"],
                "prob_negative": (npv < 0).mean(),
                "prob_mcse": gain["mcse"],
                "npv_long_mean": long.mean(),
                "npv_long_lower": long_lower,
                "npv_long_upper": long_upper,
                "prob_long_positive": (long > 0).mean(),
            }
        )
    return pd.DataFrame(rows)


def payback_table(workings: Workings) -> pd.DataFrame:
    """Probability of each payback year by option.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, year, probability, mcse; a missing year is never within the horizon.

    Examples
    --------
    >>> payback_table(workings)  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    rows = []
    for option in workings.accounts:
        if option == "bau":
            continue
        found = payback_draws(workings, option)
        years = [*range(analysis.start_year, analysis.start_year + analysis.horizon), np.nan]
        for year in years:
            event = np.isnan(found) if np.isnan(year) else found == year
            chance = probability(event, label="", chains=workings.chains)
            rows.append(
                {"option": option, "year": year, "probability": chance["mean"], "mcse": chance["mcse"]}
            )
    return pd.DataFrame(rows)


def financing_modes(workings: Workings) -> pd.DataFrame:
    """The review's three ways of paying for family help after the programme, side by side.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, label, recurrent_2030_mean (GBP before any overrun, of the price base),
        prob_recurrent_2030_full (that it is as much as the first option's; 1 for that option, by definition),
        npv_mean, npv_lower, npv_upper, prob_npv_positive, fewer_mean (children in the target year).

    Examples
    --------
    >>> financing_modes(workings)  # doctest: +SKIP
    """
    analysis = workings.inputs.analysis
    table = npv_table(workings).set_index("option")
    total = workings.arrays.children.sum("age").sel(year=analysis.target_year)
    position = workings.years.index(FULL_RECURRENT_YEAR)
    full = workings.accounts["care_review"].recurrent[:, position]
    rows = []
    for option in MODES:
        if option not in workings.accounts:
            continue
        recurrent = workings.accounts[option].recurrent[:, position]
        row = table.loc[option]
        rows.append(
            {
                "option": option,
                "label": row["label"],
                "recurrent_2030_mean": recurrent.mean(),
                "prob_recurrent_2030_full": float((recurrent >= full - 1.0).mean()) if full.any() else np.nan,
                "npv_mean": row["mean"],
                "npv_lower": row["lower"],
                "npv_upper": row["upper"],
                "prob_npv_positive": row["prob_positive"],
                "fewer_mean": float((total.sel(option="bau") - total.sel(option=option)).mean()),
            }
        )
    return pd.DataFrame(rows)


def system_cost_by_year(workings: Workings) -> pd.DataFrame:
    """Yearly cost of the system by option.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns option, year, price ("real" in the price base, "prices_of_2021-22" in real terms at the
        review's prices, or "cash"), mean, median, lower, upper: GBP.

    Examples
    --------
    >>> system_cost_by_year(workings)  # doctest: +SKIP
    """
    real, basis = workings.arrays.system_cost, workings.basis
    cash = real * cash_index(real["year"].values, price_base=basis.price_base, prices=basis.index)
    frames = []
    for price, array in (("real", real), (REVIEW_PRICES, real / review_prices(workings)), ("cash", cash)):
        frame = by_option_and_year(array, level=workings.inputs.analysis.level)
        frame.insert(2, "price", price)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def cost_ladder(workings: Workings) -> pd.DataFrame:
    """From the average cost of a placement to what leaves budgets when there is one fewer, and when.

    Parameters
    ----------
    workings : Workings
        Everything worked out.

    Returns
    -------
    DataFrame
        Columns placement; then, each with ``_lower`` and ``_upper``: average, avoidable_share, avoidable,
        cashable_first_year and cashable_later (in all, from the second year after); GBP a year of the price
        base, the share a proportion.

    Examples
    --------
    >>> cost_ladder(workings)  # doctest: +SKIP
    """
    today, value = workings.basis.prices.today, workings.system.value
    share = avoidable_share(workings.system.parameters)
    at_once = value("cashable.share_at_once")[:, None]
    in_all = at_once + (1.0 - at_once) * value("cashable.rest_later")[:, None]
    steps = {
        "average": today,
        "avoidable_share": share,
        "avoidable": today * share,
        "cashable_first_year": today * share * at_once,
        "cashable_later": today * share * in_all,
    }
    columns: dict[str, np.ndarray | list[str]] = {"placement": list(PLACEMENTS)}
    for name, draws in steps.items():
        lower, upper = interval(draws, level=workings.inputs.analysis.level)
        columns |= {name: draws.mean(axis=0), f"{name}_lower": lower, f"{name}_upper": upper}
    return pd.DataFrame(columns)
