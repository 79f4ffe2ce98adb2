"""Retention: old runs are removed, never one that readers see, saw approved, or that waits for a person."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cba.errors import InputError
from cba.runs.analysis_lock import locked
from cba.runs.input_archive import archive_lock, unreferenced
from cba.runs.store import removed_whole
from cba.runs.stored_runs import RunRecord, list_runs
from cba.runs.whole_writing import store_errors


@dataclass(frozen=True)
class Pruning:
    """What was removed, or would be.

    Attributes
    ----------
    runs : tuple of RunRecord
    inputs : tuple of Path
        Files of the archive that no remaining run names.
    bytes : int
        Space they take.

    Examples
    --------
    >>> Pruning((), (), 0).bytes
    0
    """

    runs: tuple[RunRecord, ...]
    inputs: tuple[Path, ...]
    bytes: int


def prune_runs(root: str | Path, *, keep: int, dry_run: bool = False) -> Pruning:
    """Remove all but the newest runs of each analysis, and archived inputs that no run names any more.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    keep : int
        Newest runs of each analysis to keep, 1 or more. Published, approved and damaged runs, and those that wait
        for approval, are kept besides.
    dry_run : bool
        Remove nothing; say what would go.

    Returns
    -------
    Pruning

    Raises
    ------
    InputError
        If `keep` is below 1.
    StoreError
        If a run cannot be removed; it is then still whole, or gone from the list.

    Notes
    -----
    A run is renamed to a hidden name first, so that a kill leaves it whole or out of sight; the next run clears
    what is left.

    Examples
    --------
    >>> prune_runs("no such folder", keep=3).runs
    ()
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
    going = [run for name in {run.analysis: None for run in runs} for run in _spare(runs, name, keep=keep)]
    staying = [run for run in runs if run not in going]
    if dry_run or not runs:
        inputs = unreferenced(root, staying)
        return Pruning(tuple(going), tuple(inputs), sum(map(_size, [*(r.path for r in going), *inputs])))
    gone, freed = [], 0
    for run in going:
        with locked(run.path.parent):
            if run in _spare(list_runs(root), run.analysis, keep=keep):  # nobody published it meanwhile
                freed += _size(run.path)
                removed_whole(run.path)
                gone.append(run)
    with archive_lock(root), store_errors("archived inputs could not be removed", file=root):
        inputs = unreferenced(root, list_runs(root))
        freed += sum(map(_size, inputs))
        for place in inputs:
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    return Pruning(tuple(gone), tuple(inputs), freed)


def _spare(runs: list[RunRecord], analysis: str, *, keep: int) -> list[RunRecord]:
    """Return the runs of an analysis that may go."""
    own = [run for run in runs if run.analysis == analysis]
    return [run for run in own[:-keep] if not (run.published or run.approval or run.held or run.damage)]


def _size(place: Path) -> int:
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file())
