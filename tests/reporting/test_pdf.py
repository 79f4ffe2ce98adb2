"""The PDF is tagged, in the order of the page, and what is missing for it is named."""

from __future__ import annotations

import io
import re
import shutil

import pytest

from cba.errors import InputError
from cba.reporting import pdf as printing
from cba.reporting.pdf import BrowserError, find_chromium, report_pdf
from tests.reporting.browser.made_explorer import explorer_page, made_appraisals
from tests.reporting.page_reading import read_page

needs_chromium = pytest.mark.skipif(
    not any(map(shutil.which, printing.NAMES)), reason="no Chromium on the PATH"
)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    pikepdf = pytest.importorskip("pikepdf")
    file = tmp_path_factory.mktemp("printed") / "report.html"
    file.write_text(explorer_page(made_appraisals()), encoding="utf-8")
    with pikepdf.open(io.BytesIO(report_pdf(file))) as pdf:
        yield pdf


def _roles(node, found):
    """Collect the structure tree's roles in reading order."""
    if "/S" in node:
        found.append(str(node["/S"]))
    kids = node.get("/K", [])
    for kid in kids if kids.__class__.__name__ == "Array" or isinstance(kids, list) else _one(kids):
        if hasattr(kid, "get") and kid.__class__.__name__ != "int":
            try:
                _roles(kid, found)
            except TypeError:  # a number: marked content
                continue
    return found


def _one(kid):
    import pikepdf

    return list(kid) if isinstance(kid, pikepdf.Array) else [kid]


@needs_chromium
def test_it_is_tagged_and_says_its_title_and_language(printed):
    root = printed.Root
    assert bool(root.MarkInfo.Marked) and "/StructTreeRoot" in root
    assert str(root.Lang) == "en-GB" and str(printed.docinfo["/Title"]) == "Explorer"
    assert bool(root.ViewerPreferences.DisplayDocTitle)
    roles = _roles(root.StructTreeRoot, [])
    assert {"/H1", "/H2", "/Table", "/TH", "/TD", "/P", "/Figure"} <= set(roles), sorted(set(roles))


@needs_chromium
def test_its_outline_is_the_headings_in_the_order_of_the_page(printed):
    with printed.open_outline() as outline:
        listed = []
        waiting = list(outline.root)
        while waiting:
            item = waiting.pop(0)
            listed.append(re.sub(r"\s+", " ", item.title).strip())
            waiting = list(item.children) + waiting
    page = read_page(explorer_page(made_appraisals()))
    headings = [re.sub(r"\s+", " ", h.text()).strip() for h in page.find("h1", "h2", "h3")]
    assert listed == [h.replace("\xa0", " ") for h in headings]


@needs_chromium
def test_the_explorer_prints_its_results_and_not_its_controls(printed):
    roles = _roles(printed.Root.StructTreeRoot, [])
    assert "/Form" not in roles


@needs_chromium
def test_it_is_printed_on_the_paper_the_page_asks_for(tmp_path):
    pikepdf = pytest.importorskip("pikepdf")
    file = tmp_path / "page.html"
    file.write_text("<style>@page { size: A4 }</style><title>a</title><p>b", encoding="utf-8")
    with pikepdf.open(io.BytesIO(report_pdf(file))) as pdf:
        width, height = (float(side) for side in pdf.pages[0].MediaBox[2:])
    assert (width, height) == pytest.approx((595.3, 841.9), abs=1.0)


@pytest.mark.parametrize("ending", ["exit 3", "exit 0"])
def test_a_browser_that_prints_nothing_is_named(tmp_path, monkeypatch, ending):
    program = tmp_path / "chromium"
    program.write_text(f"#!/bin/sh\n{ending}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserError, match=r"ended with code \d before it had printed") as caught:
        report_pdf(tmp_path / "page.html")
    assert caught.value.exit_code == 1 and "print report.html" in caught.value.details["next step"]


def test_a_browser_that_hangs_is_named(tmp_path, monkeypatch):
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(printing, "SECONDS", 0.2)
    with pytest.raises(BrowserError, match="did not print within"):
        report_pdf(tmp_path / "page.html")


def test_without_chromium_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(printing.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="no Chromium is found") as caught:
        find_chromium()
    assert "apt-get install chromium" in str(caught.value) and "chromium-browser" in str(caught.value)
