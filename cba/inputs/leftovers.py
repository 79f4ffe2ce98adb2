"""What killed processes left: temporary folders and half-written files, cleared by whoever comes next."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SCRATCH = re.compile(r"cba-[a-z]+-[0-9a-f]{12}\.lock")


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Yield a temporary folder, removed at the end; those that killed processes left are removed first."""
    from filelock import FileLock

    clear_scratch()
    while True:
        place = Path(tempfile.gettempdir(), f"cba-{purpose}-{secrets.token_hex(6)}")
        held = Path(f"{place}.lock")
        lock = FileLock(held)
        lock.acquire()
        if held.exists():
            break
        lock.release()  # another took it for a leftover between being made and being held
    try:
        place.mkdir(mode=0o700)
        yield place
    finally:
        _remove(place)
        held.unlink(missing_ok=True)
        lock.release()


def clear_scratch() -> None:
    """Remove the temporary folders that no process holds any more."""
    left = [file for file in Path(tempfile.gettempdir()).glob("cba-*.lock") if _SCRATCH.fullmatch(file.name)]
    if not left:
        return
    from filelock import FileLock, Timeout

    for file in left:
        with suppress(OSError, Timeout), FileLock(file, timeout=0):
            _remove(file.with_suffix(""))
            file.unlink(missing_ok=True)


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
