"""Every public function refuses draws that would give a number that looks right and is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm, poisson

import cba.decisions as d
from cba.errors import InputError

DRAWS = 200
RNG = np.random.default_rng(0)
LABELS = np.arange(DRAWS) + 5

OPTIONS = xr.DataArray(RNG.normal(1.0, 1.0, (DRAWS, 2)), dims=("sample", "option"), coords={"sample": LABELS})
EFFECTS = OPTIONS * 0.1 + xr.DataArray([0.0, 1.0], dims="option")
ONE = xr.DataArray(RNG.normal(1.0, 1.0, DRAWS), dims="sample", coords={"sample": LABELS})
RISK = xr.DataArray(RNG.uniform(0.1, 0.4, DRAWS), dims="sample", coords={"sample": LABELS})
FLOW = xr.DataArray(
    RNG.normal(1.0, 1.0, (DRAWS, 3)),
    dims=("sample", "year"),
    coords={"sample": LABELS, "year": [2023, 2024, 2025]},
)
INPUTS = ONE.to_dataset(name="x").assign(y=RISK)
PAYOFFS = xr.Dataset({name: ONE + place for place, name in enumerate(("now", "later", "pilot"))}).assign(
    continued=ONE, stopped=ONE - 1
)
SEEN = xr.Dataset({"pilot": ONE, "steps": ONE + 1})
CHOICE = d.LearnedChoice(*(d.Estimate(1.0, 0.1) for _ in range(3)))
NORMAL = {"standard_errors": [0.5]}

CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "acceptability": (lambda c, e: d.acceptability(c, e, [0.0, 1.0]), (OPTIONS, EFFECTS)),
    "break_even_value": (d.break_even_value, (OPTIONS, EFFECTS)),
    "compare_strategies": (
        lambda p: d.compare_strategies(p, after_pilot=CHOICE, after_step=CHOICE),
        (PAYOFFS[["now", "later", "pilot"]],),
    ),
    "conditional_mean": (d.conditional_mean, (ONE.values, RISK.values)),
    "cost_effectiveness_frontier": (d.cost_effectiveness_frontier, (OPTIONS.values[0], EFFECTS.values[0])),
    "cvar": (d.cvar, (ONE,)),
    "decide_in_stages": (
        lambda p, s: d.decide_in_stages(p, s, pilot_error=0.5, steps_error=0.5),
        (PAYOFFS, SEEN),
    ),
    "effective_sample_size": (d.effective_sample_size, (ONE.values,)),
    "evpi": (d.evpi, (OPTIONS,)),
    "evpi_with_error": (d.evpi_with_error, (OPTIONS,)),
    "evppi": (d.evppi, (OPTIONS, INPUTS)),
    "evppi_by_threshold": (
        lambda c, e, x: d.evppi_by_threshold(c, e, x, [0.0]),
        (OPTIONS, EFFECTS, INPUTS),
    ),
    "evsi": (d.evsi, (OPTIONS, ONE)),
    "evsi_normal_study": (lambda n, x: d.evsi_normal_study(n, x, **NORMAL), (OPTIONS, ONE)),
    "evsi_with_covariance": (lambda n, x: d.evsi_with_covariance(n, x, **NORMAL), (OPTIONS, ONE)),
    "learn_then_choose": (lambda a, b, x: d.learn_then_choose(a, b, x, **NORMAL), (ONE, RISK, ONE)),
    "mcse_mean": (d.mcse_mean, (ONE.values,)),
    "mean_payoff": (d.mean_payoff, (ONE,)),
    "mvpf": (d.mvpf, (ONE, RISK)),
    "normal_study": (lambda x: d.normal_study(x, standard_error=1.0, seed=0), (ONE,)),
    "payback_year": (lambda f: d.payback_year(f, base_year=2023), (FLOW,)),
    "plane_quadrants": (d.plane_quadrants, (OPTIONS, EFFECTS)),
    "probability_at_least": (lambda x: d.probability_at_least(x, [0.0]), (ONE,)),
    "randomised_trial": (lambda c, r: d.randomised_trial(c, r, families=100, seed=0), (RISK, 2 * RISK)),
    "regret_table": (d.regret_table, (OPTIONS,)),
    "shapley_effects": (d.shapley_effects, (ONE, INPUTS)),
    "switching_value": (
        lambda x, y: d.switching_value(x, y, statistic="mean", target=0.2),
        (ONE, RISK),
    ),
    "tornado": (d.tornado, (ONE, INPUTS)),
}
"""Each function that takes draws, with good ones."""

NO_DRAWS = {
    "enbs", "optimal_design", "population_value", "shapley", "sobol", "mcse_probability",
}  # fmt: skip
"""Functions that take no draws, or only events and years with gaps; tested where they are."""

PAIRED = sorted(
    name for name, (_, good) in CALLS.items() if len(good) > 1 and not isinstance(good[0], np.ndarray)
)


def holding_nan(value):
    """A copy with one draw missing."""
    if isinstance(value, xr.Dataset):
        name = next(iter(value.data_vars))
        return value.assign({name: holding_nan(value[name])})
    broken = value.copy()
    array = broken if isinstance(broken, np.ndarray) else broken.values
    array[(0,) * array.ndim] = np.nan
    return broken


def test_every_function_that_takes_draws_is_listed():
    functions = {name for name in d.__all__ if not isinstance(getattr(d, name), type)}
    assert functions == set(CALLS) | NO_DRAWS


@pytest.mark.parametrize("name", sorted(CALLS))
def test_good_draws_are_taken(name):
    function, good = CALLS[name]
    function(*good)


@pytest.mark.parametrize(
    "name, place", [(n, i) for n, (_, good) in sorted(CALLS.items()) for i in range(len(good))]
)
def test_a_missing_draw_is_refused(name, place):
    function, good = CALLS[name]
    broken = [holding_nan(value) if i == place else value for i, value in enumerate(good)]
    with pytest.raises(InputError, match="NaN|finite") as caught:
        function(*broken)
    assert "field:" in str(caught.value)


@pytest.mark.parametrize("name", PAIRED)
def test_draws_of_another_length_are_refused(name):
    function, good = CALLS[name]
    with pytest.raises(InputError, match="not paired"):
        function(*good[:-1], good[-1].isel(sample=slice(150)))


@pytest.mark.parametrize("name", PAIRED)
def test_draws_in_another_order_are_refused(name):
    function, good = CALLS[name]
    with pytest.raises(InputError, match="not paired"):
        function(*good[:-1], good[-1].isel(sample=slice(None, None, -1)))


def in_precision(value, kind):
    """Draws far from zero, as another program may have stored them."""
    if isinstance(value, xr.Dataset):
        return value.map(lambda array: in_precision(array, kind))
    moved = value + 0.1 if value.dtype != np.float32 else value
    return moved.astype(kind)


def leaves(result):
    """The numbers of a result, whatever holds it."""
    if isinstance(result, xr.Dataset):
        return [array.values for array in result.data_vars.values() if array.dtype.kind == "f"]
    if isinstance(result, pd.DataFrame):
        return [result.select_dtypes("number").to_numpy()]
    if dataclasses.is_dataclass(result):
        result = vars(result)
    if isinstance(result, dict | tuple):
        parts = result.values() if isinstance(result, dict) else result
        return [number for part in parts for number in leaves(part)]
    return [np.asarray(result, dtype=float)] if not isinstance(result, str) else []


@pytest.mark.parametrize("name", sorted(CALLS))
def test_single_precision_is_taken_into_double_before_anything_is_added_up(name):
    """The same single-precision draws, once as they are and once as doubles, give the same to the last bit."""
    function, good = CALLS[name]
    single = [in_precision(value, np.float32) for value in good]
    double = [in_precision(value, np.float64) for value in single]
    for found, expected in zip(leaves(function(*single)), leaves(function(*double)), strict=True):
        np.testing.assert_array_equal(found, expected)


WITH_OPTIONS = sorted(
    n for n, (_, good) in CALLS.items() if any("option" in getattr(value, "dims", ()) for value in good)
)
TWO_WITH_OPTIONS = sorted(
    n for n, (_, good) in CALLS.items() if sum("option" in getattr(value, "dims", ()) for value in good) > 1
)


def named_options(value, names):
    return value.assign_coords(option=names) if "option" in getattr(value, "dims", ()) else value


@pytest.mark.parametrize("name", [*TWO_WITH_OPTIONS, "cost_effectiveness_frontier"])
def test_options_in_another_order_are_refused(name):
    function, good = CALLS[name]
    good = (OPTIONS, EFFECTS) if name == "cost_effectiveness_frontier" else good
    named = [named_options(value, ["none", "some"]) for value in good]
    function(*named)
    named[1] = named_options(good[1], ["some", "none"])
    with pytest.raises(InputError, match="same options in the same order") as refused:
        function(*named)
    assert "['none', 'some'] and ['some', 'none']" in str(refused.value)


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_a_label_that_stands_twice_is_refused(name):
    function, good = CALLS[name]
    with pytest.raises(InputError, match="stands twice") as refused:
        function(*(named_options(value, ["some", "some"]) for value in good))
    assert "some" in str(refused.value)


@pytest.mark.parametrize("place", [0, 1])
def test_a_missing_draw_of_the_frontier_is_refused_and_not_skipped(place):
    broken = [holding_nan(value) if i == place else value for i, value in enumerate((OPTIONS, EFFECTS))]
    with pytest.raises(InputError, match="NaN"):
        d.cost_effectiveness_frontier(*broken)


@pytest.mark.parametrize("function", [d.evppi, d.tornado, d.shapley_effects])
def test_columns_by_number_are_taken_and_two_of_one_name_refused(function):
    first = OPTIONS if function is d.evppi else ONE
    frame = INPUTS.to_dataframe()
    groups = {} if function is d.tornado else {"groups": {"both": [0, 1]}}
    numbered = function(first, frame.set_axis([0, 1], axis=1), **groups)
    named = function(
        first, frame.set_axis(["0", "1"], axis=1), **({} if not groups else {"groups": {"both": ["0", "1"]}})
    )
    pd.testing.assert_frame_equal(numbered, named)
    with pytest.raises(InputError, match="same name") as refused:
        function(first, frame.set_axis([1, "1"], axis=1))
    assert "found: 1" in str(refused.value)


COMPARING = [n for n in WITH_OPTIONS if n not in ("break_even_value", "plane_quadrants")]


@pytest.mark.parametrize("name", COMPARING)
def test_one_option_is_no_decision(name):
    function, good = CALLS[name]
    single = [v.isel(option=[0]) if "option" in getattr(v, "dims", ()) else v for v in good]
    with pytest.raises(InputError, match="one option is no decision"):
        function(*single)


LEARNING = ["evppi", "evppi_by_threshold", "evsi", "evsi_normal_study", "evsi_with_covariance",
            "learn_then_choose", "decide_in_stages", "switching_value", "tornado", "shapley_effects"]  # fmt: skip


@pytest.mark.parametrize("name", LEARNING)
def test_too_few_draws_to_learn_from(name):
    function, good = CALLS[name]
    with pytest.raises(InputError, match="few draws"):
        function(*(value.isel(sample=slice(60)) for value in good))


@pytest.mark.parametrize("name", ["evppi", "evppi_by_threshold", "shapley_effects", "tornado"])
def test_fewer_draws_than_parameters(name):
    function, good = CALLS[name]
    wide = pd.DataFrame(RNG.normal(size=(DRAWS, DRAWS)), index=LABELS).add_prefix("p")
    with pytest.raises(InputError, match="not more draws than parameters") as caught:
        function(*good[:-1], wide)
    assert "transposed" in str(caught.value)


def test_more_statistics_than_draws():
    raw = xr.DataArray(RNG.normal(size=(DRAWS, DRAWS)), dims=("sample", "statistic"))
    with pytest.raises(InputError, match="not more draws than statistics"):
        d.evsi(OPTIONS.drop_vars("sample"), raw)


@pytest.mark.parametrize("prior", [norm([0.0, 1.0], 1.0), poisson(3.0), "normal"])
def test_a_prior_without_quantiles_is_refused(prior):
    with pytest.raises(InputError, match="no rising, finite quantiles") as caught:
        d.evsi_normal_study(OPTIONS, ONE, **NORMAL, prior=prior)
    assert "field: prior" in str(caught.value)
