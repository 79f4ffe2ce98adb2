"""The catalogue is complete; adding a table is in tests/test_where_to_add.py."""

from __future__ import annotations

import pandas as pd
import pytest

from cba.recipe import assembled
from cba.tables.catalogue import TABLES, all_tables, catalogue
from tests.appraisal.made_workings import made_workings
from tests.golden.goldens import read_golden, retired_tables
from tests.golden.made import ANALYSES, STANCES


@pytest.fixture
def only(monkeypatch):
    """Leave only some tables in the catalogue; what a test adds goes with it."""

    def chosen(*names):
        left = {name: entry for name, entry in TABLES.items() if name in names}
        monkeypatch.setattr("cba.tables.catalogue.TABLES", left)

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


def test_a_group_is_made_once(only):
    only()
    from cba.tables.catalogue import Table, catalogued_together

    calls = []

    @catalogued_together(Table("one", "One", "None."), Table("two", "Two", "None."))
    def both(workings):
        calls.append(workings)
        return {"one": pd.DataFrame(), "two": pd.DataFrame()}

    assert set(all_tables(made_workings())) == {"one", "two"} and len(calls) == 1
