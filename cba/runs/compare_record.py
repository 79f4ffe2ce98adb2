"""Record of a comparison: the two runs as they are stored, each headline quantity in both, and the shares of causes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cba.runs.attribution import Moved
from cba.runs.compare_players import Held
from cba.runs.compare_words import with_words


@dataclass(frozen=True)
class Stored:
    """One run as it stands in the store.

    Attributes
    ----------
    held : Held
        Its inputs, read again.
    results : mapping of str to mapping
        Its headline under the stance compared.
    made_by : str
        What made it: code, libraries, number and seed of draws.
    """

    held: Held
    results: Mapping[str, Mapping[str, Any]]
    made_by: str


@dataclass(frozen=True)
class Change:
    """One headline quantity in two runs.

    Attributes
    ----------
    key : str
        ``<quantity>.<option>``.
    label, unit : str
    before, after : float
        Means.
    difference : Moved
        With the Monte Carlo error of the paired difference.
    shares : mapping of str to Moved
        By member of :data:`cba.runs.compare_players.PLAYERS`; they sum to the difference.
    """

    key: str
    label: str
    unit: str
    before: float
    after: float
    difference: Moved
    shares: Mapping[str, Moved]


@dataclass(frozen=True)
class Comparison:
    """What changed between two runs and why.

    Attributes
    ----------
    before, after : str
        ``<analysis>/<run>``.
    stance : str
    moved : tuple of str
        Groups that differ.
    changes : tuple of Change
        In the order of the headline.
    notes : tuple of str
        What the reader must know of how the two were compared.
    settings : mapping
        Of the later run.

    Examples
    --------
    >>> Comparison("a/1", "a/2", "evidence", ("unit costs",), ()).moved
    ('unit costs',)
    """

    before: str
    after: str
    stance: str
    moved: tuple[str, ...]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return plain values.

        Returns
        -------
        dict
            ``before``, ``after``, ``stance``, ``moved``, ``notes``, ``settings`` and ``changes``: key, label, unit,
            before, after, difference, mcse, within_error and ``shares`` (by group: value, mcse, within_error); and what
            is said of them (:func:`cba.runs.compare_words.with_words`).

        Examples
        --------
        >>> options = {"options": ["bau", "care_review"]}
        >>> Comparison("a/1", "a/2", "evidence", (), (), settings=options).record()["changes"]
        []
        """
        return with_words(
            {
                "before": self.before,
                "after": self.after,
                "stance": self.stance,
                "moved": list(self.moved),
                "notes": list(self.notes),
                "settings": dict(self.settings),
                "changes": [_plain(change) for change in self.changes],
            }
        )


def _plain(change: Change) -> dict[str, Any]:
    """Return one change as plain values."""
    return {
        "key": change.key,
        "label": change.label,
        "unit": change.unit,
        "before": change.before,
        "after": change.after,
        "difference": change.difference.value,
        "mcse": change.difference.mcse,
        "within_error": change.difference.within_error,
        "shares": {
            player: {"value": s.value, "mcse": s.mcse, "within_error": s.within_error}
            for player, s in change.shares.items()
        },
    }
