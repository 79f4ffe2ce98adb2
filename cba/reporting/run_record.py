"""What a manifest says of a run, as rows and names the page prints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

_LONGEST_ROW = 200

FRAMES = {
    "latest": "The newest data and evidence",
    "review_2022": "What was known when the review reported in 2022",
}
"""Frame of an analysis in words."""

PEOPLE = {
    "commissioner": "commissioner",
    "analyst": "analyst",
    "assurer": "assurer",
    "approver": "approver",
    "review date": "review_by",
}
"""Who answers for a run and until when, and the field of the specification that says so."""


def single_vintage_exceptions(manifest: Mapping[str, Any], appraisal: Appraisal) -> list[str]:
    """Return the inputs held in one vintage only, from the manifest or else the provenance.

    Parameters
    ----------
    manifest : mapping
        Content of manifest.json.
    appraisal : Appraisal

    Returns
    -------
    list of str

    Examples
    --------
    >>> single_vintage_exceptions(manifest, appraisal)  # doctest: +SKIP
    """
    stated = (
        manifest.get("single_vintage_exceptions")
        or appraisal.provenance.get("single_vintage_exceptions")
        or []
    )
    return [str(item) for item in stated]


def run_identity(manifest: Mapping[str, Any], appraisal: Appraisal) -> dict[str, str]:
    """Return the run's name and date, as far as the manifest knows them.

    Parameters
    ----------
    manifest : mapping
        Content of manifest.json.
    appraisal : Appraisal

    Returns
    -------
    dict

    Examples
    --------
    >>> run_identity(manifest, appraisal)  # doctest: +SKIP
    """
    prints = manifest.get("fingerprints")
    fingerprint = prints.get("run", "") if isinstance(prints, Mapping) else ""
    name = manifest.get("run") or f"{appraisal.analysis.name} {fingerprint[:8]}".strip()
    when = next(
        (manifest[key] for key in ("finished", "started", "created") if manifest.get(key)), "not recorded"
    )
    return {"run_id": str(name), "as_at": str(when), "as_at_words": moment_in_words(str(when))}


def moment_in_words(moment: str) -> str:
    """Return a moment as people write it, UTC; other text as it is.

    Parameters
    ----------
    moment : str
        ISO 8601.

    Returns
    -------
    str

    Examples
    --------
    >>> moment_in_words("2026-11-22T06:05:18Z"), moment_in_words("not recorded")
    ('22 November 2026, 06:05 UTC', 'not recorded')
    """
    try:
        at = datetime.fromisoformat(moment).astimezone(UTC)
    except ValueError:
        return moment
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def run_people(appraisal: Appraisal) -> dict[str, str]:
    """Return who answers for a run and when it is to be reviewed, as far as its specification says.

    Parameters
    ----------
    appraisal : Appraisal

    Returns
    -------
    dict of str to str
        Empty text for what is not recorded.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> run_people(SimpleNamespace(analysis=SimpleNamespace(commissioner="Treasury")))["commissioner"]
    'Treasury'
    """
    return {words: str(getattr(appraisal.analysis, field, None) or "") for words, field in PEOPLE.items()}


def flat_rows(manifest: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the manifest as pairs of dotted name and value; provenance follows where the manifest lacks it.

    Parameters
    ----------
    manifest, provenance : mapping
        JSON-able.

    Returns
    -------
    list of (str, str)
        Gates and per-stance provenance have tables of their own and are left out.

    Examples
    --------
    >>> flat_rows({"seed": 7, "code": {"version": "0.1.0"}}, {})
    [('seed', '7'), ('code.version', '0.1.0')]
    """
    kept = {key: value for key, value in manifest.items() if key not in ("gates", "provenance", "files")}
    extra = {key: value for key, value in provenance.items() if key not in kept}
    return [*_flat(kept, ""), *_flat(extra, "appraisal.")]


def _flat(value: object, name: str) -> list[tuple[str, str]]:
    """Return the leaves below a value; short lists of plain values stay on one line."""
    if isinstance(value, Mapping):
        stem = f"{name}." if name and not name.endswith(".") else name
        return [row for key, inner in value.items() for row in _flat(inner, f"{stem}{key}")]
    if isinstance(value, list | tuple):
        if all(not isinstance(item, Mapping | list | tuple) for item in value):
            return [(name, ", ".join(map(str, value)))]
        return [row for number, item in enumerate(value, start=1) for row in _flat(item, f"{name}.{number}")]
    text = "" if value is None else str(value)
    return [(name, text if len(text) <= _LONGEST_ROW else f"{text[:_LONGEST_ROW]}…")]
