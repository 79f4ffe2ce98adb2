"""Fingerprints: SHA-256 of what a run and each of its stages is made from, cheap enough to ask if anything changed.

Four parts, kept apart so that a change can be named: the inputs (prior files, option files, published
tables, discount schedules), the code of the package, the settings of the analysis, and the versions of the
libraries that compute. Files are hashed as bytes; nothing is parsed and no numerical library is imported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cba.dimensions import STAGE_PRIOR_GROUPS
from cba.inputs.files import (
    fingerprint,
    library_versions,
    options_folder,
    ordinary,
    priors_folder,
    published_folder,
    read_toml,
)

PACKAGE = Path(__file__).resolve().parents[1]
"""Folder of the package whose code is fingerprinted."""


MODEL_ROOMS = ("dimensions.py", "errors.py", "inputs", "models")
"""Code a fit depends on: what reads its inputs and what builds and samples it."""


@dataclass(frozen=True)
class Fingerprints:
    """What a run is made from."""

    # SHA-256 by name, such as ``priors/costs.toml``, ``options/bau.toml``, ``published/unit_costs.csv``.
    inputs: Mapping[str, str]
    code: str  # SHA-256 of the package's Python files and the lists beside them
    settings: str  # SHA-256 of the analysis as loaded, changes made on the command line included
    environment: str  # SHA-256 of the versions of the numerical libraries

    @property
    def run(self) -> str:
        """Return the SHA-256 of all four parts; its first eight characters name the run."""
        return fingerprint(vars(self))

    def record(self) -> dict[str, Any]:
        """Return plain values for the manifest."""
        return {"run": self.run, **vars(self)}


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes. 64 hexadecimal digits."""
    with ordinary(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def input_files() -> dict[str, Path]:
    """Return every file a run reads beside its analysis, from the folders in force.

    By name, such as ``priors/costs.toml`` or ``published/unit_costs.csv``.
    """
    # ``schedules.toml`` and ``panel_results/`` come with the code, whatever folders are in force: a new schedule or a
    # new fit of the panel is a new version of the package.
    folders = {
        "priors": (priors_folder(), "*.toml"),
        "priors/studies": (priors_folder() / "studies", "*.toml"),
        "priors/checks": (priors_folder() / "checks", "*.toml"),
        "priors/interventions": (priors_folder() / "interventions", "*.toml"),
        "options": (options_folder(), "*.toml"),
        "published": (published_folder(), "*.csv"),
        "panel_results": (PACKAGE / "inputs" / "panel_results", "*.csv"),
        "costs": (PACKAGE, "schedules.toml"),  # known in stored manifests as costs/schedules.toml
    }
    return {
        f"{under}/{file.name}": file
        for under, (folder, pattern) in folders.items()
        for file in sorted(folder.glob(pattern))
    }


def input_fingerprints() -> dict[str, str]:
    """Fingerprint every file a run reads beside its analysis (whose content is the settings).

    Name as `input_files` gives it to SHA-256.
    """
    return {name: file_sha256(file) for name, file in input_files().items()}


def code_fingerprint(rooms: Iterable[str] | None = None) -> str:
    """Fingerprint the package's Python files and the lists (TOML) beside them, or those of some rooms of it.

    64 hexadecimal digits. What is an input of its own, discount schedules and packed priors, does not count.
    """
    places = [PACKAGE] if rooms is None else [PACKAGE / room for room in rooms]
    found = {file for place in places for file in ([place] if place.is_file() else place.rglob("*.py"))}
    found |= {
        file
        for place in places
        for file in place.rglob("*.toml")
        if file.parent != PACKAGE and PACKAGE / "_shipped" not in file.parents
    }
    return fingerprint({file.relative_to(PACKAGE).as_posix(): file_sha256(file) for file in sorted(found)})


def run_fingerprints(settings: Mapping[str, Any]) -> Fingerprints:
    """Fingerprint a run before it is computed."""
    return Fingerprints(
        inputs=input_fingerprints(),
        code=code_fingerprint(),
        settings=fingerprint(settings),
        environment=fingerprint(library_versions()),
    )


# --- the stages of a run: what each reads, the code of its rooms and the settings it uses ---


INPUT_ROOMS = ("dimensions.py", "errors.py", "inputs")


APPRAISAL_ROOMS = (
    *MODEL_ROOMS,
    "interventions",
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


_WHOLE = ("priors/studies/", "priors/checks/", "priors/interventions/", "options/", "costs/")


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
    files, stances = input_files(), list(settings["stances"])
    beliefs = tuple(dict.fromkeys(belief for stance in stances for belief in beliefs_of(stance)))
    priors = {belief: stance_priors(files, belief=belief) for belief in beliefs}
    found = {"observations": _observations(settings, files), **fit_fingerprints(settings, beliefs)}
    shared = {
        "settings": {name: value for name, value in settings.items() if name not in _NOT_APPRAISED},
        "code": code_fingerprint(APPRAISAL_ROOMS),
        "libraries": library_versions(),
        "inputs": {name: parsed_sha256(file) for name, file in files.items() if name.startswith(_WHOLE)},
        "published": _hashes(files, "published/"),
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
        found[f"appraisal/{stance}"] = fingerprint({**shared, **own})
    appraised = [found[f"appraisal/{stance}"] for stance in stances]
    report = {"title": settings.get("title"), "code": report_code_fingerprint(), "appraisals": appraised}
    return found | {"report": fingerprint(report)}


def fit_fingerprints(
    settings: Mapping[str, Any], beliefs: tuple[str, ...], *, code: str | None = None
) -> dict[str, str]:
    """Fingerprint the fits of some beliefs: ``<model>/<belief>`` to SHA-256; under it a fit is kept.

    `code`: fingerprint of the code that makes them, taken before it was loaded; taken now by default.
    """
    files = input_files()
    shared = {
        "settings": {name: settings[name] for name in _SAMPLER if name in settings},
        "code": code or code_fingerprint(MODEL_ROOMS),
        "libraries": library_versions(),
        "observations": _observations(settings, files),
    }
    known = {
        "published": _hashes(files, "published/"),
        "until": settings["evidence_until"],
        "panel": _hashes(files, "panel_results/"),
    }
    found = {}
    for belief in beliefs:
        groups = stance_priors(files, belief=belief)
        for model, read in STAGE_PRIOR_GROUPS.items():
            own = {"model": model, "priors": {group: groups.get(group) for group in read}}
            made_from = {**shared, **own, **(known if model == "effects" else {})}
            found[f"{model}/{belief}"] = fingerprint(made_from)
    return found


def _observations(settings: Mapping[str, Any], files: Mapping[str, Path]) -> str:
    """Fingerprint the observed series."""
    published = _hashes(files, "published/").items()
    series = {name: value for name, value in published if not name.startswith(EVIDENCE_TABLES)}
    made_from = {"release": settings["release"], "tables": series, "code": code_fingerprint(INPUT_ROOMS)}
    return fingerprint(made_from)


def _hashes(files: Mapping[str, Path], start: str) -> dict[str, str]:
    return {name: file_sha256(file) for name, file in files.items() if name.startswith(start)}


def stance_priors(files: Mapping[str, Path], *, belief: str) -> dict[str, str]:
    """Fingerprint the prior entries by group, as one stance holds them.

    Group, the first part of the names of its entries, to SHA-256.
    """
    groups: dict[str, list[Any]] = {}
    for name, file in files.items():
        if name.startswith("priors/") and name.count("/") == 1:
            for group, content in read_toml(file).items():
                groups.setdefault(group, []).append(_held_by(belief, {group: content}))
    return {group: _said(parts) for group, parts in sorted(groups.items())}


def parsed_sha256(file: Path) -> str:
    """Return the SHA-256 of what a TOML file says: comments, order of keys and layout do not count."""
    return _said(read_toml(file))


def report_code_fingerprint() -> str:
    """Fingerprint the code, templates and styles that make a report."""
    folder = PACKAGE / "reporting"
    files = sorted(f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    return fingerprint({file.relative_to(folder).as_posix(): file_sha256(file) for file in files})


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


def prior_stance(stance: str) -> str:
    """Return the stance whose priors and fits another one uses.

    ``evidence`` for ``review``, which conditions the draws of evidence; the stance itself otherwise.
    """
    return "evidence" if stance == "review" else stance


def beliefs_of(stance: str) -> tuple[str, ...]:
    """Return the stances whose fits a stance needs."""
    return ("evidence", "sceptical") if stance == "mixture" else (prior_stance(stance),)
