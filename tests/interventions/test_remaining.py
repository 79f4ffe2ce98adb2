"""Early leavers by plain loops: who has left cannot leave again."""

from __future__ import annotations

import numpy as np

from cba.interventions.remaining import followed, leaving_kernel


def early_leavers(rate, *, relatives, kernel):
    """One group of all ages: leavers (sample, year) and children fewer."""
    each = {"fewer": kernel[:, None], "gone": kernel[:, None]}
    taken, fewer = followed(rate[..., None], pool=relatives[..., None], counts=np.ones((1, 5)), **each)
    return taken[..., 0], fewer


def by_loops(rate, relatives, kernel):
    samples, years = relatives.shape
    leavers, by_age = np.zeros((samples, years)), np.zeros((samples, years, kernel.shape[1]))
    for s in range(samples):
        for year in range(years):
            before = by_age[s, year - 1].sum() if year else 0.0
            leavers[s, year] = rate[s, year] * (relatives[s, year] - before)
            for later in range(year, years):
                by_age[s, later] += leavers[s, year] * kernel[s, :, later - year]
    return leavers, by_age


def test_equals_plain_loops_whatever_the_order_of_memory():
    rng = np.random.default_rng(0)
    rate = rng.normal(0.02, 0.03, (6, 9))  # some effects are adverse
    relatives = rng.uniform(8e3, 1.5e4, (6, 9))
    kernel = rng.uniform(0, 0.2, (6, 5, 12))
    found = early_leavers(rate, relatives=relatives, kernel=kernel)
    for ours, exact in zip(found, by_loops(rate, relatives, kernel), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=1e-12)
    turned = early_leavers(np.asfortranarray(rate), relatives=relatives[::-1][::-1], kernel=kernel)
    np.testing.assert_array_equal(turned[1], found[1])


def test_no_allowances_nobody_leaves():
    leavers, by_age = early_leavers(
        np.zeros((2, 3)), relatives=np.full((2, 3), 1e4), kernel=np.ones((2, 5, 3))
    )
    assert not leavers.any() and not by_age.any()


def test_rates_of_nought_and_one():
    """All leave in the second year and stay away for good: nobody is left to leave."""
    rate = np.array([[0.0, 1.0, 1.0, 1.0]])
    kernel = np.zeros((1, 5, 4))
    kernel[:, 2] = 1.0
    leavers, by_age = early_leavers(rate, relatives=np.full((1, 4), 50.0), kernel=kernel)
    np.testing.assert_allclose(leavers, [[0, 50, 0, 0]])
    np.testing.assert_allclose(by_age.sum(-1), [[0, 50, 50, 50]])


def test_who_comes_back_does_so_evenly_over_five_years():
    remaining = np.full((1, 1, 8), 0.5)
    found = leaving_kernel(remaining, returns=np.array([0.0, 0.5, 1.0]))[:, 0, 0]
    back = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(found, [0.5 + 0 * back, 0.5 * (1 - 0.5 * back), 0.5 * (1 - back)], rtol=1e-12)
    np.testing.assert_array_equal(leaving_kernel(remaining, returns=None), remaining[None])
