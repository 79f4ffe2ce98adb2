"""A first guess at money that is reinvested: one sweep forward in time, each year from the year before.

The sweep restates the account of family help in a loop over years. It is a guess only: whatever it gives is put
to the account itself (:mod:`cba.costs.reinvestment`), which goes on until no year moves, so a change of the
account that is not copied here costs time and no accuracy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cba.costs.bought_services import area_share
from cba.costs.programme_money import MoneyLine
from cba.costs.savings import LATER, placement_savings
from cba.dimensions import PLACEMENTS
from cba.projection.care_system import RETURN_YEARS, CareSystem
from cba.projection.coverage import HALF_YEAR, SETUP_YEARS
from cba.projection.option_children import averted_share
from cba.projection.slippage import service_timing

if TYPE_CHECKING:
    from cba.costs.option_account import CostBasis, OptionAccount
    from cba.inputs.options import Option

_HOME = PLACEMENTS.index("childrens_home")
_RELATIVES = PLACEMENTS.index("foster_relative_or_friend")
_WAITS = np.array(RETURN_YEARS)


@lru_cache(maxsize=1)
def _compiled_cash() -> Callable[..., float]:
    """Compile what a year cashes of fewer children in placements; `avoided` is filled for that year."""
    import numba

    @numba.njit(cache=True)
    def placement_cash(
        t: int,
        fewer: np.ndarray,
        others: np.ndarray,
        worth: np.ndarray,
        avoided: np.ndarray,
        rules: tuple[float, float, float],
    ) -> float:
        at_once, later, nhs = rules
        cashed = 0.0
        for p in range(fewer.shape[1]):
            children = fewer[t, p] + others[t, p]
            if t > 0:
                children += fewer[t - 1, p] + others[t - 1, p]
            avoided[t, p] = children / 2.0 * worth[t, p]
            cash = min(avoided[t, p], 0.0) + at_once * max(avoided[t, p], 0.0)
            if t >= LATER:
                cash += later * max(avoided[t - LATER, p], 0.0)
            cashed += cash * (1.0 - nhs) if p == _HOME else cash
        return cashed

    return placement_cash


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., None]:
    """Compile the sweep on first use; numba stays out of the import path."""
    import numba

    placement_cash = _compiled_cash()

    @numba.njit(parallel=True, cache=True)
    def sweep(
        cap: np.ndarray,
        programme: np.ndarray,
        timing: np.ndarray,
        none_served: np.ndarray,
        all_served: np.ndarray,
        stays: np.ndarray,
        mix: np.ndarray,
        others: np.ndarray,
        worth: np.ndarray,
        fixed: np.ndarray,
        draw: np.ndarray,
        money: np.ndarray,
    ) -> None:
        years, places = money.shape[1], mix.shape[2]
        for s in numba.prange(money.shape[0]):
            share, setup, full_cost, part, at_once, later, nhs, case, deferred, support = draw[s]
            acting, home, averted = np.zeros(years), np.zeros(years), np.zeros(years)
            fewer, avoided, legal = np.zeros((years, places)), np.zeros((years, places)), np.zeros(years)
            cashed, funded = 0.0, 0
            for t in range(years):
                if t > 0:
                    money[s, t] = min(cap[s, t], share * max(cashed, 0.0))
                spent = programme[s, t] + money[s, t]
                if spent > 0.0:
                    funded += 1
                    spent *= 1.0 - setup if funded <= SETUP_YEARS else 1.0
                for lag in range(years - t):
                    acting[t + lag] += timing[s, lag] * spent
                served = min(acting[t] / full_cost, part)
                starts = none_served[s, t] + served * (all_served[s, t] - none_served[s, t])
                averted[t] = starts.sum()
                for lag in range(years - t):
                    there = 0.0
                    for age in range(starts.size):
                        there += starts[age] * stays[s, lag, age]
                    home[t + lag] += there
                    for p in range(places):
                        fewer[t + lag, p] += there * mix[s, lag, p]
                rules = (at_once, later, nhs)
                cashed = placement_cash(t, fewer, others[s], worth[s], avoided, rules) - fixed[s, t]
                returned = 0.0
                for wait in _WAITS:
                    if t >= wait:
                        returned += averted[t - wait] / _WAITS.size
                legal[t] = (averted[t] - deferred * returned) * case
                cashed += min(legal[t], 0.0) + at_once * max(legal[t], 0.0)
                if t >= LATER:
                    cashed += later * max(legal[t - LATER], 0.0)
                at_home = max(home[t], 0.0) + (max(home[t - 1], 0.0) if t > 0 else 0.0)
                cashed -= support * at_home / 2.0

    return sweep


def first_guess(
    option: Option,
    system: CareSystem,
    basis: CostBasis,
    lines: tuple[MoneyLine, ...],
    cap: np.ndarray,
    *,
    bare: OptionAccount,
) -> np.ndarray:
    """Guess the recurrent money of an option that reinvests what councils save.

    Parameters
    ----------
    option : Option
        With ``financing = "reinvest"``.
    system : CareSystem
        Business as usual.
    basis : CostBasis
        Prices and money conventions.
    lines : tuple of MoneyLine
        Programme money.
    cap : ndarray, shape (sample, year), GBP of the price base
        Most that is spent in each year, before overrun.
    bare : OptionAccount
        The account without recurrent money.

    Returns
    -------
    ndarray, shape (sample, year), GBP of the price base
        Nothing where councils do not reinvest in family help: the sweep knows no other case.

    Examples
    --------
    >>> first_guess(option, system, basis, lines, cap, bare=bare)  # doctest: +SKIP
    """
    money = np.zeros_like(cap)
    later = option.recurrent
    if later is None or later.component != "family_help" or later.payer != "council":
        return money
    programme = sum((x.amount for x in lines if x.component == "family_help"), np.zeros_like(cap))
    timing = service_timing(
        system.value("delivery.start_delay") + HALF_YEAR,
        stretch=system.value("delivery.ramp_stretch"),
        years=cap.shape[1],
    )
    starts = system.baseline["starts_reachable"].transpose("sample", "year", "age").values
    one = np.ones_like(cap)
    ends = [starts * averted_share(system, replace(bare.services, family_help=c * one)) for c in (0.0, 1.0)]
    stays = np.ascontiguousarray(np.moveaxis(system.averted_kernel, 3, 1)).sum(axis=-1)
    _compiled()(
        np.ascontiguousarray(cap),
        np.ascontiguousarray(programme),
        timing,
        *(np.ascontiguousarray(np.broadcast_to(end, starts.shape)) for end in ends),
        stays,
        np.ascontiguousarray(system.entrant_mix),
        _others(bare),
        _worth_of_child_year(system, basis),
        _fixed_support(bare),
        _by_draw(option, system),
        money,
    )
    return money


def _others(bare: OptionAccount) -> np.ndarray:
    """Children fewer or moved whom family help does not touch, (sample, year, placement)."""
    others = bare.children.moved.copy()
    others[..., _RELATIVES] += bare.children.fewer_by_age.sum(axis=-1) - bare.children.at_home
    return others


def _worth_of_child_year(system: CareSystem, basis: CostBasis) -> np.ndarray:
    """Avoidable cost of a child-year, (sample, year, placement)."""
    one = np.ones_like(basis.prices.path)
    worth = placement_savings(one, 0.0 * one, prices=basis.prices.path, parameters=system.parameters)
    worth[:, 0] *= 2.0  # nobody is fewer before the first year, so it holds half a child-year
    return worth


def _fixed_support(bare: OptionAccount) -> np.ndarray:
    """Support of special guardians, (sample, year): the same whatever is reinvested in family help."""
    found = [line.amount for line in bare.costs if line.component == "guardianship_support"]
    return found[0] if found else np.zeros_like(bare.recurrent)


def _by_draw(option: Option, system: CareSystem) -> np.ndarray:
    """Numbers of one value per draw, in the order the sweep unpacks them."""
    value = system.value
    at_once = value("cashable.share_at_once")
    part = area_share(option, system)
    columns = (
        value("delivery.reinvest_share") / value("delivery.cost_overrun"),
        value("delivery.setup_share"),
        value("family_help.cost_per_child") * value("family_help.eligible_children"),
        np.full_like(at_once, part),
        at_once,
        (1.0 - at_once) * value("cashable.rest_later"),
        value("payers.nhs_share_of_homes"),
        value("legal.proceedings_share") * value("legal.cost_per_case") * value("legal.council_share"),
        value("family_help.deferral_share"),
        value("home_support.supported_share") * value("home_support.cost_per_year"),
    )
    return np.stack(columns, axis=-1)
