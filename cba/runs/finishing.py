"""What a re-run does with a run it has stored: score, compare, render, then publish or hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cba.runs.analysis_lock import locked
from cba.runs.records_beside import records_beside
from cba.runs.rerun_doors import Doors, Log, Outcome, Update
from cba.runs.run_names import run_moment
from cba.runs.seals import sealed
from cba.runs.store import publish_run, rewrite_report
from cba.runs.stored_runs import RunRecord, published_name, read_run, runs_of
from cba.runs.stored_stages import stored_appraisals
from cba.runs.whole_writing import StoreError, plain, to_json, write_whole


def finished(run: RunRecord, *, root: Path, doors: Doors, update: Update, log: Log) -> Outcome:
    """Score, compare and render a stored run, and publish it unless it is held.

    Parameters
    ----------
    run : RunRecord
        The newest of its analysis; not shown to readers yet.
    root : Path
        Folder of the reports.
    doors : Doors
        What is called; a door that fails is reported and does not undo the run.
    update : Update
        Whose reasons hold the run beside its own.
    log : callable
        Told every step.

    Returns
    -------
    Outcome
        ``published`` or ``held``.

    Raises
    ------
    StoreError
        If the report or the pointer cannot be written, or the published run is damaged.

    Notes
    -----
    Killed anywhere, it can be done again: forecasts are scored once, so scores that stand are taken as they are.

    Examples
    --------
    >>> finished(run, root=Path("reports"), doors=Doors(), update=update, log=log).status  # doctest: +SKIP
    'published'
    """
    shown = published_name(root / run.analysis)
    before = read_run(root / run.analysis / shown) if shown else None
    records, notes = _records(run, before=before, doors=doors, root=root, log=log)
    if doors.render is not None:
        run, failed = _rendered(run, render=doors.render, records=records, log=log)
        notes += failed
    held = tuple(dict.fromkeys((*run.held, *update.held)))
    if held:
        return Outcome("held", run.analysis, run, (*held, *notes), records)
    run = publish_run(run)
    log("published", run=run.name)
    return Outcome("published", run.analysis, run, notes, records)


def _records(
    run: RunRecord, *, before: RunRecord | None, doors: Doors, root: Path, log: Log
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Score earlier forecasts and compare with the published run; keep what comes of it beside the manifest."""
    earlier = [
        one for one in runs_of(root, run.analysis) if run_moment(one) < run_moment(run) and not one.damage
    ]
    asked: dict[str, Callable[[], Mapping[str, Any]]] = {}
    if doors.score is not None and earlier:
        score = doors.score
        asked["scores"] = lambda: score(run, earlier=earlier)
    if doors.compare is not None and before is not None:
        compare, old = doors.compare, before
        asked["comparison"] = lambda: compare(old, run)
    found: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    for name, ask in asked.items():
        if name == "scores" and (stand := _standing_scores(run)):
            found[name] = stand
            continue
        try:
            found[name] = plain(dict(ask()))
            with locked(run.path.parent):
                write_whole(run.path / f"{name}.json", to_json(sealed(found[name])))
            log(name, run=run.name)
        except Exception as error:  # the run is stored and sound: what explains it must not undo it
            problem = getattr(error, "problem", f"{type(error).__name__}: {error}")
            log(f"{name} failed", problem=problem)
            notes += (f"no {name}: {problem}",)
    return found, notes


def _standing_scores(run: RunRecord) -> dict[str, Any]:
    """Return the scores that an earlier attempt has kept whole; empty where there are none."""
    try:
        return records_beside(run).get("scores", {})
    except StoreError:
        return {}


def _rendered(
    run: RunRecord, *, render: Callable[..., str], records: Mapping[str, Any], log: Log
) -> tuple[RunRecord, tuple[str, ...]]:
    """Write the report of a stored run, with what changed at its top."""
    try:
        appraisals, headline = stored_appraisals(run), run.headline
        html = render(appraisals, headline=headline, manifest={**headline["run"], **records})
        return rewrite_report(run, html), ()
    except StoreError:
        raise
    except Exception as error:  # a report can be rendered again; the run stands
        log("report failed", problem=f"{type(error).__name__}: {error}")
        return run, (f"no report: {type(error).__name__}: {error}; render it with `cba report`",)
