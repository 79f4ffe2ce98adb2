"""``cba report``: render the report of a stored run again, as a page, a PDF or pictures to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import REPORTS, AsJson, Debug, Root, answer_json
from cba.cli.run import WORKBOOK, render, write_beside

if TYPE_CHECKING:
    from cba.runs.stored_runs import RunRecord

PDF = "report.pdf"
REWRITTEN = (WORKBOOK, "tables/checklist.csv")
"""Files made again with the page."""


def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run: its folder, ANALYSIS, ANALYSIS/latest or its name.")
    ],
    root: Root = REPORTS,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also write report.pdf beside it: tagged, for circulation.")
    ] = False,
    screenshots: Annotated[
        Path | None,
        typer.Option(help="Also take pictures of the page and the PDF into this folder.", metavar="DIR"),
    ] = None,
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
    pdf : bool
        Print the page to report.pdf, which needs Chromium.
    screenshots : Path, optional
        Folder for pictures at 1280 and 390 pixels and of the pages of the PDF.
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

    if pdf or screenshots is not None:
        from cba.reporting.pdf import require_programs

        require_programs(pictures=screenshots is not None)
    record = find_run(root, run)
    refuse_damaged(record, but_report=True)
    from cba.appraisal import Appraisal  # slow to import: only once there is a run to render

    appraisals = {
        stance: Appraisal.from_directory(record.path / "stances" / stance, lazy=True)
        for stance in record.manifest["stances"]
    }
    headline = record.headline
    html = render(appraisals, headline=headline, manifest=headline["run"])
    rewritten = rewrite_report(record, html)
    rewritten = _beside(rewritten, appraisals, headline)
    made = {"report": rewritten.path / "report.html"}
    if pdf:
        from cba.reporting.pdf import report_pdf
        from cba.runs.files_beside import store_beside

        rewritten = store_beside(rewritten, PDF, report_pdf(made["report"]))
        made["pdf"] = rewritten.path / PDF
    pictures = _pictures(made["report"], screenshots)
    if as_json:
        about = {"run": rewritten.name, "analysis": rewritten.analysis, **made, "pictures": pictures}
        answer_json({**about, "exit_code": 0})
        return
    typer.echo(f"Report: {made['report']}")
    if pdf:
        typer.echo(f"PDF: {made['pdf']}")
    elif PDF in rewritten.manifest["files"]:
        typer.echo("report.pdf beside it is of the page before; --pdf prints it anew.")
    if pictures:
        typer.echo(f"Pictures: {len(pictures)} in {screenshots}")


def _beside(record: RunRecord, appraisals: dict[str, Any], headline: Any) -> RunRecord:
    """Write the workbook and the checklist again."""
    from tempfile import TemporaryDirectory

    from cba.errors import InputError
    from cba.runs.files_beside import store_beside

    with TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "tables").mkdir()
        try:
            write_beside(folder, appraisals=appraisals, headline=headline, manifest=headline["run"])
        except InputError as error:  # the page needs the tables alone; the live case needs every input
            typer.echo(f"The workbook stays as it was stored: {error.problem}.", err=True)
            return record
        for name in REWRITTEN:
            record = store_beside(record, name, (folder / name).read_bytes())
    return record


def _pictures(html: Path, folder: Path | None) -> list[Path]:
    """Take pictures of the page where they are asked for."""
    if folder is None:
        return []
    from cba.reporting.pdf import report_pictures

    return report_pictures(html, folder)


def refuse_damaged(record: RunRecord, *, but_report: bool = False) -> None:
    """Refuse a run whose files are not the ones it stored.

    Parameters
    ----------
    record : RunRecord
    but_report : bool
        Leave report.html and report.pdf out, which are about to be written anew.

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
        anew = ("report.html", PDF, *REWRITTEN)
        problems = [line for line in problems if not line.lstrip(".").startswith(anew)]
    if problems:
        raise StoreError(
            f"{len(problems)} file(s) of the run are not what was stored: {'; '.join(problems)}",
            file=record.path,
            cause="changed, removed or cut short after the run was stored",
            remedy="restore the run from a copy, or run the analysis again",
        )
