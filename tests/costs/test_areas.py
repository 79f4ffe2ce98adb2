"""Options limited to some authorities serve no more children than live there."""

from __future__ import annotations

import numpy as np
import pytest

import cba
from cba.errors import InputError
from cba.interventions import kinds
from cba.projection.care_system import area_share
from tests.appraisal.made_workings import made_workings, option


@pytest.fixture(scope="module")
def system():
    return made_workings().system


def abundant(system):
    money = np.full(system.baseline["closure"].shape, 1e12)
    return {name: money for name in ("family_help", "kinship", "foster", "regional_care")}


def bought(chosen, system, money):
    """Work by name of what money buys."""
    effects, part = kinds.checked(chosen), area_share(chosen, system)
    each = kinds.money_by_effect(effects, system.ground, yearly=money, programme=money, part=part)
    done = kinds.work(effects, system.ground, money=each)
    return {work.name: work for work in done}


def test_share_is_that_of_the_published_population(system):
    people = cba.load_observations()["population_by_authority"].sel(year=2024)
    chosen = option("care_review", areas=("301", "815"))
    expected = float(people.sel(authority=["301", "815"]).sum() / people.sum())
    assert area_share(chosen, system) == pytest.approx(expected, rel=1e-12)


def test_all_authorities_are_all_of_england(system):
    assert sum(system.authority_share.values()) == pytest.approx(1.0, rel=1e-12)
    everywhere = option("care_review", areas=tuple(system.authority_share))
    assert area_share(everywhere, system) == pytest.approx(1.0, rel=1e-12)
    assert area_share(option("care_review"), system) == 1.0


def test_money_without_end_serves_the_areas_and_nobody_else(system):
    chosen = option("care_review", areas=("301", "815"))
    money = abundant(system)
    found = bought(chosen, system, money)
    share = area_share(chosen, system)
    for name in ("family_help", "meetings", "allowances"):
        assert found[name].delivered[:, -1] == pytest.approx(share, rel=1e-9), name
    whole = bought(option("care_review"), system, money)
    assert whole["family_help"].delivered[:, -1] == pytest.approx(1.0)
    np.testing.assert_allclose(
        found["allowances"].deadweight, share * whole["allowances"].deadweight, rtol=1e-9
    )


def test_scarce_money_buys_the_same_wherever_it_is_spent(system):
    """Below saturation the number of children served does not depend on the areas."""
    money = {name: amount * 1e-8 for name, amount in abundant(system).items()}
    few = bought(option("care_review", areas=("301", "815")), system, money)["family_help"]
    all_over = bought(option("care_review"), system, money)["family_help"]
    np.testing.assert_allclose(few.delivered, all_over.delivered, rtol=1e-9)


def test_a_code_without_a_population_is_refused(system):
    with pytest.raises(InputError) as caught:
        area_share(option("care_review", areas=("909",)), system)
    for part in ("priors/options/care_review.toml", "areas", "909", "before a reorganisation", "three-digit"):
        assert part in str(caught.value)
