"""One made-up run and its page, shared by the tests of this folder."""

from __future__ import annotations

import pytest

from cba.reporting.page import render_pages
from tests.reporting.fake_appraisal import FakeAppraisal, make_stances
from tests.reporting.page_reading import Element, read_pages

MANIFEST = {
    "schema": 1,
    "analysis": "latest",
    "finished": "2026-11-21T20:00:00Z",
    "fingerprints": {"run": "0123abcd"},
    "sources": [{"source": "S01", "title": "Children looked after in England", "licence": "OGL"}],
    "single_vintage_exceptions": ["GDP deflator: one vintage"],
}


@pytest.fixture(scope="session")
def stances() -> list[FakeAppraisal]:
    return make_stances()


@pytest.fixture(scope="session")
def pages(stances: list[FakeAppraisal]) -> dict[str, str]:
    return render_pages(stances, headline={"results": stances[0].results}, manifest=MANIFEST)


@pytest.fixture(scope="session")
def page(pages: dict[str, str]) -> Element:
    """All pages of the run as one tree."""
    return read_pages(pages)
