"""Which folder of published tables an analysis reads: the one in force, its snapshot, or the shipped one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cba.inputs.data_records import Data
from cba.inputs.releases.snapshot_reading import Snapshot, current_snapshot, read_snapshot
from cba.inputs.shipped_files import (
    published_folder,
    published_in_force,
    reading_from,
    shipped_published_folder,
)

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis


def chosen_snapshot(data: Data, *, store: Path | None = None) -> Snapshot | None:
    """Return the snapshot that an analysis asks for.

    Parameters
    ----------
    data : Data
        Its ``[data]`` table.
    store : Path, optional
        Folder of snapshots, in place of the analysis's own.

    Returns
    -------
    Snapshot or None
        None for the shipped tables: asked for, or ``current`` before anything was stored.

    Raises
    ------
    SnapshotDamaged
        If there is no such snapshot, or a file of it is not what was stored.

    Examples
    --------
    >>> chosen_snapshot(Data()) is None
    True
    """
    place = Path(data.store) if store is None else Path(store)
    if data.snapshot == "shipped":
        return None
    return current_snapshot(place) if data.snapshot == "current" else read_snapshot(place, data.snapshot)


def chosen_folder(data: Data, *, store: Path | None = None) -> Path:
    """Return the folder of tables that an analysis reads.

    Parameters
    ----------
    data : Data
        Its ``[data]`` table.
    store : Path, optional
        Folder of snapshots, in place of the analysis's own.

    Returns
    -------
    Path
        The folder in force inside :func:`cba.inputs.shipped_files.reading_from`; elsewhere that of the
        snapshot, or the shipped one.

    Raises
    ------
    SnapshotDamaged
        If there is no such snapshot, or a file of it is not what was stored.

    Examples
    --------
    >>> chosen_folder(Data()).name
    'published'
    """
    if published_in_force():
        return published_folder()
    snapshot = chosen_snapshot(data, store=store)
    return shipped_published_folder() if snapshot is None else snapshot.folder


@contextmanager
def tables_of(analysis: Analysis, *, store: Path | None = None) -> Iterator[Path]:
    """Let every reader of published tables take those that an analysis asks for.

    Parameters
    ----------
    analysis : Analysis
    store : Path, optional
        Folder of snapshots, in place of the analysis's own.

    Yields
    ------
    Path
        The folder in force while the block runs; one put in force before is left as it is.

    Raises
    ------
    SnapshotDamaged
        If there is no such snapshot, or a file of it is not what was stored.

    Examples
    --------
    >>> from cba.inputs.analyses import load_analysis
    >>> with tables_of(load_analysis("latest")) as folder:
    ...     folder.name
    'published'
    """
    folder = chosen_folder(analysis.data, store=store)
    with reading_from(published=folder):
        yield folder
