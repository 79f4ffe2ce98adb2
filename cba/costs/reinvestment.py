"""Recurrent money out of savings: a year spends no more than its payer could cash the year before.

With R the money, o its overrun, k the share reinvested and cap the most that is wanted,

    R(t) o = min(cap(t) o, k max(cashed(t - 1), 0)),     cashed = payer's cashable saving - payer's support costs

Savings of others (courts, the NHS) cannot pay for a council's family help, and what a council saves on care
goes first to the support at home that takes its place. Since the saving of a year depends only on money of
that and earlier years, repeating the account with the money so found settles at least one more year each time
and ends at the exact path, from whatever guess it starts (:mod:`cba.costs.reinvestment_path`). Draws that have
settled are left out of the next round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.costs.account_lines import SUPPORT
from cba.costs.programme_money import MoneyLine
from cba.costs.reinvestment_path import first_guess
from cba.projection.care_system import CareSystem

if TYPE_CHECKING:
    from cba.costs.option_account import CostBasis, OptionAccount
    from cba.inputs.options import Option

SETTLED_GBP = 1.0
"""A draw's path has settled when no year moves by this much, a thousand-millionth of the £1bn cap."""

WORTH_LEAVING_OUT = 0.7
"""Settled draws are left out once at most this share is unsettled: choosing draws copies arrays."""


def reinvested_account(
    option: Option,
    system: CareSystem,
    basis: CostBasis,
    lines: tuple[MoneyLine, ...],
    cap: np.ndarray,
    *,
    account: Callable[..., OptionAccount],
) -> OptionAccount:
    """Work out an option that pays for its recurrent money out of its own savings.

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
    account : callable
        ``account(option, system, basis, lines, recurrent)``, the account of given recurrent money.

    Returns
    -------
    OptionAccount
        Its recurrent money lies between 0 and `cap`.

    Examples
    --------
    >>> reinvested_account(option, system, basis, lines, cap, account=account)  # doctest: +SKIP
    """
    whole = (system, basis, lines)
    bare = account(option, *whole, np.zeros_like(cap))
    money = first_guess(option, *whole, cap, bare=bare)
    draws = np.arange(cap.shape[0])
    for _ in range(cap.shape[1] + 1):
        found = account(option, system, basis, lines, money[draws])
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
    return found if draws.size == cap.shape[0] else account(option, *whole, money)


def cashed(option: Option, account: OptionAccount) -> np.ndarray:
    """What the payer of the recurrent money could take out of its budgets in each year.

    Parameters
    ----------
    option : Option
        With recurrent money, whose payer it is.
    account : OptionAccount
        As returned by :func:`cba.costs.option_account.option_account`.

    Returns
    -------
    ndarray, shape (sample, year), GBP of the price base
        Its cashable savings less its support of children at home and with special guardians; nothing for an
        option without recurrent money.

    Examples
    --------
    >>> cashed(option, account).mean(axis=0)  # doctest: +SKIP
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
    part = _chosen(system, keep, shared=("guardian_years",))
    part = replace(
        part, baseline=system.baseline.isel(sample=keep), parameters=system.parameters.isel(sample=keep)
    )
    prices = replace(basis, prices=_chosen(basis.prices, keep, shared=()))
    return part, prices, tuple(replace(line, amount=line.amount[keep]) for line in lines)


def _chosen(record: Any, keep: np.ndarray, *, shared: tuple[str, ...]) -> Any:
    """Record with every array but those shared by all draws restricted to some of them."""
    arrays = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in shared}
    return replace(record, **{n: a[keep] for n, a in arrays.items() if isinstance(a, np.ndarray)})
