"""Mixtures: whole draws of two stances in exact shares, everything later worked out as for any other draws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cba.appraisal.inputs import read_inputs
from cba.appraisal.record import Appraisal
from cba.errors import InputError
from cba.inputs.analyses import Mixture, refuse_review, stance_weights
from cba.recipe import appraise
from cba.stances.mixture import HELD, from_evidence, mixed_tree
from tests.appraisal.made_workings import made_fits, made_inputs
from tests.made_fits import as_made_for, made_effects

WEIGHTS = {"evidence": 0.7, "sceptical": 0.3}
DRAWS = 100


@pytest.fixture(scope="module")
def fits():
    baseline, effects = made_fits("latest", DRAWS, 12)
    inputs = made_inputs("latest", DRAWS, 12)
    doubting = read_inputs(inputs.analysis, stance="sceptical", observations=inputs.observations)
    _, others = as_made_for(doubting, made_fits("latest", DRAWS, 12)[0].copy(), made_effects(seed=5))
    return {"baseline": baseline, "effects": {"evidence": effects, "sceptical": others}}


@pytest.fixture(scope="module")
def analysis():
    chosen = ("bau", "care_review", "kinship_only")
    return made_inputs("latest", DRAWS, 12).analysis.model_copy(
        update={"options": chosen, "lead": "care_review"}
    )


def appraised(analysis, fits, stance, **more):
    given = fits if stance == "mixture" else fits | {"effects": fits["effects"][stance]}
    return appraise(analysis, stance=stance, progress=False, **given, **more)


@pytest.fixture(scope="module")
def three(analysis, fits):
    mixed = appraised(analysis, fits, "mixture", weights=WEIGHTS)
    return {s: appraised(analysis, fits, s) for s in ("evidence", "sceptical")} | {"mixture": mixed}


# --- which draws ----------------------------------------------------------------------------------------


@given(
    weight=st.floats(0, 1),
    chains=st.integers(1, 5),
    draws=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_shares_are_exact_and_alike_in_every_chain(weight, chains, draws, seed):
    weights = Mixture(evidence=weight, sceptical=1 - weight)
    chosen = from_evidence(weights, chains=chains, draws=draws, seed=seed)
    assert abs(chosen.sum() - weight * chains * draws) <= 0.5 + 1e-9
    assert np.ptp(chosen.sum(axis=1)) <= 1
    np.testing.assert_array_equal(chosen, from_evidence(weights, chains=chains, draws=draws, seed=seed))


def test_another_seed_chooses_other_draws():
    weights = Mixture(evidence=0.5, sceptical=0.5)
    one, other = (from_evidence(weights, chains=2, draws=50, seed=s) for s in (1, 2))
    assert (one != other).any()


# --- what a mixture is ----------------------------------------------------------------------------------


def test_every_draw_is_a_whole_draw_of_one_stance(three):
    held = three["mixture"].parameters[HELD].values.astype(bool)
    assert held.sum() == 70 and held.size == DRAWS
    for name, values in three["mixture"].parameters.data_vars.items():
        if name != HELD:
            one, other = (three[s].parameters[name].values for s in ("evidence", "sceptical"))
            np.testing.assert_array_equal(values.values, np.where(held, one, other), err_msg=str(name))


@pytest.mark.parametrize("name", ["npv", "children", "cash_flow", "system_cost", "child_years_safe"])
def test_results_of_a_draw_are_those_of_its_stance(three, name):
    """Nothing later couples draws: working out mixed draws is mixing what was worked out."""
    held = xr.DataArray(three["mixture"].parameters[HELD].values.astype(bool), dims="sample")
    expected = xr.where(held, getattr(three["evidence"], name), getattr(three["sceptical"], name))
    found = getattr(three["mixture"], name)
    np.testing.assert_allclose(found, expected.transpose(*found.dims), rtol=1e-12, atol=1e-6)


def test_business_as_usual_is_the_same_under_both(three):
    one, other = (three[s].children.sel(option="bau") for s in ("evidence", "sceptical"))
    np.testing.assert_array_equal(one, other)


def test_one_weight_of_one_is_that_stance(analysis, fits, three):
    alone = appraised(analysis, fits, "mixture", weights={"evidence": 1.0, "sceptical": 0.0})
    np.testing.assert_array_equal(alone.npv, three["evidence"].npv)
    for key, entry in three["evidence"].results.items():
        assert alone.results[key]["mean"] == entry["mean"], key


def test_the_mixture_is_recorded_and_survives_saving(three, tmp_path):
    mixed = three["mixture"]
    record = mixed.provenance["mixture"]
    assert mixed.stance == "mixture" and record["weights"] == WEIGHTS
    assert record["draws"] == {"evidence": 70, "sceptical": 30}
    assert record["fingerprints"]["evidence"] != record["fingerprints"]["sceptical"]
    assert "review_claims" not in mixed.provenance
    own = mixed.tables["priors"].query("name == 'effects.attenuation'")
    assert own["stance"].tolist() == ["evidence", "sceptical"]
    places = mixed.tables["convergence"].query("model == 'effects'")["where"]
    assert [w.split(":")[0] for w in places] == ["evidence", "sceptical"]
    read = Appraisal.from_directory(mixed.to_directory(tmp_path / "mixture"))
    np.testing.assert_array_equal(read.npv, mixed.npv)


def test_groups_of_a_fit_that_cannot_be_mixed_are_left_out():
    """Values by study: the stances admit different studies. Log densities: of one posterior each."""
    rng = np.random.default_rng(0)

    def fit(studies):
        by_study = (("chain", "draw", "study"), rng.normal(size=(2, 3, len(studies))))
        posterior = xr.Dataset(
            {"mean": (("chain", "draw"), rng.normal(size=(2, 3))), "each": by_study},
            coords={"study": studies},
        )
        nodes = {"posterior": posterior, "log_prior": posterior[["mean"]], "constant": xr.Dataset({"a": 1.0})}
        nodes["posterior_predictive"] = posterior.isel(draw=slice(2))  # of fewer draws, and of one posterior
        return xr.DataTree.from_dict(nodes)

    one, other = fit(["a", "b"]), fit(["a", "c"])
    chosen = np.array([[True, False, True], [False, False, True]])
    mixed = mixed_tree(one, other, chosen)
    assert set(mixed.children) == {"posterior", "constant"} and set(mixed["posterior"].data_vars) == {"mean"}
    expected = np.where(chosen, one["posterior"]["mean"], other["posterior"]["mean"])
    np.testing.assert_array_equal(mixed["posterior"]["mean"], expected)


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights, problem, remedy",
    [
        ({"evidence": 0.7, "sceptical": 0.2}, "do not sum to 1", "never rescaled"),
        ({"evidence": 1.2, "sceptical": -0.2}, "above the highest", "correct the number"),
        ({"evidence": 0.7, "review": 0.3}, "`review` cannot be mixed", "read review beside"),
        ({"evidence": 1.0}, "required field is missing", "`sceptical`"),
        ({"evidence": 0.7, "sceptical": 0.2, "hopeful": 0.1}, "unknown field", "remove the field"),
        (None, "no weights", "no default"),
    ],
)
def test_weights_that_mean_nothing_are_refused(analysis, fits, weights, problem, remedy):
    with pytest.raises(InputError) as caught:
        appraised(analysis, fits, "mixture", weights=weights)
    assert problem in caught.value.problem and remedy in caught.value.details["next step"]
    assert str(caught.value.details["field"]).startswith(("mixture", "review"))


def test_weights_without_a_mixture_and_one_fit_for_two_stances_are_refused(analysis, fits):
    with pytest.raises(InputError, match="mixes nothing"):
        appraised(analysis, fits, "evidence", weights=WEIGHTS)
    with pytest.raises(InputError, match="one fit of the effects"):
        one = fits | {"effects": fits["effects"]["evidence"]}
        appraise(analysis, stance="mixture", weights=WEIGHTS, progress=False, **one)


def test_a_fit_of_the_other_stance_is_refused(analysis, fits):
    swapped = fits | {"effects": fits["effects"] | {"sceptical": fits["effects"]["evidence"]}}
    with pytest.raises(InputError, match="the fit of effects was not made from") as caught:
        appraised(analysis, swapped, "mixture", weights=WEIGHTS)
    assert str(caught.value.details["found"]).endswith(": priors")


def test_review_has_no_probability_to_give():
    with pytest.raises(InputError, match="cannot be used for the value of information"):
        refuse_review("review", use="used for the value of information")
    refuse_review("mixture", use="used for the value of information")


def test_checked_weights_are_taken_as_they_are():
    weights = Mixture(evidence=0.25, sceptical=0.75)
    assert stance_weights(weights) is weights
