"""The map is the account in two numbers: every draw lies where its net present value says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cba.appraisal.quantities import discounted
from cba.costs.account import total_cost
from cba.errors import InputError
from cba.tables.attribution import CUTS, REFERENCE_RATIO, VALUES, break_even_map, map_draws, region_edge
from tests.appraisal.made_workings import changed, made_draws, made_inputs, worked

LEAD = "care_review"


@pytest.fixture(scope="module")
def drawn(workings):
    return map_draws(workings, LEAD)


@pytest.fixture(scope="module")
def table(workings):
    return break_even_map(workings, LEAD)


def test_a_draw_on_the_map_has_its_own_net_present_value(workings, drawn):
    npv = workings.arrays.npv.sel(option=LEAD).values
    np.testing.assert_allclose(drawn.npv, npv, rtol=1e-9, atol=1.0)


def test_for_family_help_alone_what_is_left_is_its_cost(workings):
    """Second method: no residual, the cost lines themselves, less support of children at home, paid out of savings."""
    left = map_draws(workings, "family_help_only").cost
    account = workings.accounts["family_help_only"]
    paid = discounted(workings, total_cost(account))
    assert np.abs(left / paid - 1.0).max() < 0.2  # fixed money: what differs by draw is support at home
    assert left.mean() == pytest.approx(paid.mean(), rel=0.03)


def test_value_and_child_years_do_not_depend_on_the_effect(workings, drawn, monkeypatch):
    monkeypatch.setattr("cba.tables.attribution.REFERENCE_RATIO", REFERENCE_RATIO + 0.06)
    other = map_draws(workings, LEAD)
    np.testing.assert_allclose(other.value, drawn.value, rtol=1e-9)
    np.testing.assert_allclose(other.child_years, drawn.child_years, rtol=1e-9)


def test_on_the_curve_the_mean_is_zero_and_beside_it_has_the_right_sign(table, drawn):
    curve = table[table["kind"] == "contour"]
    scale = float(drawn.cost.mean())
    assert len(curve) > 20 and np.abs(curve["npv"]).max() < 1e-9 * scale
    for row in curve.itertuples():
        above = row.cut * 1.01 * row.value * drawn.child_years - drawn.cost
        assert above.mean() > 0.0


def test_the_grid_is_bilinear_in_cut_and_value(table, drawn):
    grid = table[table["kind"] == "grid"].pivot(index="cut", columns="value", values="npv")
    assert grid.shape == (CUTS.size, VALUES.size)
    by_hand = np.outer(CUTS, VALUES) * drawn.child_years.mean() - drawn.cost.mean()
    np.testing.assert_allclose(grid.to_numpy(), by_hand, rtol=1e-9)


def test_the_chance_of_saving_grows_with_both(table):
    chance = table[table["kind"] == "grid"].pivot(index="cut", columns="value", values="prob_positive")
    assert (chance.diff(axis=0).iloc[1:] >= 0).all(axis=None)
    assert (chance.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)


def test_the_region_holds_its_level_of_the_draws():
    """Counted by a ray test of the polygon, on the scale the ellipse lives on."""
    from matplotlib.path import Path

    rng = np.random.default_rng(2)
    cut = rng.gamma(4.0, 0.02, 5000) - 0.02
    value = np.exp(10 + 0.2 * rng.standard_t(5, 5000) + 2 * cut)
    for level in (0.5, 0.9):
        edge = region_edge(cut, value, level=level, points=721)
        ring = Path(np.stack([edge[:, 0], np.log(edge[:, 1])], axis=1))
        inside = ring.contains_points(np.stack([cut, np.log(value)], axis=1))
        assert inside.mean() == pytest.approx(level, abs=0.003)
        np.testing.assert_allclose(edge[0], edge[-1])


def test_claims_lie_at_their_cut_and_their_money(workings, table):
    claims = table[table["kind"] == "claim"].set_index("name")
    factor = float((workings.basis.index.index(2024) / workings.basis.index.index(2022)).mean())
    assert claims.loc["family_help", "value"] == pytest.approx(517e6 / 17_000 * factor)
    assert claims.loc["in_all", "value"] == pytest.approx(1e9 / 30_000 * factor)
    assert claims.loc["in_all", "cut"] / claims.loc["family_help", "cut"] == pytest.approx(30 / 17)
    assert 0.2 < claims.loc["family_help", "cut"] < 0.4


def test_the_stance_lies_at_the_median_of_its_draws(table, drawn):
    point = table[table["kind"] == "point"].iloc[0]
    assert point["name"] == "evidence"
    assert point["cut"] == np.median(drawn.cut) and point["value"] == np.median(drawn.value)


def test_a_dearer_placement_moves_draws_up_and_not_sideways():
    inputs = made_inputs()
    few = dataclasses.replace(inputs, options=tuple(o for o in inputs.options if o.id in ("bau", LEAD)))
    draws = made_draws()
    plain = map_draws(worked(few, draws), LEAD)
    dear = map_draws(worked(few, changed(draws, avoidable__foster=1.1, avoidable__childrens_home=1.1)), LEAD)
    assert (dear.value > plain.value).all()
    np.testing.assert_allclose(dear.cut, plain.cut, rtol=1e-12)


@pytest.mark.parametrize("option", ["kinship_only", "foster_only", "placement_reform"])
def test_an_option_without_family_help_has_no_map(workings, option):
    with pytest.raises(InputError, match="there is no cut in starts to map") as caught:
        map_draws(workings, option)
    assert f"found: {option}" in str(caught.value) and "lasting family help" in str(caught.value)
