"""Ctrl-C while something is computed is never taken for a result, whatever a library makes of it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import nutpie
import pytest
import xarray as xr

from cba.cli import main
from cba.errors import GateError
from cba.models.sampling import sample_gated
from cba.validation import refits
from tests.cli.test_cli import SMALL
from tests.fakes import made_up, stages_of


@pytest.fixture(autouse=True)
def python_hears_it():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # put back as it was
    signal.signal(signal.SIGINT, before)


def press() -> None:
    """Press Ctrl-C, and take it as a library does that comes back early."""
    with suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def fit(chains: int, draws: int) -> xr.DataTree:
    rng = np.random.default_rng(1)
    level = xr.Dataset({"level": (("chain", "draw"), rng.normal(size=(chains, draws)))})
    stats = {"diverging": np.zeros((chains, draws), bool), "energy": rng.normal(size=(chains, draws))}
    sample_stats = xr.Dataset({name: (("chain", "draw"), values) for name, values in stats.items()})
    return xr.DataTree.from_dict(
        {"posterior": level, "sample_stats": sample_stats.assign(depth=sample_stats["energy"])}
    )


def short(*, draws, chains, **how):
    press()
    return fit(chains, draws // 3)


def a_chain_short(*, draws, chains, **how):
    press()
    return fit(max(chains - 1, 1), draws - 1)


def swallowed(*, draws, chains, **how):
    press()
    return fit(chains, draws)


def no_results(**how):
    press()
    raise RuntimeError("Sampler has no results to take")


def short_unsaid(*, draws, chains, **how):
    return fit(chains, draws - 1)


CALLERS = {
    "a fit": lambda: sample_gated(object(), draws=2000, tune=300, chains=2, seed=1),
    "a replicate of the calibration": lambda: refits._sampled(
        object(), SimpleNamespace(target_accept=0.8), thin=2, ranked=99, seed=np.random.SeedSequence(1)
    ),
}


@pytest.mark.parametrize("call", CALLERS.values(), ids=CALLERS)
@pytest.mark.parametrize("early", [short, a_chain_short, swallowed, no_results, short_unsaid])
def test_a_sampler_that_comes_back_early_gives_no_result(monkeypatch, call, early):
    monkeypatch.setattr(nutpie, "compile_pymc_model", lambda model: model)
    monkeypatch.setattr(nutpie, "sample", lambda model, **how: early(**how))
    with pytest.raises(KeyboardInterrupt):
        call()


def fails_its_gates(analysis, *, stance, **fits):
    press()
    raise GateError("the baseline model has not converged", ["R-hat: found nan, required 1.01"])


def goes_on(analysis, *, stance, **fits):
    press()
    return made_up(analysis, stance=stance)


@pytest.mark.parametrize("appraise", [fails_its_gates, goes_on])
@pytest.mark.parametrize("command", ["run", "rerun"])
def test_an_interrupted_run_ends_with_130_and_stores_nothing(
    tmp_path, monkeypatch, capsys, command, appraise
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    monkeypatch.setattr("cba.runs.stages.ordinary_stages", lambda **how: stages_of(appraise=appraise))
    assert main([command, "small.toml"]) == 130
    assert "interrupted: nothing was stored" in capsys.readouterr().err
    left = {file.name for file in (tmp_path / "reports").rglob("*") if file.is_file()}
    assert not {name for name in left if not name.startswith(".")}, left
