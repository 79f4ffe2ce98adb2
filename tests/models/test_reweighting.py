"""Re-weighting: the closed form where prior and likelihood are normal, gates that fail, and the refit as oracle."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from cba.inputs.distributions import distribution
from cba.inputs.priors import load_priors
from cba.models.sampling import smoothed_weights, systematic
from cba.runs.reweighting import log_ratios, moved_entries, reweighted

ENTRY = "family_help.age_tilt_under_1"
NAME = "age_tilt_under_1"
CHAINS, DRAWS = 4, 1_000
SEEN, NOISE = 0.3, 0.5


def with_normal(priors, mu: float, sigma: float, entry: str = ENTRY):
    """The registry with one entry a stated normal."""
    fitted = distribution("Normal", parameters={"mu": mu, "sigma": sigma})
    entries = {**priors.entries, entry: dataclasses.replace(priors[entry], fitted=fitted)}
    return dataclasses.replace(priors, entries=MappingProxyType(entries))


def posterior_of(mu: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of a normal mean after one normal observation, in closed form."""
    precision = 1 / sigma**2 + 1 / NOISE**2
    return (mu / sigma**2 + SEEN / NOISE**2) / precision, precision**-0.5


def made_fit(mu: float, sigma: float, *, seed: int = 0) -> xr.DataTree:
    """Independent draws of that posterior, in the form of a fit."""
    mean, sd = posterior_of(mu, sigma)
    draws = mean + sd * np.random.default_rng(seed).standard_normal((CHAINS, DRAWS))
    dims = ("chain", "draw")
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({NAME: (dims, draws), "other": (dims, draws + 1.0)}),
            "log_prior": xr.Dataset({"age_tilt": (dims, norm.logpdf(draws, mu, sigma))}),
            "constant_data": xr.Dataset({"year": 2024}),
        }
    )


@pytest.fixture(scope="module")
def priors():
    return load_priors()


@pytest.mark.parametrize(("mu", "sigma"), [(0.1, 0.4), (-0.1, 0.3), (0.0, 0.5)])
def test_it_finds_the_posterior_of_the_new_prior(priors, mu, sigma):
    old, new = with_normal(priors, 0.0, 0.4), with_normal(priors, mu, sigma)
    found = reweighted(made_fit(0.0, 0.4), old=old, new=new, entries=(ENTRY,), seed=1)
    assert found.fit is not None and found.moved == (ENTRY,) and found.pareto_k < 0.7
    draws = found.fit["posterior"][NAME].values.ravel()
    mean, sd = posterior_of(mu, sigma)
    assert draws.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(found.ess))
    assert draws.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * found.ess))


def test_draws_stay_paired_and_carry_the_new_prior(priors):
    old, new = with_normal(priors, 0.0, 0.4), with_normal(priors, 0.1, 0.4)
    fit = reweighted(made_fit(0.0, 0.4), old=old, new=new, entries=(ENTRY,), seed=1).fit
    values = fit["posterior"][NAME].values
    assert np.array_equal(fit["posterior"]["other"].values, values + 1.0)
    assert fit["log_prior"]["age_tilt"].values == pytest.approx(norm.logpdf(values, 0.1, 0.4))
    assert fit["posterior"].sizes["chain"] == CHAINS and int(fit["constant_data"]["year"]) == 2024


def test_a_prior_far_from_the_draws_is_refused(priors):
    old, new = with_normal(priors, 0.0, 0.4), with_normal(priors, 3.0, 0.1)
    found = reweighted(made_fit(0.0, 0.4), old=old, new=new, entries=(ENTRY,), seed=1)
    assert found.fit is None and "effective draws" in found.reason and found.ess < 400


def test_a_wider_prior_with_heavy_weights_is_refused_on_pareto_k(priors):
    """Weights of a target far wider than the draws have a tail whose shape shows it."""
    fit = made_fit(0.0, 0.05)
    found = reweighted(
        fit,
        old=with_normal(priors, 0.0, 0.05),
        new=with_normal(priors, 0.0, 5.0),
        entries=(ENTRY,),
        seed=1,
        least_ess=1,
    )
    assert found.fit is None and found.pareto_k > 0.7


def test_words_need_no_weights(priors):
    entries = {**priors.entries, ENTRY: dataclasses.replace(priors[ENTRY], description="other words")}
    other = dataclasses.replace(priors, entries=MappingProxyType(entries))
    fit = made_fit(0.0, 0.4)
    found = reweighted(fit, old=priors, new=other, entries=(ENTRY,), seed=1)
    assert found.fit is fit and found.moved == () and found.pareto_k == -np.inf


@pytest.mark.parametrize(
    "entry", ["effects.attenuation", "family_help.cost_per_child", "baseline.population_growth"]
)
def test_entries_no_model_reads_need_no_weights(priors, entry):
    fit = made_fit(0.0, 0.4)
    found = reweighted(fit, old=priors, new=with_normal(priors, 0.0, 1.0, entry), entries=(entry,), seed=1)
    assert found.fit is fit and found.moved == (entry,)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("effects.bias_rct", "no variable of the fit on its own"),
        ("baseline.shock_probability", "no variable of this fit"),
        ("family_help.eligible_children", "the bounds"),
    ],
)
def test_what_cannot_be_weighted_says_why(priors, entry, why):
    found = reweighted(
        made_fit(0.0, 0.4), old=priors, new=with_bounds(priors, entry), entries=(entry,), seed=1
    )
    assert found.fit is None and why in found.reason and entry in found.reason


def with_bounds(priors, entry):
    """The registry with one number of an entry moved: its upper bound where it has one."""
    fitted = priors[entry].fitted
    key = "upper" if "upper" in fitted.parameters else next(iter(fitted.parameters))
    moved = dataclasses.replace(
        fitted, parameters={**fitted.parameters, key: fitted.parameters[key] * 1.1 + 0.01}
    )
    entries = {**priors.entries, entry: dataclasses.replace(priors[entry], fitted=moved)}
    return dataclasses.replace(priors, entries=MappingProxyType(entries))


def test_an_entry_of_one_side_only_has_moved(priors):
    fewer = dataclasses.replace(
        priors, entries=MappingProxyType({k: v for k, v in priors.entries.items() if k != ENTRY})
    )
    assert moved_entries(fewer, priors, entries=(ENTRY,)) == (ENTRY,)
    found = reweighted(made_fit(0.0, 0.4), old=fewer, new=priors, entries=(ENTRY,), seed=1)
    assert found.fit is None and "one set of priors only" in found.reason


def test_the_ratio_is_that_of_the_densities(priors):
    fit = made_fit(0.0, 0.4)
    old, new = with_normal(priors, 0.0, 0.4), with_normal(priors, 0.2, 0.3)
    x = fit["posterior"][NAME].values.ravel()
    expected = norm.logpdf(x, 0.2, 0.3) - norm.logpdf(x, 0.0, 0.4)
    assert log_ratios(fit, ENTRY, old=old, new=new)[ENTRY] == pytest.approx(expected)


def test_systematic_resampling_gives_each_draw_its_share():
    rng = np.random.default_rng(3)
    weights = rng.dirichlet(np.ones(500))
    counts = np.bincount(systematic(weights, seed=4), minlength=500)
    assert counts.sum() == 500 and (np.abs(counts - 500 * weights) < 1).all()


def test_equal_weights_keep_every_draw_once():
    weights, k = smoothed_weights(np.zeros(50))
    assert k == -np.inf and systematic(weights, seed=1).tolist() == list(range(50))


@pytest.mark.slow
def test_a_refit_finds_what_re_weighting_found():
    """The oracle: business as usual fitted again under the moved prior."""
    from cba.inputs.observations import load_observations
    from cba.models.baseline import fit_baseline

    known, old = load_observations(2024), load_priors()
    entry = "baseline.uasc_persistence"
    fitted = old[entry].fitted
    changed = {name: value * (0.8 if name == "alpha" else 1.0) for name, value in fitted.parameters.items()}
    assert changed != dict(fitted.parameters)
    entries = {
        **old.entries,
        entry: dataclasses.replace(old[entry], fitted=dataclasses.replace(fitted, parameters=changed)),
    }
    new = dataclasses.replace(old, entries=MappingProxyType(entries))
    settings = {"draws": 1000, "tune": 500, "chains": 2}
    before = fit_baseline(known, old, seed=1, **settings)
    found = reweighted(
        before, old=old, new=new, entries=tuple(n for n in old if n.startswith("baseline.")), seed=1
    )
    assert found.fit is not None, found.reason
    oracle = fit_baseline(known, new, seed=2, **settings)
    for name in ("uasc_persistence", "uasc_long_run_starts", "uasc_innovation_sd", "shock_probability"):
        one, other = (tree["posterior"][name].values.ravel() for tree in (found.fit, oracle))
        error = np.hypot(one.std() / np.sqrt(found.ess / 2), other.std() / np.sqrt(other.size / 2))
        assert abs(one.mean() - other.mean()) < 4 * error, name
    moved = abs(
        before["posterior"]["uasc_persistence"].mean() - oracle["posterior"]["uasc_persistence"].mean()
    )
    assert moved > 0
