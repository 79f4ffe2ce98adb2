"""What each kind of source holds now: Explore Education Statistics by API or catalogue, Nomis, HM Treasury."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from cba.errors import InputError, NeedsPerson, SourceUnreachable
from cba.inputs.data_sources import DataSource
from cba.inputs.releases.downloads import Origin, Piece, Sheet, csv_rows
from cba.inputs.releases.http_client import Answer, Pace, fetch
from cba.inputs.releases.sheets import cells_of, deflator_rows, index_by_year

PAGE_SIZE = 1000
COUNT = "RECORD_COUNT"
"""Column in which Nomis, which gives at most 25,000 rows in one answer, says how many there are."""

_LEVELS = {"NAT": "National", "REG": "Regional", "LA": "Local authority"}


def _fetched(source: DataSource, url: str, *, accept: tuple[str, ...], pace: Pace, **asked: Any) -> Answer:
    """Fetch one answer from a host of the source. `asked`: parameters or body of the request."""
    return fetch(url, hosts=source.allowed_hosts(), accept=accept, pace=pace, **asked)


def fetch_json(source: DataSource, path: str, *, pace: Pace, **asked: Any) -> Answer:
    """Fetch one JSON document of a source as it came. `path`: behind the base URL, or a whole address."""
    url = path if path.startswith("http") else source.base_url + path
    return _fetched(source, url, accept=("application/json",), pace=pace, **asked)


def get_json(source: DataSource, path: str, *, pace: Pace, **parameters: Any) -> Any:
    """Fetch one JSON document of a source and read it."""
    return fetch_json(source, path, pace=pace, parameters=parameters or None).json()


def origin_of(source: DataSource, answers: Sequence[Answer], **stated: str) -> Origin:
    """Return where answers came from. `stated`: address, version or day of publication, where they are known."""
    content = b"".join(one.content for one in answers)
    last = answers[-1]
    return Origin(
        name=source.name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        retrieved=last.retrieved,
        licence=source.licence,
        **{"address": last.url} | stated,
    )


# --- The API of Explore Education Statistics: the newest version that may be taken unseen ---


def newest(
    source: DataSource, *, held: Origin | None, pace: Pace
) -> tuple[Origin, Sheet | None, Mapping[str, str]]:
    """Fetch the newest version of a data set that may be taken unseen, with the unit of each column of figures.

    No sheet where it is the version held. Accepted so far is the pinned version, or a later one taken since.
    """
    path = f"/v1/data-sets/{source.data_set}"
    described = get_json(source, path, pace=pace)
    latest = _standing(source, described, path)
    version, published = str(latest["version"]), str(latest["published"])
    if held is not None and (version, published) == (held.version, held.published):
        return held, None, {}
    taken = (source.version, held.version if held else None)
    accepted = max((one for one in taken if one), key=_numbers)
    if version != accepted:
        _refuse_major(source, version=version, accepted=accepted, pace=pace)
    meta = get_json(source, f"{path}/meta", pace=pace, dataSetVersion=version)
    rows, answers = _queried(source, version=version, meta=meta, pace=pace)
    if len(rows) != int(latest["totalResults"]):
        raise _uneven(source, where=path, found=f"{len(rows)} results", expected=int(latest["totalResults"]))
    origin = origin_of(source, answers, address=source.base_url + path, version=version, published=published)
    sheet = Sheet(f"{source.name} {version}", pd.DataFrame(rows).fillna("").astype(str), origin)
    return origin, sheet, {one["column"]: one.get("unit") or "" for one in meta["indicators"]}


def _queried(
    source: DataSource, *, version: str, meta: Mapping[str, Any], pace: Pace
) -> tuple[list[dict[str, str]], list[Answer]]:
    """Ask for every row, page by page, and turn identifiers into labels."""
    path, lookups = f"/v1/data-sets/{source.data_set}/query", _lookups(meta)
    indicators = list(lookups["indicators"])

    def asked(found: int, before: int) -> tuple[Answer, list[dict[str, str]], int]:
        body = {"indicators": indicators, "page": before + 1, "pageSize": PAGE_SIZE}
        answer = fetch_json(source, path, pace=pace, parameters={"dataSetVersion": version}, body=body)
        content = answer.json()
        _refuse_warnings(source, content, where=path)
        total = int(_part(content, "paging", source=source, where=path)["totalResults"])
        results = _part(content, "results", source=source, where=path)
        return answer, [_labelled(row, lookups, source=source) for row in results], total

    return _every_page(asked, source=source, where=path)


MOST_PAGES = 1_000
"""Most pages of one answer: a million rows, and no data set that is read has a tenth of them."""


def _every_page[Row](
    asked: Callable[[int, int], tuple[Answer, list[Row], int]], *, source: DataSource, where: str
) -> tuple[list[Row], list[Answer]]:
    """Ask page by page until all results are there, as many as the first page says.

    `asked`: given the results and pages seen so far, the next answer, its results and how many there are in all.
    """
    rows: list[Row] = []
    answers: list[Answer] = []
    expected, more = 0, True
    while more:
        answer, results, total = asked(len(rows), len(answers))
        expected = expected if answers else total
        answers.append(answer)
        rows += results
        more = len(rows) < expected
        if total != expected or (more and not results) or (more and len(answers) == MOST_PAGES):
            found = f"{len(rows)} results on {len(answers)} pages, of {total} now"
            raise _uneven(source, where=where, found=found, expected=expected)
    if len(rows) != expected:
        raise _uneven(source, where=where, found=f"{len(rows)} results", expected=expected)
    return rows, answers


def _uneven(source: DataSource, *, where: str, found: str, expected: int) -> SourceUnreachable:
    """Word pages that together hold another number of results than the first says, or have no end."""
    return SourceUnreachable(
        "the pages of an answer do not add up",
        file=f"{source.base_url}{where}",
        field=source.name,
        found=found,
        allowed=f"{expected} results, as the first page says, on {MOST_PAGES:,} pages at most",
        cause="a new version published between two pages, a limit on rows, or a publisher that names pages for ever",
        remedy="run the update again; where a query selects its columns, let it keep RECORD_COUNT",
    )


def _part(answer: Any, name: str, *, source: DataSource, where: str) -> Any:
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


def _standing(source: DataSource, described: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """Return the latest version of a data set that its publisher keeps up; the contract lets it have none."""
    status = _part(described, "status", source=source, where=path)
    successor, latest = described.get("supersedingDataSetId"), described.get("latestVersion")
    if status == "Published" and not successor and latest:
        return latest
    found = (
        f"status {status}",
        f"superseded by {successor}" if successor else "",
        "" if latest else "no version",
    )
    raise NeedsPerson(
        "a data set is no longer kept up by its publisher, or not published yet",
        file=f"{source.base_url}{path}",
        field=source.name,
        found=", ".join(one for one in found if one),
        allowed="status Published with a latest version, not superseded",
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
    next_major = _numbers(version)[0] != _numbers(accepted)[0] or about.get("type") == "Major"
    if next_major or major or withdrawn or older:
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
            now = change.get("currentState")
            states = [one.get("previousState") or {} for one in (change, *change.get("options", []))]
            named_by = [
                state.get("level") or state for state in states
            ]  # a group of places has the name of its level
            labels = [one.get("label") or one.get("column") or one.get("code") or "" for one in named_by]
            what = ", ".join(one for one in labels if one)
            named.append(f"{kind}: {what} {'edited' if now else 'deleted'}")
    return "; ".join(named)


# --- Data sets as CSV: of the catalogue of Explore Education Statistics, and population from Nomis ---


def catalogue_csv(source: DataSource, *, pace: Pace) -> Sheet:
    """Fetch a data set of the catalogue as CSV, for those that are not in the API."""
    url = f"{source.base_url}/data-catalogue/data-set/{source.data_set}/csv"
    answer = _fetched(source, url, accept=("text/csv", "application/octet-stream"), pace=pace)
    origin = origin_of(source, [answer], published=answer.headers.get("last-modified", ""))
    return Sheet(answer.url, csv_rows(answer.content, file=answer.url), origin)


def population_rows(source: DataSource, *, pace: Pace) -> Sheet:
    """Fetch the rows of a query of Nomis, in parts, checked against the count that each part gives.

    `source`: of kind ``nomis``; its parameters must select the columns that its mapping names.
    """
    path = f"/api/v01/dataset/{source.data_set}.data.csv"
    address = source.base_url + path
    query = dict(source.parameters)
    if "select" in query and COUNT not in query["select"].upper().split(","):
        query["select"] += f",{COUNT}"

    def asked(found: int, before: int) -> tuple[Answer, list[dict[str, Any]], int]:
        part = {"parameters": query | {"recordOffset": str(found)}}
        answer = _fetched(source, address, accept=("text/csv", "application/csv"), pace=pace, **part)
        rows = csv_rows(answer.content, file=address)
        if COUNT not in rows or not rows[COUNT].str.fullmatch(r"\d{1,15}").all():
            raise _uneven(source, where=path, found=f"{len(rows)} rows without their count", expected=found)
        return answer, rows.to_dict("records"), int(rows[COUNT].iloc[0])

    rows, answers = _every_page(asked, source=source, where=path)
    return Sheet(source.name, pd.DataFrame(rows, dtype=str), origin_of(source, answers, address=address))


# --- GDP deflators of HM Treasury: found through GOV.UK's content API, because the file's address always changes ---

# The newest document of the collection holds a spreadsheet, which is read as one given by hand is.

SHEETS = (
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text/csv",
)


def deflator_piece(source: DataSource, *, first_year: int, pace: Pace) -> Piece:
    """Fetch the newest deflators as rows of ``gdp_deflator``. `source`: of kind ``hmt_deflator``."""
    collection = get_json(source, f"/api/content/{source.data_set}", pace=pace)
    documents = [
        one for one in collection.get("links", {}).get("documents", []) if one.get("public_updated_at")
    ]
    if not documents:
        raise _not_found(source, field="links.documents", found="no documents")
    newest = max(documents, key=lambda one: str(one["public_updated_at"]))
    page = get_json(source, f"/api/content{newest['base_path']}", pace=pace)
    published = str(page.get("public_updated_at") or newest["public_updated_at"])
    sheets = [
        one for one in page.get("details", {}).get("attachments", []) if one.get("content_type") in SHEETS
    ]
    if not sheets:
        raise _not_found(source, field="details.attachments", found="no spreadsheet")
    answer = _fetched(source, str(sheets[0]["url"]), accept=SHEETS, pace=pace)
    origin = origin_of(source, [answer], published=published)
    grid = cells_of(answer.content, file=answer.url)
    rows = deflator_rows(
        index_by_year(grid, file=answer.url),
        first_year=first_year,
        published=published,
        source=source.source,
        lag=source.outturn_lag_months,
    )
    return Piece("gdp_deflator", rows, tuple(range(2, len(rows) + 2)), origin)


def _not_found(source: DataSource, *, field: str, found: str) -> InputError:
    return InputError(
        "the page of the deflators does not hold what it used to",
        file=f"{source.base_url}/api/content/{source.data_set}",
        field=field,
        found=found,
        allowed="a document with a spreadsheet (.xlsx) or CSV attached",
        cause="the publisher has moved the collection or changed its format",
        remedy="correct `data_set`; or download the file and use `cba update --from FILE`",
    )
