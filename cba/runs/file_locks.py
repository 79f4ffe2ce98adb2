"""A lock file held for a block: one writer at a time, and a message that names it where another holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cba.runs.whole_writing import StoreError, store_errors


@contextmanager
def holding(file: Path, *, wait: float, what: str, busy: str, cause: str, remedy: str) -> Iterator[None]:
    """Hold a lock file inside a ``with`` block.

    Parameters
    ----------
    file : Path
        The lock; its folder is made if it is missing.
    wait : float, seconds
        How long to wait for whoever holds it.
    what : str
        What the lock guards, for the message where its folder cannot be used.
    busy, cause, remedy : str
        Message where another holds it for longer than `wait`.

    Yields
    ------
    None

    Raises
    ------
    StoreError
        If the folder cannot be used, or another holds the lock for longer than `wait`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> words = {"what": "the folder", "busy": "another has it", "cause": "two at once", "remedy": "wait"}
    >>> with TemporaryDirectory() as root, holding(Path(root) / "a" / ".lock", wait=1.0, **words):
    ...     [place.name for place in (Path(root) / "a").iterdir()]
    ['.lock']
    """
    from filelock import FileLock, Timeout

    lock = FileLock(file, timeout=wait)
    with store_errors(f"{what} cannot be used", file=file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise StoreError(busy, file=file, cause=cause, remedy=remedy) from None
    try:
        yield
    finally:
        lock.release()
