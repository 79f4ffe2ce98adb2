"""The whole report in a browser: rules of accessibility, keyboard, narrow screens, print and policy."""

from __future__ import annotations

import copy
import re

import pytest

from cba.reporting.page import render_pages
from tests.reporting.browser.accessibility import violations
from tests.reporting.browser.made_explorer import made_draws
from tests.reporting.conftest import MANIFEST

FOCUSABLE = "a[href], summary, button, select, input, [tabindex='0']"
TOO_WIDE = """() => { const edge = document.documentElement.clientWidth + 1;
return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > edge
  && !e.closest('.scroll') && e.getClientRects().length && !e.closest('.skip, .status'))
  .map(e => e.tagName + '#' + e.id + '.' + e.getAttribute('class')).slice(0, 5) }"""


@pytest.fixture(scope="session")
def files(stances, tmp_path_factory):
    """The pages of the made-up run, with draws for the explorer."""
    given = [copy.copy(stance) for stance in stances]
    for seed, stance in enumerate(given[:2], start=1):
        object.__setattr__(stance, "explorer", made_draws(seed))
    run = tmp_path_factory.mktemp("report")
    (run / "annexes").mkdir()
    for name, html in render_pages(given, headline={"results": given[0].results}, manifest=MANIFEST).items():
        (run / name).write_text(html, encoding="utf-8")
    return run


@pytest.fixture(scope="session", params=["report.html", "annexes/explorer.html", "annexes/counting.html"])
def file(files, request):
    return files / request.param


def test_axe_finds_what_is_wrong_on_purpose(open_file, tmp_path):
    """The checker does see: a picture without words, a control without a name, pale text."""
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="data:,"><input><p style="color: #ccc">pale</p>', encoding="utf-8")
    found = " ".join(violations(open_file(bad)))
    for rule in ("image-alt", "label", "color-contrast", "html-has-lang", "document-title"):
        assert rule in found, found


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_violation(open_file, file, width):
    assert violations(open_file(file, width=width)) == []


@pytest.mark.slow
def test_axe_finds_no_violation_with_every_detail_open(open_file, file):
    page = open_file(file)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert violations(page, without=("color-contrast",)) == []


def test_the_explorer_alone_breaks_no_rule(open_file, explorer_file):
    page = open_file(explorer_file, width=390)
    page.fill("#explorer-effect", "3.9")
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert violations(page) == []


@pytest.mark.parametrize("width", [320, 390, 640, 1280])
def test_nothing_but_tables_and_charts_scrolls_sideways(open_file, file, width):
    """320 pixels is 1280 at 400%, 640 is 1280 at 200%."""
    page = open_file(file, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE) == []


def test_wide_tables_and_charts_scroll_by_keyboard(open_file, file):
    page = open_file(file, width=390)
    regions = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
    assert page.evaluate(f"{regions}.length") > 0 or file.name == "explorer.html"
    assert page.evaluate(f"{regions}.every(e => e.tabIndex === 0 && e.getAttribute('aria-label'))")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(open_file, file):
    page = open_file(file)
    count = page.evaluate(
        f"[...document.querySelectorAll({FOCUSABLE!r})].filter(e => e.checkVisibility() && !e.disabled).length"
    )
    seen = page.evaluate(
        """() => { window.seen = new Set(); window.bare = []; document.addEventListener('focusin', event => {
        const style = getComputedStyle(event.target); window.seen.add(event.target);
        if (style.outlineStyle === 'none' && style.boxShadow === 'none') window.bare.push(event.target.outerHTML);
        }); return 0 }"""
    )
    assert seen == 0 and count > 20
    for _ in range(count + 5):
        page.keyboard.press("Tab")
    assert page.evaluate("window.seen.size") >= count
    assert page.evaluate("window.bare") == []


def test_the_first_stop_skips_to_the_main_part(open_file, file):
    page = open_file(file)
    page.keyboard.press("Tab")
    link = page.locator("a.skip")
    assert link.evaluate("e => e === document.activeElement") and link.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('main').contains(document.activeElement)")


def test_it_asks_for_nothing_and_says_nothing(open_file, file):
    page = open_file(file)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)
    assert page.asked == [file.as_uri()] and page.told == []


def test_the_policy_stops_what_is_not_the_pages_own(open_file, file, tmp_path):
    hostile = tmp_path / "hostile.html"
    added = (
        "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
        '<p id="styled" style="color: rgb(1, 2, 3)">x</p><img src="https://example.invalid/a.png">'
        '<form action="https://example.invalid/"><button id="send">send</button></form></main>'
    )
    hostile.write_text(file.read_text(encoding="utf-8").replace("</main>", added), encoding="utf-8")
    page = open_file(hostile)
    page.wait_for_timeout(200)
    assert page.title() != "ran"
    assert page.locator("#styled").evaluate("e => getComputedStyle(e).color") != "rgb(1, 2, 3)"
    # Last, since a form that is held back leaves the driver waiting for a page that never comes.
    page.evaluate("setTimeout(() => document.forms[0].requestSubmit(), 0)")
    page.wait_for_timeout(300)
    assert page.url == hostile.as_uri() and "form-action" in " ".join(page.told)
    blocked = [line for line in page.told if "Content Security Policy" in line]
    assert len(blocked) >= 4 and not [
        line for line in page.told if line not in blocked and "ERR_" not in line
    ]


def test_every_figure_has_message_subtitle_words_table_and_file(open_file, file):
    figures = open_file(file).evaluate(
        """() => [...document.querySelectorAll('figure')].map(f => ({ id: f.id,
        title: f.querySelector('h3')?.textContent.trim(), subtitle: f.querySelector('.subtitle')?.textContent.trim(),
        role: f.querySelector('svg')?.getAttribute('role'), words: f.querySelector('svg desc')?.textContent,
        tables: f.querySelectorAll('table').length, files: f.querySelectorAll('a[download$=".csv"]').length }))"""
    )
    assert len(figures) >= (0 if file.name == "explorer.html" else 3)
    kinds = r"(Line|Bar|Horizontal bar|Interval|Dot|Grid|Histogram|Scatter|Area|Map)"
    for figure in figures:
        name = figure["id"]
        assert len(figure["title"]) > 20 and len(figure["title"].split()) >= 4, name
        assert len(figure["subtitle"]) > 20 and figure["subtitle"] != figure["title"], name
        assert figure["role"] == "img" and re.match(kinds, figure["words"]), name
        assert "axis" in figure["words"] and re.search(r"\d", figure["words"]), name
        assert figure["tables"] >= 1 and figure["files"] >= 1, name


def test_text_in_drawings_is_dark_on_white_and_never_tiny(open_file, file):
    """Contrast of at least 4.5 to 1 against white; at 390 pixels no letter is below 8 pixels."""
    found = open_file(file, width=390).evaluate(
        """() => [...document.querySelectorAll('figure svg text')].filter(t => t.textContent.trim()).map(t => {
        const style = getComputedStyle(t), scale = t.getScreenCTM().a;
        return [t.textContent.slice(0, 30), style.fill, parseFloat(style.fontSize) * scale] })"""
    )
    assert len(found) > (0 if file.name == "explorer.html" else 50)
    for text, fill, size in found:
        red, green, blue = map(float, re.findall(r"[\d.]+", fill)[:3])
        linear = [
            c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
        ]
        light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        dark_on_white, white_on_dark = 1.05 / (light + 0.05) >= 4.5, light > 0.9
        assert dark_on_white or white_on_dark, (text, fill)
        assert size >= 7.5, (text, size)


def test_print_leaves_out_what_only_a_screen_can_use(open_file, files):
    page = open_file(files / "annexes" / "explorer.html")
    page.emulate_media(media="print")
    for hidden in ("nav.contents", "#explorer-controls", "a.skip"):
        assert not page.locator(hidden).first.is_visible(), hidden
    assert page.locator("#explorer-out-npv_median").is_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].every(e => getComputedStyle(e).overflowX === 'visible')"
    )
