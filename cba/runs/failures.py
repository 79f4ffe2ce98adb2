"""What is kept of a run that failed a correctness gate: diagnostics, never results."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cba.errors import GateError
from cba.runs.fingerprints import Fingerprints
from cba.runs.manifest import code_record, environment_record, utc
from cba.runs.store import write_failure


def note_failure(
    error: GateError, *, root: Path, settings: Mapping[str, Any], fingerprints: Fingerprints
) -> Path:
    """Store the diagnostics of a failed gate and add their path to the error as a note.

    Parameters
    ----------
    error : GateError
    root : Path
        Folder of the reports.
    settings : mapping
        The analysis as plain values.
    fingerprints : Fingerprints
        Of the run.

    Returns
    -------
    Path

    Examples
    --------
    >>> note_failure(error, root=Path("reports"), settings=settings, fingerprints=prints)  # doctest: +SKIP
    """
    diagnostics = _diagnostics(error, settings=settings, fingerprints=fingerprints)
    place = write_failure(root, analysis=settings["name"], moment=datetime.now(UTC), diagnostics=diagnostics)
    error.add_note(str(place))
    return place


def _diagnostics(
    error: GateError, *, settings: Mapping[str, Any], fingerprints: Fingerprints
) -> dict[str, Any]:
    """Return what is kept of a run that failed a gate."""
    return {
        "schema": 1,
        "outcome": "a correctness gate failed: no results",
        "approvable": False,
        "problem": error.problem,
        "failures": list(error.failures),
        "analysis": settings["name"],
        "settings": dict(settings),
        "failed_at": utc(datetime.now(UTC)),
        "fingerprints": fingerprints.record(),
        "code": code_record(),
        "environment": environment_record(),
    }
