"""The joint table of draws: what is in it, that draws stay paired, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import cba
from cba.errors import InputError
from cba.models.baseline import SERIES
from cba.models.effects_areas import FITTED_ENTRIES, TIERS, tier_shares
from cba.models.growth import GROWTH
from cba.models.parameters import ROLL_OUT, STRAIGHT, joint_parameters, require_finite
from cba.models.studies import CLASSES, ESTIMANDS, FAMILY_HELP
from cba.models.unit_costs import NAMES
from tests.made_fits import made_baseline, made_effects


@pytest.fixture(scope="module")
def parts():
    observations, priors = cba.load_observations(), cba.load_priors()
    return {
        "priors": priors,
        "observations": observations,
        "baseline": made_baseline(observations, priors),
        "effects": made_effects(),
    }


def joint(parts, seed=3, **changes):
    settings = {**parts, **changes}
    return joint_parameters(settings.pop("priors"), seed=seed, **settings)


def test_every_prior_is_there_or_enters_through_a_fit(parts):
    table = joint(parts)
    assert table.sizes["sample"] == 100
    straight = {STRAIGHT, "effects.attenuation", *(f"baseline.{name}" for name in GROWTH)}
    through_fits = {n for n in parts["priors"] if n.startswith(("baseline.", "effects."))} - straight
    assert set(parts["priors"]) - set(table.data_vars) == through_fits
    added = {*ROLL_OUT.values(), "unit_costs.lasting_share", "unit_costs.error_share"}
    added |= {"system.lasting_share", "system.error_share"}
    added |= {f"{name}_{what}" for name in NAMES.values() for what in ("growth", "level", "surprise")}
    added |= {f"baseline.level_{series}" for series in SERIES}
    assert set(table.data_vars) - set(parts["priors"]) == added
    require_finite(table)


def test_roll_out_is_the_new_setting_less_what_is_lost_at_scale(parts):
    """Draw by draw, with one attenuation for all interventions; the sign is never changed."""
    table = joint(parts)
    posterior = parts["effects"]["posterior"]
    kept = 1.0 - table["effects.attenuation"].values
    for estimand in set(ESTIMANDS) - {FAMILY_HELP}:
        effect = posterior["new_setting"].sel(estimand=estimand).values.ravel()
        np.testing.assert_allclose(table[ROLL_OUT[estimand]], effect * kept, rtol=1e-12)
        assert (np.sign(table[ROLL_OUT[estimand]].values) == np.sign(effect)).all()
    setting = posterior["class_setting"].values.reshape(kept.size, -1)
    weight = tier_shares({str(name): table[name].values for name in table.data_vars})
    ratio = sum(
        weight[:, k] * np.exp(kept * setting[:, CLASSES.index(name)]) for k, name in enumerate(TIERS.values())
    )
    np.testing.assert_allclose(np.exp(table["family_help.log_risk_ratio"]), ratio, rtol=1e-12)
    assert (table["family_help.log_risk_ratio"] > 0).any()  # adverse in part of the draws


def test_reach_and_effect_are_those_of_one_posterior_paired_by_draw(parts):
    """Area-level studies correlate them: taken from the priors again, the correlation would be lost."""
    table, posterior = joint(parts), parts["effects"]["posterior"].to_dataset()
    for entry in FITTED_ENTRIES:
        expected = posterior[entry.rsplit(".", 1)[-1]].values.ravel()
        np.testing.assert_array_equal(table[entry], expected)
    drawn = parts["priors"].sample(100, 3)
    assert (table["family_help.in_time_share"] != drawn["family_help.in_time_share"]).any()
    assert table["family_help.eligible_children"].attrs == drawn["family_help.eligible_children"].attrs


def test_draws_of_a_fit_stay_in_their_sample(parts):
    """Chain by chain, in order: permuting would pair the levels of one draw with the paths of another."""
    table = joint(parts)
    level = parts["baseline"]["posterior"]["last_level"]
    assert level.dims == ("chain", "draw", "series")
    for series in SERIES:
        np.testing.assert_array_equal(
            table[f"baseline.level_{series}"], level.sel(series=series).values.reshape(-1)
        )


def test_the_seed_moves_priors_and_not_fits(parts):
    first, again, other = joint(parts), joint(parts), joint(parts, seed=4)
    xr.testing.assert_identical(first, again)
    assert (first["foster.attrition"] != other["foster.attrition"]).all()
    xr.testing.assert_identical(first["baseline.growth_mean"], other["baseline.growth_mean"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_draw_that_is_not_a_number_is_named(parts, value):
    table = joint(parts)
    table["foster.attrition"][7] = value
    with pytest.raises(InputError, match="not a number") as caught:
        require_finite(table)
    assert "foster.attrition" in str(caught.value)
