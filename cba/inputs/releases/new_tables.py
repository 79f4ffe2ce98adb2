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
from cba.inputs.reconciliation import PARTS, reconcile
from cba.inputs.releases.downloads import PARTS_OF_GROUPS, SUPERSEDED, Origin, Piece
from cba.inputs.releases.merge import (
    TableChange,
    changes_between,
    held_table,
    listed,
    merge,
    refuse_duplicates,
    releases_in,
    with_marks,
)
from cba.inputs.safe_files import write_csv
from cba.inputs.table_words import EVERY_TABLE, EVIDENCE, OBSERVED, TABLES
from cba.inputs.tables import LARGEST_STEP, SMALLEST_WATCHED, check_schema, read_tables

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
    pieces, gaps = _gaps_kept(pieces, held=held)
    pieces, unmixed = _unmixed(pieces, held=held["england_children"])
    _check_pieces(pieces, held=held)
    shorter = [*remarks, *passed_over, *gaps, *unmixed, *refuse_parts(pieces, held=held)]
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


def _gaps_kept(pieces: Sequence[Piece], *, held: Mapping[str, pd.DataFrame]) -> tuple[list[Piece], list[str]]:
    """Keep a gap that the publisher left in one series as empty rows, flagged; a year that no series has is refused."""
    result, told = list[Piece](), dict[str, list[str]]()
    for piece in pieces:
        table = TABLES.get(piece.table)
        if table is None or not (table.year and table.value) or "release" in table.columns:
            result.append(piece)
            continue
        names = [name for name in table.key if name != table.year]
        before = held[piece.table]
        printed = {int(year) for year in {*before[table.year], *piece.rows[table.year]} if year.isdigit()}
        last = before.assign(at=before[table.year].astype(int)).groupby(names)["at"].max().to_dict()
        added, lines = [], []
        for at, row in enumerate(piece.rows.to_dict("records")):
            key = tuple(row[name] for name in names)
            year = int(row[table.year]) if row[table.year].isdigit() else 0
            missing = range(last.get(key, year) + 1, year)
            if missing and printed.issuperset(missing):
                empty = row | {table.value: "", "flag": "not_available;not printed"}
                added += [empty | {table.year: str(one)} for one in missing]
                lines += [piece.lines[at]] * len(missing)
                span = f"{piece.table}: not printed from {missing[0]} to {missing[-1]}"
                told.setdefault(span, []).append(" ".join(key))
            last[key] = max(last.get(key, year), year)
        rows = pd.concat([piece.rows, pd.DataFrame(added, columns=piece.rows.columns)], ignore_index=True)
        result.append(replace(piece, rows=rows, lines=(*piece.lines, *lines)) if added else piece)
    return result, [f"{span}: {listed(names)}" for span, names in told.items()]


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
        _refuse_sums(_sums(release, folder=folder), release=release, pieces=pieces)
        _refuse_unchecked(release, folder=folder, file=file_of(pieces, "england_children"))


def _refuse_unchecked(release: str, *, folder: Path, file: str) -> None:
    """Refuse a release without the figures of a sum that the release before let be checked in its own year."""
    rows = held_table("england_children", folder=folder)
    before = max((one for one in set(rows["release"]) if one < release), default="")
    own, now = _own_years(rows[rows["release"] == release], rows[rows["release"] < release], release)
    came = {f"{measure}_by_{breakdown}" for measure, breakdown in now[["measure", "breakdown"]].to_numpy()}
    came -= {f"{measure}_by_{breakdown}" for measure, breakdown in _without_parts(own, now)}
    parts = [f"{name} sums to the total" for name in PARTS if name in came]
    checked = []
    for one in (before, release) if before else ():
        table = _sums(one, folder=folder)
        checked.append(set(table.loc[(table["year"] == int(one)) & table["check"].isin(parts), "check"]))
    if checked and (lost := sorted(checked[0] - checked[1])):
        raise InputError(
            f"a sum of release {release} can no longer be checked",
            file=file,
            field=f"year {release}",
            found=f"no figures for: {lost[0]}",
            allowed="every sum that could be checked in the release before",
            cause="a breakdown left out, or figures withheld that used to be printed",
            remedy="download the file again; a breakdown that is gone must be decided on by a person",
        )


def _sums(release: str, *, folder: Path) -> pd.DataFrame:
    return reconcile(load_observations(int(release), path=folder))


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


# --- Rules a release must meet when it arrives: newer than what is held, whole, in the units of the one before ---

# The schemas of the tables say what one table may hold; these rules compare an arrival with what is held.

TOGETHER = ("england_children", "authority_children")
"""Tables of one release that are of no use without each other."""


UNIFORM_SINCE = 2021
"""First release that prints every category of a breakdown for the same years."""


_WITHHELD = "download the file again; a withheld figure keeps its row, with a flag"


def refuse_older(piece: Piece, *, held: pd.DataFrame) -> None:
    """Refuse rows of a release older than the newest held, unless they repeat what is held."""
    column = TABLES[piece.table].numbered
    if not column or held.empty:
        return
    newest = max(held[column])
    old = piece.rows[piece.rows[column] < newest]
    same = [name for name in held.columns if name not in ("source", "flag")]
    known = set(map(tuple, held[same].to_numpy()))
    for index, row in zip(old.index, old[same].to_numpy(), strict=True):
        if tuple(row) not in known:
            raise piece.refusal(
                f"the file holds an older {column} than the newest held, and says something new in it",
                column=column,
                index=index,
                found=f"{column} {old.loc[index, column]}",
                allowed=f"{newest} (the newest held) or later",
                cause="an earlier download taken for the new one; what was known then is not rewritten",
                remedy="give the newest release; a wrong figure of an old one is corrected by hand",
            )


def refuse_parts(pieces: Sequence[Piece], *, held: Mapping[str, pd.DataFrame]) -> list[str]:
    """Refuse a new release that lacks something the release before it had.

    Sentences on what is shorter than before and yet accepted.
    """
    arrived, fresh, notes = {}, {}, list[str]()
    for name in (*TOGETHER, "care_duration"):
        rows = [piece.rows for piece in pieces if piece.table == name]
        arrived[name] = pd.concat(rows, ignore_index=True) if rows else held[name].iloc[:0]
        fresh[name] = set(arrived[name]["release"]) - set(held[name]["release"])
    for release in sorted(fresh["england_children"] | fresh["authority_children"]):
        for name, other in (TOGETHER, TOGETHER[::-1]):
            if release not in fresh[name] and not held[name].empty:
                raise InputError(
                    f"release {release} came in part",
                    file=file_of(pieces, other),
                    field=f"release {release}",
                    found=f"rows of {other} and none of {name}",
                    allowed=" and ".join(TOGETHER),
                    cause="one of the files of the release left out",
                    remedy="give all files of the release in one call: --from England.csv authorities.csv",
                )
        england, authorities = (_own_years(arrived[name], held[name], release) for name in TOGETHER)
        notes += _without(*england, release=release)
        _refuse_missing_categories(*england, release=release, file=file_of(pieces, "england_children"))
        _refuse_ragged(arrived["england_children"], release, file_of(pieces, "england_children"))
        _refuse_missing_authorities(*authorities, release=release, file=file_of(pieces, "authority_children"))
    return notes + [
        f"release {release} came without the mean length of stay"
        for release in sorted(fresh["england_children"] - fresh["care_duration"])
        if not held["care_duration"].empty
    ]


def _without(before: pd.DataFrame, now: pd.DataFrame, *, release: str) -> list[str]:
    """Say which breakdowns a release does not have and the release before had: it is taken with what it has."""
    names = ["measure", "breakdown"]
    had, has = (set(map(tuple, rows[names].to_numpy())) for rows in (before, now))
    lost = sorted(f"{measure} by {one}" if one != "total" else measure for measure, one in had - has)
    lost += [f"the parts of groups of {measure} by {one}" for measure, one in _without_parts(before, now)]
    return [f"release {release} came without {', '.join(lost)}"] if lost else []


def _without_parts(before: pd.DataFrame, now: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the breakdowns that came as groups only, where the release before had parts of groups."""
    names = ["measure", "breakdown", "category"]
    had, has = (set(map(tuple, rows[names].to_numpy())) for rows in (before, now))
    came = {one[:2] for one in has}
    return sorted({one[:2] for one in had - has if one[2] in PARTS_OF_GROUPS and one[:2] in came})


def _unmixed(pieces: Sequence[Piece], *, held: pd.DataFrame) -> tuple[list[Piece], list[str]]:
    """Leave out groups of earlier years that came without their parts, which the release before has for these years.

    Groups of one release and parts of another do not add up; groups of a year that no release has yet stay.
    """
    rows = pd.concat([held.iloc[:0], *(one.rows for one in pieces if one.table == "england_children")])
    result, notes = list(pieces), []
    for release in sorted(set(rows["release"]) - set(held["release"])):
        own, now = _own_years(rows, held, release)
        for measure, breakdown in _without_parts(own, now):
            whole = held[(held["measure"] == measure) & held["category"].isin(PARTS_OF_GROUPS)]
            for at, piece in enumerate(result):
                if piece.table == "england_children":
                    out = (piece.rows["measure"] == measure) & (piece.rows["breakdown"] == breakdown)
                    out &= piece.rows["year"].isin(whole["year"]) & (piece.rows["release"] == release)
                    result[at] = piece.only((~out).to_numpy())
            notes.append(
                f"{measure} by {breakdown} of years to {max(whole['year'])} stays as the release before has it: "
                f"release {release} has the groups without their parts"
            )
    return result, notes


def refuse_lacking(folder: Path) -> None:
    """Refuse tables whose newest release lacks what an arrival of it would have to bring."""
    tables = {name: held_table(name, folder=folder) for name in (*TOGETHER, "care_duration")}
    newest = max(max(table["release"]) for table in tables.values())
    held = {name: table[table["release"] != newest] for name, table in tables.items()}
    pieces = [
        Piece(
            name,
            rows=table[table["release"] == newest].reset_index(drop=True),
            lines=(),
            origin=Origin(name, address=str(folder / f"{name}.csv"), sha256="", bytes=0, retrieved=""),
        )
        for name, table in tables.items()
    ]
    refuse_parts(pieces, held=held)
    for name in OBSERVED:
        refuse_repeats(name, held_table(name, folder=folder), file=str(folder / f"{name}.csv"))
    _refuse_unchecked(newest, folder=folder, file=pieces[0].origin.address)


def file_of(pieces: Sequence[Piece], table: str) -> str:
    """Return the file that the rows of a table came in."""
    return next((piece.origin.address for piece in pieces if piece.table == table), f"{table}.csv")


def _own_years(rows: pd.DataFrame, held: pd.DataFrame, release: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that the release before has on its own year, held or arriving too, and those of this one."""
    every = pd.concat([held, rows], ignore_index=True)
    before = max((one for one in set(every["release"]) if one < release), default="")
    own = every[every["release"] == every["year"]]
    return own[own["release"] == before], rows[(rows["release"] == release) & (rows["year"] == release)]


def _refuse_missing_categories(before: pd.DataFrame, now: pd.DataFrame, *, release: str, file: str) -> None:
    names = ["measure", "breakdown", "category"]
    had, has = (set(map(tuple, rows[names].to_numpy())) for rows in (before, now))
    came = {one[:2] for one in has}  # what is lacking as a whole is said, not refused
    lost = sorted(one for one in had - has if one[2] not in SUPERSEDED | PARTS_OF_GROUPS and one[:2] in came)
    if lost:
        measure, breakdown, category = lost[0]
        here, there = (sorted(one[2] for one in rows if one[:2] == lost[0][:2]) for rows in (has, had))
        raise InputError(
            f"release {release} lacks {category} in {measure} by {breakdown}"
            + (f", and {len(lost) - 1} more categories" if len(lost) > 1 else ""),
            file=file,
            field=f"column category, release {release}, year {release}, {measure}, {breakdown}",
            found=", ".join(here) or "no category",
            allowed=", ".join(there),
            cause="a file cut off between two rows, a band left out, or categories the publisher regrouped",
            remedy="download the file again; a regrouping is entered in layouts.toml by a person",
        )


def _refuse_ragged(rows: pd.DataFrame, release: str, file: str) -> None:
    """Every category of a breakdown is printed for the same years since 2021; fewer means rows were lost."""
    if int(release) < UNIFORM_SINCE:
        return
    for (measure, breakdown), several in rows[rows["release"] == release].groupby(["measure", "breakdown"]):
        years = set(several["year"])
        for category, found in several.groupby("category")["year"]:
            if lost := sorted(years - set(found)):
                raise InputError(
                    f"release {release} lacks years of {category} in {measure} by {breakdown}",
                    file=file,
                    field=f"column year, release {release}, {measure}, {breakdown}, {category}",
                    found=f"without {', '.join(lost)}",
                    allowed=", ".join(sorted(years)),
                    cause="a file cut off between two rows, or a row deleted",
                    remedy=_WITHHELD,
                )


def _refuse_missing_authorities(before: pd.DataFrame, now: pd.DataFrame, *, release: str, file: str) -> None:
    for measure, rows in before.groupby("measure"):
        was, has = set(rows["authority"]), set(now.loc[now["measure"] == measure, "authority"])
        lost = sorted(was - has)
        if has and lost and not has - was:  # codes that only vanish: no reorganisation explains it
            raise InputError(
                f"release {release} lacks authorities in {measure}",
                file=file,
                field=f"column authority, release {release}, year {release}, {measure}",
                found=f"without {listed(lost)}",
                allowed=f"the {len(was)} authorities of the release before, or their successors",
                cause="a file cut off between two rows",
                remedy=_WITHHELD,
            )


def refuse_steps(piece: Piece, *, held: pd.DataFrame) -> None:
    """Refuse figures so far from the newest held of the same series that they must be in another unit."""
    value, watched = TABLES[piece.table].figure, TABLES[piece.table].watched
    if watched is None or held.empty:
        return
    year = "mid_year" if "mid_year" in held else "year"
    old, new = held, piece.rows
    for column, words in watched.items():
        old, new = (rows[rows[column].isin(words)] for rows in (old, new))
    left_out = {value, year, "release", "vintage", "flag", "source", "census_base", "price_basis", "kind"}
    names = [name for name in held.columns if name not in left_out]
    numbers = old.assign(figure=pd.to_numeric(old[value]), at=old[year].astype(int)).dropna(subset="figure")
    latest = numbers.sort_values("at", kind="stable").drop_duplicates(names, keep="last")
    both = new.reset_index().merge(latest[[*names, "figure", "at"]], on=names)
    near = (
        (both[value] != "")
        & ((both[year].astype(int) - both["at"]).abs() <= 1)
        & (both["figure"] >= SMALLEST_WATCHED)
    )
    both = both[near]
    step = both[value].astype(float) / both["figure"]
    wrong = both[~step.between(1 / LARGEST_STEP, LARGEST_STEP, inclusive="neither")]
    if len(wrong):
        row = wrong.iloc[0]
        raise piece.refusal(
            "a figure is in another unit than the series it continues",
            column=value,
            index=row["index"],
            found=f"{row[value]} for {', '.join(str(row[name]) for name in names)}, {row[year]}",
            allowed=f"within a factor of {LARGEST_STEP:g} of {row['figure']:,g}, the newest held",
            cause="thousands for ones, pounds for million pounds, or a yearly for a weekly cost",
            remedy="convert to the unit of the column",
        )


FEWEST_SERIES = 5
"""Fewest series whose figures are compared: all of fewer may stand still by chance."""


def refuse_repeats(name: str, rows: pd.DataFrame, *, file: str) -> None:
    """Refuse a table whose newest year repeats the year before it row by row."""
    table = TABLES[name]
    if "year" not in rows or not table.figure or "base" in rows or rows.empty:
        return
    names = [one for one in table.key if one not in ("year", "release")]
    at = rows["year"].astype(int)
    if "release" in rows:  # each year as first published
        rows, at = rows[rows["release"] == rows["year"]], at[rows["release"] == rows["year"]]
    newest, now = at.max(), rows[at == at.max()]
    earlier = at[at < newest].max()
    both = now.merge(rows[at == earlier], on=names, suffixes=("", "_before"))
    figures = [pd.to_numeric(both[one]) for one in (table.figure, f"{table.figure}_before")]
    told = figures[0].notna() & figures[1].notna() & (figures[0] != 0)
    if told.sum() >= FEWEST_SERIES and (figures[0] == figures[1])[told].all():
        raise InputError(
            f"{name} repeats the figures of {earlier} in {newest}, row by row",
            file=file,
            field=f"column {table.figure}, year {newest}",
            found=f"the same {told.sum()} figures as in {earlier}",
            allowed="figures of the new year",
            cause="the last release copied and given a new year",
            remedy="download the new release",
        )


def refuse_shift(piece: Piece, *, held: pd.DataFrame) -> None:
    """Refuse figures that are those held, of three years or more, but all of them for the year before or after."""
    value = TABLES[piece.table].figure
    year = "mid_year" if "mid_year" in held else "year"
    if year not in held or not value or held.empty:
        return
    names = [one for one in TABLES[piece.table].key if one not in (year, "release", "vintage")]
    arrived = piece.rows[[*names, year, value]].assign(at=piece.rows[year].astype(int), row=piece.rows.index)
    known = held[[*names, value]].assign(at=held[year].astype(int)).drop_duplicates()
    arrived = arrived[arrived[value] != ""]
    here = set(arrived.merge(known, on=[*names, value, "at"])["row"])
    for years in (1, -1):
        moved = arrived.merge(known.assign(at=known["at"] + years), on=[*names, value, "at"])
        told = arrived[arrived["at"].isin(known["at"] + years)]
        if moved["at"].nunique() >= 3 and not here and set(told["row"]) <= set(moved["row"]):
            first = moved.iloc[0]
            raise piece.refusal(
                f"the figures of {piece.table} are those held, moved by a year",
                column=year,
                index=first["row"],
                found=f"{first[value]} for {first['at']}, held for {first['at'] - years}",
                allowed="each figure in its own year",
                cause="a publisher that prints the population of the middle of year t - 1 on the row of period t",
                remedy=f"say so in the mapping: shift_years = {-years}; or correct the years",
            )
