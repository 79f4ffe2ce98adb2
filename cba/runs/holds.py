"""Holds and approvals: when a computed run waits for a person, and how another person releases it.

A run holds where its headline moved further from what readers see than its quantities (cba/appraisal/quantities.py) or
its analysis allow; or where whoever asked for it gave a reason. A release is a sealed record beside the manifest: the
manifest is not touched, so its own seal still holds, and the record names the SHA-256 of the headline it was given for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cba.errors import InputError, Rule, StoreError, refuse_broken
from cba.inputs.files import readable_text, same_name
from cba.runs.manifest import utc
from cba.runs.reading import (
    HEADLINE,
    POINTER,
    REPORT,
    RunRecord,
    published_name,
    published_trouble,
    read_run,
    verify_run,
)
from cba.runs.whole_files import locked, sealed, to_json, write_whole

_NOISE = 3.0


def default_tolerances() -> dict[str, float]:
    """Return the largest shift of each quantity that is published without being asked, by its name in [hold]."""
    from cba.appraisal.quantities import QUANTITIES

    return dict(entry.held for entry in QUANTITIES.values() if entry.held)


def hold_tolerances(settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the tolerances of an analysis: the defaults, changed by its table ``[hold]``.

    Start of a quantity's name to its tolerance: widths of the published interval, or probability.
    """
    given, usual = settings.get("hold") or {}, default_tolerances()
    for name, value in given.items():
        if name not in usual:
            raise _refused(name, found=name, allowed=", ".join(usual))
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise _refused(name, found=value, allowed="a number above 0, 1 at most")
    return {**usual, **{name: float(value) for name, value in given.items()}}


def loosened(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which tolerances and gates of an analysis judge a run more loosely than those it did not set would.

    Each is a reason to hold the run: who makes it does not settle alone how strictly it is judged.
    """
    from cba.inputs.analyses import Gates

    usual = default_tolerances()
    said = tuple(
        f"hold.{name} is {value:g}, looser than the usual {usual[name]:g}"
        for name, value in hold_tolerances(settings).items()
        if value > usual[name]
    )
    return said + Gates.model_validate(settings.get("gates") or {}).loosened()


def shifts_beyond_tolerance(
    folder: Path, results: Mapping[str, Any], *, tolerances: Mapping[str, float]
) -> tuple[str, ...]:
    """Say how far the headline moved from the run that readers see, where that is beyond tolerance.

    `folder`: ``<root>/<analysis>``; empty where no run is stored yet. Where runs are stored and readers see no sound
    one of them, nobody can say that nothing moved.
    """
    if trouble := published_trouble(folder):
        return (trouble,)
    name = published_name(folder)
    if name is None:
        return ()
    return hold_reasons(read_run(folder / name).headline["results"], results, tolerances=tolerances)


def hold_reasons(
    published: Mapping[str, Any], found: Mapping[str, Any], *, tolerances: Mapping[str, float]
) -> tuple[str, ...]:
    """Say which headline results moved beyond their tolerance since the published run.

    One sentence a result, in the order of the new headline; empty where nothing holds the run. An option that
    is new or gone is a person's change of the analysis and does not hold it.
    """
    # `published`, `found`: ``results`` of the run readers see and of the new one, by ``<quantity>.<option>``.
    #
    # With a width w of the old interval and means m, a result holds the run where ``|m_new - m_old| >
    # tolerance w + 3 sqrt(mcse_new^2 + mcse_old^2)``, w = 1 for probabilities. A result that was defined and
    # is no longer holds it too.
    options = {key.rpartition(".")[2] for key in found}
    reasons = []
    for key, before in published.items():
        tolerance = _tolerance(key, tolerances)
        if tolerance is None or key.rpartition(".")[2] not in options or before.get("mean") is None:
            continue
        after = found.get(key) or {}
        if after.get("mean") is None:
            reasons.append(f"{key} was {_figure(before['mean'])} and is no longer defined")
            continue
        reason = _moved(key, before, after, tolerance=tolerance)
        reasons += [reason] if reason else []
    return tuple(reasons)


def _moved(key: str, before: Mapping[str, Any], after: Mapping[str, Any], *, tolerance: float) -> str:
    """Say how far one result moved, where that is beyond its tolerance."""
    probability = key.startswith("prob")
    width = 1.0 if probability else abs((before.get("upper") or 0.0) - (before.get("lower") or 0.0))
    shift = abs(after["mean"] - before["mean"])
    noise = math.hypot(before.get("mcse") or 0.0, after.get("mcse") or 0.0)
    if shift <= tolerance * width + _NOISE * noise:
        return ""
    said = f"{key} moved from {_figure(before['mean'])} to {_figure(after['mean'])}"
    if probability:
        return f"{said}: {shift:.2g} of probability, tolerance {tolerance:g}"
    if width == 0:
        return f"{said}: it was known exactly"
    return f"{said}: {shift / width:.2g} of the width of the published interval, tolerance {tolerance:g}"


def _tolerance(key: str, tolerances: Mapping[str, float]) -> float | None:
    """Return the tolerance of a result, by its quantity."""
    from cba.appraisal.quantities import quantity_of

    found = quantity_of(key)
    return tolerances.get(found.held[0]) if found and found.held else None


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _refused(name: str, *, found: Any, allowed: str) -> InputError:
    return InputError(
        "a tolerance of [hold] cannot be used",
        field=f"hold.{name}",
        found=found,
        allowed=allowed,
        cause="a misspelt quantity, or per cent for a share",
        remedy="correct the entry, or remove it to use the default",
    )


# --- approvals: a person other than the analyst releases a run ---


APPROVAL = "approval.json"


def approve_run(run: RunRecord, *, by: str, note: str, moment: datetime | None = None) -> RunRecord:
    """Release a stored run to readers: record who, when and why, then point ``published`` at it.

    The record is written first and the pointer after it, each whole: a kill in between leaves a run that is
    approved and not yet shown, and approving it again shows it.
    """
    for field, value in (("--by", by), ("--note", note)):
        readable_text(value, field=field)
    problems = verify_run(run.path)
    if problems:
        raise StoreError(
            f"a damaged run cannot be approved: {'; '.join(problems)}",
            file=run.path,
            cause="changed, removed or cut short after the run was stored",
            remedy="restore the run from a copy, or run the analysis again",
        )
    run = read_run(run.path)
    _refuse_approval(run, by=by)
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
    """Refuse to approve what is no run but the diagnostics of one that failed a gate."""
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


def _refuse_approval(run: RunRecord, *, by: str) -> None:
    """Refuse a run that nobody may release, or that this person may not."""
    try:
        refuse_broken(_APPROVABLE, (run, by))
    except InputError as error:
        raise error.changed(file=run.path) from None


def _analyst(run: RunRecord) -> str:
    return str(run.manifest.get("run_by") or "").strip()


_APPROVABLE = (
    Rule("gates", lambda asked: not asked[0].manifest.get("gates_passed", False), "gates_passed is not true")
    .wrong("a run whose gates did not pass can never be approved", allowed="a run whose gates passed")
    .advice("a correctness gate failed", remedy="mend what its gates name, then run the analysis again"),
    Rule(
        REPORT,
        lambda asked: asked[0].manifest.get("request") and REPORT not in asked[0].manifest["files"],
        f"no {REPORT}",
    )
    .wrong("a run without its page cannot be released", allowed=f"a run with {REPORT}")
    .advice(
        "the page could not be made when the run was",
        remedy=lambda asked: (
            f"make it with `cba report {asked[0].analysis}/{asked[0].name}`, then approve the run"
        ),
    ),
    Rule("run_by", lambda asked: not _analyst(asked[0]), "nobody")
    .wrong("a run that names nobody who ran it cannot be approved", allowed="the name of its analyst")
    .advice(
        "the machine does not say whose account it is, as in many containers, and --by was left out",
        remedy='run the analysis again with --by "NAME", which reads what is stored, and approve that run',
    ),
    Rule("--by", lambda asked: same_name(asked[1], _analyst(asked[0])), lambda asked: asked[1])
    .wrong(
        "a run cannot be approved by the person who ran it",
        allowed=lambda asked: f"somebody other than {_analyst(asked[0])}, in the same alphabet",
    )
    .advice(
        "analyst and assurer are separate people, or a name has letters of another alphabet that look the same",
        remedy="ask a colleague to look at the run and approve it",
    ),
    Rule(
        "--by",
        lambda asked: asked[0].approval and not same_name(asked[0].approval["approved_by"], asked[1]),
        lambda asked: asked[1],
    )
    .wrong(
        "the run has been approved already",
        allowed=lambda asked: "{approved_by}, who approved it at {approved_at}".format_map(asked[0].approval),
    )
    .advice("two people looked at it", remedy="nothing needs to be done"),
)
"""What must hold of a run and of who approves it."""
