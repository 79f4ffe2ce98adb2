"""``cba report``: render the report of a stored run again, as a page, a PDF or pictures to look at."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
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
    from cba.runs.stored_runs import find_run

    if pdf or screenshots is not None:
        from cba.reporting.pdf import picture_folder, require_programs

        require_programs(pictures=screenshots is not None)
    record = find_run(root, run)
    refuse_damaged(record, but_report=True)
    if screenshots is not None:
        picture_folder(screenshots)
    rewritten, kept = _rewritten(record)
    made = {"report": rewritten.path / "report.html"}
    if pdf:
        from cba.reporting.pdf import report_pdf
        from cba.runs.files_beside import store_beside

        rewritten = store_beside(rewritten, PDF, report_pdf(made["report"]))
        made["pdf"] = rewritten.path / PDF
    pictures = _pictures(made["report"], screenshots)
    if kept:
        typer.echo(f"The workbook stays as it was stored: {kept}", err=True)
    if as_json:
        about = {"run": rewritten.name, "analysis": rewritten.analysis, **made, "pictures": pictures}
        answer_json({**about, "workbook": "kept" if kept else "written", "exit_code": 0})
        return
    typer.echo(f"Report: {made['report']}")
    if pdf:
        typer.echo(f"PDF: {made['pdf']}")
    elif PDF in rewritten.manifest["files"]:
        typer.echo("report.pdf beside it is of the page before; --pdf prints it anew.")
    if pictures:
        typer.echo(f"Pictures: {len(pictures)} in {screenshots}")


def _rewritten(record: RunRecord) -> tuple[RunRecord, str]:
    """Make page, workbook and checklist, then store them; also say why the workbook is kept, where it is."""
    from cba.runs.files_beside import store_beside
    from cba.runs.records_beside import records_beside
    from cba.runs.store import rewrite_report
    from cba.runs.stored_stages import stored_appraisals

    records, headline = records_beside(record), record.headline
    with _tables_of_run(record):
        appraisals = stored_appraisals(record)
        html = _page(record, appraisals, headline=headline, records=records)
        beside, kept = _made_beside(appraisals, headline)
    rewritten = rewrite_report(record, html)
    for name, content in beside.items():
        rewritten = store_beside(rewritten, name, content)
    return rewritten, kept


def _page(record: RunRecord, appraisals: dict[str, Any], *, headline: Any, records: Mapping[str, Any]) -> str:
    """Render the page; a run of another version may lack what this version's page shows."""
    from cba.errors import InputError
    from cba.runs.fingerprints import run_fingerprints

    try:
        return render(appraisals, headline=headline, manifest={**headline["run"], **records})
    except (LookupError, InputError) as error:
        if run_fingerprints(record.manifest["settings"]).code == record.manifest["fingerprints"]["code"]:
            raise
        raise InputError(
            "the page of this version shows what the run did not store",
            file=record.path,
            found=f"{type(error).__name__}: {' '.join(str(error).split())}",
            allowed="a run of this version",
            cause="stored by another version of the package",
            remedy="run the analysis again, or read the report.html it was stored with",
        ) from error


def _tables_of_run(record: RunRecord) -> AbstractContextManager[object]:
    """Put the published tables a run was made from in force where it read a snapshot of newer ones."""
    if record.manifest["settings"].get("data", {}).get("snapshot", "shipped") == "shipped":
        return nullcontext()
    from cba.inputs.shipped_files import reading_from
    from cba.runs.input_archive import archived_inputs

    return reading_from(published=archived_inputs(record) / "published")


def _made_beside(appraisals: dict[str, Any], headline: Any) -> tuple[dict[str, bytes], str]:
    """Make the checklist and the workbook; of draws that another version stored, the checklist alone."""
    from tempfile import TemporaryDirectory

    from cba.appraisal.drawn_inputs import DrawsOfAnotherVersion

    kept = ""
    with TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "tables").mkdir()
        try:
            write_beside(folder, appraisals=appraisals, headline=headline, manifest=headline["run"])
        except DrawsOfAnotherVersion as error:  # page and checklist need the tables alone
            kept = str(error)
        files = {name: folder / name for name in REWRITTEN}
        return {name: file.read_bytes() for name, file in files.items() if file.is_file()}, kept


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
