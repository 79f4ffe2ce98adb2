"""Sections of sensitivity list what clearly moves a result, and say so where nothing does."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cba.reporting.figures.drivers import clear_drivers
from cba.reporting.page import render_pages
from tests.reporting.drawing import view_of, words
from tests.reporting.fake_appraisal import make_appraisal
from tests.reporting.page_reading import read_pages


def _section(page, anchor):
    return next(s for s in page.find("section") if s.attributes.get("aria-labelledby") == anchor)


def _words(element):
    return re.sub(r"\s+", " ", element.text())


@pytest.fixture(scope="module")
def unmoved():
    """An appraisal in which error explains every swing, and one input that does not move at all comes first."""
    appraisal = make_appraisal()
    table = appraisal.tables["drivers"].assign(clear=False)
    table.loc[table["rank"] == 1, ["swing", "swing_se"]] = 0.0
    appraisal.tables["drivers"] = table
    return appraisal


def test_tables_of_what_drives_a_result_hold_the_rows_marked_clear_and_no_other(page, stances):
    table = stances[0].tables["drivers"]
    shown = {
        int(element.attributes["data-row"])
        for element in _section(page, "drivers").find("data")
        if element.attributes.get("data-table") == "drivers" and "data-row" in element.attributes
    }
    assert shown == set(np.flatnonzero(table["clear"])) and 0 < len(shown) < len(table)


def test_the_section_counts_what_clearly_moves(page, stances):
    table = stances[0].tables["drivers"]
    tried = len(table[table["outcome"] == "npv"])
    clear = {outcome: int(rows["clear"].sum()) for outcome, rows in table.groupby("outcome")}
    words = (
        f"Of {tried} inputs, {clear['npv']} clearly move net present value and {clear['fewer_children']} the "
    )
    assert words in _words(_section(page, "drivers"))


def test_where_nothing_moves_a_result_clearly_no_input_is_said_to(unmoved):
    html = render_pages([unmoved], headline={"results": unmoved.results}, manifest={})
    text = _words(_section(read_pages(html), "drivers"))
    assert "No input alone moves net present value by more than Monte Carlo error" in text
    assert "No input alone moves the number of children by more than Monte Carlo error" in text
    assert "moves net present value most" not in text and "matters most for children" not in text


def test_the_tornado_still_has_a_bar_where_nothing_is_clear(unmoved):
    rows = clear_drivers(view_of([unmoved]))
    assert len(rows) == 1 and rows["rank"].iloc[0] == 1
    assert words("tornado", [unmoved]).startswith("Horizontal bar chart")
