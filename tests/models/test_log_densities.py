"""Log densities of draws: SciPy's values, variable by variable, and the priors without the sampler's Jacobian."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from cba.models.sampling import prior_draws, with_log_densities

DIMS = ("chain", "draw")


@pytest.fixture(scope="module")
def dense():
    """A model with every transform the registry's families bring, evaluated on made draws."""
    rng = np.random.default_rng(1)
    seen = np.array([0.3, -0.2, 0.9])
    with pm.Model(coords={"way": ["main", "other"], "study": ["main:a", "main:b", "other:a"]}) as model:
        mean = pm.Normal("mean", [0.0, 1.0], [1.0, 2.0], dims="way")
        spread = pm.HalfNormal("spread", 0.5)
        share = pm.Beta("share", 2.0, 3.0)
        rate = pm.Gamma("rate", 3.0, 2.0)
        wide = pm.LogNormal("wide", 0.1, 0.4)
        offset = pm.Normal("offset", 0.0, 1.0, initval=0.3)
        centre = pm.math.stack([mean[0], mean[0], mean[1]]) + share + rate + wide + offset
        pm.Normal("seen", centre, spread, observed=seen, dims="study")
    draws = xr.Dataset(
        {
            "mean": ((*DIMS, "way"), rng.normal(size=(2, 5, 2))),
            "spread": (DIMS, rng.uniform(0.1, 1.0, (2, 5))),
            "share": (DIMS, rng.uniform(0.1, 0.9, (2, 5))),
            "rate": (DIMS, rng.uniform(0.5, 2.0, (2, 5))),
            "wide": (DIMS, rng.uniform(0.5, 2.0, (2, 5))),
            "offset": (DIMS, rng.normal(size=(2, 5))),
        }
    )
    tree = xr.DataTree.from_dict({"posterior": draws})
    return draws, seen, with_log_densities(tree, model, latent=("offset",), seed=2), model


@pytest.mark.parametrize(
    "name, law",
    [
        ("spread", stats.halfnorm(scale=0.5)),
        ("share", stats.beta(2, 3)),
        ("rate", stats.gamma(3, scale=0.5)),
        ("wide", stats.lognorm(s=0.4, scale=np.exp(0.1))),
    ],
)
def test_priors_are_the_densities_as_stated(dense, name, law):
    draws, _, whole, _ = dense
    np.testing.assert_allclose(whole["log_prior"][name], law.logpdf(draws[name]), rtol=1e-7, atol=1e-7)


def test_priors_are_summed_over_their_dimensions_and_likelihoods_are_not(dense):
    draws, seen, whole, _ = dense
    expected = stats.norm([0.0, 1.0], [1.0, 2.0]).logpdf(draws["mean"]).sum(-1)
    np.testing.assert_allclose(whole["log_prior"]["mean"], expected, rtol=1e-7, atol=1e-7)
    added = sum(draws[name].values for name in ("share", "rate", "wide", "offset"))
    centre = draws["mean"].values[..., [0, 0, 1]] + added[..., None]
    expected = stats.norm(centre, draws["spread"].values[..., None]).logpdf(seen)
    np.testing.assert_allclose(whole["log_likelihood"]["seen"], expected, rtol=1e-7, atol=1e-7)


def test_latent_variables_are_left_out_of_the_prior(dense):
    assert set(dense[2]["log_prior"].data_vars) == {"mean", "spread", "share", "rate", "wide"}


def test_the_observation_is_handed_on_and_predicted_from_each_draw(dense):
    """Labelled like the model; the mean square of standardised predictions is 1 within its Monte Carlo error."""
    draws, seen, whole, _ = dense
    np.testing.assert_array_equal(whole["observed_data"]["seen"], seen)
    again = whole["posterior_predictive"]["seen"]
    assert again.dims == (*DIMS, "study") and list(again["study"].values) == ["main:a", "main:b", "other:a"]
    added = sum(draws[name].values for name in ("share", "rate", "wide", "offset"))
    centre = draws["mean"].values[..., [0, 0, 1]] + added[..., None]
    square = ((again.values - centre) / draws["spread"].values[..., None]) ** 2
    assert abs(square.mean() - 1.0) < 4 * np.sqrt(2.0 / square.size)
    assert len(np.unique(again.values)) == again.size


def test_draws_of_the_prior_have_the_names_and_moments_of_the_model(dense):
    found = prior_draws(dense[3], names=["mean", "share"], draws=2000, chains=2, seed=4)
    assert found["mean"].dims == (*DIMS, "way") and list(found["way"].values) == ["main", "other"]
    for place, (mean, sd) in enumerate(((0.0, 1.0), (1.0, 2.0))):
        assert abs(found["mean"].values[..., place].mean() - mean) < 4 * sd / np.sqrt(4000)
    assert abs(found["share"].values.mean() - 0.4) < 4 * 0.2 / np.sqrt(4000)


def test_the_fit_itself_is_unchanged(dense):
    draws, _, whole, _ = dense
    assert whole["posterior"].to_dataset().identical(draws)
