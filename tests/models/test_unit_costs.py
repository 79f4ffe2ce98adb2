"""Unit costs and what drives spending: sums by hand from the published series, and the growth they show."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import cba
from cba.errors import InputError
from cba.inputs.distributions import distribution
from cba.models.unit_costs import (
    COSTS,
    NAMES,
    cost_history,
    prior_unit_cost_draws,
    unit_cost_draws,
    unit_cost_posterior,
)
from cba.models.unit_costs_accounts import (
    GROUPS,
    PARTS,
    driver_index,
    driver_weights,
    guardianship_orders,
    published_drivers,
    published_spending,
)


@pytest.fixture(scope="module")
def seen():
    return cba.load_observations()


@pytest.fixture(scope="module")
def priors():
    return cba.load_priors()


@pytest.mark.parametrize("release", [2021, 2022, 2023, 2024])
def test_parts_add_up_to_the_published_totals_in_every_year(release):
    known = cba.load_observations(release)
    spent = published_spending(known)
    assert spent["year"].values.tolist() == list(range(2013, release + 1))
    assert (spent > 0).all()
    for total, parts in GROUPS.items():
        published = known["spending"].sel(line=total, year=spent["year"])
        np.testing.assert_allclose(spent.sel(part=list(parts)).sum("part"), published, rtol=1e-12)


def test_other_care_is_the_sum_of_its_published_lines(seen):
    """In 2021-22, the last year with every line: adoption, guardianship, relatives, asylum and four more."""
    lines = ["adoption", "special_guardianship", "family_and_friends", "asylum_children"]
    lines += ["other_cla", "short_breaks_cla", "education_cla"]
    published = float(seen["spending"].sel(year=2022, line=lines).sum())
    other = float(published_spending(seen).sel(year=2022, part="other_care"))
    assert other == pytest.approx(published, abs=0.05)  # lines are rounded to £10,000


def test_fostering_from_its_weekly_cost_is_near_its_published_line(seen):
    """Years with both: the same money by two routes, which is why the second serves where lines end."""
    fostered = seen["stock_by_placement_published"].sel(placement_published="foster_all")
    weekly = seen["unit_cost_weekly"].sel(service="fostering")
    bought = (fostered * weekly * 365 / 7 / 1e6).sel(year=slice(2016, 2022))
    np.testing.assert_allclose(bought, seen["spending"].sel(line="fostering", year=bought["year"]), rtol=0.01)


def test_weights_are_shares_of_the_published_lines(seen):
    weights, year = driver_weights(seen)
    np.testing.assert_allclose(weights.sum("driver"), 1.0, rtol=1e-12)
    assert year == 2022 and (weights >= 0).all()
    spent = seen["spending"].sel(year=2022)
    expected = float(spent.sel(line="social_work") / spent.sel(line="total_safeguarding"))
    assert float(weights.sel(part="safeguarding", driver="need")) == pytest.approx(expected, rel=1e-12)


def test_drivers_by_hand(seen):
    counts = published_drivers(seen)
    leaving = seen["ceases_by_age"].sel(age="16_plus")
    assert float(counts.sel(year=2024, driver="leavers")) == sum(
        float(leaving.sel(year=y)) for y in range(2021, 2025)
    )
    orders = guardianship_orders(seen)
    running = sum(float(orders.sel(year=y)) for y in range(2013, 2025))
    assert float(counts.sel(year=2024, driver="guardianship")) == running
    assert 38_000 < running < 50_000
    share = counts.sel(driver="homes") / counts.sel(driver="looked_after")
    np.testing.assert_allclose(share.sel(year=slice(2013, 2017)), float(share.sel(year=2018)), rtol=1e-12)


def test_an_index_of_its_reference_year_is_one_and_follows_its_driver(seen):
    counts = published_drivers(seen)
    weights, year = driver_weights(seen)
    reference = counts.sel(year=year)
    np.testing.assert_allclose(driver_index(reference, weights=weights, reference=reference), 1.0, rtol=1e-12)
    more = reference.copy()
    more.loc["guardianship"] *= 1.1
    moved = driver_index(more, weights=weights, reference=reference)
    share = float(weights.sel(part="other_care", driver="guardianship"))
    expected = [1.0 + 0.1 * share if part == "other_care" else 1.0 for part in PARTS]
    np.testing.assert_allclose(moved, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "first, last, cost, stated, room",
    [
        (2016, 2024, "residential_care", 6.2, 0.1),
        (2021, 2024, "residential_care", 9.5, 0.15),
        (2016, 2021, "residential_care", 4.5, 0.2),
        (2016, 2024, "fostering", -0.5, 0.1),
    ],
)
def test_published_series_grow_as_stated(seen, first, last, cost, stated, room):
    """Real growth, per cent a year. To 2021 the series and the deflator in use give 4.35, stated as 4.5."""
    history = cost_history(seen, costs="unit_costs").sel(cost=cost)
    found = 100 * np.expm1(float(history.sel(year=last) - history.sel(year=first)) / (last - first))
    assert found == pytest.approx(stated, abs=room)
    prices = seen["gdp_deflator"].sel(deflator_year=[first, last]).values
    weekly = seen["unit_cost_weekly"].sel(service=cost, year=[first, last]).values
    real = weekly[1] / weekly[0] / (prices[1] / prices[0])
    assert found == pytest.approx(100 * (real ** (1 / (last - first)) - 1), rel=1e-9)


def test_costs_that_keep_pace_with_prices_do_not_grow_and_the_base_of_the_index_does_not_matter(seen):
    prices = seen["gdp_deflator"].sel(
        deflator_year=seen["year"].where(seen["year"] >= 2009, drop=True).values
    )
    pace = prices.rename(deflator_year="year").reindex(year=seen["year"].values)
    weekly = seen["unit_cost_weekly"].where(seen["unit_cost_weekly"].isnull(), 7.0 * pace)
    steady = cost_history(seen.assign(unit_cost_weekly=weekly), costs="unit_costs")
    np.testing.assert_allclose(np.diff(steady.values, axis=0), 0.0, atol=1e-12)
    other = seen.assign(gdp_deflator=37.0 * seen["gdp_deflator"])
    for costs in ("unit_costs", "system"):
        one, two = (np.diff(cost_history(s, costs=costs).values, axis=0) for s in (seen, other))
        np.testing.assert_allclose(one, two, atol=1e-12)


def test_growth_of_homes_lies_between_its_long_and_its_recent_pace(seen, priors):
    found = unit_cost_posterior(seen, priors=priors, draws=4000, seed=0)
    homes = found.growth[:, COSTS.index("residential_care")]
    assert np.log(1.044) < homes.mean() < np.log(1.095)
    before = unit_cost_posterior(seen, priors=priors, draws=4000, seed=0, until=2021)
    assert before.growth[:, COSTS.index("residential_care")].mean() < homes.mean()


def test_growth_and_level_are_paired(seen, priors):
    """Where the last published level is taken for too high, so is the last change: both errors go together."""
    found = unit_cost_posterior(seen, priors=priors, draws=20_000, seed=0)
    position = COSTS.index("residential_care")
    together = np.corrcoef(found.level[:, position], found.growth[:, position])[0, 1]
    assert together > 4 / np.sqrt(20_000)


def test_draws_repeat_and_each_has_growth_level_and_surprise(seen, priors):
    one, two = (unit_cost_draws(seen, priors=priors, draws=200, seed=3) for _ in range(2))
    assert one.identical(two)
    shares = {
        f"{costs}.{share}_share" for costs in ("unit_costs", "system") for share in ("lasting", "error")
    }
    parts = {f"{name}_{what}" for name in NAMES.values() for what in ("growth", "level", "surprise")}
    assert set(one.data_vars) == shares | parts
    assert not one.identical(unit_cost_draws(seen, priors=priors, draws=200, seed=4))


def test_priors_alone_have_the_same_parameters_and_their_own_moments(seen, priors):
    drawn = prior_unit_cost_draws(priors, draws=20_000, seed=1)
    assert set(drawn.data_vars) == set(unit_cost_draws(seen, priors=priors, draws=10, seed=1).data_vars)
    for name, entry in (("growth", "real_growth"), ("surprise", "yearly_change")):
        stated = priors[f"unit_costs.{entry}"].parameters
        values = drawn[f"unit_costs.residential_{name}"].values
        assert abs(values.mean() - stated["mu"]) < 4 * stated["sigma"] / np.sqrt(values.size)
        assert values.std() == pytest.approx(stated["sigma"], rel=4 / np.sqrt(2 * values.size))
    assert abs(drawn["system.need_rate_growth"].values.mean()) < 4 * 0.04 / np.sqrt(20_000)


def test_surprises_are_as_large_as_yearly_changes_and_costs_move_together(seen, priors):
    found = unit_cost_draws(seen, priors=priors, draws=20_000, seed=0)
    posterior = unit_cost_posterior(seen, priors=priors, draws=20_000, seed=0)
    surprise = found["unit_costs.residential_surprise"].values
    expected = np.sqrt(posterior.covariance[:, 0, 0].mean())
    assert surprise.std() == pytest.approx(expected, rel=0.05)
    other = found["system.other_care_surprise"].values
    assert np.corrcoef(surprise, other)[0, 1] > 0.2  # 0.5 in the published changes, shrunk by the prior


@pytest.mark.parametrize(
    "entry, settings",
    [("real_growth", {"mu": 0.06, "sigma": 0.01}), ("yearly_change", {"mu": 0.0, "sigma": 0.3})],
)
def test_priors_move_the_draws(seen, priors, entry, settings):
    name = f"unit_costs.{entry}"
    changed = dataclasses.replace(priors[name], fitted=distribution("Normal", parameters=settings))
    other = dataclasses.replace(priors, entries={**priors.entries, name: changed})
    one, two = (unit_cost_draws(seen, priors=p, draws=500, seed=0) for p in (priors, other))
    column = "unit_costs.fostering_growth" if entry == "real_growth" else "system.safeguarding_surprise"
    before, after = (x[column].values for x in (one, two))
    assert (
        after.mean() > before.mean() + 0.005 if entry == "real_growth" else after.std() > 1.5 * before.std()
    )


def test_a_gap_in_the_weekly_cost_is_refused(seen, priors):
    weekly = seen["unit_cost_weekly"].copy(deep=True)
    weekly.loc[{"year": 2020, "service": "fostering"}] = np.nan
    with pytest.raises(InputError) as caught:
        unit_cost_draws(seen.assign(unit_cost_weekly=weekly), priors=priors, draws=10, seed=0)
    text = str(caught.value)
    assert "a cost has a gap" in text and "unit_cost_weekly" in text and "complete the series" in text


@pytest.mark.parametrize("line, year", [("total_safeguarding", 2024), ("residential_care", 2017)])
def test_a_missing_outturn_is_refused(seen, line, year):
    spending = seen["spending"].copy(deep=True)
    spending.loc[{"year": year, "line": line}] = np.nan
    with pytest.raises(InputError) as caught:
        published_spending(seen.assign(spending=spending))
    text = str(caught.value)
    assert line in text and str(year) in text and "spending_england.csv" in text


def test_a_release_without_placements_is_refused():
    with pytest.raises(InputError) as caught:
        published_drivers(cba.load_observations(2019))
    text = str(caught.value)
    assert "stock_by_placement" in text and "2021" in text
