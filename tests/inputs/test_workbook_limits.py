"""A workbook is unpacked up to a limit: small files can hold sheets without end."""

from __future__ import annotations

import io
import time
import zipfile

import openpyxl
import pytest

from cba.errors import InputError
from cba.inputs.releases import sheets
from cba.inputs.releases.sheets import cells_of

SHEET = "xl/worksheets/sheet1.xml"


def workbook() -> bytes:
    book, content = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["Financial year", "Index"])
    book.active.append(["2023-24", 100.0])
    book.save(content)
    return content.getvalue()


def with_part(name: str, change) -> bytes:
    """The workbook with one part changed."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook())) as old,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            new.writestr(part, change(old.read(part)) if part == name else old.read(part))
        if name not in old.namelist():
            new.writestr(name, change(b""))
    return content.getvalue()


def blanks(text: bytes) -> bytes:
    return text.replace(b"</sheetData>", b" " * 100_000_000 + b"</sheetData>")


def a_size_that_is_wrong(text: bytes) -> bytes:
    assert b'ref="A1:B2"' in text
    return text.replace(b'ref="A1:B2"', b'ref="A1"')


def test_what_a_sheet_says_of_its_size_cuts_nothing_off():
    found = cells_of(with_part(SHEET, a_size_that_is_wrong), file="a.xlsx")
    assert found == cells_of(workbook(), file="a.xlsx") and len(found) == 2


def a_row_far_down(text: bytes) -> bytes:
    row = b'<row r="1048576"><c r="A1048576" t="n"><v>1</v></c></row>'
    return text.replace(b"</sheetData>", row + b"</sheetData>")


def cells_far_right(text: bytes) -> bytes:
    rows = b"".join(b'<row r="%d"><c r="XFD%d" t="n"><v>1</v></c></row>' % (n, n) for n in range(3, 900))
    return text.replace(b"</sheetData>", rows + b"</sheetData>")


LARGE = {
    "a sheet of blanks": lambda: with_part(SHEET, blanks),
    "another part": lambda: with_part("xl/media/image1.png", lambda _: b"\0" * 100_000_000),
    "a row far down": lambda: with_part(SHEET, a_row_far_down),
    "cells far to the right": lambda: with_part(SHEET, cells_far_right),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_a_workbook_that_unpacks_to_too_much_is_refused(make):
    content = make()
    assert len(content) < 400_000
    began = time.process_time()
    with pytest.raises(InputError, match="larger than") as refused:
        cells_of(content, file="deflators.xlsx")
    assert time.process_time() - began < 10
    said = refused.value.details
    assert said["file"] == "deflators.xlsx" and said["found"] and said["allowed"] and said["next step"]


def test_a_workbook_at_the_limit_is_read(monkeypatch):
    assert cells_of(workbook(), file="a.xlsx") == [["Financial year", "Index"], ["2023-24", "100"]]
    monkeypatch.setattr(sheets, "MOST_CELLS", 4)
    assert len(cells_of(workbook(), file="a.xlsx")) == 2
    monkeypatch.setattr(sheets, "MOST_CELLS", 3)
    with pytest.raises(InputError, match="larger than"):
        cells_of(workbook(), file="a.xlsx")


@pytest.mark.parametrize("content", [b"PK", b"PK\3\4" + b"\0" * 40, workbook()[:-40]])
def test_a_file_that_only_begins_like_a_workbook_is_refused(content):
    with pytest.raises(InputError, match="cannot be read"):
        cells_of(content, file="a.xlsx")
