"""The store of runs: one folder a run, complete or not there, with every file's hash in its manifest.

``<root>/<analysis>/<utc time>-<fingerprint>/`` holds a run; ``<root>/<analysis>/published`` names the run
that readers should see; ``<root>/<analysis>/failed/<utc time>/`` holds the diagnostics of a run whose gates
failed, which is never a result. A run is written in a hidden folder beside its place, forced to disk and
renamed, under a lock; what a killed run left behind is removed by the next one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cba.errors import InputError, StoreError
from cba.inputs.files import bytes_of, fingerprint, replace_file, to_disk
from cba.inputs.leftovers import clear_parts
from cba.runs.fingerprints import file_sha256, input_files
from cba.runs.reading import (
    CLOCKS,
    MANIFEST,
    POINTER,
    REPORT,
    RunRecord,
    files_below,
    free_name,
    list_runs,
    published_name,
    published_trouble,
    read_run,
    run_moment,
    runs_of,
    utc_stamp,
)
from cba.runs.whole_files import (
    STAGING,
    damaged,
    locked,
    one_writer,
    plain,
    read_json,
    seal_problem,
    sealed,
    store_errors,
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

    `moment`: start of the run, with time zone. `manifest`: goes into manifest.json, with ``run`` (the name),
    ``files`` (SHA-256 and size of each) and a hash of its own content added.
    """
    # `inputs`: the files the run was made from, kept in the archive and named in the manifest as ``inputs``.
    folder = Path(root) / analysis
    with locked(folder), store_errors("the run could not be stored; nothing was kept of it", file=folder):
        name = free_name(folder, f"{utc_stamp(moment)}-{fingerprint[:8]}")
        after = max((run_moment(run)[1] for run in runs_of(root, analysis)), default="")
        done = datetime.fromisoformat(manifest.get("finished") or moment.isoformat())

        def complete(staging: Path) -> None:
            fill(staging, name)
            full = {**manifest, "run": name, "files": _hashes(staging)}
            if after > utc_stamp(done + CLOCKS):  # the clock stands before a run that is stored
                full["stored_after"] = after
            if inputs is not None:
                full["inputs"] = hashes_of(inputs)
            (staging / MANIFEST).write_text(to_json(sealed(plain(full))), encoding="utf-8")

        keeping = None if inputs is None else _kept(root, inputs)
        _place(complete, staging=folder / f"{STAGING}{name}", place=folder / name, keeping=keeping)
        first = published_name(folder) is None and not published_trouble(folder, besides=name)
        if publish or (publish is None and first):
            write_whole(folder / POINTER, name + "\n")
    return read_run(folder / name)


def write_failure(
    root: str | Path, *, analysis: str, moment: datetime, diagnostics: Mapping[str, Any]
) -> Path:
    """Store the diagnostics of a run that failed a gate: no results, never approvable.

    ``<root>/<analysis>/failed/<utc time>/diagnostics.json``.
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


def publish_run(run: RunRecord) -> RunRecord:
    """Point ``published`` at a stored run."""
    with locked(run.path.parent):
        write_whole(run.path.parent / POINTER, run.name + "\n")
    return read_run(run.path)


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
    staging.mkdir(parents=True)
    try:
        complete(staging)
        sync_tree(staging)
        with keeping or nullcontext():
            os.rename(staging, place)
            to_disk(place.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _hash(path: Path) -> dict[str, Any]:
    return {"sha256": file_sha256(path), "bytes": path.stat().st_size}


def _hashes(folder: Path) -> dict[str, dict[str, Any]]:
    return {name: _hash(folder / name) for name in sorted(files_below(folder))}


# --- The archive of inputs ---
#
# ``<root>/.inputs/<sha256>`` holds a file's bytes, kept once and shared between runs; the manifest of a run names
# its files with their hashes, so an old run can be made again when the shipped files have long moved on. Whoever
# adds or removes files holds the lock of the archive until the manifest that names them is in place.


ARCHIVE = ".inputs"
"""Folder of the archive, under the folder of the reports."""


ANALYSIS = "analysis.json"
"""Name under which the checked analysis itself is kept."""


_FOLDERS = "folders"


def read_inputs_once(settings: Mapping[str, Any]) -> dict[str, bytes]:
    """Read every file a run is made from, so that what is hashed is what is kept.

    Name, as in `input_files`, to bytes. `settings`: the analysis as plain values; kept as ``analysis.json``.
    """
    files = {name: bytes_of(path) for name, path in input_files().items()}
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


def archive_lock(root: str | Path) -> AbstractContextManager[None]:
    """Hold the lock of the archive, so that no file is removed between being kept and being named."""
    return one_writer(Path(root) / ARCHIVE, "the archive of inputs")


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
    place = archive / _FOLDERS / _folder_of(inputs)
    if _laid_out(place, inputs):
        return place
    with archive_lock(archive.parent), store_errors("the inputs could not be laid out", file=place):
        for stale in (place, *place.parent.glob(".*.part")):
            shutil.rmtree(stale, ignore_errors=True)

        def lay_out(staging: Path) -> None:
            for file, entry in inputs.items():
                kept = archive / entry["sha256"]
                _require_sound(kept, entry["sha256"], name=file)
                target = staging / _layout(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(kept, target)

        _place(lay_out, staging=place.with_name(f".{place.name}.{os.getpid()}.part"), place=place)
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
    laid_out = {_folder_of(run.manifest["inputs"]) for run in runs if run.manifest.get("inputs")}
    folders = sorted((folder / _FOLDERS).iterdir()) if (folder / _FOLDERS).is_dir() else []
    return [*files, *(place for place in folders if place.name not in laid_out)]


def _folder_of(inputs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the name of the folder in which these inputs are laid out."""
    return fingerprint({name: entry["sha256"] for name, entry in inputs.items()})[:16]


def _layout(name: str) -> str:
    """Return where a file belongs in a folder that readers can be pointed at: options are inside priors."""
    return f"priors/{name}" if name.startswith("options/") else name


def _sound(path: Path, sha256: str) -> bool:
    return path.is_file() and file_sha256(path) == sha256


def _laid_out(place: Path, inputs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a folder holds these inputs and nothing beside them, which readers of a folder would take too."""
    return files_below(place) == set(map(_layout, inputs)) and all(
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


# --- files added to a stored run ---


RERUN_RECORDS = ("comparison", "scores")
"""What a re-run keeps of a run for its report, each in a file of its name."""

OF_RUN = "of_run"
"""Key under which such a record says whose it is."""


def put_file(run: RunRecord, name: str, content: bytes) -> RunRecord:
    """Write a file into a stored run and its hash into the manifest; every other file stays as it is.

    `name`: file in the run's folder, such as ``report.pdf`` or ``tables/checklist.csv``; one that is there is
    replaced.
    """
    # The manifest is written before the file takes its place: a kill in between leaves a file that
    # `verify_run` names, and writing it again mends it.
    with locked(run.path.parent), store_errors(f"{name} could not be stored", file=run.path / name):
        manifest = read_run(run.path).manifest  # as it is under the lock: another writer may have added to it
        place = run.path / name
        beside = place.with_name(f".{place.name}.new")
        place.parent.mkdir(exist_ok=True)
        try:
            beside.write_bytes(content)
            to_disk(beside)
            files = dict(sorted({**manifest["files"], name: _hash(beside)}.items()))
            write_whole(run.path / MANIFEST, to_json(sealed({**manifest, "files": files})))
            os.replace(beside, place)
            to_disk(place.parent)
        finally:
            beside.unlink(missing_ok=True)
    return read_run(run.path)


def put_pages(run: RunRecord, pages: Mapping[str, str]) -> RunRecord:
    """Write the pages of a stored run, HTML by file, the report last: a run that has it has all of them."""
    for file in sorted(pages, key=lambda file: file == REPORT):
        run = put_file(run, file, pages[file].encode())
    return run


def rerun_records(run: RunRecord) -> dict[str, dict[str, Any]]:
    """Return ``comparison`` and ``scores``, as far as a run has them, as its report was given them."""
    found = {}
    for name in RERUN_RECORDS:
        file = run.path / f"{name}.json"
        if file.is_file():
            record = read_json(file)
            whose = record.get(OF_RUN, run.name)  # what was stored by earlier versions does not say
            problem = seal_problem(record) or ("" if whose == run.name else f"it is of run {whose}")
            if problem:
                raise damaged(file, problem)
            found[name] = {key: value for key, value in record.items() if key not in {OF_RUN, *sealed({})}}
    return found


# --- retention: old runs are removed, never one that readers see, that was approved, or that waits ---


@dataclass(frozen=True)
class Pruning:
    """What was removed, or would be."""

    runs: tuple[RunRecord, ...]
    inputs: tuple[Path, ...]  # files of the archive that no remaining run names
    bytes: int  # space they take
    left: tuple[str, ...] = ()  # what was left for a person to look at, and why


def prune_runs(root: str | Path, *, keep: int, dry_run: bool = False) -> Pruning:
    """Remove all but the newest runs of each analysis, and archived inputs that no run names any more.

    `dry_run`: remove nothing; say what would go. A run is renamed to a hidden name first, so that a kill
    leaves it whole or out of sight; the next run clears what is left.
    """
    if keep < 1:
        raise InputError(
            "the number of runs to keep is too low",
            field="--keep",
            found=keep,
            allowed="1 or more",
            cause="a sign or a zero mistyped",
            remedy="keep at least the newest run",
        )
    root, runs = Path(root), list_runs(root)
    left = _left(root, runs)
    going = [run for name in {run.analysis: None for run in runs} for run in _spare(runs, name, keep=keep)]
    staying = [run for run in runs if run not in going]
    if dry_run or not runs:
        inputs = unreferenced(root, staying)
        freed = sum(map(_size, [*(run.path for run in going), *inputs]))
        return Pruning(tuple(going), tuple(inputs), freed, left)
    gone, freed = [], 0
    for folder in dict.fromkeys(run.path.parent for run in runs):
        with locked(folder):
            pass  # whoever holds the lock has cleared what killed processes left
    for run in going:
        with locked(run.path.parent):
            if run in _spare(list_runs(root), run.analysis, keep=keep):  # nobody published it meanwhile
                freed += _size(run.path)
                _remove(run.path)
                gone.append(run)
    with archive_lock(root), store_errors("archived inputs could not be removed", file=root):
        clear_parts(root / ARCHIVE)
        clear_parts(root / ARCHIVE / _FOLDERS)
        inputs = unreferenced(root, list_runs(root))
        freed += sum(map(_size, inputs))
        for place in inputs:
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    return Pruning(tuple(gone), tuple(inputs), freed, left)


def _left(root: Path, runs: list[RunRecord]) -> tuple[str, ...]:
    """Say what is not removed because a person must look first: damaged runs, and where readers see no sound run."""
    damaged_runs = [f"{run.analysis}/{run.name} is left: {run.damage}" for run in runs if run.damage]
    lost = {run.analysis: published_trouble(root / run.analysis) for run in runs}
    return (*damaged_runs, *(f"all runs of {name} are left: {why}" for name, why in lost.items() if why))


def _remove(place: Path) -> None:
    """Remove a stored run: out of sight in one step, then its files."""
    with store_errors("the run could not be removed", file=place):
        hidden = place.with_name(f"{STAGING}{place.name}")
        os.rename(place, hidden)
        to_disk(place.parent)
        shutil.rmtree(hidden)


def _spare(runs: list[RunRecord], analysis: str, *, keep: int) -> list[RunRecord]:
    """Return the runs of an analysis that may go."""
    own = [run for run in runs if run.analysis == analysis]
    if own and published_trouble(own[0].path.parent):
        return []  # one of them may be the run that readers should see
    return [run for run in own[:-keep] if not (run.published or run.approval or run.held or run.damage)]


def _size(place: Path) -> int:
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file())
