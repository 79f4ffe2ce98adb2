"""What a new folder of tables says that the old one did not: new rows, revised figures, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from cba.inputs.published_categories import MEASURES
from cba.inputs.published_tables import TABLES
from cba.inputs.releases.release_checks import NUMBERED, releases_in
from cba.inputs.releases.table_merging import key_of

SHOWN = 200
"""Revised figures kept one by one for each table; the rest are counted."""


@dataclass(frozen=True)
class Revision:
    """One figure that a new release restates.

    Parameters
    ----------
    figure : str
        What it counts: the key of the row apart from its release.
    before, after : str
        As known before and after; empty where withheld.
    """

    figure: str
    before: str
    after: str


@dataclass(frozen=True)
class TableChange:
    """Changes of one table.

    Parameters
    ----------
    table : str
    new_releases : tuple of str
    new_rows, revised, corrected, removed : int
        Rows added; figures that a newer release restates; rows of a held release that were corrected; rows
        that are gone.
    revisions : tuple of Revision
        The largest first, at most :data:`SHOWN`.
    """

    table: str
    new_releases: tuple[str, ...]
    new_rows: int
    revised: int
    corrected: int
    removed: int
    revisions: tuple[Revision, ...]

    def as_plain(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return asdict(self)


def changes_between(
    old: Mapping[str, pd.DataFrame], *, new: Mapping[str, pd.DataFrame]
) -> tuple[TableChange, ...]:
    """Compare tables before and after.

    Parameters
    ----------
    old, new : mapping of str to DataFrame
        All text. Tables of `new` that do not differ are left out.

    Returns
    -------
    tuple of TableChange

    Examples
    --------
    >>> row = {"measure": "mean_days_final_period_of_care", "source": "S01"}
    >>> held = pd.DataFrame([{"release": "2023", "year": "2023", "days": "900", **row}])
    >>> more = pd.DataFrame([{"release": "2024", "year": "2023", "days": "905", **row}])
    >>> change, = changes_between({"care_duration": held}, new={"care_duration": pd.concat([held, more])})
    >>> change.new_releases, change.new_rows, change.revisions[0].before, change.revisions[0].after
    (('2024',), 1, '900', '905')
    """
    found = [_change(name, old[name], table) for name, table in new.items() if not old[name].equals(table)]
    return tuple(one for one in found if one.new_rows or one.revised or one.corrected or one.removed)


def _change(name: str, old: pd.DataFrame, new: pd.DataFrame) -> TableChange:
    key = list(key_of(name))
    columns = [column for column in new.columns if column not in key]
    before, after = (table.set_index(key)[columns].fillna("") for table in (old, new))
    both = before.index.intersection(after.index)
    differ = (before.loc[both].to_numpy() != after.loc[both].to_numpy()).any(axis=1)
    revisions = _revisions(name, old, new)
    return TableChange(
        table=name,
        new_releases=tuple(sorted(releases_in(new, name=name) - releases_in(old, name=name))),
        new_rows=len(after.index.difference(before.index)),
        revised=len(revisions),
        corrected=int(differ.sum()) if name in NUMBERED or not revisions else 0,
        removed=len(before.index.difference(after.index)),
        revisions=tuple(revisions[:SHOWN]),
    )


def _value_of(name: str) -> str | None:
    """Return the column of figures of a table, the first that is a number and not part of its key."""
    if name not in TABLES:
        return None
    table = TABLES[name]
    figures = [column for column, kind in table.columns.items() if kind != "str" and column not in table.key]
    return figures[0] if figures and name != "authorities" else None


def _known(table: pd.DataFrame, name: str, value: str) -> pd.Series:
    """Return each figure as the newest release of the table has it."""
    part = [column for column in key_of(name) if column not in ("release", "vintage")]
    order = NUMBERED.get(name, "vintage" if "vintage" in table else None)
    rows = table if order is None else table.sort_values(order, kind="stable")
    return rows.drop_duplicates(part, keep="last").set_index(part)[value]


def _revisions(name: str, old: pd.DataFrame, new: pd.DataFrame) -> list[Revision]:
    value = _value_of(name)
    if value is None:
        return []
    before, after = _known(old, name, value), _known(new, name, value)
    both = before.index.intersection(after.index)
    table = pd.DataFrame({"before": before.loc[both], "after": after.loc[both]})
    numbers = pd.DataFrame(
        {side: pd.to_numeric(table[side], errors="coerce").astype("float64") for side in ("before", "after")}
    )
    moved = table[(numbers["before"] != numbers["after"]) & ~numbers.isna().all(axis=1)]
    size = (numbers["after"] - numbers["before"]).abs().fillna(0).to_dict()
    names = list(both.names)
    order = sorted(moved.index, key=lambda index: (*_rank(names, index), -size[index]))
    return [
        Revision(" ".join(map(str, index if isinstance(index, tuple) else (index,))), str(b), str(a))
        for index, b, a in moved.loc[order].itertuples(name=None)
    ]


def _rank(names: Sequence[str], index: Any) -> tuple[int, int, int]:
    """Put totals before breakdowns, the newest year first, the number in care before flows."""
    row = dict(zip(names, index if isinstance(index, tuple) else (index,), strict=True))
    if row.get("breakdown", "total") != "total" or "breakdown" not in row:
        return (1, 0, 0)
    return (0, -int(row["year"]), MEASURES.index(row["measure"]))


def in_words(changes: Sequence[TableChange], *, notes: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the changes as sentences.

    Parameters
    ----------
    changes : sequence of TableChange
    notes : sequence of str
        Said after them.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> revision = Revision("2023 stock total total", "83840", "83760")
    >>> in_words([TableChange("england_children", ("2024",), 795, 1, 0, 0, (revision,))])[0]
    'england_children: release 2024 is new (795 rows); 1 figure revised, 2023 stock total total from 83,840 to 83,760'
    """
    sentences = []
    for change in changes:
        word = "vintage" if NUMBERED.get(change.table) == "vintage" else "release"
        parts = []
        if change.new_releases:
            parts.append(f"{word} {', '.join(change.new_releases)} is new ({_rows(change.new_rows)})")
        elif change.new_rows:
            parts.append(f"{_rows(change.new_rows, 'new ')}")
        if change.revised:
            shown = change.revisions[0]
            parts.append(
                f"{change.revised} figure{'s' * (change.revised > 1)} revised, "
                f"{'among them ' * (change.revised > 1)}{shown.figure} from {_said(shown.before)} "
                f"to {_said(shown.after)}"
            )
        if change.corrected and change.table == "authorities":
            parts.append(f"{change.corrected} with newer figures or another description")
        elif change.corrected:
            parts.append(f"{change.corrected} held row{'s' * (change.corrected > 1)} corrected")
        if change.removed:
            parts.append(f"{change.removed} row{'s' * (change.removed > 1)} gone")
        sentences.append(f"{change.table}: {'; '.join(parts)}")
    return (*sentences, *notes)


def _rows(count: int, word: str = "") -> str:
    return f"{count} {word}row{'s' * (count != 1)}"


def _said(figure: str) -> str:
    try:
        return f"{float(figure):,.10g}"
    except ValueError:
        return figure or "withheld"
