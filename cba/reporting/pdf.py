"""The report for circulation: a tagged PDF, and pictures of the page and of the PDF to look at."""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cba.errors import InputError

# --- Chromium, driven over a pipe: open one local page, ask for a PDF or a picture, and close it again ---


NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""Programs looked for on the PATH, in this order."""


SECONDS = 120.0
"""Longest wait for one answer: a report has fifty drawings, and machines that build are slow."""


_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


class BrowserError(Exception):
    """Chromium did not do what it was asked."""

    exit_code = 1

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.details = {
            "file": None,
            "field": None,
            "found": None,
            "allowed": None,
            "usual cause": "a browser that is too old, was killed, or found too little memory",
            "next step": "run it again; if it stays, print report.html from a browser",
        }


def find_chromium() -> str:
    """Return the path of Chromium or a browser built on it."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        raise InputError(
            "no Chromium is found on this machine",
            field="PATH",
            found="none of " + ", ".join(NAMES),
            allowed="Chromium, Chrome or Edge",
            cause="PDF and pictures are made by a browser, which Python packages do not bring",
            remedy="install it (Debian: apt-get install chromium), or print report.html from a browser",
        )
    return found


@dataclass
class Browser:
    """A running Chromium with one page open."""

    process: subprocess.Popen[bytes]
    # writing and reading: ends of the pipe.
    writing: int
    reading: int
    session: str = ""
    _last: int = 0
    _rest: bytes = b""
    _events: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its answer.

        `method`: of the DevTools protocol, such as ``Page.printToPDF``.
        """
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        with suppress(BrokenPipeError):
            _write_all(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(method)
            if answer.get("id") != self._last:
                self._events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"Chromium refused {method}: {answer['error'].get('message')}")
            else:
                return dict(answer["result"])

    def wait_for(self, event: str) -> None:
        """Wait until an event has come, such as ``Page.loadEventFired``."""
        while not any(told.get("method") == event for told in self._events):
            self._events.append(self._next(event))

    def _next(self, what: str) -> dict[str, Any]:
        """Return the next message; `what` is awaited, for the error."""
        until = time.monotonic() + SECONDS
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.reading, selectors.EVENT_READ)
            while b"\0" not in self._rest:
                if not waiting.select(timeout=max(until - time.monotonic(), 0.0)):
                    raise BrowserError(f"Chromium did not answer {what} within {SECONDS:.0f} seconds")
                part = os.read(self.reading, 1 << 20)
                if not part:
                    raise BrowserError(f"Chromium ended before it answered {what}")
                self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def open_page(file: Path, *, width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """Open a local page in a Chromium of its own, which is closed at the end. Once the page has loaded."""
    program = find_chromium()
    with TemporaryDirectory(prefix="cba-browser-", ignore_cleanup_errors=True) as profile:
        browser = _started(program, profile)
        try:
            target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
            attached = browser.ask("Target.attachToTarget", targetId=target, flatten=True)
            browser.session = attached["sessionId"]
            browser.ask("Page.enable")
            browser.ask(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=height,
                deviceScaleFactor=1,
                mobile=width < 600,
            )
            browser.ask("Page.navigate", url=file.resolve().as_uri())
            browser.wait_for("Page.loadEventFired")
            yield browser
        finally:
            _close(browser)


def _started(program: str, profile: str) -> Browser:
    """Start Chromium, which reads commands at descriptor 3 and answers at 4."""
    commands, writing = os.pipe()
    reading, answers = os.pipe()
    sandbox = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()

    def at_three_and_four() -> None:
        low, high = os.dup(commands), os.dup(answers)
        os.dup2(low, 3)
        os.dup2(high, 4)

    process = subprocess.Popen(
        [program, *_FLAGS, *sandbox, f"--user-data-dir={profile}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=at_three_and_four,
    )
    os.close(commands)
    os.close(answers)
    return Browser(process, writing, reading)


def _close(browser: Browser) -> None:
    browser.session = ""
    with suppress(BrowserError):
        browser.ask("Browser.close")
    for end in (browser.writing, browser.reading):
        os.close(end)
    try:
        browser.process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        browser.process.kill()
        browser.process.wait()


def _write_all(end: int, content: bytes) -> None:
    while content:
        content = content[os.write(end, content) :]


WIDTHS = (1280, 390)
"""Widths of the pictures: a desk and a telephone, in CSS pixels."""


_TALLEST = 4000
"""CSS pixels of one picture: a whole report would be taller than a browser can paint."""


_A4 = {"paperWidth": 8.27, "paperHeight": 11.69}


_MARGIN = dict.fromkeys(("marginTop", "marginBottom", "marginLeft", "marginRight"), 0.6)


def require_programs(*, pictures: bool = False) -> None:
    """Refuse at once where a program is missing, before any work is done."""
    find_chromium()
    if pictures:
        _pdf_converter()


def picture_folder(folder: Path) -> Path:
    """Make the folder that pictures go into, before any work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "the folder of the pictures cannot be made",
            file=folder,
            found=error.strerror,
            allowed="a folder, or a name that is still free",
            cause="a file of that name, or a place that may not be written to",
            remedy="name another folder",
        ) from None
    return folder


def report_pdf(html: str | Path) -> bytes:
    """Print a page as a tagged PDF: same order, title, language, headings as an outline.

    A4; a section that a reader can change prints at the settings of the run.
    """
    if isinstance(html, Path):
        with open_page(html) as browser:
            return _printed(browser)
    with TemporaryDirectory(prefix="cba-print-") as folder:
        file = Path(folder) / "report.html"
        file.write_text(html, encoding="utf-8")
        return report_pdf(file)


def report_pictures(html: Path, folder: Path) -> list[Path]:
    """Take pictures of a page at each of `WIDTHS`, and of every page of its PDF.

    ``report-<width>-<number>.png`` from top to bottom, then ``page-<number>.png``.
    """
    converter = _pdf_converter()
    picture_folder(folder)
    taken: list[Path] = []
    printed = b""
    for width in WIDTHS:
        with open_page(html, width=width) as browser:
            taken += _pictures(browser, folder, width=width)
            printed = printed or _printed(browser)
    return taken + _pdf_pages(printed, folder, converter=converter)


def _printed(browser: Browser) -> bytes:
    answer = browser.ask(
        "Page.printToPDF",
        generateTaggedPDF=True,
        generateDocumentOutline=True,
        printBackground=True,
        displayHeaderFooter=False,
        **_A4,
        **_MARGIN,
    )
    return base64.b64decode(answer["data"])


def _pictures(browser: Browser, folder: Path, *, width: int) -> list[Path]:
    """Take the whole page in pieces from top to bottom."""
    size = browser.ask("Page.getLayoutMetrics")["cssContentSize"]
    taken = []
    for number, top in enumerate(range(0, int(size["height"]), _TALLEST), start=1):
        clip = {"x": 0, "y": top, "width": width, "height": min(_TALLEST, size["height"] - top), "scale": 1}
        answer = browser.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        file = folder / f"report-{width}-{number:02d}.png"
        file.write_bytes(base64.b64decode(answer["data"]))
        taken.append(file)
    return taken


def _pdf_converter() -> str:
    found = shutil.which("pdftoppm")
    if found is None:
        raise InputError(
            "no pdftoppm is found on this machine",
            field="PATH",
            found="none",
            allowed="pdftoppm, of the package poppler-utils",
            cause="pictures of a PDF's pages are made by a program of its own",
            remedy="install it (Debian: apt-get install poppler-utils)",
        )
    return found


def _pdf_pages(pdf: bytes, folder: Path, *, converter: str) -> list[Path]:
    """Turn every page of a PDF into a picture."""
    with TemporaryDirectory(prefix="cba-pages-") as work:
        source = Path(work) / "report.pdf"
        source.write_bytes(pdf)
        made = subprocess.run(
            [converter, "-r", "60", "-png", str(source), str(Path(work) / "page")], capture_output=True
        )
        if made.returncode:
            raise BrowserError(f"pdftoppm failed: {made.stderr.decode(errors='replace').strip()}")
        pages = sorted(Path(work).glob("page-*.png"), key=lambda file: int(file.stem.split("-")[1]))
        return [
            Path(shutil.copy(file, folder / f"page-{number:03d}.png")) for number, file in enumerate(pages, 1)
        ]
