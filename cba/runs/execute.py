"""One run from start to finish: observe, fit and appraise each stance, render, store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from cba.errors import GateError, InputError
from cba.runs.failures import note_failure
from cba.runs.fingerprints import Fingerprints, input_fingerprints, run_fingerprints
from cba.runs.holds import hold_reasons, hold_tolerances
from cba.runs.input_archive import ANALYSIS, hashes_of, read_inputs_once
from cba.runs.manifest import build_manifest
from cba.runs.merged_results import merged_headline
from cba.runs.precision import with_precision
from cba.runs.reweighting import fit_note
from cba.runs.run_files import fill_run
from cba.runs.stage_fingerprints import stage_fingerprints
from cba.runs.stages import Stages, beliefs_of, ordinary_stages
from cba.runs.store import write_run
from cba.runs.stored_runs import RunRecord, published_name, read_run, runs_of
from cba.runs.stored_stages import StoredStage
from cba.runs.whole_writing import StoreError, require_writable

if TYPE_CHECKING:
    from cba.appraisal import Appraisal
    from cba.inputs.analysis_records import Analysis

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the number of steps done and the number of steps in all."""


@dataclass(frozen=True)
class Order:
    """Who asked for a run, and what is to become of it.

    Attributes
    ----------
    by : str
        The analyst; recorded in the manifest.
    request : str
        Fingerprint of the specification as written, by which a later re-run sees that nothing changed.
    held : tuple of str
        Reasons known beforehand to hold the run for a person, such as a major change of the data.
    publish : bool or None
        Show readers the run unless something holds it; None shows the first run of an analysis only.

    Examples
    --------
    >>> Order(by="A. Analyst").publish is None
    True
    """

    by: str = ""
    request: str = ""
    held: tuple[str, ...] = ()
    publish: bool | None = None


@dataclass(frozen=True)
class Found:
    """The appraisals of a run, by stance, and those of them that were read from the store."""

    appraisals: dict[str, Appraisal]
    stored: dict[str, StoredStage]
    tables: dict[str, list[str]]
    fits: dict[str, dict[str, Any]]


def execute(
    analysis: Analysis,
    *,
    root: str | Path,
    progress: Progress | None = None,
    stages: Stages | None = None,
    order: Order | None = None,
) -> RunRecord:
    """Run an analysis under all its stances and store the result.

    Parameters
    ----------
    analysis : Analysis
        As returned by :func:`cba.load_analysis`.
    root : str or Path
        Folder of the reports; the run goes to ``<root>/<analysis>/<utc time>-<fingerprint>/``.
    progress : callable, optional
        Told what is being done.
    stages : Stages, optional
        What is called; :func:`cba.runs.stages.ordinary_stages` without a report by default.
    order : Order, optional
        Who asks, and whether readers are to see the run; nobody, and the first run only, by default.

    Returns
    -------
    RunRecord
        With reasons in ``held`` where its headline moved beyond tolerance; it is then not published.

    Raises
    ------
    GateError
        If a correctness gate failed. Nothing is stored but ``failed/<utc time>/diagnostics.json``, whose path
        is added to the error as a note.
    StoreError
        If the machine would not store the run; nothing is kept of it.
    InputError
        If an input is refused, or changes while the run is computed; no run is written.

    Examples
    --------
    >>> import cba
    >>> execute(cba.load_analysis("latest"), root="reports").headline["schema"]  # doctest: +SKIP
    1
    """
    root, started, stages = Path(root), datetime.now(UTC), stages or ordinary_stages()
    order = order or Order()
    settings = analysis.model_dump(mode="json", by_alias=True)
    tolerances = hold_tolerances(settings)
    inputs = read_inputs_once(settings)
    fingerprints, prints = run_fingerprints(settings), stage_fingerprints(settings)
    require_writable(root / analysis.name)
    beliefs = {belief for stance in analysis.stances for belief in beliefs_of(stance)}
    last_run = next((run.name for run in reversed(runs_of(root, analysis.name)) if not run.damage), None)
    tell = _counted(progress, total=len(beliefs) + len(analysis.stances) + 2)
    found, precision = _precise_enough(
        analysis,
        settings=settings,
        root=root,
        stages=stages,
        tell=tell,
        prints=prints,
        fingerprints=fingerprints,
    )
    _require_unchanged(inputs)
    results = merged_headline(found.appraisals, manifest={})["results"]
    held = (*order.held, *_shifts(root / analysis.name, results, tolerances=tolerances))
    manifest = build_manifest(
        settings,
        fingerprints=fingerprints,
        appraisals=found.appraisals,
        started=started,
        finished=datetime.now(UTC),
    ) | _account(found, order=order, held=held, prints=prints, precision=precision, last_run=last_run)
    tell("report")
    return write_run(
        root,
        analysis=analysis.name,
        moment=started,
        fingerprint=fingerprints.run,
        manifest=manifest,
        fill=lambda folder, name: fill_run(
            folder,
            appraisals=found.appraisals,
            manifest={"run": name, **manifest},
            render=stages.render,
            stored=found.stored,
            write_beside=stages.write_beside,
        ),
        publish=False if held else order.publish,
        inputs=inputs,
    )


def appraised_stances(
    analysis: Analysis,
    *,
    root: Path,
    stages: Stages,
    tell: Callable[[str], None] = lambda what: None,
    prints: Mapping[str, str] | None = None,
) -> Found:
    """Appraise every stance of an analysis, the headline stance first; read those the store holds.

    Parameters
    ----------
    analysis : Analysis
    root : Path
        Folder of the reports, with the cache of fits and the stored runs.
    stages : Stages
        What is called.
    tell : callable
        Told what is being done.
    prints : mapping of str to str, optional
        Fingerprints of the stages; without them nothing is read from stored runs.

    Returns
    -------
    Found

    Raises
    ------
    GateError
        If a correctness gate failed.

    Examples
    --------
    >>> appraised_stances(analysis, root=Path("reports"), stages=ordinary_stages()).stored  # doctest: +SKIP
    {}
    """
    stored = _from_store(analysis, root=root, stages=stages, prints=prints)
    observations: Any = None
    fits: dict[str, Any] = {}
    appraisals: dict[str, Appraisal] = {}
    for stance in analysis.stances:
        if stance in stored:
            tell(f"read, {stance}")
            appraisals[stance] = stored[stance].appraisal
            continue
        if observations is None:
            tell("observed series")
            observations = stages.observe(analysis)
        needed = beliefs_of(stance)
        for belief in needed:
            if belief not in fits:
                tell(f"fit, {belief}")
                fits[belief] = stages.fit(analysis, stance=belief, observations=observations, root=root)
        baseline, effects = (_of_beliefs(fits, needed, position) for position in (0, 1))
        tell(f"appraise, {stance}")
        # products are small and many: sharing each among threads costs a fifth to a half more time than it saves
        with threadpool_limits(1, user_api="blas"):
            appraisals[stance] = stages.appraise(
                analysis,
                stance=stance,
                baseline=baseline,
                effects=effects,
                observations=observations,
                evidence=appraisals.get("evidence"),
                progress=False,
            )
    tables = {stance: list(appraisal.tables) for stance, appraisal in appraisals.items()}
    made = {
        belief: {model: fit_note(tree) for model, tree in zip(("baseline", "effects"), pair, strict=True)}
        for belief, pair in fits.items()
        if hasattr(pair[0], "attrs")
    }
    return Found(stages.compare(appraisals), stored, tables, made)


def _precise_enough(
    analysis: Analysis,
    *,
    settings: Mapping[str, Any],
    root: Path,
    stages: Stages,
    tell: Callable[[str], None],
    prints: Mapping[str, str],
    fingerprints: Fingerprints,
) -> tuple[Found, dict[str, Any] | None]:
    """Appraise every stance until the precision asked for is met; note the diagnostics of a failed gate."""
    try:
        return with_precision(
            analysis,
            appraise=lambda asked: appraised_stances(
                asked, root=root, stages=stages, tell=tell, prints=prints if asked is analysis else None
            ),
            results=lambda found: found.appraisals[analysis.stances[0]].results,
        )
    except GateError as error:
        note_failure(error, root=root, settings=settings, fingerprints=fingerprints)
        raise


def _account(
    found: Found,
    *,
    order: Order,
    held: tuple[str, ...],
    prints: Mapping[str, str],
    precision: Mapping[str, Any] | None,
    last_run: str | None,
) -> dict[str, Any]:
    """Return what the manifest says of who asked, why the run waits, and what was read, fitted or re-weighted."""
    return {
        "run_by": order.by,
        "request": order.request,
        "held": list(held),
        "stages": prints,
        "stages_read": {stance: stage.run for stance, stage in found.stored.items()},
        "stage_tables": found.tables,
        "precision": precision,
        "fits": found.fits,
        "fits_after": last_run,
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


def _shifts(folder: Path, results: Mapping[str, Any], *, tolerances: Mapping[str, float]) -> tuple[str, ...]:
    """Say how far the headline moved from what readers see, where that is beyond tolerance."""
    name = published_name(folder)
    if name is None:
        return ()
    try:
        before = read_run(folder / name).headline["results"]
    except StoreError as error:
        return (f"the published run cannot be read, so no shift can be measured: {error.problem}",)
    return hold_reasons(before, results, tolerances=tolerances)


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


def _of_beliefs(fits: Mapping[str, Any], needed: tuple[str, ...], position: int) -> Any:
    """Return the one fit a stance needs, or its fits by belief."""
    found = {belief: fits[belief][position] for belief in needed}
    return found if len(needed) > 1 else found[needed[0]]


def _counted(progress: Progress | None, *, total: int) -> Callable[[str], None]:
    """Return a function that numbers the steps it tells to `progress`."""
    done = count()

    def tell(what: str) -> None:
        if progress is not None:
            progress(
                what, min(next(done), total), total
            )  # rounds with more draws are not foreseen in the total

    return tell
