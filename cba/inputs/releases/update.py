"""Take in what is new, from downloaded files or from the configured sources, and keep it as a snapshot.

:func:`update_from_files` and :func:`update_from_sources` are the two doors; both end in the same checks, and
both leave the store untouched where anything is refused. The store is held by one update only while it is
written to; where another has stored something meanwhile, the work is done again on what is held now.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cba.errors import InputError, NeedsPerson, SnapshotDamaged
from cba.inputs.data_sources import DataSource
from cba.inputs.files import held_lock, shipped_published_folder
from cba.inputs.releases.candidate import Candidate, build_candidate
from cba.inputs.releases.deflators import deflator_piece
from cba.inputs.releases.downloads import Origin, Piece, Sheet, read_file
from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.layouts import pieces_of
from cba.inputs.releases.merge import EVIDENCE_KEYS, TableChange, held_table, in_words
from cba.inputs.releases.publishers import catalogue_csv, newest, population_rows
from cba.inputs.releases.rows import cited_row, mapped_pieces, maps
from cba.inputs.releases.snapshots import (
    Snapshot,
    content_identifier,
    current_snapshot,
    folder_sha256,
    shipped_identifier,
    storing_errors,
    write_snapshot,
)

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis
    from cba.inputs.data_sources import Data


# --- Ask one configured source for what it holds now, through the client of its kind ---


def ask(
    source: DataSource,
    *,
    base: Path,
    current: Snapshot | None,
    authorities: pd.DataFrame,
    pace: Pace,
) -> tuple[Origin, tuple[Piece, ...]]:
    """Ask one source for what it holds now. No piece from a version that is already held."""
    if source.kind == "hmt_deflator":
        first = int(held_table("gdp_deflator", folder=base)["year"].min())
        piece = deflator_piece(source, first_year=first, pace=pace)
        return piece.origin, (piece, cited_row(source, origin=piece.origin))
    units: Mapping[str, str] = {}
    if source.kind == "ees":
        held = next((one for one in (current.sources if current else ()) if one.name == source.name), None)
        accepted = _later(source.version or "", held.version if held else "")
        found = newest(source, accepted=accepted, held=_version_of(held), pace=pace)
        if found.sheet is None and held is not None:
            return held, ()
        sheet, units = found.sheet, found.units
    else:
        sheet = (
            catalogue_csv(source, pace=pace)
            if source.kind == "ees_csv"
            else population_rows(source, pace=pace)
        )
    if sheet is None:
        raise AssertionError("a version that is not held comes with its rows")
    return sheet.origin, mapped_pieces(sheet, source=source, authorities=authorities, units=units)


def _version_of(held: Origin | None) -> tuple[str, str]:
    return ("", "") if held is None else (held.version, held.published)


def _later(pinned: str, taken: str) -> str:
    """Return the later of two versions; one may be empty."""
    return max(
        (one for one in (pinned, taken) if one), key=lambda one: [int(part) for part in one.split(".")]
    )


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
class _Held:
    """What an update starts from: a folder of tables, its identifier, and the snapshot that is current."""

    base: Path
    known: str
    current: Snapshot | None


@dataclass(frozen=True)
class _Arrived:
    """What came in through a door: pieces of tables, where they are from, and what there is to say."""

    pieces: Sequence[Piece]
    origins: Sequence[Origin]
    notes: Sequence[str] = ()


def update_from_files(
    files: Sequence[str | Path],
    *,
    store: str | Path,
    sources: Sequence[DataSource] = (),
    parent: Path | None = None,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
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
    retrieved = now().astimezone(UTC).isoformat(timespec="seconds")
    sheets = [read_file(file, retrieved=retrieved) for file in files]
    return _taken(
        lambda held: _read(sheets, held=held, sources=sources),
        store=Path(store),
        parent=parent,
        dry_run=dry_run,
    )


def _read(sheets: Sequence[Sheet], *, held: _Held, sources: Sequence[DataSource]) -> _Arrived:
    """Take from downloaded files what the tables hold."""
    evidence = {name: tuple(held_table(name, folder=held.base).columns) for name in EVIDENCE_KEYS}
    authorities = held_table("authorities", folder=held.base)
    pieces: list[Piece] = []
    for sheet in sheets:
        fitting = [source for source in sources if maps(sheet, source=source)]
        if fitting:
            pieces += mapped_pieces(sheet, source=fitting[0], authorities=authorities)
        else:
            pieces += pieces_of(sheet, evidence_columns=evidence)
    unused = [sheet.origin.name for sheet in sheets if all(one.origin is not sheet.origin for one in pieces)]
    notes = [f"{name} holds nothing that the tables take" for name in unused]
    return _Arrived(pieces, [sheet.origin for sheet in sheets], notes)


def _held(store: Path, parent: Path | None) -> _Held:
    """Return what an update of a store starts from."""
    current = current_snapshot(store)
    if parent is not None:
        return _Held(parent, content_identifier(folder_sha256(parent)), current)
    if current is None:
        return _Held(shipped_published_folder(), shipped_identifier(), None)
    return _Held(current.folder, current.identifier, current)


def _taken(
    arrival: Callable[[_Held], _Arrived], *, store: Path, parent: Path | None, dry_run: bool
) -> UpdateOutcome:
    """Check what arrived and store it where it says something new.

    Asking and checking take minutes, so they hold nothing up. Only where another update has stored something
    meanwhile are they done again, now alone: its figures would be lost otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="cba-update-") as place:
        held = _held(store, parent)
        arrived, candidate = _checked(arrival, held=held, folder=Path(place) / "published")
        if dry_run or not candidate.changes:
            return _outcome(held.current, arrived=arrived, candidate=candidate)
        with storing_alone(store):
            now = _held(store, parent)
            if _identifier(now) != _identifier(held):
                held = now
                arrived, candidate = _checked(arrival, held=held, folder=Path(place) / "again")
            if not candidate.changes:
                return _outcome(held.current, arrived=arrived, candidate=candidate)
            snapshot = write_snapshot(
                candidate.folder,
                store=store,
                parent=held.known,
                sources=_with_earlier(arrived.origins, current=held.current),
                changes=candidate.changes,
                releases=candidate.releases,
                notes=(*candidate.notes, *arrived.notes),
            )
    return _outcome(snapshot, arrived=arrived, candidate=candidate)


def _checked(
    arrival: Callable[[_Held], _Arrived], *, held: _Held, folder: Path
) -> tuple[_Arrived, Candidate]:
    """Lay what arrives over what is held, and let it pass every check."""
    arrived = arrival(held)
    return arrived, build_candidate(arrived.pieces, parent=held.base, folder=folder)


def _outcome(snapshot: Snapshot | None, *, arrived: _Arrived, candidate: Candidate) -> UpdateOutcome:
    """Say what an update found."""
    if not candidate.changes:
        return UpdateOutcome(snapshot, False, (NOTHING_NEW, *arrived.notes))
    said = in_words(candidate.changes, notes=(*candidate.notes, *arrived.notes))
    return UpdateOutcome(snapshot, True, said, changes=candidate.changes)


def _identifier(held: _Held) -> str:
    return "" if held.current is None else held.current.identifier


def _with_earlier(origins: Sequence[Origin], *, current: Snapshot | None) -> tuple[Origin, ...]:
    """Add what the snapshot before was made from, so that each source's newest arrival stays on record."""
    earlier = {} if current is None else {one.name: one for one in current.sources}
    return tuple((earlier | {one.name: one for one in origins}).values())


def update_from_sources(
    analysis: Analysis,
    *,
    store: str | Path | None = None,
    pace: Pace | None = None,
    dry_run: bool = False,
) -> UpdateOutcome:
    """Ask the sources of an analysis for what is new, and take it in: see `update_from_data`."""
    return update_from_data(analysis.data, store=store, pace=pace, dry_run=dry_run)


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
    if not data.sources:
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
        return _taken(
            lambda held: _asked(data, held=held, pace=pace or Pace()),
            store=place,
            parent=None,
            dry_run=dry_run,
        )
    except NeedsPerson as reason:
        held_back = ("held: a person must decide",)
        return UpdateOutcome(current_snapshot(place), False, held_back, held_reason=str(reason))


def _asked(data: Data, *, held: _Held, pace: Pace) -> _Arrived:
    """Ask every source for what it holds now."""
    authorities = held_table("authorities", folder=held.base)
    pieces: list[Piece] = []
    origins: list[Origin] = []
    for source in data.sources:
        origin, several = ask(
            source, base=held.base, current=held.current, authorities=authorities, pace=pace
        )
        pieces += several
        origins.append(origin)
    return _Arrived(pieces, origins)
