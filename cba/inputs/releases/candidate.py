"""Lay an arrival over the tables held, in a folder of its own, and let it pass every check before it is kept.

Nothing outside that folder is touched: a refusal leaves the store as it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cba.errors import InputError
from cba.inputs.evidence import load_evidence
from cba.inputs.observations import load_observations
from cba.inputs.reconciliation import PARTS, reconcile
from cba.inputs.releases.checks import refuse_older, refuse_parts, refuse_steps, releases_in
from cba.inputs.releases.downloads import Piece, at_its_row
from cba.inputs.releases.merge import (
    EVIDENCE_KEYS,
    Merged,
    TableChange,
    changes_between,
    held_table,
    merge,
    refuse_duplicates,
    with_marks,
)
from cba.inputs.table_words import TABLES
from cba.inputs.tables import check_schema, read_tables

_DIGITS = 15
"""Most digits of a whole number: far more than any year or count has, and few enough to be held exactly."""

_SUMMED = ("england_children", "authority_children", "authorities", "spending_england", "spending_authority")
"""Tables whose figures are compared with each other."""


@dataclass(frozen=True)
class Candidate:
    """Tables that have passed every check and are not stored yet."""

    folder: Path  # complete, in the layout of ``cba/inputs/published``
    changes: tuple[TableChange, ...]  # empty where the arrival says nothing new
    releases: dict[str, tuple[str, ...]]  # releases held, by table
    notes: tuple[str, ...]


def build_candidate(pieces: Sequence[Piece], *, parent: Path, folder: Path) -> Candidate:
    """Build and check the tables that an arrival would make."""
    held = {name: held_table(name, folder=parent) for name in (*TABLES, *EVIDENCE_KEYS)}
    pieces = [_dated(with_marks(piece), held=held) for piece in pieces]
    for piece in pieces:
        refuse_duplicates(piece)
    pieces = [one for one in (_without_repeats(piece, held=held) for piece in pieces) if len(one.rows)]
    _check_pieces(pieces, held=held)
    shorter = refuse_parts(pieces, held=held)
    merged = merge(pieces, parent=parent)
    changes = changes_between(held, new=merged.tables)
    shutil.copytree(parent, folder, ignore=lambda _, names: [n for n in names if not n.endswith(".csv")])
    folder.chmod(0o755)
    _write(merged, changes=changes, folder=folder)
    _check_whole(folder, pieces=pieces, held=held, changes=changes)
    now = {name: merged.tables.get(name, held[name]) for name in TABLES}
    releases = {name: tuple(sorted(releases_in(table, name=name))) for name, table in now.items()}
    return Candidate(
        folder=folder,
        changes=changes,
        releases={name: several for name, several in releases.items() if several},
        notes=(*shorter, *merged.notes),
    )


def _dated(piece: Piece, *, held: dict[str, pd.DataFrame]) -> Piece:
    """Give deflators without a vintage that of the held run they repeat; refuse others."""
    if piece.table != "gdp_deflator" or (piece.rows["vintage"] != "").all():
        return piece
    old = held["gdp_deflator"]
    latest = old[old["vintage"] == old["vintage"].max()]
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
    return Piece(piece.table, piece.rows.iloc[:0], (), piece.origin)


def _without_repeats(piece: Piece, *, held: dict[str, pd.DataFrame]) -> Piece:
    """Leave out population of a new vintage that says, figure for figure, what the newest one said."""
    if piece.table == "sources":
        known = set(held["sources"]["source"])
        own = "source" in piece.rows and len(piece.rows) == 1 and piece.rows["source"].iloc[0] in known
        return Piece(piece.table, piece.rows.iloc[:0], (), piece.origin) if own else piece
    if piece.table != "population_england":
        return piece
    name = ["kind", "age_band", "mid_year"]
    latest = held[piece.table].sort_values("vintage", kind="stable").drop_duplicates(name, keep="last")
    said = {tuple(row[:-1]): row[-1] for row in latest[[*name, "population"]].to_numpy().tolist()}
    again = all(
        said.get(tuple(row[:-1])) == row[-1] for row in piece.rows[[*name, "population"]].to_numpy().tolist()
    )
    return Piece(piece.table, piece.rows.iloc[:0], (), piece.origin) if again else piece


def _check_pieces(pieces: Sequence[Piece], *, held: dict[str, pd.DataFrame]) -> None:
    """Check each piece alone, so that a refusal names the row of the file it came from."""
    sources = _with_arriving("source", "sources", pieces, held)
    authorities = _with_arriving("authority", "authorities", pieces, held)
    authorities |= _with_arriving("authority", "authority_names", pieces, held)
    for piece in pieces:
        if piece.table not in TABLES:
            continue
        typed = piece.rows.copy()
        for column, kind in TABLES[piece.table].columns.items():
            if kind == "int64":
                _refuse_fractions(piece, column)
            if kind != "str":
                typed[column] = pd.to_numeric(typed[column]).astype(kind)
            elif column not in ("flag", "note", "predecessors", "successors", "change_date"):
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
            raise at_its_row(error, piece=piece) from None
        refuse_steps(piece, held=held[piece.table])
        refuse_older(piece, held=held[piece.table])


def _refuse_fractions(piece: Piece, column: str) -> None:
    bad = ~piece.rows[column].str.fullmatch(rf"-?[0-9]{{1,{_DIGITS}}}")
    if bad.any():
        index = int(piece.rows.index[bad.to_numpy()][0])
        raise InputError(
            f"a cell of {column} is not a whole number",
            file=piece.origin.address,
            field=f"column {column}, row {piece.lines[index]}",
            found=repr(piece.rows.loc[index, column]),
            allowed=f"a whole number of up to {_DIGITS} digits",
            cause="a financial year such as 2023-24 entered for the year 2024, or two cells run together",
            remedy="correct the cell; for a year, write the one in which the financial year ends",
        )


def _with_arriving(
    column: str, table: str, pieces: Sequence[Piece], held: dict[str, pd.DataFrame]
) -> set[str]:
    arriving = {key for piece in pieces if piece.table == table for key in piece.rows[column]}
    return arriving | (set(held[table][column]) if table in held else set())


def _write(merged: Merged, *, changes: Sequence[TableChange], folder: Path) -> None:
    """Write the tables that differ; the others keep their bytes."""
    for name in {change.table for change in changes}:
        file = folder / f"{name}.csv"
        file.unlink(missing_ok=True)
        merged.tables[name].to_csv(file, index=False, lineterminator="\n")


def _check_whole(
    folder: Path,
    *,
    pieces: Sequence[Piece],
    held: dict[str, pd.DataFrame],
    changes: Sequence[TableChange],
) -> None:
    """Check the tables as they would become: schemas, what a release must hold, and every sum."""
    if not changes:
        return
    if any(change.table == "programme_rollout" for change in changes):
        read_tables(("programme_rollout",), folder=folder)
    if any(change.table in EVIDENCE_KEYS for change in changes):
        load_evidence(folder)
    if not any(change.table in _SUMMED for change in changes):
        load_observations(path=folder)
        return
    fresh = {one for change in changes if change.table == "england_children" for one in change.new_releases}
    before = max(held["england_children"]["release"], default="")
    newest = max([before, *fresh])
    watched = sorted(fresh) or [newest]
    earlier: set[str] = set()
    if before and fresh:
        earlier = _own_year_checks(reconcile(load_observations(int(before), path=folder)), int(before))
    for release in watched:
        table = reconcile(load_observations(int(release), path=folder))
        _refuse_sums(table, release=release, pieces=pieces)
        now = _own_year_checks(table, int(release))
        lost = sorted(earlier - now)
        if lost:
            raise InputError(
                f"a sum of release {release} can no longer be checked",
                file=_file_of(pieces, "england_children"),
                field=f"year {release}",
                found=f"no figures for: {lost[0]}",
                allowed="every sum that could be checked in the release before",
                cause="a breakdown left out, or figures withheld that used to be printed",
                remedy="download the file again; a breakdown that is gone must be decided on by a person",
            )
        earlier = now


def _own_year_checks(table: pd.DataFrame, year: int) -> set[str]:
    parts = tuple(f"{name} sums to the total" for name in PARTS)
    return set(table.loc[(table["year"] == year) & table["check"].isin(parts), "check"])


def _file_of(pieces: Sequence[Piece], table: str) -> str:
    return next((piece.origin.address for piece in pieces if piece.table == table), f"{table}.csv")


def _refuse_sums(table: pd.DataFrame, *, release: str, pieces: Sequence[Piece]) -> None:
    failed = table[~table["passed"]]
    if failed.empty:
        return
    row = failed.sort_values("year").iloc[-1]
    check = str(row["check"])
    if check.startswith("spending"):
        name = "spending_authority"
    else:
        name = "authority_children" if "_by_authority" in check else "england_children"
    more = f" ({len(failed)} of {len(table)} sums fail)" if len(failed) > 1 else ""
    raise InputError(
        f"a total does not add up: {check}{more}",
        file=_file_of(pieces, name),
        field=f"year {int(row['year'])}, release {release}",
        found=f"{row['found']:,.10g}",
        allowed=f"{row['expected']:,.10g} ± {row['tolerance']:,.10g}",
        cause="a figure mistyped or left out, rows of two releases mixed, or another unit",
        remedy="compare the year named with the publisher's table and download it again",
    )
