"""The public API of Explore Education Statistics, version 1: one request, and lists that come in pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cba.errors import InputError
from cba.inputs.data_records import DataSource
from cba.inputs.releases.http_client import Answer, Pace, fetch
from cba.inputs.releases.refusals import SourceUnreachable

JSON = ("application/json",)


def get_json(source: DataSource, path: str, *, pace: Pace, **parameters: Any) -> Any:
    """Fetch one JSON document of a source.

    Parameters
    ----------
    source : DataSource
    path : str
        Behind the base URL, or a whole address.
    pace : Pace
    **parameters
        Of the query.

    Returns
    -------
    object

    Raises
    ------
    SourceUnreachable
        If there is no answer, or it is no JSON.

    Examples
    --------
    >>> get_json(source, "/v1/publications", pace=Pace())  # doctest: +SKIP
    """
    return parsed(fetch_json(source, path, pace=pace, parameters=parameters))


def fetch_json(
    source: DataSource,
    path: str,
    *,
    pace: Pace,
    parameters: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Answer:
    """Fetch one JSON document of a source as it came.

    Parameters
    ----------
    source : DataSource
    path : str
        Behind the base URL, or a whole address.
    pace : Pace
    parameters : mapping, optional
        Of the query.
    body : mapping, optional
        Sent by POST.

    Returns
    -------
    Answer

    Raises
    ------
    SourceUnreachable
        If there is no whole answer.

    Examples
    --------
    >>> fetch_json(source, "/v1/publications", pace=Pace())  # doctest: +SKIP
    """
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
    """Return the document an answer holds.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    object

    Raises
    ------
    SourceUnreachable
        If it is not the JSON it says it is.

    Examples
    --------
    >>> parsed(Answer("https://a", b'{"page": 1}', "", {}, ""))
    {'page': 1}
    """
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
    """List the versions of the data set, newest first.

    Parameters
    ----------
    source : DataSource
    pace : Pace

    Yields
    ------
    mapping

    Examples
    --------
    >>> [one["version"] for one in versions(source, pace=Pace())]  # doctest: +SKIP
    """
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
    """Refuse pages that together hold another number of results than they say.

    Parameters
    ----------
    seen, expected : int
    source : DataSource
    where : str
        Path asked for.

    Raises
    ------
    SourceUnreachable

    Examples
    --------
    >>> refuse_fewer(3, 3, source=source, where="/v1/publications")  # doctest: +SKIP
    """
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
    """Return a part of an answer that the contract promises.

    Parameters
    ----------
    answer : object
    name : str
    source : DataSource
    where : str
        Path asked for.

    Returns
    -------
    object

    Raises
    ------
    InputError
        If the part is not there.

    Examples
    --------
    >>> part_of({"paging": {"page": 1}}, "paging", source=source, where="/v1")  # doctest: +SKIP
    {'page': 1}
    """
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
