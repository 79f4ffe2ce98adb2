"""Rolling-origin backtest of the totals: every candidate process and every reference forecast, refitted as known then.

At each origin the totals known then are fitted in closed form, rolled forward one to five years under each candidate
and scored against what the newest release says happened, for the number in care, starts and ceases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cba.errors import InputError
from cba.models.total_flows import total_flow_posterior
from cba.projection.total_flow_paths import PROCESSES, total_paths
from cba.validation.known_then import KnownOrigins, Origin, Skipped
from cba.validation.reference_forecasts import REFERENCES
from cba.validation.score_rows import score_rows
from cba.validation.stacking import MixtureTerms, mixture_terms, weights_known_then

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

AHEAD = 5
"""Years ahead that are scored."""

QUANTITIES = ("stock", "starts", "ceases")

SHIPPED = "cba"
"""Name, in the record, of the mixture as shipped: momentum and pace at the weights in the registry."""

STACKED_THEN = "cba, weights as known then"
"""The same candidates at weights stacked, at every origin, on outturns known by then."""


@dataclass(frozen=True)
class TotalsBacktest:
    """Scores of every forecast, the terms weights are stacked on, and what could not be scored.

    Attributes
    ----------
    scores : DataFrame
        One row per origin, quantity, years ahead and forecast; see :func:`backtest_totals`.
    terms : tuple of MixtureTerms
        Of the number in care, candidates in the order of
        :data:`cba.projection.total_flow_paths.PROCESSES`.
    skipped : tuple of Skipped

    Examples
    --------
    >>> backtest_totals(known, priors).scores.columns[:3].tolist()  # doctest: +SKIP
    ['origin', 'kind', 'quantity']
    """

    scores: pd.DataFrame
    terms: tuple[MixtureTerms, ...]
    skipped: tuple[Skipped, ...]


def backtest_totals(
    known: KnownOrigins, priors: PriorRegistry, *, draws: int = 4000, seed: int = 20220523
) -> TotalsBacktest:
    """Forecast from every origin, and score.

    Parameters
    ----------
    known : KnownOrigins
        As returned by :func:`cba.validation.known_then.known_origins`.
    priors : PriorRegistry
        Of :func:`cba.models.total_flows.total_flow_posterior`, and the shipped weight ``baseline.pace_weight``.
    draws : int
    seed : int

    Returns
    -------
    TotalsBacktest
        ``scores`` has columns origin, kind, quantity, ahead, year, forecast, mean, outturn, then those of
        :func:`cba.validation.scoring.scores`.

    Examples
    --------
    >>> backtest_totals(known, priors, draws=1000)  # doctest: +SKIP
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
        rows.extend(_scored(origin, forecasts, known))
        terms.extend(_terms(origin, paths[origin.year], known))
    for year, weights in weights_known_then(terms).items():
        then = dict(zip(PROCESSES, weights, strict=True))
        rows.extend(_scored(by_year[year], {STACKED_THEN: _mixed(paths[year], then, seed=seed)}, known))
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


def _outturns(origin: Origin, known: KnownOrigins, quantity: str) -> Iterator[tuple[int, float]]:
    """Years ahead with an outturn, and the outturn."""
    series = known.outturns[quantity]
    for ahead in range(1, AHEAD + 1):
        if origin.year + ahead in series["year"].values:
            yield ahead, float(series.sel(year=origin.year + ahead))


def _scored(
    origin: Origin, forecasts: Mapping[str, Mapping[str, np.ndarray]], known: KnownOrigins
) -> Iterator[dict[str, object]]:
    """One row per quantity, horizon and forecast."""
    for quantity in QUANTITIES:
        for ahead, outturn in _outturns(origin, known, quantity):
            values = {name: draws[quantity][:, ahead - 1] for name, draws in forecasts.items()}
            yield from score_rows(
                values, origin=origin.year, kind=origin.kind, quantity=quantity, ahead=ahead, outturn=outturn
            )


def _terms(
    origin: Origin, candidates: Mapping[str, Mapping[str, np.ndarray]], known: KnownOrigins
) -> Iterator[MixtureTerms]:
    """What weights are stacked on: the candidates' draws of the number in care."""
    for ahead, outturn in _outturns(origin, known, "stock"):
        draws = [candidates[process]["stock"][:, ahead - 1] for process in PROCESSES]
        yield mixture_terms(draws, outturn, origin=origin.year, ahead=ahead)
