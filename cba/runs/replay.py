"""Replays: an old run made again from the inputs kept with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.inputs.files import reading_from
from cba.runs.archive import ANALYSIS, archived_inputs
from cba.runs.cache import stage_fingerprints
from cba.runs.execute import merged_headline
from cba.runs.stages import Stages, ordinary_stages
from cba.runs.whole_files import read_json

if TYPE_CHECKING:
    from cba.inputs.analyses import Analysis
    from cba.runs.reading import RunRecord


def replay_run(
    run: RunRecord, *, root: str | Path | None = None, stages: Stages | None = None
) -> dict[str, Any]:
    """Run an old run again from its archived inputs, whatever the shipped files say now.

    ``results`` of the headline stance and ``results_by_stance`` of the others, as in headline.json: the same
    to the last bit with the same code and libraries on the same platform (`same_code`).
    """
    # Discount schedules and the results of the panel come with the code and are taken from the package
    # installed.
    from dataclasses import replace

    from cba.runs.execute import appraised_stances

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


def same_code(run: RunRecord) -> bool:
    """Return whether a run's stages would be made by the code, libraries and package files of now.

    True where a replay must give the same results to the last bit on the platform of the run.
    """
    folder = archived_inputs(run)
    with reading_from(published=folder / "published", priors=folder / "priors"):
        now = stage_fingerprints(archived_analysis(run).model_dump(mode="json", by_alias=True))
    stored = run.manifest["stages"]
    return all(now[stage] == value for stage, value in stored.items() if stage != "report")
