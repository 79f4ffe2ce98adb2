"""Where something that arrived came from, as the record of a snapshot keeps it."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cba.errors import InputError

LICENCE = "Open Government Licence v3.0"


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


# --- What arrived: pieces of published tables with the rows of the file they came from, and where they … ---


LARGEST = 300_000_000
"""Bytes of a delivered file; no release comes near it."""


@dataclass(frozen=True)
class Piece:
    """Rows for one published table."""

    table: str  # one of `TABLES`, or an evidence table
    rows: pd.DataFrame  # all text, the columns of the table, 0, 1, ... as index
    lines: tuple[int, ...]  # row of the file each row came from (the header is row 1)
    origin: Origin
    whole: bool = False  # whether these rows are the whole table, to replace what is held


@dataclass(frozen=True)
class Sheet:
    """A CSV file as received: its header, its rows as text and its origin."""

    file: str
    rows: pd.DataFrame  # all text; row i stands in line i + 2 of the file
    origin: Origin


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
    origin = Origin(
        name=file.name, address=file.name, sha256=_sha256(content), bytes=len(content), retrieved=retrieved
    )
    return read_csv_bytes(content, file=str(file), origin=origin)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_csv_bytes(content: bytes, *, file: str, origin: Origin) -> Sheet:
    """Read the bytes of a CSV file, refusing any that is not whole."""
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
    """Return a schema error with the row of the file the piece came from."""
    field = error.details["field"] or ""
    before, separator, row = field.rpartition("row ")
    if separator and row.isdigit() and 0 <= int(row) - 2 < len(piece.lines):
        field = f"{before}row {piece.lines[int(row) - 2]}"
    return error.changed(file=piece.origin.address, field=field or None)


# --- Words of the department's harmonised release files that the published tables rename, derive or … ---


KEPT: Mapping[str, tuple[str, ...]] = {
    "stock": ("total", "age", "placement", "provider_foster"),
    "starts": ("total", "age", "placement", "legal_status", "uasc", "previous_permanence"),
    "ceases": ("total", "age", "placement", "reason", "duration"),
    "adoptions": ("total",),
    "sgo": ("total", "carer_status"),
    "uasc_stock": ("total", "age", "placement"),
}
"""Breakdowns of each measure that the tables hold."""


UNUSED: Mapping[str, tuple[str, ...]] = {
    "stock": (
        "legal_status",
        "locality",
        "need",
        "provider",
        "provider_independent_semi_supported",
        "provider_secure_and_childrens_homes",
        "provider_secure_childrens_homes_semi_independent_pre2024",
        "sex",
    ),
    "starts": ("need", "sex", "taken_into_care"),
    "ceases": ("age_18_detail", "legal_status", "need", "sex"),
    "adoptions": ("age",),
    "sgo": ("age",),
    "uasc_stock": ("sex",),
}
"""Breakdowns that are published and not used here; any other is new and refused."""


LEFT_OUT = frozenset(
    (
        "16",
        "17",
        "interim_care_order",
        "full_care_order",
        "police_protection",
        "emergency_protection_order",
        "child_assessment_order",
        "remand",
        "pace",
        "supervision_order_residence",
        "sgo_former_foster_carer",
        "sgo_other_carer",
        "residential_plus_independent_comparable",
    )
)
"""Parts of categories that the tables hold, and sums over categories: they would be counted twice."""


RENAMED: Mapping[str, str] = {
    "return_home_pre2014_code": "return_home_single_code",
    "secure_childrens_homes_semi_independent_pre2024": "secure_childrens_homes_semi_independent",
    "other_in_community_pre2024": "living_independently_or_employment",
    "sgo_total": "special_guardianship",
}
"""Category of a release file to the word of the tables."""


SUPERSEDED = frozenset(
    (
        "secure_childrens_homes_semi_independent",
        "living_independently_or_employment",
        "missing_over_24h",
        "return_home_single_code",
    )
)
"""Categories the publisher has stopped printing; a newer release may come without them."""


OTHER_AREAS: Mapping[str, str] = {"London (Inner)": "Inner London", "London (Outer)": "Outer London"}
"""Names of regions in the unit cost file to the names of the tables."""


LEVELS: Mapping[str, str] = {"local_authority": "authority", "region": "region", "england": "england"}
"""Levels of the unit cost file to the words of the tables."""


SINGLE_AGES = tuple(str(age) for age in range(18, 26))
"""Single years of age above 17 in the population file: not children."""


def census_base(*, kind: str, vintage: int, band: str, mid_year: int) -> int:
    """Return the census that a population figure of a release file rests on.

    `kind`: ``estimate`` or ``projection``. `band`: ``0_17``, an age band or a single age.
    """
    # The office for statistics moved its estimates to the census of 2021 with those of mid-2022, and in 2022
    # already for mid-2021 alone. Age bands of 2009 to 2020 were never moved.
    if kind == "projection" or vintage >= 2024:
        return 2021
    if band != "0_17" and mid_year <= 2021:
        return 2021 if mid_year == 2021 else 2011
    if vintage == 2023 or (vintage == 2022 and mid_year == 2021):
        return 2021
    return 2001 if vintage == 2010 else 2011
