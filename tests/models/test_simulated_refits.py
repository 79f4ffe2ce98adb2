"""Made-up data, models whose data can be replaced, and refits, held against models built anew and closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from pytensor.compile.mode import Mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph import rewrite_graph
from pytensor.graph.traversal import ancestors

import cba
from cba.errors import InputError
from cba.inputs.observations import load_programme_rollout
from cba.models.authorities import build_authority_panel
from cba.models.authority_data import authority_panel
from cba.models.baseline import build_baseline, flow_rates
from cba.models.growth import growth_series
from cba.models.studies import arm_draw
from cba.validation.calibration import shipped_refit
from cba.validation.refits import (
    Case,
    Simulated,
    compiled,
    constant_above,
    draw_priors,
    simulated_refit,
    with_replaceable_data,
)
from cba.validation.simulation import SHIPPED, few_authorities, simulated_authorities, simulated_history

QUICK = Mode(linker="py", optimizer="fast_compile")


def log_density(model: pm.Model) -> float:
    """Log density at the model's own starting point."""
    parts = model.compile_fn(
        model.logp(sum=False), inputs=model.value_vars, mode=QUICK, on_unused_input="ignore"
    )
    return float(sum(part.sum() for part in parts(model.initial_point(random_seed=1))))


def replaced(case: Case, data: dict[str, np.ndarray]) -> pm.Model:
    nodes = ancestors([*case.model.logp(sum=False), *case.model.deterministics])
    shared = {node.name: node for node in nodes if isinstance(node, SharedVariable)}
    for name, value in data.items():
        shared[name].set_value(np.asarray(value, dtype=shared[name].dtype))
    return case.model


@pytest.fixture(scope="module")
def baseline_case() -> Case:
    return SHIPPED["baseline"]()


def test_a_sampler_of_business_as_usual_reads_all_that_is_made_up(baseline_case):
    """What does not move the density is not in the compiled function, which refuses data it does not know."""
    rewritten = rewrite_graph(baseline_case.model.logp(), include=["canonicalize", "stabilize"])
    read = {
        node.name
        for node in ancestors([rewritten, baseline_case.model["last_level"]])
        if isinstance(node, SharedVariable)
    }
    assert set(baseline_case.simulate(np.random.default_rng(2)).data) <= read


def test_a_made_up_panel_has_the_mean_and_covariance_of_its_model():
    """The process year by year against the closed form that is fitted: residuals in its units are standard normal."""
    priors = cba.load_priors()
    panel = few_authorities(authority_panel(cba.load_observations(), load_programme_rollout(), priors))
    model, rng = build_authority_panel(panel, priors), np.random.default_rng(3)
    truth, (mean, spread), _ = draw_priors(model, rng, extra=tuple(model["value"].owner.inputs[2:4]))
    made = [simulated_authorities(panel, truth, rng=rng).reshape(mean.shape) for _ in range(2000)]
    root = np.linalg.cholesky(np.broadcast_to(spread, (len(mean), *spread.shape[-2:])))
    rest = np.linalg.solve(root, (np.array(made) - mean)[..., None])[..., 0]
    n = len(rest)
    assert np.abs(rest.mean(axis=0)).max() < 5.0 / np.sqrt(n)
    products = np.einsum("nai,naj->aij", rest, rest) / n
    assert np.abs(products - np.eye(mean.shape[1])).max() < 5.0 * np.sqrt(2.0 / n)


def test_a_baseline_with_replaced_data_is_the_model_built_on_them(baseline_case):
    """Also where a change depends on the level of the year before, and in the level of the last year."""
    priors = cba.load_priors()
    rates = flow_rates(cba.load_observations(), uasc_leave_share=0.55)
    made = baseline_case.simulate(np.random.default_rng(2)).data
    first = made["last_rates"] - made["walk_change"].sum(axis=1)
    values = np.column_stack([first, first[:, None] + made["walk_change"].cumsum(axis=1)])
    number = growth_series(cba.load_observations())
    stock = np.exp(np.append(made["alone_before"], made["unaccompanied"][-1]))
    split = np.stack([number.split[0], made["growth_split"]])
    built = build_baseline(
        dataclasses.replace(rates, values=values, total_start_changes=made["early_total_change"]),
        dataclasses.replace(number, growth=made["growth"], uasc_stock=stock, split=split),
        priors,
    )
    before = log_density(baseline_case.model)
    model = replaced(baseline_case, made)
    assert log_density(model) == pytest.approx(log_density(built), rel=1e-9)
    assert abs(before - log_density(built)) > 1.0
    level = pm.draw(model["last_level"], random_seed=1, mode=QUICK)
    np.testing.assert_allclose(level, pm.draw(built["last_level"], random_seed=1, mode=QUICK))


def test_effects_with_replaced_data_are_the_model_built_on_them():
    """Estimates and counts: results moved in the table, or in the compiled model."""
    from cba.models.authority_findings import known_panel
    from cba.models.effects import build_effects
    from cba.models.effects_areas import care_facts
    from cba.models.studies import studies_used

    priors, case = cba.load_priors(), SHIPPED["effects"]()
    studies = studies_used(cba.load_evidence(), priors)
    moved = studies.copy()
    moved["effect"] = studies["effect"] * -1.3 + 0.1
    for arm in ("treat", "control"):
        moved[f"arm_events_{arm}"] = (studies[f"arm_events_{arm}"] + 3).where(
            studies[f"arm_events_{arm}"].notna()
        )
    facts = care_facts(cba.load_observations())
    built = build_effects(moved, priors, facts=facts, panel=known_panel(9999))
    for variable in built.free_RVs:
        built.rvs_to_initial_values[variable] = None
    data = {name: built[name].get_value() for name in ("reported", "events")}
    before = log_density(case.model)
    assert log_density(replaced(case, data)) == pytest.approx(log_density(built), rel=1e-9)
    assert abs(before - log_density(built)) > 1.0


def test_results_made_up_for_the_synthesis_follow_its_priors():
    """Estimates scatter around zero effects as wide as bias, error and setting; intervals are met and missed."""
    case = SHIPPED["effects"]()
    made = [case.simulate(np.random.default_rng(seed)).data for seed in range(60)]
    inside = np.array([data["inside"] for data in made])
    assert set(np.unique(inside)) == {0, 1}
    reported = np.array([data["reported"] for data in made])
    assert np.isfinite(reported).all() and (reported.std(axis=0) > 0.05).all()
    assert {name: np.shape(values) for name, values in made[0].items()} == {
        name: case.model[name].get_value().shape
        for name in ("panel_reported", "reported", "inside", "events")
    }


def test_histories_follow_the_process():
    """Without noise and innovations walks stand still but for their common factors."""
    rates = flow_rates(cba.load_observations())
    truth = {
        "innovation_sd": np.zeros(15),
        "common_correlation": 0.5,
        "shock_probability": 0.1,
        "start_common_loading": np.full(5, 0.02),
        "exit_common_loading": np.full(5, 0.03),
        "common_factor": np.stack([np.ones(13), np.zeros(13)]),
        "counting_noise": np.zeros(rates.noise.shape),
    }
    made = simulated_history(rates, truth, shock_ratio=3.0, rng=np.random.default_rng(1))
    np.testing.assert_allclose(made["walk_change"][:5], 0.02)
    np.testing.assert_allclose(made["walk_change"][5:10], 0.03 * 0.5)
    np.testing.assert_allclose(made["walk_change"][10:], 0.0, atol=1e-12)


def test_counting_noise_enters_as_published_less_latent():
    rates = flow_rates(cba.load_observations())
    rng = np.random.default_rng(1)
    case = SHIPPED["baseline"]()
    made = case.simulate(rng)
    noise = rates.noise * made.truth["counting_noise"].values
    np.testing.assert_allclose(made.truth["last_level"], made.data["last_rates"] - noise[:, -1])


def test_events_vary_by_their_design_effect():
    rng = np.random.default_rng(6)
    n = 3000
    for extra in (1.0, 1.8):
        drawn = arm_draw(np.full(n, 400.0), np.full(n, 0.3), np.full(n, extra), rng=rng)
        assert drawn.mean() == pytest.approx(120.0, abs=4 * np.sqrt(84 * extra / n))
        assert drawn.var() == pytest.approx(84 * extra, rel=4 * np.sqrt(2 / n) + 0.02)


def test_a_constant_that_is_not_there_once_is_refused():
    import pytensor.tensor as pt

    with pytest.raises(ValueError, match="from 0 constants"):
        constant_above(pt.dvector("x") + np.array([1.0, 2.0]), np.array([3.0, 4.0]))


def test_a_worker_with_another_state_of_the_model_refuses():
    with pytest.raises(InputError, match="install this version on the workers"):
        shipped_refit(0, model="baseline", seed=1, fingerprint="0" * 64)


DATA = np.array([0.4, -0.2, 1.1, 0.9])


def conjugate_case(*, believed_sd: float = 1.0) -> Case:
    """A normal mean with prior N(0, 1) and four values of standard deviation 1, or so the model believes."""
    with pm.Model() as model:
        mean = pm.Normal("mean", 0.0, 1.0)
        seen = pm.Normal("seen", mean, believed_sd, observed=DATA)

    def simulate(rng: np.random.Generator) -> Simulated:
        truth = rng.standard_normal()
        return Simulated(xr.Dataset({"mean": truth}), {"data": truth + rng.standard_normal(4)})

    return Case(
        name=f"conjugate {believed_sd:g}",
        model=with_replaceable_data(model, {"data": model.rvs_to_values[seen]}),
        simulate=simulate,
        quantities=lambda draws, rng: {"square": draws["mean"].values ** 2},
    )


@pytest.mark.slow
def test_refits_find_the_exact_posterior_and_so_does_simuk():
    """One data set, three routes: closed form, this package's compiled refit, and simuk's own loop."""
    import nutpie
    import simuk

    mean, sd = DATA.sum() / 5.0, np.sqrt(1.0 / 5.0)
    ready = compiled(conjugate_case())
    tree = nutpie.sample(
        ready.sampler.with_data(data=DATA), draws=4000, tune=500, chains=1, seed=1, progress_bar=False
    )
    ours = tree["posterior"]["mean"].values.ravel()
    with pm.Model() as model:
        level = pm.Normal("mean", 0.0, 1.0)
        pm.Normal("seen", level, 1.0, observed=np.zeros(4))
    loop = simuk.SBC(
        model,
        num_simulations=1,
        seed=1,
        sample_kwargs={"draws": 4000, "tune": 500, "chains": 1, "nuts_sampler": "nutpie"},
        simulator=lambda mean, seed: {"seen": DATA},
        progress_bar=False,
    )
    loop.run_simulations()
    theirs = loop.posteriors[0]["mean"].values.ravel()
    for draws in (ours, theirs):
        assert draws.mean() == pytest.approx(mean, abs=4.5 * sd / np.sqrt(800))
        assert draws.std() == pytest.approx(sd, rel=0.1)
    rank = int(loop.simulations["prior_sbc"]["mean"].values.ravel()[0])
    assert rank == (theirs < loop.ref_params["mean"].values.ravel()[0]).sum()


@pytest.mark.slow
def test_refits_are_calibrated_and_a_wrong_likelihood_is_found():
    from cba.validation.calibration import uniformity_p_values

    for believed, calibrated in ((1.0, True), (0.5, False)):
        ready = compiled(conjugate_case(believed_sd=believed))
        results = [simulated_refit(ready, replicate=number, seed=9) for number in range(60)]
        ranks = np.array([[found["ranks"]["mean"], found["ranks"]["square"]] for found in results])
        p = uniformity_p_values(ranks, ranked=99, simulations=5000)
        assert (p.min() > 0.005) if calibrated else (p[0] < 0.005), believed
        assert simulated_refit(ready, replicate=7, seed=9) == results[7]
