"""Stored runs as they are read back: listed, found by what a person types, checked against their hashes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cba.errors import InputError
from cba.runs.fingerprints import file_sha256
from cba.runs.run_names import is_run_name, named_run, run_moment
from cba.runs.seals import damaged, read_json, seal_problem
from cba.runs.whole_writing import StoreError, is_leftover, store_errors

MANIFEST, HEADLINE, REPORT, POINTER = "manifest.json", "headline.json", "report.html", "published"
"""Names of the files every store knows."""

BESIDE = ("approval.json", "comparison.json", "scores.json")
"""Records written beside a manifest after the run was stored; each seals itself."""


@dataclass(frozen=True)
class RunRecord:
    """One stored run.

    Attributes
    ----------
    path : Path
        Its folder.
    analysis, name : str
        Name of the analysis, and of the run within it.
    manifest : dict
        As stored; empty where it is damaged.
    published : bool
        Whether readers are shown this run.
    approval : dict
        Who released the run, when and why; empty where nobody has.
    damage : str
        Why the manifest cannot be trusted; empty where it can.

    Examples
    --------
    >>> RunRecord(Path("reports/latest/20261121T093000Z-0123abcd"), "latest", "20261121T093000Z-0123abcd", {})
    RunRecord(path=..., analysis='latest', name='20261121T093000Z-0123abcd', published=False,
        approval={}, damage='')
    """

    path: Path
    analysis: str
    name: str
    manifest: dict[str, Any] = field(repr=False)
    published: bool = False
    approval: dict[str, Any] = field(default_factory=dict)
    damage: str = ""

    @property
    def held(self) -> tuple[str, ...]:
        """Return why the run waits for a person; empty once one has released it.

        Returns
        -------
        tuple of str

        Examples
        --------
        >>> RunRecord(Path("a"), "latest", "a", {"held": ["net present value moved"]}).held
        ('net present value moved',)
        """
        return () if self.approval else tuple(self.manifest.get("held", ()))

    @property
    def headline(self) -> dict[str, Any]:
        """Return the stored headline.json.

        Returns
        -------
        dict

        Examples
        --------
        >>> find_run("reports", "latest").headline["schema"]  # doctest: +SKIP
        1
        """
        return read_json(self.path / HEADLINE)


def read_run(path: str | Path) -> RunRecord:
    """Read one stored run.

    Parameters
    ----------
    path : str or Path
        Its folder.

    Returns
    -------
    RunRecord

    Raises
    ------
    InputError
        If the folder is not a run.
    StoreError
        If its manifest is damaged.

    Examples
    --------
    >>> read_run("reports/latest/20261121T093000Z-0123abcd").manifest["seed"]  # doctest: +SKIP
    20220523
    """
    run = _record(Path(path))
    if run.damage:
        name, _, what = run.damage.rpartition(": ") if run.damage.startswith(BESIDE) else ("", "", "")
        raise damaged(run.path / (name or MANIFEST), what or run.damage)
    return run


def _record(path: Path) -> RunRecord:
    """Read a run whose manifest may be damaged."""
    if not (path / MANIFEST).is_file():
        raise InputError(
            "the folder is not a stored run",
            file=path,
            found=f"no {MANIFEST}",
            allowed=f"a folder with {MANIFEST}",
            cause="a wrong path, or a file removed by hand",
            remedy="list the runs with `cba runs`",
        )
    try:
        manifest = read_json(path / MANIFEST)
        damage = seal_problem(manifest)
    except StoreError as error:
        manifest, damage = {}, error.problem
    published = published_name(path.parent) == path.name
    manifest = {} if damage else manifest
    approval, flaw = _approval(path, manifest)
    return RunRecord(path, path.parent.name, path.name, manifest, published, approval, damage=damage or flaw)


def _approval(path: Path, manifest: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the approval beside a manifest, and what is wrong with it."""
    file = path / "approval.json"
    if not manifest or not file.is_file():
        return {}, ""
    try:
        approval = read_json(file)
    except StoreError:
        return {}, "approval.json: it is not valid JSON"
    problem = seal_problem(approval)
    if problem:
        return {}, f"approval.json: {problem}"
    if approval.get("headline_sha256") != manifest["files"].get(HEADLINE, {}).get("sha256"):
        return {}, "approval.json: it is of another run or of other results"
    return approval, ""


def published_name(folder: Path) -> str | None:
    """Return the name of an analysis's published run.

    Parameters
    ----------
    folder : Path
        ``<root>/<analysis>``.

    Returns
    -------
    str or None
        None where the pointer is missing or names no run.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     published_name(Path(folder))
    """
    pointer = folder / POINTER
    if not pointer.is_file():
        return None
    name = pointer.read_text(encoding="utf-8").strip()
    return name if is_run_name(name) and (folder / name / MANIFEST).is_file() else None


def verify_run(path: str | Path) -> list[str]:
    """Compare every file of a run with the hash in its manifest.

    Parameters
    ----------
    path : str or Path
        Folder of the run.

    Returns
    -------
    list of str
        One sentence for each file that is missing, damaged or not in the manifest; empty where all is sound.
        What a killed writer left half-written is no file of the run: the next writer removes it.

    Raises
    ------
    InputError, StoreError
        If the folder is not a run, or the manifest itself is damaged.

    Examples
    --------
    >>> verify_run("reports/latest/20261121T093000Z-0123abcd")  # doctest: +SKIP
    ['stances/evidence/draws.nc: damaged, its SHA-256 is not the one stored']
    """
    run = read_run(path)
    problems = []
    for name, entry in run.manifest["files"].items():
        file = run.path / name
        if not file.is_file():
            problems.append(f"{name}: missing")
        elif (size := file.stat().st_size) != entry["bytes"]:
            problems.append(f"{name}: damaged, {size} bytes where {entry['bytes']} were stored")
        elif file_sha256(file) != entry["sha256"]:
            problems.append(f"{name}: damaged, its SHA-256 is not the one stored")
    added = sorted(files_below(run.path) - {*run.manifest["files"], MANIFEST, *BESIDE})
    return [*problems, *(f"{name}: not in the manifest (added after the run)" for name in added)]


def files_below(folder: Path) -> set[str]:
    """Return the files under a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    set of str
        Paths relative to it, with forward slashes, without what a killed writer left half-written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     files_below(Path(folder))
    set()
    """
    files = (file for file in folder.rglob("*") if file.is_file() and not is_leftover(file))
    return {file.relative_to(folder).as_posix() for file in files}


def list_runs(root: str | Path) -> list[RunRecord]:
    """Return all stored runs, by analysis and time, oldest first.

    Parameters
    ----------
    root : str or Path
        Folder of the reports; need not exist.

    Returns
    -------
    list of RunRecord
        A run whose manifest is damaged is listed with its `damage`. What is half-written has a hidden name
        and is never listed.

    Raises
    ------
    StoreError
        If the folder cannot be read.

    Examples
    --------
    >>> list_runs("no such folder")
    []
    """
    root = Path(root)
    if not root.is_dir():
        return []
    with store_errors("the folder of the reports cannot be read", file=root):
        analyses = sorted(place for place in root.iterdir() if place.is_dir() and place.name[0] != ".")
    return [run for analysis in analyses for run in runs_of(root, analysis.name)]


def runs_of(root: str | Path, analysis: str) -> list[RunRecord]:
    """Return the stored runs of one analysis, oldest first.

    Parameters
    ----------
    root : str or Path
        Folder of the reports; need not exist.
    analysis : str
        Name of the analysis.

    Returns
    -------
    list of RunRecord

    Raises
    ------
    StoreError
        If the folder cannot be read.

    Examples
    --------
    >>> runs_of("no such folder", "latest")
    []
    """
    folder = Path(root) / analysis
    if not folder.is_dir():
        return []
    with store_errors("the folder of the reports cannot be read", file=folder):
        places = [place for place in folder.iterdir() if is_run_name(place.name)]
    return sorted((_record(place) for place in places if (place / MANIFEST).is_file()), key=run_moment)


def find_run(root: str | Path, name: str) -> RunRecord:
    """Find one run by what a person types.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    name : str
        A path to the run's folder; an analysis (its published run, else its newest); ``ANALYSIS/latest``
        (newest), ``ANALYSIS/published`` or ``ANALYSIS/<start of a run's name>``; the start of a run's name;
        ``published`` where one analysis has a published run; or ``latest``: the newest run of all, unless an
        analysis of that name has runs.

    Returns
    -------
    RunRecord

    Raises
    ------
    InputError
        If no run or more than one fits; lists what there is.
    StoreError
        If the manifest of the run found is damaged.

    Examples
    --------
    >>> find_run("reports", "latest/published").name  # doctest: +SKIP
    '20261121T093000Z-0123abcd'
    """
    if (Path(name) / MANIFEST).is_file():
        return read_run(Path(name).resolve())
    return read_run(named_run(list_runs(root), name, root=root).path)
