"""Whole-or-nothing writing: a file or folder appears complete under its name, or not at all.

Everything is written beside its final place, forced to disk and then renamed; a rename within one folder is
atomic. What the machine refuses (a full disk, a read-only folder, a file where a folder belongs) becomes one
:class:`StoreError` that says what to do, with exit code 1.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from cba.errors import StoreError
from cba.inputs.files import bytes_of, held_lock, replace_file, to_disk
from cba.runs.fingerprints import content_sha256

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
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


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


_SEAL = "manifest_sha256"


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with the SHA-256 of its own content, so that damage to it shows."""
    content = {key: value for key, value in manifest.items() if key != _SEAL}
    return {**content, _SEAL: content_sha256(content)}


def seal_problem(manifest: Mapping[str, Any]) -> str:
    """Say why a manifest cannot be trusted. Empty where it can be trusted."""
    if manifest.get(_SEAL) is None:
        return "it holds no SHA-256 of its own"
    return "" if sealed(manifest) == dict(manifest) else "its content does not match its own SHA-256"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a stored run."""
    with store_errors("a file of the run could not be read", file=path):
        data = bytes_of(path)
    try:
        content = json.loads(data)
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
