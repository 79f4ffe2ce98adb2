"""Lay what arrived over the tables held: new rows added, revised rows replaced, everything else untouched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cba.errors import InputError
from cba.inputs.published_categories import POPULATION_BANDS
from cba.inputs.published_tables import TABLES
from cba.inputs.releases.delivered import Piece
from cba.inputs.releases.suppression_marks import Missing, read_figure

EVIDENCE_KEYS: Mapping[str, tuple[str, ...]] = {
    "evidence_effects": ("study_id", "scale"),
    "evidence_costs": ("item_id",),
    "published_claims": ("claim_id",),
}
"""Columns that name a row of an evidence table."""

ORDER: Mapping[str, tuple[str, ...]] = {
    "england_children": ("release", "year", "measure", "breakdown", "category"),
    "authority_children": ("release", "year", "measure", "authority"),
    "care_duration": ("release", "year"),
    "population_england": ("kind", "vintage", "age_band", "mid_year"),
    "population_authority": ("authority", "mid_year"),
    "spending_england": ("line", "year"),
    "spending_authority": ("authority", "line", "year"),
    "unit_costs": ("level", "area", "service", "year"),
    "gdp_deflator": ("vintage", "year"),
    "children_in_need": ("release", "measure", "year"),
    "authorities": ("authority",),
    "sources": ("source",),
}
"""Columns the rows of a table are sorted by; a table not named keeps its rows in order of arrival."""

_FIRST = {"england": 0, "region": 1, "authority": 2} | {band: i for i, band in enumerate(POPULATION_BANDS)}


@dataclass(frozen=True)
class Merged:
    """Tables after an arrival.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        All text; only those that something arrived for.
    notes : tuple of str
        What was added beside the rows delivered.
    """

    tables: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...]


def key_of(table: str) -> tuple[str, ...]:
    """Return the columns that name a row of a table.

    Parameters
    ----------
    table : str

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> key_of("care_duration")
    ('release', 'measure', 'year')
    """
    return EVIDENCE_KEYS[table] if table in EVIDENCE_KEYS else TABLES[table].key


def held_table(name: str, *, folder: Path) -> pd.DataFrame:
    """Read a table as text, exactly as it is written.

    Parameters
    ----------
    name : str
    folder : Path

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> from cba.inputs.shipped_files import published_folder
    >>> held_table("care_duration", folder=published_folder()).loc[0, "days"]
    '820'
    """
    return pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)


def with_marks(piece: Piece) -> Piece:
    """Turn suppression marks in the figures of a piece into empty cells with a flag, and refuse other words.

    Parameters
    ----------
    piece : Piece

    Returns
    -------
    Piece

    Raises
    ------
    InputError
        For a cell that is neither a number nor a known mark.
    """
    if piece.table not in TABLES:
        return piece
    table, rows = TABLES[piece.table], piece.rows.copy()
    for column, kind in table.columns.items():
        if kind == "str":
            continue
        for index, text in enumerate(rows[column].tolist()):
            figure = read_figure(text) if text else ""
            if isinstance(figure, Missing) and column == table.value:
                flags = [part for part in rows.loc[index, "flag"].split(";") if part]
                rows.loc[index, "flag"] = ";".join([*flags, figure.in_table])
                rows.loc[index, column] = ""
            elif figure is None or isinstance(figure, Missing) or (not text and kind == "int64"):
                raise _not_a_figure(piece, column=column, index=index, text=text)
            elif figure != text:
                rows.loc[index, column] = figure
    return Piece(piece.table, rows, piece.lines, piece.origin, piece.whole)


def _not_a_figure(piece: Piece, *, column: str, index: int, text: str) -> InputError:
    return InputError(
        f"a cell of {column} is not a number",
        file=piece.origin.address,
        field=f"column {column}, row {piece.lines[index]}",
        found=repr(text),
        allowed="a plain number, or a mark such as c, x, z, low or ~ in a column of figures",
        cause="a symbol kept from a spreadsheet, or a mark the publisher has just introduced",
        remedy="restore the published figure; a new mark is added to suppression_marks.py",
    )


def refuse_duplicates(piece: Piece) -> None:
    """Refuse a piece that has two rows for one key.

    Parameters
    ----------
    piece : Piece

    Raises
    ------
    InputError
    """
    if piece.table not in TABLES and piece.table not in EVIDENCE_KEYS:
        return
    key = list(key_of(piece.table))
    again = piece.rows.duplicated(key)
    if again.any():
        index = int(again.to_numpy().nonzero()[0][0])
        raise InputError(
            "a key occurs twice",
            file=piece.origin.address,
            field=f"column {'+'.join(key)}, row {piece.lines[index]}",
            found=", ".join(f"{name}={piece.rows.loc[index, name]}" for name in key),
            allowed="one row for each key",
            cause="rows of two files pasted together",
            remedy="keep the row the publisher printed and delete the other",
        )


def merge(pieces: Sequence[Piece], *, parent: Path) -> Merged:
    """Lay pieces over the tables of a folder.

    Parameters
    ----------
    pieces : sequence of Piece
        Marks read, duplicates refused.
    parent : Path
        Folder with the tables held.

    Returns
    -------
    Merged

    Raises
    ------
    InputError
        If a whole table comes without rows that are held, or two files give one row differently.
    """
    tables: dict[str, pd.DataFrame] = {}
    given: dict[str, pd.DataFrame] = {}
    for piece in pieces:
        if piece.table == "authority_names":
            continue
        _refuse_conflict(piece, given)
        held = tables.get(piece.table, held_table(piece.table, folder=parent))
        if piece.whole and piece.table == "authorities":
            _refuse_lost(piece, held)
        tables[piece.table] = _laid_over(held, piece)
    notes = _bring_authorities(pieces, tables=tables, parent=parent)
    return Merged({name: _sorted(table, name) for name, table in tables.items()}, tuple(notes))


def _refuse_conflict(piece: Piece, given: dict[str, pd.DataFrame]) -> None:
    """Two files of one update may repeat each other, never contradict each other."""
    key = list(key_of(piece.table))
    before = given.get(piece.table)
    if before is not None:
        both = piece.rows.reset_index().merge(before, on=key, suffixes=("", "_before"))
        for column in [name for name in piece.rows.columns if name not in (*key, "source")]:
            differ = both[both[column] != both[f"{column}_before"]]
            if len(differ):
                row = differ.iloc[0]
                raise InputError(
                    "two files give different figures for one row",
                    file=piece.origin.address,
                    field=f"column {column}, row {piece.lines[int(row['index'])]}",
                    found=f"{row[column]} here, {row[f'{column}_before']} in another file",
                    allowed="the same figure",
                    cause="files of two releases or two downloads given together",
                    remedy="give the files of one release at a time, oldest first",
                )
    given[piece.table] = piece.rows if before is None else pd.concat([before, piece.rows])


def _refuse_lost(piece: Piece, held: pd.DataFrame) -> None:
    lost = sorted(set(held["authority"]) - set(piece.rows["authority"]))
    if lost:
        raise InputError(
            "the list of authorities lacks some that are held",
            file=piece.origin.address,
            field="column la_code",
            found=f"without {', '.join(lost[:5])}{' and others' if len(lost) > 5 else ''}",
            allowed="every authority that has figures, also those that no longer exist",
            cause="a list of today's authorities, or a file cut off between two rows",
            remedy="add the authorities, with the last year in which they had figures",
        )


def _same_figure(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _laid_over(held: pd.DataFrame, piece: Piece) -> pd.DataFrame:
    """Replace the rows that differ in what they say and add new ones; a repeated row stays as it was."""
    key = list(key_of(piece.table))
    places = {tuple(row): index for index, row in enumerate(held[key].to_numpy().tolist())}
    others = [name for name in held.columns if name not in (*key, "source")]
    result, fresh = held.copy(), []
    values = held[others].to_numpy().tolist()
    for index, (name, row) in enumerate(
        zip(piece.rows[key].to_numpy().tolist(), piece.rows[others].to_numpy().tolist(), strict=True)
    ):
        place = places.get(tuple(name))
        if place is None:
            fresh.append(index)
        elif not all(_same_figure(new, old) for new, old in zip(row, values[place], strict=True)):
            result.iloc[place] = piece.rows.iloc[index][held.columns]
    return pd.concat([result, piece.rows.iloc[fresh][list(held.columns)]], ignore_index=True)


def _bring_authorities(
    pieces: Sequence[Piece], *, tables: dict[str, pd.DataFrame], parent: Path
) -> list[str]:
    """Add authorities that appear for the first time and move the last year of those with newer figures."""
    named = {
        row["authority"]: row
        for piece in pieces
        if piece.table == "authority_names"
        for row in piece.rows.to_dict("records")
    }
    figures = tables.get("authority_children")
    if figures is None:
        return []
    listed = tables.get("authorities", held_table("authorities", folder=parent)).copy()
    years = figures.assign(year=figures["year"].astype(int)).groupby("authority")["year"].agg(["min", "max"])
    notes = []
    for code in [one for one in years.index if one not in set(listed["authority"]) and one in named]:
        row = {
            "authority": code,
            "authority_name": named[code]["authority_name"],
            "region": named[code]["region"],
            "note": "named by the file of its figures; predecessors not given",
            "source": figures.loc[figures["authority"] == code, "source"].iloc[-1],
            "first_year": str(years.loc[code, "min"]),
            "last_year": str(years.loc[code, "max"]),
        }
        listed = pd.concat([listed, pd.DataFrame([row]).reindex(columns=listed.columns, fill_value="")])
        notes.append(f"authority {code} {row['authority_name']} is new")
    listed = listed.reset_index(drop=True)
    last = listed["authority"].map(years["max"])
    later = last.notna() & (last.fillna(0) > listed["last_year"].astype(int))
    if later.any():
        listed.loc[later, "last_year"] = last[later].astype(int).astype(str)
    if notes or later.any() or "authorities" in tables:
        tables["authorities"] = listed
    return notes


def _sorted(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Sort as the shipped tables are sorted: numbers by size, levels and age bands in their own order."""
    if name not in ORDER:
        return table
    kinds = TABLES[name].columns
    keys = pd.DataFrame(index=table.index)
    for column in ORDER[name]:
        if column in ("level", "age_band"):
            keys[column] = table[column].map(_FIRST).fillna(len(_FIRST))
        else:
            keys[column] = table[column].astype(int) if kinds[column] == "int64" else table[column]
    order = keys.sort_values(list(ORDER[name]), kind="stable").index
    return table.loc[order].reset_index(drop=True)
