"""Immutable snapshots of the published tables, named by the SHA-256 of what they hold.

``<store>/<identifier>/`` is a complete folder in the layout of ``cba/inputs/published`` with a record,
``snapshot.json``, beside the tables. The identifier covers the tables alone, not when or how they came, so
the same content is the same snapshot. A snapshot is written beside its place, forced to disk, renamed and made
read-only; its files are verified whenever it is read. ``<store>/current`` names the newest one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.inputs.releases.chosen_tables import tables_of
from cba.inputs.releases.content_hashes import content_identifier, folder_sha256, shipped_identifier
from cba.inputs.releases.origins import Origin
from cba.inputs.releases.refusals import SnapshotDamaged
from cba.inputs.releases.snapshot_reading import (
    POINTER,
    RECORD,
    Snapshot,
    current_snapshot,
    identifiers,
    read_snapshot,
    seal_of,
)

if TYPE_CHECKING:
    from cba.inputs.releases.table_changes import TableChange

__all__ = [
    "Snapshot",
    "current_snapshot",
    "identifiers",
    "read_snapshot",
    "shipped_identifier",
    "tables_of",
    "write_snapshot",
]


def write_snapshot(
    content: Path,
    *,
    store: Path,
    parent: str,
    sources: Sequence[Origin] = (),
    changes: Sequence[TableChange] = (),
    releases: Mapping[str, tuple[str, ...]] | None = None,
    notes: Sequence[str] = (),
    make_current: bool = True,
) -> Snapshot:
    """Store a folder of tables as a snapshot.

    Parameters
    ----------
    content : Path
        Folder with the tables; copied.
    store : Path
        Made where it does not exist.
    parent : str
        Identifier of the content it was made from.
    sources : sequence of Origin
    changes : sequence of TableChange
    releases : mapping, optional
    notes : sequence of str
    make_current : bool
        Let ``current`` name it.

    Returns
    -------
    Snapshot
        The one already there, with its own record, where the content is held.

    Raises
    ------
    SnapshotDamaged
        If the store cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from cba.inputs.shipped_files import shipped_published_folder
    >>> with TemporaryDirectory() as store:
    ...     made = write_snapshot(shipped_published_folder(), store=Path(store), parent="")
    ...     again = write_snapshot(shipped_published_folder(), store=Path(store), parent="another")
    ...     made == again == current_snapshot(Path(store))
    True
    """
    store = Path(store)
    with _storing(store):
        files = folder_sha256(content)
        identifier = content_identifier(files)
        if not (store / identifier).is_dir():
            store.mkdir(parents=True, exist_ok=True)
            record = {
                "schema": 1,
                "identifier": identifier,
                "parent": parent,
                "releases": {name: list(several) for name, several in (releases or {}).items()},
                "sources": [asdict(source) for source in sources],
                "changes": [change.as_plain() for change in changes],
                "notes": list(notes),
                "files": files,
            }
            _write_folder(content, record=record, store=store, name=identifier)
        snapshot = read_snapshot(store, identifier)
        if make_current:
            _replace(store / POINTER, identifier + "\n")
    return snapshot


@contextmanager
def _storing(store: Path) -> Iterator[None]:
    """Turn what the disk refuses into one error; whatever was there before is untouched."""
    try:
        yield
    except OSError as error:
        raise SnapshotDamaged(
            "the snapshot could not be stored",
            file=error.filename or store,
            found=error.strerror or str(error),
            cause="a full disk, a read-only folder, or a file where the store belongs",
            remedy="free space or choose another folder with --store, then run again",
        ) from error


def _write_folder(content: Path, *, record: dict[str, Any], store: Path, name: str) -> None:
    beside = store / f".{name[:16]}.{os.getpid()}.part"
    try:
        beside.mkdir()
        for file in record["files"]:
            shutil.copyfile(content / file, beside / file)
        text = json.dumps(record | {"seal": seal_of(record)}, indent=1, ensure_ascii=False) + "\n"
        (beside / RECORD).write_text(text, encoding="utf-8", newline="\n")
        for file in beside.iterdir():
            _to_disk(file)
            file.chmod(0o444)
        _to_disk(beside)
        try:
            beside.rename(store / name)
        except OSError:
            if not (store / name).is_dir():  # another process has stored the same content meanwhile
                raise
        else:
            (store / name).chmod(0o555)
        _to_disk(store)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)


def _to_disk(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(file: Path, text: str) -> None:
    """Replace a small file whole."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(beside, file)
        _to_disk(file.parent)
    finally:
        beside.unlink(missing_ok=True)
