"""Registry entries as model variables: the same distribution, or a refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest

import cba
from cba.errors import InputError
from cba.inputs.distributions import distribution
from cba.inputs.priors import PriorRegistry
from cba.models.effects import build_effects
from cba.models.effects_areas import care_facts
from cba.models.sampling import normal_settings, prior_term
from cba.models.studies import studies_used
from cba.models.unit_costs import unit_cost_draws

FAMILIES = {
    "Normal": {"mu": 0.3, "sigma": 2.0},
    "LogNormal": {"mu": -0.5, "sigma": 0.4},
    "HalfNormal": {"sigma": 0.7},
    "Gamma": {"alpha": 2.0, "beta": 2.5},
    "Beta": {"alpha": 2.0, "beta": 28.0},
}


@pytest.fixture(scope="module")
def priors():
    return cba.load_priors()


def with_family(priors, entry, family, settings):
    """The registry with one entry restated."""
    restated = replace(priors[entry], fitted=distribution(family, parameters=settings))
    return PriorRegistry(priors.stance, {**priors.entries, entry: restated}, priors.evidence_designs)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_model_variable_has_the_quantiles_of_the_entry(priors, family):
    """PyMC and the registry parametrise alike: their distribution functions agree at five points."""
    entry = "baseline.shock_probability"
    changed = with_family(priors, entry, family, FAMILIES[family])
    with pm.Model():
        term = prior_term(changed, entry, name="term")
    points = changed[entry].fitted.ppf([0.05, 0.25, 0.5, 0.75, 0.95])
    found = np.exp(pm.logcdf(term, points).eval(mode="FAST_COMPILE"))
    np.testing.assert_allclose(found, [0.05, 0.25, 0.5, 0.75, 0.95], rtol=1e-6)


def test_dims_give_independent_priors(priors):
    with pm.Model(coords={"age": range(5)}):
        term = prior_term(priors, "baseline.start_innovation_sd", dims="age")
    draws = pm.draw(term, draws=4000, random_seed=0, mode="FAST_COMPILE")
    assert draws.shape == (4000, 5)
    correlation = np.corrcoef(np.log(draws).T)[np.triu_indices(5, 1)]
    assert np.abs(correlation).max() < 4 / np.sqrt(4000)


def test_another_family_is_refused(priors):
    changed = with_family(
        priors,
        "baseline.shock_probability",
        "BetaScaled",
        {"alpha": 1.0, "beta": 1.0, "lower": 0.0, "upper": 1.0},
    )
    with pm.Model(), pytest.raises(InputError, match="cannot use this family") as caught:
        prior_term(changed, "baseline.shock_probability")
    message = str(caught.value)
    assert "baseline.shock_probability" in message and "BetaScaled" in message and "HalfNormal" in message


@pytest.mark.parametrize(
    "entry",
    ["effects.bias_rct", "effects.mean_permanence", "unit_costs.real_growth", "unit_costs.yearly_change"],
)
def test_a_log_normal_is_not_taken_for_a_normal(priors, entry):
    """Both have a mu and a sigma; read as a normal, a log-normal would be another number without a word."""
    changed = with_family(priors, entry, "LogNormal", {"mu": -3.0, "sigma": 0.5})
    with pytest.raises(InputError, match="must be normal") as caught:
        if entry.startswith("effects."):
            facts = care_facts(cba.load_observations())
            build_effects(studies_used(cba.load_evidence(), changed), changed, facts=facts)
        else:
            known = cba.load_observations()
            unit_cost_draws(known, priors=changed, draws=10, seed=0)
    assert entry in str(caught.value) and "LogNormal" in str(caught.value)


def test_normal_settings_are_those_written(priors):
    assert normal_settings(priors, "effects.bias_before_after") == (0.45, 0.45)
