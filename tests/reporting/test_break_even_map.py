"""The break-even map draws its table, and carries no meaning by colour alone."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from tests.reporting.drawing import plot, words

OPTION = "care_review"
COLUMNS = ["option", "kind", "name", "label", "cut", "value", "npv", "prob_positive"]


def map_table(stance: str, centre: float) -> pd.DataFrame:
    """A made map: a hyperbola, a ring of 25 points and the review's two claims."""
    cuts = np.linspace(0.02, 0.65, 64)
    rows = [(OPTION, "contour", "break_even", "Break-even", x, 52_000.0 / x, 0.0, 0.5) for x in cuts]
    turn = np.linspace(0, 2 * np.pi, 25)
    rows += [
        (OPTION, "region", stance, "", centre + 0.05 * np.cos(t), 60_000.0 + 25_000.0 * np.sin(t), -1e9, 0.0)
        for t in turn
    ]
    rows.append((OPTION, "point", stance, "", centre, 60_000.0, -1e9, 0.0))
    rows.append((OPTION, "claim", "family_help", "Review: 17,000 fewer, £517m a year", 0.29, 34_000.0, 0, 0))
    rows.append(
        (OPTION, "claim", "in_all", "Review: 30,000 fewer, £1bn a year shifted", 0.51, 37_500.0, 0, 0)
    )
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture
def stances():
    return [
        SimpleNamespace(stance=name, tables={"break_even_map": map_table(name, centre)})
        for name, centre in (("evidence", 0.02), ("sceptical", 0.0))
    ]


def test_it_draws_where_it_is_told_and_changes_no_setting(stances):
    before = dict(matplotlib.rcParams)
    own, given = plt.subplots()
    assert plot("break_even_map", stances, ax=given) is given and given.has_data()
    made = plot("break_even_map", stances)
    assert made is not given
    plt.close(own)
    plt.close(made.figure)
    assert dict(matplotlib.rcParams) == before


def test_no_text_stands_on_its_side_or_leaves_the_drawing(stances):
    ax = plot("break_even_map", stances)
    ax.figure.canvas.draw()
    edge = ax.figure.bbox
    for text in [*ax.texts, ax.title, ax.xaxis.label, *ax.get_yticklabels()]:
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert text.get_rotation() == 0
            assert box.x0 >= edge.x0 - 6 and box.x1 <= edge.x1 + 6, (text.get_text(), box.x0, box.x1)
    assert not ax.yaxis.label.get_text()
    plt.close(ax.figure)


def test_labels_of_the_map_do_not_cover_each_other(stances):
    ax = plot("break_even_map", stances)
    ax.figure.canvas.draw()
    boxes = [(t.get_text(), t.get_window_extent()) for t in ax.texts]
    for number, (one, box) in enumerate(boxes):
        for other, second in boxes[number + 1 :]:
            assert not box.overlaps(second), (one, other)
    plt.close(ax.figure)


def test_the_map_holds_the_rows_of_its_table(stances):
    ax = plot("break_even_map", stances)
    curve = ax.lines[0]
    found = stances[0].tables["break_even_map"].query("kind == 'contour'").set_index("cut")["value"]
    for x, y in zip(curve.get_xdata(), curve.get_ydata(), strict=True):
        assert y * 1e3 == pytest.approx(found.loc[found.index[np.abs(found.index - x / 100).argmin()]])
    crosses = [line for line in ax.lines if line.get_marker() == "X"]
    assert [round(float(line.get_xdata()[0])) for line in crosses] == [29, 51]
    written = " ".join(text.get_text() for text in ax.texts).replace("\n", " ")
    for name in ("Evidence", "Sceptical", "Breaks even", "17,000 fewer", "30,000 fewer"):
        assert name in written
    plt.close(ax.figure)


def test_stances_differ_in_dash_and_shape_and_stand_out_from_white(stances):
    ax = plot("break_even_map", stances)
    rings = [line for line in ax.lines if len(line.get_xdata()) == 25]
    points = [line for line in ax.lines if line.get_marker() in ("o", "s", "D", "^")]
    assert len({line.get_linestyle() for line in rings}) == 2 == len({p.get_marker() for p in points})
    for line in (*rings, *points):
        assert contrast(line.get_color()) >= 3.0, "WCAG 2.2, 1.4.11"
    plt.close(ax.figure)


def contrast(colour) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_a_stance_without_draws_is_left_out(stances):
    empty = SimpleNamespace(stance="review", tables={})
    ax = plot("break_even_map", [*stances, empty])
    assert "Review's claims met" not in {text.get_text() for text in ax.texts}
    plt.close(ax.figure)


def test_the_alternative_names_every_point_of_the_map(stances):
    said = words("break_even_map", stances)
    for part in (
        "Evidence: 2% fewer starts",
        "Sceptical: 0% fewer",
        "29% fewer starts at £34,000",
        "break-even",
    ):
        assert part in said
