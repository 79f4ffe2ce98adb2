"""The care system under business as usual, ready for options to act on it.

Everything that is the same for all options is worked out once: children by age, the placement mix, how long
an averted start would have lasted, where such a child would have been placed, and the share of starts that
family help can reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numba
import numpy as np
import xarray as xr

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.errors import InputError
from cba.interventions.records import Ground, Leavers, MetInCare, Work, share_averted
from cba.interventions.remaining import leaving_kernel, of_one_placement
from cba.models.effects_areas import REACH_ENTRIES, reach_of_draws
from cba.projection.kernel import (
    QUADRATURE,
    StayLength,
    age_position,
    averaged_over_year,
    averted_stock_kernel,
    met_in_care,
)

if TYPE_CHECKING:
    from cba.inputs.options import Option


AGES, PLACES = len(AGE_BANDS), len(PLACEMENTS)


@numba.njit(parallel=True, cache=True)
def _convolve(
    averted: np.ndarray, kernel: np.ndarray, mix: np.ndarray, by_age: np.ndarray, by_placement: np.ndarray
) -> None:
    """Add up, year by year, the children whom earlier averted starts keep away."""
    for s in numba.prange(averted.shape[0]):
        for year in range(averted.shape[1]):
            ages, places = by_age[s, year], by_placement[s, year]
            for lag in range(year + 1):
                starts, stays, shares = averted[s, year - lag], kernel[s, lag], mix[s, lag]
                there = 0.0
                # The numbers of ages and placements are known when this is compiled: three times as fast.
                for age in range(AGES):
                    here = 0.0
                    for start in range(AGES):
                        here += starts[start] * stays[start, age]
                    ages[age] += here
                    there += here
                for place in range(PLACES):
                    places[place] += there * shares[place]


def averted_stock(
    averted: np.ndarray, *, kernel: np.ndarray, mix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Children fewer in care, by age and by placement.

    Returns `by_age`, `by_placement`, shapes (sample, year, age) and (sample, year, placement): children fewer
    at each 31 March; both sum to the same total. `averted` (sample, year, from age), children.
    """
    # `averted`: starts averted in each year; negative where a service adds starts. Five ages, as in
    # `AGE_BANDS`. `kernel` (sample, from age, to age, lag): at least as many lags as years. `mix`
    # (sample, lag, placement): placement mix of children `lag` years after their start; rows sum to 1.
    sizes = (averted.shape[2], mix.shape[2])
    if sizes != (AGES, PLACES):
        raise InputError(
            "starts averted do not have the ages and placements of the package",
            field="averted, mix",
            found=f"{sizes[0]} ages, {sizes[1]} placements",
            allowed=f"{AGES} ages, {PLACES} placements",
            cause="axes in another order",
            remedy="give arrays as (sample, year, age) and (sample, lag, placement)",
        )
    by_age = np.zeros(averted.shape)
    by_placement = np.zeros((*averted.shape[:2], mix.shape[2]))
    if not averted.any():
        return by_age, by_placement
    _convolve(
        np.ascontiguousarray(averted, dtype=float),
        np.ascontiguousarray(np.moveaxis(kernel, 3, 1)),
        np.ascontiguousarray(mix),
        by_age,
        by_placement,
    )
    return by_age, by_placement


RETURN_YEARS = (3, 4, 5, 6)
"""Years after service in which deferred starts happen, in equal parts: after the follow-up of the studies, unless
the analysis says from which year on."""


@dataclass(frozen=True)
class CareSystem:
    """Business as usual and the kernels through which options change it; arrays share ``sample``, ``year``."""

    baseline: xr.Dataset
    parameters: xr.Dataset
    # (sample, year, placement): shares of looked-after children by placement; rows sum to 1.
    placement_mix: np.ndarray
    # (sample, from age, to age, lag): children fewer per averted start, deferred starts taken off.
    averted_kernel: np.ndarray
    entrant_mix: np.ndarray  # (sample, lag, placement): placement of a child by years since the start
    met: MetInCare  # what becomes of children met in care
    # (sample,): share of starts (not unaccompanied) that family help would reach at full roll-out.
    reach: np.ndarray
    # (sample, age): the same by age at the start; its average over starts is `reach`.
    reach_by_age: np.ndarray
    # Share of England's children aged 0 to 17 by authority code, latest year; sums to 1.
    authority_share: Mapping[str, float] = field(default_factory=dict)
    returns: tuple[int, ...] = RETURN_YEARS  # years after service in which deferred starts happen

    @property
    def years(self) -> np.ndarray:
        """Years ending 31 March, from the year after the last observed one."""
        return self.baseline["year"].values

    def value(self, name: str) -> np.ndarray:
        """Draws of one parameter. `name`: variable of ``parameters``."""
        return self.parameters[name].values

    @cached_property
    def ground(self) -> Ground:
        """Business as usual as the kinds of effect read it."""

        def by_age(name: str) -> np.ndarray:
            return np.asarray(self.baseline[name].transpose("sample", "year", "age").values)

        return Ground(
            value=self.value,
            starts=by_age("starts_reachable"),
            children=by_age("children"),
            exits=by_age("exits"),
            mix=self.placement_mix,
            reach=self.reach_by_age,
            met=self.met,
        )

    @property
    def leaver_kernel(self) -> np.ndarray:
        """Children fewer per child who leaves early under special guardianship, (sample, to age, lag)."""
        kernel = leaving_kernel(
            self.met.remaining[..., : self.years.size], returns=self.value("kinship.return_to_care")
        )
        return of_one_placement(kernel, ages=self._guardianship_ages)[:, 0]

    @property
    def guardian_years(self) -> np.ndarray:
        """Share of such children who are still under 18, (lag,), and so still supported under their order."""
        return self._guardianship_ages @ self.met.minors[:, : self.years.size]

    @property
    def _guardianship_ages(self) -> np.ndarray:
        under_16 = np.append(self.met.ages[:-1], 0.0)  # orders are made for younger children
        return np.asarray(under_16 / under_16.sum())


def area_share(option: Option, system: CareSystem) -> float:
    """Share of England's children who live in an option's areas, in (0, 1]; all of England where it names none.

    Services in part of the country can serve no more than its children; areas are taken to have the starts their
    population would have on average.
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


def care_system(
    observations: xr.Dataset,
    baseline: xr.Dataset,
    parameters: xr.Dataset,
    *,
    stays: StayLength,
    reachable_starts: float | np.ndarray,
    uasc_starts: float,
    returns: tuple[int, ...] = RETURN_YEARS,
) -> CareSystem:
    """Work out what every option shares.

    `baseline`, `parameters`: business as usual and the joint draws, same ``sample``.
    """
    # `reachable_starts`, float or ndarray, (age,): starts in the last published year of children who are not
    # unaccompanied, by age; one number for all ages leaves reach the same at every age.
    _require_paired(baseline, parameters)
    reach, reach_by_age = _reach(parameters, np.asarray(reachable_starts, dtype=float))
    lags = baseline.sizes["year"]
    stay_ratio = parameters["family_help.stay_ratio"].values
    kernel = averted_stock_kernel(stays, stay_ratio=stay_ratio, lags=lags)
    deferred = parameters["family_help.deferral_share"].values[:, None, None, None]
    return CareSystem(
        baseline=baseline,
        parameters=parameters,
        placement_mix=_placement_mix(observations, baseline, parameters),
        averted_kernel=kernel - deferred * _deferred(stays, stay_ratio, lags=lags, returns=returns),
        entrant_mix=_entrant_mix(observations, parameters, lags, uasc_starts=uasc_starts),
        met=met_in_care(
            stays,
            lags=lags,
            starts=_latest(observations, "starts_by_age"),
            stock=_latest(observations, "stock_by_age"),
        ),
        reach=reach,
        reach_by_age=reach_by_age,
        authority_share=authority_share(observations),
        returns=returns,
    )


def _require_paired(baseline: xr.Dataset, parameters: xr.Dataset) -> None:
    if baseline.sizes["sample"] != parameters.sizes["sample"]:
        raise InputError(
            "draws are not paired",
            field="sample",
            found=f"{baseline.sizes['sample']} and {parameters.sizes['sample']}",
            allowed="the same",
            cause="fits made with different settings",
            remedy="refit with one set of settings",
        )


def authority_share(observations: xr.Dataset) -> dict[str, float]:
    """Share of England's children by authority in the last year with a population for most of them.

    By three-digit code, for the authorities of today; they sum to 1.
    """
    people = (
        observations["population_by_authority"].dropna("year", how="all").isel(year=-1).dropna("authority")
    )
    share = people / people.sum()
    return {
        str(code): float(value) for code, value in zip(share["authority"].values, share.values, strict=True)
    }


def _reach(parameters: xr.Dataset, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of starts that family help reaches at full roll-out, over all ages and by age."""
    by_age = starts if starts.ndim else np.full(len(AGE_BANDS), starts / len(AGE_BANDS))
    reach, pattern = reach_of_draws({name: parameters[name].values for name in REACH_ENTRIES}, by_age)
    return reach, pattern if starts.ndim else np.tile(reach[:, None], len(AGE_BANDS))


def _deferred(
    stays: StayLength, stay_ratio: np.ndarray, *, lags: int, returns: tuple[int, ...]
) -> np.ndarray:
    """Children in care again per deferred start: a new stay that begins some years later at an older age."""
    offsets = (np.arange(QUADRATURE) + 0.5) / QUADRATURE
    later = np.moveaxis(np.zeros((stay_ratio.size, lags, len(AGE_BANDS), len(AGE_BANDS))), 1, 3)
    for wait in returns:
        if wait >= lags:
            continue
        length = np.arange(wait, lags)[:, None] + offsets[None, :]
        share = stays.share((length - wait)[None] / stay_ratio[:, None, None])
        position = age_position(length)
        later[..., wait:] += averaged_over_year(share, position)
    return later / len(returns)


def _shares(counts: xr.DataArray, *, name: str) -> np.ndarray:
    """Placement shares of the last published year; refuses a release without them."""
    known = counts.dropna("year")
    if known.sizes["year"] == 0:
        raise InputError(
            "placements are not published in this release",
            field=name,
            found="all missing",
            allowed="at least one year",
            cause="releases before 2021 group placements differently",
            remedy="choose a release from 2021",
        )
    last = known.isel(year=-1).sel(placement=list(PLACEMENTS)).values
    return last / last.sum()


def _placement_mix(observations: xr.Dataset, baseline: xr.Dataset, parameters: xr.Dataset) -> np.ndarray:
    """Shares by placement: today's, with the log odds of children's homes trending for a while."""
    today = _shares(observations["stock_by_placement"], name="stock_by_placement")
    half_life = parameters["unit_costs.growth_half_life"].values[:, None]
    steps = np.arange(1, baseline.sizes["year"] + 1)[None, :]
    drift = (
        parameters["unit_costs.home_share_trend"].values[:, None]
        * (1 - 0.5 ** (steps / half_life))
        / (1 - 0.5 ** (1 / half_life))
    )
    home = PLACEMENTS.index("childrens_home")
    odds = today[home] / (1.0 - today[home]) * np.exp(drift)
    share = odds / (1.0 + odds)
    mix = today[None, None, :] * ((1.0 - share) / (1.0 - today[home]))[..., None]
    mix[..., home] = share
    return mix


def _entrant_mix(
    observations: xr.Dataset, parameters: xr.Dataset, lags: int, *, uasc_starts: float
) -> np.ndarray:
    """Placement mix by years since the start, of children who are not unaccompanied."""
    # It moves from the mix of first placements to that of the stock at the pace of
    # ``unit_costs.mix_change_years``. Unaccompanied children, whom family help cannot reach, are taken off
    # both: a share of them is in foster care, the rest in supported accommodation.
    foster_share = parameters["unit_costs.uasc_foster_share"].values
    first = _without_unaccompanied(observations, "starts_by_placement", uasc_starts, foster_share)
    uasc_stock = float(observations["uasc_stock"].dropna("year").isel(year=-1))
    stock = _without_unaccompanied(observations, "stock_by_placement", uasc_stock, foster_share)
    middle = np.arange(lags) + 0.5
    fresh = np.exp(-middle[None, :] / parameters["unit_costs.mix_change_years"].values[:, None])[..., None]
    return fresh * first[:, None, :] + (1.0 - fresh) * stock[:, None, :]


def _without_unaccompanied(
    observations: xr.Dataset, counts: str, alone: float, foster_share: np.ndarray
) -> np.ndarray:
    """Placement mix of children who are not unaccompanied in the last published year, (sample, placement)."""
    known = observations[counts].dropna("year")
    last = known.isel(year=-1).sel(placement=list(PLACEMENTS)).values
    own, agency = PLACEMENTS.index("foster_in_house"), PLACEMENTS.index("foster_agency")
    left = np.tile(last, (foster_share.size, 1))
    in_house = last[own] / (last[own] + last[agency])
    left[:, own] -= alone * foster_share * in_house
    left[:, agency] -= alone * foster_share * (1.0 - in_house)
    left[:, PLACEMENTS.index("supported_accommodation")] -= alone * (1.0 - foster_share)
    if (left < 0).any():
        worst = PLACEMENTS[int(np.argmin(left.min(axis=0)))]
        raise InputError(
            "more unaccompanied children than places of a kind",
            field=f"{counts}, {worst}",
            found=round(float(left.min())),
            allowed="0 or more",
            file="priors/costs.toml",
            cause="unit_costs.uasc_foster_share too far from the published placements",
            remedy="narrow that prior",
        )
    return left / left.sum(axis=1, keepdims=True)


def _latest(observations: xr.Dataset, name: str) -> np.ndarray:
    """Children by age in the last published year."""
    known: np.ndarray = observations[name].sel(age=list(AGE_BANDS)).dropna("year").isel(year=-1).values
    return known


# --- What an option changes: starts averted, early exits, placements moved, children looked after ---


@dataclass(frozen=True)
class OptionChildren:
    """Changes against business as usual; positive means fewer."""

    averted_starts: np.ndarray  # (sample, year, age)
    early_leavers: np.ndarray  # (sample, year): children who leave early, or are served so that they do
    # (sample, year): early leavers not yet 18: children the council supports under their orders.
    under_guardianship: np.ndarray
    fewer_by_age: np.ndarray  # (sample, year, age): children fewer in care at 31 March
    # (sample, year, placement): the same, by placement; sums to the same total.
    fewer_by_placement: np.ndarray
    # (sample, year, placement): children moved out of (positive) or into (negative) a placement; sums to 0.
    moved: np.ndarray
    # (sample, year): children fewer in care who live at home: their start was averted, or they left early
    # without an order. Below 0 where an effect is adverse.
    at_home: np.ndarray

    @property
    def fewer(self) -> np.ndarray:
        """Children of all ages fewer in care at 31 March, (sample, year)."""
        return np.asarray(self.fewer_by_age.sum(axis=-1))


def averted_share(system: CareSystem, work: Sequence[Work]) -> np.ndarray:
    """Share of starts (not unaccompanied) averted, (sample, year, age); negative where a service adds starts."""
    return share_averted(work, shape=system.ground.starts.shape)


def option_children(system: CareSystem, work: Sequence[Work]) -> OptionChildren:
    """Children looked after under an option, as changes against business as usual.

    Raises InputError if it would take more children out of an age band or a placement than business as usual holds.
    """
    ground = system.ground
    averted = ground.starts * averted_share(system, work)
    by_age, by_placement = averted_stock(averted, kernel=system.averted_kernel, mix=system.entrant_mix)
    at_home = _total(by_age)
    placed = _total(ground.children)[..., None] * system.placement_mix
    leavers, guarded = np.zeros((2, *at_home.shape))
    for done in work:
        if done.leavers is None:
            continue
        fewer = _still_there(done.leavers, by_age, ground.children)
        by_age = by_age + fewer
        by_placement = by_placement + _where(done.leavers, _total(fewer), system.placement_mix)
        leavers = leavers + done.leavers.number
        if done.leavers.supported is None:
            at_home = at_home + _total(fewer)
        else:
            guarded = guarded + done.leavers.supported
    left = placed - by_placement
    moved = _moved(work, left)
    _require_enough(ground.children - by_age, names=AGE_BANDS, what="an age band")
    _require_enough(left - moved, names=PLACEMENTS, what="a placement")
    return OptionChildren(averted, leavers, guarded, by_age, by_placement, moved, at_home)


def _total(parts: np.ndarray) -> np.ndarray:
    """Sum over the last axis as a product with ones: it is short, where a plain sum is ten times as slow."""
    return np.asarray(parts @ np.ones(parts.shape[-1]))


def _still_there(leavers: Leavers, gone: np.ndarray, children: np.ndarray) -> np.ndarray:
    """Children fewer for early leavers, of those whom the effects before have left in care.

    Effects multiply: 1 - (1 - x)(1 - y) of the children are gone. Who leaves one placement is counted on its number
    under business as usual, for where averted children would have been by then is known only on average.
    """
    if leavers.placement is not None or not gone.any():
        return leavers.fewer
    return leavers.fewer * (1.0 - gone / children)


def _where(leavers: Leavers, fewer: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Children fewer by placement: in the one they leave, else spread as all children in care are."""
    if leavers.placement is None:
        return fewer[..., None] * mix
    return fewer[..., None] * np.eye(len(PLACEMENTS))[leavers.placement]


def _moved(work: Sequence[Work], left: np.ndarray) -> np.ndarray:
    """Children moved between placements: by new places, and as shares of those left."""
    moved = np.zeros_like(left)
    for done in work:
        if done.moved is not None:
            moved += done.moved
        for start, end, share in done.shifts:
            moved[..., start] += share * left[..., start]
            moved[..., end] -= share * left[..., start]
    return moved


MOST_SHORT = 5e-3
"""Share of draws in which an option may take more children out of a band than it holds; the table `room_left` has them.

They are far tails of several priors at once: stays as published, in a draw whose children leave sooner. Nothing is
clipped, so they neither flatter nor damn; a few hundred children in one draw of two hundred are one or two in the mean.
Beyond that a prior is too wide for the model."""


def _require_enough(left: np.ndarray, *, names: tuple[str, ...], what: str) -> None:
    lowest = left.reshape(-1, left.shape[-1]).min(axis=0)
    worst = int(np.argmin(lowest))
    draws = float((left[..., worst] < -1e-6).any(axis=1).mean())
    if draws <= MOST_SHORT:
        return
    raise InputError(
        f"an option takes more children out of {what} than it holds",
        field=names[worst],
        found=f"{lowest[worst]:.0f} children left in the worst draw and year ({draws:.2%} of draws)",
        allowed=f"0 or more in all but {MOST_SHORT:.1%} of draws",
        cause="an effect or a number of places beyond what the system holds",
        remedy="narrow the prior of that effect; nothing is clipped",
    )
