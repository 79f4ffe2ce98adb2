"""The workbook follows the guidance for accessible spreadsheets, holds every table, and takes no text for a formula."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace

import openpyxl
import pandas as pd
import pytest

from cba.errors import InputError
from cba.reporting import workbook as workbook_module
from cba.reporting.workbook import GAP, MOST_ROWS, sheet_tables, write_workbook

MANIFEST = {"run": "20261121T200000Z-0123abcd", "finished": "2026-11-21T20:00:00Z"}
FORMULAS = ["=1+1", "+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x")', "{=1}", "[a](http://x)", "<b>&amp;"]


def written(stances, path, **changes):
    headline = {"results": stances[0].results}
    return write_workbook(stances, headline=headline, manifest=MANIFEST, path=path, **changes)


@pytest.fixture(scope="module")
def path(stances, tmp_path_factory):
    return written(stances, tmp_path_factory.mktemp("workbook") / "workbook.xlsx")


@pytest.fixture(scope="module")
def book(path):
    return openpyxl.load_workbook(path)


def table_range(sheet):
    (table,) = sheet.tables.values()
    return table, openpyxl.utils.cell.range_boundaries(table.ref)


def test_cover_contents_and_notes_come_first(book, stances):
    assert book.sheetnames[:3] == ["Cover", "contents", "notes"]
    assert stances[0].analysis.title in book["Cover"]["A1"].value
    assert MANIFEST["run"] in " ".join(str(row[0].value) for row in book["Cover"].iter_rows())


def test_document_states_title_and_language(path, book):
    core = zipfile.ZipFile(path).read("docProps/core.xml").decode()
    assert "<dc:language>en-GB</dc:language>" in core
    assert book.properties.title.startswith("Workbook: ") and book.properties.language == "en-GB"


def test_names_of_sheets_are_unique_and_short(book):
    names = [name.lower() for name in book.sheetnames]
    assert len(set(names)) == len(names) and max(map(len, names)) <= 31


def test_each_sheet_holds_a_title_and_one_table_from_the_left_edge_to_its_end(book):
    for sheet in book.worksheets[1:]:
        table, (left, top, right, bottom) = table_range(sheet)
        assert sheet["A1"].value and left == 1
        assert (bottom, right) == (sheet.max_row, sheet.max_column), sheet.title  # nothing below or beside
        assert table.headerRowCount == 1 and table.autoFilter is None
        headings = [cell.value for cell in sheet[top]]
        assert all(headings) and len({h.lower() for h in headings}) == len(headings)
        above = [sheet.cell(row, 1).value for row in range(1, top)]
        assert all(above), sheet.title  # no blank rows


def test_no_cell_is_blank_merged_or_frozen_and_the_cursor_stands_in_a1(book):
    for sheet in book.worksheets:
        assert not sheet.merged_cells.ranges and sheet.freeze_panes is None and sheet.auto_filter.ref is None
        assert sheet.sheet_view.selection[0].activeCell in (None, "A1")
        assert not sheet.oddHeader.center.text and not sheet._images
        if sheet.title == "Cover":
            continue
        _, (left, top, right, bottom) = table_range(sheet)
        for row in sheet.iter_rows(min_row=top, max_row=bottom, max_col=right):
            assert all(cell.value not in (None, "") for cell in row), f"{sheet.title} row {row[0].row}"
            assert all(cell.alignment.wrap_text for cell in row)


def test_gaps_and_notes_are_explained(book):
    notes = " ".join(str(row[1].value) for row in book["notes"].iter_rows(min_row=3))
    assert GAP in notes
    numbered = {row[0].value for row in book["notes"].iter_rows()}
    for sheet in book.worksheets[3:]:
        _, (_, top, *_) = table_range(sheet)
        above = " ".join(str(sheet.cell(row, 1).value) for row in range(1, top))
        cells = [str(cell.value) for row in sheet.iter_rows() for cell in row]
        if GAP in cells:
            assert GAP in above, sheet.title
        for note in re.findall(r"\[note \d+\]", " ".join([above, *(str(c.value) for c in sheet[top])])):
            assert note in numbered


def test_every_table_is_there_and_contents_link_to_each(book, stances):
    tables, left_out = sheet_tables(stances)
    assert {t.name for t in tables} | {t.name for t in left_out} == {n for s in stances for n in s.tables}
    links = {
        cell.hyperlink.location: cell.value
        for row in book["contents"].iter_rows()
        for cell in row
        if cell.hyperlink
    }
    assert set(links.values()) == set(book.sheetnames[2:])
    assert all(place == f"'{name}'!A1" for place, name in links.items())


def test_numbers_stand_unrounded(book, stances):
    table = stances[0].tables["npv"]
    sheet = book["npv"]
    _, (_, top, *_) = table_range(sheet)
    column = next(cell.column for cell in sheet[top] if cell.value == "Mean")
    found = [sheet.cell(top + 1 + n, column).value for n in range(len(table))]
    assert found == pytest.approx(table["mean"].tolist(), rel=1e-15, nan_ok=True)


def test_text_is_never_a_formula_or_a_link(stances, tmp_path):
    labels = {o: FORMULAS[n % len(FORMULAS)] for n, o in enumerate(stances[0].option_labels)}
    tables = stances[0].tables | {"injected": pd.DataFrame({"option": FORMULAS, "=2+2": FORMULAS})}
    bad = replace(
        stances[0],
        option_labels=labels,
        tables=tables,
        analysis=stances[0].analysis.model_copy(update={"title": "=cmd|'/c calc'!A1 [x](http://x) $$1$$"}),
    )
    book = openpyxl.load_workbook(written([bad], tmp_path / "w.xlsx"))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    assert not [c for c in cells if c.hyperlink and c.hyperlink.target]  # only links within the workbook
    values = [cell.value for row in book["injected"].iter_rows() for cell in row]
    assert set(FORMULAS) <= set(values)


def test_long_tables_stay_in_their_file_and_contents_say_so(stances, tmp_path):
    long = pd.DataFrame({"year": range(MOST_ROWS + 1)})
    one = replace(stances[0], tables=stances[0].tables | {"long_one": long})
    book = openpyxl.load_workbook(written([one], tmp_path / "w.xlsx"))
    assert "long_one" not in book.sheetnames
    rows = [[cell.value for cell in row] for row in book["contents"].iter_rows()]
    assert ["long_one: file only", "Long one; in tables/long_one.csv", str(MOST_ROWS + 1)] in rows


def test_stances_stand_one_below_the_other_and_equal_tables_once(stances):
    tables = {table.name: table for table in sheet_tables(stances)[0]}
    assert {row[0] for row in tables["npv"].rows} >= {"Evidence", "Sceptical"}
    assert "Stance" in tables["npv"].headings[0]
    twins = [stances[0], replace(stances[0], stance="sceptical")]
    once = {table.name: table for table in sheet_tables(twins)[0]}
    assert len(once["npv"].rows) == len(stances[0].tables["npv"])


def test_an_empty_table_says_so(stances, tmp_path):
    one = replace(stances[0], tables={"npv": stances[0].tables["npv"].iloc[:0]})
    book = openpyxl.load_workbook(written([one], tmp_path / "w.xlsx"))
    assert book["npv"].cell(book["npv"].max_row, 1).value == "No rows"


def test_it_is_there_whole_or_not_at_all(stances, tmp_path, monkeypatch):
    path = tmp_path / "w.xlsx"
    path.write_bytes(b"before")

    def failing(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(workbook_module, "_notes", failing)
    with pytest.raises(OSError, match="disk full"):
        written(stances, path)
    assert path.read_bytes() == b"before" and [p.name for p in tmp_path.iterdir()] == ["w.xlsx"]


def test_a_headline_of_another_stance_is_refused(stances, tmp_path):
    with pytest.raises(InputError, match="headline and first appraisal") as found:
        write_workbook(stances, headline={"results": {"x": {}}}, manifest={}, path=tmp_path / "w.xlsx")
    assert found.value.details["field"] == "headline.results" and found.value.details["next step"]


def test_it_is_the_same_file_twice(stances, tmp_path):
    first, second = (written(stances, tmp_path / f"{n}.xlsx").read_bytes() for n in "ab")
    assert first == second
