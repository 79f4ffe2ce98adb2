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
from cba.inputs.files import to_disk
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
from cba.runs.whole_files import write_whole

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

    `code`: fingerprint of the code that makes the fit, taken before it was loaded; taken now by default.
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

    Loaded in memory. `fit`: makes the fit; called only where no sound copy exists.
    """
    # A fit just made is returned as the cache returns it, so that both paths agree.
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
        to_disk(path.parent)
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
    "discounting.py",
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

    ``observations``, ``baseline/<belief>``, ``effects/<belief>``, ``appraisal/<stance>`` and ``report`` to
    SHA-256.
    """
    # Each fingerprint holds those of the stages before it, so a change shows in all that follow from it and
    # in nothing else. The first stance differs from the others: some tables are made once a run, for it
    # alone.
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

    Group, the first part of the names of its entries, to SHA-256.
    """
    groups: dict[str, list[Any]] = {}
    for name, file in files.items():
        if name.startswith("priors/") and name.count("/") == 1:
            for group, content in parsed_toml(file).items():
                groups.setdefault(group, []).append(_held_by(belief, {group: content}))
    return {group: _said(parts) for group, parts in sorted(groups.items())}


def parsed_sha256(file: Path) -> str:
    """Return the SHA-256 of what a TOML file says: comments, order of keys and layout do not count."""
    return _said(parsed_toml(file))


def report_code_fingerprint() -> str:
    """Fingerprint the code, templates and styles that make a report."""
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
    """Read a TOML file without loading what checks its content."""
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
    """An appraisal read from an earlier run."""

    # As the stage made it, without what later stages added; it names the analysis asked for.
    appraisal: Appraisal
    folder: Path  # where it was read from
    run: str


def stored_appraisal(
    root: str | Path, *, analysis: Analysis, stance: str, fingerprint: str
) -> StoredStage | None:
    """Find the appraisal of a stance among the stored runs of an analysis.

    None where no sound copy is stored. `analysis`: what is asked for; it may differ from the stored one in
    what the appraisal does not depend on.
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
    """Write an appraisal that was read from the store into a new run, without packing its draws anew."""
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
    """Read every appraisal of a run; most of their draws stay in its files until they are used."""
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
