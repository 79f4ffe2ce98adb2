"""Amounts, chances and children that share a column are each printed in the style of their row's unit."""

from __future__ import annotations

from types import SimpleNamespace

from cba.reporting.numbers import cell_text

RUN = SimpleNamespace(analysis=SimpleNamespace(draws=4000), stance="evidence", option_labels={})
POUNDS = {"unit": "GBP", "mean": -9.108e9, "mcse": 1.78e7, "mcse_lower": 4.6e7, "rhat": 1.0004}
CHANCE = {"unit": "probability", "mean": 0.31, "mcse": 0.0073, "rhat": 1.0012}


def text(row, field, style="number"):
    return cell_text(row, field, style=style, appraisal=RUN)


def test_amounts_and_their_errors_are_money_and_what_judges_them_is_not():
    assert text(POUNDS, "mcse") == "£17.8 million" and text(POUNDS, "mcse_lower") == "£46.0 million"
    assert text(POUNDS, "mean") == "\N{MINUS SIGN}£9.1 billion" and text(POUNDS, "rhat") == "1.00"


def test_a_chance_among_other_numbers_is_a_per_cent_and_its_error_is_not():
    assert text(CHANCE, "mean") == "31%" and text(CHANCE, "mcse") == "0.00730"


def test_children_fewer_that_round_to_none_say_how_near():
    row = {"unit": "children", "mean": 3.2, "mcse": 18.0}
    assert (text(row, "mean"), text(row, "mcse")) == ("within 50 of 0", "18")
