"""Words of the release files fit the tables they become: a slip in layouts.toml shows before a file arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from cba.inputs.files import read_toml
from cba.inputs.releases import downloads
from cba.inputs.table_words import CATEGORIES, TABLES

WORDS = read_toml(Path(downloads.__file__).with_name("layouts.toml"))
MADE = {"source", "year", "vintage", "census_base", "price_basis", "area"}
"""Columns that a file may leave to be worked out from its other columns or its name."""


@pytest.mark.parametrize("name", sorted(WORDS["layouts"]))
def test_a_layout_fills_its_table(name):
    layout = WORDS["layouts"][name]
    headings = {WORDS["columns"].get(column, column) for column in layout["columns"]}
    assert set(TABLES[layout["table"]].columns) - MADE <= headings
    assert len(set(layout["columns"])) == len(layout["columns"])


def test_no_two_layouts_have_the_same_columns():
    every = [layout["columns"] for layout in WORDS["layouts"].values()]
    every += [*WORDS["not_used"].values(), *(list(table.columns) for table in TABLES.values())]
    assert len({frozenset(columns) for columns in every}) == len(every)


def test_a_breakdown_is_kept_or_passed_over_and_not_both():
    assert WORDS["kept"].keys() == WORDS["unused"].keys()
    for measure, kept in WORDS["kept"].items():
        assert not set(kept) & set(WORDS["unused"][measure])


def test_categories_are_words_of_the_tables_or_left_out():
    known = {word for words in CATEGORIES.values() for word in words}
    words = WORDS["categories"]
    assert set(words["renamed"].values()) <= known and set(words["superseded"]) <= known
    assert not set(words["left_out"]) & known
