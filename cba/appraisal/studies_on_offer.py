"""Studies that could be bought: what each would show, how sharply by its size, what it costs and when it reports.

What a study shows carries the bias of its design and, where the country is not the place studied, the loss in a
roll-out: both are drawn with the truth, so that no size of the study removes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.appraisal.pilot_courses import (
    PUBLISHED_AREAS,
    SET_UP_AND_REPORT,
    Course,
    Courses,
    pilot_by_length,
)
from cba.appraisal.pilot_power import authority_scatter, shown_effects, study_error
from cba.decisions.study_results import Prior
from cba.inputs.priors import STANCES, load_priors
from cba.inputs.shipped_files import priors_folder
from cba.models.normal_priors import normal_settings

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings

PATHFINDER_YEARS = (1, 2, 3)
PATHFINDER_AREAS = (3, 6, 12, 24, 48, 75)
TRIAL_FAMILIES = (500, 1_500, 5_000, 15_000, 50_000)
RETURN_AUTHORITIES = (5, 10, 25, 50, 100, 150)

FAMILIES_PER_AUTHORITY = 1511 / 21
"""Families randomised for each authority taking part, as in the trial of family group conferences (Taylor et al.
2024, British Journal of Social Work)."""

TRIAL_WAIT = 4
"""Years until a trial can be acted on: a year to set up, one to recruit, one to follow up, one to report."""

MEAN_DRAWS = 4000
"""Draws that means of costs are taken over."""

MIDPOINTS = (np.arange(4000) + 0.5) / 4000
"""Probabilities whose quantiles stand for a whole distribution."""

NEEDED = (
    "pathfinder.evaluation_fixed",
    "pathfinder.evaluation_per_area",
    "trial.fixed",
    "trial.per_family",
    "cost_return.fixed",
    "cost_return.per_authority",
    "cost_return.help_spread",
    "cost_return.help_error",
    "cost_return.avoidable_spread",
    "cost_return.avoidable_error",
)
"""Entries a file of what studies cost must hold."""

RETURN_WAIT = 2
"""Years until a return of costs can be acted on: one to make it, one to publish it."""


@dataclass(frozen=True)
class StudyDesign:
    """One kind of study at several sizes.

    Parameters
    ----------
    name : str
        ``pathfinder_<years>``, ``trial``, ``cost_return_help`` or ``cost_return_homes``.
    unit : str
        What `sizes` counts.
    sizes : tuple of int
    standard_errors : tuple of float, > 0
        Of the estimate, by size, in the units of `shown`.
    shown : DataArray, dims (sample,)
        What an endless study of this kind would show in the state of the world of the draw.
    prior : Prior or None
        Distribution of `shown` where it is known in closed form.
    wait : int
        Years from the first year of the analysis until the result can be acted on.
    fixed_cost, cost_per_unit : float, GBP of the price base
        Of the study itself.
    service : Course or None
        Money and children of the service that one unit of size is given; None where the study gives none.
    """

    name: str
    unit: str
    sizes: tuple[int, ...]
    standard_errors: tuple[float, ...]
    shown: xr.DataArray
    prior: Prior | None
    wait: int
    fixed_cost: float
    cost_per_unit: float
    service: Course | None = None


def studies_on_offer(workings: Workings, *, costs: str | Path | None = None) -> list[StudyDesign]:
    """Designs an analysis can be asked about: those that report before its horizon.

    Parameters
    ----------
    workings : Workings
    costs : str or Path, optional
        File or folder of what studies cost, in the form of the prior files; the shipped
        ``priors/studies`` by default.

    Returns
    -------
    list of StudyDesign

    Raises
    ------
    InputError
        For an incomplete file of costs.

    Examples
    --------
    >>> [design.name for design in studies_on_offer(workings)]  # doctest: +SKIP
    ['pathfinder_1', 'pathfinder_2', 'pathfinder_3', 'trial', 'cost_return_help', 'cost_return_homes']
    """
    price = study_costs(workings, costs)
    horizon = workings.inputs.analysis.horizon
    lengths = [years for years in PATHFINDER_YEARS if years + SET_UP_AND_REPORT < horizon]
    pilots = pilot_by_length(workings, sorted({1, *lengths}))
    designs = [_pathfinder(workings, price, pilots[years], years=years) for years in lengths]
    designs.append(_trial(workings, price, pilots[1]))
    designs += [_help_return(workings, price), _homes_return(workings, price)]
    return [design for design in designs if design.wait < horizon]


def study_costs(workings: Workings, path: str | Path | None = None) -> dict[str, float]:
    """Expected cost and sharpness of studies, money in the price base of the run.

    Parameters
    ----------
    workings : Workings
    path : str or Path, optional
        As in :func:`studies_on_offer`.

    Returns
    -------
    dict of str to float
        By entry; means of the stated distributions.

    Examples
    --------
    >>> study_costs(workings)["trial.fixed"]  # doctest: +SKIP
    """
    entries = load_priors(priors_folder() / "studies" if path is None else path)
    for name in NEEDED:
        entries[name]  # refuses a file that lacks it
    drawn = entries.sample(MEAN_DRAWS, seed=workings.inputs.analysis.seed)
    return {
        name: float(drawn[name].mean()) * _to_price_base(workings, entries[name].price_year)
        for name in NEEDED
    }


def _to_price_base(workings: Workings, price_year: int | None) -> float:
    if price_year is None:
        return 1.0
    index = workings.basis.index
    return float(np.mean(index.index(workings.basis.price_base)) / np.mean(index.index(price_year)))


def _pathfinder(workings: Workings, price: dict[str, float], pilot: Course, *, years: int) -> StudyDesign:
    """Areas with help against the other authorities, as published in 2023, for so many years."""
    scatter = authority_scatter(workings.inputs.observations["starts_by_authority"], years=years)
    alone = Courses(now=pilot, later=pilot, pilot=pilot, continued=pilot, stopped=pilot)
    _, shown = shown_effects(workings, alone, scatter)
    areas = tuple(count for count in PATHFINDER_AREAS if count < scatter.authorities)
    return StudyDesign(
        name=f"pathfinder_{years}",
        unit="authorities",
        sizes=areas,
        standard_errors=tuple(study_error(scatter, areas=count) for count in areas),
        shown=shown["pilot"],
        prior=None,
        wait=years + SET_UP_AND_REPORT,
        fixed_cost=price["pathfinder.evaluation_fixed"],
        cost_per_unit=price["pathfinder.evaluation_per_area"],
        service=pilot.scaled(1.0 / PUBLISHED_AREAS),
    )


def _trial(workings: Workings, price: dict[str, float], pilot: Course) -> StudyDesign:
    """Families offered help by lot or not, followed for a year until a child starts to be looked after.

    The log risk ratio of one child a family, half of the families served for a year. Errors are those of two
    binomials, averaged over what is believed of both risks, and of effects that differ between authorities.
    """
    system = workings.system
    log_ratio = system.value("family_help.log_risk_ratio") / (1.0 - system.value("effects.attenuation"))
    risk = system.value("family_help.yearly_entry_risk")
    served = np.minimum(risk * np.exp(log_ratio), 1.0)
    events = float(np.mean((1.0 - risk) / risk + (1.0 - served) / served))
    # as believed beforehand: no study so far shows how far authorities differ
    spread = workings.inputs.priors["effects.authority_spread"].fitted.ppf(MIDPOINTS)
    variance = 2.0 * events + FAMILIES_PER_AUTHORITY * float(
        np.mean(spread**2)
    )  # times the number of families
    child_years = float((pilot.coverage.sum(axis=1) * system.value("family_help.eligible_children")).mean())
    mean, sd = normal_settings(workings.inputs.priors, "effects.bias_rct")
    # a bias in favour of the programme shows as a lower risk than there is
    shown = log_ratio - _noise(workings, "trial", mean=mean, sd=sd)
    return StudyDesign(
        name="trial",
        unit="families",
        sizes=TRIAL_FAMILIES,
        standard_errors=tuple((variance / count) ** 0.5 for count in TRIAL_FAMILIES),
        shown=xr.DataArray(shown, dims="sample"),
        prior=None,
        wait=TRIAL_WAIT,
        fixed_cost=price["trial.fixed"],
        cost_per_unit=price["trial.per_family"],
        service=pilot.scaled(0.5 / child_years),
    )


def _help_return(workings: Workings, price: dict[str, float]) -> StudyDesign:
    """What authorities pay to serve one child for a year, on a common definition."""
    name, error = "family_help.cost_per_child", price["cost_return.help_error"]
    shown = np.log(workings.system.value(name)) + _noise(workings, "help_return", mean=0.0, sd=error)
    return _cost_return(
        "cost_return_help",
        price,
        shown=shown,
        spread=price["cost_return.help_spread"],
        prior=_log_cost_prior(workings, name, error=error),
    )


def _homes_return(workings: Workings, price: dict[str, float]) -> StudyDesign:
    """How much of a children's home placement's cost authorities avoid with one placement fewer."""
    error = price["cost_return.avoidable_error"]
    shown = workings.system.value("avoidable.childrens_home") + _noise(
        workings, "homes_return", mean=0.0, sd=error
    )
    return _cost_return(
        "cost_return_homes", price, shown=shown, spread=price["cost_return.avoidable_spread"], prior=None
    )


def _cost_return(
    name: str, price: dict[str, float], *, shown: np.ndarray, spread: float, prior: Prior | None
) -> StudyDesign:
    return StudyDesign(
        name=name,
        unit="authorities",
        sizes=RETURN_AUTHORITIES,
        standard_errors=tuple(spread / count**0.5 for count in RETURN_AUTHORITIES),
        shown=xr.DataArray(shown, dims="sample"),
        prior=prior,
        wait=RETURN_WAIT,
        fixed_cost=price["cost_return.fixed"],
        cost_per_unit=price["cost_return.per_authority"],
    )


def _log_cost_prior(workings: Workings, name: str, *, error: float) -> Prior | None:
    """Normal distribution of a log-normal cost and the return's common error; None where it is neither."""
    from scipy.stats import norm

    entry = workings.inputs.priors[name]
    if entry.distribution != "LogNormal" or workings.inputs.stance not in STANCES:
        return None  # a mixture of stances draws from two of them
    moved = float(np.log(_to_price_base(workings, entry.price_year)))
    prior: Prior = norm(entry.parameters["mu"] + moved, np.hypot(entry.parameters["sigma"], error))
    return prior


def _noise(workings: Workings, study: str, *, mean: float, sd: float) -> np.ndarray:
    """Bias that is the same whatever the size of the study, one per state of the world."""
    words = [workings.inputs.analysis.seed, *study.encode()]
    draws = workings.system.parameters.sizes["sample"]
    return np.random.default_rng(words).normal(mean, sd, draws)
