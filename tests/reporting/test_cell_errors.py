"""Errors and diagnostics are not rounded to the error of their row, and amounts among other numbers are money."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from cba.reporting.html_tables import columns, html_table
from cba.reporting.names import full_name, input_name
from cba.reporting.numbers import cell_text, is_error, row_error, unit_style
from tests.reporting.page_reading import read_page

RUN = SimpleNamespace(analysis=SimpleNamespace(draws=4000), stance="evidence", option_labels={})
POUNDS = {
    "unit": "GBP", "mean": -9.108e9, "mcse": 1.78e7, "lower": -1.1e10, "mcse_lower": 4.6e7, "upper": -7.4e9,
    "mcse_upper": 2.8e7, "rhat": 1.0004, "ess_bulk": 4028.0, "ess_tail": 3853.0,
}  # fmt: skip


def text(row, field, style="number"):
    return cell_text(row, field, style=style, appraisal=RUN)


@pytest.mark.parametrize("field", ["mcse", "mcse_lower", "mcse_upper", "rhat", "ess_bulk", "ess_tail"])
def test_what_judges_a_row_is_not_rounded_to_the_error_of_the_row(field):
    assert row_error(POUNDS, field, style="number", appraisal=RUN) == 0.0


def test_the_convergence_of_a_sum_of_pounds_is_legible():
    assert text(POUNDS, "rhat") == "1.00"
    assert text(POUNDS, "ess_bulk", "count") == "4,030" and text(POUNDS, "ess_tail", "count") == "3,850"
    assert text(POUNDS, "mcse", "money") == "£17.8 million"


def test_a_weight_and_the_error_of_a_swing_are_not_rounded_to_another_error():
    assert text({"weight": 0.42, "mcse": 3.9e7}, "weight", "share") == "42%"
    assert text({"swing": -3.3e9, "swing_se": 2.8e7, "mcse": 1e9}, "swing_se", "money") == "£28.0 million"


@pytest.mark.parametrize(
    ("quantity", "field", "style"),
    [("npv", "mean", "money"), ("npv", "mcse", "money"), ("system_cost_2032_real", "upper", "money"),
     ("children_in_care", "mean", "count"), ("prob_fewer_30000", "mean", "probability"),
     ("prob_npv_positive", "mcse", "number"), ("npv", "weight", "number"), ("npv", "draws", "number")],
)  # fmt: skip
def test_the_quantity_of_a_row_says_its_unit_where_no_unit_is_stated(quantity, field, style):
    assert unit_style({"quantity": quantity}, field, style="number") == style


def test_a_style_that_was_asked_for_and_the_ends_of_an_input_stay():
    assert unit_style(POUNDS, "mean", style="count") == "count"
    assert unit_style({"unit": "GBP", "input_low": 1.0}, "input_low", style="number") == "number"
    assert unit_style({"unit": "GBP per child", "mean": 1.0}, "mean", style="number") == "number"


def test_only_names_of_errors_are_errors():
    assert not any(is_error(name) for name in ("sentence", "series", "used", "mean"))


def test_a_grade_that_is_missing_prints_nothing_and_a_fitted_one_its_word():
    table = pd.DataFrame({"input": ["a", "b"], "confidence": [float("nan"), "fitted"]})
    appraisal = SimpleNamespace(**vars(RUN), tables={"drivers": table})
    made = html_table(
        appraisal, "drivers", columns(text={"input": "Input"}, name={"confidence": "Grade"}), caption="c"
    )
    cells = [cell.text().strip() for cell in read_page(str(made)).find("td")]
    assert cells == ["", "Fitted"] and full_name(None) == ""


def test_an_input_is_named_in_words():
    assert (
        input_name("baseline.level_logit_exit_10_15") == "Rate of leaving care at ages 10 to 15, last level"
    )
    assert input_name("family_help.log_risk_ratio") == "Effect of family help"
    assert input_name("delivery.cost_overrun") == "Delivery: cost overrun"
