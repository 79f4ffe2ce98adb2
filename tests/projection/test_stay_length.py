"""Lengths of stay: the published shares come back, and kernels equal children followed one by one."""

from __future__ import annotations

import numpy as np
import pytest

import cba
from cba.dimensions import AGE_BANDS, AGE_LIMITS
from cba.errors import InputError
from cba.models.stays import StayLength, age_position, stay_length
from cba.projection.kernel import averted_stock_kernel, met_in_care

DAYS = 365.25
MIDPOINT_ERROR = 0.002  # eight points a year against four hundred


@pytest.fixture(scope="module")
def observations():
    return cba.load_observations()


@pytest.fixture(scope="module")
def stays(observations):
    return stay_length(observations)


@pytest.fixture(scope="module")
def starts_mix(observations):
    mix = observations["starts_by_age"].sel(age=list(AGE_BANDS), year=[2022, 2023, 2024]).mean("year").values
    return mix / mix.sum()


def test_published_shares_come_back(observations, stays, starts_mix):
    """Share of stays longer than each published length = sum over ages of F(x) P(under 18 after x)."""
    counts = observations["ceases_by_duration"].sel(year=[2022, 2023, 2024]).sum("year")
    longer = 1 - np.cumsum(counts.values)[:-1] / counts.values.sum()
    lengths = counts["duration_upper_years"].values[:-1]
    under_18 = age_position(lengths).sum(axis=1)
    again = stays.share(lengths) * (starts_mix @ under_18)
    np.testing.assert_allclose(again, longer, rtol=1e-12)
    np.testing.assert_allclose(stays.years[1:], lengths)


def test_mean_stay_is_near_the_published_mean(observations, stays, starts_mix):
    """Mean days in care of children who ceased, 2022 to 2024: a figure the distribution was not made from."""
    lengths = np.linspace(0, 18, 36_001)
    in_care = stays.share(lengths) * (starts_mix @ age_position(lengths).sum(axis=1))
    mean = DAYS * np.trapezoid(in_care, lengths)
    published = float(observations["mean_days_in_care"].sel(year=[2022, 2023, 2024]).mean())
    assert mean == pytest.approx(published, rel=0.04)


def test_starts_times_stay_is_about_the_stock(observations, stays, starts_mix):
    """Little's law on the year ends a start is counted at; ages apart are matched less well (one F for all)."""
    kernel = averted_stock_kernel(stays, stay_ratio=np.ones(1), lags=20)[0]
    starts = float(observations["starts_by_age"].sel(year=[2022, 2023, 2024]).sum("age").mean())
    stock = float(observations["stock_by_age"].sel(year=[2022, 2023, 2024]).sum("age").mean())
    assert starts * (starts_mix @ kernel.sum(axis=(1, 2))) == pytest.approx(stock, rel=0.06)


def test_share_is_continuous_falling_and_log_linear(stays):
    lengths = np.linspace(0, 20, 4001)
    share = stays.share(lengths)
    assert share[0] == 1 and (np.diff(share) < 0).all()
    at_knots = stays.share(stays.years)
    np.testing.assert_allclose(at_knots, np.exp(stays.log_share), rtol=1e-12)
    beyond = stays.share(np.array([10.0, 12.0, 14.0]))
    assert beyond[1] / beyond[0] == pytest.approx(beyond[2] / beyond[1], rel=1e-12)
    between = (stays.years[3] + stays.years[4]) / 2
    middle = stays.share(np.array([between]))[0]
    assert middle == pytest.approx(np.sqrt(at_knots[3] * at_knots[4]), rel=1e-12)


def test_almost_half_of_exits_end_a_stay_of_under_a_year(observations):
    """47% of those of 2023-24."""
    counts = observations["ceases_by_duration"].sel(year=2024)
    short = float(counts.where(counts["duration_upper_years"] <= 1.0).sum() / counts.sum())
    assert short == pytest.approx(0.47, abs=0.005)


# --- age ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0.0, 0.3, 1.0, 2.0, 5.7, 17.5, 18.0, 25.0])
def test_age_position_counts_children(length):
    """Entry ages spread evenly over the band, a thousand children each."""
    shares = age_position(np.array(length))
    edges = [low for low, _ in AGE_LIMITS] + [18.0]
    for start, (low, high) in enumerate(AGE_LIMITS):
        ages = low + (np.arange(1000) + 0.5) / 1000 * (high - low) + length
        expected = np.histogram(ages, bins=edges)[0] / 1000
        expected[-1] = ((ages >= 16) & (ages < 18)).mean()
        np.testing.assert_allclose(shares[start], expected, atol=0.0011)
        assert shares[start].sum() == pytest.approx((ages < 18).mean(), abs=0.0011)
    assert age_position(np.zeros((3, 2))).shape == (5, 5, 3, 2)
    np.testing.assert_allclose(age_position(np.array(0.0)), np.eye(5), atol=1e-12)


# --- kernels against children followed one by one ---------------------------------------------------------


def drawn_stay(stays, rng):
    """Length of stay of one child who is never 18: invert the share by bisection."""
    target = rng.random()
    low, high = 0.0, 200.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if stays.share(np.array(middle)) > target else (low, middle)
    return low


def band_of(age):
    return next(band for band, (_, high) in enumerate(AGE_LIMITS) if age < high)


@pytest.mark.parametrize("ratio", [0.6, 1.0])
def test_averted_kernel_equals_children_followed_one_by_one(stays, ratio):
    rng = np.random.default_rng(7)
    lags, children = 6, 500
    kernel = averted_stock_kernel(stays, stay_ratio=np.array([0.9, ratio]), lags=lags)[1]
    counted = np.zeros_like(kernel)
    for start, (low, high) in enumerate(AGE_LIMITS):
        for _ in range(children):
            age, day = rng.uniform(low, high), rng.random()  # started `day` of a year before its end
            leaves = ratio * drawn_stay(stays, rng)
            for lag in range(lags):
                since = lag + day
                if since < leaves and age + since < 18:
                    counted[start, band_of(age + since), lag] += 1 / children
    error = np.sqrt(np.maximum(kernel * (1 - kernel), 1 / children) / children)
    assert (np.abs(counted - kernel) < 4.5 * error + MIDPOINT_ERROR).all()


def test_averted_kernel_is_a_share_that_falls_and_shorter_stays_lower_it(stays):
    kernel = averted_stock_kernel(stays, stay_ratio=np.array([0.5, 1.0, 1.3]), lags=20)
    total = kernel.sum(axis=2)
    assert kernel.min() >= 0 and total.max() <= 1
    assert (np.diff(total, axis=-1) <= 1e-12).all()
    assert (np.diff(total, axis=0) >= -1e-12).all()
    assert (kernel[:, 4, :, 2:] == 0).all()  # who starts at 16 is 18 two year ends on
    for start in range(5):
        for end in range(start):
            assert (kernel[:, start, end] == 0).all()


def test_remaining_stay_equals_a_stationary_population(stays, starts_mix):
    """Children met in care: those who have been there long are older, and cannot have been there since before birth.

    Starts spread evenly over 18 years and over ages as published; whoever is in care and under 16 today leaves
    early, in proportion to the age mix asked for.
    """
    rng = np.random.default_rng(8)
    lags, children = 12, 400_000
    low, high = np.array(AGE_LIMITS).T
    band = rng.choice(5, children, p=starts_mix)
    age = low[band] + rng.random(children) * (high - low)[band]
    grid = np.linspace(0, 40, 40_001)
    stay = np.interp(rng.random(children), stays.share(grid)[::-1], grid[::-1])
    spent = 18 * rng.random(children)
    met = (stay > spent) & (age + spent < 16)
    age_now, left = (age + spent)[met], (stay - spent)[met]
    bands = np.digitize(age_now, high[:-1])
    since = rng.random(age_now.size)  # left early `since` of a year before its end
    for wanted in (np.eye(5)[0], np.eye(5)[1], np.eye(5)[3], np.bincount(bands, minlength=5) / bands.size):
        met = met_in_care(stays, lags=lags, starts=starts_mix, stock=wanted)
        kernel = np.einsum("a,abl->bl", met.ages, met.remaining[..., :lags])
        weight = (wanted / np.maximum(np.bincount(bands, minlength=5), 1))[bands]
        for lag in range(lags):
            there = (left > lag + since) & (age_now + lag + since < 18)
            at = np.digitize(age_now + lag + since, high[:-1])
            found = np.bincount(at[there], weights=weight[there], minlength=5)[:5]
            error = np.sqrt(np.sum(weight**2) * 0.25)
            np.testing.assert_allclose(kernel[:, lag], found, atol=4.5 * error + MIDPOINT_ERROR)


def test_a_constant_hazard_forgets_how_long_a_child_has_been_there():
    """Exponential stays: what remains is distributed as the whole, whatever the age."""
    hazard = 0.4
    exponential = StayLength(np.array([0.0, 10.0]), np.array([0.0, -10 * hazard]))
    mix = np.array([0.2, 0.3, 0.5, 0.0, 0.0])
    met = met_in_care(exponential, lags=5, starts=np.full(5, 0.2), stock=mix)
    remaining = np.einsum("a,abl->bl", mix, met.remaining[..., :5])
    whole = np.einsum("a,abl->bl", mix, averted_stock_kernel(exponential, stay_ratio=np.ones(1), lags=5)[0])
    np.testing.assert_allclose(remaining.sum(axis=0), whole.sum(axis=0), rtol=1e-9)


def test_who_is_met_under_18_leaves_care_more_at_every_age_as_time_passes(stays, starts_mix):
    """Of those not yet 18, the share still there falls: so odds of leaving can be solved for at every age."""
    met = met_in_care(stays, lags=12, starts=starts_mix, stock=starts_mix)
    total = met.remaining.sum(axis=1)
    assert met.remaining.shape[-1] == 18 and (total <= met.under_18 + 1e-12).all()
    staying = np.where(met.under_18 > 0, total / np.where(met.under_18 > 0, met.under_18, 1.0), 0.0)
    assert (np.diff(staying, axis=1) <= 1e-12).all() and (staying[:, 0] < 1.0).all()
    assert (met.under_18[0, :17] == 1.0).all() and (met.under_18[-1, 2:] == 0.0).all()


# --- refusals -------------------------------------------------------------------------------------------


def test_a_release_without_lengths_of_stay_is_refused(observations):
    empty = observations.assign(ceases_by_duration=observations["ceases_by_duration"] * np.nan)
    with pytest.raises(InputError, match="not published in this release") as caught:
        stay_length(empty)
    assert "ceases_by_duration" in str(caught.value) and "2021" in str(caught.value)


def test_bands_in_the_wrong_order_are_refused(observations):
    upper = observations["duration_upper_years"].values.copy()
    upper[4:7] = 12.0, 13.0, 14.0
    shuffled = observations.assign_coords(duration_upper_years=("duration", upper))
    with pytest.raises(InputError, match="share rises with length of stay") as caught:
        stay_length(shuffled)
    assert "a falling share" in str(caught.value)


def test_children_met_in_care_are_counted_on_a_grid_of_ages_and_time_spent():
    """The same points one by one: 41 ages of a band, 1,800 times spent in care, eight moments of a year."""
    stays = StayLength(np.array([0.0, 1.0, 5.0]), np.log([1.0, 0.5, 0.2]))
    starts, stock = np.array([3.0, 2.0, 1.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    met = met_in_care(stays, lags=2, starts=starts, stock=stock)
    np.testing.assert_allclose(met.ages, stock / 15.0)
    assert met.remaining.shape == (5, 5, 18) and met.under_18.shape == (5, 18)
    assert met_in_care(stays, lags=20, starts=starts, stock=stock).remaining.shape == (5, 5, 20)
    spent = (np.arange(1_800) + 0.5) / 100
    for band, lag in ((0, 0), (1, 2), (2, 6), (3, 0), (3, 3), (4, 1)):
        low, high = AGE_LIMITS[band]
        there, minors, whole = np.zeros(5), 0.0, 0.0
        for place in range(41):
            age = low + (place + 0.5) / 41 * (high - low)
            began = age - spent
            rate = np.zeros(1_800)
            for lower, upper in AGE_LIMITS:
                inside = (began >= lower) & (began < upper)
                rate[inside] = starts[AGE_LIMITS.index((lower, upper))] / (upper - lower)
            weight = rate * stays.share(spent)
            whole += weight.sum()
            for moment in range(8):
                later = lag + (moment + 0.5) / 8
                if age + later < 18:
                    minors += weight.sum() / 8
                    there[band_of(age + later)] += (rate * stays.share(spent + later)).sum() / 8
        np.testing.assert_allclose(met.remaining[band, :, lag], there / whole, atol=1e-12)
        assert met.under_18[band, lag] == pytest.approx(minors / whole, abs=1e-12)


def test_minors_of_later_years_are_counted_half_a_year_on_average():
    """Ages spread evenly over a band: after 2.5 years those of 16 and over are 18, and so is 1/12 of 10 to 15."""
    stays = StayLength(np.array([0.0, 1.0]), np.array([0.0, -1.0]))
    minors = met_in_care(stays, lags=3, starts=np.ones(5), stock=np.ones(5)).minors
    np.testing.assert_allclose(minors[:, 0], [1, 1, 1, 1, 0.75])
    np.testing.assert_allclose(minors[:, 2], [1, 1, 1, 1 - 0.5 / 6, 0], atol=1e-12)
    assert minors.shape[1] == 18


def test_the_share_between_and_beyond_lengths_by_hand():
    stays = StayLength(np.array([0.0, 1.0, 3.0]), np.array([0.0, -1.0, -2.0]))
    found = np.log(stays.share(np.array([0.0, 0.5, 1.0, 2.0, 3.0, 5.0])))
    np.testing.assert_allclose(found, [0.0, -0.5, -1.0, -1.5, -2.0, -3.0], atol=1e-12)


def test_kernel_is_a_mean_over_eight_moments_of_the_year():
    stays = StayLength(np.array([0.0, 1.0]), np.array([0.0, -0.7]))
    kernel = averted_stock_kernel(stays, stay_ratio=np.array([0.5, 1.2]), lags=3)
    moments = (np.arange(8) + 0.5) / 8
    for sample, ratio in enumerate((0.5, 1.2)):
        for lag in range(3):
            each = [stays.share(lag + m) ** (1 / ratio) * age_position(np.array(lag + m)) for m in moments]
            np.testing.assert_allclose(kernel[sample, ..., lag], np.mean(each, axis=0), atol=1e-12)
