"""Every number of the page is looked up again: in the draws where it can be, else in the table it names."""

from __future__ import annotations

import math
import re
from urllib.parse import parse_qsl

import pandas as pd
import pytest

from cba.errors import InputError
from cba.reporting.numbers import result_number, table_number
from tests.reporting.page_reading import number_in, places_of, prose_without_numbers
from tests.reporting.table_lookups import matches


def _from_table(frame: pd.DataFrame, attributes: dict[str, str]) -> float | None:
    """Return the cell, sum or count the attributes name, worked out row by row."""
    field = attributes["data-field"]
    if "data-row" in attributes:
        value = frame[field].tolist()[int(attributes["data-row"])]
        return None if value is None or (isinstance(value, float) and math.isnan(value)) else float(value)
    rows = frame.to_dict("records")
    for key, wanted in parse_qsl(attributes["data-where"]):
        column, _, test = key.partition("__")
        rows = [row for row in rows if matches(row[column], wanted, test)]
    if attributes.get("data-aggregate") == "count":
        return float(len(rows))
    if attributes.get("data-aggregate") == "sum":
        return math.fsum(row[field] for row in rows)
    assert len(rows) == 1, attributes
    return float(rows[0][field])


def _from_fact(appraisal, path: str) -> float:
    found = appraisal
    for step in path.split("."):
        found = found[step] if isinstance(found, dict) else getattr(found, step)
    return float(found)


def _expected(stances, attributes: dict[str, str]) -> float | None:
    appraisal = next(item for item in stances if item.stance == attributes["data-stance"])
    if "data-key" in attributes:
        return appraisal.results[attributes["data-key"]][attributes["data-field"]]
    if "data-table" in attributes:
        return _from_table(appraisal.tables[attributes["data-table"]], attributes)
    if attributes["data-fact"] == "horizon_last":
        return float(appraisal.analysis.start_year + appraisal.analysis.horizon - 1)
    return _from_fact(appraisal, attributes["data-fact"])


def test_every_bound_number_is_found_again(page, stances):
    numbers = list(page.find("data"))
    assert len(numbers) > 1000
    for element in numbers:
        expected = _expected(stances, element.attributes)
        if expected is None:
            assert element.attributes["value"] == "" and element.text() == "not defined"
        else:
            assert float(element.attributes["value"]) == pytest.approx(expected, rel=1e-12), (
                element.attributes
            )


def test_the_text_of_every_bound_number_says_its_value(page):
    """What a reader takes from the text is the raw value, to half of the last place printed."""
    for element in page.find("data"):
        text, raw = element.text(), element.attributes["value"]
        if raw == "":
            continue
        value = float(raw)
        if text.startswith("<"):
            assert 0.0 <= value < number_in(text[1:])
        elif text.startswith(">"):
            assert number_in(text[1:]) < value <= 1.0
        elif text == "no change":
            assert value == 0.0
        elif text.startswith("within"):
            assert abs(value) <= number_in(text.split(" of ")[0]), (text, value)
        elif text.startswith(("neither", "no change")):
            unit = number_in(re.sub(r".*nearest ", "", text))
            assert abs(value) <= unit / 2
        else:
            shown = number_in(text)
            assert abs(shown - value) <= 0.5 * places_of(text) + 1e-9 * abs(value), (text, value)


def test_headline_numbers_come_from_the_draws(page, stances):
    """Net present value, its probability and children, recomputed from the draws of the stance named."""
    seen = 0
    for element in page.find("data"):
        key, stance = element.attributes.get("data-key", ""), element.attributes["data-stance"]
        if element.attributes.get("data-field") != "mean" or element.attributes["value"] == "" or not key:
            continue
        quantity, option = key.split(".")
        appraisal = next(item for item in stances if item.stance == stance)
        npv, children = appraisal.npv.sel(option=option), appraisal.children.sel(year=2032)
        drawn = {
            "npv_fiscal": float(npv.mean()),
            "prob_npv_positive": float((npv > 0).mean()),
            "children_in_care_2032": float(children.sel(option=option).mean()),
            "fewer_children_2032": float((children.sel(option="bau") - children.sel(option=option)).mean()),
        }
        if quantity in drawn:
            assert float(element.attributes["value"]) == pytest.approx(drawn[quantity], rel=1e-9, abs=1e-6)
            seen += 1
    assert seen > 40


def test_prose_holds_no_number_that_is_not_bound(page):
    """A digit outside bound numbers, stated constants, names, drawings, code and tables was typed by hand."""
    main = next(page.find("main"))
    left = re.findall(r"[^.]{0,40}\d[^.]{0,40}", prose_without_numbers(main))
    assert left == []


def test_both_framings_stand_together(page):
    """Wherever the chance of a net saving is stated in prose, the chance of a net cost follows."""
    text = next(page.find("main")).text()
    places = [match.end() for match in re.finditer(r"chance of a net saving,", text)]
    assert len(places) >= 2
    assert all("of a net cost" in text[place : place + 30] for place in places)


def test_an_unknown_result_is_refused(stances):
    with pytest.raises(InputError, match="no such result") as caught:
        result_number(stances[0], "npv_fiscal.nobody")
    assert "npv_fiscal.nobody" in str(caught.value)


def test_a_cell_that_is_two_cells_is_refused(stances):
    with pytest.raises(InputError, match="not one cell") as caught:
        table_number(stances[0], "children_by_year", "mean", option="bau")
    assert "31 rows" in str(caught.value)


def test_an_unknown_column_is_refused(stances):
    with pytest.raises(InputError, match="no such column") as caught:
        table_number(stances[0], "npv", "mean", place="bau")
    assert "place" in str(caught.value)
