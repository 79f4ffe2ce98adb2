"""Past forecasts, scored: the number in care from every origin, ages, spending, and the target year by release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from cba.appraisal.inputs import joint_draws, read_inputs
from cba.appraisal.quantities import headline_results, spread_at, stem_of
from cba.appraisal.workings import Workings, worked_options
from cba.costs.system_cost import by_line, forecast_history, published_real
from cba.decisions.draws import mcse_mean
from cba.dimensions import AGE_BANDS
from cba.errors import GateError, InputError
from cba.inputs.analyses import Analysis, load_analysis
from cba.inputs.distributions import Distribution, distribution
from cba.inputs.observations import load_observations, published_releases
from cba.inputs.priors import PriorRegistry, load_priors
from cba.inputs.safe_files import frame_of
from cba.models.baseline import fit_baseline
from cba.models.checks import prior_effects
from cba.models.growth import GROWTH, GrowthSeries, build_growth, growth_series, growth_start, number_paths
from cba.models.sampling import sample_gated
from cba.models.slow_results import keep_result
from cba.projection.business_as_usual import business_as_usual, future_population, usual_rates
from cba.validation.calibration import run_replicates
from cba.validation.scores import (
    AHEAD,
    FIRST,
    LATEST,
    REFERENCES,
    SHIPPED,
    headline_scores,
    reached,
    rows_beside_simple,
    score_rows,
    score_summary,
    scores_by_origin,
)

FIRST_ORIGIN = 2003
"""First year ending 31 March from which the number in care is forecast: nine yearly changes are known by it."""


HISTORY_RELEASE = 2021
"""First release that carries the totals of every year since 1994."""


KNOWN = ("stock", "uasc_stock", "population_0_17", "starts", "ceases")


SMALL_STEPS = 0.99
"""Acceptance to tune to: where few numbers of unaccompanied children are known some steps diverged at 0.8."""


AS_PUBLISHED = "as published then"


SINCE_REVISED = "pseudo-real-time"


CANDIDATES: Mapping[str, Mapping[str, Distribution]] = {
    SHIPPED: {},
    "growth with memory, as first specified": {
        "growth_persistence": distribution("Beta", parameters={"alpha": 2.0, "beta": 2.0})
    },
    "number per child stays": {"growth_mean": distribution("Fixed", parameters={"value": 0.0})},
}
"""What each candidate changes in the registry. The second was specified before any was scored, by a rule that said what
is shipped where it is not as good as drift: the simplest candidate that is."""


FORMER = Path(__file__).parents[1] / "inputs" / "forecast_record" / "former_candidates.csv"
"""Scores of every candidate that was scored before and is no longer part of the code."""


Load = Callable[[int | None], xr.Dataset]
"""Release (None for the newest) to the series as known in it."""


@dataclass(frozen=True)
class Origin:
    """A year from which forecasts are made, with the series known at it."""

    year: int  # year ending 31 March, the last one known
    # `AS_PUBLISHED` where the figures of the year are those of its own release, `SINCE_REVISED` where those of the
    # earliest later release that has it stand in, cut at the year; earlier years that a release does not carry are
    # from `HISTORY_RELEASE`.
    kind: str
    known: xr.Dataset  # `KNOWN` by year, to the origin


class Skipped(NamedTuple):
    """An origin, release or outturn left out of the record, and why."""

    what: str
    reason: str


@cache
def releases() -> tuple[int, ...]:
    """Releases the record reads: every one published."""
    return published_releases()


def origins() -> range:
    """Years ending 31 March from which the number in care is forecast: all that a later release tells of."""
    return range(FIRST_ORIGIN, releases()[-1])


def known_at(year: int) -> Origin:
    """Return the series as known at an origin."""
    release = _first_release_with(year)
    carried = load_observations(release)[list(KNOWN)].sel(year=slice(None, year))
    carried = carried.isel(year=slice(int(carried["stock"].notnull().values.argmax()), None))
    earlier = load_observations(HISTORY_RELEASE)[list(KNOWN)]
    earlier = earlier.sel(year=slice(None, int(carried["year"][0]) - 1))
    known = xr.concat([earlier, carried], dim="year")
    return Origin(year, AS_PUBLISHED if release == year else SINCE_REVISED, known)


def _first_release_with(year: int) -> int:
    """First release that gives the number in care of a year."""
    for release in releases():
        if release >= year and year in _stock(release):
            return release
    raise InputError(
        "no release gives the number in care of a year",
        field="year",
        found=year,
        allowed=f"{releases()[0] - 4} to {releases()[-1]}",
        cause="a year after the newest release read here",
        remedy="score the years that have happened",
    )


@cache
def _stock(release: int) -> dict[int, float]:
    series = load_observations(release)["stock"].dropna("year")
    return {int(year): float(value) for year, value in zip(series["year"], series, strict=True)}


# --- Rolling-origin backtest of the number in care: the shipped model, what is nested in it, and references ---


def rows_of_origin(number: int, *, draws: int, seed: int = 20220523) -> dict[str, Any]:
    """Forecast from one origin and score; ``rows`` and ``skipped`` depend on the number alone."""
    origin, skipped = known_at(origins()[number]), []
    forecasts = {}
    how: dict[str, Any] = {"years": AHEAD, "draws": draws, "seed": seed + origin.year}
    for name, changed in CANDIDATES.items():
        try:
            forecasts[name] = number_forecast(origin.known, with_changed(load_priors(), changed), **how)
        except GateError as error:
            skipped.append(Skipped(f"{name} from {origin.year}", f"not converged: {error.problem}"))
    past = origin.known["stock"].dropna("year").values
    for name, reference in REFERENCES.items():
        try:
            forecasts[name] = reference(past, **how)
        except (InputError, ValueError, np.linalg.LinAlgError) as error:
            reason = error.problem if isinstance(error, InputError) else str(error)
            skipped.append(Skipped(f"{name} from {origin.year}", reason))
    rows: list[dict[str, object]] = []
    years = [year for year in range(origin.year + 1, origin.year + AHEAD + 1) if year <= releases()[-1]]
    for against in (FIRST, LATEST):
        outturns = {y - origin.year: _outturn(y, against=against) for y in years}
        scored = score_rows(forecasts, outturns, origin=origin.year, kind=origin.kind, quantity="stock")
        rows += [row | {"against": against} for row in scored]
    return {"rows": rows, "skipped": skipped}


def _outturn(year: int, *, against: str) -> float:
    """What happened, as the first release that has it says, or the latest."""
    return _stock(_first_release_with(year) if against == FIRST else releases()[-1])[year]


def with_changed(priors: PriorRegistry, changed: Mapping[str, Distribution]) -> PriorRegistry:
    """Return the registry with other distributions of entries of business as usual."""
    entries = {f"baseline.{name}": fitted for name, fitted in changed.items()}
    return priors.joined({name: replace(priors[name], fitted=fitted) for name, fitted in entries.items()})


def number_forecast(
    known: xr.Dataset, priors: PriorRegistry, *, years: int, draws: int, seed: int
) -> np.ndarray:
    """Draws of the number in care one to `years` years ahead, (sample, ahead), from totals alone."""
    posterior = growth_draws(growth_series(known), priors, draws=draws, seed=seed)
    return number_ahead(known, posterior, priors, years=years, seed=seed)


def number_ahead(
    known: xr.Dataset, posterior: xr.Dataset, priors: PriorRegistry, *, years: int, seed: int
) -> np.ndarray:
    """Draws of the number in care ahead, as `number_forecast`, from draws of its growth (sample)."""
    last = xr.Dataset(growth_start(growth_series(known), children=float(known["stock"].values[-1])))
    ranks = np.random.default_rng([seed, 32]).random(posterior.sizes["sample"])
    growth = priors["baseline.population_growth"].fitted.ppf(ranks)
    people = np.exp(growth[:, None] * np.arange(1, years + 1))
    return np.asarray(number_paths(posterior, last, people=people, seed=seed)["children"].values[:, 1:])


def growth_draws(series: GrowthSeries, priors: PriorRegistry, *, draws: int, seed: int) -> xr.Dataset:
    """Fit growth and return draws, dims (sample); what is fixed is the same in each."""
    how: dict[str, Any] = {
        "draws": draws // 4,
        "tune": 1000,
        "chains": 4,
        "seed": seed,
        "target_accept": SMALL_STEPS,
    }
    fit = sample_gated(build_growth(series, priors), name="growth", **how)
    flat = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    fixed = {name: priors[f"baseline.{name}"].median for name in GROWTH if name not in flat}
    return flat.assign({name: ("sample", np.full(draws, float(value))) for name, value in fixed.items()})


def candidate_table(*, draws: int, seed: int = 20220523) -> pd.DataFrame:
    """What each candidate finds from the newest release: growth before and after the data, and five years ahead.

    Columns candidate, quantity (of `GROWTH`, or ``children`` in the last year ahead), when, mean, lower, upper.
    """
    known, rows, evenly = load_observations(), [], (np.arange(1000) + 0.5) / 1000
    for name, changed in CANDIDATES.items():
        priors = with_changed(load_priors(), changed)
        found = growth_draws(growth_series(known), priors, draws=draws, seed=seed)
        for quantity in GROWTH:
            prior = priors[f"baseline.{quantity}"].fitted.ppf(evenly)
            for when, values in (("prior", prior), ("posterior", found[quantity].values)):
                rows.append({"candidate": name, "quantity": quantity, "when": when, **spread_at(0.9, values)})
        ahead = number_ahead(known, found, priors, years=AHEAD, seed=seed)[:, -1]
        about = {"candidate": name, "quantity": "children", "when": "posterior"}
        rows.append({**about, **spread_at(0.9, ahead)})
    return pd.DataFrame(rows)


def backtest_number(
    *, draws: int, workers: int = 1, scheduler: str | None = None
) -> tuple[pd.DataFrame, list[Skipped]]:
    """Forecast the number in care from every origin, and score, beside candidates scored before.

    Columns origin, kind, quantity, ahead, year, forecast, mean, outturn, those of `scores`, and against: the outturn
    as first published, or as the latest release has it.
    """
    found: dict[int, dict[str, Any]] = {}
    run_replicates(
        partial(rows_of_origin, draws=draws),
        range(len(origins())),
        keep=found.__setitem__,
        workers=workers,
        scheduler=scheduler,
    )
    rows = [row for number in sorted(found) for row in found[number]["rows"]]
    former = frame_of(FORMER).assign(quantity="stock")
    skipped = [Skipped(*each) for number in sorted(found) for each in found[number]["skipped"]]
    return pd.concat([pd.DataFrame(rows), former], ignore_index=True), skipped


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
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    for name in GROWTH:
        if name in posterior:
            drawn[f"baseline.{name}"] = ("sample", posterior[name].values)
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
"""Years of a series that a reference forecast needs: three yearly changes."""


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


VINTAGES = (2021, 2022, 2023, 2024)
"""Releases with accounts of spending and ages enough for the whole model."""


def vintage_record(*, draws: int) -> pd.DataFrame:
    """Look at the target year from each release.

    One row per release and quantity: release, quantity, label, mean, lower, median, upper, mcse.
    Probabilities have a mean and its error alone. `draws`: in all, over four chains.
    """
    rows: list[dict[str, Any]] = []
    for release in VINTAGES:
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


def backtest_record(
    *, draws: int, tell: Callable[[str], None], workers: int = 1, scheduler: str | None = None
) -> dict[str, pd.DataFrame]:
    """Forecast from every origin and score.

    ``scores``, ``headline``, ``reached``, ``by_horizon``, ``by_origin``, ``candidates``, ``vintages``, ``skipped``.
    """
    priors, newest = load_priors(), load_observations()
    tell("number in care")
    number, skipped = backtest_number(draws=draws, workers=workers, scheduler=scheduler)
    tell("spending")
    spent = backtest_spending(newest, priors, price_base=PRICE_BASE, draws=draws)
    tell("ages")
    ages = backtest_ages(priors, draws=draws // 2)
    tell("vintages")
    vintages = vintage_record(draws=draws)
    by_age = ages[0].assign(against=LATEST)
    whole = ~by_age["quantity"].str.contains(",")
    by_age.loc[whole, "quantity"] += " (model by age)"
    scores = pd.concat([number, spent[0].assign(against=LATEST), by_age], ignore_index=True)
    return {
        "scores": scores,
        "headline": headline_scores(number),
        "reached": reached(scores),
        "by_horizon": score_summary(scores),
        "by_origin": scores_by_origin(number),
        "candidates": candidate_table(draws=draws),
        "vintages": vintages,
        "skipped": pd.DataFrame([*skipped, *spent[1], *ages[1]], columns=list(Skipped._fields)),
    }


def refresh_backtest(
    *, draws: int, tell: Callable[[str], None], workers: int = 1, scheduler: str | None = None
) -> dict[str, pd.DataFrame]:
    """Make the record of past forecasts again, keep it and return its tables."""
    tables = backtest_record(draws=draws, tell=tell, workers=workers, scheduler=scheduler)
    release = int(load_observations().attrs["release"])
    keep_result("backtest", tables, release=release, draws=draws)
    return tables
