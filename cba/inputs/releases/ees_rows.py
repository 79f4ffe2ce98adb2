"""Rows of a data set of Explore Education Statistics: from the query of its API, or as CSV of its catalogue.

Rows come back with labels in place of identifiers, in the column names of the publisher's own CSV files, so
that both doors share one mapping. A warning is an error: an identifier the API does not know gives an answer
of status 200 with fewer rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cba.errors import InputError
from cba.inputs.data_records import DataSource
from cba.inputs.releases.delivered import Sheet, read_csv_bytes
from cba.inputs.releases.ees_api import fetch_json, parsed, part_of, refuse_fewer
from cba.inputs.releases.http_client import Pace, fetch
from cba.inputs.releases.origins import Origin

PAGE_SIZE = 1000
_LEVELS = {"NAT": "National", "REG": "Regional", "LA": "Local authority"}


def queried(
    source: DataSource, *, version: str, published: str, meta: Mapping[str, Any], pace: Pace
) -> Sheet:
    """Ask for every row, page by page, and turn identifiers into labels.

    Parameters
    ----------
    source : DataSource
    version, published : str
        As the publisher states them.
    meta : mapping
        Metadata of the same version.
    pace : Pace

    Returns
    -------
    Sheet

    Raises
    ------
    InputError
        If the API warns, or a result names what the metadata do not describe.
    SourceUnreachable
        If a page is missing.

    Examples
    --------
    >>> queried(source, version="2.0", published="", meta=meta, pace=Pace())  # doctest: +SKIP
    """
    path = f"/v1/data-sets/{source.data_set}/query"
    rows, page, last, expected, answer, size = [], 1, 1, 0, None, 0
    seen = hashlib.sha256()
    lookups = _lookups(meta)
    while page <= last:
        body = {"page": page, "pageSize": PAGE_SIZE}
        answer = fetch_json(source, path, pace=pace, parameters={"dataSetVersion": version}, body=body)
        content = parsed(answer)
        _refuse_warnings(source, content, where=path)
        paging = part_of(content, "paging", source=source, where=path)
        last, expected = int(paging["totalPages"]), int(paging["totalResults"])
        rows += [
            _labelled(row, lookups, source=source)
            for row in part_of(content, "results", source=source, where=path)
        ]
        seen.update(answer.content)
        size += len(answer.content)
        page += 1
    refuse_fewer(len(rows), expected, source=source, where=path)
    origin = Origin(
        name=source.name,
        address=f"{source.base_url}/v1/data-sets/{source.data_set}",
        sha256=seen.hexdigest(),
        bytes=size,
        retrieved=answer.retrieved if answer else "",
        licence=source.licence,
        version=version,
        published=published,
    )
    return Sheet(f"{source.name} {version}", pd.DataFrame(rows).fillna("").astype(str), origin)


def _refuse_warnings(source: DataSource, content: Mapping[str, Any], *, where: str) -> None:
    warnings = content.get("warnings") or []
    if warnings:
        first = warnings[0]
        raise InputError(
            f"the API answers with a warning: {first.get('message', '')}",
            file=f"{source.base_url}{where}",
            field=str(first.get("path") or source.name),
            found=f"{first.get('code', '')} {json.dumps(first.get('detail'))}",
            allowed="no warning: an unknown filter or place gives fewer rows, not an error",
            cause="an identifier that the publisher has removed",
            remedy="correct the configuration after comparing it with the data set's columns",
        )


def _lookups(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each identifier of a data set stands for."""
    return {
        "filters": {
            one["id"]: (one["column"], {option["id"]: option["label"] for option in one["options"]})
            for one in meta["filters"]
        },
        "indicators": {one["id"]: one["column"] for one in meta["indicators"]},
        "places": {
            (group["level"]["code"], option["id"]): option
            for group in meta["locations"]
            for option in group["options"]
        },
    }


def _labelled(row: Mapping[str, Any], lookups: Mapping[str, Any], *, source: DataSource) -> dict[str, str]:
    """Turn one result into a row with the columns of the publisher's CSV files."""
    try:
        level = row["geographicLevel"]
        period = row["timePeriod"]
        found = {
            "time_period": str(period["period"]),
            "time_identifier": str(period["code"]),
            "geographic_level": _LEVELS.get(level, level),
        }
        for code, identifier in row["locations"].items():
            option = lookups["places"][code, identifier]
            if code == "LA":
                found |= {"new_la_code": option.get("code", ""), "old_la_code": option.get("oldCode", "")}
            elif code == "REG":
                found["region_name"] = option.get("label", "")
        for identifier, option in row["filters"].items():
            column, options = lookups["filters"][identifier]
            found[column] = options[option]
        for identifier, value in row["values"].items():
            found[lookups["indicators"][identifier]] = str(value)
    except KeyError as error:
        raise InputError(
            "a result of the API names something that its metadata do not describe",
            file=f"{source.base_url}/v1/data-sets/{source.data_set}",
            field=source.name,
            found=str(error),
            allowed="identifiers listed by /meta of the same version",
            cause="a new version published between two requests",
            remedy="run the update again",
        ) from None
    return found


def catalogue_csv(source: DataSource, *, pace: Pace) -> Sheet:
    """Fetch a data set of the catalogue as CSV, for those that are not in the API.

    Parameters
    ----------
    source : DataSource
        Of kind ``ees_csv``.
    pace : Pace

    Returns
    -------
    Sheet

    Raises
    ------
    SourceUnreachable
        If there is no whole answer.
    InputError
        If the file is no CSV, or cut off.

    Examples
    --------
    >>> catalogue_csv(source, pace=Pace())  # doctest: +SKIP
    """
    answer = fetch(
        f"{source.base_url}/data-catalogue/data-set/{source.data_set}/csv",
        hosts=source.allowed_hosts(),
        accept=("text/csv", "application/octet-stream"),
        pace=pace,
    )
    origin = Origin(
        name=source.name,
        address=answer.url,
        sha256=answer.sha256,
        bytes=len(answer.content),
        retrieved=answer.retrieved,
        licence=source.licence,
        published=answer.headers.get("last-modified", ""),
    )
    return read_csv_bytes(answer.content, file=answer.url, origin=origin)
