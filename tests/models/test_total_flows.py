"""Momentum and pace of the totals: recovered from made series, and refused where there is nothing to learn from."""

from __future__ import annotations

import numpy as np
import pytest

import cba
from cba.errors import InputError
from cba.models.totals import TotalFlows, checked_totals, total_flow_posterior, total_flows


@pytest.fixture(scope="module")
def priors():
    return cba.load_priors()


def made_totals(*, years, phi, seed, pace_noise=0.03):
    """Totals rolled forward from the published ones with known momentum."""
    rng = np.random.default_rng(seed)
    published = total_flows(cba.load_observations())
    rates, change = published.rates[:, 0].copy(), np.zeros(3)
    stock, starts, ceases = [published.stock[0]], [published.starts[0]], [published.ceases[0]]
    for _ in range(years):
        change = phi * change + pace_noise * np.array([1.0, 1.0, 2.0]) * rng.standard_normal(3)
        rates = rates + change - 0.1 * (rates - published.rates[:, 0])  # keeps long series in range
        begun = np.exp(rates[0])
        ended = (stock[-1] + begun / 2) / (1 + np.exp(-rates[1]))
        stock.append(stock[-1] + begun - ended + np.exp(rates[2]) * begun)
        starts.append(begun)
        ceases.append(ended)
    return TotalFlows(np.arange(1994, 1994 + years + 1), *(np.array(x) for x in (stock, starts, ceases)))


def test_rates_reproduce_the_account():
    """N' = N + S - C + r S and C = h (N + S/2), for every published year."""
    flows = total_flows(cba.load_observations())
    log_starts, logit_exit, log_closure = flows.rates
    starts = np.exp(log_starts)
    ceases = (flows.stock[:-1] + starts / 2) / (1 + np.exp(-logit_exit))
    following = flows.stock[:-1] + starts - ceases + np.exp(log_closure) * starts
    np.testing.assert_allclose(following, flows.stock[1:], rtol=1e-12)
    np.testing.assert_allclose(ceases, flows.ceases[1:], rtol=1e-12)


def test_momentum_is_recovered_from_a_long_series(priors):
    """With hundreds of years the posterior closes on the truth and prefers it to none."""
    strong = total_flow_posterior(made_totals(years=400, phi=0.7, seed=1), priors, draws=500, seed=1)
    none = total_flow_posterior(made_totals(years=400, phi=0.0, seed=2), priors, draws=500, seed=1)
    assert (
        abs(float(strong["trend_persistence"].mean()) - 0.65) < 0.08
    )  # the pull to the start takes a little
    assert float(none["trend_persistence"].mean()) < 0.08


def test_pace_has_the_closed_form_of_a_normal_prior_and_mean(priors):
    """Given the autocorrelation, posterior precision is the sum of precisions: checked by averaging over rho."""
    flows = total_flows(cba.load_observations())
    draws = 200_000
    found = total_flow_posterior(flows, priors, draws=draws, seed=4)["long_run_pace"].values
    rho = priors["baseline.growth_autocorrelation"].fitted.ppf((np.arange(20_000) + 0.5) / 20_000)
    growth = np.diff(np.log(flows.stock))
    error = growth.var(ddof=1) / growth.size * (1 + rho) / (1 - rho)
    sigma = priors["baseline.long_run_pace"].parameters["sigma"]
    centre = growth.mean() * sigma**2 / (sigma**2 + error)
    spread = error * sigma**2 / (sigma**2 + error)
    sd = np.sqrt(spread.mean() + centre.var())
    assert abs(found.mean() - centre.mean()) < 4 * sd / np.sqrt(draws)
    assert abs(found.std() - sd) < 4 * sd / np.sqrt(2 * draws) * 1.5  # the mixture has heavier tails


def test_the_covariance_is_the_inverse_wishart_posterior(priors):
    """E[Sigma | phi] = (S0 + E'E) / (df - 4), compared for the walk, whose residuals are the changes themselves."""
    flows = total_flows(cba.load_observations())
    posterior = total_flow_posterior(flows, priors, draws=20_000, seed=5)
    factor = posterior["walk_factor"].values
    found = np.einsum("sij,skj->sik", factor, factor)
    changes = np.diff(flows.rates, axis=1).T
    own = [float(priors[f"baseline.{flow}_innovation_sd"].median) / np.sqrt(5) for flow in ("start", "exit")]
    common = [float(priors[f"baseline.{flow}_common_loading"].median) for flow in ("start", "exit")]
    guess = [*np.hypot(own, common), float(priors["baseline.closure_innovation_sd"].median)]
    expected = (6 * np.diag(np.square(guess)) + changes.T @ changes) / (6 + len(changes) - 4)
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - expected) < 4.5 * error).all()


def flows_with(**changes):
    known = total_flows(cba.load_observations())
    given = {name: getattr(known, name).copy() for name in ("years", "stock", "starts", "ceases")} | changes
    return TotalFlows(**given)


def test_too_little_history_is_refused():
    with pytest.raises(InputError, match="too little history of totals") as refused:
        checked_totals(
            flows_with(**{n: getattr(flows_with(), n)[:4] for n in ("years", "stock", "starts", "ceases")})
        )
    assert "consecutive years" in str(refused.value)


def test_a_missing_year_is_refused():
    years = flows_with().years.copy()
    years[10:] += 1
    with pytest.raises(InputError, match="too little history of totals"):
        checked_totals(flows_with(years=years))


def test_an_account_without_closure_is_refused():
    stock = flows_with().stock.copy()
    stock[12] -= 5000
    with pytest.raises(InputError, match="does not give rates") as refused:
        checked_totals(flows_with(stock=stock))
    assert "2006" in str(refused.value)


def test_a_degenerate_series_is_refused():
    years = np.arange(2000, 2012)
    flat = {"stock": np.full(12, 60_000.0) + 500 * np.arange(12), "starts": np.full(12, 25_000.0)}
    flows = TotalFlows(years=years, ceases=flat["starts"] - 100.0, **flat)
    with pytest.raises(InputError, match="changes by the same amount every year"):
        checked_totals(flows)
