"""What arrived: a CSV file as received, where it came from, and the pieces of published tables made from it."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cba.errors import InputError
from cba.inputs.files import MOST_BYTES, even_rows, file_bytes, nearest, read_toml, text_of_table
from cba.inputs.releases.sheets import Grid, cells_of, grid_of, members, table_of_sheet
from cba.inputs.table_words import EVERY_TABLE, TABLES

LICENCE = "Open Government Licence v3.0"
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
    gives_way: bool = False  # whether figures that differ by rounding give way to those of another file

    def emptied(self) -> Piece:
        """Return the piece without its rows."""
        return replace(self, rows=self.rows.iloc[:0], lines=())

    def only(self, kept: np.ndarray) -> Piece:
        """Return the piece with some of its rows. `kept`: whether each stays."""
        lines = tuple(line for line, stays in zip(self.lines, kept, strict=True) if stays)
        return replace(self, rows=self.rows[kept].reset_index(drop=True), lines=lines)

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


GUIDANCE = re.compile(rb"Variable names? .{0,60}Variable description|Filename: \S+\.csv", re.S)
"""What the description of a release's files says, which publishers put beside them."""


def read_files(file: str | Path, *, retrieved: str) -> tuple[Sheet, ...]:
    """Read a downloaded file: a table, a sheet, a workbook, or an archive of some (gz, zip)."""
    file = Path(file)
    return tuple(_sheets(file_bytes(file), name=file.name, file=str(file), retrieved=retrieved))


def _sheets(content: bytes, *, name: str, file: str, retrieved: str) -> Iterator[Sheet]:
    if content.startswith(b"\x1f\x8b"):
        content, name = _unpacked(content, file=file), name.removesuffix(".gz")
    packed = content.startswith(b"PK") and zipfile.is_zipfile(io.BytesIO(content))
    book = packed and "[Content_Types].xml" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    if packed and not book:
        for part, inside in members(content, name=file, most=MOST_BYTES):
            part = Path(part).name
            yield from _sheets(inside, name=part, file=f"{file}/{part}", retrieved=retrieved)
        return
    origin = Origin(name, name, hashlib.sha256(content).hexdigest(), len(content), retrieved)
    if GUIDANCE.search(content[:20_000]) and not packed:
        yield Sheet(file, pd.DataFrame(), origin)
        return
    text = "" if book else _text(content, file=file)
    grid = cells_of(content, file=file) if book else grid_of(text)
    rows = table_of_sheet(grid, file=file, name=name) if grid else None
    if rows is None and book:
        raise _unknown_sheet(file, grid or [])
    yield Sheet(file, rows if rows is not None else csv_rows(text.encode(), file=file), origin)


def _unpacked(content: bytes, *, file: str) -> bytes:
    """Return what a gz file holds, up to the size that is read of any file."""
    try:
        with gzip.open(io.BytesIO(content)) as packed:
            found = packed.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        found, problem = b"", str(error)
    else:
        problem = f"more than {MOST_BYTES:,} bytes" if len(found) > MOST_BYTES else ""
    if problem:
        raise InputError(
            "a compressed file cannot be unpacked",
            file=file,
            found=problem,
            allowed=f"a whole file of up to {MOST_BYTES:,} bytes",
            cause="a download or a copy that stopped half way",
            remedy=_AGAIN,
        )
    return found


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _text(content: bytes, *, file: str) -> str:
    """Return a file as text: UTF-8, or Windows-1252, in which spreadsheets save it."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        windows = content.decode("cp1252", errors="replace")
        if "\ufffd" not in windows and not _CONTROL.search(windows):
            content = windows.encode()
    return text_of_table(content, file=file, again=_AGAIN)


def _unknown_sheet(file: str, grid: Grid) -> InputError:
    return InputError(
        "the workbook holds no table that is known",
        file=file,
        found="; ".join(" ".join(row).strip() for row in grid[:3]) or "no cell",
        allowed="GDP deflators by financial year, or mid-year estimates by single year of age",
        cause="another workbook of the publisher",
        remedy="save the sheet as CSV with its header in row 1, and map its columns under [data] of the analysis",
    )


def csv_rows(content: bytes, *, file: str) -> pd.DataFrame:
    """Return the rows of a CSV file as text, refusing any that is not whole."""
    table = even_rows(_text(content, file=file), file=file)
    return pd.DataFrame(table[1:], columns=[name.strip() for name in table[0]], dtype=str)


# --- Turn a downloaded file into pieces of the published tables: which layout it has, and what each row becomes ---

# Two families of layouts are known: the harmonised release files of the department's statistics (one long file
# per topic, with ``label_as_published`` and ``source_id``) and the project's own tables. A header that is
# neither is refused with the nearest layout, so that a renamed or new column stops an update. What the release
# files call things is written in ``layouts.toml``.

_WORDS = read_toml(Path(__file__).with_name("layouts.toml"))
LAYOUTS: Mapping[str, tuple[str, list[str]]] = {
    name: (layout["table"], layout["columns"]) for name, layout in _WORDS["layouts"].items()
}
"""Layouts of the harmonised release files: table and columns."""

MARKS: Mapping[str, str] = _WORDS["marks"]
"""Mark printed in place of a figure to the flag of the tables."""

SUPERSEDED = frozenset(_WORDS["categories"]["superseded"])
"""Categories the publisher has stopped printing; a newer release may come without them."""
PARTS_OF_GROUPS = frozenset(_WORDS["categories"]["parts_of_groups"])
"""Categories inside a group, without which a release is taken with the group."""

_SINGLE_AGES = [str(age) for age in range(18, 26)]
"""Single years of age above 17 in the population file: not children."""


def pieces_of(sheet: Sheet) -> tuple[Piece, ...] | None:
    """Return what a file in one of our layouts adds to the published tables. None where it is in none of them.

    One; for authorities' children two, of which the second names the authorities; none for a file that holds
    nothing the tables take.
    """
    header = set(sheet.rows.columns)
    for name, own in EVERY_TABLE.items():
        if header == own.columns.keys():
            return (_piece(name, sheet.rows[list(own.columns)], sheet=sheet),)
    for table, headings in LAYOUTS.values():
        if header == set(headings):
            return _converted(table, sheet)
    if any(header == set(columns) for columns in _WORDS["not_used"].values()):
        return ()
    return None


def unknown_layout(sheet: Sheet) -> InputError:
    """Say which columns a file has too many or too few, against the layout most like it."""
    header = set(sheet.rows.columns)
    known: dict[str, Collection[str]] = {f"table {name}": own.columns for name, own in EVERY_TABLE.items()}
    known |= {f"release file '{name}'": columns for name, (_, columns) in LAYOUTS.items()}
    shared = {
        name: len(header & set(columns)) / len(header | set(columns)) for name, columns in known.items()
    }
    name = max(shared, key=lambda one: shared[one])
    if shared[name] < 0.4:
        return InputError(
            "the layout of the file is not known",
            file=sheet.file,
            field="row 1",
            found=", ".join(sheet.rows.columns),
            allowed="; ".join(sorted(known)),
            cause="another statistic, or a published file whose headings or labels have changed",
            remedy="give one of the files listed, or describe the columns under [data] of the analysis",
        )
    unknown = [column for column in sheet.rows.columns if column not in known[name]]
    missing = [column for column in known[name] if column not in header]
    return InputError(
        "an unknown column" if unknown else "a column is missing",
        file=sheet.file,
        field=f"column {(unknown or missing)[0]}, row 1",
        found=f"unknown: {', '.join(unknown) or 'none'}; missing: {', '.join(missing) or 'none'}",
        allowed=f"{', '.join(known[name])} ({name})",
        cause="the publisher has changed the layout, or a heading was renamed or gives another unit",
        remedy="restore the heading; convert the figures if the unit differs"
        + (nearest(unknown[0], missing) if unknown and missing else ""),
    )


def _piece(table: str, rows: pd.DataFrame, *, sheet: Sheet, whole: bool = False) -> Piece:
    """Number the rows anew and remember the line each came from."""
    lines = tuple(int(index) + 2 for index in rows.index)
    return Piece(table, rows.reset_index(drop=True), lines, sheet.origin, whole)


def _converted(table: str, sheet: Sheet) -> tuple[Piece, ...]:
    rows = sheet.rows.rename(columns=_WORDS["columns"])
    convert = _CONVERTERS.get(table)
    if convert is not None:
        rows = convert(rows, sheet)
    if rows.empty:
        return ()
    whole = table in ("authorities", "gdp_deflator")
    piece = _piece(table, rows[list(TABLES[table].columns)], sheet=sheet, whole=whole)
    if table != "authority_children":
        return (piece,)
    names = rows.drop_duplicates("authority")[["authority", "authority_name", "region"]]
    return (piece, _piece("authority_names", names, sheet=sheet))


def _refuse_word(column: str, *, bad: pd.Series, sheet: Sheet, allowed: str) -> None:
    """Raise for the first row whose word the layout does not know."""
    if bad.any():
        row = int(bad.index[bad.to_numpy()][0])
        raise sheet.refusal(
            f"an unknown word in {column}",
            column=column,
            row=row,
            found=sheet.rows.loc[row, column],
            allowed=allowed,
            cause="a category the publisher has just introduced or renamed",
            remedy="decide what it means for the tables and add it to layouts.toml",
        )


def _england(rows: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    """Keep the breakdowns the tables use, in their words; a breakdown never seen before is refused."""
    measures = list(_WORDS["kept"])
    _refuse_word("measure", bad=~rows["measure"].isin(measures), sheet=sheet, allowed=", ".join(measures))
    kept, unused = (
        {(measure, one) for measure, several in _WORDS[name].items() for one in several}
        for name in ("kept", "unused")
    )
    pairs = pd.Series(list(zip(rows["measure"], rows["breakdown"], strict=True)), index=rows.index)
    _refuse_word(
        "dimension",
        bad=~pairs.isin(kept | unused),
        sheet=sheet,
        allowed=", ".join(sorted({one for _, one in kept | unused})),
    )
    words = _WORDS["categories"]
    rows = rows[pairs.isin(kept)]
    rows = rows[(rows["breakdown"] == "total") | ~rows["category"].isin(words["left_out"])]
    return rows.assign(
        category=rows["category"].replace(words["renamed"]),
        measure=rows["measure"].replace({"sgo": "sgo_orders"}),
    )


def _population(rows: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    rows = rows[~rows["age_band"].isin(_SINGLE_AGES)]
    for column in ("vintage", "mid_year"):
        _refuse_word(column, bad=~rows[column].str.fullmatch(r"\d{4}"), sheet=sheet, allowed="a year, 2024")
    return rows.assign(census_base=[census_base(row) for row in rows.to_dict("records")])


def census_base(row: Mapping[str, Any]) -> str:
    """Return the census that a population figure of a release file rests on."""
    # The office for statistics moved its estimates to the census of 2021 with those of mid-2022, and in 2022
    # already for mid-2021 alone. Age bands of 2009 to 2020 were never moved.
    vintage, mid_year = int(row["vintage"]), int(row["mid_year"])
    if row["kind"] == "projection" or vintage >= 2024:
        return "2021"
    if row["age_band"] != "0_17" and mid_year <= 2021:
        return "2021" if mid_year == 2021 else "2011"
    if vintage == 2023 or (vintage == 2022 and mid_year == 2021):
        return "2021"
    return "2001" if vintage == 2010 else "2011"


def _gross(rows: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    return rows[rows["measure"] == "total_expenditure"]


def _unit_costs(rows: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    levels = _WORDS["levels"]
    _refuse_word("level", bad=~rows["level"].isin(list(levels)), sheet=sheet, allowed=", ".join(levels))
    councils = rows["level"] == "local_authority"
    area = rows["area_name"].replace(_WORDS["areas"]).where(~councils, rows["authority"])
    return rows.assign(area=area, level=rows["level"].replace(levels), price_basis="cash")


def _deflator(rows: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    """Give each row its year and the table its vintage, which the file itself does not print."""
    _refuse_word(
        "financial_year",
        bad=~rows["financial_year"].str.fullmatch(r"\d{4}-\d{2}"),
        sheet=sheet,
        allowed="a financial year, 2023-24",
    )
    found = re.search(r"(20\d{2}-(?:0[1-9]|1[0-2]))", sheet.origin.name)
    return rows.assign(
        year=[str(int(text[:4]) + 1) for text in rows["financial_year"]], vintage=found[1] if found else ""
    )


def _rollout(rows: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    """Keep the bare precision of a date; what the file says beside it goes into the note."""
    parts = rows["date_precision"].str.extract(r"^(?P<word>[^ (]*)\s*(?:\((?P<aside>.*)\))?")
    aside = parts["aside"].fillna("").str.replace('"', "", regex=False)
    joined = rows["note"].where(rows["note"] == "", rows["note"] + "; ") + "date: " + aside
    return rows.assign(note=rows["note"].where(aside == "", joined), date_precision=parts["word"])


_CONVERTERS: Mapping[str, Callable[[pd.DataFrame, Sheet], pd.DataFrame]] = {
    "england_children": _england,
    "population_england": _population,
    "spending_england": _gross,
    "spending_authority": _gross,
    "unit_costs": _unit_costs,
    "gdp_deflator": _deflator,
    "programme_rollout": _rollout,
    "authorities": lambda rows, sheet: rows.assign(source="S01"),
}
