"""The evidence synthesis against the BCG trials (quadrature), closed forms and simulated studies with bias."""

from __future__ import annotations

from dataclasses import replace

import arviz_stats
import numpy as np
import pandas as pd
import pytest

import cba
from cba.errors import InputError
from cba.inputs.distributions import distribution
from cba.inputs.prior_registry import PriorRegistry
from cba.models.effects import ESTIMANDS, build_effects, fit_effects, studies_used
from cba.models.gates import Gates

QUICK = "FAST_COMPILE"
BCG = (
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232),
    (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
)  # fmt: skip
"""Vaccinated with and without tuberculosis, control with and without (Colditz et al. 1994, table 1)."""

FAMILY_HELP = "care_entry_log_rr"


@pytest.fixture(scope="module")
def shipped():
    return cba.load_priors()


def registry(shipped, **changes):
    """The shipped registry with some ``effects.*`` entries restated: name=(family, parameters)."""
    entries = dict(shipped.entries)
    for name, (family, parameters) in changes.items():
        entry = f"effects.{name}"
        entries[entry] = replace(entries[entry], fitted=distribution(family, parameters=parameters))
    return PriorRegistry("evidence", entries)


def normal(mu, sigma):
    return "Normal", {"mu": mu, "sigma": sigma}


def studies(effect, se, *, design="rct", estimand=FAMILY_HELP):
    count = len(effect)
    return pd.DataFrame(
        {
            "study_id": [f"study_{number}" for number in range(count)],
            "estimand": estimand,
            "effect": effect,
            "effect_se": se,
            "design_class": [design] * count if isinstance(design, str) else design,
            "use": "synthesis",
        }
    )


def evidence_of(table):
    return replace(cba.load_evidence(), effects=table)


def bcg_studies():
    a, b, c, d = np.array(BCG, dtype=float).T
    effect = np.log(a / (a + b)) - np.log(c / (c + d))
    return studies(effect, np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)))


# --- which studies count --------------------------------------------------------------------------------


def test_a_stance_admits_its_designs_only():
    evidence = cba.load_evidence()
    every = studies_used(evidence, cba.load_priors())
    trials = studies_used(evidence, cba.load_priors(stance="sceptical"))
    assert set(trials["design_class"]) == {"rct"}
    assert {"rct", "matched", "before_after"} <= set(every["design_class"])
    pd.testing.assert_frame_equal(trials, every[every["design_class"] == "rct"].reset_index(drop=True))
    assert (every["use"] == "synthesis").all() and len(every) < len(evidence.effects)


def test_an_unknown_estimand_is_refused(shipped):
    table = studies([0.1], [0.1], estimand="days_in_care")
    with pytest.raises(InputError, match="estimand that the synthesis does not know") as caught:
        studies_used(evidence_of(table), shipped)
    message = str(caught.value)
    assert "evidence_effects.csv" in message and "days_in_care" in message
    assert FAMILY_HELP in message and "set use to excluded" in message


# --- the density, without sampling ----------------------------------------------------------------------


def grid_posterior(model, *, estimand, centres, heterogeneity):
    """Posterior mean and sd of one estimand's mean, others held, heterogeneity fixed: a sum over a grid."""
    logp = model.compile_fn(model.logp(), inputs=model.value_vars, point_fn=True, mode=QUICK)
    point = {name: np.array(value, dtype=float) for name, value in model.initial_point().items()}
    point["heterogeneity_log__"][:] = np.log(heterogeneity)
    position = list(ESTIMANDS).index(estimand)
    density = np.empty(centres.size)
    for number, centre in enumerate(centres):
        point["mean"][position] = centre
        density[number] = logp(point)
    weight = np.exp(density - density.max())
    weight /= weight.sum()
    mean = weight @ centres
    return mean, np.sqrt(weight @ (centres - mean) ** 2)


@pytest.mark.parametrize(
    "estimand, favours, scale",
    [
        ("care_entry_log_rr", -1, 1.0),
        ("permanence_risk_diff", 1, 0.1),
        ("foster_substitution_log_ratio", 1, 1.0),
    ],
)
def test_one_estimand_is_the_precision_weighted_mean(shipped, estimand, favours, scale):
    """Closed form: weights 1/(se^2 + k^2 tau^2 + k^2 s^2), each study moved back by its bias, and the prior."""
    effect, se = scale * np.array([-0.3, 0.1, -0.6]), scale * np.array([0.1, 0.2, 0.3])
    designs = ["rct", "matched", "before_after"]
    tau = 0.05
    prior_sd = scale * 0.4
    changed = registry(
        shipped,
        mean_log_risk_ratio=normal(0.0, prior_sd),
        mean_permanence=normal(0.0, prior_sd),
        mean_substitution=normal(0.0, prior_sd),
    )
    model = build_effects(studies(effect, se, design=designs, estimand=estimand), changed)
    bias = [changed[f"effects.bias_{design}"].parameters for design in designs]
    moved = effect - favours * scale * np.array([b["mu"] for b in bias])
    spread = se**2 + (scale * tau) ** 2 + (scale * np.array([b["sigma"] for b in bias])) ** 2
    precision = np.append(1 / spread, prior_sd**-2)
    exact = precision @ np.append(moved, 0.0) / precision.sum()
    sd = precision.sum() ** -0.5
    centres = np.linspace(exact - 8 * sd, exact + 8 * sd, 201)
    found = grid_posterior(model, estimand=estimand, centres=centres, heterogeneity=tau)
    assert found == pytest.approx((exact, sd), rel=1e-6, abs=1e-9 * scale)


def test_a_large_before_after_study_cannot_outvote_a_trial(shipped):
    """However small its standard error: what it can add is bounded by its bias, not by its sample."""
    centres = np.linspace(-3, 3, 401)
    trial = studies([0.0], [0.15])

    def posterior(table):
        return grid_posterior(
            build_effects(table, shipped), estimand=FAMILY_HELP, centres=centres, heterogeneity=0.1
        )

    alone, sd_alone = posterior(trial)
    shifts = []
    for se in (0.01, 0.0001):
        both = pd.concat(
            [trial, studies([-1.5], [se], design="before_after").assign(study_id="before_after")]
        )
        mean, sd = posterior(both)
        shifts.append(mean - alone)
        assert sd > 0.9 * sd_alone
    assert abs(shifts[-1]) < 0.15  # a tenth of the -1.5 claimed
    assert shifts[-1] == pytest.approx(shifts[0], rel=1e-2)  # a hundred times the sample adds nothing
    rival = pd.concat([trial, studies([-1.5], [0.01], design="rct").assign(study_id="rival")])
    assert posterior(rival)[0] - alone < 4 * shifts[-1]  # as a trial it would have counted


def test_adverse_effects_are_not_truncated(shipped):
    """A trial that finds harm moves the mean past zero, and the density there is smooth."""
    centres = np.linspace(-2, 2, 801)
    model = build_effects(studies([0.6], [0.05]), shipped)
    mean, sd = grid_posterior(model, estimand=FAMILY_HELP, centres=centres, heterogeneity=0.05)
    assert mean > 0.5 and mean - 4 * sd > 0


def test_without_studies_the_prior_is_left(shipped):
    model = build_effects(studies([], []), shipped)
    centres = np.linspace(-3, 3, 601)
    found = grid_posterior(model, estimand=FAMILY_HELP, centres=centres, heterogeneity=0.2)
    assert found == pytest.approx((0.0, 0.35), abs=1e-6)


# --- sampled --------------------------------------------------------------------------------------------

BCG_ROWS = {
    (10.0, 1.0): {"mean": -0.71529, "sd": 0.20139, "tau": 0.62089, "tau_sd": 0.17313, "new_sd": 0.67531,
                  "new_below_0": 0.8704, "mean_below_0": 0.9991},
    (1.0, 0.5): {"mean": -0.68777, "sd": 0.18277, "tau": 0.57011, "tau_sd": 0.14260, "new_sd": 0.61544},
}  # fmt: skip
"""By prior sd of the mean and scale of the half-normal; exact by quadrature over the heterogeneity."""


@pytest.mark.slow
@pytest.mark.parametrize("mean_sd, tau_scale", BCG_ROWS)
def test_bcg_trials(shipped, mean_sd, tau_scale):
    """Within 3 Monte Carlo standard errors of quadrature, the effect in a new setting included."""
    expected = BCG_ROWS[mean_sd, tau_scale]
    changed = registry(
        shipped,
        mean_log_risk_ratio=normal(0.0, mean_sd),
        heterogeneity=("HalfNormal", {"sigma": tau_scale}),
        bias_rct=normal(0.0, 1e-6),
    )
    fit = fit_effects(evidence_of(bcg_studies()), changed, draws=1500, tune=1000, chains=4, seed=3)
    of_bcg = fit["posterior"].to_dataset().sel(estimand=FAMILY_HELP)
    statistics = {
        "mean": ("mean", "mean", lambda x: x.mean()),
        "sd": ("mean", "sd", lambda x: x.std(ddof=1)),
        "tau": ("heterogeneity", "mean", lambda x: x.mean()),
        "tau_sd": ("heterogeneity", "sd", lambda x: x.std(ddof=1)),
        "new_sd": ("new_setting", "sd", lambda x: x.std(ddof=1)),
    }
    for key, (name, method, statistic) in statistics.items():
        values = of_bcg[name].values
        error = float(arviz_stats.mcse(values, method=method))
        assert abs(statistic(values.ravel()) - expected[key]) < 3 * error, key
        assert error < 0.05 * abs(expected[key]) + 0.01
    for key, name in (("new_below_0", "new_setting"), ("mean_below_0", "mean")):
        if key in expected:
            below = (of_bcg[name].values < 0).astype(float)
            error = float(arviz_stats.mcse(below, method="mean"))
            assert abs(below.mean() - expected[key]) < 3 * error + 5e-5, key
    assert float(of_bcg["mean"].mean()) == pytest.approx(float(of_bcg["raw_mean"].mean()), abs=0.03)


@pytest.mark.slow
def test_recovers_effects_behind_biased_studies(shipped):
    """Truths from the prior, 30 studies of four designs per estimand: intervals cover, raw means do not.

    Four estimands, mean and heterogeneity each: with 90% intervals all but one or two of eight should cover,
    fewer than five once in 200 sets.
    """
    rng = np.random.default_rng(17)
    designs = np.array(["rct", "matched", "before_after", "provider_claim"])
    tables, truth = [], {}
    for name, about in ESTIMANDS.items():
        prior = shipped[about.prior].parameters
        mean = rng.normal(prior["mu"], prior["sigma"])
        tau = abs(rng.normal(0.0, shipped["effects.heterogeneity"].parameters["sigma"]))
        design = designs[np.arange(30) % 4]
        bias = [rng.normal(*shipped[f"effects.bias_{d}"].parameters.values()) for d in design]
        se = about.scale * rng.uniform(0.05, 0.3, 30)
        effect = mean + about.scale * (about.favours * np.array(bias) + tau * rng.standard_normal(30))
        table = studies(effect + se * rng.standard_normal(30), se, design=design, estimand=name)
        tables.append(table.assign(study_id=[f"{name}_{i}" for i in range(30)]))
        truth[name] = (mean, tau)
    gates = Gates(ess=300)
    fit = fit_effects(evidence_of(pd.concat(tables)), shipped, draws=500, tune=700, seed=2, gates=gates)
    posterior = fit["posterior"].to_dataset()
    covered = 0
    for name, (mean, tau) in truth.items():
        for variable, value in (("mean", mean), ("heterogeneity", tau)):
            low, high = np.quantile(posterior[variable].sel(estimand=name).values, [0.05, 0.95])
            covered += low < value < high
        flattered = posterior["raw_mean"].sel(estimand=name) - posterior["mean"].sel(estimand=name)
        one = posterior.sel(estimand=name)
        spread = one["mean"].var() + ESTIMANDS[name].scale ** 2 * (one["heterogeneity"] ** 2).mean()
        assert float(one["new_setting"].var()) == pytest.approx(float(spread), rel=0.2)
        # Designs flatter by 0.29 on average, in the direction of the programme.
        assert float(flattered.mean()) * ESTIMANDS[name].favours > 0.1 * ESTIMANDS[name].scale
    assert covered >= 5, covered


@pytest.mark.slow
@pytest.mark.parametrize("stance", ["evidence", "sceptical"])
def test_the_shipped_evidence_fits_at_the_shipped_gates(stance):
    """No divergence at the default settings: one would stop every analysis that uses these studies."""
    fit = fit_effects(cba.load_evidence(), cba.load_priors(stance=stance))
    assert bool(fit["convergence"]["passed"].all())
    trials = fit["posterior"]["new_setting"].sel(estimand=FAMILY_HELP)
    assert 0.02 < float((trials > 0).mean()) < 0.7  # harm is not ruled out
