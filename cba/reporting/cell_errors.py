"""How a cell of a table is printed: as far as its Monte Carlo error lets it, in the style its row's unit asks for."""

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

ERRORS = ("mcse", "se")
"""Columns that hold an error, alone or as the beginning or the end of a name (``mcse_lower``, ``swing_se``)."""

WITHOUT_UNIT = ("rhat", "ess", "weight", "k_hat")
"""Beginnings of columns that judge or weigh what stands in their row: the row's error, in its unit, is not theirs."""

IN_UNIT = ("mean", "median", "lower", "upper")
"""Columns in the unit of their row, as its errors are; others, such as the ends of an input, have their own."""

MONEY = "GBP"
CHANCE = "probability"
CHILDREN = "children"
UNITS: Mapping[str, str] = {
    "npv": MONEY,
    "system_cost": MONEY,
    "children_in_care": CHILDREN,
    "fewer_children": CHILDREN,
    "prob_": CHANCE,
}
"""Beginnings of what a column ``quantity`` holds, to the unit of a row that states none."""


def is_error(field: str) -> bool:
    """Return whether a column holds errors.

    Parameters
    ----------
    field : str
        Name of the column.

    Returns
    -------
    bool

    Examples
    --------
    >>> [is_error(name) for name in ("mcse", "mcse_lower", "swing_se", "se", "mean", "sets")]
    [True, True, True, True, False, False]
    """
    return any(field == name or field.startswith(f"{name}_") or field.endswith(f"_{name}") for name in ERRORS)


def unit_style(row: Mapping[str, Any], field: str, *, style: Style) -> Style:
    """Return the style of a cell of a table that holds several quantities: the row's unit decides for a number.

    Parameters
    ----------
    row : mapping
        One row of a table. Its ``unit`` is read or, where it has none, its ``quantity``.
    field : str
        Name of the column.
    style : str
        What the column asks for; only ``number`` gives way.

    Returns
    -------
    str
        ``money`` and ``count`` for amounts and children and their errors; ``probability`` for chances, whose errors
        stay numbers.

    Examples
    --------
    >>> row = {"unit": "GBP", "mean": -9.1e9, "mcse": 1.8e7, "rhat": 1.0}
    >>> [unit_style(row, field, style="number") for field in ("mean", "mcse", "rhat")]
    ['money', 'money', 'number']
    >>> unit_style({"quantity": "prob_children_100000", "mean": 0.4}, "mean", style="number")
    'probability'
    """
    if style != "number" or not (field in IN_UNIT or is_error(field)):
        return style
    quantity = str(row.get("quantity", ""))
    implied = next((unit for start, unit in UNITS.items() if quantity.startswith(start)), "")
    unit = str(row.get("unit", implied))
    if unit in (MONEY, CHILDREN):
        return "money" if unit == MONEY else "count"
    return "probability" if unit == CHANCE and not is_error(field) else style


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
        0 for a column that holds errors or judges its row: it has no error of its own.

    Examples
    --------
    >>> row_error(row, "mean", style="money", appraisal=appraisal)  # doctest: +SKIP
    """
    if is_error(field) or field.startswith(WITHOUT_UNIT):
        return 0.0
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
