"""How the number in care grows: one pre-specified model, in which a number that stays and a steady drift are nested.

With n the children in care who are not unaccompanied, per child aged 0 to 17, and U the unaccompanied ones,

    g_t = change of log n,    g_t = mu + phi (g_{t-1} - mu) + sigma k_t e_t,    e ~ N(0, 1),
    log U_t = m + rho^d (log U_{t-d} - m) + v_t,    rho = 2^(-1 / half-life),    d the years since a figure,

with k = 3 in 2020-21, a known shock, and 1 in every other year. What is not published is allowed for by its spread:
the population before 2010 by that of its growth where no projection is known, unaccompanied children before 2004 by
their share of all times the spread of their own yearly changes. At phi = 0 the number per child drifts, at phi = 0 and
mu = 0 it stays; the registry says which is in force, and the record of past forecasts why. Growth beyond what last
year's rates give, q_t, comes part through starts, the rest through exits:

    b_s (change of log starts) = kappa q_t + tau e_t,    b_s the growth that one log point of starts brings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from cba.errors import InputError
from cba.models.sampling import normal_settings, prior_term

if TYPE_CHECKING:
    from cba.inputs.priors import PriorRegistry


MINIMUM_YEARS = 5
"""Fewest yearly changes the totals must hold."""


SHOCK = 2021
"""Year ending 31 March of the pandemic, whose yearly changes say little about those of other years."""


GROWTH = ("growth_mean", "growth_persistence")
"""What the growth of the number returns to, and how slowly: inputs of the appraisal like any other."""


MOVEMENTS = (
    *GROWTH,
    "growth_innovation_sd",
    "growth_through_starts",
    "growth_split_sd",
    "uasc_half_life",
    "uasc_long_run_stock",
    "uasc_innovation_sd",
)
"""Variables that say how the number in care grows."""


@dataclass(frozen=True)
class GrowthSeries:
    """Yearly growth of the number in care and the stock of unaccompanied children, as known at one time."""

    years: np.ndarray  # (year,): years ending 31 March, consecutive
    growth: np.ndarray  # (year,): log points; what is not published is still in it
    without_people: np.ndarray  # (year,): whether the growth of the population is still in it
    unaccompanied_share: (
        np.ndarray
    )  # (year,): share of children whose growth is still in it, 0 where taken out
    uasc_years: np.ndarray  # (known,): years with a stock of unaccompanied children, in order
    uasc_stock: np.ndarray  # (known,): children
    # (2, split year): growth beyond what last year's rates give, and the part of it that starts bring.
    split: np.ndarray


def growth_series(observations: xr.Dataset) -> GrowthSeries:
    """Read ``stock``, ``uasc_stock`` and ``population_0_17`` of every year, ``starts`` and ``ceases`` where known."""
    stock = observations["stock"].dropna("year")
    years = stock["year"].values.astype(int)
    _require_run(years, stock.values)
    alone = observations["uasc_stock"].reindex(year=years).values.astype(float)
    people = observations["population_0_17"].reindex(year=years).values.astype(float)
    known = np.isfinite(alone)
    paired = known[1:] & known[:-1]
    every, others = (np.diff(np.log(values)) for values in (stock.values, stock.values - alone))
    per_child = np.diff(np.log(people))
    share = alone[known][0] / stock.values[known][0] if known.any() else 0.0
    return GrowthSeries(
        years=years[1:],
        growth=np.where(paired, others, every) - np.nan_to_num(per_child),
        without_people=np.isnan(per_child),
        unaccompanied_share=np.where(paired, 0.0, share),
        uasc_years=years[known],
        uasc_stock=alone[known],
        split=_splits(observations),
    )


def _require_run(years: np.ndarray, stock: np.ndarray) -> None:
    """Refuse a history too short or broken, or one that was filled in."""
    broken = years.size < MINIMUM_YEARS + 1 or bool((np.diff(years) != 1).any())
    if broken or np.ptp(np.diff(np.log(stock))) == 0.0:
        raise InputError(
            "too little history of totals to tell how the number in care grows",
            field="stock",
            found=f"years {years.tolist()}" if broken else "the same growth every year",
            allowed=f"at least {MINIMUM_YEARS + 1} consecutive years, as published",
            cause="an early release, a year missing from the series, or a filled-in series",
            remedy="choose a later release or complete the series with published figures",
        )


def _splits(observations: xr.Dataset) -> np.ndarray:
    """Growth beyond what last year's rates give, and what more starts bring of it; (2, year) where both are known."""
    known = observations[["stock", "starts", "ceases"]].dropna("year", how="any")
    run = known["year"].values[np.append(True, np.diff(known["year"].values) == 1).cumprod().astype(bool)]
    stock, starts, ceases = (known[n].sel(year=run).values.astype(float) for n in known.data_vars)
    before, starts, ceases = stock[:-1], starts[1:], ceases[1:]
    exits = ceases / (before + starts / 2.0)
    closure = (np.diff(stock) - starts + ceases) / starts
    flows = {"starts": starts, "everyone": starts, "exits": exits, "closure": closure}
    by_start, by_exit = responses(before[:, None], **{name: flow[:, None] for name, flow in flows.items()})
    through = by_start[1:] * np.diff(np.log(starts))
    return np.stack([through - by_exit[1:] * np.diff(np.log(exits / (1.0 - exits))), through])


def responses(
    stock: np.ndarray, *, starts: np.ndarray, everyone: np.ndarray, exits: np.ndarray, closure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Growth of the number that a log point of starts brings, and that one of the odds of ceasing takes.

    Summed over the last axis, that of ages. `starts`: those that move; `everyone`: all starts, who cease in the year.
    """
    total = stock.sum(axis=-1, keepdims=True)
    by_start = starts / total * (1.0 - exits / 2.0 + closure)
    by_exit = exits * (1.0 - exits) * (stock / total + everyone / (2.0 * total))
    return by_start.sum(axis=-1), by_exit.sum(axis=-1)


def add_growth(series: GrowthSeries, priors: PriorRegistry) -> None:
    """Add the growth of the number in care, its split and the unaccompanied children to the model in context."""
    model = pm.modelcontext(None)
    model.add_coord("growth_year", series.years)
    alone = _add_unaccompanied(series, priors)
    mean, memory = (prior_term(priors, f"baseline.{name}") for name in GROWTH)
    sd = prior_term(priors, "baseline.growth_innovation_sd")
    people = series.without_people * normal_settings(priors, "baseline.population_growth")[1]
    unknown = pt.sqrt(people**2 + (series.unaccompanied_share * alone) ** 2)
    hidden = np.flatnonzero(series.without_people | (series.unaccompanied_share > 0.0))
    noise = pt.zeros(series.years.size)
    if hidden.size:
        drawn = pm.Normal("unpublished_growth", 0.0, 1.0, shape=hidden.size)
        noise = pt.set_subtensor(noise[hidden], drawn * unknown[hidden])
    clean = series.growth - noise
    shock = np.where(series.years == SHOCK, float(priors["baseline.shock_ratio"].median), 1.0)
    expected = pt.concatenate([mean[None], mean + memory * (clean[:-1] - mean)])
    spread = pt.set_subtensor((sd * shock)[0], sd / pt.sqrt(1.0 - memory**2))
    pm.Normal("growth", expected + noise, spread, observed=series.growth, dims="growth_year")
    if hidden.size and hidden[-1] == series.years.size - 1:
        pm.Deterministic("last_growth", clean[-1])
    kappa = prior_term(priors, "baseline.growth_through_starts")
    tau = prior_term(priors, "baseline.growth_split_sd")
    if series.split.shape[1]:
        pm.Normal("growth_split", kappa * series.split[0], tau, observed=series.split[1])


def _add_unaccompanied(series: GrowthSeries, priors: PriorRegistry) -> pt.TensorVariable:
    """Add the return of the log stock of unaccompanied children to its level; return the spread of its changes."""
    half_life = prior_term(priors, "baseline.uasc_half_life")
    level = pt.log(prior_term(priors, "baseline.uasc_long_run_stock"))
    sd = prior_term(priors, "baseline.uasc_innovation_sd")
    if series.uasc_stock.size > 1:
        seen, apart = np.log(series.uasc_stock), np.diff(series.uasc_years).astype(float)
        kept = 0.5 ** (apart / half_life)
        spread = sd * pt.sqrt((1.0 - kept**2) / (1.0 - 0.25 ** (1.0 / half_life)))
        pm.Normal("unaccompanied", level + kept * (seen[:-1] - level), spread, observed=seen[1:])
    return sd


def build_growth(series: GrowthSeries, priors: PriorRegistry) -> pm.Model:
    """Build the growth of the number in care alone, for releases whose ages are not published."""
    with pm.Model() as model:
        add_growth(series, priors)
    return model


# --- The number in care in future years ---


def growth_start(series: GrowthSeries, *, children: float) -> dict[str, float]:
    """Where the paths start: children in care, growth of the last year, unaccompanied children when last known."""
    known = series.uasc_stock.size > 0
    return {
        "children": children,
        "last_growth": float(series.growth[-1]),
        "last_year": int(series.years[-1]),
        "uasc_stock": float(series.uasc_stock[-1]) if known else np.nan,
        "uasc_year": int(series.uasc_years[-1]) if known else 0,
    }


def number_paths(posterior: xr.Dataset, last: xr.Dataset, *, people: np.ndarray, seed: int) -> xr.Dataset:
    """Draw the number in care of future years.

    Dims (sample, year), year from 0, the last one known, on: ``children``, of whom ``unaccompanied``.
    """
    # `posterior`: `MOVEMENTS`, dims (sample), and ``last_growth`` where part of it is not published. `last`: as
    # `growth_start`. `people` (sample, year): children aged 0 to 17 over those of the last year.
    rng = np.random.default_rng([seed, 31])
    samples, years = people.shape
    alone = _unaccompanied_paths(posterior, last, years=years, rng=rng)
    mean, memory = (posterior[name].values for name in GROWTH)
    growth, total = (
        (posterior if "last_growth" in posterior else last)["last_growth"].values,
        np.zeros(samples),
    )
    first = float(last["children"]) - alone[:, 0]
    others = [first]
    for step in range(years):
        noise = posterior["growth_innovation_sd"].values * rng.standard_normal(samples)
        growth = mean + memory * (growth - mean) + noise
        total = total + growth
        others.append(first * people[:, step] * np.exp(total))
    dims = ("sample", "year")
    return xr.Dataset({"children": (dims, np.stack(others, axis=1) + alone), "unaccompanied": (dims, alone)})


def _unaccompanied_paths(
    posterior: xr.Dataset, last: xr.Dataset, *, years: int, rng: np.random.Generator
) -> np.ndarray:
    """Unaccompanied children at 31 March, the last year and those after it, (sample, year)."""
    samples = posterior.sizes["sample"]
    if not np.isfinite(float(last["uasc_stock"])):
        return np.zeros((samples, years + 1))
    level = np.log(posterior["uasc_long_run_stock"].values)
    kept = 0.5 ** (1.0 / posterior["uasc_half_life"].values)
    now = np.full(samples, np.log(float(last["uasc_stock"])))
    path, late = [now], int(last["last_year"]) - int(last["uasc_year"])
    for _ in range(late + years):
        now = (
            level
            + kept * (now - level)
            + posterior["uasc_innovation_sd"].values * rng.standard_normal(samples)
        )
        path.append(now)
    return np.exp(np.stack(path[late:], axis=1))
