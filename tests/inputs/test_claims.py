"""The review's claims: read from one file with papers, the published figures, and typed in no other place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cba
from cba.errors import InputError
from cba.inputs.evidence import load_claims, refuse_unpublished
from cba.inputs.files import priors_folder, reading_from
from cba.inputs.priors import load_priors
from cba.runs.fingerprints import input_fingerprints

FILE = priors_folder() / "checks" / "claims.toml"
SHIPPED = FILE.read_text(encoding="utf-8")


def written(tmp_path, old, new):
    assert old in SHIPPED
    file = tmp_path / "claims.toml"
    file.write_text(SHIPPED.replace(old, new, 1), encoding="utf-8")
    return file


def test_the_claims_are_those_of_the_review():
    claims = load_claims()
    said = {name: str(claim) for name, claim in claims.each.items()}
    assert said == {
        "children_without_reform": "100,000",
        "system_cost": "£15bn",
        "fewer_children": "30,000",
        "family_help_children": "17,000",
        "annual_saving": "£1bn",
        "family_help_saving": "£517m",
    }
    assert claims.prices == "2021-22" and claims.programme == "care_review"
    assert all(claim.page and claim.source[0].url for claim in claims.each.values())


def test_each_claim_is_its_published_figure(tmp_path):
    refuse_unpublished(load_claims())
    for old, new in (("30_000", "30_001"), ("review_family_help_saving", "review_of_nothing")):
        with pytest.raises(InputError, match="not the published figure"):
            refuse_unpublished(load_claims(written(tmp_path, old, new)))


@pytest.mark.parametrize(
    "old, new, field, problem",
    [
        ("value = 30_000", "value = 0", "fewer_children.value", "too low"),
        ("value = 30_000", "value = 30000.5", "fewer_children.value", "integer"),
        ("[system_cost]", "[systems_cost]", "system_cost", "required field is missing"),
        ('page = "executive summary"\n', "", "children_without_reform.page", "required field is missing"),
    ],
)
def test_a_mistake_is_refused_by_its_field(tmp_path, old, new, field, problem):
    with pytest.raises(InputError) as caught:
        load_claims(written(tmp_path, old, new))
    assert caught.value.details["field"] == field and problem in caught.value.problem


def test_claims_are_fingerprinted_and_are_no_priors(tmp_path):
    assert "priors/checks/claims.toml" in input_fingerprints()
    assert not set(load_claims().each) & {name.split(".")[0] for name in load_priors()}
    with reading_from(priors=tmp_path):  # inputs kept with a run of before the claims were a file
        assert load_claims() == load_claims(FILE)


def test_no_code_types_the_review():
    """Neither its programme nor its figures: examples of public names and keys of headline.json apart."""
    figures = re.compile(r"care_review|\b(30_000|17_000|100_000|517e6|15e9)\b|30,000|17,000|£(1bn|15bn|517m)")
    allowed = {"reporting/html_tables.py"}  # the size of a link
    found = [
        f"{file.name}:{number}: {line.strip()}"
        for file in Path(cba.__file__).parent.rglob("*.py")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if figures.search(line) and file.relative_to(Path(cba.__file__).parent).as_posix() not in allowed
    ]
    assert found == []
