"""``cba run``: appraise one analysis under all its stances, store the run and print its headline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import REPORTS, AsJson, Debug, Root, answer_json, is_interactive, terminal

if TYPE_CHECKING:
    from pathlib import Path

    from cba.inputs.analysis_records import Analysis
    from cba.runs.execute import Progress
    from cba.runs.stored_runs import RunRecord


WORKBOOK = "workbook.xlsx"


def run(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help="An analysis: a name such as `latest`, or a .toml file.")
    ],
    root: Root = REPORTS,
    draws: Annotated[int | None, typer.Option(help="Draws in all, in place of the analysis's own.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Fit again; keep no fit.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Show readers this run, not the one published now.")
    ] = False,
    by: Annotated[
        str | None, typer.Option("--by", help="Who runs it; the user of the machine otherwise.")
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> int:
    """Run an analysis and store it in DIR/<analysis>/<utc time>-<fingerprint>/.

    Parameters
    ----------
    spec : str
        Name or file of an analysis.
    root : Path
        Folder of the reports.
    draws : int, optional
        Draws in all.
    no_cache : bool
        Fit again.
    publish : bool
        Point ``published`` at this run; the first run of an analysis always is. A run whose headline moved
        beyond tolerance is held instead (exit code 4) until ``cba runs approve`` releases it.
    by : str, optional
        The analyst.
    as_json : bool
        Answer in JSON.
    debug : bool
        Show tracebacks.

    Returns
    -------
    int
        Exit code: 4 where ``--publish`` was asked for and the run is held, 0 otherwise.

    Examples
    --------
    >>> run("latest")  # doctest: +SKIP
    """
    from cba.cli.runs import write_index_page
    from cba.inputs.analyses import load_analysis
    from cba.runs.execute import Order, execute
    from cba.runs.journal import person
    from cba.runs.requests import request_fingerprint
    from cba.runs.stages import ordinary_stages

    analysis = load_analysis(spec)
    if draws is not None:
        analysis = with_draws(analysis, draws)
    request = request_fingerprint(spec) if draws is None else None
    order = Order(by=person(by), request=request or "", publish=True if publish else None)
    stages = ordinary_stages(use_cache=not no_cache, render=render, write_beside=write_beside)
    with _progress(shown=not as_json and is_interactive()) as told, tables_in_force(analysis):
        record = execute(analysis, root=root, progress=told, stages=stages, order=order)
    write_index_page(root)
    code = 4 if publish and record.held else 0
    if as_json:
        _answer(record, code)
    else:
        _print_outcome(record)
    return code


def tables_in_force(analysis: Analysis) -> AbstractContextManager[object]:
    """Return a context in which every reader takes the snapshot of tables that an analysis names.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    context manager
        Nothing changes where the analysis reads the shipped tables.

    Examples
    --------
    >>> import cba
    >>> with tables_in_force(cba.load_analysis("latest")):
    ...     pass
    """
    if analysis.data.snapshot == "shipped":
        return nullcontext()
    from cba.inputs.releases.chosen_tables import tables_of

    return tables_of(analysis)


def with_draws(analysis: Analysis, draws: int) -> Analysis:
    """Return the analysis with another number of draws, checked as if it stood in the file.

    Parameters
    ----------
    analysis : Analysis
    draws : int
        Draws in all, a multiple of the chains.

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If the number does not fit.

    Examples
    --------
    >>> import cba
    >>> with_draws(cba.load_analysis("latest"), 2000).draws  # doctest: +SKIP
    2000
    """
    from cba.inputs.analysis_records import Analysis
    from cba.inputs.toml_reading import checked_record

    changed = {**analysis.model_dump(by_alias=True), "draws": draws}
    return checked_record(Analysis, changed, file="--draws")


def render(appraisals: Mapping[str, Any], *, headline: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Render the report of a run.

    Parameters
    ----------
    appraisals : mapping of str to Appraisal
        By stance, the headline stance first.
    headline, manifest : mapping
        As stored.

    Returns
    -------
    str
        One self-contained HTML page.

    Examples
    --------
    >>> render(appraisals, headline=headline, manifest=manifest)[:15]  # doctest: +SKIP
    '<!DOCTYPE html>'
    """
    from cba.reporting.report import render_report

    return render_report(appraisals, headline=headline, manifest=manifest)


def write_beside(
    folder: Path, *, appraisals: Mapping[str, Any], headline: Mapping[str, Any], manifest: Mapping[str, Any]
) -> None:
    """Write the workbook and the checklist of a run.

    Parameters
    ----------
    folder : Path
        Holds ``tables/``.
    appraisals : mapping of str to Appraisal
        By stance, the headline stance first.
    headline, manifest : mapping
        As stored.

    Examples
    --------
    >>> write_beside(folder, appraisals=appraisals, headline=headline, manifest=manifest)  # doctest: +SKIP
    """
    from cba.appraisal.central_case import central_case
    from cba.reporting.report import report_checklist
    from cba.reporting.workbook import write_workbook

    checklist = report_checklist(list(appraisals.values()), manifest=manifest)
    checklist.to_csv(folder / "tables" / "checklist.csv", index=False, lineterminator="\n")
    first = next(iter(appraisals.values()))
    live = central_case(first) if first.stance != "mixture" and first.parameters.sizes.get("sample") else None
    write_workbook(appraisals, headline=headline, manifest=manifest, path=folder / WORKBOOK, central=live)


def _answer(record: RunRecord, code: int) -> None:
    """Answer in JSON: where the run is stored, what became of it and its results."""
    headline = record.headline
    answer_json(
        {
            "analysis": record.analysis,
            "run": record.name,
            "path": record.path,
            "report": record.path / "report.html",
            "published": record.published,
            "held": list(record.held),
            "precision": record.manifest.get("precision"),
            "results": headline["results"],
            "results_by_stance": headline["results_by_stance"],
            "exit_code": code,
        }
    )


def _print_outcome(record: RunRecord) -> None:
    """Print the headline of a run, the precision it missed, and whether readers see it."""
    from cba.cli.headline import headline_sentences, headline_table

    headline, console = record.headline, terminal()
    console.print(headline_table(headline))
    for sentence in headline_sentences(headline):
        console.print(sentence)
    precision = record.manifest.get("precision")
    if precision and not precision["met"]:
        typer.echo(f"Asked precision not met with {precision['draws']:,} draws:")
        for missed in precision["missed"]:
            typer.echo(f"  {missed}")
    typer.echo(f"Report: {record.path / 'report.html'}")
    if record.held:
        typer.echo("Held for approval; readers still see the run published before:")
        for reason in record.held:
            typer.echo(f"  {reason}")
    elif not record.published:
        typer.echo("Readers still see the run published before; --publish would have shown them this one.")


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress | None]:
    """Draw a progress bar on a terminal; nothing anywhere else."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("start", total=1)
        told: Callable[[str, int, int], None] = lambda what, done, total: bar.update(  # noqa: E731
            task, description=what, completed=done, total=total
        )
        yield told
