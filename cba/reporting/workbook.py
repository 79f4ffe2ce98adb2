"""Which tables go into the workbook, and in what form: stances one below the other, gaps explained, no formulas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cba.dimensions import financial_year
from cba.inputs.files import written_beside
from cba.reporting.choices import Appraisals, headline_first, run_identity
from cba.reporting.names import full_name, quantities_by_name, stance_name
from cba.tables.catalogue import TABLES

if TYPE_CHECKING:
    import pandas as pd
    from gptables.core.wrappers import GPWorkbook, GPWorksheet

    from cba.appraisal.record import Appraisal


Content = str | float | int


GAP = "[z]"
"""Stands in a cell for what is not applicable or not defined."""


MOST_ROWS = 1_200
"""Longer tables stay in their CSV file: nobody reads them on a sheet, and the workbook opens at once."""


LONGEST_NAME = 31
"""Characters of a sheet's name."""


@dataclass(frozen=True)
class SheetTable:
    """One table as it stands on its sheet."""

    name: str
    title: str
    about: tuple[str, ...]  # lines between title and table
    headings: tuple[str, ...]  # all different, whatever their capitals
    rows: tuple[tuple[Content, ...], ...]  # text and numbers; nothing is missing


@dataclass(frozen=True)
class LeftOut:
    """A table that stays in its CSV file: its name, title and number of rows."""

    name: str
    title: str
    rows: int


def sheet_tables(appraisals: Sequence[Appraisal]) -> tuple[list[SheetTable], list[LeftOut]]:
    """Return every table of a run as it goes on its sheet.

    Returns `tables`: a table that differs by stance holds all of them, with the stance in its first column.
    `left_out`: tables of more than `MOST_ROWS` rows.
    """
    names = list(dict.fromkeys(name for appraisal in appraisals for name in appraisal.tables))
    tables: list[SheetTable] = []
    left_out: list[LeftOut] = []
    labels = appraisals[0].option_labels
    for name in names:
        held = {a.stance: a.tables[name] for a in appraisals if name in a.tables}
        if sum(len(frame) for frame in held.values()) > MOST_ROWS:
            left_out.append(LeftOut(name, title_of(name)[0], sum(len(frame) for frame in held.values())))
        else:
            tables.append(_sheet_table(name, held, labels=labels, stances=len(appraisals)))
    return tables, left_out


def _sheet_table(
    name: str, held: Mapping[str, pd.DataFrame], *, labels: Mapping[str, str], stances: int
) -> SheetTable:
    first, *others = held.values()
    same = all(first.equals(other) for other in others)
    shown = {next(iter(held)): first} if same else held
    columns = list(dict.fromkeys(str(column) for frame in shown.values() for column in frame))
    rows = [
        ((() if same else (stance_name(stance),)) + row)
        for stance, frame in shown.items()
        for row in _rows(frame, columns, labels)
    ]
    headings = unique_headings([*(() if same else ("Stance [note 5]",)), *map(heading_of, columns)])
    rows = rows or [("No rows", *[GAP] * (len(headings) - 1))]
    title, units = title_of(name)
    gaps = any(cell == GAP for row in rows for cell in row)
    which = f"{', '.join(stance_name(s) for s in held)} [note 5]"
    about = (
        f"This worksheet contains one table. The same figures, unrounded, are in tables/{name}.csv.",
        *((units,) if units else ()),
        *((f"Stance: {which}.",) if same and len(held) < stances else ()),
        *((f"{GAP} means not applicable or not defined [note 6].",) if gaps else ()),
    )
    return SheetTable(sheet_name(name), title, about, headings, tuple(rows))


def sheet_name(name: str) -> str:
    """Return a name a sheet can have: 31 characters at most, none that a spreadsheet refuses."""
    plain = "".join(" " if sign in "[]:*?/\\'" else sign for sign in name)
    return plain[:LONGEST_NAME].strip()


def title_of(table: str) -> tuple[str, str]:
    """Return the title of a table and what its figures are in; stored runs may hold tables of other versions."""
    if table not in TABLES:
        return full_name(table), ""
    return TABLES[table].title, TABLES[table].unit.replace(" price base.", " price base [note 4].")


HEADINGS = {
    "mcse": "Standard error",
    "se": "Standard error",
    "q05": "5% quantile",
    "q50": "Median",
    "q95": "95% quantile",
    "evpi": "Value of perfect information",
    "enbs": "Net value of the study",
    "evsi": "Value of the study's result",
    "cvar": "Mean of the worst draws",
    "icer": "Incremental cost-effectiveness ratio",
    "mvpf": "Marginal value of public funds",
    "se_": "Standard error",
}
"""Words for columns whose names say too little."""


def heading_of(column: str) -> str:
    """Return the heading of a column: in words, with its notes."""
    stem, error = column, ""
    for ending in ("_se", "_mcse"):
        if column.endswith(ending):
            stem, error = column[: -len(ending)], ", standard error [note 2]"
    for ending, words in (("lower", "lower end [note 1]"), ("upper", "upper end [note 1]")):
        if stem.endswith(ending):
            before = stem[: -len(ending)].strip("_")
            return f"{heading_of(before)}, {words}{error}" if before else words.capitalize() + error
    if stem.startswith("prob_"):
        return f"Probability: {full_name(stem[5:]).lower()}{error}"
    for short, said in (HEADINGS | quantities_by_name()).items():
        if stem != short and not stem.startswith(f"{short}_"):
            continue
        # Only the one that fits is put into words: that reads the claims, and a workbook has a thousand headings.
        words = said if isinstance(said, str) else said.filled(said.words)
        if stem == short:
            return words + (" [note 2]" if words == "Standard error" else "") + error
        return f"{words}, {stem[len(short) + 1 :].replace('_', ' ')}{error}"
    return full_name(stem) + (" [note 3]" if stem == "year" else "") + error


def unique_headings(headings: Sequence[str]) -> tuple[str, ...]:
    """Return headings that are all different whatever their capitals, as a table of a spreadsheet needs."""
    seen: dict[str, int] = {}
    found = []
    for heading in headings:
        times = seen[heading.lower()] = seen.get(heading.lower(), 0) + 1
        found.append(heading if times == 1 else f"{heading} ({times})")
    return tuple(found)


def _rows(
    frame: pd.DataFrame, columns: Sequence[str], labels: Mapping[str, str]
) -> list[tuple[Content, ...]]:
    """Return the rows of a table, options by their labels."""
    gap = [GAP] * len(frame)
    labelled = ("best", "other") if "label" in frame else ("option", "best", "other")
    columns_held = [
        [content(value, labels if column in labelled else {}) for value in frame[column].tolist()]
        if column in frame
        else gap
        for column in columns
    ]
    return list(zip(*columns_held, strict=True))


def content(value: object, labels: Mapping[str, str]) -> Content:
    """Return what stands in a cell for a value: a finite number, or text that is not empty."""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "Yes" if value else "No"
    if isinstance(value, Real):
        if math.isnan(value):
            return GAP
        number = int(value) if isinstance(value, Integral) else float(value)
        return number if math.isfinite(number) else ("infinite" if number > 0 else "minus infinite")
    text = "" if value is None or value != value else str(value).strip()
    return labels.get(text, text)[:32_000] or GAP


# --- Sheets of the workbook: title in A1, a sentence or two, one table, all cells wrapped and none … ---


NARROWEST, WIDEST, CHARACTERS = 9, 60, 1.2
"""Width of columns in characters; Arial 12 takes a fifth more than the width they are counted in."""


def write_sheet(book: GPWorkbook, table: SheetTable, *, number: int) -> GPWorksheet:
    """Write one table on a sheet of its own. `number`: makes the table's name unique."""
    sheet, top = opened_sheet(book, table.name, title=table.title, about=table.about)
    for column, heading in enumerate(table.headings):
        cells = [row[column] for row in table.rows]
        numbers = [cell for cell in cells if not isinstance(cell, str)]
        shape = cell_format(book, num_format=number_format(numbers))
        sheet.write_column(top + 1, column, cells, shape)  # text stays text: see the options of the workbook
        sheet.set_column(column, column, width(heading, cells))
    mark_table(book, sheet, table.headings, table.rows, top=top, name=f"table_{number}")
    return sheet


def cell_format(book: GPWorkbook, **own: str) -> Any:
    """Return the format of a cell of a table: wrapped, at the top of its row."""
    return book.add_format(dict(book.theme.data_format) | {"valign": "top"} | own)


def opened_sheet(book: GPWorkbook, name: str, *, title: str, about: Sequence[str]) -> tuple[GPWorksheet, int]:
    """Add a sheet and write what stands above its table. The sheet, and the row of the table's headings."""
    sheet = book.add_worksheet(name, gridlines="hide_all")
    sheet.write_string(0, 0, title, book.add_format(book.theme.title_format))
    line = book.add_format(book.theme.instructions_format)
    for place, sentence in enumerate(about, start=1):
        sheet.write_string(place, 0, sentence, line)
    return sheet, len(about) + 1


def mark_table(
    book: GPWorkbook,
    sheet: GPWorksheet,
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    top: int,
    name: str,
) -> None:
    """Write the headings and mark the range as a table with one header row."""
    bold = book.add_format(book.theme.column_heading_format)
    right = book.add_format(dict(book.theme.column_heading_format) | {"align": "right"})
    text = [
        any(isinstance(row[column], str) and row[column] != GAP for row in rows)
        for column in range(len(headings))
    ]
    marked = [
        {"header": heading, "header_format": bold if words else right}
        for heading, words in zip(headings, text, strict=True)
    ]
    options: Mapping[str, Any] = {"autofilter": False, "style": None, "columns": marked, "name": name}
    sheet.add_table(top, 0, top + len(rows), len(headings) - 1, options)


def width(heading: str, cells: Sequence[Content]) -> float:
    """Return the width of a column: its longest word or figure, more for long text, within limits."""
    longest = max((len(cell) for cell in cells if isinstance(cell, str)), default=0)
    numbers = [abs(cell) for cell in cells if not isinstance(cell, str)]
    digits = len(f"{max(numbers):,.0f}") + 4 if numbers else 0
    word = max((len(piece) + 1 for piece in heading.split()), default=0)
    wanted = max(NARROWEST, word, digits, min(longest, WIDEST), min(len(heading) // 2, 18))
    return CHARACTERS * wanted


def number_format(numbers: Sequence[float]) -> str:
    """Return how the numbers of a column are shown; the cells hold them unrounded."""
    if not numbers:
        return "General"
    largest = max(abs(number) for number in numbers)
    whole = all(number == int(number) for number in numbers)
    if whole and all(1800 < number < 2200 for number in numbers):
        return "0"
    if whole or largest >= 1000:
        return "#,##0"
    if largest >= 10:
        return "#,##0.0"
    return "0.000" if largest >= 0.01 or largest == 0 else "0.00E+00"


# --- The workbook of a run: cover, contents, notes and every table ---


LANGUAGE = "en-GB"


_USE = (
    "The sheet contents lists every table with a link to it. The sheet notes explains intervals, errors, years, "
    "prices, stances and gaps; [note 1] in a table refers to it.",
    "Each sheet holds one table. Numbers are shown rounded; the cells hold them in full.",
    "To try other settings, open report.html of the same run: its explorer re-scales the stored draws.",
)


_PLAIN = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def write_workbook(
    appraisals: Appraisals,
    *,
    headline: Mapping[str, Any],
    manifest: Mapping[str, Any],
    path: str | Path,
) -> Path:
    """Write the workbook of a run.

    The file, there complete or not at all. `headline`: content of headline.json; its ``results`` must be
    those of the first appraisal. `path`: ends in ``.xlsx``; replaced whole if it exists.
    """
    # Follows the Analysis Function's *Making spreadsheets accessible*: one marked-up table a sheet, one
    # header row, nothing merged, no blank rows or columns, gaps explained, notes as ``[note n]``. Text is
    # never a formula, whatever it starts with.
    # Source:
    # https://analysisfunction.civilservice.gov.uk/policy-store/making-spreadsheets-accessible-a-brief-checklist-of-the-basics/
    given = headline_first(appraisals, headline)
    path = Path(path)
    with written_beside(path) as beside:
        _write(given, manifest=manifest, path=beside)
    return path


def _write(appraisals: Sequence[Appraisal], *, manifest: Mapping[str, Any], path: Path) -> None:
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
    cover = Cover(title=_unlinked(title), intro=_about(appraisals, identity), about=list(_USE), width=100)
    book.add_worksheet(cover.cover_label).write_cover(cover)
    _write_contents(book, tables, left_out)
    write_sheet(book, _notes(lead), number=1)
    for number, table in enumerate(tables, start=2):
        write_sheet(book, table, number=number)
    book.close()


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
        f"{financial_year(analysis.start_year)}, {analysis.horizon} years, prices of "
        f"{financial_year(analysis.price_base)}, {analysis.draws:,} draws.",
        f"Stances: {stances}. The first is the headline stance.",
        "Results are uncertain: read them with their intervals, and with the report of the same run.",
    )
    return [_unlinked(line) for line in lines]


def _write_contents(book: GPWorkbook, tables: Sequence[SheetTable], left_out: Sequence[LeftOut]) -> None:
    """Write the table of contents: a link to every sheet, and the tables that are in CSV files only."""
    import pandas as pd
    from gptables import GPTable

    rows: list[tuple[Any, str, str]] = [({"notes": "internal:'notes'!A1"}, "Notes to the tables", "6")]
    rows += [({t.name: f"internal:'{t.name}'!A1"}, _unlinked(t.title), str(len(t.rows))) for t in tables]
    rows += [(f"{o.name}: file only", f"{o.title}; in tables/{o.name}.csv", str(o.rows)) for o in left_out]
    frame = pd.DataFrame(rows, columns=["Sheet", "What it shows", "Rows"])
    sheet = book.add_worksheet("contents")
    contents = GPTable(
        frame,
        table_name="contents_table",
        title="Contents",
        instructions="This worksheet contains one table. Follow a link in the first column to go to its sheet.",
        index_columns={2: 0},
    )
    sheet.write_gptable(contents, False, [])
    for column, wide in enumerate((42, 110, 9)):
        sheet.set_column(column, column, wide)


def _notes(lead: Appraisal) -> SheetTable:
    analysis = lead.analysis
    level = f"{100 * analysis.level:g}%"
    notes = (
        f"Lower and upper ends hold {level} of the draws, with equal shares below and above.",
        "Standard errors are Monte Carlo errors: how far a figure would move with other draws of the same model. "
        "They say nothing of whether the model is right.",
        "Years end on 31 March: 2032 is the financial year 2031-32, and stocks are counted on 31 March 2032.",
        f"Money is in GBP of {financial_year(analysis.price_base)} unless a table says cash. "
        f"Present values are discounted by the schedule {analysis.schedule} from the first year, "
        f"{financial_year(analysis.start_year)}.",
        "Stances: Evidence is what the studies support; Sceptical is a full set of beliefs from trials with strong "
        "attenuation; Review's claims met are the evidence draws in which the review's claims hold. "
        "A table without the column holds for every stance that has it.",
        f"{GAP} marks a cell to which the column does not apply, or whose figure is not defined: a ratio without a "
        "cost, a year of payback that never comes, or a result with too few draws.",
    )
    rows = tuple((f"[note {number}]", text) for number, text in enumerate(notes, start=1))
    about = ("This worksheet contains one table.",)
    return SheetTable("notes", "Notes", about, ("Note", "What it says"), rows)
