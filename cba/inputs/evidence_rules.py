"""The checks a row of the evidence table must pass; each refusal names row, study and column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cba.errors import InputError
from cba.inputs.evidence_columns import (
    DESIGN_CLASSES,
    IN_MODEL,
    INTERVENTIONS,
    OUTCOME_CLASSES,
    QUALITIES,
    SCALES,
    USES,
)
from cba.inputs.evidence_use_rules import check_use
from cba.inputs.toml_reading import nearest

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
    """Refuse the first row of the effects table that breaks a rule.

    Parameters
    ----------
    rows : list of dict
        Rows in file order, numbers as float (NaN for an empty cell), everything else as text.
    file : str or Path
        Named in messages; the row is given as its line in the file (the heading is line 1).

    Raises
    ------
    InputError
        Words outside the lists above; duplicate (study_id, scale); events above n or counts below 0; an
        interval that does not hold its estimate; standard errors not above 0; a row that is not what its
        use says (see :func:`cba.inputs.evidence_use_rules.check_use`); two used rows of one overlap group.
    """
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
