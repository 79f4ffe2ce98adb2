"""Every field a person types has a smallest and a largest value, a year that can be, a text that can be read."""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path

import pytest

from cba.errors import InputError
from cba.inputs.analyses import MOST_MEMORY_GB, Analysis, load_analysis, memory_needed, stored_analysis
from cba.inputs.evidence import load_evidence
from cba.inputs.files import same_name
from cba.inputs.options import load_options
from cba.inputs.prior_checks import load_plausibility
from cba.inputs.priors import load_priors
from cba.inputs.tables import PUBLISHED

HERE = Path(__file__).parent
OPTIONS = HERE / "valid_options"
UNSEEN = ("\u200b", "   ", "a\u202eb", "")


def toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, str):
        return '"' + "".join(c if " " <= c <= "~" else f"\\u{ord(c):04x}" for c in value) + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def written(file: Path, content: dict[str, object]) -> Path:
    """A file whose dates are written as `day:2026-01-01`."""
    lines = [f"{toml(key)} = {toml(value)}" for key, value in content.items()]
    text = "\n".join(lines).replace('"day:', "\x00")
    file.write_text(
        "".join(part.replace('"', "", 1) if at else part for at, part in enumerate(text.split("\x00")))
    )
    return file


# --- analyses ---


def analysis_with(tmp_path: Path, **changes: object) -> Analysis:
    content = tomllib.loads((HERE / "valid_analyses" / "small.toml").read_text(encoding="utf-8"))
    name = str(changes.get("name", "small"))
    return load_analysis(written(tmp_path / f"{name}.toml", content | changes), options_path=OPTIONS)


SOURCE = {
    "name": "s",
    "kind": "hmt_deflator",
    "base_url": "https://example.org",
    "data_set": "x",
    "source": "S08",
}
REFUSED_ANALYSES: list[tuple[str, dict[str, object]]] = [
    *((field, {field: text}) for field in ("title", "analyst", "commissioner") for text in UNSEEN),
    ("title", {"title": "x" * 301}),
    ("name", {"name": "failed"}),
    ("name", {"name": "published"}),
    ("name", {"name": "a" * 61}),
    ("own_options", {"own_options": [{"id": "x"}]}),
    ("long", {"long": "small.toml"}),
    ("draws", {"draws": 1_000_000_000_000}),
    ("tune", {"tune": 1_000_000_000}),
    ("seed", {"seed": 2**40}),
    ("release", {"release": 3000}),
    ("review_by", {"review_by": "day:1900-01-01"}),
    ("review_by", {"review_by": "day:2023-12-31"}),
    ("review_by", {"review_by": "day:9999-12-31"}),
    ("assurer", {"analyst": "A. Person", "assurer": "A. Person"}),
    ("assurer", {"analyst": "A. Person", "assurer": "a person"}),
    ("approver", {"analyst": "A. Person", "approver": "\uff21. Person"}),
    ("hold.npv_fiscal", {"hold": {"npv_fiscal": 1e300}}),
    ("hold.npv_fiscal", {"hold": {"npv_fiscal": -1.0}}),
    ("hold.prob", {"hold": {"prob": 5.0}}),
    ("gates.rhat", {"gates": {"rhat": 1.5}}),
    ("gates.ess", {"gates": {"ess": 1}}),
    ("gates.bfmi", {"gates": {"bfmi": 0.0}}),
    ("gates.divergences", {"gates": {"divergences": 100_000}}),
    ("precision.most_draws", {"precision": {"npv": 1e9, "probability": 0.4, "most_draws": 1}}),
    ("precision.most_draws", {"precision": {"npv": 1e9, "probability": 0.4, "most_draws": 10**12}}),
    ("precision.npv", {"precision": {"npv": 1e300, "probability": 0.4, "most_draws": 400}}),
    ("options", {"options": ["bau", "programme", *(f"o{i}" for i in range(100))]}),
    *((f"data.sources.0.{field}", {"data": {"sources": [SOURCE | {field: "a\u200b"}]}}) for field in SOURCE),
    *(
        (f"data.sources.0.{field}", {"data": {"sources": [SOURCE | {field: " "}]}})
        for field in ("name", "title")
    ),
    ("data.store", {"data": {"store": "a\u0000b"}}),
    ("data.sources.0.base_url", {"data": {"sources": [SOURCE | {"base_url": "javascript:alert(1)"}]}}),
]


@pytest.mark.parametrize(("field", "changes"), REFUSED_ANALYSES)
def test_an_analysis_states_what_can_be(field, changes, tmp_path):
    with pytest.raises(InputError) as refused:
        analysis_with(tmp_path, **changes)
    said = refused.value.details
    assert (
        said["field"] == field
        and said["file"]
        and said["allowed"]
        and said["usual cause"]
        and said["next step"]
    )


def test_draws_are_bounded_by_the_memory_they_need_and_the_bound_is_stated(tmp_path):
    analysis = analysis_with(tmp_path)
    with pytest.raises(InputError) as refused:
        analysis_with(tmp_path, draws=4 * 10**9)
    most = int(refused.value.details["allowed"].split(" ")[2].replace(",", ""))
    assert memory_needed(analysis, most) <= MOST_MEMORY_GB < memory_needed(analysis, most + 2)
    assert (
        f"{MOST_MEMORY_GB} GB" in refused.value.problem and "GB of memory" in refused.value.details["found"]
    )
    assert memory_needed(load_analysis("latest"), 4_000) < 8  # the shipped analysis fits an ordinary machine


def test_two_people_are_two_names_to_a_reader(tmp_path):
    assert analysis_with(tmp_path, analyst="A. Person", assurer="B. Person", approver="B. Person").assurer
    assert same_name("Zoë  Núñez", "zoe\u0308 nu\u0301n\u0303ez") and not same_name(None, None)


def test_settings_of_a_run_stored_before_the_field_long_was_removed_are_read(tmp_path):
    settings = analysis_with(tmp_path).model_dump(mode="json", by_alias=True)
    assert stored_analysis(settings | {"long": None}, file="x").name == "small"
    with pytest.raises(InputError):
        stored_analysis(settings | {"long": "a.csv"}, file="x")


# --- options ---

SPEND = {"component": "family_help", "payer": "dfe", "price_year": 2022, "source": "made up"}
OPTION = {
    "schema": 1,
    "id": "mine",
    "label": "Mine",
    "description": "Made up",
    "timing": "shift",
    "financing": "fade",
    "frames": ["latest"],
}


def lines(*amounts: float) -> list[dict[str, object]]:
    return [SPEND | {"gbp_million": {"0": amount}} for amount in amounts]


REFUSED_OPTIONS: list[tuple[str, dict[str, object]]] = [
    *((field, {field: text}) for field in ("label", "description") for text in UNSEEN),
    ("base", {"base": ["bau"]}),
    ("base", {"base": {"name": "bau"}}),
    ("base", {"base": 1}),
    ("areas.0", {"areas": ["999"]}),
    ("areas.1", {"areas": ["202", "999"]}),
    ("spend.0.gbp_million.0", {"spend": lines(1e300)}),
    ("spend.0.gbp_million.0", {"spend": lines(20_001)}),
    ("spend", {"spend": lines(15_000, 15_000)}),
    ("spend.0.note", {"spend": [SPEND | {"gbp_million": {"0": 1}, "note": "a\u200b"}]}),
    (
        "recurrent.gbp_million",
        {"financing": "new_recurrent", "recurrent": SPEND | {"gbp_million": 1e9, "first_offset": 1}},
    ),
    ("effects.foster_carers_target", {"effects": {"foster_carers_target": 1e9}}),
    ("unmonetised.0", {"unmonetised": ["\u200b"]}),
]


@pytest.mark.parametrize(("field", "changes"), REFUSED_OPTIONS)
def test_an_option_states_what_can_be(field, changes, tmp_path):
    file = written(tmp_path / "mine.toml", OPTION | {"spend": lines(10.0)} | changes)
    with pytest.raises(InputError) as refused:
        load_options(None, file)
    said = refused.value.details
    assert said["field"] == field and said["file"] == str(file) and said["allowed"] and said["next step"]


def test_an_area_must_stand_in_the_year_of_the_release(tmp_path):
    """Cumbria was abolished in 2023: it stands in the tables, and not in release 2024."""
    written(tmp_path / "mine.toml", OPTION | {"spend": lines(10.0), "areas": ["909"]})
    assert load_options(None, tmp_path / "mine.toml")
    with pytest.raises(InputError) as refused:
        analysis_with(tmp_path, options=["bau", "mine.toml"])
    assert refused.value.details["found"] == "909" and "2024" in refused.value.problem


# --- priors and bounds ---

PRIOR = {
    "description": "made up",
    "distribution": "Normal",
    "quantiles": {"0.05": 1.0, "0.95": 10.0},
    "unit": "years",
    "basis": "judgement",
    "confidence": "red",
    "owner": "analysis",
    "reviewed": "day:2026-11-21",
    "source": [{"title": "judgement: made up", "url": ""}],
}
REFUSED_PRIORS: list[tuple[str, dict[str, object]]] = [
    *((field, {field: text}) for field in ("description", "owner", "unit") for text in UNSEEN),
    ("reviewed", {"reviewed": "day:9999-12-31"}),
    ("reviewed", {"reviewed": "day:1900-01-01"}),
    ("quantiles.0.95", {"quantiles": {"0.05": 1.0, "0.95": 1e300}}),
    ("params.sigma", {"params": {"mu": 0.0, "sigma": 1e300}}),
    ("upper", {"upper": 1e300}),
    *(
        ("source.0", {"source": [{"title": "t", "url": url}]})
        for url in ("javascript:alert(1)", "https://", "http:// x")
    ),
    ("price_year", {"unit": "GBP", "price_year": 3000}),
]


@pytest.mark.parametrize(("field", "changes"), REFUSED_PRIORS)
def test_a_prior_states_what_can_be(field, changes, tmp_path):
    content = {"a": {"b": PRIOR | changes}}
    with pytest.raises(InputError) as refused:
        load_priors(written(tmp_path / "a.toml", content))
    said = refused.value.details
    assert said["field"].startswith(f"a.b.{field}") and said["allowed"] and said["next step"]
    bounds = {key: value for key, value in PRIOR.items() if key not in ("distribution", "quantiles")}
    if field in ("reviewed", "description", "owner"):
        every = {
            name: bounds | {"lower": 0.0, "upper": 1.0} | changes
            for name in ("children_in_care", "system_cost")
        }
        every |= {name: every["system_cost"] for name in ("fewer_children", "annual_saving")}
        with pytest.raises(InputError):
            load_plausibility(written(tmp_path / "plausibility.toml", every))


# --- evidence and sources ---


def changed_table(tmp_path: Path, name: str, column: str, value: str) -> Path:
    for table in ("evidence_effects", "evidence_costs", "published_claims", "sources"):
        rows = list(csv.reader((PUBLISHED / f"{table}.csv").open(encoding="utf-8")))
        if table == name:
            rows[1][rows[0].index(column)] = value
        with (tmp_path / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    return tmp_path


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("evidence_effects", "year", "3000"),
        ("evidence_effects", "known_by", "9999"),
        ("evidence_effects", "url", "javascript:alert(1)"),
        ("evidence_effects", "outcome", "a\u200bb"),
        ("evidence_effects", "note", "   "),
        ("evidence_effects", "note", "a\x1b[31m"),
        ("evidence_effects", "n_treat", "1e300"),
        ("evidence_effects", "follow_up_months", "1e6"),
        ("evidence_costs", "year", "3000"),
        ("evidence_costs", "value", "1e300"),
        ("evidence_costs", "url", "ftp://x"),
        ("evidence_costs", "item", "\u202e"),
        ("published_claims", "known_by", "3000"),
        ("published_claims", "url", "javascript:alert(1)"),
        ("published_claims", "value", "1e300"),
    ],
)
def test_evidence_states_what_can_be(table, column, value, tmp_path):
    with pytest.raises(InputError) as refused:
        load_evidence(changed_table(tmp_path, table, column, value))
    said = refused.value.details
    assert (
        said["file"] == str(tmp_path / f"{table}.csv")
        and column in said["field"]
        and "row 2" in said["field"]
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ann Lee", "\u0410nn Lee", True),  # a Cyrillic letter among Latin ones
        ("Bea", "\u0412\u0435\u0430", True),  # all Cyrillic
        ("Nova", "\u039d\u03bfva", True),  # Greek
        ("Bill Illy", "Bi11 I|ly", True),
        ("Bernard", "Bemard", True),
        ("O'Brien", "O\u02bcBrien", True),
        ("Agnes", "A\u0261nes", True),  # a sign of phonetics
        ("\uff21nn", "Ann", True),
        ("Ann", "--", True),
        ("Ann", "Anne", False),
        ("Zoe", "Zo\u00eb", False),
        ("Jo\u00e3o", "Jos\u00e9", False),
        ("\u0418\u0432\u0430\u043d", "\u041f\u0451\u0442\u0440", False),
        ("Ann", None, False),
    ],
)
def test_names_that_a_reader_may_take_for_one_are_one(one, other, same):
    assert same_name(one, other) is same and same_name(other, one) is same
