"""Who bears and who gains: shares are whole, an unweighted pound is a pound, and ratios follow the rule on draws."""

from __future__ import annotations

import numpy as np
import pytest

from cba.tables.society import (
    distributional_sensitivity,
    income_weights,
    mvpf_table,
    need_shares,
    perspectives_table,
    social_lines,
    tax_shares,
    who_bears,
)


@pytest.fixture(scope="module")
def table(workings):
    return distributional_sensitivity(workings)


def test_taxes_are_shared_as_published(workings):
    """ONS, 2017-18: direct and indirect taxes of each fifth, over their sum."""
    paid = np.array([1969 + 3677, 3452 + 4420, 5991 + 5386, 9465 + 6801, 21171 + 9935])
    np.testing.assert_allclose(tax_shares(workings)[0], paid / paid.sum(), rtol=1e-12)


def test_need_is_greatest_where_income_is_least(workings):
    shares = need_shares(workings)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (np.diff(shares, axis=1) < 0).all()
    assert 0.35 < shares[:, 0].mean() < 0.55


def test_the_middle_fifth_has_weight_one(workings):
    weights = income_weights(workings)
    np.testing.assert_allclose(weights[:, 2], 1.0)
    np.testing.assert_allclose(weights[:, 0], (32_400 / 14_700) ** 1.3, rtol=1e-9)


def test_unweighted_is_the_social_perspective(workings, table):
    social = perspectives_table(workings).set_index(["option", "perspective"])["mean"]
    plain = table[table["elasticity"] == 0.0].set_index(["option", "measure"])["mean"]
    for (option, measure), value in plain.items():
        name = "social" if measure == "none" else f"social_{measure}"
        assert value == pytest.approx(social[option, name], rel=1e-9, abs=1.0)


def test_the_green_books_elasticity_and_the_tested_ones_are_there(table):
    assert sorted(table["elasticity"].unique()) == [0.0, 1.0, 1.3, 1.6]


def test_a_transfer_from_taxpayers_to_families_gains_by_its_weights(workings, table):
    """Worked again, pound by pound, from the lines of the account."""
    lines = social_lines(workings, "kinship_only")
    families = sum(g.amount for g in lines if g.payer == "families")
    public = sum(g.amount for g in lines if g.payer != "families")
    weights = income_weights(workings, 1.3)
    worth = sum(
        weights[:, k] * (public * tax_shares(workings)[:, k] + families * need_shares(workings)[:, k])
        for k in range(5)
    )
    row = table.query("option == 'kinship_only' and measure == 'none' and elasticity == 1.3").iloc[0]
    assert row["mean"] == pytest.approx(worth.mean(), rel=1e-9)
    assert row["lower"] == pytest.approx(np.quantile(worth, 0.05), rel=1e-9)


def test_fifths_add_up_to_the_social_total(workings):
    rows = who_bears(workings, "care_review", "wellby")
    social = perspectives_table(workings).set_index(["option", "perspective"])["mean"]
    assert rows["net_mean"].sum() == pytest.approx(social["care_review", "social_wellby"], rel=1e-9)
    assert rows["fifth"].tolist() == [1, 2, 3, 4, 5]


def test_mvpf_is_a_ratio_of_means_and_self_financing_a_share_of_draws(workings):
    table = mvpf_table(workings).set_index(["option", "measure"])
    lines = social_lines(workings, "kinship_only")
    cost = -sum(g.amount for g in lines if g.payer != "families")
    gain = sum(g.amount for g in lines if g.payer == "families")
    row = table.loc[("kinship_only", "none")]
    assert row["prob_self_financing"] == (cost <= 0).mean()
    assert row["mvpf"] == pytest.approx(gain.mean() / cost.mean())
    assert abs(row["mvpf"] - (gain / cost).mean()) > 1e-3, "the mean of ratios is another number"


def test_an_option_that_pays_for_itself_has_no_negative_ratio(workings):
    table = mvpf_table(workings)
    free = table[table["net_cost"] <= 0]
    assert len(free) and not (free["mvpf"] < 0).any()
    assert (table.loc[table["willingness_to_pay"] > 0, "mvpf"] > 0).all()
