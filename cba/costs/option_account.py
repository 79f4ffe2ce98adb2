"""One option, from its money to its effect and its cash flow; the same draws for every option.

Financing modes differ only in the recurrent money: `fade` has none, `new_recurrent` pays it every year, and
`reinvest` spends no more than its payer could cash the year before. With R the money, o its overrun, k the share
reinvested and cap the most that is wanted,

    R(t) o = min(cap(t) o, k max(cashed(t - 1), 0)),     cashed = payer's cashable saving - payer's support costs

Savings of others (courts, the NHS) cannot pay for a council's family help, and what a council saves on care
goes first to the support at home that takes its place. Since the saving of a year depends only on money of
that and earlier years, repeating the account with the money so found settles at least one more year each time
and ends at the exact path. Draws that have settled are left out of the next round.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.costs.account import (
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
from cba.interventions import kinds
from cba.projection.care_system import CareSystem, area_share, option_children

if TYPE_CHECKING:
    from cba.inputs.options import Option


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


# --- Money that is reinvested ---


SETTLED_GBP = 1e-4
"""A draw's path has settled when no year moves by this much: what is left is rounding."""


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
    money, draws = np.zeros_like(cap), np.arange(cap.shape[0])
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
    tables = {name: getattr(system, name).isel(sample=keep) for name in ("baseline", "parameters")}
    part = replace(_chosen(system, keep), **tables)
    prices = replace(basis, prices=_chosen(basis.prices, keep))
    return part, prices, tuple(_chosen(line, keep) for line in lines)


def _chosen(record: Any, keep: np.ndarray) -> Any:
    """Restrict every array of a record to some draws."""
    arrays = {f.name: getattr(record, f.name) for f in fields(record)}
    return replace(record, **{n: a[keep] for n, a in arrays.items() if isinstance(a, np.ndarray)})
