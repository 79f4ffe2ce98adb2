"""Area-level results on the product of coverage, reach and effect: the only thing about them that meets data.

A study of whole areas, with share c of the eligible served, speaks of

    ln(1 - c sum_a s_a phi_a (1 - RR^tilt_a)),   s_a the shares of the starts it counts,

so coverage, eligible children, their risk and the effect are variables of the model and leave it correlated. The
bias of such a design, an area's own trend, acts on the change itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.baseline import flow_rates
from cba.models.studies import ESTIMANDS, FAMILY_HELP, Pooled, Reported, StudyArrays, age_weights

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


# --- Reach: the share of would-be starts among children whom family help would serve, by age, derived … ---


ELIGIBLE, RISK = "family_help.eligible_children", "family_help.yearly_entry_risk"


SHARES = tuple(f"family_help.eligible_share_{age}" for age in AGE_BANDS)


RELATIVE_RISKS = ("family_help.relative_risk_under_1", "family_help.relative_risk_16_plus")


TILTS = ("family_help.age_tilt_under_1", "family_help.age_tilt_16_plus")


REACH_ENTRIES = (ELIGIBLE, RISK, *SHARES, *RELATIVE_RISKS, *TILTS)
"""Registry entries that are random variables of the synthesis: their posterior goes downstream."""


STEPS = 3
"""Newton steps: over draws of the shipped priors the largest error left is 2e-11."""


def recent_starts(observations: xr.Dataset, *, uasc_leave_share: float = 0.5) -> dict[str, float]:
    """Children starting to be looked after in the last published year, without unaccompanied children.

    `uasc_leave_share`: acts on releases that do not publish starts of unaccompanied children only.
    """
    rates = flow_rates(observations, uasc_leave_share=uasc_leave_share)
    starts = np.exp(rates.values[: len(AGE_BANDS), -1]) * rates.population
    return dict(zip(AGE_BANDS, starts.tolist(), strict=True))


def checked_starts(starts: Mapping[str, float], priors: PriorRegistry) -> np.ndarray:
    """Starts in the order of the age bands, refused where eligible children could start more than all do."""
    values = np.array([starts.get(age, math.nan) for age in AGE_BANDS], dtype=float)
    if set(starts) != set(AGE_BANDS) or not (values > 0).all():
        raise InputError(
            "starts by age are not complete",
            field="starts",
            found=dict(starts),
            allowed="a number above 0 for each of " + ", ".join(AGE_BANDS),
            cause="an age band left out",
            remedy="use cba.models.effects_areas.recent_starts",
        )
    most = priors[ELIGIBLE].support[1] * priors[RISK].support[1]
    if not most <= values.sum():
        raise _too_much_reach(
            f"upper bounds give {most:,.0f} starts of {values.sum():,.0f}",
            "upper bounds whose product is at most the yearly starts",
        )
    return values


def _too_much_reach(found: str, allowed: str) -> InputError:
    return InputError(
        "family help would reach more starts than there are",
        file="priors/effects.toml",
        field=f"{ELIGIBLE}, {RISK}",
        found=found,
        allowed=allowed,
        cause="an entry risk that is a share in care at follow-up, not a yearly risk",
        remedy="lower the upper bounds",
    )


def reach_by_age(overall: Any, weights: Any, starts_share: np.ndarray, *, arrays: Any = np) -> Any:
    """Reach by age band whose average over starts is the overall reach.

    Shape (..., age). `overall` (..., 1). `weights` (..., age): where the starts of eligible children fall:
    share of eligible children times relative risk, any scale. `starts_share` (age,).
    """
    # `arrays`: NumPy, or ``pytensor.tensor`` inside a model.
    #
    # ``logit phi_a = l + ln(w_a / s_a)`` with l solved for so that ``sum_a s_a phi_a = phi``. Where reach is
    # small this is phi_a = phi (w_a / s_a) / sum(w), the plain ratio of eligible starts to all starts; as it
    # grows no band can pass 1, because there are no more starts than all.
    pattern = arrays.log(weights / starts_share)
    target = arrays.log(overall / (1.0 - overall))
    centred = pattern - arrays.sum(pattern * starts_share, axis=-1, keepdims=True)
    level = target
    for _ in range(STEPS):
        share = 1.0 / (1.0 + arrays.exp(-(level + centred)))
        mean = arrays.sum(share * starts_share, axis=-1, keepdims=True)
        slope = arrays.sum(share * (1.0 - share) * starts_share, axis=-1, keepdims=True)
        level = level - (arrays.log(mean / (1.0 - mean)) - target) * mean * (1.0 - mean) / slope
    return 1.0 / (1.0 + arrays.exp(-(level + centred)))


def log_change_in_starts(
    coverage: Any, reach: Any, log_risk_ratio: Any, tilt: Any, ages: np.ndarray, *, arrays: Any = np
) -> Any:
    """Log of starts with family help over starts without, in an area of which part is covered.

    Shape (..., study). `coverage` (..., study); `reach` (..., age). `log_risk_ratio` (..., study): effect on
    a child served. `tilt` (..., age). `ages` (study, age): share of the study's starts by age; rows sum to 1.
    """
    # `arrays`: NumPy, or ``pytensor.tensor`` inside a model.
    #
    # ``ln(1 - c sum_a s_a phi_a (1 - RR^tilt_a))``.
    effect = 1.0 - arrays.exp(log_risk_ratio[..., :, None] * tilt[..., None, :])
    return arrays.log1p(-coverage * arrays.sum(reach[..., None, :] * effect * ages, axis=-1))


def tilt_by_age(under_1: Any, plus_16: Any, *, arrays: Any = np) -> Any:
    """Stack a value under 1, ones between and a value at 16 and over along a last axis of age.

    Shape (..., age). `arrays`: NumPy, or ``pytensor.tensor`` inside a model.
    """
    one = arrays.ones_like(under_1)
    return arrays.stack([under_1, *[one] * (len(AGE_BANDS) - 2), plus_16], axis=-1)


def reach_of_draws(draws: Mapping[str, Any], starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reach over all ages and by age, from draws of the entries it is derived from.

    Returns `by_age` (sample, age). `starts` (age,): children starting a year, without unaccompanied children.
    """
    overall = np.asarray(draws[ELIGIBLE]) * np.asarray(draws[RISK]) / starts.sum()
    if (overall >= 1.0).any():
        raise _too_much_reach(
            f"reach up to {overall.max():.2f}",
            "eligible children x yearly entry risk below the yearly starts",
        )
    shares = np.stack([np.asarray(draws[name]) for name in SHARES], axis=-1)
    relative = tilt_by_age(*(np.asarray(draws[name]) for name in RELATIVE_RISKS))
    by_age = reach_by_age(overall[:, None], shares * relative, starts / starts.sum())
    return overall, by_age


BOUNDED = (ELIGIBLE, RISK)


VECTORS = {"bounded": BOUNDED, "eligible_share": SHARES, "relative_risk": RELATIVE_RISKS, "age_tilt": TILTS}
"""Variables of the model and the registry entries their elements stand for."""


_POSITION = list(ESTIMANDS).index(FAMILY_HELP)


def reach_terms(priors: PriorRegistry, starts: np.ndarray) -> tuple[pt.TensorVariable, pt.TensorVariable]:
    """Add what reach is derived from to the PyMC model in context; returns reach and tilt of the effect by age.

    `starts` (age,). ``bounded`` holds the positions of eligible children and of their risk between their
    bounds; entries alike are one vector each, which halves the time to compile.
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
    reach = reach_by_age(overall[None], weights, starts / starts.sum(), arrays=pt)
    return reach, tilt_by_age(tilt[0], tilt[1], arrays=pt)


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

    `posterior`: holds ``bounded``, ``eligible_share``, ``relative_risk`` and ``age_tilt``.
    """
    bounds = _settings(priors, BOUNDED, "BetaScaled", ("alpha", "beta", "lower", "upper"))
    found = {}
    shares = posterior["eligible_share"]
    shares = shares / shares.sum(str(shares.dims[-1]))  # parts of one whole
    for name, entries in VECTORS.items():
        values = shares if name == "eligible_share" else posterior[name]
        for i, entry in enumerate(entries):
            found[entry] = values.isel({values.dims[-1]: i}, drop=True)
            if name == "bounded":
                found[entry] = bounds[i, 2] + (bounds[i, 3] - bounds[i, 2]) * found[entry]
    return found


def area_reports(
    s: StudyArrays, *, reach: pt.TensorVariable, tilt: pt.TensorVariable, starts: np.ndarray, pooled: Pooled
) -> Reported:
    """Return what area-level studies report of the product, given the variables of the model in context."""
    pm.modelcontext(None).add_coord("area", s.names)
    offset = pm.Normal("coverage_offset", 0.0, 1.0, dims="area")
    setting = pm.Normal("area_offset", 0.0, 1.0, dims="area")
    coverage = pt.sigmoid(s.coverage_mean + s.coverage_sd * offset)
    kappa = pt.switch(s.in_care, pooled.ratio[0], 1.0)
    shift = s.sign * s.foreign * pooled.transport[0, _POSITION]
    spread = pooled.heterogeneity[0, _POSITION] * setting
    log_ratio = kappa * (pooled.mean[0, _POSITION] + shift + spread)
    ages = age_weights(s.ages, starts / starts.sum())
    change = log_change_in_starts(coverage, reach, log_ratio, tilt, ages, arrays=pt)
    return Reported(
        centre=change + s.sign * s.bias_mean,
        sd=pt.constant(np.sqrt(s.se**2 + s.bias_sd**2)),
        names=tuple(f"adjusted:{name}" for name in s.names),
        lower=np.where(s.censored, s.lower, s.effect),
        upper=np.where(s.censored, s.upper, s.effect),
    )


def area_draws(s: StudyArrays, draws: Mapping[str, np.ndarray], starts: np.ndarray) -> xr.Dataset:
    """Coverage, reach, effect and product of each area-level study, draw by draw.

    Dims (sample, area). ``area_coverage``, ``area_reach``, ``area_effect`` (1 - RR), ``area_change``
    (log change in starts); ``reach``, dims (sample), and ``reach_by_age``, dims (sample, age).
    """
    # `draws`: `REACH_ENTRIES`, ``mean``, ``heterogeneity``, ``transport`` and ``ratio``, shape (sample,);
    # ``coverage_offset`` and ``area_offset``, shape (sample, area).
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

    Dims (sample, area). `starts` (age,).
    """
    drawn = priors.sample(draws, seed)
    rng = np.random.default_rng([seed, 3])
    entries = {name: name for name in REACH_ENTRIES}
    entries |= {name: f"effects.{name}" for name in ("heterogeneity", "transport")}
    entries |= {"mean": ESTIMANDS[FAMILY_HELP].prior, "ratio": "effects.in_care_ratio"}
    given: dict[str, np.ndarray] = {name: drawn[entry].values for name, entry in entries.items()}
    given |= {name: rng.standard_normal((draws, len(s))) for name in ("coverage_offset", "area_offset")}
    return area_draws(s, given, starts)
