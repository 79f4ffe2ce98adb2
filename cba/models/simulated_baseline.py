"""Histories of the flow rates made up from the process the baseline model describes, to calibrate its fits on.

The histories are drawn here in plain NumPy from the process as it is documented, not by the model's own graph: a
likelihood that says something else than the process shows up in the ranks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cba.models.baseline import build_baseline
from cba.models.flow_rates import FlowRates
from cba.models.predictive_checks import spread_of_total_starts
from cba.models.replaceable_data import constant_above, with_replaceable_data
from cba.models.simulated_refits import Case, Simulated, draw_priors

if TYPE_CHECKING:
    from cba.inputs.prior_registry import PriorRegistry

YEARS_AHEAD = 8
"""Years ahead of the predicted starts that are ranked: 2032 seen from the newest release."""


def baseline_case(rates: FlowRates, priors: PriorRegistry) -> Case:
    """Return the baseline model with replaceable data, and how to make up data for it.

    Parameters
    ----------
    rates : FlowRates
        Gives the first year, the sizes of the counting noise and the number of years; its changes are replaced.
    priors : PriorRegistry
        Needs the ``baseline.*`` entries.

    Returns
    -------
    Case
        Everything the model observes is made up: the changes of all 16 series and of total starts before ages.

    Examples
    --------
    >>> import cba
    >>> from cba.models.flow_rates import flow_rates
    >>> case = baseline_case(flow_rates(cba.load_observations()), cba.load_priors())
    >>> sorted(case.simulate(np.random.default_rng(1)).data)[:2]
    ['early_total_change', 'last_rates']
    """
    model = build_baseline(rates, priors)
    constants = {rv.name: model.rvs_to_values[rv] for rv in model.observed_RVs}
    constants["rates_before"] = constant_above(model["uasc_change"], rates.values[-1, :-1])
    constants["last_rates"] = constant_above(model["last_level"], rates.values[:, -1])
    ratio = float(priors["baseline.shock_ratio"].median)

    def simulate(rng: np.random.Generator) -> Simulated:
        truth, redrawn = draw_priors(model, rng)
        data = simulated_history(rates, truth, shock_ratio=ratio, rng=rng)
        last = data["last_rates"] - rates.noise[:, -1] * truth["counting_noise"].values[:, -1]
        truth = truth.assign(last_level=("series", last))
        return Simulated(truth, {name: data[name] for name in constants}, redrawn)

    return Case(
        name="baseline",
        model=with_replaceable_data(model, constants),
        simulate=simulate,
        quantities=lambda draws, rng: _quantities(draws, rates=rates, shock_ratio=ratio, rng=rng),
        also=("last_level",),
        latent=("common_factor", "counting_noise"),
        target_accept=0.8,
    )


def simulated_history(
    rates: FlowRates, truth: Mapping, *, shock_ratio: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Make up one history of the rates.

    Parameters
    ----------
    rates : FlowRates
        First year, counting noise and years.
    truth : mapping of str to array
        One value of every free variable of the model, and ``innovation_sd`` (walk).
    shock_ratio : float
        Standard deviation of a shock over that of an ordinary year.
    rng : Generator

    Returns
    -------
    dict of str to ndarray
        ``walk_change`` (15, year - 1), ``uasc_change``, ``rates_before`` and ``early_total_change`` (year - 1),
        ``last_rates`` (series), and ``rates`` (series, year).

    Notes
    -----
    Latent rates start at the published ones of the first year less the counting noise and follow the process of
    :mod:`cba.models.baseline` year by year; what is seen is the latent rate plus counting noise.

    Examples
    --------
    >>> simulated_history(rates, truth, shock_ratio=3.0, rng=np.random.default_rng(1))  # doctest: +SKIP
    """
    given = {name: np.asarray(truth[name]) for name in truth}
    noise = rates.noise * given["counting_noise"]
    years = rates.values.shape[1]
    sd, shared = given["innovation_sd"], float(given["common_correlation"])
    level = rates.values[:, 0] - noise[:, 0]
    latent = [level]
    for year in range(1, years):
        f_starts, f_exits = given["common_factor"][:, year - 1]
        exits = shared * f_starts + np.sqrt(1.0 - shared**2) * f_exits
        step = _steps(sd, given["shock_probability"], shock_ratio, rng)
        step[:5] += given["start_common_loading"] * f_starts
        step[5:10] += given["exit_common_loading"] * exits
        target = np.log(given["uasc_long_run_starts"])
        pull = (1.0 - given["uasc_persistence"]) * (target - level[-1])
        unaccompanied = pull + given["uasc_innovation_sd"] * rng.standard_normal()
        level = level + np.append(step, unaccompanied)
        latent.append(level)
    seen = np.stack(latent, axis=1) + noise
    changes = np.diff(seen, axis=1)
    spread = np.full(len(rates.total_start_changes), _spread(rates, given))
    return {
        "rates": seen,
        "walk_change": changes[:-1],
        "uasc_change": changes[-1],
        "rates_before": seen[-1, :-1],
        "last_rates": seen[:, -1],
        "early_total_change": _steps(spread, given["shock_probability"], shock_ratio, rng),
    }


def _spread(rates: FlowRates, given: Mapping[str, np.ndarray]) -> np.ndarray:
    loading, sd = given["start_common_loading"], given["innovation_sd"][..., :5]
    return spread_of_total_starts(rates.values[:5, 0], loading=loading, sd=sd)


def _steps(sd: np.ndarray, probability: np.ndarray, ratio: float, rng: np.random.Generator) -> np.ndarray:
    shock = rng.random(np.shape(sd)) < probability
    return np.where(shock, ratio, 1.0) * sd * rng.standard_normal(np.shape(sd))


def _quantities(
    draws: xr.Dataset, *, rates: FlowRates, shock_ratio: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return what matters beyond single parameters, shape (sample,): spread of starts, and starts years ahead."""
    given = {str(name): draws[name].transpose("sample", ...).values for name in draws.data_vars}
    level = given["last_level"][:, :5].copy()
    sd = given["innovation_sd"][:, :5]
    chance = given["shock_probability"][:, None]
    for _ in range(YEARS_AHEAD):
        common = rng.standard_normal((len(level), 1))
        level = level + given["start_common_loading"] * common + _steps(sd, chance, shock_ratio, rng)
    return {
        "spread_of_total_starts": _spread(rates, given),
        "start_rate_years_ahead": np.exp(level).sum(axis=1),
    }
