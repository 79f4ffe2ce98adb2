"""The explorer driven in a browser, against numbers worked out again from the draws the page holds."""

from __future__ import annotations

import math

import pytest

from cba.reporting.numbers import rounding_unit, show
from tests.reporting.browser.made_explorer import expected, explorer_page, held_by, made_appraisals

MONEY = [f"{n}_{p}" for n in ("npv", "benefit", "fewer") for p in ("median", "lower", "upper")]
CHANCES = ["prob_saving", "prob_benefit", "prob_fewer", "prob_never"]
ALL_AT_ONCE = {
    "option": "kinship_only",
    "schedule": 2,
    "value": 65_000,
    "overrun": 0.7,
    "avoidable": 1.35,
    "effect": 2.2,
    "weight": 35,
}


@pytest.fixture
def page(open_file, explorer_file):
    return open_file(explorer_file)


@pytest.fixture(scope="session")
def data(explorer_html):
    return held_by(explorer_html)


def _shown(page) -> dict[str, float]:
    read = "n => document.getElementById(n).getAttribute('data-raw')"
    found = {name: page.evaluate(read, f"explorer-out-{name}") for name in (*MONEY, *CHANCES, "payback")}
    found |= {f"error {name}": page.evaluate(read, f"explorer-error-{name}") for name in (*MONEY, *CHANCES)}
    effective = page.evaluate("document.getElementById('explorer-ess').value")
    return {k: float(v) for k, v in (found | {"ess": effective}).items()}


def _set(page, **chosen):
    for name, value in chosen.items():
        if name in ("option", "schedule"):
            page.select_option(f"#explorer-{name}", str(value))
        else:
            page.fill(f"#explorer-{name}", str(value))


def _agrees(found, wanted):
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        if math.isnan(value):
            assert math.isnan(found[name]), name
        else:
            assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name


def test_it_starts_at_the_settings_of_the_run(page, data):
    _agrees(_shown(page), expected(data))
    assert page.told == []


@pytest.mark.parametrize(
    "chosen",
    [
        {"value": 120_000},
        {"schedule": 1},
        {"schedule": 3},
        {"overrun": 1.55},
        {"avoidable": 0.4},
        {"effect": 0},
        {"effect": 1.7},
        {"weight": 0},
        {"weight": 60},
        {"option": "care_review_reinvest"},
        ALL_AT_ONCE,
    ],
    ids=lambda chosen: "-".join(chosen) + str(list(chosen.values())[0]),
)
def test_each_control_gives_what_the_draws_give(page, data, chosen):
    _set(page, **chosen)
    wanted = expected(data, **chosen)
    _agrees(_shown(page), wanted)
    before = expected(data)
    assert any(wanted[name] != before[name] for name in MONEY)


def test_every_chance_moves_somewhere_in_these_tests(data):
    """The draws are such that no chance compared above is always 0 or 1."""
    settings = ({}, {"overrun": 1.55}, {"effect": 1.7}, {"value": 120_000}, ALL_AT_ONCE)
    every = [expected(data, **chosen) for chosen in settings]
    for name in CHANCES:
        assert any(0.02 < found[name] < 0.98 for found in every), name
    assert {found["payback"] for found in every if not math.isnan(found["payback"])}


def test_without_scripts_it_shows_the_settings_of_the_run_and_says_so(open_file, explorer_file, data):
    page = open_file(explorer_file, java_script_enabled=False)
    wanted = expected(data)
    cells = page.locator("td[data-raw]")
    found = {
        cell.get_attribute("id")
        .removeprefix("explorer-")
        .replace("out-", "")
        .replace("error-", "error "): cell
        for cell in cells.all()
    }
    for name, value in wanted.items():
        if name not in ("ess", "payback"):
            assert float(found[name].get_attribute("data-raw")) == pytest.approx(value, rel=1e-6, abs=1e-9), (
                name
            )
    assert "Scripts are switched off" in page.locator("main").inner_text()
    assert not page.locator("#explorer-controls").is_visible()


def test_the_texts_of_the_script_are_those_of_the_package(open_file, explorer_file):
    """The same values, written by the page at its start and by Python, read alike."""
    bare = open_file(explorer_file, java_script_enabled=False)
    live = open_file(explorer_file)
    for name in (*MONEY, *CHANCES, "payback"):
        texts = [p.locator(f"#explorer-out-{name}").inner_text().replace("\xa0", " ") for p in (bare, live)]
        assert texts[0] == texts[1], name


def test_numbers_are_rounded_to_their_error(page):
    _set(page, effect=1.3, value=40_000, weight=70)
    found = _shown(page)
    for name in CHANCES:
        text = page.locator(f"#explorer-out-{name}").inner_text()
        assert text == show(found[name], style="probability", unit=found[f"error {name}"])
    for name in MONEY[:6]:
        unit = rounding_unit(found[name], found[f"error {name}"])
        text = page.locator(f"#explorer-out-{name}").inner_text().replace("\xa0", " ")
        assert text == show(found[name], style="net", unit=unit)


def test_a_setting_the_draws_do_not_support_is_marked_in_words(page):
    mark = page.locator("#explorer-effect-mark")
    assert not mark.is_visible() and not page.locator("#explorer-mark").is_visible()
    _set(page, effect=2.6)
    assert mark.is_visible() and "0.0 to 2.5" in mark.inner_text()
    assert "the strength of the effects" in page.locator("#explorer-mark").inner_text()
    _set(page, weight=50)  # the other stance holds larger effects
    assert not mark.is_visible()
    _set(page, overrun=1.9, avoidable=1.5)
    text = page.locator("#explorer-mark").inner_text()
    assert "cost of the programme" in text and "avoidable share" in text
    page.click("#explorer-reset")
    assert not page.locator("#explorer-mark").is_visible()


def test_too_few_draws_are_marked(open_file, tmp_path):
    appraisals = made_appraisals()
    for appraisal in appraisals:
        appraisal.explorer = appraisal.explorer.isel(sample=slice(0, 60))
    file = tmp_path / "few.html"
    file.write_text(explorer_page(appraisals), encoding="utf-8")
    page = open_file(file)
    assert "fewer than 100 effective draws" in page.locator("#explorer-mark").inner_text()
    _set(page, weight=50)
    assert not page.locator("#explorer-mark").is_visible()


def test_the_keyboard_is_enough_and_changes_are_announced(page):
    page.locator("#explorer-effect-range").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert float(page.locator("#explorer-effect").input_value()) == pytest.approx(1.3)
    assert page.locator("#explorer-effect-range").get_attribute("aria-valuetext") == "1.3 times as drawn"
    status = page.locator("#explorer-status")
    assert status.get_attribute("role") == "status"
    status.filter(has_text="Care review").wait_for(state="attached")
    assert "Chance of a net saving" in status.text_content()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "explorer-effect"


def test_what_is_typed_is_held_to_its_limits(page):
    page.fill("#explorer-overrun", "9")
    page.keyboard.press("Tab")
    assert page.locator("#explorer-overrun").input_value() == "2"
    page.fill("#explorer-overrun", "")
    page.keyboard.press("Tab")
    assert page.locator("#explorer-overrun").input_value() == "1"


def test_the_histogram_holds_every_draw_in_drawing_table_and_file(page, data):
    _set(page, effect=1.5)
    bars = page.locator("#explorer-bars rect").count()
    assert 18 <= bars <= 30 and bars == page.locator("#explorer-bins tr").count()
    csv = page.evaluate("atob(document.getElementById('explorer-csv').href.split(',')[1])")
    rows = [list(map(float, line.split(","))) for line in csv.strip().splitlines()[1:]]
    assert math.fsum(share for *_, share in rows) == pytest.approx(1.0)
    above = math.fsum(share for start, _, share in rows if start >= -1e-3)
    assert above == pytest.approx(expected(data, effect=1.5)["prob_saving"])
    words = page.locator("#explorer-bars-desc").text_content()
    assert words.startswith("Histogram.") and "axis" in words and "Median" in words


def test_a_change_is_redrawn_at_once(page):
    """The reach is 50 ms; the limit here is far above it, so that a busy machine does not fail the test."""
    times = page.evaluate(
        """() => { const range = document.getElementById('explorer-effect-range'), times = [];
        for (let i = 0; i < 20; i += 1) { range.value = String(0.1 * i); const start = performance.now();
        range.dispatchEvent(new Event('input')); times.push(performance.now() - start); } return times }"""
    )
    assert sorted(times)[10] < 1000.0


def test_labels_from_inputs_stay_text(open_file, tmp_path):
    hostile = "</script><script>document.title='ran'</script><img src=x onerror=document.title='ran'>"
    labels = {"bau": "b", "care_review": hostile, "kinship_only": hostile, "care_review_reinvest": "c"}
    file = tmp_path / "hostile.html"
    file.write_text(explorer_page(made_appraisals(labels=labels, title=hostile)), encoding="utf-8")
    page = open_file(file)
    _set(page, option="kinship_only", effect=1.2)
    assert page.title() == "Explorer" and hostile in page.locator("#explorer-heading").inner_text()
    assert page.told == [] and len(page.asked) == 1
