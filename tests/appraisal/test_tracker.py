"""The tracker: its claim meets the number of children it names, and its chances are counts of draws."""

from __future__ import annotations

import numpy as np
import pytest

from cba.inputs.evidence import load_claims
from cba.inputs.observations import load_observations
from cba.models.stays import stay_length
from cba.projection.kernel import averted_stock_kernel
from cba.tables.beliefs import what_it_would_take
from cba.tables.children import starts_by_year, tracker_table
from tests.appraisal.made_workings import made_workings


@pytest.fixture(scope="module")
def table():
    return tracker_table(made_workings())


def _of(table, belief):
    return table[table["belief"] == belief].set_index("year")


def test_the_claim_leaves_as_many_fewer_children_as_it_names():
    """Starts cut as the claim has them, followed child by child to the target year: 30,000 fewer in every draw."""
    workings = made_workings()
    analysis = workings.inputs.analysis
    years = workings.years
    usual = workings.system.baseline["starts_reachable"].transpose("sample", "year", "age").values
    stays = averted_stock_kernel(
        stay_length(workings.inputs.observations), stay_ratio=np.ones(1), lags=len(years)
    )
    remain = stays[0].sum(axis=1)  # (age at the start, lag)
    first, last = years.index(analysis.start_year), years.index(analysis.target_year)
    claim = load_claims().fewer_children.value
    claimed = []
    for draw in range(usual.shape[0]):
        one = sum(
            usual[draw, year, age] * remain[age, last - year]
            for year in range(first, last + 1)
            for age in range(usual.shape[2])
        )
        cut = claim / one
        claimed.append(usual[draw, : last + 1].sum(axis=-1) * (1.0 - cut))
    found = _of(tracker_table(workings), "claim").loc[analysis.start_year :]
    expected = np.array(claimed)[:, first:]
    np.testing.assert_allclose(found["mean"], expected.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found["line"], np.quantile(expected, 0.95, axis=0), rtol=1e-9)
    take = what_it_would_take(workings).set_index("target_children").loc[claim]
    now = _of(tracker_table(workings), "current_policy").loc[analysis.start_year, "mean"]
    assert 1 - take["cut_upper"] < found.loc[analysis.start_year, "mean"] / now < 1 - take["cut_lower"] + 1e-9


def test_chances_are_counts_of_draws(table):
    workings = made_workings()
    usual = workings.system.baseline["starts_reachable"].transpose("sample", "year", "age").values.sum(-1)
    rows = _of(table, "current_policy")
    for year in range(workings.inputs.analysis.start_year, workings.inputs.analysis.target_year + 1):
        draws = usual[:, workings.years.index(year)]
        assert rows.loc[year, "prob_on_track"] == pytest.approx(np.mean(draws <= rows.loc[year, "line"]))
    claim = _of(table, "claim")["prob_on_track"].dropna()
    assert (abs(claim - 0.95) <= 1.0 / usual.shape[0]).all()  # the line is the claim's own 95% point


def test_the_programme_differs_from_current_policy_by_the_starts_it_averts(table):
    """The table of all starts, unaccompanied children included, has the same difference."""
    starts = starts_by_year(made_workings()).set_index(["option", "year"])["mean"]
    usual, programme = _of(table, "current_policy")["mean"], _of(table, "programme")["mean"]
    every = starts["bau"] - starts[table["option"].iloc[0]]
    np.testing.assert_allclose(usual - programme, every.loc[usual.index], rtol=1e-6, atol=1e-6)


def test_published_starts_are_all_less_those_unaccompanied(table):
    known = load_observations()
    published = _of(table, "published")
    for year, value in published["mean"].items():
        assert value == pytest.approx(
            float(known["starts"].sel(year=year)) - float(known["uasc_starts"].sel(year=year)), abs=10
        )  # each is published to the nearest 10
    assert not published["after_frame"].any() and published["prob_on_track"].isna().all()


def test_an_older_frame_is_tested_by_what_was_published_since():
    table = tracker_table(made_workings("review_2022"))
    published = _of(table, "published")
    tested = published[published["line"].notna()]
    assert len(tested) >= 2 and tested["after_frame"].all()
    assert (tested["prob_on_track"] == (tested["mean"] <= tested["line"]).astype(float)).all()
