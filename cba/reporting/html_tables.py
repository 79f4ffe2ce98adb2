"""Tables of an appraisal as accessible HTML and as a CSV link, with the same numbers in both."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
from markupsafe import Markup, escape

from cba.inputs.safe_files import csv_text, strict_json
from cba.reporting.names import full_name, input_name, stance_name
from cba.reporting.numbers import (
    UNDEFINED,
    Style,
    bound,
    cell_text,
    is_defined,
    matching_rows,
    result_number,
    show,
)

if TYPE_CHECKING:
    from cba.appraisal.record import Appraisal


# --- What the assumptions log prints: its rows with age, links and other stances, and quality set … ---


LOG, REGISTRY = "assumptions_log", "priors"


STALE_DAYS = 365
"""Days since the last review of an entry after which it is flagged."""


LEVELS = ("high", "some", "none")
"""Influence, as :func:`cba.tables.assumptions.assumptions_log` calls it."""


LEVEL_WORDS = {"high": "High influence", "some": "Some influence", "none": "No influence found"}


GRADED = ("red", "amber", "blue", "green")
"""Grades in the order in which better evidence would help most."""


NAMED = 3
"""Inputs named in words as most deserving better evidence."""


def assumption_rows(appraisal: Appraisal, *, as_at: str) -> dict[str, Any]:
    """Return what the templates print of the assumptions log."""
    # Returned: ``log`` (name of the table read), ``log_measured`` (whether influence was measured),
    # ``log_rows``, ``matrix`` (by grade, the rows of each level), ``deserving`` (rows whose evidence most
    # needs to be better), ``stale`` (whether any is flagged), ``stale_days``, ``stale_before`` (date before
    # which a review is stale).
    log = LOG if len(appraisal.tables.get(LOG, ())) else REGISTRY
    measured = log == LOG
    table = appraisal.tables[log]
    alternatives = appraisal.tables.get("prior_alternatives")
    with_alternatives = set() if alternatives is None else set(alternatives["name"])
    rows = [_row(position, row, as_at) for position, row in enumerate(table.to_dict("records"))]
    return {
        "log": log,
        "log_measured": measured,
        "log_rows": rows,
        "quantiles": _quantiles(table),
        "matrix": _matrix(rows) if measured else [],
        "level_words": LEVEL_WORDS,
        "deserving": _deserving(rows) if measured else [],
        "stale": any(row["stale"] for row in rows),
        "stale_before": _days_before(as_at),
        "stale_days": STALE_DAYS,
        "has_alternatives": with_alternatives.__contains__,
        "aged": any(row["age"] is not None for row in rows),
    }


def _quantiles(table: pd.DataFrame) -> list[tuple[str, str]]:
    named = (("p05", "5%"), ("q05", "5%"), ("p50", "50%"), ("q50", "50%"), ("p95", "95%"), ("q95", "95%"))
    return [(field, words) for field, words in named if field in table]


def _row(position: int, row: Mapping[str, Any], as_at: str) -> dict[str, Any]:
    """Return a row with its place in the table, its age, links and what other stances put in its place."""
    year, age = row.get("price_year"), age_in_days(row.get("reviewed"), as_at)
    return {
        **row,
        "position": position,
        "price_year": show(year, style="year") if is_defined(year) else "",
        "age": age,
        "stale": age is not None and age > STALE_DAYS,
        "sources": _sources(row),
        "others": strict_json(row["other_stances"]) if row.get("other_stances") else [],
    }


def age_in_days(reviewed: object, as_at: str) -> int | None:
    """Return the days between the last review of an entry and the run; None where either is not a date.

    Not below 0: an entry reviewed after the run is new.
    """
    try:
        days = (date.fromisoformat(as_at[:10]) - date.fromisoformat(str(reviewed)[:10])).days
    except ValueError:
        return None
    return max(days, 0)


def _days_before(as_at: str) -> str:
    """Return the date before which the last review of an entry makes it stale; empty without a date of the run."""
    try:
        return (date.fromisoformat(as_at[:10]) - timedelta(days=STALE_DAYS)).isoformat()
    except ValueError:
        return ""


def _sources(row: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """Return titles with the addresses that may stand in a link."""
    links = row.get("links")
    pairs = strict_json(links) if isinstance(links, str) and links else [[row.get("source", ""), ""]]
    return [{"title": str(title), "url": web_address(url)} for title, url in pairs]


def web_address(text: object) -> str | None:
    """Return an address that may stand in a link, or None.

    Only http and https addresses are links; whatever else is shown as text.
    """
    address = text.strip() if isinstance(text, str) else ""
    return address if re.match(r"https?://[^\s<>\"'\\]+$", address, re.I) else None


def _matrix(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, by grade, the measured rows of each level of influence."""
    kept = [row for row in rows if row["measured"] in ("draws", "fit")]
    return [
        {
            "grade": grade,
            "cells": [
                {
                    "level": level,
                    "rows": [r for r in kept if r["confidence"] == grade and r["level"] == level],
                }
                for level in LEVELS
            ],
        }
        for grade in GRADED
        if any(row["confidence"] == grade for row in kept)
    ]


def _deserving(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of most influence whose grade is not green, with the result each moves most."""
    clear = [row for row in rows if row["level"] != "none" and row["confidence"] != "green"]
    named = sorted(clear, key=lambda row: -float(row["influence"]))[:NAMED]
    return [row | {"moves": _moves(row)} for row in named]


def _moves(row: Mapping[str, Any]) -> str:
    """Return the result an input explains most of, among those it clearly moves."""
    shares = {name: float(row[f"{name}_share"]) for name in ("npv", "fewer_children") if row[f"{name}_clear"]}
    return max(shares, key=lambda name: shares[name])


LARGEST_LINK = 100_000
"""Characters of CSV the page carries in one link; larger tables are beside it, in the folder of the run."""


@dataclass(frozen=True)
class Column:
    """One column of a table: the field, its heading and how its cells are written.

    ``style`` is a number style, or ``text`` (as it stands), ``name`` (a category, written out),
    ``input`` (the name of an uncertain input) or ``option`` (the option's label).
    """

    field: str
    heading: str
    style: Style | str = "text"


def columns(*before: Sequence[Column], **styles: Mapping[str, str]) -> tuple[Column, ...]:
    """Return columns from the headings of fields by style, in the order they are given, after those `before`."""
    named = [Column(field, words, style) for style, held in styles.items() for field, words in held.items()]
    return (*(column for group in before for column in group), *named)


def range_columns(style: str, of: str = "", *, mean: str = "Mean") -> tuple[Column, ...]:
    """Return the columns mean, lower and upper. `of`: what their names begin with."""
    return columns(**{style: {f"{of}mean": mean, f"{of}lower": "Lower", f"{of}upper": "Upper"}})


def html_table(
    appraisal: Appraisal,
    table: str,
    shown: Sequence[Column],
    caption: str,
    *,
    where: Mapping[str, object] | None = None,
    order: str = "",
) -> Markup:
    """Return a table of an appraisal as HTML: caption, column scopes, first cell of each row its heading.

    Every number is a ``<data>`` element with its table, row (position in the whole table) and field. `shown`:
    columns in order; one whose field the table lacks is left out.
    """
    frame = appraisal.tables[table]
    kept = tuple(column for column in shown if column.field in frame)
    numbered = frame.reset_index(drop=True)
    rows = matching_rows(numbered, where or {})
    rows = rows.sort_values(order, ascending=False, kind="stable") if order else rows
    lines = []
    for position, row in zip(rows.index.tolist(), rows.to_dict("records"), strict=True):
        cells = [_cell(row, column, position, table, appraisal) for column in kept]
        lines.append(_line(cells, kept))
    return _framed(kept, lines, caption=caption)


def _framed(shown: Sequence[Column], lines: Sequence[Markup], *, caption: str) -> Markup:
    """Return rows as a table with its caption and headings, in a box that scrolls."""
    heads = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_align(column) if place else Markup(""), column.heading)
        for place, column in enumerate(shown)
    )
    body = Markup("").join(lines) or Markup('<tr><td colspan="{}">No rows.</td></tr>').format(len(shown))
    return Markup(
        '<div class="scroll" role="group" tabindex="0" aria-label="{}"><table>'
        "<caption><span>{}</span></caption>"
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(f"Table: {caption}", caption, heads, body)


def _align(column: Column) -> Markup:
    return Markup("") if column.style in ("text", "name", "input", "option") else Markup(' class="num"')


def _line(cells: Sequence[Markup], kept: Sequence[Column]) -> Markup:
    first = Markup('<tr><th scope="row">{}</th>').format(cells[0])
    rest = [
        Markup("<td{}>{}</td>").format(_align(c), cell) for c, cell in zip(kept[1:], cells[1:], strict=True)
    ]
    return first + Markup("").join(rest) + Markup("</tr>")


def _cell(row: Mapping[str, Any], column: Column, position: int, table: str, appraisal: Appraisal) -> Markup:
    """Return the content of one cell."""
    value = row[column.field]
    if column.style == "option":
        return escape(appraisal.option_labels.get(str(value), full_name(value)))
    if column.style in ("name", "input"):
        return escape((full_name if column.style == "name" else input_name)(value))
    if column.style == "text":
        if isinstance(value, bool) or str(value) in ("True", "False"):
            return escape("yes" if str(value) == "True" else "no")
        return escape("" if value is None or (isinstance(value, float) and pd.isna(value)) else str(value))
    value = float(value) if value is not None else None
    attributes = {
        "data-stance": appraisal.stance,
        "data-table": table,
        "data-row": position,
        "data-field": column.field,
    }
    if not is_defined(value):
        return bound(None, UNDEFINED, attributes)
    style = cast(Style, column.style)
    text = cell_text({**row, column.field: value}, column.field, style=style, appraisal=appraisal)
    return bound(value, text, attributes)


def csv_link(
    appraisal: Appraisal,
    table: str,
    *,
    name: str,
    where: Mapping[str, object] | None = None,
    fields: Sequence[str] = (),
) -> Markup:
    """Return a link that saves the rows as CSV, unrounded; the file is inside the page.

    Text that a spreadsheet would take for a formula is preceded by an apostrophe. `fields`: columns to keep;
    all when empty.
    """
    frame = matching_rows(appraisal.tables[table], where or {})
    if fields:
        frame = frame[[field for field in fields if field in frame]]
    return frame_link(frame, name=name)


def result_table(appraisal: Appraisal, quantity: str, *, style: Style, caption: str) -> Markup:
    """Return mean and interval of one quantity of the results as a table, one row per option."""
    shown = columns(columns(text={"option": "Option"}), range_columns(style))
    lines = []
    for option, label in appraisal.option_labels.items():
        if option != "bau":
            key = f"{quantity}.{option}"
            cells = [result_number(appraisal, key, column.field, style=style) for column in shown[1:]]
            lines.append(_line([escape(label), *cells], shown))
    return _framed(shown, lines, caption=caption)


def results_below(
    appraisals: Sequence[Appraisal], quantity: str, *, style: Style, what: str
) -> tuple[list[Markup], list[Markup]]:
    """Return one table per stance of a quantity of the results, and the link that saves them all."""
    tables = [
        result_table(appraisal, quantity, style=style, caption=f"{what}, {stance_name(appraisal.stance)}")
        for appraisal in appraisals
    ]
    rows = []
    for appraisal in appraisals:
        for option in appraisal.option_labels:
            if option != "bau":
                held = appraisal.results[f"{quantity}.{option}"]
                ends = {field: held[field] for field in ("mean", "lower", "upper")}
                rows.append({"stance": appraisal.stance, "option": option, **ends})
    return tables, [frame_link(pd.DataFrame(rows), name=quantity)]


def frame_link(frame: pd.DataFrame, *, name: str) -> Markup:
    """Return a link that saves a table as CSV; the file is inside the page, unless it would swell it."""
    encoded = base64.b64encode(csv_text(frame).encode()).decode()
    if len(encoded) > LARGEST_LINK:
        return Markup("<span>{} (CSV): <code>tables/{}.csv</code> in the folder of this run</span>").format(
            name.replace("_", " ").capitalize(), name
        )
    return Markup(
        '<a download="{}.csv" href="data:text/csv;charset=utf-8;base64,{}">Download {} (CSV)</a>'
    ).format(name, encoded, name.replace("_", " "))
