"""Business as usual: every draw conserves children, constant rates settle, and history bounds the spread."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cba
from cba.dimensions import AGE_BANDS
from cba.models.growth import GROWTH
from cba.projection.business_as_usual import (
    _require_closed,
    business_as_usual,
    future_population,
    usual_rates,
)
from tests.made_fits import made_baseline

YEARS = range(2025, 2056)


@pytest.fixture(scope="module")
def observations():
    return cba.load_observations()


@pytest.fixture(scope="module")
def fit(observations):
    return made_baseline(observations, cba.load_priors(), draws=200)


@pytest.fixture(scope="module")
def people(observations):
    growth = xr.DataArray(np.full(400, 0.001), dims="sample")
    return future_population(observations, years=YEARS, growth=growth)


@pytest.fixture(scope="module")
def rates(fit, people):
    posterior = fit["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)
    held = {name: posterior.get(name, xr.zeros_like(posterior["growth_mean"])) for name in GROWTH}
    parameters = xr.Dataset({f"baseline.{name}": values for name, values in held.items()})
    return usual_rates(fit, years=YEARS, population=people, parameters=parameters, seed=0)


@pytest.fixture(scope="module")
def path(fit, rates, people):
    return business_as_usual(fit, rates, people)


def test_every_draw_conserves_children(path, fit):
    """Change in stock = starts - ceases + closure, recomputed from what is handed on."""
    stock = float(fit["constant_data"]["stock"].sum())
    total = path["children"].sum("age").transpose("sample", "year").values
    before = np.concatenate([np.full((400, 1), stock), total[:, :-1]], axis=1)
    flows = (path["starts"] - path["ceases"]).sum("age") + path["closure"]
    np.testing.assert_allclose(total - before, flows.transpose("sample", "year"), atol=1e-6)
    assert (path["children"] >= 0).all() and (path["ceases"] > 0).all()


def test_starts_are_rates_times_population_plus_unaccompanied_children(path, rates, people):
    reachable = rates["start_rate"] * people
    xr.testing.assert_allclose(path["starts_reachable"], reachable.transpose("sample", "year", "age"))
    added = (path["starts"] - path["starts_reachable"]).sum("age")
    xr.testing.assert_allclose(added, rates["uasc_starts"])
    alone = path["starts"] - path["starts_reachable"]
    assert np.abs(alone.sel(age=["under_1", "1_4", "5_9"])).max() < 1e-9
    np.testing.assert_allclose(path["closure"], rates["closure_rate"] * reachable.sum("age"))


def one_year_by_hand(stock, starts, residual, exits, ageing, stay):
    """The account of the docstring of flow_rates, band by band, for one draw."""
    following, arriving = [], 0.0
    for band in range(5):
        kept = (1 - exits[band]) * stock[band]
        fresh = (1 - exits[band] / 2) * starts[band] + residual[band]
        grown = (1 - exits[band] / 2) * arriving
        if band == 0:
            leaving = kept + (1 - stay) * fresh
        else:
            leaving = ageing[band] * (kept + fresh / 2)
        following.append(kept + fresh + grown - leaving)
        arriving = leaving
    return np.array(following)


def test_children_by_age_equal_the_account_written_out(path, fit, rates):
    for draw in (0, 123, 399):
        stock = fit["constant_data"]["stock"].values
        for year in YEARS[:4]:
            here = {"sample": draw, "year": list(YEARS).index(year)}
            reachable = path["starts_reachable"].isel(here).values
            stock = one_year_by_hand(
                stock,
                path["starts"].isel(here).values,
                float(path["closure"].isel(here)) * reachable / reachable.sum(),
                rates["exit"].isel(here).values,
                rates["ageing"].isel(here).values,
                float(rates["stay"].isel(here)),
            )
            np.testing.assert_allclose(path["children"].isel(here), stock, rtol=1e-12)


def constant_rates(*, years, exits, ageing, stay, start_rate, uasc=0.0, closure=0.0):
    by_age, by_year = ("sample", "year", "age"), ("sample", "year")
    flat = np.ones((1, years, 5))
    return xr.Dataset(
        {
            "start_rate": (by_age, flat * start_rate),
            "exit": (by_age, flat * exits),
            "ageing": (by_age, flat * ageing),
            "stay": (by_year, np.full((1, years), stay)),
            "closure_rate": (by_year, np.full((1, years), closure)),
            "uasc_starts": (by_year, np.full((1, years), uasc)),
            "uasc_stock": (by_year, np.full((1, years), uasc)),
        },
        coords={"year": list(range(2025, 2025 + years)), "age": list(AGE_BANDS)},
    )


def test_steady_state_closed_form():
    """One exit hazard h at all ages: N* = S (1 - h/2)/h + r/h whatever the ageing, if nobody ages mid-year.

    Children who grow into a band are at risk for half a year more (h A/2), so with ageing N* is lower: the sum of
    N* = (S (1 - h/2) + r - h sum(A)/2)/h, with A the yearly moves between bands at the steady state.
    """
    h, starts, closure = 0.3, np.array([5.0, 4.0, 3.0, 6.0, 2.0]), 0.02
    fit = xr.DataTree.from_dict(
        {
            "constant_data": xr.Dataset(
                {"stock": ("age", np.full(5, 10.0)), "uasc_share": ("age", [0, 0, 0, 0.2, 0.8])}
            )
        }
    )
    people = xr.DataArray(np.full(400, 1.0), dims="year", coords={"year": list(range(2025, 2425))})
    rates = constant_rates(
        years=400,
        exits=h,
        ageing=np.array([0, 0.25, 0.2, 1 / 6, 0]),
        stay=0.7,
        start_rate=starts,
        uasc=1.5,
        closure=closure,
    )
    found = business_as_usual(fit, rates, people)
    last = found.isel(sample=0, year=-1)
    total, entered = float(last["children"].sum()), starts.sum() + 1.5
    residual = closure * starts.sum()
    assert float(last["starts"].sum()) == pytest.approx(entered, rel=1e-12)
    assert float(last["ceases"].sum()) == pytest.approx(entered + residual, rel=1e-9)
    stock = last["children"].values
    fresh = (1 - h / 2) * last["starts"].values + residual * starts / starts.sum()
    grown = np.array([0, 0.25, 0.2, 1 / 6, 0]) * ((1 - h) * stock + fresh / 2)
    grown[0] = (1 - h) * stock[0] + 0.3 * fresh[0]
    closed_form = (entered * (1 - h / 2) + residual - h / 2 * grown.sum()) / h
    assert total == pytest.approx(closed_form, rel=1e-9)


def test_nobody_enters_nobody_left():
    fit = xr.DataTree.from_dict(
        {
            "constant_data": xr.Dataset(
                {"stock": ("age", np.full(5, 100.0)), "uasc_share": ("age", np.eye(5)[4])}
            )
        }
    )
    people = xr.DataArray(np.ones(3), dims="year", coords={"year": [2025, 2026, 2027]})
    rates = constant_rates(
        years=3, exits=0.5, ageing=np.array([0, 0.2, 0.2, 0.2, 0]), stay=0.7, start_rate=1e-12, closure=1e-9
    )
    children = business_as_usual(fit, rates, people)["children"]
    assert float(children.sel(age="under_1")[0, 0]) < 1e-9  # nobody stays under 1 for a year
    assert float(children.isel(year=-1).sum()) < 500 * 0.5**3


def test_eight_year_ratios_are_of_the_size_history_shows(path, observations):
    """Stock ratios over eight years spanned 0.67 to 1.25 from 1977 to 2024: the path is neither sure nor wild."""
    last = float(observations["stock_by_age"].sel(year=2024).sum())
    ratio = path["children"].sum("age").sel(year=2032) / last
    low, high = np.quantile(ratio, [0.05, 0.95])
    assert 0.5 < low < 0.95 and 0.95 < high < 1.5
    assert 0.85 < float(ratio.median()) < 1.1
    spread = path["children"].sum("age").std("sample")
    assert float(spread.sel(year=2032)) > 2 * float(spread.sel(year=2025))


def test_population_carries_starts_in_proportion(fit, rates, people):
    usual, doubled = (business_as_usual(fit, rates, scale * people) for scale in (1.0, 2.0))
    np.testing.assert_allclose(doubled["starts_reachable"], 2 * usual["starts_reachable"])
    np.testing.assert_allclose(
        doubled["starts"] - doubled["starts_reachable"],
        usual["starts"] - usual["starts_reachable"],
        atol=1e-9,
    )


def test_an_account_that_loses_a_child_is_refused():
    """A millionth of a child is rounding; two are not, nor is a number that is missing."""
    flows = {"starts": np.array([5.0]), "ceases": np.array([3.0]), "closure": np.array([1.0])}
    _require_closed(np.array([3.0 - 0.9e-6]), **flows)
    for change in (3.0 - 2e-6, 3.0 + 2e-6, 2.0, np.nan):
        with pytest.raises(AssertionError, match="does not close"):
            _require_closed(np.array([change]), **flows)


def test_ceases_by_age_equal_the_account_written_out(path, fit, rates):
    """h (N + S/2 + A/2), with A the children who grew into the band."""
    for draw, step in ((0, 0), (17, 3), (399, 30)):
        here = {"sample": draw, "year": step}
        now = path.isel(here)
        stock = fit["constant_data"]["stock"].values
        if step:
            stock = path["children"].isel(sample=draw, year=step - 1).values
        reachable, exits = now["starts_reachable"].values, rates["exit"].isel(here).values
        residual = float(now["closure"]) * reachable / reachable.sum()
        arriving = 0.0
        for band in range(5):
            fresh = (1 - exits[band] / 2) * float(now["starts"][band]) + residual[band]
            expected = exits[band] * (stock[band] + float(now["starts"][band]) / 2 + arriving / 2)
            assert float(now["ceases"][band]) == pytest.approx(expected, rel=1e-12)
            kept = (1 - exits[band]) * stock[band]
            growing = float(rates["ageing"].isel(here)[band])
            young = kept + (1 - float(rates["stay"].isel(here))) * fresh
            arriving = young if band == 0 else growing * (kept + fresh / 2)
