"""What killed processes left half-written, cleared by whoever comes next."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Yield a temporary folder, removed at the end; that of a killed process is left to the machine's own clearing."""
    with tempfile.TemporaryDirectory(prefix=f"cba-{purpose}-", ignore_cleanup_errors=True) as place:
        yield Path(place)


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
