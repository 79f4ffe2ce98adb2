"""Turn constants of a built model into data that can be replaced, so that it is compiled once for many data sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import simuk
import xarray as xr
from pymc.model.fgraph import fgraph_from_model, model_from_fgraph
from pytensor.graph.traversal import ancestors
from pytensor.tensor import TensorConstant

from cba.models import sampling
from cba.models.sampling import vectorised_densities


def with_replaceable_data(model: pm.Model, constants: Mapping[str, TensorConstant]) -> pm.Model:
    """Return a copy of a model in which some constants are shared variables.

    The same densities; the data may be replaced after compiling, keeping their shapes.
    """
    graph, copies = fgraph_from_model(model)
    for name, constant in constants.items():
        data = np.asarray(constant.data)
        shared = pytensor.shared(data, name=name, shape=data.shape)
        graph.replace(copies[constant], shared, import_missing=True)
    return model_from_fgraph(graph, mutate_fgraph=True)


def constant_above(variable: Any, values: np.ndarray) -> TensorConstant:
    """Find the one constant a variable is computed from that holds the given values."""
    wanted = np.asarray(values)
    found = [
        node
        for node in ancestors([variable])
        if isinstance(node, TensorConstant)
        and node.data.shape == wanted.shape
        and node.data.dtype == wanted.dtype
        and np.array_equal(node.data, wanted)
    ]
    if len(found) != 1:
        raise ValueError(
            f"{variable} is computed from {len(found)} constants with these values, not from one"
        )
    return found[0]


# --- Refit a model to data made up from its own priors, and rank the truth among the posterior draws ---


RANKED = 99
"""Nearly independent posterior draws the truth is ranked among: ranks 0 to 99."""


TUNE = 1000


LONGEST = 16
"""Times the first number of draws that a slowly mixing replicate may take."""


THIN = 10


_REDRAWS = 100


@dataclass(frozen=True)
class Simulated:
    """One made-up data set."""

    truth: xr.Dataset  # every free variable, and what else is ranked as a variable of the posterior
    data: dict[str, np.ndarray]  # values of the model's replaceable data
    # Draws of the prior refused because no data can follow from them (a risk outside 0 to 1).
    redrawn: int = 0


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model to calibrate."""

    name: str
    model: pm.Model  # with replaceable data (`with_replaceable_data`)
    simulate: Callable[[np.random.Generator], Simulated]  # ``simulate(rng) -> Simulated``
    # ``quantities(draws, rng) -> dict`` of quantities, shape (sample,), that are no variables.
    quantities: Callable[[xr.Dataset, np.random.Generator], dict[str, np.ndarray]]
    also: tuple[str, ...] = ()  # deterministic variables to rank beside the free ones
    target_accept: float = 0.8  # as the model is sampled in an appraisal


@dataclass(frozen=True)
class Compiled:
    """A case with its compiled densities; one per process."""

    case: Case
    sampler: Any
    log_likelihood: Callable[[xr.Dataset, Mapping[str, np.ndarray]], np.ndarray]


def compiled(case: Case) -> Compiled:
    """Compile a case once for all its replicates."""
    return Compiled(case, sampling.compiled(case.model), _log_likelihood(case.model))


def draw_priors(
    model: pm.Model,
    rng: np.random.Generator,
    *,
    extra: tuple = (),
    possible: Callable[[list[np.ndarray]], bool] = lambda found: True,
) -> Any:
    """Draw every free and deterministic variable of a model once from its priors.

    And, with `extra`, its values as a list in between. `possible`: says of the values of `extra` whether data
    can follow from them; otherwise all is drawn again.
    """
    wanted = [*model.free_RVs, *(v for v in model.deterministics if v.name != "last_level")]
    redrawn = 0
    while True:
        with np.errstate(over="ignore"):
            found = pm.draw([*wanted, *extra], random_seed=rng, mode=sampling.QUICK)
        values = [np.asarray(value) for value in found[len(wanted) :]]
        if possible(values):
            break
        redrawn += 1
        if redrawn == _REDRAWS:
            raise ValueError(f"{_REDRAWS} draws of the prior, and no data can follow from any of them")
    dims = {v.name: _dims(model, v.name, np.ndim(x)) for v, x in zip(wanted, found, strict=False)}
    truth = xr.Dataset({v.name: (dims[v.name], x) for v, x in zip(wanted, found, strict=False)})
    return (truth, values, redrawn) if extra else (truth, redrawn)


def _dims(model: pm.Model, name: str, axes: int) -> list[str]:
    return [str(d) for d in model.named_vars_to_dims.get(name) or [f"{name}_dim_{i}" for i in range(axes)]]


def simulated_refit(ready: Compiled, *, replicate: int, seed: int, ranked: int = RANKED) -> dict[str, Any]:
    """Make up data, refit, and rank the truth: one replicate, the same whoever runs it and whenever.

    ``ranks``: {quantity: 0..ranked}; ``divergences``, ``least_effective_draws`` (bulk, over the quantities
    ranked, of the draws kept), ``thinned_by``, ``redrawn``. `ranked`: draws kept to rank among.
    """
    # Ranks are uniform only if draws are close to independent. Where fewer draws count than are ranked, the
    # refit is sampled again twice as long, up to `LONGEST` times, and thinned more; a replicate is never left
    # out.
    name = sum(ord(letter) << 3 * place for place, letter in enumerate(ready.case.name))
    data_seed, sampler_seed, extra_seed = np.random.SeedSequence([seed, name, replicate]).spawn(3)
    made = ready.case.simulate(np.random.default_rng(data_seed))
    sampler = ready.sampler.with_data(**made.data)
    thin, effective = THIN, 0.0
    while True:
        tree = _sampled(sampler, ready.case, thin=thin, ranked=ranked, seed=sampler_seed)
        posterior = tree["posterior"].to_dataset()
        draws = _samples(posterior, ready.case)
        every = _with_quantities(ready, draws, made.data, np.random.default_rng(extra_seed))
        effective = _least_effective(every)
        if effective >= ranked or thin >= THIN * LONGEST:
            break
        thin *= 2
    kept = every.isel(sample=slice(thin - 1, None, thin))
    rng = np.random.default_rng(extra_seed.spawn(1)[0])
    truth = _with_quantities(ready, made.truth.expand_dims("sample"), made.data, rng)
    return {
        "ranks": _ranks(ready.case.model, kept, truth[list(kept.data_vars)]),
        "divergences": int(tree["sample_stats"]["diverging"].sum()),
        "least_effective_draws": round(effective, 1),
        "thinned_by": thin,
        "redrawn": made.redrawn,
    }


def _sampled(
    sampler: Any, case: Case, *, thin: int, ranked: int, seed: np.random.SeedSequence
) -> xr.DataTree:
    return sampling.every_draw(
        sampler,
        draws=thin * ranked,
        tune=TUNE,
        chains=1,
        cores=1,
        seed=int(seed.generate_state(1)[0]),
        target_accept=case.target_accept,
        progress_bar=False,
    )


def _samples(posterior: xr.Dataset, case: Case) -> xr.Dataset:
    """Return the draws of what is ranked as one sample dimension; other deterministics stay for the quantities."""
    flat = posterior.isel(chain=0, drop=True).rename(draw="sample").reset_coords(drop=True)
    return flat.drop_vars([name for name in flat.coords if name in flat.dims])


def _with_quantities(
    ready: Compiled, draws: xr.Dataset, data: Mapping[str, np.ndarray], rng: np.random.Generator
) -> xr.Dataset:
    """Return what is ranked: variables, quantities and the log likelihood of the data, dims (sample, ...)."""
    case = ready.case
    names = [v.name for v in case.model.free_RVs] + list(case.also)
    found = case.quantities(draws, rng) | {"log_likelihood": ready.log_likelihood(draws, data)}
    return draws[names].assign({name: ("sample", values) for name, values in found.items()})


def _least_effective(draws: xr.Dataset) -> float:
    from arviz_stats import ess

    found = ess(draws.rename(sample="draw").expand_dims("chain"), method="bulk")
    return float(min(float(values.min(skipna=False)) for values in found.data_vars.values()))


def _ranks(model: pm.Model, draws: xr.Dataset, truth: xr.Dataset) -> dict[str, int]:
    """Rank the truth among the draws with simuk; one entry per element."""
    ranker = simuk.SBC(model, num_simulations=1, progress_bar=False)
    ranker.var_names = [str(name) for name in draws.data_vars]
    ranker.ref_params, ranker.posteriors = truth, [draws]
    ranks = ranker.compute_rank_statistics()["prior_sbc"].to_dataset()
    found = {}
    for name in draws.data_vars:
        values = np.asarray(ranks[name]).reshape(draws[name].shape[1:])
        for place in np.ndindex(values.shape):
            found[_label(model, str(name), place)] = int(values[place])
    return found


def _label(model: pm.Model, name: str, place: tuple[int, ...]) -> str:
    if not place:
        return name
    dims = model.named_vars_to_dims.get(name) or [None] * len(place)
    labels = [
        str(model.coords[d][i]) if d is not None and model.coords.get(d) is not None else str(i)
        for d, i in zip(dims, place, strict=True)
    ]
    return f"{name}[{', '.join(labels)}]"


def _log_likelihood(model: pm.Model) -> Callable[[xr.Dataset, Mapping[str, np.ndarray]], np.ndarray]:
    """Compile, once, the log likelihood of all data of a model for many draws at a time."""
    given, logs = vectorised_densities(model, model.observed_RVs)
    total = sum(log.reshape((log.shape[0], -1)).sum(axis=1) for log in logs)
    run = pytensor.function(given, total, mode=sampling.QUICK, on_unused_input="ignore")
    shared = {variable.name: variable for variable in run.get_shared()}

    def log_likelihood(draws: xr.Dataset, data: Mapping[str, np.ndarray]) -> np.ndarray:
        for name, value in data.items():
            if name in shared:
                shared[name].set_value(np.asarray(value, dtype=shared[name].dtype))
        inputs = [
            draws[rv.name].transpose("sample", ...).values.astype(rv.type.dtype) for rv in model.free_RVs
        ]
        return np.asarray(run(*inputs))

    return log_likelihood
