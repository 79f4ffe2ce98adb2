"""The figure of effects outside the model runs between the ends of its table and says so in words."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from cba.reporting.figures.style import is_shown, on_page
from tests.reporting.drawing import figure_of, plot, view_of, words

LEAD = "care_review"


def _curve(stress, label, rows):
    frame = pd.DataFrame(rows, columns=["mark", "size", "npv_mean"])
    frame = frame.assign(
        stress=stress, label=label, option=LEAD, unit="units", prob_positive=0.25, prob_mcse=0.01
    )
    for stem in ("npv", "fewer"):
        frame[f"{stem}_lower"], frame[f"{stem}_upper"] = -5e9, 5e9
    return frame.assign(fewer_mean=100.0)


@pytest.fixture
def appraisal():
    curves = pd.concat(
        [
            _curve("displaced", "What one gains another loses", [("now", 0.0, -2e9), ("", 1.0, -3e9)]),
            _curve(
                "market", "Prices follow", [("", -1.0, -4e9), ("now", 0.0, -2e9), ("comparison", 1.5, 1e9)]
            ),
        ],
        ignore_index=True,
    )
    return SimpleNamespace(
        tables={"stress_curves": curves},
        stance="evidence",
        option_labels={LEAD: "Care review"},
        analysis=SimpleNamespace(draws=1000),
    )


def test_each_bar_runs_from_the_lowest_to_the_highest_mean_of_its_effect(appraisal):
    ax = plot("stress", [appraisal])
    ends = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches)
    assert ends == [pytest.approx((-4.0, 1.0)), pytest.approx((-3.0, -2.0))]
    assert "£ billion" in ax.get_xlabel()


def test_marks_stand_at_no_effect_and_at_the_figure_compared_with(appraisal):
    lines = [line for line in plot("stress", [appraisal]).lines if line.get_marker() in ("o", "D")]
    dots = sorted(float(x) for line in lines if line.get_marker() == "o" for x in line.get_xdata())
    diamonds = [float(x) for line in lines if line.get_marker() == "D" for x in line.get_xdata()]
    assert dots == [-2.0, -2.0] and diamonds == [1.0]


def test_the_words_hold_the_ends_of_sizes_and_of_money(appraisal):
    said = words("stress", [appraisal])
    for told in (
        "sizes 0 to 1, units",
        "sizes −1 to 1.5",
        "from −£2.00 billion to −£3.00 billion",
        "£1.00 billion",
    ):
        assert told in said


def test_a_run_without_the_tables_has_no_figure_and_one_with_them_a_whole_one(appraisal):
    bare, view = view_of([SimpleNamespace(tables={})]), view_of([appraisal])
    figure = figure_of("stress", view)
    assert not is_shown(figure, bare) and is_shown(figure, view)
    block = on_page(figure, view)
    assert block.name == "fig-stress" and 'role="img"' in block.svg
    assert str(block.tables[0]).count("<tr>") == 1 + 5 and figure.height(figure.rows(view)) > 2.0
