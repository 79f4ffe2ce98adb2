"""One option, from its money to its effect and its cash flow; the same draws for every option.

Financing modes differ only in the recurrent money: `fade` has none, `new_recurrent` pays it every year, and
`reinvest` spends no more than was cashed the year before (:mod:`cba.costs.reinvestment`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cba.costs.account import (
    CostBasis,
    MoneyLine,
    OptionAccount,
    cost_lines,
    placement_savings,
    price_cut,
    programme_money,
    recurrent_cap,
    saving_lines,
    support_lines,
)
from cba.costs.account import (
    starts_averted as starts_averted,
)
from cba.costs.reinvestment import reinvested_account
from cba.interventions import kinds
from cba.projection.care_system import CareSystem, area_share
from cba.projection.option_children import option_children

if TYPE_CHECKING:
    from cba.inputs.options import Option


def option_account(option: Option, system: CareSystem, basis: CostBasis) -> OptionAccount:
    """Work out one option.

    Costs and savings against business as usual, GBP of the price base, undiscounted.
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
