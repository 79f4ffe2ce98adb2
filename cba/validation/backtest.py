"""What was known at each past origin: totals as published then, or, marked so, as published since."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.inputs import joint_draws, read_inputs
from cba.appraisal.quantities import headline_results, stem_of
from cba.appraisal.workings import Workings, worked_options
from cba.costs.system_cost import by_line, forecast_history, published_real
from cba.decisions.draws import mcse_mean
from cba.dimensions import AGE_BANDS
from cba.errors import GateError, InputError
from cba.inputs.analyses import Analysis, load_analysis
from cba.inputs.observations import load_observations
from cba.inputs.priors import PriorRegistry, load_priors
from cba.models.baseline import TOTALS, fit_baseline
from cba.models.checks import prior_effects
from cba.models.slow_results import keep_result
from cba.models.totals import TotalFlows, checked_totals, total_flow_posterior
from cba.projection.business_as_usual import business_as_usual, future_population
from cba.projection.processes import PROCESSES, total_paths, usual_rates
from cba.validation.scores import (
    AHEAD,
    REFERENCES,
    SHIPPED,
    MixtureTerms,
    headline_scores,
    mixture_terms,
    reached,
    rows_beside_simple,
    score_rows,
    score_summary,
    stacking_table,
    weights_known_then,
)

FIRST_ORIGIN = 2003
"""First origin scored: nine yearly changes of the totals are known by then."""


QUANTITIES = ("stock", "starts", "ceases")


HISTORY_RELEASE = 2021
"""First release that carries the totals of every year since 1994."""


AS_PUBLISHED = "as published then"


SINCE_REVISED = "pseudo-real-time"


Load = Callable[[int | None], xr.Dataset]
"""Release (None for the newest) to the series as known in it."""


@dataclass(frozen=True)
class Origin:
    """A year from which forecasts are made, with the totals known at it."""

    year: int  # year ending 31 March, the last one known
    # `AS_PUBLISHED` where the figures are those of the release of that year (years before 2006, which no
    # release before 2021 carries, are from that one), `SINCE_REVISED` where later figures stand in.
    kind: str
    flows: TotalFlows  # totals to that year


class Skipped(NamedTuple):
    """An origin, release or outturn left out of the record, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class KnownOrigins:
    """Every origin forecasts can be made from, what was left out, and what happened since."""

    origins: tuple[Origin, ...]
    skipped: tuple[Skipped, ...]
    # Dims (year): ``stock``, ``starts`` and ``ceases`` as published in the latest release.
    outturns: xr.Dataset


def known_origins(*, first: int = FIRST_ORIGIN) -> KnownOrigins:
    """Collect the origins of the backtest from the published releases; the newest says what happened."""
    names = list(QUANTITIES)
    outturns = load_observations()[names].dropna("year", how="any")
    history = load_observations(HISTORY_RELEASE)[names].dropna("year", how="any")
    origins, skipped = [], []
    for year in range(first, int(outturns["year"][-1])):
        try:
            published = _as_published(year, history) if year >= 2010 else None
        except InputError as error:
            skipped.append(Skipped(f"release {year}", error.problem))
            published = None
        if published is not None:
            origins.append(Origin(year, AS_PUBLISHED, published))
            continue
        try:
            origins.append(Origin(year, SINCE_REVISED, _flows(outturns.sel(year=slice(None, year)))))
        except InputError as error:
            skipped.append(Skipped(f"origin {year}", error.problem))
    return KnownOrigins(tuple(origins), tuple(skipped), outturns)


def _as_published(year: int, history: xr.Dataset) -> TotalFlows:
    """Totals as the release of `year` and those before it had them; earlier years as first published together."""
    known = load_observations(year)[list(QUANTITIES)].dropna("year", how="any")
    if known.sizes["year"] == 0 or int(known["year"][-1]) != year:
        raise InputError(
            "the release has no starts and ceases of its own year",
            field="starts, ceases",
            found=[int(y) for y in known["year"].values[-1:]],
            allowed=f"{year}",
            cause="tables the archive does not hold",
            remedy="score this origin with later figures, marked so",
        )
    earlier = history.sel(year=slice(None, int(known["year"][0]) - 1))
    return _flows(xr.concat([earlier, known], dim="year"))


def _flows(known: xr.Dataset) -> TotalFlows:
    years = known["year"].values
    series = (known[name].values.astype(float) for name in QUANTITIES)
    return checked_totals(TotalFlows(np.asarray(years), *series))


# --- Rolling-origin backtest of the totals: every candidate process and every reference forecast, … ---


STACKED_THEN = "cba, weights as known then"
"""The same candidates at weights stacked, at every origin, on outturns known by then."""


@dataclass(frozen=True)
class TotalsBacktest:
    """Scores of every forecast, the terms weights are stacked on, and what could not be scored."""

    scores: pd.DataFrame  # one row per origin, quantity, years ahead and forecast; see `backtest_totals`
    terms: tuple[MixtureTerms, ...]  # of the number in care, candidates in the order of `PROCESSES`
    skipped: tuple[Skipped, ...]


def backtest_totals(
    known: KnownOrigins, priors: PriorRegistry, *, draws: int = 4000, seed: int = 20220523
) -> TotalsBacktest:
    """Forecast from every origin, and score.

    ``scores`` has columns origin, kind, quantity, ahead, year, forecast, mean, outturn, then those of
    `scores`. `priors`: of `total_flow_posterior`, and the shipped weight ``baseline.pace_weight``.
    """
    rows: list[dict[str, object]] = []
    terms: list[MixtureTerms] = []
    skipped = list(known.skipped)
    paths: dict[int, dict[str, Mapping[str, np.ndarray]]] = {}
    by_year = {origin.year: origin for origin in known.origins}
    for origin in known.origins:
        paths[origin.year] = _candidates(origin, priors, draws=draws, seed=seed)
        forecasts = dict(paths[origin.year])
        weight = float(priors["baseline.pace_weight"].median)
        shipped = {"momentum": 1.0 - weight, "pace": weight}
        forecasts[SHIPPED] = _mixed(forecasts, shipped, seed=seed)
        forecasts |= _references(origin, draws=draws, seed=seed, skipped=skipped)
        rows.extend(_scored_totals(origin, forecasts, known))
        terms.extend(_terms(origin, paths[origin.year], known))
    for year, weights in weights_known_then(terms).items():
        then = dict(zip(PROCESSES, weights, strict=True))
        mixed = {STACKED_THEN: _mixed(paths[year], then, seed=seed)}
        rows.extend(_scored_totals(by_year[year], mixed, known))
    return TotalsBacktest(pd.DataFrame(rows), tuple(terms), tuple(skipped))


def _candidates(
    origin: Origin, priors: PriorRegistry, *, draws: int, seed: int
) -> dict[str, Mapping[str, np.ndarray]]:
    """Draws (sample, ahead) of each quantity under each candidate."""
    posterior = total_flow_posterior(origin.flows, priors, draws=draws, seed=seed + origin.year)
    found: dict[str, Mapping[str, np.ndarray]] = {}
    for process in PROCESSES:
        paths = total_paths(posterior, process=process, years=AHEAD, seed=seed + origin.year)
        found[process] = {quantity: paths[quantity].values for quantity in QUANTITIES}
    return found


def _mixed(
    forecasts: Mapping[str, Mapping[str, np.ndarray]], weights: Mapping[str, float], *, seed: int
) -> Mapping[str, np.ndarray]:
    """Whole paths of the candidates in the shares of their weights, by one rank per draw."""
    names = list(weights)
    edges = np.cumsum([weights[name] for name in names])
    size = forecasts[names[0]]["stock"].shape[0]
    rank = np.random.default_rng([seed, 37]).permutation((np.arange(size) + 0.5) / size)
    chosen = np.minimum(np.searchsorted(edges, rank), len(names) - 1)
    return {
        quantity: np.stack([forecasts[name][quantity] for name in names])[chosen, np.arange(size)]
        for quantity in QUANTITIES
    }


def _references(
    origin: Origin, *, draws: int, seed: int, skipped: list[Skipped]
) -> dict[str, Mapping[str, np.ndarray]]:
    """Reference forecasts of each series on its own; one that cannot be made is left out with its reason."""
    found: dict[str, Mapping[str, np.ndarray]] = {}
    for name, forecast in REFERENCES.items():
        try:
            found[name] = {
                quantity: forecast(
                    getattr(origin.flows, quantity), years=AHEAD, draws=draws, seed=seed + origin.year
                )
                for quantity in QUANTITIES
            }
        except (InputError, ValueError, np.linalg.LinAlgError) as error:
            reason = error.problem if isinstance(error, InputError) else str(error)
            skipped.append(Skipped(f"{name} from {origin.year}", reason))
    return found


def _outturns(origin: Origin, known: KnownOrigins, quantity: str) -> dict[int, float]:
    """Years ahead with an outturn, to the outturn."""
    series = known.outturns[quantity]
    years = {ahead: origin.year + ahead for ahead in range(1, AHEAD + 1)}
    return {
        ahead: float(series.sel(year=year)) for ahead, year in years.items() if year in series["year"].values
    }


def _scored_totals(
    origin: Origin, forecasts: Mapping[str, Mapping[str, np.ndarray]], known: KnownOrigins
) -> Iterator[dict[str, object]]:
    """One row per quantity, horizon and forecast."""
    for quantity in QUANTITIES:
        paths = {name: draws[quantity] for name, draws in forecasts.items()}
        outturns = _outturns(origin, known, quantity)
        yield from score_rows(paths, outturns, origin=origin.year, kind=origin.kind, quantity=quantity)


def _terms(
    origin: Origin, candidates: Mapping[str, Mapping[str, np.ndarray]], known: KnownOrigins
) -> Iterator[MixtureTerms]:
    """What weights are stacked on: the candidates' draws of the number in care."""
    for ahead, outturn in _outturns(origin, known, "stock").items():
        draws = [candidates[process]["stock"][:, ahead - 1] for process in PROCESSES]
        yield mixture_terms(draws, outturn, origin=origin.year, ahead=ahead)


# --- Backtest of the model that is shipped: ages refitted at every origin that has enough of them, and … ---


FIRST_AGE_ORIGIN = 2016
"""First origin with five yearly rates by age."""


FLOWS = {"stock_by_age": "children", "starts_by_age": "starts", "ceases_by_age": "ceases"}


def backtest_ages(
    priors: PriorRegistry,
    *,
    draws: int = 2000,
    seed: int = 20220523,
    load: Load = load_observations,
    first: int = FIRST_AGE_ORIGIN,
) -> tuple[pd.DataFrame, tuple[Skipped, ...]]:
    """Refit the model by age at every origin, forecast and score.

    Columns as `backtest_totals`; quantity is ``stock``, ``starts`` or ``ceases`` for totals and
    ``stock, <age band>`` and so on for ages. `draws`: in all, over four chains.
    """
    newest = load(None)
    how: dict[str, Any] = {"name": SHIPPED, "draws": draws, "seed": seed}
    rows: list[dict[str, object]] = []
    skipped: list[Skipped] = []
    last = int(newest["stock_by_age"].dropna("year")["year"][-1])
    for origin in range(first, last):
        try:
            kind, known = _known(origin, load=load, newest=newest)
            forecast = _forecast(known, priors, years=min(AHEAD, last - origin), draws=draws, seed=seed)
        except InputError as error:
            skipped.append(Skipped(f"ages from {origin}", error.problem))
            continue
        except GateError as error:
            skipped.append(Skipped(f"ages from {origin}", f"not converged: {error.problem}"))
            continue
        for quantity, values in forecast.items():
            past = _series(known, quantity).sel(year=slice(None, origin)).dropna("year").values
            about = {"origin": origin, "kind": kind, "quantity": quantity, **how}
            rows.extend(rows_beside_simple(values, past, _series(newest, quantity), **about))
    return pd.DataFrame(rows), tuple(skipped)


def _known(origin: int, *, load: Load, newest: xr.Dataset) -> tuple[str, xr.Dataset]:
    """Series as published then where the release holds its own year whole, else the newest release cut there."""
    try:
        published = load(origin)
        _require_whole(published, origin)
        return AS_PUBLISHED, published
    except InputError:
        cut = newest.sel(year=slice(None, origin)).copy()
        cut["population_projection"] = cut["population_projection"] * float("nan")  # not known then
        return SINCE_REVISED, cut


def _require_whole(known: xr.Dataset, origin: int) -> None:
    """Refuse a release without every age band of its own and the years before."""
    for name in FLOWS:
        found = known[name].sel(age=list(AGE_BANDS)).dropna("year", how="any")["year"].values
        if origin not in found:
            raise InputError(
                "the release lacks an age band of its own year",
                field=name,
                found=[int(year) for year in found[-1:]],
                allowed=f"all of {', '.join(AGE_BANDS)} in {origin}",
                cause="tables the archive does not hold",
                remedy="score this origin with later figures, marked so",
            )
    if bool(known["uasc_stock"].sel(year=slice(origin - 4, origin)).isnull().any()):
        raise InputError(
            "the release lacks unaccompanied children in a recent year",
            field="uasc_stock",
            found="a missing year",
            allowed="every year",
            cause="tables the archive does not hold",
            remedy="score this origin with later figures, marked so",
        )


def _forecast(
    known: xr.Dataset, priors: PriorRegistry, *, years: int, draws: int, seed: int
) -> Mapping[str, np.ndarray]:
    """Draws (sample, ahead) of every quantity."""
    fit = fit_baseline(known, priors, draws=draws // 4, tune=1000, chains=4, seed=seed)
    drawn = priors.sample(draws, seed)
    totals = fit["totals"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    for name in TOTALS:
        drawn[f"baseline.{name}"] = ("sample", totals[name].values)
    first = int(fit["constant_data"]["last_year"]) + 1
    ahead = range(first, first + years)
    people = future_population(known, years=ahead, growth=drawn["baseline.population_growth"])
    rates = usual_rates(fit, years=ahead, population=people, parameters=drawn, seed=seed)
    usual = business_as_usual(fit, rates, people).transpose("sample", "year", "age")
    found = {}
    for name, variable in FLOWS.items():
        short = name.removesuffix("_by_age")
        found[short] = usual[variable].sum("age").values
        found |= {f"{short}, {age}": usual[variable].sel(age=age).values for age in AGE_BANDS}
    return found


def _series(known: xr.Dataset, quantity: str) -> xr.DataArray:
    """One published series: a total, or one age band of a flow."""
    name, _, age = quantity.partition(", ")
    return known[f"{name}_by_age"].sel(age=age, drop=True) if age else known[name]


# --- Backtest of spending: real cost of the system one to five years ahead, from accounts and unit … ---


FIRST_SPENDING_ORIGIN = 2019
"""First account with three yearly changes of unit costs before it."""


LEAST_YEARS = 4
"""Accounts a reference forecast needs: three yearly changes."""


def backtest_spending(
    observations: xr.Dataset,
    priors: PriorRegistry,
    *,
    price_base: int,
    draws: int = 2000,
    seed: int = 20220523,
) -> tuple[pd.DataFrame, tuple[Skipped, ...]]:
    """Forecast every published account after each origin, and score.

    Columns as `backtest_totals`; quantity is ``spending`` for the system and ``spending, <line>`` for its
    published lines, GBP of the price base. `price_base`: year ending 31 March of the prices.
    """
    real = by_line(published_real(observations, price_base=price_base))
    parameters = priors.sample(draws, seed)
    how: dict[str, Any] = {"name": SHIPPED, "draws": draws, "seed": seed}
    rows: list[dict[str, object]] = []
    skipped: list[Skipped] = []
    last = int(real["year"][-1])
    for origin in range(FIRST_SPENDING_ORIGIN, last):
        history = real.sel(year=slice(None, origin))
        if history.sizes["year"] < LEAST_YEARS:
            skipped.append(Skipped(f"spending from {origin}", "fewer than three yearly changes are known"))
            continue
        made = forecast_history(
            observations, parameters, priors=priors, origin=origin, price_base=price_base, seed=seed
        )
        ahead = by_line(made).transpose("sample", "year", ...)
        for line in ahead["line"].values:
            values, past = ahead.sel(line=line).values[:, :AHEAD], history.sel(line=line).values
            quantity = "spending" if line == "total" else f"spending, {line}"
            about = {"origin": origin, "kind": SINCE_REVISED, "quantity": quantity, **how}
            rows.extend(rows_beside_simple(values, past, real.sel(line=line), **about))
    return pd.DataFrame(rows), tuple(skipped)


# --- What the path the review claims looks like from each release ---


RELEASES = (2021, 2022, 2023, 2024)
"""Releases with accounts of spending and ages enough for the whole model."""


def vintage_record(*, draws: int) -> pd.DataFrame:
    """Look at the target year from each release.

    One row per release and quantity: release, quantity, label, mean, lower, median, upper, mcse.
    Probabilities have a mean and its error alone. `draws`: in all, over four chains.
    """
    rows: list[dict[str, Any]] = []
    for release in RELEASES:
        workings = _usual_alone(_analysis(release, draws=draws))
        rows.extend({"release": release, **row} for row in _rows(workings))
    return pd.DataFrame(rows)


def _analysis(release: int, *, draws: int) -> Analysis:
    """The review's own frame moved to another release: programmes and evidence of the year after it."""
    base = load_analysis("review_2022")
    changed = {
        "release": release,
        "evidence_until": release + 1,
        "start_year": release + 2,
        "options": ("bau",),
        "stances": ("evidence",),
        "price_base": min(release + 1, 2024),
        "draws": draws,
    }
    return base.model_copy(update=changed)


def _usual_alone(analysis: Analysis) -> Workings:
    """Work out business as usual; effects come from their priors, since no option uses them."""
    inputs = read_inputs(analysis, stance="evidence")
    each: dict[str, Any] = {
        "draws": analysis.draws // analysis.chains,
        "chains": analysis.chains,
        "seed": analysis.seed,
    }
    baseline = fit_baseline(inputs.observations, inputs.priors, tune=analysis.tune, **each)
    effects = prior_effects(inputs.evidence, inputs.priors, observations=inputs.observations, **each)
    drawn = joint_draws(inputs, baseline=baseline, effects=effects)
    return worked_options(inputs, drawn, baseline=baseline, effects=effects)


def _rows(workings: Workings) -> list[dict[str, Any]]:
    """Quantities of the target year under business as usual."""
    results = headline_results(workings)
    system = ("system_cost_real", "system_cost_cash", "prob_system_cost_real", "prob_system_cost_cash")
    wanted = [stem_of(name) for name in ("children_in_care", *system)]
    kept = ("label", "mean", "lower", "median", "upper", "mcse")
    rows = [{"quantity": name, **{key: results[f"{name}.bau"].get(key) for key in kept}} for name in wanted]
    year = workings.inputs.analysis.target_year
    children = workings.arrays.children.sel(option="bau", year=year).sum("age").values
    for threshold in workings.inputs.claims.children_without_reform.readings:
        reached = (children >= threshold).astype(float)
        rows.append(
            {
                "quantity": f"prob_children_{threshold}",
                "label": f"Probability of at least {threshold:,} looked-after children at 31 March {year}",
                "mean": float(reached.mean()),
                "mcse": float(mcse_mean(np.asarray(reached), chains=workings.chains)),
            }
        )
    return rows


# --- Make the whole record of past forecasts and keep it: totals, ages, spending, weights, the view … ---


PRICE_BASE = 2024
"""Prices in which past spending is scored; the last year of the deflator is 2023-24."""


def backtest_record(*, draws: int, tell: Callable[[str], None]) -> dict[str, pd.DataFrame]:
    """Forecast from every origin and score.

    ``scores``, ``headline``, ``reached``, ``by_horizon``, ``stacking``, ``vintages`` and ``skipped``.
    """
    priors, newest = load_priors(), load_observations()
    tell("totals")
    totals = backtest_totals(known_origins(), priors, draws=draws)
    tell("spending")
    spent = backtest_spending(newest, priors, price_base=PRICE_BASE, draws=draws)
    tell("ages")
    ages = backtest_ages(priors, draws=draws // 2)
    tell("vintages")
    vintages = vintage_record(draws=draws)
    by_age = ages[0][ages[0]["quantity"].str.contains(",")]
    shipped = ages[0][~ages[0]["quantity"].str.contains(",")]
    shipped = shipped.assign(quantity=shipped["quantity"] + " (model by age)")
    scores = pd.concat([totals.scores, spent[0], by_age, shipped], ignore_index=True)
    return {
        "scores": scores,
        "headline": headline_scores(totals.scores),
        "reached": reached(totals.scores),
        "by_horizon": score_summary(scores),
        "stacking": stacking_table(totals.terms),
        "vintages": vintages,
        "skipped": pd.DataFrame([*totals.skipped, *spent[1], *ages[1]], columns=list(Skipped._fields)),
    }


def refresh_backtest(*, draws: int, tell: Callable[[str], None]) -> dict[str, pd.DataFrame]:
    """Make the record of past forecasts again, keep it and return its tables."""
    tables = backtest_record(draws=draws, tell=tell)
    release = int(load_observations().attrs["release"])
    keep_result("backtest", tables, release=release, draws=draws)
    return tables
