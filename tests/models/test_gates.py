"""Convergence gates on made-up chains: what fails is named, with the figure found and the figure required."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cba.errors import GateError
from cba.models.sampling import Gates, convergence_table, require_convergence

CHAINS, DRAWS = 4, 1000


def made_chains(*, seed=0, shift=0.0, stuck=(), autocorrelation=0.0, divergences=0, energy_walk=False):
    """Independent normal chains of one vector parameter, spoiled on request."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((CHAINS, DRAWS, 3))
    values = np.empty_like(steps)
    values[:, 0] = steps[:, 0]
    for draw in range(1, DRAWS):
        kept = np.sqrt(1.0 - autocorrelation**2) * steps[:, draw]
        values[:, draw] = autocorrelation * values[:, draw - 1] + kept
    values[0] += shift
    for element in stuck:
        values[:, :, element] = 1.0
    energy = rng.standard_normal((CHAINS, DRAWS))
    diverging = np.zeros((CHAINS, DRAWS), bool)
    diverging[0, :divergences] = True
    dims = ("chain", "draw")
    posterior = xr.Dataset(
        {"level": ((*dims, "series"), values), "other": (dims, rng.standard_normal((CHAINS, DRAWS)))}
    )
    stats = xr.Dataset(
        {
            "energy": (dims, np.cumsum(energy, axis=1) if energy_walk else energy),
            "diverging": (dims, diverging),
        }
    )
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def failed_checks(tree, gates=None):
    table = convergence_table(tree, gates)
    return set(table.loc[~table["passed"], "check"])


def test_independent_chains_pass_and_every_gate_is_listed():
    table = convergence_table(made_chains())
    assert list(table["check"]) == [
        "R-hat", "effective draws, bulk", "effective draws, tail", "BFMI", "divergences",
    ]  # fmt: skip
    assert table["passed"].all()
    assert list(table["required"]) == [1.01, 400.0, 400.0, 0.3, 0.0]
    require_convergence(table, model="baseline")


@pytest.mark.parametrize(
    "spoiled, expected",
    [
        ({"shift": 1.0}, {"R-hat", "effective draws, bulk"}),
        ({"autocorrelation": 0.99}, {"R-hat", "effective draws, bulk", "effective draws, tail"}),
        ({"energy_walk": True}, {"BFMI"}),
        ({"divergences": 1}, {"divergences"}),
    ],
)
def test_each_fault_fails_its_gate(spoiled, expected):
    found = failed_checks(made_chains(**spoiled))
    assert found == expected or (spoiled == {"shift": 1.0} and expected <= found)


def test_effective_draws_of_an_autoregression():
    """An AR(1) chain with coefficient a has N (1 - a)/(1 + a) effective draws: 400 of 4,000 at 9/11."""
    below, above = 0.87, 0.75  # 278 and 571 effective draws of each parameter
    assert "effective draws, bulk" in failed_checks(made_chains(autocorrelation=below))
    table = convergence_table(made_chains(autocorrelation=above)).set_index("check")
    assert 400 < table.loc["effective draws, bulk", "found"] < 571 * 1.25


@pytest.mark.parametrize("stuck", [(0,), (2,), (0, 1, 2)])
def test_a_parameter_that_never_moved_is_not_hidden_by_the_others(stuck):
    """Its R-hat is not a number; NaN compares as neither above nor below, and must not pass for it."""
    table = convergence_table(made_chains(stuck=stuck)).set_index("check")
    assert not table.loc["R-hat", "passed"] or not table.loc["effective draws, bulk", "passed"]
    with pytest.raises(GateError, match=r"\(level\)"):
        require_convergence(table.reset_index(), model="baseline")


def test_the_error_names_model_check_found_and_required_and_exits_with_3():
    table = convergence_table(made_chains(shift=1.0, divergences=7))
    with pytest.raises(GateError) as caught:
        require_convergence(table, model="effects")
    error, message = caught.value, str(caught.value)
    assert error.exit_code == 3
    assert "effects model has not converged" in message and "no results" in message
    assert "divergences: found 7, required 0 (sampler)" in message
    rhat = float(table.set_index("check").loc["R-hat", "found"])
    assert f"R-hat: found {rhat:.4g}, required 1.01 (level)" in message
    assert rhat > 1.05
    assert len(error.failures) == int((~table["passed"]).sum())


def test_gates_are_arguments():
    tree = made_chains(divergences=3)
    assert failed_checks(tree, Gates(divergences=3)) == set()
    assert failed_checks(tree, Gates(divergences=2)) == {"divergences"}
    assert failed_checks(tree, Gates(divergences=3, ess=1e9)) == {
        "effective draws, bulk",
        "effective draws, tail",
    }


def test_table_read_back_from_disk_still_refuses():
    """The column comes back as 0 and 1 from a file; ~1 is -2, which would select by position."""
    table = convergence_table(made_chains(divergences=1))
    stored = pd.DataFrame({**table.to_dict("list"), "passed": table["passed"].astype(int)})
    with pytest.raises(GateError, match="1 of 5"):
        require_convergence(stored, model="baseline")
