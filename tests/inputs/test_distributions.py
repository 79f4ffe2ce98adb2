"""Families, quantile fits and elicitation against closed forms and a second implementation."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cba.errors import InputError
from cba.inputs.distributions import FAMILIES, distribution
from cba.inputs.quantile_fits import elicit, fit_quantiles

UNIT = statistics.NormalDist()
PROBABILITIES = np.array([0.001, 0.05, 0.3, 0.5, 0.8, 0.95, 0.999])
MEMBERS = {
    "Normal": {"mu": -1.0, "sigma": 2.0},
    "LogNormal": {"mu": -0.1, "sigma": 0.3},
    "Beta": {"alpha": 4.0, "beta": 6.0},
    "Gamma": {"alpha": 2.0, "beta": 2.5},
    "HalfNormal": {"sigma": 0.25},
    "Exponential": {"lam": 0.5},
    "Uniform": {"lower": -1.0, "upper": 3.0},
    "Triangular": {"lower": 0.0, "mode": 1.0, "upper": 4.0},
    "PERT": {"lower": 1.0, "mode": 2.0, "upper": 6.0},
    "BetaScaled": {"alpha": 2.0, "beta": 3.0, "lower": -0.2, "upper": 1.0},
}


def test_every_family_is_tested_here():
    assert set(MEMBERS) | {"TruncatedNormal", "Fixed"} == set(FAMILIES)


def closed_form_quantile(family: str, p: float) -> float:
    match family:
        case "Normal":
            return -1.0 + 2.0 * UNIT.inv_cdf(p)
        case "LogNormal":
            return math.exp(-0.1 + 0.3 * UNIT.inv_cdf(p))
        case "HalfNormal":
            return 0.25 * UNIT.inv_cdf((1 + p) / 2)
        case "Exponential":
            return -math.log1p(-p) / 0.5
        case "Uniform":
            return -1.0 + 4.0 * p
        case "Triangular":  # rises to 1 (mass 1/4), falls to 4
            return math.sqrt(4 * p) if p < 0.25 else 4 - math.sqrt(12 * (1 - p))
    raise AssertionError(family)


@pytest.mark.parametrize(
    "family", ["Normal", "LogNormal", "HalfNormal", "Exponential", "Uniform", "Triangular"]
)
def test_quantiles_have_their_closed_form(family):
    fitted = distribution(family, parameters=MEMBERS[family])
    expected = [closed_form_quantile(family, p) for p in PROBABILITIES]
    np.testing.assert_allclose(fitted.ppf(PROBABILITIES), expected, rtol=1e-10)


@pytest.mark.parametrize(
    "family, mean, variance",
    [
        ("Beta", 0.4, 0.4 * 0.6 / 11),
        ("Gamma", 2 / 2.5, 2 / 2.5**2),
        ("PERT", (1 + 4 * 2 + 6) / 6, (2.5 - 1) * (6 - 2.5) / 7),  # mean (a + 4m + b)/6; the PERT variance
        ("BetaScaled", -0.2 + 1.2 * 0.4, 1.2**2 * 0.4 * 0.6 / 6),
    ],
)
def test_moments_of_families_without_a_closed_quantile(family, mean, variance):
    """Mean and variance by midpoint integration of the quantile function."""
    values = distribution(family, parameters=MEMBERS[family]).ppf((np.arange(200_000) + 0.5) / 200_000)
    assert values.mean() == pytest.approx(mean, rel=1e-5)
    assert values.var() == pytest.approx(variance, rel=1e-3)


@pytest.mark.parametrize("family", MEMBERS)
def test_distribution_function_undoes_the_quantiles(family):
    fitted = distribution(family, parameters=MEMBERS[family])
    np.testing.assert_allclose(fitted.cdf(fitted.ppf(PROBABILITIES)), PROBABILITIES, rtol=1e-9)


@pytest.mark.parametrize("family", MEMBERS)
def test_density_is_the_slope_of_the_distribution_function(family):
    fitted = distribution(family, parameters=MEMBERS[family])
    at = fitted.ppf(np.array([0.1, 0.4, 0.7, 0.9]))
    step = 1e-5 * (at[-1] - at[0])
    slope = (fitted.cdf(at + step) - fitted.cdf(at - step)) / (2 * step)
    np.testing.assert_allclose(fitted.pdf(at), slope, rtol=1e-5)


def test_truncation_conditions_and_does_not_clip():
    """F(x | a <= X <= b) = (F(x) - F(a)) / (F(b) - F(a)), worked with the standard library's normal."""
    cut = distribution("Normal", parameters={"mu": 0.0, "sigma": 1.0}, lower=-0.5, upper=1.5)
    low, high = UNIT.cdf(-0.5), UNIT.cdf(1.5)
    expected = [UNIT.inv_cdf(low + p * (high - low)) for p in PROBABILITIES]
    np.testing.assert_allclose(cut.ppf(PROBABILITIES), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(cut.cdf(cut.ppf(PROBABILITIES)), PROBABILITIES, rtol=1e-9)
    assert cut.label == "TruncatedNormal"
    assert np.unique(cut.ppf(np.linspace(0.001, 0.999, 500))).size == 500  # no heap at the bounds
    assert float(cut.pdf(2.0)) == 0.0


def test_bounds_outside_the_support_truncate_nothing():
    plain = distribution("Beta", parameters=MEMBERS["Beta"], lower=0.0, upper=1.0)
    assert plain.label == "Beta"


def test_fixed_value_has_no_spread():
    fixed = distribution("Fixed", parameters={"value": 3.0})
    assert set(fixed.ppf(PROBABILITIES)) == {3.0}
    assert list(fixed.cdf([2.9, 3.0])) == [0.0, 1.0]


@pytest.mark.parametrize("family", MEMBERS)
def test_fit_recovers_the_member_that_made_the_quantiles(family):
    parameters = MEMBERS[family]
    truth = distribution(family, parameters=parameters)
    bounds = {"lower": -0.2, "upper": 1.0} if family == "BetaScaled" else {}
    stated = {p: float(truth.ppf(p)) for p in (0.05, 0.5, 0.95)}
    fit = fit_quantiles(family, quantiles=stated, **bounds)
    assert fit.error < 1e-6
    for name, value in parameters.items():
        assert fit.distribution.parameters[name] == pytest.approx(value, rel=1e-4, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(mu=st.floats(-5, 5), sigma=st.floats(0.05, 3), low=st.floats(0.01, 0.4), high=st.floats(0.6, 0.99))
def test_two_quantiles_determine_a_normal_exactly(mu, sigma, low, high):
    stated = {p: mu + sigma * UNIT.inv_cdf(p) for p in (low, high)}
    fit = fit_quantiles("Normal", quantiles=stated)
    assert fit.method == "closed form"
    assert fit.distribution.parameters["mu"] == pytest.approx(mu, abs=1e-9)
    assert fit.distribution.parameters["sigma"] == pytest.approx(sigma, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(alpha=st.floats(0.8, 40), beta=st.floats(0.8, 40))
def test_two_quantiles_determine_a_beta(alpha, beta):
    truth = distribution("Beta", parameters={"alpha": alpha, "beta": beta})
    fit = fit_quantiles("Beta", quantiles={p: float(truth.ppf(p)) for p in (0.05, 0.95)})
    assert fit.distribution.parameters["alpha"] == pytest.approx(alpha, rel=1e-4)
    assert fit.distribution.parameters["beta"] == pytest.approx(beta, rel=1e-4)


def test_truncated_fit_answers_for_the_truncated_quantiles():
    truth = distribution("Normal", parameters={"mu": 0.4, "sigma": 0.5}, lower=0.0)
    stated = {p: float(truth.ppf(p)) for p in (0.05, 0.5, 0.95)}
    fit = fit_quantiles("TruncatedNormal", quantiles=stated, lower=0.0)
    assert fit.distribution.parameters["mu"] == pytest.approx(0.4, abs=1e-5)
    assert fit.distribution.parameters["sigma"] == pytest.approx(0.5, abs=1e-5)


def test_least_squares_beats_its_neighbours_and_states_its_error():
    """Three quantiles no LogNormal has: moving either parameter makes the sum of squares larger."""
    stated = {0.05: 0.75, 0.5: 0.93, 0.95: 1.12}
    fit = fit_quantiles("LogNormal", quantiles=stated)
    best = dict(fit.distribution.parameters)

    def squares(parameters):
        found = distribution("LogNormal", parameters=parameters).ppf(list(stated))
        return float(np.sum((found - np.array(list(stated.values()))) ** 2))

    for name in best:
        for step in (-1e-3, 1e-3):
            assert squares(best | {name: best[name] + step}) > squares(best)
    worst = max(abs(fit.fitted[p] - stated[p]) for p in stated) / (1.12 - 0.75)
    assert fit.error == pytest.approx(worst)
    assert 0 < fit.error < 0.05


@pytest.mark.parametrize(
    "family, mass, lower, upper, expected",
    [
        ("Normal", 0.683, -1, 1, {"mu": 0.0, "sigma": 0.999358583}),
        ("Normal", 0.99, 10, 12, {"mu": 11.0, "sigma": 0.388224483}),
        ("Exponential", 0.9, 0, 4, {"lam": 0.575646273}),
        ("HalfNormal", 0.7, 0, 10, {"sigma": 9.648473410}),
    ],
)
def test_elicitation_closed_forms(family, mass, lower, upper, expected):
    """Closed forms, to 1e-6 on the parameter and on the mass."""
    found = elicit(family, mass=mass, lower=lower, upper=upper)
    for name, value in expected.items():
        assert found.distribution.parameters[name] == pytest.approx(value, abs=1e-6)
    held = float(found.distribution.cdf(upper) - found.distribution.cdf(lower))
    assert held == pytest.approx(mass, abs=1e-6)
    assert found.fit_error <= 1e-6


@pytest.mark.parametrize("family, mass, lower, upper", [("Normal", 0.683, -1, 1), ("HalfNormal", 0.7, 0, 10)])
def test_closed_forms_are_the_members_of_greatest_entropy(family, mass, lower, upper):
    """PreliZ, which searches for greatest entropy numerically, finds the same member."""
    preliz = pytest.importorskip("preliz")
    member = getattr(preliz, family)()
    preliz.maxent(member, lower, upper, mass, plot=False)
    found = elicit(family, mass=mass, lower=lower, upper=upper)
    for name, value in zip(member.param_names, member.params, strict=True):
        assert found.distribution.parameters[name] == pytest.approx(float(value), abs=1e-5)


def test_elicitation_without_closed_form_has_the_mass_and_the_greatest_entropy():
    """Among Gammas with 90% in [1, 5], no other has larger entropy (closed-form entropy of a Gamma)."""
    from scipy.optimize import brentq
    from scipy.special import digamma, gammaln

    found = elicit("Gamma", mass=0.9, lower=1, upper=5)
    best = found.distribution.parameters

    def entropy(alpha, beta):
        return alpha - math.log(beta) + gammaln(alpha) + (1 - alpha) * digamma(alpha)

    def other_with_the_mass(alpha):
        def gap(beta):
            member = distribution("Gamma", parameters={"alpha": alpha, "beta": beta})
            return float(member.cdf(5) - member.cdf(1)) - 0.9

        return brentq(gap, best["beta"] * 0.98, best["beta"] * 1.6)

    assert found.fit_error <= 1e-6
    for alpha in (best["alpha"] * 1.1, best["alpha"] * 1.2):
        assert entropy(alpha, other_with_the_mass(alpha)) < entropy(best["alpha"], best["beta"])


def test_elicitation_refuses_what_a_family_cannot_hold():
    with pytest.raises(InputError, match="Exponential cannot hold"):
        elicit("Exponential", mass=0.9, lower=1, upper=4)
    with pytest.raises(InputError, match="not a full interval"):
        elicit("Normal", mass=90, lower=1, upper=4)


def normal(mu, sigma):
    return distribution("Normal", parameters={"mu": mu, "sigma": sigma})
