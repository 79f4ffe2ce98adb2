"""Delay on common random numbers: money is the same money later, and nothing else differs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.costs.account import total_cost
from cba.tables.money import cost_of_delay
from tests.appraisal.made_workings import made_workings


@pytest.fixture(scope="module")
def table(workings):
    return cost_of_delay(workings).set_index(["window", "measure"])


def test_it_compares_the_delayed_review_with_the_prompt_one(table):
    assert set(table["option"]) == {"care_review"} and set(table["delayed"]) == {"care_review_delayed"}
    assert set(table["delay_years"]) == {2}


def test_the_difference_over_the_headline_horizon_is_that_of_the_net_present_values(workings, table):
    npv = workings.arrays.npv
    change = (npv.sel(option="care_review_delayed") - npv.sel(option="care_review")).values
    row = table.loc[("same_years", "npv")]
    assert row["difference_mean"] == pytest.approx(change.mean(), rel=1e-9)
    assert row["lower"] == pytest.approx(np.quantile(change, 0.05), rel=1e-9)
    assert row["prob_delay_better"] == (change > 0).mean()


def test_pairing_draws_narrows_the_interval(workings, table):
    """Independent draws would have the sum of the variances."""
    npv = workings.arrays.npv
    row = table.loc[("own_years", "npv")]
    alone = np.sqrt(npv.sel(option="care_review").var() + npv.sel(option="care_review_delayed").var())
    assert row["upper"] - row["lower"] < 0.6 * 2 * 1.645 * float(alone)


def test_the_programme_costs_the_same_two_years_later(workings):
    """All else equal: undiscounted programme money of the delayed option is the prompt one's, moved."""
    both = []
    for option in ("care_review", "care_review_delayed"):
        lines = [c.amount for c in workings.accounts[option].costs if c.kind == "programme"]
        both.append(sum(lines))
    np.testing.assert_allclose(both[0][:, :-2], both[1][:, 2:], rtol=1e-9)
    assert total_cost(workings.accounts["care_review"]).sum() > 0


def test_own_years_discount_the_same_stream_twice_more(workings, table):
    """If children and prices stood still the delayed worth would be 1.035^-2 of the prompt one; they nearly do."""
    row = table.loc[("own_years", "npv")]
    assert row["delayed_mean"] / row["prompt_mean"] == pytest.approx(1.035**-2, abs=0.02)


def test_a_window_beyond_the_projection_is_left_out(workings):
    short = made_workings("latest", 100, 11)
    assert "own_years" not in set(cost_of_delay(short)["window"])


def test_no_delayed_option_no_rows(workings):
    options = tuple(o for o in workings.inputs.options if o.id != "care_review_delayed")
    inputs = dataclasses.replace(workings.inputs, options=options)
    assert cost_of_delay(dataclasses.replace(workings, inputs=inputs)).empty
