"""Tables of accounts and unit costs: they agree with the headline, with each other and with the scenario switch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.appraisal.inputs import read_inputs
from cba.appraisal.quantities import headline_results
from cba.inputs.analyses import Scenarios
from cba.tables.accounts import (
    SCENARIOS,
    accounts_backtest,
    accounts_reconciliation,
    growth_scenarios,
    review_price_base,
)
from cba.tables.money import cost_ladder
from tests.appraisal.made_workings import made_draws, made_inputs, made_workings, worked


@pytest.fixture(scope="module")
def workings():
    return made_workings()


@pytest.fixture(scope="module")
def headline(workings):
    return headline_results(workings)


def test_reconciliation_has_every_year_and_line_and_says_what_was_published(workings):
    table = accounts_reconciliation(workings)
    assert len(table) == 12 * 4 and table["inside"].dtype == bool
    last = table[(table["year"] == 2024) & (table["line"] == "total")].iloc[0]
    assert last["published_cash"] == pytest.approx(last["published_real"])  # the price base is 2023-24
    assert last["published_cash"] == pytest.approx(13.32e9, abs=0.01e9)
    first = table[(table["year"] == 2013) & (table["line"] == "total_cla")].iloc[0]
    assert first["published_cash"] == pytest.approx(3495.626e6)
    assert (table["modelled_lower"] < table["modelled_mean"]).all()
    assert (table["modelled_mean"] < table["modelled_upper"]).all()


def test_the_backtest_starts_from_every_year_with_an_estimate(workings):
    table = accounts_backtest(workings)
    assert sorted(table["origin"].unique()) == [2019, 2020, 2021, 2022, 2023]
    assert (table["year"] > table["origin"]).all() and len(table) == 4 * (5 + 4 + 3 + 2 + 1)
    ahead = table[(table["origin"] == 2019) & (table["line"] == "total")]
    width = (ahead["modelled_upper"] - ahead["modelled_lower"]).to_numpy()
    assert (np.diff(width) > 0).all()


def test_scenarios_start_from_the_headline_and_growth_costs_more(workings, headline):
    table = growth_scenarios(workings).set_index("scenario")
    assert tuple(table.index) == SCENARIOS
    base = table.loc[SCENARIOS[0]]
    for column, key in (
        ("npv_mean", "npv_fiscal.care_review_reinvest"),
        ("npv_lower", "npv_fiscal.care_review_reinvest"),
        ("system_cost_mean", "system_cost_2032_real.bau"),
        ("prob_15bn_real", "prob_system_cost_15bn_2032_real.bau"),
        ("prob_15bn_cash", "prob_system_cost_15bn_2032_cash.bau"),
        ("gross_saving_mean", "gross_saving_total.care_review_reinvest"),
    ):
        entry = headline[key]["lower" if column.endswith("lower") else "mean"]
        assert base[column] == pytest.approx(entry, rel=1e-9), column
    none, goes_on = table.loc[SCENARIOS[1]], table.loc[SCENARIOS[2]]
    assert none["system_cost_mean"] < base["system_cost_mean"] < goes_on["system_cost_mean"]
    assert none["prob_15bn_real"] <= base["prob_15bn_real"] <= goes_on["prob_15bn_real"]


def test_review_price_base_is_the_scenario_switch(workings):
    table = review_price_base(workings).set_index("price_year")
    assert list(table.index) == ["2022", "2023", "cash"] and table["as_run"].tolist() == [True, False, False]
    found = float(workings.arrays.npv.sel(option="care_review").mean())
    assert table.loc["2022", "npv_mean"] == pytest.approx(found, rel=1e-12)
    analysis = made_inputs().analysis.model_copy(update={"scenarios": Scenarios(review_price_year=2023)})
    inputs = dataclasses.replace(
        made_inputs(), analysis=analysis, options=read_inputs(analysis, stance="evidence").options
    )
    other = worked(inputs, made_draws()).arrays.npv.sel(option="care_review")
    assert table.loc["2023", "npv_mean"] == pytest.approx(float(other.mean()), rel=1e-9)
    assert table["cost_mean"].is_monotonic_decreasing  # later prices are worth less each


def test_ladder_goes_down_and_shares_are_shares(workings):
    table = cost_ladder(workings)
    for upper, lower in (("average", "avoidable"), ("avoidable", "cashable_later")):
        assert (table[upper] > table[lower]).all()
    assert (table["cashable_later"] > table["cashable_first_year"]).all()
    assert ((table["avoidable_share_lower"] > 0) & (table["avoidable_share_upper"] < 1)).all()
    for name in ("average", "avoidable", "cashable_first_year", "cashable_later"):
        assert (table[f"{name}_lower"] <= table[name]).all() and (table[name] <= table[f"{name}_upper"]).all()
