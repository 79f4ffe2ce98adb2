"""Past forecasts of children in care by authority, scored: a share walk, one with memory, a joint model, simple ones.

All but last value and drift share out the same draws of England's number, by the model of the record of past forecasts.
Units are authorities with predecessors and successors added together, as in England's panel. All children are counted:
the releases of 2021 to 2023 do not tell unaccompanied ones by authority. Pseudo-real-time: children are those of the
first release that tells all flows of the origin, but their population has one vintage, and which authorities later
merged is known beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import minimize
from scipy.special import expit, logit

from cba.inputs.observations import load_observations, load_programme_rollout
from cba.inputs.priors import PriorRegistry, load_priors
from cba.models.authorities import OWN, PAIRS, least_squares, own_covariance
from cba.models.authority_data import (
    NO_WEIGHT,
    PATHFINDER,
    SERIES,
    AuthorityPanel,
    authority_panel,
    series_by_unit,
)
from cba.models.authority_findings import flat
from cba.models.authority_shares import share_paths, share_walk
from cba.models.sampling import normal_settings
from cba.models.slow_results import keep_result
from cba.validation.backtest import SINCE_REVISED, known_at, number_forecast, releases
from cba.validation.calibration import run_replicates
from cba.validation.scores import AHEAD, block_error, drift, naive, score_rows

FIRST_ORIGIN = 2015
"""Year ending 31 March from which authorities are first forecast: nine yearly changes are known by it."""


WALK, WITH_MEMORY, JOINT = "share walk", "share walk with memory", "joint model of starts and exits"
"""The shares as a random walk, in use; with memory, as first specified; and as their own starts and exits make them."""


CONSTANT, LAST, DRIFT = "national growth x own level", "last value", "drift"


DRAWS, SEED = 1000, 20220523


HOLDING = {80: (0.77, 0.83), 90: (0.87, 0.93)}
"""Shares of intervals that must hold at each horizon and in each quarter of size; stated before scoring."""


@cache
def seen_at(origin: int) -> xr.Dataset:
    """Series as known at an origin: of the first release that tells its stock, starts and ceases by authority."""
    known = (load_observations(r).sel(year=slice(None, origin)) for r in releases() if r >= origin)
    flows = [f"{name}_by_authority" for name in SERIES]
    return next(seen for seen in known if all(seen[flow].sel(year=origin).notnull().any() for flow in flows))


@cache
def published_stock(year: int) -> pd.Series:
    """Children in care by unit at 31 March of a year, as first published."""
    told = (series_by_unit(load_observations(r))[1]["stock"][year] for r in releases() if r >= year)
    return next(stock for stock in told if (stock > 0).any())


# --- The joint model's forecast: its closed form, given the past of every authority ---


def panel_at(seen: xr.Dataset, priors: PriorRegistry) -> AuthorityPanel:
    """Read the panel of all children. Its launches are used by nothing here: none is known beforehand."""
    rollout = load_programme_rollout()
    counted = rollout[rollout["programme"] != PATHFINDER]  # its authorities are forecast like any other
    panel, flows = authority_panel(seen, counted, priors, all_children=True), series_by_unit(seen)[1]
    span = [panel.years[0] - 1, *panel.years]
    starts, ceases, stock = (flows[name].loc[panel.authority, span].to_numpy(float) for name in SERIES)
    there = stock[:, :-1] + starts[:, 1:] / 2.0
    leaving = ceases[:, 1:] * (1.0 - ceases[:, 1:] / there)
    # Counting noise of all children: the panel's own holds the doubt about unaccompanied ones, who are not told here.
    return replace(panel, noise=1.0 / np.stack([starts[:, 1:], leaving], axis=1))


def likeliest_values(panel: AuthorityPanel, priors: PriorRegistry) -> dict[str, np.ndarray]:
    """Covariance parameters at the mode of their posterior, England and regions integrated out, launches left out."""
    # In closed form, for one fit at each origin: the sampler of the panel takes minutes and gives means near by.
    pairs, sides = list(PAIRS), [*OWN, "region_year_sd"]
    first = np.array([0.5] * len(pairs) + [0.7] * 2 + [0.1] * 2 * (len(sides) - 1))
    limits = [(0.01, 0.99) if each >= 0.5 else (0.005, 2.0) for each in first]

    def values_of(found: np.ndarray) -> dict[str, np.ndarray]:
        by_side = found[len(pairs) :].reshape(-1, 2)
        values = dict(zip(pairs, found, strict=False)) | dict(zip(sides, by_side, strict=True))
        return values | {"year_sd": np.array(normal_settings(priors, "panel.year_step")[1])}

    def minus_log(found: np.ndarray) -> float:
        values = values_of(found)
        fitted = least_squares(panel, values)
        figures = flat(panel.value)[..., None]
        fit = (figures * fitted.weighted(figures)).sum()
        steps = 2.0 * np.log(np.diag(fitted.factor[0])).sum() - np.linalg.slogdet(fitted.precision)[1].sum()
        beliefs = sum(np.log(priors[f"panel.{n}"].fitted.pdf(values[n])).sum() for n in (*pairs, *sides))
        return float(0.5 * (fit + steps) - beliefs)

    return values_of(minimize(minus_log, first, method="L-BFGS-B", bounds=limits).x)


def rates_ahead(
    panel: AuthorityPanel, values: Mapping[str, np.ndarray], *, years: int, draws: int, seed: int
) -> np.ndarray:
    """Draw figures of the years after a panel's last, given it: (authority, outcome, ahead, sample)."""

    # Conditional simulation: a draw of everything, plus what the closed form makes of the past it missed.
    # Source: Journel and Huijbregts (1978), Mining Geostatistics, ch. VII: x* + E[x | y - y*] has the law of x given y.
    def longer(figures: np.ndarray, filling: np.ndarray | float) -> np.ndarray:
        return np.concatenate([figures, np.broadcast_to(filling, (*figures.shape[:2], years))], axis=2)

    ahead = panel.years[-1] + np.arange(1, years + 1)
    whole = replace(
        panel,
        years=np.append(panel.years, ahead),
        value=longer(panel.value, 0.0),
        noise=longer(panel.noise, NO_WEIGHT),
    )
    fitted, rng = least_squares(whole, values), np.random.default_rng([seed, 42])
    own = np.linalg.cholesky(own_covariance(values, whole.years))
    drawn = own @ rng.standard_normal((len(panel.authority), len(own), draws))
    drawn += (fitted.design @ rng.standard_normal((fitted.design.shape[2], draws)))[fitted.region]
    chance = longer(panel.noise, panel.noise[..., -1:]) + values["noise_sd"][:, None] ** 2
    figures = drawn + np.sqrt(flat(chance))[..., None] * rng.standard_normal(drawn.shape)
    counted = (flat(whole.noise) < NO_WEIGHT)[..., None]
    missed = np.where(counted, flat(whole.value)[..., None] - figures, 0.0)
    spread = flat(whole.noise + values["noise_sd"][:, None] ** 2)[..., None]
    # Noise of past figures is independent of noise ahead, so what was missed corrects only what lies behind figures.
    found = figures + missed - spread * fitted.weighted(missed)
    return found.reshape(*whole.value.shape, draws)[:, :, -years:]


def joint_stock(panel: AuthorityPanel, flows: Mapping[str, pd.DataFrame], ahead: np.ndarray) -> np.ndarray:
    """Children in care under figures of `rates_ahead`, England's rates staying: (sample, ahead, authority)."""
    last = int(panel.years[-1])
    now, before = (
        {name: frame.loc[panel.authority, year].to_numpy(float) for name, frame in flows.items()}
        for year in (last, last - 1)
    )
    closure = (now["stock"] - before["stock"] - now["starts"] + now["ceases"]).sum() / now["starts"].sum()
    leaving = logit(now["ceases"] / (before["stock"] + now["starts"] / 2.0))
    moved = ahead - panel.value[:, :, -1, None, None]
    moved -= moved.mean(axis=0)
    stock, path = now["stock"][:, None], []
    for year in range(moved.shape[2]):
        starts = now["starts"][:, None] * np.exp(moved[:, 0, year])
        exits = expit(leaving[:, None] + moved[:, 1, year])
        stock = (1.0 - exits) * stock + (1.0 - exits / 2.0 + closure) * starts
        path.append(stock.T)
    return np.stack(path, axis=1)


# --- Forecasts from one origin, scored ---


def scored_origin(number: int, *, draws: int = DRAWS) -> dict[str, Any]:
    """Forecast every unit from one origin and score; ``rows`` depend on the number alone."""
    origin, priors = FIRST_ORIGIN + number, load_priors()
    seen, seed = seen_at(origin), SEED + origin
    how = {"years": AHEAD, "draws": draws, "seed": seed}
    england = number_forecast(known_at(origin).known, priors, **how)
    panel = panel_at(seen, priors)
    unit, flows = series_by_unit(seen)
    stock = flows["stock"].loc[panel.authority]
    shares = {CONSTANT: np.broadcast_to(_of_england(stock[origin], flows), (draws, AHEAD, len(stock)))}
    for name, memory in ((WALK, False), (WITH_MEMORY, True)):
        walk = share_walk(seen, memory=memory)
        whole = dict(zip(seen["authority"].values, unit, strict=True))
        place = pd.get_dummies(pd.Series(walk.authority).map(whole))[list(stock.index)].to_numpy(float)
        shares[name] = share_paths(walk, size=draws, years=AHEAD, seed=seed) @ place
    found = joint_stock(panel, flows, rates_ahead(panel, likeliest_values(panel, priors), **how))
    shares[JOINT] = found / found.sum(axis=2, keepdims=True) * shares[CONSTANT][0, 0].sum()
    ahead = {name: england[..., None] * share for name, share in shares.items()}
    return {"rows": list(_rows(origin, ahead, stock, how=how))}


def _of_england(stock: pd.Series, flows: Mapping[str, pd.DataFrame]) -> np.ndarray:
    return (stock / flows["stock"][stock.name].sum()).to_numpy()


def _rows(origin: int, ahead: Mapping[str, np.ndarray], stock: pd.DataFrame, *, how: dict[str, int]) -> Any:
    """Score the forecasts of each unit beside last value and drift of its own past."""
    years = range(origin + 1, min(origin + AHEAD, releases()[-1]) + 1)
    quarter = pd.qcut(stock[origin], 4, labels=[1, 2, 3, 4])
    for place, code in enumerate(stock.index):
        past = stock.loc[code].to_numpy(float)
        past = past[past > 0]  # since the unit began
        own = how | {"seed": how["seed"] + place}
        forecasts = {name: draws[..., place] for name, draws in ahead.items()}
        forecasts |= {LAST: naive(past, **own), DRIFT: drift(past, **own)}
        outturns = {year - origin: float(published_stock(year)[code]) for year in years}
        with np.errstate(divide="ignore"):  # a log score of infinity, which no table shows
            rows = list(score_rows(forecasts, outturns, origin=origin, kind=SINCE_REVISED, quantity=code))
        for row in rows:
            yield row | {"quarter": quarter[code], "children": past[-1]}


# --- What the scores come to, and whether it is what was asked beforehand ---


def gap(scores: pd.DataFrame, forecast: str, *, against: str) -> tuple[float, float]:
    """Mean difference of two forecasts' scores, horizons of an origin counted alike, and its standard error."""
    # The larger of two errors: over origins in blocks, and over units. Five origins five years ahead overlap so much
    # that their own spread says little; units share what England does, which most of these forecasts share too.
    wide = scores.pivot_table(index=["origin", "ahead", "quantity"], columns="forecast", values="crps")
    apart = (wide[forecast] - wide[against]).dropna()
    by_origin, by_unit = (apart.groupby(level).mean() for level in ("origin", "quantity"))
    errors = block_error(by_origin.to_numpy()), by_unit.std(ddof=1) / np.sqrt(len(by_unit))
    return float(by_origin.mean()), float(np.nanmax(errors))


def by_horizon(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean score and coverage by forecast and years ahead, and the difference to the share walk with its error.

    Columns forecast, ahead, forecasts, crps, crps_less_walk, crps_less_walk_se, inside_80, inside_90.
    """
    rows = []
    for (ahead, forecast), part in scores.groupby(["ahead", "forecast"], sort=False):
        row = {
            "forecast": forecast,
            "ahead": ahead,
            "forecasts": len(part),
            "crps": float(part["crps"].mean()),
        }
        apart = gap(scores[scores["ahead"] == ahead], str(forecast), against=WALK)
        row |= dict(zip(("crps_less_walk", "crps_less_walk_se"), apart, strict=True))
        rows.append(row | part[["inside_80", "inside_90"]].mean().to_dict())
    return pd.DataFrame(rows)


def by_size(scores: pd.DataFrame) -> pd.DataFrame:
    """Score over the number in care, and coverage, by forecast and quarter of size.

    Columns forecast, quarter (1: the smallest), smallest, largest (children at the origin), forecasts, relative_crps,
    inside_80, inside_90.
    """
    relative = scores.assign(relative_crps=scores["crps"] / scores["children"])
    groups = relative.groupby(["forecast", "quarter"], sort=False, observed=True)
    of = {"smallest": ("children", "min"), "largest": ("children", "max"), "forecasts": ("crps", "size")}
    means = {name: (name, "mean") for name in ("relative_crps", "inside_80", "inside_90")}
    return groups.agg(**of, **means).reset_index().sort_values(["forecast", "quarter"], ignore_index=True)


def asked_beforehand(scores: pd.DataFrame) -> pd.DataFrame:
    """Hold the share walk, and what might take its place, against what was asked. Columns forecast, asked, found, met.

    With memory the walk gives way where all is met but being better than it, to the joint model where that is met too.
    """
    rows: list[tuple[str, str, str, bool]] = []
    horizons = [part for _, part in scores.groupby("ahead")]
    for forecast in (WALK, WITH_MEMORY, JOINT):
        ours = scores[scores["forecast"] == forecast]
        for other in (CONSTANT, LAST, DRIFT, WALK):
            if other == forecast:
                continue
            apart, error = gap(scores, forecast, against=other)
            asked = f"better than {other} by two standard errors"
            rows.append((forecast, asked, _apart([(apart, error)]), apart < -2.0 * error))
        for over, words in (("ahead", "at every horizon"), ("quarter", "in every quarter of size")):
            for level, (low, high) in HOLDING.items():
                held = ours.groupby(over, observed=True)[f"inside_{level}"].mean()
                asked = f"{low:.0%} to {high:.0%} of {level}% intervals hold {words}"
                met = bool(held.between(low, high).all())
                rows.append((forecast, asked, ", ".join(f"{h:.1%}" for h in held), met))
        if forecast != WALK:
            gaps = [gap(part, forecast, against=WALK) for part in horizons]
            asked = f"not worse than the {WALK} by one standard error at any horizon"
            rows.append((forecast, asked, _apart(gaps), all(apart <= error for apart, error in gaps)))
    return pd.DataFrame(rows, columns=["forecast", "asked", "found", "met"])


def _apart(gaps: list[tuple[float, float]]) -> str:
    return ", ".join(f"{apart:+.2f} (standard error {error:.2f})" for apart, error in gaps) + " children"


def authority_record(
    *, draws: int = DRAWS, workers: int = 1, scheduler: str | None = None
) -> dict[str, pd.DataFrame]:
    """Forecast from every origin and score: ``by_horizon``, ``by_size``, ``reached``."""
    found: dict[int, dict[str, Any]] = {}
    work = partial(scored_origin, draws=draws)
    run_replicates(
        work,
        range(releases()[-1] - FIRST_ORIGIN),
        keep=found.__setitem__,
        workers=workers,
        scheduler=scheduler,
    )
    scores = pd.DataFrame([row for number in sorted(found) for row in found[number]["rows"]])
    return {"by_horizon": by_horizon(scores), "by_size": by_size(scores), "reached": asked_beforehand(scores)}


def refresh_authorities(*, workers: int = 1, scheduler: str | None = None) -> Path:
    """Score past forecasts by authority again and keep the tables."""
    tables = authority_record(workers=workers, scheduler=scheduler)
    return keep_result("authorities", tables, release=releases()[-1], draws=DRAWS)
