"""Which version of a data set may be taken unseen: a minor one or a patch, of a data set that is kept up.

A major version deletes or regroups something, a withdrawn or superseded data set is no longer kept up: a
person must look at both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cba.inputs.data_records import DataSource
from cba.inputs.releases.delivered import Sheet
from cba.inputs.releases.ees_api import get_json, part_of, refuse_fewer
from cba.inputs.releases.ees_rows import queried
from cba.inputs.releases.http_client import Pace
from cba.inputs.releases.refusals import NeedsPerson


@dataclass(frozen=True)
class Found:
    """What a source holds at present.

    Parameters
    ----------
    version, published : str
        As the publisher states them.
    sheet : Sheet or None
        Rows with labels; None where the version is the one already held.
    units : mapping of str to str
        Unit of each indicator.
    """

    version: str
    published: str
    sheet: Sheet | None
    units: Mapping[str, str]


def newest(source: DataSource, *, accepted: str, held: tuple[str, str], pace: Pace) -> Found:
    """Fetch the newest version of a data set that may be taken without asking.

    Parameters
    ----------
    source : DataSource
        Of kind ``ees``.
    accepted : str
        Version accepted so far; the pinned one, or a later one taken since.
    held : tuple of str
        Version and day of publication already in the snapshot, which are not fetched again.
    pace : Pace

    Returns
    -------
    Found

    Raises
    ------
    NeedsPerson
        If the data set is withdrawn, deprecated or superseded, or its newest version is a major one.
    InputError
        If the API warns, or breaks its contract.

    Examples
    --------
    >>> newest(source, accepted="2.0", held=("", ""), pace=Pace()).version  # doctest: +SKIP
    '2.1'
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
