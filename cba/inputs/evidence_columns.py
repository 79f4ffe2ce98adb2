"""Columns of the evidence tables and the words their cells may hold."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from cba.dimensions import AGE_BANDS
from cba.errors import InputError

# --- Read a table of evidence cell by cell, so that a refusal can name the row and the column ---


def read_table(file: Path, required: tuple[str, ...], numeric: tuple[str, ...], *, key: str) -> pd.DataFrame:
    """Read a CSV as text, check its shape and columns, and turn the numeric ones into numbers.

    One row per line, in file order. `numeric`: columns of numbers; an empty cell becomes NaN.
    """
    rows = _rows(file)
    if len(rows) < 2:
        raise InputError(
            "the table holds no rows",
            file=file,
            found=f"{len(rows)} line(s)",
            allowed="a heading and at least one row",
        ).advice("a truncated copy", remedy="restore the file")
    heading = rows[0]
    missing = [name for name in required if name not in heading]
    unknown = [name for at, name in enumerate(heading) if name not in required or name in heading[:at]]
    if missing or unknown:
        raise InputError(
            "the columns are not those of the table",
            file=file,
            field=(missing or unknown)[0],
            found=f"missing: {missing or 'none'}; unknown or repeated: {unknown or 'none'}",
            allowed=", ".join(required),
        ).advice("a column renamed, added or left out", remedy="use the headings of the shipped table")
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(heading):
            raise InputError(
                "a row does not have a cell for every column",
                file=file,
                field=f"row {line} ({row[0] if row else 'empty'})",
                found=f"{len(row)} cells",
                allowed=f"{len(heading)} cells",
            ).advice(
                "a truncated file, or a comma outside quotes",
                remedy="restore the row, or put quotes around the text with the comma",
            )
    table = pd.DataFrame(rows[1:], columns=heading, dtype=str)
    for column in numeric:
        table[column] = [
            _number(text, file=file, place=f"row {line} ({name}), column {column}")
            for line, (name, text) in enumerate(zip(table[key], table[column], strict=True), start=2)
        ]
    return table


@contextmanager
def in_row(line: int, *, file: str | Path, key: str) -> Iterator[None]:
    """Let a refusal of a column inside the block name the file, the row and its key too."""
    try:
        yield
    except InputError as error:
        column = error.details["field"]
        raise error.changed(file=file, field=f"row {line} ({key}), column {column}") from None


def _rows(file: Path) -> list[list[str]]:
    """Return the cells of every row as text."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.reader(stream, strict=True))
    except FileNotFoundError:
        raise InputError("the table does not exist", file=file).advice(
            "a misspelt path", remedy="check the name and folder"
        ) from None
    except (UnicodeDecodeError, OSError, csv.Error) as error:
        raise InputError(
            "the table cannot be read", file=file, found=str(error), allowed="UTF-8, comma separated"
        ).advice(
            "a truncated file, or a quote left open", remedy="restore the file or close the quote"
        ) from None


def _number(text: str, *, file: Path, place: str) -> float:
    if text.strip() == "":
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            "a cell is not a finite number",
            file=file,
            field=place,
            found=text,
            allowed="a number, or an empty cell",
        ).advice(
            "NaN, a thousands comma or a unit typed in the cell",
            remedy="write the plain number; leave the cell empty where there is none",
        )
    return value


INTERVENTIONS = ("family_help", "kinship", "foster")


DESIGN_CLASSES = ("rct", "matched", "panel", "before_after", "provider_claim", "review")


OUTCOME_CLASSES = ("entered_care", "in_care_at_follow_up", "permanence", "placement_supply", "other")


SCALES = ("log_rr", "log_or", "log_ratio", "risk_diff", "percent_change", "elasticity")


QUALITIES = ("high", "moderate", "low")


USES = ("synthesis", "censored", "excluded")
"""`synthesis`: an estimate; `censored`: a study whose result is known to lie in an interval; `excluded`."""


IN_MODEL = ("synthesis", "censored")
"""Uses that enter the synthesis."""


LEVELS = ("served", "area")
"""Whether an effect is on those served, or on a whole population of which only some were served."""


STARTS_AGES = ("all", *AGE_BANDS)
"""Ages an area-level effect speaks of."""


SCALES_OF_ESTIMAND: Mapping[str, tuple[str, ...]] = {
    "care_entry_log_rr": ("log_rr", "log_or", "log_ratio", "percent_change", "risk_diff"),
    "family_network_log_rr": ("log_rr", "log_or", "log_ratio", "percent_change", "risk_diff"),
    "permanence_risk_diff": ("risk_diff",),
    "foster_substitution_log_ratio": ("log_ratio", "log_rr", "percent_change"),
}
"""The quantity each synthesis estimates, and the published scales that can be turned into it."""


_STUDY = ("study_id", "intervention", "outcome", "design", "country")
_ESTIMATE = ("scale", "estimate", "se", "se_method", "ci_low", "ci_high")
_COUNTS = ("n_treat", "events_treat", "n_control", "events_control", "follow_up_months")
_PAPERS = ("quality", "origin", "estimate_basis", "url", "note", "design_class", "outcome_class")
_USE = ("overlap_group", "use", "exclusion_reason", "transport_note", "estimand")
_FILLED_IN = ("risk_treat", "risk_control", "se_assumed", "se_assumed_reason", "known_by")
_BOUNDS = ("bound_low", "bound_high", "bound_reason")
_DESIGN_EFFECT = ("design_effect_low", "design_effect_high", "design_effect_reason")
_AREA = ("level", "coverage_low", "coverage_high", "coverage_reason", "starts_ages")

_STATED = (*_STUDY, "year", *_ESTIMATE, *_COUNTS, *_PAPERS, *_USE)
REQUIRED_COLUMNS = (*_STATED, *_FILLED_IN, *_BOUNDS, *_DESIGN_EFFECT, *_AREA)
"""Columns of the effects table, in their order."""

_TEXT = (*_STUDY, "scale", "se_method", "level", "starts_ages", *_PAPERS, *_USE)
NUMERIC_COLUMNS = tuple(
    name for name in REQUIRED_COLUMNS if name not in _TEXT and not name.endswith("_reason")
)
"""Columns of the effects table that hold a number, or nothing."""

_COST = ("item_id", "kind", "item", "value", "value_low", "value_high", "unit", "year", "country")
COST_COLUMNS = (*_COST, "source_quality", "url", "note")
"""Columns of the table of costs."""

_CLAIM = ("claim_id", "claim", "value", "unit", "year", "price_base", "source_title", "url")
CLAIM_COLUMNS = (*_CLAIM, "confidence", "known_by", "note")
"""Columns of the table of claims."""
