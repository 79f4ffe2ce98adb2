"""Sheets that are laid out for people: deflators of HM Treasury, exports of Nomis, the workbook of mid-year estimates.

Each is read as a grid of cells, recognised by what stands in it and turned into a plain table of rows.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd

from cba.errors import InputError

type Grid = Sequence[Sequence[str]]

MOST_UNPACKED = 20_000_000
"""Most bytes a workbook may unpack to: that of the mid-year estimates has 10 million."""

MOST_CELLS = 500_000
"""Most cells of a sheet, rows that hold none included."""


def table_of_sheet(grid: Grid, *, file: str, name: str) -> pd.DataFrame | None:
    """Return the table that a sheet holds, as text. None where it is none that is known. `name`: of the file."""
    if _header_row(grid) is not None:
        published = _month(name, grid, file=file)
        return deflator_rows(index_by_year(grid, file=file), published=published)
    return _of_nomis(grid) if _of_nomis(grid) is not None else _of_mid_year(grid)


def grid_of(text: str) -> Grid | None:
    """Return the cells of a sheet saved as text; None for a plain table, which begins with its header."""
    lines = text.split("\n", 1)
    if lines[0].strip() and not lines[0].startswith(","):
        return None
    return list(csv.reader(io.StringIO(text, newline="")))


# --- Workbooks, unpacked up to a limit ---


def cells_of(content: bytes, *, file: str) -> Grid:
    """Return the cells of the first sheet of a workbook, or of a CSV file, that holds a known table, as text."""
    if not content.startswith(b"PK"):
        return [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace")))]
    from openpyxl import load_workbook

    first: Grid = []
    try:
        _refuse_unpacking(content, file=file)
        for sheet in load_workbook(io.BytesIO(content), read_only=True, data_only=True):
            found = _cells_of(sheet, file=file)
            first = first or found
            if _header_row(found) is not None or _of_mid_year(found) is not None:
                return found
    except InputError:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers do
        raise InputError(
            "the spreadsheet cannot be read",
            file=file,
            found=f"{type(error).__name__}: {error}",
            allowed="a workbook (.xlsx)",
            cause="a damaged file",
            remedy="try again; or save the sheet as CSV and use `cba update --from FILE`",
        ) from None
    return first


def _refuse_unpacking(content: bytes, *, file: str) -> None:
    """Refuse a packed file by the sizes it states, beyond which nothing is unpacked."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        size = sum(part.file_size for part in packed.infolist())
    if size > MOST_UNPACKED:
        raise _too_much(file, found=f"{size:,} bytes unpacked", allowed=f"up to {MOST_UNPACKED:,} bytes")


def _cells_of(sheet: Any, *, file: str) -> list[list[str]]:
    """Return the cells of a sheet as text."""
    rows: list[list[str]] = []
    seen = 0
    sheet.reset_dimensions()  # what the sheet says of its size may cut rows off
    for row in sheet.values:
        seen += max(len(row), 1)
        if seen > MOST_CELLS:
            raise _too_much(file, found=f"more than {MOST_CELLS:,} cells", allowed=f"up to {MOST_CELLS:,}")
        rows.append(["" if cell is None else str(cell) for cell in row])
    return rows


def _too_much(file: str, *, found: str, allowed: str) -> InputError:
    return InputError(
        "the spreadsheet is larger than a table of a publisher can be",
        file=file,
        found=found,
        allowed=allowed,
        cause="another workbook, or a sheet of blank cells",
        remedy="save the sheet as CSV and use `cba update --from FILE`",
    )


# --- GDP deflators: index by financial year, put on 2023-24 = 100, outturn or forecast by the day of publication ---

BASE_YEAR = 2024
"""Year ending 31 March in which the tables put the index at 100."""

FIRST_YEAR = 2009
"""First year kept: the tables hold no money of an earlier one."""


def _header_row(grid: Grid) -> tuple[int, int, int, int | None] | None:
    """Row of the headings, and columns of the financial year, the index and its growth (None where not printed)."""
    for at, row in enumerate(grid):
        words = [" ".join(cell.lower().split()) for cell in row]
        years = [i for i, word in enumerate(words) if "financial year" in word]
        growth = [i for i, word in enumerate(words) if re.search(r"%|per ?cent|change|growth", word)]
        index = [
            i
            for i, word in enumerate(words)
            if i not in growth and re.search(r"\b(index|deflator)\b|\d{4}[-/]\d{2} ?= ?100", word)
        ]
        if years and (index := [i for i in index if i != years[0]]):
            return at, years[0], index[0], next((i for i in growth if i > years[0]), None)
    return None


def index_by_year(grid: Grid, *, file: str) -> dict[int, float]:
    """Read the index by financial year: year ending 31 March to index, in the publisher's base.

    Years of which only the growth is printed, the forecast ones, follow from the year before.
    """
    place = _header_row(grid)
    found: dict[int, float] = {}
    for line, row in enumerate(grid[place[0] + 1 :] if place else (), start=place[0] + 2 if place else 0):
        _, year_column, index_column, growth_column = place or (0, 0, 0, None)
        label = re.sub(r"\s*\([^)]*\),?", "", row[year_column]) if len(row) > index_column else ""
        year = re.fullmatch(r"\s*(\d{4})[-/](\d{2})\s*", label)
        if year is None:
            continue
        end = int(year[1]) + 1
        try:
            if row[index_column].strip() in ("", "-") and growth_column is not None and end - 1 in found:
                found[end] = found[end - 1] * (1 + float(row[growth_column]) / 100)
            else:
                found[end] = float(row[index_column])
        except ValueError:
            raise _bad_index(file, field=f"row {line}", found=repr(row[index_column])) from None
    years = sorted(found)
    if len(years) < 2 or years != list(range(years[0], years[-1] + 1)) or BASE_YEAR not in found:
        raise _bad_index(file, field="financial year", found=f"years {', '.join(map(str, years)) or 'none'}")
    if min(found.values()) <= 0:
        raise _bad_index(file, field="index", found=str(min(found.values())))
    return found


def _bad_index(file: str, *, field: str, found: str) -> InputError:
    return InputError(
        "the sheet holds no index by financial year",
        file=file,
        field=field,
        found=found,
        allowed=f"columns 'Financial year' (2023-24) and 'index', year after year, {BASE_YEAR - 1}-24 among them",
        cause="the publisher has changed the layout of the sheet",
        remedy="save the sheet in the layout of gdp_deflator.csv and use `cba update --from FILE`",
    )


def deflator_rows(
    index: Mapping[int, float],
    *,
    published: str,
    first_year: int = FIRST_YEAR,
    source: str = "HMT",
    lag: int = 3,
) -> pd.DataFrame:
    """Put the index on the tables' base. `published`: a day; `lag`: months until a year counts as outturn."""
    day = date.fromisoformat(published[:10])
    rows: list[dict[str, Any]] = []
    for year in [one for one in sorted(index) if one >= first_year]:
        earlier = index.get(year - 1)
        months = (day.year - year) * 12 + day.month - 3
        rows.append(
            {
                "year": str(year),
                "deflator": f"{index[year] * 100 / index[BASE_YEAR]:.3f}",
                "growth_percent": "" if earlier is None else f"{100 * (index[year] / earlier - 1):.3f}",
                "base": "2023-24=100",
                "status": "outturn" if months >= lag else "forecast",
                "vintage": published[:7],
                "source": source,
            }
        )
    return pd.DataFrame(rows)


def _month(name: str, grid: Grid, *, file: str) -> str:
    """Return the first day of the month in which a sheet was published, as its name or its first lines say."""
    texts = [name.replace("_", " "), *(cell for row in grid[:7] for cell in row)]
    for text in texts:
        for found in re.finditer(r"(20\d\d)-(0[1-9]|1[0-2])(?!\d)", text):
            if int(found[1]) % 100 + 1 != int(found[2]):  # not a financial year, 2008-09
                return f"{found[1]}-{found[2]}-01"
        named = re.search(r"([A-Z][a-z]+) (20\d\d)\b", text)
        if named:
            try:
                return f"{datetime.strptime(f'{named[1]} {named[2]}', '%B %Y'):%Y-%m-%d}"
            except ValueError:  # another word before a year
                continue
    raise InputError(
        "deflators without the month of their publication",
        file=file,
        field="column vintage",
        found="none in the sheet, none in the name of the file",
        allowed="a name such as gdp_deflator_2026-06.xlsx, or a line such as 'last updated 22 December 2023'",
        cause="a sheet saved without its first lines",
        remedy="put the year and month of publication into the file name",
    )


# --- Population: exports of Nomis (tables under one another), and the workbook of mid-year estimates ---


def _of_nomis(grid: Grid) -> pd.DataFrame | None:
    """Turn tables by area and year, each under its own lines of description, into one row for each figure."""
    if not any("mnemonic" in row for row in grid[:12]):
        return None
    said: dict[str, str] = {}
    header: Sequence[str] = ()
    rows = []
    for row in grid:
        cells = [cell.strip() for cell in row]
        if len(cells) == 2 and cells[0].endswith(":"):
            said[cells[0].rstrip(" :").lower()], header = cells[1], ()
        elif "mnemonic" in cells:
            header = cells
        elif len(cells) == len(header) > 2 and cells[0] != "Column Total":
            given = dict(zip(header, cells, strict=True))
            area = {"area": cells[0], "mnemonic": given["mnemonic"], "age": "", **said}
            rows += [area | {"time_period": year, "value": given[year]} for year in header[2:]]
    return pd.DataFrame(rows, dtype=str).fillna("")


def _of_mid_year(grid: Grid) -> pd.DataFrame | None:
    """Turn the sheet of persons by single year of age into one row for each area and age."""
    title = grid[0][0] if grid and grid[0] else ""
    said = re.search(r"(Persons) by single year of age.*mid-(20\d\d)", title)
    at = next((i for i, row in enumerate(grid[:20]) if list(row[:3]) == ["Code", "Name", "Geography"]), None)
    if said is None or at is None:
        return None
    table = pd.DataFrame([list(row) for row in grid[at + 1 :]], columns=list(grid[at]), dtype=str)
    ages = [name for name in table.columns if name.isdigit()]
    long = table.melt(["Code", "Name", "Geography"], ages, var_name="age", value_name="persons")
    return long.assign(time_period=said[2])


def members(content: bytes, *, name: str, most: int) -> Iterator[tuple[str, bytes]]:
    """Give the name and content of each file in an archive, up to a size. `most`: bytes they may unpack to."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = [part for part in packed.infolist() if not part.is_dir()]
        size = sum(part.file_size for part in parts)
        if size > most:
            raise _too_much(name, found=f"{size:,} bytes unpacked", allowed=f"up to {most:,} bytes")
        for part in parts:
            yield part.filename, packed.read(part)
