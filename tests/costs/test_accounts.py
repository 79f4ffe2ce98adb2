"""The projection's equations give back the published accounts, and forecasts are the projection itself."""

from __future__ import annotations

import numpy as np
import pytest

import cba
from cba.costs.prices import growth_path, unit_cost_path
from cba.costs.system_cost import (
    LINES,
    by_line,
    forecast_history,
    future_drivers,
    modelled_history,
    published_real,
    running_total,
)
from cba.dimensions import PLACEMENTS
from cba.models.unit_costs import COSTS, simulated_past, spread_ahead, unit_cost_draws, unit_cost_posterior
from cba.models.unit_costs_accounts import (
    DRIVERS,
    PARTS,
    guardianship_orders,
    published_drivers,
    published_spending,
)
from tests.appraisal.made_workings import made_inputs, made_workings


@pytest.fixture(scope="module")
def priors():
    return cba.load_priors()


@pytest.mark.parametrize("release", [2021, 2024])
def test_every_year_and_line_of_the_accounts_lies_within_the_modelled_band(release, priors):
    """From 2012-13 on, by one equation run back from the last account: 90% bands, no year fitted."""
    seen = cba.load_observations(release)
    modelled = by_line(modelled_history(seen, priors=priors, price_base=release, draws=4000, seed=0))
    real = by_line(published_real(seen, price_base=release))
    lower, upper = modelled.quantile([0.05, 0.95], "sample")
    inside = (real >= lower) & (real <= upper)
    assert real["year"].values.tolist() == list(range(2013, release + 1))
    assert inside.all(), inside.where(~inside, drop=True)
    wide = ((upper - lower) / real).sel(line="total")
    assert float(wide.sel(year=2013)) < 0.5  # a band that holds anything would prove nothing
    assert float(wide.sel(year=release)) < 0.04


@pytest.mark.parametrize("year, factor", [(2016, 0.8), (2022, 1.1)])
def test_a_wrong_account_would_show(year, factor, priors):
    seen = cba.load_observations()
    modelled = by_line(modelled_history(seen, priors=priors, price_base=2024, draws=2000, seed=0))
    wrong = factor * by_line(published_real(seen, price_base=2024)).sel(year=year, line="total")
    lower, upper = modelled.sel(year=year, line="total").quantile([0.05, 0.95], "sample")
    assert not lower <= wrong <= upper


def test_the_price_base_changes_the_unit_of_money_only(priors):
    seen = cba.load_observations()
    prices = seen["gdp_deflator"]
    ratio = float(prices.sel(deflator_year=2022) / prices.sel(deflator_year=2024))
    settings = {"priors": priors, "draws": 50, "seed": 0}
    one, two = (modelled_history(seen, price_base=base, **settings) for base in (2024, 2022))
    np.testing.assert_allclose(two, one * ratio, rtol=1e-12)


def test_a_forecast_by_hand(priors):
    """Leaving care two years after 2022: account, published driver and one path, written out."""
    seen, draws, seed = cba.load_observations(), 300, 5
    parameters = priors.sample(draws, seed)
    found = forecast_history(seen, parameters, priors=priors, origin=2022, price_base=2024, seed=seed)
    drawn = unit_cost_draws(seen, priors=priors, draws=draws, seed=seed, until=2022)
    counts = published_drivers(seen).sel(driver="leavers")
    half_life = parameters["unit_costs.growth_half_life"].values
    first = drawn["system.leaving_care_growth"].values
    settled = (
        parameters["unit_costs.real_earnings_growth"].values
        + parameters["unit_costs.growth_above_earnings"].values
    )
    logs = first + settled + (first - settled) * 0.5 ** (1 / half_life)
    shares = {name: drawn[f"system.{name}_share"].values for name in ("lasting", "error")}
    spread = spread_ahead(2, half_life=half_life, **shares)[:, 1]
    logs += drawn["system.leaving_care_level"].values + drawn["system.leaving_care_surprise"].values * spread
    spent = float(published_real(seen, price_base=2024).sel(year=2022, part="leaving_care"))
    expected = spent * float(counts.sel(year=2024) / counts.sel(year=2022)) * np.exp(logs)
    np.testing.assert_allclose(found.sel(year=2024, part="leaving_care"), expected, rtol=1e-12)


def test_lines_are_sums_of_parts():
    six = published_real(cba.load_observations(), price_base=2024)
    lines = by_line(six)
    assert lines["line"].values.tolist() == list(LINES)
    np.testing.assert_allclose(lines.sel(line="total"), six.sum("part"), rtol=1e-12)
    np.testing.assert_allclose(lines.isel(line=slice(0, 3)).sum("line"), lines.sel(line="total"), rtol=1e-12)
    assert set(six["part"].values) == set(PARTS)


def test_a_running_total_against_a_loop():
    rng = np.random.default_rng(0)
    past, flow = rng.uniform(size=5), rng.uniform(size=(3, 7))
    found = running_total(past, flow, years=4)
    for draw in range(3):
        whole = np.concatenate([past, flow[draw]])
        expected = [whole[t + 5 - 3 : t + 5 + 1].sum() for t in range(7)]
        np.testing.assert_allclose(found[draw], expected, rtol=1e-12)


def test_drivers_start_where_the_published_ones_end():
    """One year on, stocks that turn over slowly are within a few per cent of those published."""
    workings = made_workings()
    counts = future_drivers(made_inputs().observations, workings.system)
    last = published_drivers(made_inputs().observations).sel(year=2024).values
    assert np.isfinite(counts).all() and (counts > 0).all()
    away = np.abs(counts[:, 0].mean(axis=0) / last - 1.0)
    assert (
        away < np.where(np.array(DRIVERS) == "unaccompanied", 0.2, 0.08)
    ).all()  # those turn over in two years


def test_a_cost_path_is_growth_times_what_is_not_foreseen():
    drawn = made_workings().system.parameters
    name, steps = "system.safeguarding", 6
    half_life = drawn["unit_costs.growth_half_life"].values
    grown = growth_path(
        drawn[f"{name}_growth"].values,
        settled=(
            drawn["unit_costs.real_earnings_growth"].values + drawn["unit_costs.growth_above_earnings"].values
        ),
        half_life=half_life,
        steps=steps,
    )
    shares = {share: drawn[f"system.{share}_share"].values for share in ("lasting", "error")}
    spread = spread_ahead(steps, half_life=half_life, **shares)
    expected = np.log(grown) + drawn[f"{name}_surprise"].values[:, None] * spread
    np.testing.assert_allclose(np.log(unit_cost_path(drawn, (name,), steps=steps)), expected, atol=1e-12)


def test_every_driver_of_a_later_year_by_hand():
    """Stocks by placement, flows over the years they count for, unaccompanied children as their own path has them."""
    workings, seen = made_workings(), made_inputs().observations
    system, value = workings.system, workings.system.value
    found = future_drivers(seen, system)
    last = published_drivers(seen).sel(year=2024)
    usual = system.baseline.transpose("sample", "year", "age")
    draw, step = 17, 5
    total = usual["children"].values.sum(-1)[draw]
    mix = dict(zip(PLACEMENTS, system.placement_mix[draw, step], strict=True))
    leaving = seen["ceases_by_age"].sel(age="16_plus")
    left = list(usual["ceases"].sel(age="16_plus").values[draw])
    orders = guardianship_orders(seen)
    per_child = float(orders.sel(year=2024)) / float(last.sel(driver="looked_after"))
    before = [float(orders.sel(year=year)) for year in range(2024 - 5, 2025)]
    growth = unit_cost_path(system.parameters, ("system.need_rate",), steps=step + 1, settles=False)[draw, -1]
    people = float(usual["population"].values[draw, step])
    per_person = float(last.sel(driver="need") / last.sel(driver="population"))
    expected = {
        "homes": total[step] * mix["childrens_home"],
        "fostered": total[step] * sum(share for name, share in mix.items() if name.startswith("foster")),
        "leavers": sum(left[step - 3 : step + 1]),
        "guardianship": sum(before) + per_child * total[: step + 1].sum(),
        "unaccompanied": float(usual["unaccompanied"].values[draw, step]),
        "looked_after": total[step],
        "need": people * per_person * np.exp(value("system.need_rate_level")[draw]) * growth,
        "population": people,
    }
    for place, name in enumerate(DRIVERS):
        assert found[draw, step, place] == pytest.approx(expected[name], rel=1e-9), name
    early = float(leaving.sel(year=2023)) + float(leaving.sel(year=2024)) + left[0] + left[1]
    assert found[draw, 1, DRIVERS.index("leavers")] == pytest.approx(early, rel=1e-12)


def test_the_accounts_run_back_by_hand(priors):
    """The last account times its driver and its cost of each earlier year, from the numbers of (seed, 251)."""
    seen = cba.load_observations()
    found = modelled_history(seen, priors=priors, price_base=2022, draws=40, seed=3)
    posterior = unit_cost_posterior(seen, priors=priors, draws=40, seed=3)
    past = simulated_past(posterior, years=11, seed=[3, 251])
    counts, spent = published_drivers(seen), published_spending(seen)
    deflator = seen["gdp_deflator"]
    real = float(deflator.sel(deflator_year=2022) / deflator.sel(deflator_year=2024)) * 1e6
    assert found["year"].values.tolist() == list(range(2013, 2025))
    for part, driver, cost in (
        ("homes", "homes", "residential_care"),
        ("fostering", "fostered", "fostering"),
        ("leaving_care", "leavers", "leaving_care"),
    ):
        for year in (2013, 2020, 2024):
            moved = float(counts.sel(year=year, driver=driver) / counts.sel(year=2024, driver=driver))
            drift = np.exp(past[:, 2024 - year, COSTS.index(cost)])
            expected = float(spent.sel(year=2024, part=part)) * real * moved * drift
            np.testing.assert_allclose(found.sel(year=year, part=part), expected, rtol=1e-12)


def test_published_spending_in_real_terms_by_hand():
    seen = cba.load_observations()
    spent, deflator = published_spending(seen), seen["gdp_deflator"]
    found = published_real(seen, price_base=2022)
    for year in (2013, 2024):
        ratio = float(deflator.sel(deflator_year=2022)) / float(deflator.sel(deflator_year=year))
        expected = float(spent.sel(year=year, part="homes")) * ratio * 1e6
        assert float(found.sel(year=year, part="homes")) == pytest.approx(expected, rel=1e-12)
