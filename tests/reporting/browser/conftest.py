"""Chromium for the tests of this folder; they are left out only where there is none."""

from __future__ import annotations

import shutil

import pytest

from cba.reporting.pdf import NAMES
from tests.reporting.browser.made_explorer import explorer_page, made_appraisals


@pytest.fixture(scope="session")
def chromium():
    program = next((path for path in map(shutil.which, NAMES) if path), None)
    if program is None:
        pytest.skip(f"no Chromium on the PATH (none of {', '.join(NAMES)})")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def explorer_html() -> str:
    return explorer_page(made_appraisals())


@pytest.fixture(scope="session")
def explorer_file(explorer_html, tmp_path_factory):
    file = tmp_path_factory.mktemp("explorer") / "page.html"
    file.write_text(explorer_html, encoding="utf-8")
    return file


@pytest.fixture
def open_file(chromium):
    """Open a file in a fresh window; what it says to the console and asks of the network is kept beside it."""
    opened = []

    def opening(file, *, width=1280, height=900, **settings):
        context = chromium.new_context(viewport={"width": width, "height": height}, **settings)
        opened.append(context)
        page = context.new_page()
        page.told, page.asked = [], []
        page.on("console", lambda message: page.told.append(message.text))
        page.on("pageerror", lambda error: page.told.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(file.as_uri())
        return page

    yield opening
    for context in opened:
        context.close()
