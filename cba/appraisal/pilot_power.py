"""What a comparison of authorities could see: their scatter, the effect to be found and the power to find it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from cba.appraisal.pilot_courses import FIRST_STEP, Courses
from cba.appraisal.pilot_options import PUBLISHED_AREAS, PUBLISHED_YEARS
from cba.appraisal.summaries import interval
from cba.decisions.study_designs import pathfinder_standard_error
from cba.models.normal_priors import normal_settings
from cba.projection.option_children import Services, averted_share

if TYPE_CHECKING:
    from cba.appraisal.stages import Workings
    from cba.projection.care_system import CareSystem

FEWEST_STARTS = 10
"""Authorities with fewer starts a year are left out: the log of a handful says nothing."""

SIGNIFICANT, DETECTED = 1.959964, 0.841621
"""Normal quantiles of a two-sided test at 5% and of a power of 80%."""


@dataclass(frozen=True)
class AuthorityScatter:
    """How authorities differ in the log change between totals of starts over so many years.

    Parameters
    ----------
    years : int
        Years in each of the two adjacent totals.
    sd : float
        Standard deviation between authorities, root mean square over the periods published.
    authorities : int
        Authorities in the newest period.
    """

    years: int
    sd: float
    authorities: int


def authority_scatter(starts: xr.DataArray, *, years: int) -> AuthorityScatter:
    """Standard deviation between authorities of the log change between adjacent totals of starts.

    Parameters
    ----------
    starts : DataArray, dims (authority, year), children
        As ``starts_by_authority`` of :func:`cba.load_observations`.
    years : int, >= 1
        Years in each total.

    Returns
    -------
    AuthorityScatter
        Periods with fewer than half of the authorities that ever report are left out.

    Notes
    -----
    Measured for each length: it falls far more slowly than one over the root of the length, because
    authorities drift apart.

    Examples
    --------
    >>> import cba
    >>> round(authority_scatter(cba.load_observations(2021)["starts_by_authority"], years=2).sd, 2)
    0.19
    """
    values = starts.transpose("authority", "year").values
    found: list[np.ndarray] = []
    for end in range(values.shape[1], 2 * years - 1, -1):
        after = values[:, end - years : end].sum(axis=1)
        before = values[:, end - 2 * years : end - years].sum(axis=1)
        usable = (after > 0) & (before >= FEWEST_STARTS * years)  # false where a year is missing
        found.append(np.log(after[usable] / before[usable]))
    most = max((change.size for change in found), default=0)
    kept = [change for change in found if change.size > most / 2]
    variance = np.mean([change.var(ddof=1) for change in kept])
    return AuthorityScatter(years, float(np.sqrt(variance)), kept[0].size)


def study_error(scatter: AuthorityScatter, *, areas: int) -> float:
    """Standard error of the difference in log change between areas with and without help.

    Parameters
    ----------
    scatter : AuthorityScatter
    areas : int
        Areas with help; the other authorities are the comparison.

    Returns
    -------
    float
        Log points of starts.

    Examples
    --------
    >>> round(study_error(AuthorityScatter(years=2, sd=0.195, authorities=151), areas=12), 4)
    0.0587
    """
    return pathfinder_standard_error(
        pilots=areas,
        comparisons=scatter.authorities - areas,
        years=scatter.years,
        yearly_sd=scatter.sd * scatter.years**0.5,
    )


def first_step_areas(scatter: AuthorityScatter) -> int:
    """Return the number of authorities in the first step of a roll-out in steps."""
    return round(FIRST_STEP * scatter.authorities)


def shown_effects(
    workings: Workings, found: Courses, scatter: AuthorityScatter
) -> tuple[xr.Dataset, xr.Dataset]:
    """Log change in starts in the areas studied: as it is, and as a study without sampling error would show it.

    Parameters
    ----------
    workings : Workings
    found : Courses
        Their coverage says how much help the areas get.
    scatter : AuthorityScatter

    Returns
    -------
    true, shown : Dataset, dims (sample,)
        ``pilot`` in pilot areas, ``steps`` in the first step, log points; negative is fewer starts. In `true`
        also ``pilot_full`` and ``steps_full``, were every eligible child there served.

    Notes
    -----
    Pilot areas see the effect before what is lost in a national roll-out; the first step is a part of the
    roll-out and sees it after. Both are shown with the bias of an area panel (``effects.bias_panel``), drawn
    anew: no number of areas removes it. A study informs the product of coverage, reach and effect only.

    Examples
    --------
    >>> true, shown = shown_effects(workings, found, scatter)  # doctest: +SKIP
    """
    roll_out = workings.system.value("family_help.log_risk_ratio")
    in_pilot = roll_out / (1.0 - workings.system.value("effects.attenuation"))
    rng = np.random.default_rng([workings.inputs.analysis.seed, 2023])
    mean, sd = normal_settings(workings.inputs.priors, "effects.bias_panel")
    # a bias in favour of the programme shows as a lower risk than there is
    bias = {name: -rng.normal(mean, sd, roll_out.size) for name in ("pilot", "steps")}
    effect = {"pilot": in_pilot, "steps": roll_out}
    share_of_country = PUBLISHED_AREAS / scatter.authorities
    coverage = {
        "pilot": np.minimum(_best_years(found.pilot.coverage, scatter.years) / share_of_country, 1.0),
        "steps": _best_years(found.now.coverage, scatter.years),
    }
    true, shown = xr.Dataset(), xr.Dataset()
    everyone = np.ones_like(roll_out)
    for name in ("pilot", "steps"):
        true[f"{name}_full"] = ("sample", _log_change(workings, everyone, effect[name]))
        true[name] = ("sample", _log_change(workings, coverage[name], effect[name]))
        shown[name] = ("sample", _log_change(workings, coverage[name], effect[name] + bias[name]))
    return true, shown


def power_table(
    true: dict[int, xr.Dataset],
    scatters: dict[int, AuthorityScatter],
    *,
    areas: Sequence[int],
    level: float,
) -> pd.DataFrame:
    """What each design could detect beside what there is to be found.

    Parameters
    ----------
    true : dict of int to Dataset
        By years of study; the first of :func:`shown_effects`.
    scatters : dict of int to AuthorityScatter
        By years of study.
    areas : sequence of int
        Numbers of pilot areas.
    level : float, in (0, 1)
        Probability between `lower` and `upper`.

    Returns
    -------
    DataFrame
        Columns design ("pilot", "first step"), areas, years, published, authorities, between_authority_sd,
        standard_error, detectable (fall in log starts found with a power of 80%), expected, lower, upper (fall
        believed in), full_coverage (fall believed in were every eligible child served), power (probability of
        finding a significant fall, over what is believed), detectable_percent, fall_percent_mean,
        fall_percent_lower, fall_percent_upper (the same falls as per cent of starts).

    Examples
    --------
    >>> power_table(true, scatters, areas=(12,), level=0.9)  # doctest: +SKIP
    """
    rows = []
    for years, scatter in scatters.items():
        designs = [("pilot", "pilot", count) for count in areas]
        designs.append(("first step", "steps", first_step_areas(scatter)))
        for design, name, count in designs:
            change, full = true[years][name].values, -float(true[years][f"{name}_full"].mean())
            error = study_error(scatter, areas=count)
            detectable = (SIGNIFICANT + DETECTED) * error
            low, high = interval(-change, level=level)
            fall = -100.0 * np.expm1(change)
            in_percent = (-100.0 * np.expm1(-detectable), fall.mean(), *interval(fall, level=level))
            published = (design, count, years) == ("pilot", PUBLISHED_AREAS, PUBLISHED_YEARS)
            power = float(ndtr(-change / error - SIGNIFICANT).mean())
            rows.append((design, count, years, published, scatter.authorities, scatter.sd, error, detectable,
                         float(-change.mean()), float(low), float(high), full, power, *in_percent))  # fmt: skip
    names = "design areas years published authorities between_authority_sd standard_error detectable expected lower"
    shares = (
        "upper full_coverage power detectable_percent fall_percent_mean fall_percent_lower fall_percent_upper"
    )
    return pd.DataFrame(rows, columns=[*names.split(), *shares.split()])


def _best_years(coverage: np.ndarray, years: int) -> np.ndarray:
    """Coverage over the `years` years, before the study reports, in which it is highest on average."""
    before = coverage[:, : years + 2]
    windows = np.stack([before[:, first : first + years].mean(axis=1) for first in range(3)])
    return windows[windows.mean(axis=1).argmax()]


def _log_change(workings: Workings, coverage: np.ndarray, log_risk_ratio: np.ndarray) -> np.ndarray:
    """Log change in starts of an area with this coverage, at the ages and mix of the first year."""
    believed = workings.system.parameters.assign({"family_help.log_risk_ratio": ("sample", log_risk_ratio)})
    system: CareSystem = replace(workings.system, parameters=believed)
    none = np.zeros((coverage.size, 1))
    share = averted_share(system, Services(coverage[:, None], none, none, none, none))[:, 0]
    first = system.baseline.sel(year=workings.inputs.analysis.start_year)
    reachable = first["starts_reachable"].transpose("sample", "age").values
    starts = first["starts"].transpose("sample", "age").values.sum(axis=-1)
    return np.log1p(-(reachable * share).sum(axis=-1) / starts)
