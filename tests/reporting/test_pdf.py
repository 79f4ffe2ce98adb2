"""The PDF is tagged, in the order of the page, and what is missing for it is named."""

from __future__ import annotations

import io
import re
import shutil

import pytest

from cba.errors import InputError
from cba.reporting import pdf as driver
from cba.reporting import pdf as printing
from cba.reporting.pdf import BrowserError, find_chromium, open_page, report_pdf, report_pictures
from tests.reporting.browser.made_explorer import explorer_page, made_appraisals
from tests.reporting.page_reading import read_page

needs_chromium = pytest.mark.skipif(
    not any(map(shutil.which, driver.NAMES)), reason="no Chromium on the PATH"
)


@pytest.fixture(scope="module")
def printed():
    pikepdf = pytest.importorskip("pikepdf")
    with pikepdf.open(io.BytesIO(report_pdf(explorer_page(made_appraisals())))) as pdf:
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
def test_pictures_cover_both_widths_and_every_page(tmp_path):
    if shutil.which("pdftoppm") is None:
        pytest.skip("no pdftoppm on the PATH")
    file = tmp_path / "page.html"
    file.write_text(explorer_page(made_appraisals()), encoding="utf-8")
    taken = report_pictures(file, tmp_path / "pictures")
    names = [picture.name for picture in taken]
    assert "report-1280-01.png" in names and "report-390-01.png" in names and "page-001.png" in names
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in taken)
    width = int.from_bytes((tmp_path / "pictures" / "report-390-01.png").read_bytes()[16:20], "big")
    assert width == 390


@needs_chromium
def test_a_command_the_browser_does_not_know_is_named(tmp_path):
    file = tmp_path / "page.html"
    file.write_text("<title>a</title>", encoding="utf-8")
    with open_page(file) as browser, pytest.raises(BrowserError, match=r"refused Page\.nothing"):
        browser.ask("Page.nothing")


@needs_chromium
def test_a_browser_that_ends_is_named(tmp_path):
    file = tmp_path / "page.html"
    file.write_text("<title>a</title>", encoding="utf-8")
    with open_page(file) as browser:
        browser.process.kill()
        with pytest.raises(BrowserError, match="ended before it answered"):
            browser.ask("Page.printToPDF")


def test_without_chromium_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(driver.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="no Chromium is found") as caught:
        find_chromium()
    assert "apt-get install chromium" in str(caught.value) and "chromium-browser" in str(caught.value)


def test_without_a_converter_pictures_are_refused_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setattr(printing.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="no pdftoppm") as caught:
        report_pictures(tmp_path / "none.html", tmp_path / "pictures")
    assert "poppler-utils" in str(caught.value) and not (tmp_path / "pictures").exists()
