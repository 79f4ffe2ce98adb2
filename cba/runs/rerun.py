"""One re-run: update, ask whether anything changed, run, compare with what readers see, publish or hold.

The single entry for cron, a systemd timer and a CI workflow. What it calls beside the run itself comes in as
:class:`cba.runs.rerun.RerunSteps`, so that each can be left out; a step that fails after the run was stored is
reported and does not undo the run. A re-run that did not come to its end is due again whenever the schedule starts it,
and goes on from the run it had stored, if it had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.errors import NeedsPerson, SnapshotDamaged, StoreError
from cba.inputs.files import (
    analysis_file,
    fingerprint,
    held_lock,
    library_versions,
    read_toml,
    shipped_published_folder,
    text_of,
)
from cba.inputs.programs import interrupts_kept
from cba.inputs.safe_files import strict_json
from cba.runs.fingerprints import file_sha256, parsed_sha256, run_fingerprints, stage_fingerprints
from cba.runs.reading import (
    RunRecord,
    published_name,
    published_trouble,
    read_run,
    run_moment,
    runs_of,
)
from cba.runs.stages import stored_appraisals
from cba.runs.store import OF_RUN, publish_run, put_pages, rerun_records
from cba.runs.whole_files import locked, plain, sealed, store_errors, to_json, write_whole

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis
    from cba.inputs.releases.update import Announced
    from cba.runs.stages import Stages


# --- When the sources of an analysis were last asked for news, and that one re-run asks at a time ---


_FILE = ".last_poll"

NO_DAY = "no day is announced for the next release of {}: it is asked for once a week"
NOBODY_ASKED = "no source is named, so nobody is asked: what `cba update --from FILE` takes in is noticed"


@dataclass(frozen=True)
class Poll:
    """A poll of the sources."""

    at: datetime | None = None  # in UTC; None where there never was one
    days: tuple[date, ...] = ()  # days of publication announced at that time
    # Whether the re-run that polled has not come to its end: it is under way, or it failed.
    pending: bool = False
    data: str = ""  # fingerprint of the tables there were then; empty where that was not noted
    said: tuple[str, ...] = ()  # what was to be said of the sources then, and is not said again


def last_poll(folder: Path) -> Poll:
    """Return when an analysis was last polled, and the days announced then.

    Empty where it never was, or the note cannot be read: a poll is then due. `folder`: ``<root>/<analysis>``.
    """
    try:
        noted = strict_json(text_of(folder / _FILE))
        days = tuple(date.fromisoformat(day) for day in noted["days"])
        moment = datetime.fromisoformat(noted["at"]).astimezone(UTC)
        said = tuple(str(sentence) for sentence in noted.get("said", ()))
        return Poll(moment, days, bool(noted.get("pending", False)), str(noted.get("data", "")), said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return Poll()


def note_poll(folder: Path, poll: Poll) -> None:
    """Note that an analysis was polled. `folder`: ``<root>/<analysis>``."""
    at = "" if poll.at is None else poll.at.astimezone(UTC).isoformat(timespec="seconds")
    days = [day.isoformat() for day in poll.days]
    with locked(folder), store_errors("the poll could not be noted", file=folder / _FILE):
        write_whole(folder / _FILE, to_json({**vars(poll), "at": at, "days": days}))


def alone(folder: Path, *, wait: float = 0.0) -> AbstractContextManager[None]:
    """Be the only re-run of an analysis, or leave. `folder`: ``<root>/<analysis>``, made if it is missing."""
    busy = StoreError(
        "another re-run of this analysis is under way; nothing was done",
        file=folder / ".rerun.lock",
        cause="two schedules, or a person beside the schedule",
        remedy="leave it to the other one, or wait for it with --wait SECONDS",
    )
    trouble = store_errors("the folder of the analysis cannot be used", file=folder)
    return held_lock(folder / ".rerun.lock", wait=wait, busy=busy, trouble=trouble)


# --- What is asked for, fingerprinted from files alone: the quick way to see that a re-run has nothing … ---


_STANCES = ("evidence", "sceptical", "review")


_NO_YEAR = 0


def specification_file(spec: str | Path) -> Path | None:
    """Return the file a person means by the name or path of an analysis.

    None where there is none; loading it says why.
    """
    text = str(spec)
    if text.endswith(".toml") or "/" in text or "\\" in text:
        return Path(spec) if Path(spec).is_file() else None
    return analysis_file(text)


def request_fingerprint(spec: str | Path) -> str | None:
    """Fingerprint a specification with all it is made from, without loading it.

    SHA-256 of what the specification says, the option files of its own, the snapshot it reads and
    every stage; None where that cannot be said from the files alone.
    """
    file = specification_file(spec)
    if file is None:
        return None
    try:
        written = read_toml(file)
        stances = [str(stance) for stance in written.get("stances", _STANCES)]
        years = {name: written.get(name, _NO_YEAR) for name in ("release", "evidence_until")}
        return fingerprint(
            {
                "specification": parsed_sha256(file),
                "own": {name: _own_sha256(file.parent / name) for name in _own_files(written)},
                "snapshot": _snapshot(written),
                "stages": stage_fingerprints({**written, **years, "stances": stances}),
                "libraries": library_versions(),
            }
        )
    except (OSError, ValueError, TypeError, AttributeError, SnapshotDamaged):
        return None  # not as it should be: loading it says what is wrong


def specified_name(spec: str | Path) -> str | None:
    """Return the name a specification gives its analysis, without loading it."""
    file = specification_file(spec)
    return None if file is None else file.stem


def _own_files(written: Mapping[str, Any]) -> list[str]:
    """Return the paths of option files that a specification names."""
    return [
        str(name) for name in written.get("options", ()) if name and ("/" in str(name) or "." in str(name))
    ]


def _own_sha256(path: Path) -> str:
    return parsed_sha256(path) if path.suffix == ".toml" else file_sha256(path)


def _snapshot(written: Mapping[str, Any]) -> str:
    """Return which snapshot is read: snapshots are named by what they hold, so the name is enough."""
    from cba.inputs.releases.snapshots import current_name, snapshot_asked

    name = snapshot_asked(written)
    if name != "current":
        return name
    return current_name(Path(str(written.get("data", {}).get("store", STORE)))) or "shipped"


STORE = "reports/.data"
"""Where snapshots are kept unless an analysis says otherwise."""


def newer_release_note(spec: str | Path) -> tuple[str, ...]:
    """Say that a release is held which an analysis does not use; nothing where it uses the newest, or none is known."""
    from cba.inputs.releases.snapshots import NEWEST

    file = specification_file(spec)
    try:
        written = read_toml(file) if file else {}
        store, own = str(written.get("data", {}).get("store", STORE)), _snapshot(written)
        current = _snapshot({"data": {"store": store, "snapshot": "current"}})
        any_release = written["release"] == NEWEST
        names = {"shipped", current} | ({own} if any_release else set())
        held = {name: _release_of(name, Path(store)) for name in names}
        newest, used = max(held.values()), held[own] if any_release else int(written["release"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SnapshotDamaged):
        return ()  # not as it should be: loading it says what is wrong
    if newest <= used:
        return ()
    return (f"release {newest} is held; this analysis is made from release {used}, as it says",)


def _release_of(name: str, store: Path) -> int:
    """Return the newest release of the shipped tables or of a snapshot."""
    from cba.inputs.releases.snapshots import newest_release

    return newest_release(shipped_published_folder() if name == "shipped" else store / name)


# --- What a re-run calls beside the run itself, and what becomes of it ---


Log = Callable[..., None]
"""``log(event, **facts)``: one line of the log."""


@dataclass(frozen=True)
class Update:
    """What an update from the configured sources brought."""

    changed: bool
    summary: str
    held: tuple[str, ...] = ()  # why a person must look before readers see it: a major change of the data


@dataclass(frozen=True)
class RerunSteps:
    """What a re-run calls beside the run itself; each may be left out."""

    # ``update(analysis)`` to an Update; called where the analysis names sources.
    update: Callable[[Analysis], Update] | None = None
    # ``days(analysis)`` to what the calendars of its sources announce, asked for at each poll.
    days: Callable[[Analysis], Announced] | None = None
    # ``tables(analysis)`` to a context manager that puts the snapshot of the analysis in force.
    tables: Callable[[Analysis], Any] | None = None
    # ``score(run, earlier=)`` to plain values: earlier forecasts against the new outturn.
    score: Callable[..., Mapping[str, Any]] | None = None
    # ``compare(before, run)`` to plain values: what changed since the published run, and why.
    compare: Callable[..., Mapping[str, Any]] | None = None
    render: Callable[..., Mapping[str, str]] | None = None
    stages: Callable[[], Stages] | None = None  # makes the stages; the ordinary ones when left out


UNPUBLISHED = "not published"
"""What becomes of a run whose page cannot be made: it is stored, and the next re-run tries again."""


@dataclass(frozen=True)
class Outcome:
    """What became of a re-run."""

    status: str  # "no change", "not due", "published", "held" or `UNPUBLISHED`
    analysis: str
    run: RunRecord | None = None  # the run stored, else the newest there is
    notes: tuple[str, ...] = ()  # what the reader must know: reasons to hold, steps that failed
    waiting: tuple[
        str, ...
    ] = ()  # what an earlier re-run left for a person to decide, and nobody has decided yet

    @property
    def exit_code(self) -> int:
        """Return 4 where a person is needed or something waits for one, 1 where a page could not be made, else 0."""
        if self.status == "held" or self.waiting:
            return NeedsPerson.exit_code
        return 1 if self.status == UNPUBLISHED else 0


# --- a re-run from its start to its end ---


@dataclass(frozen=True)
class _Rerun:
    """What the parts of one re-run share."""

    root: Path
    steps: RerunSteps
    log: Log
    by: str = ""


def rerun(
    spec: str | Path,
    *,
    root: str | Path,
    steps: RerunSteps | None = None,
    by: str = "",
    if_due: bool = False,
    wait: float = 0.0,
    log: Log | None = None,
) -> Outcome:
    """Run an analysis again where anything it is made from has changed.

    ``held`` (exit code 4) where the headline moved beyond tolerance or the data changed in a major way:
    computed, stored, and not shown to readers. `wait`, seconds.
    """
    # `if_due`: do nothing unless a release was announced since the last poll, a week has passed since it, or
    # the re-run that polled did not come to its end.
    this = _Rerun(Path(root), steps or RerunSteps(), log or (lambda event, **facts: None), by)
    name = specified_name(spec)
    if not if_due and not _has_sources(spec) and not (name and last_poll(this.root / name).pending):
        known = runs_of(this.root, name) if name else []
        quick = _unchanged(request_fingerprint(spec), known)
        if quick is not None:
            this.log("no change", run=quick.name)
            notes = newer_release_note(spec)
            return _nothing_done("no change", quick.analysis, this, run=quick, notes=notes)
    with alone(this.root / name, wait=wait) if name else nullcontext():
        done = _poll_and_run(spec, this, if_due=if_due)
    return replace(done, notes=(*done.notes, *newer_release_note(spec)))


def _poll_and_run(spec: str | Path, this: _Rerun, *, if_due: bool) -> Outcome:
    """Poll where it is due, then run where something changed; the caller holds the lock."""
    from cba.inputs.analyses import load_analysis

    analysis = load_analysis(spec)
    folder, known = this.root / analysis.name, runs_of(this.root, analysis.name)
    poll = last_poll(folder)
    if if_due and not _is_due(poll, data=_tables_there(analysis)):
        this.log("not due")
        return _nothing_done("not due", analysis.name, this, run=_newest(known))
    update, asked = _updated(analysis, this, folder=folder, sources=_has_sources(spec))
    said = tuple(sentence for sentence in asked.said if sentence not in poll.said)
    with this.steps.tables(analysis) if this.steps.tables is not None else nullcontext():
        request = request_fingerprint(spec)
        same = _unchanged(request, known) or _same_stages(analysis, known)
        if same is None:
            outcome = _new_run(analysis, this, request=request or "", update=update)
        elif poll.pending and _unfinished(same):
            this.log("finishing", run=same.name)
            outcome = _finish(same, this, update=update)
        else:
            this.log("no change", run=same.name, held=list(update.held))
            status = "held" if update.held else "no change"
            outcome = _nothing_done(status, analysis.name, this, run=same, notes=update.held)
    outcome = replace(outcome, notes=(*outcome.notes, *said))
    return _settled(outcome, folder=folder, poll=asked, log=this.log)


def _is_due(poll: Poll, *, data: str) -> bool:
    """Return whether a release was announced since the last poll, a week passed, its re-run failed or data moved."""
    from cba.inputs.releases.update import due

    moved = bool(poll.data) and poll.data != data
    return poll.pending or moved or due(datetime.now(UTC), known_days=poll.days, last_checked=poll.at)


def _tables_there(analysis: Analysis) -> str:
    """Fingerprint the tables there are: the newest of the store, which the analysis may not read, and the shipped."""
    from cba.inputs.files import published_folder
    from cba.inputs.releases.snapshots import folder_identifier

    newest = _snapshot({"data": {"store": analysis.data.store, "snapshot": "current"}})
    return fingerprint({"newest": newest, "shipped": folder_identifier(published_folder())})


def _unfinished(run: RunRecord) -> bool:
    """Return whether a re-run stored this run and came no further; one stored by hand names no request."""
    return bool(run.manifest.get("request")) and not run.published and not run.approval


def _settled(outcome: Outcome, *, folder: Path, poll: Poll, log: Log) -> Outcome:
    """Note that the re-run has come to its end; where that cannot be noted the next one looks again."""
    if outcome.status == UNPUBLISHED:
        return outcome  # not at its end: the next one makes the page
    try:
        note_poll(folder, replace(poll, pending=False))
    except StoreError as error:  # what was published or held stands
        log("poll not settled", problem=error.problem)
        return replace(outcome, notes=(*outcome.notes, f"the next re-run will look again: {error.problem}"))
    return outcome


def _updated(analysis: Analysis, this: _Rerun, *, folder: Path, sources: bool) -> tuple[Update, Poll]:
    """Update from the sources, where there are any, and note the poll with the days announced.

    It is noted before anything is computed, as pending: a run that is killed or fails leaves the next one due.
    """
    from cba.inputs.releases.update import known_days

    before, update = last_poll(folder), Update(False, "no source is configured")
    days, said = (before.days, before.said) if sources else ((), (NOBODY_ASKED,))
    if sources and this.steps.update is not None:
        update = this.steps.update(analysis)
        this.log("update", changed=update.changed, summary=update.summary, held=list(update.held))
    if sources and this.steps.days is not None:
        try:
            announced = this.steps.days(analysis)
            days, said = known_days(announced.days), tuple(map(NO_DAY.format, announced.silent))
        except Exception as error:  # a calendar that does not answer: the weekly poll goes on
            this.log("calendar failed", problem=getattr(error, "problem", str(error)))
    poll = Poll(datetime.now(UTC), days, pending=True, data=_tables_there(analysis), said=said)
    note_poll(folder, poll)
    return update, poll


def _new_run(analysis: Analysis, this: _Rerun, *, request: str, update: Update) -> Outcome:
    """Run, then finish: score, compare, render, publish unless held."""
    from cba.errors import GateError, InputError
    from cba.runs.execute import RunRequest, execute, note_failure
    from cba.runs.stages import ordinary_stages

    this.log("run", analysis=analysis.name, published=published_name(this.root / analysis.name))
    stages = (this.steps.stages or ordinary_stages)()
    asked = RunRequest(by=this.by, specification=request, held=update.held, publish=False)
    try:
        run = execute(analysis, root=this.root, stages=replace(stages, render=None), request=asked)
    except InputError as error:
        # tables that an update fetched and a schema refuses are a failed gate, not a user's mistake
        if not update.changed or not str(error.details.get("file") or "").endswith(".csv"):
            raise
        gate = GateError("fetched tables do not fit their schema", [" ".join(str(error).split())])
        settings = analysis.model_dump(mode="json", by_alias=True)
        note_failure(gate, root=this.root, settings=settings, fingerprints=run_fingerprints(settings))
        raise gate from error
    this.log("stored", run=run.name, held=list(run.held), seconds=run.manifest["seconds"])
    rendering = replace(this.steps, render=this.steps.render or stages.render)
    return _finish(run, replace(this, steps=rendering), update=update)


def _newest(known: list[RunRecord]) -> RunRecord | None:
    return next((run for run in reversed(known) if not run.damage), None)


def _unchanged(request: str | None, known: list[RunRecord]) -> RunRecord | None:
    """Return the newest run where it answers this very request."""
    newest = _newest(known)
    return newest if newest and request and newest.manifest.get("request") == request else None


def _same_stages(analysis: Analysis, known: list[RunRecord]) -> RunRecord | None:
    """Return the newest run where every stage of it would come out the same."""
    newest = _newest(known)
    prints = stage_fingerprints(analysis.model_dump(mode="json", by_alias=True))
    return newest if newest and newest.manifest.get("stages") == prints else None


def _nothing_done(
    status: str, analysis: str, this: _Rerun, *, run: RunRecord | None, notes: tuple[str, ...] = ()
) -> Outcome:
    """Return the outcome of a re-run that computed nothing; what still waits for a person is said again."""
    trouble = published_trouble(this.root / analysis)
    waiting = [f"run {run.name} waits for approval: {'; '.join(run.held)}"] if run and run.held else []
    waiting += [trouble] if trouble else []
    return Outcome(status, analysis, run, (*notes, *waiting), waiting=tuple(waiting))


def _has_sources(spec: str | Path) -> bool:
    """Return whether a specification names sources, without loading it."""
    from cba.errors import InputError

    file = specification_file(spec)
    try:
        return bool(file and read_toml(file).get("data", {}).get("sources"))
    except (InputError, OSError, AttributeError):
        return False


# --- the end of a re-run: score, compare, render, then publish or hold ---


def _finish(run: RunRecord, rerun: _Rerun, *, update: Update) -> Outcome:
    """Score, compare and render a stored run, and publish it unless it, or the update, is held."""
    # `run`: the newest of its analysis, not shown to readers yet. Killed anywhere, it can be done again:
    # forecasts are scored once, so scores that stand are taken as they are.
    folder = rerun.root / run.analysis
    shown, trouble = published_name(folder), published_trouble(folder, besides=run.name)
    before = read_run(folder / shown) if shown and not trouble else None
    records, notes = _records(run, rerun, before=before)
    if rerun.steps.render is not None:
        run, failed = _rendered(run, render=rerun.steps.render, records=records, log=rerun.log)
        if failed:
            return Outcome(UNPUBLISHED, run.analysis, run, (failed, *run.held, *notes))
    held = tuple(dict.fromkeys((*run.held, *update.held, *([trouble] if trouble else ()))))
    if held:
        return Outcome("held", run.analysis, run, (*held, *notes))
    run = publish_run(run)
    rerun.log("published", run=run.name)
    return Outcome("published", run.analysis, run, notes)


def _records(
    run: RunRecord, rerun: _Rerun, *, before: RunRecord | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Score earlier forecasts and compare with the published run; keep what comes of it beside the manifest."""
    score, compare = rerun.steps.score, rerun.steps.compare
    known = runs_of(rerun.root, run.analysis)
    earlier = [one for one in known if run_moment(one) < run_moment(run) and not one.damage]
    asked: dict[str, Callable[[], Mapping[str, Any]]] = {}
    if score is not None and earlier:
        asked["scores"] = lambda: score(run, earlier=earlier)
    if compare is not None and before is not None:
        asked["comparison"] = lambda: compare(before, run)
    found: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    for name, ask in asked.items():
        if name == "scores" and (stand := _standing_scores(run)):
            found[name] = stand
            continue
        try:
            with interrupts_kept():
                found[name] = plain(dict(ask()))
            with locked(run.path.parent):
                write_whole(run.path / f"{name}.json", to_json(sealed({**found[name], OF_RUN: run.name})))
            rerun.log(name, run=run.name)
        except Exception as error:  # the run is stored and sound: what explains it must not undo it
            problem = getattr(error, "problem", f"{type(error).__name__}: {error}")
            rerun.log(f"{name} failed", problem=problem)
            notes += (f"no {name}: {problem}",)
    return found, notes


def _standing_scores(run: RunRecord) -> dict[str, Any]:
    """Return the scores that an earlier attempt has kept whole; empty where there are none."""
    try:
        return rerun_records(run).get("scores", {})
    except StoreError:
        return {}


def _rendered(
    run: RunRecord, *, render: Callable[..., Mapping[str, str]], records: Mapping[str, Any], log: Log
) -> tuple[RunRecord, str]:
    """Write the pages of a stored run, with what changed; also say why they could not be made."""
    try:
        appraisals, headline = stored_appraisals(run), run.headline
        pages = render(appraisals, headline=headline, manifest={**headline["run"], **records})
        return put_pages(run, pages), ""
    except StoreError:
        raise
    except Exception as error:  # the run stands, unseen by readers
        problem = f"{type(error).__name__}: {error}"
        log("report failed", problem=problem)
        return run, f"the page could not be made, so readers see what they saw: {problem}"
