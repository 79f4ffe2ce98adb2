"""A care system on made-up fits, built once: 200 draws, 2025 to 2055, no sampler."""

from __future__ import annotations

import pytest

import cba
from cba.appraisal.workings import reachable_starts
from cba.models.parameters import joint_parameters, with_family_help
from cba.models.stays import stay_length
from cba.projection.business_as_usual import business_as_usual, future_population, usual_rates
from cba.projection.care_system import care_system
from tests.made_fits import made_baseline, made_effects

YEARS = range(2025, 2056)


def made_system(observations, priors, *, draws=100, years=YEARS, **changes):
    """Business as usual and kernels as an appraisal would make them; `changes` restates parameters."""
    baseline, effects = made_baseline(observations, priors, draws=draws), made_effects(draws=draws)
    parameters = joint_parameters(
        priors, baseline=baseline, effects=effects, observations=observations, seed=1
    )
    for name, value in changes.items():
        parameters[name.replace("__", ".")][:] = value
    parameters = with_family_help(parameters, reachable_starts(baseline))
    growth = parameters["baseline.population_growth"]
    people = future_population(observations, years=years, growth=growth)
    rates = usual_rates(baseline, years=years, population=people, parameters=parameters, seed=2)
    usual = business_as_usual(baseline, rates, people)
    return care_system(
        observations,
        usual,
        parameters,
        stays=stay_length(observations),
        reachable_starts=reachable_starts(baseline),
        uasc_starts=float(baseline["constant_data"]["uasc_starts"]),
    )


@pytest.fixture(scope="session")
def observations():
    return cba.load_observations()


@pytest.fixture(scope="session")
def priors():
    return cba.load_priors()


@pytest.fixture(scope="session")
def system(observations, priors):
    return made_system(observations, priors)
