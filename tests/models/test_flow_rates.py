"""Yearly rates against the published account: rolled forward they give back every stock and every cease."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cba
from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.models.baseline import SERIES, flow_rates, uasc_age_share, unaccompanied_starts
from cba.projection.business_as_usual import business_as_usual

SMALLEST_HISTORY = 6


@pytest.fixture(scope="module", params=[2024, 2021])
def observations(request):
    return cba.load_observations(request.param)


@pytest.fixture(scope="module")
def latest():
    return cba.load_observations(2024)


def share(logit):
    return 1.0 / (1.0 + np.exp(-logit))


def hindcast_inputs(observations, rates):
    """The derived rates as one path of future rates, and a fit whose last stock is the first published one."""
    value = dict(zip(SERIES, rates.values, strict=True))
    ageing = np.zeros((rates.years.size, 5))
    for band in (1, 2, 3):
        ageing[:, band] = share(value[f"logit_ageing_{AGE_BANDS[band]}"])
    by_age, by_year = ("sample", "year", "age"), ("sample", "year")
    starts = np.stack([np.exp(value[f"log_start_rate_{age}"]) for age in AGE_BANDS], axis=-1)
    exits = np.stack([share(value[f"logit_exit_{age}"]) for age in AGE_BANDS], axis=-1)
    paths = xr.Dataset(
        {
            "start_rate": (by_age, starts[None]),
            "exit": (by_age, exits[None]),
            "ageing": (by_age, ageing[None]),
            "stay": (by_year, share(value["logit_stay_under_1"])[None]),
            "closure_rate": (by_year, np.exp(value["log_closure_rate"])[None]),
            "uasc_starts": (by_year, rates.uasc_starts[None]),
            "uasc_stock": (by_year, rates.uasc_starts[None]),
        },
        coords={"year": rates.years, "age": list(AGE_BANDS)},
    )
    first = observations["stock_by_age"].sel(year=int(rates.years[0]) - 1, age=list(AGE_BANDS)).values
    fit = xr.DataTree.from_dict(
        {"constant_data": xr.Dataset({"stock": ("age", first), "uasc_share": ("age", rates.uasc_share)})}
    )
    return fit, paths, observations["population_0_17"].sel(year=rates.years)


@pytest.mark.parametrize("leave_share", [0.4, 0.6])
def test_hindcast_reproduces_every_published_stock_and_flow(observations, leave_share):
    """No year is fitted: rolling the account forward closes exactly, residual included."""
    rates = flow_rates(observations, uasc_leave_share=leave_share)
    fit, paths, population = hindcast_inputs(observations, rates)
    path = business_as_usual(fit, paths, population)
    for name, published in (
        ("children", "stock_by_age"),
        ("starts", "starts_by_age"),
        ("ceases", "ceases_by_age"),
    ):
        expected = observations[published].sel(year=rates.years, age=list(AGE_BANDS)).values
        np.testing.assert_allclose(path[name].values[0], expected, atol=1e-6, err_msg=name)
    stock = observations["stock_by_age"].sum("age", min_count=5)
    change = stock.diff("year").sel(year=rates.years).values
    flows = (observations["starts_by_age"] - observations["ceases_by_age"]).sum("age").sel(year=rates.years)
    np.testing.assert_allclose(path["closure"].values[0], change - flows.values, atol=1e-6)


def test_closure_is_what_the_design_says(latest):
    """+420 to +890 a year, about +430 since 2021: of ages, whose rounding differs from the totals' by tens."""
    rates = flow_rates(latest)
    starts = np.exp(rates.values[:5]).sum(0) * latest["population_0_17"].sel(year=rates.years).values
    closure = np.exp(rates.values[SERIES.index("log_closure_rate")]) * starts
    assert closure.min() > 380 and closure.max() < 900
    assert 380 < closure[rates.years >= 2021].mean() < 480


def test_rates_lie_where_the_design_found_them(latest):
    """Nobody stays under 1 for a year: about 0.68 of a year's starts at that age are still under 1, net of exits.

    Here q applies to those who have not ceased, so q (1 - h/2) (plus the residual) is the share of starts.
    """
    rates = flow_rates(latest)
    stock = latest["stock_by_age"].sel(year=rates.years, age="under_1").values
    starts = latest["starts_by_age"].sel(year=rates.years, age="under_1").values
    assert 0.62 < (stock / starts).mean() < 0.74
    ratio = (stock / starts)[-1] / (
        share(rates.values[SERIES.index("logit_stay_under_1"), -1])
        * (1 - share(rates.values[SERIES.index("logit_exit_under_1"), -1]) / 2)
    )
    assert 1.0 < ratio < 1.03  # the closure residual


def test_unaccompanied_starts_solve_their_account(latest):
    """U' = U + s - h (U + s/2) wherever starts are not published."""
    stock = latest["uasc_stock"]
    published = latest["uasc_starts"]
    for leave in (0.3, 0.5, 0.9):
        starts = unaccompanied_starts(latest, leave_share=leave)
        before = stock.shift(year=1)
        rolled = before + starts - leave * (before + starts / 2.0)
        implied = published.isnull() & before.notnull()
        assert int(implied.sum()) >= 10
        np.testing.assert_allclose(rolled.where(implied, drop=True), stock.where(implied, drop=True))
        known = published.dropna("year")
        np.testing.assert_array_equal(starts.sel(year=known["year"]), known)


def test_ages_of_unaccompanied_children_sum_to_one_and_are_mostly_16_plus(latest):
    ages = uasc_age_share(latest)
    assert ages.sum() == pytest.approx(1.0, abs=1e-12)
    assert (ages[:3] == 0).all() and ages[4] > 0.75
    stock = latest["uasc_stock_16_plus"] / latest["uasc_stock"]
    assert float(stock.min()) <= ages[4] <= float(stock.max())


def test_counting_noise_is_that_of_the_counts(latest):
    """Log of a Poisson count n: 1/sqrt(n). Logit of a binomial share p of m: 1/sqrt(m p (1 - p))."""
    rates = flow_rates(latest)
    year = int(rates.years[-1])
    starts = np.exp(rates.values[4, -1]) * float(latest["population_0_17"].sel(year=year))
    assert rates.noise[4, -1] == pytest.approx(1 / np.sqrt(starts), rel=1e-12)
    left = float(latest["ceases_by_age"].sel(year=year, age="10_15"))
    gone = share(rates.values[SERIES.index("logit_exit_10_15"), -1])
    trials = left / gone
    expected = 1 / np.sqrt(trials * gone * (1 - gone))
    assert rates.noise[SERIES.index("logit_exit_10_15"), -1] == pytest.approx(expected, rel=1e-12)
    assert (rates.noise > 0).all() and rates.noise.max() < 0.06


def test_early_totals_end_where_ages_begin(latest):
    """No yearly change is used twice: totals up to the first year with a change by age, and none after."""
    rates = flow_rates(latest)
    totals = latest["starts"].dropna("year")
    years = totals["year"].values
    first = int(rates.years[0])
    expected = np.diff(np.log(totals.sel(year=years[years <= first]).values))
    np.testing.assert_allclose(rates.total_start_changes, expected)


# --- refusals -------------------------------------------------------------------------------------------


def test_too_little_history_is_refused(latest):
    short = latest.sel(year=slice(2025 - SMALLEST_HISTORY + 1, None))
    with pytest.raises(InputError, match="too little history") as caught:
        flow_rates(short)
    message = str(caught.value)
    assert "stock_by_age" in message and "at least 6 consecutive years" in message
    assert "choose a later release" in message
    assert flow_rates(latest.sel(year=slice(2025 - SMALLEST_HISTORY, None))).years.size == 5


def test_a_year_missing_from_the_series_is_refused(latest):
    gap = latest.drop_sel(year=2017)
    with pytest.raises(InputError, match="too little history by age") as caught:
        flow_rates(gap)
    assert "2016, 2018" in str(caught.value)


@pytest.mark.parametrize(
    "name, value, found",
    [
        ("starts_by_age", np.nan, "nan"),
        ("ceases_by_age", 90_000.0, "exits"),
        ("starts_by_age", 300_000.0, "closure -"),
    ],
)
def test_an_impossible_rate_is_refused_with_its_year(latest, name, value, found):
    broken = latest.copy(deep=True)
    broken[name].loc[{"year": 2018, "age": "10_15"}] = value
    with pytest.raises(InputError, match="account of 2018 implies an impossible rate") as caught:
        flow_rates(broken)
    message = str(caught.value)
    assert found in message and "check the release file" in message and "starts_by_age" in message


def test_more_unaccompanied_children_than_starts_are_refused(latest):
    broken = latest.copy(deep=True)
    broken["uasc_starts"].loc[{"year": 2022}] = 20_000.0
    with pytest.raises(InputError, match="account of 2022"):
        flow_rates(broken)


def test_a_release_without_ages_of_unaccompanied_children_is_refused(latest):
    with pytest.raises(InputError, match="no age of unaccompanied children") as caught:
        uasc_age_share(latest.assign(uasc_stock_16_plus=latest["uasc_stock_16_plus"] * np.nan))
    assert "uasc_stock_16_plus" in str(caught.value) and "2021" in str(caught.value)
