"""The list of runs: newest first, statuses, escaped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cba.errors import StoreError
from cba.reporting.card import render_runs_index
from cba.runs.execute import RunRequest, execute
from cba.runs.reading import RunRecord, index_rows, named_run, run_moment, write_index
from cba.runs.store import publish_run
from tests.fakes import small_analysis
from tests.runs.test_holds import shifted


@pytest.fixture
def root(tmp_path):
    execute(small_analysis(), root=tmp_path, stages=shifted(0.0))
    publish_run(execute(small_analysis(), root=tmp_path, stages=shifted(1e7)))
    execute(small_analysis(), root=tmp_path, stages=shifted(3e9), request=RunRequest(by="Ann"))
    execute(small_analysis(name="other", title="Other <b>& more"), root=tmp_path, stages=shifted(0.0))
    return tmp_path


def test_rows_are_newest_first_with_status_and_headline(root):
    rows = [row for row in index_rows(root) if row.analysis == "small"]
    assert [row.status for row in rows] == ["held", "published", "superseded"]
    assert rows[0].reasons and not rows[1].reasons and rows[0].key == "npv_fiscal.care_review"
    seconds = [row.run.partition("-")[0] for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    assert rows[0].mean == pytest.approx(rows[1].mean + 3e9 - 1e7)


class Page(HTMLParser):
    """What an assistive technology would find: headings, tables, links, pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_the_page_has_language_title_and_headers(root):
    text = write_index(root, render=render_runs_index).read_text()
    page = Page(text)
    assert page.all("html")[0]["lang"] == "en-GB" and len(page.all("h1")) == 1 and "<title>" in text
    assert len(page.all("table")) == len(page.all("caption")) == 2
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    for link in page.all("a"):
        if link["href"].endswith("report.html"):
            assert (root / link["href"]).is_file()
    assert len([link for link in page.all("a") if link["href"].endswith("report.html")]) == 4
    assert page.all("script") == [] and "Held: waits for approval" in text and "Superseded" in text


def test_text_from_outside_is_escaped(root):
    rows = index_rows(root)
    bad = [
        replace(row, title="<script>x</script>", reasons=("<img src=x>",), approved_by='"><b>')
        for row in rows
    ]
    text = render_runs_index(bad)
    assert "<script" not in text and "<img" not in text and "&lt;img src=x&gt;" in text
    assert "Other &lt;b&gt;&amp; more" in render_runs_index(rows)


def test_runs_of_one_second_keep_the_order_they_were_made_in():
    """The end of a name is a fingerprint, which says nothing of time."""
    early = {"started_exactly": "2026-11-22T07:00:00.100000+00:00"}
    late = {"started_exactly": "2026-11-22T07:00:00.900000+00:00"}
    runs = [
        RunRecord(Path("a"), "small", "20261122T070000Z-ffffffff", early),
        RunRecord(Path("b"), "small", "20261122T070000Z-00000000", late),
    ]
    for given in (runs, runs[::-1]):
        assert max(given, key=run_moment).path == Path("b")
        assert named_run(given, "small/latest", root="reports").path == Path("b")


@pytest.mark.parametrize("position", [0, 1, 2, 3])  # held runs among them
def test_a_damaged_run_is_listed_as_such(root, position):
    run = index_rows(root)[position]
    folder = root / run.analysis / run.run
    (folder / "headline.json").write_text("{")
    row = next(row for row in index_rows(root) if row.run == run.run and row.analysis == run.analysis)
    assert row.status == "damaged" and row.mean is None
    assert "Damaged: do not use" in render_runs_index([row])
    (folder / "manifest.json").write_text("{}")
    row = next(row for row in index_rows(root) if row.run == run.run and row.analysis == run.analysis)
    assert row.status == "damaged" and "SHA-256" in row.reasons[0]


def test_no_run_no_table(tmp_path):
    assert "No run is stored yet" in write_index(tmp_path / "reports", render=render_runs_index).read_text()


def test_a_page_that_cannot_be_written_leaves_the_old_one(root, monkeypatch):
    import errno
    import os

    write_index(root, render=lambda rows: "old")

    def refuse(*names):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match="read-only"):
        write_index(root, render=lambda rows: "new")
    assert (root / "index.html").read_text() == "old"


@pytest.mark.slow
def test_the_page_passes_the_accessibility_checks_of_a_browser(root):
    import shutil

    chromium = shutil.which("chromium")
    sync = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    if chromium is None:
        pytest.skip("no chromium here")
    page_file = write_index(root, render=render_runs_index)

    def checked():
        with sync.sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(bypass_csp=True)  # the page forbids scripts; the checker is one
            page.goto(page_file.as_uri())
            found = axe.Axe().run(page)
            wide = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            browser.close()
        return wide, [issue["id"] for issue in found.response["violations"]]

    with ThreadPoolExecutor(1) as apart:  # other tests of this process may have left an event loop in theirs
        assert apart.submit(checked).result() == (True, [])
