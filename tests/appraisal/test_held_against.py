"""Expectations from outside: data, each held against the model's own result at the settings it speaks of."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.inputs.evidence import load_claims
from cba.inputs.files import priors_folder, reading_from
from cba.tables.attribution import held_against
from cba.tables.beliefs import what_it_would_take
from tests.appraisal.made_workings import made_workings


@pytest.fixture(scope="module")
def workings():
    return made_workings("latest", 200, 12)


@pytest.fixture(scope="module")
def table(workings):
    return held_against(workings)


def test_the_fall_in_starts_is_that_of_what_it_would_take(workings, table):
    needed = what_it_would_take(workings).set_index("target_children")
    for place, target in ((0, 17_000), (1, 30_000)):
        row = table.iloc[place]
        assert row["ours_lower"] == pytest.approx(needed.loc[target, "cut_lower"])
        assert row["ours_upper"] == pytest.approx(needed.loc[target, "cut_upper"])
        assert row["inside"] == (row["outside_lower"] <= row["ours_mean"] <= row["outside_upper"])


def test_full_coverage_is_the_plain_product_of_starts_reach_fall_in_risk_and_stay(workings, table):
    """Second route: loops over years of start and ages on plain numbers, with 0.6 and 0.93 as the row says."""
    system, target = workings.system, workings.target
    first = workings.years.index(workings.inputs.analysis.start_year)
    fewer = np.zeros(len(system.reach))
    for year in range(first, target + 1):
        for age in range(5):
            left = system.averted_kernel[:, age, :, target - year].sum(axis=-1)
            fewer += system.ground.starts[:, year, age] * 0.6 * (1.0 - 0.93) * left
    row = table.iloc[2]
    assert (row["outside_lower"], row["outside_upper"]) == (1900.0, 3100.0)
    assert row["ours_mean"] == pytest.approx(fewer.mean(), rel=1e-9)
    assert row["ours_upper"] == pytest.approx(np.quantile(fewer, 0.95), rel=1e-9)


def test_the_reviews_own_figures_stand_beside_family_help_alone(workings, table):
    claims, only = load_claims(), workings.accounts["family_help_only"]
    children, saving = table.iloc[3], table.iloc[4]
    assert children["outside_lower"] == children["outside_upper"] == claims.family_help_children.value
    assert children["ours_mean"] == pytest.approx(only.children.fewer[:, workings.target].mean())
    saved = sum(line.amount for line in only.savings)[:, workings.target] / workings.pound_of(
        claims.price_year
    )
    assert saving["outside_lower"] == claims.family_help_saving.value
    assert saving["ours_mean"] == pytest.approx(saved.mean())
    for row in (children, saving):
        assert row["inside"] == (row["ours_lower"] <= row["outside_lower"] <= row["ours_upper"])


@pytest.mark.parametrize(
    ("lower", "upper", "inside"), [(0.0, 1e4, True), (5e4, 6e4, False), (-6e4, -5e4, False)]
)
def test_our_mean_is_inside_a_range_or_it_is_not(workings, lower, upper, inside):
    claims = workings.inputs.claims
    changed = claims.expectation[2].model_copy(update={"lower": lower or 1e-9, "upper": upper})
    inputs = dataclasses.replace(
        workings.inputs, claims=claims.model_copy(update={"expectation": (changed,)})
    )
    assert held_against(dataclasses.replace(workings, inputs=inputs))["inside"].tolist() == [inside]


def test_each_expectation_has_its_words_and_source_and_old_inputs_have_none(table, tmp_path):
    assert len(table) == len(load_claims().expectation) == 5
    assert table["explanation"].str.len().min() > 40 and (table["source"] != "").all()
    old = tmp_path / "checks"
    old.mkdir()
    shipped = (priors_folder() / "checks" / "claims.toml").read_text(encoding="utf-8")
    (old / "claims.toml").write_text(shipped.split("[[expectation]]")[0], encoding="utf-8")
    with reading_from(priors=tmp_path):
        assert load_claims().expectation == ()
