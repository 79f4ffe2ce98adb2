"""What arrived: a CSV file as received, the pieces of published tables made from it, and where it came from."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cba.errors import InputError

LICENCE = "Open Government Licence v3.0"
LARGEST = 300_000_000
"""Bytes of a delivered file; no release comes near it."""

_AGAIN = "download the file again"


@dataclass(frozen=True)
class Origin:
    """Where something came from, kept in the record of a snapshot."""

    name: str  # name of the source in the configuration, or of the file
    address: str  # URL or file name
    sha256: str  # of the bytes as received
    bytes: int
    retrieved: str  # UTC time, ISO 8601
    licence: str = LICENCE
    version: str = ""  # version of the publisher's data set, where it has one
    published: str = ""  # when the publisher says it was published, where it does


@dataclass(frozen=True)
class Sheet:
    """A CSV file as received: its header, its rows as text and its origin."""

    file: str
    rows: pd.DataFrame  # all text; row i stands in line i + 2 of the file
    origin: Origin

    def refusal(self, problem: str, *, column: str, row: Any, **stated: Any) -> InputError:
        """Return the refusal of a cell. `row`: as `rows` counts; -1 for the header."""
        field = f"column {column}, row {int(row) + 2}"
        return InputError(problem, file=self.file, field=field, **stated)


@dataclass(frozen=True)
class Piece:
    """Rows for one published table."""

    table: str  # one of `TABLES`, or an evidence table
    rows: pd.DataFrame  # all text, the columns of the table, 0, 1, ... as index
    lines: tuple[int, ...]  # row of the file each row came from (the header is row 1)
    origin: Origin
    whole: bool = False  # whether these rows are the whole table, to replace what is held

    def emptied(self) -> Piece:
        """Return the piece without its rows."""
        return replace(self, rows=self.rows.iloc[:0], lines=())

    def refusal(self, problem: str, *, column: str, index: Any, **stated: Any) -> InputError:
        """Return the refusal of one row, which names the row of the file it came from."""
        field = f"column {column}, row {self.lines[int(index)]}"
        return InputError(problem, file=self.origin.address, field=field, **stated)

    def at_its_row(self, error: InputError) -> InputError:
        """Return an error about a row of the piece as one about the row of the file it came from."""
        field = error.details["field"] or ""
        before, separator, row = field.rpartition("row ")
        if separator and row.isdigit() and 0 <= int(row) - 2 < len(self.lines):
            field = f"{before}row {self.lines[int(row) - 2]}"
        return error.changed(file=self.origin.address, field=field or None)


def read_file(file: str | Path, *, retrieved: str) -> Sheet:
    """Read a downloaded CSV file."""
    file = Path(file)
    try:
        if file.stat().st_size > LARGEST:
            raise InputError(
                "a file is too large to be a release",
                file=file,
                found=f"{file.stat().st_size:,} bytes",
                allowed=f"up to {LARGEST:,}",
                cause="pupil-level or other data in place of the published tables",
                remedy="give the published CSV file",
            )
        content = file.read_bytes()
    except OSError as error:
        raise InputError(
            "the file cannot be read",
            file=file,
            found=error.strerror,
            cause="a misspelt path, or a folder in place of a file",
            remedy="check the name",
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    origin = Origin(file.name, file.name, digest, len(content), retrieved)
    return Sheet(str(file), csv_rows(content, file=str(file)), origin)


def csv_rows(content: bytes, *, file: str) -> pd.DataFrame:
    """Return the rows of a CSV file as text, refusing any that is not whole."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "the file is not comma separated text",
            file=file,
            found=f"byte {error.start}: {error.reason}",
            allowed="CSV in UTF-8",
            cause="a spreadsheet or a zip file",
            remedy="unpack the download, or save the sheet as CSV (UTF-8)",
        ) from None
    table = _cells(text, file=file)
    if not text.endswith("\n") or "\0" in text:
        raise InputError(
            "the file was cut off: its last line has no line end",
            file=file,
            field=f"row {max(len(table), 1)}",
            found=repr(text[-40:]),
            allowed="whole rows, each closed by a line end",
            cause="a download that stopped half way",
            remedy=_AGAIN,
        )
    if len(table) < 2:
        raise InputError(
            "the file holds no rows",
            file=file,
            found=f"{len(table)} line(s)",
            allowed="a header and rows",
            cause="a download that stopped before it began",
            remedy=_AGAIN,
        )
    header = [name.strip() for name in table[0]]
    _refuse_uneven(table, header=header, file=file)
    return pd.DataFrame(table[1:], columns=header, dtype=str)


def _cells(text: str, *, file: str) -> list[list[str]]:
    table: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            table.append(row)
    except csv.Error as error:
        raise InputError(
            "a row cannot be split into cells",
            file=file,
            field=f"row {len(table) + 1}",
            found=str(error),
            allowed=f"cells of up to {csv.field_size_limit():,} characters",
            cause="a quote that is never closed, or a file that is no table",
            remedy=f"{_AGAIN}, or close the quote in the row named",
        ) from None
    return table


def _refuse_uneven(table: Sequence[Sequence[str]], *, header: Sequence[str], file: str) -> None:
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(
            "a column stands in the file twice",
            file=file,
            field=f"column {repeated[0]}, row 1",
            found=f"{header.count(repeated[0])} times",
            allowed="each column once",
            cause="two files pasted side by side",
            remedy="remove one of the two",
        )
    for line, row in enumerate(table[1:], start=2):
        if len(row) != len(header):
            raise InputError(
                "a row is longer or shorter than the header",
                file=file,
                field=f"row {line}",
                found=f"{len(row)} cells",
                allowed=f"{len(header)} cells: {', '.join(header)}",
                cause="a comma inside an unquoted text, or a download that stopped half way",
                remedy=_AGAIN,
            )
