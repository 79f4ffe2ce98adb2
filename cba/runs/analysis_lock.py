"""One writer at a time in the folder of an analysis; what a killed one left there is removed by the next."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cba.runs.file_locks import holding
from cba.runs.whole_writing import is_leftover

STAGING = ".staging-"
"""How the name of a folder begins that is being filled, or removed."""

_LOCK_SECONDS = 120.0


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of one analysis; whatever a killed writer left in it and in its runs is removed first.

    Parameters
    ----------
    folder : Path
        ``<root>/<analysis>``, made if it is missing.

    Yields
    ------
    None

    Raises
    ------
    StoreError
        If the folder cannot be used, or another run holds the lock for over two minutes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root, locked(Path(root) / "latest"):
    ...     [place.name for place in (Path(root) / "latest").iterdir()]
    ['.lock']
    """
    with holding(
        folder / ".lock",
        wait=_LOCK_SECONDS,
        what="the folder of the analysis",
        busy=f"another run has held the lock for over {_LOCK_SECONDS:.0f} seconds",
        cause="two runs of one analysis at once, one of them stuck",
        remedy="wait for it or end it, then retry",
    ):
        _clear(folder)
        yield


def _clear(folder: Path) -> None:
    """Remove what killed writers left; the caller holds the lock, so that none of it is being written."""
    for stale in folder.glob(f"{STAGING}*"):
        shutil.rmtree(stale, ignore_errors=True)
    for place, _, names in os.walk(folder):
        for name in names:
            if is_leftover(Path(place, name)):
                Path(place, name).unlink(missing_ok=True)
