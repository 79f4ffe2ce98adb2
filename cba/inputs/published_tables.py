"""Reading of the published tables: one plain CSV per topic, refused whole when it is not what it says it is.

Every table is read with the types its columns must have, checked against its schema
(:mod:`cba.inputs.series_schemas`) and returned as a DataFrame. Nothing is filled, dropped or corrected: a
file that cannot be read, ends early, holds a word where a number belongs or fails its schema raises
:class:`cba.errors.InputError` naming the file, the column, the row and what to do next.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cba.errors import InputError
from cba.inputs.shipped_files import published_folder, shipped_published_folder

PUBLISHED = shipped_published_folder()
"""Folder of the tables shipped with the package."""

FETCH_AGAIN = "fetch the file again from its source, or restore it from version control"


@dataclass(frozen=True)
class Table:
    """Columns of one published table (name to pandas type), its key, and what runs in years without a gap.

    Attributes
    ----------
    columns : mapping of str to str
        Column name to ``int64``, ``float64`` (may be empty, if the flag says why) or ``str``.
    key : tuple of str
        Columns that together name a row once.
    year : str, optional
        Column whose values follow each other without a gap inside every group of the other key columns;
        empty where the publisher itself leaves gaps.
    value : str, optional
        Column that may be empty only where `flag` says the publisher withheld or did not have the value.

    Examples
    --------
    >>> Table(columns={"year": "int64", "children": "float64"}, key=("year",)).key
    ('year',)
    """

    columns: Mapping[str, str]
    key: tuple[str, ...]
    year: str = ""
    value: str = ""


def _columns(text: str) -> dict[str, str]:
    """Turn "year:int64 line flag" into a mapping; a column without a type holds text."""
    pairs = (word.partition(":") for word in text.split())
    return {name: kind or "str" for name, _, kind in pairs}


TABLES: Mapping[str, Table] = {
    "sources": Table(_columns("source title publisher licence date address"), ("source",)),
    "authorities": Table(
        _columns(
            "authority authority_name region ons_code first_year:int64 last_year:int64 predecessors "
            "successors change_date note source"
        ),
        ("authority",),
    ),
    "england_children": Table(
        _columns("release:int64 year:int64 measure breakdown category children:float64 flag source"),
        ("release", "measure", "breakdown", "category", "year"),
        year="year",
        value="children",
    ),
    "authority_children": Table(
        _columns("release:int64 year:int64 authority measure children:float64 flag source"),
        ("release", "measure", "authority", "year"),
        year="year",
        value="children",
    ),
    "care_duration": Table(
        _columns("release:int64 year:int64 measure days:float64 source"),
        ("release", "measure", "year"),
        year="year",
    ),
    "population_england": Table(
        _columns("kind vintage:int64 age_band mid_year:int64 population:float64 census_base:int64 source"),
        ("kind", "vintage", "age_band", "mid_year"),
        year="mid_year",
    ),
    "population_authority": Table(
        _columns("authority mid_year:int64 population_0_17:float64 vintage:int64 source"),
        ("authority", "mid_year"),
        year="mid_year",
    ),
    "spending_england": Table(
        _columns("line year:int64 gbp_million:float64 price_basis flag source"), ("line", "year")
    ),
    "spending_authority": Table(
        _columns("authority line year:int64 gbp_million:float64 price_basis flag source"),
        ("authority", "line", "year"),
    ),
    "unit_costs": Table(
        _columns("level area service year:int64 gbp_per_child_week:float64 price_basis flag source"),
        ("level", "area", "service", "year"),
        year="year",
        value="gbp_per_child_week",
    ),
    "gdp_deflator": Table(
        _columns("year:int64 deflator:float64 growth_percent:float64 base status vintage source"),
        ("vintage", "year"),
        year="year",
    ),
    "children_in_need": Table(
        _columns("release:int64 year:int64 measure count:float64 flag source"),
        ("release", "measure", "year"),
        year="year",
        value="count",
    ),
    "programme_rollout": Table(
        _columns(
            "programme authority authority_name role event date date_precision source_url "
            "verification note source"
        ),
        ("programme", "authority", "event"),
    ),
}
"""Every published table; the file is the name with ``.csv``."""


def _text_of(file: Path) -> str:
    """Contents of a file that exists, is UTF-8 text and ends with a line end."""
    try:
        text = file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputError(
            "a published table is missing",
            file=file,
            found="no such file",
            allowed=f"the tables {', '.join(TABLES)}, each a .csv file in one folder",
            cause="the folder holds another layout, or one file was left out when copying",
            remedy=f"copy {file.name} into the folder; README.md beside the shipped tables has the layout",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "the file cannot be read as text",
            file=file,
            found=str(error),
            allowed="comma separated text in UTF-8",
            cause="a spreadsheet or a compressed file saved under a .csv name, or a broken download",
            remedy=FETCH_AGAIN,
        ) from None
    if "\0" in text or not text.endswith("\n"):
        raise InputError(
            "the file was cut off: its last line has no line end",
            file=file,
            field=f"row {text.count(chr(10)) + 1}",
            found=repr(text[-40:]),
            allowed="whole rows, each closed by a line end",
            cause="a download or a copy stopped half way",
            remedy=FETCH_AGAIN,
        )
    return text


def _refuse_cells(text: str, *, table: Table, file: Path) -> None:
    """Find the first cell that is not a number where one belongs, and raise for it."""
    cells = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    patterns = {"int64": r"-?\d+", "float64": r"-?\d*\.?\d+(?:[eE][-+]?\d+)?|"}
    for name, kind in table.columns.items():
        if kind == "str" or name not in cells:
            continue
        bad = cells.index[~cells[name].str.fullmatch(patterns[kind])]
        if len(bad):
            found = cells[name].iloc[bad[0]]
            raise InputError(
                f"a cell of {name} is not {'a whole number' if kind == 'int64' else 'a number'}",
                file=file,
                field=f"column {name}, row {bad[0] + 2}",
                found=repr(found),
                allowed="a whole number"
                if kind == "int64"
                else "a plain number, or nothing where a flag explains",
                cause="NaN, a symbol such as 'c' or 'x', or a thousands separator kept from a spreadsheet",
                remedy="leave the cell empty and say why in `flag`, or restore the published figure",
            )


def _parse(text: str, *, table: Table, file: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            dtype=dict(table.columns),
            keep_default_na=False,
            na_values=[""],
        )
    except pd.errors.ParserError as error:
        row = re.search(r"line (\d+)", str(error))
        raise InputError(
            "a row has more cells than the header",
            file=file,
            field=f"row {row.group(1)}" if row else None,
            found=str(error).strip(),
            allowed=f"{len(table.columns)} cells: {', '.join(table.columns)}",
            cause="a comma inside an unquoted text, or two lines run together",
            remedy="quote the text, or restore the row",
        ) from None
    except pd.errors.EmptyDataError:
        raise InputError(
            "the file is empty",
            file=file,
            found="no header",
            allowed=", ".join(table.columns),
            cause="a download or a copy stopped before it began",
            remedy=FETCH_AGAIN,
        ) from None
    except (ValueError, OverflowError):
        _refuse_cells(text, table=table, file=file)
        raise
    for name in ("flag", "note", "predecessors", "successors", "change_date"):
        if name in frame:
            frame[name] = frame[name].fillna("")
    return frame


def read_table(
    name: str,
    *,
    folder: Path | None = None,
    sources: tuple[str, ...] | None = None,
    authorities: tuple[str, ...] | None = None,
) -> pd.DataFrame:
    """Read and check one published table.

    Parameters
    ----------
    name : str
        One of :data:`TABLES`.
    folder : Path, optional
        Folder with the tables; the one in force by default (:func:`~cba.inputs.shipped_files.reading_from`).
    sources, authorities : tuple of str, optional
        Source keys and authority codes that rows may name; unchecked when left out.

    Returns
    -------
    DataFrame
        The columns of ``TABLES[name]``, units as in the data dictionary beside the tables.

    Raises
    ------
    InputError
        If the file is missing, unreadable, cut off or breaks its schema.

    Examples
    --------
    >>> deflator = read_table("gdp_deflator").set_index("year")["deflator"]
    >>> float(deflator.loc[2024])
    100.0
    """
    from cba.inputs.series_schemas import check_schema  # pandera is slow to import: only when a table is read

    file = (published_folder() if folder is None else Path(folder)) / f"{name}.csv"
    frame = _parse(_text_of(file), table=TABLES[name], file=file)
    check_schema(frame, name=name, file=file, sources=sources, authorities=authorities)
    return frame


def read_tables(names: tuple[str, ...], *, folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """Read several tables of one folder, each row checked against its ``sources`` and ``authorities``.

    Parameters
    ----------
    names : tuple of str
        Tables wanted beside ``sources`` and ``authorities``, which are always read.
    folder : Path, optional
        Folder with the tables; the one in force by default.

    Returns
    -------
    dict of str to DataFrame

    Raises
    ------
    InputError
        If any is refused.

    Examples
    --------
    >>> sorted(read_tables(("care_duration",)))
    ['authorities', 'care_duration', 'sources']
    """
    sources = read_table("sources", folder=folder)
    keys = tuple(sources["source"])
    authorities = read_table("authorities", folder=folder, sources=keys)
    codes = tuple(authorities["authority"])
    tables = {"sources": sources, "authorities": authorities}
    wanted = [name for name in names if name not in tables]
    return tables | {
        name: read_table(name, folder=folder, sources=keys, authorities=codes) for name in wanted
    }
