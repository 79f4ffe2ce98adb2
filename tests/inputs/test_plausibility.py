"""Plausibility bounds: complete, in order, and every mistake refused by name."""

from __future__ import annotations

import pytest

from cba.errors import InputError
from cba.inputs.files import priors_folder
from cba.inputs.prior_checks import QUANTITIES, load_plausibility
from cba.inputs.priors import load_priors

SHIPPED = (priors_folder() / "checks" / "plausibility.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "old, new, field, problem, remedy",
    [
        (
            "[fewer_children]",
            "[fewer_chidren]",
            "fewer_chidren",
            "unknown output",
            "did you mean fewer_children?",
        ),
        ("upper = 1.56", "upper = 0.4", "children_in_care.lower", "not below the upper", "correct one"),
        ("upper = 1.56", 'upper = "1.56"', "children_in_care.upper", "number", "correct the value"),
        (
            'confidence = "red"',
            'confidence = "rosy"',
            "system_cost.confidence",
            "allowed words",
            "allowed words",
        ),
        ("lower = 0.6\n", "", "system_cost.lower", "required field is missing", "`lower`"),
    ],
)
def test_a_mistake_is_refused_by_file_field_problem_and_remedy(tmp_path, old, new, field, problem, remedy):
    assert old in SHIPPED
    file = tmp_path / "plausibility.toml"
    file.write_text(SHIPPED.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_plausibility(file)
    found = caught.value.details
    assert found["file"] == str(file) and found["field"] == field
    assert problem in caught.value.problem and remedy in found["next step"]


def test_an_output_without_bounds_is_refused(tmp_path):
    file = tmp_path / "plausibility.toml"
    file.write_text(SHIPPED.split("[annual_saving]")[0], encoding="utf-8")
    with pytest.raises(InputError, match="no bounds"):
        load_plausibility(file)


def test_shipped_bounds_are_complete_and_no_prior():
    bounds = load_plausibility()
    assert tuple(bounds) == QUANTITIES and all(b.lower < b.upper and b.source for b in bounds.values())
    assert not set(bounds) & {name.split(".")[0] for name in load_priors()}
