"""A local server that stands for the publishers: it speaks their published contracts and misbehaves on request."""

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
        self.url = ""
        self.stopped = threading.Event()

    def says(self, path: str, *replies: Any) -> None:
        self.replies[path] = list(replies)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        found = self.replies.get(asked.path)
        if not found:
            return as_json({"title": "Not Found", "status": 404, "type": "Not Found"}, status=404)
        reply = found.pop(0) if len(found) > 1 else found[0]
        return reply(asked) if callable(reply) else reply

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
                for at in range(len(content)):
                    if server.stopped.is_set():
                        return
                    self.wfile.write(content[at : at + 1])
                    self.wfile.flush()
                    time.sleep(reply.drip)
                return
            self.wfile.write(content)

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
        fake.says(root, lambda asked: as_json(self.described(), packed=True))
        fake.says(f"{root}/meta", lambda asked: as_json(self.meta(), packed=True))
        fake.says(f"{root}/query", self.query)
        fake.says(f"{root}/versions", self.versions)
        fake.says(f"{root}/versions/{self.version}", lambda asked: as_json(self.about()))
        fake.says(f"{root}/versions/{self.version}/changes", lambda asked: as_json(self.changes()))

    def _facts(self) -> dict[str, Any]:
        periods = sorted({row[0] for row in self.rows})
        return {
            "version": self.version,
            "published": self.published,
            "totalResults": len(self.rows),
            "file": {"id": "2c8a1f39-7b61-4a7f-9d3a-08dd6a2f1c11"},
            "timePeriods": {"start": periods[0], "end": periods[-1]},
            "geographicLevels": ["National", "Local authority"],
            "filters": [self.column],
            "indicators": [self.indicator],
        }

    def described(self) -> dict[str, Any]:
        return {
            "id": UUID,
            "title": "Length of care",
            "summary": "",
            "status": self.status,
            "supersedingDataSetId": self.successor,
            "latestVersion": self._facts(),
        }

    def about(self) -> dict[str, Any]:
        return self._facts() | {
            "type": self.kind,
            "status": self.version_status,
            "withdrawn": None,
            "notes": "",
            "release": {"title": "Reporting year 2025", "slug": "2025"},
        }

    def changes(self) -> dict[str, Any]:
        return {
            "versionNumber": self.version,
            "notes": "one indicator is no longer published" if self.major else "",
            "majorChanges": self.major,
            "minorChanges": self.minor,
            "patchHistory": [],
        }

    def versions(self, asked: Asked) -> Reply:
        return as_json({"paging": _paging(1, 10, 1), "results": [self.about()]})

    def meta(self) -> dict[str, Any]:
        labels = sorted({row[2] for row in self.rows if row[2] is not None})
        places = sorted({row[3] for row in self.rows if row[3] is not None})
        periods = sorted({row[0] for row in self.rows})
        options = [{"id": f"f{at}", "label": label} for at, label in enumerate(labels)]
        return {
            "filters": [
                {"id": "F", "column": self.column, "label": self.column, "hint": "", "options": options}
            ]
            if labels
            else [],
            "indicators": [
                {"id": "I", "column": self.indicator, "label": "Days", "unit": self.unit, "decimalPlaces": 0}
            ],
            "geographicLevels": [
                {"code": "NAT", "label": "National"},
                {"code": "LA", "label": "Local authority"},
            ],
            "locations": [
                {
                    "level": {"code": "NAT", "label": "National"},
                    "options": [{"id": "eng", "label": "England", "code": "E92000001"}],
                },
                {
                    "level": {"code": "LA", "label": "Local authority"},
                    "options": [
                        {"id": f"p{at}", "label": old, "code": new, "oldCode": old}
                        for at, (old, new) in enumerate(places)
                    ],
                },
            ],
            "timePeriods": [{"code": "RY", "period": one, "label": one} for one in periods],
        }

    def query(self, asked: Asked) -> Reply:
        body = asked.body or {}
        page, size = int(body.get("page", 1)), int(body.get("pageSize", 1000))
        labels = sorted({row[2] for row in self.rows if row[2] is not None})
        places = sorted({row[3] for row in self.rows if row[3] is not None})
        results = []
        for period, level, label, place, figure in self.rows[(page - 1) * size : page * size]:
            where = {"NAT": "eng"} | ({} if place is None else {"LA": f"p{places.index(place)}"})
            results.append(
                {
                    "timePeriod": {"code": "RY", "period": period},
                    "geographicLevel": level,
                    "locations": where,
                    "filters": {} if label is None else {"F": f"f{labels.index(label)}"},
                    "values": {"I": figure},
                }
            )
        content = {
            "paging": _paging(page, size, len(self.rows)),
            "results": results,
            "warnings": self.warnings,
        }
        return as_json(content, packed=True)


def _paging(page: int, size: int, total: int) -> dict[str, int]:
    return {"page": page, "pageSize": size, "totalResults": total, "totalPages": max(1, -(-total // size))}
