"""Draws from the priors of a model in the shape of a fit, so that a projection can be made before any data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
import xarray as xr
from pytensor.compile.mode import Mode

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.baseline import TOTALS, build_baseline
from cba.models.effects import build_effects, handed_on, studies_used
from cba.models.effects_studies import study_arrays
from cba.models.flow_rates import SERIES, FlowRates, flow_rates
from cba.models.reach import checked_starts, recent_starts
from cba.models.total_flows import LEVERS, total_flows

if TYPE_CHECKING:
    from cba.inputs.evidence import Evidence
    from cba.inputs.prior_registry import PriorRegistry

BASELINE = (
    "innovation_sd",
    "start_common_loading",
    "exit_common_loading",
    "common_correlation",
    "shock_probability",
    "uasc_persistence",
    "uasc_long_run_starts",
    "uasc_innovation_sd",
)
"""Variables of the baseline model that say how rates move."""


def prior_draws(model: pm.Model, *, names: Sequence[str], draws: int, chains: int, seed: int) -> xr.Dataset:
    """Draw variables of a model from its priors.

    Parameters
    ----------
    model : pymc.Model
        A built model.
    names : sequence of str
        Free or deterministic variables.
    draws, chains : int
        Draws per chain and chains; all are independent, chains only give the shape of a fit.
    seed : int
        Same seed, same draws.

    Returns
    -------
    Dataset, dims (chain, draw, ...)

    Examples
    --------
    >>> with pm.Model(coords={"age": ["young", "old"]}) as model:
    ...     level = pm.Normal("level", dims="age")
    >>> prior_draws(model, names=["level"], draws=3, chains=2, seed=1)["level"].shape
    (2, 3, 2)
    """
    rng = np.random.default_rng([seed, 11])
    quick = Mode(linker="py", optimizer="fast_compile")  # run once: compiling would cost more than it saves
    with np.errstate(over="ignore"):
        found = pm.draw([model[name] for name in names], draws=draws * chains, random_seed=rng, mode=quick)
    variables = {}
    for name, values in zip(names, found, strict=True):
        dims = model.named_vars_to_dims.get(name) or [f"{name}_{axis}" for axis in range(values.ndim - 1)]
        variables[name] = (
            ("chain", "draw", *map(str, dims)),
            values.reshape(chains, draws, *values.shape[1:]),
        )
    used = {d for dims, _ in variables.values() for d in dims} & set(model.coords)
    return xr.Dataset(variables, coords={d: list(model.coords[d]) for d in used})


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

    Parameters
    ----------
    observations : Dataset
        As returned by :func:`cba.load_observations`.
    priors : PriorRegistry
        Needs the ``baseline.*`` entries.
    draws, chains, seed : int
        As in :func:`prior_draws`.
    since : int, optional
        Year ending 31 March whose stock and rates the projection starts from; the last one by default. An
        earlier one gives a back-cast, to be held against what was published since.

    Returns
    -------
    DataTree
        In the form of :func:`cba.fit_baseline`: no yearly change of any rate has been seen.

    Raises
    ------
    InputError
        If the release has no account of that year.

    Examples
    --------
    >>> import cba
    >>> known, priors = cba.load_observations(), cba.load_priors()
    >>> fit = prior_baseline(known, priors, draws=10, chains=2, seed=1, since=2016)
    >>> int(fit["constant_data"]["last_year"]), fit["posterior"]["last_level"].shape
    (2016, (2, 10, 16))
    """
    rates = flow_rates(observations, uasc_leave_share=float(priors["baseline.uasc_leave_share"].median))
    place = _place(rates, since)
    model = build_baseline(rates, priors)
    posterior = prior_draws(model, names=BASELINE, draws=draws, chains=chains, seed=seed)
    noise = np.random.default_rng([seed, 12]).standard_normal((chains, draws, len(SERIES)))
    levels = rates.values[:, place] - rates.noise[:, place] * noise
    posterior["last_level"] = xr.DataArray(
        levels, dims=("chain", "draw", "series"), coords={"series": list(SERIES)}
    )
    return xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "totals": _prior_totals(priors, draws=draws, chains=chains, seed=seed),
            "constant_data": _constants(observations, priors, rates, place=place),
        }
    )


def _prior_totals(priors: PriorRegistry, *, draws: int, chains: int, seed: int) -> xr.Dataset:
    """Momentum and pace before any total was seen, dims (chain, draw)."""
    rng = np.random.default_rng([seed, 13])
    return xr.Dataset(
        {
            name: (("chain", "draw"), priors[f"baseline.{name}"].fitted.ppf(rng.random((chains, draws))))
            for name in TOTALS
        }
    )


def prior_effects(
    evidence: Evidence,
    priors: PriorRegistry,
    *,
    observations: xr.Dataset,
    draws: int,
    chains: int,
    seed: int,
) -> xr.DataTree:
    """Effects and reach before any study, and the effect in a new setting.

    Parameters
    ----------
    evidence : Evidence
        Only shapes the model; no result in it is used.
    priors : PriorRegistry
        Needs the ``effects.*`` entries and those of reach.
    observations : Dataset
        Gives the starts reach is a share of.
    draws, chains, seed : int
        As in :func:`prior_draws`.

    Returns
    -------
    DataTree
        ``posterior`` with the variables :func:`cba.fit_effects` hands on, drawn from the priors.

    Examples
    --------
    >>> import cba
    >>> known = cba.load_observations()
    >>> fit = prior_effects(cba.load_evidence(), cba.load_priors(), observations=known, draws=4, chains=2, seed=1)
    >>> fit["posterior"]["new_setting"].sizes["estimand"]
    4
    """
    starts, studies = recent_starts(observations), studies_used(evidence, priors)
    model = build_effects(studies, priors, starts=starts)
    names = [variable.name for variable in (*model.free_RVs, *model.deterministics)]
    found = prior_draws(model, names=names, draws=draws, chains=chains, seed=seed)
    every = study_arrays(studies, priors)
    areas, counts = every.of(every.area), checked_starts(starts, priors)
    return xr.DataTree.from_dict({"posterior": handed_on(found, areas, counts, priors, seed=seed)})


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


def _constants(
    observations: xr.Dataset, priors: PriorRegistry, rates: FlowRates, *, place: int
) -> xr.Dataset:
    """What the projection needs of the year it starts from beside the draws."""
    year = int(rates.years[place])
    stock = observations["stock_by_age"].sel(age=list(AGE_BANDS), year=year).values.astype(float)
    totals = total_flows(observations.sel(year=slice(None, year)))
    return xr.Dataset(
        {
            "stock": ("age", stock),
            "uasc_share": ("age", rates.uasc_share),
            "population": float(observations["population_0_17"].sel(year=year)),
            "shock_ratio": float(priors["baseline.shock_ratio"].median),
            "last_year": year,
            "observed_rates": (("series", "year"), rates.values[:, : place + 1]),
            "last_change": ("lever", np.diff(totals.rates, axis=1)[:, -1]),
        },
        coords={
            "age": list(AGE_BANDS),
            "series": list(SERIES),
            "lever": list(LEVERS),
            "year": rates.years[: place + 1],
        },
    )
