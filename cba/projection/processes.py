"""Draws of business as usual whose growth is brought back to a stated pace, year by year.

The rates of such a draw still move as the fitted process says; a shift common to all ages is laid over them, part on
the start rates and part on the odds of ceasing. Each year it grows by what the number in care would miss its target
by if rates stayed as they were the year before:

    c(t) = c(t-1) + g*(t) - g(N(t-1), rates of t-1),

with g the growth of log stock and g* its target. A year's noise is therefore not carried on, and the number in care
moves like a random walk with drift, yet every child still starts, ages and ceases in the account.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from cba.errors import InputError
from cba.models.totals import REPEATED
from cba.projection.business_as_usual import as_rates, next_stock, rate_paths


def held_to_pace(
    fit: xr.DataTree,
    rates: xr.Dataset,
    *,
    population: xr.DataArray,
    targets: np.ndarray,
    through_starts: np.ndarray,
) -> xr.Dataset:
    """Shift start rates and odds of ceasing so that growth returns to its target.

    `rates` with ``start_rate`` and ``exit`` shifted in the draws with a target. `rates`, dims
    (sample, year, age); `population`, dims (year) or (sample, year); `targets` (sample, year).
    """
    # `targets`: growth of log stock aimed at; NaN where a draw's rates are left alone from then on.
    #
    # A shift c moves the log start rates by ``w c / k_s`` and the log odds of ceasing by
    # ``-(1 - w) c / k_x``, where k_s and k_x are the growth a unit shift of either brings at the last
    # release: starts that stay the year, with the closure residual that goes with them, over the stock;
    # ``h (1 - h) (N + S/2)`` over the stock.
    chosen = np.flatnonzero(~np.isnan(targets).all(axis=1))
    if chosen.size == 0:
        return rates
    constant = fit["constant_data"].to_dataset()
    by_start, by_exit = _responses(constant)
    part = rates.isel(sample=chosen).copy(deep=True)
    people = population.isel(sample=chosen) if "sample" in population.dims else population
    goal, weight = targets[chosen], through_starts[chosen, None]
    stock = np.broadcast_to(constant["stock"].values, (chosen.size, 5))
    applied = _last_rates(constant, part)
    shift = np.zeros(chosen.size)
    starts, exits = part["start_rate"].values, part["exit"].values
    for step in range(goal.shape[1]):
        now = people.isel(year=[step])
        as_before = applied.assign_coords(year=now["year"])
        unchanged = next_stock(as_before, stock, population=now, fit=fit)
        missing = goal[:, step] - np.log(unchanged.sum(-1) / stock.sum(-1))
        shift = np.where(np.isnan(missing), shift, shift + missing)
        starts[:, step] *= np.exp(weight * shift[:, None] / by_start)
        odds = exits[:, step] / (1.0 - exits[:, step]) * np.exp(-(1.0 - weight) * shift[:, None] / by_exit)
        exits[:, step] = odds / (1.0 + odds)
        applied = part.isel(year=[step])
        stock = next_stock(applied, stock, population=now, fit=fit)
    shifted = {"start_rate": rates["start_rate"].copy(deep=True), "exit": rates["exit"].copy(deep=True)}
    shifted["start_rate"].values[chosen], shifted["exit"].values[chosen] = starts, exits
    return rates.assign(shifted)


def _last_rates(constant: xr.Dataset, rates: xr.Dataset) -> xr.Dataset:
    """Rates of the last published year in the form of a projected one, the same for every draw."""
    last = constant["observed_rates"].isel(year=-1).values
    every = np.broadcast_to(last, (rates.sizes["sample"], 1, last.size))
    return as_rates(every, rates["year"].values[:1].tolist())


def _responses(constant: xr.Dataset) -> tuple[float, float]:
    """Growth of log stock that a unit shift of the log start rates, and of the log odds of staying, brings."""
    last = constant["observed_rates"].isel(year=-1).values
    stock = constant["stock"].values
    reachable = np.exp(last[:5]) * float(constant["population"])
    starts = reachable + np.exp(last[15]) * constant["uasc_share"].values
    exits = 1.0 / (1.0 + np.exp(-last[5:10]))
    closure = np.exp(last[14]) * reachable
    by_start = (reachable * (1.0 - exits / 2.0) + closure).sum() / stock.sum()
    by_exit = (exits * (1.0 - exits) * (stock + starts / 2.0)).sum() / stock.sum()
    return float(by_start), float(by_exit)


# --- Which process each draw of business as usual follows, and the flow rates that follow from it ---


SCORED_YEARS = 5
"""Years ahead for which forecasts could be scored; beyond, weights and the fading of the pace are stated."""


def usual_rates(
    fit: xr.DataTree,
    *,
    years: Sequence[int],
    population: xr.DataArray,
    parameters: xr.Dataset,
    seed: int,
) -> xr.Dataset:
    """Draw the flow rates of future years under the mixture of processes.

    Dims (sample, year, age). `parameters`: ``baseline.trend_persistence``, ``long_run_pace``,
    ``process_rank``, ``pace_weight``, ``pace_weight_beyond``, ``pace_fade`` and ``pace_through_starts``.
    """
    targets = pace_targets(parameters, years=years)
    momentum = np.where(np.isnan(targets[:, 0]), parameters["baseline.trend_persistence"].values, 0.0)
    rates = rate_paths(fit, years, seed=seed, persistence=momentum)
    through_starts = parameters["baseline.pace_through_starts"].values
    return held_to_pace(fit, rates, population=population, targets=targets, through_starts=through_starts)


def at_pace(parameters: xr.Dataset, *, years_ahead: int) -> np.ndarray:
    """Say which draws are held to the long-run pace so many years after the release.

    `parameters`: ``baseline.process_rank``, ``baseline.pace_weight`` and ``baseline.pace_weight_beyond``.
    """
    weight = "baseline.pace_weight" if years_ahead <= SCORED_YEARS else "baseline.pace_weight_beyond"
    return parameters["baseline.process_rank"].values < parameters[weight].values


def pace_targets(parameters: xr.Dataset, *, years: Sequence[int]) -> np.ndarray:
    """Growth each draw is held to in each year; NaN where it is not held.

    Shape (sample, year), log points a year. `years`: the projected years, in order. The pace g in the first
    five years; ``g f^(h - 5)`` in the h-th year after, f being the share that remains.
    """
    pace, fade = parameters["baseline.long_run_pace"].values, parameters["baseline.pace_fade"].values
    columns = []
    for ahead in range(1, len(years) + 1):
        target = pace * fade ** max(0, ahead - SCORED_YEARS)
        columns.append(np.where(at_pace(parameters, years_ahead=ahead), target, np.nan))
    return np.stack(columns, axis=1)


# --- The number in care from totals alone, under each candidate process: what past forecasts are … ---


PROCESSES = ("walk", "momentum", "pace", "reverting")
"""Candidates: rates stay; changes are partly repeated; growth returns to its pace; rates return to their mean."""


RETURN_SHARE = 0.2
"""Share of a rate's distance from its mean made good each year by the `reverting` candidate."""


def total_paths(posterior: xr.Dataset, *, process: str, years: int, seed: int) -> xr.Dataset:
    """Roll totals forward under one candidate process.

    Dims (sample, ahead), children. ``stock``, ``starts``, ``ceases``; ``ahead`` counts years from 1.
    """
    # ``N' = N + S - C + r S``, ``C = h (N + S/2)``. Under `pace` the shift c of `cba.projection.processes` is
    # split evenly between starts and exits.
    if process not in PROCESSES:
        raise InputError(
            "the process of the number in care is unknown",
            field="process",
            found=process,
            allowed=", ".join(PROCESSES),
            cause="a spelling mistake",
            remedy="name one of the candidates",
        )
    draws = posterior.sizes["sample"]
    shocks = np.random.default_rng([seed, 31]).standard_normal((years, draws, 3))
    factor = posterior["change_factor" if process == "momentum" else "walk_factor"].values
    innovations = np.einsum("sij,tsj->tsi", factor, shocks)
    state = _Totals(posterior, process)
    found = {name: np.empty((draws, years)) for name in ("stock", "starts", "ceases")}
    for step in range(years):
        for name, values in zip(found, state.next_year(innovations[step]), strict=True):
            found[name][:, step] = values
    ahead = {"ahead": np.arange(1, years + 1)}
    return xr.Dataset({name: (("sample", "ahead"), values) for name, values in found.items()}, coords=ahead)


class _Totals:
    """Where every draw stands: stock, rates, the last change, the shift laid over the rates and what was applied."""

    def __init__(self, posterior: xr.Dataset, process: str) -> None:
        draws = posterior.sizes["sample"]
        self.process, self.posterior = process, posterior
        self.stock = np.full(draws, float(posterior["last_stock"]))
        self.rates = np.repeat(posterior["last_rates"].values[None], draws, axis=0)
        self.change = np.repeat(posterior["last_change"].values[None], draws, axis=0)
        self.persistence = posterior["trend_persistence"].values[:, None]
        self.pace = posterior["long_run_pace"].values
        self.shift = np.zeros(draws)
        self.applied = self.rates
        log_starts, odds, closure = posterior["last_rates"].values
        exits, starts = 1.0 / (1.0 + np.exp(-odds)), np.exp(log_starts) / float(posterior["last_stock"])
        self.by_start = starts * (1.0 - exits / 2.0 + np.exp(closure))
        self.by_exit = exits * (1.0 - exits) * (1.0 + starts / 2.0)

    def next_year(self, innovation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Move one year on and return stock, starts and ceases."""
        if self.process == "momentum":
            self.change = self.persistence * REPEATED * self.change + innovation
            self.rates = self.rates + self.change
        elif self.process == "reverting":
            mean = self.posterior["mean_rates"].values
            self.rates = self.rates + RETURN_SHARE * (mean - self.rates) + innovation
        else:
            self.rates = self.rates + innovation
        rates = self.rates.copy()
        if self.process == "pace":
            unchanged = np.log(_following(self.stock, self.applied)[0] / self.stock)
            self.shift = self.shift + self.pace - unchanged
            rates[:, 0] += 0.5 * self.shift / self.by_start
            rates[:, 1] -= 0.5 * self.shift / self.by_exit
        self.applied = rates
        self.stock, starts, ceases = _following(self.stock, rates)
        return self.stock, starts, ceases


def _following(stock: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stock at the year's end, starts and ceases, all (sample,)."""
    starts, exits = np.exp(rates[:, 0]), 1.0 / (1.0 + np.exp(-rates[:, 1]))
    ceases = exits * (stock + starts / 2.0)
    return stock + starts - ceases + np.exp(rates[:, 2]) * starts, starts, ceases
