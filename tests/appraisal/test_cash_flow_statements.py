"""The two statements add up exactly, and end where the headline does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.errors import GateError
from cba.tables.money import finance_director_statement, largest_gaps, require_adding_up, treasury_statement


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
    gaps = largest_gaps(workings)
    assert set(gaps["option"]) == set(workings.accounts) - {"bau"}
    assert gaps["gap"].max() < 1e-9
    require_adding_up(workings)


def test_a_lost_line_is_refused(workings):
    flow = workings.arrays.cash_flow
    biggest = int(np.abs(flow.sel(option="care_review")).mean(["sample", "year"]).values.argmax())
    arrays = dataclasses.replace(workings.arrays, cash_flow=flow.drop_isel(line=[biggest]))
    with pytest.raises(GateError, match="do not add up") as caught:
        require_adding_up(dataclasses.replace(workings, arrays=arrays))
    assert any(line.startswith("care_review: gap of") for line in caught.value.failures)


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
