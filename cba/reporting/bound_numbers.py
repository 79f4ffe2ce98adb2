"""Numbers in the page that say where they come from.

Each is a ``<data>`` element: the text is rounded for reading, ``value`` is the raw number, and the
``data-`` attributes
name the stance and either a key and field of ``results``, or a table, a field and the rows. A reader's
program, and a
test, can look every one up again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from cba.errors import InputError
from cba.reporting.cell_errors import row_error, unit_style
from cba.reporting.numbers import (
    UNDEFINED,
    Style,
    is_defined,
    percentage_step,
    rounding_unit,
    show,
)

if TYPE_CHECKING:
    from cba.appraisal import Appraisal

STYLE_OF_QUANTITY: tuple[tuple[str, Style], ...] = (
    ("children_in_care", "count"),
    ("fewer_children", "fewer"),
    ("prob_", "probability"),
    ("npv", "net"),
    ("bcr", "ratio"),
    ("payback_year", "year"),
    ("gross_saving", "money"),
    ("annual_saving", "money"),
    ("system_cost", "money"),
)


_TESTS: dict[str, Callable[[pd.Series, Any], pd.Series]] = {
    "": lambda cells, value: cells == value,
    "starts": lambda cells, value: cells.astype(str).str.startswith(str(value)),
    "from": lambda cells, value: cells >= value,
    "to": lambda cells, value: cells <= value,
    "never": lambda cells, value: cells.isna() == value,
    "not": lambda cells, value: cells != value,
    "before": lambda cells, value: cells.astype(str) < str(value),
    "among": lambda cells, value: cells.isin(str(value).split()),
}


def style_of(key: str) -> Style:
    """Return how a result is written, from the start of its key.

    Parameters
    ----------
    key : str
        Key of a result.

    Returns
    -------
    str

    Examples
    --------
    >>> style_of("prob_npv_positive.care_review"), style_of("npv_fiscal.care_review")
    ('probability', 'net')
    """
    return next((style for start, style in STYLE_OF_QUANTITY if key.startswith(start)), "number")


def bound(value: object, text: str, attributes: Mapping[str, object]) -> Markup:
    """Return a ``<data>`` element; every attribute and the text are escaped.

    Parameters
    ----------
    value : object
        Raw value.
    text : str
        What the reader sees.
    attributes : mapping
        Names and values of the ``data-`` attributes.

    Returns
    -------
    Markup

    Examples
    --------
    >>> print(bound(0.25, "25%", {"data-key": "prob_never.a", "data-field": "mean"}))
    <data class="n" value="0.25" data-key="prob_never.a" data-field="mean">25%</data>
    """
    raw = repr(float(value)) if is_defined(value) else ""
    named = "".join(f' {name}="{escape(str(content))}"' for name, content in attributes.items())
    return Markup(f'<data class="n" value="{raw}"{named}>{escape(text)}</data>')


def result_number(
    appraisal: Appraisal, key: str, field: str = "mean", *, style: Style | None = None
) -> Markup:
    """Return one field of one result as a bound number.

    Parameters
    ----------
    appraisal : Appraisal
    key : str
        Key of ``appraisal.results``.
    field : str
        ``mean``, ``median``, ``lower``, ``upper``, ``level`` or ``mcse``.
    style : str, optional
        See :func:`cba.reporting.numbers.show`; by default from the key.

    Returns
    -------
    Markup

    Raises
    ------
    InputError
        If the appraisal has no such key or the result no such field.

    Examples
    --------
    >>> result_number(appraisal, "bcr.care_review")  # doctest: +SKIP
    """
    entry = appraisal.results.get(key)
    if entry is None or field not in entry:
        raise InputError(
            "the appraisal has no such result", field=f"{key}, {field}", allowed="a key of results"
        )
    value = entry[field]
    chosen = style or ("share" if field == "level" else style_of(key))
    unit = _unit(entry, value, chosen, field=field)
    text = show(value, style=chosen, unit=unit)
    return bound(value, text, {"data-stance": appraisal.stance, "data-key": key, "data-field": field})


def _unit(entry: Mapping[str, Any], value: object, style: Style, *, field: str) -> float | None:
    """Return what to round to: for a probability its standard error, for an error its second figure."""
    if field in ("level", "mcse"):
        return rounding_unit(float(value), figures=2) if is_defined(value) else None
    stated = entry.get("mcse")
    error = float(stated) if is_defined(stated) else 0.0
    if style == "probability":
        return error
    return rounding_unit(float(value), error) if is_defined(value) else None


def matching_rows(frame: pd.DataFrame, where: Mapping[str, object]) -> pd.DataFrame:
    """Return the rows that hold the given values.

    Parameters
    ----------
    frame : DataFrame
    where : mapping
        Column to value; ``name__starts`` asks how a text starts, ``year__from`` and ``year__to`` bound a
        number, ``year__never`` asks whether it is missing, ``name__among`` whether it is one of several words,
        ``name__not`` whether it differs, ``reviewed__before`` whether an ISO date is earlier.

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        If a column does not exist.

    Examples
    --------
    >>> matching_rows(frame, where)  # doctest: +SKIP
    """
    held = np.ones(len(frame), dtype=bool)
    for key, value in where.items():
        column, _, test = key.partition("__")
        if column not in frame:
            raise InputError(
                "a table has no such column", field=column, allowed=", ".join(map(str, frame.columns))
            )
        held &= _TESTS[test](frame[column], value).to_numpy(dtype=bool)
    return frame[held]


def table_number(
    appraisal: Appraisal,
    table: str,
    field: str,
    *,
    where: Mapping[str, object],
    style: Style = "number",
    aggregate: str = "",
    error: float | None = None,
) -> Markup:
    """Return one cell of a table, or the ``sum`` or ``count`` of the matching cells, as a bound number.

    Parameters
    ----------
    appraisal : Appraisal
    table, field : str
        Name of the table and of the column.
    where : mapping
        Column values that pick the rows.
    style : str
        See :func:`cba.reporting.numbers.show`.
    aggregate : str
        Empty for one cell; ``sum`` or ``count`` over the rows that match.
    error : float, optional
        Monte Carlo standard error of the cell, where its row does not state it.

    Returns
    -------
    Markup

    Raises
    ------
    InputError
        If, without an aggregate, not exactly one row matches.

    Examples
    --------
    >>> table_number(appraisal, "npv", "mean", where={})  # doctest: +SKIP
    """
    rows = matching_rows(appraisal.tables[table], where)
    attributes = {"data-stance": appraisal.stance, "data-table": table, "data-field": field}
    attributes["data-where"] = urlencode(where)
    if aggregate:
        attributes["data-aggregate"] = aggregate
        value = float(rows[field].sum()) if aggregate == "sum" else float(len(rows))
        return bound(value, show(value, style=style), attributes)
    if len(rows) != 1:
        raise InputError(
            "a cell is not one cell", field=f"{table}, {where}", found=f"{len(rows)} rows", allowed="1"
        )
    row = rows.iloc[0].to_dict() | ({} if error is None else {"mcse": error})
    return bound(row[field], cell_text(row, field, style=style, appraisal=appraisal), attributes)


def cell_text(row: Mapping[str, Any], field: str, *, style: Style, appraisal: Appraisal) -> str:
    """Return the text of one cell, rounded to the error its row states or its interval implies.

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
    str

    Examples
    --------
    >>> cell_text(row, "mean", style="money", appraisal=appraisal)  # doctest: +SKIP
    """
    value = row[field]
    if not is_defined(value):
        return UNDEFINED
    if style == "plain":
        return show(value, style=style)
    style = unit_style(row, field, style=style)
    error = row_error(row, field, style=style, appraisal=appraisal)
    if style == "share":
        return show(value, style=style, unit=percentage_step(error))
    unit = error if style == "probability" else rounding_unit(float(value), error)
    return show(value, style=style, unit=unit)
