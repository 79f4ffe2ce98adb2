"""The mixture of processes: who follows which, and that a draw held to a pace grows at it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cba
from cba.models.parameters import joint_parameters
from cba.projection.business_as_usual import (
    as_rates,
    business_as_usual,
    future_population,
    next_stock,
    rate_paths,
)
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


def test_the_shift_of_every_year_is_what_the_year_would_miss(fit, people):
    """Draw by draw in plain numbers; targets that end leave the shift where it is."""
    rates = rate_paths(fit, YEARS, seed=2)
    rng = np.random.default_rng(0)
    targets = np.repeat(rng.normal(0.0, 0.02, (DRAWS, 1)), len(YEARS), axis=1)
    targets[1, 3:] = np.nan
    weights = rng.uniform(size=DRAWS)
    held = held_to_pace(fit, rates, population=people, targets=targets, through_starts=weights)
    constant = fit["constant_data"].to_dataset()
    last = constant["observed_rates"].isel(year=-1).values
    stock = constant["stock"].values
    reachable = np.exp(last[:5]) * float(constant["population"])
    starts = reachable + np.exp(last[15]) * constant["uasc_share"].values
    leaving = 1 / (1 + np.exp(-last[5:10]))
    per_start = sum(reachable * (1 - leaving / 2) + np.exp(last[14]) * reachable) / sum(stock)
    per_exit = sum(leaving * (1 - leaving) * (stock + starts / 2)) / sum(stock)
    last_year = as_rates(np.broadcast_to(last, (1, 1, 16)), [2025])
    for draw in (0, 1, 250):
        here, now, shift = people.isel(sample=[draw]), stock[None], 0.0
        applied = last_year
        for step in range(5):
            year = {"year": [step]}
            before = applied.assign_coords(year=here.isel(year)["year"])
            unchanged = next_stock(before, now, population=here.isel(year), fit=fit)
            if not np.isnan(targets[draw, step]):
                shift += targets[draw, step] - np.log(unchanged.sum() / now.sum())
            mine = rates.isel(sample=[draw], year=[step])
            began = mine["start_rate"].values * np.exp(weights[draw] * shift / per_start)
            logit = np.log(mine["exit"].values) - np.log1p(-mine["exit"].values)
            left = 1 / (1 + np.exp(-logit + (1 - weights[draw]) * shift / per_exit))
            np.testing.assert_allclose(held["start_rate"].values[draw, step], began[0, 0], rtol=1e-10)
            np.testing.assert_allclose(held["exit"].values[draw, step], left[0, 0], rtol=1e-10)
            applied = held.isel(sample=[draw], year=[step])
            now = next_stock(applied, now, population=here.isel(year), fit=fit)


def test_a_draw_at_momentum_repeats_its_trend_and_a_draw_at_pace_does_not(fit, people, parameters):
    rates = usual_rates(fit, years=YEARS, population=people, parameters=parameters, seed=4)
    never = ~at_pace(parameters, years_ahead=1) & ~at_pace(parameters, years_ahead=6)
    phi = np.where(at_pace(parameters, years_ahead=1), 0.0, parameters["baseline.trend_persistence"].values)
    alone = rate_paths(fit, YEARS, seed=4, persistence=phi)
    xr.testing.assert_identical(
        rates.isel(sample=np.flatnonzero(never)), alone.isel(sample=np.flatnonzero(never))
    )
    for name in ("ageing", "stay", "closure_rate", "uasc_starts"):
        xr.testing.assert_identical(rates[name], alone[name])


def test_a_single_year_can_be_drawn(fit, people, parameters):
    one = usual_rates(fit, years=[2025], population=people.isel(year=[0]), parameters=parameters, seed=4)
    assert one["exit"].shape == (DRAWS, 1, 5) and ((one["exit"] > 0) & (one["exit"] < 1)).all()
