"""What an option's money buys in each year: help, meetings, allowances, foster places, reform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cba.costs.placement_prices import WEEKS
from cba.errors import InputError
from cba.projection.care_system import CareSystem
from cba.projection.coverage import HALF_YEAR, coverage, filled_foster_places, reform_progress
from cba.projection.option_children import Services
from cba.projection.slippage import service_timing, slipped

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
    zero = np.zeros_like(money["family_help"])
    part = area_share(option, system)
    delay, stretch = system.value("delivery.start_delay"), system.value("delivery.ramp_stretch")
    timing = service_timing(delay + HALF_YEAR, stretch=stretch, years=zero.shape[1])
    family_help = part * coverage(
        money["family_help"],
        unit_cost=system.value("family_help.cost_per_child"),
        eligible=part * system.value("family_help.eligible_children"),
        setup_share=system.value("delivery.setup_share"),
        timing=timing,
    )
    allowances, deadweight = _allowances(option, system, money["kinship"], part=part)
    target = option.effects.foster_carers_target
    places = _foster_places(system, money["foster"], target=target, timing=timing) if target > 0 else zero
    reforms = option.effects.price_reform
    reform = reform_progress(programme["regional_care"], timing=timing) if reforms else zero
    for_meetings = money["kinship"] * (1.0 - _allowance_share(option, system))[:, None]
    meets = option.effects.family_network
    meetings = _meetings(system, for_meetings, part=part, timing=timing) if meets else zero
    return Services(family_help, meetings, allowances, places, reform), deadweight


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


def _allowance_share(option: Option, system: CareSystem) -> np.ndarray:
    """Share of the kinship money that goes into allowances, (sample,); the rest is for meetings."""
    if option.effects.allowance_scope == "none":
        return np.zeros(system.reach.size)
    if not option.effects.family_network:
        return np.ones(system.reach.size)
    return system.value("kinship.allowance_share")


def _allowances(
    option: Option, system: CareSystem, money: np.ndarray, *, part: float
) -> tuple[np.ndarray, np.ndarray]:
    """Share of the allowance gap that is paid, and the money it takes, both (sample, year).

    The money is shown in the year of its budget; payments begin as late as every service does, but for the
    half year that passes before a service acts: an allowance acts as it is paid.
    """
    bill = allowance_bill(option, system)[:, None]
    given = money * _allowance_share(option, system)[:, None]
    share = np.minimum(np.divide(given, bill, out=np.zeros_like(money), where=bill > 0), part)
    timing = service_timing(
        system.value("delivery.start_delay"),
        stretch=system.value("delivery.ramp_stretch"),
        years=money.shape[1],
    )
    return slipped(share, timing=timing), share * bill


def _meetings(system: CareSystem, money: np.ndarray, *, part: float, timing: np.ndarray) -> np.ndarray:
    """Share of the newly covered route offered a meeting, (sample, year)."""
    starts = system.baseline["starts_reachable"].transpose("sample", "year", "age").values.sum(axis=-1)
    covered = system.value("kinship.route_share") * system.value("kinship.uncovered_share")
    route = covered / system.value("kinship.in_care_without_meeting")
    return part * coverage(
        money,
        unit_cost=system.value("kinship.meeting_cost"),
        eligible=part * starts * route[:, None],
        setup_share=system.value("delivery.setup_share"),
        timing=timing,
    )


def _foster_places(system: CareSystem, money: np.ndarray, *, target: float, timing: np.ndarray) -> np.ndarray:
    return filled_foster_places(
        money,
        target=target,
        cost_per_carer=system.value("foster.cost_per_carer"),
        delivered=system.value("foster.target_delivered"),
        carers_per_household=system.value("foster.carers_per_household"),
        places_per_household=system.value("foster.places_per_household"),
        filled_share=system.value("foster.filled_share"),
        attrition=system.value("foster.attrition"),
        timing=timing,
    )
