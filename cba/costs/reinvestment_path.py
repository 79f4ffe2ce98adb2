"""A first guess at money that is reinvested: one sweep forward in time, each year from the year before.

The sweep restates the account of family help in a loop over years. It is a guess only: whatever it gives is put
to the account itself (:mod:`cba.costs.reinvestment`), which goes on until no year moves, so a change of the
account that is not copied here costs time and no accuracy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cba.costs.bought_services import area_share
from cba.costs.programme_money import MoneyLine
from cba.costs.savings import placement_savings
from cba.dimensions import PLACEMENTS
from cba.projection.care_system import CareSystem
from cba.projection.coverage import HALF_YEAR
from cba.projection.option_children import averted_share
from cba.projection.slippage import service_timing

if TYPE_CHECKING:
    from cba.costs.option_account import CostBasis, OptionAccount
    from cba.inputs.options import Option

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
    from cba.costs.reinvestment_sweep import sweep

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
    sweep(  # type: ignore[call-arg]  # compiled: its type does not show its arguments
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
