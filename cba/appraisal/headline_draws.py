"""Headline quantities draw by draw, for paired differences between worlds; no table is built.

:func:`cba.appraisal.headline.headline_results` summarises the same draws. Here every quantity is one row of
numbers whose mean is the headline figure, so that a difference of two figures on common random numbers is the mean
of a difference of rows, with a Monte Carlo error of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from cba.appraisal.headline import (
    ANNUAL_SAVING,
    FEWER_CHILDREN,
    SYSTEM_COST,
    discounted,
    payback_draws,
    review_prices,
)
from cba.costs.option_account import total_cost, total_saving
from cba.costs.prices import cash_index

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

WITHOUT_MEAN = ("payback_year",)
"""Headline quantities that are no mean of draws: a year that need not come."""


def headline_draws(workings: Workings, *, options: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Draws of every headline quantity that is a mean.

    Parameters
    ----------
    workings : Workings
        Everything worked out.
    options : iterable of str, optional
        Ids of options; all of the workings by default.

    Returns
    -------
    dict of str to ndarray, shape (sample,)
        By key ``<quantity>.<option>``, in units of the quantity; events are 0 or 1. Quantities that are undefined,
        and those of :data:`WITHOUT_MEAN`, are left out.

    Notes
    -----
    A ratio of means R = E[s] / E[c] has rows ``R + (s - R c) / E[c]``: their mean is R and their error that of
    R by the delta method.

    Examples
    --------
    >>> headline_draws(workings)["npv_fiscal.care_review"].mean()  # doctest: +SKIP
    """
    found: dict[str, np.ndarray] = {}
    for option in workings.accounts if options is None else options:
        rows = _children(workings, option) | _money(workings, option) | _system(workings, option)
        found |= {f"{name}.{option}": row for name, row in rows.items()}
    return found


def _children(workings: Workings, option: str) -> dict[str, np.ndarray]:
    total = workings.arrays.children.sel(year=workings.inputs.analysis.target_year)
    children = total.sel(option=option).values.sum(axis=-1)
    fewer = total.sel(option="bau").values.sum(axis=-1) - children
    return {
        "children_in_care_2032": children,
        "fewer_children_2032": fewer,
        "prob_fewer_30000_2032": (fewer >= FEWER_CHILDREN).astype(float),
    }


def _money(workings: Workings, option: str) -> dict[str, np.ndarray]:
    account, year = workings.accounts[option], workings.inputs.analysis.target_year
    npv = workings.arrays.npv.sel(option=option).values
    savings = total_saving(account)
    saved = discounted(workings, savings)
    at_target = savings[:, workings.years.index(year)]
    enough = at_target >= ANNUAL_SAVING * review_prices(workings)
    found = {
        "npv_fiscal": npv,
        "gross_saving_total": saved,
        "annual_saving_2032": at_target,
        "prob_annual_saving_1bn_2032": enough.astype(float),
    }
    if option == "bau":
        return found
    spent = discounted(workings, total_cost(account))
    if spent.mean() > 0 and not (spent <= 0).any():
        ratio = saved.mean() / spent.mean()
        found["bcr"] = ratio + (saved - ratio * spent) / spent.mean()
    never = np.isnan(payback_draws(workings, option))
    return found | {"prob_npv_positive": (npv > 0).astype(float), "prob_never": never.astype(float)}


def _system(workings: Workings, option: str) -> dict[str, np.ndarray]:
    basis, year = workings.basis, workings.inputs.analysis.target_year
    real = workings.arrays.system_cost.sel(option=option, year=year, drop=True)
    to_cash = cash_index([year], price_base=basis.price_base, prices=basis.index).isel(year=0, drop=True)
    found = {}
    for name, money in (("cash", real * to_cash), ("real", real / review_prices(workings))):
        found[f"system_cost_2032_{name}"] = money.values
        found[f"prob_system_cost_15bn_2032_{name}"] = (money.values >= SYSTEM_COST).astype(float)
    return found
