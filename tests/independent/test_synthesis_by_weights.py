"""The posterior of every estimand without a sampler: draws of the registry weighed by what each study reports.

Written from the equations in ARCHITECTURE.md on plain arrays: classes, scale, usual help, follow-up, evidence from
abroad, carrying over risks, design effects, intervals and studies of whole areas over tiers of need.
"""

from __future__ import annotations

import arviz_stats
import numpy as np
import pytest
from scipy.special import ndtr

import cba
from cba.dimensions import AGE_BANDS
from cba.inputs.table_words import CLASSES_OF_ESTIMAND
from cba.models.effects import fit_effects
from cba.models.effects_areas import SHARES, START_SHARES, care_facts, reach_by_age
from cba.models.stays import follow_up_power
from cba.models.studies import ESTIMANDS, FAMILY_HELP, studies_used

COUNT = 400_000


def normal_log(x, mean, sd):
    return -0.5 * ((x - mean) / sd) ** 2 - np.log(sd)


def logit(p):
    return np.log(p / (1 - p))


class States:
    """States of the world drawn from the registry; what belongs to an estimand or a study is drawn for it."""

    def __init__(self, priors, observations, *, seed):
        self.priors, self.rng = priors, np.random.default_rng(seed)
        self.drawn = {name: v.values for name, v in priors.sample(COUNT, seed).data_vars.items()}
        self.facts = care_facts(observations)
        known = sum(self.drawn[name] for name in START_SHARES[:-1])
        reach = known * self.drawn["family_help.in_time_share"] * self.drawn["family_help.of_kind_share"]
        ones = np.ones(COUNT)
        named = ["under_1", "16_plus"]
        risk, tilt = (
            [self.drawn[f"family_help.{of}_{age}"] if age in named else ones for age in AGE_BANDS]
            for of in ("relative_risk", "age_tilt")
        )
        shares = np.stack([self.drawn[name] for name in SHARES], axis=-1)
        starts = self.facts.starts / self.facts.starts.sum()
        self.reach = reach_by_age(reach[:, None], shares * np.stack(risk, axis=-1), starts)
        self.tilt, self.starts = np.stack(tilt, axis=-1), starts

    def prior(self, entry):
        """Draw an entry anew: one for each estimand, class or study that has its own."""
        return self.priors[entry].fitted.ppf(self.rng.random(COUNT))

    def log_weights(self, estimand, table):
        """Log likelihood of the studies of one estimand in each state; the mean and the spread of it are kept."""
        about, z = ESTIMANDS[estimand], self.rng.standard_normal
        self.mean = self.prior(about.prior)
        self.tau, shift = self.prior("effects.heterogeneity"), self.prior("effects.transport")
        apart = self.drawn["effects.between_classes"] * (estimand == FAMILY_HELP)
        classes = {name: self.mean + apart * z(COUNT) for name in CLASSES_OF_ESTIMAND[estimand]}
        total = np.zeros(COUNT)
        for row in table[table["estimand"] == estimand].to_dict("records"):
            kept = np.ones(COUNT)
            if row["at_scale"] == "yes":
                kept = kept * (1 - self.drawn["effects.attenuation"])
            if row["usual_help"] == "no":
                kept = kept / (1 - self.drawn["family_help.already_paid_share"])
            effect = classes[row["service_class"]] * kept
            if row["country"] != "England":
                effect = effect + about.favours * about.scale * shift
            total += self.of_study(row, effect, about, z)
        return total

    def of_study(self, row, effect, about, z):
        kappa = np.ones(COUNT)
        if row["outcome_class"] == "in_care_at_follow_up" and row["estimand"] == FAMILY_HELP:
            years = np.array([(24 if np.isnan(row["follow_up_months"]) else row["follow_up_months"]) / 12])
            kappa = self.drawn["family_help.stay_ratio"] ** follow_up_power(self.facts.stays, years=years)
        prefix = "area_bias_" if row["level"] == "area" else "bias_"
        bias = self.priors[f"effects.{prefix}{row['design_class']}"].parameters
        if row["level"] == "area":
            low, high = logit(row["coverage_low"]), logit(row["coverage_high"])
            covered = 1 / (1 + np.exp(-((low + high) / 2 + (high - low) / 3.2897072539 * z(COUNT))))
            log_ratio = kappa * (effect + self.tau * z(COUNT))
            ages = np.array([row["starts_ages"] in ("all", age) for age in AGE_BANDS]) * self.starts
            fall = self.reach * (1 - np.exp(log_ratio[:, None] * self.tilt))
            centre = np.log1p(-covered * (fall @ (ages / ages.sum()))) + about.favours * bias["mu"]
            variance = bias["sigma"] ** 2 + row["effect_se"] ** 2
        else:
            centre = kappa * effect + about.favours * about.scale * bias["mu"]
            variance = (about.scale * bias["sigma"]) ** 2 + (kappa * about.scale * self.tau) ** 2
            if about.base_risk and not np.isnan(row["risk_control"]):
                gap = logit(row["risk_control"]) - logit(self.priors[about.base_risk].median)
                variance = (
                    variance + (self.priors["effects.transport_by_risk"].parameters["sigma"] * gap) ** 2
                )
            error = row["effect_se"] ** 2
            if not np.isnan(row["design_effect_low"]):  # the middle is in the error of the table
                width = np.log(row["design_effect_high"] / row["design_effect_low"]) / 3.2897072539
                error = error * np.exp(width * z(COUNT))
            variance = variance + error
        sd = np.sqrt(variance)
        if row["use"] == "synthesis":
            return normal_log(row["effect"], centre, sd)
        ends = [np.nan_to_num(row[f"bound_{end}"], nan=open_) for end, open_ in (("low", -25), ("high", 25))]
        return np.log(np.maximum(ndtr((ends[1] - centre) / sd) - ndtr((ends[0] - centre) / sd), 1e-300))


@pytest.fixture(scope="module")
def both():
    """Fit of the shipped evidence, and its studies."""
    evidence, priors = cba.load_evidence(), cba.load_priors()
    return fit_effects(evidence, priors, draws=1000, tune=1000, chains=4, seed=9), studies_used(
        evidence, priors
    )


@pytest.mark.slow
@pytest.mark.parametrize("estimand", list(ESTIMANDS))
def test_the_sampled_posterior_is_that_of_weighed_draws(both, estimand):
    """Mean and sd of the mean effect and of heterogeneity, within four Monte Carlo errors of both routes together.

    Counts enter here by the normal approximation of their effect and what estimands share only through this one: the
    allowance of a tenth of a posterior sd covers both.
    """
    fit, table = both
    states = States(cba.load_priors(), cba.load_observations(), seed=12)
    log = states.log_weights(estimand, table)
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    effective = 1 / (weights**2).sum()
    assert effective > 1000
    for name, draws in (("mean", states.mean), ("heterogeneity", states.tau)):
        found = fit["posterior"][name].sel(estimand=estimand).values
        mean = weights @ draws
        sd = np.sqrt(weights @ (draws - mean) ** 2)
        error = np.hypot(float(arviz_stats.mcse(found, method="mean")), sd / np.sqrt(effective))
        assert abs(found.mean() - mean) < 4 * error + 0.1 * sd, (name, found.mean(), mean, sd)
        assert found.std() == pytest.approx(sd, rel=0.1 + 4 / np.sqrt(effective)), (name, found.std(), sd)
