"""One run from start to finish: observe, fit and appraise each stance, render, store; and an old run made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from cba.errors import GateError, InputError
from cba.inputs.files import as_folder, reading_from
from cba.inputs.programs import interrupts_kept
from cba.inputs.safe_files import write_csv
from cba.runs.fingerprints import (
    Fingerprints,
    beliefs_of,
    input_fingerprints,
    run_fingerprints,
    stage_fingerprints,
)
from cba.runs.holds import hold_tolerances, loosened, shifts_beyond_tolerance
from cba.runs.manifest import build_manifest, code_record, environment_record, utc
from cba.runs.reading import HEADLINE, RunRecord
from cba.runs.stages import Stages, StoredStage, ordinary_stages, write_stage
from cba.runs.store import ANALYSIS, archived_inputs, hashes_of, read_inputs_once, write_failure, write_run
from cba.runs.whole_files import plain, read_json, require_writable, to_json

if TYPE_CHECKING:
    import pandas as pd

    from cba.appraisal.record import Appraisal
    from cba.inputs.analyses import Analysis


# --- What is kept of a run that failed a correctness gate: diagnostics, never results ---


def note_failure(
    error: GateError, *, root: Path, settings: Mapping[str, Any], fingerprints: Fingerprints
) -> Path:
    """Store the diagnostics of a failed gate and add their path to the error as a note."""
    moment = datetime.now(UTC)
    diagnostics = {
        "schema": 1,
        "outcome": "a correctness gate failed: no results",
        "approvable": False,
        "problem": error.problem,
        "failures": list(error.failures),
        "analysis": settings["name"],
        "settings": dict(settings),
        "failed_at": utc(moment),
        "fingerprints": fingerprints.record(),
        "code": code_record(),
        "environment": environment_record(),
    }
    place = write_failure(root, analysis=settings["name"], moment=moment, diagnostics=diagnostics)
    error.add_note(str(place))
    return place


# --- Results of a run over its stances: the headline and the tables, one file each, with the stance … ---


def merged_headline(appraisals: Mapping[str, Appraisal], *, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headline of a run.

    ``schema`` 1, ``run`` (the manifest), ``results`` of the headline stance and ``results_by_stance`` of the
    others. A result that is undefined is None.
    """
    headline, *others = appraisals
    return plain(
        {
            "schema": 1,
            "run": dict(manifest),
            "results": appraisals[headline].results,
            "results_by_stance": {stance: appraisals[stance].results for stance in others},
        }
    )


def merged_tables(appraisals: Mapping[str, Appraisal]) -> dict[str, pd.DataFrame]:
    """Return each table over all stances, with `stance` as its first column.

    A table that has a column `stance` of its own (the priors: whose override is in force) keeps it as
    `set_by_stance`.
    """
    import pandas as pd

    names = dict.fromkeys(name for appraisal in appraisals.values() for name in appraisal.tables)
    merged = {}
    for name in names:
        held = {stance: a.tables[name] for stance, a in appraisals.items() if name in a.tables}
        own = {stance: table.rename(columns={"stance": "set_by_stance"}) for stance, table in held.items()}
        merged[name] = pd.concat(own, names=["stance"]).copy().reset_index("stance").reset_index(drop=True)
    return merged


# --- Draws added until the headline is as precise as an analysis asks, or a statement that it is not ---


ROUNDS = 3
"""Times draws are added at most: the first guess of how many are needed is itself uncertain."""


def with_precision(
    analysis: Analysis,
    *,
    root: Path,
    stages: Stages,
    tell: Callable[[str], None],
    prints: Mapping[str, str],
) -> tuple[StanceAppraisals, dict[str, Any] | None]:
    """Appraise every stance, and again with more draws while the headline is less precise than asked.

    What was found, and the record for the manifest: ``asked``, ``draws``, ``met`` and ``missed`` (a sentence
    for each quantity less precise than asked); None where nothing was asked.
    """
    # `analysis`: its ``precision`` says what is asked; None takes the draws as they are.
    #
    # Every round starts the samplers anew with the analysis's seed, so a run with precision asked is as
    # reproducible as one without. Only the draws first asked for are read from the store.
    found = appraised_stances(analysis, root=root, stages=stages, tell=tell, prints=prints)
    asked, first = analysis.precision, analysis.stances[0]
    if asked is None:
        return found, None
    from cba.tables.fit_checks import draws_needed, precision_missed

    made = analysis
    for _ in range(ROUNDS):
        results = found.appraisals[first].results
        needed = draws_needed(results, asked, draws=made.draws, chains=analysis.chains)
        if needed <= made.draws:
            break
        made = made.model_copy(update={"draws": needed})
        found = appraised_stances(made, root=root, stages=stages, tell=tell)
    missed = precision_missed(found.appraisals[first].results, asked)
    return found, {
        "asked": asked.model_dump(mode="json"),
        "draws": made.draws,
        "met": not missed,
        "missed": missed,
    }


# --- The files of a run, as they are written into its folder before it appears ---


def _write_files(
    folder: Path, name: str, *, found: StanceAppraisals, manifest: Mapping[str, Any], stages: Stages
) -> None:
    """Write the files of a run: headline.json, stances/<stance>/, tables/*.csv, pages and what stands beside."""
    appraisals, manifest = found.appraisals, {"run": name, **manifest}
    headline = merged_headline(appraisals, manifest=manifest)
    (folder / HEADLINE).write_text(to_json(headline), encoding="utf-8")
    (folder / "stances").mkdir()
    for stance, appraisal in appraisals.items():
        if stance in found.stored:
            write_stage(found.stored[stance], appraisal, folder=folder / "stances" / stance)
        else:
            appraisal.to_directory(folder / "stances" / stance)
    (folder / "tables").mkdir()
    for title, table in merged_tables(appraisals).items():
        write_csv(table, folder / "tables" / f"{title}.csv")
    shown: dict[str, Any] = {"headline": headline, "manifest": manifest}
    if stages.render is not None:
        for file, html in stages.render(appraisals, **shown).items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(html, encoding="utf-8")
    if stages.write_beside is not None:
        stages.write_beside(folder, appraisals=appraisals, **shown)


# --- a run ---


Progress = Callable[[str, int, int], None]
"""Called with what is being done, the number of steps done and the number of steps in all."""


@dataclass(frozen=True)
class RunRequest:
    """Who asked for a run, and what is to become of it."""

    by: str = ""  # the analyst; recorded in the manifest
    # Fingerprint of the specification as written, by which a later re-run sees that nothing changed.
    specification: str = ""
    # Reasons known beforehand to hold the run for a person, such as a major change of the data.
    held: tuple[str, ...] = ()
    publish: bool | None = None


@dataclass(frozen=True)
class StanceAppraisals:
    """The appraisals of a run, by stance, and those of them that were read from the store."""

    appraisals: dict[str, Appraisal]
    stored: dict[str, StoredStage]
    tables: dict[str, list[str]]


def execute(
    analysis: Analysis,
    *,
    root: str | Path,
    progress: Progress | None = None,
    stages: Stages | None = None,
    request: RunRequest | None = None,
) -> RunRecord:
    """Run an analysis under all its stances and store the result.

    With reasons in ``held`` where its headline moved beyond tolerance; it is then not published. `root`: the
    run goes to ``<root>/<analysis>/<utc time>-<fingerprint>/``.
    """
    # `request`: who asks, and whether readers are to see the run; nobody, and the first run only, by default.
    root, started = as_folder(root, field="--root"), datetime.now(UTC)
    stages, request = stages or ordinary_stages(), request or RunRequest()
    settings = analysis.model_dump(mode="json", by_alias=True)
    tolerances, judged, inputs = hold_tolerances(settings), loosened(settings), read_inputs_once(settings)
    fingerprints, prints = run_fingerprints(settings), stage_fingerprints(settings)
    require_writable(root / analysis.name)
    tell = _counted(progress, analysis)
    try:
        with interrupts_kept():
            found, precision = with_precision(analysis, root=root, stages=stages, tell=tell, prints=prints)
    except GateError as error:
        note_failure(error, root=root, settings=settings, fingerprints=fingerprints)
        raise
    _require_unchanged(inputs)
    results = merged_headline(found.appraisals, manifest={})["results"]
    shifts = shifts_beyond_tolerance(root / analysis.name, results, tolerances=tolerances)
    held = (*request.held, *judged, *shifts)
    moments = {"started": started, "finished": datetime.now(UTC)}
    manifest = build_manifest(
        settings, fingerprints=fingerprints, appraisals=found.appraisals, **moments
    ) | _account(found, request=request, held=held, judged=judged, prints=prints, precision=precision)
    tell("report")
    return write_run(
        root,
        analysis=analysis.name,
        moment=started,
        fingerprint=fingerprints.run,
        manifest=manifest,
        fill=partial(_write_files, found=found, manifest=manifest, stages=stages),
        publish=False if held else request.publish,
        inputs=inputs,
    )


def appraised_stances(
    analysis: Analysis,
    *,
    root: Path,
    stages: Stages,
    tell: Callable[[str], None] = lambda what: None,
    prints: Mapping[str, str] | None = None,
) -> StanceAppraisals:
    """Appraise every stance of an analysis, the headline stance first; read those the store holds.

    `prints`: fingerprints of the stages; without them nothing is read from stored runs.
    """
    stored = _from_store(analysis, root=root, stages=stages, prints=prints)

    @cache
    def observations() -> Any:
        tell("observed series")
        return stages.observe(analysis)

    @cache
    def fits(belief: str) -> tuple[Any, Any]:
        tell(f"fit, {belief}")
        return stages.fit(analysis, stance=belief, observations=observations(), root=root)

    appraisals: dict[str, Appraisal] = {}
    for stance in analysis.stances:
        if stance in stored:
            tell(f"read, {stance}")
            appraisals[stance] = stored[stance].appraisal
            continue
        given: dict[str, Any] = {"observations": observations(), "evidence": appraisals.get("evidence")}
        for place, model in enumerate(("baseline", "effects")):
            by_belief = {belief: fits(belief)[place] for belief in beliefs_of(stance)}
            given[model] = by_belief if len(by_belief) > 1 else next(iter(by_belief.values()))
        tell(f"appraise, {stance}")
        # products are small and many: sharing each among threads costs a fifth to a half more time than it saves
        with threadpool_limits(1, user_api="blas"):
            appraisals[stance] = stages.appraise(analysis, stance=stance, progress=False, **given)
    tables = {stance: list(appraisal.tables) for stance, appraisal in appraisals.items()}
    return StanceAppraisals(appraisals, stored, tables)


def _account(
    found: StanceAppraisals,
    *,
    request: RunRequest,
    held: tuple[str, ...],
    judged: tuple[str, ...],
    prints: Mapping[str, str],
    precision: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what the manifest says of who asked, why the run waits, and what was read from the store."""
    return {
        "run_by": request.by,
        "request": request.specification,
        "held": list(held),
        "loosened": list(judged),
        "stages": prints,
        "stages_read": {stance: stage.run for stance, stage in found.stored.items()},
        "stage_tables": found.tables,
        "precision": precision,
    }


def _from_store(
    analysis: Analysis, *, root: Path, stages: Stages, prints: Mapping[str, str] | None
) -> dict[str, StoredStage]:
    """Return the stances whose appraisal an earlier run holds."""
    if stages.reuse is None or prints is None:
        return {}
    asked = {
        stance: stages.reuse(
            root, analysis=analysis, stance=stance, fingerprint=prints[f"appraisal/{stance}"]
        )
        for stance in analysis.stances
    }
    return {stance: stage for stance, stage in asked.items() if stage is not None}


def _require_unchanged(inputs: Mapping[str, bytes]) -> None:
    """Refuse a run whose input files changed while it was computed: nobody could say what it was made from."""
    before = {name: entry["sha256"] for name, entry in hashes_of(inputs).items() if name != ANALYSIS}
    now = input_fingerprints()
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    if changed:
        raise InputError(
            "inputs changed while the run was computed",
            file=changed[0],
            found=f"{len(changed)} changed: {', '.join(changed[:5])}",
            allowed="inputs that stay as they are until the run is stored",
            cause="a file edited or updated meanwhile",
            remedy="run the analysis again",
        )


def _counted(progress: Progress | None, analysis: Analysis) -> Callable[[str], None]:
    """Return a function that numbers the steps it tells to `progress`."""
    beliefs = {belief for stance in analysis.stances for belief in beliefs_of(stance)}
    done, total = count(), len(beliefs) + len(analysis.stances) + 2

    def tell(what: str) -> None:
        if progress is not None:  # rounds with more draws are not foreseen in the total
            progress(what, min(next(done), total), total)

    return tell


# --- an old run made again from the inputs kept with it ---


def replay_run(
    run: RunRecord, *, root: str | Path | None = None, stages: Stages | None = None
) -> dict[str, Any]:
    """Run an old run again from its archived inputs, whatever the shipped files say now.

    ``results`` of the headline stance and ``results_by_stance`` of the others, as in headline.json: the same
    to the last bit with the same code and libraries on the same platform.
    """
    # Discount schedules and the results of the panel come with the code and are taken from the package
    # installed.
    folder = archived_inputs(run)
    place = run.path.parents[1] if root is None else Path(root)
    stages = replace(stages or ordinary_stages(), reuse=None)
    with reading_from(published=folder / "published", priors=folder / "priors"):
        analysis = archived_analysis(run)
        if run.manifest.get("precision"):  # draws were added: the last round is the run
            analysis = analysis.model_copy(update={"draws": run.manifest["precision"]["draws"]})
        found = appraised_stances(analysis, root=place, stages=stages)
        headline = merged_headline(found.appraisals, manifest={})
    return {name: headline[name] for name in ("results", "results_by_stance")}


def archived_analysis(run: RunRecord) -> Analysis:
    """Return the specification a stored run was made from."""
    from cba.inputs.analyses import stored_analysis

    file = archived_inputs(run) / ANALYSIS
    return stored_analysis(read_json(file), file=file)
