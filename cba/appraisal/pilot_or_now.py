"""Was "pilot first" better than "go now"? Four strategies over the size of the pilot and the value of a child-year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from cba.appraisal.decision_values import break_even_values, information_value
from cba.appraisal.pilot_courses import PUBLISHED_AREAS, SET_UP_AND_REPORT, Courses, courses
from cba.appraisal.pilot_power import (
    AuthorityScatter,
    authority_scatter,
    first_step_areas,
    power_table,
    shown_effects,
    study_error,
)
from cba.decisions.staged_decision import StagedDecision, compare_strategies, learn_then_choose

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

ROLL_OUTS = ("care_review", "family_help_only")
"""The whole programme, and the part of it a pilot of family help can teach about."""

AREAS = (6, 12, 24, 48)
YEARS = (1, 2, 3)
VALUES = (0.0, 50e3, 100e3, 250e3, 500e3, 1e6, 2.5e6, 5e6)
"""GBP per child-year safely at home, from nothing to well above every anchor."""

INFORMATION_VALUES = (0.0, 500e3, 2.5e6)

FEWEST_DRAWS = 128
"""Fewer draws cannot say what learning is worth."""


def decision_tables(
    workings: Workings, *, options: Sequence[str] = ROLL_OUTS, harm_ratio: float = 1.0
) -> dict[str, pd.DataFrame]:
    """Tables of the decision: pilot or now, power of pilots, break-even values, value of information.

    Parameters
    ----------
    workings : Workings
        As returned by :func:`cba.appraisal.stages.work_through`.
    options : sequence of str
        Options whose roll-out is in question; those the analysis does not hold are left out.
    harm_ratio : float, >= 0
        Cost of a child-year of harm over the value of one safely at home, in ``pilot_or_now``.

    Returns
    -------
    dict of str to DataFrame
        ``break_even_values``, ``information_value``; ``pilot_or_now``, ``pilot_learning`` and ``pilot_power``
        where the analysis holds an option in question, for studies that report before its horizon. With fewer
        than 128 draws only ``break_even_values``.

    Examples
    --------
    >>> decision_tables(workings)["pilot_power"]  # doctest: +SKIP
    """
    tables = {"break_even_values": break_even_values(workings)}
    if workings.arrays.npv.sizes["sample"] < FEWEST_DRAWS:
        return tables
    tables["information_value"] = information_value(workings, values=INFORMATION_VALUES)
    asked = [option for option in options if option in workings.accounts]
    if not asked:
        return tables
    starts = workings.inputs.observations["starts_by_authority"]
    latest = workings.inputs.analysis.horizon - SET_UP_AND_REPORT - 1
    scatters = {years: authority_scatter(starts, years=years) for years in YEARS if years <= latest}
    frames: dict[str, list[pd.DataFrame]] = {}
    for option in asked:
        found = courses(workings, option, years=list(scatters))
        made = pilot_or_now(workings, found, scatters, harm_ratio=harm_ratio)
        made["pilot_power"] = power_table(workings, found, scatters, areas=AREAS)
        for name, table in made.items():
            table.insert(0, "option", option)
            frames.setdefault(name, []).append(table)
    return tables | {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


def pilot_or_now(
    workings: Workings,
    found: dict[int, Courses],
    scatters: dict[int, AuthorityScatter],
    *,
    harm_ratio: float,
    values: Sequence[float] = VALUES,
    areas: Sequence[int] = AREAS,
) -> dict[str, pd.DataFrame]:
    """Expected payoff of never, going now, piloting first and going in steps, over a grid of designs.

    Parameters
    ----------
    workings : Workings
    found : dict of int to Courses
        By years of study.
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
    >>> pilot_or_now(workings, found, scatters, harm_ratio=1.0)["pilot_or_now"]  # doctest: +SKIP
    """
    rows, parts = [], []
    shown = {years: shown_effects(workings, found[years], scatter)[1] for years, scatter in scatters.items()}
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
    (after_step,) = learn_then_choose(
        payoffs["stopped"],
        payoffs["continued"],
        shown["steps"],
        standard_errors=[study_error(scatter, areas=first_step_areas(scatter))],
    )
    errors = [study_error(scatter, areas=count) for count in areas]
    never = xr.zeros_like(payoffs["later"])
    chosen = learn_then_choose(never, payoffs["later"], shown["pilot"], standard_errors=errors)
    return [
        compare_strategies(
            payoffs.assign(pilot=payoffs["pilot"] * count / PUBLISHED_AREAS),
            after_pilot=after_pilot,
            after_step=after_step,
        )
        for count, after_pilot in zip(areas, chosen, strict=True)
    ]
