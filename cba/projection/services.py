"""When the service that money pays for happens: later than the money by a delay, and spread by a slow ramp.

Money of a year is spent evenly over it. Its service follows after the delay d and, where the ramp stretches by
w years, evenly over the w years after that. With H(x) the integral of the share spent by time x, the share of
the service that has happened by the end of the k-th year after the money is

    R(k) = (H(k + 1 - d) - H(k + 1 - d - w)) / w,     H(x) = 0, x^2/2, x - 1/2 for x < 0, 0 to 1, above 1

so a delay or a stretch by a fraction of a year is exact and no money is gained or lost on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cba.errors import InputError
from cba.models.unit_costs_accounts import WEEKS
from cba.projection.care_system import CareSystem
from cba.projection.option_children import Services

if TYPE_CHECKING:
    from cba.inputs.options import Option


SHORTEST_STRETCH = 1e-4
"""Below this many years (an hour) a stretch is a mere delay to the middle of it: the quotient has no digits."""


@lru_cache(maxsize=1)
def _compiled() -> tuple[Callable[..., None], Callable[..., None]]:
    """Compile both loops on first use; numba stays out of the import path."""
    import numba

    @numba.njit(cache=True)
    def spent(time: float) -> float:
        if time <= 0.0:
            return 0.0
        return time * time / 2.0 if time < 1.0 else time - 0.5

    @numba.njit(cache=True)
    def shares(delay: np.ndarray, stretch: np.ndarray, timing: np.ndarray) -> None:
        for s in range(timing.shape[0]):
            before = 0.0
            for lag in range(timing.shape[1]):
                end = lag + 1.0 - delay[s]
                if stretch[s] < SHORTEST_STRETCH:
                    done = min(max(end - stretch[s] / 2.0, 0.0), 1.0)
                else:
                    done = (spent(end) - spent(end - stretch[s])) / stretch[s]
                timing[s, lag] = max(done - before, 0.0)  # rounding leaves -1e-17 where nothing happens
                before = done

    @numba.njit(cache=True)
    def move(path: np.ndarray, timing: np.ndarray, later: np.ndarray) -> None:
        for s in range(path.shape[0]):
            for lag in range(path.shape[1]):
                share = timing[s, lag]
                if share > 0.0:
                    for year in range(lag, path.shape[1]):
                        later[s, year] += share * path[s, year - lag]

    return shares, move


def service_timing(delay: np.ndarray, *, stretch: np.ndarray, years: int) -> np.ndarray:
    """Share of the service of a year's money that happens in that year and in each year after it.

    Shape (sample, lag), in [0, 1]. Rows sum to 1, less what happens after `years`.
    """
    timing = np.empty((delay.size, years))
    _compiled()[0](np.asarray(delay, dtype=float), np.asarray(stretch, dtype=float), timing)
    return timing


def slipped(path: np.ndarray, *, timing: np.ndarray) -> np.ndarray:
    """Move a yearly path later by its timing; nothing is gained on the way.

    Shape (sample, year). ``sum over lag of timing(lag) path(year - lag)``; its sum never exceeds that of
    `path`. `path` (sample, year): amount per year; zero before the first year. `timing` (sample, lag).
    """
    later = np.zeros(path.shape)
    if path.any():
        _compiled()[1](np.ascontiguousarray(path, dtype=float), np.ascontiguousarray(timing), later)
    return later


# --- How many children a programme serves: coverage built from money, cost per child, set-up and delay ---


SETUP_YEARS = 2
"""First years with money in which part of it pays for set-up."""


HALF_YEAR = 0.5
"""Service is spread over the year, so on average it acts half a year after its money."""


def service_money(money: np.ndarray, *, setup_share: np.ndarray) -> np.ndarray:
    """Money that pays for service after set-up, shape (sample, year).

    Shape (sample, year), GBP of the price base. `money` (sample, year), GBP of the price base.
    """
    funded = money > 0
    order = np.cumsum(funded, axis=1)
    starting = funded & (order <= SETUP_YEARS)
    return money * np.where(starting, 1.0 - setup_share[:, None], 1.0)


def coverage(
    money: np.ndarray,
    *,
    unit_cost: np.ndarray,
    eligible: np.ndarray,
    setup_share: np.ndarray,
    timing: np.ndarray,
) -> np.ndarray:
    """Share of the eligible who are served in each year.

    Shape (sample, year), in [0, 1]. Children served over children eligible; money beyond full coverage buys
    nothing. `money` (sample, year), GBP of the price base; `timing` (sample, lag).
    """
    served = service_money(money, setup_share=setup_share) / unit_cost[:, None]
    served = slipped(served, timing=timing)
    eligible = eligible if eligible.ndim == 2 else eligible[:, None]
    return np.minimum(served / eligible, 1.0)


def filled_foster_places(
    money: np.ndarray,
    *,
    target: float,
    cost_per_carer: np.ndarray,
    delivered: np.ndarray,
    carers_per_household: np.ndarray,
    places_per_household: np.ndarray,
    filled_share: np.ndarray,
    attrition: np.ndarray,
    timing: np.ndarray,
) -> np.ndarray:
    """Additional filled foster places at each 31 March, shape (sample, year).

    Shape (sample, year). Households x places x filled share, after yearly attrition of households. Money
    bounds recruitment: no more carers than it pays for, and no more than the delivered share of the target.
    """
    # `money` (sample, year), GBP of the price base. `timing` (sample, lag): when the carers whom a year's
    # money recruits begin.
    affordable = np.cumsum(slipped(money, timing=timing), axis=1) / cost_per_carer[:, None]
    recruited = np.minimum(affordable, target) * delivered[:, None]
    new = np.diff(recruited, axis=1, prepend=0.0) / carers_per_household[:, None]
    households = np.empty_like(new)
    current = np.zeros(new.shape[0])
    for year in range(new.shape[1]):
        current = current * (1.0 - attrition) + new[:, year] * (1.0 - attrition / 2.0)
        households[:, year] = current
    return households * (places_per_household * filled_share)[:, None]


def reform_progress(money: np.ndarray, *, timing: np.ndarray) -> np.ndarray:
    """Share of a structural reform in place: the share of its money spent so far.

    Shape (sample, year), in [0, 1]. 0 throughout where there is no money; 1 once all of it has acted. `money`
    (sample, year), GBP of the price base; `timing` (sample, lag).
    """
    total = money.sum(axis=1, keepdims=True)
    spent = np.cumsum(slipped(money, timing=timing), axis=1)
    return np.divide(spent, total, out=np.zeros_like(spent), where=total > 0)


# --- What an option's money buys in each year: help, meetings, allowances, foster places, reform ---


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

    Returns `services`: nothing is delivered that its money does not buy. `deadweight` (sample, year), GBP of
    the price base: allowances to existing carers; never above the kinship money.
    """
    # `money` (sample, year), GBP of the price base: programme and recurrent money by component. `programme`:
    # programme money alone: a reform is in place when it is spent, whatever its running costs.
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

    Services in part of the country can serve no more than its children; areas are taken to have the starts
    their population would have on average.
    """
    # `option`: its ``areas`` are authority codes; none means all of England.
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

    ``gap x weeks x children in scope``; zero without allowances.
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
