"""Power scaling of decision quantities: conjugate normals in closed form, no relation where there is none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from cba.errors import InputError
from cba.models.effects_areas import FITTED_ENTRIES
from cba.models.sampling import smoothed_weights
from cba.tables.beliefs import CONFLICT, LARGEST_K, NO_DATA, STRONG_PRIOR, components, power_scaling
from tests.appraisal.made_workings import made_workings

DRAWS = 1000
DIMS = ("chain", "draw")


@pytest.fixture(scope="module")
def plain():
    return made_workings("smoke", DRAWS, 12)


def with_densities(workings, *, prior, likelihood, name="effects"):
    """Give a made fit the log densities of one quantity under a prior and a likelihood."""
    logs = {"log_prior": prior, "log_likelihood": likelihood}
    tree = getattr(workings, name)
    nodes = {group: node.to_dataset() for group, node in tree.children.items()}
    nodes |= {g: xr.Dataset({"level": (DIMS, v.reshape(2, -1))}) for g, v in logs.items()}
    return dataclasses.replace(workings, **{name: xr.DataTree.from_dict(nodes)})


@pytest.fixture(scope="module")
def unrelated(plain):
    rng = np.random.default_rng(3)
    return with_densities(plain, prior=rng.normal(size=DRAWS), likelihood=rng.normal(size=DRAWS))


@pytest.fixture(scope="module")
def in_conflict(plain):
    """NPV as the posterior of a prior below and data above it."""
    npv = plain.arrays.npv.sel(option="care_review").values
    z = (npv - npv.mean()) / npv.std()
    return with_densities(plain, prior=stats.norm(-1, 1).logpdf(z), likelihood=stats.norm(1, 1).logpdf(z))


# --- weights --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0.5, 0.8, 1.25, 2.0])
@pytest.mark.parametrize("component", ["prior", "likelihood"])
def test_a_reweighted_mean_is_that_of_the_scaled_conjugate_posterior(power, component):
    """Prior N(0, 1), one observation 1.5 of N(mu, 1): precisions a and 1 (or 1 and a) under power a."""
    rng = np.random.default_rng(5)
    draws = rng.normal(0.75, np.sqrt(0.5), 20_000)
    logs = stats.norm(0, 1).logpdf(draws) if component == "prior" else stats.norm(1.5, 1).logpdf(draws)
    a, b = (power, 1.0) if component == "prior" else (1.0, power)
    weights, k = smoothed_weights((power - 1) * logs)
    error = np.sqrt(np.sum(weights**2 * (draws - 1.5 * b / (a + b)) ** 2))
    assert k < LARGEST_K
    assert weights @ draws == pytest.approx(1.5 * b / (a + b), abs=4 * error)


def test_weights_that_a_few_draws_carry_are_known_by_their_tail():
    draws = np.random.default_rng(5).standard_normal(4000)
    _, k = smoothed_weights(1.5 * draws**2)  # weights of infinite mean: the tail shape is 3
    assert k > LARGEST_K


# --- the table ------------------------------------------------------------------------------------------


def test_what_is_unrelated_moves_nothing(unrelated):
    table = power_scaling(unrelated, option="care_review").query("of == 'effects'")
    assert set(table["component"]) == {"prior", "likelihood"} and not table["moves"].any()


def test_prior_and_data_that_pull_apart_are_found(in_conflict):
    table = (
        power_scaling(in_conflict, option="care_review")
        .query("of == 'effects'")
        .set_index(["quantity", "component"])
    )
    for component in ("prior", "likelihood"):
        row = table.loc[("npv_fiscal", component)]
        assert row["moves"] and row["sensitivity"] > row["noise"]
    assert table.loc[("npv_fiscal", "prior"), "diagnosis"] == CONFLICT
    # Doubled, not halved: a halved normal prior has weights without a variance, which the gate on k may leave out.
    assert table.loc[("npv_fiscal", "prior"), "value_double"] < table.loc[("npv_fiscal", "prior"), "value"]


def test_a_prior_without_data_that_speak_decides(plain):
    npv = plain.arrays.npv.sel(option="care_review").values
    z = (npv - npv.mean()) / npv.std()
    flat = np.random.default_rng(1).normal(size=DRAWS)
    silent = with_densities(plain, prior=stats.norm(-2, 1).logpdf(z), likelihood=1e-3 * flat)
    table = power_scaling(silent, option="care_review").query("of == 'effects' and quantity == 'npv_fiscal'")
    assert table["diagnosis"].tolist() == [STRONG_PRIOR, STRONG_PRIOR]  # said of the model, on both its rows
    assert table.set_index("component")["moves"].to_dict() == {"prior": True, "likelihood": False}


def test_a_mean_that_few_draws_carry_is_left_out(plain):
    spread = np.random.default_rng(2).standard_normal(DRAWS)
    heavy = with_densities(plain, prior=1.5 * spread**2, likelihood=spread)
    row = power_scaling(heavy, option="care_review").query("of == 'effects' and component == 'prior'").iloc[0]
    assert row["k_double"] > LARGEST_K and np.isnan(row["value_double"]) and np.isfinite(row["value_half"])


def test_an_event_no_draw_varies_has_a_value_and_no_sensitivity(unrelated):
    rows = power_scaling(unrelated, option="care_review").query("quantity == 'prob_fewer_30000'")
    assert (rows["value"] == 0).all() and rows["sensitivity"].isna().all() and not rows["moves"].any()


def test_inputs_drawn_straight_from_their_priors_are_groups_of_their_own(plain):
    found = components(plain)
    assert ("delivery", "prior") in found and ("effects", "prior") not in found
    priors = plain.inputs.priors
    drawn = priors.sample(DRAWS, plain.inputs.analysis.seed)
    names = [
        n
        for n in priors
        if n.startswith("foster.") and n not in FITTED_ENTRIES and n in plain.system.parameters
    ]
    names = [n for n in names if not priors[n].shares_group and priors[n].fitted.family != "Fixed"]
    expected = sum(np.log(priors[n].fitted.pdf(drawn[n].values)) for n in names)
    np.testing.assert_allclose(found["foster", "prior"], expected)
    table = power_scaling(plain, option="care_review")
    assert set(table.query("moves")["diagnosis"]) <= {NO_DATA}


def test_draws_of_no_single_posterior_are_refused(plain):
    with pytest.raises(InputError, match="one set of priors"):
        power_scaling(
            dataclasses.replace(plain, inputs=dataclasses.replace(plain.inputs, stance="mixture")),
            option="care_review",
        )
