"""What every option shares: mixes, kernels and reach, against arithmetic written out."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.errors import InputError
from cba.models.stays import stay_length
from cba.projection.care_system import _deferred, _require_enough, authority_share, care_system
from cba.projection.kernel import averted_stock_kernel
from tests.projection.conftest import YEARS, made_system

HOME = PLACEMENTS.index("childrens_home")


def test_placement_mix_starts_from_today_and_only_homes_trend(system, observations):
    mix = system.placement_mix
    assert mix.shape == (200, len(YEARS), len(PLACEMENTS))
    np.testing.assert_allclose(mix.sum(axis=-1), 1.0, rtol=1e-12)
    assert (mix > 0).all()
    today = observations["stock_by_placement"].sel(year=2024, placement=list(PLACEMENTS)).values
    today = today / today.sum()
    others = np.delete(mix, HOME, axis=-1) / np.delete(today, HOME)
    np.testing.assert_allclose(others, np.broadcast_to(others[..., :1], others.shape), rtol=1e-9)
    logit = np.log(mix[..., HOME] / (1 - mix[..., HOME]))
    steps = np.diff(logit, axis=1, prepend=np.log(today[HOME] / (1 - today[HOME])))
    trend, half_life = (
        system.value("unit_costs.home_share_trend"),
        system.value("unit_costs.growth_half_life"),
    )
    expected = trend[:, None] * 0.5 ** (np.arange(len(YEARS)) / half_life[:, None])
    np.testing.assert_allclose(steps, expected, rtol=1e-8, atol=1e-12)


def test_entrants_are_placed_as_entrants_first_and_as_the_stock_later(system, observations):
    """Children's homes are 3% of starts and 10% of the stock; unaccompanied children are taken off both."""
    mix = system.entrant_mix
    np.testing.assert_allclose(mix.sum(axis=-1), 1.0, rtol=1e-12)
    assert (mix >= 0).all()
    assert (np.diff(mix[:, :5, HOME], axis=1) > 0).all()
    share = system.value("unit_costs.uasc_foster_share")
    starts = observations["starts_by_placement"].sel(year=2024, placement=list(PLACEMENTS)).values
    stock = observations["stock_by_placement"].sel(year=2024, placement=list(PLACEMENTS)).values
    ends = []
    for counts, alone in ((starts, 7270.0), (stock, float(observations["uasc_stock"].sel(year=2024)))):
        ends.append(counts[HOME] / (counts.sum() - alone))
    fresh = np.exp(-0.5 / system.value("unit_costs.mix_change_years"))
    np.testing.assert_allclose(mix[:, 0, HOME], fresh * ends[0] + (1 - fresh) * ends[1], rtol=1e-9)
    np.testing.assert_allclose(mix[:, -1, HOME], ends[1], rtol=2e-3)
    supported = PLACEMENTS.index("supported_accommodation")
    left = (stock[supported] - float(observations["uasc_stock"].sel(year=2024)) * (1 - share)) / (
        stock.sum() - float(observations["uasc_stock"].sel(year=2024))
    )
    np.testing.assert_allclose(mix[:, -1, supported], left, rtol=0.03)


def test_deferred_starts_come_back_after_the_follow_up(observations, priors):
    """All deferred: what is averted returns in four equal parts, 3 to 6 years on, each a new stay."""
    plain = made_system(observations, priors, draws=2, family_help__deferral_share=0.0)
    all_back = made_system(observations, priors, draws=2, family_help__deferral_share=1.0)
    ratio = plain.value("family_help.stay_ratio")
    stays = stay_length(observations)
    kernel = averted_stock_kernel(stays, stay_ratio=ratio, lags=len(YEARS))
    np.testing.assert_allclose(plain.averted_kernel, kernel, rtol=1e-12)
    returned = (kernel - all_back.averted_kernel).sum(axis=2)
    assert (returned[:, :, :3] == 0).all() and returned[:, 2, 3].min() > 0
    # At 5 to 9, nobody is 18 within the first years: a deferred stay is the averted one, later.
    for lag in range(8):
        expected = sum(kernel[:, 2].sum(axis=1)[:, lag - wait] for wait in (3, 4, 5, 6) if wait <= lag) / 4
        np.testing.assert_allclose(returned[:, 2, lag], expected, rtol=1e-9)
    assert (returned[:, 4] < 1e-12).all()  # who would have started at 16 is 18 by then
    total = all_back.averted_kernel.sum(axis=(2, 3))
    assert (total[:, :3] < 0.25 * kernel.sum(axis=(2, 3))[:, :3]).all()


def test_early_leavers_are_missed_less_with_time_and_none_at_16_leave(system):
    kernel = system.leaver_kernel
    total = kernel.sum(axis=1)
    assert (kernel >= 0).all() and (total <= 1).all() and (np.diff(total, axis=1) <= 1e-12).all()
    assert (kernel[:, -1, 0] < 0.1).all()
    # The share of returns is full from the fifth year and grows evenly until then.
    back = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0])
    kept = 1 - system.value("kinship.return_to_care")[:, None] * back
    np.testing.assert_allclose(total[:, :10] / total[:1, :10], kept / kept[:1], rtol=1e-9)


def test_guardians_are_supported_until_18(system):
    years = system.guardian_years
    assert 0.98 < years[0] <= 1 and years[-1] == 0 and (np.diff(years) <= 1e-12).all()
    # All leave under 16, so for the first two years nobody is 18.
    np.testing.assert_allclose(years[:2], 1.0, rtol=1e-12)


def test_reach_is_that_of_the_parameters_over_starts_without_unaccompanied_children(system):
    expected = system.value("family_help.eligible_children") * system.value("family_help.yearly_entry_risk")
    starts = system.reach**-1 * expected
    np.testing.assert_allclose(starts, 33_010 - 7270, rtol=0.01)
    assert (system.reach > 0).all() and (system.reach < 1).all()
    assert list(system.years) == list(YEARS)


def test_draws_that_are_not_paired_are_refused(system, observations):
    half = system.parameters.isel(sample=slice(0, 100))
    with pytest.raises(InputError, match="not paired") as caught:
        care_system(
            observations,
            system.baseline,
            half,
            stays=stay_length(observations),
            reachable_starts=1e5,
            uasc_starts=1.0,
        )
    assert "200 and 100" in str(caught.value)


def test_more_unaccompanied_children_than_places_are_refused(observations, priors):
    with pytest.raises(InputError, match="more unaccompanied children than places") as caught:
        made_system(observations, priors, draws=1, unit_costs__uasc_foster_share=-9.0)
    assert "supported_accommodation" in str(caught.value) and "unit_costs.uasc_foster_share" in str(
        caught.value
    )


def test_a_release_that_groups_placements_otherwise_is_refused(observations, priors):
    empty = observations.assign(stock_by_placement=observations["stock_by_placement"] * np.nan)
    with pytest.raises(InputError, match="does not publish what spending is driven by"):
        made_system(empty, priors, draws=1)


def test_bands_keep_their_order(system):
    assert system.averted_kernel.shape[1:3] == (len(AGE_BANDS), len(AGE_BANDS))
    assert system.baseline["children"].sizes["age"] == len(AGE_BANDS)


def test_the_mix_of_entrants_is_written_out_for_every_placement(system, observations):
    """Unaccompanied children in foster care are taken off in-house and agency places in proportion."""
    share = system.value("unit_costs.uasc_foster_share")
    own, agency = PLACEMENTS.index("foster_in_house"), PLACEMENTS.index("foster_agency")
    supported = PLACEMENTS.index("supported_accommodation")
    pace = system.value("unit_costs.mix_change_years")
    for draw in (0, 111):
        ends = []
        for name, alone in (("starts_by_placement", 7270.0), ("stock_by_placement", None)):
            left = observations[name].sel(year=2024, placement=list(PLACEMENTS)).values.astype(float)
            alone = float(observations["uasc_stock"].sel(year=2024)) if alone is None else alone
            fostered = alone * share[draw]
            both = left[own] + left[agency]
            left[own], left[agency] = (
                left[own] - fostered * left[own] / both,
                left[agency] - fostered * left[agency] / both,
            )
            left[supported] -= alone - fostered
            ends.append(left / left.sum())
        for lag in (0, 1, 7):
            fresh = np.exp(-(lag + 0.5) / pace[draw])
            expected = fresh * ends[0] + (1 - fresh) * ends[1]
            np.testing.assert_allclose(system.entrant_mix[draw, lag], expected, rtol=2e-4)


def test_one_number_of_starts_reaches_every_age_alike(system, observations):
    same = care_system(
        observations,
        system.baseline,
        system.parameters,
        stays=stay_length(observations),
        reachable_starts=25_000.0,
        uasc_starts=7270.0,
    )
    np.testing.assert_allclose(same.reach_by_age, np.repeat(same.reach[:, None], 5, axis=1))
    np.testing.assert_allclose(same.reach, system.reach, rtol=1e-9)


@pytest.mark.parametrize("lags", [3, 4, 6])
def test_starts_deferred_beyond_the_last_year_do_not_come_back(observations, lags):
    """Of three years nobody is back within, of four the first quarter, of six the first three."""
    stays, ratio = stay_length(observations), np.array([0.8, 1.1])
    long = _deferred(stays, ratio, lags=9, returns=(3, 4, 5, 6))
    np.testing.assert_allclose(
        _deferred(stays, ratio, lags=lags, returns=(3, 4, 5, 6)), long[..., :lags], rtol=1e-12
    )
    kernel = averted_stock_kernel(stays, stay_ratio=ratio, lags=9)
    waits = [wait for wait in (3, 4, 5, 6) if wait < lags]
    came_back = sum(kernel[:, 1, :, lags - 1 - wait].sum(axis=1) for wait in waits) / 4 + np.zeros(2)
    np.testing.assert_allclose(long[:, 1, :, lags - 1].sum(axis=1), came_back, rtol=1e-12)


def test_one_draw_in_two_hundred_may_fall_short_and_more_may_not():
    """Far tails do not end a run, and a prior too wide for the model does."""
    held = np.full((2000, 3, 2), 5.0)
    held[:10, 1, 1] = -4.0
    _require_enough(held, names=("a", "b"), what="a band")
    held[10, 0, 1] = -1.0
    with pytest.raises(InputError, match="more children out of a band") as caught:
        _require_enough(held, names=("a", "b"), what="a band")
    assert "-4 children" in str(caught.value) and "0.55%" in str(caught.value)
    assert "all but 0.5% of draws" in str(caught.value)


def test_a_millionth_of_a_child_is_rounding_and_more_is_not():
    held = np.array([[[5.0, 1.0]], [[6.0, 2.0]]])
    _require_enough(held - np.array([5.0 + 0.9e-6, 0.0]), names=("a", "b"), what="a band")
    with pytest.raises(InputError) as caught:
        _require_enough(held - np.array([5.0 + 2e-6, 0.0]), names=("a", "b"), what="a band")
    assert "50.00% of draws" in str(caught.value) and "field: a" in str(caught.value)
    with pytest.raises(InputError) as caught:
        _require_enough(held - np.array([7.0, 6.0]), names=("a", "b"), what="a band")
    assert "-5 children" in str(caught.value) and "100.00%" in str(caught.value)
    assert "field: b" in str(caught.value)


def test_shares_of_authorities_are_those_of_the_last_year_with_people():
    people = xr.DataArray(
        [[9.0, 1.0, 5.0], [5.0, 5.0, 5.0], [30.0, np.nan, 10.0], [np.nan, np.nan, np.nan]],
        dims=("year", "authority"),
        coords={"year": [2021, 2022, 2023, 2024], "authority": ["301", "302", "303"]},
    )
    found = authority_share(xr.Dataset({"population_by_authority": people}))
    assert found == {"301": 0.75, "303": 0.25}
