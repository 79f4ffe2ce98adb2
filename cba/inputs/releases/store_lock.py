"""One update of a store of snapshots at a time; what a killed one left half-written is removed by the next."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cba.inputs.releases.refusals import SnapshotDamaged

LOCK = ".lock"
_SECONDS = 120.0


@contextmanager
def storing_alone(store: Path) -> Iterator[None]:
    """Be the only update that stores into a store of snapshots.

    Parameters
    ----------
    store : Path
        Made where it does not exist.

    Yields
    ------
    None

    Raises
    ------
    SnapshotDamaged
        If the store cannot be used, or another update holds it for over two minutes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, storing_alone(Path(folder) / ".data"):
    ...     [place.name for place in (Path(folder) / ".data").iterdir()]
    ['.lock']
    """
    from filelock import FileLock, Timeout

    lock = FileLock(store / LOCK, timeout=_SECONDS)
    try:
        store.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise SnapshotDamaged(
            f"another update has held the store of snapshots for over {_SECONDS:.0f} seconds",
            file=store / LOCK,
            cause="two updates at once, one of them stuck",
            remedy="wait for it or end it, then update again",
        ) from None
    except OSError as error:
        raise SnapshotDamaged(
            "the snapshot could not be stored",
            file=error.filename or store,
            found=error.strerror or str(error),
            cause="a full disk, a read-only folder, or a file where the store belongs",
            remedy="free space or choose another folder with --store, then run again",
        ) from error
    try:
        for stale in store.glob(".*.part"):  # its writer is gone: no one else can hold the lock
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink(missing_ok=True)
        yield
    finally:
        lock.release()
