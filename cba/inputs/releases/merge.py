"""Lay what arrived over the tables held, new rows added and revised rows replaced, and say what has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cba.errors import InputError
from cba.inputs.releases.downloads import Piece
from cba.inputs.releases.rows import plain_flag, read_figure
from cba.inputs.safe_files import frame_of
from cba.inputs.table_words import EVERY_TABLE, TABLES

_FIRST = {
    word: place
    for table, column in (("unit_costs", "level"), ("population_england", "age_band"))
    for place, word in enumerate(TABLES[table].words[column])
}
"""Words that are sorted as they are written, not by letter."""


def releases_in(table: pd.DataFrame, *, name: str) -> set[str]:
    """Return the releases (or vintages) of a table."""
    column = EVERY_TABLE[name].numbered
    return set(table[column]) if column else set()


def listed(names: Sequence[str]) -> str:
    """Return the first five of some names, and whether there are others."""
    return f"{', '.join(names[:5])}{' and others' if len(names) > 5 else ''}"


def held_table(name: str, *, folder: Path) -> pd.DataFrame:
    """Read a table as text, exactly as it is written."""
    return frame_of(folder / f"{name}.csv", dtype=str, keep_default_na=False)


def with_marks(piece: Piece) -> Piece:
    """Turn suppression marks in the figures of a piece into empty cells with a flag, and refuse other words."""
    if piece.table not in TABLES:
        return piece
    table, rows = TABLES[piece.table], piece.rows.copy()
    for column in [name for name, kind in table.columns.items() if kind != "str"]:
        may_be_empty = table.columns[column] != "int64"
        for index, text in enumerate(rows[column].tolist()):
            read = read_figure(text) if text or not may_be_empty else ("", "")
            if read is None or (read[1] and column != table.value):
                raise piece.refusal(
                    f"a cell of {column} is not a number",
                    column=column,
                    index=index,
                    found=repr(text),
                    allowed="a plain number, or a mark such as c, x, z, low or ~ in a column of figures",
                    cause="a symbol kept from a spreadsheet, or a mark the publisher has just introduced",
                    remedy="restore the published figure; a new mark is added to rows.py",
                )
            figure, flag = read
            if flag:
                flags = [part for part in rows.loc[index, "flag"].split(";") if part]
                rows.loc[index, "flag"] = ";".join([*flags, flag])
            if figure != text:
                rows.loc[index, column] = figure
    return replace(piece, rows=rows)


def refuse_duplicates(piece: Piece) -> None:
    """Refuse a piece that has two rows for one key."""
    if piece.table not in EVERY_TABLE:
        return
    key = list(EVERY_TABLE[piece.table].key)
    again = piece.rows.duplicated(key)
    if again.any():
        index = int(again.to_numpy().nonzero()[0][0])
        raise piece.refusal(
            "a key occurs twice",
            column="+".join(key),
            index=index,
            found=", ".join(f"{name}={piece.rows.loc[index, name]}" for name in key),
            allowed="one row for each key",
            cause="rows of two files pasted together",
            remedy="keep the row the publisher printed and delete the other",
        )


def merge(
    pieces: Sequence[Piece], *, held: Mapping[str, pd.DataFrame]
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Lay pieces over the tables held. `pieces`: marks read, duplicates refused.

    The tables that something arrived for, all text, and sentences on what was added beside the rows delivered.
    """
    tables: dict[str, pd.DataFrame] = {}
    given: dict[str, pd.DataFrame] = {}
    for piece in sorted(pieces, key=lambda one: one.gives_way):
        name = piece.table
        if name == "authority_names":
            continue
        piece = _giving_way(piece, tables.get(name, held[name]))
        _refuse_conflict(piece, given.get(name))
        given[name] = pd.concat([given[name], piece.rows]) if name in given else piece.rows
        before = tables.get(name, held[name])
        if piece.whole and name == "authorities":
            _refuse_lost(piece, before)
        tables[name] = _laid_over(before, piece)
    notes: list[str] = []
    if "authority_children" in tables:
        tables["authorities"], notes = _with_new_authorities(
            tables.get("authorities", held["authorities"]),
            tables["authority_children"],
            [piece.rows for piece in pieces if piece.table == "authority_names"],
        )
    _drop_uncited(tables, pieces, held=held)
    return {name: _sorted(table, name) for name, table in tables.items()}, notes


def _drop_uncited(
    tables: dict[str, pd.DataFrame], pieces: Sequence[Piece], *, held: Mapping[str, pd.DataFrame]
) -> None:
    """Leave out the row of a mapped source of which no figure was new."""
    if "sources" not in tables:
        return
    mapped = {key for one in pieces if one.table == "sources" and one.gives_way for key in one.rows["source"]}
    cited = {
        key for table in tables.values() if "year" in table or "mid_year" in table for key in table["source"]
    }
    idle = tables["sources"]["source"].isin(mapped - cited - set(held["sources"]["source"]))
    tables["sources"] = tables["sources"][~idle].reset_index(drop=True)


ROUNDING = 20.0
"""Most by which sums over four and over three figures of one age group may differ, each rounded to ten."""


def _giving_way(piece: Piece, before: pd.DataFrame) -> Piece:
    """Leave out rows that differ from another file's by no more than rounding, where the piece gives way."""
    if not piece.gives_way or piece.table == "sources":
        return piece
    key, value = list(EVERY_TABLE[piece.table].key), EVERY_TABLE[piece.table].figure
    was = piece.rows[key].merge(before[[*key, value]], on=key, how="left")[value]
    apart = (pd.to_numeric(was) - pd.to_numeric(piece.rows[value])).abs()
    return piece.only((~(apart <= ROUNDING)).to_numpy())


def _refuse_conflict(piece: Piece, given: pd.DataFrame | None) -> None:
    """Two files of one update may repeat each other, never contradict each other."""
    if given is None:
        return
    key = list(EVERY_TABLE[piece.table].key)
    both = piece.rows.reset_index().merge(given, on=key, suffixes=("", "_before"))
    if "vintage_before" in both:  # estimates of two vintages: the newer one stays
        both = both[both["vintage"] == both["vintage_before"]]
    for column in [name for name in piece.rows.columns if name not in (*key, "source", "flag")]:
        differ = both[both[column] != both[f"{column}_before"]]
        if len(differ):
            row = differ.iloc[0]
            raise piece.refusal(
                "two files give different figures for one row",
                column=column,
                index=row["index"],
                found=f"{row[column]} here, {row[f'{column}_before']} in another file",
                allowed="the same figure",
                cause="files of two releases or two downloads given together",
                remedy="give the files of one release at a time, oldest first",
            )


def _refuse_lost(piece: Piece, held: pd.DataFrame) -> None:
    lost = sorted(set(held["authority"]) - set(piece.rows["authority"]))
    if lost:
        raise InputError(
            "the list of authorities lacks some that are held",
            file=piece.origin.address,
            field="column la_code",
            found=f"without {listed(lost)}",
            allowed="every authority that has figures, also those that no longer exist",
            cause="a list of today's authorities, or a file cut off between two rows",
            remedy="add the authorities, with the last year in which they had figures",
        )


def _same_figure(one: str, other: str) -> bool:
    if plain_flag(one) == plain_flag(other):
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _laid_over(held: pd.DataFrame, piece: Piece) -> pd.DataFrame:
    """Replace the rows that differ in what they say and add new ones; a repeated row stays as it was."""
    key = list(EVERY_TABLE[piece.table].key)
    places = {tuple(row): index for index, row in enumerate(held[key].to_numpy().tolist())}
    others = [name for name in held.columns if name not in (*key, "source")]
    result, fresh = held.copy(), []
    values = held[others].to_numpy().tolist()
    dated = others.index("vintage") if "vintage" in others else None
    for index, (name, row) in enumerate(
        zip(piece.rows[key].to_numpy().tolist(), piece.rows[others].to_numpy().tolist(), strict=True)
    ):
        place = places.get(tuple(name))
        if place is None:
            fresh.append(index)
        elif dated is not None and row[dated] < values[place][dated]:
            continue  # an older estimate does not replace a newer one
        elif not all(_same_figure(new, old) for new, old in zip(row, values[place], strict=True)):
            result.iloc[place] = piece.rows.iloc[index][held.columns]
    return pd.concat([result, piece.rows.iloc[fresh][list(held.columns)]], ignore_index=True)


def _with_new_authorities(
    authorities: pd.DataFrame, figures: pd.DataFrame, names: Sequence[pd.DataFrame]
) -> tuple[pd.DataFrame, list[str]]:
    """Add authorities that appear for the first time and move the last year of those with newer figures."""
    named = {row["authority"]: row for rows in names for row in rows.to_dict("records")}
    # A row without a figure that is not withheld either says that there was no such authority, or none of its figures.
    told = figures[(figures["children"] != "") | figures["flag"].str.contains("suppressed")]
    years = told.assign(year=told["year"].astype(int)).groupby("authority")["year"].agg(["min", "max"])
    known = set(authorities["authority"])
    rows, notes = [], []
    for code in [one for one in years.index if one not in known and one in named]:
        added = {
            "note": "named by the file of its figures; predecessors not given",
            "source": figures.loc[figures["authority"] == code, "source"].iloc[-1],
            "first_year": str(years.loc[code, "min"]),
            "last_year": str(years.loc[code, "max"]),
        }
        rows.append(named[code] | added)
        notes.append(f"authority {code} {named[code]['authority_name']} is new")
    if rows:
        new = pd.DataFrame(rows).reindex(columns=authorities.columns, fill_value="")
        authorities = pd.concat([authorities, new], ignore_index=True)
    last = authorities["authority"].map(years["max"])
    later = last > authorities["last_year"].astype(int)
    return authorities.assign(
        last_year=authorities["last_year"].where(~later, last.fillna(0).astype(int).astype(str))
    ), notes


def _sorted(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Sort as the shipped tables are sorted: numbers by size, levels and age bands in their own order."""
    kinds, order = EVERY_TABLE[name].columns, list(EVERY_TABLE[name].order)
    if not order:
        return table
    keys = pd.DataFrame(index=table.index)
    for column in order:
        if column in ("level", "age_band"):
            keys[column] = table[column].map(_FIRST).fillna(len(_FIRST))
        else:
            keys[column] = table[column].astype(int) if kinds[column] == "int64" else table[column]
    return table.loc[keys.sort_values(order, kind="stable").index].reset_index(drop=True)


# --- What a new folder of tables says that the old one did not, as records and in words ---


SHOWN = 200
"""Revised figures kept one by one for each table; the rest are counted."""


@dataclass(frozen=True)
class Revision:
    """One figure that a new release restates."""

    figure: str  # what it counts: the key of the row apart from its release
    # before and after: empty where withheld.
    before: str
    after: str


@dataclass(frozen=True)
class TableChange:
    """Changes of one table."""

    table: str
    new_releases: tuple[str, ...]
    # new_rows, revised, corrected, removed: rows added; figures that a newer release restates; rows of a held
    # release that were corrected; rows that are gone.
    new_rows: int
    revised: int
    corrected: int
    removed: int
    revisions: tuple[Revision, ...]  # the largest first, at most `SHOWN`


def changes_between(
    old: Mapping[str, pd.DataFrame], *, new: Mapping[str, pd.DataFrame]
) -> tuple[TableChange, ...]:
    """Compare tables before and after. `old`, `new`: tables of `new` that do not differ are left out."""
    found = [_change(name, old[name], table) for name, table in new.items() if not old[name].equals(table)]
    return tuple(one for one in found if one.new_rows or one.revised or one.corrected or one.removed)


def _change(name: str, old: pd.DataFrame, new: pd.DataFrame) -> TableChange:
    key = list(EVERY_TABLE[name].key)
    columns = [column for column in new.columns if column not in key]
    before, after = (table.set_index(key)[columns].fillna("") for table in (old, new))
    both = before.index.intersection(after.index)
    differ = (before.loc[both].to_numpy() != after.loc[both].to_numpy()).any(axis=1)
    revisions = _revisions(name, old, new)
    return TableChange(
        table=name,
        new_releases=tuple(sorted(releases_in(new, name=name) - releases_in(old, name=name))),
        new_rows=len(after.index.difference(before.index)),
        revised=len(revisions),
        corrected=int(differ.sum()) if EVERY_TABLE[name].numbered or not revisions else 0,
        removed=len(before.index.difference(after.index)),
        revisions=tuple(revisions[:SHOWN]),
    )


def _known(table: pd.DataFrame, name: str, value: str) -> pd.Series:
    """Return each figure as the newest release of the table has it."""
    part = [column for column in EVERY_TABLE[name].key if column not in ("release", "vintage")]
    order = EVERY_TABLE[name].numbered or ("vintage" if "vintage" in table else None)
    rows = table if order is None else table.sort_values(order, kind="stable")
    return rows.drop_duplicates(part, keep="last").set_index(part)[value]


def _revisions(name: str, old: pd.DataFrame, new: pd.DataFrame) -> list[Revision]:
    value = EVERY_TABLE[name].figure
    if not value:
        return []
    before, after = _known(old, name, value), _known(new, name, value)
    table = pd.concat({"before": before, "after": after}, axis=1, join="inner").reset_index()
    was, now = (pd.to_numeric(table[side], errors="coerce") for side in ("before", "after"))
    table["size"] = (now - was).abs().fillna(0)
    moved = table[(was != now) & ~(was.isna() & now.isna())].to_dict("records")
    return [
        Revision(" ".join(str(row[part]) for part in before.index.names), row["before"], row["after"])
        for row in sorted(moved, key=_rank)
    ]


def _rank(row: Mapping[str, Any]) -> tuple[int, int, int, float]:
    """Put totals before breakdowns, the newest year first, the number in care before flows, then by size."""
    if row.get("breakdown") != "total":
        return (1, 0, 0, -row["size"])
    return (
        0,
        -int(row["year"]),
        TABLES["england_children"].words["measure"].index(row["measure"]),
        -row["size"],
    )


def in_words(changes: Sequence[TableChange], *, notes: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the changes as sentences. `notes`: said after them."""
    sentences = []
    for change in changes:
        word = EVERY_TABLE[change.table].numbered or "release"
        parts = []
        if change.new_releases:
            parts.append(f"{word} {', '.join(change.new_releases)} is new ({_rows(change.new_rows)})")
        elif change.new_rows:
            parts.append(f"{_rows(change.new_rows, 'new ')}")
        if change.revised:
            shown = change.revisions[0]
            parts.append(
                f"{change.revised} figure{'s' * (change.revised > 1)} revised, "
                f"{'among them ' * (change.revised > 1)}{shown.figure} from {_said(shown.before)} "
                f"to {_said(shown.after)}"
            )
        if change.corrected and change.table == "authorities":
            parts.append(f"{change.corrected} with newer figures or another description")
        elif change.corrected:
            parts.append(f"{change.corrected} held row{'s' * (change.corrected > 1)} corrected")
        if change.removed:
            parts.append(f"{change.removed} row{'s' * (change.removed > 1)} gone")
        sentences.append(f"{change.table}: {'; '.join(parts)}")
    return (*sentences, *notes)


def _rows(count: int, word: str = "") -> str:
    return f"{count} {word}row{'s' * (count != 1)}"


def _said(figure: str) -> str:
    try:
        return f"{float(figure):,.10g}"
    except ValueError:
        return figure or "withheld"
