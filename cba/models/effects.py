"""What the interventions do: one joint synthesis of trials, comparisons, intervals and area-level results.

The true effect behind study i of estimand e, in favour of the programme where d_e has its sign, is

    x_i = kappa_i (mu_e + d k t_e [abroad] + k tau_e z_i) + d k b_i,   b_i ~ N(m_design, s_design)

with k = 1 on log scales and 0.1 for risk differences, t_e the shift of evidence from abroad, shared by all foreign
studies of one estimand, and kappa the ratio of the log effect on being in care some months later to the log effect
on entering (1 for studies of entry). What a study reports of x_i is a normal estimate, two arms of counts
(:mod:`cba.models.studies`) or only an interval. Studies of whole areas speak of ln(1 - c phi (1 - RR))
instead (:mod:`cba.models.effects_areas`). Normal parts are integrated out; a before-and-after study cannot outvote
a trial, whatever its sample. Effects may be adverse. Pooled without bias, and with two models of publication bias,
stand beside in the same model and share nothing with it (:mod:`cba.models.studies`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from cba.models.baseline import normal_settings, prior_term
from cba.models.effects_areas import (
    area_draws,
    area_reports,
    checked_starts,
    prior_areas,
    reach_entries_of,
    reach_terms,
    recent_starts,
)
from cba.models.sampling import Gates, sample_gated, with_log_densities
from cba.models.studies import (
    ADJUSTED,
    ESTIMANDS,
    FAMILY_HELP,
    VARIANTS,
    Reported,
    StudyArrays,
    interval_log_density,
    pooled_terms,
    served_reports,
    studies_used,
    study_arrays,
    with_panel,
)

if TYPE_CHECKING:
    from cba.inputs.evidence import Evidence
    from cba.inputs.priors import PriorRegistry
    from cba.models.authorities import PanelFinding

SMALL_STEPS = 0.97
"""Acceptance to tune to: where few studies inform the heterogeneity the posterior narrows towards none, and at 0.9 one
to three transitions of 8,000 diverge, at 0.95 none in six runs; smaller steps cost seconds."""

STUDY_VARIABLES = ("counted_offset", "log_odds_product", "coverage_offset", "area_offset")
"""Variables of single studies: part of the model, and no prior belief whose power one would scale."""

ALTERNATIVES = ("publication_slope", "publication_weight")
"""Variables of the alternatives shown beside the result."""


def _is_adjusted(label: str) -> bool:
    """Say whether a label is of the result and not of an alternative beside it."""
    return label.startswith("adjusted")


def build_effects(
    studies: pd.DataFrame,
    priors: PriorRegistry,
    *,
    starts: Mapping[str, float] | None = None,
    panel: PanelFinding | None = None,
) -> pm.Model:
    """Build, without sampling, the synthesis of all estimands, its alternatives and reach in one model.

    `starts`: children starting to be looked after a year by age band, without unaccompanied children; those
    of the newest shipped release when left out. `panel`: what England's panel of authorities says of starts.
    """
    # Returned: ``mean``, ``heterogeneity`` and ``transport``, dims (variant, estimand), the first variant the
    # headline; what reach is derived from; and the data: ``effect`` (estimates), ``between`` (intervals),
    # both with a dim of ``variant:study``, and ``arms`` (counts).
    every = study_arrays(with_panel(studies, panel, priors), priors)
    counts = checked_starts(_recent() if starts is None else starts, priors)
    served, areas = every.of(~every.area), every.of(every.area)
    means = np.array([normal_settings(priors, e.prior) for e in ESTIMANDS.values()])
    with pm.Model(coords={"variant": list(VARIANTS), "estimand": list(ESTIMANDS)}) as model:
        pooled = pooled_terms(priors, means)
        prior_term(priors, "effects.authority_spread")
        reach, tilt = reach_terms(priors, counts)
        reports = [served_reports(served, pooled)] if len(served) else []
        if len(areas):
            reports.append(area_reports(areas, reach=reach, tilt=tilt, starts=counts, pooled=pooled))
        if reports:
            _add_reports(reports)
    return model


def _recent() -> dict[str, float]:
    from cba.inputs.observations import load_observations

    return recent_starts(load_observations())


def _add_reports(reports: list[Reported]) -> None:
    """Add all estimates as one variable of the model in context, and all intervals as another."""
    centre = pt.concatenate([r.centre for r in reports])
    sd = pt.concatenate([r.sd for r in reports])
    lower, upper = (np.concatenate([getattr(r, end) for r in reports]) for end in ("lower", "upper"))
    names = np.array([name for r in reports for name in r.names])
    model, exact = pm.modelcontext(None), np.flatnonzero(lower == upper)
    between = np.flatnonzero(lower != upper)
    if len(exact):
        model.add_coord("estimate", names[exact])
        observed = pm.Data("reported", lower[exact], dims="estimate")
        pm.Normal("effect", centre[exact], sd[exact], observed=observed, dims="estimate")
    if len(between):
        model.add_coord("interval", names[between])
        pm.CustomDist(
            "between", centre[between], sd[between], upper[between],
            logp=interval_log_density, observed=lower[between], dims="interval",
        )  # fmt: skip


def fit_effects(
    evidence: Evidence,
    priors: PriorRegistry,
    *,
    starts: Mapping[str, float] | None = None,
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
    starts, panel
        As in :func:`build_effects`.
    draws, tune, chains, seed, progress, gates
        As in :func:`cba.fit_baseline`.

    Returns
    -------
    DataTree
        ``posterior``, dims (chain, draw) with estimand, age or area study: ``mean`` (bias-adjusted, England),
        ``raw_mean`` (as published), ``precision_mean`` and ``selection_mean`` (publication bias taken off in
        two ways), ``heterogeneity``; ``new_setting``, a national roll-out at the strength of the studies;
        ``new_authority``, one authority of it; reach and what it is derived from; and for area-level studies
        ``area_coverage``, ``area_reach``, ``area_effect`` (1 - RR) and ``area_change``. ``prior``, dims (sample),
        holds the same four and ``reach`` before any study.

    Raises
    ------
    GateError
        If a convergence gate fails.
    InputError
        If a study cannot be placed.
    """
    starts = _recent() if starts is None else starts
    studies = studies_used(evidence, priors)
    model = build_effects(studies, priors, starts=starts, panel=panel)
    tree = sample_gated(
        model,
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        progress=progress,
        gates=gates,
        name="effects",
        target_accept=SMALL_STEPS,
    )
    tree = with_log_densities(
        tree,
        model,
        latent=STUDY_VARIABLES,
        aside=ALTERNATIVES,
        only=dict.fromkeys(("variant", "estimate", "interval"), _is_adjusted),
    )
    every = study_arrays(with_panel(studies, panel, priors), priors)
    areas, counts = every.of(every.area), checked_starts(starts, priors)
    posterior = handed_on(tree["posterior"].to_dataset(), areas, counts, priors, seed=seed)
    tree["posterior"] = xr.DataTree(posterior)
    tree["prior"] = xr.DataTree(prior_areas(areas, priors, counts, draws=chains * draws, seed=seed))
    return tree


def handed_on(
    sampled: xr.Dataset, areas: StudyArrays, starts: np.ndarray, priors: PriorRegistry, *, seed: int
) -> xr.Dataset:
    """Return the posterior under the names the other rooms use, with predictions and area-level products."""
    headline = sampled.isel(variant=ADJUSTED, drop=True)
    means = {f"{name}_mean": sampled["mean"].sel(variant=name, drop=True) for name in VARIANTS[1:]}
    shared = ["mean", "heterogeneity", "transport", "in_care_ratio", "authority_spread"]
    posterior = headline[shared].assign(means).assign({name: headline[name] for name in ALTERNATIVES})
    posterior = _with_predictions(posterior, seed=seed)
    entries = reach_entries_of(sampled, priors)
    posterior = posterior.assign({name.rsplit(".", 1)[-1]: draws for name, draws in entries.items()})
    flat = headline.stack(sample=("chain", "draw"), create_index=False).transpose("sample", ...)
    given: dict[str, np.ndarray] = {name: draws.values.ravel() for name, draws in entries.items()}
    given |= {n: flat[n].sel(estimand=FAMILY_HELP).values for n in ("mean", "heterogeneity", "transport")}
    given["ratio"] = flat["in_care_ratio"].values
    for name in ("coverage_offset", "area_offset"):
        given[name] = flat[name].values if name in flat else np.empty((flat.sizes["sample"], 0))
    return posterior.assign(_by_chain(area_draws(areas, given, starts), sampled))


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


def _with_predictions(posterior: xr.Dataset, *, seed: int) -> xr.Dataset:
    """Add the effect of a new national roll-out and of one authority in it, at the strength of the studies."""
    rng = np.random.default_rng([seed, 2])
    scale = xr.DataArray([e.scale for e in ESTIMANDS.values()], dims="estimand")
    mean = posterior["mean"]
    noise = [mean.copy(data=rng.standard_normal(mean.shape)) for _ in range(2)]
    setting = mean + scale * posterior["heterogeneity"] * noise[0]
    authority = setting + scale * posterior["authority_spread"] * noise[1]
    return posterior.assign(
        new_setting=setting.transpose(*mean.dims), new_authority=authority.transpose(*mean.dims)
    )
