"""Take in what is new, from downloaded files or from the configured sources, and keep it as a snapshot.

:func:`update_from_files` and :func:`update_from_data` end in the same checks, and both leave the store untouched
where anything is refused. The store is held by one update only while it is written to; where another has stored
something meanwhile, the work is done again on what is held now.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import pandas as pd

from cba.errors import InputError, NeedsPerson, SnapshotDamaged
from cba.inputs.data_sources import DataSource
from cba.inputs.files import held_lock, published_folder
from cba.inputs.leftovers import scratch_folder
from cba.inputs.releases.downloads import Origin, Piece, Sheet, pieces_of, read_files, unknown_layout
from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.merge import TableChange, held_table, in_words
from cba.inputs.releases.new_tables import NewTables, build_tables
from cba.inputs.releases.publishers import catalogue_csv, deflator_piece, get_json, newest, population_rows
from cba.inputs.releases.rows import (
    cited_row,
    mapped_pieces,
    nearest_source,
    of_no_use,
    refuse_renamed,
    shipped_sources,
    source_of,
)
from cba.inputs.releases.snapshots import (
    Snapshot,
    current_snapshot,
    folder_identifier,
    storing_errors,
    write_snapshot,
)

if TYPE_CHECKING:
    from cba.inputs.data_sources import Data


# --- One update of a store of snapshots at a time; what a killed one left half-written is removed by the next ---


LOCK = ".lock"


_SECONDS = 120.0


@contextmanager
def storing_alone(store: Path) -> Iterator[None]:
    """Be the only update that stores into a store of snapshots. `store`: made where it does not exist."""
    busy = SnapshotDamaged(
        f"another update has held the store of snapshots for over {_SECONDS:.0f} seconds",
        file=store / LOCK,
        cause="two updates at once, one of them stuck",
        remedy="wait for it or end it, then update again",
    )
    with held_lock(store / LOCK, wait=_SECONDS, busy=busy, trouble=storing_errors(store)):
        for stale in store.glob(".*.part"):  # its writer is gone: no one else can hold the lock
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink(missing_ok=True)
        yield


@dataclass(frozen=True)
class UpdateOutcome:
    """What an update found."""

    snapshot: Snapshot | None  # the newest snapshot; None while the shipped tables are the newest
    changed: bool  # whether there is something new (in a dry run: would be)
    summary: tuple[str, ...]  # sentences: new releases, revised figures
    held_reason: str | None = None  # why a person must decide; nothing was taken then
    changes: tuple[TableChange, ...] = ()  # the same as records


NOTHING_NEW = "nothing new"


@dataclass(frozen=True)
class Base:
    """What an update starts from: a folder of tables, its identifier, and the snapshot that is current."""

    folder: Path
    identifier: str
    current: Snapshot | None


@dataclass(frozen=True)
class Arrival:
    """What came in: pieces of tables, where they are from, and what there is to say."""

    pieces: Sequence[Piece]
    origins: Sequence[Origin]
    notes: Sequence[str] = ()


def update_from_files(
    files: Sequence[str | Path],
    *,
    store: str | Path,
    sources: Sequence[DataSource] = (),
    dry_run: bool = False,
) -> UpdateOutcome:
    """Take in downloaded files. `dry_run`: check everything and store nothing."""
    if not files:
        raise InputError(
            "no file was named",
            field="--from",
            allowed="one CSV file or more",
            cause="a pattern that matched nothing",
            remedy="name the files of the release",
        )
    retrieved = datetime.now(UTC).isoformat(timespec="seconds")
    sheets = [sheet for file in files for sheet in read_files(file, retrieved=retrieved)]
    return _taken(lambda base: _read(sheets, base=base, sources=sources), store=Path(store), dry_run=dry_run)


def _read(sheets: Sequence[Sheet], *, base: Base, sources: Sequence[DataSource]) -> Arrival:
    """Take from downloaded files what the tables hold: as the analysis maps it, in our layouts, or as published."""
    authorities = held_table("authorities", folder=base.folder)
    pieces: list[Piece] = []
    notes = []
    for sheet in sheets:
        source = source_of(sheet, sources=sources)
        found = None if source else pieces_of(sheet)
        if source is None and found is None:
            source = source_of(sheet, sources=shipped_sources())
            refuse_renamed(sheet, sources=sources, shipped=source)
            if source is None and not of_no_use(sheet):
                source = nearest_source(sheet, sources=sources or shipped_sources())
        if source is not None:
            found = mapped_pieces(sheet, source=source, authorities=authorities)
        if not found:
            name = of_no_use(sheet) if found is None else "a table with no breakdown that is kept"
            if not name:
                raise unknown_layout(sheet)
            notes.append(f"{sheet.origin.name}: {name}; nothing in it is used")
        pieces += found or ()
    return Arrival(pieces, [sheet.origin for sheet in sheets], notes)


def update_from_data(
    data: Data,
    *,
    store: str | Path | None = None,
    pace: Pace | None = None,
    dry_run: bool = False,
) -> UpdateOutcome:
    """Ask configured sources for what is new, and take it in.

    With `held_reason`, and nothing taken, where a data set was withdrawn, superseded or changed in a major
    version. `data`: the ``[data]`` table of an analysis. `dry_run`: check everything and store nothing.
    """
    if all(source.kind == "file" for source in data.sources):
        raise InputError(
            "the analysis names no sources to ask",
            field="data.sources",
            found="none",
            allowed="[[data.sources]] tables, or downloaded files",
            cause="the analyses that come with the package run without a network",
            remedy="download the release and use `cba update --from FILE`, or describe the sources",
        )
    place = Path(data.store if store is None else store)
    try:
        return _taken(lambda base: _asked(data, base=base, pace=pace or Pace()), store=place, dry_run=dry_run)
    except NeedsPerson as reason:
        held_back = ("held: a person must decide",)
        return UpdateOutcome(current_snapshot(place), False, held_back, held_reason=str(reason))


def _asked(data: Data, *, base: Base, pace: Pace) -> Arrival:
    """Ask every source for what it holds now."""
    authorities = held_table("authorities", folder=base.folder)
    answers = [
        ask(source, base=base, authorities=authorities, pace=pace)
        for source in data.sources
        if source.kind != "file"
    ]
    return Arrival([piece for _, pieces in answers for piece in pieces], [origin for origin, _ in answers])


def ask(
    source: DataSource, *, base: Base, authorities: pd.DataFrame, pace: Pace
) -> tuple[Origin, tuple[Piece, ...]]:
    """Ask one source for what it holds now. No piece from a version that is already held."""
    if source.kind == "hmt_deflator":
        first = int(held_table("gdp_deflator", folder=base.folder)["year"].min())
        piece = deflator_piece(source, first_year=first, pace=pace)
        return piece.origin, (piece, cited_row(source, origin=piece.origin))
    if source.kind == "ees":
        known = base.current.sources if base.current else ()
        held = next((one for one in known if one.name == source.name), None)
        origin, sheet, units = newest(source, held=held, pace=pace)
        if sheet is None:
            return origin, ()
    else:
        read = catalogue_csv if source.kind == "ees_csv" else population_rows
        sheet, units = read(source, pace=pace), {}
    return sheet.origin, mapped_pieces(sheet, source=source, authorities=authorities, units=units)


def _taken(arrival: Callable[[Base], Arrival], *, store: Path, dry_run: bool) -> UpdateOutcome:
    """Check what arrived and store it where it says something new.

    Asking and checking take minutes, so they hold nothing up. Only where another update has stored something
    meanwhile are they done again, now alone: its figures would be lost otherwise.
    """
    with scratch_folder("update") as place:
        base = _base(store)
        arrived = arrival(base)
        tables = build_tables(arrived.pieces, parent=base.folder, folder=place / "published")
        if dry_run or not tables.changes:
            return _outcome(base.current, arrived=arrived, tables=tables)
        with storing_alone(store):
            if (now := _base(store)) != base:
                base = now
                arrived = arrival(base)
                tables = build_tables(arrived.pieces, parent=base.folder, folder=place / "again")
            if not tables.changes:
                return _outcome(base.current, arrived=arrived, tables=tables)
            # What the snapshot before was made from stays on record, but for sources that sent something newer.
            origins = (*(base.current.sources if base.current else ()), *arrived.origins)
            snapshot = write_snapshot(
                tables.folder,
                store=store,
                parent=base.identifier,
                sources=tuple({one.name: one for one in origins}.values()),
                changes=tables.changes,
                releases=tables.releases,
                notes=(*tables.notes, *arrived.notes),
            )
    return _outcome(snapshot, arrived=arrived, tables=tables)


def _base(store: Path) -> Base:
    """Return what an update of a store starts from: its newest snapshot, else the tables in force."""
    current = current_snapshot(store)
    if current is not None:
        return Base(current.folder, current.identifier, current)
    folder = published_folder()
    return Base(folder, folder_identifier(folder), None)


def _outcome(snapshot: Snapshot | None, *, arrived: Arrival, tables: NewTables) -> UpdateOutcome:
    """Say what an update found."""
    if not tables.changes:
        return UpdateOutcome(snapshot, False, (NOTHING_NEW, *arrived.notes))
    said = in_words(tables.changes, notes=(*tables.notes, *arrived.notes))
    return UpdateOutcome(snapshot, True, said, changes=tables.changes)


# --- Days on which releases are announced, and whether a check is due: on announced days, weekly otherwise ---

State = Literal["provisional", "confirmed", "cancelled"]
LONGEST_GAP = timedelta(days=7)
"""Without an announced day a check is due after a week."""

HOUR = time(9, 30)
"""When official statistics come out, in London: a check on the morning before it has not seen them."""

ANNOUNCEMENTS = "/api/search.json"
_LONDON = ZoneInfo("Europe/London")


@dataclass(frozen=True, order=True)
class ReleaseDay:
    """A day on which something is announced to be published."""

    day: date
    title: str
    state: State


@dataclass(frozen=True)
class Announced:
    """What the calendars of the publishers say."""

    days: tuple[ReleaseDay, ...] = ()
    silent: tuple[str, ...] = ()  # publications for which no day is announced: none, or only the month


def next_release_day(release: Mapping[str, Any]) -> date | None:
    """Return the day of a publication's next release.

    None where no day is announced: none, or only the month.
    """
    # `release`: the summary of a publication's latest release, the one place where every version of the content API
    # has ``nextReleaseDate``: ``{year, month, day}`` as texts, of which month and day may be empty. The API of data
    # sets has no such day anywhere.
    found = release.get("nextReleaseDate")
    if not isinstance(found, Mapping):
        return None
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    except (KeyError, TypeError, ValueError):
        return None


def announced_days(answer: Mapping[str, Any]) -> tuple[ReleaseDay, ...]:
    """Return the days that GOV.UK's announcements of statistics name.

    Sorted; cancelled ones too, so that they can be told apart. `answer`: of the search API: ``results`` with
    ``title``, ``release_timestamp`` and ``statistics_announcement_state``.
    """
    # What has no readable time is left out.
    days = []
    for one in answer.get("results", []):
        state = str(one.get("statistics_announcement_state") or one.get("state") or "provisional")
        try:
            moment = datetime.fromisoformat(str(one.get("release_timestamp") or one.get("display_date")))
        except ValueError:
            continue
        if state in ("provisional", "confirmed", "cancelled"):
            day = (moment.astimezone(_LONDON) if moment.tzinfo else moment).date()
            days.append(ReleaseDay(day, str(one.get("title", "")), state))  # type: ignore[arg-type]
    return tuple(sorted(days))


def known_days(days: Iterable[ReleaseDay]) -> tuple[date, ...]:
    """Return the days that still stand. Without the cancelled ones, each once, sorted."""
    return tuple(sorted({one.day for one in days if one.state != "cancelled"}))


def release_days(data: Data, *, today: date, pace: Pace | None = None) -> Announced:
    """Ask the publishers when the next releases of the configured sources are due.

    Empty where no source names its publication. `data`: the ``[data]`` table of an analysis.
    """
    pace = pace or Pace()
    days: set[ReleaseDay] = set()
    silent: list[str] = []
    for source in {(one.calendar_url, one.publication): one for one in data.sources}.values():
        url, publication = source.calendar_url, source.publication
        if publication is None or url is None:
            continue
        if source.calendar == "gov_uk":
            parameters = {
                "filter_format": "statistics_announcement",
                "filter_release_timestamp": f"from:{today.isoformat()}",
                "q": publication,
                "fields": "title,link,release_timestamp,statistics_announcement_state",
            }
            found = set(announced_days(get_json(source, url + ANNOUNCEMENTS, pace=pace, **parameters)))
        else:
            latest = get_json(source, f"{url}/publications/{publication}/releases/latest/summary", pace=pace)
            day = next_release_day(latest)
            found = set() if day is None else {ReleaseDay(day, publication, "confirmed")}
        ahead = {one for one in found if one.day >= today}
        days |= ahead
        silent += [] if known_days(ahead) else [publication]
    return Announced(tuple(sorted(days)), tuple(sorted(silent)))


def due(now: datetime, *, known_days: Iterable[date], last_checked: datetime | None) -> bool:
    """Return whether the sources should be asked now.

    True where nothing was ever checked, something was announced to be out since the last check, a week has passed, or
    the last check lies in the future.
    """
    if last_checked is None or last_checked > now:
        return True  # a check from the future was noted while the clock was wrong
    published = (datetime.combine(day, HOUR, tzinfo=_LONDON) for day in known_days)
    week = now.astimezone(_LONDON).date() - last_checked.astimezone(_LONDON).date() >= LONGEST_GAP
    return week or any(last_checked < moment <= now for moment in published)
