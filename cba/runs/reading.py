"""The names of runs: how a run is called, and which run a person means by what they type."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cba.errors import InputError, StoreError
from cba.inputs.files import as_folder, same_name, text_of
from cba.inputs.leftovers import clear_parts
from cba.inputs.safe_files import shown
from cba.runs.fingerprints import file_sha256
from cba.runs.whole_files import (
    damaged,
    is_leftover,
    read_json,
    seal_problem,
    shape_problem,
    store_errors,
    write_whole,
)

_RUN_NAME = re.compile(r"^\d{8}T\d{6}Z-[0-9a-f]{8}(-\d+)?$")


def utc_stamp(moment: datetime) -> str:
    """Return a moment as it stands in a run's name."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def free_name(folder: Path, stem: str) -> str:
    """Return a name that nothing in a folder has yet.

    `stem`, numbered where a run of the same second is there already.
    """
    name, number = stem, 1
    while (folder / name).exists():
        number += 1
        name = f"{stem}-{number}"
    return name


def is_run_name(name: str) -> bool:
    """Return whether a name is one that the store gives to runs."""
    return bool(_RUN_NAME.match(name))


def named_run(runs: Sequence[RunRecord], name: str, *, root: str | Path) -> RunRecord:
    """Return the one run that a person means. `runs`: all there are, by analysis and time, oldest first."""
    chosen = _matching(runs, name.strip("/"))
    if len(chosen) == 1:
        return chosen[0]
    known = [f"{run.analysis}/{run.name}" for run in runs]
    from cba.inputs.files import nearest

    raise InputError(
        f"{len(chosen)} runs fit that name" if chosen else "no run of that name",
        file=root,
        field="RUN",
        found=name,
        allowed=", ".join(known[-8:]) or "no run is stored here yet",
        cause="a misspelt name, or another folder of reports",
        remedy="list the runs with `cba runs`, or name the folder with --root" + nearest(name, known),
    )


def run_moment(run: RunRecord) -> tuple[bool, str, bool, str, str]:
    """Return what runs are ordered by in time: two of one second are told apart by their manifests.

    Whether its time has come, second, whether it was stored after a run of a later time, exact start where the manifest
    is sound, and name: no run from the future is the newest while there is another.
    """
    exactly, after = (str(run.manifest.get(name, "")) for name in ("started_exactly", "stored_after"))
    return not run.ahead, after or run.name.partition("-")[0], bool(after), exactly, run.name


def _matching(runs: Sequence[RunRecord], name: str) -> list[RunRecord]:
    """Return the runs that a name may mean; see :func:`cba.runs.reading.find_run`."""
    analysis, _, which = name.rpartition("/")
    if not analysis and which in {run.analysis for run in runs}:
        analysis, which = which, ""
    among = [run for run in runs if analysis in ("", run.analysis)]
    published = [run for run in among if run.published]
    if which in ("", "published"):
        for folder in dict.fromkeys(run.path.parent for run in among if not published):
            if problem := pointer_problem(folder):
                raise damaged(folder / POINTER, problem)
    if which == "":
        return published or among[-1:]
    if which == "latest":
        return sorted(among, key=run_moment)[-1:]
    if which == "published":
        return published
    exact = [run for run in among if run.name == which]
    return exact or [run for run in among if run.name.startswith(which)]


# --- Stored runs as they are read back: listed, found by what a person types, checked against their … ---


MANIFEST, HEADLINE, REPORT, POINTER = "manifest.json", "headline.json", "report.html", "published"
"""Names of the files every store knows."""


BESIDE = ("approval.json", "comparison.json", "scores.json")
"""Records written beside a manifest after the run was stored; each seals itself."""

CLOCKS = timedelta(minutes=5)
"""How far the clocks of two machines may differ."""

AHEAD = "its name lies in the future: the clock was wrong when it was stored"

BEHIND = (
    "its name lies before that of a run stored earlier: the clock was wrong when one of the two was stored"
)


@dataclass(frozen=True)
class RunRecord:
    """One stored run."""

    path: Path
    analysis: str
    name: str
    manifest: dict[str, Any] = field(repr=False)  # empty where it is damaged
    published: bool = False  # whether readers are shown this run
    # Who released the run, when and why; empty where nobody has.
    approval: dict[str, Any] = field(default_factory=dict)
    damage: str = ""  # which record cannot be trusted and why, ``FILE: WORDS``; empty where all can

    @property
    def ahead(self) -> bool:
        """Return whether the run was stored while the clock ran ahead of now."""
        return self.name.partition("-")[0] > utc_stamp(datetime.now(UTC) + CLOCKS)

    @property
    def clock(self) -> str:
        """Say that the clock was wrong when the run was stored, or may have been; empty where it seems right."""
        after = str(self.manifest.get("stored_after", ""))
        behind = after and after <= utc_stamp(datetime.now(UTC) + CLOCKS)
        return AHEAD if self.ahead else BEHIND if behind else ""

    @property
    def held(self) -> tuple[str, ...]:
        """Return why the run waits for a person; empty once one has released it."""
        return () if self.approval else tuple(self.manifest.get("held", ()))

    @property
    def headline(self) -> dict[str, Any]:
        """Return the stored headline.json."""
        content, stored = read_json(self.path / HEADLINE), self.manifest.get("files", {}).get(HEADLINE, {})
        if file_sha256(self.path / HEADLINE) != stored.get("sha256"):
            raise damaged(self.path / HEADLINE, "its SHA-256 is not the one stored")
        return content


def read_run(path: str | Path) -> RunRecord:
    """Read one stored run."""
    path = Path(path)
    if not (path / MANIFEST).is_file() and not (path.is_dir() and is_run_name(path.name)):
        raise InputError(
            "the folder is not a stored run",
            file=path,
            found=f"no {MANIFEST}",
            allowed=f"a folder with {MANIFEST}",
            cause="a wrong path, or a file removed by hand",
            remedy="list the runs with `cba runs`",
        )
    run = _record(path)
    if run.damage:
        name, _, what = run.damage.partition(": ")
        raise damaged(run.path / name, what)
    return run


def _record(path: Path) -> RunRecord:
    """Read a run whose manifest may be damaged."""
    manifest, damage = _sealed_record(path / MANIFEST)
    damage = damage or shape_problem(manifest)
    if not damage and manifest.get("run") != path.name:
        damage = f"it is of run {manifest.get('run')}"
    damage = damage and f"{MANIFEST}: {damage}"
    manifest = {} if damage else manifest
    approval, flaw = _approval(path, manifest)
    published = published_name(path.parent) == path.name
    return RunRecord(path, path.parent.name, path.name, manifest, published, approval, damage=damage or flaw)


def _sealed_record(file: Path) -> tuple[dict[str, Any], str]:
    """Read a sealed record, and say what is wrong with it."""
    if not file.is_file():
        return {}, "missing"
    try:
        record = read_json(file)
    except StoreError as error:
        return {}, error.problem.removeprefix(f"{file.name} is damaged: ")
    return record, seal_problem(record)


def _approval(path: Path, manifest: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the approval beside a manifest, and what is wrong with it: it must agree with the manifest."""
    file = path / "approval.json"
    if not manifest or not (file.exists() or file.is_symlink()):
        return {}, ""
    approval, problem = _sealed_record(file)
    who, analyst = approval.get("approved_by"), manifest.get("run_by")
    same = {
        "run": path.name,
        "analysis": path.parent.name,
        "analyst": analyst,
        "headline_sha256": manifest["files"].get(HEADLINE, {}).get("sha256"),
    }
    if not problem and any(approval.get(name) != value for name, value in same.items()):
        problem = "it is of another run or of other results"
    if not problem and not (isinstance(who, str) and who.strip()):
        problem = "it names nobody"
    if not problem and analyst and same_name(who, analyst):
        problem = "it was given by the person who ran it"
    return ({}, f"approval.json: {problem}") if problem else (approval, "")


# --- Which run readers see ---


def published_name(folder: Path) -> str | None:
    """Return the name of an analysis's published run. None where the pointer is missing or names no run."""
    try:
        name = text_of(folder / POINTER).strip()
    except (OSError, ValueError):
        return None
    return name if is_run_name(name) and (folder / name).is_dir() else None


def pointer_problem(folder: Path) -> str:
    """Say that the pointer of an analysis is there and names no stored run; empty where it does, or is not there."""
    there = (folder / POINTER).exists() or (folder / POINTER).is_symlink()
    return "it names no stored run" if there and published_name(folder) is None else ""


def published_trouble(folder: Path, *, besides: str = "") -> str:
    """Say that runs of an analysis are stored and readers see no sound one; empty where they do, or none is stored.

    `besides`: a run that does not count as stored.
    """
    name = published_name(folder)
    if name is None:
        others = folder.iterdir() if folder.is_dir() else ()
        stored = any(is_run_name(place.name) and place.name != besides for place in others)
        why = pointer_problem(folder) or "no run is published"
        return f"the published run cannot be found: {why}" if stored else ""
    try:
        read_run(folder / name).headline["results"].items()
    except (StoreError, InputError) as error:
        return f"the published run cannot be read, so no shift can be measured: {error.problem}"
    except (KeyError, AttributeError):
        return "the published run cannot be read, so no shift can be measured: it holds no results"
    return ""


def verify_run(path: str | Path) -> list[str]:
    """Compare every file of a run with the hash in its manifest.

    One sentence for each file that is missing, damaged or not in the manifest; empty where all is sound. What
    a killed writer left half-written is no file of the run: the next writer removes it.
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
    beside = {name: _sealed_record(run.path / name)[1] for name in BESIDE if (run.path / name).exists()}
    problems += [f"{name}: damaged, {problem}" for name, problem in beside.items() if problem]
    added = sorted(files_below(run.path) - {*run.manifest["files"], MANIFEST, *BESIDE})
    return [*problems, *(f"{name}: not in the manifest (added after the run)" for name in added)]


def files_below(folder: Path) -> set[str]:
    """Return the files under a folder.

    Paths relative to it, with forward slashes, without what a killed writer left half-written.
    """
    files = (file for file in folder.rglob("*") if file.is_file() and not is_leftover(file))
    return {file.relative_to(folder).as_posix() for file in files}


def list_runs(root: str | Path) -> list[RunRecord]:
    """Return all stored runs, by analysis and time, oldest first.

    A run whose manifest is damaged is listed with its `damage`. `root`: need not exist.
    """
    # What is half-written has a hidden name and is never listed.
    root = as_folder(root, field="--root")
    if not root.is_dir():
        return []
    with store_errors("the folder of the reports cannot be read", file=root):
        analyses = sorted(place for place in root.iterdir() if place.is_dir() and place.name[0] != ".")
    return [run for analysis in analyses for run in runs_of(root, analysis.name)]


def runs_of(root: str | Path, analysis: str) -> list[RunRecord]:
    """Return the stored runs of one analysis, oldest first. `root`: need not exist."""
    folder = as_folder(root, field="--root") / analysis
    if not folder.is_dir():
        return []
    with store_errors("the folder of the reports cannot be read", file=folder):
        places = [place for place in folder.iterdir() if is_run_name(place.name) and place.is_dir()]
    return sorted((_record(place) for place in places), key=run_moment)


def damaged_pointers(root: str | Path) -> dict[Path, str]:
    """Return the files that should name the published run of an analysis and do not, and what is wrong with each."""
    root = as_folder(root, field="--root")
    folders = sorted(place for place in root.iterdir() if place.is_dir()) if root.is_dir() else []
    found = {folder / POINTER: pointer_problem(folder) for folder in folders if folder.name[0] != "."}
    return {pointer: problem for pointer, problem in found.items() if problem}


def find_run(root: str | Path, name: str) -> RunRecord:
    """Find one run by what a person types."""
    # `name`: a path to the run's folder; an analysis (its published run, else its newest);
    # ``ANALYSIS/latest`` (newest), ``ANALYSIS/published`` or ``ANALYSIS/<start of a run's name>``; the start
    # of a run's name; ``published`` where one analysis has a published run; or ``latest``: the newest run of
    # all, unless an analysis of that name has runs.
    if (Path(name) / MANIFEST).is_file():
        return read_run(Path(name).resolve())
    return read_run(named_run(list_runs(root), name, root=root).path)


# --- The list of all runs for readers: one record a run with its status and headline, and the page … ---


INDEX = "index.html"
"""Name of the page, under the folder of the reports."""


@dataclass(frozen=True)
class IndexRow:
    """One run in the list."""

    analysis: str
    title: str
    run: str
    finished: str
    status: str  # "published", "held", "superseded", "not published" or "damaged"
    reasons: tuple[str, ...]  # why it is held, or what is damaged
    approved_by: str = ""  # empty where nobody released it
    # The headline result shown; empty where the run has none.
    key: str = ""
    label: str = ""
    # mean, lower, upper: in its unit.
    mean: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float | None = None
    report: str = ""  # address of its report, relative to the page; empty where it has none


def index_rows(root: str | Path) -> list[IndexRow]:
    """Return every stored run, newest first. A damaged run is listed as such, without figures."""
    runs = list_runs(root)
    shown = {run.analysis: run for run in runs if run.published}
    newest_first = sorted(runs, key=lambda run: (run_moment(run), run.analysis), reverse=True)
    rows = [_row(run, shown=shown.get(run.analysis)) for run in newest_first]
    for file, problem in damaged_pointers(root).items():
        name = file.parent.name
        rows.append(IndexRow(name, name, POINTER, "", "damaged", (f"{POINTER}: {problem}",)))
    return rows


def write_index(root: str | Path, *, render: Callable[[Sequence[IndexRow]], str]) -> Path:
    """Write the list of all runs as a page, whole.

    ``<root>/index.html``. `render`: makes the page; the caller hands it in, because the store does not depend
    on the reporting room.
    """
    place = Path(root) / INDEX
    with store_errors("the list of runs could not be written", file=place):
        place.parent.mkdir(parents=True, exist_ok=True)
        clear_parts(place.parent)
    write_whole(place, shown(render(index_rows(root))))
    return place


def _row(run: RunRecord, *, shown: RunRecord | None) -> IndexRow:
    damage, reasons = run.damage, run.held
    figures: dict[str, Any] = {}
    key = ""
    if not damage:
        try:
            results = run.headline["results"]
            key = _headline_key(results, lead=run.manifest["settings"].get("lead"))
            figures = results.get(key) or {}
        except (StoreError, KeyError, AttributeError, TypeError) as error:
            damage = getattr(error, "problem", "headline.json holds no results")
    report = f"{run.analysis}/{run.name}/report.html" if (run.path / "report.html").is_file() else ""
    return IndexRow(
        analysis=run.analysis,
        title=str(run.manifest.get("title") or run.analysis),
        run=run.name,
        finished=str(run.manifest.get("finished") or ""),
        status="damaged" if damage else _status(run, shown=shown),
        reasons=((damage,) if damage else reasons) + ((run.clock,) if run.clock else ()),
        approved_by=str(run.approval.get("approved_by", "")),
        key=key,
        label=str(figures.get("label", "")),
        **{name: figures.get(name) for name in ("mean", "lower", "upper", "level")},
        report=report,
    )


def _status(run: RunRecord, *, shown: RunRecord | None) -> str:
    if run.published:
        return "published"
    if run.held:
        return "held"
    return "superseded" if shown is not None and run_moment(run) < run_moment(shown) else "not published"


def _headline_key(results: dict[str, Any], *, lead: str | None) -> str:
    """Return the result that stands for a run."""
    from cba.appraisal.quantities import spoken_quantities

    defined = [key for key, entry in results.items() if entry.get("mean") is not None]
    first = spoken_quantities(usual=False)[0].stem
    worth = [key for key in defined if key.startswith(f"{first}.") and not key.endswith(".bau")]
    return next((key for key in (f"{first}.{lead}", *worth, *defined) if key in defined), "")
