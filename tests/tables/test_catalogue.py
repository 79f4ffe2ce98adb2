"""The catalogue is complete, and a table is added by one registered function."""

from __future__ import annotations

import openpyxl
import pandas as pd
import pytest

from cba.recipe import assembled
from cba.tables.catalogue import CHILDREN, TABLES, all_tables, catalogue, catalogued
from cba.workbook.sheets import write_workbook
from tests.appraisal.made_workings import made_workings
from tests.golden.goldens import read_golden, retired_tables
from tests.golden.made import ANALYSES, STANCES

MANIFEST = {"run": "20261121T200000Z-0123abcd", "finished": "2026-11-21T20:00:00Z"}


@pytest.fixture
def only(monkeypatch):
    """Leave only some tables in the catalogue; what a test adds goes with it."""

    def chosen(*names):
        left = {name: entry for name, entry in TABLES.items() if name in names}
        monkeypatch.setattr("cba.tables.catalogue.TABLES", left)
        monkeypatch.setattr("cba.workbook.sheets.TABLES", left)

    return chosen


@pytest.mark.parametrize("analysis", ANALYSES)
def test_every_table_of_a_made_run_is_in_the_catalogue(analysis):
    held = {n: s for s in STANCES for n in read_golden(f"{analysis}_{s}_tables.json.gz")}
    assert len(held) > 80 and set(held) - set(retired_tables()) <= set(TABLES)


@pytest.mark.parametrize("analysis", ANALYSES)
def test_tables_made_once_a_run_are_in_its_first_stance_only(analysis):
    once = {name for name, entry in TABLES.items() if entry.once}
    first, *others, _ = (set(read_golden(f"{analysis}_{s}_tables.json.gz")) for s in STANCES)
    assert len(once & first) > 30 and not any(
        once & held for held in others
    )  # the review repeats the evidence's


def test_every_table_says_what_it_is_called_counted_in_and_answers():
    listed = catalogue()
    assert list(listed["table"]) == list(TABLES) and listed["title"].is_unique
    for column in ("title", "unit", "answers"):
        assert (listed[column].str.len() > 5).all(), column
    assert listed["answers"].str.endswith(".").all()
    assert set(listed["made"]) == {"once a run", "for every stance"}


def test_the_catalogue_counts_the_rows_of_an_appraisal(only):
    only("npv", "history", "drivers")
    found = catalogue(assembled(made_workings())).set_index("table")["rows_evidence"]
    options = len(made_workings().inputs.options)
    assert found["npv"] == options and found["history"] > 20 and pd.isna(found["drivers"])


def test_a_table_is_added_by_one_function(only, tmp_path):
    only("npv")

    @catalogued("most_children", "Most children in care in any year", CHILDREN)
    def most_children(workings):
        """Highest mean number of children in care, by option."""
        mean = workings.arrays.children.sum("age").mean("sample").max("year")
        return pd.DataFrame({"option": mean["option"].values, "children": mean.values})

    appraisal = assembled(made_workings())
    table = appraisal.tables["most_children"]
    assert (table["children"] > 80_000).all()
    row = catalogue(appraisal).set_index("table").loc["most_children"]
    assert row["answers"] == "Highest mean number of children in care, by option."
    assert row["rows_evidence"] == len(table)
    headline = {"results": appraisal.results}
    file = write_workbook([appraisal], headline=headline, manifest=MANIFEST, path=tmp_path / "workbook.xlsx")
    sheet = openpyxl.load_workbook(file)["most_children"]
    assert sheet["A1"].value == "Most children in care in any year"
    assert "Children." in [cell.value for cell in sheet["A"]]


def test_a_group_is_made_once(only):
    only()
    from cba.tables.catalogue import Table, catalogued_together

    calls = []

    @catalogued_together(Table("one", "One", "None."), Table("two", "Two", "None."))
    def both(workings):
        calls.append(workings)
        return {"one": pd.DataFrame(), "two": pd.DataFrame()}

    assert set(all_tables(made_workings())) == {"one", "two"} and len(calls) == 1
