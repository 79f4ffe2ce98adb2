"""``cba update`` takes in a new release; ``cba rerun`` does so and runs again: the entry for cron or a CI workflow.

``cba refresh`` makes again what takes too long for a run.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import (
    REPORTS,
    AsJson,
    By,
    Root,
    Spec,
    answer,
    answer_json,
    describe,
    is_interactive,
    say,
)
from cba.cli.runs import write_index_page
from cba.errors import GateError, InputError, NeedsPerson

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis
    from cba.inputs.releases.update import Announced, UpdateOutcome
    from cba.runs.reading import RunRecord
    from cba.runs.rerun import Outcome, RerunSteps, Update


def rerun(
    spec: Spec,
    root: Root = REPORTS,
    by: By = None,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Only on announced days of publication, and weekly otherwise.")
    ] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another re-run.", metavar="SECONDS")] = 0.0,
    log: Annotated[
        str | None,
        typer.Option(help="Append lines of JSON here; `-` is standard error.", metavar="FILE"),
    ] = None,
    hook: Annotated[
        str | None,
        typer.Option(help="Command told the outcome as JSON on its standard input.", metavar="CMD"),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Update from the configured sources and run again where anything changed.

    Nothing changed: "no change", exit code 0. A shift beyond tolerance or a major change of the data: stored and held
    for a person, exit code 4; readers see what they saw until `cba runs approve` releases it.
    """
    from cba.runs.manifest import json_log, person
    from cba.runs.rerun import rerun as run_again

    if not 0.0 <= wait < math.inf:  # not a bound of the option: typer would load a checker that costs 0.2 s
        raise typer.BadParameter("a number of seconds, 0 or more", param_hint="--wait")
    write = json_log(log, spec=spec)
    words = hook_words(hook)
    with _failure_told(spec, words, write=write):
        outcome = run_again(
            spec, root=root, steps=rerun_steps(), by=person(by), if_due=if_due, wait=wait, log=write
        )
        if outcome.status not in ("no change", "not due"):
            write_index_page(root)
    summary = _summary(outcome)
    if problem := _tell(words, summary, write=write):
        summary["notes"].append(f"the hook failed: {problem}")
    if as_json:
        answer_json(summary)
    else:
        _print(outcome, notes=summary["notes"])
    return outcome.exit_code


@contextmanager
def _failure_told(spec: str, words: list[str], *, write: Callable[..., None]) -> Iterator[None]:
    """Tell the log and the hook of an error that ends a re-run."""
    try:
        yield
    except BaseException as error:
        failure = describe(error)
        write("failed", problem=failure["error"]["problem"], exit_code=failure["exit_code"])
        _tell(words, {"status": "failed", "spec": spec, **failure}, write=write)
        raise


def hook_words(hook: str | None) -> list[str]:
    """Return the command of a hook and its arguments. Empty where there is no hook."""
    try:
        return shlex.split(hook) if hook else []
    except ValueError as error:
        raise InputError(
            "the command of the hook cannot be read",
            field="--hook",
            found=hook,
            allowed="a command and its arguments, every quote closed",
            cause=f"a quote or backslash too many ({str(error).lower()})",
            remedy="close the quote, or put a backslash before it",
        ) from None


def rerun_steps() -> RerunSteps:
    """Return what a re-run calls beside the run."""
    from cba.cli.run import render, tables_in_force, write_beside
    from cba.runs import stages
    from cba.runs.rerun import RerunSteps

    return RerunSteps(
        render=render,
        stages=lambda: stages.ordinary_stages(write_beside=write_beside),
        update=_update,
        days=_days,
        tables=tables_in_force,
        compare=_compare,
        score=_score,
    )


def _update(analysis: Analysis) -> Update:
    from cba.inputs.releases.update import update_from_data
    from cba.runs.rerun import Update

    found = update_from_data(analysis.data)
    held = (found.held_reason,) if found.held_reason else ()
    return Update(found.changed, "; ".join(found.summary), held)


def _days(analysis: Analysis) -> Announced:
    from cba.inputs.releases.update import release_days

    return release_days(analysis.data, today=datetime.now(UTC).date())


def _compare(before: RunRecord, after: RunRecord) -> Any:
    from cba.runs.compare import compare_runs

    return compare_runs(before, after, root=after.path.parents[1]).record()


def _score(run: RunRecord, *, earlier: Any) -> Any:
    from cba.inputs.observations import load_observations
    from cba.runs.forecasts import arrival_record

    observations = load_observations(run.manifest["settings"]["release"])
    return arrival_record(run.path.parents[1], run.analysis, observations)


def _tell(words: list[str], summary: dict[str, Any], *, write: Callable[..., None]) -> str:
    """Tell the hook, where there is one; what goes wrong with it is reported and fails nothing."""
    if not words:
        return ""
    from cba.runs.manifest import tell_hook

    problem = tell_hook(words, summary)
    write("hook", problem=problem or None)
    if problem:
        say(f"warning: the hook failed: {problem}", err=True)
    return problem


def _summary(outcome: Outcome) -> dict[str, Any]:
    run = outcome.run
    return {
        "status": outcome.status,
        "analysis": outcome.analysis,
        "run": None if run is None else run.name,
        "path": None if run is None else run.path,
        "published": None if run is None else run.published,
        "notes": list(outcome.notes),
        "exit_code": outcome.exit_code,
    }


def _print(outcome: Outcome, *, notes: list[str]) -> None:
    from cba.runs.rerun import UNPUBLISHED

    run, status = outcome.run, outcome.status
    held = run is not None and bool(run.held)
    if status == "not due":
        say("not due: no release is announced for today, and the last poll is less than a week old")
    elif status == "held" and not held:
        say("nothing was run: a person is needed")
    elif status == "no change" and run is not None:
        say(f"no change: run {run.name} is up to date")
    elif run is not None:
        said = "held for approval; readers see what they saw" if held else status
        say(f"new run {run.name}: {said}")
        if status != UNPUBLISHED:
            say(f"Report: {run.path / 'report.html'}")
        _print_stale()
    for note in notes:
        say(f"  {note}")
    if run is not None and held:
        say(f'Release it with: cba runs approve {run.analysis}/{run.name} --by NAME --note "TEXT"')


def _print_stale() -> None:
    """Say which results that runs only read were made by an earlier state of the model."""
    from cba.models.slow_results import provenance_of_slow_results

    for sentence in provenance_of_slow_results(stale=True):
        say(f"  {sentence}")


# --- ``cba update`` ---


def update(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SPEC] [FILE]...",
            help="An analysis, whose [data] table is used; after --from, more files.",
            show_default="latest",
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE...", help="Downloaded files, in place of the network."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of snapshots, in place of the analysis's own.", metavar="DIR"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and store nothing.")] = False,
    as_json: AsJson = False,
) -> int:
    """Take in what is new and keep it as a snapshot; exit 4 where a person must decide, 5 without an answer."""
    # `words`: name or file of an analysis, and after ``--from`` further files.
    from cba.inputs.analyses import load_data
    from cba.inputs.releases.update import update_from_data, update_from_files

    spec, named = split_words(words or [], files=files or [])
    data = load_data(spec)
    place = Path(data.store) if store is None else store
    if named:
        outcome = update_from_files(named, store=place, sources=data.sources, dry_run=dry_run)
    else:
        outcome = update_from_data(data, store=place, dry_run=dry_run)
    return answer(
        as_answer(outcome, store=place, dry_run=dry_run),
        as_json=as_json,
        say=lambda: _say(outcome, dry_run=dry_run),
        exit_code=NeedsPerson.exit_code if outcome.held_reason else 0,
    )


def split_words(words: list[str], *, files: list[Path]) -> tuple[str, list[Path]]:
    """Tell the analysis from the files: after ``--from`` a shell's pattern puts files among the words.

    The analysis (``latest`` where none is named) and the files. `files`: what stood behind ``--from``.
    """
    named = [word for word in words if word.lower().endswith((".csv", ".xlsx", ".zip", ".gz", ".txt"))]
    specs = [word for word in words if word not in named]
    if (named and not files) or len(specs) > 1:
        raise InputError(
            "a word that is neither an analysis nor a file after --from",
            field="SPEC",
            found=" ".join(named if named and not files else specs[1:]),
            allowed="cba update [SPEC] [--from FILE...]",
            cause="--from left out, or a file that ends in none of .csv, .xlsx, .zip, .gz",
            remedy="put --from before the files",
        )
    return (specs[0] if specs else "latest"), [*files, *map(Path, named)]


def as_answer(outcome: UpdateOutcome, *, store: Path, dry_run: bool) -> dict[str, Any]:
    """Return an outcome as plain values.

    ``changed``, ``snapshot``, ``path``, ``store``, ``dry_run``, ``summary``, ``changes`` (by table: new
    releases, rows, revised figures) and ``held_reason``.
    """
    snapshot = outcome.snapshot
    return {
        "changed": outcome.changed,
        "snapshot": None if snapshot is None else snapshot.identifier,
        "path": None if snapshot is None else snapshot.folder,
        "store": store,
        "dry_run": dry_run,
        "summary": list(outcome.summary),
        "changes": [asdict(change) for change in outcome.changes],
        "held_reason": outcome.held_reason,
    }


def _say(outcome: UpdateOutcome, *, dry_run: bool) -> None:
    for sentence in outcome.summary:
        say(sentence)
    if outcome.held_reason:
        say(outcome.held_reason)
    elif outcome.changed and dry_run:
        say("Nothing was stored: --dry-run.")
    elif outcome.changed and outcome.snapshot is not None:
        say(f"Snapshot {outcome.snapshot.identifier[:12]}: {outcome.snapshot.folder}")
        _print_completeness(outcome.snapshot.folder)
        say('An analysis reads it with release = "newest", or with snapshot = "current" under [data].')


def _print_completeness(folder: Path) -> None:
    """Say what a run needs of the newest release of a folder of tables, and how far each series is held."""
    from cba.inputs.completeness import in_words
    from cba.inputs.observations import load_observations

    for line in in_words(load_observations(path=folder)):
        say(line)


# --- ``cba refresh``: make a slow result again and keep it; alone, say what is kept and whether it is current ---


STORE = Path("reports") / ".calibration"
"""Where finished replicates of a calibration are kept: it goes on from there."""


def refresh(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="panel, backtest, authorities, calibration, curve, as listed without a name; or all that are stale.",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=200, help="Draws of each forecast of the backtest.")] = 4000,
    replicates: Annotated[int, typer.Option(help="Made-up data sets per model of the calibration.")] = 200,
    workers: Annotated[
        int | None, typer.Option(help="Processes of all but the panel; 2 where dask is installed.")
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask cluster to use instead.")] = None,
    as_json: AsJson = False,
) -> int:
    """Make results that take minutes to hours, which runs only read; without a name, list them.

    Exit code 3 where a model turns out not to be calibrated.
    """
    from cba.models.slow_results import SLOW_RESULTS, how_made, slow_results_named

    asked = slow_results_named(name) if name else ()
    workers = workers or (1 if find_spec("distributed") is None else 2)
    code = 0
    for result in asked:
        if name == "all" and how_made(result.name).get("current"):
            continue
        say(f"{result.title}: about {result.minutes} minutes on two cores ...", err=True)
        if result.refreshed_by:
            module, _, name_of_maker = result.refreshed_by.partition(":")
            maker = getattr(import_module(module), name_of_maker)
            given = {"draws": draws, "workers": workers, "scheduler": scheduler, "tell": _telling}
            taken = signature(maker).parameters
            maker(**{name: value for name, value in given.items() if name in taken})
        else:
            model = result.name.removeprefix("calibration_")
            how = {"replicates": replicates, "workers": workers, "scheduler": scheduler}
            code = max(code, _calibration(model, silent=as_json, **how))
    return _list_results([one.name for one in asked or SLOW_RESULTS.values()], as_json=as_json, code=code)


def _telling(what: str) -> None:
    say(f"{what} ...", err=True)


def _calibration(model: str, *, silent: bool, **how: Any) -> int:
    """Calibrate a model, going on from the replicates in the store, and return the exit code."""
    from cba.validation.calibration import calibrate, keep_calibration

    progress = _counting(model) if is_interactive() and not silent else None
    found = calibrate(model, store=STORE, progress=progress, **how)
    keep_calibration(found)
    failed = found.verdicts.loc[~found.verdicts["passed"], "quantity"]
    if not silent:
        say(f"{model}: {len(failed)} of {len(found.verdicts)} quantities not calibrated. {', '.join(failed)}")
    return 0 if found.passed else GateError.exit_code


def _list_results(names: list[str], *, as_json: bool, code: int) -> int:
    """Say what is kept, from what it was made, whether it is current and what makes it again."""
    from cba.models.slow_results import SLOW_RESULTS, how_made, provenance_words

    kept, said = {}, []
    for result in (SLOW_RESULTS[name] for name in names):
        made = how_made(result.name)
        kept[result.name] = {"command": result.command, "minutes": result.minutes, **made}
        state = "; current" if made.get("current") else ""
        how = f"about {result.minutes} minutes: {result.command}"
        said.append(f"{provenance_words(result, made)}{state} ({how})")
    return answer({"results": kept}, as_json=as_json, say=lambda: say("\n".join(said)), exit_code=code)


def _counting(model: str) -> Any:
    def progress(done: int, of: int) -> None:
        typer.echo(f"\r{model}: {done} of {of} replicates", nl=done == of)

    return progress
