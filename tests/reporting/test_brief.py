"""The brief says what the run found, for whichever side, within its budgets; so does the report it opens."""

from __future__ import annotations

import copy
import re

import pytest

from cba.inputs.evidence import load_claims
from cba.inputs.files import published_file, records_of
from cba.reporting.brief import chain, claimed, finding
from cba.reporting.page import render_pages
from tests.reporting.drawing import view_of
from tests.reporting.fake_appraisal import make_appraisal
from tests.reporting.page_reading import Element, read_page

LEAD = "care_review"
BANNED = (
    r"draws?|drawn|drawings?|stances?|shapley|monte carlo|log risk ratios?|quantiles?|mixtures?|frontiers?|"
    r"attenuat\w+|within [\d,.]+ of 0|at the run’s settings"
)


def appraisal_with(fewer: float, chance: float, pays: float):
    """A made-up run whose results for the option followed are these."""
    made = copy.deepcopy(make_appraisal())
    worth = 1e9 if pays >= 0.5 else -1e9
    for stem, mean, spread in (("fewer_children_2032", fewer, 2_000.0), ("npv_fiscal", worth, 5e8)):
        made.results[f"{stem}.{LEAD}"] |= {
            "mean": mean,
            "lower": mean - spread,
            "upper": mean + spread,
            "mcse": 20.0,
        }
    made.results[f"prob_fewer_30000_2032.{LEAD}"]["mean"] = chance
    made.results[f"prob_npv_positive.{LEAD}"]["mean"] = pays
    return made


CASES = {
    "fewer": (
        900.0,
        0.0,
        0.0,
        "leave 900 fewer children in care by 2032, not 30,000, and would not pay for itself",
    ),
    "fewer, pays": (
        900.0,
        0.0,
        0.99,
        "900 fewer children in care by 2032, not 30,000, but would pay for itself",
    ),
    "reached": (31_000.0, 0.6, 0.2, "fewer children in care by 2032 but would probably not pay for itself"),
    "reached, pays": (
        31_000.0,
        0.6,
        0.8,
        "at least 30,000 fewer children in care by 2032 and would probably pay",
    ),
    "more": (
        -800.0,
        0.0,
        0.0,
        "leave 800 more children in care by 2032, not 30,000 fewer, and would not pay",
    ),
    "none": (3.0, 0.0, 0.0, "hardly change the number of children in care by 2032 and would not pay"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_title_is_the_finding_whichever_way_it_goes(case):
    fewer, chance, pays, words = CASES[case]
    made = appraisal_with(fewer, chance, pays)
    assert finding(made, LEAD).children == case.split(",")[0]
    assert words in render_title(made)


def render_title(made) -> str:
    from cba.reporting.page import TARGET_KEYS, lookups
    from cba.reporting.sections import templates

    text = '{% from "macros.html.j2" import headline_title with context %}{{ headline_title() }}'
    names = {"finding": finding(made, LEAD), "of_review": True, "lead": LEAD, "results": made.results}
    return read_page(
        templates()
        .from_string(text)
        .render(**names, **TARGET_KEYS, **lookups({made.stance: made}, made, LEAD))
    ).text()


def test_an_undefined_result_is_said_to_be_so():
    made = appraisal_with(900.0, 0.0, 0.0)
    made.results[f"fewer_children_2032.{LEAD}"]["mean"] = None
    made.results[f"prob_npv_positive.{LEAD}"]["mean"] = None
    assert finding(made, LEAD).children == "undefined" and finding(made, LEAD).money == ""


def test_a_claim_that_comes_true_is_said_as_plainly():
    made = appraisal_with(31_000.0, 0.6, 0.8)
    pages = render_pages([made], headline={"results": made.results}, manifest={})
    text = " ".join(next(read_page(pages["brief.html"]).find("main")).text().split())
    assert "Why the evidence agrees" in text and "The published evidence makes that likely" in text
    assert "differs" not in text and "far less" not in text and "gives less than" not in text


def test_what_was_asked_is_read_from_the_published_claims():
    rows = {
        row["claim_id"]: float(row["value"]) for row in records_of(published_file("published_claims.csv"))
    }
    assert claimed() == {"asked": 1e6 * rows["review_investment_total"], "helped": rows["review_family_help_children"],
                         "then": rows["review_baseline_children_now"]}  # fmt: skip


def test_the_chain_says_what_is_needed_and_what_is_found(stances):
    steps = chain(view_of(stances)).set_index("label")
    table = stances[0].tables["what_it_would_take"].set_index("target_children").loc[30_000]
    found = stances[0].tables["effect_chain"].set_index("step")["mean"]
    risk = steps.loc["Fall in the risk of those reached"]
    assert risk["needs"] == pytest.approx(1.0 - table["risk_ratio_reach_0_6"])
    fewer = steps.loc["Fewer children starting care in a year"]
    assert fewer["needs"] == pytest.approx(
        table["cut_median"] * found["Starts, unaccompanied children aside"]
    )
    assert fewer["gives"] == found["Starts averted"]
    last = steps.loc["Fewer children in care in 2032"]
    assert last["needs"] == load_claims().fewer_children.value
    assert last["gives"] == stances[0].results[f"fewer_children_2032.{LEAD}"]["mean"]


# --- Budgets ---


def words_of(element: Element) -> str:
    """Visible text and closed folds, less table cells, drawings and files; blocks end a sentence."""
    if element.tag in ("svg", "style", "table", "script", "title") or "download" in element.attributes:
        return " "
    text = "".join(child if isinstance(child, str) else words_of(child) for child in element.children)
    if element.tag not in ("p", "li", "h1", "h2", "h3", "summary", "strong", "div"):
        return text
    return f" {text}{'' if text.rstrip().endswith(('.', '?', '!')) or element.tag == 'div' else '.'} "


def sentences(element: Element) -> list[str]:
    text = " ".join(words_of(element).split())
    return [part for part in re.split(r"(?<=[.?!])\s+", text) if re.search("[a-z]", part)]


@pytest.mark.parametrize(
    "file, words, figures, tables", [("brief.html", 600, 3, 2), ("report.html", 3500, 10, 8)]
)
def test_it_keeps_its_budget(pages, file, words, figures, tables):
    page = read_page(pages[file])
    assert len(words_of(next(page.find("body"))).split()) <= words
    main = next(page.find("main"))
    drawn = list(main.find("figure"))
    below = sum(len(list(figure.find("table"))) for figure in drawn)
    assert len(drawn) <= figures and len(list(main.find("table"))) - below <= tables
    lengths = [len(sentence.split()) for sentence in sentences(main)]
    assert sum(lengths) / len(lengths) <= 15
    assert [sentence for sentence in sentences(main) if len(sentence.split()) > 30] == []
    for table in main.find("table"):
        assert len(next(table.find("caption")).text().split()) <= 25


@pytest.mark.parametrize("file", ["brief.html", "report.html"])
def test_no_word_only_modellers_use(pages, file):
    main = next(read_page(pages[file]).find("main"))
    said = [main.text(), *(element.attributes.get("aria-label", "") for element in main.find())]
    assert re.findall(rf"\b(?:{BANNED})\b", " ".join(said), flags=re.IGNORECASE) == []


def test_the_annexes_together_keep_their_weight(pages):
    assert len(pages["brief.html"].encode()) < 400_000 and len(pages["report.html"].encode()) < 2_000_000
    assert sum(len(html.encode()) for file, html in pages.items() if file.startswith("annexes/")) < 6_000_000


def test_the_answer_stands_before_the_contents(pages):
    """What was asked, the answer and its reason come first; the list of contents follows the brief."""
    text = pages["report.html"]
    contents = text.index('aria-label="Contents"')
    for words in ("£2.6bn", "Why the evidence", 'id="fig-chain"'):
        assert text.index(words) < contents, words


def test_the_report_opens_with_the_brief(pages):
    brief, report = (
        next(e for e in read_page(pages[file]).find("section") if e.attributes["aria-labelledby"] == "brief")
        for file in ("brief.html", "report.html")
    )
    assert brief.text() == report.text()
