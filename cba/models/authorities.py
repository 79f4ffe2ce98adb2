"""A panel of authorities laid out for a likelihood of each year's count given the year before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from scipy.linalg import cho_factor, cho_solve
from scipy.special import gammaln

from cba.errors import InputError
from cba.models.authority_data import (
    OUTCOMES,
    PROGRAMMES,
    AuthorityPanel,
    Launches,
    authority_panel,
    years_since_launch,
)
from cba.models.sampling import Gates, normal_settings, prior_term, sample_gated

if TYPE_CHECKING:
    import pandas as pd

    from cba.inputs.priors import PriorRegistry


class PanelArrays(NamedTuple):
    """A panel laid out for a likelihood, authorities in the order: no launch, launch known, launch uncertain."""

    order: np.ndarray
    counts: np.ndarray
    offset: np.ndarray
    before: np.ndarray
    first: np.ndarray
    region: np.ndarray
    time: np.ndarray
    usable: np.ndarray
    launch: np.ndarray
    since: np.ndarray
    certain: int


def panel_arrays(panel: AuthorityPanel) -> PanelArrays:
    """Lay out a panel for a likelihood given last year's rate."""
    # Returned: ``counts``, ``offset`` (log population plus England's mean log rate) and ``before`` (last
    # year's log rate less that mean): (outcome, authority, year) without the first year; ``first``
    # (outcome, authority); ``usable`` (authority, year); ``launch``: rows of the panel's launches that go
    # with the last authorities, certain dates first; ``since``: years since launch
    # (outcome, launch, date, year) with the first year.
    launches = panel.launches
    launch = np.argsort(~launches.certain, kind="stable")
    treated = panel.launch_row[launch]
    never = np.setdiff1d(np.arange(len(panel.authority)), treated)
    order = np.concatenate([never, treated]).astype(int)
    counts = np.stack([panel.counts(outcome)[order] for outcome in OUTCOMES])
    rate = np.log(counts / panel.population[order])
    mean = rate.mean(axis=(1, 2), keepdims=True)
    years = panel.years
    return PanelArrays(
        order=order,
        counts=counts[:, :, 1:],
        offset=np.log(panel.population[order][:, 1:]) + mean,
        before=(rate - mean)[:, :, :-1],
        first=(rate - mean)[:, :, 0],
        region=np.unique(panel.region[order], return_inverse=True)[1],
        time=(years[1:] - years[1:].mean()).astype(float),
        usable=panel.usable[order][:, 1:] & panel.usable[order][:, :-1],
        launch=launch,
        since=np.stack(
            [years_since_launch(launches.dates[launch], years, outcome=outcome) for outcome in OUTCOMES]
        ),
        certain=int(launches.certain.sum()),
    )


# --- What a panel of authorities says about starts after a programme began: one observational study, … ---


@dataclass(frozen=True, kw_only=True)
class PanelFinding:
    """The change in an authority's starts to be looked after some years after a programme's launch."""

    study_id: str  # name of the finding in tables, e.g. ``ENGLAND_PANEL``
    log_change: float  # log of starts with the programme over starts without it; negative is fewer
    # Standard error (or posterior sd) of `log_change`, above zero. Log points.
    se: float
    # coverage_low and coverage_high: 5th and 95th percentile of the share of eligible children served when
    # the change is measured; 0 < low < high < 1.
    coverage_low: float
    coverage_high: float
    age_note: str  # which ages the starts are of, and how long after launch
    known_by: int  # last calendar year of the data behind it

    def __post_init__(self) -> None:
        if not math.isfinite(self.log_change):
            raise _refusal("the change in starts is not a number", "log_change", self.log_change, "finite")
        if not (math.isfinite(self.se) and self.se > 0):
            raise _refusal("the standard error is not above zero", "se", self.se, "above 0")
        if not 0 < self.coverage_low < self.coverage_high < 1:
            found = f"{self.coverage_low} to {self.coverage_high}"
            raise _refusal("the coverage is not a range", "coverage_low", found, "0 < low < high < 1")


def _refusal(problem: str, field: str, found: object, allowed: str) -> InputError:
    return InputError(
        f"panel finding: {problem}",
        field=field,
        found=str(found),
        allowed=allowed,
        cause="a summary of a fit that did not converge, or values swapped",
        remedy="correct the finding before it enters the synthesis",
    )


# --- What the panel of authorities says, for tables and for the synthesis: paths of the effect and one … ---


HORIZON = 5.0
"""Years after launch the finding is stated for: about the longest that programmes other than their inventors' ran."""


PATH_YEARS = tuple(range(1, 9))
"""Years after launch for which the path of the effect is worked out."""


STUDY = "ENGLAND_PANEL"
"""Name of the finding among the studies."""


def with_paths(posterior: xr.Dataset) -> xr.Dataset:
    """Add the effect by years since launch to draws of the full effect and of the years it takes.

    With ``path`` and ``innovator_path`` (..., outcome, since_launch) and ``at_horizon``, the effect `HORIZON`
    years after launch: log points, negative is less care. `posterior`, dims (..., outcome).
    """
    # `posterior`: ``effect``, ``innovator_effect`` (log points) and ``ramp_years``.
    #
    # ``D(k) = effect (1 - exp(-k / ramp_years))``.
    since = xr.DataArray(
        np.array(PATH_YEARS, float), dims="since_launch", coords={"since_launch": list(PATH_YEARS)}
    )
    grown = 1.0 - np.exp(-since / posterior["ramp_years"])
    return posterior.assign(
        path=(posterior["effect"] * grown).transpose(..., "since_launch"),
        innovator_path=(posterior["innovator_effect"] * grown).transpose(..., "since_launch"),
        at_horizon=posterior["effect"] * (1.0 - np.exp(-HORIZON / posterior["ramp_years"])),
    )


def panel_finding(fit: xr.DataTree, *, placebo_sd: float | None = None) -> PanelFinding | None:
    """Summarise a fit as one observational study of starts, programmes' inventors left out.

    None where the release is not informative; ``fit.attrs["not_informative"]`` says why.
    """
    # `placebo_sd`: spread of the same estimate over placebo adopters (log points). Where it is wider than the
    # posterior it is the standard error: how authorities differ without any programme is what the estimate
    # has to be judged by.
    if fit.attrs["not_informative"]:
        return None
    draws = fit["posterior"]["at_horizon"].sel(outcome="starts")
    coverage = fit["constant_data"]["coverage"]
    return PanelFinding(
        study_id=STUDY,
        log_change=float(draws.mean()),
        se=max(float(draws.std()), placebo_sd or 0.0),
        coverage_low=float(coverage.sel(quantile=0.05)),
        coverage_high=float(coverage.sel(quantile=0.95)),
        age_note=f"starts at all ages, unaccompanied children included, {HORIZON:g} years after launch",
        known_by=int(fit.attrs["release"]),
    )


# --- What the Strengthening Families programmes did to starts and to children looked after, by … ---


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
    """Build, without sampling, the model of both outcomes, which share nothing but the sampler."""
    data = panel_arrays(panel)
    coords = {
        "outcome": list(OUTCOMES),
        "authority": panel.authority[data.order],
        "year": panel.years[1:],
        "region": np.unique(panel.region),
        "programme": list(PROGRAMMES),
    }
    with pm.Model(coords=coords) as model:
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
    tune: int = 1500,
    chains: int = 4,
    seed: int = 20220523,
    progress: bool = False,
    gates: Gates | None = None,
) -> xr.DataTree:
    """Fit the panel as known in one release and refuse draws that have not converged."""
    # Returned: ``posterior`` (chain, draw, outcome, ...): ``effect`` (full effect, log points),
    # ``innovator_effect``, ``programme_effect`` (programme), ``path`` and ``innovator_path``
    # (since_launch, years), ``at_horizon``; ``excluded`` and ``launches``: who is out and who began when;
    # ``constant_data``: ``coverage`` (quantile), ``authorities``, ``years``. Attributes ``release`` and
    # ``not_informative``: a sentence where the release holds too few years after launches, and then there is
    # no posterior.
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
    tree["constant_data"] = xr.DataTree(_panel_constants(panel, priors))
    tree["excluded"] = xr.DataTree(xr.Dataset.from_dataframe(panel.excluded.rename_axis("row")))
    tree["launches"] = xr.DataTree(xr.Dataset.from_dataframe(panel.launches.table.rename_axis("row")))
    tree.attrs = {"release": panel.release, "not_informative": panel.not_informative}
    return tree


def _panel_constants(panel: AuthorityPanel, priors: PriorRegistry) -> xr.Dataset:
    """Priors and sizes that the quick method and the tables need beside the posterior."""
    levels = [0.05, 0.5, 0.95]
    lasting_mean, lasting_sd = normal_settings(priors, "panel.lasting_weight")
    return xr.Dataset(
        {
            "coverage": ("quantile", [priors.quantile("panel.coverage", level) for level in levels]),
            "effect_sd": normal_settings(priors, "panel.effect")[1],
            "year_sd": normal_settings(priors, "panel.year_shock")[1],
            "lasting_mean": lasting_mean,
            "lasting_sd": lasting_sd,
            "authorities": len(panel.authority),
            "years": ("year", panel.years),
        },
        coords={"quantile": levels, "year": panel.years},
    )


# --- The panel's effect by a second, much faster method, for the hundreds of refits that placebos need ---


_STEPS = 25


_CLOSE = 1e-9


class Scales(NamedTuple):
    """Values of one outcome's shared parameters at which the quick method works; log points unless said otherwise."""

    persistence: float
    overdispersion: float
    authority_sd: float
    trend_sd: float
    region_year_sd: float
    year_sd: float
    lasting_mean: float
    lasting_sd: float
    ramp_years: float
    effect_sd: float
    programme_sd: float


class QuickEffect(NamedTuple):
    """Effect at the horizon by the quick method, log points, and its standard error given the scales."""

    effect: float
    se: float
    innovators: float
    innovators_se: float


@dataclass(frozen=True)
class NullFit:
    """A panel fitted without any programme, ready to take the exposure of any set of launches."""

    panel: AuthorityPanel
    outcome: str
    scales: Scales
    cells: np.ndarray  # (authority, year): counts used, without the first year
    design: np.ndarray  # (cell, term)
    weight: np.ndarray  # (cell,)
    residual: np.ndarray  # (cell,)
    factor: tuple[np.ndarray, bool]  # Cholesky factor of the penalised information


def fit_scales(fit: xr.DataTree, outcome: str) -> Scales:
    """Posterior means of a fit's shared parameters, and the fixed priors, for one outcome."""
    mean = fit["posterior"].to_dataset().sel(outcome=outcome).mean(("chain", "draw"))
    fixed = fit["constant_data"].to_dataset()
    known = fixed.assign(mean).rename(programme_spread="programme_sd")
    return Scales(**{name: float(known[name]) for name in Scales._fields})


def null_fit(
    panel: AuthorityPanel, scales: Scales, *, outcome: str, usable: np.ndarray | None = None
) -> NullFit:
    """Fit a panel without any programme. `outcome`, "starts" or "stock"; `usable` (authority, year)."""
    counts = panel.counts(outcome)
    rate = np.log(counts / panel.population)
    rate = rate - rate.mean()
    first = rate[:, :1]
    allowed = panel.usable if usable is None else usable
    cells = allowed[:, 1:] & allowed[:, :-1]
    usual = np.log(counts)[:, 1:] - rate[:, 1:]
    offset = usual + scales.persistence * (rate[:, :-1] - first) + scales.lasting_mean * first
    design, penalty = _design(panel, first[:, 0], cells, scales)
    observed, size = counts[:, 1:][cells], 1.0 / scales.overdispersion**2
    term = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        mean = np.exp(offset[cells] + design @ term)
        weight = mean * size / (mean + size)
        residual = (observed - mean) / mean
        factor = cho_factor((design.T * weight) @ design + np.diag(penalty))
        step = cho_solve(factor, design.T @ (weight * residual) - penalty * term)
        term = term + step
        if np.abs(step).max() < _CLOSE:
            break
    return NullFit(panel, outcome, scales, cells, design, weight, residual, factor)


def _design(
    panel: AuthorityPanel, first: np.ndarray, cells: np.ndarray, scales: Scales
) -> tuple[np.ndarray, np.ndarray]:
    """Columns for year, region and year, authority, trend and first rate, with the precision of each prior."""
    row, year = np.nonzero(cells)
    rows, years = cells.shape
    region = np.unique(panel.region, return_inverse=True)[1]
    time = np.arange(years) - (years - 1) / 2.0
    regions = int(region.max()) + 1
    blocks = (
        (np.eye(years)[year], scales.year_sd),
        (np.eye(regions * years)[region[row] * years + year], scales.region_year_sd),
        (np.eye(rows)[row], scales.authority_sd),
        (np.eye(rows)[row] * time[year][:, None], scales.trend_sd),
        (first[row][:, None], scales.lasting_sd),
    )
    penalty = [np.full(block.shape[1], 1.0 / sd**2) for block, sd in blocks]
    return np.hstack([block for block, _ in blocks]), np.concatenate(penalty)


def quick_effect(
    null: NullFit, launches: Launches, rows: np.ndarray, *, pool_innovators: bool = False
) -> QuickEffect:
    """Estimate the effect of launches in given authorities.

    `rows` (launch,). `pool_innovators`: count the programmes' inventors among the others instead of giving
    them an effect of their own.
    """
    scales = null.scales
    since = years_since_launch(launches.dates, null.panel.years, outcome=null.outcome)
    path = 1.0 - np.exp(-since / scales.ramp_years)
    moved = (path[..., 1:] - scales.persistence * path[..., :-1]).mean(axis=1)
    own = np.zeros(len(rows), bool) if pool_innovators else launches.innovator
    columns = np.zeros((2 + len(PROGRAMMES), *null.cells.shape))
    columns[0, rows] = moved * ~own[:, None]
    columns[1, rows] = moved * own[:, None]
    for place in range(len(PROGRAMMES)):
        columns[2 + place, rows] = moved * (~own & (launches.programme == place))[:, None]
    exposure = columns[:, null.cells].T
    free = exposure - null.design @ cho_solve(null.factor, null.design.T @ (null.weight[:, None] * exposure))
    sds = np.array([scales.effect_sd] * 2 + [scales.programme_sd] * len(PROGRAMMES))
    information = exposure.T @ (null.weight[:, None] * free) + np.diag(1.0 / sds**2)
    variance = np.linalg.inv(information)
    found = variance @ (exposure.T @ (null.weight * null.residual))
    grown = 1.0 - np.exp(-HORIZON / scales.ramp_years)
    error = np.sqrt(np.diag(variance))
    return QuickEffect(*(float(grown * v) for v in (found[0], error[0], found[1], error[1])))


def quick_effects(panel: AuthorityPanel, fit: xr.DataTree) -> dict[str, QuickEffect]:
    """Estimate the effect on every outcome with the real launches."""
    return {
        outcome: quick_effect(
            null_fit(panel, fit_scales(fit, outcome), outcome=outcome), panel.launches, panel.launch_row
        )
        for outcome in OUTCOMES
    }
