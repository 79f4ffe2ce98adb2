"""Money and child-years of each course open at the start: go now, go later, pilot, go in steps or stop them.

All on the draws, prices and calendar of the appraisal: from its start year to the end of its headline horizon.
Offsets count years from the start. A study of d years has a year to set up, d years of delivery and a year to
report, so that what it teaches can be acted on from offset d + 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cba.appraisal.pilot_options import PUBLISHED_AREAS as PUBLISHED_AREAS
from cba.appraisal.pilot_options import pilot_option, stopped_option
from cba.costs.discounting import discount_factors
from cba.costs.option_account import OptionAccount, option_account, total_cost, total_saving
from cba.costs.savings import child_years
from cba.errors import InputError
from cba.inputs.option_records import Option

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.costs.option_account import CostBasis
    from cba.projection.care_system import CareSystem

SET_UP_AND_REPORT = 2
"""Years a study takes beside its years of delivery."""

FIRST_STEP = 0.5
"""Share of authorities in the first step of a roll-out in steps: half against half is seen most sharply."""

STOPPING_SHARE = 0.25
"""Cost of stopping, as a share of the last year's money of the areas that stop: three months of contracts and
redundancies. Judgement, no source."""


@dataclass(frozen=True)
class Course:
    """One course, against business as usual, summed over the horizon in present values; arrays (sample,).

    Parameters
    ----------
    npv : ndarray, GBP of the price base
    safe, harm : ndarray, child-years
        At home rather than in care, and the part of them that should not have been.
    coverage : ndarray, shape (sample, year)
        Family help's coverage of eligible children, by year of the horizon.
    """

    npv: np.ndarray
    safe: np.ndarray
    harm: np.ndarray
    coverage: np.ndarray

    def worth(self, *, value_per_child_year: float, value_per_harm_year: float) -> np.ndarray:
        """Payoff ``NPV + lambda CY_safe - mu H`` of each draw, GBP."""
        return self.npv + value_per_child_year * self.safe - value_per_harm_year * self.harm

    def __add__(self, other: Course) -> Course:
        """Both courses, in different areas."""
        return Course(
            self.npv + other.npv,
            self.safe + other.safe,
            self.harm + other.harm,
            self.coverage + other.coverage,
        )

    def scaled(self, share: float) -> Course:
        """Return the course in a share of the areas."""
        return Course(share * self.npv, share * self.safe, share * self.harm, share * self.coverage)


@dataclass(frozen=True)
class Courses:
    """The courses of a decision with a study of so many years.

    Parameters
    ----------
    now, later : Course
        The whole roll-out, at the start or once the study has reported.
    pilot : Course
        The published pilot alone, in its 12 areas; n areas are n / 12 of it.
    continued, stopped : Course
        Steps carried to the end, or stopped when the first has been evaluated.
    """

    now: Course
    later: Course
    pilot: Course
    continued: Course
    stopped: Course


def courses(
    workings: Workings, option: str, *, years: Sequence[int], pilots: Mapping[int, Course] | None = None
) -> dict[int, Courses]:
    """Work out every course open at the start for one option and studies of several lengths.

    Parameters
    ----------
    workings : Workings
        As returned by :func:`cba.appraisal.stages.work_through`.
    option : str
        Option whose roll-out is in question; its recurrent money must not depend on its savings.
    years : sequence of int, >= 1
        Years of delivery that each study observes.
    pilots : mapping of int to Course, optional
        As returned by :func:`pilot_by_length`, where already worked out: they are the same for every option.

    Returns
    -------
    dict of int to Courses
        By years of study.

    Raises
    ------
    InputError
        If the option reinvests its savings, or a study reports after the horizon.

    Notes
    -----
    Areas are alike, so money and effect are proportional to the share of areas: ``continued = s now + (1 - s)
    later`` and ``stopped = s stopped roll-out - stopping cost``, with s the first step.

    Examples
    --------
    >>> courses(workings, "care_review", years=[2])[2].pilot.npv.mean()  # doctest: +SKIP
    """
    chosen = next(o for o in workings.inputs.options if o.id == option)
    _require_plain(chosen, workings, years)
    system, basis = within_horizon(workings)
    now = _course(workings, option_account(chosen, system, basis))
    pilots = pilot_by_length(workings, years) if pilots is None else pilots
    found = {}
    for length in years:
        wait = length + SET_UP_AND_REPORT
        delayed = chosen.model_copy(update={"delay_years": chosen.delay_years + wait})
        later = _course(workings, option_account(delayed, system, basis))
        ended = stopped_option(chosen, start_year=workings.inputs.analysis.start_year, after=wait)
        found[length] = Courses(
            now=now,
            later=later,
            pilot=pilots[length],
            continued=now.scaled(FIRST_STEP) + later.scaled(1.0 - FIRST_STEP),
            stopped=_stopped(workings, option_account(ended, system, basis), after=wait).scaled(FIRST_STEP),
        )
    return found


def pilot_by_length(workings: Workings, years: Sequence[int]) -> dict[int, Course]:
    """Work out the published pilot alone, for studies of several lengths.

    Parameters
    ----------
    workings : Workings
    years : sequence of int, >= 1
        Years of delivery.

    Returns
    -------
    dict of int to Course
        By years of study.

    Examples
    --------
    >>> pilot_by_length(workings, [2])[2].npv.mean()  # doctest: +SKIP
    """
    system, basis = within_horizon(workings)
    return {
        length: _course(workings, option_account(pilot_option(length), system, basis)) for length in years
    }


def within_horizon(workings: Workings) -> tuple[CareSystem, CostBasis]:
    """Return business as usual and prices cut at the end of the headline horizon: what comes later cannot matter."""
    analysis, system, prices = workings.inputs.analysis, workings.system, workings.basis.prices
    size = int((system.years < analysis.start_year + analysis.horizon).sum())
    cut = replace(
        system,
        baseline=system.baseline.isel(year=slice(size)),
        placement_mix=system.placement_mix[:, :size],
        averted_kernel=system.averted_kernel[..., :size],
        entrant_mix=system.entrant_mix[:, :size],
        leaver_kernel=system.leaver_kernel[..., :size],
        guardian_years=system.guardian_years[:size],
    )
    return cut, replace(workings.basis, prices=replace(prices, path=prices.path[:, :size]))


def _factors(workings: Workings) -> np.ndarray:
    """Discount factors of the horizon, from its first year on."""
    analysis = workings.inputs.analysis
    return discount_factors(np.arange(analysis.horizon), analysis.schedule, mid_year=analysis.mid_year)


def _course(workings: Workings, account: OptionAccount) -> Course:
    factors = _factors(workings)
    inside = slice(-factors.size, None)
    averted = child_years(account.children.fewer_by_age.sum(axis=-1))[:, inside] @ factors
    harm = workings.system.value("family_help.harm_share")
    flows = (total_saving(account) - total_cost(account))[:, inside]
    return Course(
        npv=flows @ factors,
        safe=averted * (1.0 - harm),
        harm=averted * harm,
        coverage=account.services.family_help[:, inside],
    )


def _stopped(workings: Workings, account: OptionAccount, *, after: int) -> Course:
    """Course of an option that ends, less what ending costs in the first year without money."""
    course, factors = _course(workings, account), _factors(workings)
    last = total_cost(account)[:, -factors.size + after - 1]
    return replace(course, npv=course.npv - STOPPING_SHARE * last * factors[after])


def _require_plain(option: Option, workings: Workings, years: Sequence[int]) -> None:
    if option.financing == "reinvest":
        raise InputError(
            "the roll-out of an option that reinvests its savings cannot be stopped part-way here",
            file=f"{option.id}.toml",
            field="financing",
            found=option.financing,
            allowed="fade or new_recurrent",
            cause="recurrent money that depends on the savings made",
            remedy="ask pilot-or-now of the option with recurrent money of its own",
        )
    longest = workings.inputs.analysis.horizon - SET_UP_AND_REPORT - 1
    if not all(1 <= length <= longest for length in years):
        raise InputError(
            "a study reports after the horizon, or observes nothing",
            field="years",
            found=list(years),
            allowed=f"1 to {longest}",
            cause="a short horizon",
            remedy="shorten the study or lengthen the horizon",
        )
