"""Adding one of anything is what the table "Where to add things" of ARCHITECTURE.md says, and no more.

For each row a test adds one such thing, by a file in a folder of its own or by one entry of the registry named, and
looks for it where a user would see it. A row without a test, or a test without a row, fails.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import numpy as np
import openpyxl
import pandas as pd
import pytest
from jinja2 import ChoiceLoader, DictLoader, PackageLoader

from cba.appraisal import quantities
from cba.appraisal.inputs import read_inputs
from cba.appraisal.quantities import QUANTITIES, Quantity, headline_draws, headline_results, key_of
from cba.appraisal.workings import worked_options
from cba.cli import main
from cba.costs.account import child_years
from cba.inputs.analyses import load_analysis
from cba.inputs.distributions import distribution
from cba.inputs.evidence import load_claims, load_evidence, refuse_unpublished
from cba.inputs.files import analysis_file, priors_folder, published_folder, reading_from
from cba.inputs.options import load_options
from cba.inputs.priors import load_priors
from cba.inputs.releases.snapshots import current_snapshot
from cba.interventions import kinds
from cba.interventions.effects import Drawn, Form, Kind, middle
from cba.interventions.records import Work
from cba.models import slow_results
from cba.models.parameters import joint_parameters
from cba.models.slow_results import how_made
from cba.reporting import page as report
from cba.reporting import sections
from cba.reporting.card import result_card
from cba.reporting.figures import children as children_figures
from cba.reporting.figures.style import Data, Figure, rows_with
from cba.reporting.html_tables import columns
from cba.reporting.names import full_name
from cba.reporting.numbers import style_of
from cba.reporting.sections import Section
from cba.reporting.workbook import heading_of, write_workbook
from cba.runs.comparison import change_sentences, spoken_changes
from cba.runs.holds import hold_reasons, hold_tolerances
from cba.tables import stress
from cba.tables.catalogue import CHILDREN, TABLES, all_tables, catalogue, catalogued
from cba.tables.fit_checks import decision_convergence
from cba.tables.stress import Slopes, StressKind
from cba.validation import backtest, curve
from tests.inputs import release_files
from tests.interventions.test_own_intervention import MENTORING
from tests.made_fits import made_baseline, made_effects
from tests.reporting.conftest import MANIFEST
from tests.reporting.fake_appraisal import make_appraisal
from tests.reporting.page_reading import Element, read_page

ROOT = Path(__file__).resolve().parents[1]
LEAD = "care_review"

ADDED: dict[str, list[str]] = {}
"""Things of the table, and the tests that add one."""


def adds(thing: str) -> Callable:
    """Say which thing of the table a test adds."""

    def noted(test: Callable) -> Callable:
        ADDED.setdefault(thing, []).append(test.__name__)
        return test

    return noted


@pytest.fixture(scope="module")
def fake():
    """A made-up appraisal; who changes its tables or results takes others in their place."""
    return make_appraisal()


# --- The table itself -----------------------------------------------------------------------------------


def rows_of_the_table() -> list[tuple[str, str, str]]:
    """Thing, what is written and where, as ARCHITECTURE.md has them."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.split("## Where to add things\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    assert cells[0] == ("To add", "You write", "Where")
    return cells[2:]


def test_every_row_of_the_table_has_a_test_that_adds_one():
    things = [thing for thing, _, _ in rows_of_the_table()]
    assert len(set(things)) == len(things) and set(things) == set(ADDED)


@pytest.mark.parametrize(("thing", "written", "where"), rows_of_the_table())
def test_the_places_the_table_names_exist(thing, written, where):
    named = re.findall(r"`([^`]+)`", where)
    assert named or "folder of your own" in where
    for place in named:
        assert list(ROOT.glob(place)), f"{thing}: there is no {place}"
    for code in re.findall(r"`([A-Z][A-Za-z]+)`", written):
        files = [f for place in named for found in ROOT.glob(place) for f in [found, *found.rglob("*.py")]]
        defined = re.compile(rf"^(class {code}\b|{code}\b.* = |from .*\b{code}\b)", re.M)
        texts = [file.read_text(encoding="utf-8") for file in files if file.suffix == ".py"]
        assert any(defined.search(text) for text in texts), f"{thing}: nothing called {code} at {where}"


# --- What is data: files in folders of their own, and one run of made fits with all of them --------------

OPTION = """
schema = 1
id = "cheaper_help"
label = "Half of the family help"
description = "Family help at half its money"
timing = "shift"
financing = "fade"
frames = ["latest"]

[[spend]]
component = "family_help"
payer = "dfe"
price_year = 2024
gbp_million = { "0" = 200.0, "1" = 200.0 }
source = "own plan"
"""

OF_NEW_KIND = """
schema = 1
id = "contracts"
label = "Paid by result"
description = "A provider is paid for every start it averts"
timing = "shift"
financing = "fade"
frames = ["latest"]

[[spend]]
component = "contracts"
payer = "council"
price_year = 2024
gbp_million = { "0" = 20.0, "1" = 20.0, "2" = 20.0 }
source = "own plan"

[[effect]]
component = "contracts"
kind = "by_result"
per_million = { distribution = "LogNormal", quantiles = { "0.05" = 4, "0.95" = 9 } }
confidence = "red"
source = "own judgement"
"""

PRIOR = """
[delivery.second_visits]
description = "Share of families that are visited a second time"
distribution = "Beta"
quantiles = { "0.05" = 0.2, "0.95" = 0.6 }
unit = "share"
basis = "judgement"
confidence = "red"
owner = "analysis"
reviewed = 2026-11-21
source = [{ title = "judgement: made up for a test", url = "" }]
"""

CLAIM = """
[money_over_four_years]
description = "Money for reform in four years, as the review asks for it"
value = 2_600_000_000
unit = "GBP per year"
year = 2027
published = "review_investment_total"
page = "executive summary"
source = [{ title = "The review, as others quote it", url = "https://example.org/review" }]
"""


class ByResult(Form):
    """Fields of a kind of effect that the package does not have."""

    kind: Literal["by_result"]
    per_million: Drawn


def _act(effect, ground, money):
    """Every million buys so many starts fewer, spread over the ages as starts are."""
    bought = effect.draws(ground, "per_million")[:, None] * money.yearly / 1e6
    made = _at(effect, ground, bought / ground.starts.sum(axis=-1))
    return dataclasses.replace(made, surplus=ground.nothing())


def _at(effect, ground, share):
    return Work(
        effect.name, effect.component, share, averts=np.ones((share.shape[0], ground.starts.shape[-1]))
    )


BY_RESULT = Kind(
    name="by_result",
    form=ByResult,
    units={"per_million": ("starts per GBP million", "starts averted for a million pounds")},
    above_nought=("per_million",),
    act=_act,
    at=_at,
    words=lambda effect: f"Averts {middle(effect, 'per_million')} starts for a million pounds",
)


def study_row(name: str) -> pd.DataFrame:
    """The evidence as shipped and one row more: a trial of 100 and 100 children, 10 and 20 of whom entered care."""
    table = pd.read_csv(published_folder() / "evidence_effects.csv", dtype=str, keep_default_na=False)
    trial = {
        "study_id": name,
        "intervention": "family_help",
        "outcome": "entered care",
        "design": "RCT",
        "country": "England",
        "year": "2025",
        "scale": "log_rr",
        "n_treat": "100",
        "events_treat": "10",
        "n_control": "100",
        "events_control": "20",
        "quality": "moderate",
        "origin": "published",
        "estimate_basis": "as_published",
        "url": "https://example.org/trial",
        "design_class": "rct",
        "outcome_class": "entered_care",
        "overlap_group": name.lower(),
        "use": "synthesis",
        "transport_note": "England",
        "estimand": "care_entry_log_rr",
        "level": "served",
        "service_class": "family_support",
        "at_scale": "no",
        "usual_help": "yes",
        "class_reason": "made up",
    }
    more = pd.DataFrame([dict.fromkeys(table.columns, "") | trial])
    return pd.concat([table, more], ignore_index=True)


def appended(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Folders of priors and published tables as shipped, each with something added, and one of an analyst's own."""
    place = tmp_path_factory.mktemp("world")
    found = SimpleNamespace(priors=place / "priors", published=place / "published", own=place / "own")
    shutil.copytree(priors_folder(), found.priors)
    shutil.copytree(published_folder(), found.published)
    found.own.mkdir()
    (found.priors / "options" / "cheaper_help.toml").write_text(OPTION, encoding="utf-8")
    appended(found.priors / "delivery.toml", PRIOR)
    appended(found.priors / "checks" / "claims.toml", CLAIM)
    study_row("TRIAL2025").to_csv(found.published / "evidence_effects.csv", index=False)
    (found.own / "mentoring.toml").write_text(MENTORING, encoding="utf-8")
    (found.own / "contracts.toml").write_text(OF_NEW_KIND, encoding="utf-8")
    options = ["bau", LEAD, "cheaper_help", "mentoring.toml", "contracts.toml"]
    text = analysis_file("latest").read_text(encoding="utf-8")
    text = re.sub(r"^name = .*$", 'name = "own"\nframe = "latest"', text, flags=re.M)
    text = re.sub(r"^lead = .*$", 'lead = "care_review"', text, flags=re.M)
    text = re.sub(r"^options = \[.*?\]", f"options = {json.dumps(options)}", text, flags=re.M | re.S)
    (found.own / "own.toml").write_text(text, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def new_kind():
    """The kind in its place among the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(kinds.KINDS, BY_RESULT.name, BY_RESULT)
        yield BY_RESULT


@pytest.fixture(scope="module")
def workings(world, new_kind):
    """All that was added, appraised on made fits: no sampler."""
    with reading_from(priors=world.priors, published=world.published):
        few = {"draws": 100, "chains": 2, "long_horizon": 14}
        inputs = read_inputs(load_analysis(world.own / "own.toml").model_copy(update=few), stance="evidence")
        baseline, effects = made_baseline(inputs.observations, inputs.priors), made_effects()
        drawn = joint_parameters(
            inputs.priors, baseline=baseline, effects=effects, observations=inputs.observations, seed=1
        )
        return worked_options(inputs, drawn, baseline=baseline, effects=effects)


@pytest.fixture
def tables_of(monkeypatch):
    """Make some of the tables only; what a test adds to the catalogue goes with it."""

    def made(workings, *names):
        left = {name: entry for name, entry in TABLES.items() if name in names}
        with monkeypatch.context() as patch:
            patch.setattr("cba.tables.catalogue.TABLES", left)
            return all_tables(workings)

    return made


@adds("an option")
def test_an_option_is_appraised_and_stands_in_the_tables(world, workings, tables_of, capsys):
    with reading_from(priors=world.priors):
        assert load_options(["cheaper_help"])[0].label == "Half of the family help"
        assert main(["check", str(world.priors / "options" / "cheaper_help.toml")]) == 0
    made = tables_of(workings, "npv", "payback_measures", "cash_flow_by_year", "fewer_children_by_year")
    for name, table in made.items():
        assert "cheaper_help" in set(table["option"]), name
    spent = sum(line.amount for line in workings.accounts["cheaper_help"].costs if line.kind == "programme")
    np.testing.assert_allclose(spent.sum(axis=1), 400e6, rtol=1e-9)  # the money stated, and no more
    assert key_of("npv", "cheaper_help") in headline_results(workings)


@adds("an intervention")
def test_an_intervention_acts_and_is_told_of(world, workings, tables_of, capsys):
    assert main(["check", str(world.own / "mentoring.toml")]) == 0
    made = tables_of(workings, "attribution", "interventions", "assumptions_log")
    for name in ("attribution", "interventions"):
        assert "mentoring" in set(made[name]["component"]), name
    assert "mentoring.stay_ratio" in set(made["assumptions_log"]["name"])
    assert workings.accounts["mentoring"].children.fewer_by_age.sum() > 0.0


@adds("a kind of effect")
def test_an_option_states_a_new_kind_of_effect(world, workings, tables_of, capsys):
    file = world.own / "contracts.toml"
    assert main(["check", str(file)]) == 0
    (effect,) = kinds.checked(load_options(path=file)[0])
    assert effect.kind is BY_RESULT and effect.own
    account = workings.accounts["contracts"]
    each = workings.system.parameters["contracts.by_result_per_million"].values
    averted = account.children.averted_starts.sum(axis=(1, 2))
    np.testing.assert_allclose(
        averted, 60.0 * each, rtol=1e-9
    )  # sixty million pounds; an overrun buys nothing
    told = tables_of(workings, "interventions")["interventions"].set_index("component")
    assert told.loc["contracts", "what"].startswith("Averts 6 (4 to 9) starts for a million pounds")


@adds("a prior")
def test_a_prior_is_listed_drawn_and_used_by_its_name(world, workings, tables_of, capsys):
    with reading_from(priors=world.priors):
        entry = load_priors()["delivery.second_visits"]
        assert main(["priors", "--json"]) == 0
        assert "delivery.second_visits" in capsys.readouterr().out
    assert entry.source[0].title == "judgement: made up for a test" and entry.confidence == "red"
    assert [entry.quantile(q) for q in (0.05, 0.95)] == pytest.approx([0.2, 0.6], rel=1e-3)
    drawn = workings.system.value("delivery.second_visits")
    assert drawn.shape == (100,) and 0.2 < np.median(drawn) < 0.6
    log = tables_of(workings, "assumptions_log")["assumptions_log"].set_index("name")
    assert log.loc["delivery.second_visits", "owner"] == "analysis"


@adds("a study")
def test_a_study_joins_the_evidence(world, workings, tables_of):
    with reading_from(published=world.published):
        pooled = load_evidence().synthesis("care_entry_log_rr").set_index("study_id")
    row = pooled.loc["TRIAL2025"]
    # Katz and others (1978), by hand
    assert row["effect"] == pytest.approx(np.log(0.5))
    assert row["effect_se"] == pytest.approx(np.sqrt(1 / 10 - 1 / 100 + 1 / 20 - 1 / 100))
    assert "TRIAL2025" in set(tables_of(workings, "evidence")["evidence"]["study_id"])


@adds("a claim of the review")
def test_a_claim_can_be_read_and_held_against(world, workings):
    with reading_from(priors=world.priors):
        claims = load_claims()
        refuse_unpublished(claims)
    claim = claims.each["money_over_four_years"]
    assert str(claim) == "£2,600m" and claim.source[0].url
    assert workings.inputs.claims.each["money_over_four_years"] == claim
    entry = dataclasses.replace(
        QUANTITIES["prob_annual_saving"], claim="money_over_four_years", label="{claim}"
    )
    assert entry.summary(workings, LEAD)["label"] == "£2,600m"


@adds("a release")
def test_a_release_comes_in_through_the_door(tmp_path, capsys):
    held = release_files.table("care_duration")
    measure = held["measure"].iloc[-1]
    row = {"release": "2025", "year": "2025", "measure": measure, "days": "889", "source": "S01"}
    file = release_files.write(pd.concat([held, pd.DataFrame([row])]), tmp_path / "care_duration.csv")
    store = tmp_path / "store"
    try:
        assert main(["update", "--from", str(file), "--store", str(store)]) == 0
        assert "release 2025 is new" in capsys.readouterr().out
        now = release_files.table("care_duration", current_snapshot(store).folder)
        assert now[now["release"] == "2025"]["days"].tolist() == ["889"]
    finally:
        release_files.removable(store)


# --- A headline quantity: everything that lists, prints, holds, compares or checks finds it ---------------


def child_years_fewer(workings, option):
    years = np.array(workings.years) <= workings.inputs.analysis.target_year
    return child_years(workings.accounts[option].children.fewer_by_age.sum(axis=-1))[:, years].sum(axis=1)


@pytest.fixture
def quantity(monkeypatch):
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
    monkeypatch.setitem(quantities.QUANTITIES, entry.name, entry)
    return entry


@adds("a headline quantity")
def test_a_quantity_is_in_the_headline_and_in_the_draws_of_comparisons(quantity, workings):
    key = key_of(quantity.name, LEAD)
    assert key == "child_years_fewer_2032.care_review"
    entry, draws = headline_results(workings)[key], headline_draws(workings, options=[LEAD])[key]
    assert entry["label"] == "Child-years fewer in care until 31 March 2032" and entry["unit"] == "children"
    assert entry["mean"] == pytest.approx(child_years_fewer(workings, LEAD).mean()) == draws.mean()
    assert headline_results(workings)[key_of(quantity.name, "bau")]["mean"] == 0.0


@adds("a headline quantity")
def test_a_quantity_is_told_of_two_runs(quantity):
    change = {
        "key": key_of(quantity.name, LEAD),
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


@adds("a headline quantity")
def test_a_quantity_can_hold_a_run_and_the_analysis_sets_its_tolerance(quantity):
    key = key_of(quantity.name, LEAD)
    old, new = ({key: {"mean": m, "lower": m - 1, "upper": m + 1, "mcse": 0.0}} for m in (10.0, 11.0))
    assert hold_reasons(old, new, tolerances=hold_tolerances({}))
    assert not hold_reasons(old, new, tolerances=hold_tolerances({"hold": {quantity.name: 0.9}}))


@adds("a headline quantity")
def test_a_quantity_is_printed_named_and_headed(quantity):
    assert style_of(key_of(quantity.name, LEAD)) == "fewer"
    assert full_name(quantity.name) == full_name(quantity.stem) == "Fewer child-years in care"
    assert heading_of("child_years_fewer_mean") == "Fewer child-years in care, mean"


@adds("a headline quantity")
def test_a_quantity_stands_on_the_card(quantity, fake):
    appraisal = dataclasses.replace(fake, results=dict(fake.results))
    about = {"label": "Child-years fewer", "unit": "children", "mcse": 1.0, "level": 0.9}
    for option in appraisal.option_labels:
        numbers = {"mean": 8_123.0, "median": 8_123.0, "lower": 7_000.0, "upper": 9_000.0}
        appraisal.results[key_of(quantity.name, option)] = about | numbers
    card = result_card(appraisal)
    assert "Fewer child-years in care" in card and "8,120 fewer" in card


@adds("a headline quantity")
def test_the_convergence_of_a_quantity_is_checked(quantity, workings):
    table = decision_convergence(workings).set_index(["option", "quantity"])
    row = table.loc[(LEAD, quantity.name)]
    assert row["label"] == "Fewer child-years until 2032" and row["unit"] == "children"
    assert row["mean"] == pytest.approx(child_years_fewer(workings, LEAD).mean())


# --- Tables, and effects outside the model ----------------------------------------------------------------


@adds("a table")
def test_a_table_is_made_listed_and_a_sheet_of_the_workbook(workings, fake, monkeypatch, tmp_path):
    left = {"npv": TABLES["npv"]}
    monkeypatch.setattr("cba.tables.catalogue.TABLES", left)
    monkeypatch.setattr("cba.reporting.workbook.TABLES", left)

    @catalogued("most_children", "Most children in care in any year", CHILDREN)
    def most_children(workings):
        """Highest mean number of children in care, by option."""
        mean = workings.arrays.children.sum("age").mean("sample").max("year")
        return pd.DataFrame({"option": mean["option"].values, "children": mean.values})

    appraisal = dataclasses.replace(fake, tables=all_tables(workings))
    table = appraisal.tables["most_children"]
    assert set(table["option"]) == set(workings.accounts) and (table["children"] > 80_000).all()
    row = catalogue(appraisal).set_index("table").loc["most_children"]
    assert row["answers"] == "Highest mean number of children in care, by option."
    assert row["rows_evidence"] == len(table)
    headline, manifest = {"results": appraisal.results}, MANIFEST | {"run": "20261121T200000Z-0123abcd"}
    file = write_workbook([appraisal], headline=headline, manifest=manifest, path=tmp_path / "workbook.xlsx")
    sheet = openpyxl.load_workbook(file)["most_children"]
    assert sheet["A1"].value == "Most children in care in any year"
    assert "Children." in [cell.value for cell in sheet["A"]]


@adds("an effect outside the model")
def test_an_effect_outside_the_model_is_sized(workings, monkeypatch, tables_of):
    """A million pounds a unit, present value: the size that changes the sign is the mean net cost in millions."""
    gifts = StressKind("gifts", "Gifts that nobody planned", "GBP million", 0.0, np.inf)
    slopes, none = stress.stress_slopes, np.zeros(100)
    each = {option: Slopes(none + 1e6, none) for option in workings.accounts if option != "bau"}
    monkeypatch.setattr(stress, "KINDS", (*stress.KINDS, gifts))
    monkeypatch.setattr(stress, "stress_slopes", lambda w: slopes(w) | {gifts.name: each})
    made = tables_of(workings, "stress_tests")
    row = made["stress_tests"].set_index(["stress", "option", "quantity"]).loc[("gifts", LEAD, "npv_sign")]
    assert row["size"] == pytest.approx(-float(workings.arrays.npv.sel(option=LEAD).mean()) / 1e6)
    assert row["label"] == "Gifts that nobody planned"


# --- The page ---------------------------------------------------------------------------------------------


SECTION = """{% from "macros.html.j2" import figure with context %}
<section aria-labelledby="visits">
<h2 id="visits">Who was visited</h2>
{% call figure(figures.stock, "England") %}It rose{% endcall %}
</section>
"""
FIGURE = Figure(
    "stock",
    "Children in care since 2010",
    Data("history", columns(plain={"year": "Year"}, count={"stock": "Children"}), "Stock", rows_with()),
    lambda ax, rows, view: ax.plot(rows["year"], rows["stock"]),
    lambda rows, view: f"Line chart of {len(rows)} years.",
)


@pytest.fixture(scope="module")
def page(fake):
    """The page of a made-up run with a section more, which shows a figure more, and one whose table it lacks."""
    shown = Section("visits", "Who was visited", "models", ("history",))
    absent = Section("calls", "Who was called", "models", ("no_such_table",))
    added = DictLoader({"visits.html.j2": SECTION})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "SECTIONS", (*sections.SECTIONS, shown, absent))
        patch.setattr(sections, "PackageLoader", lambda *where: ChoiceLoader([added, PackageLoader(*where)]))
        patch.setattr(children_figures, "FIGURES", (*children_figures.FIGURES, FIGURE))
        importlib.reload(report)  # it gathers the figures of all files when it is imported
        made = report.render_pages([fake], headline={"results": fake.results}, manifest=MANIFEST)
    importlib.reload(report)
    return Element("root", {}, [read_page(html) for html in made.values()])


@adds("a figure")
def test_a_figure_is_drawn_said_and_has_its_data_below(page):
    (found,) = [one for one in page.find("figure") if one.attributes.get("id") == "fig-stock"]
    assert "Line chart of 15 years." in found.text() and "It rose" in found.text()
    assert len(list(found.find("tr"))) == 16 and list(found.find("svg"))  # a heading and 2010 to 2024


@adds("a section of the report")
def test_a_section_is_on_the_page_and_in_its_contents(page):
    assert [h.text() for h in page.find("h2") if h.attributes.get("id") == "visits"] == ["Who was visited"]
    links = {link.attributes.get("href"): link.text() for link in page.find("a")}
    assert links["#visits"] == "Who was visited" and "#calls" not in links
    assert "no_such_table" in page.text()  # a section left out is said under diagnostics


# --- Slow results and processes -----------------------------------------------------------------------------

ENTRY = """
title = "Visits, counted"
folder = "{folder}"
minutes = 1
makers = ["cba.models.baseline:flow_rates"]
tables = ["england_children.csv"]
refreshed_by = "made_visits:refresh_visits"
"""

SLOW = """
import pandas as pd
from cba.models.slow_results import keep_result

def refresh_visits():
    keep_result("visits", {"visits": pd.DataFrame({"visits": [3]})}, release=2024)
"""


@adds("a choice of the specification curve")
def test_a_choice_of_the_curve_is_tried_alone_and_in_the_fraction(monkeypatch):
    """A choice between two lengths of stay, which needs no fit: alone, in a corner, and in a third of the fraction."""
    long = {"label": "long", "direction": "more", "why": "made up", "values": {"family_help.stay_ratio": 1.5}}
    short = {
        "label": "short",
        "direction": "less",
        "why": "made up",
        "values": {"family_help.stay_ratio": 0.5},
    }
    plan = curve.plan()
    kept = {name: axis for name, axis in plan["axis"].items() if name != "stay"}
    more = {"label": "Stays", "headline": "as fitted", "level": {"long": long, "short": short}}
    curve.levels.cache_clear()
    monkeypatch.setattr(curve, "plan", lambda: {**plan, "axis": {**kept, "stays": more}})
    try:
        settings = curve.specifications()
        assert ("alone", {"stays": "long"}) in settings
        assert all(("stays" in setting) for kind, setting in settings if kind.endswith("favourable"))
        drawn = [setting.get("stays", "") for kind, setting in settings if kind == "fraction"]
        assert {drawn.count(name) for name in ("", "long", "short")} == {len(drawn) // 3}
    finally:
        curve.levels.cache_clear()


@adds("a slow result")
def test_a_slow_result_is_made_and_listed_by_its_name(tmp_path, monkeypatch, capsys):
    (tmp_path / "made_visits.py").write_text(SLOW, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = tomllib.loads(ENTRY.format(folder=(tmp_path / "kept").as_posix()))
    result = slow_results._result("visits", entry)
    others = {name: slow_results.made_from(name) for name in slow_results.SLOW_RESULTS}
    monkeypatch.setitem(slow_results.SLOW_RESULTS, "visits", result)
    assert how_made("visits") == {}
    assert main(["refresh", "visits"]) == 0
    assert "Visits, counted: made from release 2024" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "kept" / "visits.csv")["visits"].tolist() == [3]
    assert how_made("visits")["current"]
    assert main(["refresh", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"]["visits"]["command"] == "cba refresh visits"
    assert {name: slow_results.made_from(name) for name in others} == others


@adds("another growth of business as usual")
def test_another_growth_is_fitted_and_scored_beside_the_others(monkeypatch):
    """A growth that is known to return to half a per cent: fitted with that held, and scored from 2023."""
    half = distribution("Fixed", parameters={"value": 0.005})
    monkeypatch.setattr(
        backtest, "CANDIDATES", {backtest.SHIPPED: {}, "half a per cent": {"growth_mean": half}}
    )
    monkeypatch.setattr(
        backtest, "REFERENCES", {"drift": backtest.REFERENCES["drift"]}
    )  # the others take seconds
    found = backtest.rows_of_origin(backtest.origins().index(2023), draws=400)
    assert {row["forecast"] for row in found["rows"]} == {backtest.SHIPPED, "half a per cent", "drift"}
