"""Backtest of the model that is shipped: ages refitted at every origin that has enough of them, and scored.

True vintages with ages enough are the releases of 2018 and 2021 on; other origins are cut from the newest release and
marked so. Totals of the same model are scored beside ages: far fewer origins than the backtest of totals, but the very
code that makes the headline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from cba.dimensions import AGE_BANDS
from cba.errors import GateError, InputError
from cba.inputs.observations import load_observations
from cba.models.baseline import TOTALS, fit_baseline
from cba.projection.business_as_usual import business_as_usual
from cba.projection.future_population import future_population
from cba.projection.process_mixture import usual_rates
from cba.validation.backtest_totals import AHEAD, SHIPPED
from cba.validation.known_then import AS_PUBLISHED, SINCE_REVISED, Load, Skipped
from cba.validation.reference_forecasts import drift, naive
from cba.validation.score_rows import score_rows

if TYPE_CHECKING:
    import numpy as np

    from cba.inputs.prior_registry import PriorRegistry

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

    Parameters
    ----------
    priors : PriorRegistry
        As for :func:`cba.fit_baseline`.
    draws : int
        In all, over four chains.
    seed : int
    load : callable
        Release to the series as known in it.
    first : int
        First origin.

    Returns
    -------
    tuple of DataFrame and tuple of Skipped
        Columns as :func:`cba.validation.backtest_totals.backtest_totals`; quantity is ``stock``, ``starts`` or
        ``ceases`` for totals and ``stock, <age band>`` and so on for ages.

    Examples
    --------
    >>> backtest_ages(cba.load_priors())  # doctest: +SKIP
    """
    newest = load(None)
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
        rows.extend(_scored(forecast, known, newest, origin=origin, kind=kind, draws=draws, seed=seed))
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


def _scored(
    forecast: Mapping[str, np.ndarray],
    known: xr.Dataset,
    newest: xr.Dataset,
    *,
    origin: int,
    kind: str,
    draws: int,
    seed: int,
) -> Iterator[dict[str, object]]:
    """Rows of the model, and of last value and drift of the same series."""
    for quantity, values in forecast.items():
        history = _series(known, quantity).sel(year=slice(None, origin)).dropna("year")
        outturn = _series(newest, quantity)
        others = {
            name: make(history.values, years=values.shape[1], draws=draws, seed=seed + origin)
            for name, make in (("last value", naive), ("drift", drift))
        }
        for step in range(values.shape[1]):
            happened = float(outturn.sel(year=origin + step + 1))
            made = {name: draws[:, step] for name, draws in {SHIPPED: values, **others}.items()}
            yield from score_rows(
                made, origin=origin, kind=kind, quantity=quantity, ahead=step + 1, outturn=happened
            )


def _series(known: xr.Dataset, quantity: str) -> xr.DataArray:
    """One published series: a total, or one age band of a flow."""
    name, _, age = quantity.partition(", ")
    return known[f"{name}_by_age"].sel(age=age, drop=True) if age else known[name]
