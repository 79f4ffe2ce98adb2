"""One option, from its money to its effect and its cash flow; the same draws for every option.

Financing modes differ only in the recurrent money: `fade` has none, `new_recurrent` pays it every year, and
`reinvest` spends no more than its payer could cash the year before. With R the money, o its overrun, k the share
reinvested and cap the most that is wanted,

    R(t) o = min(cap(t) o, k max(cashed(t - 1), 0)),     cashed = payer's cashable saving - payer's support costs

Savings of others (courts, the NHS) cannot pay for a council's family help, and what a council saves on care
goes first to the support at home that takes its place. Since the saving of a year depends only on money of
that and earlier years, repeating the account with the money so found settles at least one more year each time
and ends at the exact path, from whatever guess it starts. Draws that have settled are left out of the next round.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from cba.costs.account import (
    LATER,
    SUPPORT,
    CostBasis,
    MoneyLine,
    OptionAccount,
    Terms,
    cost_lines,
    placement_savings,
    price_cut,
    programme_money,
    recurrent_cap,
    saving_lines,
    support_lines,
)
from cba.dimensions import PLACEMENTS
from cba.interventions import kinds
from cba.interventions.delivery import SETUP_YEARS, timing_of
from cba.projection.care_system import RETURN_YEARS, CareSystem, area_share, averted_share, option_children

if TYPE_CHECKING:
    from cba.inputs.options import Option
    from cba.interventions.records import Work


def option_account(option: Option, system: CareSystem, basis: CostBasis) -> OptionAccount:
    """Work out one option.

    Costs and savings against business as usual, GBP of the price base, undiscounted.
    """
    years = [int(year) for year in system.years]
    terms = Terms(basis.start_year, years, basis.price_base, basis.index, system.reach.size)
    work_out = reinvested_account if option.financing == "reinvest" else _account
    return work_out(option, system, basis, programme_money(option, terms), recurrent_cap(option, terms))


def _account(
    option: Option,
    system: CareSystem,
    basis: CostBasis,
    lines: tuple[MoneyLine, ...],
    recurrent: np.ndarray,
) -> OptionAccount:
    effects = kinds.checked(option)
    programme = {
        c: sum((line.amount for line in lines if line.component == c), np.zeros_like(recurrent))
        for c in {effect.component for effect in effects}
    }
    yearly = dict(programme)
    if option.recurrent is not None:
        later = option.recurrent
        if later.component in yearly:
            yearly[later.component] = yearly[later.component] + recurrent
        lines = (*lines, MoneyLine(later.component, later.payer, "recurrent", recurrent))
    part = area_share(option, system)
    work = kinds.work(effects, system.ground, yearly=yearly, programme=programme, part=part)
    children = option_children(system, work)
    avoided = placement_savings(
        children.fewer_by_placement, children.moved, prices=basis.prices.path, parameters=system.parameters
    )
    cut = price_cut(system, children, work=work, prices=basis.prices.path)
    savings = saving_lines(system, children, avoided, cut=cut)
    costs = cost_lines(system, lines, work=work) + support_lines(system, children, work=work)
    return OptionAccount(children, work, costs, savings, avoided, recurrent)


# --- A first guess at money that is reinvested: one sweep forward in time, each year from the year … ---


_RELATIVES = PLACEMENTS.index("foster_relative_or_friend")


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

    Shape (sample, year), GBP of the price base. Nothing where councils do not reinvest in family help: the
    sweep knows no other case. `cap` (sample, year), GBP of the price base.
    """
    money = np.zeros_like(cap)
    later = option.recurrent
    if later is None or later.component != "family_help" or later.payer != "council":
        return money
    programme = sum((x.amount for x in lines if x.component == "family_help"), np.zeros_like(cap))
    starts = system.ground.starts
    ends = [starts * averted_share(system, _served(bare, share)) for share in (0.0, 1.0)]
    stays = np.ascontiguousarray(np.moveaxis(system.averted_kernel, 3, 1)).sum(axis=-1)
    sweep(  # type: ignore[call-arg]  # compiled: its type does not show its arguments
        np.ascontiguousarray(cap),
        np.ascontiguousarray(programme),
        timing_of(system.ground),
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


def _served(bare: OptionAccount, share: float) -> list[Work]:
    """The work of an option whose family help covers a share of the eligible in every year."""
    cover = np.full_like(bare.recurrent, share)
    return [replace(w, delivered=cover) if w.name == "family_help" else w for w in bare.work]


def _others(bare: OptionAccount) -> np.ndarray:
    """Children fewer or moved whom family help does not touch, (sample, year, placement)."""
    others = bare.children.moved.copy()
    others[..., _RELATIVES] += bare.children.fewer - bare.children.at_home
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


SETTLED_GBP = 1.0
"""A draw's path has settled when no year moves by this much, a thousand-millionth of the cap of the shipped option."""


WORTH_LEAVING_OUT = 0.7
"""Settled draws are left out once at most this share is unsettled: choosing draws copies arrays."""


def reinvested_account(
    option: Option,
    system: CareSystem,
    basis: CostBasis,
    lines: tuple[MoneyLine, ...],
    cap: np.ndarray,
) -> OptionAccount:
    """Work out an option that pays for its recurrent money out of its own savings.

    Its recurrent money lies between 0 and `cap`. `cap` (sample, year), GBP of the price base.
    """
    whole = (system, basis, lines)
    bare = _account(option, *whole, np.zeros_like(cap))
    money = first_guess(option, *whole, cap, bare=bare)
    draws = np.arange(cap.shape[0])
    for _ in range(cap.shape[1] + 1):
        found = _account(option, system, basis, lines, money[draws])
        share = system.value("delivery.reinvest_share") / system.value("delivery.cost_overrun")
        spare = share[:, None] * np.maximum(cashed(option, found), 0.0)
        new = np.zeros_like(spare)
        new[:, 1:] = np.minimum(cap[draws, 1:], spare[:, :-1])
        open_still = np.abs(new - money[draws]).max(axis=1) >= SETTLED_GBP
        if not open_still.any():
            break
        money[draws] = new
        if open_still.mean() <= WORTH_LEAVING_OUT:
            draws, system, basis, lines = draws[open_still], *_of_draws(open_still, system, basis, lines)
    return found if draws.size == cap.shape[0] else _account(option, *whole, money)


def cashed(option: Option, account: OptionAccount) -> np.ndarray:
    """What the payer of the recurrent money could take out of its budgets in each year.

    Shape (sample, year), GBP of the price base. Its cashable savings less its support of children at home and
    with special guardians; nothing for an option without recurrent money.
    """
    total = np.zeros_like(account.recurrent)
    payer = option.recurrent.payer if option.recurrent else ""
    for line in account.savings:
        if line.payer == payer:
            total += line.amount
    for cost in account.costs:
        if cost.payer == payer and cost.component in SUPPORT:
            total -= cost.amount
    return total


def _of_draws(
    keep: np.ndarray, system: CareSystem, basis: CostBasis, lines: tuple[MoneyLine, ...]
) -> tuple[CareSystem, CostBasis, tuple[MoneyLine, ...]]:
    """Restrict what an account is made from to some draws."""
    part = _chosen(system, keep, shared=())
    part = replace(
        part, baseline=system.baseline.isel(sample=keep), parameters=system.parameters.isel(sample=keep)
    )
    prices = replace(basis, prices=_chosen(basis.prices, keep, shared=()))
    return part, prices, tuple(replace(line, amount=line.amount[keep]) for line in lines)


def _chosen(record: Any, keep: np.ndarray, *, shared: tuple[str, ...]) -> Any:
    """Record with every array but those shared by all draws restricted to some of them."""
    arrays = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in shared}
    return replace(record, **{n: a[keep] for n, a in arrays.items() if isinstance(a, np.ndarray)})


# --- The loop over years of a first guess at reinvested money, compiled; imported where it is called, … ---


_HOME = PLACEMENTS.index("childrens_home")


_WAITS = np.array(RETURN_YEARS)


@numba.njit(cache=True)
def _placement_cash(
    t: int,
    fewer: np.ndarray,
    others: np.ndarray,
    worth: np.ndarray,
    avoided: np.ndarray,
    rules: tuple[float, float, float],
) -> float:
    """Return what year `t` cashes of fewer children in placements; `avoided` is filled for that year."""
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


@numba.njit(cache=True)
def _averted_for_good(t: int, averted: np.ndarray, deferred: float) -> float:
    """Return starts averted in year `t` less those put off earlier that happen now."""
    returned = 0.0
    for wait in _WAITS:
        if t >= wait:
            returned += averted[t - wait] / _WAITS.size
    return averted[t] - deferred * returned


@numba.njit(cache=True)
def _avert(
    t: int, starts: np.ndarray, stays: np.ndarray, mix: np.ndarray, home: np.ndarray, fewer: np.ndarray
) -> None:
    """Add the children away because starts of year `t` were averted: at home, and fewer in each placement."""
    for lag in range(home.size - t):
        there = 0.0
        for age in range(starts.size):
            there += starts[age] * stays[lag, age]
        home[t + lag] += there
        for p in range(fewer.shape[1]):
            fewer[t + lag, p] += there * mix[lag, p]


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
    """Fill `money` with what is reinvested, one sweep forward in time.

    `cap`, `programme`, `fixed` (sample, year), GBP of the price base; `none_served`, `all_served`
    (sample, year, age), children; `others` (sample, year, placement), children; `money` (sample, year), GBP.
    """
    # `timing` (sample, lag): share of a year's money that acts so many years later. `stays`
    # (sample, lag, age): children away so many years after an averted start. `mix` (sample, lag, placement).
    # `worth` (sample, year, placement), GBP: avoidable cost of a child-year. `draw` (sample, 10): numbers of
    # one value per draw, in the order they are unpacked.
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
            _avert(t, starts, stays[s], mix[s], home, fewer)
            placed = _placement_cash(t, fewer, others[s], worth[s], avoided, (at_once, later, nhs))
            legal[t] = _averted_for_good(t, averted, deferred) * case
            cashed = placed - fixed[s, t] + (min(legal[t], 0.0) + at_once * max(legal[t], 0.0))
            if t >= LATER:
                cashed += later * max(legal[t - LATER], 0.0)
            at_home = max(home[t], 0.0) + (max(home[t - 1], 0.0) if t > 0 else 0.0)
            cashed -= support * at_home / 2.0
