"""The two statements add up exactly, and end where the headline does."""

from __future__ import annotations

import numpy as np
import pytest

from cba.tables.money import finance_director_statement, treasury_statement


@pytest.fixture(scope="module")
def nominal(workings):
    return finance_director_statement(workings)


@pytest.fixture(scope="module")
def real(workings):
    return treasury_statement(workings)


def by_row(table, row, column):
    return table[table["row"] == row].groupby(["option", "year"])[column].sum()


@pytest.mark.parametrize(
    "statement, columns",
    [("nominal", ["mean"]), ("real", ["mean", "discounted_mean", "cumulative_mean"])],
)
def test_lines_payers_and_total_agree_to_1e_9(statement, columns, request):
    table = request.getfixturevalue(statement)
    for column in columns:
        total = by_row(table, "total", column)
        for row in ("line", "payer"):
            np.testing.assert_allclose(by_row(table, row, column), total, rtol=1e-9, atol=1e-3)
    assert len(total) == 9 * 10, "nine options, ten years"


def test_every_draw_adds_up_too(workings):
    """Against the net flow that the net present value is made of, worked out without the lines' labels."""
    flow = workings.arrays.cash_flow
    total = -workings.arrays.flows_long.sel(year=flow["year"])
    gap = abs(flow.sum("line") - total) / np.maximum(abs(flow).sum("line"), 1.0)
    assert float(gap.max()) < 1e-9


def test_the_last_cumulative_total_is_the_npv(workings, real):
    last = real[real["row"] == "total"].groupby("option").last()
    for option, row in last.iterrows():
        npv = workings.arrays.npv.sel(option=option).values
        assert row["cumulative_mean"] == pytest.approx(-npv.mean(), rel=1e-9)
        assert row["cumulative_upper"] == pytest.approx(-np.quantile(npv, 0.05), rel=1e-9)


def test_cash_is_real_money_at_the_prices_of_the_year(workings, nominal, real):
    """In a year the deflator is published, the ratio of the two statements is the published one."""
    deflator = workings.inputs.observations["gdp_deflator"]
    year = int(deflator["deflator_year"].max())
    ratio = float(deflator.sel(deflator_year=year) / deflator.sel(deflator_year=2024))
    key = ["option", "payer", "kind"]
    cash = nominal[nominal["year"] == year].set_index(key)["mean"]
    base = real[real["year"] == year].set_index(key)["mean"]
    np.testing.assert_allclose(cash, base * ratio, rtol=1e-9)
    assert ratio > 1.0


def test_the_first_year_is_not_discounted_and_the_second_is(real):
    rows = real[(real["row"] == "total") & (real["option"] == "care_review")].set_index("year")
    assert rows.loc[2026, "discounted_mean"] == pytest.approx(rows.loc[2026, "mean"])
    assert rows.loc[2027, "discounted_mean"] == pytest.approx(rows.loc[2027, "mean"] / 1.035)
