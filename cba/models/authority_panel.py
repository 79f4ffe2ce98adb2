"""What the Strengthening Families programmes did to starts and to children looked after, by authority and year.

For authority i in year t with count y, population n and rate r = y / n,

    y_it ~ NegativeBinomial(m_it, 1 / cv^2)
    log m_it = log n_it + p (r*_i,t-1 - r*_i,first) + q r*_i,first + (1 - p) a_i + b_i t
               + c_t + s_region,t + D_it - p D_i,t-1
    D_it = theta_i (1 - exp(-k_it / w)),    theta_i = delta + spread z_programme

with r* = log r less England's mean, k the years since launch, c a shock to England, s one to a region, a and b an
authority's own level and trend. Last year's rate enters as in Zeger and Qaqish (1988), so shocks to an authority
persist: treating years as independent would make the interval several times too narrow (Bertrand, Duflo and
Mullainathan 2004). The first rate takes up the initial condition (Wooldridge 2005). D - p D before it makes D the
effect on the level, not on the yearly change. Innovators, chosen because their results were good, have an effect of
their own and do not inform delta. Where the launch date is not known the likelihood of the authority's whole series
is averaged over its candidate dates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from scipy.special import gammaln

from cba.models.authority_panel_data import OUTCOMES, AuthorityPanel, authority_panel
from cba.models.authority_panel_finding import with_paths
from cba.models.authority_panel_launches import PROGRAMMES
from cba.models.authority_panel_layout import PanelArrays, panel_arrays
from cba.models.gates import Gates
from cba.models.normal_priors import normal_settings
from cba.models.prior_terms import prior_term
from cba.models.sampling import sample_gated

if TYPE_CHECKING:
    import pandas as pd

    from cba.inputs.prior_registry import PriorRegistry

SMALL_STEPS = 0.95
"""Acceptance to tune to: at the usual 0.8 one transition in a thousand diverges where numbers looked after might not
persist."""

KEPT = (
    "effect",
    "innovator_effect",
    "programme_effect",
    "programme_spread",
    "ramp_years",
    "persistence",
    "lasting_weight",
    "overdispersion",
    "lasting_level_sd",
    "authority_sd",
    "trend_sd",
    "region_year_sd",
)
"""Variables of the posterior that leave the fit; the gates are checked on all."""


def build_authority_panel(panel: AuthorityPanel, priors: PriorRegistry) -> pm.Model:
    """Build, without sampling, the model of both outcomes, which share nothing but the sampler.

    Parameters
    ----------
    panel : AuthorityPanel
        As returned by :func:`cba.models.authority_panel_data.authority_panel`.
    priors : PriorRegistry
        Needs the ``panel.*`` entries.

    Returns
    -------
    pymc.Model

    Examples
    --------
    >>> model = build_authority_panel(panel, priors)  # doctest: +SKIP
    """
    data = panel_arrays(panel)
    with pm.Model(coords=_coordinates(panel, data)) as model:
        persistence = prior_term(priors, "panel.persistence", dims="outcome")
        usual = _business_as_usual(data, priors, persistence)
        moved = _moved(panel, data, priors, persistence)
        size = 1.0 / prior_term(priors, "panel.overdispersion", dims="outcome") ** 2
        pm.Potential("counts", _likelihood(data, usual, moved, size))
    return model


def _likelihood(
    data: PanelArrays, usual: pt.TensorVariable, moved: pt.TensorVariable, size: pt.TensorVariable
) -> pt.TensorVariable:
    """Log likelihood of the counts; where the launch date is uncertain, averaged over its candidates."""
    never, split = len(data.order) - len(data.launch), len(data.order) - len(data.launch) + data.certain
    log_size = pt.log(size)[:, None, None]
    known = usual[:, :split]
    known = pt.inc_subtensor(known[:, never:], moved[:, : data.certain, 0]) - log_size
    later = usual[:, split:, None, :] + moved[:, data.certain :] - log_size[..., None]
    counts, total = data.counts, data.counts + size[:, None, None]
    seen = data.usable.astype(float)
    plain = counts[:, :split] * known - total[:, :split] * pt.softplus(known)
    each = counts[:, split:, None, :] * later - total[:, split:, None, :] * pt.softplus(later)
    whole = (each * seen[split:, None, :]).sum(axis=3)
    return (
        (plain * seen[:split]).sum()
        + (pm.math.logsumexp(whole, axis=2) - np.log(data.since.shape[2])).sum()
        + _normalising(data, size)
    )


def _normalising(data: PanelArrays, size: pt.TensorVariable) -> pt.TensorVariable:
    """Part of the negative binomial's log likelihood that does not depend on the mean.

    Many cells share a count, and the gamma function is the dearest part of the likelihood: each count enters once.
    """
    total = pt.zeros(())
    for place, counts in enumerate(data.counts):
        count, times = np.unique(counts[data.usable], return_counts=True)
        total += (times * pt.gammaln(count + size[place])).sum() - times.sum() * pt.gammaln(size[place])
        total -= float((times * gammaln(count + 1.0)).sum())
    return total


def _coordinates(panel: AuthorityPanel, data: PanelArrays) -> dict[str, object]:
    return {
        "outcome": list(OUTCOMES),
        "authority": panel.authority[data.order],
        "year": panel.years[1:],
        "region": np.unique(panel.region),
        "programme": list(PROGRAMMES),
    }


def _business_as_usual(
    data: PanelArrays, priors: PriorRegistry, persistence: pt.TensorVariable
) -> pt.TensorVariable:
    """Log of the count expected without a programme, (outcome, authority, year)."""
    weight = prior_term(priors, "panel.lasting_weight", dims="outcome")
    england = prior_term(priors, "panel.year_shock", dims=("outcome", "year"))
    region_sd = prior_term(priors, "panel.region_year_sd", dims="outcome")
    region = region_sd[:, None, None] * pm.Normal(
        "region_shock", 0.0, 1.0, dims=("outcome", "region", "year")
    )
    lasting = prior_term(priors, "panel.lasting_level_sd", dims="outcome")
    # What a lasting difference adds in one year: near 0 where rates persist, so the two must move together.
    yearly = pm.Deterministic("authority_sd", (1.0 - persistence) * lasting, dims="outcome")
    trend_sd = prior_term(priors, "panel.trend_sd", dims="outcome")
    level = yearly[:, None] * pm.Normal("authority_level", 0.0, 1.0, dims=("outcome", "authority"))
    trend = trend_sd[:, None] * pm.Normal("authority_trend", 0.0, 1.0, dims=("outcome", "authority"))
    own = level + weight[:, None] * data.first
    return (
        data.offset
        + persistence[:, None, None] * (data.before - data.first[:, :, None])
        + england[:, None, :]
        + region[:, data.region]
        + own[:, :, None]
        + trend[:, :, None] * data.time
    )


def _moved(
    panel: AuthorityPanel, data: PanelArrays, priors: PriorRegistry, persistence: pt.TensorVariable
) -> pt.TensorVariable:
    """What a programme adds to the log of the expected count, (outcome, launch, date, year)."""
    common = prior_term(priors, "panel.effect", dims="outcome")
    spread = prior_term(priors, "panel.programme_spread", dims="outcome")
    offset = pm.Normal("programme_offset", 0.0, 1.0, dims=("outcome", "programme"))
    effect = pm.Deterministic(
        "programme_effect", common[:, None] + spread[:, None] * offset, dims=("outcome", "programme")
    )
    innovators = prior_term(priors, "panel.effect", name="innovator_effect", dims="outcome")
    rows = panel.launches.programme[data.launch]
    first = panel.launches.innovator[data.launch].astype(float)
    theta = effect[:, rows] * (1 - first) + innovators[:, None] * first
    years = pt.stack([prior_term(priors, f"panel.ramp_years_{outcome}") for outcome in OUTCOMES])
    ramp = pm.Deterministic("ramp_years", years, dims="outcome")
    path = 1.0 - pt.exp(-data.since / ramp[:, None, None, None])
    return theta[:, :, None, None] * (path[..., 1:] - persistence[:, None, None, None] * path[..., :-1])


def fit_authority_panel(
    observations: xr.Dataset,
    rollout: pd.DataFrame,
    priors: PriorRegistry,
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 20220523,
    progress: bool = False,
    gates: Gates | None = None,
) -> xr.DataTree:
    """Fit the panel as known in one release and refuse draws that have not converged.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`; its release says what was known.
    rollout : DataFrame
        As returned by :func:`cba.inputs.observations.load_programme_rollout`.
    priors : PriorRegistry
        Needs the ``panel.*`` entries.
    draws, tune, chains, seed, progress, gates
        As in :func:`cba.fit_baseline`.

    Returns
    -------
    DataTree
        ``posterior`` (chain, draw, outcome, ...): ``effect`` (full effect, log points), ``innovator_effect``,
        ``programme_effect`` (programme), ``path`` and ``innovator_path`` (since_launch, years), ``at_horizon``;
        ``excluded`` and ``launches``: who is out and who began when; ``constant_data``: ``coverage`` (quantile),
        ``authorities``, ``years``. Attributes ``release`` and ``not_informative``: a sentence where the release
        holds too few years after launches, and then there is no posterior.

    Raises
    ------
    GateError
        If a convergence gate fails.
    InputError
        If a launch date cannot be read or an authority began two programmes.

    Examples
    --------
    >>> import cba
    >>> fit = fit_authority_panel(cba.load_observations(), rollout, cba.load_priors())  # doctest: +SKIP
    >>> fit.posterior["effect"].dims  # doctest: +SKIP
    ('chain', 'draw', 'outcome')
    """
    panel = authority_panel(observations, rollout, priors)
    if panel.not_informative:
        tree = xr.DataTree()
    else:
        tree = sample_gated(
            build_authority_panel(panel, priors),
            draws=draws,
            tune=tune,
            chains=chains,
            seed=seed,
            progress=progress,
            gates=gates,
            keep=KEPT,
            name="authority panel",
            target_accept=SMALL_STEPS,
        )
        tree["posterior"] = xr.DataTree(with_paths(tree["posterior"].to_dataset()))
    levels = [0.05, 0.5, 0.95]
    coverage = [priors.quantile("panel.coverage", level) for level in levels]
    tree["constant_data"] = xr.DataTree(
        xr.Dataset(
            {
                "coverage": ("quantile", coverage),
                "effect_sd": normal_settings(priors, "panel.effect")[1],
                "year_sd": normal_settings(priors, "panel.year_shock")[1],
                "lasting_mean": normal_settings(priors, "panel.lasting_weight")[0],
                "lasting_sd": normal_settings(priors, "panel.lasting_weight")[1],
                "authorities": len(panel.authority),
                "years": ("year", panel.years),
            },
            coords={"quantile": levels, "year": panel.years},
        )
    )
    tree["excluded"] = xr.DataTree(xr.Dataset.from_dataframe(panel.excluded.rename_axis("row")))
    tree["launches"] = xr.DataTree(xr.Dataset.from_dataframe(panel.launches.table.rename_axis("row")))
    tree.attrs = {"release": panel.release, "not_informative": panel.not_informative}
    return tree
