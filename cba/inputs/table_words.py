"""What each published table may hold: columns, categories, ranges, and what to say of a row that breaks a rule.

Columns, words and ranges are written in ``published_tables.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cba.errors import InputError
from cba.inputs.files import read_toml

_WRITTEN = read_toml(Path(__file__).with_name("published_tables.toml"))

_DAYS_A_YEAR = 365.25

DURATION_YEARS: Mapping[str, tuple[float, float]] = {
    band: (first / _DAYS_A_YEAR, last / _DAYS_A_YEAR)
    for band, (first, last) in _WRITTEN["duration_days"].items()
}
"""Length of the last period of care: published band to its bounds in years; care ends at 18."""

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    breakdown: tuple(words)
    for breakdown, words in (_WRITTEN["categories"] | {"duration": DURATION_YEARS}).items()
}
"""Categories allowed inside each breakdown of ``england_children``."""


WITHHELD = ("suppressed", "not_available", "not_applicable", "rounds_to_zero", "low_reliability")
"""Flags that explain an empty cell."""


# --- What a column of a published table may hold whichever table it is in ---


EMPTY_ALLOWED = {"flag", "note", "predecessors", "successors", "change_date", "date", "date_precision"}
"""Text columns that may be empty in every table."""


YEARS = {"release": (2010, 2100), "year": (1990, 2100), "mid_year": (2005, 2100), "vintage": (2005, 2100)}
"""First and last year a column of years may hold."""


WHOLE = {"children", "days", "population", "population_0_17", "count"}
"""Columns that count people, days or episodes: whole numbers."""


CHECKS: Mapping[str, InputError] = {
    check: InputError(said["problem"], **{part: said[part] for part in ("allowed", "cause", "remedy")})
    for check, said in _WRITTEN["checks"].items()
}
"""What is said when a check fails, by the name of the check."""


@dataclass(frozen=True)
class Table:
    """One published table; ``published_tables.toml`` says what each of these is."""

    columns: Mapping[str, str]  # name to ``int64``, ``float64`` or ``str``
    key: tuple[str, ...]
    order: tuple[str, ...] = ()
    year: str = ""
    value: str = ""
    numbered: str = ""
    watched: Mapping[str, list[str]] | None = None
    watched_since: int = 0
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)

    @property
    def figure(self) -> str:
        """The column of figures, its first number that need not be whole; empty where it has none."""
        return next((column for column, kind in self.columns.items() if kind == "float64"), "")


def _table(written: Mapping[str, Any]) -> Table:
    listed = {name: tuple(written.get(name, ())) for name in ("key", "order")}
    words = {column: tuple(several) for column, several in written.get("words", {}).items()}
    ranges = {column: tuple(limits.values()) for column, limits in written.get("ranges", {}).items()}
    return Table(**{**written, **listed, "words": words, "ranges": ranges})


TABLES: Mapping[str, Table] = {name: _table(written) for name, written in _WRITTEN["tables"].items()}
"""Every published table; the file is the name with ``.csv``."""

_ABOUT = ("sources", "authorities", "deprivation", "programme_rollout")
OBSERVED = tuple(name for name in TABLES if name not in _ABOUT)
"""Tables of figures, which the Dataset of observations is made of and a fit may read."""

EVIDENCE: Mapping[str, Table] = {
    name: _table(
        {part: written[part] for part in written.keys() & {"key", "words"}}
        | {"columns": dict.fromkeys(written["text"], "text") | dict.fromkeys(written["numbers"], "number")}
    )
    for name, written in _WRITTEN["evidence"].items()
}
"""Tables of the evidence, which their own reader checks."""

SCALES_OF_ESTIMAND: Mapping[str, tuple[str, ...]] = {
    estimand: tuple(scales) for estimand, scales in _WRITTEN["scales_of_estimand"].items()
}
"""The quantity each synthesis estimates, and the published scales that can be turned into it."""

CLASSES_OF_ESTIMAND: Mapping[str, tuple[str, ...]] = {
    estimand: tuple(classes) for estimand, classes in _WRITTEN["classes_of_estimand"].items()
}
"""Classes of service that each synthesis pools, more closely within a class than between."""

EVERY_TABLE: Mapping[str, Table] = {**TABLES, **EVIDENCE}

SERIES: Mapping[str, Mapping[str, Any]] = _WRITTEN["series"]
"""Variables over years that count children of England: measure, breakdown, category where it is of one, long name."""

ONE_VINTAGE: Mapping[str, Mapping[str, Any]] = _WRITTEN["one_vintage"]
"""Variables of which one vintage exists: table, level, value, the column of each dimension, units and long name."""
