"""The archive of inputs: every file a run was made from, kept once by its SHA-256 and shared between runs.

``<root>/.inputs/<sha256>`` holds a file's bytes; the manifest of a run names its files with their hashes, so
an old run can be made again when the shipped files have long moved on. Whoever adds or removes files holds
the lock of the archive until the manifest that names them is in place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.errors import StoreError
from cba.inputs.files import held_lock, replace_file
from cba.runs.fingerprints import content_sha256, file_sha256, input_files
from cba.runs.whole_files import store_errors, sync_tree, to_json

if TYPE_CHECKING:
    from cba.runs.reading import RunRecord


ARCHIVE = ".inputs"
"""Folder of the archive, under the folder of the reports."""


ANALYSIS = "analysis.json"
"""Name under which the checked analysis itself is kept."""


_FOLDERS = "folders"


_LOCK_SECONDS = 120.0


def read_inputs_once(settings: Mapping[str, Any]) -> dict[str, bytes]:
    """Read every file a run is made from, so that what is hashed is what is kept.

    Name, as in `input_files`, to bytes. `settings`: the analysis as plain values; kept as ``analysis.json``.
    """
    files = {name: path.read_bytes() for name, path in input_files().items()}
    return {**files, ANALYSIS: to_json(dict(settings)).encode("utf-8")}


def hashes_of(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return the SHA-256 and size of each file, for the manifest. Name to ``sha256`` and ``bytes``."""
    return {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
    }


def archive_inputs(root: str | Path, files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Keep files in the archive; those already there, and sound, are not written again."""
    folder, hashes = Path(root) / ARCHIVE, hashes_of(files)
    with store_errors("the inputs of the run could not be kept", file=folder):
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(".*.part"):
            stale.unlink(missing_ok=True)
        for sha, data in {hashes[name]["sha256"]: data for name, data in files.items()}.items():
            if not _sound(folder / sha, sha):
                replace_file(folder / sha, data)
    return hashes


@contextmanager
def archive_lock(root: str | Path) -> Iterator[None]:
    """Hold the lock of the archive, so that no file is removed between being kept and being named."""
    folder = Path(root) / ARCHIVE
    busy = StoreError(
        f"another run has held the archive of inputs for over {_LOCK_SECONDS:.0f} seconds",
        file=folder / ".lock",
        cause="two runs at once, one of them stuck",
        remedy="wait for it or end it, then retry",
    )
    trouble = store_errors("the archive of inputs cannot be used", file=folder)
    with held_lock(folder / ".lock", wait=_LOCK_SECONDS, busy=busy, trouble=trouble):
        yield


def archived_inputs(run: RunRecord) -> Path:
    """Lay out the inputs a stored run was made from, for `reading_from`.

    Folder with ``priors/`` (``options``, ``studies`` and ``checks`` inside), ``published/``, ``costs/``,
    ``panel_results/`` and ``analysis.json``. It is named by its content and made once: do not change it.
    """
    inputs = run.manifest.get("inputs")
    if not inputs:
        raise StoreError(
            "the run names no inputs to make it again from",
            file=run.path / "manifest.json",
            cause="stored by a version that did not keep them",
            remedy="run the analysis again with the version of the package the manifest names",
        )
    archive = run.path.parents[1] / ARCHIVE
    name = content_sha256({name: entry["sha256"] for name, entry in inputs.items()})[:16]
    place = archive / _FOLDERS / name
    if _laid_out(place, inputs):
        return place
    with archive_lock(archive.parent), store_errors("the inputs could not be laid out", file=place):
        staging = place.with_name(f".{name}.{os.getpid()}.part")
        for stale in (place, *place.parent.glob(".*.part")):
            shutil.rmtree(stale, ignore_errors=True)
        try:
            for file, entry in inputs.items():
                kept = archive / entry["sha256"]
                _require_sound(kept, entry["sha256"], name=file)
                target = staging / _layout(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(kept, target)
            sync_tree(staging)
            os.rename(staging, place)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return place


def unreferenced(root: str | Path, runs: list[RunRecord]) -> list[Path]:
    """Return the files and folders of the archive that no stored run names.

    None at all while the manifest of any run is damaged: it may name any of them.
    """
    folder = Path(root) / ARCHIVE
    if any(run.damage for run in runs) or not folder.is_dir():
        return []
    named = {entry["sha256"] for run in runs for entry in run.manifest.get("inputs", {}).values()}
    files = [file for file in sorted(folder.iterdir()) if len(file.name) == 64 and file.name not in named]
    laid_out = {
        content_sha256({name: entry["sha256"] for name, entry in run.manifest["inputs"].items()})[:16]
        for run in runs
        if run.manifest.get("inputs")
    }
    folders = sorted((folder / _FOLDERS).iterdir()) if (folder / _FOLDERS).is_dir() else []
    return [*files, *(place for place in folders if place.name not in laid_out)]


def _layout(name: str) -> str:
    """Return where a file belongs in a folder that readers can be pointed at: options are inside priors."""
    return f"priors/{name}" if name.startswith("options/") else name


def _sound(path: Path, sha256: str) -> bool:
    return path.is_file() and file_sha256(path) == sha256


def _laid_out(place: Path, inputs: Mapping[str, Mapping[str, Any]]) -> bool:
    return place.is_dir() and all(
        _sound(place / _layout(name), entry["sha256"]) for name, entry in inputs.items()
    )


def _require_sound(path: Path, sha256: str, *, name: str) -> None:
    if not _sound(path, sha256):
        raise StoreError(
            f"the kept copy of {name} is {'damaged' if path.is_file() else 'missing'}",
            file=path,
            cause="changed, removed or cut short after the run was stored",
            remedy="restore the file from a copy of the reports folder",
        )
