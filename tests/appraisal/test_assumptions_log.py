"""Measured influence against closed forms, and the log against the registry."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from cba.inputs.priors import load_priors
from cba.tables.assumptions import (
    assumptions_log,
    entry_draws,
    leading_inputs,
    log_entries,
    measured_influence,
)
from tests.appraisal.made_workings import made_workings


def _draws(values) -> xr.DataArray:
    return xr.DataArray(values, dims="sample")


def test_an_additive_input_has_its_share_of_the_variance():
    a, b, c = np.random.default_rng(1).normal(size=(3, 4000))
    y = {"npv": _draws(a + 2 * b + 3 * c)}
    for values, exact in ((a, 1 / 14), (b, 4 / 14), (c, 9 / 14)):
        rest = {"npv": {"x": c, "z": b} if values is a else {"x": a}}
        found = measured_influence(y, ("draws", {"own": values}), rest)
        assert abs(found["npv_share"] - exact) < 4 * found["npv_share_se"]
        assert found["npv_clear"] and found["level"] == "high"


def test_an_input_that_only_scales_an_effect_of_mean_nought_is_seen():
    """y = x L with E L = 0: the first-order share of x is nought, its Shapley effect Var(x) / (2 E x^2)."""
    rng = np.random.default_rng(2)
    x, effect = rng.uniform(0.5, 1.5, 4000), rng.normal(size=4000)
    y = {"npv": _draws(x * effect)}
    alone = measured_influence(y, ("draws", {"x": x}), {"npv": {}})
    beside = measured_influence(y, ("draws", {"x": x}), {"npv": {"effect": effect}})
    exact = (1 / 12) / (2 * (1 + 1 / 12))
    assert not alone["npv_clear"]
    assert beside["npv_clear"] and abs(beside["npv_share"] - exact) < 4 * beside["npv_share_se"]


def test_an_input_without_influence_is_hardly_ever_called_clear():
    """Of 150 inputs that do nothing, at three errors one or two may be called clear."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 1500))
    y = {"npv": _draws(a * (1 + 0.5 * b) + b)}
    called = sum(
        bool(measured_influence(y, ("draws", {"n": rng.normal(size=1500)}), {"npv": {"a": a}})["npv_clear"])
        for _ in range(150)
    )
    assert called <= 3


def test_a_bound_is_never_an_influence_of_its_own():
    a, b = np.random.default_rng(4).normal(size=(2, 1000))
    y = {"npv": _draws(a + b)}
    found = measured_influence(y, ("bound", {"a": a}), {"npv": {"b": b}})
    assert found["npv_clear"] and found["influence"] == 0.0 and found["level"] == "none"


@pytest.mark.parametrize("how", ["none", "fixed"])
def test_what_was_not_drawn_has_no_share(how):
    found = measured_influence({"npv": _draws(np.arange(200.0))}, (how, {}), {})
    assert np.isnan(found["npv_share"]) and not found["npv_clear"]


def test_leading_inputs_are_those_most_correlated():
    rng = np.random.default_rng(5)
    drawn = xr.Dataset({name: ("sample", rng.normal(size=500)) for name in "abcdef"})
    y = 5 * drawn["a"] - 4 * drawn["c"] + 3 * drawn["e"] + 0.1 * drawn["b"]
    assert set(leading_inputs(drawn, y)) == {"a", "c", "e"}


def test_the_log_holds_every_entry_once_with_its_papers():
    priors = load_priors()
    log = log_entries(priors).set_index("name")
    assert set(log.index) == set(priors) and log.index.is_unique
    for name in priors:
        links = json.loads(log.loc[name, "links"])
        assert [[s.title, s.url] for s in priors[name].source] == links
    overridden = {name for name in priors if priors[name].overridden_by}
    told = {name for name, others in log["other_stances"].items() if json.loads(others)}
    assert told == overridden and told
    sceptical = load_priors(stance="sceptical")
    for name in told:
        (other,) = json.loads(log.loc[name, "other_stances"])
        assert other["q50"] == pytest.approx(sceptical[name].quantile(0.5)) and other["reason"]


def test_every_entry_is_measured_by_what_the_run_holds_of_it():
    workings = made_workings()
    names = list(workings.inputs.priors)
    drawn = entry_draws(workings, names)
    assert set(drawn) == set(names)
    size = workings.inputs.analysis.draws
    assert all(len(column) == size for _, columns in drawn.values() for column in columns.values())
    kinds = {name: how for name, (how, _) in drawn.items()}
    assert kinds["delivery.cost_overrun"] == "draws" and kinds["social.wellby"] == "none"
    assert kinds["effects.bias_matched"] == kinds["panel.coverage"] == "bound"
    assert kinds["effects.heterogeneity"] == "fit"
    table = assumptions_log(workings)
    assert set(table["name"]) == set(names) and set(table["measured"]) <= {
        "draws",
        "fit",
        "bound",
        "none",
        "fixed",
    }
