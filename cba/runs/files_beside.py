"""A file put beside a stored run's report, such as its PDF, with its hash in the manifest."""

from __future__ import annotations

import os
from pathlib import Path

from cba.runs.analysis_lock import locked
from cba.runs.fingerprints import file_sha256
from cba.runs.seals import sealed
from cba.runs.stored_runs import MANIFEST, RunRecord, read_run
from cba.runs.whole_writing import store_errors, sync_folder, to_json, write_whole


def store_beside(run: RunRecord, name: str, content: bytes) -> RunRecord:
    """Write a file into a stored run and its hash into the manifest; every other file stays as it is.

    Parameters
    ----------
    run : RunRecord
    name : str
        File in the run's folder, such as ``report.pdf`` or ``tables/checklist.csv``; one that is there is replaced.
    content : bytes

    Returns
    -------
    RunRecord

    Raises
    ------
    StoreError
        If it cannot be written.

    Notes
    -----
    The manifest is written before the file takes its place: a kill in between leaves a file that
    :func:`cba.runs.stored_runs.verify_run` names, and writing it again mends it.

    Examples
    --------
    >>> store_beside(run, "report.pdf", pdf).name == run.name  # doctest: +SKIP
    True
    """
    with locked(run.path.parent), store_errors(f"{name} could not be stored", file=run.path / name):
        manifest = read_run(run.path).manifest  # as it is under the lock: another writer may have added to it
        place = run.path / name
        beside = place.with_name(f".{place.name}.new")
        try:
            _write_forced(beside, content)
            entry = {"bytes": len(content), "sha256": file_sha256(beside)}
            files = dict(sorted({**manifest["files"], name: entry}.items()))
            write_whole(run.path / MANIFEST, to_json(sealed({**manifest, "files": files})))
            os.replace(beside, place)
            sync_folder(place.parent)
        finally:
            beside.unlink(missing_ok=True)
    return read_run(run.path)


def _write_forced(file: Path, content: bytes) -> None:
    """Write bytes and force them to disk."""
    with open(file, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
