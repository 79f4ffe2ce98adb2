"""Cached fits: a fit is kept under the fingerprint of everything it depends on, and made once.

A fit is one netCDF file, ``<reports root>/.cache/<model>-<fingerprint>.nc``, with its SHA-256 beside it. A
file that does not match its hash, or cannot be read, is never used: the model is fitted again and a warning
printed. The cache only saves time: where it cannot be written the fit is still returned.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.errors import InputError
from cba.runs.fingerprints import (
    MODEL_ROOMS,
    PACKAGE,
    beliefs_of,
    code_fingerprint,
    content_sha256,
    file_sha256,
    input_files,
    library_versions,
)
from cba.runs.reading import RunRecord, runs_of
from cba.runs.whole_files import sync_folder, write_whole

if TYPE_CHECKING:
    import xarray as xr

    from cba.appraisal.record import Appraisal
    from cba.inputs.analyses import Analysis
    from cba.inputs.evidence import Evidence
    from cba.inputs.priors import PriorRegistry


PRIOR_GROUPS: Mapping[str, tuple[str, ...]] = {
    "baseline": ("baseline.",),
    "effects": ("effects.", "family_help."),
}
"""Start of the names of the prior entries each model reads."""


WAIT_SECONDS = 1800.0
"""How long a run waits for another that is making the same fit."""


def fit_key(
    model: str,
    *,
    priors: PriorRegistry,
    settings: Mapping[str, Any],
    code: str | None = None,
    observations: Mapping[str, Any] | None = None,
    evidence: Evidence | None = None,
) -> dict[str, Any]:
    """Return everything a fit depends on, as plain values.

    Parameters
    ----------
    model : {"baseline", "effects"}
    priors : PriorRegistry
        Only the entries the model reads enter the key (:data:`PRIOR_GROUPS`).
    settings : mapping
        Draws, tune, chains, seed, gates.
    code : str, optional
        Fingerprint of the code that makes the fit, taken before it was loaded; taken now by default.
    observations : mapping, optional
        The release and the SHA-256 of the published tables.
    evidence : Evidence, optional
        The evidence as known at the date of the analysis.

    Returns
    -------
    dict
        For :func:`cached_fit`.

    Examples
    --------
    >>> from cba.inputs.priors import load_priors
    >>> sorted(fit_key("baseline", priors=load_priors(), settings={"seed": 1}))
    ['code', 'libraries', 'model', 'priors', 'settings']
    """
    entries = [priors[name].content() for name in priors if name.startswith(PRIOR_GROUPS[model])]
    key: dict[str, Any] = {
        "model": model,
        "priors": entries,
        "settings": dict(settings),
        "code": code or code_fingerprint(MODEL_ROOMS),
        "libraries": library_versions(),
    }
    if observations is not None:
        key["observations"] = dict(observations)
    if evidence is not None:
        key["evidence"] = evidence.fingerprint()
        key["designs"] = None if priors.evidence_designs is None else list(priors.evidence_designs)
    return key


def cached_fit(
    root: str | Path, *, model: str, key: Mapping[str, Any], fit: Callable[[], xr.DataTree]
) -> xr.DataTree:
    """Return the fit kept under `key`, or make it and keep it.

    Parameters
    ----------
    root : str or Path
        Folder of the reports; the cache is its ``.cache``.
    model : str
        Start of the file name.
    key : mapping
        Plain values naming everything the fit depends on.
    fit : callable
        Makes the fit; called only where no sound copy exists.

    Returns
    -------
    DataTree
        Loaded in memory. A fit just made is returned as the cache returns it, so that both paths agree.

    Raises
    ------
    Exception
        Whatever `fit` raises (GateError where it has not converged); nothing is kept then.

    Examples
    --------
    >>> import xarray as xr
    >>> from tempfile import TemporaryDirectory
    >>> tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mean": ("draw", [1.0, 2.0])})})
    >>> with TemporaryDirectory() as root:
    ...     made = cached_fit(root, model="effects", key={"seed": 1}, fit=lambda: tree)
    ...     kept = cached_fit(root, model="effects", key={"seed": 1}, fit=lambda: None)
    >>> made.identical(kept)
    True
    """
    from filelock import FileLock, Timeout

    path = Path(root) / ".cache" / f"{model}-{content_sha256(key)[:16]}.nc"
    lock = FileLock(path.parent / f"{model}.lock", timeout=WAIT_SECONDS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, Timeout) as error:
        _warn(f"fits are not cached in {path.parent}: {error}")
        return fit()
    try:
        kept = _read(path)
        return kept if kept is not None else _made(path, fit)
    finally:
        lock.release()


def _read(path: Path) -> xr.DataTree | None:
    """Return the kept fit if it is there and sound."""
    side = _side(path)
    if not path.is_file() or not side.is_file():
        return None
    if file_sha256(path) != side.read_text(encoding="utf-8").strip():
        _warn(f"the cached fit {path} does not match its hash (damaged on disk): fitting again")
        return None
    import xarray as xr

    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            return opened.load()
    except (OSError, ValueError, KeyError) as error:
        _warn(f"the cached fit {path} cannot be read ({error}): fitting again")
        return None


def _made(path: Path, fit: Callable[[], xr.DataTree]) -> xr.DataTree:
    """Make the fit and keep it; return what the cache will return next time."""
    tree = fit()
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        tree.to_netcdf(beside, engine="h5netcdf")
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        digest = file_sha256(beside)
        _side(path).unlink(missing_ok=True)  # killed between the renames: no hash, so it is made again
        os.replace(beside, path)
        write_whole(_side(path), digest + "\n")
        sync_folder(path.parent)
    except Exception as error:  # keeping it is a convenience: whatever stops it must not cost the fit
        _warn(f"the fit could not be kept in {path}: {error}")
        return tree
    finally:
        beside.unlink(missing_ok=True)
    return _read(path) or tree


def _side(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


# --- Fingerprints of the stages of a run: what each reads, the code of its rooms and the settings it … ---


INPUT_ROOMS = ("dimensions.py", "errors.py", "inputs")


APPRAISAL_ROOMS = (
    *MODEL_ROOMS,
    "projection",
    "costs",
    "decisions",
    "appraisal",
    "tables",
    "stances",
    "recipe.py",
)


EVIDENCE_TABLES = ("published/evidence_",)
"""Start of the names of the published tables that the observed series do not read."""


STAGE_PRIOR_GROUPS = {"baseline": ("baseline",), "effects": ("effects", "family_help", "panel", "stance")}
"""Groups of prior entries each model reads; `stance` says which studies a stance admits."""


_WHOLE = ("priors/studies/", "priors/checks/", "options/", "costs/")


_SAMPLER = ("draws", "tune", "chains", "seed", "gates")


_NOT_APPRAISED = ("title", "stances", "mixture", "gates", "data", "hold")


def stage_fingerprints(settings: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprint every stage of a run before it is computed, from the inputs in force.

    Parameters
    ----------
    settings : mapping
        The analysis as plain values.

    Returns
    -------
    dict
        ``observations``, ``baseline/<belief>``, ``effects/<belief>``, ``appraisal/<stance>`` and ``report`` to
        SHA-256.

    Raises
    ------
    InputError
        If a file of priors or options is no valid TOML.

    Notes
    -----
    Each fingerprint holds those of the stages before it, so a change shows in all that follow from it and in
    nothing else. The first stance differs from the others: some tables are made once a run, for it alone.

    Examples
    --------
    >>> from cba.inputs.analyses import load_analysis
    >>> settings = load_analysis("smoke").model_dump(mode="json", by_alias=True)
    >>> one, two = (stage_fingerprints(settings | {"title": title}) for title in ("A", "B"))
    >>> [stage for stage in one if one[stage] != two[stage]]
    ['report']
    """
    files, libraries = input_files(), library_versions()
    stances = list(settings["stances"])
    beliefs = dict.fromkeys(belief for stance in stances for belief in beliefs_of(stance))
    published = {name: file_sha256(file) for name, file in files.items() if name.startswith("published/")}
    series = {name: value for name, value in published.items() if not name.startswith(EVIDENCE_TABLES)}
    observed = {"release": settings["release"], "tables": series, "code": code_fingerprint(INPUT_ROOMS)}
    priors = {belief: stance_priors(files, belief=belief) for belief in beliefs}
    found = {"observations": content_sha256(observed)}
    found |= _fits(settings, files=files, priors=priors, published=published, observations=observed)
    shared = {
        "settings": {name: value for name, value in settings.items() if name not in _NOT_APPRAISED},
        "code": code_fingerprint(APPRAISAL_ROOMS),
        "libraries": libraries,
        "inputs": {name: parsed_sha256(file) for name, file in files.items() if name.startswith(_WHOLE)},
        "published": published,
    }
    for stance in stances:
        needed = beliefs_of(stance)
        own = {
            "stance": stance,
            "headline": stance == stances[0],
            "mixture": settings.get("mixture") if stance == "mixture" else None,
            "priors": {belief: priors[belief] for belief in needed},
            "fits": [found[f"{model}/{belief}"] for belief in needed for model in ("baseline", "effects")],
        }
        found[f"appraisal/{stance}"] = content_sha256({**shared, **own})
    appraised = [found[f"appraisal/{stance}"] for stance in stances]
    report = {"title": settings.get("title"), "code": report_code_fingerprint(), "appraisals": appraised}
    return found | {"report": content_sha256(report)}


def _fits(
    settings: Mapping[str, Any],
    *,
    files: Mapping[str, Path],
    priors: Mapping[str, Mapping[str, str]],
    published: Mapping[str, str],
    observations: Mapping[str, Any],
) -> dict[str, str]:
    """Fingerprint the fits of each belief."""
    shared = {
        "settings": {name: settings[name] for name in _SAMPLER if name in settings},
        "code": code_fingerprint(MODEL_ROOMS),
        "libraries": library_versions(),
        "observations": content_sha256(observations),
    }
    panel = {name: file_sha256(file) for name, file in files.items() if name.startswith("panel_results/")}
    known = {"published": dict(published), "until": settings["evidence_until"], "panel": panel}
    found = {}
    for belief, groups in priors.items():
        for model, read in STAGE_PRIOR_GROUPS.items():
            own = {"model": model, "priors": {group: groups.get(group) for group in read}}
            made_from = {**shared, **own, **(known if model == "effects" else {})}
            found[f"{model}/{belief}"] = content_sha256(made_from)
    return found


def stance_priors(files: Mapping[str, Path], *, belief: str) -> dict[str, str]:
    """Fingerprint the prior entries by group, as one stance holds them.

    Parameters
    ----------
    files : mapping of str to Path
        As :func:`cba.runs.fingerprints.input_files` returns them.
    belief : str
        Stance whose overrides count; of the others only that they exist.

    Returns
    -------
    dict
        Group, the first part of the names of its entries, to SHA-256.

    Raises
    ------
    InputError
        If a file is no valid TOML.

    Examples
    --------
    >>> from cba.runs.fingerprints import input_files
    >>> files = input_files()
    >>> evidence, sceptical = (stance_priors(files, belief=b) for b in ("evidence", "sceptical"))
    >>> evidence["effects"] == sceptical["effects"], evidence["baseline"] == sceptical["baseline"]
    (False, True)
    """
    groups: dict[str, list[Any]] = {}
    for name, file in files.items():
        if name.startswith("priors/") and name.count("/") == 1:
            for group, content in parsed_toml(file).items():
                groups.setdefault(group, []).append(_held_by(belief, {group: content}))
    return {group: _said(parts) for group, parts in sorted(groups.items())}


def parsed_sha256(file: Path) -> str:
    """Return the SHA-256 of what a TOML file says: comments, order of keys and layout do not count.

    Parameters
    ----------
    file : Path

    Returns
    -------
    str

    Raises
    ------
    InputError
        If the file is no valid TOML.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     one, two = Path(folder) / "a.toml", Path(folder) / "b.toml"
    ...     _ = one.write_text("x = 1 # why"), two.write_text("x=1")
    ...     parsed_sha256(one) == parsed_sha256(two)
    True
    """
    return _said(parsed_toml(file))


def report_code_fingerprint() -> str:
    """Fingerprint the code, templates and styles that make a report.

    Returns
    -------
    str

    Examples
    --------
    >>> len(report_code_fingerprint())
    64
    """
    folder = PACKAGE / "reporting"
    files = sorted(f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    return content_sha256({file.relative_to(folder).as_posix(): file_sha256(file) for file in files})


def _held_by(belief: str, content: Any) -> Any:
    """Return a group of entries with the overrides of one stance; of others only their names are kept."""
    if not isinstance(content, dict):
        return content
    return {
        key: {stance: value if stance == belief else "another stance" for stance, value in item.items()}
        if key == "stance" and isinstance(item, dict)
        else _held_by(belief, item)
        for key, item in content.items()
    }


def _said(content: Any) -> str:
    """Return the SHA-256 of what a TOML file says, dates and infinities included."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def parsed_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file without loading what checks its content.

    Parameters
    ----------
    file : Path

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If it is no valid TOML.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.toml").write_text("x = 1")
    ...     parsed_toml(Path(folder) / "a.toml")
    {'x': 1}
    """
    with file.open("rb") as opened:
        try:
            return tomllib.load(opened)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            from cba.inputs.files import read_toml

            return read_toml(file)  # which refuses it with file, line and remedy


# --- Stages found in the store: the appraisal of a stance whose fingerprint an earlier run holds is … ---


RECORD = "appraisal.json"


@dataclass(frozen=True)
class StoredStage:
    """An appraisal read from an earlier run.

    Attributes
    ----------
    appraisal : Appraisal
        As the stage made it, without what later stages added; it names the analysis asked for.
    folder : Path
        Where it was read from.
    run : str
        Name of that run.

    Examples
    --------
    >>> StoredStage(appraisal=None, folder=Path("stances/evidence"), run="20261121T093000Z-0123abcd").run
    '20261121T093000Z-0123abcd'
    """

    appraisal: Appraisal
    folder: Path
    run: str


def stored_appraisal(
    root: str | Path, *, analysis: Analysis, stance: str, fingerprint: str
) -> StoredStage | None:
    """Find the appraisal of a stance among the stored runs of an analysis.

    Parameters
    ----------
    root : str or Path
        Folder of the reports.
    analysis : Analysis
        What is asked for; it may differ from the stored one in what the appraisal does not depend on.
    stance : str
    fingerprint : str
        Of the stage, as :func:`cba.runs.cache.stage_fingerprints` gives it.

    Returns
    -------
    StoredStage or None
        None where no sound copy is stored.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> stored_appraisal("nowhere", analysis=SimpleNamespace(name="latest"), stance="evidence", fingerprint="0")
    """
    for run in reversed(runs_of(root, analysis.name)):
        if run.manifest.get("stages", {}).get(f"appraisal/{stance}") != fingerprint:
            continue
        damage = _damage(run, stance)
        if damage:
            print(f"warning: {run.path / damage} is damaged: the stage is made again", file=sys.stderr)
            continue
        try:
            return _read_of_stored_stages(run, analysis=analysis, stance=stance)
        except InputError as error:
            print(f"warning: {error.problem} ({run.path}): the stage is made again", file=sys.stderr)
    return None


def write_stage(stage: StoredStage, appraisal: Appraisal, *, folder: Path) -> None:
    """Write an appraisal that was read from the store into a new run, without packing its draws anew.

    Parameters
    ----------
    stage : StoredStage
        Where its draws are.
    appraisal : Appraisal
        The same one, with the tables later stages gave it.
    folder : Path
        Of the new run; must not exist.

    Examples
    --------
    >>> write_stage(stage, stage.appraisal, folder=Path("stances/evidence"))  # doctest: +SKIP
    """
    (folder / "tables").mkdir(parents=True)
    for file in sorted(stage.folder.iterdir()):
        if file.is_file() and file.name != RECORD:
            shutil.copyfile(file, folder / file.name)
    record = json.loads((stage.folder / RECORD).read_text(encoding="utf-8"))
    record["analysis"] = appraisal.analysis.model_dump(mode="json", by_alias=True)
    record["provenance"] = dict(appraisal.provenance)
    record["tables"] = list(appraisal.tables)
    written = json.dumps(record, indent=1, allow_nan=False)
    (folder / RECORD).write_text(written, encoding="utf-8")
    for name, table in appraisal.tables.items():
        place = folder / "tables" / f"{name}.csv"
        if table is stage.appraisal.tables.get(name):
            shutil.copyfile(stage.folder / "tables" / place.name, place)
        else:
            table.to_csv(place, index=False, lineterminator="\n")


def stored_appraisals(run: RunRecord) -> dict[str, Appraisal]:
    """Read every appraisal of a run; most of their draws stay in its files until they are used.

    Parameters
    ----------
    run : RunRecord
        Must stay where it is until then.

    Returns
    -------
    dict of str to Appraisal
        By stance, the headline stance first.

    Raises
    ------
    InputError
        If one cannot be read, or another version stored it with other settings.

    Examples
    --------
    >>> list(stored_appraisals(run))  # doctest: +SKIP
    ['evidence', 'sceptical', 'review']
    """
    from cba.appraisal.record import Appraisal

    return {
        stance: Appraisal.from_directory(run.path / "stances" / stance, lazy=True)
        for stance in run.manifest["stances"]
    }


def _read_of_stored_stages(run: RunRecord, *, analysis: Analysis, stance: str) -> StoredStage:
    """Read an appraisal and give it the analysis asked for."""
    from cba.appraisal.record import Appraisal

    folder = run.path / "stances" / stance
    stored = Appraisal.from_directory(folder, lazy=True)
    made = run.manifest["stage_tables"][stance]
    prints: dict[str, Any] = dict(stored.provenance.get("fingerprints", {}))
    provenance = {
        **stored.provenance,
        "fingerprints": {**prints, "analysis": analysis.fingerprint()},
    }
    appraisal = dataclasses.replace(
        stored,
        analysis=analysis,
        tables={name: stored.tables[name] for name in made},
        provenance=provenance,
    )
    return StoredStage(appraisal, folder, run.name)


def _damage(run: RunRecord, stance: str) -> str:
    """Return the first file of a stance that is not what was stored."""
    for name, entry in run.manifest["files"].items():
        if name.startswith(f"stances/{stance}/"):
            file = run.path / name
            if not file.is_file() or file_sha256(file) != entry["sha256"]:
                return name
    return ""
