"""Business-as-usual model: how the yearly flow rates of looked-after children move from year to year.

Write y_i(t) for rate i in year t on the log or logit scale, observed with counting noise s_i(t) that the
published counts imply. The latent rate is z_i(t) = y_i(t) - s_i(t) e_i(t), e ~ N(0, 1), and its yearly
changes follow

    z_i(t) - z_i(t-1) = l_i f_g(t) + u_i(t),    f_g(t) ~ N(0, 1),
    u_i(t) ~ (1 - w) N(0, sigma_i) + w N(0, k sigma_i)

with one national common factor f for the start rates and one for the exit rates, correlated: years when
more children start are years when more cease. The mixture gives heavy tails, so that 2020-21 does not widen
every later year; unlike Student's t it keeps the mean of exp(z) finite. Rates by themselves follow a random
walk without drift; how the number in care grows is the model of :mod:`cba.models.growth`, to which the
projection holds them. England's counts are large, so e is close to its prior and the geometry is nearly
Gaussian. The changes of total starts before ages are published enter as a likelihood on the spread they imply.
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
from cba.models.growth import MOVEMENTS as GROWTH_MOVEMENTS
from cba.models.growth import GrowthSeries, add_growth, growth_series, growth_start
from cba.models.sampling import Gates, made_from, prior_term, sample_gated

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


# --- Yearly rates that reproduce the published stock-and-flow account of looked-after children exactly ---


SERIES = (
    *(f"log_start_rate_{age}" for age in AGE_BANDS),
    *(f"logit_exit_{age}" for age in AGE_BANDS),
    *(f"logit_ageing_{age}" for age in AGE_BANDS[1:4]),
    "logit_stay_under_1",
    "log_closure_rate",
)
"""Rows of the rate matrix: 5 start, 5 exit, 3 ageing rates, the stay rate, closure."""


MINIMUM_YEARS = 5


@dataclass(frozen=True)
class FlowRates:
    """Yearly rates derived from one release."""

    values: np.ndarray  # (series, year): rates on the log or logit scale, rows in the order of `SERIES`
    noise: np.ndarray  # (series, year): standard deviation of the counting noise of each value, same scale
    years: np.ndarray  # (year,)
    uasc_starts: np.ndarray  # (year,): starts of unaccompanied children, published or implied by their stock
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
        uasc_starts=uasc.sel(year=years[1:]).values.astype(float),
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
        [np.log(reachable / population), _logit(shares), [np.log(closure / reachable.sum())]]
    )
    noise = np.concatenate(
        [
            1.0 / np.sqrt(reachable),
            1.0 / np.sqrt(ceases * (1.0 - exits)),
            1.0 / np.sqrt(ageing * (1.0 - ageing) * np.maximum(before[1:4], 1.0)),
            [1.0 / np.sqrt(stay * (1.0 - stay) * starts[0])],
            [1.0 / np.sqrt(closure)],
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


MOVEMENTS = (
    "innovation_sd",
    "start_common_loading",
    "exit_common_loading",
    "common_correlation",
    "shock_probability",
    *GROWTH_MOVEMENTS,
)
"""Variables that say how rates, and the number in care, move."""


LATENT = ("common_factor", "counting_noise", "unpublished_growth")
"""Variables of the model of which there is one a year: no prior beliefs."""


KEPT = ("last_level", *MOVEMENTS, "common_factor")
"""Variables of the posterior that leave the fit; the gates are checked on all."""


ACCEPTED = 0.9
"""Acceptance to tune to: no step diverged from any release that was fitted."""


def build_baseline(rates: FlowRates, number: GrowthSeries, priors: PriorRegistry) -> pm.Model:
    """Build, without sampling, the model of yearly changes in the flow rates, and of how the number in care grows."""
    changes = np.diff(rates.values, axis=1)
    coords = {
        "series": SERIES,
        "year": rates.years,
        "change_year": rates.years[1:],
        "age": AGE_BANDS,
        "factor": ("starts", "exits"),
    }
    with pm.Model(coords=coords) as model:
        tails = prior_term(priors, "baseline.shock_probability"), _fixed(priors, "baseline.shock_ratio")
        sigma = pm.Deterministic("innovation_sd", _innovation_sds(priors), dims="series")
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
            common + noise_change,
            sigma[:, None],
            tails,
            changes,
            dims=("series", "change_year"),
        )
        pm.Deterministic("last_level", rates.values[:, -1] - scaled[:, -1], dims="series")
        _early_totals(rates, start_loading, sigma, tails)
        add_growth(number, priors)
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
        ``posterior`` with dims (chain, draw, ...): ``last_level`` and ``innovation_sd`` (series),
        ``start_common_loading`` and ``exit_common_loading`` (age), ``common_correlation``,
        ``shock_probability``; ``growth_mean``, ``growth_persistence``, ``growth_innovation_sd`` and
        ``last_growth`` of the number in care who are not unaccompanied, per child, log points a year;
        ``growth_through_starts``, the share of growth that comes through starts; ``uasc_half_life`` (years),
        ``uasc_long_run_stock`` (children), ``uasc_innovation_sd``; and ``constant_data`` with the release's
        ``stock`` (children by age at the last 31 March), ``uasc_stock``, ``uasc_share`` (by age),
        ``population``, ``observed_rates`` (series, year) and ``last_year``; ``prior``, dims (chain, draw,
        ...), the variables of the posterior before any data; ``log_prior`` of each draw by variable;
        ``log_likelihood`` and ``posterior_predictive``, dims (chain, draw, ...), and ``observed_data``, by
        observation, for ArviZ. The attributes say what the fit was made from.

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
    model = build_baseline(rates, growth_series(observations), priors)
    keep = [name for name in (*KEPT, "last_growth") if name in model.named_vars]
    how_sampled: dict[str, Any] = {"progress": progress, "gates": gates, "target_accept": ACCEPTED}
    tree = sample_gated(model, keep=keep, latent=LATENT, **how, **how_sampled)
    tree["constant_data"] = xr.DataTree(projection_start(observations, priors, rates))
    tree.attrs = made_from("baseline", priors, observations=observations, **how)
    return tree


def projection_start(
    observations: xr.Dataset, priors: PriorRegistry, rates: FlowRates, *, last_year: int | None = None
) -> xr.Dataset:
    """What the projection needs, beside the draws, of the year it starts from: the last one by default."""
    year = int(rates.years[-1]) if last_year is None else last_year
    seen = rates.years <= year
    known = observations.sel(year=slice(None, year))
    stock = known["stock_by_age"].sel(year=year, age=list(AGE_BANDS)).values.astype(float)
    return xr.Dataset(
        {
            **growth_start(growth_series(known), children=stock.sum()),
            "stock": ("age", stock),
            "uasc_starts": float(rates.uasc_starts[seen][-1]),
            "uasc_share": ("age", rates.uasc_share),
            "uasc_leave_share": _leave_share(known, usual=_fixed(priors, "baseline.uasc_leave_share")),
            "population": float(known["population_0_17"].sel(year=year)),
            "shock_ratio": _fixed(priors, "baseline.shock_ratio"),
            "observed_rates": (("series", "year"), rates.values[:, seen]),
        },
        coords={"age": list(AGE_BANDS), "series": list(SERIES), "year": rates.years[seen]},
    )


def _leave_share(known: xr.Dataset, *, usual: float) -> float:
    """Share of unaccompanied children (stock and half the starts) who cease in a year, as published figures imply."""
    stock, starts = known["uasc_stock"], known["uasc_starts"]
    before = stock.shift(year=1)
    found = ((before + starts - stock) / (before + starts / 2.0)).dropna("year")
    return float(found.mean()) if found.size else usual
