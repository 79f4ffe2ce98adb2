"""Fits made without the sampler: posteriors of the right shape around the published rates, for tests of later rooms.

Their spread is plausible and stated here, so tests that need no real posterior run in seconds.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from cba.appraisal.inputs import Inputs, sources_of_fits
from cba.dimensions import AGE_BANDS
from cba.inputs.priors import PriorRegistry, load_priors
from cba.models.baseline import SERIES, flow_rates, projection_start
from cba.models.effects_areas import FITTED_ENTRIES, by_estimand_of
from cba.models.studies import CLASS_ESTIMAND, CLASSES, ESTIMANDS

PASSED = xr.Dataset(
    {
        "found": ("check", [1.0]),
        "required": ("check", [1.01]),
        "where": ("check", ["made"]),
        "passed": ("check", [True]),
    },
    coords={"check": ["R-hat"]},
)


def as_made_for(
    inputs: Inputs, baseline: xr.DataTree, effects: xr.DataTree
) -> tuple[xr.DataTree, xr.DataTree]:
    """Let made fits say that they were made from what an analysis makes its fits from."""
    parts = sources_of_fits(inputs)
    baseline.attrs, effects.attrs = dict(parts["baseline"]), dict(parts["effects"])
    return baseline, effects


def made_baseline(
    observations: xr.Dataset, priors: PriorRegistry, *, draws: int = 50, chains: int = 2, seed: int = 0
) -> xr.DataTree:
    """Make a baseline fit whose levels scatter around the last published rates."""
    rates = flow_rates(observations, uasc_leave_share=float(priors["baseline.uasc_leave_share"].median))
    rng = np.random.default_rng(seed)
    shape = (chains, draws)
    dims = ("chain", "draw")
    last = rates.values[:, -1] + rates.noise[:, -1] * rng.standard_normal((*shape, len(SERIES)))
    posterior = xr.Dataset(
        {
            "last_level": ((*dims, "series"), last),
            "innovation_sd": ((*dims, "series"), rng.uniform(0.02, 0.06, (*shape, len(SERIES)))),
            "start_common_loading": ((*dims, "age"), rng.uniform(0.02, 0.05, (*shape, 5))),
            "exit_common_loading": ((*dims, "age"), rng.uniform(0.01, 0.1, (*shape, 5))),
            "common_correlation": (dims, rng.uniform(0.4, 0.8, shape)),
            "shock_probability": (dims, rng.uniform(0.02, 0.08, shape)),
            "growth_mean": (dims, rng.normal(0.008, 0.007, shape)),
            "growth_innovation_sd": (dims, rng.uniform(0.014, 0.022, shape)),
            "growth_through_starts": (dims, rng.uniform(0.2, 0.8, shape)),
            "growth_split_sd": (dims, rng.uniform(0.014, 0.022, shape)),
            "uasc_half_life": (dims, rng.uniform(2.5, 8.0, shape)),
            "uasc_long_run_stock": (dims, rng.uniform(3500, 7000, shape)),
            "uasc_innovation_sd": (dims, rng.uniform(0.15, 0.25, shape)),
        },
        coords={"series": list(SERIES), "age": list(AGE_BANDS)},
    )
    constants = projection_start(observations, priors, rates)
    return xr.DataTree.from_dict({"posterior": posterior, "constant_data": constants, "convergence": PASSED})


def made_effects(*, draws: int = 50, chains: int = 2, seed: int = 1) -> xr.DataTree:
    """Make an effects fit: small benefits on average, adverse in part of the draws; reach as before any study."""
    rng = np.random.default_rng(seed)
    centre = np.array([-0.1, -0.1, 0.08, 0.07])
    spread = np.array([0.15, 0.2, 0.04, 0.2])
    dims = ("chain", "draw", "estimand")
    by_class = ("chain", "draw", "service_class")
    drawn = {entry: load_priors().sample(chains * draws, seed)[entry].values for entry in FITTED_ENTRIES}
    mean = centre + 0.5 * spread * rng.standard_normal((chains, draws, len(ESTIMANDS)))
    heterogeneity = np.abs(spread * rng.standard_normal(mean.shape))
    apart = rng.standard_normal((2, chains, draws, len(CLASSES)))
    common = rng.standard_normal((2, chains, draws, len(ESTIMANDS)))[..., CLASS_ESTIMAND]
    noise = spread[CLASS_ESTIMAND] * (0.9 * common + 0.44 * apart)  # classes of one estimand move together
    setting = centre[CLASS_ESTIMAND] + noise[0]
    over = [
        by_estimand_of(effects.reshape(-1, len(CLASSES)), drawn)
        for effects in (setting, setting + 0.5 * noise[1])
    ]
    posterior = {
        "mean": (dims, mean),
        "raw_mean": (dims, 2.0 * mean),
        "precision_mean": (dims, 0.7 * mean),
        "selection_mean": (dims, 0.8 * mean),
        "heterogeneity": (dims, heterogeneity),
        "class_mean": (by_class, mean[..., CLASS_ESTIMAND]),
        "class_setting": (by_class, setting),
        "new_setting": (dims, over[0].reshape(mean.shape)),
        "new_authority": (dims, over[1].reshape(mean.shape)),
    }
    # children leave care sooner, a little, in every draw: what is dearer then never saves
    drawn["family_help.log_odds_of_leaving"] = rng.uniform(0.0, 0.01, chains * draws)
    for entry, values in drawn.items():
        posterior[entry.rsplit(".", 1)[-1]] = (("chain", "draw"), values.reshape(chains, draws))
    areas = {"area_coverage": 0.3, "area_reach": 0.4, "area_effect": 0.1, "area_change": -0.012}
    noise = rng.uniform(0.5, 1.5, (len(areas), chains, draws, 1))
    for number, (name, value) in enumerate(areas.items()):
        posterior[name] = (("chain", "draw", "area"), value * noise[number])
    prior = {
        name: (("chain", "draw", "area"), value * rng.uniform(0, 2, (chains, draws, 1)))
        for name, value in areas.items()
    }
    coords = {"estimand": list(ESTIMANDS), "service_class": list(CLASSES), "area": ["AREA_STUDY"]}
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(posterior, coords=coords),
            "prior": xr.Dataset(prior, coords={"area": ["AREA_STUDY"]}),
            "convergence": PASSED,
        }
    )
