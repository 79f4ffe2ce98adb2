"""Fetch one answer over HTTP: encrypted, from named hosts only, whole, in time, and with patience.

An answer is taken only from a host of the configuration, with a certificate that verifies, complete (its gzip
stream too) and below a size limit. A busy or broken server is asked again after a growing, jittered wait, or
after what its Retry-After says; when the time for an answer is over, its connection is cut. httpx is imported on
first use.
"""

from __future__ import annotations

import gzip
import io
import random
import socket
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from cba.errors import InputError, SourceUnreachable
from cba.inputs.data_sources import LOOPBACK
from cba.inputs.safe_files import strict_json

if TYPE_CHECKING:
    import httpx

_AGAIN = (408, 425, 429)  # and every fault of the server
_NOT_LET_IN = (
    401,
    403,
    407,
    451,
)  # a firewall, or a version not yet public: nothing the configuration got wrong
_MOST_REDIRECTS = 5


@dataclass(frozen=True)
class Pace:
    """Limits and patience of requests; the clock, the sleep and the dice are given for tests."""

    attempts: int = 5  # requests in all before giving up
    # connect, read, overall: seconds to connect, between two arrivals, and for one whole answer, all attempts.
    connect: float = 10.0
    read: float = 30.0
    overall: float = 600.0
    # first_wait and longest_wait: seconds: wait n is drawn between half and all of ``first_wait x 2^n``,
    # never above the longest; a Retry-After above the longest ends the update.
    first_wait: float = 1.0
    longest_wait: float = 120.0
    limit: int = 200_000_000  # bytes of an answer, unpacked
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)


@dataclass(frozen=True)
class Answer:
    """One answer."""

    url: str  # where it came from, after redirects
    content: bytes
    headers: Mapping[str, str]  # names in lower case
    retrieved: str  # UTC time, ISO 8601

    def json(self) -> Any:
        """Return the document the answer holds."""
        try:
            return strict_json(self.content)
        except ValueError as error:
            raise SourceUnreachable(
                "an answer is not the JSON it says it is",
                file=self.url,
                found=str(error),
                allowed="one JSON document",
                cause="an answer cut off, or a page of a proxy in between",
                remedy="try again later",
            ) from None


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

    client = httpx.Client(
        headers={
            "User-Agent": f"cba/{_version()} (cost-benefit analysis; httpx)",
            "Accept": ", ".join(accept),
            "Accept-Encoding": "gzip",
        },
        timeout=httpx.Timeout(pace.read, connect=pace.connect),
        follow_redirects=True,
        max_redirects=_MOST_REDIRECTS,
        event_hooks={"request": [partial(_refuse_host, hosts=hosts)]},  # called for each redirect too
    )
    with client, _addresses_that_can_be(url), _cut_off(after=pace.overall) as (over, noted):
        request = client.build_request("GET" if body is None else "POST", url, params=parameters, json=body)
        request.extensions["trace"] = noted
        for attempt in range(pace.attempts):
            found = _tried(client, request, accept=accept, pace=pace)
            if over.is_set():  # an answer may be half of one whose end only the connection tells
                found = _TryAgain(f"the answer was not complete after {pace.overall:g} seconds")
            elif isinstance(found, Answer):
                return found
            asked = found.wait or 0.0
            if over.is_set() or asked > pace.longest_wait:
                waiting = f"; it asks to wait {asked:.0f} seconds" * (asked > 0)
                _give_up(url, f"{found}{waiting}", tried=attempt + 1)
            if attempt + 1 < pace.attempts:
                drawn = pace.first_wait * 2**attempt * (0.5 + 0.5 * pace.jitter())
                pace.sleep(min(max(asked, drawn), pace.longest_wait))
    _give_up(url, str(found), tried=pace.attempts)


def _tried(
    client: httpx.Client, request: httpx.Request, *, accept: tuple[str, ...], pace: Pace
) -> Answer | _TryAgain:
    """Ask once: an answer, or why another attempt may bring one."""
    import httpx

    try:
        return _answer(client, request, accept=accept, pace=pace)
    except httpx.TooManyRedirects:
        raise _endless(str(request.url)) from None
    except _TryAgain as trouble:
        return trouble
    except httpx.TransportError as trouble:
        return _TryAgain(f"{type(trouble).__name__}: {trouble}")


@contextmanager
def _cut_off(*, after: float) -> Iterator[tuple[threading.Event, Callable[[str, Mapping[str, Any]], None]]]:
    """Cut the connection in use when the time is over, even while the head of an answer still drips in.

    Yields the event that says so, and what must hear of every connection made (httpx's extension ``trace``).
    """
    over, connections = threading.Event(), []

    def noted(event: str, about: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            connections.append(about["return_value"].get_extra_info("socket"))

    def cut() -> None:
        over.set()
        for one in connections:
            with suppress(OSError):  # closed, or handed on to the encrypted connection over it
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    timer = threading.Timer(after, cut)
    timer.daemon = True
    timer.start()
    try:
        yield over, noted
    finally:
        timer.cancel()


def _version() -> str:
    try:
        return metadata.version("cba")
    except metadata.PackageNotFoundError:  # a source checkout that was never installed
        return "0"


def _refuse_host(request: httpx.Request, *, hosts: Collection[str]) -> None:
    parts = urlsplit(str(request.url))
    plain_allowed = parts.scheme == "http" and parts.hostname in LOOPBACK
    if parts.netloc not in {host.lower() for host in hosts} or not (parts.scheme == "https" or plain_allowed):
        raise InputError(
            "an address outside the configuration was not contacted",
            file=str(request.url),
            field="hosts",
            found=f"{parts.scheme}://{parts.netloc}",
            allowed=", ".join(sorted(hosts)) + ", encrypted",
            cause="a publisher's redirect to a host of its own, or a wrong address",
            remedy="add the host to `hosts` of the source if it belongs to the publisher",
        )


def _answer(client: httpx.Client, request: httpx.Request, *, accept: tuple[str, ...], pace: Pace) -> Answer:
    """Send one request, read the answer to its end and check that nothing is missing."""
    response = client.send(request, stream=True)
    with closing(response):
        status = response.status_code
        if status in _AGAIN or status >= 500:
            raise _TryAgain(f"HTTP {status}", wait=retry_after(response.headers.get("retry-after")))
        content = _unpacked(response, _received(response, pace=pace), pace=pace)
    if status in _NOT_LET_IN:
        _give_up(str(response.url), f"HTTP {status}: {_in_words(content)}", tried=1)
    if status >= 400:
        raise _refused(response, content)
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if status != 200 or kind not in accept:
        raise _TryAgain(
            f"HTTP {status} of type {kind or 'unknown'} where {' or '.join(accept)} was asked for"
        )
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(str(response.url), content, headers, datetime.now(UTC).isoformat(timespec="seconds"))


def _received(response: httpx.Response, *, pace: Pace) -> bytes:
    content = bytearray()
    for part in response.iter_raw():
        content += part
        if len(content) > pace.limit:
            raise _too_large(response, pace)
    return bytes(content)


def _unpacked(response: httpx.Response, content: bytes, *, pace: Pace) -> bytes:
    # httpx would unpack too, but takes half a stream for the whole and sets no limit to what comes out.
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing in ("", "identity"):
        return content
    if packing not in ("gzip", "x-gzip"):
        raise _TryAgain(f"an answer packed as {packing}, which was not asked for")
    try:
        unpacked = gzip.GzipFile(fileobj=io.BytesIO(content)).read(pace.limit + 1)
    except EOFError:
        raise _TryAgain("an answer cut off inside its packing") from None
    except (OSError, zlib.error) as error:
        raise _TryAgain(f"an answer that does not unpack: {error}") from None
    if len(unpacked) > pace.limit:
        raise _too_large(response, pace)
    return unpacked


def _give_up(url: str, reason: str, *, tried: int) -> NoReturn:
    raise SourceUnreachable(
        "a source gave no usable answer",
        file=url,
        found=f"{reason} (asked {tried} time{'s' * (tried > 1)})",
        allowed="a whole answer of the kind asked for",
        cause="no network, a firewall, a publisher's outage or maintenance, or too many requests",
        remedy="try again later; or download the release by hand and use `cba update --from FILE`",
    )


@contextmanager
def _addresses_that_can_be(url: str) -> Iterator[None]:
    """Word an address that cannot be; the analysis names none, so that an answer sent us there."""
    import httpx

    try:
        yield
    except (httpx.InvalidURL, UnicodeError) as error:
        raise SourceUnreachable(
            "a source sends to an address that cannot be",
            file=ascii(url)[1:-1],
            found=ascii(str(error))[1:-1],
            allowed="https://host/path",
            cause="a link mistyped by the publisher, or a proxy in between",
            remedy="try again later; or download the release by hand and use `cba update --from FILE`",
        ) from None


def _endless(url: str) -> InputError:
    return InputError(
        "a source sends from one address to the next without end",
        file=url,
        found=f"more than {_MOST_REDIRECTS} redirects",
        allowed=f"up to {_MOST_REDIRECTS}",
        cause="an address that has moved",
        remedy="write the address the data are at into the configuration",
    )


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
        found=_in_words(content),
        allowed="a data set, version, indicator or filter that exists",
        cause="an identifier in the configuration that was mistyped, or that the publisher has removed",
        remedy="compare the identifier with the publisher's page",
    )


def _in_words(content: bytes) -> str:
    return content[:500].decode("utf-8", errors="replace").strip() or "no explanation"


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
