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
from cba.models.unit_costs import spread_ahead, unit_cost_draws
from cba.models.unit_costs_accounts import DRIVERS, PARTS, published_drivers
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
    np.testing.assert_allclose(counts[:, 0].mean(axis=0) / last, 1.0, atol=0.08)
    np.testing.assert_array_equal(
        counts[0, 0, DRIVERS.index("unaccompanied")], last[DRIVERS.index("unaccompanied")]
    )
    usual = workings.system.baseline["children"].transpose("sample", "year", "age").values.sum(-1)
    np.testing.assert_allclose(counts[..., DRIVERS.index("looked_after")], usual, rtol=1e-12)


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
