"""What is asked for, fingerprinted from files alone: the quick way to see that a re-run has nothing to do.

The specification is read as TOML and not checked, so nothing that computes or checks is imported; whatever
has changed sends the re-run the slow way, which checks everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cba.inputs.shipped_files import analysis_file
from cba.runs.fingerprints import content_sha256, file_sha256, library_versions
from cba.runs.stage_fingerprints import parsed_sha256, parsed_toml, stage_fingerprints

_STANCES = ("evidence", "sceptical", "review")
_NO_YEAR = 0


def specification_file(spec: str | Path) -> Path | None:
    """Return the file a person means by the name or path of an analysis.

    Parameters
    ----------
    spec : str or Path
        As :func:`cba.load_analysis` takes it.

    Returns
    -------
    Path or None
        None where there is none; loading it says why.

    Examples
    --------
    >>> specification_file("latest").name
    'latest.toml'
    """
    text = str(spec)
    if text.endswith(".toml") or "/" in text or "\\" in text:
        return Path(spec) if Path(spec).is_file() else None
    return analysis_file(text)


def request_fingerprint(spec: str | Path) -> str | None:
    """Fingerprint a specification with all it is made from, without loading it.

    Parameters
    ----------
    spec : str or Path
        Name or file of an analysis.

    Returns
    -------
    str or None
        SHA-256 of what the specification says, the option files and series of its own, the snapshot it reads
        and every stage; None where that cannot be said from the files alone.

    Examples
    --------
    >>> request_fingerprint("latest") == request_fingerprint("latest") != request_fingerprint("smoke")
    True
    """
    file = specification_file(spec)
    if file is None:
        return None
    try:
        written = parsed_toml(file)
        stances = [str(stance) for stance in written.get("stances", _STANCES)]
        years = {name: written.get(name, _NO_YEAR) for name in ("release", "evidence_until")}
        return content_sha256(
            {
                "specification": _plain(written),
                "own": {name: _own_sha256(file.parent / name) for name in _own_files(written)},
                "snapshot": _snapshot(written.get("data", {})),
                "stages": stage_fingerprints({**written, **years, "stances": stances}),
                "libraries": library_versions(),
            }
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return None  # not as it should be: loading it says what is wrong


def specified_name(spec: str | Path) -> str | None:
    """Return the name a specification gives its analysis, without loading it.

    Parameters
    ----------
    spec : str or Path

    Returns
    -------
    str or None

    Examples
    --------
    >>> specified_name("latest")
    'latest'
    """
    file = specification_file(spec)
    return None if file is None else file.stem


def _own_files(written: Mapping[str, Any]) -> list[str]:
    """Return the paths a specification names: option files and the long-run series."""
    named = [*written.get("options", ()), written.get("long")]
    return [str(name) for name in named if name and ("/" in str(name) or "." in str(name))]


def _own_sha256(path: Path) -> str:
    return parsed_sha256(path) if path.suffix == ".toml" else file_sha256(path)


def _snapshot(data: Mapping[str, Any]) -> str:
    """Return which snapshot is read: snapshots are named by what they hold, so the name is enough."""
    name = str(data.get("snapshot", "shipped"))
    if name != "current":
        return name
    pointer = Path(str(data.get("store", "reports/.data"))) / "current"
    return pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else "shipped"


def _plain(content: Any) -> Any:
    """Return TOML content that JSON holds: dates and infinities as text."""
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    return content if isinstance(content, bool | int | str) else repr(content)
