"""Every uncertain input, moved alone, moves an output: no entry of the registry does nothing (C14-12)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from cba.appraisal.headline import headline_results
from cba.appraisal.stages import worked_options
from cba.costs.prices import cash_index
from cba.inputs.priors import load_priors
from cba.models.baseline import build_baseline
from cba.models.effects import build_effects, studies_used
from cba.models.flow_rates import flow_rates
from tests.appraisal.made_workings import made_draws, made_fits, made_inputs

DRAWS, LONG = 16, 12
OPTIONS = ("bau", "care_review", "care_review_reinvest", "placement_reform")

THROUGH_THE_FITS = ("baseline.", "effects.mean", "effects.bias", "effects.heterogeneity")
"""Entries that act in a model, before there are draws of them."""

NOT_DRAWN_INTO_A_FIT = {"baseline.population_growth"}
"""Entries of those groups that enter the projection straight from their draws."""

INERT: Mapping[str, str] = {
    "unit_costs.real_growth": "a prior combined with the published series before any draw: tested below",
    "baseline.population_growth": "`latest` has an official projection of every year: tested where there is none",
    "baseline.uasc_leave_share": "only for releases that do not publish unaccompanied starts: tested below",
}
"""Entries that move nothing in this analysis, and why."""


def names(*, through: bool) -> list[str]:
    entries = sorted(load_priors().entries)
    inside = [n for n in entries if n.startswith(THROUGH_THE_FITS) and n not in NOT_DRAWN_INTO_A_FIT]
    return inside if through else [n for n in entries if n not in inside]


def everything(workings) -> np.ndarray:
    """All numbers of an appraisal that a reader can see, in one array."""
    arrays = workings.arrays
    parts = [getattr(arrays, f.name) for f in dataclasses.fields(arrays) if f.name != "bau_parts"]
    cash = cash_index(workings.years, price_base=workings.basis.price_base, prices=workings.basis.index)
    headline = [entry["mean"] for entry in headline_results(workings).values()]
    found = [np.ravel(part.values) for part in parts] + [
        np.ravel(cash.values),
        np.array(headline, dtype=float),
    ]
    return np.concatenate(found)


@pytest.fixture(scope="module")
def inputs():
    made = made_inputs("latest", DRAWS, LONG)
    wide = [  # one option whose allowances reach every kinship carer
        o.model_copy(update={"effects": o.effects.model_copy(update={"allowance_scope": "all_kinship"})})
        if o.id == "care_review_reinvest"
        else o
        for o in made.options
        if o.id in OPTIONS
    ]
    return dataclasses.replace(made, options=tuple(wide))


@pytest.fixture(scope="module")
def worked(inputs):
    baseline, effects = made_fits("latest", DRAWS, LONG)

    def run(drawn):
        return everything(worked_options(inputs, drawn, baseline=baseline, effects=effects))

    return run


@pytest.fixture(scope="module")
def before(worked):
    return worked(made_draws("latest", DRAWS, LONG))


JOINED = "effects.attenuation"
"""Acts where effects are joined to the draws, which is tested on its own."""


@pytest.mark.parametrize("name", [n for n in names(through=False) if n not in INERT and n != JOINED])
def test_moving_one_input_moves_an_output(name, worked, before):
    drawn = made_draws("latest", DRAWS, LONG)
    after = worked(drawn.assign({name: drawn[name] * 0.99}))
    assert not np.array_equal(after, before, equal_nan=True), f"{name} moves nothing"


def test_attenuation_moves_every_effect():
    from cba.models.parameters import ROLL_OUT, joint_parameters

    made = made_inputs("latest", DRAWS, LONG)
    baseline, effects = made_fits("latest", DRAWS, LONG)
    joint = joint_parameters(
        made.priors,
        baseline=baseline,
        effects=effects,
        observations=made.observations,
        seed=made.analysis.seed,
    )
    kept = 1.0 - joint[JOINED].values
    setting = effects["posterior"]["new_setting"].values.reshape(DRAWS, -1)
    for position, name in enumerate(ROLL_OUT.values()):
        np.testing.assert_allclose(joint[name].values, setting[:, position] * kept, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(INERT))
def test_an_input_declared_inert_exists_and_is_inert_here(name, worked, before):
    """A declaration that no longer holds is itself an error."""
    drawn = made_draws("latest", DRAWS, LONG)
    assert name in load_priors().entries
    if name in drawn:
        after = worked(drawn.assign({name: drawn[name] * 0.99}))
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    "name", ["kinship.log_risk_ratio", "family_help.log_risk_ratio", "foster.substitution"]
)
def test_every_roll_out_effect_moves_an_output(name, worked, before):
    drawn = made_draws("latest", DRAWS, LONG)
    after = worked(drawn.assign({name: drawn[name] * 0.99}))
    assert not np.array_equal(after, before, equal_nan=True)


# --- entries that act through the fits ------------------------------------------------------------------


class Asked(dict):
    """Entries that note which of them were asked for."""

    def __init__(self, entries):
        super().__init__(entries)
        self.names = set()

    def __getitem__(self, name):
        self.names.add(name)
        return super().__getitem__(name)


@pytest.fixture(scope="module")
def asked():
    """Entries the two models ask for when they are built on the newest release, or an old one."""
    priors = load_priors()
    noted = Asked(priors.entries)
    watched = dataclasses.replace(priors, entries=noted)
    made = made_inputs()
    rates = flow_rates(made.observations, uasc_leave_share=float(watched["baseline.uasc_leave_share"].median))
    build_baseline(rates, watched)
    build_effects(studies_used(made.evidence, watched), watched)
    return noted.names


@pytest.mark.parametrize("name", names(through=True))
def test_a_model_asks_for_every_entry_that_acts_through_a_fit(name, asked):
    assert name in asked, f"{name} is read by no model"


def test_leave_share_moves_the_starts_of_releases_without_unaccompanied_starts():
    from cba.inputs.observations import load_observations

    old = load_observations(2021)
    rates = [flow_rates(old, uasc_leave_share=share).values for share in (0.55, 0.50)]
    assert not np.array_equal(*rates)


def test_population_growth_moves_years_without_a_projection():
    from cba.inputs.observations import load_observations
    from cba.projection.future_population import future_population

    old = load_observations(2019)
    growth = made_draws("latest", DRAWS, LONG)["baseline.population_growth"]
    people = [
        future_population(old, years=range(2020, 2070), growth=growth + shift) for shift in (0.0, 0.001)
    ]
    assert not np.array_equal(*people)


def test_prior_growth_moves_the_estimate_of_recent_growth():
    from cba.models.growth import growth_posterior

    changes = np.array([0.03, 0.05, 0.04, 0.08])
    means = [growth_posterior(changes, prior_mean=mu, prior_sd=0.04)[0] for mu in (0.02, 0.03)]
    assert means[1] > means[0]
