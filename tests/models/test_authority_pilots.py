"""Errors of pilots: against variance algebra, a dense normal, simulated panels and a plain before-and-after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import cba
from cba.inputs.observations import load_programme_rollout
from cba.models.authorities import figures_covariance, mean_values
from cba.models.authority_data import NO_WEIGHT, OUTCOMES, authority_panel
from cba.models.authority_findings import STOCK, panel_rows, simulated_panels
from cba.models.authority_pilots import (
    AREAS,
    YEARS,
    by_lot,
    drawn_values,
    observed_pilots,
    until,
    without_programme,
)
from cba.models.slow_results import kept_table
from tests.models.test_authority_panel import VALUES


@pytest.fixture(scope="module")
def priors():
    return cba.load_priors()


@pytest.fixture(scope="module")
def panel(priors):
    return authority_panel(cba.load_observations(), load_programme_rollout(), priors)


@pytest.fixture(scope="module")
def fit():
    """Two draws, both at the values given."""
    dims = {name: ("chain", "draw", "outcome")[: 2 + np.ndim(v)] for name, v in VALUES.items()}
    draws = {name: (dims[name], np.array([v, v])[None]) for name, v in VALUES.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(draws, coords={"outcome": list(OUTCOMES)})})


@pytest.fixture(scope="module")
def values(fit, priors):
    return mean_values(fit, priors)


def first(size, count):
    """One set: the first of so many authorities."""
    return (np.arange(size) < count).astype(float)[None]


@pytest.mark.parametrize(("count", "years"), [(1, 1), (1, 3), (4, 2), (74, 2)])
def test_error_of_independent_figures_is_that_of_two_means(panel, values, count, years):
    """Free levels and years, noise alone: nu^2 (1/k + 1/(T - k)) (1/n + 1/(N - n))."""
    nu, size, span = 0.1, len(panel.authority), panel.years.size
    small, large = np.full(2, 1e-7), np.full(2, 1e3)
    free = {"shock_sd": small, "region_year_sd": small, "noise_sd": np.full(2, nu)}
    free |= {"level_sd": large, "year_sd": 1e3, "level_correlation": 0.5, "shock_correlation": 0.5}
    alone = replace(panel, noise=np.zeros_like(panel.noise))
    _, variance = observed_pilots(alone, [values | free] * 2, first(size, count), years=years)
    expected = nu**2 * (1 / years + 1 / (span - years)) * (1 / count + 1 / (size - count))
    np.testing.assert_allclose(variance[0, :2], expected, rtol=1e-3)


def test_estimate_and_error_against_a_dense_normal(panel, values):
    """Six authorities of two regions, two of them in a pilot of two years: all figures as one normal vector."""
    some = panel_rows(panel, np.array([3, 40, 70, 100, 120, 130]))
    some = replace(some, region=np.array(["a", "b", "a", "b", "a", "b"]))
    steps = np.minimum.outer(np.arange(some.years.size), np.arange(some.years.size))
    national = np.kron(np.eye(2), values["year_sd"] ** 2 * (steps + 1.0))
    regional = np.kron(np.diag(values["region_year_sd"] ** 2), steps)
    same = (some.region[:, None] == some.region[None, :]) - 0.5
    spread = np.kron(np.ones((6, 6)), national) + np.kron(same, regional)
    for row, own in enumerate(figures_covariance(some, values)):
        at = slice(row * len(own), (row + 1) * len(own))
        spread[at, at] += own
    lot, last = np.array([1.0, 0, 0, 1, 0, 0]), np.arange(some.years.size) >= some.years.size - 2
    design = np.kron(lot[:, None], np.kron(np.eye(2), last[:, None]))
    weighed = design.T @ np.linalg.inv(spread)
    exact = np.linalg.inv(weighed @ design)
    effect, variance = observed_pilots(some, [values] * 2, lot[None], years=2)
    np.testing.assert_allclose(effect[0, :2], exact @ weighed @ some.value.ravel(), rtol=1e-6)
    np.testing.assert_allclose(variance[0, :2], np.diag(exact), rtol=1e-6)


def test_a_planted_fall_is_found_whole_and_that_in_stock_through_the_account(panel, values):
    """The estimate moves by exactly what is added; a fall in starts lowers the number by less, year by year."""
    lots = by_lot(without_programme(panel), (12,), sets=1, seed=3)[0]
    moved = panel.value.copy()
    moved[lots[0] == 1, 0, -2:] -= 0.1
    before, _ = observed_pilots(panel, [values] * 2, lots, years=2)
    after, _ = observed_pilots(replace(panel, value=moved), [values] * 2, lots, years=2)
    found = (after - before)[0]
    np.testing.assert_allclose(found[:2], [-0.1, 0.0], atol=1e-9)
    starts, leave = panel.account
    stock = 1.0
    for _ in range(2):
        residual = leave - (1 - leave / 2) * starts  # keeps the number as it is
        stock = (1 - leave) * stock + (1 - leave / 2) * starts * (1 - 1e-6) + residual
    assert found[2] == pytest.approx(1e5 * np.log(stock), rel=1e-3)


def test_power_is_four_in_five_at_the_detectable_fall(panel, fit, values):
    """On panels simulated from the model: sets of 12 by lot, tested at 5% with the error given."""
    made = simulated_panels(panel, fit, number=10, seed=8)
    lots = by_lot(without_programme(panel), (12,), sets=60, seed=8)[0]
    reached = []
    for figures in made:
        simulated = replace(panel, value=figures.reshape(panel.value.shape))
        effect, variance = observed_pilots(simulated, [values] * 2, lots, years=2)
        reached.append(effect[:, :2] / np.sqrt(variance[:, :2]))
    seen = np.array(reached) - (1.959964 + 0.841621)
    # ten sets of 12 use up the panel: no more than about ten of sixty are independent
    error = np.sqrt(0.8 * 0.2 / (10 * len(made)))
    assert (abs((seen < -1.959964).mean(axis=(0, 1)) - 0.8) < 3.5 * error).all()


def test_doubt_about_the_hyperparameters_is_added(panel, values):
    """The law of total variance, over two unlike draws."""
    lots = first(len(panel.authority), 12)
    other = values | {"persistence": values["persistence"] * 0.7, "noise_sd": values["noise_sd"] * 2.0}
    (e1, v1), (e2, v2), (both, total) = (
        observed_pilots(panel, pair, lots, years=2) for pair in ([values] * 2, [other] * 2, [values, other])
    )
    np.testing.assert_allclose(both, (e1 + e2) / 2)
    np.testing.assert_allclose(total, (v1 + v2) / 2 + (e1 - e2) ** 2 / 2)


def test_lots_hold_no_authority_that_began_a_programme(panel, fit, priors):
    lots = by_lot(without_programme(panel), (3, 74), sets=50, seed=1)
    np.testing.assert_array_equal(lots.sum(axis=-1), [[3.0] * 50, [74.0] * 50])
    drawn = lots.any(axis=(0, 1))
    assert not drawn[panel.launch_row].any()
    assert not drawn[(panel.noise == NO_WEIGHT).any(axis=(1, 2))].any()
    assert until(panel, 9).years[-1] == 2019 and until(panel, 9).value.shape[-1] == 9
    assert len(drawn_values(fit, priors, draws=4, seed=1)) == 4


# The kept table


@pytest.fixture(scope="module")
def kept():
    return kept_table("panel", "pilot_power").set_index(["outcome", "years", "areas"]).sort_index()


def test_more_areas_see_more_as_two_means_do(kept, panel):
    """Nearly in proportion to sqrt(1/n + 1/(N - n)): authorities of one region share a part of what moves them."""
    assert len(kept) == 3 * len(YEARS) * (len(AREAS) + 1) and (kept["wider"] >= 1.0).all()
    for key, rows in kept.groupby(["outcome", "years"]):
        error, count = rows["standard_error"].to_numpy(), rows.index.get_level_values("areas").to_numpy()
        law = np.sqrt(1 / count + 1 / (len(panel.authority) - count))
        np.testing.assert_allclose(error / error[2], law / law[2], rtol=0.1, err_msg=str(key))


def test_the_model_sees_no_less_than_a_plain_before_and_after(kept, panel):
    """Twelve areas over two years: log change of two-year means, areas of the pilot by lot against the rest."""
    lots = by_lot(without_programme(panel), (12,), sets=2000, seed=4)[0]
    spread = []
    for end in range(4, panel.years.size + 1):
        change = panel.value[:, 0, end - 2 : end].mean(axis=1) - panel.value[:, 0, end - 4 : end - 2].mean(
            axis=1
        )
        found = lots @ change / 12 - (1 - lots) @ change / (len(change) - 12)
        spread.append(found.var(ddof=1))
    row = kept.loc[("starts", 2, 12)]
    assert 0.5 < row["standard_error"] * row["wider"] / np.sqrt(np.mean(spread)) < 1.05


def test_the_fall_in_stock_comes_after_that_in_starts(kept):
    """The number in care moves by less than starts do, so that a smaller fall of it can be told from none."""
    for years in YEARS:
        assert (
            kept.loc[(STOCK, years, 12), "standard_error"] < kept.loc[("starts", years, 12), "standard_error"]
        )
