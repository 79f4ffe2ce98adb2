"""Rules a release must meet when it arrives: newer than what is held, whole, in the units and years of the one before.

The schemas of the tables say what one table may hold; these rules compare an arrival with what is held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cba.errors import InputError
from cba.inputs.observations import load_observations
from cba.inputs.reconciliation import PARTS, reconcile
from cba.inputs.releases.downloads import PARTS_OF_GROUPS, SUPERSEDED, Origin, Piece
from cba.inputs.releases.merge import held_table, listed
from cba.inputs.table_words import OBSERVED, TABLES
from cba.inputs.tables import LARGEST_STEP, SMALLEST_WATCHED

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


def unmixed(pieces: Sequence[Piece], *, held: pd.DataFrame) -> tuple[list[Piece], list[str]]:
    """Leave out groups of earlier years that came without their parts, which the release before has for these years.

    Groups of one release and parts of another do not add up; groups of a year that no release has yet stay.
    """
    rows = pd.concat([held.iloc[:0], *(one.rows for one in pieces if one.table == "england_children")])
    result, notes = list(pieces), []
    for release in sorted(set(rows["release"])):
        own, now = _own_years(rows, held, release)
        for measure, breakdown in _without_parts(own, now):
            known = held[(held["release"] < release) & (held["measure"] == measure)]
            whole = known[known["category"].isin(PARTS_OF_GROUPS)]
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
    refuse_unchecked(newest, folder=folder, file=pieces[0].origin.address)


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


def refuse_unchecked(release: str, *, folder: Path, file: str) -> None:
    """Refuse a release without the figures of a sum that the release before let be checked in its own year."""
    rows = held_table("england_children", folder=folder)
    before = max((one for one in set(rows["release"]) if one < release), default="")
    own, now = _own_years(rows[rows["release"] == release], rows[rows["release"] < release], release)
    came = {f"{measure}_by_{breakdown}" for measure, breakdown in now[["measure", "breakdown"]].to_numpy()}
    came -= {f"{measure}_by_{breakdown}" for measure, breakdown in _without_parts(own, now)}
    parts = [f"{name} sums to the total" for name in PARTS if name in came]
    checked = []
    for one in (before, release) if before else ():
        table = sums_of(one, folder=folder)
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


def sums_of(release: str, *, folder: Path) -> pd.DataFrame:
    """Return every sum of a release beside what it should be."""
    return reconcile(load_observations(int(release), path=folder))


def gaps_kept(pieces: Sequence[Piece], *, held: Mapping[str, pd.DataFrame]) -> tuple[list[Piece], list[str]]:
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
