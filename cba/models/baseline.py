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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.sampling import Gates, made_from, sample_gated
from cba.models.totals import total_flow_posterior, total_flows

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


# --- Yearly rates that reproduce the published stock-and-flow account of looked-after children exactly ---


SERIES = (
    *(f"log_start_rate_{age}" for age in AGE_BANDS),
    *(f"logit_exit_{age}" for age in AGE_BANDS),
    *(f"logit_ageing_{age}" for age in AGE_BANDS[1:4]),
    "logit_stay_under_1",
    "log_closure_rate",
    "log_uasc_starts",
)
"""Rows of the rate matrix: 5 start, 5 exit, 3 ageing rates, the stay rate, closure, unaccompanied starts."""


MINIMUM_YEARS = 5


@dataclass(frozen=True)
class FlowRates:
    """Yearly rates derived from one release."""

    values: np.ndarray  # (series, year): rates on the log or logit scale, rows in the order of `SERIES`
    noise: np.ndarray  # (series, year): standard deviation of the counting noise of each value, same scale
    years: np.ndarray  # (year,)
    uasc_share: np.ndarray  # (age,): share of unaccompanied starts by age band, sums to 1
    population: float  # children aged 0 to 17 used as denominator for the last year
    # (years before the ages begin,): yearly changes of the log of total starts before ages are published.
    total_start_changes: np.ndarray


def _logit(share: np.ndarray | float) -> np.ndarray:
    return np.log(share) - np.log1p(-np.asarray(share))


def unaccompanied_starts(observations: xr.Dataset, *, leave_share: float) -> xr.DataArray:
    """Starts of unaccompanied children: published from 2019 in releases from 2023, else from their stock.

    Dims (year), children. Published where available, otherwise implied by the stock; NaN where neither
    exists.
    """
    # `leave_share`: share of unaccompanied children (stock + half the starts) who cease in a year, used where
    # starts are not published: U' = U + s - leave_share (U + s/2), solved for s.
    stock = observations["uasc_stock"]
    before = stock.shift(year=1)
    implied = (stock - (1.0 - leave_share) * before) / (1.0 - leave_share / 2.0)
    return observations["uasc_starts"].fillna(implied).rename("uasc_starts")


def uasc_age_share(observations: xr.Dataset, *, where_unknown: float | None = None) -> np.ndarray:
    """Share of unaccompanied children by age band: 16+ as in their published stock, the rest aged 10-15.

    Shape (age,). The mean over the published years; sums to 1. `observations`: gives ``uasc_stock`` and
    ``uasc_stock_16_plus`` by year, children.
    """
    share = observations["uasc_stock_16_plus"] / observations["uasc_stock"]
    known = share.dropna("year")
    if known.sizes["year"] == 0 and where_unknown is None:
        raise InputError(
            "no age of unaccompanied children is published in this release",
            field="uasc_stock_16_plus",
            found="all missing",
            allowed="at least one year",
            cause="releases before 2021 do not carry it",
            remedy="use a release from 2021, or state the share aged 16 or over",
        )
    older = float(known.mean()) if known.sizes["year"] else float(where_unknown or 0.0)
    return np.array([0.0, 0.0, 0.0, 1.0 - older, older])


def _account(
    stock: np.ndarray, following: np.ndarray, starts: np.ndarray, ceases: np.ndarray, residual: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Solve one year of the account; returns exits (5), ageing (3) and the stay rate of the youngest band."""
    exits, ageing, grown_in, stay = np.empty(5), np.empty(3), 0.0, np.nan
    for band in range(5):
        exits[band] = ceases[band] / (stock[band] + (starts[band] + grown_in) / 2.0)
        kept = (1.0 - exits[band]) * stock[band]
        fresh = (1.0 - exits[band] / 2.0) * starts[band] + residual[band]
        arrived = (1.0 - exits[band] / 2.0) * grown_in
        grown_out = kept + fresh + arrived - following[band]
        if band == 0:
            stay = following[0] / fresh
        elif band < 4:
            ageing[band - 1] = grown_out / (kept + fresh / 2.0)
        grown_in = grown_out
    return exits, ageing, stay


def flow_rates(
    observations: xr.Dataset, *, uasc_leave_share: float = 0.5, uasc_16_plus_share: float | None = None
) -> FlowRates:
    """Derive the yearly rates from the published counts.

    `observations`: needs stock, starts and ceases by age for at least six years. `uasc_16_plus_share`: share
    of unaccompanied children aged 16 or over where the release does not publish their ages.
    """
    stock = observations["stock_by_age"].sel(age=list(AGE_BANDS)).dropna("year")
    years = [int(y) for y in stock["year"].values]
    if len(years) < MINIMUM_YEARS + 1 or years != list(range(years[0], years[-1] + 1)):
        raise InputError(
            "too little history by age to describe how rates move",
            field="stock_by_age",
            found=f"years {years}",
            allowed=f"at least {MINIMUM_YEARS + 1} consecutive years",
            cause="an early release, or a year missing from the series",
            remedy="choose a later release or complete the series",
        )
    uasc = unaccompanied_starts(observations, leave_share=uasc_leave_share)
    share = uasc_age_share(observations, where_unknown=uasc_16_plus_share)
    columns, noises = [], []
    for year in years[1:]:
        values, noise = _one_year(observations, year, uasc=float(uasc.sel(year=year)), share=share)
        columns.append(values)
        noises.append(noise)
    totals = observations["starts"].sel(year=slice(None, years[0] + 1)).dropna("year")
    return FlowRates(
        values=np.stack(columns, axis=1),
        noise=np.stack(noises, axis=1),
        years=np.array(years[1:]),
        uasc_share=share,
        population=float(observations["population_0_17"].sel(year=years[-1])),
        total_start_changes=np.diff(np.log(totals.values)),
    )


def _one_year(
    observations: xr.Dataset, year: int, *, uasc: float, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rates of one year on the log or logit scale, and the counting noise of each."""

    def by_age(name: str, when: int) -> np.ndarray:
        return observations[name].sel(year=when, age=list(AGE_BANDS)).values.astype(float)

    before, after = by_age("stock_by_age", year - 1), by_age("stock_by_age", year)
    starts, ceases = by_age("starts_by_age", year), by_age("ceases_by_age", year)
    reachable = starts - share * uasc
    closure = after.sum() - before.sum() - starts.sum() + ceases.sum()
    residual = closure * reachable / reachable.sum()
    exits, ageing, stay = _account(before, after, starts, ceases, residual)
    shares = np.array([*exits, *ageing, stay])
    _require_possible(year, shares=shares, closure=closure, reachable=reachable)
    population = float(observations["population_0_17"].sel(year=year))
    values = np.concatenate(
        [np.log(reachable / population), _logit(shares), [np.log(closure / reachable.sum()), np.log(uasc)]]
    )
    noise = np.concatenate(
        [
            1.0 / np.sqrt(reachable),
            1.0 / np.sqrt(ceases * (1.0 - exits)),
            1.0 / np.sqrt(ageing * (1.0 - ageing) * np.maximum(before[1:4], 1.0)),
            [1.0 / np.sqrt(stay * (1.0 - stay) * starts[0])],
            [1.0 / np.sqrt(closure), 1.0 / np.sqrt(uasc)],
        ]
    )
    return values, noise


def _require_possible(year: int, *, shares: np.ndarray, closure: float, reachable: np.ndarray) -> None:
    """Refuse a year whose account needs a share outside (0, 1), no closure residual, or negative starts."""
    possible = (shares > 0) & (shares < 1)  # False for NaN
    if possible.all() and closure > 0 and (reachable > 0).all():
        return
    exits, ageing, stay = shares[:5].round(3), shares[5:8].round(3), shares[8]
    raise InputError(
        f"the published account of {year} implies an impossible rate",
        field="stock_by_age, starts_by_age, ceases_by_age",
        found=f"exits {exits}, ageing {ageing}, stay {stay:.3f}, closure {closure:.0f}, "
        f"starts of children who are not unaccompanied {reachable.round()}",
        allowed="shares strictly between 0 and 1, a positive closure residual, positive starts",
        cause="a missing cell or a figure in the wrong column",
        remedy="check the release file against the published table",
    )


# --- Read entries of the prior registry that enter a model in closed form; loads no sampler ---


def normal_settings(priors: PriorRegistry, entry: str) -> tuple[float, float]:
    """Mean and standard deviation of an entry that enters a model in closed form, so must be normal.

    `entry`: dotted name, for example ``"effects.bias_rct"``.
    """
    family, settings = priors[entry].distribution, priors[entry].parameters
    if family != "Normal":
        raise InputError(
            "this prior must be normal",
            file="priors/",
            field=entry,
            found=family,
            allowed="Normal, without bounds",
            cause="a prior that enters a closed form, where no other family fits",
            remedy="restate the entry as a Normal",
        )
    return float(settings["mu"]), float(settings["sigma"])


# --- Turn entries of the prior registry into PyMC random variables ---


FAMILIES = ("Normal", "LogNormal", "HalfNormal", "Gamma", "Beta", "Uniform")
"""Families a model can use."""


def prior_term(
    priors: PriorRegistry, entry: str, *, name: str | None = None, dims: str | tuple[str, ...] | None = None
) -> pt.TensorVariable:
    """Add one registry entry to the PyMC model in context.

    `entry`: dotted name of the entry, for example ``"baseline.start_innovation_sd"``.
    """
    family = priors[entry].distribution
    if family not in FAMILIES:
        raise InputError(
            "a model cannot use this family of prior",
            file="priors/",
            field=entry,
            found=family,
            allowed=", ".join(FAMILIES),
            cause="a family meant for quantities drawn outside the fitted models",
            remedy="restate the entry with one of the allowed families",
        )
    # The registry names parameters as PyMC does.
    return getattr(pm, family)(name or entry.rsplit(".", 1)[-1], **priors[entry].parameters, dims=dims)


WALKS = SERIES[:-1]
"""Series that follow a random walk; the last one, unaccompanied starts, returns to a level."""


MOVEMENTS = (
    "innovation_sd",
    "start_common_loading",
    "exit_common_loading",
    "common_correlation",
    "shock_probability",
    "uasc_persistence",
    "uasc_long_run_starts",
    "uasc_innovation_sd",
)
"""Variables that say how rates move."""


KEPT = ("last_level", *MOVEMENTS, "common_factor")
"""Variables of the posterior that leave the fit; the gates are checked on all."""


TOTALS = ("trend_persistence", "long_run_pace")
"""What the totals since the 1990s add, in closed form (:mod:`cba.models.totals`)."""


def build_baseline(rates: FlowRates, priors: PriorRegistry) -> pm.Model:
    """Build, without sampling, the model of yearly changes in the flow rates.

    Free of observed data other than the yearly changes, so prior predictive sampling works as usual.
    """
    changes = np.diff(rates.values, axis=1)
    coords = {
        "series": SERIES,
        "walk": WALKS,
        "year": rates.years,
        "change_year": rates.years[1:],
        "age": AGE_BANDS,
        "factor": ("starts", "exits"),
    }
    with pm.Model(coords=coords) as model:
        tails = prior_term(priors, "baseline.shock_probability"), _fixed(priors, "baseline.shock_ratio")
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


def _fixed(priors: PriorRegistry, entry: str) -> float:
    return float(priors[entry].median)


def _change(
    name: str,
    mean: pt.TensorVariable,
    sd: pt.TensorVariable,
    tails: tuple[pt.TensorVariable, float],
    observed: np.ndarray,
    *,
    dims: str | tuple[str, ...] | None = None,
) -> None:
    """Add observed yearly changes: a mixture of ordinary years and shocks around the same mean.

    `tails`: probability of a shock, and its standard deviation over that of an ordinary year.
    """
    probability, ratio = tails
    mean, sd = pt.broadcast_arrays(mean, sd)
    pm.NormalMixture(
        name,
        w=pt.stack([1.0 - probability, probability]),
        mu=mean[..., None],
        sigma=pt.stack([sd, ratio * sd], axis=-1),
        observed=observed,
        dims=dims,
    )


def _early_totals(
    rates: FlowRates,
    loading: pt.TensorVariable,
    sigma: pt.TensorVariable,
    tails: tuple[pt.TensorVariable, float],
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
        totals; ``totals`` with the draws of :func:`total_draws`; ``prior``, dims (chain, draw, ...), the variables of
        the posterior before any data; ``log_prior`` of each draw by variable; ``log_likelihood`` and
        ``posterior_predictive``, dims (chain, draw, ...), and ``observed_data``, by observation, for ArviZ. The
        attributes say what the fit was made from.

    Raises
    ------
    GateError
        If a convergence gate fails; the message lists every check that failed.
    InputError
        If the release holds too little history.
    """
    rates = flow_rates(
        observations,
        uasc_leave_share=_fixed(priors, "baseline.uasc_leave_share"),
        uasc_16_plus_share=_fixed(priors, "baseline.uasc_16_plus_share"),
    )
    how: dict[str, Any] = {"draws": draws, "tune": tune, "chains": chains, "seed": seed}
    tree = sample_gated(
        build_baseline(rates, priors),
        **how,
        progress=progress,
        gates=gates,
        keep=KEPT,
        latent=("common_factor", "counting_noise"),
    )
    totals = total_draws(observations, priors, draws=draws, chains=chains, seed=seed)
    tree["totals"] = xr.DataTree(totals[list(TOTALS)])
    tree["constant_data"] = xr.DataTree(
        projection_start(observations, priors, rates, last_change=totals["last_change"])
    )
    tree.attrs = made_from("baseline", priors, observations=observations, **how)
    return tree


def total_draws(
    observations: xr.Dataset, priors: PriorRegistry, *, draws: int, chains: int, seed: int
) -> xr.Dataset:
    """Draws of momentum and pace from the totals, in the shape of the sampled posterior.

    Dims (chain, draw). The variables of `TOTALS`; and ``last_change`` (lever).
    """
    found = total_flow_posterior(total_flows(observations), priors, draws=draws * chains, seed=seed)
    shaped = {name: (("chain", "draw"), found[name].values.reshape(chains, draws)) for name in TOTALS}
    return xr.Dataset(shaped | {"last_change": found["last_change"]})


def projection_start(
    observations: xr.Dataset,
    priors: PriorRegistry,
    rates: FlowRates,
    *,
    last_change: xr.DataArray,
    last_year: int | None = None,
) -> xr.Dataset:
    """What the projection needs, beside the draws, of the year it starts from: the last one by default."""
    year = int(rates.years[-1]) if last_year is None else last_year
    known, seen = observations.sel(year=year), rates.years <= year
    return xr.Dataset(
        {
            "stock": ("age", known["stock_by_age"].sel(age=list(AGE_BANDS)).values.astype(float)),
            "uasc_share": ("age", rates.uasc_share),
            "population": float(known["population_0_17"]),
            "shock_ratio": _fixed(priors, "baseline.shock_ratio"),
            "last_year": year,
            "observed_rates": (("series", "year"), rates.values[:, seen]),
            "last_change": last_change,
        },
        coords={"age": list(AGE_BANDS), "series": list(SERIES), "year": rates.years[seen]},
    )
