"""Immutable snapshots of the published tables, named by the SHA-256 of what they hold.

``<store>/<identifier>/`` is a complete folder in the layout of ``cba/inputs/published`` with a record,
``snapshot.json``, beside the tables. The identifier covers the tables alone, not when or how they came, so
the same content is the same snapshot. A snapshot is written beside its place, forced to disk, renamed and made
read-only; its files are verified whenever it is read. ``<store>/current`` names the newest one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.errors import InputError, SnapshotDamaged
from cba.inputs.files import (
    as_folder,
    bytes_of,
    fingerprint,
    published_folder,
    published_in_force,
    records_of,
    replace_file,
    shipped_published_folder,
    text_of,
    to_disk,
)
from cba.inputs.safe_files import strict_json

if TYPE_CHECKING:
    from cba.inputs.data_sources import Data
    from cba.inputs.releases.downloads import Origin
    from cba.inputs.releases.merge import TableChange


RECORD = "snapshot.json"
POINTER = "current"


def folder_sha256(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every table of a folder, by file name."""
    files = [file for file in sorted(folder.glob("*.csv")) if file.is_file()]
    return {file.name: hashlib.sha256(bytes_of(file)).hexdigest() for file in files}


def folder_identifier(folder: Path) -> str:
    """Return the identifier that the tables of a folder would have as a snapshot."""
    return fingerprint(folder_sha256(folder))


# --- Read snapshots: every file verified, and a damaged one named ---


@dataclass(frozen=True)
class Snapshot:
    """A snapshot as it stands in its store."""

    identifier: str  # SHA-256 of the content: 64 hexadecimal digits
    folder: Path  # holds the tables; give it to `reading_from`
    parent: str  # identifier of the content it was made from
    releases: Mapping[str, tuple[str, ...]]  # releases (or vintages) held, by table
    # What arrived: name, address, version, retrieval time, SHA-256, bytes, licence.
    sources: tuple[Origin, ...]
    # What differs from the parent, by table: new rows, revised figures.
    changes: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    files: Mapping[str, str]  # file name to SHA-256


def seal_of(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 that belongs to a record, its own seal left out."""
    bare = {name: value for name, value in record.items() if name != "seal"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode("utf-8")).hexdigest()


def read_snapshot(store: Path, identifier: str) -> Snapshot:
    """Read a snapshot and verify every file of it."""
    from cba.inputs.releases.downloads import (
        Origin,  # pandas: not where a name or a release is all that is asked
    )

    folder = _folder_of(Path(store), identifier)
    try:
        record = strict_json(text_of(folder / RECORD))
        sealed = record["seal"] == seal_of(record) and record["identifier"] == folder.name
        snapshot = Snapshot(
            identifier=folder.name,
            folder=folder,
            parent=record["parent"],
            releases={name: tuple(several) for name, several in record["releases"].items()},
            sources=tuple(Origin(**source) for source in record["sources"]),
            changes=tuple(record["changes"]),
            notes=tuple(record["notes"]),
            files=dict(record["files"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder / RECORD, found=str(error)) from None
    if not sealed:
        raise _damaged(folder / RECORD, found="its content does not fit its seal")
    _verify_files(folder, snapshot.files)
    return snapshot


def _verify_files(folder: Path, files: Mapping[str, str]) -> None:
    try:
        found = folder_sha256(folder)
    except OSError as error:
        raise _damaged(Path(error.filename or folder), found=error.strerror) from None
    for name in sorted(set(files) | set(found)):
        if files.get(name) != found.get(name):
            what = "missing" if name not in found else "added" if name not in files else "changed"
            raise _damaged(folder / name, found=what)
    if fingerprint(files) != folder.name:
        raise _damaged(folder / RECORD, found="the files listed do not give the identifier")


def _damaged(file: Path, *, found: object) -> SnapshotDamaged:
    return SnapshotDamaged(
        "a snapshot is damaged: a file is not what was stored",
        file=file,
        found=found,
        allowed="the bytes whose SHA-256 the snapshot names",
        cause="a file edited by hand, a disk error, or a copy that stopped half way",
        remedy="restore the file from a copy of the store, or run `cba update` again into a new store",
    )


def _folder_of(store: Path, identifier: str) -> Path:
    usable = re.fullmatch("[0-9a-f]{8,}", identifier)
    found = [one for one in identifiers(store) if usable and one.startswith(identifier)]
    if len(found) == 1:
        return store / found[0]
    raise InputError(
        "there is no such snapshot" if not found else "several snapshots begin like this",
        file=store,
        field="snapshot",
        found=identifier,
        allowed=", ".join(one[:12] for one in identifiers(store)) or "none stored yet",
        cause="another store, a misspelt identifier, or a snapshot removed",
        remedy="name one of those listed, or give the store with --store",
    )


def identifiers(store: Path) -> tuple[str, ...]:
    """Return the identifiers of the snapshots of a store, sorted."""
    if not Path(store).is_dir():
        return ()
    return tuple(sorted(one.name for one in Path(store).iterdir() if one.is_dir() and len(one.name) == 64))


def current_name(store: Path) -> str | None:
    """Return which snapshot ``current`` names, which is not read. None where nothing has been stored."""
    pointer = as_folder(store, field="store") / POINTER
    try:
        return text_of(pointer).strip()
    except FileNotFoundError:
        if len(identifiers(store)) > 1:  # with one, its update may have been killed before it was named
            raise _damaged(pointer, found="missing, though snapshots are stored") from None
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(pointer, found=str(error)) from None


def current_snapshot(store: Path) -> Snapshot | None:
    """Return the snapshot that ``current`` names. None where nothing has been stored: the shipped tables are current.

    A seal, as that of a run, has no key: it guards against accidents, not against people.
    """
    name = current_name(store)
    try:
        return None if name is None else read_snapshot(Path(store), name)
    except InputError as error:
        raise _damaged(Path(store) / POINTER, found=f"{error.problem}: {error.details['found']}") from None


def chosen_folder(data: Data, *, store: Path | None = None) -> Path:
    """Return the folder of tables that an analysis reads.

    The folder in force inside `reading_from`; elsewhere that of its snapshot, or the shipped one, which is also
    ``current`` before anything was stored. `store`: folder of snapshots, in place of the analysis's own.
    """
    if published_in_force():
        return published_folder()
    place = Path(data.store) if store is None else Path(store)
    if data.snapshot == "shipped":
        return shipped_published_folder()
    snapshot = current_snapshot(place) if data.snapshot == "current" else read_snapshot(place, data.snapshot)
    return shipped_published_folder() if snapshot is None else snapshot.folder


NEWEST = "newest"
"""Written in an analysis for a release: the newest that is held."""


def snapshot_asked(written: Mapping[str, Any]) -> str:
    """Return which snapshot the text of an analysis asks for: the current one where it asks for the newest release."""
    usual = "current" if written.get("release") == NEWEST else "shipped"
    return str(written.get("data", {}).get("snapshot", usual))


def newest_release(folder: Path) -> int:
    """Return the newest release of children looked after that a folder of tables holds."""
    return years_held(folder / "england_children.csv", "release")[-1]


def years_held(table: Path, column: str) -> list[int]:
    """Return the distinct years of one column of a published table, ascending."""
    try:
        return sorted({int(row[column]) for row in records_of(table)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "a published table cannot be read",
            file=table,
            field=column,
            found=str(error),
            cause="a folder of tables copied in part, or a table edited by hand",
            remedy="restore the table; `cba check` on it says more",
        ) from None


# --- Store a folder of tables as a snapshot ---


def write_snapshot(
    content: Path,
    *,
    store: Path,
    parent: str,
    sources: Sequence[Origin] = (),
    changes: Sequence[TableChange] = (),
    releases: Mapping[str, tuple[str, ...]] | None = None,
    notes: Sequence[str] = (),
) -> Snapshot:
    """Store a folder of tables as a snapshot, which ``current`` then names.

    The one already there, with its own record, where the content is held. `store`: made where it does not
    exist. `parent`: identifier of the content it was made from.
    """
    store = Path(store)
    with storing_errors(store):
        files = folder_sha256(content)
        identifier = fingerprint(files)
        if not (store / identifier).is_dir():
            store.mkdir(parents=True, exist_ok=True)
            record = {
                "schema": 1,
                "identifier": identifier,
                "parent": parent,
                "releases": {name: list(several) for name, several in (releases or {}).items()},
                "sources": [asdict(source) for source in sources],
                "changes": [asdict(change) for change in changes],
                "notes": list(notes),
                "files": files,
            }
            _write_folder(content, record=record, store=store, name=identifier)
        snapshot = read_snapshot(store, identifier)
        replace_file(store / POINTER, identifier + "\n")
    return snapshot


@contextmanager
def storing_errors(store: Path) -> Iterator[None]:
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
            to_disk(file)
            file.chmod(0o444)
        to_disk(beside)
        try:
            beside.rename(store / name)
        except OSError:
            if not (store / name).is_dir():  # another process has stored the same content meanwhile
                raise
        else:
            (store / name).chmod(0o555)
        to_disk(store)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
