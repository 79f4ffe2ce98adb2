"""Business-as-usual model: how the yearly flow rates of looked-after children move from year to year.

Write y_i(t) for rate i in year t on the log or logit scale, observed with counting noise s_i(t) that the
published counts imply. The latent rate is z_i(t) = y_i(t) - s_i(t) e_i(t), e ~ N(0, 1), and its yearly
changes follow

    z_i(t) - z_i(t-1) = l_i f_g(t) + u_i(t),    f_g(t) ~ N(0, 1),
    u_i(t) ~ (1 - w) N(0, sigma_i) + w N(0, k sigma_i)

with one national common factor f for the start rates and one for the exit rates, correlated: years when
more children start are years when more cease. The mixture gives heavy tails, so that 2020-21 does not widen
every later year; unlike Student's t it keeps the mean of exp(z) finite. Rates therefore follow a random walk
without drift: the process that leaves the level where the last release put it, and adds uncertainty with
every year. Starts of unaccompanied children follow migration instead and return slowly towards a long-run
level,

    log U(t) = m + phi (log U(t-1) - m) + v(t),    v(t) ~ N(0, sigma_U).

England's counts are large, so e is close to its prior and the geometry is nearly Gaussian. The changes of
total starts before ages are published enter as a likelihood on the spread they imply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.models.flow_rates import SERIES, FlowRates, flow_rates
from cba.models.gates import Gates
from cba.models.prior_terms import prior_term
from cba.models.sampling import sample_gated
from cba.models.total_flows import total_flow_posterior, total_flows

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

WALKS = SERIES[:-1]
"""Series that follow a random walk; the last one, unaccompanied starts, returns to a level."""

KEPT = (
    "last_level",
    "innovation_sd",
    "start_common_loading",
    "exit_common_loading",
    "common_correlation",
    "shock_probability",
    "uasc_persistence",
    "uasc_long_run_starts",
    "uasc_innovation_sd",
    "common_factor",
)
"""Variables of the posterior that leave the fit; the gates are checked on all."""

TOTALS = ("trend_persistence", "long_run_pace")
"""What the totals since the 1990s add, in closed form (:mod:`cba.models.total_flows`)."""


def build_baseline(rates: FlowRates, priors: PriorRegistry) -> pm.Model:
    """Build, without sampling, the model of yearly changes in the flow rates.

    Parameters
    ----------
    rates : FlowRates
        Rates derived from one release by :func:`cba.models.flow_rates.flow_rates`.
    priors : PriorRegistry
        Needs the ``baseline.*`` entries.

    Returns
    -------
    pymc.Model
        Free of observed data other than the yearly changes, so prior predictive sampling works as usual.

    Examples
    --------
    >>> import cba
    >>> model = build_baseline(flow_rates(cba.load_observations()), cba.load_priors())
    >>> sorted(variable.name for variable in model.observed_RVs)
    ['early_total_change', 'uasc_change', 'walk_change']
    """
    changes = np.diff(rates.values, axis=1)
    with pm.Model(coords=_coordinates(rates)) as model:
        tails = _Tails(
            prior_term(priors, "baseline.shock_probability"), _fixed(priors, "baseline.shock_ratio")
        )
        sigma = pm.Deterministic("innovation_sd", _innovation_sds(priors), dims="walk")
        start_loading = prior_term(priors, "baseline.start_common_loading", dims="age")
        exit_loading = prior_term(priors, "baseline.exit_common_loading", dims="age")
        factor = pm.Normal("common_factor", 0.0, 1.0, dims=("factor", "change_year"))
        shared = prior_term(priors, "baseline.common_correlation")
        exits = shared * factor[0] + pt.sqrt(1.0 - shared**2) * factor[1]
        common = pt.concatenate(
            [
                start_loading[:, None] * factor[0][None, :],
                exit_loading[:, None] * exits[None, :],
                pt.zeros((5, changes.shape[1])),
            ]
        )
        noise = pm.Normal("counting_noise", 0.0, 1.0, dims=("series", "year"))
        scaled = rates.noise * noise
        noise_change = scaled[:, 1:] - scaled[:, :-1]
        _change(
            "walk_change",
            common + noise_change[:-1],
            sigma[:, None],
            tails,
            changes[:-1],
            dims=("walk", "change_year"),
        )
        pm.Deterministic("last_level", rates.values[:, -1] - scaled[:, -1], dims="series")
        _unaccompanied(rates, priors, scaled[-1])
        _early_totals(rates, start_loading, sigma, tails)
    return model


def _coordinates(rates: FlowRates) -> dict[str, Sequence[str] | np.ndarray]:
    return {
        "series": SERIES,
        "walk": WALKS,
        "year": rates.years,
        "change_year": rates.years[1:],
        "age": AGE_BANDS,
        "factor": ("starts", "exits"),
    }


def _innovation_sds(priors: PriorRegistry) -> pt.TensorVariable:
    """Standard deviation of the yearly change of each walk; the three ageing rates share one."""
    ageing = prior_term(priors, "baseline.ageing_innovation_sd")
    return pt.concatenate(
        [
            prior_term(priors, "baseline.start_innovation_sd", dims="age"),
            prior_term(priors, "baseline.exit_innovation_sd", dims="age"),
            ageing * np.ones(3),
            prior_term(priors, "baseline.stay_innovation_sd")[None],
            prior_term(priors, "baseline.closure_innovation_sd")[None],
        ]
    )


class _Tails(NamedTuple):
    """Shock probability (a model variable) and the ratio of shock to ordinary standard deviation."""

    probability: pt.TensorVariable
    ratio: float


def _fixed(priors: PriorRegistry, entry: str) -> float:
    return float(priors[entry].median)


def _change(
    name: str,
    mean: pt.TensorVariable,
    sd: pt.TensorVariable,
    tails: _Tails,
    observed: np.ndarray,
    *,
    dims: str | tuple[str, ...] | None = None,
) -> None:
    """Add observed yearly changes: a mixture of ordinary years and shocks around the same mean."""
    mean, sd = pt.broadcast_arrays(mean, sd)
    pm.NormalMixture(
        name,
        w=pt.stack([1.0 - tails.probability, tails.probability]),
        mu=mean[..., None],
        sigma=pt.stack([sd, tails.ratio * sd], axis=-1),
        observed=observed,
        dims=dims,
    )


def _early_totals(
    rates: FlowRates, loading: pt.TensorVariable, sigma: pt.TensorVariable, tails: _Tails
) -> None:
    """Add the changes of total starts before ages are published: a likelihood on the spread they imply."""
    changes = rates.total_start_changes
    if len(changes) == 0:
        return
    weight = np.exp(rates.values[:5, 0]) / np.exp(rates.values[:5, 0]).sum()
    spread = pt.sqrt(pt.sum(weight * loading) ** 2 + pt.sum((weight * sigma[:5]) ** 2))
    _change("early_total_change", pt.zeros(len(changes)), spread, tails, changes)


def _unaccompanied(rates: FlowRates, priors: PriorRegistry, noise: pt.TensorVariable) -> None:
    """Add the process of unaccompanied starts: slow return to a long-run level.

    Its yearly changes are normal: their spread already carries migration swings, and shocks on top of it put
    a hundredfold rise within reach.
    """
    persistence = prior_term(priors, "baseline.uasc_persistence")
    level = pt.log(prior_term(priors, "baseline.uasc_long_run_starts"))
    sd = prior_term(priors, "baseline.uasc_innovation_sd")
    observed = rates.values[-1]
    before = observed[:-1] - noise[:-1]
    pm.Normal(
        "uasc_change",
        (1.0 - persistence) * (level - before) + noise[1:] - noise[:-1],
        sd,
        observed=np.diff(observed),
        dims="change_year",
    )


def fit_baseline(
    observations: xr.Dataset,
    priors: PriorRegistry,
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 20220523,
    progress: bool = False,
    gates: Gates | None = None,
) -> xr.DataTree:
    """Fit business as usual to one release and refuse draws that have not converged.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    priors : PriorRegistry
        As returned by :func:`cba.load_priors`; uses the ``baseline.*`` entries.
    draws, tune, chains : int
        Posterior draws kept per chain, warm-up steps, chains.
    seed : int
        Seed of the sampler; the same seed gives the same draws.
    progress : bool
        Show a progress bar.
    gates : Gates, optional
        Thresholds; the defaults are R-hat 1.01, 400 effective draws, no divergences, BFMI 0.3.

    Returns
    -------
    DataTree
        ``posterior`` with dims (chain, draw, ...): ``last_level`` (series), ``innovation_sd`` (walk),
        ``start_common_loading`` and ``exit_common_loading`` (age), ``shock_probability``,
        ``uasc_persistence``, ``uasc_long_run_starts``, ``uasc_innovation_sd``; and ``constant_data`` with the
        release's ``stock`` (children by age at the last 31 March), ``uasc_share`` (by age), ``population``,
        ``shock_ratio``, ``observed_rates`` (series, year), ``last_year`` and the last change of the
        totals; ``totals`` with the draws of :func:`total_draws`; ``log_prior`` and ``log_likelihood`` of each draw,
        by variable.

    Raises
    ------
    GateError
        If a convergence gate fails; the message lists every check that failed.
    InputError
        If the release holds too little history.

    Examples
    --------
    >>> import cba
    >>> fit = cba.fit_baseline(cba.load_observations(), cba.load_priors(), draws=500)  # doctest: +SKIP
    >>> fit.posterior["last_level"].dims  # doctest: +SKIP
    ('chain', 'draw', 'series')
    """
    rates = flow_rates(
        observations,
        uasc_leave_share=_fixed(priors, "baseline.uasc_leave_share"),
        uasc_16_plus_share=_fixed(priors, "baseline.uasc_16_plus_share"),
    )
    tree = sample_gated(
        build_baseline(rates, priors),
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        progress=progress,
        gates=gates,
        keep=KEPT,
        latent=("common_factor", "counting_noise"),
    )
    totals = total_draws(observations, priors, draws=draws, chains=chains, seed=seed)
    tree["totals"] = xr.DataTree(totals[list(TOTALS)])
    tree["constant_data"] = xr.DataTree(_constants(rates, priors, totals))
    return tree


def total_draws(
    observations: xr.Dataset, priors: PriorRegistry, *, draws: int, chains: int, seed: int
) -> xr.Dataset:
    """Draws of momentum and pace from the totals, in the shape of the sampled posterior.

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    priors : PriorRegistry
        As for :func:`cba.models.total_flows.total_flow_posterior`.
    draws, chains, seed : int
        As in :func:`fit_baseline`.

    Returns
    -------
    Dataset, dims (chain, draw)
        The variables of :data:`TOTALS`; and ``last_change`` (lever).

    Examples
    --------
    >>> import cba
    >>> total_draws(cba.load_observations(), cba.load_priors(), draws=5, chains=2, seed=1)["long_run_pace"].shape
    (2, 5)
    """
    found = total_flow_posterior(total_flows(observations), priors, draws=draws * chains, seed=seed)
    shaped = {name: (("chain", "draw"), found[name].values.reshape(chains, draws)) for name in TOTALS}
    return xr.Dataset(shaped | {"last_change": found["last_change"]})


def _constants(rates: FlowRates, priors: PriorRegistry, totals: xr.Dataset) -> xr.Dataset:
    """What the projection needs of the release beside the posterior."""
    return xr.Dataset(
        {
            "stock": ("age", rates.stock),
            "uasc_share": ("age", rates.uasc_share),
            "population": rates.population,
            "shock_ratio": _fixed(priors, "baseline.shock_ratio"),
            "last_year": int(rates.years[-1]),
            "observed_rates": (("series", "year"), rates.values),
            "last_change": totals["last_change"],
        },
        coords={"age": list(AGE_BANDS), "series": list(SERIES), "year": rates.years},
    )
