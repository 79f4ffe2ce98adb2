"""Every field of an option, changed alone, moves a result, or is declared to be for the record only."""

from __future__ import annotations

import numpy as np
import pytest

from cba.costs.account import total_cost, total_saving
from cba.costs.option_account import option_account
from cba.inputs.options import Effects, Option, Recurrent, Spend, WrittenEffect
from tests.appraisal.made_workings import made_workings, option

RECORD_ONLY = {
    "schema_version": "form of the file",
    "id": "name",
    "label": "printed",
    "description": "printed",
    "base": "what it was built on: resolved before it is used",
    "components": "filter on the base: resolved before it is used",
    "frames": "which analyses may list it",
    "unmonetised": "printed",
    "spend.note": "printed",
    "spend.source": "printed",
    "recurrent.source": "printed",
}
"""Fields that move no number, and why."""


def spend(**changes):
    """The review's lines with one field of the family help line changed."""
    first, *others = option("care_review").spend
    return {"spend": (first.model_copy(update=changes), *others)}


def recurrent(**changes):
    return {"recurrent": option("care_review").recurrent.model_copy(update=changes)}


def effects(**changes):
    return {"effects": option("care_review").effects.model_copy(update=changes)}


OWN = {
    "component": "workforce",
    "kind": "exits",
    "ratio": "family_help.stay_ratio",
    "cost_per_child": "family_help.cost_per_child",
    "confidence": "red",
    "source": "own judgement",
}
"""An effect of an option's own whose numbers are inputs of the appraisal."""

CHANGES = {
    "timing": {
        "timing": "calendar",
        "spend": tuple(
            line.model_copy(update={"gbp_million": {k + 2027: v for k, v in line.gbp_million.items()}})
            for line in option("care_review").spend
        ),
    },
    "delay_years": {"delay_years": 1},
    "financing": {"financing": "reinvest"},
    "areas": {"areas": ("301", "815")},
    "spend": {"spend": option("care_review").spend[:-1]},
    "recurrent": {"recurrent": None, "financing": "fade"},
    "effects": {"effects": Effects()},
    "spend.component": spend(component="workforce"),
    "spend.payer": spend(payer="council"),
    "spend.price_year": spend(price_year=2023),
    "spend.additional": spend(additional=False),
    "spend.gbp_million": spend(gbp_million={0: 36.46, 1: 782.4, 2: 996.43, 3: 184.8}),
    "effect": {"effect": (WrittenEffect(table=OWN),)},
    "recurrent.component": recurrent(component="workforce"),
    "recurrent.payer": recurrent(payer="dfe"),
    "recurrent.gbp_million": recurrent(gbp_million=1001.0),
    "recurrent.first_offset": recurrent(first_offset=5),
    "recurrent.price_year": recurrent(price_year=2023),
    "effects.foster_carers_target": effects(foster_carers_target=100.0),
    "effects.allowance_scope": effects(allowance_scope="sgo_from_care"),
    "effects.family_network": effects(family_network=False),
    "effects.price_reform": effects(price_reform=True),
}


def numbers(account) -> np.ndarray:
    """Children and every line by who pays, in one array."""
    children = account.children.fewer_by_placement + account.children.moved
    lines = [(line.component, line.payer, line.amount) for line in (*account.costs, *account.savings)]
    payers = [sum((a for _, p, a in lines if p == payer), 0.0 * account.recurrent) for payer in PAYERS]
    return np.concatenate([children.ravel(), *(p.ravel() for p in payers)])


PAYERS = ("council", "dfe", "nhs", "justice", "dwp_hmrc")


@pytest.fixture(scope="module")
def base():
    return made_workings("latest", 16, 12)


def test_every_field_is_moved_or_declared():
    """A new field must say what it does."""
    fields = set(Option.model_fields)
    for name, record in (("spend", Spend), ("recurrent", Recurrent), ("effects", Effects)):
        fields |= {f"{name}.{field}" for field in record.model_fields}
    assert fields == set(CHANGES) | set(RECORD_ONLY)
    assert not set(CHANGES) & set(RECORD_ONLY)


@pytest.mark.parametrize("field", CHANGES)
def test_changing_one_field_moves_a_number(base, field):
    changed = option("care_review", **CHANGES[field])
    found = numbers(option_account(changed, base.system, base.basis))
    assert not np.array_equal(found, numbers(base.accounts["care_review"])), f"{field} does nothing"


@pytest.mark.parametrize("field", [f for f in RECORD_ONLY if "." not in f and f != "schema_version"])
def test_a_field_for_the_record_moves_nothing(base, field):
    other = {"id": "x", "label": "x", "description": "x", "base": "bau", "components": ("family_help",)}
    other |= {"frames": ("latest",), "unmonetised": ()}
    changed = option("care_review", **{field: other[field]})
    found = numbers(option_account(changed, base.system, base.basis))
    np.testing.assert_array_equal(found, numbers(base.accounts["care_review"]))


@pytest.mark.parametrize("component", ["workforce", "other", "regional_care"])
@pytest.mark.parametrize("more", [1.1, 3.0])
def test_more_money_for_what_has_no_effect_costs_and_saves_nothing(base, component, more):
    lines = tuple(
        line.model_copy(update={"gbp_million": {k: v * more for k, v in line.gbp_million.items()}})
        if line.component == component
        else line
        for line in option("care_review").spend
    )
    dearer = option_account(option("care_review", spend=lines), base.system, base.basis)
    usual = base.accounts["care_review"]
    np.testing.assert_array_equal(total_saving(dearer), total_saving(usual))
    rise = total_cost(dearer) - total_cost(usual)
    assert (rise >= 0).all() and (rise.sum(axis=1) > 0).all()
