"""``cba report``: render the report of a stored run again, from what the run stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cba.cli.answers import REPORTS, AsJson, Debug, Root, answer_json
from cba.cli.run import render

if TYPE_CHECKING:
    from cba.runs.stored_runs import RunRecord


def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run: its folder, ANALYSIS, ANALYSIS/latest or its name.")
    ],
    root: Root = REPORTS,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Render report.html of a stored run again; no number is computed anew.

    Parameters
    ----------
    run : str
        As :func:`cba.runs.stored_runs.find_run` reads it.
    root : Path
        Folder of the reports.
    as_json : bool
        Answer in JSON.
    debug : bool
        Show tracebacks.

    Examples
    --------
    >>> report("latest")  # doctest: +SKIP
    Report: reports/latest/20261121T093000Z-0123abcd/report.html
    """
    from cba.runs.store import rewrite_report
    from cba.runs.stored_runs import find_run

    record = find_run(root, run)
    refuse_damaged(record, but_report=True)
    from cba.appraisal import Appraisal  # slow to import: only once there is a run to render

    appraisals = {
        stance: Appraisal.from_directory(record.path / "stances" / stance)
        for stance in record.manifest["stances"]
    }
    headline = record.headline
    rewritten = rewrite_report(record, render(appraisals, headline=headline, manifest=headline["run"]))
    place = rewritten.path / "report.html"
    if as_json:
        answer_json({"run": rewritten.name, "analysis": rewritten.analysis, "report": place, "exit_code": 0})
    else:
        typer.echo(f"Report: {place}")


def refuse_damaged(record: RunRecord, *, but_report: bool = False) -> None:
    """Refuse a run whose files are not the ones it stored.

    Parameters
    ----------
    record : RunRecord
    but_report : bool
        Leave report.html out, which is about to be written anew.

    Raises
    ------
    StoreError
        Names every damaged or missing file.

    Examples
    --------
    >>> refuse_damaged(find_run("reports", "latest"))  # doctest: +SKIP
    """
    from cba.runs.stored_runs import verify_run
    from cba.runs.whole_writing import StoreError

    problems = verify_run(record.path)
    if but_report:
        problems = [line for line in problems if not line.lstrip(".").startswith("report.html")]
    if problems:
        raise StoreError(
            f"{len(problems)} file(s) of the run are not what was stored: {'; '.join(problems)}",
            file=record.path,
            cause="changed, removed or cut short after the run was stored",
            remedy="restore the run from a copy, or run the analysis again",
        )
