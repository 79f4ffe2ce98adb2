"""The Monte Carlo error of a cell, which says how far it is printed: stated by its row, or implied by its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cba.reporting.numbers import Style, error_from_interval, is_defined

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

ERRORS_IN_SE = ("value", "expected_payoff", "effect")
"""Columns whose standard error stands in a column ``se`` of their table; others have ``<column>_se``, if any."""

SAMPLED = "effect"
"""Column whose ``_se`` is a study's sampling error, not a Monte Carlo error: it does not round the estimate."""

COMPARISONS = ("shift", "learned")
"""Columns that compare two intervals: the interval of their row is of another quantity."""


def row_error(row: Mapping[str, Any], field: str, *, style: Style, appraisal: Appraisal) -> float:
    """Return the standard error of a cell: stated in its row, else implied by its interval, else 0.

    Parameters
    ----------
    row : mapping
        One row of a table.
    field : str
        Name of the column.
    style : str
        See :func:`cba.reporting.numbers.show`.
    appraisal : Appraisal

    Returns
    -------
    float

    Examples
    --------
    >>> row_error(row, "mean", style="money", appraisal=appraisal)  # doctest: +SKIP
    """
    own = row.get(f"{field}_se", row.get("se") if field in ERRORS_IN_SE else None)
    own = None if field == SAMPLED and f"{SAMPLED}_se" in row else own
    if is_defined(own):
        return float(own)
    stated = row.get("prob_mcse" if style == "probability" and "prob_mcse" in row else "mcse")
    if style != "probability" and "prob_mcse" not in row and any(name.startswith("prob_") for name in row):
        stated = None  # where a row holds a chance and one error, the error is of the chance
    if is_defined(stated):
        return float(stated)
    draws = int(appraisal.analysis.draws)
    if style == "probability":
        value = float(row[field])
        return (max(value * (1.0 - value), 0.0) / draws) ** 0.5
    stem = field.rsplit("_", 1)[0] + "_" if "_" in field else ""
    lower, upper = row.get(f"{stem}lower"), row.get(f"{stem}upper")
    if is_defined(lower) and is_defined(upper) and field not in COMPARISONS:
        return error_from_interval(float(lower), float(upper), draws=draws)
    return 0.0
