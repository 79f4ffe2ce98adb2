"""Forecasts to be frozen: what the workings say, quantile by quantile, and simple ones from each series alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cba.dimensions import AGE_BANDS
from cba.errors import InputError
from cba.validation import freeze
from cba.validation.authority_skill import CONSTANT, DRIFT, LAST
from cba.validation.scores import SHIPPED
from tests.appraisal.made_workings import made_workings


@pytest.fixture(scope="module")
def workings():
    return made_workings()


@pytest.fixture(scope="module")
def england(workings):
    return freeze.england_forecasts(workings).set_index(["forecast", "flow", "age", "unaccompanied", "year"])


def test_it_is_what_the_workings_say(england, workings):
    usual = workings.system.baseline
    for flow, name in (("stock", "children"), ("starts", "starts"), ("ceases", "ceases")):
        for age in AGE_BANDS:
            row = england.loc[SHIPPED, flow, age, "all", 2027]
            draws = usual[name].sel(year=2027, age=age).values
            assert row["mean"] == pytest.approx(draws.mean())
            assert row["q050"] == pytest.approx(np.quantile(draws, 49.5 / 200))


def test_kinds_and_ages_add_up_to_all_children(england):
    means = england["mean"].loc[SHIPPED]
    for year in (2025, 2032):
        kinds = means["stock", "all", "yes", year] + means["stock", "all", "no", year]
        assert kinds == pytest.approx(means["stock", "all", "all", year])
        assert sum(means["stock", age, "all", year] for age in AGE_BANDS) == pytest.approx(
            means["stock", "all", "all", year]
        )
        assert means["starts", "all", "no", year] <= means["starts", "all", "all", year]


def test_every_method_of_the_record_stands_beside_it(england, workings):
    names = set(england.index.get_level_values("forecast"))
    assert names == {SHIPPED, "last value", "drift", "ETS", "ARIMA"}
    last = england.sort_index().loc[("last value", "stock", "all", "all")]
    error = (last["q169"] - last["q032"]) / 2.0 / np.sqrt(workings.system.reach.size)
    assert ((last["mean"] - 83_630).abs() < 5.0 * error).all()


def test_authorities_add_up_to_england_and_simple_ones_follow_their_own_past(england, workings):
    found = freeze.authority_forecasts(workings)
    for name in (SHIPPED, CONSTANT):
        total = found[found["forecast"] == name].groupby("year")["mean"].sum()
        np.testing.assert_allclose(
            total, england["mean"].sort_index().loc[SHIPPED, "stock", "all", "all"].loc[:2029]
        )
    usual = workings.inputs.observations["stock_by_authority"].sel(authority="383").dropna("year").values
    row = found.set_index(["forecast", "authority", "year"]).loc[DRIFT, "383", 2026]
    expected = usual[-1] + 2 * np.diff(usual).mean()
    assert row["mean"] == pytest.approx(expected, abs=15) and row["q0.025"] < expected < row["q0.975"]
    # authorities too new for a past of their own have a share of England and no simple forecast
    assert set(found[found["forecast"] == LAST]["authority"]) < set(
        found[found["forecast"] == SHIPPED]["authority"]
    )


def test_a_forecast_is_never_written_over(tmp_path, workings, monkeypatch):
    monkeypatch.setattr(freeze, "work_through", lambda inputs: workings)
    written = freeze.write_forecasts(tmp_path)
    assert [file.name for file in written] == ["2024_frozen.csv", "2024_frozen_authorities.csv"]
    assert len(pd.read_csv(written[0]).columns) == 206
    with pytest.raises(InputError, match="written once"):
        freeze.write_forecasts(tmp_path)
