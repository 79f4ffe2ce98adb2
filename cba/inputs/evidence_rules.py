"""Columns of the evidence tables, and the rules a row of the effects must keep; a refusal names row and column."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd

from cba.errors import InputError, Rule, refuse_broken
from cba.inputs.files import even_rows, file_bytes, nearest, readable_text, text_of_table
from cba.inputs.table_words import CLASSES_OF_ESTIMAND, EVIDENCE, SCALES_OF_ESTIMAND

# --- Read a table of evidence cell by cell, so that a refusal can name the row and the column ---


def read_table(file: Path, *, name: str) -> pd.DataFrame:
    """Read a table of the evidence as text, check its shape and columns, and turn the numeric ones into numbers.

    One row per line, in file order; an empty cell of a column of numbers becomes NaN.
    """
    key, required = EVIDENCE[name].key[0], EVIDENCE[name].columns
    text = text_of_table(file_bytes(file), file=file, again="restore the file, or save it as CSV")
    rows = even_rows(text, file=file)
    heading = rows[0]
    missing = [name for name in required if name not in heading]
    unknown = [name for name in heading if name not in required]
    if missing or unknown:
        raise InputError(
            "the columns are not those of the table",
            file=file,
            field=(missing or unknown)[0],
            found=f"missing: {missing or 'none'}; unknown: {unknown or 'none'}",
            allowed=", ".join(required),
        ).advice("a column renamed, added or left out", remedy="use the headings of the shipped table")
    for line, row in enumerate(rows[1:], start=2):
        for column, cell in zip(heading, row, strict=True):
            if cell:  # whether it may be empty, the rules of its column say
                readable_text(cell, field=f"row {line} ({ascii(row[0])[1:-1]}), column {column}", file=file)
    table = pd.DataFrame(rows[1:], columns=heading, dtype=str)
    for column in [one for one, kind in required.items() if kind == "number"]:
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


def _number(text: str, *, file: Path, place: str) -> float:
    if text.strip() == "":
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise InputError(
            "a cell is not a finite number, or too large",
            file=file,
            field=place,
            found=text,
            allowed=f"a number up to {LARGEST:,.0f}, or an empty cell",
        ).advice(
            "NaN, a thousands comma or a unit typed in the cell",
            remedy="write the plain number; leave the cell empty where there is none",
        )
    return value


WORDS = EVIDENCE["evidence_effects"].words
"""Columns of the effects that hold one of a few words."""


DESIGN_CLASSES, OUTCOME_CLASSES = WORDS["design_class"], WORDS["outcome_class"]


IN_MODEL = ("synthesis", "censored")
"""Uses that enter the synthesis."""


# --- The rules a row of the effects must keep ---


LARGEST = 1e12
"""Largest number of a cell: no count and no amount of a study or a claim is above it."""

LARGEST_LOG = 10.0
"""Largest logarithm of a ratio: a ratio of 22,000."""

Row = Mapping[str, Any]
"""One row of the effects table, numbers as float (NaN where empty)."""

AREA_ESTIMAND = "care_entry_log_rr"
"""Only family help has a product of coverage, reach and effect."""


AREA_DESIGNS = ("rct", "panel", "before_after", "provider_claim")
"""Designs that compare whole areas: their bias is stated on the change of the area (``effects.area_bias_*``)."""


def check_rows(rows: list[dict[str, Any]], *, file: str | Path) -> None:
    """Refuse the first row of the effects table that breaks a rule."""
    seen: dict[tuple[str, str], int] = {}
    groups: dict[str, tuple[int, str]] = {}
    for line, row in enumerate(rows, start=2):
        with in_row(line, file=file, key=row["study_id"] or "no study_id"):
            refuse_broken(_WORDS, row)
            _check_once(row, line=line, seen=seen)
            refuse_broken((*_NUMBERS, *_rules_of_use(row)), row)
            _check_overlap(row, line=line, groups=groups)


def _check_once(row: Row, *, line: int, seen: dict[tuple[str, str], int]) -> None:
    key = (row["study_id"], row["scale"])
    if key in seen:
        raise InputError(
            "a study appears twice on one scale",
            field="study_id",
            found=key,
            allowed="each (study_id, scale) once",
        ).advice(f"also in row {seen[key]}", remedy="remove one row")
    seen[key] = line


def _check_overlap(row: Row, *, line: int, groups: dict[str, tuple[int, str]]) -> None:
    """Two rows of one overlap group share children: only one may enter."""
    if row["use"] not in IN_MODEL:
        return
    group = row["overlap_group"]
    if group in groups:
        first, study = groups[group]
        raise InputError(
            "two rows of one overlap group are both in the synthesis",
            field="overlap_group",
            found=f"{group} (also row {first}, {study})",
            allowed="one row in the synthesis per overlap group",
        ).advice(
            "one study on two scales or at two follow-ups, or a review and a trial inside it",
            remedy="exclude one of the two with a reason",
        )
    groups[group] = (line, row["study_id"])


def _rules_of_use(row: Row) -> tuple[Rule, ...]:
    """Rules that depend on what the row is used for, and on whether it speaks of those served or of an area."""
    if row["use"] not in IN_MODEL:
        return (_EXCLUDED,)
    of_use = _SYNTHESIS if row["use"] == "synthesis" else _CENSORED
    return (*_IN_MODEL, *of_use, *_SIZES, *(_SERVED if row["level"] == "served" else _AREA))


def _empty(column: str, problem: str) -> Rule:
    """A text that must be given."""
    return Rule(column, lambda row: not row[column]).wrong(problem, allowed="text")


def _unknown(column: str, problem: str, *, known: tuple[str, ...], cause: str, remedy: str) -> Rule:
    """A text that must be one of a few words."""
    return (
        Rule(column, lambda row: row[column] not in known, lambda row: repr(row[column]))
        .wrong(problem, allowed=", ".join(known))
        .advice(cause, remedy=lambda row: remedy + nearest(row[column], known))
    )


def within(
    column: str, problem: str, *, low: float, high: float, when: Callable[[Row], bool] | None = None
) -> Rule:
    """A number that must lie between two limits where it is given."""
    return (
        Rule(
            column,
            lambda row: (
                (when is None or when(row)) and not (math.isnan(row[column]) or low <= row[column] <= high)
            ),
            lambda row: f"{row[column]:g}",
        )
        .wrong(problem, allowed=f"{low:g} to {high:g}, or empty")
        .advice("a digit too many, or a number in the wrong column", remedy="correct the cell")
    )


WEB_ADDRESS = (
    Rule(
        "url",
        lambda row: row["url"] and not re.fullmatch(r"https?://[^\s/]+\S*", row["url"]),
        lambda row: row["url"],
    )
    .wrong("an address is not a web address", allowed="https://... or http://..., or empty")
    .advice("another kind of address, or two of them", remedy="give the page")
)


def year_within(column: str, problem: str) -> Rule:
    """A year that can be, where it is given."""
    return within(column, problem, low=1900, high=2100)


def _range(name: str, *, lowest: float, highest: float, allowed: str) -> tuple[Rule, Rule]:
    """A pair <name>_low, <name>_high that must be a range inside the limits, with a reason, or empty."""
    words, low, high, reason = name.replace("_", " "), f"{name}_low", f"{name}_high", f"{name}_reason"

    def given(row: Row) -> bool:
        return not (math.isnan(row[low]) and math.isnan(row[high]))

    return (
        Rule(
            low,
            lambda row: given(row) and not lowest < row[low] < row[high] < highest,
            lambda row: f"{row[low]:g} to {row[high]:g}",
        )
        .wrong(f"the {words} is not a range", allowed=allowed)
        .advice("one end left out, or the two swapped", remedy="give its 5% and 95% point"),
        Rule(reason, lambda row: given(row) and not row[reason])
        .wrong(f"the {words} has no reason", allowed="text")
        .advice("numbers typed without their derivation", remedy="say why this range"),
    )


def _arm(arm: str) -> tuple[Rule, ...]:
    """Size, events and risk of one arm."""
    n, events, risk = f"n_{arm}", f"events_{arm}", f"risk_{arm}"
    return (
        Rule(
            n, lambda row: row[n] <= 0 or row[events] < 0, lambda row: f"n {row[n]:g}, events {row[events]:g}"
        )
        .wrong("a count is not positive", allowed="n above 0, events 0 or more")
        .advice("a sign or a blank typed as 0", remedy="correct it"),
        Rule(events, lambda row: row[events] > row[n], lambda row: f"{row[events]:g} of {row[n]:g}")
        .wrong("more events than people", allowed="events <= n")
        .advice("columns swapped, or a per cent typed for a count", remedy="correct the counts"),
        Rule(risk, lambda row: row[risk] < 0 or row[risk] > 1)
        .wrong("a risk is not a proportion", allowed="0 to 1")
        .advice("per cent typed for a proportion", remedy="divide by 100"),
    )


def _standard_error(column: str) -> Rule:
    return (
        Rule(column, lambda row: row[column] <= 0)
        .wrong("a standard error is not above 0", allowed="above 0, or empty")
        .advice("a sign, or an estimate in the wrong column", remedy="correct it, or leave the cell empty")
    )


def _bounds(row: Row) -> str:
    return f"{row['bound_low']:g} to {row['bound_high']:g}"


def _bounded(row: Row) -> bool:
    return not (math.isnan(row["bound_low"]) and math.isnan(row["bound_high"]))


def _covered(row: Row) -> bool:
    return not math.isnan(row["coverage_low"])


# --- The tables of rules: those of every row, then those of its use ---

_WORDS: tuple[Rule, ...] = (
    *(
        _empty(column, "a required cell is empty").advice(
            "a row added from a shorter form", remedy="fill it in"
        )
        for column in ("study_id", "outcome", "overlap_group", "transport_note")
    ),
    *(
        _unknown(
            column,
            f"an unknown {column}",
            known=WORDS[column],
            cause="a spelling mistake or a word from another table",
            remedy="use an allowed word",
        )
        for column in ("intervention", "design_class", "outcome_class", "scale", "quality", "use")
    ),
)

_NUMBERS: tuple[Rule, ...] = (
    WEB_ADDRESS,
    year_within("year", "a study is of a year that cannot be"),
    year_within("known_by", "a study became known in a year that cannot be"),
    within("follow_up_months", "a follow-up cannot be that long", low=0, high=600),
    *(
        within(
            column,
            "the logarithm of a ratio is too large",
            low=-LARGEST_LOG,
            high=LARGEST_LOG,
            when=lambda row: row["scale"].startswith("log_"),
        )
        for column in ("estimate", "se", "ci_low", "ci_high", "se_assumed", "bound_low", "bound_high")
    ),
    *_arm("treat"),
    *_arm("control"),
    _standard_error("se"),
    _standard_error("se_assumed"),
    Rule("se_assumed_reason", lambda row: not math.isnan(row["se_assumed"]) and not row["se_assumed_reason"])
    .wrong("an assumed standard error has no reason", allowed="text")
    .advice("a number typed without its derivation", remedy="say why this value"),
    Rule(
        "ci_low",
        lambda row: math.isnan(row["ci_low"]) != math.isnan(row["ci_high"]),
        lambda row: f"{row['ci_low']} to {row['ci_high']}",
    )
    .wrong("an interval has one end only", allowed="both ends or neither")
    .advice("a cell left out", remedy="add the other end"),
    Rule(
        "estimate",
        lambda row: not math.isnan(row["ci_low"]) and not row["ci_low"] <= row["estimate"] <= row["ci_high"],
        lambda row: f"{row['estimate']:g}, interval {row['ci_low']:g} to {row['ci_high']:g}",
    )
    .wrong("a confidence interval does not hold its estimate", allowed="ci_low <= estimate <= ci_high")
    .advice(
        "ratio and log ratio mixed, or a sign reversed in one of them",
        remedy="put estimate and interval on the scale of the row",
    ),
)

_EXCLUDED = _empty("exclusion_reason", "a study is excluded without a reason").advice(
    "a row switched off", remedy="say why it does not enter the synthesis"
)

_IN_MODEL: tuple[Rule, ...] = (
    Rule("exclusion_reason", itemgetter("exclusion_reason"))
    .wrong("a study in the synthesis has a reason for exclusion", allowed="empty")
    .advice("a row switched on by halves", remedy="empty the cell or set use to excluded"),
    _unknown(
        "estimand",
        "an unknown estimand",
        known=tuple(SCALES_OF_ESTIMAND),
        cause="a synthesis row does not say what it estimates",
        remedy="use an allowed estimand",
    ),
    Rule(
        "service_class",
        lambda row: row["service_class"] not in CLASSES_OF_ESTIMAND.get(row["estimand"], ()),
        lambda row: repr(row["service_class"]),
    )
    .wrong("an unknown class of service", allowed=lambda row: ", ".join(CLASSES_OF_ESTIMAND[row["estimand"]]))
    .advice("a row written before classes, or a class of another outcome", remedy="use an allowed word"),
    *(
        _unknown(
            column,
            problem,
            known=WORDS[column],
            cause="a row written before studies stated it",
            remedy="write yes or no, by what the study describes",
        )
        for column, problem in (
            ("at_scale", "a used row does not say whether its service was delivered at scale"),
            ("usual_help", "a used row does not say whether its comparison had the usual help"),
        )
    ),
    _empty("class_reason", "class, scale and comparison of a study have no reason").advice(
        "words typed without their ground", remedy="say what the study describes"
    ),
)

_SYNTHESIS: tuple[Rule, ...] = (
    Rule("scale", lambda row: row["scale"] not in SCALES_OF_ESTIMAND[row["estimand"]])
    .wrong(
        "a scale cannot be turned into the estimand",
        allowed=lambda row: ", ".join(SCALES_OF_ESTIMAND[row["estimand"]]),
    )
    .advice(
        lambda row: f"{row['estimand']} asked of a row on another scale",
        remedy="give the estimate on an allowed scale, or exclude the row with a reason",
    ),
    Rule("bound_low", _bounded, _bounds)
    .wrong("a study with an estimate has bounds too", allowed="empty, or use = censored")
    .advice("an interval typed in the wrong columns", remedy="empty the bounds, or set use to censored"),
)

_CENSORED: tuple[Rule, ...] = (
    Rule("bound_low", lambda row: not _bounded(row))
    .wrong(
        "a censored study has no bounds",
        allowed="bound_low, bound_high or both, on the scale of the estimand",
    )
    .advice(
        "a direction or a null result without the interval it implies",
        remedy="add a bound (not significant at 5%: plus and minus 1.96 standard errors), or exclude the row",
    ),
    Rule("bound_low", lambda row: row["bound_low"] >= row["bound_high"], _bounds)
    .wrong("the bounds of a censored study are not in order", allowed="bound_low below bound_high")
    .advice("the two swapped", remedy="swap them"),
    _empty("bound_reason", "the bounds of a censored study have no reason").advice(
        "numbers typed without their derivation", remedy="say why these bounds"
    ),
    Rule("se_assumed", lambda row: not (row["se"] > 0 or row["se_assumed"] > 0))
    .wrong("a censored study has no uncertainty", allowed="above 0")
    .advice(
        "a null result whose precision is not published",
        remedy="add an assumed standard error with its reason, or exclude the row",
    ),
)

_SIZES: tuple[Rule, ...] = (
    *_range("design_effect", lowest=0.0, highest=math.inf, allowed="above 0, low below high"),
    _unknown(
        "level",
        "an unknown level",
        known=WORDS["level"],
        cause="a used row does not say whether its effect is on those served or on an area",
        remedy="use an allowed word",
    ),
    *_range("coverage", lowest=0.0, highest=1.0, allowed="0 < low < high < 1"),
)

_SERVED: tuple[Rule, ...] = (
    Rule(
        lambda row: "coverage_low" if _covered(row) else "starts_ages",
        lambda row: _covered(row) or row["starts_ages"],
        lambda row: f"{row['coverage_low']:g}" if _covered(row) else row["starts_ages"],
    )
    .wrong("an effect on those served has a coverage", allowed="empty, or level = area")
    .advice("the level left as it was", remedy="empty coverage and ages, or set level to area"),
)

_AREA: tuple[Rule, ...] = (
    Rule("level", lambda row: row["estimand"] != AREA_ESTIMAND, itemgetter("estimand"))
    .wrong("an area-level effect is of another estimand", allowed=f"{AREA_ESTIMAND} only")
    .advice(
        "coverage and reach are modelled for family help alone",
        remedy="set level to served, or exclude the row with a reason",
    ),
    _unknown(
        "design_class",
        "an area-level effect is of a design without a bias stated for whole areas",
        known=AREA_DESIGNS,
        cause="a comparison of those served entered as one of areas",
        remedy="use a design of areas, or set level to served",
    ),
    Rule("coverage_low", lambda row: not _covered(row))
    .wrong(
        "an area-level effect has no coverage",
        allowed="5% and 95% point of the share of eligible children served",
    )
    .advice(
        "a whole-area result without the share of families served",
        remedy="add coverage_low, coverage_high and coverage_reason (wide where it is a judgement)",
    ),
    _unknown(
        "starts_ages",
        "an area-level effect does not say whose starts",
        known=WORDS["starts_ages"],
        cause="a cell left out",
        remedy="use an age band, or all",
    ),
)
