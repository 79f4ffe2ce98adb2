"""Take in what is new, from downloaded files or from the configured sources, and keep it as a snapshot.

:func:`update_from_files` and :func:`update_from_sources` are the two doors; both end in the same checks, and
both leave the store untouched where anything is refused. The store is held by one update only while it is
written to; where another has stored something meanwhile, the work is done again on what is held now.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cba.errors import InputError
from cba.inputs.releases.asked_sources import ask
from cba.inputs.releases.candidate import Candidate, build_candidate
from cba.inputs.releases.content_hashes import content_identifier, folder_sha256, shipped_identifier
from cba.inputs.releases.delivered import Piece, Sheet, read_file
from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.mapped_rows import mapped_pieces, maps
from cba.inputs.releases.origins import Origin
from cba.inputs.releases.refusals import NeedsPerson
from cba.inputs.releases.release_layouts import pieces_of
from cba.inputs.releases.snapshots import Snapshot, current_snapshot, write_snapshot
from cba.inputs.releases.store_lock import storing_alone
from cba.inputs.releases.table_changes import TableChange, in_words
from cba.inputs.releases.table_merging import EVIDENCE_KEYS, held_table
from cba.inputs.shipped_files import shipped_published_folder

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis
    from cba.inputs.data_records import Data, DataSource


@dataclass(frozen=True)
class UpdateOutcome:
    """What an update found.

    Parameters
    ----------
    snapshot : Snapshot or None
        The newest snapshot; None while the shipped tables are the newest.
    changed : bool
        Whether there is something new (in a dry run: would be).
    summary : tuple of str
        Sentences: new releases, revised figures.
    held_reason : str or None
        Why a person must decide; nothing was taken then.
    changes : tuple of TableChange
        The same as records.
    """

    snapshot: Snapshot | None
    changed: bool
    summary: tuple[str, ...]
    held_reason: str | None = None
    changes: tuple[TableChange, ...] = ()


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
    """Take in downloaded files.

    Parameters
    ----------
    files : sequence of str or Path
        Harmonised release files, tables of the project's own layout, or CSV files of Explore Education
        Statistics whose columns one of `sources` maps.
    store : str or Path
        Folder of snapshots.
    sources : sequence of DataSource
        Mappings for files of the publisher's own layout.
    parent : Path, optional
        Folder of tables to start from; the newest snapshot of the store, or else the shipped tables.
    dry_run : bool
        Check everything and store nothing.
    now : callable
        The clock.

    Returns
    -------
    UpdateOutcome

    Raises
    ------
    InputError
        If a file is not what it should be; nothing is written then.
    SnapshotDamaged
        If the store cannot be read or written.

    Examples
    --------
    >>> update_from_files(["england_2025.csv", "authorities_2025.csv"], store="reports/.data")  # doctest: +SKIP
    """
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
    """Ask the sources of an analysis for what is new, and take it in: see :func:`update_from_data`.

    Parameters
    ----------
    analysis : Analysis
    store, pace, dry_run
        As for :func:`update_from_data`.

    Returns
    -------
    UpdateOutcome

    Raises
    ------
    SourceUnreachable
        If a source does not answer.
    InputError
        If there are no sources, or what a source says is not what the mapping expects.

    Examples
    --------
    >>> update_from_sources(analysis, store="reports/.data").changed  # doctest: +SKIP
    """
    return update_from_data(analysis.data, store=store, pace=pace, dry_run=dry_run)


def update_from_data(
    data: Data,
    *,
    store: str | Path | None = None,
    pace: Pace | None = None,
    dry_run: bool = False,
) -> UpdateOutcome:
    """Ask configured sources for what is new, and take it in.

    Parameters
    ----------
    data : Data
        The ``[data]`` table of an analysis.
    store : str or Path, optional
        Folder of snapshots; that of `data` by default.
    pace : Pace, optional
        Limits and patience of requests.
    dry_run : bool
        Check everything and store nothing.

    Returns
    -------
    UpdateOutcome
        With `held_reason`, and nothing taken, where a data set was withdrawn, superseded or changed in a
        major version.

    Raises
    ------
    SourceUnreachable
        If a source does not answer.
    InputError
        If there are no sources, or what a source says is not what the mapping expects.

    Examples
    --------
    >>> update_from_data(data, store="reports/.data").changed  # doctest: +SKIP
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
