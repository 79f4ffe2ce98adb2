"""A year that pays for itself, against a plain search, and beside the first measure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cba.appraisal.quantities import payback_draws
from cba.tables.money import covered_draws, first_year_covered, payback_measures

YEARS = np.arange(2026, 2034)
MONEY = arrays(float, (3, YEARS.size), elements=st.integers(-3, 6).map(float))


@given(MONEY, MONEY, st.integers(0, YEARS.size), st.booleans())
def test_against_a_plain_search(saving, running, ends, for_good):
    programme = np.zeros_like(saving)
    programme[:, :ends] = 5.0
    cost = np.abs(running) + programme
    found = first_year_covered(saving, cost=cost, programme=programme, years=YEARS, for_good=for_good)
    for draw in range(3):
        ok = [
            t >= ends and saving[draw, t] > 0 and saving[draw, t] >= cost[draw, t] for t in range(YEARS.size)
        ]
        good = [all(ok[t:]) for t in range(YEARS.size)] if for_good else ok
        expected = next((float(YEARS[t]) for t in range(YEARS.size) if good[t]), np.nan)
        np.testing.assert_equal(found[draw], expected)


def test_each_measure_is_a_distribution_over_years_and_never(workings):
    table = payback_measures(workings)
    columns = ["prob_cumulative", "prob_yearly", "prob_yearly_for_good"]
    np.testing.assert_allclose(table.groupby("option")[columns].sum(), 1.0)
    never = table[table["year"].isna()].set_index("option")
    assert (
        never.loc["care_review", "prob_cumulative"] == np.isnan(payback_draws(workings, "care_review")).mean()
    )
    assert (table["mcse_yearly"] > 0).all(), "an event in no draw has an error too"


def test_a_year_pays_for_itself_no_later_than_the_programme_is_repaid(workings):
    """Once the programme has ended, the cumulative net turns only in a year whose saving exceeds its cost."""
    seen = 0
    for option in ("kinship_only", "placement_reform", "foster_only"):
        whole, yearly = payback_draws(workings, option), covered_draws(workings, option)
        lines = [c.amount for c in workings.accounts[option].costs if c.kind == "programme"]
        ended = workings.years[int(np.flatnonzero(sum(lines).any(axis=0)).max())]
        after = whole > ended
        assert (yearly[after] <= whole[after]).all()
        seen += int(after.sum())
    assert seen > 30, "enough draws for the test to mean something"


def test_for_good_is_never_earlier(workings):
    first = covered_draws(workings, "kinship_only")
    good = covered_draws(workings, "kinship_only", for_good=True)
    assert (np.nan_to_num(good, nan=9999) >= np.nan_to_num(first, nan=9999)).all()


@pytest.mark.parametrize("option", ["care_review", "family_help_only"])
def test_a_billion_a_year_is_not_covered_by_small_effects(workings, option):
    assert np.isnan(covered_draws(workings, option)).mean() > 0.9
