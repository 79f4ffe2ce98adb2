"""Switching values bring net present value to zero; every measure says what is known and what is assumed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.appraisal.quantities import discounted
from cba.inputs.options import load_options
from cba.tables.attribution import map_draws
from cba.tables.society import unmonetised_and_financing, unmonetised_measures, value_of_child_year
from tests.appraisal.made_workings import made_workings

LEAD = "care_review"


@pytest.fixture(scope="module")
def table(workings):
    return unmonetised_and_financing(workings, LEAD).set_index("measure")


def test_every_measure_of_the_review_has_a_row_with_its_papers(table):
    assert set(table.index) == {
        "windfall_tax", "regional_care", "workforce", "care_leaver_grants", "lifelong_guardianship",
        "young_offender_institutions", "protected_characteristic",
    }  # fmt: skip
    for column in ("known", "source", "assumed"):
        assert (table[column].str.len() > 10).all(), column
    assert table["url"].str.startswith("https://").all()
    assert "£253m" in table.loc["workforce", "known"] and "20%" in table.loc["windfall_tax", "known"]


def test_a_yearly_benefit_of_the_switching_value_breaks_even(workings, table):
    """Added to the yearly net of every year after the first, discounted by the appraisal's own function."""
    years = np.array(workings.years)
    added = np.where(years > 2026, table["yearly_benefit_cash"].iloc[0], 0.0)[None, :]
    npv = workings.arrays.npv.sel(option=LEAD).values
    assert abs((npv + discounted(workings, added)).mean()) < 1e-9 * abs(npv.mean())


def test_child_years_of_the_switching_value_break_even_with_their_saving_and_their_worth(workings, table):
    years, row = np.array(workings.years), table.iloc[0]
    npv = workings.arrays.npv.sel(option=LEAD).values
    value = map_draws(workings, LEAD).value.mean()
    later = discounted(workings, (years > 2026).astype(float)[None, :])[0]
    assert npv.mean() + row["child_years_cash"] * value * later == pytest.approx(0.0, abs=1.0)
    anchor = value_of_child_year(workings, "lifetime_cost").mean()
    arrays = workings.arrays
    worth = npv + anchor * (arrays.child_years_safe - arrays.child_years_harm).sel(option=LEAD).values
    total = worth.mean() + row["child_years_anchor"] * (value + anchor) * later
    assert total == pytest.approx(0.0, abs=1.0)
    assert row["anchor_value"] == pytest.approx(anchor)


def test_a_measure_with_money_must_bring_back_that_money(workings, table):
    lines = [c.amount for c in workings.accounts[LEAD].costs if c.component == "workforce"]
    cost = discounted(workings, sum(lines)).mean()
    assert table.loc["workforce", "own_cost"] == pytest.approx(cost)
    assert 250e6 < cost < 400e6, "£253m in 2021-22 prices, discounted"
    assert table.loc["lifelong_guardianship", ["own_cost", "own_yearly_benefit"]].isna().all()


def test_the_windfall_tax_yields_a_fifth_of_five_years_of_the_known_profit(workings, table):
    factor = float((workings.basis.index.index(2024) / workings.basis.index.index(2022)).mean())
    assert table.loc["windfall_tax", "yield_lower_bound"] == pytest.approx(0.2 * 300e6 * 5 * factor)
    gap = -float(workings.arrays.npv.sel(option=LEAD).mean())
    assert table.loc["windfall_tax", "yield_share_of_gap"] == pytest.approx(0.3e9 * factor / gap)
    assert table["yield_lower_bound"].notna().sum() == 1


def test_per_person_is_the_yearly_benefit_over_those_it_would_reach(table):
    row = table.loc["care_leaver_grants"]
    assert row["yearly_benefit_per_person"] == pytest.approx(row["yearly_benefit_cash"] / 45_940)


def test_nothing_is_needed_where_the_option_already_pays(workings):
    rich = dataclasses.replace(workings.arrays, npv=workings.arrays.npv + 1e11)
    found = unmonetised_and_financing(dataclasses.replace(workings, arrays=rich), LEAD)
    assert (found["yearly_benefit_cash"] == 0.0).all() and found["yield_share_of_gap"].isna().all()


def test_what_was_published_later_is_not_known_in_2022():
    table = unmonetised_and_financing(made_workings("review_2022"), LEAD).set_index("measure")
    assert "not known at the date" in table.loc["regional_care", "known"]
    assert "£253m" in table.loc["workforce", "known"]


def test_the_option_names_the_measures_it_does_not_monetise():
    listed = " ".join(load_options([LEAD])[0].unmonetised).lower()
    for measure in unmonetised_measures().values():
        first = measure.label.lower().split(":")[0].split(" ")[0]
        assert first in listed, measure.label
