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
