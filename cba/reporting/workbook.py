"""The workbook of a run: cover, contents, notes, a live central case and every table, as accessible spreadsheets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.errors import InputError
from cba.reporting.full_names import stance_name
from cba.reporting.run_record import run_identity
from cba.reporting.workbook_live import live_sheet_names, write_live_case
from cba.reporting.workbook_sheets import LINE, TITLE_LINE, lines, write_sheet
from cba.reporting.workbook_tables import GAP, LeftOut, SheetTable, sheet_tables

if TYPE_CHECKING:
    from gptables import Cover
    from gptables.core.wrappers import GPWorkbook

    from cba.appraisal import Appraisal
    from cba.appraisal.central_case import CentralCase

LANGUAGE = "en-GB"

_PLAIN = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def write_workbook(
    appraisals: Sequence[Appraisal] | Mapping[str, Appraisal],
    *,
    headline: Mapping[str, Any],
    manifest: Mapping[str, Any],
    path: str | Path,
    central: CentralCase | None = None,
) -> Path:
    """Write the workbook of a run.

    Parameters
    ----------
    appraisals : sequence of Appraisal, or mapping of stance to Appraisal
        One per stance, all of the same analysis; the first is the headline stance.
    headline : mapping
        Content of headline.json; its ``results`` must be those of the first appraisal.
    manifest : mapping
        Content of manifest.json; says on the cover which run it is.
    path : str or Path
        Ends in ``.xlsx``; replaced whole if it exists.
    central : CentralCase, optional
        The live central case, :func:`cba.appraisal.central_case.central_case`; left out without it.

    Returns
    -------
    Path
        The file, there complete or not at all.

    Raises
    ------
    InputError
        No appraisal, or a headline that is not of the first.

    Notes
    -----
    Follows the Analysis Function's *Making spreadsheets accessible* [1]_: one marked-up table a sheet, one header
    row, nothing merged, no blank rows or columns, gaps explained, notes as ``[note n]``. Text is never a formula,
    whatever it starts with.

    References
    ----------
    .. [1] https://analysisfunction.civilservice.gov.uk/policy-store/making-spreadsheets-accessible-a-brief-checklist-of-the-basics/

    Examples
    --------
    >>> write_workbook([appraisal], headline=headline, manifest=manifest, path="workbook.xlsx")  # doctest: +SKIP
    """
    given = tuple(appraisals.values()) if isinstance(appraisals, Mapping) else tuple(appraisals)
    if not given or set(headline.get("results", {})) != set(given[0].results):
        raise InputError(
            "headline and first appraisal hold different results",
            field="headline.results",
            found="no appraisal" if not given else f"{len(headline.get('results', {}))} results",
            allowed="the keys of the first appraisal",
            cause="appraisals out of order",
            remedy="give the appraisal of the headline stance first",
        )
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write(given, manifest=manifest, central=central, path=beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _write(
    appraisals: Sequence[Appraisal], *, manifest: Mapping[str, Any], central: CentralCase | None, path: Path
) -> None:
    from gptables import Cover

    book = _opened(path)
    lead, identity = appraisals[0], run_identity(manifest, appraisals[0])
    title = f"Workbook: {lead.analysis.title}"
    book.set_properties(
        {
            "title": title,
            "subject": "Bayesian cost-benefit appraisal of children's social care reform in England",
            "comments": f"Run {identity['run_id']}, {identity['as_at']}",
            "created": _moment(identity["as_at"]),
        }
    )
    tables, left_out = sheet_tables(appraisals)
    cover = Cover(title=_unlinked(title), intro=_about(appraisals, identity), about=_use(central), width=100)
    _write_cover(book, cover)
    _write_contents(book, tables, left_out, central)
    write_sheet(book, _notes(lead), number=1)
    if central is not None:
        write_live_case(book, central, number=2)
    first = 2 + (len(central.grids) if central is not None else 0)
    for number, table in enumerate(tables, start=first):
        write_sheet(book, table, number=number)
    book.close()


def _write_cover(book: GPWorkbook, cover: Cover) -> None:
    """Write the cover, its rows as high as their text."""
    rows = [cover.title, "Introductory information", *cover.intro, "About these data", *cover.about]
    headings = (0, 1, 2 + len(cover.intro))
    sheet = book.add_worksheet(cover.cover_label)
    sheet.write_cover(cover)
    for place, text in enumerate(rows):
        taken = lines(text, cover.width)
        sheet.set_row(place, TITLE_LINE * taken + 6 if place in headings else LINE * taken)


def _opened(path: Path) -> GPWorkbook:
    """Return an empty workbook that states its language and takes no text for a formula or a link."""
    from gptables.core.wrappers import GPWorkbook
    from xlsxwriter.core import Core
    from xlsxwriter.packager import Packager

    class SpokenCore(Core):
        def _write_cp_category(self) -> None:
            self._xml_data_element("dc:language", LANGUAGE)
            super()._write_cp_category()

    class SpokenPackager(Packager):
        def _write_core_file(self) -> None:
            core = SpokenCore()
            core._set_properties(self.workbook.doc_properties)
            core._set_xml_writer(self._filename("docProps/core.xml"))
            core._assemble_xml_file()

    class Book(GPWorkbook):
        def _get_packager(self) -> Packager:
            return SpokenPackager()

    return Book(str(path), options={**_PLAIN, "in_memory": True})


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _unlinked(text: str) -> str:
    """Return text that gptables takes for no link and no note: it reads "[words](address)" and "$$"."""
    return text.replace("](", "] (").replace("$$", "$ $")


def _about(appraisals: Sequence[Appraisal], identity: Mapping[str, str]) -> list[str]:
    analysis = appraisals[0].analysis
    stances = ", ".join(stance_name(appraisal.stance) for appraisal in appraisals)
    lines = (
        f"Run {identity['run_id']}, made {identity['as_at']}.",
        f"Analysis {analysis.name}: data of release {analysis.release}, programmes starting in "
        f"{analysis.start_year - 1}-{analysis.start_year % 100:02d}, {analysis.horizon} years, prices of "
        f"{analysis.price_base - 1}-{analysis.price_base % 100:02d}, {analysis.draws:,} draws.",
        f"Stances: {stances}. The first is the headline stance.",
        "Results are uncertain: read them with their intervals, and with the report of the same run.",
    )
    return [_unlinked(line) for line in lines]


def _use(central: CentralCase | None) -> list[str]:
    live = (
        "The live central case works one point out in formulas, from money to net present value. Change a value on "
        "the sheet live inputs and see live results move.",
    )
    return [
        "The sheet contents lists every table with a link to it. The sheet notes explains intervals, errors, years, "
        "prices, stances and gaps; [note 1] in a table refers to it.",
        *(live if central is not None else ()),
        "Each sheet holds one table. Numbers are shown rounded; the cells hold them in full.",
    ]


def _write_contents(
    book: GPWorkbook, tables: Sequence[SheetTable], left_out: Sequence[LeftOut], central: CentralCase | None
) -> None:
    """Write the table of contents: a link to every sheet, and the tables that are in CSV files only."""
    import pandas as pd
    from gptables import GPTable

    rows: list[tuple[Any, str, str]] = [({"notes": "internal:'notes'!A1"}, "Notes to the tables", "6")]
    if central is not None:
        names = live_sheet_names(central)
        rows += [
            ({names[g.key]: f"internal:'{names[g.key]}'!A1"}, _unlinked(g.title), str(len(g.rows)))
            for g in central.grids
        ]
    rows += [({t.name: f"internal:'{t.name}'!A1"}, _unlinked(t.title), str(len(t.rows))) for t in tables]
    rows += [(f"{o.name}: file only", f"{o.title}; in tables/{o.name}.csv", str(o.rows)) for o in left_out]
    frame = pd.DataFrame(rows, columns=["Sheet", "What it shows", "Rows"])
    missing = [f"{name}: {why}" for name, why in central.left_out.items()] if central is not None else []
    subtitles = [f"Options without a live case: {'; '.join(missing)}."] if missing else []
    sheet = book.add_worksheet("contents")
    contents = GPTable(
        frame,
        table_name="contents_table",
        title="Contents",
        subtitles=[_unlinked(line) for line in subtitles],
        instructions="This worksheet contains one table. Follow a link in the first column to go to its sheet.",
        index_columns={2: 0},
    )
    sheet.write_gptable(contents, False, [])
    for column, wide in enumerate((42, 110, 9)):
        sheet.set_column(column, column, wide)
    sheet.set_row(0, TITLE_LINE)


def _notes(lead: Appraisal) -> SheetTable:
    analysis = lead.analysis
    level = f"{100 * analysis.level:g}%"
    notes = (
        f"Lower and upper ends hold {level} of the draws, with equal shares below and above.",
        "Standard errors are Monte Carlo errors: how far a figure would move with other draws of the same model. "
        "They say nothing of whether the model is right.",
        "Years end on 31 March: 2032 is the financial year 2031-32, and stocks are counted on 31 March 2032.",
        f"Money is in GBP of {analysis.price_base - 1}-{analysis.price_base % 100:02d} unless a table says cash. "
        f"Present values are discounted by the schedule {analysis.schedule} from the first year, "
        f"{analysis.start_year - 1}-{analysis.start_year % 100:02d}.",
        "Stances: Evidence is what the studies support; Sceptical is a full set of beliefs from trials with strong "
        "attenuation; Review's claims met are the evidence draws in which the review's claims hold. "
        "A table without the column holds for every stance that has it.",
        f"{GAP} marks a cell to which the column does not apply, or whose figure is not defined: a ratio without a "
        "cost, a year of payback that never comes, or a result with too few draws.",
    )
    rows = tuple((f"[note {number}]", text) for number, text in enumerate(notes, start=1))
    about = ("This worksheet contains one table.",)
    return SheetTable("notes", "Notes", about, ("Note", "What it says"), rows)
