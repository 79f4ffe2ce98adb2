"""Ask one configured source for what it holds now, through the client of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cba.inputs.data_records import DataSource
from cba.inputs.releases.deflator_client import deflator_piece
from cba.inputs.releases.delivered import Piece
from cba.inputs.releases.ees_rows import catalogue_csv
from cba.inputs.releases.ees_versions import newest
from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.mapped_rows import cited_row, mapped_pieces
from cba.inputs.releases.nomis_client import population_rows
from cba.inputs.releases.origins import Origin
from cba.inputs.releases.snapshot_reading import Snapshot
from cba.inputs.releases.table_merging import held_table


def ask(
    source: DataSource,
    *,
    base: Path,
    current: Snapshot | None,
    authorities: pd.DataFrame,
    pace: Pace,
) -> tuple[Origin, tuple[Piece, ...]]:
    """Ask one source for what it holds now.

    Parameters
    ----------
    source : DataSource
    base : Path
        Folder of the tables held.
    current : Snapshot or None
        Whose record says which versions were taken.
    authorities : DataFrame
        The table ``authorities``.
    pace : Pace

    Returns
    -------
    Origin, tuple of Piece
        No piece from a version that is already held.

    Raises
    ------
    NeedsPerson
        If the data set was withdrawn, superseded or changed in a major version.
    SourceUnreachable
        If there is no whole answer.
    InputError
        If what it says is not what the mapping expects.

    Examples
    --------
    >>> ask(source, base=base, current=None, authorities=authorities, pace=Pace())  # doctest: +SKIP
    """
    if source.kind == "hmt_deflator":
        first = int(held_table("gdp_deflator", folder=base)["year"].min())
        piece = deflator_piece(source, first_year=first, pace=pace)
        return piece.origin, (piece, cited_row(source, origin=piece.origin))
    units: Mapping[str, str] = {}
    if source.kind == "ees":
        held = next((one for one in (current.sources if current else ()) if one.name == source.name), None)
        accepted = _later(source.version or "", held.version if held else "")
        found = newest(source, accepted=accepted, held=_version_of(held), pace=pace)
        if found.sheet is None and held is not None:
            return held, ()
        sheet, units = found.sheet, found.units
    else:
        sheet = (
            catalogue_csv(source, pace=pace)
            if source.kind == "ees_csv"
            else population_rows(source, pace=pace)
        )
    if sheet is None:
        raise AssertionError("a version that is not held comes with its rows")
    return sheet.origin, mapped_pieces(sheet, source=source, authorities=authorities, units=units)


def _version_of(held: Origin | None) -> tuple[str, str]:
    return ("", "") if held is None else (held.version, held.published)


def _later(pinned: str, taken: str) -> str:
    """Return the later of two versions; one may be empty."""
    return max(
        (one for one in (pinned, taken) if one), key=lambda one: [int(part) for part in one.split(".")]
    )
