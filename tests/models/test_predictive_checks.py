"""Predictions with a year or a study left out, held against brute force, closed forms and one real refit."""

from __future__ import annotations

import dataclasses

import arviz_stats
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import cba
from cba.dimensions import AGE_BANDS
from cba.models.baseline import SERIES, FlowRates, flow_rates
from cba.models.checks import (
    MovementDraws,
    autocorrelations,
    change_probabilities,
    left_out,
    movement_draws,
    replicated_changes,
    study_checks,
    yearly_log_density,
)
from cba.models.studies import ESTIMANDS, OPEN_END, StudyArrays


@pytest.fixture(scope="module")
def rates() -> FlowRates:
    return flow_rates(cba.load_observations(), uasc_leave_share=0.55)


def made_draws(count: int, *, seed: int = 1) -> MovementDraws:
    rng = np.random.default_rng(seed)
    return MovementDraws(
        sd=np.exp(rng.normal(-3.0, 0.3, (count, 15))),
        start_loading=np.exp(rng.normal(-3.4, 0.3, (count, 5))),
        exit_loading=np.exp(rng.normal(-2.9, 0.3, (count, 5))),
        correlation=rng.uniform(0.1, 0.8, count),
        shock_probability=rng.uniform(0.02, 0.15, count),
        shock_ratio=3.0,
        place=np.arange(count),
    )


def test_density_of_a_year_by_brute_force(rates):
    """The double integral over the common factors against 400,000 draws of them, for two draws and every year."""
    draws, rng = made_draws(2), np.random.default_rng(2)
    found = yearly_log_density(draws, rates)
    changes = np.diff(rates.values, axis=1)
    noise = rates.noise[:, 1:] ** 2 + rates.noise[:, :-1] ** 2
    f = rng.standard_normal((2, 400_000))
    for d in range(2):
        rho = draws.correlation[d]
        g = rho * f[0] + np.sqrt(1 - rho**2) * f[1]
        shift = [
            draws.start_loading[d][:, None] * f[0],
            draws.exit_loading[d][:, None] * g,
            np.zeros((5, f.shape[1])),
        ]
        common = np.concatenate(shift)
        for t in range(0, changes.shape[1], 3):
            log = np.zeros(f.shape[1])
            for i in range(15):
                usual, shock = (
                    stats.norm.pdf(changes[i, t], common[i], np.sqrt((k * draws.sd[d, i]) ** 2 + noise[i, t]))
                    for k in (1.0, 3.0)
                )
                w = draws.shock_probability[d]
                log += np.log((1 - w) * usual + w * shock)
            weight = np.exp(log - log.max())
            expected = np.log(weight.mean()) + log.max()
            error = weight.std() / weight.mean() / np.sqrt(len(weight))
            assert found[d, t] == pytest.approx(expected, abs=5 * error)


def test_probabilities_of_changes_are_shares_of_changes_drawn_anew(rates):
    """Two routes to one number: the mixture's distribution function, and 20,000 draws from one parameter value."""
    one = made_draws(1)
    many = dataclasses.replace(
        one,
        **{
            name: np.repeat(value, 20_000, axis=0)
            for name, value in vars(one).items()
            if isinstance(value, np.ndarray)
        },
    )
    exact = change_probabilities(one, rates)[0]
    drawn = (replicated_changes(many, rates, seed=3) <= np.diff(rates.values, axis=1)).mean(axis=0)
    error = np.sqrt(exact * (1 - exact) / 20_000)
    assert (np.abs(exact - drawn) < 4.5 * error + 1e-4).all()


def test_leaving_out_by_weights_is_exact_bayes_for_a_normal_mean():
    """Draws of a normal mean given ten values, weighed to nine: closed form of the posterior given nine."""
    rng = np.random.default_rng(4)
    seen = rng.normal(0.5, 1.0, 10)
    mean = rng.normal(seen.sum() / 11.0, np.sqrt(1.0 / 11.0), 40_000)
    found = left_out(stats.norm.logpdf(seen[None, :], mean[:, None]))
    assert (found.pareto_k < 0.7).all()
    np.testing.assert_allclose(found.weights.T @ mean, (seen.sum() - seen) / 10.0, atol=0.02)


def test_autocorrelation_of_a_drift_and_of_an_alternating_series():
    assert autocorrelations(np.ones(13), lags=1)[0] == pytest.approx(12 / 13)
    assert autocorrelations(np.array([1.0, -1.0] * 6), lags=2).tolist() == pytest.approx([-11 / 12, 10 / 12])


def test_draws_are_paired_with_the_fits():
    dims = ("chain", "draw")
    posterior = {
        "innovation_sd": ((*dims, "series"), np.arange(2 * 30 * 15.0).reshape(2, 30, 15)),
        "start_common_loading": ((*dims, "age"), np.ones((2, 30, 5))),
        "exit_common_loading": ((*dims, "age"), np.ones((2, 30, 5))),
    }
    names = ("common_correlation", "shock_probability")
    posterior |= {name: (dims, np.ones((2, 30))) for name in names}
    data = xr.Dataset(posterior, coords={"series": list(SERIES), "age": list(AGE_BANDS)})
    fit = xr.DataTree.from_dict({"posterior": data, "constant_data": xr.Dataset({"shock_ratio": 3.0})})
    draws = movement_draws(fit, most=20)
    assert draws.place.tolist() == list(range(0, 60, 3))
    flat = data["innovation_sd"].values.reshape(60, 15)
    np.testing.assert_array_equal(draws.sd, flat[draws.place])


def made_studies(**changes: np.ndarray) -> StudyArrays:
    blank = {
        name: np.zeros(2)
        for name in (
            "lower", "upper", "bias_mean", "design_log_mean", "design_log_sd", "follow_up_power", "risk_sd",
        )
    }  # fmt: skip
    kinds = ("foreign", "at_scale", "from_nothing", "censored", "area")
    flags = {name: np.zeros(2, dtype=bool) for name in kinds}
    given = {
        "names": np.array(["A", "B"]),
        "estimand": np.zeros(2, dtype=int),
        "service_class": np.zeros(2, dtype=int),
        "sign": -np.ones(2),
        "scale": np.ones(2),
        "effect": np.array([0.3, -0.4]),
        "se": np.array([0.4, 0.45]),
        "bias_sd": np.full(2, 0.1),
        "arms": np.full((2, 4), np.nan),
        "coverage_mean": np.full(2, np.nan),
        "coverage_sd": np.full(2, np.nan),
        "ages": np.array(["", ""]),
    }
    return StudyArrays(**(blank | flags | given | changes))


def conjugate_fit(studies: StudyArrays, *, prior_sd: float = 0.3, draws: int = 40_000) -> xr.DataTree:
    """Exact draws of a common effect with no heterogeneity, given both studies."""
    precision = 1.0 / (studies.se**2 + studies.bias_sd**2)
    variance = 1.0 / (1.0 / prior_sd**2 + precision.sum())
    mean = np.random.default_rng(5).normal(
        variance * (precision * studies.effect).sum(), np.sqrt(variance), (1, draws)
    )
    dims = ("chain", "draw", "estimand")
    held = {"mean": (dims, np.repeat(mean[..., None], len(ESTIMANDS), axis=2))}
    held |= {name: (dims, np.zeros((1, draws, len(ESTIMANDS)))) for name in ("heterogeneity", "transport")}
    alone = {"stay_ratio": 1.0, "attenuation": 0.3, "already_paid_share": 0.3, "between_classes": 0.2}
    held |= {name: (dims[:2], np.full((1, draws), value)) for name, value in alone.items()}
    held["class_offset"] = ((*dims[:2], "several_classes"), np.zeros((1, draws, 3)))
    posterior = xr.Dataset(held)
    return xr.DataTree.from_dict({"posterior": posterior.assign_coords(estimand=list(ESTIMANDS))})


def test_a_study_is_predicted_from_the_other_in_closed_form():
    studies = made_studies()
    table = study_checks(conjugate_fit(studies), studies)
    total = studies.se**2 + studies.bias_sd**2
    for this, other in ((0, 1), (1, 0)):
        variance = 1.0 / (1.0 / 0.3**2 + 1.0 / total[other])
        mean = variance * studies.effect[other] / total[other]
        sd = np.sqrt(variance + total[this])
        assert table["expected"][this] == pytest.approx(mean, abs=0.01)
        assert table["expected_sd"][this] == pytest.approx(sd, rel=0.02)
        assert table["residual"][this] == pytest.approx((studies.effect[this] - mean) / sd, abs=0.03)
        assert table["pit"][this] == pytest.approx(stats.norm.cdf(studies.effect[this], mean, sd), abs=0.01)


def test_an_interval_has_a_chance_and_no_residual():
    censored = np.array([True, False])
    bounds = {"lower": np.array([-OPEN_END, 0.0]), "upper": np.array([0.0, 0.0])}
    studies = made_studies(censored=censored, **bounds)
    fit = conjugate_fit(made_studies(se=np.array([1e6, 0.45])))
    table = study_checks(fit, studies)
    # The draws know nothing of the first study, so its weights take off an interval that was never in: quadrature.
    variance = 1.0 / (1.0 / 0.3**2 + 1.0 / (0.45**2 + 0.1**2))
    centre = variance * -0.4 / (0.45**2 + 0.1**2)
    effect = np.linspace(centre - 8 * np.sqrt(variance), centre + 8 * np.sqrt(variance), 4001)
    density = stats.norm.pdf(effect, centre, np.sqrt(variance))
    inside = stats.norm.cdf(0.0, effect, np.sqrt(0.4**2 + 0.1**2))
    expected = density.sum() / (density / inside).sum()
    assert table["probability_inside"][0] == pytest.approx(expected, abs=0.01)
    assert np.isnan(table["residual"][0]) and np.isnan(table["pit"][0])
    assert np.isnan(table["probability_inside"][1])


def relative_error(draws):
    """Monte Carlo error of each mean of two chains, one after the other, in standard deviations."""
    columns = draws.reshape(len(draws), -1).T
    errors = [
        float(arviz_stats.mcse(column.reshape(2, -1), method="mean")) / column.std() for column in columns
    ]
    return np.reshape(errors, draws.shape[1:])


@pytest.mark.slow
def test_weights_that_leave_out_the_pandemic_agree_with_a_refit(rates):
    """The oracle: the model sampled with the changes into 2021 taken out of its likelihood."""
    import nutpie
    import pymc as pm

    from cba.models.baseline import build_baseline
    from cba.models.growth import growth_series
    from cba.models.sampling import compiled

    priors = cba.load_priors()
    place = int(np.flatnonzero(rates.years[1:] == 2021)[0])
    # Compiled once, which takes longer than sampling twice: what is taken out is told by a number in the model.
    model = build_baseline(rates, growth_series(cba.load_observations()), priors)
    logs = model.logp(vars=[model["walk_change"]], sum=False)
    with model:
        taken_out = pm.Data("taken_out", 0.0)
        pm.Potential("without", -taken_out * logs[0][:, place].sum())
    sampler = compiled(model)
    both = []
    for without in (0.0, 1.0):
        given = sampler.with_data(taken_out=without)
        # twice the draws that are kept: neighbours resemble each other, and errors are those of independent draws
        tree = nutpie.sample(given, draws=4000, tune=500, chains=2, seed=3, progress_bar=False)
        tree["constant_data"] = xr.DataTree(xr.Dataset({"shock_ratio": 3.0}))
        both.append(movement_draws(tree, most=4000))
    full, refit = both
    weights = left_out(yearly_log_density(full, rates)).weights[:, place]
    for name in ("sd", "start_loading", "exit_loading", "shock_probability"):
        whole, oracle = getattr(full, name), getattr(refit, name)
        spread = oracle.std(axis=0)
        gap = (weights @ whole - oracle.mean(axis=0)) / spread
        # of weighed draws of a chain, and of the refit's own
        scatter2 = np.tensordot(weights**2, (whole - np.tensordot(weights, whole, 1)) ** 2, 1) / spread**2
        error2 = relative_error(whole) ** 2 * len(whole) * scatter2 + relative_error(oracle) ** 2
        assert (np.abs(gap) < 4.5 * np.sqrt(error2) + 0.05).all(), (
            name,
            (np.abs(gap) / np.sqrt(error2)).round(1),
        )
