"""Lay an arrival over the tables held, in a folder of its own, and let it pass every check before it is kept.

Nothing outside that folder is touched: a refusal leaves the store as it was.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from cba.errors import InputError
from cba.inputs.evidence import load_evidence
from cba.inputs.observations import load_observations
from cba.inputs.releases.arrival_rules import (
    file_of,
    gaps_kept,
    refuse_older,
    refuse_parts,
    refuse_repeats,
    refuse_shift,
    refuse_steps,
    refuse_unchecked,
    sums_of,
    unmixed,
)
from cba.inputs.releases.downloads import Piece
from cba.inputs.releases.merge import (
    TableChange,
    changes_between,
    held_table,
    merge,
    refuse_duplicates,
    releases_in,
    with_marks,
)
from cba.inputs.safe_files import write_csv
from cba.inputs.table_words import EVERY_TABLE, EVIDENCE, OBSERVED, TABLES
from cba.inputs.tables import check_schema, read_tables

_DIGITS = 15
"""Most digits of a whole number: far more than any year or count has, and few enough to be held exactly."""

_SUMMED = {"england_children", "authority_children", "authorities", "spending_england", "spending_authority"}
"""Tables whose figures are compared with each other."""

_MAY_BE_EMPTY = ("flag", "note", "predecessors", "successors", "change_date")


@dataclass(frozen=True)
class NewTables:
    """Tables that have passed every check and are not stored yet."""

    folder: Path  # complete, in the layout of ``cba/inputs/published``
    changes: tuple[TableChange, ...]  # empty where the arrival says nothing new
    releases: dict[str, tuple[str, ...]]  # releases held, by table
    notes: tuple[str, ...]


def build_tables(pieces: Sequence[Piece], *, parent: Path, folder: Path) -> NewTables:
    """Build and check the tables that an arrival would make of those in the folder `parent`."""
    held = {name: held_table(name, folder=parent) for name in EVERY_TABLE}
    pieces, remarks = _rekeyed([with_marks(piece) for piece in pieces], held=held["sources"])
    pieces, passed_over = _dated(pieces, held=held["gdp_deflator"])
    for piece in pieces:
        refuse_duplicates(piece)
    pieces = [piece for piece in pieces if not _is_repeated(piece, held=held)]
    pieces, gaps = gaps_kept(pieces, held=held)
    pieces, left = unmixed(pieces, held=held["england_children"])
    _check_pieces(pieces, held=held)
    shorter = [*remarks, *passed_over, *gaps, *left, *refuse_parts(pieces, held=held)]
    tables, notes = merge(pieces, held=held)
    changes = changes_between(held, new=tables)
    shutil.copytree(parent, folder, ignore=lambda _, names: [n for n in names if not n.endswith(".csv")])
    folder.chmod(0o755)
    for change in changes:  # the other tables keep their bytes
        file = folder / f"{change.table}.csv"
        file.unlink(missing_ok=True)
        write_csv(tables[change.table], file)
    try:
        _check_whole(folder, pieces=pieces, held=held, changes=changes)
    except InputError as error:
        raise _as_given(error, folder=folder, tables=tables, pieces=pieces, held=held) from None
    releases = {name: tuple(sorted(releases_in(tables.get(name, held[name]), name=name))) for name in TABLES}
    releases = {name: several for name, several in releases.items() if several}
    return NewTables(folder, changes, releases, (*shorter, *notes))


def _as_given(
    error: InputError,
    *,
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    pieces: Sequence[Piece],
    held: Mapping[str, pd.DataFrame],
) -> InputError:
    """Name the file and row that were given, or the row held, where a refusal names a table built for the check."""
    file = Path(error.details["file"] or "")
    if file.parent != folder:
        return error
    name, field = file.stem, error.details["field"] or ""
    given = next((piece for piece in pieces if piece.table == name), pieces[0]).origin.address
    row = re.search(r"row (\d+)", field)
    if name not in tables or row is None or not 2 <= int(row[1]) < len(tables[name]) + 2:
        return error.changed(file=given, field=f"{name}.csv as it would become: {field}" if field else None)
    wanted = tables[name].iloc[int(row[1]) - 2]
    for piece in [one for one in pieces if one.table == name]:
        for place in _places(piece.rows, wanted):
            there = f"row {piece.lines[place]}"
            return error.changed(file=piece.origin.address, field=field.replace(row[0], there, 1))
    before = [f"row {place + 2} of {name}.csv as held" for place in _places(held[name], wanted)]
    there = next(iter(before), f"a row added to {name}.csv")
    return error.changed(file=given, field=field.replace(row[0], there, 1))


def _places(rows: pd.DataFrame, wanted: pd.Series) -> list[int]:
    """Return where a row stands among others, by all they have in common but its source and flag."""
    shared = [name for name in rows.columns if name in wanted.index and name not in ("source", "flag")]
    same = (rows[shared].astype(str) == wanted[shared].astype(str)).all(axis=1)
    return [int(place) for place in same.to_numpy().nonzero()[0]]


def _rekeyed(pieces: Sequence[Piece], *, held: pd.DataFrame) -> tuple[list[Piece], list[str]]:
    """Give a source of an own list of sources another key, where its key is held for another source."""
    about = ["title", "publisher"]
    known = {row["source"]: tuple(row[name] for name in about) for row in held.to_dict("records")}
    keys: dict[str, str] = {}
    for piece in [one for one in pieces if one.table == "sources" and not one.gives_way]:
        for row in piece.rows.to_dict("records"):
            said, key = tuple(row[name] for name in about), row["source"]
            free = (key, *(f"{key}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz"))
            keys[key] = next((one for one in free if known.get(one, said) == said), key)
            known[keys[key]] = said
    keys = {key: new for key, new in keys.items() if key != new}
    changed = [
        replace(piece, rows=piece.rows.assign(source=piece.rows["source"].replace(keys)))
        if keys and "source" in piece.rows
        else piece
        for piece in pieces
    ]
    return changed, [f"source {key} is held for something else: kept as {new}" for key, new in keys.items()]


def _dated(pieces: Sequence[Piece], *, held: pd.DataFrame) -> tuple[list[Piece], list[str]]:
    """Leave out deflators that are older than those held, or without a vintage and the same; refuse others."""
    latest = held[held["vintage"] == held["vintage"].max()]
    kept, notes = [], []
    for piece in pieces:
        if piece.table != "gdp_deflator" or piece.rows.empty or held.empty:
            kept.append(piece)
            continue
        vintage, newest = piece.rows["vintage"].max(), held["vintage"].max()
        if "" in set(piece.rows["vintage"]):
            _refuse_undated(piece, latest=latest)
        elif vintage < newest:
            notes.append(
                f"{piece.origin.name}: deflators of {vintage}, older than those held ({newest}); nothing in it is used"
            )
        else:
            if vintage > newest:
                _refuse_fewer_years(piece, latest=latest)
            kept.append(piece)
    return kept, notes


def _refuse_fewer_years(piece: Piece, *, latest: pd.DataFrame) -> None:
    """Refuse newer deflators that end before those held: the years lost are the forecast ones, which a run reads."""
    last, before = max(piece.rows["year"]), max(latest["year"])
    if last < before:
        raise InputError(
            "the deflators end before those held",
            file=piece.origin.address,
            field="column year",
            found=f"to {last}",
            allowed=f"to {before} or later",
            cause="forecast years left out, or labels of years that were not read",
            remedy="take the sheet with the forecast years; a year is written 2029-30, footnotes in brackets behind it",
        )


def _refuse_undated(piece: Piece, *, latest: pd.DataFrame) -> None:
    """Refuse deflators without a vintage, unless they repeat those of the newest one."""
    columns = ["year", "deflator", "status"]
    if set(map(tuple, piece.rows[columns].to_numpy())) != set(map(tuple, latest[columns].to_numpy())):
        raise InputError(
            "deflators without the month of their publication",
            file=piece.origin.address,
            field="column vintage",
            found="none in the file, none in its name",
            allowed="a name such as gdp_deflator_2026-06.csv, or a column `vintage`",
            cause="the published sheet does not print when it was published",
            remedy="put the year and month of publication into the file name",
        )


def _is_repeated(piece: Piece, *, held: Mapping[str, pd.DataFrame]) -> bool:
    """Return whether a piece says nothing: no rows, a source cited before, or the newest population again."""
    rows = piece.rows
    if piece.table == "sources" and piece.gives_way:
        return rows["source"].iloc[0] in set(held["sources"]["source"])
    if piece.table != "population_england":
        return rows.empty
    name = ["kind", "age_band", "mid_year"]
    latest = held[piece.table].sort_values("vintage", kind="stable").drop_duplicates(name, keep="last")
    said = set(map(tuple, latest[[*name, "population"]].to_numpy()))
    return set(map(tuple, rows[[*name, "population"]].to_numpy())) <= said


def _check_pieces(pieces: Sequence[Piece], *, held: Mapping[str, pd.DataFrame]) -> None:
    """Check each piece alone, so that a refusal names the row of the file it came from."""
    sources, authorities = set(held["sources"]["source"]), set(held["authorities"]["authority"])
    for piece in pieces:
        if piece.table == "sources":
            sources |= set(piece.rows["source"])
        elif piece.table in ("authorities", "authority_names"):
            authorities |= set(piece.rows["authority"])
    for piece in [one for one in pieces if one.table in TABLES]:
        typed = piece.rows.copy()
        for column, kind in TABLES[piece.table].columns.items():
            if kind == "int64":
                _refuse_fractions(piece, column)
            if kind != "str":
                typed[column] = pd.to_numeric(typed[column]).astype(kind)
            elif column not in _MAY_BE_EMPTY:
                typed[column] = typed[column].where(typed[column] != "")
        try:
            check_schema(
                typed,
                name=piece.table,
                file=Path(piece.origin.address),
                sources=tuple(sorted(sources)),
                authorities=tuple(sorted(authorities)),
            )
        except InputError as error:
            raise piece.at_its_row(error) from None
        refuse_steps(piece, held=held[piece.table])
        refuse_shift(piece, held=held[piece.table])
        refuse_older(piece, held=held[piece.table])


def _refuse_fractions(piece: Piece, column: str) -> None:
    bad = ~piece.rows[column].str.fullmatch(rf"-?[0-9]{{1,{_DIGITS}}}")
    if bad.any():
        index = piece.rows.index[bad.to_numpy()][0]
        raise piece.refusal(
            f"a cell of {column} is not a whole number",
            column=column,
            index=index,
            found=repr(piece.rows.loc[index, column]),
            allowed=f"a whole number of up to {_DIGITS} digits",
            cause="a financial year such as 2023-24 entered for the year 2024, or two cells run together",
            remedy="correct the cell; for a year, write the one in which the financial year ends",
        )


def _check_whole(
    folder: Path,
    *,
    pieces: Sequence[Piece],
    held: Mapping[str, pd.DataFrame],
    changes: Sequence[TableChange],
) -> None:
    """Check the tables as they would become: schemas, what a release must hold, and every sum."""
    changed = {change.table for change in changes}
    for name in changed & set(OBSERVED):
        refuse_repeats(name, held_table(name, folder=folder), file=file_of(pieces, name))
    if "programme_rollout" in changed:
        read_tables(("programme_rollout",), folder=folder)
    if changed & EVIDENCE.keys():
        load_evidence(folder)
    if not changed & _SUMMED:
        if changed:
            load_observations(path=folder)
        return
    fresh = {one for change in changes if change.table == "england_children" for one in change.new_releases}
    for release in sorted(fresh) or [max(held["england_children"]["release"], default="")]:
        _refuse_sums(sums_of(release, folder=folder), release=release, pieces=pieces)
        refuse_unchecked(release, folder=folder, file=file_of(pieces, "england_children"))


def _refuse_sums(table: pd.DataFrame, *, release: str, pieces: Sequence[Piece]) -> None:
    failed = table[~table["passed"]]
    if failed.empty:
        return
    row = failed.sort_values("year").iloc[-1]
    check = str(row["check"])
    name = "authority_children" if "_by_authority" in check else "england_children"
    more = f" ({len(failed)} of {len(table)} sums fail)" if len(failed) > 1 else ""
    raise InputError(
        f"a total does not add up: {check}{more}",
        file=file_of(pieces, "spending_authority" if check.startswith("spending") else name),
        field=f"year {int(row['year'])}, release {release}",
        found=f"{row['found']:,.10g}",
        allowed=f"{row['expected']:,.10g} ± {row['tolerance']:,.10g}",
        cause="a figure mistyped or left out, rows of two releases mixed, or another unit",
        remedy="compare the year named with the publisher's table and download it again",
    )
