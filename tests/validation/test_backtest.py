"""The backtest: what was known when, scores against closed forms, weights that find the truth, honest gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cba
from cba.errors import InputError
from cba.validation import backtest
from cba.validation.backtest import (
    AS_PUBLISHED,
    CANDIDATES,
    FORMER,
    SINCE_REVISED,
    backtest_ages,
    known_at,
    number_forecast,
    origins,
    rows_of_origin,
)
from cba.validation.scores import (
    AHEAD,
    BLOCK,
    FIRST,
    HELD_AGAINST,
    LATEST,
    REFERENCES,
    SHIPPED,
    arima,
    block_error,
    drift,
    ets,
    headline_scores,
    naive,
    reached,
    score_summary,
    scores,
    scores_by_origin,
)

YEARS, DRAWS = 5, 40_000


@pytest.fixture(scope="module")
def simple():
    """Two origins with the model left out: references against both kinds of outturn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            backtest,
            "number_forecast",
            lambda known, priors, **how: drift(known["stock"].dropna("year").values, **how),
        )
        found = [rows_of_origin(origins().index(year), draws=400) for year in (2012, 2021)]
    return pd.DataFrame([row for one in found for row in one["rows"]])


# What was known then


def test_origins_hold_the_figures_of_their_own_release():
    assert known_at(2018).kind == AS_PUBLISHED
    assert float(known_at(2018).known["stock"][-1]) == 75_420  # restated to 75,360 since
    assert float(known_at(2021).known["stock"][-1]) == 80_850  # restated to 80,780 since
    assert known_at(2010).known["stock"].values[-2:].tolist() == [60_900, 64_400]
    assert known_at(2019).kind == AS_PUBLISHED  # the number and unaccompanied children are in its own release


def test_other_origins_are_the_earliest_later_release_cut_there():
    assert {known_at(year).kind for year in (2003, 2009, 2020)} == {SINCE_REVISED}
    assert float(known_at(2008).known["stock"][-1]) == 59_400  # rounded to hundreds in release 2010
    assert float(known_at(2020).known["stock"][-1]) == 80_000


@pytest.mark.parametrize("year", [2003, 2009, 2010, 2015, 2020, 2023])
def test_no_origin_knows_its_future_and_none_has_a_gap(year):
    known = known_at(year).known
    years = known["stock"].dropna("year")["year"].values
    assert years[0] == 1994 and years[-1] == year and (np.diff(years) == 1).all()
    assert int(known["year"][-1]) == year


def test_a_year_that_has_not_happened_is_refused():
    with pytest.raises(InputError, match="no release gives the number in care"):
        known_at(2031)


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


# Scores


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


# The record


def test_every_forecast_is_scored_for_every_outturn_there_is(simple):
    for origin, ahead in {2012: 5, 2021: 3}.items():
        for against in (FIRST, LATEST):
            part = simple[(simple["origin"] == origin) & (simple["against"] == against)]
            assert {*CANDIDATES, *REFERENCES} == set(part["forecast"])
            assert sorted(part[part["forecast"] == SHIPPED]["ahead"]) == list(range(1, ahead + 1))
    assert (simple["year"] <= 2024).all() and (simple["ahead"] <= AHEAD).all()


def test_outturns_are_as_first_published_and_as_the_latest_release_has_them(simple):
    rows = simple[(simple["year"] == 2022) & (simple["forecast"] == "drift")].set_index("against")["outturn"]
    assert rows[FIRST] == 82_170 and rows[LATEST] == 82_090


def test_summary_averages_what_was_scored_and_sets_it_beside_drift(simple):
    summary = score_summary(simple[simple["against"] == FIRST])
    ours = summary[summary["forecast"] == "last value"].set_index("ahead")
    raw = simple[(simple["forecast"] == "last value") & (simple["against"] == FIRST)]
    assert ours.loc[5, "forecasts"] == 1 and ours.loc[1, "forecasts"] == 2
    assert ours.loc[1, "crps"] == pytest.approx(raw[raw["ahead"] == 1]["crps"].mean())
    drifting = simple[(simple["forecast"] == "drift") & (simple["against"] == FIRST) & (simple["ahead"] == 1)]
    assert ours.loc[1, "crps_ratio"] == pytest.approx(ours.loc[1, "crps"] / drifting["crps"].mean())
    top = headline_scores(simple)
    whole = top[(top["against"] == FIRST) & (top["origins"] == "all")].set_index("forecast")
    assert whole.loc["last value", "crps"] == pytest.approx(ours["crps"].mean())
    assert whole.loc[HELD_AGAINST, ["crps_ratio", "crps_less_drift"]].tolist() == [1.0, 0.0]
    assert scores_by_origin(simple)["origin"].tolist() == [2012, 2021]


def test_error_of_overlapping_values_counts_blocks():
    """An average of three shocks: blocks of five see four and three fifths of its covariances."""
    shocks = np.random.default_rng(7).standard_normal(200_002)
    averaged = (shocks[2:] + shocks[1:-1] + shocks[:-2]) / 3
    expected = (3 + 2 * (0.8 * 2 + 0.6 * 1)) / 9
    assert BLOCK == 5
    assert block_error(averaged) ** 2 * averaged.size == pytest.approx(expected, rel=0.03)
    assert np.isnan(block_error(np.array([1.0])))


def made_scores(*, factor, inside):
    """Ours is `factor` of drift at 20 origins, one year ahead, and `inside` of its intervals hold."""
    rng = np.random.default_rng(1)
    rows = []
    for origin in range(20):
        crps = 1000.0 + 50.0 * rng.standard_normal()
        held = float(origin < inside * 20)
        for forecast, score in ((SHIPPED, factor * crps), (HELD_AGAINST, crps)):
            row = {"origin": origin, "forecast": forecast, "crps": score, "ahead": 1, "against": FIRST}
            rows.append(
                row
                | {"quantity": "stock", "log_score": 1.0, "pit": 0.5, "inside_50": held}
                | {"inside_80": held, "inside_90": held}
            )
    stock = pd.DataFrame(rows)
    return pd.concat([stock, stock.assign(quantity="spending", against=LATEST)])


@pytest.mark.parametrize(
    "factor, inside, met",
    [
        (0.9, 0.85, [True, True, True, True, True]),
        (1.0, 0.85, [False, True, True, True, True]),
        (1.1, 0.85, [False, False, True, True, True]),
        (1.3, 0.95, [False, False, False, False, True]),
        (1.0, 0.60, [False, True, True, False, False]),
    ],
)
def test_what_was_asked_is_judged_by_the_stated_limits(factor, inside, met):
    table = reached(made_scores(factor=factor, inside=inside))
    for quantity in ("stock", "spending"):
        assert table[table["quantity"] == quantity]["met"].tolist() == met


def test_a_series_that_cannot_be_forecast_is_left_out_with_its_reason(monkeypatch):
    """A reference that fails is named, and the others are scored."""

    def failing(series, **settings):
        raise ValueError("no convergence")

    monkeypatch.setitem(REFERENCES, "ETS", failing)  # type: ignore[arg-type]
    monkeypatch.setattr(
        backtest,
        "number_forecast",
        lambda known, priors, **how: drift(known["stock"].dropna("year").values, **how),
    )
    found = rows_of_origin(origins().index(2021), draws=200)
    assert [tuple(gap) for gap in found["skipped"]] == [("ETS from 2021", "no convergence")]
    assert {"ETS"}.isdisjoint(row["forecast"] for row in found["rows"])


def test_former_candidates_stay_in_the_record():
    """Scored for earlier versions against the same outturns: origins 2003 to 2023, five years ahead where known."""
    former = pd.read_csv(FORMER)
    assert former["forecast"].nunique() == 6 and set(former["against"]) == {FIRST, LATEST}
    assert sorted(former["origin"].unique()) == list(range(2003, 2024))  # those there were


@pytest.mark.slow
def test_the_number_is_forecast_from_what_was_known_then():
    """From 2021, the same seed twice: the same bits, near what happened, and wider with every year."""
    known, how = known_at(2021).known, {"years": 3, "draws": 400, "seed": 1}
    first, again = (number_forecast(known, cba.load_priors(), **how) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert 78_000 < first[:, 0].mean() < 86_000
    assert (np.diff(first.std(axis=0)) > 0).all()


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
