"""Totals rolled forward: each candidate does what its name says, and the pace process is a random walk with drift."""

from __future__ import annotations

import numpy as np
import pytest

import cba
from cba.errors import InputError
from cba.models.totals import total_flow_posterior, total_flows
from cba.projection.processes import PROCESSES, total_paths

DRAWS = 4000


@pytest.fixture(scope="module")
def posterior():
    return total_flow_posterior(total_flows(cba.load_observations()), cba.load_priors(), draws=DRAWS, seed=1)


def still(posterior):
    return posterior.assign({name: 0.0 * posterior[name] for name in ("walk_factor", "change_factor")})


@pytest.mark.parametrize("process", PROCESSES)
def test_the_account_closes(posterior, process):
    paths = total_paths(posterior, process=process, years=5, seed=1)
    change = paths["stock"].diff("ahead")
    gap = change - (paths["starts"] - paths["ceases"]).sel(ahead=slice(2, None))
    assert (gap > 0).all()  # the closure residual of the year
    assert (paths["ceases"] < paths["stock"].shift(ahead=1, fill_value=1e9) + paths["starts"] / 2).all()


def test_walk_without_innovations_keeps_starts(posterior):
    paths = total_paths(still(posterior), process="walk", years=5, seed=1)
    np.testing.assert_allclose(paths["starts"], np.exp(float(posterior["last_rates"][0])), rtol=1e-12)


def test_reverting_without_innovations_returns_to_the_mean(posterior):
    paths = total_paths(still(posterior), process="reverting", years=40, seed=1)
    np.testing.assert_allclose(
        paths["starts"].isel(ahead=-1), np.exp(float(posterior["mean_rates"][0])), rtol=1e-4
    )


def test_pace_has_the_mean_of_a_random_walk_with_drift(posterior):
    """Mean growth after the first years is the pace; its spread is that of the pace and of the last years' noise."""
    paths = total_paths(posterior, process="pace", years=8, seed=1)
    growth = np.log(paths["stock"]).diff("ahead").mean("ahead").values
    pace = posterior["long_run_pace"].values
    error = (growth - pace).std() / np.sqrt(DRAWS)
    assert abs((growth - pace).mean()) < 4 * error + 5e-4  # responses are taken at the last release
    assert np.corrcoef(growth, pace)[0, 1] > 0.6


def test_innovations_are_shared_between_candidates(posterior):
    """Same seed, same shocks: walk and pace differ by the shift alone, so innovations correlate fully at first."""
    walk, pace = (
        total_paths(posterior, process=p, years=1, seed=2)["stock"].values[:, 0] for p in ("walk", "pace")
    )
    assert (
        np.corrcoef(walk, pace - posterior["long_run_pace"].values * float(posterior["last_stock"]))[0, 1]
        > 0.99
    )


def test_unknown_process_is_refused(posterior):
    with pytest.raises(InputError, match="process of the number in care is unknown"):
        total_paths(posterior, process="cycle", years=1, seed=1)


def one_path_by_hand(
    posterior, draw: int, shocks: np.ndarray, process: str
) -> list[tuple[float, float, float]]:
    """Stock, starts and ceases of one draw, year by year, in plain floats."""
    factor = posterior["change_factor" if process == "momentum" else "walk_factor"].values[draw]
    stock, rates = float(posterior["last_stock"]), [float(rate) for rate in posterior["last_rates"]]
    mean, change = posterior["mean_rates"].values, posterior["last_change"].values
    phi, pace = float(posterior["trend_persistence"][draw]), float(posterior["long_run_pace"][draw])
    first, leaving = np.exp(rates[0]) / stock, 1 / (1 + np.exp(-rates[1]))
    per_start = first * (1 - leaving / 2 + np.exp(rates[2]))
    per_exit = leaving * (1 - leaving) * (1 + first / 2)

    def after(stock, rates):
        starts, share = np.exp(rates[0]), 1 / (1 + np.exp(-rates[1]))
        ceases = share * (stock + starts / 2)
        return stock + starts - ceases + np.exp(rates[2]) * starts, starts, ceases

    found, applied, shift = [], rates, 0.0
    for shock in shocks:
        step = factor @ shock
        if process == "momentum":
            change = phi * np.array([1.0, 1.0, 0.0]) * change + step
            rates = [rate + move for rate, move in zip(rates, change, strict=True)]
        elif process == "reverting":
            rates = [r + 0.2 * (m - r) + e for r, m, e in zip(rates, mean, step, strict=True)]
        else:
            rates = [rate + move for rate, move in zip(rates, step, strict=True)]
        shifted = list(rates)
        if process == "pace":
            shift += pace - np.log(after(stock, applied)[0] / stock)
            shifted[0] += shift / 2 / per_start
            shifted[1] -= shift / 2 / per_exit
        applied = shifted
        found.append(after(stock, applied))
        stock = found[-1][0]
    return found


@pytest.mark.parametrize("process", PROCESSES)
def test_paths_equal_the_process_written_out(posterior, process):
    """The random numbers are those of (seed, 31): three a year for every draw."""
    paths = total_paths(posterior, process=process, years=6, seed=5)
    shocks = np.random.default_rng([5, 31]).standard_normal((6, DRAWS, 3))
    assert paths["ahead"].values.tolist() == [1, 2, 3, 4, 5, 6]
    for draw in (0, 7, DRAWS - 1):
        plain = np.array(one_path_by_hand(posterior, draw, shocks[:, draw], process))
        for column, name in enumerate(("stock", "starts", "ceases")):
            np.testing.assert_allclose(paths[name].values[draw], plain[:, column], rtol=1e-11)
