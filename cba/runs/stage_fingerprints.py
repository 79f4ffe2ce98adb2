"""Fingerprints of the stages of a run: what each reads, the code of its rooms and the settings it uses.

The stages are the observed series, the fit of business as usual, the fit of effects for each belief, the
appraisal of each stance and the report. Input files count by what they say (parsed TOML), so that a comment
changes nothing; a stance's priors are the entries with its own overrides. A stage whose fingerprint is in the
store need not be computed again.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cba.runs.fingerprints import (
    MODEL_ROOMS,
    PACKAGE,
    code_fingerprint,
    content_sha256,
    file_sha256,
    input_files,
    library_versions,
)
from cba.runs.stages import beliefs_of

INPUT_ROOMS = ("dimensions.py", "errors.py", "inputs")
APPRAISAL_ROOMS = (*MODEL_ROOMS, "projection", "costs", "decisions", "appraisal")

EVIDENCE_TABLES = ("published/evidence_",)
"""Start of the names of the published tables that the observed series do not read."""

PRIOR_GROUPS = {"baseline": ("baseline",), "effects": ("effects", "family_help", "panel", "stance")}
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
        for model, read in PRIOR_GROUPS.items():
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
            from cba.inputs.toml_reading import read_toml

            return read_toml(file)  # which refuses it with file, line and remedy
