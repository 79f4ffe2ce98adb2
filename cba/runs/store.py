"""The store of runs: one folder a run, complete or not there, with every file's hash in its manifest.

``<root>/<analysis>/<utc time>-<fingerprint>/`` holds a run; ``<root>/<analysis>/published`` names the run
that readers should see; ``<root>/<analysis>/failed/<utc time>/`` holds the diagnostics of a run whose gates
failed, which is never a result. A run is written in a hidden folder beside its place, forced to disk and
renamed, under a lock; what a killed run left behind is removed by the next one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from cba.runs.analysis_lock import STAGING, locked
from cba.runs.fingerprints import file_sha256
from cba.runs.input_archive import archive_inputs, archive_lock, hashes_of
from cba.runs.run_names import free_name, utc_stamp
from cba.runs.seals import sealed
from cba.runs.stored_runs import (
    MANIFEST,
    POINTER,
    REPORT,
    RunRecord,
    files_below,
    published_name,
    read_run,
)
from cba.runs.whole_writing import (
    plain,
    store_errors,
    sync_folder,
    sync_tree,
    to_json,
    write_whole,
)


def write_run(
    root: str | Path,
    *,
    analysis: str,
    moment: datetime,
    fingerprint: str,
    manifest: Mapping[str, Any],
    fill: Callable[[Path, str], None],
    publish: bool | None = None,
    inputs: Mapping[str, bytes] | None = None,
) -> RunRecord:
    """Store one run, whole or not at all.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    analysis : str
        Name of the analysis.
    moment : datetime
        Start of the run, with time zone.
    fingerprint : str
        Fingerprint of the run, 8 hexadecimal digits or more.
    manifest : mapping
        Goes into manifest.json, with ``run`` (the name), ``files`` (SHA-256 and size of each) and a hash of
        its own content added.
    fill : callable
        Given a folder and the name of the run, writes the files of the run into the folder.
    publish : bool, optional
        Show readers this run, or do not; left out, only the first run of an analysis is shown.
    inputs : mapping of str to bytes, optional
        The files the run was made from, kept in the archive and named in the manifest as ``inputs``.

    Returns
    -------
    RunRecord

    Raises
    ------
    StoreError
        Disk full, no permission, a file in the way, or another run holding the lock for over two minutes.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     run = write_run(
    ...         root, analysis="latest", moment=datetime(2026, 11, 21, tzinfo=UTC), fingerprint="0123abcd",
    ...         manifest={"seed": 1}, fill=lambda folder, name: None,
    ...     )
    >>> run.name, run.published
    ('20261121T000000Z-0123abcd', True)
    """
    folder = Path(root) / analysis
    with locked(folder), store_errors("the run could not be stored; nothing was kept of it", file=folder):
        name = free_name(folder, f"{utc_stamp(moment)}-{fingerprint[:8]}")

        def complete(staging: Path) -> None:
            fill(staging, name)
            full = {**manifest, "run": name, "files": _hashes(staging)}
            if inputs is not None:
                full["inputs"] = hashes_of(inputs)
            (staging / MANIFEST).write_text(to_json(sealed(plain(full))), encoding="utf-8")

        keeping = None if inputs is None else _kept(root, inputs)
        _place(complete, staging=folder / f"{STAGING}{name}", place=folder / name, keeping=keeping)
        if publish or (publish is None and published_name(folder) is None):
            write_whole(folder / POINTER, name + "\n")
    return read_run(folder / name)


def write_failure(
    root: str | Path, *, analysis: str, moment: datetime, diagnostics: Mapping[str, Any]
) -> Path:
    """Store the diagnostics of a run that failed a gate: no results, never approvable.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    analysis : str
        Name of the analysis.
    moment : datetime
        When the gate failed, with time zone.
    diagnostics : mapping
        Which checks failed and what was run.

    Returns
    -------
    Path
        ``<root>/<analysis>/failed/<utc time>/diagnostics.json``.

    Raises
    ------
    StoreError
        As :func:`write_run`.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     place = write_failure(
    ...         root, analysis="latest", moment=datetime(2026, 11, 21, tzinfo=UTC), diagnostics={}
    ...     )
    >>> place.parts[-4:]
    ('latest', 'failed', '20261121T000000Z', 'diagnostics.json')
    """
    folder = Path(root) / analysis
    with locked(folder), store_errors("the diagnostics could not be stored", file=folder):
        (folder / "failed").mkdir(exist_ok=True)
        name = free_name(folder / "failed", utc_stamp(moment))
        place = folder / "failed" / name

        def complete(staging: Path) -> None:
            (staging / "diagnostics.json").write_text(to_json(diagnostics), encoding="utf-8")

        _place(complete, staging=folder / f"{STAGING}{name}", place=place)
    return place / "diagnostics.json"


def rewrite_report(run: RunRecord, html: str) -> RunRecord:
    """Replace a stored run's report.html and its hash in the manifest; every other file stays as it is.

    Parameters
    ----------
    run : RunRecord
    html : str
        The new report.

    Returns
    -------
    RunRecord

    Raises
    ------
    StoreError
        If it cannot be written.

    Notes
    -----
    The manifest is written first: a kill in between leaves a report that
    :func:`cba.runs.stored_runs.verify_run` names, and writing it again mends it.

    Examples
    --------
    >>> rewrite_report(run, "<html></html>").name == run.name  # doctest: +SKIP
    True
    """
    with locked(run.path.parent), store_errors("the report could not be replaced", file=run.path / REPORT):
        manifest = read_run(run.path).manifest  # as it is under the lock: another writer may have added to it
        beside = run.path / f".{REPORT}.new"
        try:
            write_whole(beside, html)
            files = {**manifest["files"], REPORT: _hash(beside)}
            write_whole(run.path / MANIFEST, to_json(sealed({**manifest, "files": files})))
            os.replace(beside, run.path / REPORT)
            sync_folder(run.path)
        finally:
            beside.unlink(missing_ok=True)
    return read_run(run.path)


def publish_run(run: RunRecord) -> RunRecord:
    """Point ``published`` at a stored run.

    Parameters
    ----------
    run : RunRecord

    Returns
    -------
    RunRecord
        The same run, published.

    Raises
    ------
    StoreError
        If the pointer cannot be written; it then still names the run it named before.

    Examples
    --------
    >>> publish_run(run).published  # doctest: +SKIP
    True
    """
    with locked(run.path.parent):
        write_whole(run.path.parent / POINTER, run.name + "\n")
    return read_run(run.path)


def removed_whole(place: Path) -> None:
    """Remove a stored run: out of sight in one step, then its files.

    Parameters
    ----------
    place : Path
        Its folder; the caller holds the lock of the analysis.

    Raises
    ------
    StoreError
        If it cannot be removed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     (Path(folder) / "run").mkdir()
    ...     removed_whole(Path(folder) / "run")
    ...     list(Path(folder).iterdir())
    []
    """
    with store_errors("the run could not be removed", file=place):
        hidden = place.with_name(f"{STAGING}{place.name}")
        os.rename(place, hidden)
        sync_folder(place.parent)
        shutil.rmtree(hidden)


@contextmanager
def _kept(root: str | Path, inputs: Mapping[str, bytes]) -> Iterator[None]:
    """Keep the inputs of a run and hold their archive until the run that names them is in place."""
    with archive_lock(root):
        archive_inputs(root, inputs)
        yield


def _place(
    complete: Callable[[Path], None],
    *,
    staging: Path,
    place: Path,
    keeping: AbstractContextManager[None] | None = None,
) -> None:
    """Fill a hidden folder, force it to disk and rename it; remove it where anything goes wrong.

    Only the rename is done inside `keeping`: all analyses share the archive, and filling takes long.
    """
    staging.mkdir()
    try:
        complete(staging)
        sync_tree(staging)
        with keeping or nullcontext():
            os.rename(staging, place)
            sync_folder(place.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _hash(path: Path) -> dict[str, Any]:
    return {"sha256": file_sha256(path), "bytes": path.stat().st_size}


def _hashes(folder: Path) -> dict[str, dict[str, Any]]:
    return {name: _hash(folder / name) for name in sorted(files_below(folder))}
