"""Does the fitted baseline describe the years it was fitted to? Predictions with each year left out, from one fit.

The density of a whole year's changes is worked out with what is particular to the year (its common factors, its
shocks, its counting noise) integrated out, so that leaving a year out is a matter of weighing draws by one over that
density (Pareto-smoothed; Vehtari, Simpson, Gelman, Yao and Gabry 2024). Counting noise that two successive years share
is counted in each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import log_ndtr, logsumexp, ndtr

from cba.errors import InputError
from cba.models.baseline import (
    MOVEMENTS,
    SERIES,
    FlowRates,
    build_baseline,
    flow_rates,
    projection_start,
)
from cba.models.effects import before_studies, build_effects
from cba.models.effects_areas import care_facts
from cba.models.growth import growth_series
from cba.models.sampling import prior_draws
from cba.models.studies import (
    ESTIMANDS,
    OPEN_END,
    StudyArrays,
    effect_behind,
    pooled_draws,
    served_spread,
    studies_used,
    study_arrays,
    with_panel,
)

if TYPE_CHECKING:
    from cba.inputs.evidence import Evidence
    from cba.inputs.priors import PriorRegistry
    from cba.models.authority_findings import PanelFinding


MOST_DRAWS = 1000
"""Draws used: enough for probabilities to within 0.02."""


LARGEST_K = 0.7
"""Pareto k beyond which leaving a year out by weights cannot be trusted."""


_FACTOR = np.linspace(-5.0, 5.0, 41)


_STARTS, _EXITS, _ALONE = slice(0, 5), slice(5, 10), slice(10, 15)


@dataclass(frozen=True)
class MovementDraws:
    """Posterior draws of how rates move; every array has shape (draw, ...)."""

    sd: np.ndarray  # (draw, 15)
    start_loading: np.ndarray  # (draw, 5)
    exit_loading: np.ndarray  # (draw, 5)
    correlation: np.ndarray  # (draw,)
    shock_probability: np.ndarray  # (draw,)
    shock_ratio: float
    place: np.ndarray  # (draw,): which of all draws of the fit, chain after chain, these are


@dataclass(frozen=True)
class YearsLeftOut:
    """Weights that leave one year out."""

    weights: np.ndarray  # (draw, year): each column sums to 1
    pareto_k: np.ndarray  # (year,)


def movement_draws(fit: xr.DataTree, *, most: int = MOST_DRAWS) -> MovementDraws:
    """Take evenly spaced draws of how rates move from a fit."""
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    total = posterior.sizes["sample"]
    place = np.arange(total)[:: -(-total // most)]

    def of(name: str) -> np.ndarray:
        return posterior[name].transpose("sample", ...).values[place]

    return MovementDraws(
        sd=of("innovation_sd"),
        start_loading=of("start_common_loading"),
        exit_loading=of("exit_common_loading"),
        correlation=of("common_correlation"),
        shock_probability=of("shock_probability"),
        shock_ratio=float(fit["constant_data"]["shock_ratio"]),
        place=place,
    )


def _noise_variance(rates: FlowRates) -> np.ndarray:
    """Variance of a yearly change by counting noise, (series, change)."""
    return rates.noise[:, 1:] ** 2 + rates.noise[:, :-1] ** 2


def _log_mixture(gap: np.ndarray, sd: np.ndarray, extra: np.ndarray, draws: MovementDraws) -> np.ndarray:
    """Log density of gaps of walks: ordinary years and shocks, each with counting noise; draws come first."""
    chance = draws.shock_probability.reshape(-1, *[1] * (np.ndim(gap) - 1))
    parts = []
    for ratio, share in ((1.0, 1.0 - chance), (draws.shock_ratio, chance)):
        variance = (ratio * sd) ** 2 + extra
        parts.append(np.log(share) - 0.5 * (np.log(2.0 * np.pi * variance) + gap**2 / variance))
    return np.logaddexp(*parts)


def yearly_log_density(draws: MovementDraws, rates: FlowRates) -> np.ndarray:
    """Log density of all changes of each year, what is particular to the year integrated out.

    Shape (draw, year - 1). `rates`: the published changes and their counting noise.
    """
    # With A(f) and B(g) the densities of the start and the exit rates at values of their common factors,
    # ``integral A(f) B(g) phi(f, g; rho)`` by the trapezium rule on a grid of a quarter of a standard
    # deviation.
    changes, noise = np.diff(rates.values, axis=1), _noise_variance(rates)
    blocks = []
    for rows, loading in ((_STARTS, draws.start_loading), (_EXITS, draws.exit_loading)):
        gap = changes[None, rows, :, None] - loading[:, :, None, None] * _FACTOR
        sd = draws.sd[:, rows, None, None]
        blocks.append(_log_mixture(gap, sd, noise[None, rows, :, None], draws).sum(axis=1))
    together = _integrated(blocks[0], blocks[1], draws.correlation)
    alone = changes[None, _ALONE] - np.zeros((len(draws.sd), 1, 1))
    return together + _log_mixture(alone, draws.sd[:, _ALONE, None], noise[None, _ALONE], draws).sum(axis=1)


def _integrated(starts: np.ndarray, exits: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Log of the double integral over both common factors; inputs (draw, year, node)."""
    rho = correlation[:, None, None]
    f, g = _FACTOR[None, :, None], _FACTOR[None, None, :]
    square = (f**2 - 2.0 * rho * f * g + g**2) / (1.0 - rho**2)
    density = np.exp(-0.5 * square) / (2.0 * np.pi * np.sqrt(1.0 - rho**2))
    tops = starts.max(axis=2, keepdims=True), exits.max(axis=2, keepdims=True)
    half = np.exp(starts - tops[0]) @ density
    whole = (half * np.exp(exits - tops[1])).sum(axis=2) * (_FACTOR[1] - _FACTOR[0]) ** 2
    return np.log(whole) + tops[0][..., 0] + tops[1][..., 0]


def left_out(log_density: np.ndarray) -> YearsLeftOut:
    """Weigh draws so that they are draws without one year, or one study. `log_density` (draw, year)."""
    from arviz_stats.base import array_stats

    if np.ptp(log_density, axis=0).max(initial=0.0) == 0.0:
        return YearsLeftOut(
            np.full(log_density.shape, 1.0 / len(log_density)), np.zeros(log_density.shape[1])
        )
    # given the log density of what is left out, it weighs by one over it
    log_weights, pareto_k = array_stats.psislw(log_density.T, r_eff=1.0, axis=-1)
    weights = np.exp(log_weights - logsumexp(log_weights, axis=-1, keepdims=True))
    return YearsLeftOut(weights.T, np.asarray(pareto_k))


def change_probabilities(draws: MovementDraws, rates: FlowRates) -> np.ndarray:
    """Probability of a change no larger than the one published, given each draw.

    Shape (draw, series, year - 1). Averaged over draws with a year left out, these are the values of the
    probability integral transform.
    """
    changes, noise = np.diff(rates.values, axis=1), _noise_variance(rates)
    common = np.concatenate([draws.start_loading, draws.exit_loading, np.zeros((len(draws.sd), 5))], axis=1)
    found = np.zeros((len(draws.sd), *changes.shape))
    chance = draws.shock_probability[:, None, None]
    for ratio, share in ((1.0, 1.0 - chance), (draws.shock_ratio, chance)):
        variance = (ratio * draws.sd[..., None]) ** 2 + common[..., None] ** 2 + noise
        found += share * ndtr(changes / np.sqrt(variance))
    return found


def replicated_changes(draws: MovementDraws, rates: FlowRates, *, seed: int) -> np.ndarray:
    """Draw the changes of every year anew, each from the published rates of the year before.

    Shape (draw, series, year - 1).
    """
    rng = np.random.default_rng([seed, 41])
    count, years = len(draws.sd), rates.values.shape[1] - 1
    factor = rng.standard_normal((count, 2, years))
    rho = draws.correlation[:, None]
    exits = rho * factor[:, 0] + np.sqrt(1.0 - rho**2) * factor[:, 1]
    shock = rng.random((count, len(SERIES), years)) < draws.shock_probability[:, None, None]
    steps = np.where(shock, draws.shock_ratio, 1.0) * draws.sd[..., None]
    noise = rates.noise * rng.standard_normal((count, *rates.noise.shape))
    found = np.diff(noise, axis=2)
    found += steps * rng.standard_normal(steps.shape)
    found[:, _STARTS] += draws.start_loading[..., None] * factor[:, None, 0]
    found[:, _EXITS] += draws.exit_loading[..., None] * exits[:, None]
    return found


def spread_of_total_starts(first: np.ndarray, *, loading: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Standard deviation of an ordinary year's change in the log of total starts.

    Shape (...). `first` (age,); `loading` (..., age). `sd` (..., age): of each band's own yearly change.
    """
    weight = np.exp(first) / np.exp(first).sum()
    return np.sqrt((loading @ weight) ** 2 + ((sd * weight) ** 2).sum(axis=-1))


def autocorrelations(changes: np.ndarray, *, lags: int = 3) -> np.ndarray:
    """Autocorrelation of innovations about their expected value of 0.

    Shape (..., lag). ``sum e(t) e(t+k) / sum e(t)^2``; a drift shows as a positive one, because nothing is
    taken off. `changes` (..., year): innovations: changes less what the year before lets one expect.
    """
    total = (changes**2).sum(axis=-1)
    each = [(changes[..., lag:] * changes[..., :-lag]).sum(axis=-1) / total for lag in range(1, lags + 1)]
    return np.stack(each, axis=-1)


# --- Would the synthesis have expected each study it was fitted to? Every study predicted from the … ---


def study_checks(fit: xr.DataTree, studies: StudyArrays) -> pd.DataFrame:
    """Hold each study against what the other studies let one expect of it."""
    # One row per study: ``study``, ``estimand``, ``kind`` (served or area), ``reported``
    # (NaN for an interval), ``expected``, ``expected_sd``, ``residual`` (in standard deviations), ``pit``
    # (probability of a result no larger), ``probability_inside`` (of the interval reported), ``pareto_k``.
    #
    # What is particular to a study of children served (its own setting, its bias, its error) is integrated
    # out; counted studies are held against the normal approximation of their log risk ratio or risk
    # difference. Studies of areas keep their own setting and coverage and are weighed out by Pareto-smoothed
    # weights alone.
    centre, spread = _expected(fit["posterior"].to_dataset(), studies)
    weighed = left_out(_log_density(studies, centre, spread))
    mean = (weighed.weights * centre).sum(axis=0)
    square = (weighed.weights * (spread**2 + centre**2)).sum(axis=0)
    sd = np.sqrt(square - mean**2)
    reported = np.where(studies.censored, np.nan, studies.effect)
    pit = (weighed.weights * ndtr((reported - centre) / spread)).sum(axis=0)
    inside = (weighed.weights * np.exp(_log_inside(studies, centre, spread))).sum(axis=0)
    names = list(ESTIMANDS)
    return pd.DataFrame(
        {
            "study": studies.names,
            "estimand": [names[place] for place in studies.estimand],
            "kind": np.where(studies.area, "area", "served"),
            "reported": reported,
            "expected": mean,
            "expected_sd": sd,
            "residual": (reported - mean) / sd,
            "pit": pit,
            "probability_inside": np.where(studies.censored, inside, np.nan),
            "pareto_k": weighed.pareto_k,
        }
    )


def _expected(posterior: xr.Dataset, s: StudyArrays) -> tuple[np.ndarray, np.ndarray]:
    """Centre and spread of what each study would report, given each draw; shape (draw, study)."""
    flat = posterior.stack(sample=("chain", "draw"), create_index=False).transpose("sample", ...)
    pooled = pooled_draws(posterior)
    centre = effect_behind(s, pooled) + s.sign * s.scale * s.bias_mean
    variance = served_spread(s, pooled) + s.se**2
    if s.area.any():
        areas = flat["area_change"].sel(area=list(s.names[s.area])).values
        centre[:, s.area] = areas + s.sign[s.area] * s.bias_mean[s.area]
        variance[:, s.area] = s.se[s.area] ** 2 + s.bias_sd[s.area] ** 2
    if (
        "panel_bias" in flat
    ):  # of the row without a bias of its own it is a variable of the model, starts first
        own = s.area & (s.bias_sd == 0.0)
        centre[:, own] += (flat["panel_bias_lasting"] * flat["panel_bias"][:, 0]).values[:, None]
    return centre, np.sqrt(variance)


def _log_inside(s: StudyArrays, centre: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Log probability of each reported interval, on the side where both tails are small; 0 without an interval."""
    lower = np.where(s.censored, s.lower, -OPEN_END)
    upper = np.where(s.censored, s.upper, OPEN_END)
    a, b = (lower - centre) / sd, (upper - centre) / sd
    swap = a + b > 0
    small, large = log_ndtr(np.where(swap, -b, a)), log_ndtr(np.where(swap, -a, b))
    return large + np.log1p(-np.exp(np.minimum(small - large, -1e-15)))


def _log_density(s: StudyArrays, centre: np.ndarray, sd: np.ndarray) -> np.ndarray:
    effect = np.where(s.censored, 0.0, s.effect)
    normal = -0.5 * ((effect - centre) / sd) ** 2 - np.log(sd)
    return np.where(s.censored, _log_inside(s, centre, sd), normal - 0.5 * np.log(2.0 * np.pi))


# --- Draws from the priors of a model in the shape of a fit, so that a projection can be made before … ---


def prior_baseline(
    observations: xr.Dataset,
    priors: PriorRegistry,
    *,
    draws: int,
    chains: int,
    seed: int,
    since: int | None = None,
) -> xr.DataTree:
    """Business as usual with its movements drawn from the priors, started from one year's published account.

    In the form of `fit_baseline`: no yearly change of any rate has been seen.
    """
    # `since`: year ending 31 March whose stock and rates the projection starts from; the last one by default.
    # An earlier one gives a back-cast, to be held against what was published since.
    rates = flow_rates(observations, uasc_leave_share=float(priors["baseline.uasc_leave_share"].median))
    place = _place(rates, since)
    start = int(rates.years[place])
    number = growth_series(observations.sel(year=slice(None, start)))
    model = build_baseline(rates, number, priors)
    names = [name for name in MOVEMENTS if name in model.named_vars]
    posterior = prior_draws(model, names=names, draws=draws, chains=chains, seed=seed)
    noise = np.random.default_rng([seed, 12]).standard_normal((chains, draws, len(SERIES)))
    levels = rates.values[:, place] - rates.noise[:, place] * noise
    posterior["last_level"] = xr.DataArray(
        levels, dims=("chain", "draw", "series"), coords={"series": list(SERIES)}
    )
    start_of = projection_start(observations, priors, rates, last_year=start)
    return xr.DataTree.from_dict({"posterior": posterior, "constant_data": start_of})


def prior_effects(
    evidence: Evidence,
    priors: PriorRegistry,
    *,
    observations: xr.Dataset,
    draws: int,
    chains: int,
    seed: int,
    panel: PanelFinding | None = None,
) -> xr.DataTree:
    """Effects and reach before any study, and the effect in a new setting.

    ``posterior`` with the variables `fit_effects` hands on, drawn from the priors.
    """
    facts, studies = care_facts(observations), studies_used(evidence, priors)
    every = study_arrays(with_panel(studies, panel, priors), priors, stays=facts.stays)
    model = build_effects(studies, priors, facts=facts, panel=panel)
    shape = {"draws": draws, "chains": chains, "seed": seed}
    posterior = before_studies(model, every.of(every.area), facts, **shape)
    return xr.DataTree.from_dict({"posterior": posterior})


def _place(rates: FlowRates, since: int | None) -> int:
    years = [int(year) for year in rates.years]
    if since is None:
        return len(years) - 1
    if since not in years:
        raise InputError(
            "a back-cast starts in a year without a published account",
            field="since",
            found=since,
            allowed=f"{years[0]} to {years[-1]}",
            cause="a year before the first stock by age",
            remedy="choose a year of the series",
        )
    return years.index(since)
