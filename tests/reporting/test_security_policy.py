"""The page's policy names its own script and style by hash; what inputs hold can neither run nor load anything."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re

import pytest

from cba.errors import InputError
from cba.reporting.explorer import explorer_parts
from cba.reporting.html_tables import web_address
from cba.reporting.page import render_pages
from cba.reporting.sections import content_policy, secured
from tests.reporting.browser.made_explorer import made_appraisals
from tests.reporting.fake_appraisal import OPTIONS, make_appraisal
from tests.reporting.page_reading import read_page

PAGE = (
    '<meta http-equiv="Content-Security-Policy" content=""><style>p {}</style>'
    '<svg><path style="fill: none" class="a" d="M0"/><text style="font-size: 9px">x</text></svg>'
    '<p style="fill: none">style="kept"</p><script>var a = "<p style=\\"b\\">";</script>'
)
ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "{% for x in y %}",
    "javascript:alert(1)",
    "</style><style>*{display:none}",
    "&lt;script&gt;",
    "=cmd|'/c calc'!A1",
    "</script><script>alert(1)</script>",
    "' onfocus='alert(1)",
)


def _directives(html: str) -> dict[str, list[str]]:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    return {words[0]: words[1:] for words in map(str.split, policy[1].split(";"))}


def test_each_script_and_style_sheet_is_named_by_its_hash():
    html = secured(PAGE)
    found = _directives(html)
    for tag in ("script", "style"):
        block = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert found[f"{tag}-src"] == [f"'sha256-{digest}'"]
    assert found["default-src"] == found["base-uri"] == found["form-action"] == ["'none'"]
    assert found["img-src"] == ["data:"]


def test_styles_of_elements_become_classes_with_the_same_rules():
    html = secured(PAGE)
    page = read_page(html)
    rules = dict(re.findall(r"\.(e\d+) \{ (.*?) \}", html))
    styles = {}
    for element in page.find("path", "text", "p"):
        assert "style" not in element.attributes
        styles[element.tag] = [rules.get(name, name) for name in element.classes]
    assert styles == {"path": ["a", "fill: none"], "text": ["font-size: 9px"], "p": ["fill: none"]}
    assert 'style="kept"' in html and 'var a = "<p style=' in html


def test_a_secured_page_stays_as_it_is():
    assert secured(secured(PAGE)) == secured(PAGE)


def test_the_pages_are_secured(pages):
    for html in pages.values():
        assert secured(html) == html
        found = _directives(html)
        assert found["style-src"][0].startswith("'sha256-") and "'unsafe-inline'" not in str(found)
        assert not re.search(r"<[a-z][^<>]* style=", html)


@pytest.mark.parametrize("broken", [PAGE.replace("<style>p {}</style>", ""), PAGE + PAGE])
def test_a_page_without_one_policy_and_one_style_sheet_is_refused(broken):
    with pytest.raises(InputError, match="one policy and one style sheet") as caught:
        secured(broken)
    assert "field: html" in str(caught.value) and "style sheet" in str(caught.value)


def test_a_style_that_no_drawing_writes_is_refused():
    for style in ("color: red} * {display: none", "background: url(http://a.b/c)", "a: b &lt;"):
        with pytest.raises(InputError, match="not one the page's drawings write") as caught:
            secured(PAGE + f'<p style="{style}">x</p>')
        assert "escape the text" in str(caught.value)


def test_only_web_addresses_become_links():
    for address in ("https://www.gov.uk/a?b=c#d", "http://a.uk", " https://a.uk "):
        assert web_address(address) == address.strip()
    for address in (
        "javascript:alert(1)",
        "data:text/html,x",
        "//a.uk",
        "ftp://a.uk",
        'https://a.uk/"x',
        "",
        None,
        1.0,
    ):
        assert web_address(address) is None


def test_the_policy_lets_nothing_run_where_there_is_nothing_to_run():
    assert "script-src 'none'" in content_policy('<script type="application/json">{}</script>')


def test_text_of_inputs_stays_text_in_report_and_explorer():
    attack = " ".join(ATTACKS)
    each = itertools.cycle(ATTACKS)  # one a label: a label of all of them would leave no room for a drawing
    labels = {option: f"{label} {next(each)}" for option, label in OPTIONS.items()}
    appraisal = make_appraisal(labels=labels, title=f"Title {attack}")
    for field in ("description", "source", "owner"):
        if field in appraisal.tables["priors"]:
            appraisal.tables["priors"][field] = attack
    if "links" in appraisal.tables["priors"]:
        appraisal.tables["priors"]["links"] = json.dumps([[attack, attack]])
    appraisal.tables["evidence"]["outcome"] = attack
    made = render_pages([appraisal], headline={"results": appraisal.results}, manifest={"note": attack})
    parts = explorer_parts(made_appraisals(labels=labels, title=attack), lead="care_review")
    read = [read_page(html) for html in made.values()]
    for page in (*read, read_page(str(parts["explorer_section"]))):
        assert not list(page.find("img")) and len(list(page.find("style"))) <= 1
        for element in page.find():
            assert not any(name.startswith("on") for name in element.attributes)
            assert not element.attributes.get("href", "").lower().startswith("javascript")
    assert all(any(one in page.text() for one in ATTACKS) for page in read)
    assert any(attack in page.text() for page in read)
    assert not any(list(page.find("script")) for page in read)
    stored = str(parts["explorer_script"])
    assert stored.count("</script>") == 2 and stored.count("<script") == 2
