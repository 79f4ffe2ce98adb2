"""Future rates: walks with the stated spread, held to the number that growth gives, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cba
from cba.errors import InputError
from cba.models.baseline import SERIES
from cba.models.growth import GROWTH, number_paths
from cba.models.parameters import joint_parameters
from cba.projection.business_as_usual import (
    as_rates,
    business_as_usual,
    future_population,
    held_to,
    rate_paths,
    usual_rates,
)
from tests.made_fits import made_baseline, made_effects

YEARS = range(2025, 2033)
DRAWS = 20_000
ALONE = np.full((20, 8), 5000.0), np.full((20, 8), 6000.0)  # unaccompanied children: starts, stock


@pytest.fixture(scope="module")
def observations():
    return cba.load_observations()


@pytest.fixture(scope="module")
def made(observations):
    return made_baseline(observations, cba.load_priors(), draws=10)


@pytest.fixture(scope="module")
def last(made):
    return made["constant_data"].to_dataset()


@pytest.fixture(scope="module")
def parameters(made, observations):
    effects = made_effects(draws=10)
    return joint_parameters(
        cba.load_priors(), baseline=made, effects=effects, observations=observations, seed=1
    )


@pytest.fixture(scope="module")
def people(observations):
    return future_population(observations, years=YEARS, growth=xr.DataArray(np.zeros(20), dims="sample"))


def flat(fit):
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    return posterior.transpose("sample", ...)


def fixed(made, *, draws=DRAWS, scale=1.0, shock_probability=0.0):
    """Every draw holds the same parameters, so paths differ by their innovations alone."""
    every = flat(made).isel(sample=np.zeros(draws, dtype=int))
    loadings = np.array([0.01, 0.02, 0.03, 0.04, 0.05])
    return every.assign(
        innovation_sd=scale * xr.ones_like(every["innovation_sd"]) * np.linspace(0.01, 0.05, len(SERIES)),
        start_common_loading=scale * xr.ones_like(every["start_common_loading"]) * loadings,
        exit_common_loading=scale * xr.ones_like(every["exit_common_loading"]) * loadings[::-1],
        common_correlation=xr.full_like(every["common_correlation"], 0.6),
        shock_probability=xr.full_like(every["shock_probability"], shock_probability),
    )


def test_without_innovations_rates_stay(made, last):
    posterior = fixed(made, draws=3, scale=0.0)
    level = posterior["last_level"].values
    np.testing.assert_allclose(
        rate_paths(posterior, last, steps=8, seed=5), np.repeat(level[:, None], 8, axis=1)
    )


def test_increments_have_the_stated_spread_and_correlation(made, last):
    """Var = sigma^2 + loading^2; start rates covary by the product of loadings, starts with exits by 0.6 of it."""
    posterior = fixed(made)
    steps = np.diff(rate_paths(posterior, last, steps=3, seed=2), axis=1).reshape(-1, 15)
    sigma = posterior["innovation_sd"].values[0]
    loading = np.zeros((15, 2))
    loading[:5, 0] = posterior["start_common_loading"].values[0]
    loading[5:10] = posterior["exit_common_loading"].values[0][:, None] * np.array([0.6, 0.8])
    expected = np.diag(sigma**2) + loading @ loading.T
    found = np.cov(steps.T)
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    error = np.sqrt((size**2 + expected**2) / steps.shape[0])
    assert (np.abs(found - expected) < 4.5 * error).all()  # 120 distinct entries
    assert (np.abs(steps.mean(axis=0)) < 4 * np.sqrt(np.diag(expected) / steps.shape[0])).all()


def test_shocks_widen_as_the_mixture_says(made, last):
    """Variance of (1 - w) N(0, s) + w N(0, k s) is s^2 (1 - w + w k^2); its kurtosis is the mixture's."""
    weight, ratio = 0.1, float(last["shock_ratio"])
    posterior = fixed(made, shock_probability=weight)
    walks = rate_paths(posterior, last, steps=2, seed=3)
    step = (walks[:, 1] - walks[:, 0])[:, 10:] / posterior["innovation_sd"].values[0, 10:]
    variance = 1 - weight + weight * ratio**2
    fourth = 3 * (1 - weight + weight * ratio**4)
    assert abs((step**2).mean() - variance) < 4 * np.sqrt((fourth - variance**2) / step.size)
    eighth = 105 * (1 - weight + weight * ratio**8)
    assert abs((step**4).mean() - fourth) < 4 * np.sqrt((eighth - fourth**2) / step.size)


def test_walks_equal_the_process_written_out(made, last):
    """One draw and year after another from the numbers of (seed, 1): shocks, sizes, common factors."""
    rng = np.random.default_rng([7, 1])
    shocked, sizes = rng.random((20, 4, 15)), rng.standard_normal((20, 4, 15))
    factors = rng.standard_normal((20, 4, 2))
    posterior = flat(made)
    walks = rate_paths(posterior, last, steps=4, seed=7)
    for draw in (0, 5, 19):
        mine = posterior.isel(sample=draw)
        level, shared = mine["last_level"].values.copy(), float(mine["common_correlation"])
        for step in range(4):
            wide = np.where(
                shocked[draw, step] < float(mine["shock_probability"]), float(last["shock_ratio"]), 1.0
            )
            moved = sizes[draw, step] * wide * mine["innovation_sd"].values
            one, two = factors[draw, step]
            moved[:5] += mine["start_common_loading"].values * one
            moved[5:10] += mine["exit_common_loading"].values * (shared * one + (1 - shared**2) ** 0.5 * two)
            level += moved
            np.testing.assert_allclose(walks[draw, step], level, atol=1e-9)


# --- the number in care -------------------------------------------------------------------------------------


def test_every_draw_has_the_number_of_its_growth_path(made, last, people, parameters):
    rates = usual_rates(made, years=YEARS, population=people, parameters=parameters, seed=4)
    children = business_as_usual(made, rates, people)["children"].sum("age").transpose("sample", "year")
    growing = {name: ("sample", parameters[f"baseline.{name}"].values) for name in GROWTH}
    relative = people.transpose("sample", "year").values / float(last["population"])
    expected = number_paths(flat(made).assign(growing), last, people=relative, seed=4)["children"].values
    np.testing.assert_allclose(children.values, expected[:, 1:], rtol=1e-8)
    assert ((rates["exit"] > 0) & (rates["exit"] < 1)).all() and (rates["start_rate"] > 0).all()
    assert (rates["ageing"].sel(age=["under_1", "16_plus"]) == 0).all()


def test_what_growth_returns_to_is_that_of_the_parameters(made, people, parameters):
    """Half a per cent a year more from the first year on, nothing else changed: 8 years of a geometric approach."""
    memory = parameters["baseline.growth_persistence"]
    parameters = parameters.assign({"baseline.growth_persistence": memory + np.linspace(0.0, 0.8, 20)})
    more = parameters.assign({"baseline.growth_mean": parameters["baseline.growth_mean"] + 0.005})
    number = [
        business_as_usual(
            made, usual_rates(made, years=YEARS, population=people, parameters=p, seed=4), people
        )["children"]
        .sum("age")
        .sel(year=2032)
        for p in (parameters, more)
    ]
    phi = parameters["baseline.growth_persistence"].values
    gained = 0.005 * sum(1 - phi**h for h in range(1, 9))
    assert (number[1] > number[0]).all()
    others = np.log(number[1].values / number[0].values) / gained
    assert (others > 0.8).all() and (others < 1.0).all()  # unaccompanied children do not follow


def test_all_through_starts_leaves_exits_alone_and_the_other_way_round(made, last, people):
    posterior = flat(made)
    rates = as_rates(rate_paths(posterior, last, steps=8, seed=1), ALONE, YEARS)
    number = np.full((20, 8), 83_630.0) * 1.02 ** np.arange(1, 9)
    for share, kept, moved in ((1.0, "exit", "start_rate"), (0.0, "start_rate", "exit")):
        every = np.full(20, share)
        held = held_to(rates, last, people=people.values, number=number, through_starts=every)
        np.testing.assert_allclose(held[kept], rates[kept], rtol=1e-12)
        assert (np.abs(held[moved].values - rates[moved].values) > 0).any()
        children = business_as_usual(made, held, people)["children"].sum("age").transpose("sample", "year")
        np.testing.assert_allclose(children, number, rtol=1e-8)


def test_the_shift_is_split_as_stated(made, last, people):
    """Log start rates of all ages move by w c / b_s, log odds of ceasing by -(1 - w) c / b_x, for one c a year."""
    posterior, share = flat(made), np.linspace(0.1, 0.9, 20)
    rates = as_rates(rate_paths(posterior, last, steps=8, seed=1), ALONE, YEARS)
    number = np.full((20, 8), 80_000.0)
    held = held_to(rates, last, people=people.values, number=number, through_starts=share)
    began = np.log(held["start_rate"] / rates["start_rate"]).values

    def odds(values):
        return np.log(values) - np.log1p(-values)

    left = odds(held["exit"].values) - odds(rates["exit"].values)
    for part in (began, left):
        np.testing.assert_allclose(part, np.repeat(part[..., :1], 5, axis=-1), atol=1e-9)
    observed, stock = last["observed_rates"].isel(year=-1).values, last["stock"].values
    reachable = np.exp(observed[:5]) * float(last["population"])
    starts = reachable + float(last["uasc_starts"]) * last["uasc_share"].values
    leaving = 1 / (1 + np.exp(-observed[5:10]))
    by_start = sum(reachable * (1 - leaving / 2) + np.exp(observed[14]) * reachable) / sum(stock)
    by_exit = sum(leaving * (1 - leaving) * (stock + starts / 2)) / sum(stock)
    shift = began[..., 0] * by_start / share[:, None]
    np.testing.assert_allclose(left[..., 0], -(1 - share[:, None]) * shift / by_exit, atol=1e-9)


def test_unaccompanied_starts_solve_their_account(made, last, people, parameters):
    """U' = U + s - h (U + s / 2) with the leave share that published starts and stocks imply."""
    rates = usual_rates(made, years=YEARS, population=people, parameters=parameters, seed=4)
    growing = {name: ("sample", parameters[f"baseline.{name}"].values) for name in GROWTH}
    stock = number_paths(flat(made).assign(growing), last, people=np.ones((20, 8)), seed=4)[
        "unaccompanied"
    ].values
    leave = float(last["uasc_leave_share"])
    assert 0.5 < leave < 0.66
    starts = rates["uasc_starts"].values
    rolled = stock[:, :-1] + starts - leave * (stock[:, :-1] + starts / 2)
    np.testing.assert_allclose(rolled[starts > 0], stock[:, 1:][starts > 0], rtol=1e-10)
    assert (rolled[starts == 0] >= stock[:, 1:][starts == 0]).all()


def test_same_seed_same_paths_and_other_seed_others(made, people, parameters):
    how = {"years": YEARS, "population": people, "parameters": parameters}
    first, again = usual_rates(made, seed=0, **how), usual_rates(made, seed=0, **how)
    xr.testing.assert_identical(first, again)
    assert (first["exit"] != usual_rates(made, seed=1, **how)["exit"]).all()


@pytest.mark.parametrize("years", [range(2026, 2033), range(2024, 2030), [2025, 2027], [2026, 2025], []])
def test_years_that_do_not_follow_on_are_refused(made, people, parameters, years):
    """One step is one year: a start two years on would carry one year's spread."""
    with pytest.raises(InputError, match="do not follow the last observed one") as caught:
        usual_rates(made, years=years, population=people, parameters=parameters, seed=0)
    assert "consecutive years from 2025" in str(caught.value)


def test_a_single_year_can_be_drawn(made, people, parameters):
    one = usual_rates(made, years=[2025], population=people.isel(year=[0]), parameters=parameters, seed=4)
    assert one["exit"].shape == (20, 1, 5) and ((one["exit"] > 0) & (one["exit"] < 1)).all()
