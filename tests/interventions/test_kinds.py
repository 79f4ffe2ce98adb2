"""Each kind of effect against a closed form of one age and one year; ratio 1 is exactly nothing; no money is lost."""

from __future__ import annotations

import numpy as np
import pytest

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.errors import InputError
from cba.interventions.kinds import KINDS
from cba.interventions.records import Work, share_averted
from cba.interventions.remaining import another_stay, followed, odds_of_stay
from tests.interventions.made_ground import BAND, LAGS, LEAVE, act, effect, ground, money

HOME, AGENCY, OWN = (PLACEMENTS.index(p) for p in ("childrens_home", "foster_agency", "foster_in_house"))
STARTS = {"ratio": "ratio", "cost_per_child": "cost", "ages": ("10_15",)}
PLACES = {
    "places_per_million": "each",
    "attrition": "lost",
    "replaces": {"childrens_home": "home", "foster_agency": "agency"},
}


def starts(paid, **values):
    return act(effect("starts", **STARTS), ground(**{"ratio": 0.7, "cost": 1000.0} | values), money(paid))


def test_starts_by_hand():
    """50,000 at 1,000 a child serves 50 of 200 would-be starts: c = 1/4, and 1 - c (1 - 0.7) of them are left."""
    found = starts(50_000.0)
    assert found.delivered[0, 0] == pytest.approx(0.25, rel=1e-12)
    assert found.averted[0, 0].tolist() == pytest.approx([0.0, 0.0, 0.0, 0.25 * 0.3, 0.0], rel=1e-12)
    assert found.surplus[0, 0] == 0.0


def test_starts_of_a_reached_part_with_an_entry_risk():
    """Half of would-be starts could be reached, and two in five of the eligible would start: 250 are eligible."""
    stated = effect("starts", **STARTS, reach="reach", entry_risk="risk")
    found = act(stated, ground(ratio=0.7, cost=1000.0, reach=0.5, risk=0.4), money(50_000.0))
    assert found.delivered[0, 0] == pytest.approx(50 / 250, rel=1e-12)
    assert found.averted[0, 0, BAND] == pytest.approx(0.2 * 0.5 * 0.3, rel=1e-12)


def test_exits_by_hand():
    """A quarter served at odds ratio 1.4: odds of 1/4 are 1.1 times as high, so 0.275/1.275 leave and not 1/5."""
    stated = effect("exits", ratio="ratio", cost_per_child="cost", ages=("10_15",))
    found = act(stated, ground(ratio=1.4, cost=1000.0), money(250_000.0))
    more = 1000.0 * (0.275 / 1.275 - LEAVE)
    assert found.delivered[0, 0] == pytest.approx(0.25, rel=1e-12)
    assert found.leavers.number[0, 0] == pytest.approx(more, rel=1e-12)
    assert found.leavers.fewer[0, 0, BAND] == pytest.approx(more * (1.0 - LEAVE), rel=1e-12)


@pytest.mark.parametrize("log", [-0.3, 0.0, 0.4])
def test_exits_of_a_whole_area_by_hand(log):
    """A quarter of 40,000 eligible children served: the odds of 1/4 that any of 1,000 in care leaves, times OR^0.25."""
    stated = effect("exits", log_ratio="log", eligible="all", cost_per_child="cost")
    found = act(stated, ground(**{"log": log, "all": 40_000.0, "cost": 1000.0}), money(1e7))
    odds = 0.25 * np.exp(0.25 * log)
    assert found.delivered[0, 0] == pytest.approx(0.25, rel=1e-12)
    assert found.leavers.number[0, 0] == pytest.approx(1000.0 * (odds / (1.0 + odds) - LEAVE), rel=1e-12)
    assert log != 0.0 or (found.leavers.fewer == 0.0).all()


def test_exits_end_with_the_money_and_returns_are_taken_off():
    stated = effect("exits", ratio="ratio", cost_per_child="cost", returns="back")
    found = act(stated, ground(8, ratio=1.4, cost=1000.0, back=0.5), money(250_000.0, *[0.0] * 7))
    assert (found.leavers.number[0, 1:] == 0.0).all()
    kept = 1.0 - 0.5 * np.minimum(np.arange(8) / 5.0, 1.0)
    expected = found.leavers.number[0, 0] * (1.0 - LEAVE) ** (np.arange(8) + 1.0) * kept
    np.testing.assert_allclose(found.leavers.fewer[0, :, BAND], expected, rtol=1e-12)


def test_permanence_over_years_is_a_yearly_rate():
    stated = effect(
        "exits", gain="gain", gain_years="span", cost_per_child="cost", placement="childrens_home"
    )
    found = act(stated, ground(gain=0.2, span=4.0, cost=100.0), money(5_000.0))
    assert found.leavers.number[0, 0] == pytest.approx(100.0 * 0.5 * -np.log(0.8) / 4.0, rel=1e-12)
    assert found.leavers.placement == HOME


@pytest.mark.parametrize("ratio", [0.5, 0.9, 0.999, 1.1])
def test_a_stay_with_constant_odds_of_leaving(ratio):
    """Expected year ends ahead are 1/odds where odds are constant: a stay r times as long has odds 1/r as high."""
    long = np.cumprod(np.full(400, 1.0 - LEAVE))
    found = odds_of_stay(long, np.ones(400), ratio=np.array([ratio]))
    assert found[0] == pytest.approx(1.0 / ratio, rel=1e-9)
    again = another_stay(long, np.ones(400), odds=found)[0] * long
    assert again.sum() == pytest.approx(ratio * long.sum(), rel=1e-9)


def test_stay_by_hand():
    """250 of 1,000 served at 0.8 of the stay: odds of 1/4 become 5/16, so 5/21 of them leave in the year, not 1/5."""
    stated = effect("stay", ratio="ratio", cost_per_child="cost", ages=("10_15",))
    found = act(stated, ground(2, ratio=0.8, cost=1000.0), money(250_000.0, 0.0))
    assert found.delivered[0].tolist() == pytest.approx([0.25, 0.0], rel=1e-12)
    fewer = [250.0 * ((1.0 - LEAVE) ** k - (16.0 / 21.0) ** k) for k in (1, 2)]
    assert found.leavers.fewer[0, :, BAND].tolist() == pytest.approx(fewer, rel=1e-4)  # 60 lags, not for ever


def test_who_was_served_is_not_served_again():
    """Money for everybody each year: all are served in the first, then only those who came since."""
    stated = effect("stay", ratio="ratio", cost_per_child="cost", ages=("10_15",))
    found = act(stated, ground(2, ratio=0.8, cost=1000.0), money(1e6, 1e6))
    assert found.leavers.number[0].tolist() == pytest.approx([1000.0, 1000.0 * LEAVE], rel=1e-12)
    assert found.surplus[0].tolist() == pytest.approx([0.0, 1e6 * (1.0 - LEAVE)], rel=1e-12)


def test_a_stay_beyond_the_18th_birthday_is_refused():
    there = ground(ratio=16.0, cost=1000.0)
    with pytest.raises(InputError, match="no odds of leaving make a stay of that length") as caught:
        act(effect("stay", ratio="ratio", cost_per_child="cost", ages=("10_15",)), there, money(1.0))
    assert "nothing is cut off" in str(caught.value)


def test_placement_shift_by_hand():
    """100 children in homes, 20 served, a quarter of those move."""
    fields = {"from": "childrens_home", "to": "foster_in_house", "share": "share", "cost_per_child": "cost"}
    found = act(effect("placement_shift", **fields), ground(share=0.25, cost=1000.0), money(20_000.0))
    (start, end, moved), *none = found.shifts
    assert (start, end, none) == (HOME, OWN, []) and moved[0, 0] == pytest.approx(0.2 * 0.25, rel=1e-12)


def test_unit_cost_by_hand_fades_or_persists():
    """Half of 100 children in homes covered at 0.9 of the price: 1 - 0.5 x 0.1 of it on average."""
    for ends, later in (("fades", 0.0), ("persists", 0.05)):
        stated = effect(
            "unit_cost", placement="childrens_home", ratio="r", cost_per_child="cost", when_money_ends=ends
        )
        found = act(stated, ground(2, r=0.9, cost=1000.0), money(50_000.0, 0.0))
        assert found.cheaper[0, :, HOME].tolist() == pytest.approx([0.05, later], rel=1e-12)
        assert (found.cheaper[..., AGENCY] == 0.0).all()


def test_a_week_and_a_year_of_cover_cost_the_same():
    fields = {"placement": "childrens_home", "ratio": "r", "when_money_ends": "fades"}
    yearly = act(effect("unit_cost", **fields, cost_per_child="c"), ground(r=0.9, c=3650.0), money(36_500.0))
    weekly = act(effect("unit_cost", **fields, cost_per_week="c"), ground(r=0.9, c=70.0), money(36_500.0))
    assert weekly.delivered[0, 0] == pytest.approx(yearly.delivered[0, 0], rel=1e-12) == 0.1


def test_a_reform_of_structure_is_in_place_as_its_money_is_spent():
    stated = effect("unit_cost", placement="childrens_home", ratio="r", when_money_ends="persists")
    found = act(stated, ground(3, r=0.9), money(3.0, 1.0, 0.0))
    assert found.delivered[0].tolist() == pytest.approx([0.75, 1.0, 1.0], rel=1e-12)


def test_places_by_hand():
    """40 places for a million, a tenth lost a year: 76 a year later 68.4; 30% from homes, half of the rest agency."""
    found = act(
        effect("places", **PLACES), ground(2, each=40.0, lost=0.1, home=0.3, agency=0.5), money(2e6, 0.0)
    )
    assert found.delivered[0].tolist() == pytest.approx([76.0, 68.4], rel=1e-12)
    assert found.moved[0, 0, [HOME, AGENCY, OWN]].tolist() == pytest.approx(
        [76 * 0.3, 76 * 0.35, -76 * 0.65], rel=1e-12
    )
    np.testing.assert_allclose(found.moved.sum(axis=-1), 0.0, atol=1e-12)


def test_places_beyond_the_most_are_money_that_buys_nothing():
    stated = effect("places", **PLACES, most="most")
    found = act(stated, ground(each=40.0, lost=0.0, home=0.3, agency=0.5, most=60.0), money(2e6))
    assert found.delivered[0, 0] == pytest.approx(60.0, rel=1e-12)
    assert found.surplus[0, 0] == pytest.approx(0.5e6, rel=1e-12)


# --- what holds for every kind --------------------------------------------------------------------------

NONE = {
    "starts": STARTS,
    "stay": {"ratio": "ratio", "cost_per_child": "cost"},
    "exits": {"ratio": "ratio", "cost_per_child": "cost"},
    "placement_shift": {
        "from": "childrens_home",
        "to": "foster_in_house",
        "share": "none",
        "cost_per_child": "cost",
    },
    "unit_cost": {
        "placement": "childrens_home",
        "ratio": "ratio",
        "cost_per_child": "cost",
        "when_money_ends": "persists",
    },
    "places": {"places_per_million": "each", "attrition": "none", "replaces": {"childrens_home": "none"}},
}


def changes(done: Work) -> list[np.ndarray]:
    shifts = [share for _, _, share in done.shifts]
    left = [] if done.leavers is None else [done.leavers.fewer]
    return [a for a in (done.averted, done.moved, done.cheaper, *shifts, *left) if a is not None]


@pytest.mark.parametrize("kind", KINDS)
def test_no_effect_changes_exactly_nothing(kind):
    there = ground(4, draws=3, ratio=1.0, cost=1000.0, none=0.0, each=40.0)
    found = changes(act(effect(kind, **NONE[kind]), there, money(*[3e5] * 4, draws=3)))
    assert found and all((change == 0.0).all() for change in found)


@pytest.mark.parametrize("kind", KINDS)
def test_no_money_changes_exactly_nothing(kind):
    there = ground(4, draws=3, ratio=0.7, cost=1000.0, none=0.5, each=40.0)
    done = act(effect(kind, **NONE[kind]), there, money(*[0.0] * 4, draws=3))
    assert (done.delivered == 0.0).all() and (done.surplus == 0.0).all()
    assert all((change == 0.0).all() for change in changes(done))


@pytest.mark.parametrize("kind", ["starts", "stay", "exits", "placement_shift", "unit_cost"])
def test_coverage_stops_at_everybody_and_the_rest_of_the_money_is_said(kind):
    eligible = {"starts": 200.0, "placement_shift": 100.0, "unit_cost": 100.0}.get(kind, 1000.0)
    there = ground(ratio=0.7, cost=1000.0, none=0.5)
    done = act(effect(kind, **NONE[kind]), there, money(3.0 * eligible * 1000.0))
    assert done.delivered[0, 0] == pytest.approx(1.0, rel=1e-12)
    assert done.surplus[0, 0] == pytest.approx(2.0 * eligible * 1000.0, rel=1e-12)


@pytest.mark.parametrize("kind", ["starts", "stay", "exits", "placement_shift", "unit_cost"])
def test_a_part_of_the_country_can_serve_no_more_than_its_children(kind):
    there = ground(ratio=0.7, cost=1000.0, none=0.5)
    done = act(effect(kind, **NONE[kind]), there, money(1e9, part=0.25))
    assert done.delivered[0, 0] == pytest.approx(0.25, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_do_not_mix(kind):
    values = {
        "ratio": [0.7, 0.9, 1.1],
        "cost": [800.0, 1e3, 2e3],
        "none": [0.2, 0.5, 0.1],
        "each": [9.0, 40, 7],
    }
    paid = money(3e5, 1e5, 0.0, draws=3)
    together = changes(act(effect(kind, **NONE[kind]), ground(3, draws=3, **values), paid))
    for draw in range(3):
        one = {name: value[draw] for name, value in values.items()}
        alone = changes(act(effect(kind, **NONE[kind]), ground(3, **one), money(3e5, 1e5, 0.0)))
        for all_of, own in zip(together, alone, strict=True):
            np.testing.assert_allclose(all_of[draw], own[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_strength_scales_the_effect_and_leaves_what_is_delivered(kind):
    there = ground(3, ratio=0.7, cost=1000.0, none=0.5, each=40.0)
    done = act(effect(kind, **NONE[kind]), there, money(1e5, 1e5, 0.0))
    np.testing.assert_array_equal(done.scaled(2.0).delivered, done.delivered)
    for doubled, once in zip(changes(done.scaled(2.0)), changes(done), strict=True):
        np.testing.assert_allclose(doubled, 2.0 * once, rtol=1e-12)


def test_effects_on_starts_combine_multiplicatively():
    one, other = starts(50_000.0), starts(100_000.0)
    both = share_averted((one, other), shape=one.averted.shape)
    np.testing.assert_allclose(1.0 - both, (1.0 - one.averted) * (1.0 - other.averted), rtol=1e-12)
    assert share_averted((), shape=(1, 1, len(AGE_BANDS))).sum() == 0.0


def test_taken_children_are_conserved():
    """Taken children are never more than there were, over years and groups; closed form for one group."""
    stays = np.ones((1, 1, len(AGE_BANDS), LAGS)) / len(AGE_BANDS)
    taken, fewer = followed(
        np.full((1, 9, 1), 0.3),
        pool=np.full((1, 9, 1), 80.0),
        counts=np.ones((1, 5)),
        fewer=stays,
        gone=stays,
    )
    np.testing.assert_allclose(taken[0, :, 0], 80.0 * 0.3 * 0.7 ** np.arange(9), rtol=1e-12)
    np.testing.assert_allclose(fewer.sum(axis=-1)[0], 80.0 * (1.0 - 0.7 ** np.arange(1, 10)), rtol=1e-12)
