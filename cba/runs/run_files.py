"""The files of a run, as they are written into its folder before it appears."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.appraisal.spreadsheet_text import harmless_in_spreadsheet
from cba.runs.merged_results import merged_headline, merged_tables
from cba.runs.stored_runs import HEADLINE, REPORT
from cba.runs.stored_stages import StoredStage, write_stage
from cba.runs.whole_writing import to_json

if TYPE_CHECKING:
    from cba.appraisal import Appraisal


def fill_run(
    folder: Path,
    *,
    appraisals: Mapping[str, Appraisal],
    manifest: Mapping[str, Any],
    render: Callable[..., str] | None = None,
    stored: Mapping[str, StoredStage] | None = None,
    write_beside: Callable[..., None] | None = None,
) -> None:
    """Write the files of a run: headline.json, stances/<stance>/, tables/*.csv, report.html and what stands beside.

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
    stored : mapping of str to StoredStage, optional
        Stances whose draws are copied from an earlier run.
    write_beside : callable, optional
        As in :class:`cba.runs.stages.Stages`.

    Examples
    --------
    >>> fill_run(Path("folder"), appraisals=appraisals, manifest=manifest)  # doctest: +SKIP
    """
    headline = merged_headline(appraisals, manifest=manifest)
    (folder / HEADLINE).write_text(to_json(headline), encoding="utf-8")
    (folder / "stances").mkdir()
    for stance, appraisal in appraisals.items():
        if stored and stance in stored:
            write_stage(stored[stance], appraisal, folder=folder / "stances" / stance)
        else:
            appraisal.to_directory(folder / "stances" / stance)
    (folder / "tables").mkdir()
    for name, table in merged_tables(appraisals).items():
        safe = harmless_in_spreadsheet(table)
        safe.to_csv(folder / "tables" / f"{name}.csv", index=False, lineterminator="\n")
    if render is not None:
        html = render(appraisals, headline=headline, manifest=manifest)
        (folder / REPORT).write_text(html, encoding="utf-8")
    if write_beside is not None:
        write_beside(folder, appraisals=appraisals, headline=headline, manifest=manifest)
