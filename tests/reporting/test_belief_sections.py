"""Sections of belief, calibration, councils and other ways of counting: what they print is what the tables hold."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from cba.reporting.html_tables import columns, html_table
from cba.reporting.numbers import row_error
from cba.reporting.page import render_pages
from tests.reporting.drawing import plot, words
from tests.reporting.fake_appraisal import make_appraisal
from tests.reporting.page_reading import read_page, read_pages

LEAD = "care_review"


def _section(page, anchor):
    return next(e for e in page.find("section") if e.attributes["aria-labelledby"] == anchor)


def _words(element) -> str:
    return re.sub(r"\s+", " ", element.text())


def test_coverage_of_the_accounts_is_counted(page, stances):
    """Of 48 made-up cells every seventh from the fourth lies outside: 7, of which those on the total are told apart."""
    text = _words(_section(page, "calibration"))
    outside = [place for place in range(48) if place % 7 == 3]
    totals = [place for place in outside if place % 4 == 3]
    assert f"{12 - len(totals)} of 12 published totals" in text
    assert f"{48 - len(outside)} of 48 published figures" in text
    later = [place for place in range(28, 48) if place % 7 == 3]
    assert f"{20 - len(later)} of 20 later figures" in text


def test_the_accounts_are_drawn_as_the_table_has_them(stances):
    ax = plot("accounts", stances)
    rows = stances[0].tables["accounts_reconciliation"].query("line == 'total'")
    points = next(line for line in ax.lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_ydata(), rows["published_real"] / 1e9)
    assert f"{int(rows['inside'].sum())} of {len(rows)} points" in words("accounts", stances)
    plt.close(ax.figure)


def test_councils_stand_at_both_ends_in_order_of_what_they_save_per_child(page, stances):
    table = stances[0].tables["councils"]
    tables = list(_section(page, "councils").find("table"))[:2]
    expected = table.sort_values("net_per_child", ascending=False)["name"].tolist()
    shown = [[row.text() for row in made.find("th") if row.attributes["scope"] == "row"] for made in tables]
    assert shown == [expected[:5], expected[-5:]]


def test_groups_of_councils_have_the_numbers_of_their_table(page, stances):
    table = stances[0].tables["councils_by_group"]
    deprived, regions = list(_section(page, "councils").find("table"))[2:]
    heads = [
        [row.text() for row in made.find("th") if row.attributes["scope"] == "row"]
        for made in (deprived, regions)
    ]
    assert heads == [["Most deprived fifth", "Least deprived fifth"], ["North"]]
    found = [float(cell.attributes["value"]) for cell in regions.find("data")]
    row = table[table["group"] == "North"].iloc[0]
    ends = ("mean", "lower", "upper")
    fewer, net = ([f"{name}_{end}" for end in ends] for name in ("fewer_per_10000", "council_net_per_child"))
    names = ["councils", *fewer, "grant_per_child_mean", *net]
    assert found == row[names].tolist()


def test_councils_are_drawn_by_size_and_change_but_those_without_children(stances):
    table = stances[0].tables["councils"]
    ax = plot("councils", stances)
    points = [p for line in ax.lines if line.get_marker() in "osD" for p in line.get_xydata().tolist()]
    drawn = table[table["stock"] > 0][["stock", "fewer_per_10000"]]
    assert sorted(points) == sorted(drawn.to_numpy().tolist()) and len(points) == len(table) - 1
    said = words("councils", stances)
    assert "29 authorities with a child in care" in said and "Highest: Council 29" in said
    few = int((table.loc[table["stock"] > 0, "fewer_mean"] < 1).sum())
    assert f"In {few} of them fewer than one child" in said
    plt.close(ax.figure)


def test_the_heading_of_councils_counts_those_that_gain_and_says_the_years(page, stances):
    section = _section(page, "councils")
    gain = int((stances[0].tables["councils"]["council_net"] >= 0).sum())
    heading = _words(next(section.find("h3")))
    assert 0 < gain < 30 and heading.startswith(f"{gain} of 30 authorities")
    assert heading.endswith("over the years ending in March 2026 to 2035")
    text = _words(section)
    assert "counted at the end of March 2032" in text and "fewer at 31 March 2032" in text
    assert "in 20 of them fewer than one child" in text and "index of 2019" in text
    captions = [_words(caption) for caption in section.find("caption")]
    assert sum("money in cash over 10 years" in words for words in captions) == 2


def test_only_results_that_move_are_listed(page):
    text = _words(_section(page, "diagnostics"))
    assert "1 of 2 results move by more than chance" in text and "an input that no data update" in text
    assert "Prices" not in text


def test_what_the_claims_need_is_of_the_review_stance(page):
    heading = next(h for h in page.find("h3") if h.attributes.get("id") == "need-to-believe")
    assert "claims need" in heading.text()
    cells = [e for e in page.find("data") if e.attributes.get("data-table") == "need_to_believe"]
    assert cells and {cell.attributes["data-stance"] for cell in cells} == {"review"}


def test_a_bounded_study_is_neither_used_as_an_estimate_nor_called_left_out(page):
    section = _section(page, "evidence")
    holding = [t for t in section.find("table") if "AREA2017" in t.text()]
    assert len(holding) == 1 and "as bounds" in next(holding[0].find("caption")).text()
    assert "−0.098" in holding[0].text().replace("\N{MINUS SIGN}", "−")


def test_a_studys_own_error_does_not_round_its_estimate(stances):
    """An estimate of 0.223 with a standard error of 0.25 is printed as published, not as 0."""
    made = html_table(
        stances[0], "evidence", columns(number={"effect": "Effect"}), caption="c", where={"use": "synthesis"}
    )
    assert "0.223" in read_page(str(made)).text()


def test_the_error_of_a_chance_does_not_round_money(stances):
    """The interval of a mean of 4,000 draws gives its error; the row's 0.0005 belongs to the chance."""
    row = stances[0].tables["perspectives"].iloc[0].to_dict()
    spread = (row["upper"] - row["lower"]) / (2 * 1.6448536)
    expected = spread / np.sqrt(stances[0].analysis.draws)
    assert row_error(row, "mean", style="money", appraisal=stances[0]) == pytest.approx(expected, rel=0.05)
    assert row_error(row, "prob_positive", style="probability", appraisal=stances[0]) == 0.0005


def test_a_shift_is_not_rounded_by_the_interval_of_its_input(stances):
    row = stances[2].tables["need_to_believe"].iloc[1].to_dict()
    assert row_error(row, "shift", style="ratio", appraisal=stances[2]) == row["shift_se"]
    alone = {name: value for name, value in row.items() if name != "shift_se"}
    assert row_error(alone, "shift", style="ratio", appraisal=stances[2]) == 0.0


def test_an_input_whose_shift_could_be_chance_is_not_listed(page):
    """Of the income of a fifth, that moves no child, the nearest draws hold a little less by chance."""
    section = _section(page, "believe")
    holding = next(t for t in section.find("table") if "claims need" in next(t.find("caption")).text())
    assert "Effect of family help" in holding.text() and "second fifth" not in holding.text()


def test_the_sections_are_left_out_without_their_tables():
    appraisal = make_appraisal()
    gone = (
        "accounts_reconciliation",
        "councils",
        "councils_by_group",
        "perspectives",
        "break_even_map",
        "panel_reconciled",
        "reach",
    )
    for table in (*gone, "panel_summary", "prior_predictive", "power_scaling", "payback_measures"):
        del appraisal.tables[table]
    page = read_pages(render_pages([appraisal], headline={"results": appraisal.results}, manifest={}))
    identifiers = {e.attributes["id"] for e in page.find() if "id" in e.attributes}
    assert not {"calibration", "councils", "counting", "break-even-map", "panel", "learned"} & identifiers
    assert {"brief", "evidence", "diagnostics", "payback"} <= identifiers
    links = {
        a.attributes["href"].partition("#")[2] for a in page.find("a") if ".html#" in a.attributes["href"]
    }
    links |= {a.attributes["href"][1:] for a in page.find("a") if a.attributes["href"].startswith("#")}
    assert links <= identifiers
    rows = [row.text() for row in _section(page, "checklist").find("tr")]
    assert any("Results for local authorities" in row and "not in this run" in row for row in rows)


def test_where_no_option_meets_the_standard_none_is_the_one_to_choose(page):
    assert "No option meets it" in _words(_section(page, "options"))
    worth, compared = _words(_section(page, "worth")), _words(_section(page, "compared"))
    assert "none is the one to choose" in worth and "is the option to choose" not in worth
    assert "So we recommend none and rank none" in compared


def test_an_option_that_meets_the_standard_is_named():
    appraisal = make_appraisal()
    appraisal.tables["standard"] = appraisal.tables["standard"].assign(verdict="recommended", reason="")
    page = read_pages(render_pages([appraisal], headline={"results": appraisal.results}, manifest={}))
    assert "Recommended:" in _words(_section(page, "options"))
    assert "These meet the standard" in _words(_section(page, "compared"))


def test_a_run_that_held_no_standard_still_has_its_page():
    appraisal = make_appraisal()
    for table in ("standard", "prior_beside_posterior", "held_against", "child_years_at_home"):
        del appraisal.tables[table]
    page = read_pages(render_pages([appraisal], headline={"results": appraisal.results}, manifest={}))
    assert "highest expected net benefit" in _words(_section(page, "worth"))
    identifiers = {e.attributes["id"] for e in page.find() if "id" in e.attributes}
    assert not {"standard", "prior-beside", "held-against"} & identifiers


def test_priors_expectations_and_harm_stand_on_the_page(page):
    words = _words(_section(page, "believe"))
    assert "none of 1,000 prior draws reaches it" in words and "9,5" in words
    assert "Ours is easier" in words and "0.25" in words
    assert "should have come into care" in _words(_section(page, "worth"))


def test_what_is_out_of_date_stands_in_the_brief_as_the_run_wrote_it():
    appraisal = make_appraisal()
    manifest = {"stale": ["data: release 2024; a later one is due since November 2025"]}
    page = read_pages(render_pages([appraisal], headline={"results": appraisal.results}, manifest=manifest))
    assert "Out of date: data: release 2024; a later one is due since November 2025" in _words(
        _section(page, "brief")
    )
