"""Future rates: the spread and the mean of the stated process, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cba
from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.baseline import SERIES
from cba.projection.business_as_usual import rate_paths
from tests.made_fits import made_baseline

YEARS = range(2025, 2033)
DRAWS = 20_000


@pytest.fixture(scope="module")
def made():
    return made_baseline(cba.load_observations(), cba.load_priors(), draws=10)


def fixed_fit(made, *, draws=DRAWS, scale=1.0, shock_probability=0.0, persistence=0.8, long_run=5000.0):
    """Every draw holds the same parameters, so paths differ by their innovations alone."""
    template = made["posterior"].to_dataset().isel(chain=[0], draw=[0])
    fixed = template.isel(draw=np.zeros(draws, dtype=int))
    sizes = np.linspace(0.01, 0.05, fixed.sizes["walk"])
    loadings = np.array([0.01, 0.02, 0.03, 0.04, 0.05])
    fixed = fixed.assign(
        innovation_sd=scale * xr.ones_like(fixed["innovation_sd"]) * sizes,
        start_common_loading=scale * xr.ones_like(fixed["start_common_loading"]) * loadings,
        exit_common_loading=scale * xr.ones_like(fixed["exit_common_loading"]) * loadings[::-1],
        common_correlation=xr.full_like(fixed["common_correlation"], 0.6),
        shock_probability=xr.full_like(fixed["shock_probability"], shock_probability),
        uasc_persistence=xr.full_like(fixed["uasc_persistence"], persistence),
        uasc_long_run_starts=xr.full_like(fixed["uasc_long_run_starts"], long_run),
        uasc_innovation_sd=xr.full_like(fixed["uasc_innovation_sd"], scale * 0.3),
    )
    return xr.DataTree.from_dict({"posterior": fixed, "constant_data": made["constant_data"].to_dataset()})


def logit(share):
    return np.log(share) - np.log1p(-share)


def latent(paths):
    """The 15 walks on the scale they move on, (sample, year, walk)."""
    ageing = paths["ageing"].sel(age=list(AGE_BANDS[1:4]))
    parts = [np.log(paths["start_rate"]), logit(paths["exit"]), logit(ageing)]
    stay, closure = logit(paths["stay"]).values, np.log(paths["closure_rate"]).values
    return np.concatenate([*(part.values for part in parts), stay[..., None], closure[..., None]], axis=-1)


def test_same_seed_same_paths_and_other_seed_others(made):
    first, again = rate_paths(made, YEARS, seed=0), rate_paths(made, YEARS, seed=0)
    xr.testing.assert_identical(first, again)
    other = rate_paths(made, YEARS, seed=1)
    assert (first["exit"] != other["exit"]).all()


def test_a_longer_horizon_does_not_change_what_a_draw_believes_now(made):
    """Shapes, labels and the ageing of bands that have none."""
    paths = rate_paths(made, YEARS, seed=0)
    assert paths["start_rate"].dims == ("sample", "year", "age")
    assert paths.sizes == {"sample": 20, "year": 8, "age": 5}
    assert list(paths["year"].values) == list(YEARS)
    assert (paths["ageing"].sel(age=["under_1", "16_plus"]) == 0).all()
    for name in ("exit", "stay"):
        assert ((paths[name] > 0) & (paths[name] < 1)).all()


def test_without_innovations_rates_stay_and_unaccompanied_starts_return_by_the_closed_form(made):
    """log U(t) = m + phi^t (log U(0) - m)."""
    fit = fixed_fit(made, draws=3, scale=0.0, persistence=0.8, long_run=5000.0)
    paths = rate_paths(fit, YEARS, seed=5)
    level = fit["posterior"]["last_level"].values[0]
    np.testing.assert_allclose(latent(paths), np.broadcast_to(level[:, None, :15], (3, 8, 15)), atol=1e-9)
    steps = np.arange(1, 9)
    start = level[:, SERIES.index("log_uasc_starts")][:, None]
    expected = np.log(5000.0) + 0.8**steps * (start - np.log(5000.0))
    np.testing.assert_allclose(np.log(paths["uasc_starts"]), expected, rtol=1e-12)


def test_increments_have_the_stated_spread_and_correlation(made):
    """Var = sigma^2 + loading^2; start rates covary by the product of loadings, starts with exits by 0.6 of it."""
    fit = fixed_fit(made)
    walks = latent(rate_paths(fit, range(2025, 2028), seed=2))
    steps = np.diff(walks, axis=1).reshape(-1, 15)
    sigma = fit["posterior"]["innovation_sd"].values[0, 0]
    loading = np.zeros((15, 2))
    loading[:5, 0] = fit["posterior"]["start_common_loading"].values[0, 0]
    loading[5:10] = fit["posterior"]["exit_common_loading"].values[0, 0][:, None] * np.array([0.6, 0.8])
    expected = np.diag(sigma**2) + loading @ loading.T
    found = np.cov(steps.T)
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    error = np.sqrt((size**2 + expected**2) / steps.shape[0])
    assert (np.abs(found - expected) < 4.5 * error).all()  # 120 distinct entries
    assert (np.abs(steps.mean(axis=0)) < 4 * np.sqrt(np.diag(expected) / steps.shape[0])).all()


def test_shocks_widen_as_the_mixture_says(made):
    """Variance of (1 - w) N(0, s) + w N(0, k s) is s^2 (1 - w + w k^2); its kurtosis is the mixture's."""
    weight, ratio = 0.1, float(made["constant_data"]["shock_ratio"])
    fit = fixed_fit(made, shock_probability=weight)
    walks = latent(rate_paths(fit, range(2025, 2027), seed=3))
    step = (walks[:, 1] - walks[:, 0])[:, 10:] / fit["posterior"]["innovation_sd"].values[0, 0, 10:]
    variance = 1 - weight + weight * ratio**2
    fourth = 3 * (1 - weight + weight * ratio**4)
    error = np.sqrt((fourth - variance**2) / step.size)
    assert abs((step**2).mean() - variance) < 4 * error
    eighth = 105 * (1 - weight + weight * ratio**8)
    assert abs((step**4).mean() - fourth) < 4 * np.sqrt((eighth - fourth**2) / step.size)


def test_spread_grows_with_the_root_of_time(made):
    walks = latent(rate_paths(fixed_fit(made), YEARS, seed=4))
    ratio = walks[:, 7].std(axis=0) / walks[:, 1].std(axis=0)
    np.testing.assert_allclose(ratio, 2.0, rtol=4 * np.sqrt(1 / DRAWS))


def test_unaccompanied_starts_settle(made):
    """Variance sd^2 (1 - phi^2n)/(1 - phi^2), not n sd^2; mean as without innovations."""
    fit = fixed_fit(made, persistence=0.8)
    log_starts = np.log(rate_paths(fit, range(2025, 2055), seed=6)["uasc_starts"].values)
    steps = np.arange(1, 31)
    expected = 0.3**2 * (1 - 0.8 ** (2 * steps)) / (1 - 0.8**2)
    np.testing.assert_allclose(log_starts.var(axis=0), expected, rtol=4.5 * np.sqrt(2 / DRAWS))
    start = float(fit["posterior"]["last_level"].values[0, 0, -1])
    centre = np.log(5000.0) + 0.8**steps * (start - np.log(5000.0))
    assert (np.abs(log_starts.mean(axis=0) - centre) < 4.5 * np.sqrt(expected / DRAWS)).all()


@pytest.mark.parametrize("years", [range(2026, 2033), range(2024, 2030), [2025, 2027], [2026, 2025], []])
def test_years_that_do_not_follow_on_are_refused(made, years):
    """One step is one year: a start two years on would carry one year's spread."""
    with pytest.raises(InputError, match="do not follow the last observed one") as caught:
        rate_paths(made, years, seed=0)
    assert "consecutive years from 2025" in str(caught.value)


def test_paths_equal_the_process_written_out(made):
    """One draw and year after another from the numbers of (seed, 1): shocks, sizes, common factors, asylum starts."""
    rng = np.random.default_rng([7, 1])
    shocked, sizes = rng.random((20, 4, 15)), rng.standard_normal((20, 4, 15))
    factors, swings = rng.standard_normal((20, 4, 2)), rng.standard_normal((20, 4))
    phi = np.linspace(0.0, 0.9, 20)
    paths = rate_paths(made, range(2025, 2029), seed=7, persistence=phi)
    posterior = made["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    ratio = float(made["constant_data"]["shock_ratio"])
    last = made["constant_data"].to_dataset()["last_change"].values
    for draw in (0, 5, 19):
        mine = posterior.isel(sample=draw)
        level = mine["last_level"].values.copy()
        change = np.r_[np.full(5, last[0]), np.full(5, last[1]), np.zeros(5)]
        shared = float(mine["common_correlation"])
        for step in range(4):
            wide = np.where(shocked[draw, step] < float(mine["shock_probability"]), ratio, 1.0)
            moved = sizes[draw, step] * wide * mine["innovation_sd"].values
            one, two = factors[draw, step]
            moved[:5] += mine["start_common_loading"].values * one
            moved[5:10] += mine["exit_common_loading"].values * (shared * one + (1 - shared**2) ** 0.5 * two)
            change = np.r_[np.full(10, phi[draw]), np.zeros(5)] * change + moved
            level[:15] += change
            long_run = np.log(float(mine["uasc_long_run_starts"]))
            back = float(mine["uasc_persistence"]) * (level[15] - long_run)
            level[15] = long_run + back + float(mine["uasc_innovation_sd"]) * swings[draw, step]
            np.testing.assert_allclose(latent(paths)[draw, step], level[:15], atol=1e-9)
            assert np.log(float(paths["uasc_starts"][draw, step])) == pytest.approx(level[15], abs=1e-9)
