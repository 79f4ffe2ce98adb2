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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

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


class StoreError(RuntimeError):
    """The machine failed us: the store could not be read or written. Nothing half-written is left behind.

    Parameters
    ----------
    problem : str
        One sentence.
    file : str or Path, optional
        Where.
    cause, remedy : str, optional
        The usual cause, and the next step.

    Examples
    --------
    >>> print(StoreError("the run could not be stored", file="reports/latest", cause="the disk is full",
    ...                  remedy="free some space, then run again"))
    the run could not be stored
      file: reports/latest
      usual cause: the disk is full
      next step: free some space, then run again
    """

    exit_code = 1

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        cause: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.details = {
            "file": None if file is None else str(file),
            "field": None,
            "found": None,
            "allowed": None,
            "usual cause": cause,
            "next step": remedy,
        }
        given = {name: value for name, value in self.details.items() if value is not None}
        lines = [problem, *(f"  {name}: {value}" for name, value in given.items())]
        super().__init__("\n".join(lines))


@contextmanager
def store_errors(problem: str, *, file: str | Path) -> Iterator[None]:
    """Turn any OSError inside into a StoreError.

    Parameters
    ----------
    problem : str
        What could not be done.
    file : str or Path
        Named in the message, with the cause and the next step.

    Yields
    ------
    None

    Raises
    ------
    StoreError

    Examples
    --------
    >>> with store_errors("the run could not be stored", file="reports"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    ...
    cba.runs.whole_writing.StoreError: the run could not be stored
      file: reports
      usual cause: the disk is full
      next step: free some space, then run again
    """
    try:
        yield
    except OSError as error:
        text = error.strerror or str(error)
        cause, remedy = _CAUSES.get(error.errno or 0, (text, "check the disk and the folder, then run again"))
        raise StoreError(problem, file=file, cause=cause, remedy=remedy) from error


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it.

    Parameters
    ----------
    value : object
        Dictionaries, lists, numbers, NumPy arrays; anything else becomes text.

    Returns
    -------
    object
        Numbers that are NaN or infinite become None.

    Examples
    --------
    >>> plain({"mean": float("nan"), "years": (2032,), "at": Path("reports")})
    {'mean': None, 'years': [2032], 'at': 'reports'}
    """
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
    """Return indented JSON, with null for what is undefined and a newline at the end.

    Parameters
    ----------
    value : object
        As for :func:`plain`.

    Returns
    -------
    str

    Examples
    --------
    >>> print(to_json({"mcse": float("inf")}), end="")
    {
      "mcse": null
    }
    """
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it is there complete or not at all, replacing what was there.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    text : str
        UTF-8.

    Raises
    ------
    StoreError
        If it cannot be written; the old file, if any, is untouched.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "published", "a run")
    ...     [file.name for file in Path(folder).iterdir()]
    ['published']
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with store_errors("a file could not be written", file=path):
        try:
            with beside.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
            sync_folder(path.parent)
        finally:
            beside.unlink(missing_ok=True)


def is_leftover(path: Path) -> bool:
    """Say whether a file is what a killed writer left beside the place it was writing to.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
        True for hidden names that end in ``.part`` or ``.new``; whole files never have such a name.

    Examples
    --------
    >>> is_leftover(Path("tables/.checklist.csv.new")), is_leftover(Path("tables/checklist.csv"))
    (True, False)
    """
    return path.name.startswith(".") and path.name.endswith((".part", ".new"))


def sync_folder(folder: Path) -> None:
    """Force a folder's list of names to disk, so that a rename survives a power cut.

    Parameters
    ----------
    folder : Path

    Examples
    --------
    >>> sync_folder(Path("."))
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Force every file and folder under a folder to disk.

    Parameters
    ----------
    folder : Path

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     sync_tree(Path(folder))
    """
    for place, _, names in os.walk(folder):
        for name in names:
            handle = os.open(os.path.join(place, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(place))


def require_writable(folder: Path) -> None:
    """Refuse, before anything is computed, a folder that cannot be written to; leave nothing behind.

    Parameters
    ----------
    folder : Path
        Need not exist: its nearest existing parent is tried.

    Raises
    ------
    StoreError
        If that is no folder, or a small file cannot be written in it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     require_writable(Path(folder) / "reports")
    ...     list(Path(folder).iterdir())
    []
    """
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
