"""One run from start to finish: observe, fit and appraise each stance, render, store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from cba.errors import GateError
from cba.runs.fingerprints import Fingerprints, run_fingerprints
from cba.runs.manifest import build_manifest, code_record, environment_record, utc
from cba.runs.merged_results import merged_headline, merged_tables
from cba.runs.stages import Stages, beliefs_of, ordinary_stages
from cba.runs.store import write_failure, write_run
from cba.runs.stored_runs import HEADLINE, REPORT, RunRecord
from cba.runs.whole_writing import require_writable, to_json

if TYPE_CHECKING:
    from cba.appraisal import Appraisal
    from cba.inputs.analysis_records import Analysis

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the number of steps done and the number of steps in all."""


def execute(
    analysis: Analysis, *, root: str | Path, progress: Progress | None = None, stages: Stages | None = None
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

    Returns
    -------
    RunRecord

    Raises
    ------
    GateError
        If a correctness gate failed. Nothing is stored but ``failed/<utc time>/diagnostics.json``, whose path
        is added to the error as a note.
    StoreError
        If the machine would not store the run; nothing is kept of it.
    InputError
        If an input is refused; no run is written.

    Examples
    --------
    >>> import cba
    >>> execute(cba.load_analysis("latest"), root="reports").headline["schema"]  # doctest: +SKIP
    1
    """
    root, started, stages = Path(root), datetime.now(UTC), stages or ordinary_stages()
    settings = analysis.model_dump(mode="json", by_alias=True)
    fingerprints = run_fingerprints(settings)
    require_writable(root / analysis.name)
    beliefs = {belief for stance in analysis.stances for belief in beliefs_of(stance)}
    tell = _counted(progress, total=len(beliefs) + len(analysis.stances) + 2)
    try:
        appraisals = _appraised(analysis, root=root, stages=stages, tell=tell)
    except GateError as error:
        diagnostics = _diagnostics(error, settings=settings, fingerprints=fingerprints)
        place = write_failure(root, analysis=analysis.name, moment=datetime.now(UTC), diagnostics=diagnostics)
        error.add_note(str(place))
        raise
    manifest = build_manifest(
        settings,
        fingerprints=fingerprints,
        appraisals=appraisals,
        started=started,
        finished=datetime.now(UTC),
    )
    tell("report")
    return write_run(
        root,
        analysis=analysis.name,
        moment=started,
        fingerprint=fingerprints.run,
        manifest=manifest,
        fill=lambda folder, name: fill_run(
            folder, appraisals=appraisals, manifest={"run": name, **manifest}, render=stages.render
        ),
    )


def fill_run(
    folder: Path,
    *,
    appraisals: Mapping[str, Appraisal],
    manifest: Mapping[str, Any],
    render: Callable[..., str] | None = None,
) -> None:
    """Write the files of a run: headline.json, stances/<stance>/, tables/*.csv and report.html.

    Parameters
    ----------
    folder : Path
        Exists and is empty.
    appraisals : mapping of str to Appraisal
        By stance.
    manifest : mapping
        With the name of the run, without hashes of files.
    render : callable, optional
        As in :class:`cba.runs.stages.Stages`.

    Examples
    --------
    >>> fill_run(Path("folder"), appraisals=appraisals, manifest=manifest)  # doctest: +SKIP
    """
    headline = merged_headline(appraisals, manifest=manifest)
    (folder / HEADLINE).write_text(to_json(headline), encoding="utf-8")
    (folder / "stances").mkdir()
    for stance, appraisal in appraisals.items():
        appraisal.to_directory(folder / "stances" / stance)
    (folder / "tables").mkdir()
    for name, table in merged_tables(appraisals).items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False, lineterminator="\n")
    if render is not None:
        html = render(appraisals, headline=headline, manifest=manifest)
        (folder / REPORT).write_text(html, encoding="utf-8")


def _appraised(
    analysis: Analysis, *, root: Path, stages: Stages, tell: Callable[[str], None]
) -> dict[str, Appraisal]:
    """Observe once, then fit and appraise every stance, the headline stance first."""
    tell("observed series")
    observations = stages.observe(analysis)
    fits: dict[str, Any] = {}
    appraisals: dict[str, Appraisal] = {}
    for stance in analysis.stances:
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
    return stages.compare(appraisals)


def _of_beliefs(fits: Mapping[str, Any], needed: tuple[str, ...], position: int) -> Any:
    """Return the one fit a stance needs, or its fits by belief."""
    found = {belief: fits[belief][position] for belief in needed}
    return found if len(needed) > 1 else found[needed[0]]


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


def _counted(progress: Progress | None, *, total: int) -> Callable[[str], None]:
    """Return a function that numbers the steps it tells to `progress`."""
    done = iter(range(total + 1))

    def tell(what: str) -> None:
        if progress is not None:
            progress(what, next(done), total)

    return tell
