"""What options change: nothing from nothing, harm where effects are adverse, one total however it is split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cba.dimensions import AGE_BANDS, PLACEMENTS
from cba.errors import InputError
from cba.inputs.options import load_options
from cba.interventions import kinds
from cba.projection.care_system import averted_share, averted_stock, option_children
from tests.projection.conftest import YEARS, made_system

PLACE = {name: index for index, name in enumerate(PLACEMENTS)}


CARE_REVIEW = load_options(["care_review"])[0]
SHIPPED = {
    effect.name: effect
    for effect in kinds.checked(
        CARE_REVIEW.model_copy(
            update={"effects": CARE_REVIEW.effects.model_copy(update={"price_reform": True})}
        )
    )
}


def served(system, **services):
    """Shipped effects at work at levels that are constant in time from the second year."""
    path = np.zeros(system.baseline["closure"].shape)
    path[:, 1:] = 1.0
    effects = {name: SHIPPED[name] for name in services}
    return tuple(e.kind.at(e, system.ground, services[name] * path) for name, e in effects.items())


ALL = {"family_help": 0.3, "meetings": 0.5, "allowances": 0.4, "foster_places": 2000.0, "step_down": 1.0}


@pytest.fixture(scope="module")
def everything(system):
    return option_children(system, served(system, **ALL))


def test_no_services_change_exactly_nothing(system):
    found = option_children(system, ())
    for name in (
        "averted_starts",
        "early_leavers",
        "under_guardianship",
        "fewer_by_age",
        "fewer_by_placement",
    ):
        assert (getattr(found, name) == 0).all(), name
    assert (found.moved == 0).all()


def test_no_effect_averts_exactly_nothing(observations, priors):
    """Full coverage of services that do nothing."""
    inert = made_system(
        observations, priors, draws=5, family_help__log_risk_ratio=0.0, kinship__log_risk_ratio=0.0
    )
    found = option_children(inert, served(inert, family_help=1.0, meetings=1.0))
    assert (found.averted_starts == 0).all() and (found.fewer_by_age == 0).all()


def test_by_age_and_by_placement_sum_to_one_total(everything):
    np.testing.assert_allclose(
        everything.fewer_by_age.sum(-1), everything.fewer_by_placement.sum(-1), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(everything.moved.sum(-1), 0.0, atol=1e-9)
    assert (everything.fewer_by_age[:, 0] == 0).all()  # served from the second year


def test_effects_combine_multiplicatively_and_adverse_draws_add_children(system):
    both = averted_share(system, served(system, family_help=0.5, meetings=0.8))
    alone = averted_share(system, served(system, family_help=0.5))
    other = averted_share(system, served(system, meetings=0.8))
    np.testing.assert_allclose(1 - both, (1 - alone) * (1 - other), rtol=1e-12)
    log_ratio = system.value("family_help.log_risk_ratio")
    adverse = log_ratio > 0
    assert 0.05 < adverse.mean() < 0.95
    for band in (1, 2, 3):  # bands without a tilt of their own
        assert (alone[adverse, 5, band] < 0).all() and (alone[~adverse, 5, band] > 0).all()
    expected = 0.5 * system.reach_by_age[:, 2] * (1 - np.exp(log_ratio))
    np.testing.assert_allclose(alone[:, 5, 2], expected, rtol=1e-12)
    youngest = np.exp(log_ratio * system.value("family_help.age_tilt_under_1"))
    np.testing.assert_allclose(alone[:, 5, 0], 0.5 * system.reach_by_age[:, 0] * (1 - youngest), rtol=1e-12)
    route = system.value("kinship.route_share") * system.value("kinship.uncovered_share")
    meeting = 0.8 * route * (1 - np.exp(system.value("kinship.log_risk_ratio")))
    np.testing.assert_allclose(other[:, 5], np.repeat(meeting[:, None], 5, axis=1), rtol=1e-12)


def test_adverse_effects_mean_more_children_in_care(observations, priors):
    harmful = made_system(observations, priors, draws=20, family_help__log_risk_ratio=0.2)
    found = option_children(harmful, served(harmful, family_help=0.3))
    assert (found.averted_starts[:, 1:].sum(-1) < 0).all()
    assert (found.fewer_by_age.sum(-1)[:, 1:8] < 0).all()


def test_more_coverage_averts_more_where_it_helps(observations, priors):
    helpful = made_system(observations, priors, draws=20, family_help__log_risk_ratio=-0.2)
    fewer = [
        option_children(helpful, served(helpful, family_help=level)).fewer_by_age.sum(-1)[:, 1:8]
        for level in (0.1, 0.2, 0.4)
    ]
    assert (fewer[0] > 0).all() and (fewer[1] > fewer[0]).all()
    np.testing.assert_allclose(fewer[2], 2 * fewer[1], rtol=1e-9)  # linear in coverage


def test_averted_children_follow_the_kernel(system):
    services = served(system, family_help=0.3)
    found = option_children(system, services)
    reachable = system.baseline["starts_reachable"].transpose("sample", "year", "age").values
    np.testing.assert_allclose(found.averted_starts, reachable * averted_share(system, services), rtol=1e-12)
    by_age, by_placement = averted_stock(
        found.averted_starts, kernel=system.averted_kernel, mix=system.entrant_mix
    )
    np.testing.assert_allclose(found.fewer_by_age, by_age, rtol=1e-12)
    np.testing.assert_allclose(found.fewer_by_placement, by_placement, rtol=1e-12)


def test_early_leavers_by_hand(system):
    """RD over T years is the yearly rate -ln(1 - RD)/T, on relatives' foster care less who has already left."""
    found = option_children(system, served(system, allowances=0.5))
    gain, years = system.value("kinship.permanence_gain"), system.value("kinship.permanence_years")
    rate = -np.log(1 - gain) / years
    np.testing.assert_allclose(1 - (1 - rate / 1000) ** (1000 * years), gain, rtol=1e-3, atol=1e-6)
    total = system.baseline["children"].sum("age").transpose("sample", "year").values
    relatives = total * system.placement_mix[..., PLACE["foster_relative_or_friend"]]
    for draw in (0, 77):
        gone = np.zeros(len(YEARS))
        for year in range(1, 6):
            leavers = rate[draw] * 0.5 * (relatives[draw, year] - gone[year - 1])
            assert found.early_leavers[draw, year] == pytest.approx(leavers, rel=1e-9)
            for later in range(year, len(YEARS)):
                gone[later] += leavers * system.leaver_kernel[draw, :, later - year].sum()
        assert found.fewer_by_age[draw, 5].sum() == pytest.approx(gone[5], rel=1e-9)
        assert found.fewer_by_placement[draw, 5, PLACE["foster_relative_or_friend"]] == pytest.approx(
            gone[5], rel=1e-9
        )
    guardians = found.under_guardianship
    np.testing.assert_allclose(
        guardians[:, 1], found.early_leavers[:, 1] * system.guardian_years[0], rtol=1e-12
    )
    assert (np.abs(guardians) >= np.abs(found.fewer_by_age.sum(-1)) - 1e-9).all()


def test_children_at_home_are_those_averted_and_those_who_left_without_an_order(system):
    helped = served(system, family_help=0.3)
    averted = option_children(system, helped)
    np.testing.assert_allclose(averted.at_home, averted.fewer, rtol=1e-12)
    assert averted.at_home[:, 5].any()
    allowed = served(system, allowances=0.5)  # special guardians look after all who leave under these
    assert not option_children(system, allowed).at_home.any()
    both = option_children(system, (*helped, *allowed))
    np.testing.assert_allclose(both.at_home, averted.at_home, rtol=1e-12)
    without_orders = [replace(work, leavers=replace(work.leavers, supported=None)) for work in allowed]
    left = option_children(system, without_orders)
    np.testing.assert_allclose(left.at_home, left.fewer, rtol=1e-12)
    assert left.at_home[:, 5].any()
    together = option_children(system, (*helped, *without_orders))
    np.testing.assert_allclose(together.at_home, together.fewer, rtol=1e-12)


def test_foster_places_and_reform_move_children_and_leave_their_number(system):
    found = option_children(system, served(system, foster_places=2000.0))
    assert (found.fewer_by_age == 0).all() and (found.fewer_by_placement == 0).all()
    share = system.value("foster.home_share")
    odds = share / (1 - share) * np.exp(system.value("foster.substitution"))
    from_home = 2000 * odds / (1 + odds)
    from_agency = (2000 - from_home) * system.value("foster.agency_share")
    np.testing.assert_allclose(found.moved[:, 4, PLACE["childrens_home"]], from_home, rtol=1e-9)
    np.testing.assert_allclose(found.moved[:, 4, PLACE["foster_agency"]], from_agency, rtol=1e-9)
    np.testing.assert_allclose(
        found.moved[:, 4, PLACE["foster_in_house"]], -(from_home + from_agency), rtol=1e-9
    )
    stepped = option_children(system, served(system, step_down=1.0))
    total = system.baseline["children"].sum("age").transpose("sample", "year").values
    homes = total * system.placement_mix[..., PLACE["childrens_home"]]
    expected = homes[:, 4] * system.value("reform.step_down_share")
    np.testing.assert_allclose(stepped.moved[:, 4, PLACE["childrens_home"]], expected, rtol=1e-9)


def test_draws_do_not_mix(system, everything):
    """Permuting the draws of every input permutes the result (CASES C14, relation 7)."""
    order = np.random.default_rng(0).permutation(system.reach.size)
    permuted = replace(
        system,
        baseline=system.baseline.isel(sample=order),
        parameters=system.parameters.isel(sample=order),
        placement_mix=system.placement_mix[order],
        averted_kernel=system.averted_kernel[order],
        entrant_mix=system.entrant_mix[order],
        reach=system.reach[order],
        reach_by_age=system.reach_by_age[order],
    )
    found = option_children(permuted, served(permuted, **ALL))
    np.testing.assert_array_equal(found.fewer_by_age, everything.fewer_by_age[order])
    np.testing.assert_array_equal(found.moved, everything.moved[order])


def test_taking_more_children_than_there_are_names_the_band(observations, priors):
    """Every start averted for thirty years, each for a stay no child has: a band runs out, and says so."""
    extreme = made_system(
        observations,
        priors,
        draws=5,
        family_help__log_risk_ratio=-20.0,
        family_help__stay_ratio=5.0,
        family_help__deferral_share=0.0,
        family_help__start_share_early_help=0.2,
        family_help__start_share_in_need=0.2,
        family_help__start_share_protection=0.59,
        family_help__in_time_share=0.999,
        family_help__of_kind_share=0.999,
    )
    with pytest.raises(InputError, match="more children out of an age band") as caught:
        option_children(extreme, served(extreme, family_help=1.0))
    message = str(caught.value)
    assert any(f"field: {band}" in message for band in AGE_BANDS)
    assert "nothing is clipped" in message and "0 or more" in message


def test_more_foster_places_than_agency_children_names_the_placement(system):
    with pytest.raises(InputError, match="out of a placement") as caught:
        option_children(system, served(system, foster_places=90_000.0))
    message = str(caught.value)
    assert "field: foster_agency" in message or "field: childrens_home" in message
    assert "of draws" in message
