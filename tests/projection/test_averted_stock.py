"""The convolution of averted starts with stays, against plain loops."""

from __future__ import annotations

import numpy as np

from cba.projection.care_system import averted_stock


def inputs(*, samples=3, years=7, lags=9, placements=8, seed=0):
    rng = np.random.default_rng(seed)
    averted = rng.normal(100, 200, (samples, years, 5))  # some services add starts
    kernel = rng.uniform(0, 0.2, (samples, 5, 5, lags))
    mix = rng.dirichlet(np.ones(placements), (samples, lags))
    return averted, kernel, mix


def by_loops(averted, kernel, mix):
    samples, years, ages = averted.shape
    by_age, by_placement = np.zeros(averted.shape), np.zeros((samples, years, mix.shape[2]))
    for s in range(samples):
        for year in range(years):
            for started in range(year + 1):
                lag = year - started
                for start in range(ages):
                    for end in range(ages):
                        children = averted[s, started, start] * kernel[s, start, end, lag]
                        by_age[s, year, end] += children
                        for placement in range(mix.shape[2]):
                            by_placement[s, year, placement] += children * mix[s, lag, placement]
    return by_age, by_placement


def test_equals_plain_loops():
    arguments = inputs()
    found = averted_stock(arguments[0], kernel=arguments[1], mix=arguments[2])
    for ours, exact in zip(found, by_loops(*arguments), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=1e-12, atol=1e-9)


def test_by_age_and_by_placement_have_one_total():
    averted, kernel, mix = inputs(seed=1)
    by_age, by_placement = averted_stock(averted, kernel=kernel, mix=mix)
    np.testing.assert_allclose(by_age.sum(-1), by_placement.sum(-1), rtol=1e-9)


def test_is_linear_and_exactly_zero_of_nothing():
    averted, kernel, mix = inputs(seed=2)
    once, twice = (averted_stock(scale * averted, kernel=kernel, mix=mix) for scale in (1.0, 2.0))
    np.testing.assert_allclose(twice[0], 2 * once[0], rtol=1e-12)
    nothing = averted_stock(0 * averted, kernel=kernel, mix=mix)
    assert (nothing[0] == 0).all() and (nothing[1] == 0).all()


def test_later_starts_change_no_earlier_year_and_draws_do_not_mix():
    averted, kernel, mix = inputs(seed=3)
    usual = averted_stock(averted, kernel=kernel, mix=mix)[0]
    changed = averted.copy()
    changed[1, 4:] += 50
    found = averted_stock(changed, kernel=kernel, mix=mix)[0]
    np.testing.assert_array_equal(found[1, :4], usual[1, :4])
    assert (found[1, 4:] > usual[1, 4:]).all()
    np.testing.assert_array_equal(found[[0, 2]], usual[[0, 2]])


def test_views_and_orders_of_memory_do_not_matter():
    averted, kernel, mix = inputs(seed=4)
    view = np.asfortranarray(averted)
    plain = averted_stock(averted, kernel=kernel, mix=mix)
    again = averted_stock(view, kernel=kernel[..., ::-1][..., ::-1], mix=np.asfortranarray(mix))
    for ours, exact in zip(again, plain, strict=True):
        np.testing.assert_array_equal(ours, exact)
