"""The names of runs: how a run is called, and which run a person means by what they type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cba.errors import InputError

if TYPE_CHECKING:
    from cba.runs.stored_runs import RunRecord

_RUN_NAME = re.compile(r"^\d{8}T\d{6}Z-[0-9a-f]{8}(-\d+)?$")


def utc_stamp(moment: datetime) -> str:
    """Return a moment as it stands in a run's name.

    Parameters
    ----------
    moment : datetime
        With a time zone.

    Returns
    -------
    str

    Examples
    --------
    >>> utc_stamp(datetime(2026, 11, 21, 9, 30, tzinfo=UTC))
    '20261121T093000Z'
    """
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def free_name(folder: Path, stem: str) -> str:
    """Return a name that nothing in a folder has yet.

    Parameters
    ----------
    folder : Path
    stem : str
        Name wanted.

    Returns
    -------
    str
        `stem`, numbered where a run of the same second is there already.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     (Path(folder) / "20261121T093000Z-0123abcd").mkdir()
    ...     free_name(Path(folder), "20261121T093000Z-0123abcd")
    '20261121T093000Z-0123abcd-2'
    """
    name, number = stem, 1
    while (folder / name).exists():
        number += 1
        name = f"{stem}-{number}"
    return name


def is_run_name(name: str) -> bool:
    """Return whether a name is one that the store gives to runs.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_run_name("20261121T093000Z-0123abcd"), is_run_name("failed")
    (True, False)
    """
    return bool(_RUN_NAME.match(name))


def named_run(runs: Sequence[RunRecord], name: str, *, root: str | Path) -> RunRecord:
    """Return the one run that a person means.

    Parameters
    ----------
    runs : sequence of RunRecord
        All there are, by analysis and time, oldest first.
    name : str
        As in :func:`cba.runs.stored_runs.find_run`, but not a path.
    root : str or Path
        Folder of the reports, named in an error.

    Returns
    -------
    RunRecord

    Raises
    ------
    InputError
        If no run or more than one fits; lists what there is.

    Examples
    --------
    >>> from cba.runs.stored_runs import RunRecord
    >>> runs = [RunRecord(Path(day), "latest", day, {}) for day in ("20261120", "20261121")]
    >>> named_run(runs, "latest", root="reports").name
    '20261121'
    """
    chosen = _matching(runs, name.strip("/"))
    if len(chosen) == 1:
        return chosen[0]
    known = [f"{run.analysis}/{run.name}" for run in runs]
    from cba.inputs.toml_reading import nearest

    raise InputError(
        f"{len(chosen)} runs fit that name" if chosen else "no run of that name",
        file=root,
        field="RUN",
        found=name,
        allowed=", ".join(known[-8:]) or "no run is stored here yet",
        cause="a misspelt name, or another folder of reports",
        remedy="list the runs with `cba runs`, or name the folder with --root" + nearest(name, known),
    )


def run_moment(run: RunRecord) -> tuple[str, str, str]:
    """Return what runs are ordered by in time: two of one second are told apart by their manifests.

    Parameters
    ----------
    run : RunRecord

    Returns
    -------
    tuple of str
        Second, exact start where the manifest is sound, and name.

    Examples
    --------
    >>> from cba.runs.stored_runs import RunRecord
    >>> run_moment(RunRecord(Path("a"), "latest", "20261121T093000Z-0123abcd", {}))[0]
    '20261121T093000Z'
    """
    return run.name.partition("-")[0], str(run.manifest.get("started_exactly", "")), run.name


def _matching(runs: Sequence[RunRecord], name: str) -> list[RunRecord]:
    """Return the runs that a name may mean; see :func:`cba.runs.stored_runs.find_run`."""
    analysis, _, which = name.rpartition("/")
    if not analysis and which in {run.analysis for run in runs}:
        analysis, which = which, ""
    among = [run for run in runs if analysis in ("", run.analysis)]
    published = [run for run in among if run.published]
    if which == "":
        return published or among[-1:]
    if which == "latest":
        return sorted(among, key=run_moment)[-1:]
    if which == "published":
        return published
    exact = [run for run in among if run.name == which]
    return exact or [run for run in among if run.name.startswith(which)]
