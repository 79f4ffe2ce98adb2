"""Notes on a comparison of two runs: whose code the figures are of, and what could not be compared or split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cba.runs.attribution import Split
    from cba.runs.compare_record import Change, Stored

REMADE = 1e-9
"""Relative difference up to which a figure made again is the stored one."""


def is_remade(figure: float, stored: float) -> bool:
    """Say whether a figure made again is the stored one.

    Parameters
    ----------
    figure, stored : float
        In the same unit.

    Returns
    -------
    bool
        Whether they differ by :data:`REMADE` of the stored figure at most.

    Examples
    --------
    >>> is_remade(1.0 + 1e-12, 1.0), is_remade(1.001, 1.0)
    (True, False)
    """
    return abs(figure - stored) <= REMADE * max(abs(stored), 1e-12)


def comparison_notes(
    before: Stored,
    after: Stored,
    *,
    changes: list[Change],
    splits: Mapping[str, Split],
    missing: tuple[str, ...],
    same_code: bool,
) -> tuple[str, ...]:
    """Say how two runs were compared, as far as the reader must know it.

    Parameters
    ----------
    before, after : Stored
    changes : list of Change
        Those compared.
    splits : mapping of str to Split
        By key of the change.
    missing : tuple of str
        Quantities that are not defined in every world.
    same_code : bool
        Whether both runs were made by the same code, libraries and draws.

    Returns
    -------
    tuple of str
        Sentences; none where both runs are made again to the digit from the same options and priors.

    Examples
    --------
    >>> comparison_notes(before, after, changes=[], splits={}, missing=(), same_code=True)  # doctest: +SKIP
    ()
    """
    one, other = before.held.inputs, after.held.inputs
    notes = []
    apart = [
        c.key
        for c in changes
        if not (
            is_remade(splits[c.key].first, before.results[c.key]["mean"])
            and is_remade(splits[c.key].last, after.results[c.key]["mean"])
        )
    ]
    if not same_code:
        notes.append(
            "The runs were made by different code, libraries or numbers of draws. The share of the code is taken"
            " first: what the present code makes of the earlier run's inputs, less what that run had stored."
        )
    elif apart:
        notes.append(
            "The code or the libraries have changed since both runs: both were made again, and the figures here are"
            " those of the present code, not the stored ones."
        )
    for words, only in (
        ("are in the earlier run only", set(one.analysis.options) - set(other.analysis.options)),
        ("are in the later run only", set(other.analysis.options) - set(one.analysis.options)),
    ):
        if only:
            notes.append(f"Options that {words} are not compared: {', '.join(sorted(only))}.")
    added = sorted(set(other.priors) - set(one.priors))
    if added:
        notes.append(
            f"{len(added)} priors are in the later run only, and are as there in every comparison:"
            f" {', '.join(added[:5])}{' and others' if len(added) > 5 else ''}."
        )
    if missing:
        notes.append(f"Not defined in every world, and so not split: {', '.join(missing)}.")
    return tuple(notes)
