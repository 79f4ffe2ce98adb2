"""One option, from its money to its effect and its cash flow; the same draws for every option.

Financing modes differ only in the recurrent money: `fade` has none, `new_recurrent` pays it every year, `reinvest`
pays the smaller of its cap and a share of the cashable saving of the year before. Since the saving of a year depends
only on money of that and earlier years, repeating the projection with the recurrent money so found settles one more
year each time and ends at the exact path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cba.costs.placement_prices import WEEKS, PlacementPrices
from cba.costs.prices import PriceIndex
from cba.costs.programme_money import MoneyLine, programme_money, recurrent_cap
from cba.costs.savings import SavingLine, cashable, child_years, placement_savings
from cba.dimensions import PLACEMENTS
from cba.projection.care_system import CareSystem
from cba.projection.coverage import coverage, filled_foster_places, reform_progress
from cba.projection.option_children import OptionChildren, Services, option_children

if TYPE_CHECKING:
    from cba.inputs.options import Option

SCOPES = {
    "none": (),
    "sgo_from_care": ("kinship.guardianship_children",),
    "sgo_and_cao": ("kinship.guardianship_children", "kinship.arrangement_children"),
    "all_kinship": ("kinship.all_children",),
}
"""Existing children whose carers an allowance of each scope reaches: entries that are added up."""

SETTLED_GBP = 1.0
"""The reinvested path has settled when no draw's money moves by a pound."""


@dataclass(frozen=True)
class CostBasis:
    """What every option's account shares on the money side.

    Attributes
    ----------
    prices : PlacementPrices
    index : PriceIndex
    price_base, start_year : int
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
    services : Services
    costs : tuple of MoneyLine
        Programme and recurrent money, overrun included, and the part of allowances paid to existing carers
        (kind ``deadweight``), (sample, year).
    savings : tuple of SavingLine
        Cashable savings, (sample, year).
    avoided : ndarray, shape (sample, year, placement)
        Avoidable cost of placements before cashability.
    recurrent : ndarray, shape (sample, year)
        Recurrent money, GBP of the price base.
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
    """
    draws, years = system.reach.size, [int(y) for y in system.years]
    settings = {"start_year": basis.start_year, "years": years, "price_base": basis.price_base,
                "prices": basis.index, "draws": draws}
    lines = programme_money(option, **settings)
    cap = recurrent_cap(option, **settings)
    if option.financing != "reinvest":
        return _account(option, system, basis, lines, cap)
    share = system.value("delivery.reinvest_share")[:, None]
    recurrent = np.zeros_like(cap)
    for _ in range(len(years) + 1):
        account = _account(option, system, basis, lines, recurrent)
        saved = sum(line.amount for line in account.savings)
        before = np.concatenate([np.zeros((draws, 1)), saved[:, :-1]], axis=1)
        found = np.minimum(cap, share * np.maximum(before, 0.0))
        if np.abs(found - recurrent).max() < SETTLED_GBP:
            return account
        recurrent = found
    return _account(option, system, basis, lines, recurrent)


def _account(option, system, basis, lines, recurrent) -> OptionAccount:
    money = {c: sum((line.amount for line in lines if line.component == c), np.zeros_like(recurrent))
             for c in ("family_help", "kinship", "foster", "regional_care")}
    if option.recurrent is not None:
        money[option.recurrent.component] = money.get(option.recurrent.component, 0.0) + recurrent
    services, deadweight = _services(option, system, money)
    children = option_children(system, services)
    avoided = placement_savings(children.fewer_by_placement, children.moved, prices=basis.prices.path,
                                parameters=system.parameters)
    if option.effects.price_reform:
        avoided = avoided + _price_cut(system, services, basis, children)
    overrun = system.value("delivery.cost_overrun")[:, None]
    costs = [MoneyLine(line.component, line.payer, line.kind, line.amount * overrun) for line in lines]
    if option.effects.allowance_scope != "none":
        costs = _with_deadweight(costs, deadweight * overrun)
        support = child_years(children.under_guardianship) * system.value("kinship.guardianship_support")[:, None]
        costs.append(MoneyLine("kinship", "council", "recurrent", support))
    if option.recurrent is not None:
        costs.append(MoneyLine(option.recurrent.component, option.recurrent.payer, "recurrent", recurrent * overrun))
    return OptionAccount(children, services, tuple(costs), _savings(system, children, avoided), avoided, recurrent)


def _services(option, system, money) -> tuple[Services, np.ndarray]:
    """Turn money into services; also the allowances that go to carers who would have cared anyway."""
    value = system.value
    setup, delay = value("delivery.setup_share"), value("delivery.start_delay")
    zero = np.zeros_like(money["family_help"])
    family_help = coverage(money["family_help"], unit_cost=value("family_help.cost_per_child"),
                           eligible=value("family_help.eligible_children"), setup_share=setup, delay=delay)
    allowance_money, meeting_money = zero, zero
    if option.effects.allowance_scope != "none":
        share = value("kinship.allowance_share")[:, None] if option.effects.family_network else 1.0
        allowance_money, meeting_money = money["kinship"] * share, money["kinship"] * (1.0 - share)
    elif option.effects.family_network:
        meeting_money = money["kinship"]
    meetings = zero
    if option.effects.family_network:
        starts = system.baseline["starts_reachable"].sum("age").transpose("sample", "year").values
        route = value("kinship.route_share") * value("kinship.uncovered_share") / value(
            "kinship.in_care_without_meeting")
        meetings = coverage(meeting_money, unit_cost=value("kinship.meeting_cost"), eligible=starts * route[:, None],
                            setup_share=setup, delay=delay)
    bill = value("kinship.allowance_gap") * WEEKS * sum((value(n) for n in SCOPES[option.effects.allowance_scope]),
                                                        np.zeros(system.reach.size))
    allowances = np.minimum(allowance_money / bill[:, None], 1.0) if bill.any() else zero
    places = zero
    if option.effects.foster_carers_target > 0:
        places = filled_foster_places(
            money["foster"], target=option.effects.foster_carers_target,
            cost_per_carer=value("foster.cost_per_carer"), delivered=value("foster.target_delivered"),
            carers_per_household=value("foster.carers_per_household"),
            places_per_household=value("foster.places_per_household"),
            filled_share=value("foster.filled_share"), attrition=value("foster.attrition"), delay=delay)
    reform = reform_progress(money["regional_care"], delay=delay) if option.effects.price_reform else zero
    return Services(family_help, meetings, allowances, places, reform), allowances * bill[:, None]


def _with_deadweight(costs: list[MoneyLine], deadweight: np.ndarray) -> list[MoneyLine]:
    """Show the allowances paid to existing carers apart from the rest of the kinship money; the sum stays."""
    kinship = [line for line in costs if line.component == "kinship"]
    if not kinship:
        return costs
    total = sum(line.amount for line in kinship)
    share = np.divide(deadweight, total, out=np.zeros_like(total), where=total > 0)
    others = [line for line in costs if line.component != "kinship"]
    for line in kinship:
        others.append(MoneyLine("kinship", line.payer, line.kind, line.amount * (1.0 - share)))
        others.append(MoneyLine("kinship", line.payer, "deadweight", line.amount * share))
    return others


def _price_cut(system, services, basis, children: OptionChildren) -> np.ndarray:
    """Lower price of the children's home placements that remain, as an avoidable cost by placement."""
    home = PLACEMENTS.index("childrens_home")
    total = system.baseline["children"].sum("age").transpose("sample", "year").values
    left = (total[..., None] * system.placement_mix - children.fewer_by_placement - children.moved)[..., home]
    cut = np.zeros_like(basis.prices.path)
    cut[..., home] = (services.reform * system.value("reform.home_price_cut")[:, None] * left
                      * basis.prices.path[..., home])
    return cut


def _savings(system: CareSystem, children: OptionChildren, avoided: np.ndarray) -> tuple[SavingLine, ...]:
    """Cashable savings by who gains; homes, fostering, other placements and care proceedings."""
    share = {"at_once": system.value("cashable.share_at_once"), "rest_later": system.value("cashable.rest_later")}
    home = PLACEMENTS.index("childrens_home")
    foster = [i for i, p in enumerate(PLACEMENTS) if p.startswith("foster")]
    other = [i for i in range(len(PLACEMENTS)) if i != home and i not in foster]
    homes = cashable(avoided[..., home], **share)
    nhs = system.value("payers.nhs_share_of_homes")[:, None]
    proceedings = (children.averted_starts.sum(axis=-1)
                   * (system.value("legal.proceedings_share") * system.value("legal.cost_per_case"))[:, None])
    legal = cashable(proceedings, **share)
    council = system.value("legal.council_share")[:, None]
    return (
        SavingLine("childrens_homes", "council", homes * (1.0 - nhs)),
        SavingLine("childrens_homes", "nhs", homes * nhs),
        SavingLine("fostering", "council", cashable(avoided[..., foster].sum(-1), **share)),
        SavingLine("other_placements", "council", cashable(avoided[..., other].sum(-1), **share)),
        SavingLine("care_proceedings", "council", legal * council),
        SavingLine("care_proceedings", "justice", legal * (1.0 - council)),
    )
