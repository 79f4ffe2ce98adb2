"""Population from Nomis: the CSV of a query, in parts of 25,000 rows, checked against the count it states."""

from __future__ import annotations

import hashlib

import pandas as pd

from cba.inputs.data_records import DataSource
from cba.inputs.releases.delivered import Sheet, read_csv_bytes
from cba.inputs.releases.http_client import Pace, fetch
from cba.inputs.releases.origins import Origin
from cba.inputs.releases.refusals import SourceUnreachable

ROWS_PER_CALL = 25_000
"""Most rows Nomis gives a guest in one answer."""

COUNT = "RECORD_COUNT"


def population_rows(source: DataSource, *, pace: Pace) -> Sheet:
    """Fetch the rows of a query.

    Parameters
    ----------
    source : DataSource
        Of kind ``nomis``; its parameters must select the columns that its mapping names.
    pace : Pace

    Returns
    -------
    Sheet

    Raises
    ------
    SourceUnreachable
        If there is no whole answer, or fewer rows than the answer says there are.
    InputError
        If an answer is no CSV.

    Examples
    --------
    >>> population_rows(source, pace=Pace())  # doctest: +SKIP
    """
    address = f"{source.base_url}/api/v01/dataset/{source.data_set}.data.csv"
    parts: list[pd.DataFrame] = []
    digest, size, retrieved, expected = hashlib.sha256(), 0, "", 1
    while sum(map(len, parts)) < expected:
        parameters = _with_count(source) | {"recordOffset": str(sum(map(len, parts)))}
        answer = fetch(
            address,
            hosts=source.allowed_hosts(),
            accept=("text/csv", "application/csv"),
            pace=pace,
            parameters=parameters,
        )
        origin = Origin(source.name, address, answer.sha256, len(answer.content), answer.retrieved)
        rows = read_csv_bytes(answer.content, file=address, origin=origin).rows
        if rows.empty or COUNT not in rows or not rows[COUNT].str.fullmatch(r"\d+").all():
            raise _too_few(address, found=f"{len(rows)} rows without their count", expected=expected)
        expected = int(rows[COUNT].iloc[0])
        parts.append(rows)
        digest.update(answer.content)
        size, retrieved = size + len(answer.content), answer.retrieved
    found = sum(map(len, parts))
    if found != expected:
        raise _too_few(address, found=f"{found} rows", expected=expected)
    origin = Origin(source.name, address, digest.hexdigest(), size, retrieved, licence=source.licence)
    return Sheet(source.name, pd.concat(parts, ignore_index=True), origin)


def _with_count(source: DataSource) -> dict[str, str]:
    """Ask for the count of rows beside the columns that the mapping names."""
    parameters = dict(source.parameters)
    if "select" in parameters and COUNT not in parameters["select"].upper().split(","):
        parameters["select"] += f",{COUNT}"
    return parameters


def _too_few(address: str, *, found: str, expected: int) -> SourceUnreachable:
    return SourceUnreachable(
        "the parts of an answer do not add up",
        file=address,
        found=found,
        allowed=f"{expected} rows, as the answer says",
        cause="the query's limit on rows, or an update between two parts",
        remedy="run the update again; let `select` keep RECORD_COUNT",
    )
