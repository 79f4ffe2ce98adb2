"""Was "pilot first" better than "go now"? Four strategies over the size of the pilot and the value of a child-year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from cba.appraisal.pilot_courses import SET_UP_AND_REPORT, Courses, courses, pilot_by_length
from cba.appraisal.pilot_options import PUBLISHED_AREAS, PUBLISHED_YEARS
from cba.appraisal.pilot_power import (
    AuthorityScatter,
    authority_scatter,
    first_step_areas,
    power_table,
    shown_effects,
    study_error,
)
from cba.decisions.draws import Estimate
from cba.decisions.staged_decision import (
    LearnedChoice,
    StagedDecision,
    compare_strategies,
    learn_then_choose,
    mean_payoff,
)

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

ROLL_OUTS = ("care_review", "family_help_only")
"""The whole programme, and the part of it a pilot of family help can teach about."""

AREAS = (6, 12, 24, 48)
YEARS = (1, 2, 3)
VALUES = (0.0, 50e3, 100e3, 250e3, 500e3, 1e6, 2.5e6, 5e6)
"""GBP per child-year safely at home, from nothing to well above every anchor."""


def pilot_tables(
    workings: Workings, *, options: Sequence[str] = ROLL_OUTS, harm_ratio: float = 1.0
) -> dict[str, pd.DataFrame]:
    """Tables of "pilot or now": strategies, what learning is worth against delay, power of pilots.

    Parameters
    ----------
    workings : Workings
        As returned by :func:`cba.appraisal.stages.work_through`, of 128 draws or more.
    options : sequence of str
        Options whose roll-out is in question; those the analysis does not hold are left out.
    harm_ratio : float, >= 0
        Cost of a child-year of harm over the value of one safely at home.

    Returns
    -------
    dict of str to DataFrame
        ``pilot_or_now``, ``pilot_learning`` and ``pilot_power``, for studies that report before the horizon;
        nothing where the analysis holds no option in question. The first option is asked about studies of every
        length, the others about those of the published two years.

    Examples
    --------
    >>> pilot_tables(workings)["pilot_power"]  # doctest: +SKIP
    """
    asked = [option for option in options if option in workings.accounts]
    latest = workings.inputs.analysis.horizon - SET_UP_AND_REPORT - 1
    lengths = [years for years in YEARS if years <= latest]
    if not asked or not lengths:
        return {}
    starts = workings.inputs.observations["starts_by_authority"]
    scatters = {years: authority_scatter(starts, years=years) for years in lengths}
    pilots = pilot_by_length(workings, lengths)
    frames: dict[str, list[pd.DataFrame]] = {}
    for option in asked:
        studied = {n: s for n, s in scatters.items() if option == asked[0] or n == PUBLISHED_YEARS}
        if not studied:
            continue
        found = courses(workings, option, years=list(studied), pilots=pilots)
        effects = {n: shown_effects(workings, found[n], scatter) for n, scatter in studied.items()}
        true, shown = ({n: pair[side] for n, pair in effects.items()} for side in (0, 1))
        made = pilot_or_now(found, shown, studied, harm_ratio=harm_ratio)
        made["pilot_power"] = power_table(true, studied, areas=AREAS, level=workings.inputs.analysis.level)
        for name, table in made.items():
            table.insert(0, "option", option)
            frames.setdefault(name, []).append(table)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


def pilot_or_now(
    found: dict[int, Courses],
    shown: dict[int, xr.Dataset],
    scatters: dict[int, AuthorityScatter],
    *,
    harm_ratio: float,
    values: Sequence[float] = VALUES,
    areas: Sequence[int] = AREAS,
) -> dict[str, pd.DataFrame]:
    """Expected payoff of never, going now, piloting first and going in steps, over a grid of designs.

    Parameters
    ----------
    found : dict of int to Courses
        By years of study.
    shown : dict of int to Dataset
        What each study would show, as the second of :func:`cba.appraisal.pilot_power.shown_effects`.
    scatters : dict of int to AuthorityScatter
        By years of study.
    harm_ratio : float, >= 0
        Cost of a child-year of harm over the value of one safely at home.
    values : sequence of float, GBP per child-year safely at home
    areas : sequence of int
        Numbers of pilot areas.

    Returns
    -------
    dict of str to DataFrame
        ``pilot_or_now``: columns value_per_child_year, value_per_harm_year, areas, years, strategy,
        expected_payoff, se (GBP, present value), best (one per value, areas and years).
        ``pilot_learning``: for the same grid value_of_learning, cost_of_delay, pilot_cost, value_of_stopping,
        each with its error; piloting first is the better of never and now, plus learning, less delay and
        cost.

    Notes
    -----
    Errors take the draws as independent.

    Examples
    --------
    >>> pilot_or_now(found, shown, scatters, harm_ratio=1.0)["pilot_or_now"]  # doctest: +SKIP
    """
    rows, parts = [], []
    for value in values:
        for years, scatter in scatters.items():
            decisions = _decisions(
                found[years], shown[years], scatter, areas=areas, value=value, harm=harm_ratio
            )
            for count, decision in zip(areas, decisions, strict=True):
                place = (value, harm_ratio * value, count, years)
                rows += [
                    (*place, name, payoff.value, payoff.se, name == decision.best)
                    for name, payoff in decision.payoffs.items()
                ]
                parts.append((*place, *_parts(decision)))
    place_names = ["value_per_child_year", "value_per_harm_year", "areas", "years"]
    part_names = [f"{name}{end}" for name in _PARTS for end in ("", "_se")]
    return {
        "pilot_or_now": pd.DataFrame(
            rows, columns=[*place_names, "strategy", "expected_payoff", "se", "best"]
        ),
        "pilot_learning": pd.DataFrame(parts, columns=[*place_names, *part_names]),
    }


_PARTS = ("value_of_learning", "cost_of_delay", "pilot_cost", "value_of_stopping")


def _parts(decision: StagedDecision) -> list[float]:
    estimates = [getattr(decision, name) for name in _PARTS]
    return [number for estimate in estimates for number in (estimate.value, estimate.se)]


def _decisions(
    found: Courses,
    shown: xr.Dataset,
    scatter: AuthorityScatter,
    *,
    areas: Sequence[int],
    value: float,
    harm: float,
) -> list[StagedDecision]:
    """One decision per number of pilot areas; what does not depend on it is worked out once."""
    taken = {n: getattr(found, n) for n in ("now", "later", "pilot", "continued", "stopped")}
    payoffs = xr.Dataset(
        {
            name: ("sample", course.worth(value_per_child_year=value, value_per_harm_year=harm * value))
            for name, course in taken.items()
        }
    )
    (after_step,) = _learned(
        payoffs["stopped"],
        payoffs["continued"],
        shown["steps"],
        errors=[study_error(scatter, areas=first_step_areas(scatter))],
    )
    errors = [study_error(scatter, areas=count) for count in areas]
    never = xr.zeros_like(payoffs["later"])
    chosen = _learned(never, payoffs["later"], shown["pilot"], errors=errors)
    return [
        compare_strategies(
            payoffs.assign(pilot=payoffs["pilot"] * count / PUBLISHED_AREAS),
            after_pilot=after_pilot,
            after_step=after_step,
        )
        for count, after_pilot in zip(areas, chosen, strict=True)
    ]


def _learned(
    first: xr.DataArray, second: xr.DataArray, effect: xr.DataArray, *, errors: Sequence[float]
) -> tuple[LearnedChoice, ...]:
    """Value of choosing after each study; nothing is learnt where one course is better in every draw."""
    gain = second.values - first.values
    if (gain > 0).all() or (gain <= 0).all():
        better = mean_payoff(second if gain[0] > 0 else first)
        return (LearnedChoice(better, better, Estimate(0.0, 0.0)),) * len(errors)
    return learn_then_choose(first, second, effect, standard_errors=errors)
