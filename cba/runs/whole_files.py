"""Whole-or-nothing writing: a file or folder appears complete under its name, or not at all.

Everything is written beside its final place, forced to disk and then renamed; a rename within one folder is
atomic. What the machine refuses (a full disk, a read-only folder, a file where a folder belongs) becomes one
:class:`StoreError` that says what to do, with exit code 1.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from cba.errors import StoreError
from cba.inputs.files import bytes_of, fingerprint, held_lock, replace_file, to_disk
from cba.inputs.safe_files import json_text, strict_json

_CAUSES = {
    errno.ENOSPC: ("the disk is full", "free some space, then run again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run again"),
    errno.EFBIG: ("a file larger than this machine allows", "raise the limit on file size, then run again"),
    errno.EROFS: ("the disk is mounted read-only", "choose another folder with --root"),
    errno.EACCES: ("no permission there", "change the permission, or choose another folder with --root"),
    errno.EPERM: ("no permission there", "change the permission, or choose another folder with --root"),
    errno.ENOTDIR: (
        "a file stands where a folder is needed",
        "move it, or choose another folder with --root",
    ),
    errno.EEXIST: ("a file stands where a folder is needed", "move it, or choose another folder with --root"),
}


@contextmanager
def store_errors(problem: str, *, file: str | Path) -> Iterator[None]:
    """Turn any OSError inside into a StoreError. `problem`: what could not be done."""
    try:
        yield
    except OSError as error:
        text = error.strerror or str(error)
        cause, remedy = _CAUSES.get(error.errno or 0, (text, "check the disk and the folder, then run again"))
        raise StoreError(problem, file=file, cause=cause, remedy=remedy) from error


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it. Numbers that are NaN or infinite become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return plain(value.item())
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def to_json(value: Any) -> str:
    """Return indented JSON, with null for what is undefined and a newline at the end."""
    return json_text(plain(value), indent=2) + "\n"


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it is there complete or not at all, replacing what was there."""
    with store_errors("a file could not be written", file=path):
        replace_file(path, text)


def is_leftover(path: Path) -> bool:
    """Say whether a file is what a killed writer left beside the place it was writing to.

    True for hidden names that end in ``.part`` or ``.new``; whole files never have such a name.
    """
    return path.name.startswith(".") and path.name.endswith((".part", ".new"))


def sync_tree(folder: Path) -> None:
    """Force every file and folder under a folder to disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            to_disk(Path(place, name))
        to_disk(Path(place))


def require_writable(folder: Path) -> None:
    """Refuse, before anything is computed, a folder that cannot be written to; leave nothing behind."""
    nearest = folder.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    probe = nearest / f".probe.{os.getpid()}.part"
    with store_errors("the folder for the reports cannot be written to", file=folder):
        try:
            probe.write_bytes(b"0")
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)


# --- One writer at a time in the folder of an analysis; what a killed one left there is removed by the … ---


STAGING = ".staging-"
"""How the name of a folder begins that is being filled, or removed."""


_LOCK_SECONDS = 120.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of one analysis; whatever a killed writer left in it and in its runs is removed first.

    `folder`: ``<root>/<analysis>``, made if it is missing.
    """
    with one_writer(folder, "the folder of the analysis", runs="two runs of one analysis"):
        _clear(folder)
        yield


def one_writer(folder: Path, name: str, *, runs: str = "two runs") -> AbstractContextManager[None]:
    """Hold the lock of a folder, made if it is missing. `name`, `runs`: what to call it and who may want it."""
    busy = StoreError(
        f"another run has held the lock of {name} for over {_LOCK_SECONDS:.0f} seconds",
        file=folder / ".lock",
        cause=f"{runs} at once, one of them stuck",
        remedy="wait for it or end it, then retry",
    )
    trouble = store_errors(f"{name} cannot be used", file=folder)
    return held_lock(folder / ".lock", wait=_LOCK_SECONDS, busy=busy, trouble=trouble)


def _clear(folder: Path) -> None:
    """Remove what killed writers left; the caller holds the lock, so that none of it is being written."""
    for stale in folder.glob(f"{STAGING}*"):
        shutil.rmtree(stale, ignore_errors=True)
    for place, _, names in os.walk(folder):
        for name in names:
            if is_leftover(Path(place, name)):
                Path(place, name).unlink(missing_ok=True)


# --- Seals: a manifest that carries the SHA-256 of its own content, and what is said of a damaged one ---
#
# A seal has no key: it shows that a record was damaged or changed by accident, and proves nothing against a person who
# can write to the folder, for they can seal what they changed.


_SEAL = "manifest_sha256"


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with the SHA-256 of its own content, so that damage to it shows."""
    content = {key: value for key, value in manifest.items() if key != _SEAL}
    return {**content, _SEAL: fingerprint(content)}


def seal_problem(manifest: Mapping[str, Any]) -> str:
    """Say why a record does not fit its seal; empty where it does. A seal guards against accidents, not people."""
    if manifest.get(_SEAL) is None:
        return "it holds no SHA-256 of its own"
    return "" if sealed(manifest) == dict(manifest) else "its content does not match its own SHA-256"


_KINDS: Mapping[type, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        dict: (
            "a table",
            (
                *("files", "inputs", "settings", "settings.data", "code", "environment", "fingerprints"),
                *("stages", "stage_tables", "stages_read", "provenance", "precision"),
            ),
        ),
        list: ("a list", ("stances", "options", "held", "gates", "settings.options", "settings.stances")),
        str: (
            "a text",
            (
                "run",
                "analysis",
                "run_by",
                "request",
                "started_exactly",
                "stored_after",
                "finished",
                "code.version",
            ),
        ),
        int: ("a whole number", ("seed", "draws", "settings.release", "settings.target_year")),
        bool: ("true or false", ("gates_passed",)),
    }
)
"""What the entries of a manifest are, where it has them: kind, its words and the names."""

_ALWAYS = (
    "run",
    "analysis",
    "settings",
    "settings.options",
    "settings.release",
    "stances",
    "code",
    "code.version",
)
"""What every version has written into the manifest of a run."""


def shape_problem(manifest: Mapping[str, Any]) -> str:
    """Say which entry of a manifest is not of the kind that it is read as; empty where all are."""
    for kind, (words, names) in _KINDS.items():
        for name in names:
            value = _entry(manifest, name)
            if value is None and (name == "files" or (name in _ALWAYS and "schema" in manifest)):
                return f"`{name}` is missing"
            if value is not None and not isinstance(value, kind):
                return f"`{name}` is not {words}"
    if not all(isinstance(reason, str) for reason in manifest.get("held", ())):
        return "`held` is not a list of texts"
    listed = [(name, *pair) for name in ("files", "inputs") for pair in manifest.get(name, {}).items()]
    wrong = [
        f"`{name}` has no sound entry for {file!r}"
        for name, file, entry in listed
        if not _is_sound(file, entry)
    ]
    return wrong[0] if wrong else ""


def _entry(manifest: Mapping[str, Any], name: str) -> Any:
    """Return an entry, or one inside a table of the manifest; None where it is not there."""
    outer, _, inner = name.partition(".")
    found = manifest.get(outer)
    return (found.get(inner) if isinstance(found, dict) else None) if inner else found


def _is_sound(file: str, entry: Any) -> bool:
    """Say whether a manifest names a file inside the run, with its hash and size."""
    place = PurePosixPath(file)
    inside = bool(place.parts) and not place.is_absolute() and ".." not in place.parts and "\0" not in file
    return (
        inside
        and isinstance(entry, dict)
        and [type(entry.get(key)) for key in ("sha256", "bytes")] == [str, int]
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a stored run."""
    with store_errors("a file of the run could not be read", file=path):
        data = bytes_of(path)
    try:
        content = strict_json(data)
    except ValueError as error:
        raise damaged(path, f"it is not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise damaged(path, "it is not a JSON object")
    return content


def damaged(path: Path, what: str) -> StoreError:
    """Return the error for a file of a run that is not what was stored. `what`: how it differs."""
    return StoreError(
        f"{path.name} is damaged: {what}",
        file=path,
        cause="changed or cut short after the run was stored",
        remedy="restore the run from a copy, or run the analysis again",
    )
