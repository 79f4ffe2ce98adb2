"""The backtest: what was known when, scores against closed forms, weights that find the truth, honest gaps."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

import cba
from cba.errors import InputError
from cba.models.totals import TotalFlows
from cba.validation.backtest import (
    AHEAD,
    AS_PUBLISHED,
    SINCE_REVISED,
    STACKED_THEN,
    KnownOrigins,
    Origin,
    backtest_ages,
    backtest_totals,
    known_origins,
)
from cba.validation.scores import (
    REFERENCES,
    SHIPPED,
    arima,
    crps_draws,
    drift,
    ets,
    headline_scores,
    long_run_error,
    mixture_terms,
    naive,
    score_summary,
    scores,
    stacked_weights,
    stacking_table,
    weights_known_then,
)

YEARS, DRAWS = 5, 40_000


@pytest.fixture(scope="module", autouse=True)
def each_release_is_read_once():
    """Origins are collected from every release there is, twice in this file: half a second each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cba.validation.backtest.load_observations", cache(cba.load_observations))
        yield


@pytest.fixture(scope="module")
def known():
    return known_origins()


@pytest.fixture(scope="module")
def some(known):
    """Four origins, two of each kind."""
    chosen = tuple(origin for origin in known.origins if origin.year in (2008, 2012, 2019, 2021))
    return KnownOrigins(chosen, known.skipped, known.outturns)


@pytest.fixture(scope="module")
def found(some):
    return backtest_totals(some, cba.load_priors(), draws=400)


# What was known then


def test_origins_hold_the_figures_of_their_own_release(known):
    by_year = {origin.year: origin for origin in known.origins}
    assert by_year[2018].kind == AS_PUBLISHED
    assert by_year[2018].flows.stock[-1] == 75_420  # restated to 75,360 since
    assert by_year[2021].flows.stock[-1] == 80_850  # restated to 80,780 since
    assert by_year[2010].flows.stock[-2:].tolist() == [60_900, 64_400]
    for year in (2005, 2019, 2020):
        assert by_year[year].kind == SINCE_REVISED


def test_no_origin_knows_its_future(known):
    for origin in known.origins:
        assert origin.flows.years[-1] == origin.year
        assert (np.diff(origin.flows.years) == 1).all()


def test_releases_without_their_own_year_are_named_with_a_reason(known):
    left_out = dict(known.skipped)
    assert set(left_out) == {"release 2019", "release 2020"}
    assert "no starts and ceases" in left_out["release 2019"]


def test_an_origin_with_too_little_history_is_skipped_with_its_reason():
    early = known_origins(first=1997)
    assert [gap.what for gap in early.skipped if gap.what.startswith("origin")] == [
        "origin 1997",
        "origin 1998",
    ]
    assert min(origin.year for origin in early.origins) == 1999


# Reference forecasts


@pytest.mark.parametrize("forecast", [naive, drift])
def test_spread_of_simple_forecasts_is_their_closed_form(forecast):
    series = np.array([3.0, 5.0, 4.0, 8.0, 9.0])
    made = forecast(series, years=YEARS, draws=DRAWS, seed=1)
    changes, ahead = np.diff(series), np.arange(1, YEARS + 1)
    if forecast is naive:
        mean, variance = np.full(YEARS, 9.0), np.mean(changes**2) * ahead
    else:
        mean, variance = 9.0 + changes.mean() * ahead, changes.var(ddof=1) * ahead * (1 + ahead / 4)
    assert (np.abs(made.mean(axis=0) - mean) < 4 * np.sqrt(variance / DRAWS)).all()
    assert (np.abs(made.var(axis=0) / variance - 1) < 4 * np.sqrt(2 / DRAWS)).all()


def test_arima_of_a_random_walk_has_the_spread_of_one():
    series = np.cumsum(np.random.default_rng(4).standard_normal(300))
    made = arima(series, years=3, draws=DRAWS, seed=1)
    sd = np.diff(series).std()
    assert np.abs(made.std(axis=0) / (sd * np.sqrt([1, 2, 3])) - 1).max() < 0.15


def test_ets_continues_a_line():
    series = 100.0 + 5.0 * np.arange(40) + 0.5 * np.random.default_rng(2).standard_normal(40)
    made = ets(series, years=1, draws=2000, seed=1)
    assert abs(made.mean() - 300.0) < 2.0


# Scores and weights


def test_scores_of_normal_draws_are_the_closed_forms():
    draws = 2.0 + 3.0 * np.random.default_rng(1).standard_normal(DRAWS)
    given = scores(draws, 5.0)
    assert abs(given["crps"] - 3.0 * 0.6024413576276163) < 0.03  # a standard normal forecast, one sd out
    density = np.exp(-0.5) / (3 * np.sqrt(2 * np.pi))
    assert abs(given["log_score"] + np.log(density)) < 0.03
    assert abs(given["pit"] - 0.841345) < 4 * np.sqrt(0.25 / DRAWS)
    assert (given["inside_50"], given["inside_80"]) == (0.0, 1.0)


def test_a_forecast_without_spread_is_refused():
    with pytest.raises(InputError, match="no spread") as refused:
        scores(np.full(10, 3.0), 3.0)
    assert "leave this forecast out" in str(refused.value)


def test_score_of_a_mixture_is_that_of_its_draws():
    """The quadratic form equals the score of the pooled draws, exactly, for weights in whole shares."""
    rng = np.random.default_rng(3)
    one, other = rng.standard_normal(300), 2.0 + 0.5 * rng.standard_normal(300)
    terms = mixture_terms([one, other], 1.3, origin=1, ahead=1)
    pooled = np.concatenate([one, other, other])
    assert terms.crps(np.array([1 / 3, 2 / 3])) == pytest.approx(crps_draws(pooled, 1.3), rel=1e-10)


def test_weights_recover_a_true_mixture():
    """Outturns that come from one candidate in three years of ten: weights near 0.3 and 0.7."""
    rng = np.random.default_rng(5)
    candidates = [rng.standard_normal(800), 6.0 + rng.standard_normal(800)]
    terms = []
    for origin in range(300):
        outturn = rng.standard_normal() + (0.0 if rng.random() < 0.3 else 6.0)
        terms.append(mixture_terms(candidates, outturn, origin=origin, ahead=1))
    assert abs(stacked_weights(terms)[0] - 0.3) < 4 * np.sqrt(0.21 / 300)


def test_weights_as_known_then_use_no_later_outturn():
    rng = np.random.default_rng(6)
    terms = [
        mixture_terms(
            [rng.standard_normal(100), 3 + rng.standard_normal(100)], rng.standard_normal(), origin=o, ahead=h
        )
        for o in range(2000, 2010)
        for h in (1, 2)
    ]
    early = weights_known_then(terms, fewest=4)
    changed = [term for term in terms if term.origin + term.ahead <= 2006]
    assert early[2006].tolist() == stacked_weights(changed).tolist()
    assert early[2000].tolist() == [0.5, 0.5]


# The record


def test_every_forecast_is_scored_for_every_outturn_there_is(found):
    rows = found.scores
    years = {2008: 5, 2012: 5, 2019: 5, 2021: 3}
    names = {SHIPPED, STACKED_THEN, *REFERENCES}
    for origin, ahead in years.items():
        part = rows[(rows["origin"] == origin) & (rows["quantity"] == "stock")]
        assert names <= set(part["forecast"])
        assert sorted(part[part["forecast"] == SHIPPED]["ahead"]) == list(range(1, ahead + 1))
    assert (rows["year"] <= 2024).all() and (rows["ahead"] <= AHEAD).all()


def test_summary_counts_and_averages_what_was_scored(found):
    summary = score_summary(found.scores)
    ours = summary[(summary["forecast"] == SHIPPED) & (summary["quantity"] == "stock")].set_index("ahead")
    raw = found.scores[(found.scores["forecast"] == SHIPPED) & (found.scores["quantity"] == "stock")]
    assert ours.loc[5, "forecasts"] == 3 and ours.loc[1, "forecasts"] == 4
    assert ours.loc[5, "crps"] == pytest.approx(raw[raw["ahead"] == 5]["crps"].mean())
    top = headline_scores(found.scores).set_index("forecast")
    assert top.loc[SHIPPED, "crps"] == pytest.approx(ours["crps"].mean())
    references = [name for name in REFERENCES if name in top.index]
    assert top.loc[references, "less_best"].min() == 0.0


def test_error_of_overlapping_values_is_newey_and_west():
    """For an average of three independent shocks the long-run variance is the square of the sum of its weights."""
    shocks = np.random.default_rng(7).standard_normal(200_002)
    averaged = (shocks[2:] + shocks[1:-1] + shocks[:-2]) / 3
    assert long_run_error(averaged, lags=60) * np.sqrt(averaged.size) == pytest.approx(1.0, rel=0.03)
    assert long_run_error(averaged, lags=0) < 0.7 * long_run_error(averaged, lags=60)


def test_stacking_table_weights_add_up(found):
    table = stacking_table(found.terms)
    assert np.allclose(table.groupby("scored_on")["weight"].sum(), 1.0)


def test_a_series_that_cannot_be_forecast_is_left_out_with_its_reason(some, monkeypatch):
    """A reference that fails is named, and the others are scored."""

    def failing(series, **settings):
        raise ValueError("no convergence")

    monkeypatch.setitem(REFERENCES, "ETS", failing)  # type: ignore[arg-type]
    one = KnownOrigins(some.origins[-1:], (), some.outturns)
    found = backtest_totals(one, cba.load_priors(), draws=200)
    assert [tuple(gap) for gap in found.skipped] == [("ETS from 2021", "no convergence")]
    assert "ETS" not in set(found.scores["forecast"]) and "drift" in set(found.scores["forecast"])


def test_a_release_missing_an_age_band_is_skipped_with_its_reason():
    """No origin can be forecast when the ages of one band are gone: all are named, none is scored."""
    whole = cba.load_observations()
    broken = whole.copy(deep=True)
    broken["starts_by_age"].loc[{"age": "5_9"}] = np.nan

    def load(release):
        return broken

    rows, skipped = backtest_ages(cba.load_priors(), draws=200, load=load, first=2022)
    assert rows.empty and [gap.what for gap in skipped] == ["ages from 2022", "ages from 2023"]
    assert all("impossible rate" in gap.reason for gap in skipped)


@pytest.mark.slow
def test_the_model_by_age_is_refitted_as_known_then():
    """One origin, whole: totals and every age band scored one year ahead."""
    rows, skipped = backtest_ages(cba.load_priors(), draws=1000, first=2023)
    assert not skipped
    ours = rows[rows["forecast"] == SHIPPED]
    assert set(ours["origin"]) == {2023} and set(ours["kind"]) == {AS_PUBLISHED}
    assert len(ours) == 18  # stock, starts, ceases: total and five bands
    total = ours[ours["quantity"] == "stock"].iloc[0]
    assert total["outturn"] == 83_630 and 80_000 < total["mean"] < 89_000


def test_origins_are_records():
    flows = TotalFlows(*(np.arange(3.0) for _ in range(4)))
    origin = Origin(2, SINCE_REVISED, flows)
    with pytest.raises(AttributeError):
        origin.year = 3  # type: ignore[misc]
    assert pd.Series([origin.kind]).eq(SINCE_REVISED).all()
