"""Figures draw the appraisal's numbers on the axes they are given, and leave the reader's settings alone."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from cba.reporting.figures import fits
from cba.reporting.figures.style import colours, duo, inline_svg, is_shown
from cba.reporting.page import FIGURES
from tests.reporting.drawing import LEAD, NAMES, plot, view_of, words
from tests.reporting.page_reading import read_page

ELSEWHERE = {figure.name for figure in fits.FIGURES if figure.name != "accounts"}
"""Figures of tables that the made-up run lacks; their own tests make the tables."""
DRAWN = [*(name for name in NAMES if name not in ELSEWHERE), "effect_log_rr_entry"]


@pytest.mark.parametrize("name", DRAWN)
def test_it_draws_where_it_is_told_and_changes_no_setting(name, stances):
    before = dict(matplotlib.rcParams)
    figure, ax = plt.subplots()
    try:
        assert plot(name, stances, ax=ax) is ax
        assert ax.has_data()
        ax.set_title("restyled")
    finally:
        plt.close(figure)
    made = plot(name, stances)
    assert isinstance(made, Axes) and made is not ax
    plt.close(made.figure)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", DRAWN)
def test_no_text_stands_on_its_side_or_leaves_the_drawing(name, stances):
    ax = plot(name, stances)
    figure = ax.figure
    figure.canvas.draw()
    edge = figure.bbox
    low, high = ax.get_xlim()
    ticks = [label for label in ax.get_xticklabels() if low <= label.get_position()[0] <= high]
    for text in [*ax.texts, ax.title, ax.xaxis.label, *ticks, *ax.get_yticklabels()]:
        if text.get_text() and text.get_visible():
            assert text.get_rotation() == 0
            box = text.get_window_extent()
            assert box.x0 >= edge.x0 - 6 and box.x1 <= edge.x1 + 6, (text.get_text(), box.x0, box.x1)
    assert not ax.yaxis.label.get_text()
    plt.close(figure)


def test_the_fan_holds_the_means_of_the_table(stances):
    ax = plot("children", stances)
    table = stances[0].tables["children_by_year"]
    for line, option in zip(ax.lines[1:3], ("bau", LEAD), strict=True):
        rows = table[(table["option"] == option) & (table["year"] <= view_of(stances).last_year)]
        np.testing.assert_allclose(line.get_ydata(), rows["mean"])
        np.testing.assert_array_equal(line.get_xdata(), rows["year"])
    assert ax.get_ylim()[0] == 0.0
    plt.close(ax.figure)


def test_lines_of_one_chart_differ_in_more_than_colour(stances):
    ax = plot("children", stances)
    without, with_it = ax.lines[1:3]
    assert without.get_linestyle() != with_it.get_linestyle()
    plt.close(ax.figure)
    ax = plot("npv_by_option", stances)
    markers = {line.get_marker() for line in ax.lines if line.get_marker() not in ("None", None, "")}
    assert len(markers) == 2
    plt.close(ax.figure)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", sorted({*duo(), colours(3)[0], colours(3)[2]}))
def test_marks_stand_out_from_white(colour):
    """WCAG 1.4.11: 3 to 1 against the page; the palette's orange is just below and its bars are hatched."""
    ratio = 1.05 / (_luminance(colour) + 0.05)
    assert ratio >= (2.8 if colour == "#F46A25" else 3.0), ratio


def test_alternative_text_states_the_extremes_of_the_table(stances):
    table = stances[0].tables["net_by_year"]
    rows = table[(table["option"] == LEAD) & (table["year"] <= 2035)]
    said = words("net", stances)
    assert f"in {int(rows.loc[rows['mean'].idxmin(), 'year'])}. Highest" in said
    assert f"in {int((rows['mean'] > 0).sum())} of {len(rows)} years" in said


def test_two_drawings_share_no_identifier(stances):
    made = []
    for name in ("a", "b"):
        ax = plot("net", stances)
        made.append(str(inline_svg(ax.figure, name=name, title="t", description="d")))
        plt.close(ax.figure)
    first, second = (
        {e.attributes["id"] for e in read_page(svg).find() if "id" in e.attributes} for svg in made
    )
    assert first and not first & second
    assert "<text" in made[0] and "DejaVu" not in made[0] and "<style" not in made[0]


def test_every_line_of_a_label_ends_where_the_label_ends():
    """Whatever font the page has, right lines share the end of a single line and centred ones their middle."""
    figure, ax = plt.subplots()
    ax.barh([0, 1], [1, 2])
    ax.set_yticks([0, 1], ["Foster recruitment\nonly & more", "Single"])
    ax.set_xlabel("Middle\nof several lines")
    ax.text(0, 0, "left\nlines")
    drawing = read_page(str(inline_svg(figure, name="lines", title="t", description="d")))
    plt.close(figure)
    found = {line.text(): line.attributes for line in drawing.find("text")}
    ends = [float(found[words]["x"]) for words in ("Foster recruitment", "only & more", "Single")]
    assert ends == pytest.approx([ends[0]] * 3, abs=0.02)
    styles = [found[words]["style"] for words in ("Foster recruitment", "only & more")]
    assert all("text-anchor: end" in style for style in styles)
    first, second = (found[words] for words in ("Middle", "of several lines"))
    assert first["x"] == second["x"] and first["y"] != second["y"] and "text-anchor: middle" in first["style"]
    assert "text-anchor" not in found["left"]["style"]


def test_a_figure_whose_table_the_run_lacks_is_left_out():
    bare = view_of([SimpleNamespace(tables={}, option_labels={}, results={})])
    assert {figure.name for figure in FIGURES if is_shown(figure, bare)} == {
        "fewer",
        "npv_by_option",
        "children",
        "starts",
    }
