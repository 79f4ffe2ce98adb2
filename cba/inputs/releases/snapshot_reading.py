"""Read snapshots of the published tables: every file verified, and a damaged one named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cba.inputs.releases.content_hashes import content_identifier, folder_sha256
from cba.inputs.releases.origins import Origin
from cba.inputs.releases.refusals import SnapshotDamaged

RECORD = "snapshot.json"
POINTER = "current"
_RESTORE = "restore the file from a copy of the store, or run `cba update` again into a new store"


@dataclass(frozen=True)
class Snapshot:
    """A snapshot as it stands in its store.

    Parameters
    ----------
    identifier : str
        SHA-256 of the content: 64 hexadecimal digits.
    folder : Path
        Holds the tables; give it to :func:`cba.inputs.shipped_files.reading_from`.
    parent : str
        Identifier of the content it was made from.
    releases : mapping of str to tuple of str
        Releases (or vintages) held, by table.
    sources : tuple of Origin
        What arrived: name, address, version, retrieval time, SHA-256, bytes, licence.
    changes : tuple of dict
        What differs from the parent, by table: new rows, revised figures.
    notes : tuple of str
    files : mapping of str to str
        File name to SHA-256.
    """

    identifier: str
    folder: Path
    parent: str
    releases: Mapping[str, tuple[str, ...]]
    sources: tuple[Origin, ...]
    changes: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    files: Mapping[str, str]


def seal_of(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 that belongs to a record, its own seal left out.

    Parameters
    ----------
    record : mapping
        As in ``snapshot.json``.

    Returns
    -------
    str

    Examples
    --------
    >>> seal_of({"a": 1}) == seal_of({"a": 1, "seal": "x"})
    True
    """
    bare = {name: value for name, value in record.items() if name != "seal"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode("utf-8")).hexdigest()


def read_snapshot(store: Path, identifier: str) -> Snapshot:
    """Read a snapshot and verify every file of it.

    Parameters
    ----------
    store : Path
    identifier : str
        64 hexadecimal digits, or the first 8 or more of them.

    Returns
    -------
    Snapshot

    Raises
    ------
    SnapshotDamaged
        If there is no such snapshot, or a file of it is missing, added or changed; the file is named.

    Examples
    --------
    >>> read_snapshot(Path("reports/.data"), "3fa04c11")  # doctest: +SKIP
    """
    folder = _folder_of(Path(store), identifier)
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        sealed = record["seal"] == seal_of(record) and record["identifier"] == folder.name
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder / RECORD, found=str(error)) from None
    if not sealed:
        raise _damaged(folder / RECORD, found="its content does not fit its seal")
    _verify_files(folder, record["files"])
    return Snapshot(
        identifier=folder.name,
        folder=folder,
        parent=record["parent"],
        releases={name: tuple(several) for name, several in record["releases"].items()},
        sources=tuple(Origin(**source) for source in record["sources"]),
        changes=tuple(record["changes"]),
        notes=tuple(record["notes"]),
        files=record["files"],
    )


def _verify_files(folder: Path, files: Mapping[str, str]) -> None:
    try:
        found = folder_sha256(folder)
    except OSError as error:
        raise _damaged(Path(error.filename or folder), found=error.strerror) from None
    for name in sorted(set(files) | set(found)):
        if files.get(name) != found.get(name):
            what = "missing" if name not in found else "added" if name not in files else "changed"
            raise _damaged(folder / name, found=what)
    if content_identifier(files) != folder.name:
        raise _damaged(folder / RECORD, found="the files listed do not give the identifier")


def _damaged(file: Path, *, found: object) -> SnapshotDamaged:
    return SnapshotDamaged(
        "a snapshot is damaged: a file is not what was stored",
        file=file,
        found=found,
        allowed="the bytes whose SHA-256 the snapshot names",
        cause="a file edited by hand, a disk error, or a copy that stopped half way",
        remedy=_RESTORE,
    )


def _folder_of(store: Path, identifier: str) -> Path:
    found = []
    if len(identifier) >= 8 and set(identifier) <= set("0123456789abcdef"):
        found = [one for one in store.glob(f"{identifier}*") if one.is_dir()] if store.is_dir() else []
    if len(found) == 1 and len(found[0].name) == 64:
        return found[0]
    raise SnapshotDamaged(
        "there is no such snapshot" if not found else "several snapshots begin like this",
        file=store,
        field="snapshot",
        found=identifier,
        allowed=", ".join(one[:12] for one in identifiers(store)) or "none stored yet",
        cause="another store, a misspelt identifier, or a snapshot removed",
        remedy="name one of those listed, or give the store with --store",
    )


def identifiers(store: Path) -> tuple[str, ...]:
    """Return the identifiers of the snapshots of a store, sorted.

    Parameters
    ----------
    store : Path

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> identifiers(Path("no-such-store"))
    ()
    """
    if not Path(store).is_dir():
        return ()
    return tuple(sorted(one.name for one in Path(store).iterdir() if one.is_dir() and len(one.name) == 64))


def current_snapshot(store: Path) -> Snapshot | None:
    """Return the snapshot that ``current`` names.

    Parameters
    ----------
    store : Path

    Returns
    -------
    Snapshot or None
        None where nothing has been stored: the shipped tables are current.

    Raises
    ------
    SnapshotDamaged
        If it names none, or one that is damaged.

    Examples
    --------
    >>> current_snapshot(Path("no-such-store")) is None
    True
    """
    pointer = Path(store) / POINTER
    try:
        text = pointer.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(pointer, found=str(error)) from None
    return read_snapshot(Path(store), text)
