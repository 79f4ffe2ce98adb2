"""The page stands alone, can be used with a screen reader and a keyboard, and treats its inputs as text."""

from __future__ import annotations

import base64
import io
import posixpath
import re

import numpy as np
import pandas as pd
import pytest

from cba.errors import InputError
from cba.reporting.html_tables import frame_link
from cba.reporting.page import render_pages, report_checklist
from cba.reporting.sections import PAGES, checklist
from tests.reporting.fake_appraisal import OPTIONS, make_appraisal
from tests.reporting.page_reading import read_page, read_pages

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


FILES = [page.file for page in PAGES]


def test_the_pages_of_a_run_are_files_of_their_own(pages):
    assert list(pages) == FILES and {"report.html", "index.html", "annexes/evidence.html"} <= set(pages)
    listed = {link.attributes["href"] for link in next(read_page(pages["index.html"]).find("main")).find("a")}
    assert listed == set(FILES) - {"index.html"}


@pytest.mark.parametrize("file", FILES)
def test_it_loads_nothing_and_runs_nothing(pages, file):
    html = pages[file]
    page = read_page(html)
    assert len(html.encode()) < 2_000_000
    policy = next(
        meta for meta in page.find("meta") if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.attributes["content"].startswith(
        "default-src 'none'; script-src 'none'; style-src 'sha256-"
    )
    assert not list(
        page.find("script", "iframe", "object", "embed", "link", "img", "video", "audio", "form", "base")
    )
    for element in page.find():
        names = set(element.attributes)
        assert not {name for name in names if name.startswith("on")}, element.tag
        if element.tag != "a":
            address = element.attributes.get("href", "") + element.attributes.get("xlink:href", "")
            assert not address or address.startswith("#"), address
        assert "src" not in names and "srcset" not in names
    assert not re.search(r"url\((?!#)|@import", html)


@pytest.mark.parametrize("file", FILES)
def test_landmarks_headings_and_language(pages, file):
    page = read_page(pages[file])
    root = next(page.find("html"))
    assert root.attributes["lang"] == "en-GB"
    for landmark in ("header", "main", "footer"):
        assert len(list(page.find(landmark))) == 1, landmark
    names = [nav.attributes["aria-label"] for nav in page.find("nav")]
    assert names[0] == "Pages" and len(names) == len(set(names))
    levels = [int(heading.tag[1]) for heading in page.find("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    skip = next(page.find("a"))
    assert skip.attributes["href"] == "#main" and "skip" in skip.classes


@pytest.mark.parametrize("file", FILES)
def test_every_reference_has_its_target(pages, file):
    """On its own page, or on that of another file of the run, as the file system finds it."""
    places = {
        name: [e.attributes["id"] for e in read_page(html).find() if "id" in e.attributes]
        for name, html in pages.items()
    }
    identifiers = places[file]
    assert len(identifiers) == len(set(identifiers))
    for element in read_page(pages[file]).find():
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(element.attributes.get(name, "").split()) <= set(identifiers)
        for name in ("href", "xlink:href"):
            address = element.attributes.get(name, "")
            if address.startswith(("data:", "https:")) or not address:
                continue
            target, _, place = address.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(file), target)) if target else file
            assert target in places and (not place or place in places[target]), address
        for used in re.findall(r"url\(#([^)]+)\)", " ".join(element.attributes.values())):
            assert used in identifiers


def test_tables_say_what_they_hold(page):
    tables = list(page.find("table"))
    assert len(tables) > 20
    for table in tables:
        assert next(table.find("caption")).text().strip()
        assert all(head.attributes.get("scope") in ("col", "row") for head in table.find("th"))
        widths = {len([c for c in row.children if not isinstance(c, str)]) for row in table.find("tr")}
        assert len(widths) == 1 or any("colspan" in cell.attributes for cell in table.find("td"))


def test_figures_have_words_and_numbers(page):
    figures = list(page.find("figure"))
    assert len(figures) >= 20
    for figure in figures:
        drawing = next(figure.find("svg"))
        assert drawing.attributes["role"] == "img"
        title, words = next(drawing.find("title")).text(), next(drawing.find("desc")).text()
        assert title and len(words) > 80 and re.search(r"\d", words), words
        assert re.match(r"(Line|Bar|Horizontal bar|Interval|Dot|Grid|Histogram)", words), words
        assert "axis" in words
        assert next(figure.find("h3")).text().strip()
        assert next(figure.find("table")) and next(figure.find("summary")).text().startswith("Data table")


def test_csv_files_hold_the_numbers_of_the_appraisal(page, stances):
    links = {
        link.attributes["download"]: link.attributes["href"]
        for link in page.find("a")
        if "download" in link.attributes
    }
    frame = _csv(links["children_care_review.csv"])
    table = stances[0].tables["children_by_year"]
    table = table[table["option"] == "care_review"].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, table[frame.columns], rtol=1e-12)
    frontier = stances[0].tables["frontier"]
    np.testing.assert_allclose(_csv(links["frontier.csv"])["icer"], frontier["icer"], rtol=1e-12)


def _csv(address: str) -> pd.DataFrame:
    kind, content = address.split(",", 1)
    assert kind == "data:text/csv;charset=utf-8;base64"
    return pd.read_csv(io.BytesIO(base64.b64decode(content)))


def test_the_chances_are_worded_by_the_printed_scale(page):
    """Each "x% (words)" lies in the band the page prints for those words, its gaps closed half-way."""
    upper = dict(
        zip(
            (
                "a remote chance",
                "highly unlikely",
                "unlikely",
                "a realistic possibility",
                "likely",
                "highly likely",
                "almost certain",
            ),
            (7.5, 22.5, 37.5, 52.5, 77.5, 92.5, 100.0),
            strict=True,
        )
    )
    words = list(upper)
    text = next(page.find("main")).text()
    found = re.findall(r"([<>]?)(\d+)% \(([a-z ]+)\)", text)
    assert len(found) >= 3
    for sign, number, used in found:
        value = float(number) - 0.5 if sign == "<" else float(number)
        low = 0.0 if words.index(used) == 0 else upper[words[words.index(used) - 1]]
        assert low - 0.5 <= value <= upper[used] + 0.5, (number, used)
    assert set(words) <= {head.text() for head in page.find("th")}


def test_text_of_the_inputs_is_escaped():
    labels = {option: label + HOSTILE for option, label in OPTIONS.items()}
    appraisal = make_appraisal(labels=labels, title=f"Title {HOSTILE}")
    appraisal.tables["priors"]["description"] = HOSTILE
    appraisal.tables["priors"]["confidence"] = 'red"><b>'
    appraisal.tables["evidence"]["outcome"] = f'"{HOSTILE}'
    appraisal.tables["effects"]["label"] = HOSTILE
    appraisal.provenance["single_vintage_exceptions"] = [HOSTILE]
    html = render_pages(
        [appraisal], headline={"results": appraisal.results}, manifest={"note": HOSTILE, HOSTILE: 1}
    )
    page = read_pages(html)
    assert not list(page.find("script", "img", "b"))
    assert not any(name.startswith("on") for element in page.find() for name in element.attributes)
    assert (
        next(read_page(html["report.html"]).find("h1")).text()
        and HOSTILE in read_page(html["report.html"]).text()
    )
    assert sum(held.count("&lt;script&gt;") for held in html.values()) > 20


def test_formulas_are_disarmed_in_csv_files():
    frame = pd.DataFrame(
        {"label": ["=HYPERLINK(1)", "+1+cmd", "-1+cmd", "@x", "-1"], "value": [-1.0, 2.0, 3.0, 4.0, 5.0]}
    )
    page = read_page(str(frame_link(frame, name='a"b')))
    link = next(page.find("a"))
    assert link.attributes["download"] == 'a"b.csv'
    read = _csv(link.attributes["href"])
    assert all(text.startswith("'") for text in read["label"][:4])
    assert read["label"][4] == "-1" and read["value"].tolist() == frame["value"].tolist()


def test_a_run_of_two_options_and_one_stance_is_reported():
    appraisal = make_appraisal(options=("bau", "kinship_only"))
    del appraisal.tables["attribution"], appraisal.tables["financing_modes"]
    html = render_pages({"evidence": appraisal}, headline={"results": appraisal.results}, manifest={})
    text = next(read_pages(html).find("main")).text()
    assert "Kinship support only" in text and "Another view" not in text


def test_what_is_not_defined_is_said_with_its_reason(page):
    text = re.sub(r"\s+", " ", next(page.find("main")).text())
    assert "so we cannot show what would follow if they came true" in text
    assert "has no column: too few draws of the evidence meet the claims." in text
    assert "nan" not in text.lower().replace("finance", "").replace("financing", "").split()


def test_the_pages_are_the_same_for_the_same_run(pages, stances):
    from tests.reporting.conftest import MANIFEST

    assert render_pages(stances, headline={"results": stances[0].results}, manifest=MANIFEST) == pages


def test_nothing_to_report_is_refused():
    with pytest.raises(InputError, match="nothing to report"):
        render_pages([], headline={}, manifest={})


def test_a_headline_of_another_stance_is_refused(stances):
    evidence = stances[0]
    with pytest.raises(InputError, match="different results") as caught:
        render_pages([evidence], headline={"results": {"npv_fiscal.other": {}}}, manifest={})
    assert "headline.results" in str(caught.value) and "headline stance first" in str(caught.value)


def test_the_checklist_points_into_the_page_and_claims_no_more_than_it_shows(page, stances):
    stated = checklist()
    identifiers = {element.attributes["id"] for element in page.find() if "id" in element.attributes}
    elsewhere = {"", "changes", "fit_checks", "backtest", "stress", "structure"}  # not in the made-up run
    assert set(stated["where"]) - elsewhere <= identifiers
    assert (stated.loc[stated["status"] == "met", "where"] != "").all()
    assert stated.groupby("group")["text"].apply(lambda texts: texts.is_unique).all()
    text = next(page.find("main")).text()
    assert all(words in text for words in stated["text"])
    shown = report_checklist(stances)
    assert list(shown["text"]) == list(stated["text"]) and "needs" not in shown
    assert set(shown.loc[shown["status"] != "not met", "where"]) <= identifiers
    people = shown[shown["text"].str.contains("commissioner")].iloc[0]
    assert people["status"] == "partly" and "not recorded: commissioner" in people["note"]


def test_an_item_whose_table_the_run_lacks_is_not_met():
    appraisal = make_appraisal()
    del appraisal.tables["drivers"]
    shown = report_checklist([appraisal]).set_index("text")
    row = shown.loc["One-way and variance-based sensitivity"]
    assert row["status"] == "not met" and row["note"] == "not in this run: drivers"
    assert shown.loc["Results for local authorities", "status"] != "not met"


@pytest.mark.parametrize("file", [file for file in FILES if file != "index.html"])
def test_a_page_lists_its_sections_in_order(pages, file):
    page = read_page(pages[file])
    headings = [element.attributes["id"] for element in page.find("h2") if "id" in element.attributes]
    lists = [nav for nav in page.find("nav") if nav.attributes["aria-label"] == "Contents"]
    listed = [link.attributes["href"][1:] for nav in lists for link in nav.find("a")]
    assert listed == ([] if len(headings) < 2 else headings)


def test_a_section_without_its_tables_is_left_out():
    appraisal = make_appraisal()
    for table in ("pilot_or_now", "information_value", "drivers", "acceptability", "risk"):
        del appraisal.tables[table]
    appraisal.tables["payback_by_payer"] = appraisal.tables["payback_by_payer"].iloc[:0]
    html = render_pages([appraisal], headline={"results": appraisal.results}, manifest={})
    headings = {h.attributes.get("id") for h in read_pages(html).find("h2")}
    assert not {"pilot", "measure", "information", "drivers", "worth", "risk"} & headings
    assert {"brief", "payback", "options"} <= headings


def test_the_option_to_choose_stands_in_the_table_however_rarely_it_is_best(stances):
    """The highest expected value goes with a chance of being best of 0.4%: its row is listed all the same."""
    appraisal = make_appraisal()
    table = appraisal.tables["acceptability"].copy()
    value = table["value_per_child_year"].max()
    rare = (table["value_per_child_year"] == value) & (table["option"] == "kinship_only")
    assert rare.sum() == 1
    table.loc[table["option"] == "kinship_only", "prob_best"] = 0.004
    table.loc[table["value_per_child_year"] == value, "best"] = rare
    appraisal.tables["acceptability"] = table
    html = render_pages([appraisal], headline={"results": appraisal.results}, manifest={})
    figure = next(f for f in read_pages(html).find("figure") if f.attributes["id"] == "fig-acceptability")
    rows = [[cell.text() for cell in row.children if not isinstance(cell, str)] for row in figure.find("tr")]
    assert any(row[1].startswith("Kinship") and row[-1] == "<1%" for row in rows[1:])
    nobody = set(table.loc[~table["best"].astype(bool), "option"]) - set(table.loc[table["best"], "option"])
    hopeless = [o for o in nobody if table.loc[table["option"] == o, "prob_best"].max() < 0.05]
    assert not any(row[1] == appraisal.option_labels[name] for name in hopeless for row in rows[1:])


def test_ways_of_financing_say_their_prices_and_do_not_compare_one_with_itself(page, stances):
    section = next(e for e in page.find("section") if e.attributes["aria-labelledby"] == "options")
    table = next(t for t in section.find("table") if "financing" in next(t.find("caption")).text())
    rows = [[cell.text() for cell in row.children if not isinstance(cell, str)] for row in table.find("tr")]
    assert "Recurrent spending" in rows[0][1] and rows[1][2] == "by definition"
    assert [row[0] for row in rows[1:]] == [
        stances[0].option_labels[name] for name in stances[0].tables["financing_modes"]["option"]
    ]
    assert all("%" in row[2] for row in rows[2:])
    assert "money at 2023-24 prices" in re.sub(r"\s+", " ", next(table.find("caption")).text())


def test_the_pilot_and_the_tracker_speak_of_starts_in_words(page, stances):
    row = stances[0].tables["pilot_power"].query("areas == 12 and years == 2 and asked").iloc[0]
    headings = [re.sub(r"\s+", " ", heading.text()) for heading in page.find("h3")]
    pilot = next(
        words for words in headings if words.startswith("A pilot of the announced size, its arms 50%")
    )
    assert f"a fall in starts of about {row['detectable_percent']:.0f}%; 2" in pilot and "log" not in pilot
    assert any(words.startswith("Unaccompanied children aside,") for words in headings)
    section = next(e for e in page.find("section") if e.attributes["aria-labelledby"] == "pilot")
    words = re.sub(r"\s+", " ", section.text())
    table = stances[0].tables["pilot_power"].query("years == 2").set_index(["areas", "contrast", "controls"])
    seen = [table.loc[(size, 0.5, "lower dose"), "detectable_percent"] for size in (12, 24, 48)]
    assert f"12 areas watched for 2 years would see starts fall by {seen[0]:.1f}% or more" in words
    assert all(f"{size} areas {seen[place]:.1f}%" in words for place, size in ((1, 24), (2, 48)))
    quarter = table.loc[(12, 0.25, "lower dose"), "detectable_percent"]
    assert (
        "no longer available" in words
        and f"25% apart, they see what the full dose does from {quarter:.1f}%" in words
    )


def test_the_pilot_is_said_to_be_best_as_often_as_it_is(page, stances):
    table = stances[0].tables["pilot_or_now"]
    best = table[table["best"]]
    section = next(e for e in page.find("section") if e.attributes["aria-labelledby"] == "pilot")
    words = " ".join(section.text().split())
    firsts = int((best["strategy"] == "pilot_first").sum())
    assert firsts == 0 and f"“Pilot first” is best in {firsts} of {len(best)}" in words
    assert "never” in 12" in words and "“go now” in 4" in words
