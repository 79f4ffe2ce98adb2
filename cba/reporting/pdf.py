"""The report for circulation: a tagged PDF, printed by a Chromium that opens the page and closes again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cba.errors import InputError, Refusal
from cba.inputs.files import bytes_of
from cba.inputs.leftovers import scratch_folder
from cba.inputs.programs import run_program

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""Programs looked for on the PATH, in this order."""


SECONDS = 300.0
"""Longest wait for a print: a report has fifty drawings, and machines that build are slow."""


_FLAGS = (
    "--headless",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--no-pdf-header-footer",
    "--export-tagged-pdf",
    "--generate-pdf-document-outline",
)


class BrowserError(Refusal, RuntimeError):
    """Chromium did not print what it was given."""


def _unprinted(problem: str) -> BrowserError:
    cause = "a browser that is too old, was killed, or found too little memory"
    return BrowserError(
        problem, cause=cause, remedy="run it again; if it stays, print report.html from a browser"
    )


def find_chromium() -> str:
    """Return the path of Chromium or a browser built on it."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        raise InputError(
            "no Chromium is found on this machine",
            field="PATH",
            found="none of " + ", ".join(NAMES),
            allowed="Chromium, Chrome or Edge",
            cause="a PDF is made by a browser, which Python packages do not bring",
            remedy="install it (Debian: apt-get install chromium), or print report.html from a browser",
        )
    return found


def report_pdf(html: Path) -> bytes:
    """Print a page as a tagged PDF: same order, title, language, headings as an outline.

    The page's own style sheet sets paper and margins; a section that a reader can change prints at the settings
    of the run.
    """
    program = find_chromium()
    # Chromium refuses to sandbox itself for the superuser, as in most containers.
    sandbox = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    with scratch_folder("print") as folder:
        file = folder / "report.pdf"
        own = (f"--user-data-dir={folder}/profile", f"--print-to-pdf={file}")
        command = [program, *_FLAGS, *sandbox, *own, html.resolve().as_uri()]
        code = run_program(command, seconds=SECONDS).code
        if code is None:
            raise _unprinted(f"Chromium did not print within {SECONDS:.0f} seconds")
        if code or not file.is_file():
            raise _unprinted(f"Chromium ended with code {code} before it had printed")
        return bytes_of(file)
