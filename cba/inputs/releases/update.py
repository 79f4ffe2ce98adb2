"""Take in what is new, from downloaded files or from the configured sources, and keep it as a snapshot.

:func:`update_from_files` and :func:`update_from_sources` are the two doors; both end in the same checks, and
both leave the store untouched where anything is refused.
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
from cba.inputs.releases.candidate import build_candidate
from cba.inputs.releases.content_hashes import content_identifier, folder_sha256, shipped_identifier
from cba.inputs.releases.delivered import Piece, read_file
from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.mapped_rows import mapped_pieces, maps
from cba.inputs.releases.origins import Origin
from cba.inputs.releases.refusals import NeedsPerson
from cba.inputs.releases.release_layouts import pieces_of
from cba.inputs.releases.snapshots import Snapshot, current_snapshot, write_snapshot
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
    base, known, current = _base(Path(store), parent)
    retrieved = now().astimezone(UTC).isoformat(timespec="seconds")
    sheets = [read_file(file, retrieved=retrieved) for file in files]
    evidence = {name: tuple(held_table(name, folder=base).columns) for name in EVIDENCE_KEYS}
    authorities = held_table("authorities", folder=base)
    pieces: list[Piece] = []
    for sheet in sheets:
        fitting = [source for source in sources if maps(sheet, source=source)]
        if fitting:
            pieces += mapped_pieces(sheet, source=fitting[0], authorities=authorities)
        else:
            pieces += pieces_of(sheet, evidence_columns=evidence)
    unused = [sheet.origin.name for sheet in sheets if all(one.origin is not sheet.origin for one in pieces)]
    notes = [f"{name} holds nothing that the tables take" for name in unused]
    return _taken(
        pieces,
        base=base,
        known=known,
        current=current,
        store=Path(store),
        origins=[sheet.origin for sheet in sheets],
        notes=notes,
        dry_run=dry_run,
    )


def _base(store: Path, parent: Path | None) -> tuple[Path, str, Snapshot | None]:
    """Folder to start from, its identifier and the snapshot it is, if it is one."""
    current = current_snapshot(store)
    if parent is not None:
        return parent, content_identifier(folder_sha256(parent)), current
    if current is None:
        return shipped_published_folder(), shipped_identifier(), None
    return current.folder, current.identifier, current


def _taken(
    pieces: Sequence[Piece],
    *,
    base: Path,
    known: str,
    current: Snapshot | None,
    store: Path,
    origins: Sequence[Origin],
    notes: Sequence[str],
    dry_run: bool,
) -> UpdateOutcome:
    """Check what arrived and store it where it says something new."""
    with tempfile.TemporaryDirectory(prefix="cba-update-") as place:
        candidate = build_candidate(pieces, parent=base, folder=Path(place) / "published")
        if not candidate.changes:
            return UpdateOutcome(current, False, (NOTHING_NEW, *notes))
        said = in_words(candidate.changes, notes=(*candidate.notes, *notes))
        if dry_run:
            return UpdateOutcome(current, True, said, changes=candidate.changes)
        snapshot = write_snapshot(
            candidate.folder,
            store=store,
            parent=known,
            sources=_with_earlier(origins, current=current),
            changes=candidate.changes,
            releases=candidate.releases,
            notes=(*candidate.notes, *notes),
        )
    return UpdateOutcome(snapshot, True, said, changes=candidate.changes)


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
    base, known, current = _base(place, None)
    authorities = held_table("authorities", folder=base)
    pieces: list[Piece] = []
    origins: list[Origin] = []
    try:
        for source in data.sources:
            origin, several = ask(
                source, base=base, current=current, authorities=authorities, pace=pace or Pace()
            )
            pieces += several
            origins.append(origin)
    except NeedsPerson as reason:
        return UpdateOutcome(current, False, ("held: a person must decide",), held_reason=str(reason))
    return _taken(
        pieces,
        base=base,
        known=known,
        current=current,
        store=place,
        origins=origins,
        notes=(),
        dry_run=dry_run,
    )
