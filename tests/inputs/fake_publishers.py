"""A local server that stands for the publishers: it speaks their published contracts and misbehaves on request.

What it says for the statistics API is made from the examples of the API's contract; every request to it, and every
answer of a `DataSet`, is held against that contract, and the test that broke it fails at its end.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.inputs.statistics_api import broken_answer, broken_request, model

UUID = "7588c2d6-9e8a-4d84-8f19-6b8d52a01fbd"


@dataclass
class Reply:
    """One answer: what to say and how to say it badly."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    packed: bool = False
    cut: int = 0
    drip: float = 0.0
    endless_head: float = 0.0  # seconds between two bytes of a head that never ends


def as_json(content: Any, **how: Any) -> Reply:
    return Reply(json.dumps(content).encode(), **how)


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class FakePublishers:
    """Answers by path; a list of replies is used up one by one, the last one stays."""

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {}
        self.asked: list[Asked] = []
        self.broken: list[str] = []  # where a request, or an answer of a data set, breaks the contract
        self.url = ""
        self.stopped = threading.Event()

    def says(self, path: str, *replies: Any) -> None:
        self.replies[path] = list(replies)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        self.broken += broken_request(asked)
        found = self.replies.get(asked.path)
        if not found:
            return as_json({"title": "Not Found", "status": 404, "type": "Not Found"}, status=404)
        reply = found.pop(0) if len(found) > 1 else found[0]
        return reply(asked) if callable(reply) else reply

    def by_contract(self, path: str, made: Any) -> None:
        """Answer a path with what `made` makes of a request, held against the contract."""

        def reply(asked: Asked) -> Reply:
            content = made(asked)
            self.broken += broken_answer(asked, content, status=200)
            return as_json(content, packed=True)

        self.says(path, reply)

    def times(self, path: str) -> int:
        return sum(one.path == path for one in self.asked)


def _handler(server: FakePublishers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = json.loads(raw) if raw else None
            asked = Asked(self.command, parts.path, query, dict(self.headers.items()), body)
            reply = server.answer(asked)
            if reply.endless_head:
                self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 2000, seconds=reply.endless_head)
                return
            content = gzip.compress(reply.body) if reply.packed else reply.body
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            if reply.packed:
                self.send_header("Content-Encoding", "gzip")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if reply.cut:
                self.wfile.write(content[: -reply.cut])
                self.wfile.flush()
                self.close_connection = True
                return
            if reply.drip:
                self._drip(content, seconds=reply.drip)
            else:
                self.wfile.write(content)

        def _drip(self, content: bytes, *, seconds: float) -> None:
            for at in range(len(content)):
                if server.stopped.is_set():
                    return
                self.wfile.write(content[at : at + 1])
                self.wfile.flush()
                time.sleep(seconds)

        def do_GET(self) -> None:
            try:
                self._respond()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def publishers() -> Iterator[FakePublishers]:
    """Run the server on a free port of this machine while the block runs."""
    fake = FakePublishers()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
    assert fake.broken == []


@dataclass
class DataSet:
    """A data set of Explore Education Statistics: mean length of care, or anything by one filter.

    `rows` are (period, level, filter label or None, place or None, figure as text).
    """

    rows: list[tuple[str, str, str | None, tuple[str, str] | None, str]]
    column: str = "measure"
    indicator: str = "days"
    unit: str = ""
    version: str = "2.0"
    kind: str = "Major"
    status: str = "Published"
    successor: str | None = None
    published: str = "2025-11-20T09:30:00+00:00"
    version_status: str = "Published"
    major: dict[str, Any] = field(default_factory=dict)
    minor: dict[str, Any] = field(default_factory=dict)
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def serve(self, fake: FakePublishers) -> None:
        """Put every endpoint of the data set into the server."""
        root = f"/statistics/v1/data-sets/{UUID}"
        fake.by_contract(root, lambda asked: self.described())
        fake.by_contract(f"{root}/meta", lambda asked: self.meta())
        fake.by_contract(f"{root}/query", self.query)
        fake.by_contract(f"{root}/versions/{self.version}", lambda asked: self.about())
        fake.by_contract(f"{root}/versions/{self.version}/changes", lambda asked: self.changes())

    def _facts(self) -> dict[str, Any]:
        periods = sorted({row[0] for row in self.rows})
        return {
            "version": self.version,
            "published": self.published,
            "totalResults": len(self.rows),
            "timePeriods": {"start": periods[0], "end": periods[-1]},
            "filters": [self.column],
            "indicators": [self.indicator],
        }

    def described(self) -> dict[str, Any]:
        figures = {"id": UUID, "status": self.status, "supersedingDataSetId": self.successor}
        latest = model("DataSetLatestVersionViewModel", **self._facts())
        return model("DataSetViewModel", **figures, latestVersion=latest)

    def about(self) -> dict[str, Any]:
        state = {"type": self.kind, "status": self.version_status, "withdrawn": None, "notes": ""}
        return model("DataSetVersionViewModel", **self._facts(), **state)

    def changes(self) -> dict[str, Any]:
        changed = {"majorChanges": self.major, "minorChanges": self.minor}
        notes = "one indicator is no longer published" if self.major else ""
        return model("DataSetVersionChangesViewModel", versionNumber=self.version, notes=notes, **changed)

    def meta(self) -> dict[str, Any]:
        labels = sorted({row[2] for row in self.rows if row[2] is not None})
        places = sorted({row[3] for row in self.rows if row[3] is not None})
        periods = sorted({row[0] for row in self.rows})
        national, authority = ({"code": code, "label": label} for code, label in LEVELS.items())
        options = [{"id": f"f{at}", "label": label} for at, label in enumerate(labels)]
        filters = [model("FilterOptionsViewModel", id="F", column=self.column, options=options)]
        england = model("LocationCodedOptionViewModel", id="eng", label="England", code="E92000001")
        authorities = [
            model("LocationLocalAuthorityOptionViewModel", id=f"p{at}", label=old, code=new, oldCode=old)
            for at, (old, new) in enumerate(places)
        ]
        return model(
            "DataSetMetaViewModel",
            filters=filters if labels else [],
            indicators=[model("IndicatorViewModel", id="I", column=self.indicator, unit=self.unit)],
            geographicLevels=[national, authority],
            locations=[
                {"level": national, "options": [england]},
                {"level": authority, "options": authorities},
            ],
            timePeriods=[{"code": "RY", "period": one, "label": one} for one in periods],
        )

    def query(self, asked: Asked) -> dict[str, Any]:
        page, size = int(asked.body.get("page", 1)), int(asked.body.get("pageSize", 1000))
        labels = sorted({row[2] for row in self.rows if row[2] is not None})
        places = sorted({row[3] for row in self.rows if row[3] is not None})
        results = []
        for period, level, label, place, figure in self.rows[(page - 1) * size : page * size]:
            where = {"NAT": "eng"} | ({} if place is None else {"LA": f"p{places.index(place)}"})
            results.append(
                model(
                    "DataSetQueryResultViewModel",
                    timePeriod={"code": "RY", "period": period},
                    geographicLevel=level,
                    locations=where,
                    filters={} if label is None else {"F": f"f{labels.index(label)}"},
                    values={one: figure for one in asked.body["indicators"] if one == "I"},
                )
            )
        paging = _paging(page, size, len(self.rows))
        return {"paging": paging, "results": results, "warnings": self.warnings}


LEVELS = {"NAT": "National", "LA": "Local authority"}


def _paging(page: int, size: int, total: int) -> dict[str, int]:
    return {"page": page, "pageSize": size, "totalResults": total, "totalPages": max(1, -(-total // size))}
