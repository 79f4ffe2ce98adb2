"""Lay an arrival over the tables held, in a folder of its own, and let it pass every check before it is kept.

Nothing outside that folder is touched: a refusal leaves the store as it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cba.errors import InputError
from cba.inputs.evidence import load_evidence
from cba.inputs.observations import load_observations
from cba.inputs.reconciliation import PARTS, reconcile
from cba.inputs.releases.checks import file_of, refuse_older, refuse_parts, refuse_steps, releases_in
from cba.inputs.releases.downloads import Piece
from cba.inputs.releases.merge import (
    EVIDENCE_KEYS,
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
    held = {name: held_table(name, folder=parent) for name in (*TABLES, *EVIDENCE_KEYS)}
    pieces = [_dated(with_marks(piece), held=held["gdp_deflator"]) for piece in pieces]
    for piece in pieces:
        refuse_duplicates(piece)
    pieces = [piece for piece in pieces if not _is_repeated(piece, held=held)]
    _check_pieces(pieces, held=held)
    shorter = refuse_parts(pieces, held=held)
    tables, notes = merge(pieces, held=held)
    changes = changes_between(held, new=tables)
    shutil.copytree(parent, folder, ignore=lambda _, names: [n for n in names if not n.endswith(".csv")])
    folder.chmod(0o755)
    for change in changes:  # the other tables keep their bytes
        file = folder / f"{change.table}.csv"
        file.unlink(missing_ok=True)
        tables[change.table].to_csv(file, index=False, lineterminator="\n")
    _check_whole(folder, pieces=pieces, held=held, changes=changes)
    releases = {name: tuple(sorted(releases_in(tables.get(name, held[name]), name=name))) for name in TABLES}
    releases = {name: several for name, several in releases.items() if several}
    return NewTables(folder, changes, releases, (*shorter, *notes))


def _dated(piece: Piece, *, held: pd.DataFrame) -> Piece:
    """Leave out deflators without a vintage that repeat those of the newest vintage; refuse others."""
    if piece.table != "gdp_deflator" or (piece.rows["vintage"] != "").all():
        return piece
    latest = held[held["vintage"] == held["vintage"].max()]
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
    return piece.emptied()


def _is_repeated(piece: Piece, *, held: Mapping[str, pd.DataFrame]) -> bool:
    """Return whether a piece says nothing: no rows, a source cited before, or the newest population again."""
    rows = piece.rows
    if piece.table == "sources" and len(rows) == 1 and "source" in rows:
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
    if "programme_rollout" in changed:
        read_tables(("programme_rollout",), folder=folder)
    if changed & set(EVIDENCE_KEYS):
        load_evidence(folder)
    if not changed & _SUMMED:
        if changed:
            load_observations(path=folder)
        return
    fresh = {one for change in changes if change.table == "england_children" for one in change.new_releases}
    before = max(held["england_children"]["release"], default="")
    earlier = _checked_sums(before, folder=folder)[1] if before and fresh else set()
    for release in sorted(fresh) or [before]:
        table, now = _checked_sums(release, folder=folder)
        _refuse_sums(table, release=release, pieces=pieces)
        if lost := sorted(earlier - now):
            raise InputError(
                f"a sum of release {release} can no longer be checked",
                file=file_of(pieces, "england_children"),
                field=f"year {release}",
                found=f"no figures for: {lost[0]}",
                allowed="every sum that could be checked in the release before",
                cause="a breakdown left out, or figures withheld that used to be printed",
                remedy="download the file again; a breakdown that is gone must be decided on by a person",
            )
        earlier = now


def _checked_sums(release: str, *, folder: Path) -> tuple[pd.DataFrame, set[str]]:
    """Reconcile a release; also return which breakdowns could be summed in its own year."""
    table = reconcile(load_observations(int(release), path=folder))
    parts = [f"{name} sums to the total" for name in PARTS]
    return table, set(table.loc[(table["year"] == int(release)) & table["check"].isin(parts), "check"])


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
