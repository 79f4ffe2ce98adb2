"""Net present value under every schedule: the run's own rows are its NPV, the others are recomputed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cba.discounting import list_schedules
from cba.tables.money import discount_schedules_table
from tests.appraisal.made_workings import made_workings


@pytest.fixture(scope="module")
def base():
    return made_workings()


@pytest.fixture(scope="module")
def table(base):
    return discount_schedules_table(base)


def row(table, schedule, option, *, mid_year=False):
    chosen = table[(table.schedule == schedule) & (table.option == option) & (table.mid_year == mid_year)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_every_schedule_and_option_has_one_row_and_says_where_its_rates_come_from(base, table):
    plain = table[~table.mid_year]
    assert len(plain) == len(list_schedules()) * len(base.accounts)
    assert set(table.schedule) == {s.name for s in list_schedules()}
    assert set(table[table.mid_year].schedule) == {base.inputs.analysis.schedule}
    assert (table.vintage.str.len() == 10).all() and (table.source.str.len() > 20).all()
    assert table.of_the_run.sum() == len(base.accounts)


def test_the_rows_of_the_run_are_its_headline(base, table):
    for option in base.accounts:
        npv = base.arrays.npv.sel(option=option).values
        found = row(table, base.inputs.analysis.schedule, option)
        assert found["mean"] == pytest.approx(npv.mean(), rel=1e-9, abs=1e-3)
        assert found["prob_positive"] == pytest.approx((npv > 0).mean())
        assert found["long_mean"] == pytest.approx(
            float(base.arrays.npv_long.sel(option=option).mean()), rel=1e-9, abs=1e-3
        )
        assert found["change_mean"] == found["change_lower"] == found["change_upper"] == 0.0


@pytest.mark.parametrize(
    "schedule, rate",
    [("green_book_2026", 0.035), ("green_book_2026_health", 0.015), ("review_2026_flat_3", 0.03)],
)
def test_sums_by_hand_within_the_first_thirty_years(base, table, schedule, rate):
    analysis = base.inputs.analysis
    for option in ("care_review", "placement_reform"):
        flows = base.arrays.flows_long.sel(option=option).sel(year=slice(analysis.start_year, None)).values
        worth = sum(flows[:, t] * (1 + rate) ** -t for t in range(analysis.horizon))
        found = row(table, schedule, option)
        assert found["mean"] == pytest.approx(worth.mean(), rel=1e-9)
        lower, upper = np.quantile(worth, [0.05, 0.95])
        assert (found["lower"], found["upper"]) == pytest.approx((lower, upper), rel=1e-6)
        own = base.arrays.npv.sel(option=option).values
        assert found["change_mean"] == pytest.approx((worth - own).mean(), rel=1e-6, abs=1.0)


def test_the_recommended_rate_of_3_per_cent_lies_between_standard_and_health(table):
    """An option whose later years are worse loses more the less they are discounted."""
    worth = [
        row(table, s, "care_review")["long_mean"]
        for s in ("green_book_2026", "review_2026_flat_3", "green_book_2026_health")
    ]
    assert worth[0] > worth[1] > worth[2]


def test_mid_year_money_is_worth_half_a_year_less(base, table):
    """All of the first thirty years share one rate, so the whole NPV shrinks by its root."""
    for option in ("care_review", "kinship_only"):
        usual, late = (row(table, "green_book_2026", option, mid_year=m) for m in (False, True))
        assert late["mean"] == pytest.approx(usual["mean"] / np.sqrt(1.035), rel=1e-9)


def test_business_as_usual_is_worth_nothing_under_any_schedule(table):
    numbers = table[table.option == "bau"].select_dtypes("number")
    assert not numbers.drop(columns=["prob_positive", "prob_mcse"]).to_numpy().any()
