"""Marks that publishers print in place of a figure, read as typed missing values and never as zero."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MARKS: Mapping[str, str] = {
    "c": "suppressed",
    "x": "not_available",
    "z": "not_applicable",
    "low": "suppressed",
    "~": "suppressed",
    "u": "not_available",
    ":": "not_available",
    "..": "not_available",
    ".": "not_available",
    "-": "not_available",
    "k": "suppressed",
    "*": "suppressed",
}
"""Mark to the flag of the tables: confidential, not available, not applicable, rounds to zero, unreliable."""

_PLAIN = re.compile(r"-?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?")


@dataclass(frozen=True)
class Missing:
    """A figure that was withheld.

    Parameters
    ----------
    mark : str
        As printed.
    flag : str
        ``suppressed``, ``not_available`` or ``not_applicable``.

    Examples
    --------
    >>> Missing("c", "suppressed").in_table
    'suppressed;mark c'
    """

    mark: str
    flag: str

    @property
    def in_table(self) -> str:
        """The flag with the mark kept, as the tables hold it."""
        return f"{self.flag};mark {self.mark}"


def read_figure(text: str) -> str | Missing | None:
    """Read one printed figure.

    Parameters
    ----------
    text : str
        A number, with or without thousands separators, or a mark.

    Returns
    -------
    str or Missing or None
        The number as plain text, the mark, or None where it is neither.

    Examples
    --------
    >>> read_figure("83,630"), read_figure("c"), read_figure("about 80")
    ('83630', Missing(mark='c', flag='suppressed'), None)
    >>> read_figure("0")
    '0'
    """
    word = text.strip()
    if word.lower() in MARKS:
        return Missing(word.lower(), MARKS[word.lower()])
    return word.replace(",", "") if _PLAIN.fullmatch(word) else None
