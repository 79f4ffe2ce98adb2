"""A stored run read back: every bound number of its page is recomputed from the stored draws or the stored tables."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from urllib.parse import parse_qsl

import numpy as np
import pytest

from cba import recipe as stages
from cba.appraisal.record import Appraisal
from cba.inputs.evidence import load_claims
from cba.inputs.observations import load_observations
from cba.reporting.page import render_pages
from cba.tables.assumptions import assumptions_log
from cba.tables.children import tracker_table
from tests.appraisal.made_workings import made_workings
from tests.reporting.page_reading import number_in, prose_without_numbers, read_pages
from tests.reporting.table_lookups import matches

TARGET, START, HORIZON, BASE = 2032, 2026, 10, 2024


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    workings = made_workings()
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # draws of the priors alone are tested elsewhere, and are slow
        patch.setattr(stages, "_prior_checks", lambda *_: {})
        made = stages.assembled(workings)
    logs = {"tracker": tracker_table(workings), "assumptions_log": assumptions_log(workings)}
    return replace(made, tables=dict(made.tables) | logs).to_directory(
        tmp_path_factory.mktemp("run") / "evidence"
    )


@pytest.fixture(scope="module")
def stored(folder):
    return Appraisal.from_directory(folder)


@pytest.fixture(scope="module")
def pound(stored):
    """Price levels by year; the published ones read once, because every probability of the page asks for two."""
    known = load_observations(stored.analysis.release)["gdp_deflator"].to_series().to_dict()
    last = max(known)
    growth = np.expm1(stored.parameters["prices.deflator_growth"].values)
    return {
        year: known.get(year, known[last] * (1.0 + growth) ** max(year - last, 0))
        for year in (2022, BASE, TARGET)
    }


@pytest.fixture(scope="module")
def page(stored):
    manifest = {"run": "20261121T000000Z-0123abcd", "finished": "2026-11-21T20:00:00Z"}
    return read_pages(render_pages([stored], headline={"results": stored.results}, manifest=manifest))


def _factors():
    """Green Book standard rate: 3.5% a year, the first year undiscounted; written out here."""
    return np.array([1.035**-t for t in range(HORIZON)])


def _streams(stored, option):
    """Savings and costs of the headline years in every draw, from the stored lines."""
    flow = stored.cash_flow.sel(option=option, year=slice(START, START + HORIZON - 1))
    kinds = stored.cash_flow["kind"].values
    values = flow.transpose("sample", "year", "line").values
    return -values[..., kinds == "saving"].sum(-1), values[..., kinds != "saving"].sum(-1)


def _payback(net):
    """First year from which the running discounted total never falls below nought again; NaN for never."""
    years = []
    for flows in net * _factors():
        total, since = 0.0, math.nan
        for place, flow in enumerate(flows):
            total += flow
            since = math.nan if total < 0 else (START + place if math.isnan(since) else since)
        years.append(since)
    return np.array(years)


def headline_draws(stored, key, *, levels):
    """Draws of one headline quantity, from the stored arrays alone."""
    quantity, option = key.split(".")
    stock = stored.children.sum("age").sel(year=TARGET)
    own, usual = stock.sel(option=option).values, stock.sel(option="bau").values
    saving, cost = _streams(stored, option)
    net = saving - cost
    pound = levels[BASE] / levels[2022]
    system = stored.system_cost.sel(option=option, year=TARGET).values
    cash = system * levels[TARGET] / levels[BASE]
    at_target = saving[:, TARGET - START]
    funded = stored.children.sel(option="ffp_2025", year=TARGET).sum("age").values
    saved, spent = _streams(stored, "ffp_2025")
    beyond = (net - (saved - spent)) @ _factors()
    made = {
        "fewer_children_2032_vs_ffp_2025": lambda: funded - own,
        "npv_fiscal_vs_ffp_2025": lambda: beyond,
        "prob_npv_positive_vs_ffp_2025": lambda: beyond > 0,
        "children_in_care_2032": lambda: own,
        "fewer_children_2032": lambda: usual - own,
        "prob_fewer_30000_2032": lambda: usual - own >= 30_000,
        "prob_more_children_2032": lambda: usual < own,
        "npv_fiscal": lambda: net @ _factors(),
        "prob_npv_positive": lambda: net @ _factors() > 0,
        "bcr": lambda: (saving @ _factors()) / (cost @ _factors()),
        "gross_saving_total": lambda: saving @ _factors(),
        "annual_saving_2032": lambda: at_target,
        "prob_annual_saving_1bn_2032": lambda: at_target >= 1e9 * pound,
        "payback_year": lambda: _payback(net),
        "prob_never": lambda: np.isnan(_payback(net)),
        "system_cost_2032_real": lambda: system / pound,
        "system_cost_2032_cash": lambda: cash,
        "prob_system_cost_15bn_2032_real": lambda: system / pound >= 15e9,
        "prob_system_cost_15bn_2032_cash": lambda: cash >= 15e9,
    }
    return np.asarray(made[quantity](), dtype=float)


def _statistic(stored, key, field, *, levels):
    draws = headline_draws(stored, key, levels=levels)
    if key.startswith("bcr") and field == "mean":
        saving, cost = _streams(stored, key.split(".")[1])
        return float((saving @ _factors()).mean() / (cost @ _factors()).mean())
    return {
        "mean": lambda: float(draws.mean()),
        "median": lambda: float(np.median(draws)),
        "lower": lambda: float(np.quantile(draws, 0.05)),
        "upper": lambda: float(np.quantile(draws, 0.95)),
        "level": lambda: 0.9,
    }[field]()


def test_headline_numbers_are_those_of_the_stored_draws(page, stored, pound):
    """Every quantity of the headline is worked out again, by another road, from the stored draws."""
    seen = set()
    for element in page.find("data"):
        key, field = element.attributes.get("data-key"), element.attributes.get("data-field")
        if not key or field == "mcse" or element.attributes["value"] == "":
            continue
        if "_on_ffp_2025" in key:
            continue  # an account of its own, which the draws of single options do not hold
        expected = _statistic(stored, key, field, levels=pound)
        if key.startswith("payback_year"):
            continue  # a year that need not come: its chance of never is checked
        value = float(element.attributes["value"])
        assert value == pytest.approx(expected, rel=1e-6, abs=1e-6), (key, field)
        seen.add(key.split(".")[0])
    assert {"npv_fiscal", "fewer_children_2032", "prob_never", "bcr", "system_cost_2032_cash"} <= seen
    assert len(seen) >= 13


def test_all_other_numbers_are_those_of_the_stored_tables(page, folder):
    """Cells, sums and counts are read again from the files, by a reader of its own."""
    tables = {}
    seen = 0
    for element in page.find("data"):
        told = element.attributes
        if "data-table" not in told:
            continue
        name = told["data-table"]
        if name not in tables:
            with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
                tables[name] = list(csv.DictReader(file))
        rows, field = tables[name], told["data-field"]
        if "data-row" in told:
            rows = [rows[int(told["data-row"])]]
        else:
            for key, wanted in parse_qsl(told["data-where"]):
                column, _, test = key.partition("__")
                rows = [row for row in rows if matches(row[column], wanted, test)]
        kind = told.get("data-aggregate")
        if kind == "count":
            expected = float(len(rows))
        elif kind == "sum":
            expected = math.fsum(float(row[field]) for row in rows)
        else:
            assert len(rows) == 1, told
            expected = float(rows[0][field]) if rows[0][field] != "" else None
        if expected is None:
            assert told["value"] == "", told
        else:
            assert float(told["value"]) == pytest.approx(expected, rel=1e-12), told
        seen += 1
    assert seen > 1500


def test_numbers_of_the_explorer_are_those_of_its_stored_draws(page, stored):
    """How many draws it keeps, and how far its proportion is from working out again, are read from what it stores."""
    chosen = next(e for e in page.find("option") if "selected" in e.attributes)
    lead = chosen.attributes["value"]
    found = {
        e.attributes["data-fact"]: float(e.attributes["value"])
        for e in page.find("data")
        if e.attributes.get("data-fact", "").startswith("explorer.")
    }
    wanted = {
        "explorer.draws": float(stored.explorer.sizes["sample"]),
        f"explorer.npv_error.{lead}": abs(float(stored.explorer["npv_error"].sel(option=lead))),
    }
    assert found == pytest.approx(wanted, rel=1e-9)


def test_every_number_says_where_it_comes_from(page):
    for element in page.find("data"):
        told = element.attributes
        assert ("data-key" in told) + ("data-table" in told) + ("data-fact" in told) == 1, told


def test_no_digit_stands_in_prose_outside_what_may_hold_one(page):
    """Bound numbers, stated constants (years, names of claims), labels, code and tables may; nothing else."""
    assert [c for c in prose_without_numbers(next(page.find("main"))) if c.isdigit()] == []


def test_the_page_of_a_shift_says_what_it_is_judged_by_and_what_was_asked(page, stored):
    """Net present value does not judge it; the review's words, who holds savings and what current policy holds."""
    text = " ".join(next(page.find("main")).text().split())
    assert stored.analysis.lead == "care_review_reinvest"
    assert "It does not judge the shift" in text
    assert load_claims().annual_saving.words in text and "None of these readings alone" in text
    assert "family help in the last reading shrinks to what was saved" in text
    assert "what courts and the NHS save stays with them" in text
    assert text.count("Families First money flows since April 2025 and is not in it") == 1
    assert "Instead of what is funded already" in text and "On top of what is funded already" in text
    assert "carries the money already announced" not in text


def test_constants_in_the_prose_are_those_of_the_question(page):
    """What is typed by hand: the review's claims, dates, reach levels and rules of the page, with their reasons."""
    allowed = {
        "31": "31 March",
        "30,000": "the review's claim",
        "£1bn": "the review's claim",
        "£15bn": "the review's claim",
        "£1": "one pound",
        "2021-22": "price base of the claims",
        "2022": "when the review reported",
        "£2.6bn": "what the review asked for",
        "500,000": "children the review would help",
        "100,000": "the review's path without reform",
        "2026": "first year of the tracker",
        "2023": "when the government chose",
        "2025": "when Families First money began to flow",
        "2030": "the year of the review's claim of a shift",
        "1990s": "when growth in the number in care turned",
        "1994": "the first year of which the number in care is published",
        "2000s": "first origins of the record of forecasts",
        "1": "a risk ratio of no effect",
        "0.6": "reach shown",
        "0.4": "reach shown",
        "18": "age at which care ends",
        "19": "of 20, the line of the tracker",
        "20": "see 19",
        "365": "days after which a review is stale",
        "v3.0": "version of the licence",
        str(TARGET): "target year",
    }
    prose = {"p", "li", "h2", "h3", "dd"}
    found = {
        span.text() for block in page.find(*prose) for span in block.find("span") if "given" in span.classes
    }
    assert found <= set(allowed), found - set(allowed)


def test_words_for_chances_follow_the_number_they_stand_beside(page):
    """Every word of the scale in the prose stands in brackets after a chance of its band."""
    words = ("remote chance", "unlikely", "realistic possibility", "likely", "almost certain")
    upper = {"a remote chance": 7.5, "highly unlikely": 22.5, "unlikely": 37.5, "a realistic possibility": 52.5,
             "likely": 77.5, "highly likely": 92.5, "almost certain": 100.0}  # fmt: skip
    seen = 0
    for block in page.find("p", "li", "h3", "dd"):
        if any(isinstance(child, str) and any(word in child for word in words) for child in block.children):
            seen += _check_words(block, upper)
    assert seen >= 5


def _check_words(block, upper) -> int:
    order, seen = list(upper), 0
    for place, child in enumerate(block.children):
        if not isinstance(child, str):
            continue
        for word in ("remote chance", "possibility", "likely", "almost certain"):
            assert word not in child or child.startswith(" ("), child
        if not child.startswith(" (") or ")" not in child:
            continue  # a bracket that holds a number, as of an interval, says no word for a chance
        said = child[2 : child.index(")")]
        if said not in upper:
            continue
        chance = 100.0 * float(block.children[place - 1].attributes["value"])
        low = upper[order[order.index(said) - 1]] if order.index(said) else 0.0
        assert low <= chance <= upper[said], (chance, said)
        seen += 1
    return seen


def test_a_part_without_its_tables_is_named_under_diagnostics(page, stored):
    """The made run has too few draws to value learning: the sections that need it are named, not dropped in silence."""
    lacking = {t for t in ("drivers", "information_value", "pilot_or_now") if t not in stored.tables}
    assert lacking
    section = next(e for e in page.find("section") if e.attributes["aria-labelledby"] == "diagnostics")
    assert lacking <= {code.text() for code in section.find("code")}


def test_convergence_is_judged_on_numbers_a_reader_can_judge(page):
    """R-hat is about one and effective draws are many, whatever the size of the quantity they judge."""
    cells = [e for e in page.find("data") if e.attributes.get("data-table") == "decision_convergence"]
    texts = {
        field: [
            e.text() for e in cells if e.attributes["data-field"] == field and e.attributes["value"] != ""
        ]
        for field in ("rhat", "ess_bulk", "ess_tail")
    }
    assert texts["rhat"] and all(number_in(text) >= 0.9 for text in texts["rhat"])
    assert all(
        number_in(text) >= 1 and "within" not in text for f in ("ess_bulk", "ess_tail") for text in texts[f]
    )


def test_no_size_of_an_effect_outside_the_model_is_a_rounded_nought(page, stored):
    section = next(s for s in page.find("section") if s.attributes.get("aria-labelledby") == "stress")
    said = set()
    for held in section.find("table"):
        heads = [head.text().strip() for head in next(held.find("thead")).find("th")]
        places = [
            place
            for place, head in enumerate(heads)
            if head.startswith("Size ") and head != "Size counted in"
        ]
        for row in next(held.find("tbody")).find("tr"):
            cells = [cell.text().strip() for cell in row.children if not isinstance(cell, str)]
            said |= {cells[place] for place in places}
    assert "0" not in said and "none does" in said and len(said) > 10
    heading = next(section.find("strong")).text()
    table = stored.tables["stress_tests"].query("option == 'care_review' and quantity == 'npv_sign'")
    assert not table["hinted"].any() and table["reachable"].any()
    assert "At no size that published or modelled figures hint at" in heading
