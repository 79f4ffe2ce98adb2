"""What the assumptions log prints: its rows with age, links and other stances, and quality set against influence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from cba.reporting.numbers import is_defined, show
from cba.reporting.security import web_address

if TYPE_CHECKING:
    import pandas as pd

    from cba.appraisal import Appraisal

LOG, REGISTRY = "assumptions_log", "priors"

STALE_DAYS = 365
"""Days since the last review of an entry after which it is flagged."""

LEVELS = ("high", "some", "none")
"""Influence, as :func:`cba.appraisal.assumptions_log.assumptions_log` calls it."""

LEVEL_WORDS = {"high": "High influence", "some": "Some influence", "none": "No influence found"}

GRADED = ("red", "amber", "blue", "green")
"""Grades in the order in which better evidence would help most."""

NAMED = 3
"""Inputs named in words as most deserving better evidence."""


def assumption_rows(appraisal: Appraisal, *, as_at: str) -> dict[str, Any]:
    """Return what the templates print of the assumptions log.

    Parameters
    ----------
    appraisal : Appraisal
        Of the headline stance.
    as_at : str
        Date of the run, ISO; without one no age is given.

    Returns
    -------
    dict of str to object
        ``log`` (name of the table read), ``log_measured`` (whether influence was measured), ``log_rows``,
        ``matrix`` (by grade, the rows of each level), ``deserving`` (rows whose evidence most needs to be better),
        ``stale`` (whether any is flagged), ``stale_days``, ``stale_before`` (date before which a review is stale).

    Examples
    --------
    >>> assumption_rows(appraisal, as_at="2026-11-22")["log"]  # doctest: +SKIP
    'assumptions_log'
    """
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
        "others": json.loads(row["other_stances"]) if row.get("other_stances") else [],
    }


def age_in_days(reviewed: object, as_at: str) -> int | None:
    """Return the days between the last review of an entry and the run; None where either is not a date.

    Parameters
    ----------
    reviewed : object
        ISO date.
    as_at : str
        ISO date or time of the run.

    Returns
    -------
    int or None
        Not below 0: an entry reviewed after the run is new.

    Examples
    --------
    >>> age_in_days("2026-11-01", "2026-11-22T01:48:13Z"), age_in_days("2026-11-01", "not recorded")
    (21, None)
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
    pairs = json.loads(links) if isinstance(links, str) and links else [[row.get("source", ""), ""]]
    return [{"title": str(title), "url": web_address(url)} for title, url in pairs]


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
