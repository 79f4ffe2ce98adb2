"""The checks a row of the evidence table must pass; each refusal names row, study and column."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cba.errors import InputError
from cba.inputs.evidence_columns import (
    DESIGN_CLASSES,
    IN_MODEL,
    INTERVENTIONS,
    LEVELS,
    OUTCOME_CLASSES,
    QUALITIES,
    SCALES,
    SCALES_OF_ESTIMAND,
    STARTS_AGES,
    USES,
)
from cba.inputs.files import nearest

# --- The checks on how a row of the evidence table is used: as an estimate, an interval, at area … ---


UseRow = Mapping[str, Any]


Refuse = Callable[..., InputError]


AREA_ESTIMAND = "care_entry_log_rr"
"""Only family help has a product of coverage, reach and effect."""


def check_use(row: UseRow, refuse: Refuse) -> None:
    """Refuse a row that is not what its `use` says.

    `row`: one row, numbers as float (NaN where empty). `refuse`:
    ``refuse(problem, column, found=, allowed=, cause=, remedy=)`` returns the error for one cell.
    """
    if row["use"] not in IN_MODEL:
        if not row["exclusion_reason"]:
            raise refuse(
                "a study is excluded without a reason", "exclusion_reason", found="empty", allowed="text",
                cause="a row switched off", remedy="say why it does not enter the synthesis",
            )  # fmt: skip
        return
    _check_estimand(row, refuse)
    _check_bounds(row, refuse)
    _check_range(
        row, refuse, "design_effect", lowest=0.0, highest=math.inf, allowed="above 0, low below high"
    )
    _check_level(row, refuse)


def _check_estimand(row: UseRow, refuse: Refuse) -> None:
    if row["exclusion_reason"]:
        raise refuse(
            "a study in the synthesis has a reason for exclusion", "exclusion_reason",
            found=row["exclusion_reason"], allowed="empty", cause="a row switched on by halves",
            remedy="empty the cell or set use to excluded",
        )  # fmt: skip
    allowed = SCALES_OF_ESTIMAND.get(row["estimand"])
    if allowed is None:
        raise refuse(
            "an unknown estimand", "estimand", found=repr(row["estimand"]),
            allowed=", ".join(SCALES_OF_ESTIMAND), cause="a synthesis row does not say what it estimates",
            remedy="use an allowed estimand" + nearest(row["estimand"], SCALES_OF_ESTIMAND),
        )  # fmt: skip
    if row["use"] == "synthesis" and row["scale"] not in allowed:
        raise refuse(
            "a scale cannot be turned into the estimand", "scale", found=row["scale"],
            allowed=", ".join(allowed), cause=f"{row['estimand']} asked of a row on another scale",
            remedy="give the estimate on an allowed scale, or exclude the row with a reason",
        )  # fmt: skip


def _check_bounds(row: UseRow, refuse: Refuse) -> None:
    low, high = row["bound_low"], row["bound_high"]
    bounded = not (math.isnan(low) and math.isnan(high))
    if row["use"] == "synthesis":
        if bounded:
            raise refuse(
                "a study with an estimate has bounds too", "bound_low", found=f"{low:g} to {high:g}",
                allowed="empty, or use = censored", cause="an interval typed in the wrong columns",
                remedy="empty the bounds, or set use to censored",
            )  # fmt: skip
        return
    if not bounded:
        raise refuse(
            "a censored study has no bounds", "bound_low", found="empty",
            allowed="bound_low, bound_high or both, on the scale of the estimand",
            cause="a direction or a null result without the interval it implies",
            remedy="add a bound (not significant at 5%: plus and minus 1.96 standard errors), or exclude the row",
        )  # fmt: skip
    if low >= high:
        raise refuse(
            "the bounds of a censored study are not in order", "bound_low", found=f"{low:g} to {high:g}",
            allowed="bound_low below bound_high", cause="the two swapped", remedy="swap them",
        )  # fmt: skip
    if not row["bound_reason"]:
        raise refuse(
            "the bounds of a censored study have no reason", "bound_reason", found="empty", allowed="text",
            cause="numbers typed without their derivation", remedy="say why these bounds",
        )  # fmt: skip
    if not (row["se"] > 0 or row["se_assumed"] > 0):
        raise refuse(
            "a censored study has no uncertainty", "se_assumed", found="empty", allowed="above 0",
            cause="a null result whose precision is not published",
            remedy="add an assumed standard error with its reason, or exclude the row",
        )  # fmt: skip


def _check_range(
    row: UseRow, refuse: Refuse, name: str, *, lowest: float, highest: float, allowed: str
) -> None:
    """Refuse a pair <name>_low, <name>_high that is not a range inside the limits with a reason."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if math.isnan(low) and math.isnan(high):
        return
    words = name.replace("_", " ")
    if not lowest < low < high < highest:
        raise refuse(
            f"the {words} is not a range", f"{name}_low", found=f"{low:g} to {high:g}", allowed=allowed,
            cause="one end left out, or the two swapped", remedy="give its 5% and 95% point",
        )  # fmt: skip
    if not row[f"{name}_reason"]:
        raise refuse(
            f"the {words} has no reason", f"{name}_reason", found="empty", allowed="text",
            cause="numbers typed without their derivation", remedy="say why this range",
        )  # fmt: skip


def _check_level(row: UseRow, refuse: Refuse) -> None:
    if row["level"] not in LEVELS:
        raise refuse(
            "an unknown level", "level", found=repr(row["level"]), allowed=", ".join(LEVELS),
            cause="a used row does not say whether its effect is on those served or on an area",
            remedy="use an allowed word" + nearest(row["level"], LEVELS),
        )  # fmt: skip
    _check_range(row, refuse, "coverage", lowest=0.0, highest=1.0, allowed="0 < low < high < 1")
    covered = not math.isnan(row["coverage_low"])
    if row["level"] == "served":
        if covered or row["starts_ages"]:
            raise refuse(
                "an effect on those served has a coverage", "coverage_low" if covered else "starts_ages",
                found=f"{row['coverage_low']:g}" if covered else row["starts_ages"],
                allowed="empty, or level = area", cause="the level left as it was",
                remedy="empty coverage and ages, or set level to area",
            )  # fmt: skip
        return
    if row["estimand"] != AREA_ESTIMAND:
        raise refuse(
            "an area-level effect is of another estimand", "level", found=row["estimand"],
            allowed=f"{AREA_ESTIMAND} only", cause="coverage and reach are modelled for family help alone",
            remedy="set level to served, or exclude the row with a reason",
        )  # fmt: skip
    if not covered:
        raise refuse(
            "an area-level effect has no coverage", "coverage_low", found="empty",
            allowed="5% and 95% point of the share of eligible children served",
            cause="a whole-area result without the share of families served",
            remedy="add coverage_low, coverage_high and coverage_reason (wide where it is a judgement)",
        )  # fmt: skip
    if row["starts_ages"] not in STARTS_AGES:
        raise refuse(
            "an area-level effect does not say whose starts", "starts_ages", found=repr(row["starts_ages"]),
            allowed=", ".join(STARTS_AGES), cause="a cell left out",
            remedy="use an age band, or all" + nearest(row["starts_ages"], STARTS_AGES),
        )  # fmt: skip


_WORDS = {
    "intervention": INTERVENTIONS,
    "design_class": DESIGN_CLASSES,
    "outcome_class": OUTCOME_CLASSES,
    "scale": SCALES,
    "quality": QUALITIES,
    "use": USES,
}


Row = Mapping[str, Any]


def check_rows(rows: list[dict[str, Any]], *, file: str | Path) -> None:
    """Refuse the first row of the effects table that breaks a rule."""
    seen: dict[tuple[str, str], int] = {}
    groups: dict[str, tuple[int, str]] = {}
    for line, row in enumerate(rows, start=2):
        _check_words(row, line, file)
        key = (row["study_id"], row["scale"])
        if key in seen:
            raise refusal(
                "a study appears twice on one scale",
                file,
                line,
                "study_id",
                row,
                found=key,
                allowed="each (study_id, scale) once",
                cause=f"also in row {seen[key]}",
                remedy="remove one row",
            )
        seen[key] = line
        _check_counts(row, line, file)
        _check_uncertainty(row, line, file)
        check_use(row, partial(_refused, row=row, line=line, file=file))
        _check_overlap(row, line, file, groups)


def refusal(
    problem: str,
    file: str | Path,
    line: int,
    column: str,
    row: Row,
    *,
    found: object,
    allowed: object,
    cause: str,
    remedy: str,
) -> InputError:
    """Return the error for one cell, naming row, study and column."""
    place = f"row {line} ({row.get('study_id', '') or 'no study_id'}), column {column}"
    return InputError(
        problem, file=file, field=place, found=found, allowed=allowed, cause=cause, remedy=remedy
    )


def _refused(
    problem: str, column: str, *, row: Row, line: int, file: str | Path, **words: object
) -> InputError:
    return refusal(problem, file, line, column, row, **words)  # type: ignore[arg-type]


def _check_words(row: Row, line: int, file: str | Path) -> None:
    for column in ("study_id", "outcome", "overlap_group", "transport_note"):
        if not row[column]:
            raise refusal(
                "a required cell is empty",
                file,
                line,
                column,
                row,
                found="empty",
                allowed="text",
                cause="a row added from a shorter form",
                remedy="fill it in",
            )
    for column, allowed in _WORDS.items():
        if row[column] not in allowed:
            raise refusal(
                f"an unknown {column}",
                file,
                line,
                column,
                row,
                found=repr(row[column]),
                allowed=", ".join(allowed),
                cause="a spelling mistake or a word from another table",
                remedy="use an allowed word" + nearest(row[column], allowed),
            )


def _check_counts(row: Row, line: int, file: str | Path) -> None:
    for arm in ("treat", "control"):
        n, events, risk = row[f"n_{arm}"], row[f"events_{arm}"], row[f"risk_{arm}"]
        if n <= 0 or events < 0:
            raise refusal(
                "a count is not positive",
                file,
                line,
                f"n_{arm}",
                row,
                found=f"n {n:g}, events {events:g}",
                allowed="n above 0, events 0 or more",
                cause="a sign or a blank typed as 0",
                remedy="correct it",
            )
        if events > n:
            raise refusal(
                "more events than people",
                file,
                line,
                f"events_{arm}",
                row,
                found=f"{events:g} of {n:g}",
                allowed="events <= n",
                cause="columns swapped, or a per cent typed for a count",
                remedy="correct the counts",
            )
        if risk < 0 or risk > 1:
            raise refusal(
                "a risk is not a proportion",
                file,
                line,
                f"risk_{arm}",
                row,
                found=risk,
                allowed="0 to 1",
                cause="per cent typed for a proportion",
                remedy="divide by 100",
            )


def _check_uncertainty(row: Row, line: int, file: str | Path) -> None:
    for column in ("se", "se_assumed"):
        if row[column] <= 0:
            raise refusal(
                "a standard error is not above 0",
                file,
                line,
                column,
                row,
                found=row[column],
                allowed="above 0, or empty",
                cause="a sign, or an estimate in the wrong column",
                remedy="correct it, or leave the cell empty",
            )
    if not math.isnan(row["se_assumed"]) and not row["se_assumed_reason"]:
        raise refusal(
            "an assumed standard error has no reason",
            file,
            line,
            "se_assumed_reason",
            row,
            found="empty",
            allowed="text",
            cause="a number typed without its derivation",
            remedy="say why this value",
        )
    low, high, estimate = row["ci_low"], row["ci_high"], row["estimate"]
    if math.isnan(low) != math.isnan(high):
        raise refusal(
            "an interval has one end only",
            file,
            line,
            "ci_low",
            row,
            found=f"{low} to {high}",
            allowed="both ends or neither",
            cause="a cell left out",
            remedy="add the other end",
        )
    if not math.isnan(low) and not low <= estimate <= high:
        raise refusal(
            "a confidence interval does not hold its estimate",
            file,
            line,
            "estimate",
            row,
            found=f"{estimate:g}, interval {low:g} to {high:g}",
            allowed="ci_low <= estimate <= ci_high",
            cause="ratio and log ratio mixed, or a sign reversed in one of them",
            remedy="put estimate and interval on the scale of the row",
        )


def _check_overlap(row: Row, line: int, file: str | Path, groups: dict[str, tuple[int, str]]) -> None:
    """Two rows of one overlap group share children: only one may enter."""
    if row["use"] not in IN_MODEL:
        return
    group = row["overlap_group"]
    if group in groups:
        first, study = groups[group]
        raise refusal(
            "two rows of one overlap group are both in the synthesis",
            file,
            line,
            "overlap_group",
            row,
            found=f"{group} (also row {first}, {study})",
            allowed="one row in the synthesis per overlap group",
            cause="one study on two scales or at two follow-ups, or a review and a trial inside it",
            remedy="exclude one of the two with a reason",
        )
    groups[group] = (line, row["study_id"])
