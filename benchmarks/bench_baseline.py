"""Time to build, compile and sample business as usual on the newest release, 4 chains of 1,000 kept draws.

Target: compile and sample in 15 s, without a divergence, effective draws above 400. Twice the draws are sampled,
judged by the gates and thinned. Compiling is most of it, and is paid once per model. The gates hold in every round,
or the benchmark fails; their figures are printed with the times (``extra_info`` in the saved JSON).
"""

from __future__ import annotations

import nutpie
import pytest

import cba
from cba.models.baseline import build_baseline, flow_rates
from cba.models.effects import build_effects
from cba.models.effects_areas import care_facts
from cba.models.growth import growth_series
from cba.models.studies import studies_used
from cba.projection.business_as_usual import business_as_usual, future_population, usual_rates

SETTINGS = {"draws": 1000, "tune": 1000, "chains": 4}


@pytest.fixture(scope="module")
def inputs():
    return cba.load_observations(), cba.load_priors()


@pytest.fixture(scope="module")
def fit(inputs):
    return cba.fit_baseline(*inputs, **SETTINGS)


def convergence(fit):
    table = fit["convergence"].to_dataset()
    return {str(check): float(table["found"].sel(check=check)) for check in table["check"].values}


def bench_build_baseline(benchmark, inputs):
    observations, priors = inputs
    benchmark.pedantic(
        lambda: build_baseline(flow_rates(observations), growth_series(observations), priors), rounds=3
    )


def bench_compile_baseline(benchmark, inputs):
    observations, priors = inputs
    model = build_baseline(flow_rates(observations), growth_series(observations), priors)
    benchmark.pedantic(nutpie.compile_pymc_model, args=(model,), rounds=2, warmup_rounds=1)


def bench_fit_baseline(benchmark, inputs):
    """Everything: rates, model, compilation, sampling, gates."""
    seeds = iter(range(1, 10))
    fit = benchmark.pedantic(
        lambda: cba.fit_baseline(*inputs, **SETTINGS, seed=next(seeds)), rounds=3, warmup_rounds=1
    )
    found = convergence(fit)
    benchmark.extra_info.update(found)
    assert found["divergences"] == 0 and found["effective draws, bulk"] > 400


def bench_fit_effects(benchmark, inputs):
    evidence, (_, priors) = cba.load_evidence(), inputs
    facts = care_facts(cba.load_observations())
    assert build_effects(studies_used(evidence, priors), priors, facts=facts)
    fit = benchmark.pedantic(lambda: cba.fit_effects(evidence, priors, **SETTINGS), rounds=2, warmup_rounds=1)
    benchmark.extra_info.update(convergence(fit))


def bench_business_as_usual(benchmark, inputs, fit):
    """Thirty years by age for 4,000 draws, from the fit: paths of rates, then the account."""
    observations, priors = inputs
    years = range(2025, 2056)
    drawn = priors.sample(4000, 1)
    people = future_population(observations, years=years, growth=drawn["baseline.population_growth"])
    how = {"years": years, "population": people, "parameters": drawn, "seed": 1}
    path = benchmark.pedantic(
        lambda: business_as_usual(fit, usual_rates(fit, **how), people), rounds=5, warmup_rounds=1
    )
    assert path["children"].shape == (4000, 31, 5)
