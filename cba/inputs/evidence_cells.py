"""Read a table of evidence cell by cell, so that a refusal can name the row and the column."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pandas as pd

from cba.errors import InputError


def read_table(file: Path, required: tuple[str, ...], numeric: tuple[str, ...], *, key: str) -> pd.DataFrame:
    """Read a CSV as text, check its shape and columns, and turn the numeric ones into numbers.

    Parameters
    ----------
    file : Path
    required : tuple of str
        Columns the table has, no more and no fewer.
    numeric : tuple of str
        Columns of numbers; an empty cell becomes NaN.
    key : str
        Column that names a row in messages.

    Returns
    -------
    DataFrame
        One row per line, in file order.

    Raises
    ------
    InputError
        A missing, unreadable or truncated file; a row of the wrong length; columns or cells out of place.
    """
    rows = _rows(file)
    if len(rows) < 2:
        raise InputError(
            "the table holds no rows",
            file=file,
            found=f"{len(rows)} line(s)",
            allowed="a heading and at least one row",
            cause="a truncated copy",
            remedy="restore the file",
        )
    heading = rows[0]
    missing = [name for name in required if name not in heading]
    unknown = [name for at, name in enumerate(heading) if name not in required or name in heading[:at]]
    if missing or unknown:
        raise InputError(
            "the columns are not those of the table",
            file=file,
            field=(missing or unknown)[0],
            found=f"missing: {missing or 'none'}; unknown or repeated: {unknown or 'none'}",
            allowed=", ".join(required),
            cause="a column renamed, added or left out",
            remedy="use the headings of the shipped table",
        )
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(heading):
            raise InputError(
                "a row does not have a cell for every column",
                file=file,
                field=f"row {line} ({row[0] if row else 'empty'})",
                found=f"{len(row)} cells",
                allowed=f"{len(heading)} cells",
                cause="a truncated file, or a comma outside quotes",
                remedy="restore the row, or put quotes around the text with the comma",
            )
    table = pd.DataFrame(rows[1:], columns=heading, dtype=str)
    for column in numeric:
        table[column] = [
            _number(text, file=file, place=f"row {line} ({name}), column {column}")
            for line, (name, text) in enumerate(zip(table[key], table[column], strict=True), start=2)
        ]
    return table


def _rows(file: Path) -> list[list[str]]:
    """Return the cells of every row as text."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.reader(stream, strict=True))
    except FileNotFoundError:
        raise InputError(
            "the table does not exist", file=file, cause="a misspelt path", remedy="check the name and folder"
        ) from None
    except (UnicodeDecodeError, OSError, csv.Error) as error:
        raise InputError(
            "the table cannot be read",
            file=file,
            found=str(error),
            allowed="UTF-8, comma separated",
            cause="a truncated file, or a quote left open",
            remedy="restore the file or close the quote",
        ) from None


def _number(text: str, *, file: Path, place: str) -> float:
    if text.strip() == "":
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            "a cell is not a finite number",
            file=file,
            field=place,
            found=text,
            allowed="a number, or an empty cell",
            cause="NaN, a thousands comma or a unit typed in the cell",
            remedy="write the plain number; leave the cell empty where there is none",
        )
    return value
