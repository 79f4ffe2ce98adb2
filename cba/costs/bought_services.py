"""What an option's money buys in each year: help, meetings, allowances, foster places, reform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cba.costs.placement_prices import WEEKS
from cba.errors import InputError
from cba.projection.care_system import CareSystem
from cba.projection.coverage import coverage, filled_foster_places, reform_progress
from cba.projection.option_children import Services

if TYPE_CHECKING:
    from cba.inputs.options import Option

SCOPES: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "sgo_from_care": ("kinship.guardianship_children",),
    "sgo_and_cao": ("kinship.guardianship_children", "kinship.arrangement_children"),
    "all_kinship": ("kinship.all_children",),
}
"""Existing children whose carers an allowance of each scope reaches: entries that are added up."""

Money = Mapping[str, np.ndarray]
"""Money by component, each (sample, year), GBP of the price base before any overrun."""


def bought_services(
    option: Option, system: CareSystem, *, money: Money, programme: Money
) -> tuple[Services, np.ndarray]:
    """Turn money into services; also the allowances that go to carers who would have cared anyway.

    Parameters
    ----------
    option : Option
        Says which effects its money is meant to have.
    system : CareSystem
        Business as usual.
    money : mapping of str to ndarray, shape (sample, year), GBP of the price base
        Programme and recurrent money by component.
    programme : mapping of str to ndarray, same shape
        Programme money alone: a reform is in place when it is spent, whatever its running costs.

    Returns
    -------
    services : Services
        Nothing is delivered that its money does not buy.
    deadweight : ndarray, shape (sample, year), GBP of the price base
        Allowances to existing carers; never above the kinship money.

    Examples
    --------
    >>> services, deadweight = bought_services(option, system, money=money, programme=money)  # doctest: +SKIP
    """
    delay = system.value("delivery.start_delay")
    zero = np.zeros_like(money["family_help"])
    part = area_share(option, system)
    family_help = part * coverage(
        money["family_help"],
        unit_cost=system.value("family_help.cost_per_child"),
        eligible=part * system.value("family_help.eligible_children"),
        setup_share=system.value("delivery.setup_share"),
        delay=delay,
    )
    for_allowances, for_meetings = _kinship_split(option, system, money["kinship"])
    bill = allowance_bill(option, system)[:, None]
    allowances = np.minimum(np.divide(for_allowances, bill, out=zero.copy(), where=bill > 0), part)
    target = option.effects.foster_carers_target
    places = _foster_places(system, money["foster"], target=target) if target > 0 else zero
    reform = reform_progress(programme["regional_care"], delay=delay) if option.effects.price_reform else zero
    meetings = _meetings(system, for_meetings, part=part) if option.effects.family_network else zero
    return Services(family_help, meetings, allowances, places, reform), allowances * bill


def area_share(option: Option, system: CareSystem) -> float:
    """Share of England's children who live in the option's areas.

    Parameters
    ----------
    option : Option
        Its ``areas`` are authority codes; none means all of England.
    system : CareSystem
        Gives the population shares.

    Returns
    -------
    float
        In (0, 1]. Services in part of the country can serve no more than its children; areas are taken to have
        the starts their population would have on average.

    Raises
    ------
    InputError
        If a code is not that of an authority with a population.

    Examples
    --------
    >>> area_share(option, system)  # doctest: +SKIP
    1.0
    """
    unknown = [code for code in option.areas if code not in system.authority_share]
    if unknown:
        raise InputError(
            "an option names an authority without a population",
            file=f"priors/options/{option.id}.toml",
            field="areas",
            found=unknown[0],
            allowed="codes of authorities of the latest year, as in cba/inputs/published/authorities.csv",
            cause="a code of before a reorganisation, or an ONS code",
            remedy="use the three-digit code of today's authority",
        )
    return sum(system.authority_share[code] for code in option.areas) if option.areas else 1.0


def allowance_bill(option: Option, system: CareSystem) -> np.ndarray:
    """Yearly cost of closing the allowance gap for every existing carer in scope.

    Parameters
    ----------
    option : Option
        Its ``allowance_scope`` says which carers.
    system : CareSystem
        Gives the weekly gap and the numbers of children.

    Returns
    -------
    ndarray, shape (sample,), GBP a year of the price base
        ``gap x weeks x children in scope``; zero without allowances.

    Examples
    --------
    >>> allowance_bill(option, system).mean()  # doctest: +SKIP
    """
    children = sum(
        (system.value(name) for name in SCOPES[option.effects.allowance_scope]), np.zeros(system.reach.size)
    )
    return system.value("kinship.allowance_gap") * WEEKS * children


def _kinship_split(option: Option, system: CareSystem, money: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kinship money for allowances and for family-network meetings."""
    if option.effects.allowance_scope == "none":
        return np.zeros_like(money), money
    if not option.effects.family_network:
        return money, np.zeros_like(money)
    share = system.value("kinship.allowance_share")[:, None]
    return money * share, money * (1.0 - share)


def _meetings(system: CareSystem, money: np.ndarray, *, part: float) -> np.ndarray:
    """Share of the newly covered route offered a meeting, (sample, year)."""
    starts = system.baseline["starts_reachable"].transpose("sample", "year", "age").values.sum(axis=-1)
    covered = system.value("kinship.route_share") * system.value("kinship.uncovered_share")
    route = covered / system.value("kinship.in_care_without_meeting")
    return part * coverage(
        money,
        unit_cost=system.value("kinship.meeting_cost"),
        eligible=part * starts * route[:, None],
        setup_share=system.value("delivery.setup_share"),
        delay=system.value("delivery.start_delay"),
    )


def _foster_places(system: CareSystem, money: np.ndarray, *, target: float) -> np.ndarray:
    return filled_foster_places(
        money,
        target=target,
        cost_per_carer=system.value("foster.cost_per_carer"),
        delivered=system.value("foster.target_delivered"),
        carers_per_household=system.value("foster.carers_per_household"),
        places_per_household=system.value("foster.places_per_household"),
        filled_share=system.value("foster.filled_share"),
        attrition=system.value("foster.attrition"),
        delay=system.value("delivery.start_delay"),
    )
