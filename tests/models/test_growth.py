"""How the number in care grows: read from the releases, its density in plain loops, its paths in closed form."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

import cba
from cba.errors import InputError
from cba.inputs.distributions import distribution
from cba.models.growth import (
    MOVEMENTS,
    SHOCK,
    build_growth,
    growth_series,
    growth_start,
    number_paths,
    responses,
)
from cba.validation.backtest import with_changed

QUICK = "FAST_COMPILE"


@pytest.fixture(scope="module")
def priors():
    return cba.load_priors()


def with_memory(priors):
    beta = distribution("Beta", parameters={"alpha": 2.0, "beta": 2.0})
    return with_changed(priors, {"growth_persistence": beta})


@pytest.fixture(scope="module")
def latest():
    return cba.load_observations(2024)


@pytest.fixture(scope="module")
def series(latest):
    return growth_series(latest)


def test_growth_is_of_children_not_unaccompanied_per_child_where_all_is_published(latest, series):
    """From 2011 on nothing is missing; the years before still hold what is not published, and say so."""
    others, people = latest["stock"] - latest["uasc_stock"], latest["population_0_17"]
    for place, year in enumerate(series.years):
        before, now = others.sel(year=year - 1), others.sel(year=year)
        if year >= 2011:
            per_child = np.log(now / people.sel(year=year)) - np.log(before / people.sel(year=year - 1))
            assert series.growth[place] == pytest.approx(float(per_child), abs=1e-12)
            assert not series.without_people[place] and series.unaccompanied_share[place] == 0.0
        elif year >= 2005:
            assert series.growth[place] == pytest.approx(float(np.log(now / before)), abs=1e-12)
            assert series.without_people[place] and series.unaccompanied_share[place] == 0.0
        else:
            every = latest["stock"]
            grown = float(np.log(every.sel(year=year) / every.sel(year=year - 1)))
            assert series.growth[place] == pytest.approx(grown, abs=1e-12)
            assert series.unaccompanied_share[place] == pytest.approx(3000 / 61_180)


def test_a_release_without_a_year_of_unaccompanied_children_keeps_it_open():
    """Release 2016 has no number for 2015: both changes that meet there still hold those children."""
    series = growth_series(cba.load_observations(2016))
    open_years = series.years[series.unaccompanied_share > 0].tolist()
    assert open_years == [2015, 2016] and 2015 not in series.uasc_years


def test_growth_beyond_last_years_rates_is_what_starts_and_exits_bring(latest, series):
    """b_s (change of log starts) - b_x (change of log odds), next to the account itself to second order."""
    stock, starts, ceases = (latest[name].values.astype(float) for name in ("stock", "starts", "ceases"))
    for year in (5, 20, 29):
        odds = []
        for t in (year - 1, year):
            share = ceases[t] / (stock[t - 1] + starts[t] / 2)
            odds.append(share / (1 - share))
        leaving = odds[1] / (1 + odds[1])
        closure = (stock[year] - stock[year - 1] - starts[year] + ceases[year]) / starts[year]
        rise = starts[year] / stock[year - 1] * (1 - leaving / 2 + closure)
        fall = leaving * (1 - leaving) * (1 + starts[year] / (2 * stock[year - 1]))
        through = rise * np.log(starts[year] / starts[year - 1])
        beyond = through - fall * np.log(odds[1] / odds[0])
        np.testing.assert_allclose(series.split[:, year - 2], [beyond, through], rtol=1e-10)


def test_responses_are_the_slopes_of_the_account():
    """Numerical derivatives of log N' = log(N + S - h (N + S/2) + r S)."""
    stock, starts, exits, closure, step = 80_000.0, 33_000.0, 0.33, 0.013, 1e-6

    def following(log_starts, odds):
        s, h = np.exp(log_starts), 1 / (1 + np.exp(-odds))
        return np.log(stock + s - h * (stock + s / 2) + closure * s)

    at = (np.log(starts), np.log(exits / (1 - exits)))
    rise = (following(at[0] + step, at[1]) - following(at[0] - step, at[1])) / (2 * step)
    fall = -(following(at[0], at[1] + step) - following(at[0], at[1] - step)) / (2 * step)
    scale = np.exp(following(*at)) / stock  # growth is stated over the stock before
    flows = {"starts": starts, "everyone": starts, "exits": exits, "closure": closure}
    flows = {name: np.array([flow]) for name, flow in flows.items()}
    found = responses(np.array([stock]), **flows)
    np.testing.assert_allclose(found, [rise * scale, fall * scale], rtol=1e-6)
    # two alike bands of half the children are the same account
    halves = {name: np.repeat(flow / 2, 2) for name, flow in flows.items() if name in ("starts", "everyone")}
    same = {name: np.repeat(flows[name], 2) for name in ("exits", "closure")}
    np.testing.assert_allclose(responses(np.full(2, stock / 2), **halves, **same), found, rtol=1e-12)


def test_density_equals_plain_loops(series, priors):
    """Every year, with what is not published drawn out of it, and the shock of 2020-21 three times as wide."""
    model = build_growth(series, with_memory(priors))
    names = [rv.name for rv in model.free_RVs]
    drawn = {
        n: v for n, v in zip(names, pm.draw(model.free_RVs, draws=1, random_seed=3, mode=QUICK), strict=True)
    }
    logp = model.compile_fn(
        model.logp(model.observed_RVs, sum=False), inputs=model.value_vars, point_fn=True, mode=QUICK
    )
    point = {}
    for rv in model.free_RVs:
        transform = model.rvs_to_transforms[rv]
        value = drawn[rv.name]
        forward = value if transform is None else transform.forward(value, *rv.owner.inputs).eval(mode=QUICK)
        point[model.rvs_to_values[rv].name] = np.asarray(forward)
    found = dict(zip([rv.name for rv in model.observed_RVs], logp(point), strict=True))
    mean, memory, sd = (float(drawn[f"growth_{n}"]) for n in ("mean", "persistence", "innovation_sd"))
    alone_sd, expected, before, used = float(drawn["uasc_innovation_sd"]), [], None, 0
    for place, year in enumerate(series.years):
        unknown = np.hypot(0.004 * series.without_people[place], series.unaccompanied_share[place] * alone_sd)
        noise = 0.0
        if unknown > 0:
            noise, used = unknown * drawn["unpublished_growth"][used], used + 1
        centre = mean if before is None else mean + memory * (before - mean)
        spread = sd / np.sqrt(1 - memory**2) if before is None else sd * (3.0 if year == SHOCK else 1.0)
        expected.append(stats.norm.logpdf(series.growth[place], centre + noise, spread))
        before = series.growth[place] - noise
    np.testing.assert_allclose(found["growth"], expected, rtol=1e-8)
    kept, level = 0.5 ** (1 / float(drawn["uasc_half_life"])), np.log(float(drawn["uasc_long_run_stock"]))
    seen = np.log(series.uasc_stock)
    centre = level + kept * (seen[:-1] - level)
    np.testing.assert_allclose(
        found["unaccompanied"], stats.norm.logpdf(seen[1:], centre, alone_sd), rtol=1e-8
    )
    part = float(drawn["growth_through_starts"]) * series.split[0]
    split = stats.norm.logpdf(series.split[1], part, float(drawn["growth_split_sd"]))
    np.testing.assert_allclose(found["growth_split"], split, rtol=1e-8)


def test_a_fixed_entry_is_a_constant_and_no_variable(series, priors):
    """As shipped growth has no memory; a candidate that gives it some has a variable for it."""
    assert "growth_persistence" not in {rv.name for rv in build_growth(series, priors).free_RVs}
    assert "growth_persistence" in {rv.name for rv in build_growth(series, with_memory(priors)).free_RVs}


def held(draws, **values):
    """The same parameters in every draw."""
    usual = dict.fromkeys(MOVEMENTS, 0.0) | {"uasc_half_life": 3.0, "uasc_long_run_stock": 5000.0} | values
    return xr.Dataset({name: ("sample", np.full(draws, float(value))) for name, value in usual.items()})


def test_without_noise_paths_are_the_closed_form(latest, series):
    """log n grows by mu h + (g_0 - mu)(phi + ... + phi^h); log U returns by the half-life."""
    last = xr.Dataset(growth_start(series, children=83_630.0))
    people = np.exp(np.outer(np.ones(2), -0.005 * np.arange(1, 7)))
    found = number_paths(held(2, growth_mean=0.01, growth_persistence=0.6), last, people=people, seed=1)
    ahead = np.arange(1, 7)
    first = float(last["last_growth"])
    total = 0.01 * ahead + (first - 0.01) * 0.6 * (1 - 0.6**ahead) / 0.4
    others = (83_630 - 7380) * np.exp(total - 0.005 * ahead)
    alone = 5000 * (7380 / 5000) ** (0.5 ** (ahead / 3.0))
    np.testing.assert_allclose(found["unaccompanied"].values[0, 1:], alone, rtol=1e-12)
    np.testing.assert_allclose(found["children"].values[0, 1:], others + alone, rtol=1e-12)
    assert found["children"].values[0, 0] == pytest.approx(83_630)


def test_noise_has_the_stated_spread(series):
    """Var of the sum of an AR(1) from a known start, and of a return to a level, after four years."""
    draws, phi, sd = 40_000, 0.5, 0.02
    last = xr.Dataset(growth_start(series, children=83_630.0))
    noisy = held(draws, growth_persistence=phi, growth_innovation_sd=sd, uasc_innovation_sd=0.2)
    found = number_paths(noisy, last, people=np.ones((draws, 4)), seed=2)
    others = np.log((found["children"] - found["unaccompanied"]).values[:, 4])
    weights = [sum(phi**k for k in range(4 - t)) for t in range(4)]
    variance = sd**2 * sum(w**2 for w in weights)
    assert others.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / draws))
    kept = 0.5 ** (1 / 3.0)
    alone = 0.04 * (1 - kept**8) / (1 - kept**2)
    assert np.log(found["unaccompanied"].values[:, 4]).var() == pytest.approx(
        alone, rel=5 * np.sqrt(2 / draws)
    )


def test_unaccompanied_children_last_known_earlier_are_carried_to_the_last_year():
    series = growth_series(cba.load_observations(2015))
    last = xr.Dataset(growth_start(series, children=69_540.0))
    assert int(last["uasc_year"]) == 2014 and int(last["last_year"]) == 2015
    found = number_paths(held(3, last_growth=0.0), last, people=np.ones((3, 2)), seed=1)
    expected = 5000 * (1970 / 5000) ** (0.5 ** (1 / 3.0))
    np.testing.assert_allclose(found["unaccompanied"].values[:, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("broken", ["short", "gap", "filled"])
def test_a_history_that_cannot_tell_is_refused(latest, broken):
    changed = latest.copy(deep=True)
    if broken == "short":
        changed = changed.sel(year=slice(2020, None))
    elif broken == "gap":
        changed = changed.drop_sel(year=2017)
    else:
        changed["stock"][:] = 40_000 * 1.02 ** np.arange(changed.sizes["year"])
    with pytest.raises(InputError, match="too little history of totals") as caught:
        growth_series(changed)
    assert "at least 6 consecutive years" in str(caught.value)


@pytest.mark.slow
def test_recovers_what_a_long_made_up_past_was_made_from(latest, priors):
    """300 years from known values: means within four posterior standard deviations, which are small."""
    from dataclasses import replace

    from cba.models.sampling import Gates, sample_gated
    from cba.validation.simulation import simulated_growth

    known = growth_series(latest)
    years = np.arange(1725, 2025)
    clear = replace(
        known,
        years=years,
        growth=np.zeros(300),
        without_people=np.zeros(300, bool),
        unaccompanied_share=np.zeros(300),
        uasc_years=years,
        uasc_stock=np.full(300, 5000.0),
        split=np.random.default_rng(0).normal(0.0, 0.02, (2, 300)),
    )
    truth = {
        "growth_mean": 0.01,
        "growth_persistence": 0.6,
        "growth_innovation_sd": 0.017,
        "growth_through_starts": 0.4,
        "growth_split_sd": 0.015,
        "uasc_half_life": 3.0,
        "uasc_long_run_stock": 5000.0,
        "uasc_innovation_sd": 0.2,
        "unpublished_growth": np.zeros(0),
    }
    made = simulated_growth(clear, truth, priors, rng=np.random.default_rng(1))
    stock = np.exp(np.append(np.log(5000.0), made["unaccompanied"]))
    seen = replace(
        clear, growth=made["growth"], uasc_stock=stock, split=np.stack([clear.split[0], made["growth_split"]])
    )
    how = {"draws": 250, "tune": 500, "chains": 2, "seed": 1, "gates": Gates(rhat=1.05, ess=100)}
    fit = sample_gated(build_growth(seen, with_memory(priors)), **how)["posterior"].to_dataset()
    for name, value in truth.items():
        if np.size(value):
            draws = fit[name].values
            assert abs(draws.mean() - value) < 4 * draws.std(), name
            assert draws.std() < 0.5 * max(abs(value), 0.01), name
