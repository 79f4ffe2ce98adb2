"""The public API of Explore Education Statistics, version 1: one request, and lists that come in pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cba.errors import InputError, NeedsPerson, SourceUnreachable
from cba.inputs.data_sources import DataSource
from cba.inputs.releases.downloads import Origin, Sheet, read_csv_bytes
from cba.inputs.releases.http_client import Answer, Pace, fetch

JSON = ("application/json",)


def get_json(source: DataSource, path: str, *, pace: Pace, **parameters: Any) -> Any:
    """Fetch one JSON document of a source. `path`: behind the base URL, or a whole address."""
    return parsed(fetch_json(source, path, pace=pace, parameters=parameters))


def fetch_json(
    source: DataSource,
    path: str,
    *,
    pace: Pace,
    parameters: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Answer:
    """Fetch one JSON document of a source as it came. `path`: behind the base URL, or a whole address."""
    url = path if path.startswith("http") else source.base_url + path
    return fetch(
        url,
        hosts=source.allowed_hosts(),
        accept=JSON,
        pace=pace,
        parameters=dict(parameters or {}) or None,
        body=body,
    )


def parsed(answer: Answer) -> Any:
    """Return the document an answer holds."""
    try:
        return json.loads(answer.content)
    except ValueError as error:
        raise SourceUnreachable(
            "an answer is not the JSON it says it is",
            file=answer.url,
            found=str(error),
            allowed="one JSON document",
            cause="an answer cut off, or a page of a proxy in between",
            remedy="try again later",
        ) from None


def versions(source: DataSource, *, pace: Pace) -> Iterator[Mapping[str, Any]]:
    """List the versions of the data set, newest first."""
    yield from _pages(source, f"/v1/data-sets/{source.data_set}/versions", pace=pace, pageSize=20)


def _pages(source: DataSource, path: str, *, pace: Pace, **parameters: Any) -> Iterator[Mapping[str, Any]]:
    page, last, seen, expected = 1, 1, 0, 0
    while page <= last:
        answer = get_json(source, path, pace=pace, page=page, **parameters)
        paging = part_of(answer, "paging", source=source, where=path)
        last, expected = int(paging["totalPages"]), int(paging["totalResults"])
        results = part_of(answer, "results", source=source, where=path)
        seen += len(results)
        yield from results
        page += 1
    refuse_fewer(seen, expected, source=source, where=path)


def refuse_fewer(seen: int, expected: int, *, source: DataSource, where: str) -> None:
    """Refuse pages that together hold another number of results than they say."""
    if seen != expected:
        raise SourceUnreachable(
            "the pages of an answer do not add up",
            file=f"{source.base_url}{where}",
            field=source.name,
            found=f"{seen} results",
            allowed=f"{expected}, as the first page says",
            cause="a new version published between two pages",
            remedy="run the update again",
        )


def part_of(answer: Any, name: str, *, source: DataSource, where: str) -> Any:
    """Return a part of an answer that the contract promises."""
    if not isinstance(answer, Mapping) or name not in answer:
        raise InputError(
            "an answer of the API lacks what its contract promises",
            file=f"{source.base_url}{where}",
            field=name,
            found=", ".join(answer) if isinstance(answer, Mapping) else type(answer).__name__,
            allowed=f"`{name}`",
            cause="another version of the API, or another address",
            remedy="check base_url; if the API has changed, the client must be changed with it",
        )
    return answer[name]


# --- Rows of a data set of Explore Education Statistics: from the query of its API, or as CSV of its … ---


PAGE_SIZE = 1000


_LEVELS = {"NAT": "National", "REG": "Regional", "LA": "Local authority"}


def queried(
    source: DataSource, *, version: str, published: str, meta: Mapping[str, Any], pace: Pace
) -> Sheet:
    """Ask for every row, page by page, and turn identifiers into labels."""
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
    """Fetch a data set of the catalogue as CSV, for those that are not in the API."""
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


# --- Which version of a data set may be taken unseen: a minor one or a patch, of a data set that is … ---


@dataclass(frozen=True)
class Found:
    """What a source holds at present."""

    # version and published: as the publisher states them.
    version: str
    published: str
    sheet: Sheet | None  # rows with labels; None where the version is the one already held
    units: Mapping[str, str]


def newest(source: DataSource, *, accepted: str, held: tuple[str, str], pace: Pace) -> Found:
    """Fetch the newest version of a data set that may be taken without asking.

    `accepted`: version accepted so far; the pinned one, or a later one taken since.
    """
    path = f"/v1/data-sets/{source.data_set}"
    described = get_json(source, path, pace=pace)
    _refuse_gone(source, described, path)
    latest = part_of(described, "latestVersion", source=source, where=path)
    version, published = str(latest["version"]), str(latest["published"])
    if (version, published) == held:
        return Found(version, published, None, {})
    if version != accepted:
        _refuse_major(source, version=version, accepted=accepted, pace=pace)
    meta = get_json(source, f"{path}/meta", pace=pace, dataSetVersion=version)
    sheet = queried(source, version=version, published=published, meta=meta, pace=pace)
    if len(sheet.rows) != int(latest["totalResults"]):
        refuse_fewer(len(sheet.rows), int(latest["totalResults"]), source=source, where=path)
    units = {one["column"]: one.get("unit") or "" for one in meta["indicators"]}
    return Found(version, published, sheet, units)


def _refuse_gone(source: DataSource, described: Mapping[str, Any], path: str) -> None:
    status = part_of(described, "status", source=source, where=path)
    successor = described.get("supersedingDataSetId")
    if status != "Published" or successor:
        raise NeedsPerson(
            "a data set is no longer kept up by its publisher",
            file=f"{source.base_url}{path}",
            field=source.name,
            found=f"status {status}" + (f", superseded by {successor}" if successor else ""),
            allowed="status Published, not superseded",
            cause="withdrawn because of an error, or replaced by another data set",
            remedy="read the publisher's notes; write the successor and its columns into the configuration",
        )


def _refuse_major(source: DataSource, *, version: str, accepted: str, pace: Pace) -> None:
    """Let a minor version or a patch pass and stop a major one, with what it deletes."""
    path = f"/v1/data-sets/{source.data_set}/versions/{version}"
    about = get_json(source, path, pace=pace)
    changes = get_json(source, f"{path}/changes", pace=pace)
    major = {name: several for name, several in (changes.get("majorChanges") or {}).items() if several}
    older = _numbers(version) < _numbers(accepted)
    withdrawn = about.get("status") != "Published" or about.get("withdrawn")
    if (
        _numbers(version)[0] != _numbers(accepted)[0]
        or about.get("type") == "Major"
        or major
        or withdrawn
        or older
    ):
        raise NeedsPerson(
            f"version {version} of a data set changes or deletes what the tables are made from"
            if not (withdrawn or older)
            else f"version {version} of a data set was withdrawn, or is older than the one accepted",
            file=f"{source.base_url}{path}",
            field=source.name,
            found=_deleted(major) or f"{about.get('type')}, status {about.get('status')}",
            allowed=f"a minor version or a patch of {accepted}",
            cause=str(changes.get("notes") or about.get("notes") or "columns or categories were regrouped"),
            remedy=f'compare the columns, correct the mapping and set version = "{version}"',
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _deleted(major: Mapping[str, Any]) -> str:
    """Name what a major version deletes or edits."""
    named = []
    for kind, several in major.items():
        for change in several:
            was, now = change.get("previousState") or {}, change.get("currentState")
            label = was.get("label") or was.get("column") or was.get("code") or ""
            inner = [one.get("previousState", {}).get("label", "") for one in change.get("options", [])]
            what = ", ".join(one for one in (label, *inner) if one)
            named.append(f"{kind}: {what} {'edited' if now else 'deleted'}")
    return "; ".join(named)


# --- Population from Nomis: the CSV of a query, in parts of 25,000 rows, checked against the count it … ---


ROWS_PER_CALL = 25_000
"""Most rows Nomis gives a guest in one answer."""


COUNT = "RECORD_COUNT"


def population_rows(source: DataSource, *, pace: Pace) -> Sheet:
    """Fetch the rows of a query.

    `source`: of kind ``nomis``; its parameters must select the columns that its mapping names.
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
