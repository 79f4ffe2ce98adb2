"""Area-level results on the product of coverage, reach and effect: the only thing about them that meets data.

A study of whole areas, with share c of the eligible served, speaks of

    ln(1 - c sum_a s_a phi_a (1 - RR^tilt_a)),   s_a the shares of the starts it counts,

so coverage, reach and the effect are variables of the model and leave it correlated. The bias of such a design, an
area's own trend, acts on the change of the whole area and is stated on it (``effects.area_bias_*``). England's own
panel speaks of starts and of exits, theta = (that change, c times the log odds of leaving), and of placebo dates, when
nothing had happened. One bias b serves all, of which a share g lasts after launch:

    y = theta + g b + e_0,     d_k = m_k b + e_k,     b ~ N(0, diag s^2),     Cov(e_0, e_2, e_3, e_4) as simulated
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.authority_data import OUTCOMES
from cba.models.baseline import flow_rates
from cba.models.sampling import prior_term
from cba.models.stays import StayLength, stay_length
from cba.models.studies import (
    CLASS_ESTIMAND,
    CLASSES,
    ESTIMANDS,
    FAMILY_HELP,
    PANEL,
    POOLED_ENTRIES,
    Pooled,
    Reported,
    StudyArrays,
    age_weights,
    effect_behind,
)

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry
    from cba.models.authority_findings import PanelFinding


# --- Reach: the share of would-be starts that help could prevent, by age, and the tiers of need it comes from ---


TIERS = {"early_help": "early_help", "in_need": "family_support", "protection": "edge_of_care"}
"""Thresholds of need at which family help serves, and the class of service whose effect holds there."""


START_SHARES = (*(f"family_help.start_share_{tier}" for tier in TIERS), "family_help.start_share_unknown")
"""Would-be starts by what was known of the child beforehand; the last were not known."""


IN_TIME, OF_KIND = "family_help.in_time_share", "family_help.of_kind_share"


SHARES = tuple(f"family_help.eligible_share_{age}" for age in AGE_BANDS)


RELATIVE_RISKS = ("family_help.relative_risk_under_1", "family_help.relative_risk_16_plus")


TILTS = ("family_help.age_tilt_under_1", "family_help.age_tilt_16_plus")


VECTORS = {
    "start_share": START_SHARES,
    "eligible_share": SHARES,
    "relative_risk": RELATIVE_RISKS,
    "age_tilt": TILTS,
}
"""Variables of the model and the registry entries their elements stand for."""


REACH_ENTRIES = (IN_TIME, OF_KIND, *(entry for entries in VECTORS.values() for entry in entries))


LEAVING = "family_help.log_odds_of_leaving"


FITTED_ENTRIES = (*REACH_ENTRIES, *POOLED_ENTRIES, LEAVING)
"""Registry entries that are random variables of the synthesis: their posterior goes downstream."""


STEPS = 3
"""Newton steps: over draws of the shipped priors the largest error left is 2e-11."""


@dataclass(frozen=True)
class CareFacts:
    """What the published series tell the synthesis."""

    starts: np.ndarray  # (age,): children starting to be looked after a year, without unaccompanied children
    stays: StayLength


def care_facts(observations: xr.Dataset, *, uasc_leave_share: float = 0.5) -> CareFacts:
    """Starts of the last published year by age, and lengths of stay.

    `uasc_leave_share`: acts on releases that do not publish starts of unaccompanied children only.
    """
    rates = flow_rates(observations, uasc_leave_share=uasc_leave_share)
    starts = np.exp(rates.values[: len(AGE_BANDS), -1]) * rates.population
    return CareFacts(starts, stay_length(observations))


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


def overall_reach(draws: Mapping[str, Any]) -> np.ndarray:
    """Share of would-be starts that help could prevent: known before x in time x of a kind, (sample,)."""
    known = sum(np.asarray(draws[name]) for name in START_SHARES[:-1])
    return np.asarray(known * np.asarray(draws[IN_TIME]) * np.asarray(draws[OF_KIND]))


def reach_of_draws(draws: Mapping[str, Any], starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reach over all ages and by age, from draws of the entries it is derived from.

    Returns `by_age` (sample, age). `starts` (age,): children starting a year, without unaccompanied children.
    """
    overall = overall_reach(draws)
    shares = np.stack([np.asarray(draws[name]) for name in SHARES], axis=-1)
    relative = tilt_by_age(*(np.asarray(draws[name]) for name in RELATIVE_RISKS))
    by_age = reach_by_age(overall[:, None], shares * relative, starts / starts.sum())
    return overall, by_age


def tier_shares(draws: Mapping[str, Any]) -> np.ndarray:
    """Share of reach at each tier of need, (sample, tier); rows sum to 1."""
    shares = np.stack([np.asarray(draws[name]) for name in START_SHARES[:-1]], axis=-1)
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def over_tiers(log_ratio: np.ndarray, draws: Mapping[str, Any]) -> np.ndarray:
    """Log risk ratio of family help over all tiers, from that of each class of service (sample, class)."""
    classes = [CLASSES.index(name) for name in TIERS.values()]
    return np.asarray(np.log((tier_shares(draws) * np.exp(log_ratio[:, classes])).sum(axis=-1)))


def by_estimand_of(effects: np.ndarray, draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Effects of classes (sample, class) as effects of estimands, family help over its tiers of need."""
    found = np.stack([effects[:, CLASS_ESTIMAND == e].mean(axis=1) for e in range(len(ESTIMANDS))], axis=-1)
    found[:, list(ESTIMANDS).index(FAMILY_HELP)] = over_tiers(effects, draws)
    return found


def reach_terms(priors: PriorRegistry, starts: np.ndarray) -> tuple[pt.TensorVariable, pt.TensorVariable]:
    """Add what reach is derived from to the PyMC model in context; returns reach and tilt of the effect by age.

    `starts` (age,). Entries alike are one vector each, which halves the time to compile.
    """
    known = pm.Dirichlet("start_share", _settings(priors, START_SHARES, "Beta", ("alpha",))[:, 0])
    overall = known[:-1].sum() * prior_term(priors, IN_TIME) * prior_term(priors, OF_KIND)
    shares = pm.Dirichlet("eligible_share", _settings(priors, SHARES, "Beta", ("alpha",))[:, 0])
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
                cause="an entry restated; shares of one whole are a Dirichlet, whose parts are Betas",
                remedy=f"restate the entry as a {family}",
            )
    return np.array([[priors[entry].parameters[name] for name in names] for entry in entries])


def fitted_entries_of(posterior: xr.Dataset) -> dict[str, xr.DataArray]:
    """Draws of the entries of `FITTED_ENTRIES`, by name, out of the variables of the model.

    Only England's panel speaks of leaving care: where it does not count there is no effect on exits.
    """
    found = {entry: posterior[entry.rsplit(".", 1)[-1]] for entry in (IN_TIME, OF_KIND, *POOLED_ENTRIES)}
    none = xr.zeros_like(found[IN_TIME])
    found[LEAVING] = posterior.get(LEAVING.rsplit(".", 1)[-1], none)
    for name, entries in VECTORS.items():
        values = posterior[name]
        found |= {entry: values.isel({values.dims[-1]: i}, drop=True) for i, entry in enumerate(entries)}
    return found


def area_terms(
    s: StudyArrays, panel: PanelFinding | None, priors: PriorRegistry, *, starts: np.ndarray, pooled: Pooled
) -> list[Reported]:
    """Add reach, exits and what belongs to studies of areas to the model in context; returns what these report.

    England's own panel, one of them, is added as a normal of its own.
    """
    reach, tilt = reach_terms(priors, starts)
    if not len(s):
        return []
    pm.modelcontext(None).add_coord("area", s.names)
    offset = pm.Normal("coverage_offset", 0.0, 1.0, dims="area")
    setting = pm.Normal("area_offset", 0.0, 1.0, dims="area")
    coverage = pt.sigmoid(s.coverage_mean + s.coverage_sd * offset)
    log_ratio = effect_behind(s, pooled, spread=pooled.heterogeneity[s.estimand] * setting)
    ages = age_weights(s.ages, starts / starts.sum())
    change = log_change_in_starts(coverage, reach, log_ratio, tilt, ages, arrays=pt)
    own = s.names == (panel.study_id if panel else "")
    if panel and own.any():
        place = int(np.flatnonzero(own)[0])
        add_panel(panel, priors, [change[place], coverage[place] * prior_term(priors, LEAVING)])
    if own.all():
        return []
    rest = s.of(~own)
    return [
        Reported(
            centre=change[np.flatnonzero(~own)] + rest.sign * rest.bias_mean,
            sd=pt.constant(np.sqrt(rest.se**2 + rest.bias_sd**2)),
            names=tuple(rest.names.tolist()),
            lower=np.where(rest.censored, rest.lower, rest.effect),
            upper=np.where(rest.censored, rest.upper, rest.effect),
        )
    ]


def add_panel(panel: PanelFinding, priors: PriorRegistry, theta: list[pt.TensorVariable]) -> None:
    """Add what England's own panel found, by the real launches and by placebo dates, to the model in context.

    `theta`: effects on log starts and on log odds of leaving.
    """
    sd = pt.stack([prior_term(priors, f"effects.panel_bias_sd_{outcome}") for outcome in OUTCOMES])
    lasting = prior_term(priors, "effects.panel_bias_lasting")
    bias = pm.Deterministic("panel_bias", sd * pm.Normal("panel_bias_offset", 0.0, 1.0, shape=len(OUTCOMES)))
    before = np.reshape(panel.seen[len(OUTCOMES) :], (-1, len(OUTCOMES)))
    centre = pt.concatenate([pt.stack(theta) + lasting * bias, (before * bias).ravel()])
    reported = pm.Data("panel_reported", np.array(panel.estimate))
    pm.MvNormal(PANEL, centre, np.array(panel.covariance), observed=reported)


def area_draws(
    s: StudyArrays, pooled: Pooled, draws: Mapping[str, np.ndarray], starts: np.ndarray
) -> xr.Dataset:
    """Coverage, reach, effect and product of each area-level study, draw by draw.

    Dims (sample, area). ``area_coverage``, ``area_reach``, ``area_effect`` (1 - RR), ``area_change``
    (log change in starts); ``reach``, dims (sample), and ``reach_by_age``, dims (sample, age).
    """
    # `draws`: `REACH_ENTRIES`, shape (sample,); ``coverage_offset`` and ``area_offset``, shape (sample, area).
    coverage = 1.0 / (1.0 + np.exp(-(s.coverage_mean + s.coverage_sd * draws["coverage_offset"])))
    log_ratio = effect_behind(s, pooled, spread=pooled.heterogeneity[..., s.estimand] * draws["area_offset"])
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
