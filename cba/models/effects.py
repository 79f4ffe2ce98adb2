"""What the interventions do: one joint synthesis of trials, comparisons, intervals and area-level results.

The true effect behind study i of class c of estimand e, in favour of the programme where d_e has its sign, is

    x_i = kappa_i (m_c (1 - lost [at scale]) / (1 - paid [compared with nothing]) + d k t_e [abroad] + k tau_e z_i)
          + d k b_i,        m_c = mu_e + omega z_c,        b_i ~ N(m_design, s_design)

with k = 1 on log scales and 0.1 for risk differences, t_e the shift of evidence from abroad, shared by all foreign
studies of one estimand, kappa what is left at follow-up of an effect on entries where children in care are counted
(the stay ratio to a power that published stays give; 1 for studies of entry), omega the spread between classes of
service, tau within one. What a study reports of x_i is a normal estimate, two arms of counts
(:mod:`cba.models.studies`) or only an interval. Studies of whole areas speak of ln(1 - c phi (1 - RR)) instead
(:mod:`cba.models.effects_areas`). Normal parts are integrated out; a before-and-after study cannot outvote a trial,
whatever its sample. Effects may be adverse. Pooled as published, and with two models of publication bias, are models
of their own: they share nothing with the result and cannot keep it from being given.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from cba.errors import GateError
from cba.inputs.observations import load_observations
from cba.models.effects_areas import (
    CareFacts,
    area_draws,
    area_terms,
    by_estimand_of,
    care_facts,
    fitted_entries_of,
)
from cba.models.sampling import Gates, made_from, prior_draws, prior_term, sample_gated
from cba.models.studies import (
    ADJUSTED,
    CLASS_ESTIMAND,
    CLASSES,
    ESTIMANDS,
    PRECISION,
    RAW,
    SELECTION,
    SEVERAL,
    SIGNIFICANT,
    VARIANTS,
    Pooled,
    Reported,
    StudyArrays,
    interval_log_density,
    log_one_minus_exp,
    pooled_draws,
    pooled_terms,
    seen_draw,
    seen_interval_log_density,
    seen_log_density,
    served_reports,
    studies_used,
    study_arrays,
    with_panel,
)

if TYPE_CHECKING:
    from cba.inputs.evidence import Evidence
    from cba.inputs.priors import PriorRegistry
    from cba.models.authority_findings import PanelFinding

SMALL_STEPS = 0.99
"""Acceptance to tune to: where few studies inform the heterogeneity the posterior narrows towards none, and at 0.98 one
transition of 8,000 diverged in two of six runs of the trials alone, at 0.99 none in twelve: seconds more."""

STUDY_VARIABLES = (
    "counted_offset",
    "log_odds_product",
    "coverage_offset",
    "area_offset",
    "panel_bias_offset",
)
"""Variables of single studies: part of the model, and no prior belief whose power one would scale."""


def build_effects(
    studies: pd.DataFrame,
    priors: PriorRegistry,
    *,
    facts: CareFacts,
    panel: PanelFinding | None = None,
    variant: str = ADJUSTED,
) -> pm.Model:
    """Build, without sampling, the synthesis of all estimands, or one of the alternatives beside it.

    `panel`: what England's panel of authorities says of starts and exits. `variant`: a member of `VARIANTS`; the
    alternatives pool what is said of children served.
    """
    # Returned: ``mean``, ``heterogeneity`` and ``transport``, dims (estimand); what reach is derived from; and the
    # data: ``effect`` (estimates), ``between`` (whether a result lies in its interval) and ``arms`` (counts).
    every = study_arrays(with_panel(studies, panel, priors), priors, stays=facts.stays)
    served, areas = every.of(~every.area), every.of(every.area)
    coords = {"estimand": list(ESTIMANDS), "several_classes": [CLASSES[place] for place in SEVERAL]}
    with pm.Model(coords=coords) as model:
        # An alternative has the variables that its studies need, and as published they need no other than means.
        used = served.of(np.full(len(served), variant != RAW))
        pooled = pooled_terms(priors, needed_by=None if variant == ADJUSTED else used)
        slope = prior_term(priors, "effects.publication_slope") if variant == PRECISION else 0.0
        reports = [served_reports(served, pooled, variant=variant, slope=slope)] if len(served) else []
        seen = None
        if variant == SELECTION and reports:
            weight = prior_term(priors, "effects.publication_weight")
            seen = (served.sign, SIGNIFICANT * served.se, weight)
        if variant == ADJUSTED:
            prior_term(priors, "effects.authority_spread")
            reports += area_terms(areas, panel, priors, starts=facts.starts, pooled=pooled)
        if reports:
            _add_reports(reports, seen=seen)
    return model


def _add_reports(reports: list[Reported], *, seen: tuple[np.ndarray, np.ndarray, Any] | None) -> None:
    """Add all estimates as one variable of the model in context, and all intervals as another.

    `seen`: direction and size of a significant benefit, by study, and the relative chance of others to be seen.
    """
    centre = pt.concatenate([r.centre for r in reports])
    sd = pt.concatenate([r.sd for r in reports])
    lower, upper = (np.concatenate([getattr(r, end) for r in reports]) for end in ("lower", "upper"))
    names = np.array([name for r in reports for name in r.names])
    model, exact = pm.modelcontext(None), np.flatnonzero(lower == upper)
    between = np.flatnonzero(lower != upper)
    if len(exact):
        model.add_coord("estimate", names[exact])
        observed = pm.Data("reported", lower[exact], dims="estimate")
        about = {"observed": observed, "dims": "estimate"}
        if seen is None:
            pm.Normal("effect", centre[exact], sd[exact], **about)
        else:
            known = (centre[exact], sd[exact], seen[0][exact], seen[1][exact], seen[2])
            pm.CustomDist("effect", *known, logp=seen_log_density, random=seen_draw, **about)
    if len(between):
        # That a result lies in its interval is an event, and it was seen.
        model.add_coord("interval", names[between])
        ends = (lower[between], centre[between], sd[between], upper[between])
        if seen is None:
            log = interval_log_density(*ends)
        else:
            log = seen_interval_log_density(*ends, seen[0][between], seen[1][between], seen[2])
        inside = pm.Data("inside", np.ones(len(between), dtype=int), dims="interval")
        odds = log - log_one_minus_exp(log)
        pm.Bernoulli("between", logit_p=odds, observed=inside, dims="interval")


def fit_effects(
    evidence: Evidence,
    priors: PriorRegistry,
    *,
    observations: xr.Dataset | None = None,
    panel: PanelFinding | None = None,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 20220523,
    progress: bool = False,
    gates: Gates | None = None,
) -> xr.DataTree:
    """Fit the synthesis and refuse draws that have not converged.

    Parameters
    ----------
    evidence : Evidence
        As returned by :func:`cba.load_evidence`.
    priors : PriorRegistry
        As returned by :func:`cba.load_priors`; its stance says which designs count.
    observations : Dataset, optional
        Published series, of which starts by age and lengths of stay are used; those of the newest shipped
        release when left out.
    panel
        What England's panel of authorities says of starts and exits; left out, it does not count.
    draws, tune, chains, seed, progress, gates
        As in :func:`cba.fit_baseline`.

    Returns
    -------
    DataTree
        ``posterior``, dims (chain, draw) with estimand, class of service, age or area study: ``mean``
        (bias-adjusted, England), ``class_mean``, ``raw_mean`` (as published), ``precision_mean`` and
        ``selection_mean`` (publication bias taken off in two ways; an alternative that has not converged is
        left out), ``heterogeneity``; ``class_setting`` and ``new_setting``, a national roll-out at the strength
        of the studies; ``new_authority``, one authority of it; reach and what it is derived from; and for
        area-level studies ``area_coverage``, ``area_reach``, ``area_effect`` (1 - RR) and ``area_change``.
        ``prior`` holds the same before any study, alternatives left out; ``log_prior`` each draw by variable;
        ``log_likelihood`` and ``posterior_predictive``, dims (chain, draw, ...), and ``observed_data`` each
        observation, for ArviZ. The attributes say what the fit was made from.

    Raises
    ------
    GateError
        If a convergence gate fails.
    InputError
        If a study cannot be placed.
    """
    observations = load_observations() if observations is None else observations
    facts = care_facts(observations)
    studies = studies_used(evidence, priors)
    asked = {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
    how: dict[str, Any] = {"progress": progress, "gates": gates, "target_accept": SMALL_STEPS, **asked}
    model = build_effects(studies, priors, facts=facts, panel=panel)
    tree = sample_gated(model, name="effects", latent=STUDY_VARIABLES, **how)
    every = study_arrays(with_panel(studies, panel, priors), priors, stays=facts.stays)
    areas = every.of(every.area)
    posterior = handed_on(tree["posterior"].to_dataset(), areas, facts, seed=seed)
    posterior = posterior.assign(_alternatives(studies, priors, facts=facts, **how))
    tree["posterior"] = xr.DataTree(posterior)
    tree["prior"] = xr.DataTree(before_studies(model, areas, facts, draws=draws, chains=chains, seed=seed))
    tree.attrs = made_from(
        "effects", priors, observations=observations, evidence=evidence, panel=panel, **asked
    )
    return tree


def _alternatives(
    studies: pd.DataFrame, priors: PriorRegistry, *, facts: CareFacts, **how: Any
) -> dict[str, xr.DataArray]:
    """Mean effects under each other way of pooling; one that has not converged is left out."""
    found = {}
    for variant in VARIANTS[1:]:
        model = build_effects(studies, priors, facts=facts, variant=variant)
        with suppress(GateError):
            tree = sample_gated(model, name=variant, **how)
            found[f"{variant}_mean"] = tree["posterior"].to_dataset()["mean"]
    return found


def handed_on(sampled: xr.Dataset, areas: StudyArrays, facts: CareFacts, *, seed: int) -> xr.Dataset:
    """Return the posterior under the names the other rooms use, with predictions and area-level products."""
    entries = fitted_entries_of(sampled)
    shared = ["mean", "heterogeneity", "transport", "between_classes", "class_offset", "authority_spread"]
    bias = [name for name in ("panel_bias", "panel_bias_lasting") if name in sampled]
    posterior = sampled[shared + bias].assign(
        {name.rsplit(".", 1)[-1]: draws for name, draws in entries.items()}
    )
    flat = sampled.stack(sample=("chain", "draw"), create_index=False).transpose("sample", ...)
    given: dict[str, np.ndarray] = {name: draws.values.ravel() for name, draws in entries.items()}
    for name in ("coverage_offset", "area_offset"):
        given[name] = flat[name].values if name in flat else np.empty((flat.sizes["sample"], 0))
    pooled = pooled_draws(sampled)
    predicted = _predictions(pooled, flat["authority_spread"].values, given, seed=seed)
    return posterior.assign(
        _by_chain(xr.merge([predicted, area_draws(areas, pooled, given, facts.starts)]), sampled)
    )


def before_studies(
    model: pm.Model, areas: StudyArrays, facts: CareFacts, *, draws: int, chains: int, seed: int
) -> xr.Dataset:
    """What is handed on, drawn from the priors of the headline's model."""
    names = [variable.name for variable in (*model.free_RVs, *model.deterministics)]
    drawn = prior_draws(model, names=names, draws=draws, chains=chains, seed=seed)
    return handed_on(drawn, areas, facts, seed=seed)


def _by_chain(flat: xr.Dataset, like: xr.Dataset) -> dict[str, xr.DataArray]:
    """Split the samples of each variable into the chains and draws they came from."""
    shape = (like.sizes["chain"], like.sizes["draw"])
    return {
        str(name): xr.DataArray(
            found.values.reshape(*shape, *found.shape[1:]),
            dims=("chain", "draw", *found.dims[1:]),
            coords={dim: flat[dim] for dim in found.dims[1:]},
        )
        for name, found in flat.data_vars.items()
    }


def _predictions(
    pooled: Pooled, authority_spread: np.ndarray, draws: Mapping[str, np.ndarray], *, seed: int
) -> xr.Dataset:
    """Effect of a new national roll-out and of one authority in it, at the strength of the studies.

    By class of service, and by estimand with family help over its tiers of need. Dims (sample, ...).
    """
    # Roll-outs of one class differ as settings of one class do, so harm is not defined away by a mean; what an
    # authority makes of it, it makes of every class.
    rng = np.random.default_rng([seed, 2])
    scale = np.array([e.scale for e in ESTIMANDS.values()])
    noise = rng.standard_normal(pooled.class_mean.shape)
    setting = pooled.class_mean + (scale * pooled.heterogeneity)[:, CLASS_ESTIMAND] * noise
    apart = scale * authority_spread[:, None] * rng.standard_normal((len(setting), len(ESTIMANDS)))
    by_class = {"class_mean": pooled.class_mean, "class_setting": setting}
    by_estimand = {
        "new_setting": by_estimand_of(setting, draws),
        "new_authority": by_estimand_of(setting + apart[:, CLASS_ESTIMAND], draws),
    }
    variables = {name: (("sample", "service_class"), values) for name, values in by_class.items()}
    variables |= {name: (("sample", "estimand"), values) for name, values in by_estimand.items()}
    return xr.Dataset(variables, coords={"service_class": list(CLASSES), "estimand": list(ESTIMANDS)})
