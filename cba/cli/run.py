"""``cba run`` appraises an analysis, stores the run and prints its headline; ``cba report`` renders it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import (
    REPORTS,
    AsJson,
    By,
    Root,
    Run,
    Spec,
    answer,
    is_interactive,
    say,
    tell,
    text_table,
)
from cba.errors import InputError, NeedsPerson, StoreError

if TYPE_CHECKING:
    from rich.table import Table

    from cba.inputs.analyses import Analysis
    from cba.runs.execute import Progress
    from cba.runs.reading import RunRecord


# --- The headline in the terminal: one row an option, and two sentences that give both framings ---


Results = Mapping[str, Mapping[str, Any]]


def headline_table(headline: Mapping[str, Any]) -> Table:
    """Return the results of the headline stance, every figure rounded to what its error supports.

    One row an option, business as usual left out.
    """
    from cba.inputs.evidence import load_claims

    run, results = headline["run"], headline["results"]
    settings = run["settings"]
    year = settings["target_year"]
    about = f"stance {run['headline_stance']}, difference from bau, {settings['level']:.0%} intervals"
    options = [option for option in settings["options"] if option != "bau"]
    figures = (
        f"Fewer children {year}",
        f"P({load_claims().fewer_children} fewer)",
        "NPV, £bn",
        "P(net saving)",
        "P(net cost)",
        "Pays back",
    )
    return text_table(
        ((option, *_cells(results, option=option)) for option in options),
        title=f"{run.get('title') or run['analysis']}\n{about}",
        columns=("Option", *figures),
        right=figures,
        whole=("Option",),
    )


def headline_sentences(headline: Mapping[str, Any]) -> tuple[str, str]:
    """Return the finding in two sentences, each with the chance of it and of its opposite.

    On children in care and on money, about the lead option.
    """
    from cba.inputs.analyses import lead_among
    from cba.inputs.evidence import load_claims

    settings, results = headline["run"]["settings"], headline["results"]
    option = lead_among(settings["options"], lead=settings.get("lead"))
    year = settings["target_year"]
    saving, cost = _framings(_result(results, "prob_npv_positive", option))
    met, missed = _framings(_result(results, "prob_fewer_30000", option))
    fewer = _result(results, "fewer_children", option)
    npv = _result(results, "npv", option)
    interval = f"{settings['level']:.0%} interval"
    prices = f"{settings['price_base'] - 1}-{settings['price_base'] % 100:02d} prices"
    claim = load_claims().fewer_children
    low, mean, high = (_shown(fewer, field, style="fewer") for field in ("lower", "mean", "upper"))
    return (
        f"{option} has a {met} chance of at least {claim} fewer children in care by March {year} and a"
        f" {missed} chance of less than that: on average {mean} than business as usual ({interval} {low} to"
        f" {high}).",
        f"It has a {saving} chance of a net saving over {settings['horizon']} years and a {cost} chance of a"
        f" net cost: on average {_shown(npv, 'mean', style='net')}"
        f" ({interval}: {_shown(npv, 'lower', style='net')} to {_shown(npv, 'upper', style='net')};"
        f" present value, {prices}).",
    )


def _result(results: Results, name: str, option: str) -> Mapping[str, Any] | None:
    """Return the entry of one quantity of an option."""
    from cba.appraisal.quantities import key_of

    return results.get(key_of(name, option))


def _cells(results: Results, *, option: str) -> tuple[str, ...]:
    """Return the cells of one option."""
    npv = _result(results, "npv", option)
    saving, cost = _framings(_result(results, "prob_npv_positive", option))
    return (
        _shown(_result(results, "fewer_children", option), "mean", style="count"),
        _framings(_result(results, "prob_fewer_30000", option))[0],
        " to ".join(_shown(npv, field, style="number", scale=1e9) for field in ("lower", "upper")),
        saving,
        cost,
        _payback(_result(results, "payback_year", option), never=_result(results, "prob_never", option)),
    )


def _payback(year: Mapping[str, Any] | None, *, never: Mapping[str, Any] | None) -> str:
    """Return the median year with the chance that it never comes."""
    chance = f"never: {_framings(never)[0]}"
    if year is None or year.get("median") is None:
        return chance
    return f"{_shown(year, 'median', style='year')} ({chance})"


def _shown(entry: Mapping[str, Any] | None, field: str, *, style: Any = "money", scale: float = 1.0) -> str:
    """Return one figure of a result, rounded to the Monte Carlo error of its mean."""
    from cba.reporting.numbers import UNDEFINED, is_defined, rounding_unit, show

    if entry is None or not is_defined(entry.get(field)):
        return UNDEFINED
    value = float(entry[field])
    unit = None if style == "year" else rounding_unit(value, entry.get("mcse")) / scale
    return show(value / scale, style=style, unit=unit)


def _framings(entry: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return a probability and that of its opposite."""
    from cba.reporting.numbers import UNDEFINED, is_defined, show

    if entry is None or not is_defined(entry.get("mean")):
        return UNDEFINED, UNDEFINED
    chance, error = float(entry["mean"]), float(entry.get("mcse") or 0.0)
    return show(chance, style="probability", unit=error), show(1.0 - chance, style="probability", unit=error)


WORKBOOK = "workbook.xlsx"


def run(
    spec: Spec,
    root: Root = REPORTS,
    draws: Annotated[int | None, typer.Option(help="Draws in all, in place of the analysis's own.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Fit again; keep no fit.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Show readers this run, not the one published now.")
    ] = False,
    by: By = None,
    as_json: AsJson = False,
) -> int:
    """Run an analysis and store it in DIR/<analysis>/<utc time>-<fingerprint>/."""
    # Returned: exit code: 4 where the run is held and readers were to see it: ``--publish`` was asked for, or they
    # see no sound run. `publish`:
    # point ``published`` at this run; the first run of an analysis always is. A run whose headline moved
    # beyond tolerance is held instead (exit code 4) until ``cba runs approve`` releases it.
    from cba.cli.runs import write_index_page
    from cba.inputs.analyses import load_analysis
    from cba.runs.execute import RunRequest, execute
    from cba.runs.manifest import person
    from cba.runs.reading import published_trouble
    from cba.runs.rerun import newer_release_note, request_fingerprint
    from cba.runs.stages import ordinary_stages

    analysis = load_analysis(spec)
    if draws is not None:
        analysis = with_draws(analysis, draws)
    written = request_fingerprint(spec) if draws is None else None
    request = RunRequest(by=person(by), specification=written or "", publish=True if publish else None)
    stages = ordinary_stages(use_cache=not no_cache, render=render, write_beside=write_beside)
    with _progress(shown=not as_json and is_interactive()) as told, tables_in_force(analysis):
        record = execute(analysis, root=root, progress=told, stages=stages, request=request)
    write_index_page(root)
    asked = publish or published_trouble(record.path.parent)
    code = NeedsPerson.exit_code if record.held and asked else 0
    notes = newer_release_note(spec)
    return answer(
        _as_plain(record) | {"notes": list(notes)},
        as_json=as_json,
        say=lambda: _print_outcome(record, notes=notes),
        exit_code=code,
    )


def tables_in_force(analysis: Analysis) -> AbstractContextManager[object]:
    """Return a context in which every reader takes the snapshot of tables that an analysis names.

    Nothing changes where the analysis reads the shipped tables.
    """
    if analysis.data.snapshot == "shipped":
        return nullcontext()
    from cba.inputs.analyses import tables_of

    return tables_of(analysis)


def with_draws(analysis: Analysis, draws: int) -> Analysis:
    """Return the analysis with another number of draws, checked as if it stood in the file."""
    from cba.inputs.analyses import Analysis
    from cba.inputs.written_records import checked_record

    changed = {**analysis.model_dump(by_alias=True), "draws": draws}
    return checked_record(Analysis, changed, file="--draws")


def render(
    appraisals: Mapping[str, Any], *, headline: Mapping[str, Any], manifest: Mapping[str, Any]
) -> dict[str, str]:
    """Render the pages of a run: HTML by file, each self-contained."""
    from cba.reporting.page import render_pages

    return render_pages(appraisals, headline=headline, manifest=manifest)


def write_beside(
    folder: Path, *, appraisals: Mapping[str, Any], headline: Mapping[str, Any], manifest: Mapping[str, Any]
) -> None:
    """Write the workbook and the checklist of a run. `folder`: holds ``tables/``."""
    from cba.inputs.safe_files import write_csv
    from cba.reporting.page import report_checklist
    from cba.reporting.workbook import write_workbook

    checklist = report_checklist(list(appraisals.values()), manifest=manifest)
    write_csv(checklist, folder / "tables" / "checklist.csv")
    write_workbook(appraisals, headline=headline, manifest=manifest, path=folder / WORKBOOK)


def _as_plain(record: RunRecord) -> dict[str, Any]:
    """Return where the run is stored, what became of it and its results."""
    return {
        "analysis": record.analysis,
        "run": record.name,
        "path": record.path,
        "report": record.path / "report.html",
        "published": record.published,
        "held": list(record.held),
        "precision": record.manifest.get("precision"),
        "stale": record.manifest.get("stale", []),
        "results": record.headline["results"],
        "results_by_stance": record.headline["results_by_stance"],
    }


def _print_outcome(record: RunRecord, *, notes: Iterable[str] = ()) -> None:
    """Print the headline of a run, what it missed, whether readers see it, and what slow results it read."""
    from cba.models.slow_results import provenance_of_slow_results

    headline = record.headline
    tell(headline_table(headline), *headline_sentences(headline))
    for judged in record.manifest.get("loosened", ()):
        say(f"Judged more loosely than usual: {judged}.")
    for old in record.manifest.get("stale", ()):
        say(f"Out of date on the day of this run: {old}.")
    for note in notes:
        say(f"{note[:1].upper()}{note[1:]}.")
    precision = record.manifest.get("precision")
    if precision and not precision["met"]:
        say(f"Asked precision not met with {precision['draws']:,} draws:")
        for missed in precision["missed"]:
            say(f"  {missed}")
    say(f"Report: {record.path / 'report.html'}")
    if record.held:
        say("Held for approval; readers still see what they saw:")
        for reason in record.held:
            say(f"  {reason}")
    elif not record.published:
        say("Readers still see the run published before; --publish would have shown them this one.")
    for sentence in provenance_of_slow_results():
        say(sentence)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress | None]:
    """Draw a progress bar on a terminal; nothing anywhere else."""
    if not shown:
        yield None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("start", total=1)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


# --- ``cba report``: render the report of a stored run again, as a page or a PDF ---


PRINTED = {"pdf": "report.pdf", "brief_pdf": "brief.pdf"}
"""Pages printed for circulation."""


REWRITTEN = (WORKBOOK, "tables/checklist.csv")
"""Files made again with the page."""


def report(
    run: Run,
    root: Root = REPORTS,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also write report.pdf and brief.pdf: tagged, for circulation.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Render the pages of a stored run again; no number is computed anew.

    A run of another version, whose tables may lack what this version's page shows, then keeps its page.
    """
    from cba.reporting.pdf import find_chromium, report_pdf
    from cba.runs.reading import REPORT, find_run
    from cba.runs.store import put_file

    if pdf:
        find_chromium()  # refused before any work is done
    record = find_run(root, run)
    refuse_damaged(record, but_report=True)
    rewritten, kept = _rewritten(record)
    version = record.manifest["code"]["version"]
    made = {"report": rewritten.path / REPORT}
    said = [
        f"Report: {made['report']}",
        f"Run by version {version}{'; its page is the stored one: ' + kept if kept else ''}",
    ]
    if pdf:
        for key, name in PRINTED.items():
            page = (rewritten.path / name).with_suffix(".html")
            if page.is_file():  # runs of earlier versions have no brief
                rewritten = put_file(rewritten, name, report_pdf(page))
                made[key] = rewritten.path / name
                said.append(f"PDF: {made[key]}")
    elif PRINTED["pdf"] in rewritten.manifest["files"] and not kept:
        said.append("report.pdf beside it is of the page before; --pdf prints it anew.")
    content = {"run": rewritten.name, "analysis": rewritten.analysis, "run_by_version": version, **made}
    content |= {"page": "stored", "why": kept} if kept else {"workbook": "written"}
    answer(content, as_json=as_json, say=lambda: say("\n".join(said)))


def _rewritten(record: RunRecord) -> tuple[RunRecord, str]:
    """Make pages, workbook and checklist of a stored run again, and store them all or none.

    Also why the stored ones stand instead: a run of another version may lack what this version's pages show.
    """
    from cba.runs.fingerprints import run_fingerprints
    from cba.runs.reading import REPORT, verify_run
    from cba.runs.store import put_file

    rewritten = record
    try:
        files = _rendered(record)
    except (LookupError, InputError) as error:
        if run_fingerprints(record.manifest["settings"]).code == record.manifest["fingerprints"]["code"]:
            raise
        lacking = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if not any(problem.startswith(REPORT) for problem in verify_run(record.path)):
            return record, f"this version's page shows what the run did not store ({lacking})"
        raise InputError(
            "the page of this version shows what the run did not store, and the page it was stored with is lost",
            file=record.path / REPORT,
            found=lacking,
            allowed="a run of this version, or the page as it was stored",
            cause="stored by another version of the package, and changed or removed since",
            remedy="restore report.html from a copy, or run the analysis again",
        ) from error
    for name, content in files.items():
        rewritten = put_file(rewritten, name, content)
    return rewritten, ""


def _rendered(record: RunRecord) -> dict[str, bytes]:
    """Render pages, workbook and checklist of a stored run; nothing is stored yet."""
    from cba.inputs.files import bytes_of
    from cba.inputs.leftovers import scratch_folder
    from cba.runs.stages import stored_appraisals
    from cba.runs.store import rerun_records

    headline = record.headline
    with _tables_of_run(record), scratch_folder("report") as folder:
        appraisals = stored_appraisals(record)
        pages = render(appraisals, headline=headline, manifest={**headline["run"], **rerun_records(record)})
        (folder / "tables").mkdir()
        write_beside(folder, appraisals=appraisals, headline=headline, manifest=headline["run"])
        beside = {name: bytes_of(folder / name) for name in REWRITTEN}
    return beside | {file: html.encode() for file, html in pages.items()}


def _tables_of_run(record: RunRecord) -> AbstractContextManager[object]:
    """Put the published tables a run was made from in force where it read a snapshot of newer ones."""
    if record.manifest["settings"].get("data", {}).get("snapshot", "shipped") == "shipped":
        return nullcontext()
    from cba.inputs.files import reading_from
    from cba.runs.store import archived_inputs

    return reading_from(published=archived_inputs(record) / "published")


def refuse_damaged(record: RunRecord, *, but_report: bool = False) -> None:
    """Refuse a run whose files are not the ones it stored."""
    from cba.runs.reading import verify_run

    problems = verify_run(record.path)
    if but_report:
        from cba.reporting.sections import PAGES

        anew = (*PRINTED.values(), *REWRITTEN, *(page.file for page in PAGES))
        problems = [line for line in problems if not line.lstrip(".").startswith(anew)]
    if problems:
        raise StoreError(
            f"{len(problems)} file(s) of the run are not what was stored: {'; '.join(problems)}",
            file=record.path,
            cause="changed, removed or cut short after the run was stored",
            remedy="restore the run from a copy, or run the analysis again",
        )
