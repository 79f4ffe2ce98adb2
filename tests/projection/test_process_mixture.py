"""The mixture of processes: who follows which, and that a draw held to a pace grows at it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cba
from cba.models.parameters import joint_parameters
from cba.projection.business_as_usual import business_as_usual, future_population, rate_paths
from cba.projection.processes import at_pace, held_to_pace, pace_targets, usual_rates
from tests.made_fits import made_baseline, made_effects

YEARS = range(2025, 2041)
DRAWS = 400


@pytest.fixture(scope="module")
def observations():
    return cba.load_observations()


@pytest.fixture(scope="module")
def fit(observations):
    return made_baseline(observations, cba.load_priors(), draws=DRAWS // 2)


@pytest.fixture(scope="module")
def people(observations):
    return future_population(observations, years=YEARS, growth=xr.DataArray(np.zeros(DRAWS), dims="sample"))


@pytest.fixture(scope="module")
def parameters(fit, observations):
    return joint_parameters(
        cba.load_priors(),
        baseline=fit,
        effects=made_effects(draws=DRAWS // 2),
        observations=observations,
        seed=1,
    )


def quiet(fit):
    """The same fit without innovations: rates move only as the process says."""
    posterior = fit["posterior"].to_dataset()
    still = {
        name: 0.0 * posterior[name]
        for name in ("innovation_sd", "start_common_loading", "exit_common_loading")
    }
    still["uasc_innovation_sd"] = 0.0 * posterior["uasc_innovation_sd"]
    tree = fit.copy()
    tree["posterior"] = xr.DataTree(posterior.assign(still))
    return tree


def growth(fit, rates, people):
    usual = business_as_usual(fit, rates, people)
    total = usual["children"].sum("age").transpose("sample", "year").values
    first = float(fit["constant_data"]["stock"].sum())
    return np.diff(np.log(np.concatenate([np.full((len(total), 1), first), total], axis=1)), axis=1)


def test_shares_of_draws_are_the_weights(parameters):
    """A share of n ranks below w is w within its sampling error; the later set is part of the earlier one."""
    near, far = at_pace(parameters, years_ahead=1), at_pace(parameters, years_ahead=6)
    for chosen, weight in ((near, 0.6), (far, 0.33)):
        assert abs(chosen.mean() - weight) < 4 * np.sqrt(weight * (1 - weight) / DRAWS)
    assert (near | ~far).all()


def test_targets_fade_from_the_sixth_year(parameters):
    targets = pace_targets(parameters, years=YEARS)
    lasting = at_pace(parameters, years_ahead=6)
    pace, fade = (parameters[f"baseline.{name}"].values[lasting] for name in ("long_run_pace", "pace_fade"))
    np.testing.assert_allclose(targets[lasting, 4], pace)
    np.testing.assert_allclose(targets[lasting, 7], pace * fade**3)
    assert np.isnan(targets[~at_pace(parameters, years_ahead=1)]).all()


def test_without_innovations_growth_is_at_its_target(fit, people):
    """The shift grows by what would be missed, so all that is left is the curvature of the response."""
    still = quiet(fit)
    rates = rate_paths(still, YEARS, seed=1)
    for pace in (0.02, -0.02):
        targets = np.full((DRAWS, len(YEARS)), pace)
        half = np.full(DRAWS, 0.5)
        held = held_to_pace(still, rates, population=people, targets=targets, through_starts=half)
        found = growth(still, held, people)
        assert (
            np.abs(found.mean(axis=0) - pace).max() < 0.004
        )  # at most a fifth: unaccompanied starts move by themselves
        assert np.abs(found.mean() - pace) < 0.002
        left_alone = growth(still, rates, people)
        assert np.abs(left_alone[:, 5:] - pace).mean() > 0.01


def test_all_through_starts_leaves_exits_alone_and_the_other_way_round(fit, people):
    rates = rate_paths(fit, YEARS, seed=1)
    targets = np.full((DRAWS, len(YEARS)), 0.02)
    for share, kept, moved in ((1.0, "exit", "start_rate"), (0.0, "start_rate", "exit")):
        held = held_to_pace(
            fit, rates, population=people, targets=targets, through_starts=np.full(DRAWS, share)
        )
        np.testing.assert_allclose(held[kept], rates[kept], rtol=1e-12)
        assert (np.abs(held[moved].values - rates[moved].values) > 0).any()


def test_draws_without_a_target_are_left_as_they_were(fit, people):
    rates = rate_paths(fit, YEARS, seed=1)
    targets = np.full((DRAWS, len(YEARS)), np.nan)
    targets[:10] = 0.02
    held = held_to_pace(fit, rates, population=people, targets=targets, through_starts=np.full(DRAWS, 0.5))
    xr.testing.assert_identical(held.isel(sample=slice(10, None)), rates.isel(sample=slice(10, None)))
    assert (held["exit"].isel(sample=slice(0, 10)) != rates["exit"].isel(sample=slice(0, 10))).all()


def test_momentum_repeats_a_share_of_the_last_change(fit):
    """Without innovations log start rates move by d (phi + phi^2 + ...), the same for every age."""
    still = quiet(fit)
    phi = np.linspace(0.0, 0.9, DRAWS)
    rates = rate_paths(still, YEARS, seed=1, persistence=phi)
    level = still["posterior"]["last_level"].values.reshape(DRAWS, -1)
    last = still["constant_data"]["last_change"].values
    for step in (0, 3):
        gained = sum(phi**power for power in range(1, step + 2))
        moved = np.log(rates["start_rate"].values[:, step]) - level[:, :5]
        np.testing.assert_allclose(moved, np.repeat((last[0] * gained)[:, None], 5, axis=1), atol=1e-9)
        np.testing.assert_allclose(np.log(rates["closure_rate"].values[:, step]), level[:, 14], atol=1e-9)


def test_weight_nought_is_momentum_and_weight_one_pace(fit, people, parameters):
    """All draws on one side of the rank follow one process, whatever the weights were."""
    alone = {}
    for weight in (0.0, 1.0):
        changed = parameters.copy()
        for name in ("baseline.pace_weight", "baseline.pace_weight_beyond"):
            changed[name] = xr.full_like(parameters[name], weight)
        alone[weight] = usual_rates(fit, years=YEARS, population=people, parameters=changed, seed=3)
    mixed = usual_rates(fit, years=YEARS, population=people, parameters=parameters, seed=3)
    momentum = ~at_pace(parameters, years_ahead=1) & ~at_pace(parameters, years_ahead=6)
    pace = at_pace(parameters, years_ahead=6)
    for chosen, weight in ((momentum, 0.0), (pace, 1.0)):
        where = np.flatnonzero(chosen)
        xr.testing.assert_identical(mixed.isel(sample=where), alone[weight].isel(sample=where))
