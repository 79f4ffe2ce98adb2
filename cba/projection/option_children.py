"""What an option changes: starts averted, early exits, placements moved, children looked after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.errors import InputError
from cba.projection.averted_stock import averted_stock
from cba.projection.care_system import CareSystem

_PLACE = {name: index for index, name in enumerate(PLACEMENTS)}


@dataclass(frozen=True)
class Services:
    """What an option delivers in each year; arrays of shape (sample, year).

    Attributes
    ----------
    family_help : share of eligible children served
    meetings : share of the newly covered route offered a family-network meeting
    allowances : share of the allowance gap that is paid
    foster_places : additional filled foster places at 31 March
    reform : share of the placement reform in place

    Examples
    --------
    >>> nothing = np.zeros((2, 3))
    >>> Services(nothing, nothing, nothing, nothing, nothing).reform.shape
    (2, 3)
    """

    family_help: np.ndarray
    meetings: np.ndarray
    allowances: np.ndarray
    foster_places: np.ndarray
    reform: np.ndarray


@dataclass(frozen=True)
class OptionChildren:
    """Changes against business as usual; positive means fewer.

    Attributes
    ----------
    averted_starts : ndarray, shape (sample, year, age)
    early_leavers : ndarray, shape (sample, year)
    under_guardianship : ndarray, shape (sample, year)
        Early leavers not yet 18: children the council supports under their orders.
    fewer_by_age : ndarray, shape (sample, year, age)
        Children fewer in care at 31 March.
    fewer_by_placement : ndarray, shape (sample, year, placement)
        The same, by placement; sums to the same total.
    moved : ndarray, shape (sample, year, placement)
        Children moved out of (positive) or into (negative) a placement; sums to 0.

    Examples
    --------
    Made by :func:`option_children`.

    >>> from dataclasses import fields
    >>> [field.name for field in fields(OptionChildren)][:2]
    ['averted_starts', 'early_leavers']
    """

    averted_starts: np.ndarray
    early_leavers: np.ndarray
    under_guardianship: np.ndarray
    fewer_by_age: np.ndarray
    fewer_by_placement: np.ndarray
    moved: np.ndarray


def no_services(system: CareSystem) -> Services:
    """Services of an option that delivers nothing.

    Parameters
    ----------
    system : CareSystem
        Gives the number of draws and years.

    Returns
    -------
    Services
        Zero in every draw and year.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import xarray as xr
    >>> shape = xr.Dataset({"closure": (("sample", "year"), np.ones((2, 3)))})
    >>> no_services(SimpleNamespace(baseline=shape)).family_help.sum()
    np.float64(0.0)
    """
    zero = np.zeros(system.baseline["closure"].shape)
    return Services(zero, zero, zero, zero, zero)


def averted_share(system: CareSystem, services: Services) -> np.ndarray:
    """Share of starts (not unaccompanied) averted; effects combine multiplicatively.

    Parameters
    ----------
    system : CareSystem
        Reach and the parameters of effect.
    services : Services
        Coverage of family help and of family-network meetings.

    Returns
    -------
    ndarray, shape (sample, year, age)
        ``1 - (1 - c phi (1 - RR_a)) (1 - c_k u (1 - RR_k))`` with c the coverage of family help, phi its
        reach, c_k the coverage of family-network meetings and u the newly covered share of that route;
        negative where a service adds starts.

    Examples
    --------
    Half the eligible are served, half of would-be starts are reached, and the risk halves: an eighth averted.

    >>> from types import SimpleNamespace
    >>> values = dict.fromkeys(("family_help.age_tilt_under_1", "family_help.age_tilt_16_plus"), 1.0)
    >>> values |= {"family_help.log_risk_ratio": np.log([0.5]), "kinship.log_risk_ratio": np.zeros(1)}
    >>> values |= {"kinship.route_share": np.ones(1), "kinship.uncovered_share": np.ones(1)}
    >>> system = SimpleNamespace(reach=np.array([0.5]), value=values.__getitem__)
    >>> half, none = np.full((1, 1), 0.5), np.zeros((1, 1))
    >>> averted_share(system, Services(half, none, none, none, none)).round(4).tolist()
    [[[0.125, 0.125, 0.125, 0.125, 0.125]]]
    """
    tilt = np.ones((system.reach.size, len(AGE_BANDS)))
    tilt[:, 0] = system.value("family_help.age_tilt_under_1")
    tilt[:, -1] = system.value("family_help.age_tilt_16_plus")
    ratio = np.exp(system.value("family_help.log_risk_ratio")[:, None] * tilt)
    help_share = (services.family_help * system.reach[:, None])[..., None] * (1.0 - ratio)[:, None, :]
    route = system.value("kinship.route_share") * system.value("kinship.uncovered_share")
    meeting_effect = 1.0 - np.exp(system.value("kinship.log_risk_ratio"))
    meeting_share = services.meetings * (route * meeting_effect)[:, None]
    return 1.0 - (1.0 - help_share) * (1.0 - meeting_share[..., None])


def option_children(system: CareSystem, services: Services) -> OptionChildren:
    """Children looked after under an option, as changes against business as usual.

    Parameters
    ----------
    system : CareSystem
        Business as usual and its kernels.
    services : Services
        What the option delivers.

    Returns
    -------
    OptionChildren

    Raises
    ------
    InputError
        If an option would take more children out of an age band or a placement than business as usual holds.

    Examples
    --------
    >>> import cba
    >>> result = cba.appraise("latest")  # doctest: +SKIP
    >>> result.children.sel(option="care_review").dims  # doctest: +SKIP
    ('sample', 'year', 'age')
    """
    reachable = system.baseline["starts_reachable"].transpose("sample", "year", "age").values
    averted = reachable * averted_share(system, services)
    by_age, by_placement = averted_stock(averted, kernel=system.averted_kernel, mix=system.entrant_mix)
    leavers, left_by_age = _early_leavers(system, services)
    by_age = by_age + left_by_age
    by_placement[..., _PLACE["foster_relative_or_friend"]] += left_by_age.sum(axis=-1)
    children = system.baseline["children"].transpose("sample", "year", "age").values
    placed = children.sum(axis=-1)[..., None] * system.placement_mix
    moved = _moved(system, services, placed - by_placement)
    _require_enough(children - by_age, system, names=AGE_BANDS, what="an age band")
    _require_enough(placed - by_placement - moved, system, names=PLACEMENTS, what="a placement")
    guardians = np.zeros_like(leavers)
    for year in range(leavers.shape[1]):
        guardians[:, year:] += leavers[:, year, None] * system.guardian_years[None, : leavers.shape[1] - year]
    return OptionChildren(averted, leavers, guardians, by_age, by_placement, moved)


def _early_leavers(system: CareSystem, services: Services) -> tuple[np.ndarray, np.ndarray]:
    """Children who leave relatives' foster care under allowances, and those fewer in care because of it.

    The trials report the difference in cumulative permanence RD over T years; the yearly rate is -ln(1 -
    RD)/T.
    """
    gain = system.value("kinship.permanence_gain")
    rate = -np.log1p(-gain) / system.value("kinship.permanence_years")
    children = system.baseline["children"].sum("age").transpose("sample", "year").values
    relatives = children * system.placement_mix[..., _PLACE["foster_relative_or_friend"]]
    years = relatives.shape[1]
    leavers, gone = np.zeros(relatives.shape), np.zeros(relatives.shape)
    per_leaver = system.leaver_kernel.sum(axis=1)
    paid = [year for year in range(years) if services.allowances[:, year].any()]
    for year in paid:
        before = gone[:, year - 1] if year else 0.0
        leavers[:, year] = rate * services.allowances[:, year] * (relatives[:, year] - before)
        gone[:, year:] += leavers[:, year, None] * per_leaver[:, : years - year]
    by_age = np.zeros((*relatives.shape, len(AGE_BANDS)))
    for year in paid:
        later = system.leaver_kernel[:, :, : years - year].transpose(0, 2, 1)
        by_age[:, year:] += leavers[:, year, None, None] * later
    return leavers, by_age


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


def _require_enough(left: np.ndarray, system: CareSystem, *, names: tuple[str, ...], what: str) -> None:
    lowest = left.min(axis=(0, 1))
    if (lowest < -1e-6).any():
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
