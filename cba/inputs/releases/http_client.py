"""Fetch one answer over HTTP: encrypted, from named hosts only, whole, in time, and with patience.

An answer is taken only from a host of the configuration, with a certificate that verifies, complete (its gzip
stream too) and below a size limit. A busy or broken server is asked again after a growing, jittered wait, or
after what its Retry-After says; a connection that drips is cut off. httpx is imported on first use.
"""

from __future__ import annotations

import hashlib
import random
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urljoin, urlsplit

from cba.errors import InputError, SourceUnreachable
from cba.inputs.data_sources import LOOPBACK

if TYPE_CHECKING:
    import httpx

_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5


@dataclass(frozen=True)
class Pace:
    """Limits and patience of requests; the clock, the sleep and the dice are given for tests."""

    attempts: int = 5  # requests in all before giving up
    # connect, read, overall: seconds to connect, between two arrivals, and for one whole answer.
    connect: float = 10.0
    read: float = 30.0
    overall: float = 600.0
    # first_wait and longest_wait: seconds: wait n is drawn between half and all of ``first_wait x 2^n``,
    # never above the longest; a Retry-After above the longest ends the update.
    first_wait: float = 1.0
    longest_wait: float = 120.0
    limit: int = 200_000_000  # bytes of an answer, unpacked
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)


@dataclass(frozen=True)
class Answer:
    """One answer."""

    url: str  # where it came from, after redirects
    content: bytes
    sha256: str
    headers: Mapping[str, str]  # names in lower case
    retrieved: str  # UTC time, ISO 8601


class _TryAgain(Exception):
    """A request that may succeed later; `wait` is what the server asked for, in seconds."""

    def __init__(self, reason: str, *, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def fetch(
    url: str,
    *,
    hosts: Collection[str],
    accept: tuple[str, ...],
    pace: Pace,
    parameters: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Answer:
    """Fetch one answer. `hosts`: hosts (with port where not the usual one) that may be spoken to."""
    import httpx

    agent = {"User-Agent": f"cba/{_version()} (cost-benefit analysis; httpx)", "Accept-Encoding": "gzip"}
    timeout = httpx.Timeout(pace.read, connect=pace.connect)
    with httpx.Client(headers=agent, timeout=timeout, follow_redirects=False, trust_env=True) as client:
        for attempt in range(pace.attempts):
            try:
                return _followed(
                    client, url, hosts=hosts, accept=accept, pace=pace, parameters=parameters, body=body
                )
            except _TryAgain as trouble:
                reason, asked = str(trouble), trouble.wait
            except httpx.TransportError as trouble:
                reason, asked = f"{type(trouble).__name__}: {trouble}", None
            if asked is not None and asked > pace.longest_wait:
                _give_up(url, f"{reason}; it asks to wait {asked:.0f} seconds", tried=attempt + 1)
            if attempt + 1 < pace.attempts:
                drawn = pace.first_wait * 2**attempt * (0.5 + 0.5 * pace.jitter())
                pace.sleep(min(drawn if asked is None else max(asked, drawn), pace.longest_wait))
    _give_up(url, reason, tried=pace.attempts)


def _version() -> str:
    try:
        return metadata.version("cba")
    except metadata.PackageNotFoundError:  # a source checkout that was never installed
        return "0"


def _give_up(url: str, reason: str, *, tried: int) -> NoReturn:
    raise SourceUnreachable(
        "a source gave no usable answer",
        file=url,
        found=f"{reason} (asked {tried} time{'s' * (tried > 1)})",
        allowed="a whole answer of the kind asked for",
        cause="no network, a publisher's outage or maintenance, or too many requests",
        remedy="try again later; or download the release by hand and use `cba update --from FILE`",
    )


def _followed(
    client: httpx.Client,
    url: str,
    *,
    hosts: Collection[str],
    accept: tuple[str, ...],
    pace: Pace,
    parameters: Mapping[str, Any] | None,
    body: Mapping[str, Any] | None,
) -> Answer:
    """Send one request and follow its redirects, each to a host that is named."""
    deadline = pace.clock() + pace.overall
    for _ in range(_MOST_REDIRECTS + 1):
        _refuse_host(url, hosts=hosts)
        method = "GET" if body is None else "POST"
        headers = {"Accept": ", ".join(accept)}
        with client.stream(method, url, params=parameters, json=body, headers=headers) as response:
            if response.status_code in _REDIRECTS:
                url, parameters = urljoin(str(response.url), response.headers.get("location", "")), None
                continue
            return _whole(response, accept=accept, pace=pace, deadline=deadline)
    raise InputError(
        "a source sends from one address to the next without end",
        file=url,
        found=f"more than {_MOST_REDIRECTS} redirects",
        allowed=f"up to {_MOST_REDIRECTS}",
        cause="an address that has moved",
        remedy="write the address the data are at into the configuration",
    )


def _refuse_host(url: str, *, hosts: Collection[str]) -> None:
    parts = urlsplit(url)
    plain_allowed = parts.scheme == "http" and parts.hostname in LOOPBACK
    if parts.netloc not in hosts or not (parts.scheme == "https" or plain_allowed):
        raise InputError(
            "an address outside the configuration was not contacted",
            file=url,
            field="hosts",
            found=f"{parts.scheme}://{parts.netloc}",
            allowed=", ".join(sorted(hosts)) + ", encrypted",
            cause="a publisher's redirect to a host of its own, or a wrong address",
            remedy="add the host to `hosts` of the source if it belongs to the publisher",
        )


def _whole(response: httpx.Response, *, accept: tuple[str, ...], pace: Pace, deadline: float) -> Answer:
    """Read an answer to its end, unpack it and check that nothing is missing."""
    status = response.status_code
    if status in _AGAIN:
        raise _TryAgain(f"HTTP {status}", wait=retry_after(response.headers.get("retry-after")))
    content = _unpacked(response, pace=pace, deadline=deadline)
    if status >= 400:
        raise _refused(response, content)
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if status != 200 or kind not in accept:
        raise _TryAgain(
            f"HTTP {status} of type {kind or 'unknown'} where {' or '.join(accept)} was asked for"
        )
    return Answer(
        url=str(response.url),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        headers={name.lower(): value for name, value in response.headers.items()},
        retrieved=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _unpacked(response: httpx.Response, *, pace: Pace, deadline: float) -> bytes:
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing not in ("", "identity", "gzip", "x-gzip"):
        raise _TryAgain(f"an answer packed as {packing}, which was not asked for")
    unpack = zlib.decompressobj(31) if "gzip" in packing else None
    parts, size = [], 0
    for raw in response.iter_raw():
        if pace.clock() > deadline:
            raise _TryAgain(f"the answer was not complete after {pace.overall:g} seconds")
        try:
            part = raw if unpack is None else unpack.decompress(raw, pace.limit + 1 - size)
        except zlib.error as error:
            raise _TryAgain(f"an answer that does not unpack: {error}") from None
        size += len(part)
        if size > pace.limit or (unpack is not None and unpack.unconsumed_tail):
            raise _too_large(response, pace)
        parts.append(part)
    if unpack is not None and not unpack.eof:
        raise _TryAgain("an answer cut off inside its packing")
    return b"".join(parts)


def _too_large(response: httpx.Response, pace: Pace) -> InputError:
    return InputError(
        "an answer is larger than a release can be",
        file=str(response.url),
        found=f"more than {pace.limit:,} bytes",
        allowed=f"up to {pace.limit:,} bytes",
        cause="another file under the address, or a faulty server",
        remedy="check the address; nothing was kept",
    )


def _refused(response: httpx.Response, content: bytes) -> InputError:
    """Word a request that is refused for good, with what the publisher says about it."""
    return InputError(
        f"a source refused the request: HTTP {response.status_code}",
        file=str(response.url),
        found=content[:500].decode("utf-8", errors="replace").strip() or "no explanation",
        allowed="a data set, version, indicator or filter that exists",
        cause="an identifier in the configuration that was mistyped, or that the publisher has removed",
        remedy="compare the identifier with the publisher's page",
    )


def retry_after(value: str | None) -> float | None:
    """Return the seconds a Retry-After header asks to wait.

    None where there is none, or it cannot be read. `value`: a number of seconds or an HTTP date.
    """
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
