"""What arrived: pieces of published tables with the rows of the file they came from, and where they are from."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cba.errors import InputError
from cba.inputs.releases.origins import Origin

LARGEST = 300_000_000
"""Bytes of a delivered file; no release comes near it."""


@dataclass(frozen=True)
class Piece:
    """Rows for one published table.

    Parameters
    ----------
    table : str
        One of :data:`cba.inputs.published_tables.TABLES`, or an evidence table.
    rows : DataFrame
        All text, the columns of the table, 0, 1, ... as index.
    lines : tuple of int
        Row of the file each row came from (the header is row 1).
    origin : Origin
    whole : bool
        Whether these rows are the whole table, to replace what is held.
    """

    table: str
    rows: pd.DataFrame
    lines: tuple[int, ...]
    origin: Origin
    whole: bool = False


@dataclass(frozen=True)
class Sheet:
    """A CSV file as received: its header, its rows as text and its origin.

    Parameters
    ----------
    file : str
        Named in messages.
    rows : DataFrame
        All text; row i stands in line i + 2 of the file.
    origin : Origin
    """

    file: str
    rows: pd.DataFrame
    origin: Origin


def read_file(file: str | Path, *, retrieved: str) -> Sheet:
    """Read a downloaded CSV file.

    Parameters
    ----------
    file : str or Path
    retrieved : str
        UTC time at which it is read.

    Returns
    -------
    Sheet

    Raises
    ------
    InputError
        If the file is missing, not text, cut off, or has a row that is longer or shorter than its header.

    Examples
    --------
    >>> from cba.inputs.shipped_files import published_file
    >>> read_file(published_file("care_duration.csv"), retrieved="2026-11-22T00:00:00+00:00").rows.shape
    (24, 5)
    """
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
    origin = Origin(
        name=file.name, address=file.name, sha256=_sha256(content), bytes=len(content), retrieved=retrieved
    )
    return read_csv_bytes(content, file=str(file), origin=origin)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_csv_bytes(content: bytes, *, file: str, origin: Origin) -> Sheet:
    r"""Read the bytes of a CSV file, refusing any that is not whole.

    Parameters
    ----------
    content : bytes
    file : str
        Named in messages.
    origin : Origin

    Returns
    -------
    Sheet

    Raises
    ------
    InputError
        If it is not UTF-8 text, cut off, empty, or has a cell of endless length, rows of unequal length or a
        column twice.

    Examples
    --------
    >>> origin = Origin("a", "a.csv", "", 9, "")
    >>> read_csv_bytes(b"year,n\n2024,5\n", file="a.csv", origin=origin).rows.to_dict("records")
    [{'year': '2024', 'n': '5'}]
    """
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
    table = _table(text, file=file)
    if not text.endswith("\n") or "\0" in text:
        raise InputError(
            "the file was cut off: its last line has no line end",
            file=file,
            field=f"row {max(len(table), 1)}",
            found=repr(text[-40:]),
            allowed="whole rows, each closed by a line end",
            cause="a download that stopped half way",
            remedy="download the file again",
        )
    if len(table) < 2:
        raise InputError(
            "the file holds no rows",
            file=file,
            found=f"{len(table)} line(s)",
            allowed="a header and rows",
            cause="a download that stopped before it began",
            remedy="download the file again",
        )
    _refuse_uneven(table, file=file)
    header = [name.strip() for name in table[0]]
    return Sheet(file, pd.DataFrame(table[1:], columns=header, dtype=str), origin)


def _table(text: str, *, file: str) -> list[list[str]]:
    """Split a text into rows of cells."""
    reader = csv.reader(io.StringIO(text, newline=""))
    table: list[list[str]] = []
    try:
        for row in reader:
            table.append(row)
    except csv.Error as error:
        raise InputError(
            "a row cannot be split into cells",
            file=file,
            field=f"row {len(table) + 1}",
            found=str(error),
            allowed=f"cells of up to {csv.field_size_limit():,} characters",
            cause="a quote that is never closed, or a file that is no table",
            remedy="download the file again, or close the quote in the row named",
        ) from None
    return table


def _refuse_uneven(table: Sequence[Sequence[str]], *, file: str) -> None:
    header = [name.strip() for name in table[0]]
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
                remedy="download the file again",
            )


def at_its_row(error: InputError, *, piece: Piece) -> InputError:
    """Return a schema error with the row of the file the piece came from.

    Parameters
    ----------
    error : InputError
        As raised for the rows of the piece, numbered from 2.
    piece : Piece

    Returns
    -------
    InputError

    Examples
    --------
    >>> piece = Piece("care_duration", pd.DataFrame(), (2, 9), Origin("a", "a.csv", "", 0, ""))
    >>> at_its_row(InputError("odd", field="column days, row 3"), piece=piece).details["field"]
    'column days, row 9'
    """
    field = error.details["field"] or ""
    before, separator, row = field.rpartition("row ")
    if separator and row.isdigit() and 0 <= int(row) - 2 < len(piece.lines):
        field = f"{before}row {piece.lines[int(row) - 2]}"
    return InputError(
        error.problem,
        file=piece.origin.address,
        field=field or None,
        found=error.details["found"],
        allowed=error.details["allowed"],
        cause=error.details["usual cause"],
        remedy=error.details["next step"],
    )
