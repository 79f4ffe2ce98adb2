"""GDP deflators of HM Treasury: found through GOV.UK's content API, because the file's address always changes.

The newest document of the collection holds a spreadsheet; the index by financial year is read from it, put on
2023-24 = 100 and marked outturn or forecast by the day it was published.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from cba.errors import InputError
from cba.inputs.data_sources import DataSource
from cba.inputs.releases.downloads import Piece
from cba.inputs.releases.http_client import Pace, fetch
from cba.inputs.releases.publishers import get_json, origin_of

BASE_YEAR = 2024
"""Year ending 31 March in which the tables put the index at 100."""


SHEETS = (
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text/csv",
)


def deflator_piece(source: DataSource, *, first_year: int, pace: Pace) -> Piece:
    """Fetch the newest deflators as rows of ``gdp_deflator``. `source`: of kind ``hmt_deflator``."""
    collection = get_json(source, f"/api/content/{source.data_set}", pace=pace)
    documents = [
        one for one in collection.get("links", {}).get("documents", []) if one.get("public_updated_at")
    ]
    if not documents:
        raise _not_found(source, field="links.documents", found="no documents")
    newest = max(documents, key=lambda one: str(one["public_updated_at"]))
    page = get_json(source, f"/api/content{newest['base_path']}", pace=pace)
    published = str(page.get("public_updated_at") or newest["public_updated_at"])
    sheets = [
        one for one in page.get("details", {}).get("attachments", []) if one.get("content_type") in SHEETS
    ]
    if not sheets:
        raise _not_found(source, field="details.attachments", found="no spreadsheet")
    answer = fetch(str(sheets[0]["url"]), hosts=source.allowed_hosts(), accept=SHEETS, pace=pace)
    origin = origin_of(source, [answer], published=published)
    table = cells_of(answer.content, file=answer.url)
    index = index_by_year(table, file=answer.url)
    kept = {year: value for year, value in index.items() if year >= first_year}
    rows = _rows(kept, before=index.get(first_year - 1), published=published, source=source)
    return Piece("gdp_deflator", rows, tuple(range(2, len(rows) + 2)), origin)


def _not_found(source: DataSource, *, field: str, found: str) -> InputError:
    return InputError(
        "the page of the deflators does not hold what it used to",
        file=f"{source.base_url}/api/content/{source.data_set}",
        field=field,
        found=found,
        allowed="a document with a spreadsheet (.xlsx) or CSV attached",
        cause="the publisher has moved the collection or changed its format",
        remedy="correct `data_set`; or download the file and use `cba update --from FILE`",
    )


def cells_of(content: bytes, *, file: str) -> list[list[str]]:
    """Return the cells of a spreadsheet (its first sheet that names financial years) or CSV as text."""
    if not content.startswith(b"PK"):
        import csv

        return [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace")))]
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = [
            [["" if cell is None else str(cell) for cell in row] for row in sheet.values] for sheet in book
        ]
    except Exception as error:  # openpyxl raises whatever its parsers do
        raise InputError(
            "the spreadsheet cannot be read",
            file=file,
            found=f"{type(error).__name__}: {error}",
            allowed="a workbook (.xlsx)",
            cause="a damaged file",
            remedy="try again; or save the sheet as CSV and use `cba update --from FILE`",
        ) from None
    return next((sheet for sheet in sheets if _header_row(sheet) is not None), sheets[0] if sheets else [])


def _header_row(table: Sequence[Sequence[str]]) -> tuple[int, int, int] | None:
    """Row of the headings, column of the financial year and column of the index."""
    for at, row in enumerate(table):
        words = [cell.strip().lower() for cell in row]
        years = [i for i, word in enumerate(words) if "financial year" in word]
        indexes = [
            i for i, word in enumerate(words) if re.search(r"\b(index|deflator)\b", word) and "%" not in word
        ]
        if years and indexes:
            return at, years[0], next((i for i in indexes if i != years[0]), indexes[0])
    return None


def index_by_year(table: Sequence[Sequence[str]], *, file: str) -> dict[int, float]:
    """Read the index by financial year. Year ending 31 March to index, in the publisher's base."""
    place = _header_row(table)
    found: dict[int, float] = {}
    if place is not None:
        at, year_column, index_column = place
        for line, row in enumerate(table[at + 1 :], start=at + 2):
            year = (
                re.fullmatch(r"\s*(\d{4})[-/](\d{2})\s*", row[year_column])
                if len(row) > index_column
                else None
            )
            if year is None:
                continue
            try:
                found[int(year[1]) + 1] = float(row[index_column])
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


def _rows(
    index: Mapping[int, float], *, before: float | None, published: str, source: DataSource
) -> pd.DataFrame:
    """Put the index on the tables' base; growth of the first year needs the year before."""
    day = date.fromisoformat(published[:10])
    scale = 100.0 / index[BASE_YEAR]
    rows: list[dict[str, Any]] = []
    for year in sorted(index):
        earlier = index.get(year - 1, before)
        growth = "" if earlier is None else f"{100 * (index[year] / earlier - 1):.3f}"
        months = (day.year - year) * 12 + day.month - 3
        rows.append(
            {
                "year": str(year),
                "deflator": f"{index[year] * scale:.3f}" if year != BASE_YEAR else "100.000",
                "growth_percent": growth,
                "base": "2023-24=100",
                "status": "outturn" if months >= source.outturn_lag_months else "forecast",
                "vintage": published[:7],
                "source": source.source,
            }
        )
    return pd.DataFrame(rows)
