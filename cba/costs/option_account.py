"""One option, from its money to its effect and its cash flow; the same draws for every option.

Financing modes differ only in the recurrent money: `fade` has none, `new_recurrent` pays it every year,
`reinvest` spends, overrun included, no more than a share of the cashable saving of the year before. Since the
saving of a year depends only on money of that and earlier years, repeating the projection with the recurrent
money so found settles one more year each time and ends at the exact path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.costs.bought_services import bought_services
from cba.costs.placement_prices import PlacementPrices
from cba.costs.prices import PriceIndex
from cba.costs.programme_money import MoneyLine, programme_money, recurrent_cap
from cba.costs.savings import SavingLine, cashable, child_years, placement_savings
from cba.dimensions import COMPONENTS, PLACEMENTS
from cba.projection.care_system import RETURN_YEARS, CareSystem
from cba.projection.option_children import OptionChildren, Services, option_children

if TYPE_CHECKING:
    from cba.inputs.options import Option

SETTLED_GBP = 1000.0
"""The reinvested path has settled when no draw's money moves by this much, a millionth of the £1bn cap."""

_HOME = PLACEMENTS.index("childrens_home")
_FOSTER = [i for i, p in enumerate(PLACEMENTS) if p.startswith("foster")]
_OTHER = [i for i in range(len(PLACEMENTS)) if i != _HOME and i not in _FOSTER]


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
        Programme and recurrent money, overrun included, and the part of allowances paid to existing carers
        (kind ``deadweight``), (sample, year).
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
    share = (system.value("delivery.reinvest_share") / system.value("delivery.cost_overrun"))[:, None]
    recurrent = np.zeros_like(cap)
    for _ in range(len(years) + 1):
        account = _account(option, system, basis, lines, recurrent)
        before = np.zeros_like(cap)
        before[:, 1:] = total_saving(account)[:, :-1]
        found = np.minimum(cap, share * np.maximum(before, 0.0))
        if np.abs(found - recurrent).max() < SETTLED_GBP:
            return account
        recurrent = found
    return _account(option, system, basis, lines, recurrent)


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
    savings = _savings(system, children, avoided, cut=_price_cut(option, system, services, basis, children))
    costs = _costs(option, system, lines, deadweight=deadweight, children=children)
    return OptionAccount(children, services, costs, savings, avoided, recurrent)


def _costs(
    option: Option,
    system: CareSystem,
    lines: tuple[MoneyLine, ...],
    *,
    deadweight: np.ndarray,
    children: OptionChildren,
) -> tuple[MoneyLine, ...]:
    """Lines with their overrun, allowances to existing carers apart, and support of new special guardians."""
    overrun = system.value("delivery.cost_overrun")[:, None]
    costs = [MoneyLine(line.component, line.payer, line.kind, line.amount * overrun) for line in lines]
    if option.effects.allowance_scope == "none":
        return tuple(costs)
    support = child_years(children.under_guardianship) * system.value("kinship.guardianship_support")[:, None]
    return (
        *_with_deadweight(costs, deadweight * overrun),
        MoneyLine("kinship", "council", "recurrent", support),
    )


def _with_deadweight(costs: list[MoneyLine], deadweight: np.ndarray) -> list[MoneyLine]:
    """Show the allowances paid to existing carers apart from the rest of the kinship money; the sum stays."""
    kinship = [line for line in costs if line.component == "kinship"]
    total = sum((line.amount for line in kinship), np.zeros_like(deadweight))
    share = np.divide(deadweight, total, out=np.zeros_like(total), where=total > 0)
    shown = [line for line in costs if line.component != "kinship"]
    for line in kinship:
        shown.append(MoneyLine("kinship", line.payer, line.kind, line.amount * (1.0 - share)))
        shown.append(MoneyLine("kinship", line.payer, "deadweight", line.amount * share))
    return shown


def _price_cut(
    option: Option, system: CareSystem, services: Services, basis: CostBasis, children: OptionChildren
) -> np.ndarray:
    """Money less paid for the children's home placements that remain, (sample, year); below 0 if dearer."""
    if not option.effects.price_reform:
        return np.zeros_like(services.reform)
    total = system.baseline["children"].transpose("sample", "year", "age").values.sum(axis=-1)
    gone = children.fewer_by_placement[..., _HOME] + children.moved[..., _HOME]
    left = total * system.placement_mix[..., _HOME] - gone
    cut = services.reform * system.value("reform.home_price_cut")[:, None]
    return cut * left * basis.prices.path[..., _HOME]


def starts_averted(system: CareSystem, children: OptionChildren) -> np.ndarray:
    """Starts fewer in each year once deferred ones have happened after all.

    Parameters
    ----------
    system : CareSystem
        Gives the share of averted starts that are deferred.
    children : OptionChildren
        As returned by :func:`cba.projection.option_children.option_children`.

    Returns
    -------
    ndarray, shape (sample, year), children
        Averted starts less, in equal parts 2 to 5 years later, the deferred ones.

    Examples
    --------
    >>> starts_averted(system, children)  # doctest: +SKIP
    """
    averted = children.averted_starts.sum(axis=-1)
    later = np.zeros_like(averted)
    for wait in RETURN_YEARS:
        later[:, wait:] += averted[:, : max(averted.shape[1] - wait, 0)] / len(RETURN_YEARS)
    return averted - system.value("family_help.deferral_share")[:, None] * later


def _savings(
    system: CareSystem, children: OptionChildren, avoided: np.ndarray, *, cut: np.ndarray
) -> tuple[SavingLine, ...]:
    """Cashable savings by who gains; homes, fostering, other placements and care proceedings.

    A lower price of the placements that remain closes no place, so it leaves budgets as it is paid.
    """
    share = {
        "at_once": system.value("cashable.share_at_once"),
        "rest_later": system.value("cashable.rest_later"),
    }
    placed = cashable(avoided, **share)
    homes = placed[..., _HOME] + cut
    nhs = system.value("payers.nhs_share_of_homes")[:, None]
    case = system.value("legal.proceedings_share") * system.value("legal.cost_per_case")
    legal = cashable(starts_averted(system, children) * case[:, None], **share)
    council = system.value("legal.council_share")[:, None]
    return (
        SavingLine("childrens_homes", "council", homes * (1.0 - nhs)),
        SavingLine("childrens_homes", "nhs", homes * nhs),
        SavingLine("fostering", "council", placed[..., _FOSTER].sum(-1)),
        SavingLine("other_placements", "council", placed[..., _OTHER].sum(-1)),
        SavingLine("care_proceedings", "council", legal * council),
        SavingLine("care_proceedings", "justice", legal * (1.0 - council)),
    )
