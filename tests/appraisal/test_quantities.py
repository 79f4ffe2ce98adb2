"""Adding a headline quantity is one entry: everything that lists, prints, holds, compares or checks finds it."""

from __future__ import annotations

import numpy as np
import pytest

from cba.appraisal.quantities import (
    QUANTITIES,
    Quantity,
    headline_draws,
    headline_results,
    key_of,
    quantity_of,
    spoken_quantities,
)
from cba.costs.account import child_years
from cba.reporting.card import result_card
from cba.reporting.names import full_name
from cba.reporting.numbers import style_of
from cba.runs.compare_words import change_sentences, spoken_changes
from cba.runs.holds import hold_reasons, hold_tolerances
from cba.tables.fit_checks import decision_convergence
from cba.workbook.sheets import heading_of
from tests.appraisal.made_workings import made_workings
from tests.reporting.fake_appraisal import make_appraisal

LEAD = "care_review"


def child_years_fewer(workings, option):
    years = np.array(workings.years) <= workings.inputs.analysis.target_year
    return child_years(workings.accounts[option].children.fewer_by_age.sum(axis=-1))[:, years].sum(axis=1)


@pytest.fixture
def added(monkeypatch):
    """One entry more; the dictionary is as before afterwards."""
    entry = Quantity(
        name="child_years_fewer",
        key="child_years_fewer_{year}",
        label="Child-years fewer in care until 31 March {year}",
        words="Fewer child-years in care",
        unit="children",
        draws=child_years_fewer,
        style="fewer",
        held=("child_years_fewer", 0.25),
        spoken=9,
        settled="Fewer child-years until {year}",
        on_card=True,
    )
    monkeypatch.setitem(QUANTITIES, entry.name, entry)
    return entry


def test_it_is_in_the_headline_and_in_the_draws_of_comparisons(added):
    workings = made_workings()
    key = key_of(added.name, LEAD)
    assert key == "child_years_fewer_2032.care_review"
    entry, draws = headline_results(workings)[key], headline_draws(workings)[key]
    assert entry["label"] == "Child-years fewer in care until 31 March 2032" and entry["unit"] == "children"
    assert entry["mean"] == pytest.approx(child_years_fewer(workings, LEAD).mean()) == draws.mean()
    assert headline_results(workings)[key_of(added.name, "bau")]["mean"] == 0.0


def test_it_is_told_of_two_runs(added):
    change = {
        "key": key_of(added.name, LEAD),
        "label": "Child-years fewer",
        "unit": "children",
        "before": 9_000.0,
        "after": 8_000.0,
        "difference": -1_000.0,
        "mcse": 10.0,
        "within_error": False,
        "shares": {"priors and evidence": {"value": -1_000.0, "mcse": 10.0, "within_error": False}},
    }
    record = {
        "before": "a",
        "after": "b",
        "stance": "evidence",
        "moved": ["priors and evidence"],
        "notes": [],
        "changes": [change],
        "settings": {"options": ["bau", LEAD], "lead": LEAD},
    }
    assert spoken_changes(record, option=LEAD) == [change]
    assert any("Child-years fewer (care_review): from 9," in said for said in change_sentences(record))


def test_it_can_hold_a_run_and_the_analysis_sets_its_tolerance(added):
    key = key_of(added.name, LEAD)
    old, new = ({key: {"mean": m, "lower": m - 1, "upper": m + 1, "mcse": 0.0}} for m in (10.0, 11.0))
    assert hold_reasons(old, new, tolerances=hold_tolerances({}))
    assert not hold_reasons(old, new, tolerances=hold_tolerances({"hold": {added.name: 0.9}}))


def test_it_is_printed_named_and_headed(added):
    assert style_of(key_of(added.name, LEAD)) == "fewer"
    assert full_name(added.name) == full_name(added.stem) == "Fewer child-years in care"
    assert heading_of("child_years_fewer_mean") == "Fewer child-years in care, mean"


def test_it_stands_on_the_card(added):
    appraisal = make_appraisal()
    about = {"label": "Child-years fewer", "unit": "children", "mcse": 1.0, "level": 0.9}
    for option in appraisal.option_labels:
        numbers = {"mean": 8_123.0, "median": 8_123.0, "lower": 7_000.0, "upper": 9_000.0}
        appraisal.results[key_of(added.name, option)] = about | numbers
    card = result_card(appraisal)
    assert "Fewer child-years in care" in card and "8,120 fewer" in card


def test_its_convergence_is_checked(added):
    table = decision_convergence(made_workings()).set_index(["option", "quantity"])
    row = table.loc[(LEAD, added.name)]
    assert row["label"] == "Fewer child-years until 2032" and row["unit"] == "children"
    assert row["mean"] == pytest.approx(child_years_fewer(made_workings(), LEAD).mean())


def test_keys_of_schema_1_say_2032_whatever_the_target_year():
    assert key_of("system_cost_cash", "bau") == "system_cost_2032_cash.bau"
    assert quantity_of("system_cost_2032_cash.bau") is QUANTITIES["system_cost_cash"]
    assert quantity_of("fewer_children") is QUANTITIES["fewer_children"]
    assert quantity_of("child_years") is quantity_of("") is None


def test_every_quantity_is_printed_in_a_known_style_and_told_in_one_place():
    from cba.reporting.numbers import show

    for entry in QUANTITIES.values():
        assert show(0.5, style=entry.style) and entry.words and entry.unit
    told = [entry.spoken for usual in (False, True) for entry in spoken_quantities(usual=usual)]
    assert told == sorted(set(told)), "two quantities have the same place, or business as usual is not last"
