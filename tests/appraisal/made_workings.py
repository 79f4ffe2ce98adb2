"""A whole appraisal worked out from made fits, once per setting: no sampler, every option of `latest`."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from cba.appraisal.inputs import Inputs, read_inputs
from cba.appraisal.workings import Workings, worked_options
from cba.inputs.analyses import load_analysis
from cba.inputs.options import Option, load_options
from cba.models.parameters import joint_parameters
from tests.made_fits import as_made_for, made_baseline, made_effects

DRAWS = 100


@cache
def made_inputs(name: str = "latest", draws: int = DRAWS, long_horizon: int = 14) -> Inputs:
    """Inputs of a shipped analysis with few draws, two chains and a short projection."""
    changes: dict[str, Any] = {"draws": draws, "chains": 2, "long_horizon": long_horizon}
    return read_inputs(load_analysis(name).model_copy(update=changes), stance="evidence")


@cache
def made_fits(
    name: str = "latest", draws: int = DRAWS, long_horizon: int = 14
) -> tuple[xr.DataTree, xr.DataTree]:
    inputs = made_inputs(name, draws, long_horizon)
    baseline = made_baseline(inputs.observations, inputs.priors, draws=draws // 2)
    return as_made_for(inputs, baseline, made_effects(draws=draws // 2))


@cache
def made_draws(name: str = "latest", draws: int = DRAWS, long_horizon: int = 14) -> xr.Dataset:
    """Joint draws of every parameter, money in its own price years. Copy before changing."""
    inputs = made_inputs(name, draws, long_horizon)
    baseline, effects = made_fits(name, draws, long_horizon)
    return joint_parameters(
        inputs.priors,
        baseline=baseline,
        effects=effects,
        observations=inputs.observations,
        seed=inputs.analysis.seed,
    )


@cache
def made_workings(name: str = "latest", draws: int = DRAWS, long_horizon: int = 14) -> Workings:
    return worked(made_inputs(name, draws, long_horizon), made_draws(name, draws, long_horizon))


def worked(inputs: Inputs, drawn: xr.Dataset) -> Workings:
    """Work out inputs of a made analysis on given draws."""
    analysis = inputs.analysis
    baseline, effects = made_fits(analysis.name, analysis.draws, analysis.long_horizon)
    return worked_options(inputs, drawn, baseline=baseline, effects=effects)


def changed(drawn: xr.Dataset, **factors: float) -> xr.Dataset:
    """Draws with some entries (dots written as two underscores) multiplied."""
    names = {name.replace("__", "."): factor for name, factor in factors.items()}
    return drawn.assign({name: drawn[name] * factor for name, factor in names.items()})


def option(name: str, **changes: Any) -> Option:
    """A shipped option with some fields replaced, unchecked."""
    return load_options([name])[0].model_copy(update=changes)


def line_sum(lines) -> np.ndarray:
    return sum(line.amount for line in lines)
