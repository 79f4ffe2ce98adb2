"""Approvals: a person other than the analyst releases a run, in a sealed record beside its manifest.

The manifest is not touched, so its own seal still holds; the approval names the SHA-256 of the headline it
was given for.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cba.errors import InputError
from cba.runs.analysis_lock import locked
from cba.runs.manifest import utc
from cba.runs.seals import sealed
from cba.runs.stored_runs import HEADLINE, POINTER, RunRecord, read_run, verify_run
from cba.runs.whole_writing import StoreError, to_json, write_whole

APPROVAL = "approval.json"


def approve_run(run: RunRecord, *, by: str, note: str, moment: datetime | None = None) -> RunRecord:
    """Release a stored run to readers: record who, when and why, then point ``published`` at it.

    Parameters
    ----------
    run : RunRecord
    by : str
        The assurer; not the analyst who ran it.
    note : str
        What was looked at.
    moment : datetime, optional
        With time zone; now by default.

    Returns
    -------
    RunRecord
        The same run, approved and published.

    Raises
    ------
    InputError
        If the name or the note is empty, the assurer is the analyst, the gates did not pass, or somebody else
        has approved it before.
    StoreError
        If a file of the run is not what was stored, or the record cannot be written.

    Notes
    -----
    The record is written first and the pointer after it, each whole: a kill in between leaves a run that is
    approved and not yet shown, and approving it again shows it.

    Examples
    --------
    >>> approve_run(run, by="A. Assurer", note="shift explained").published  # doctest: +SKIP
    True
    """
    _check_words(by=by, note=note)
    problems = verify_run(run.path)
    if problems:
        raise StoreError(
            f"a damaged run cannot be approved: {'; '.join(problems)}",
            file=run.path,
            cause="changed, removed or cut short after the run was stored",
            remedy="restore the run from a copy, or run the analysis again",
        )
    run = read_run(run.path)
    _check_person(run, by=by)
    record = run.approval or sealed(
        {
            "schema": 1,
            "run": run.name,
            "analysis": run.analysis,
            "headline_sha256": run.manifest["files"][HEADLINE]["sha256"],
            "held": list(run.manifest.get("held", ())),
            "analyst": run.manifest.get("run_by"),
            "approved_by": by.strip(),
            "note": note.strip(),
            "approved_at": utc(moment or datetime.now(UTC)),
        }
    )
    with locked(run.path.parent):
        if not run.approval:
            write_whole(run.path / APPROVAL, to_json(record))
        write_whole(run.path.parent / POINTER, run.name + "\n")
    return read_run(run.path)


def refuse_failed(path: Path) -> None:
    """Refuse to approve what is no run but the diagnostics of one that failed a gate.

    Parameters
    ----------
    path : Path
        What a person typed, as a path.

    Raises
    ------
    InputError
        If it is a folder or file of diagnostics.

    Examples
    --------
    >>> refuse_failed(Path("latest"))
    """
    folder = path.parent if path.name == "diagnostics.json" else path
    if (folder / "diagnostics.json").is_file() or folder.parent.name == "failed":
        raise InputError(
            "a run that failed a correctness gate can never be approved",
            file=folder,
            found="diagnostics, no results",
            allowed="a run with results",
            cause="a gate (convergence, reconciliation or schema) failed",
            remedy="mend what the diagnostics name, then run the analysis again",
        )


def _check_words(*, by: str, note: str) -> None:
    for field, value in (("--by", by), ("--note", note)):
        if not value.strip():
            raise InputError(
                "an approval needs a name and a note",
                field=field,
                found="nothing",
                allowed="who approves the run, and what was looked at",
                cause="an empty text",
                remedy='write --by "NAME" --note "TEXT"',
            )


def _check_person(run: RunRecord, *, by: str) -> None:
    """Refuse the analyst, and a second approver."""
    analyst = str(run.manifest.get("run_by") or "")
    if _folded(by) == _folded(analyst):
        raise InputError(
            "a run cannot be approved by the person who ran it",
            file=run.path,
            field="--by",
            found=by,
            allowed=f"somebody other than {analyst}",
            cause="analyst and assurer are separate people",
            remedy="ask a colleague to look at the run and approve it",
        )
    if not run.manifest.get("gates_passed", False):
        raise InputError(
            "a run whose gates did not pass can never be approved",
            file=run.path,
            found="gates_passed is not true",
            allowed="a run whose gates passed",
            cause="a correctness gate failed",
            remedy="mend what its gates name, then run the analysis again",
        )
    if run.approval and _folded(str(run.approval["approved_by"])) != _folded(by):
        raise InputError(
            "the run has been approved already",
            file=run.path,
            field="--by",
            found=by,
            allowed=f"{run.approval['approved_by']}, who approved it at {run.approval['approved_at']}",
            cause="two people looked at it",
            remedy="nothing needs to be done",
        )


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
