"""One re-run: update, ask whether anything changed, run, compare with what readers see, publish or hold.

The single entry for cron, a systemd timer and a CI workflow. What it calls beside the run itself comes in as
:class:`cba.runs.rerun_doors.Doors`, so that each can be left out; a door that fails after the run was stored is
reported and does not undo the run. A re-run that did not come to its end is due again whenever the schedule starts it,
and goes on from the run it had stored, if it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cba.runs.finishing import finished
from cba.runs.polls import Poll, alone, last_poll, note_poll
from cba.runs.requests import request_fingerprint, specified_name
from cba.runs.rerun_doors import Doors, Log, Outcome, Update
from cba.runs.stored_runs import RunRecord, published_name, runs_of
from cba.runs.whole_writing import StoreError

if TYPE_CHECKING:
    from cba.inputs.analysis_records import Analysis
    from cba.runs.execute import Progress


def rerun(
    spec: str | Path,
    *,
    root: str | Path,
    doors: Doors | None = None,
    by: str = "",
    if_due: bool = False,
    wait: float = 0.0,
    log: Log | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Run an analysis again where anything it is made from has changed.

    Parameters
    ----------
    spec : str or Path
        Name or file of an analysis.
    root : str or Path
        Folder of the reports.
    doors : Doors, optional
        What is called beside the run.
    by : str
        The analyst, for the manifest.
    if_due : bool
        Do nothing unless a release was announced since the last poll, a week has passed since it, or the re-run
        that polled did not come to its end.
    wait : float, seconds
        How long to wait for another re-run of the analysis before leaving.
    log : callable, optional
        Told every step.
    progress : callable, optional
        As in :func:`cba.runs.execute.execute`.

    Returns
    -------
    Outcome
        ``held`` (exit code 4) where the headline moved beyond tolerance or the data changed in a major way:
        computed, stored, and not shown to readers.

    Raises
    ------
    GateError
        If convergence, reconciliation or, after an update, a schema failed: diagnostics only.
    InputError
        If the specification or an input is refused.
    StoreError
        If another re-run holds the lock for longer than `wait`, or the machine would not store the run.

    Examples
    --------
    >>> rerun("latest", root="reports").status  # doctest: +SKIP
    'no change'
    """
    root, doors, log = Path(root), doors or Doors(), log or (lambda event, **facts: None)
    name = specified_name(spec)
    known = runs_of(root, name) if name else []
    sources = _has_sources(spec)
    if not sources and not if_due and not (name and last_poll(root / name).pending):
        quick = _unchanged(request_fingerprint(spec), known)
        if quick is not None:
            log("no change", run=quick.name)
            return Outcome("no change", quick.analysis, quick, _waiting(quick))
    with alone(root / name, wait=wait) if name else _nothing():
        return _with_lock(
            spec, root=root, doors=doors, by=by, if_due=if_due, log=log, progress=progress, sources=sources
        )


def _with_lock(
    spec: str | Path,
    *,
    root: Path,
    doors: Doors,
    by: str,
    if_due: bool,
    log: Log,
    progress: Progress | None,
    sources: bool,
) -> Outcome:
    """Poll where it is due, then run where something changed."""
    from cba.inputs.analyses import load_analysis

    analysis = load_analysis(spec)
    folder, known = root / analysis.name, runs_of(root, analysis.name)
    poll = last_poll(folder)
    if if_due and not _is_due(poll):
        log("not due")
        return Outcome("not due", analysis.name, known[-1] if known else None)
    update, asked = _updated(analysis, folder=folder, doors=doors, log=log, sources=sources)
    with doors.tables(analysis) if doors.tables is not None else _nothing():
        request = request_fingerprint(spec)
        same = _unchanged(request, known) or _same_stages(analysis, known)
        if same is None:
            outcome = _new_run(
                analysis,
                root=root,
                doors=doors,
                by=by,
                request=request or "",
                update=update,
                log=log,
                progress=progress,
            )
        elif poll.pending and _unfinished(same):
            log("finishing", run=same.name)
            outcome = finished(same, root=root, doors=doors, update=update, log=log)
        else:
            log("no change", run=same.name, held=list(update.held))
            status = "held" if update.held else "no change"
            outcome = Outcome(status, analysis.name, same, (*update.held, *_waiting(same)))
    return _settled(outcome, folder=folder, poll=asked, log=log)


def _is_due(poll: Poll) -> bool:
    """Return whether a release was announced since the last poll, a week has passed, or its re-run failed."""
    from cba.inputs.releases.release_days import due

    last = None if poll.at is None else poll.at.date()
    return poll.pending or due(datetime.now(UTC).date(), known_days=poll.days, last_checked=last)


def _unfinished(run: RunRecord) -> bool:
    """Return whether a re-run stored this run and came no further; one stored by hand names no request."""
    return bool(run.manifest.get("request")) and not run.published and not run.approval


def _settled(outcome: Outcome, *, folder: Path, poll: Poll, log: Log) -> Outcome:
    """Note that the re-run has come to its end; where that cannot be noted the next one looks again."""
    try:
        note_poll(folder, replace(poll, pending=False))
    except StoreError as error:  # what was published or held stands
        log("poll not settled", problem=error.problem)
        return replace(outcome, notes=(*outcome.notes, f"the next re-run will look again: {error.problem}"))
    return outcome


def _updated(
    analysis: Analysis, *, folder: Path, doors: Doors, log: Log, sources: bool
) -> tuple[Update, Poll]:
    """Update from the sources, where there are any, and note the poll with the days announced.

    It is noted before anything is computed, as pending: a run that is killed or fails leaves the next one due.
    """
    update, days = Update(False, "no source is configured"), last_poll(folder).days
    if sources and doors.update is not None:
        update = doors.update(analysis)
        log("update", changed=update.changed, summary=update.summary, held=list(update.held))
    if sources and doors.days is not None:
        try:
            days = tuple(doors.days(analysis))
        except Exception as error:  # a calendar that does not answer: the weekly poll goes on
            log("calendar failed", problem=getattr(error, "problem", str(error)))
    poll = Poll(datetime.now(UTC), days, pending=True)
    note_poll(folder, poll)
    return update, poll


def _new_run(
    analysis: Analysis,
    *,
    root: Path,
    doors: Doors,
    by: str,
    request: str,
    update: Update,
    log: Log,
    progress: Progress | None,
) -> Outcome:
    """Run, then finish: score, compare, render, publish unless held."""
    from cba.runs.execute import Order, execute
    from cba.runs.stages import ordinary_stages

    log("run", analysis=analysis.name, published=published_name(root / analysis.name))
    stages = (doors.stages or ordinary_stages)()
    order = Order(by=by, request=request, held=update.held, publish=False)
    run = _schema_as_gate(
        lambda: execute(
            analysis, root=root, progress=progress, stages=replace(stages, render=None), order=order
        ),
        analysis=analysis,
        root=root,
        fetched=update.changed,
    )
    log("stored", run=run.name, held=list(run.held), seconds=run.manifest["seconds"])
    return finished(
        run, root=root, doors=replace(doors, render=doors.render or stages.render), update=update, log=log
    )


def _schema_as_gate(
    execute: Callable[[], RunRecord], *, analysis: Analysis, root: Path, fetched: bool
) -> RunRecord:
    """Run; tables that an update fetched and a schema refuses are a failed gate, not a user's mistake."""
    from cba.errors import GateError, InputError
    from cba.runs.failures import note_failure
    from cba.runs.fingerprints import run_fingerprints

    try:
        return execute()
    except InputError as error:
        file = str(error.details.get("file") or "")
        if not fetched or not file.endswith(".csv"):
            raise
        gate = GateError("fetched tables do not fit their schema", [" ".join(str(error).split())])
        settings = analysis.model_dump(mode="json", by_alias=True)
        note_failure(gate, root=root, settings=settings, fingerprints=run_fingerprints(settings))
        raise gate from error


def _unchanged(request: str | None, known: list[RunRecord]) -> RunRecord | None:
    """Return the newest run where it answers this very request."""
    newest = next((run for run in reversed(known) if not run.damage), None)
    return newest if newest and request and newest.manifest.get("request") == request else None


def _same_stages(analysis: Analysis, known: list[RunRecord]) -> RunRecord | None:
    """Return the newest run where every stage of it would come out the same."""
    from cba.runs.stage_fingerprints import stage_fingerprints

    newest = next((run for run in reversed(known) if not run.damage), None)
    prints = stage_fingerprints(analysis.model_dump(mode="json", by_alias=True))
    return newest if newest and newest.manifest.get("stages") == prints else None


def _waiting(run: RunRecord) -> tuple[str, ...]:
    """Say that the newest run still waits for a person."""
    return (f"run {run.name} waits for approval: {'; '.join(run.held)}",) if run.held else ()


def _has_sources(spec: str | Path) -> bool:
    """Return whether a specification names sources, without loading it."""
    from cba.errors import InputError
    from cba.runs.requests import specification_file
    from cba.runs.stage_fingerprints import parsed_toml

    file = specification_file(spec)
    try:
        return bool(file and parsed_toml(file).get("data", {}).get("sources"))
    except (InputError, OSError, AttributeError):
        return False


@contextmanager
def _nothing() -> Iterator[None]:
    yield
