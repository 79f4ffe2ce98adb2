"""The business-as-usual model: its likelihood against plain loops, its prior, and recovery of known parameters."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import cba
from cba.errors import GateError, InputError
from cba.models import growth
from cba.models.baseline import KEPT, SERIES, FlowRates, build_baseline, flow_rates
from cba.models.sampling import Gates, sample_gated

QUICK = "FAST_COMPILE"  # no C or machine code: seconds saved where a function is called a few times


@pytest.fixture(scope="module")
def priors():
    return cba.load_priors()


@pytest.fixture(scope="module")
def rates():
    return flow_rates(cba.load_observations())


@pytest.fixture(scope="module")
def number():
    return growth.growth_series(cba.load_observations())


@pytest.fixture(scope="module")
def model(rates, number, priors):
    return build_baseline(rates, number, priors)


def free_draws(model, *, draws, seed):
    """Prior draws of the free variables and of the deterministic ones, by name."""
    variables = [*model.free_RVs, *model.deterministics]
    values = pm.draw(variables, draws=draws, random_seed=seed, mode=QUICK)
    return {variable.name: value for variable, value in zip(variables, values, strict=True)}


def test_builds_without_sampling_and_has_a_finite_density(model, priors):
    of_growth = {"growth", "unaccompanied", "growth_split"}  # tests/models/test_growth.py
    assert {rv.name for rv in model.observed_RVs} == {"walk_change", "early_total_change"} | of_growth
    logp = model.compile_fn(model.logp(sum=False), inputs=model.value_vars, point_fn=True, mode=QUICK)
    assert all(np.isfinite(term).all() for term in logp(model.initial_point()))
    held = {rv.name for rv in model.free_RVs} | {rv.name for rv in model.deterministics}
    assert set(KEPT) - held == {"growth_persistence"}  # fixed, as shipped


def mixture_logpdf(x, *, sd, weight, ratio):
    return np.logaddexp(
        np.log1p(-weight) + stats.norm.logpdf(x, 0.0, sd),
        np.log(weight) + stats.norm.logpdf(x, 0.0, ratio * sd),
    )


def likelihood_by_loops(rates, point, *, ratio):
    """The formulas of the module's docstring, one cell at a time."""
    level = rates.values - rates.noise * point["counting_noise"]
    weight, total = float(point["shock_probability"]), 0.0
    shared = float(point["common_correlation"])
    exits = shared * point["common_factor"][0] + np.sqrt(1 - shared**2) * point["common_factor"][1]
    for t in range(1, rates.years.size):
        for i, name in enumerate(SERIES):
            common = 0.0
            if name.startswith("log_start_rate"):
                common = point["start_common_loading"][i] * point["common_factor"][0, t - 1]
            elif name.startswith("logit_exit"):
                common = point["exit_common_loading"][i - 5] * exits[t - 1]
            own = level[i, t] - level[i, t - 1] - common
            total += mixture_logpdf(own, sd=point["innovation_sd"][i], weight=weight, ratio=ratio)
    starts = np.exp(rates.values[:5, 0])
    share = starts / starts.sum()
    spread = np.sqrt(
        (share @ point["start_common_loading"]) ** 2 + ((share * point["innovation_sd"][:5]) ** 2).sum()
    )
    for change in rates.total_start_changes:
        total += mixture_logpdf(change, sd=spread, weight=weight, ratio=ratio)
    return total


def test_likelihood_equals_plain_loops(model, rates, priors):
    """Every index of the model (series, year, factor, noise of both ends) is checked at once."""
    draws = free_draws(model, draws=3, seed=4)
    inputs, of_rates = [*model.free_RVs], ("walk_change", "early_total_change")
    likelihood = model.compile_fn(
        sum(term.sum() for term in model.logp([model[name] for name in of_rates], sum=False)),
        inputs=model.value_vars,
        point_fn=True,
        mode=QUICK,
        on_unused_input="ignore",
    )
    for draw in range(3):
        point = {}
        for rv in inputs:
            transform, value = model.rvs_to_transforms[rv], draws[rv.name][draw]
            forward = (
                value if transform is None else transform.forward(value, *rv.owner.inputs).eval(mode=QUICK)
            )
            point[model.rvs_to_values[rv].name] = np.asarray(forward)
        exact = likelihood_by_loops(
            rates,
            {name: value[draw] for name, value in draws.items()},
            ratio=priors["baseline.shock_ratio"].median,
        )
        assert float(likelihood(point)) == pytest.approx(exact, rel=1e-8)


def test_last_level_is_the_last_rate_less_its_counting_noise(model, rates):
    draws = free_draws(model, draws=5, seed=6)
    expected = rates.values[:, -1] - rates.noise[:, -1] * draws["counting_noise"][..., -1]
    np.testing.assert_allclose(draws["last_level"], expected, rtol=1e-10)
    ageing = [SERIES.index(name) for name in SERIES if name.startswith("logit_ageing")]
    assert len(ageing) == 3
    assert (np.ptp(draws["innovation_sd"][:, ageing], axis=1) == 0).all()


def test_prior_predictive_changes_cover_history(model, rates):
    """History's spread of yearly changes is neither ruled out by the prior nor a corner of it."""
    walk = changes = pm.draw(model["walk_change"], draws=400, random_seed=8, mode=QUICK)
    observed = np.diff(rates.values, axis=1)
    rank = (changes.std(axis=2) < observed.std(axis=1)).mean(axis=0)
    assert (rank > 0.005).all() and (rank < 0.995).all(), dict(zip(SERIES, rank.round(3), strict=True))
    assert 0.1 < rank.mean() < 0.9
    # A doubling or halving of a start rate in one year has not been seen since ages are published.
    assert (np.abs(walk[:, :5]) > np.log(2)).mean() < 0.002


def test_a_release_without_early_totals_builds_too(rates, number, priors):
    from dataclasses import replace

    short = replace(rates, total_start_changes=np.empty(0))
    assert "early_total_change" not in build_baseline(short, number, priors).named_vars


def test_too_little_history_stops_before_sampling(priors):
    observations = cba.load_observations()
    with pytest.raises(InputError, match="too little history"):
        cba.fit_baseline(observations.sel(year=slice(2021, None)), priors)


# --- sampled --------------------------------------------------------------------------------------------


def simulated_rates(truth, rates, *, years, seed, ratio):
    """Rates of a made-up past that follows the process exactly, with counting noise like the last year's."""
    rng = np.random.default_rng(seed)

    def change(sd, size):
        shocked = rng.random(size) < truth["shock_probability"]
        return rng.standard_normal(size) * sd * np.where(shocked, ratio, 1.0)

    noise = np.repeat(rates.noise[:, -1:], years, axis=1)
    level = np.empty((len(SERIES), years))
    level[:, 0] = rates.values[:, -1]
    for t in range(1, years):
        factor = rng.standard_normal(2)
        step = change(truth["innovation_sd"], len(SERIES))
        step[:5] += truth["start_common_loading"] * factor[0]
        shared = truth["common_correlation"]
        step[5:10] += truth["exit_common_loading"] * (shared * factor[0] + np.sqrt(1 - shared**2) * factor[1])
        level[:, t] = level[:, t - 1] + step
    values = level + noise * rng.standard_normal(level.shape)
    made = FlowRates(
        values=values,
        noise=noise,
        years=np.arange(2025 - years, 2025),
        uasc_starts=np.full(years, rates.uasc_starts[-1]),
        uasc_share=rates.uasc_share,
        population=rates.population,
        total_start_changes=np.empty(0),
    )
    return made, level[:, -1]


def ranks(fit, truth):
    """Share of posterior draws below the truth, one per distinct scalar parameter."""
    posterior = fit["posterior"].to_dataset()
    found = []
    for name, value in truth.items():
        draws = posterior[name].values.reshape(-1, *np.shape(value))
        below = np.atleast_1d((draws < value).mean(axis=0))
        if name == "innovation_sd":  # the three ageing rates share one
            below = np.delete(below, [11, 12])
        found.append(below)
    return np.concatenate(found)


@pytest.mark.slow
def test_recovers_the_parameters_it_was_simulated_from(model, rates, number, priors):
    """Truth drawn from the prior: 90% intervals cover nine in ten, and no transition diverges.

    A past of 25 years, 4 x 500 draws, 40 intervals: were they independent, fewer than 29 would cover in one set of
    1,500. The ranks of the truths are as spread as a uniform's.
    """
    names = tuple(name for name in KEPT if name not in ("last_level", "common_factor", *growth.MOVEMENTS))
    truth = {name: value[0] for name, value in free_draws(model, draws=2, seed=11).items() if name in names}
    ratio = priors["baseline.shock_ratio"].median
    made, last = simulated_rates(truth, rates, years=25, seed=20, ratio=ratio)
    fit = sample_gated(
        build_baseline(made, number, priors),
        draws=500,
        tune=700,
        chains=4,
        seed=5,
        gates=Gates(rhat=1.05, ess=100),
        keep=[name for name in KEPT if name in model.named_vars],
    )
    assert float(fit["convergence"]["found"].sel(check="divergences")) == 0
    rank = ranks(fit, {**truth, "last_level": last})
    covered = (rank > 0.05) & (rank < 0.95)
    assert rank.size == 13 + 10 + 2 + 15
    assert covered.sum() >= 29, covered.sum()
    assert abs(rank.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 25)  # at least 25 as good as independent
    assert np.quantile(np.abs(rank - 0.5), 0.9) > 0.3  # intervals are not needlessly wide
    prior = free_draws(model, draws=300, seed=1)["innovation_sd"]
    spread = np.log(fit["posterior"]["innovation_sd"].values).std(axis=(0, 1)).mean()
    assert spread < 0.9 * np.log(prior).std(axis=0).mean()  # 24 changes teach something


@pytest.mark.slow
def test_fit_hands_on_what_the_projection_needs(priors):
    observations = cba.load_observations(2021)
    fit = cba.fit_baseline(
        observations, priors, draws=150, tune=500, chains=2, seed=1, gates=Gates(rhat=1.2, ess=20)
    )
    assert set(fit["posterior"].data_vars) == set(KEPT) - {"growth_persistence"}
    assert fit["posterior"].sizes["draw"] == 150 and fit["posterior"].sizes["chain"] == 2
    constant = fit["constant_data"].to_dataset()
    assert int(constant["last_year"]) == 2021
    np.testing.assert_array_equal(constant["stock"], observations["stock_by_age"].sel(year=2021))
    last = constant["observed_rates"].isel(year=-1)
    noise = flow_rates(observations).noise[:, -1]
    assert (np.abs(fit["posterior"]["last_level"].mean(("chain", "draw")) - last) < 2 * noise).all()


@pytest.mark.slow
def test_draws_that_have_not_converged_never_leave():
    """A real sampler this time: a demand no fit could meet, on a model of one parameter."""
    with pm.Model() as one:
        pm.Normal("level")
    with pytest.raises(GateError, match="baseline model has not converged") as caught:
        sample_gated(one, draws=50, tune=100, chains=2, seed=1, gates=Gates(ess=1e9))
    assert caught.value.exit_code == 3
    assert "effective draws, bulk: found" in str(caught.value) and "required 1e+09 (level)" in str(
        caught.value
    )
