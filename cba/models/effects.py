"""What the interventions do: a random-effects synthesis of the evidence per estimand, with design bias.

For study i of estimand e, harmonised so that positive d_e * y means "in favour of the programme",

    y_i ~ N(theta_i + d_e k_e b_i, se_i),   theta_i ~ N(mu_e, k_e tau_e),   b_i ~ N(m_design(i), s_design(i))

with k = 1 on log scales and 0.1 for risk differences. Bias and standard error are normal, so theta and b are
integrated out and the likelihood of a study is

    y_i ~ N(mu_e + d_e k_e m_i, sqrt(se_i^2 + (k_e tau_e)^2 + (k_e s_i)^2)).

A before-and-after study therefore cannot outvote a trial, whatever its sample. What goes downstream is the
effect of a new national roll-out: a new theta from N(mu, tau), less the share lost at scale. Effects may be
adverse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from cba.errors import InputError
from cba.models.estimands import ESTIMANDS
from cba.models.gates import Gates
from cba.models.normal_priors import normal_settings
from cba.models.prior_terms import prior_term
from cba.models.sampling import sample_gated

if TYPE_CHECKING:
    from cba.inputs.evidence import Evidence
    from cba.inputs.prior_registry import PriorRegistry


SMALL_STEPS = 0.99
"""Acceptance to tune to: where few studies inform the heterogeneity the posterior narrows towards none, and at the
usual 0.8 a transition diverges in one run of five; smaller steps cost tenths of a second."""


def studies_used(evidence: Evidence, priors: PriorRegistry) -> pd.DataFrame:
    """Studies that enter the synthesis in this stance.

    Parameters
    ----------
    evidence : Evidence
        As returned by :func:`cba.load_evidence`.
    priors : PriorRegistry
        Its ``evidence_designs`` says which designs the stance admits; None admits all.

    Returns
    -------
    DataFrame
        Rows with use ``synthesis``: study_id, estimand, effect, effect_se, design_class.

    Raises
    ------
    InputError
        If a study names an estimand the synthesis does not know.

    Examples
    --------
    >>> import cba
    >>> sceptical = cba.load_priors(stance="sceptical")
    >>> studies_used(cba.load_evidence(), sceptical)["design_class"].unique().tolist()
    ['rct']
    """
    used = evidence.effects[evidence.effects["use"] == "synthesis"]
    if priors.evidence_designs is not None:
        used = used[used["design_class"].isin(list(priors.evidence_designs))]
    unknown = sorted(set(used["estimand"]) - set(ESTIMANDS))
    if unknown:
        raise InputError(
            "a study names an estimand that the synthesis does not know",
            file="evidence_effects.csv",
            field="estimand",
            found=unknown[0],
            allowed=", ".join(ESTIMANDS),
            cause="a new kind of outcome",
            remedy="use a listed estimand or set use to excluded",
        )
    return used.reset_index(drop=True)


def build_effects(studies: pd.DataFrame, priors: PriorRegistry) -> pm.Model:
    """Build, without sampling, the synthesis of all estimands in one model.

    Parameters
    ----------
    studies : DataFrame
        As returned by :func:`studies_used`.
    priors : PriorRegistry
        Needs the ``effects.*`` entries.

    Returns
    -------
    pymc.Model
        Per estimand: ``mean`` and ``heterogeneity`` and, for comparison, ``raw_mean`` (the mean if no design
        were biased); ``effect`` and ``raw_effect`` are the observed studies.

    Examples
    --------
    >>> import cba
    >>> priors = cba.load_priors()
    >>> model = build_effects(studies_used(cba.load_evidence(), priors), priors)
    >>> sorted(variable.name for variable in model.observed_RVs)
    ['effect', 'raw_effect']
    """
    names = list(ESTIMANDS)
    index = np.array([names.index(e) for e in studies["estimand"]], dtype=int)
    scale = np.array([e.scale for e in ESTIMANDS.values()])
    sign = np.array([e.favours for e in ESTIMANDS.values()])
    bias = np.reshape(
        [normal_settings(priors, f"effects.bias_{d}") for d in studies["design_class"]], (-1, 2)
    )
    bias_mean, bias_sd = bias[:, 0] * sign[index] * scale[index], bias[:, 1] * scale[index]
    mu, sd = np.transpose([normal_settings(priors, e.prior) for e in ESTIMANDS.values()])
    observed, se = studies["effect"].to_numpy(float), studies["effect_se"].to_numpy(float)
    with pm.Model(coords={"estimand": names, "study": studies["study_id"].to_numpy(str)}) as model:
        heterogeneity = prior_term(priors, "effects.heterogeneity", dims="estimand")
        raw_heterogeneity = prior_term(
            priors, "effects.heterogeneity", name="raw_heterogeneity", dims="estimand"
        )
        mean = pm.Normal("mean", mu, sd, dims="estimand")
        raw_mean = pm.Normal("raw_mean", mu, sd, dims="estimand")
        if len(studies):
            spread = pm.math.sqrt(se**2 + (scale[index] * heterogeneity[index]) ** 2 + bias_sd**2)
            pm.Normal("effect", mean[index] + bias_mean, spread, observed=observed, dims="study")
            raw_spread = pm.math.sqrt(se**2 + (scale[index] * raw_heterogeneity[index]) ** 2)
            pm.Normal("raw_effect", raw_mean[index], raw_spread, observed=observed, dims="study")
    return model


def fit_effects(
    evidence: Evidence,
    priors: PriorRegistry,
    *,
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
    draws, tune, chains, seed, progress, gates
        As in :func:`cba.fit_baseline`.

    Returns
    -------
    DataTree
        ``posterior`` with dims (chain, draw, estimand): ``mean`` (bias-adjusted), ``raw_mean``,
        ``heterogeneity``; and ``new_setting``, the effect in a setting like none of the studies.

    Raises
    ------
    GateError
        If a convergence gate fails.
    InputError
        If a study cannot be placed.

    Examples
    --------
    >>> import cba
    >>> fit = cba.fit_effects(cba.load_evidence(), cba.load_priors())  # doctest: +SKIP
    >>> fit.posterior["new_setting"].dims  # doctest: +SKIP
    ('chain', 'draw', 'estimand')
    """
    studies = studies_used(evidence, priors)
    model = build_effects(studies, priors)
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
    posterior = tree["posterior"].to_dataset()
    rng = np.random.default_rng([seed, 2])
    scale = xr.DataArray([e.scale for e in ESTIMANDS.values()], dims="estimand")
    noise = xr.DataArray(rng.standard_normal(posterior["mean"].shape), dims=posterior["mean"].dims)
    posterior["new_setting"] = posterior["mean"] + scale * posterior["heterogeneity"] * noise
    tree["posterior"] = xr.DataTree(posterior)
    return tree
