"""The waterfall of a change: bars join up, and its words say the same."""

from __future__ import annotations

import pytest

from cba.errors import InputError
from cba.reporting.figures.drivers import change_figure, describe_change, plot_change, steps
from tests.cli.test_compare import RECORD

KEY = "npv_fiscal.care_review"


def test_steps_lead_from_the_figure_before_to_the_figure_after():
    found = steps(RECORD, KEY)
    assert [step["player"] for step in found] == ["unit costs", "priors and evidence"]
    assert found[0]["start"] == -9.105e9 and found[0]["end"] == found[1]["start"]
    assert found[-1]["end"] == pytest.approx(-9.107e9)


def test_bars_are_the_steps():
    ax = plot_change(RECORD, KEY)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx([-2.7, 0.7])
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "Before",
        "Unit costs",
        "Priors and evidence",
        "After",
    ]


def test_the_words_hold_the_numbers_of_the_figure():
    said = describe_change(RECORD, KEY)
    assert "unit costs -2.7" in said and "-9,105 in latest/a" in said and "£ million" in said


def test_a_quantity_that_was_not_compared_is_refused():
    with pytest.raises(InputError, match="no such quantity") as refused:
        change_figure(RECORD, key="npv_fiscal.other")
    assert refused.value.details["found"] == "npv_fiscal.other"
