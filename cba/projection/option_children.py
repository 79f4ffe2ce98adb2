"""What an option changes: starts averted, early exits, placements moved, children looked after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.errors import InputError
from cba.projection.care_system import CareSystem, averted_stock, early_leavers

_PLACE = {name: index for index, name in enumerate(PLACEMENTS)}
_RELATIVES = _PLACE["foster_relative_or_friend"]


@dataclass(frozen=True)
class Services:
    """What an option delivers in each year; arrays of shape (sample, year)."""

    family_help: np.ndarray
    meetings: np.ndarray
    allowances: np.ndarray
    foster_places: np.ndarray
    reform: np.ndarray


@dataclass(frozen=True)
class OptionChildren:
    """Changes against business as usual; positive means fewer."""

    averted_starts: np.ndarray  # (sample, year, age)
    early_leavers: np.ndarray  # (sample, year)
    # (sample, year): early leavers not yet 18: children the council supports under their orders.
    under_guardianship: np.ndarray
    fewer_by_age: np.ndarray  # (sample, year, age): children fewer in care at 31 March
    # (sample, year, placement): the same, by placement; sums to the same total.
    fewer_by_placement: np.ndarray
    # (sample, year, placement): children moved out of (positive) or into (negative) a placement; sums to 0.
    moved: np.ndarray
    # (sample, year): children fewer in care because their start was averted: they live at home. Below 0 where
    # an effect is adverse.
    at_home: np.ndarray


def no_services(system: CareSystem) -> Services:
    """Services of an option that delivers nothing. Zero in every draw and year."""
    zero = np.zeros(system.baseline["closure"].shape)
    return Services(zero, zero, zero, zero, zero)


def averted_share(system: CareSystem, services: Services) -> np.ndarray:
    """Share of starts (not unaccompanied) averted; effects combine multiplicatively.

    Shape (sample, year, age). `services`: coverage of family help and of family-network meetings.
    """
    # Returned: ``1 - (1 - c phi_a (1 - RR_a)) (1 - c_k u (1 - RR_k))`` with c the coverage of family help,
    # phi its reach at each age, c_k the coverage of family-network meetings and u the newly covered share of
    # that route; negative where a service adds starts.
    tilt = np.ones((system.reach.size, len(AGE_BANDS)))
    tilt[:, 0] = system.value("family_help.age_tilt_under_1")
    tilt[:, -1] = system.value("family_help.age_tilt_16_plus")
    ratio = np.exp(system.value("family_help.log_risk_ratio")[:, None] * tilt)
    help_share = services.family_help[..., None] * (system.reach_by_age * (1.0 - ratio))[:, None, :]
    if not services.meetings.any():
        return help_share
    route = system.value("kinship.route_share") * system.value("kinship.uncovered_share")
    meeting_effect = 1.0 - np.exp(system.value("kinship.log_risk_ratio"))
    meeting_share = services.meetings * (route * meeting_effect)[:, None]
    return 1.0 - (1.0 - help_share) * (1.0 - meeting_share[..., None])


def option_children(system: CareSystem, services: Services) -> OptionChildren:
    """Children looked after under an option, as changes against business as usual."""
    averted = _values(system, "starts_reachable") * averted_share(system, services)
    by_age, by_placement = averted_stock(averted, kernel=system.averted_kernel, mix=system.entrant_mix)
    at_home = _total(by_age)
    children = _values(system, "children")
    placed = _total(children)[..., None] * system.placement_mix
    relatives = placed[..., _RELATIVES]
    leavers, left_by_age = early_leavers(
        _leaving_rate(system, services), relatives=relatives, kernel=system.leaver_kernel
    )
    by_age += left_by_age
    by_placement[..., _RELATIVES] += _total(left_by_age)
    left = placed - by_placement
    moved = _moved(system, services, left)
    _require_enough(children - by_age, names=AGE_BANDS, what="an age band")
    _require_enough(left - moved, names=PLACEMENTS, what="a placement")
    guardians = leavers @ _sums_over_lags(system.guardian_years, years=leavers.shape[1])
    return OptionChildren(averted, leavers, guardians, by_age, by_placement, moved, at_home)


def _values(system: CareSystem, name: str) -> np.ndarray:
    return np.asarray(system.baseline[name].transpose("sample", "year", "age").values)


def _total(parts: np.ndarray) -> np.ndarray:
    """Sum over the last axis as a product with ones: it is short, where a plain sum is ten times as slow."""
    return np.asarray(parts @ np.ones(parts.shape[-1]))


def _sums_over_lags(shares: np.ndarray, *, years: int) -> np.ndarray:
    """Matrix (from year, to year) of the share that is left after the years between; 0 before the first."""
    lag = np.arange(years)[None, :] - np.arange(years)[:, None]
    return np.where(lag >= 0, shares[np.maximum(lag, 0)], 0.0)


def _leaving_rate(system: CareSystem, services: Services) -> np.ndarray:
    """Yearly rate at which children leave relatives' foster care early, (sample, year).

    The trials report the difference in cumulative permanence RD over T years; the yearly rate is -ln(1 -
    RD)/T.
    """
    gain = system.value("kinship.permanence_gain")
    rate = -np.log1p(-gain) / system.value("kinship.permanence_years")
    return rate[:, None] * services.allowances


def _moved(system: CareSystem, services: Services, placed: np.ndarray) -> np.ndarray:
    """Children moved between placements by new foster places and by the placement reform."""
    moved = np.zeros_like(placed)
    home, own, agency = (_PLACE[n] for n in ("childrens_home", "foster_in_house", "foster_agency"))
    odds = system.value("foster.home_share") / (1.0 - system.value("foster.home_share"))
    odds = odds * np.exp(system.value("foster.substitution"))
    from_home = services.foster_places * (odds / (1.0 + odds))[:, None]
    from_home = (
        from_home + services.reform * system.value("reform.step_down_share")[:, None] * placed[..., home]
    )
    from_agency = (
        services.foster_places
        * (1.0 - (odds / (1.0 + odds)))[:, None]
        * (system.value("foster.agency_share")[:, None])
    )
    moved[..., home] = from_home
    moved[..., agency] = from_agency
    moved[..., own] = -(from_home + from_agency)
    return moved


def _require_enough(left: np.ndarray, *, names: tuple[str, ...], what: str) -> None:
    if left.min() >= -1e-6:
        return
    lowest = left.reshape(-1, left.shape[-1]).min(axis=0)
    worst = int(np.argmin(lowest))
    draws = float((left[..., worst] < 0).any(axis=1).mean())
    raise InputError(
        f"an option takes more children out of {what} than it holds",
        field=names[worst],
        found=f"{lowest[worst]:.0f} children left in the worst draw and year ({draws:.2%} of draws)",
        allowed="0 or more",
        cause="an effect or a number of places beyond what the system holds",
        remedy="narrow the prior of that effect; nothing is clipped",
    )
