"""Weights are the ratio of marginal utilities; shares of a falling series are geometric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cba.costs.social_value import falling_shares, weighted_worth, welfare_weights
from cba.errors import InputError

INCOME = st.floats(1e3, 1e6)


@given(INCOME, INCOME, st.floats(0.1, 2.0))
def test_a_weight_is_the_ratio_of_marginal_utilities(income, reference, elasticity):
    """u(y) = y^(1 - e) / (1 - e): its slope by finite differences, at the income over at the reference."""

    def slope(y):
        step = 1e-5 * y

        def utility(x):
            return np.log(x) if abs(elasticity - 1) < 1e-3 else x ** (1 - elasticity) / (1 - elasticity)

        return (utility(y + step) - utility(y - step)) / (2 * step)

    if abs(elasticity - 1) < 1e-3:
        elasticity = 1.0
    weight = welfare_weights(np.array([income]), reference=np.array(reference), elasticity=elasticity)[0]
    assert weight == pytest.approx(slope(income) / slope(reference), rel=1e-4)


def test_without_aversion_to_inequality_every_pound_is_a_pound():
    weights = welfare_weights(np.array([1.0, 50.0]), reference=np.array(3.0), elasticity=0.0)
    assert weights.tolist() == [1.0, 1.0]


def test_elasticities_differ_by_draw():
    weights = welfare_weights(
        np.array([[2.0, 1.0], [2.0, 1.0]]), reference=np.array([2.0, 2.0]), elasticity=np.array([1.0, 2.0])
    )
    np.testing.assert_allclose(weights, [[1.0, 2.0], [1.0, 4.0]])


def test_falling_shares_are_geometric_and_whole():
    shares = falling_shares(np.array([0.5, 1.0]))
    np.testing.assert_allclose(shares[0], np.array([16, 8, 4, 2, 1]) / 31)
    np.testing.assert_allclose(shares[1], 0.2)


def test_worth_is_the_sum_over_groups():
    rng = np.random.default_rng(3)
    amount, weights = rng.normal(size=7), rng.uniform(0.3, 3.0, (7, 5))
    shares = rng.dirichlet(np.ones(5), 7)
    by_hand = [
        sum(a * s * w for s, w in zip(*row, strict=True))
        for a, *row in zip(amount, shares, weights, strict=True)
    ]
    np.testing.assert_allclose(weighted_worth(amount, shares=shares, weights=weights), by_hand, rtol=1e-12)


@pytest.mark.parametrize("income", [0.0, -1.0, np.nan])
def test_an_income_that_is_not_above_zero_is_refused(income):
    with pytest.raises(InputError, match="an income is not above 0") as caught:
        welfare_weights(np.array([income, 2.0]), reference=np.array(1.0), elasticity=1.3)
    assert "priors/social.toml" in str(caught.value) and "next step: narrow" in str(caught.value)


def test_a_negative_elasticity_is_refused():
    with pytest.raises(InputError, match="elasticity .* is negative") as caught:
        welfare_weights(np.array([1.0]), reference=np.array(1.0), elasticity=-1.3)
    assert "field: social.income_elasticity" in str(caught.value)


@pytest.mark.parametrize("ratio", [0.0, -0.5])
def test_a_ratio_that_is_not_above_zero_is_refused(ratio):
    with pytest.raises(InputError, match="ratio between groups is not above 0"):
        falling_shares(np.array([0.5, ratio]))


def test_shares_that_leave_a_group_out_are_refused():
    with pytest.raises(InputError, match="do not sum to 1") as caught:
        weighted_worth(np.ones(1), shares=np.array([0.5, 0.4]), weights=np.ones(2))
    assert "found: 0.9" in str(caught.value) and "nothing is rescaled" in str(caught.value)


def test_shares_may_miss_one_by_rounding_and_by_no_more():
    one = np.ones(1)
    assert weighted_worth(one, shares=np.array([0.5, 0.5 + 5e-10]), weights=np.ones(2))[0] == pytest.approx(
        1.0
    )
    for miss in (2e-9, -2e-9):
        with pytest.raises(InputError, match="do not sum to 1"):
            weighted_worth(one, shares=np.array([0.5, 0.5 + miss]), weights=np.ones(2))


def test_of_several_sums_the_worst_is_shown():
    shares = np.array([[0.5, 0.5], [0.5, 0.6], [0.5, 0.2]])
    with pytest.raises(InputError) as caught:
        weighted_worth(np.ones(3), shares=shares, weights=np.ones(2))
    assert "found: 0.7" in str(caught.value)


def test_a_reference_income_of_nothing_is_refused():
    with pytest.raises(InputError, match="an income is not above 0"):
        welfare_weights(np.array([2.0]), reference=np.array(0.0), elasticity=1.3)


def test_incomes_ratios_and_elasticities_may_be_small():
    weights = welfare_weights(np.array([0.01]), reference=np.array(0.02), elasticity=0.05)
    assert weights[0] == pytest.approx(2.0**0.05)
    assert falling_shares(np.array([0.05]), groups=2)[0].tolist() == pytest.approx([1 / 1.05, 0.05 / 1.05])
