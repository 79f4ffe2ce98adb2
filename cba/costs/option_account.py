"""One option, from its money to its effect and its cash flow; the same draws for every option.

Financing modes differ only in the recurrent money: `fade` has none, `new_recurrent` pays it every year, and
`reinvest` spends no more than was cashed the year before (:mod:`cba.costs.reinvestment`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.costs.account_lines import cost_lines, price_cut, saving_lines, support_lines
from cba.costs.account_lines import starts_averted as starts_averted  # readers look for it here
from cba.costs.bought_services import bought_services
from cba.costs.placement_prices import PlacementPrices
from cba.costs.prices import PriceIndex
from cba.costs.programme_money import MoneyLine, programme_money, recurrent_cap
from cba.costs.reinvestment import reinvested_account
from cba.costs.savings import SavingLine, placement_savings
from cba.dimensions import COMPONENTS
from cba.projection.care_system import CareSystem
from cba.projection.option_children import OptionChildren, Services, option_children

if TYPE_CHECKING:
    from cba.inputs.options import Option


@dataclass(frozen=True)
class CostBasis:
    """What every option's account shares on the money side.

    Attributes
    ----------
    prices : PlacementPrices
        What placements cost.
    index : PriceIndex
        Deflator with its growth beyond the last published year.
    price_base, start_year : int
        Years ending 31 March.
    """

    prices: PlacementPrices
    index: PriceIndex
    price_base: int
    start_year: int


@dataclass(frozen=True)
class OptionAccount:
    """What one option does.

    Attributes
    ----------
    children : OptionChildren
        Changes in children looked after.
    services : Services
        What its money buys.
    costs : tuple of MoneyLine
        Programme and recurrent money, overrun included, the part of allowances paid to existing carers (kind
        ``deadweight``), and what councils spend on children who are not in care, at home (component
        ``home_support``) or with special guardians (``guardianship_support``), (sample, year).
    savings : tuple of SavingLine
        Cashable savings, (sample, year).
    avoided : ndarray, shape (sample, year, placement)
        Avoidable cost of placements before cashability.
    recurrent : ndarray, shape (sample, year)
        Recurrent money, GBP of the price base, before any overrun.
    """

    children: OptionChildren
    services: Services
    costs: tuple[MoneyLine, ...]
    savings: tuple[SavingLine, ...]
    avoided: np.ndarray
    recurrent: np.ndarray


def option_account(option: Option, system: CareSystem, basis: CostBasis) -> OptionAccount:
    """Work out one option.

    Parameters
    ----------
    option : Option
        As loaded by :func:`cba.inputs.options.load_options`.
    system : CareSystem
        Business as usual.
    basis : CostBasis
        Prices and money conventions of the analysis.

    Returns
    -------
    OptionAccount
        Costs and savings against business as usual, GBP of the price base, undiscounted.

    Raises
    ------
    InputError
        If it spends before the analysis starts, or takes out more children than the system holds.

    Examples
    --------
    >>> account = option_account(option, system, basis)  # doctest: +SKIP
    >>> sum(line.amount for line in account.savings).mean(axis=0)  # doctest: +SKIP
    """
    draws, years = system.reach.size, [int(y) for y in system.years]
    settings: dict[str, Any] = {
        "start_year": basis.start_year,
        "years": years,
        "price_base": basis.price_base,
        "prices": basis.index,
        "draws": draws,
    }
    lines = programme_money(option, **settings)
    cap = recurrent_cap(option, **settings)
    if option.financing != "reinvest":
        return _account(option, system, basis, lines, cap)
    return reinvested_account(option, system, basis, lines, cap, account=_account)


def total_saving(account: OptionAccount) -> np.ndarray:
    """Cashable saving of all payers in each year.

    Parameters
    ----------
    account : OptionAccount
        As returned by :func:`option_account`.

    Returns
    -------
    ndarray, shape (sample, year), GBP of the price base

    Examples
    --------
    >>> total_saving(account)  # doctest: +SKIP
    """
    return sum((line.amount for line in account.savings), np.zeros_like(account.recurrent))


def total_cost(account: OptionAccount) -> np.ndarray:
    """Programme, recurrent, allowance and support cost of all payers in each year.

    Parameters
    ----------
    account : OptionAccount
        As returned by :func:`option_account`.

    Returns
    -------
    ndarray, shape (sample, year), GBP of the price base

    Examples
    --------
    >>> total_cost(account)  # doctest: +SKIP
    """
    return sum((line.amount for line in account.costs), np.zeros_like(account.recurrent))


def _account(
    option: Option,
    system: CareSystem,
    basis: CostBasis,
    lines: tuple[MoneyLine, ...],
    recurrent: np.ndarray,
) -> OptionAccount:
    programme = {
        c: sum((line.amount for line in lines if line.component == c), np.zeros_like(recurrent))
        for c in COMPONENTS
    }
    money = dict(programme)
    if option.recurrent is not None:
        later = option.recurrent
        money[later.component] = money[later.component] + recurrent
        lines = (*lines, MoneyLine(later.component, later.payer, "recurrent", recurrent))
    services, deadweight = bought_services(option, system, money=money, programme=programme)
    children = option_children(system, services)
    avoided = placement_savings(
        children.fewer_by_placement, children.moved, prices=basis.prices.path, parameters=system.parameters
    )
    cut = price_cut(option, system, services, children, prices=basis.prices.path)
    savings = saving_lines(system, children, avoided, cut=cut)
    costs = cost_lines(system, lines, deadweight=deadweight) + support_lines(option, system, children)
    return OptionAccount(children, services, costs, savings, avoided, recurrent)
