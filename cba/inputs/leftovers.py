"""What killed processes left: temporary folders and half-written files, cleared by whoever comes next."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SCRATCH = re.compile(r"cba-(update|print|report|compare)-\w{8}")


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Yield a temporary folder, removed at the end; those that killed commands of this user left are removed first."""
    for left in Path(tempfile.gettempdir()).glob("cba-*"):
        if _SCRATCH.fullmatch(left.name):
            with _held(left) as ours:
                if ours:
                    _remove(left)
    taken = True
    while taken:  # by another, as a leftover, between being made and being held
        place = Path(tempfile.mkdtemp(prefix=f"cba-{purpose}-"))
        with _held(place) as ours:
            taken = ours is False or not place.exists()
            if not taken:
                try:
                    yield place
                finally:
                    _remove(place)


@contextmanager
def _held(folder: Path) -> Iterator[bool | None]:
    """Hold a folder of ours until the block, or its process, ends; say whether it is held, None where none can be."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except ImportError:
        yield None
        return
    except OSError:  # gone, or somebody else's
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held: bool | None = os.fstat(handle).st_uid == os.getuid()
    except OSError as error:
        held = False if isinstance(error, BlockingIOError) else None
    try:
        yield held
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    for place, _, _ in os.walk(folder):
        with suppress(OSError):
            os.chmod(place, 0o700)  # a copied snapshot is read-only
    shutil.rmtree(folder, ignore_errors=True)


def clear_parts(folder: Path, name: str = "*") -> None:
    """Remove files half-written for a name, ``.NAME.PID.part``, whose process has ended."""
    for part in folder.glob(f".{name}.*.part"):
        process = part.suffixes[-2][1:] if len(part.suffixes) > 1 else ""
        if process.isdecimal() and not _is_running(int(process)):
            with suppress(OSError):
                _remove(part) if part.is_dir() else part.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
