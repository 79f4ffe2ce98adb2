"""One option, from its money to its effect and its cash flow; the same draws for every option.

Financing modes differ only in the recurrent money: `fade` has none, `new_recurrent` pays it every year, and
`reinvest` spends no more than its payer could cash the year before. With R the money, o what it comes to over what
was planned (1 for fixed money), k the share reinvested and cap the most that is wanted,

    R(t) = min(cap(t), k max(cashed(t - 1), 0) / o(t)),     cashed = payer's cashable saving - payer's support costs

Savings of others (courts, the NHS) cannot pay for a council's family help, and what a council saves on care
goes first to the support at home that takes its place. Since the saving of a year depends only on money of
that and earlier years, repeating the account with the money so found settles at least one more year each time
and ends at the exact path. Draws that have settled are left out of the next round.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from cba.costs.account import (
    SUPPORT,
    CostBasis,
    MoneyLine,
    OptionAccount,
    Terms,
    cost_lines,
    led_share,
    overrun_of,
    placement_savings,
    price_cut,
    programme_money,
    recurrent_cap,
    saving_lines,
    support_lines,
)
from cba.inputs.options import Option, together
from cba.interventions import kinds
from cba.interventions.records import Money, added
from cba.projection.care_system import CareSystem, area_share, option_children


@dataclass(frozen=True)
class Below:
    """The programme that another option is put on top of."""

    option: Option
    lines: tuple[MoneyLine, ...]
    cashed: np.ndarray  # (sample, year): what the payer of the option above cashes of it alone


def option_account(
    option: Option, system: CareSystem, basis: CostBasis, *, below: Below | None = None
) -> OptionAccount:
    """Work out one option.

    Costs and savings against business as usual, GBP of the price base, undiscounted.
    """
    terms = _terms(system, basis)
    work_out = reinvested_account if option.financing == "reinvest" else _account
    money = programme_money(option, terms), recurrent_cap(option, terms)
    return work_out(option, system, basis, *money, below=below)


def run_off_account(option: Option, system: CareSystem, basis: CostBasis, *, last_year: int) -> OptionAccount:
    """Work out an option whose money stops after a year; what it did is followed to the end of the projection.

    Averted starts, their costs, re-entry and deferral, leavers and places filled run on; a price or a share that was
    changed goes back, for it acts anew each year and nobody pays for it any more.
    """
    return option_account(option, system, replace(basis, last_year=last_year))


def account_on_top(
    option: Option, system: CareSystem, basis: CostBasis, *, below: Option, alone: OptionAccount
) -> OptionAccount:
    """Work out an option on top of another: the money of both, coverage capped jointly, in one account.

    `alone`: the account of the one below. Money that is reinvested comes out of what the option itself saves.
    """
    lines = programme_money(below, _terms(system, basis))
    return option_account(option, system, basis, below=Below(below, lines, cashed(option, alone)))


def _terms(system: CareSystem, basis: CostBasis) -> Terms:
    years, draws = [int(year) for year in system.years], system.reach.size
    return Terms(basis.start_year, years, basis.price_base, basis.index, draws, basis.last_year)


def _account(
    option: Option,
    system: CareSystem,
    basis: CostBasis,
    lines: tuple[MoneyLine, ...],
    recurrent: np.ndarray,
    *,
    below: Below | None = None,
) -> OptionAccount:
    lines = _with_recurrent(option, lines, recurrent)
    effects, money = kinds.checked(option), _money(option, system, lines)
    if below is not None:
        lines, theirs = (*lines, *below.lines), _money(below.option, system, below.lines)
        effects = kinds.checked(together(option, below.option))
        # Each option's money stays with its own effects.
        both = {e.name: [m[e.name] for m in (money, theirs) if e.name in m] for e in effects}
        money = {name: added(parts, like=recurrent) for name, parts in both.items()}
    dearer = system.value("delivery.cost_overrun")[:, None] if basis.overrun == "delivery" else 1.0
    work = kinds.work(effects, system.ground, money=money, dearer=dearer)
    if np.isfinite(basis.last_year):
        work = tuple(done.until(int(basis.last_year - system.years[0])) for done in work)
    children = option_children(system, work)
    avoided = placement_savings(
        children.fewer_by_placement, children.moved, prices=basis.prices.path, parameters=system.parameters
    )
    cut = price_cut(system, children, work=work, prices=basis.prices.path)
    savings = saving_lines(system, children, avoided, cut=cut)
    costs = cost_lines(system, lines, work=work, overrun=basis.overrun)
    costs = costs + support_lines(system, children, work=work)
    return OptionAccount(children, work, costs, savings, avoided, recurrent)


def _with_recurrent(option: Option, lines: tuple[MoneyLine, ...], money: np.ndarray) -> tuple[MoneyLine, ...]:
    later = option.recurrent
    return lines if later is None else (*lines, MoneyLine(later.component, later.payer, "recurrent", money))


def _money(option: Option, system: CareSystem, lines: tuple[MoneyLine, ...]) -> dict[str, Money]:
    """What each effect of an option may spend."""
    effects, part = kinds.checked(option), area_share(option, system)
    yearly, programme = (
        {
            c: sum((x.amount for x in lines if x.component == c and x.kind in kind), system.ground.nothing())
            for c in {effect.component for effect in effects}
        }
        for kind in (("programme", "recurrent"), ("programme",))
    )
    return kinds.money_by_effect(effects, system.ground, yearly=yearly, programme=programme, part=part)


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
    *,
    below: Below | None = None,
) -> OptionAccount:
    """Work out an option that pays for its recurrent money out of its own savings.

    Its recurrent money lies between 0 and `cap`. `cap` (sample, year), GBP of the price base.
    """
    whole, lower = (system, basis, lines), below
    money, draws = np.zeros_like(cap), np.arange(cap.shape[0])
    for _ in range(2 * cap.shape[1]):  # what is led by demand is known once there is money: a round more
        found = _account(option, system, basis, lines, money[draws], below=below)
        own = cashed(option, found) - (0.0 if below is None else below.cashed)
        spare = system.value("delivery.reinvest_share")[:, None] * np.maximum(own, 0.0)
        new = np.zeros_like(spare)
        every = _with_recurrent(option, lines, money[draws]) + (() if below is None else below.lines)
        component = option.recurrent.component if option.recurrent else ""
        led = led_share(every, work=found.work, component=component)
        times = overrun_of(system, led, overrun=basis.overrun)
        new[:, 1:] = np.minimum(cap[draws, 1:], spare[:, :-1] / times[:, 1:])
        open_still = np.abs(new - money[draws]).max(axis=1) >= SETTLED_GBP
        if not open_still.any():
            break
        money[draws] = new
        if open_still.mean() <= WORTH_LEAVING_OUT:
            draws = draws[open_still]
            system, basis, lines, below = _of_draws(open_still, system, basis, lines, below)
    return found if draws.size == cap.shape[0] else _account(option, *whole, money, below=lower)


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


def _of_draws(keep: np.ndarray, system: CareSystem, basis: CostBasis, *money: Any) -> tuple[Any, ...]:
    """Restrict what an account is made from to some draws."""
    tables = {name: getattr(system, name).isel(sample=keep) for name in ("baseline", "parameters")}
    part = replace(_chosen(system, keep), **tables)
    prices = replace(basis, prices=_chosen(basis.prices, keep))
    return part, prices, *(_chosen(each, keep) for each in money)


def _chosen(record: Any, keep: np.ndarray) -> Any:
    """Restrict every array of a record, or of several, to some draws."""
    if record is None or isinstance(record, tuple):
        return record and tuple(_chosen(each, keep) for each in record)
    held = {f.name: getattr(record, f.name) for f in fields(record)}
    cut = {n: a[keep] for n, a in held.items() if isinstance(a, np.ndarray)}
    return replace(record, **cut, **{n: _chosen(a, keep) for n, a in held.items() if n == "lines"})
