"""Area-level results on the product of coverage, reach and effect: the only thing about them that meets data.

A study of whole areas, with share c of the eligible served, speaks of

    ln(1 - c sum_a s_a phi_a (1 - RR^tilt_a)),   s_a the shares of the starts it counts,

so coverage, eligible children, their risk and the effect are variables of the model and leave it correlated. The
bias of such a design, an area's own trend, acts on the change itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.effects_pooling import Pooled, Reported
from cba.models.effects_studies import StudyArrays, age_weights
from cba.models.estimands import ESTIMANDS, FAMILY_HELP
from cba.models.reach import (
    ELIGIBLE,
    REACH_ENTRIES,
    RELATIVE_RISKS,
    RISK,
    SHARES,
    TILTS,
    log_change_in_starts,
    reach_by_age,
    reach_of_draws,
    tilt_by_age,
)

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

BOUNDED = (ELIGIBLE, RISK)
VECTORS = {"bounded": BOUNDED, "eligible_share": SHARES, "relative_risk": RELATIVE_RISKS, "age_tilt": TILTS}
"""Variables of the model and the registry entries their elements stand for."""

_POSITION = list(ESTIMANDS).index(FAMILY_HELP)


@dataclass(frozen=True, kw_only=True)
class ReachTerms:
    """Reach and the tilt of the effect inside a model, both by age.

    Attributes
    ----------
    reach, tilt : tensor, shape (age,)
    """

    reach: pt.TensorVariable
    tilt: pt.TensorVariable


def reach_terms(priors: PriorRegistry, starts: np.ndarray) -> ReachTerms:
    """Add what reach is derived from to the PyMC model in context.

    Parameters
    ----------
    priors : PriorRegistry
        Needs :data:`cba.models.reach.REACH_ENTRIES`.
    starts : ndarray, shape (age,)
        As returned by :func:`cba.models.reach.checked_starts`.

    Returns
    -------
    ReachTerms

    Raises
    ------
    InputError
        If an entry is of another family than the model is written for.

    Notes
    -----
    ``bounded`` holds the positions of eligible children and of their risk between their bounds; entries alike
    are one vector each, which halves the time to compile.

    Examples
    --------
    >>> import cba
    >>> with pm.Model() as model:
    ...     _ = reach_terms(cba.load_priors(), np.full(5, 5200.0))
    >>> [variable.name for variable in model.free_RVs]
    ['bounded', 'eligible_share', 'relative_risk', 'age_tilt']
    """
    bounds = _settings(priors, BOUNDED, "BetaScaled", ("alpha", "beta", "lower", "upper"))
    place = pm.Beta("bounded", bounds[:, 0], bounds[:, 1], shape=len(BOUNDED))
    eligible, risk = (bounds[i, 2] + (bounds[i, 3] - bounds[i, 2]) * place[i] for i in range(len(BOUNDED)))
    overall = eligible * risk / starts.sum()
    shares = pm.Beta(
        "eligible_share", *_settings(priors, SHARES, "Beta", ("alpha", "beta")).T, shape=len(SHARES)
    )
    relative = pm.LogNormal(
        "relative_risk", *_settings(priors, RELATIVE_RISKS, "LogNormal", ("mu", "sigma")).T
    )
    tilt = pm.Normal("age_tilt", *_settings(priors, TILTS, "Normal", ("mu", "sigma")).T)
    weights = shares * tilt_by_age(relative[0], relative[1], arrays=pt)
    return ReachTerms(
        reach=reach_by_age(overall[None], weights, starts / starts.sum(), arrays=pt),
        tilt=tilt_by_age(tilt[0], tilt[1], arrays=pt),
    )


def _settings(
    priors: PriorRegistry, entries: tuple[str, ...], family: str, names: tuple[str, ...]
) -> np.ndarray:
    """Parameters of entries of one family, (entry, parameter)."""
    for entry in entries:
        if priors[entry].distribution != family:
            raise InputError(
                "a prior of reach is of another family than the model is written for",
                file="priors/",
                field=entry,
                found=priors[entry].distribution,
                allowed=family,
                cause="an entry restated; without bounds, family help could reach more starts than there are",
                remedy=f"restate the entry as a {family}",
            )
    return np.array([[priors[entry].parameters[name] for name in names] for entry in entries])


def reach_entries_of(posterior: xr.Dataset, priors: PriorRegistry) -> dict[str, xr.DataArray]:
    """Draws of the entries reach is derived from, by name, out of the vectors of the model.

    Parameters
    ----------
    posterior : Dataset
        Holds ``bounded``, ``eligible_share``, ``relative_risk`` and ``age_tilt``.
    priors : PriorRegistry
        Gives the bounds.

    Returns
    -------
    dict of str to DataArray
        Keys :data:`cba.models.reach.REACH_ENTRIES`.

    Examples
    --------
    >>> reach_entries_of(posterior, priors)["family_help.eligible_children"]  # doctest: +SKIP
    """
    bounds = _settings(priors, BOUNDED, "BetaScaled", ("alpha", "beta", "lower", "upper"))
    found = {}
    shares = posterior["eligible_share"]
    posterior = posterior.assign(
        eligible_share=shares / shares.sum(str(shares.dims[-1]))
    )  # parts of one whole
    for name, entries in VECTORS.items():
        values = posterior[name].isel
        for i, entry in enumerate(entries):
            draws = values({posterior[name].dims[-1]: i}, drop=True)
            scaled = name == "bounded"
            found[entry] = bounds[i, 2] + (bounds[i, 3] - bounds[i, 2]) * draws if scaled else draws
    return found


def area_reports(s: StudyArrays, terms: ReachTerms, starts: np.ndarray, pooled: Pooled) -> Reported:
    """Return what area-level studies report of the product, given the variables of the model in context.

    Parameters
    ----------
    s : StudyArrays
        Area-level studies, all of family help; at least one.
    terms : ReachTerms
        As returned by :func:`reach_terms`.
    starts : ndarray, shape (age,)
        As returned by :func:`cba.models.reach.checked_starts`.
    pooled : Pooled
        The first row is the headline.

    Returns
    -------
    Reported

    Examples
    --------
    >>> import cba
    >>> from cba.models.effects import build_effects, studies_used
    >>> priors = cba.load_priors()
    >>> model = build_effects(studies_used(cba.load_evidence(), priors), priors)
    >>> "coverage_offset" in model.named_vars
    True
    """
    pm.modelcontext(None).add_coord("area", s.names)
    offset = pm.Normal("coverage_offset", 0.0, 1.0, dims="area")
    setting = pm.Normal("area_offset", 0.0, 1.0, dims="area")
    coverage = pt.sigmoid(s.coverage_mean + s.coverage_sd * offset)
    kappa = pt.switch(s.in_care, pooled.ratio[0], 1.0)
    shift = s.sign * s.foreign * pooled.transport[0, _POSITION]
    spread = pooled.heterogeneity[0, _POSITION] * setting
    log_ratio = kappa * (pooled.mean[0, _POSITION] + shift + spread)
    ages = age_weights(s.ages, starts / starts.sum())
    change = log_change_in_starts(coverage, terms.reach, log_ratio, terms.tilt, ages, arrays=pt)
    return Reported(
        centre=change + s.sign * s.bias_mean,
        sd=pt.constant(np.sqrt(s.se**2 + s.bias_sd**2)),
        names=tuple(f"adjusted:{name}" for name in s.names),
        lower=np.where(s.censored, s.lower, s.effect),
        upper=np.where(s.censored, s.upper, s.effect),
    )


def area_draws(s: StudyArrays, draws: Mapping[str, np.ndarray], starts: np.ndarray) -> xr.Dataset:
    """Coverage, reach, effect and product of each area-level study, draw by draw.

    Parameters
    ----------
    s : StudyArrays
        Area-level studies.
    draws : mapping of str to ndarray
        :data:`cba.models.reach.REACH_ENTRIES`, ``mean``, ``heterogeneity``, ``transport`` and ``ratio``, shape
        (sample,); ``coverage_offset`` and ``area_offset``, shape (sample, area).
    starts : ndarray, shape (age,)

    Returns
    -------
    Dataset, dims (sample, area)
        ``area_coverage``, ``area_reach``, ``area_effect`` (1 - RR), ``area_change`` (log change in starts);
        ``reach``, dims (sample), and ``reach_by_age``, dims (sample, age).

    Examples
    --------
    >>> area_draws(areas, draws, starts)["area_change"].dims  # doctest: +SKIP
    ('sample', 'area')
    """
    coverage = 1.0 / (1.0 + np.exp(-(s.coverage_mean + s.coverage_sd * draws["coverage_offset"])))
    kappa = np.where(s.in_care, draws["ratio"][:, None], 1.0)
    shift = s.sign * s.foreign * draws["transport"][:, None]
    spread = draws["heterogeneity"][:, None] * draws["area_offset"]
    log_ratio = kappa * (draws["mean"][:, None] + shift + spread)
    overall, by_age = reach_of_draws(draws, starts)
    tilt = tilt_by_age(*(np.asarray(draws[name]) for name in TILTS))
    ages = age_weights(s.ages, starts / starts.sum())
    found = {
        "area_coverage": coverage,
        "area_reach": by_age @ ages.T,
        "area_effect": 1.0 - np.exp(log_ratio),
        "area_change": log_change_in_starts(coverage, by_age, log_ratio, tilt, ages),
    }
    variables = {name: (("sample", "area"), values) for name, values in found.items()}
    reach = {"reach": ("sample", overall), "reach_by_age": (("sample", "age"), by_age)}
    return xr.Dataset({**variables, **reach}, coords={"area": s.names, "age": list(AGE_BANDS)})


def prior_areas(
    s: StudyArrays, priors: PriorRegistry, starts: np.ndarray, *, draws: int, seed: int
) -> xr.Dataset:
    """Coverage, reach, effect and product of each area-level study before any study is seen.

    Parameters
    ----------
    s : StudyArrays
        Area-level studies.
    priors : PriorRegistry
        As returned by :func:`cba.load_priors`.
    starts : ndarray, shape (age,)
        As returned by :func:`cba.models.reach.checked_starts`.
    draws, seed : int

    Returns
    -------
    Dataset, dims (sample, area)
        As returned by :func:`area_draws`.

    Examples
    --------
    >>> import cba
    >>> from cba.models.effects_studies import studies_used, study_arrays
    >>> priors = cba.load_priors()
    >>> every = study_arrays(studies_used(cba.load_evidence(), priors), priors)
    >>> before = prior_areas(every.of(every.area), priors, np.full(5, 5200.0), draws=50, seed=1)
    >>> bool((before["area_coverage"] < 1).all())
    True
    """
    drawn = priors.sample(draws, seed)
    rng = np.random.default_rng([seed, 3])
    given: dict[str, np.ndarray] = {name: drawn[name].values for name in REACH_ENTRIES}
    given |= {name: drawn[f"effects.{name}"].values for name in ("heterogeneity", "transport")}
    given |= {
        "mean": drawn[ESTIMANDS[FAMILY_HELP].prior].values,
        "ratio": drawn["effects.in_care_ratio"].values,
    }
    given |= {name: rng.standard_normal((draws, len(s))) for name in ("coverage_offset", "area_offset")}
    return area_draws(s, given, starts)
